//! A network and its data, as commands name them: a float ONNX model, or what `systole quantize` wrote.

use crate::files;
use anyhow::{bail, ensure, Context, Result};
use compiler::float::{count_correct, FloatNetwork};
use compiler::npz::{Matrix, Npz};
use compiler::onnx::{import, notes, ImportOptions, Imported, IntegerModel, ModelFile, OnnxError};
use compiler::quantize::{quantize, Calibration, QuantizedNetwork, Recipe};
use explore::data;
use sim::Stalls;
use spec::config::RawNumerics;
use spec::{Config, Numerics};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use testbenches::Problem;

/// The files of a folder that `systole quantize` writes.
pub const MODEL: &str = "model.npz";
pub const CONFIG: &str = "config.toml";
pub const REPORT: &str = "report.json";

/// The first bytes of a zip archive, which an `.npz` file is.
const ZIP: &[u8] = b"PK";

/// A network in integers, its machine, and the data to run.
pub struct Loaded {
    pub config: Config,
    /// Absent for a network that was quantized before.
    pub float: Option<FloatNetwork>,
    pub quantized: QuantizedNetwork,
    pub test: Matrix,
    /// The class of each row of `test`.
    pub labels: Option<Vec<i64>>,
}

/// What to read, and how a float network is quantized on the way.
pub struct Source<'a> {
    pub model: &'a Path,
    pub data: &'a Path,
    pub config: Option<&'a str>,
    pub recipe: &'a dyn Fn(&Numerics) -> Result<Recipe>,
    /// Sizes of the model's named dimensions.
    pub dimensions: &'a [(String, usize)],
    pub rounding_seed: u64,
}

/// A file of a quantized model, and the configuration beside it.
struct Files {
    model: PathBuf,
    config: Option<PathBuf>,
}

impl Files {
    fn of(model: &Path) -> Result<Self> {
        if !model.is_dir() {
            return Ok(Self { model: model.to_owned(), config: None });
        }
        let file = model.join(MODEL);
        ensure!(file.is_file(), "{} holds no {MODEL}: it is no folder of systole quantize", model.display());
        Ok(Self { model: file, config: Some(model.join(CONFIG)) })
    }
}

pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

pub fn load(source: &Source<'_>) -> Result<Loaded> {
    let files = Files::of(source.model)?;
    let config = match (source.config, &files.config) {
        (Some(name), _) => files::config(name)?,
        (None, Some(path)) => files::config(&path.display().to_string())?,
        (None, None) => bail!("--config is needed: {} is a file without a configuration", source.model.display()),
    };
    let at_model = || files.model.display().to_string();
    let at_data = || source.data.display().to_string();
    let mut npz = Npz::new(read(source.data)?).with_context(at_data)?;
    let of_integers = |npz: &mut Npz, config: Config, quantized: QuantizedNetwork| {
        let (inputs, classes) = (quantized.network().input.elements(), quantized.output().elements());
        let (test, labels) = data::test_data(npz, inputs, classes).with_context(at_data)?;
        Ok(Loaded { config, float: None, quantized, test, labels })
    };
    if is_zip(&files.model)? {
        ensure!(
            source.dimensions.is_empty(),
            "--dimension has no effect: {} is quantized already",
            files.model.display()
        );
        let quantized = QuantizedNetwork::from_npz(read(&files.model)?).with_context(at_model)?;
        same_numerics(&config, quantized.numerics()).with_context(at_model)?;
        return of_integers(&mut npz, config, quantized);
    }
    let float = match onnx(&files.model, source.dimensions)? {
        Imported::Float(float) => float,
        Imported::Quantized(model) => {
            let quantized = model.on(config.numerics()).with_context(|| needs(&files.model, &model))?;
            return of_integers(&mut npz, config, quantized);
        }
    };
    let (inputs, classes) = data::sizes(&float).with_context(at_model)?;
    let calibration = npz.matrix("calibration", inputs).with_context(at_data)?;
    let (test, labels) = data::test_data(&mut npz, inputs, classes).with_context(at_data)?;
    let recipe = (source.recipe)(config.numerics())?;
    let calibration = Calibration { inputs: &calibration.values, labels: None };
    let quantized = quantize(&float, calibration, config.numerics(), &recipe, source.rounding_seed);
    let quantized = quantized.with_context(at_model)?.network;
    Ok(Loaded { config, float: Some(float), quantized, test, labels })
}

/// Whether a file begins as an archive does.
fn is_zip(path: &Path) -> Result<bool> {
    let at = || format!("cannot read {}", path.display());
    let mut start = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(ZIP.len() as u64).read_to_end(&mut start)).with_context(at)?;
    Ok(start == ZIP)
}

/// Reads an ONNX model; what is left out of it is told on standard error.
pub fn onnx(path: &Path, dimensions: &[(String, usize)]) -> Result<Imported> {
    let at = || path.display().to_string();
    for (at, (name, _)) in dimensions.iter().enumerate() {
        ensure!(dimensions[..at].iter().all(|(other, _)| other != name), "--dimension {name} is given twice");
    }
    let model = match ModelFile::read(path) {
        Ok(model) => model,
        // These name the file themselves.
        Err(error @ (OnnxError::Read { .. } | OnnxError::TooLarge { .. })) => return Err(error.into()),
        Err(error) => return Err(error).with_context(at),
    };
    let options = ImportOptions { dimensions: dimensions.to_vec() };
    let imported = import(&model, &options).with_context(at)?;
    for note in notes(&model, &options).with_context(at)? {
        // Nobody needs to know that a note cannot be shown.
        let _ = writeln!(std::io::stderr(), "{}: {note}", path.display());
    }
    Ok(imported)
}

/// Reads a recipe.
pub fn recipe(path: &Path) -> Result<Recipe> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Recipe::from_toml(&text).with_context(|| path.display().to_string())
}

/// Whole ranges, a scale a channel.
pub fn per_channel(numerics: &Numerics) -> Recipe {
    Recipe::min_max(numerics.weight().bits(), numerics.activation().bits())
}

/// What a quantized model asks of a machine.
fn needs(path: &Path, model: &IntegerModel) -> String {
    let needs = model.needs();
    let sign = if needs.activation_signed { "signed or unsigned" } else { "unsigned, or signed," };
    let table = if needs.activation_table { ", numerics.activation_table = true" } else { "" };
    format!(
        "{} needs {sign} activations of {} bits, signed weights of {} bits{table}",
        path.display(),
        needs.activation_bits,
        needs.weight_bits
    )
}

/// Refuses a machine that computes other values than the model was quantized for.
fn same_numerics(config: &Config, model: &Numerics) -> Result<()> {
    if config.numerics() == model {
        return Ok(());
    }
    let keys = |numerics: &Numerics| serde_json::to_value(RawNumerics::from(numerics));
    let (machine, model) = (keys(config.numerics())?, keys(model)?);
    let differing = machine.as_object().into_iter().flatten().filter(|(key, value)| model[key.as_str()] != **value);
    // The accumulator's width mostly follows from the others.
    let differing = differing.min_by_key(|(key, _)| *key == "accumulator_bits");
    let (key, value) = differing.map_or(("", &serde_json::Value::Null), |(key, value)| (key.as_str(), value));
    bail!(
        "numerics.{key} = {value} in configuration {}, but the model was quantized for {}: take the {CONFIG} beside the model",
        config.name(),
        model[key]
    )
}

/// A network's program for the first `rows` rows of the test data.
pub fn problem(loaded: &Loaded, rows: usize, rounding_seed: u64, latency: u64, stalls: Stalls) -> Result<Problem> {
    let input = loaded.quantized.quantize_input(&loaded.test.values[..rows * loaded.test.cols], rounding_seed)?;
    let network = loaded.quantized.network().clone();
    Ok(Problem::new(loaded.config.clone(), network, rows, input, rounding_seed, latency, stalls)?)
}

impl Loaded {
    pub fn classes(&self) -> usize {
        self.quantized.output().elements()
    }

    /// Right answers of the float network, if it is there.
    pub fn float_correct(&self, labels: &[i64]) -> Result<Option<usize>> {
        let Some(float) = &self.float else { return Ok(None) };
        let outputs = data::float_outputs(float, &self.test.values)?;
        Ok(Some(count_correct(&outputs, self.classes(), labels)))
    }
}
