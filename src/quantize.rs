//! `systole quantize`: a float network and data become a quantized model, its machine's configuration, and a report.

use crate::args::QuantizeArgs;
use crate::files::{self, Written};
use crate::model::{self, CONFIG, MODEL, REPORT};
use anyhow::{bail, ensure, Context, Result};
use compiler::float::{count_correct, FloatNetwork};
use compiler::npz::Npz;
use compiler::onnx::Imported;
use compiler::quantize::recipe::{GradientRecipe, RangeMethod, WeightMethod};
use compiler::quantize::{
    quantize, Calibration, Component, Granularity, ModelBytes, QuantizedNetwork, Recipe, TensorReport, Wrapping,
};
use explore::data;
use serde::Serialize;
use spec::config::{AccumulatorBits, Auto, RawConfig};
use spec::Config;

/// The report as data.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    model: String,
    data: String,
    calibration_rows: usize,
    seed: u64,
    numerics: String,
    recipe: Recipe,
    tensors: Vec<TensorReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrapping: Vec<Wrapping>,
    bytes: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<Accuracy>,
}

#[derive(Debug, Serialize)]
struct Bytes {
    float: usize,
    weights: usize,
    parameters: usize,
}

/// Right answers, of `images`.
#[derive(Debug, Serialize)]
struct Accuracy {
    images: usize,
    float: usize,
    quantized: usize,
}

pub fn run(args: &QuantizeArgs) -> Result<bool> {
    let at_model = || args.model.display().to_string();
    let at_data = || args.data.display().to_string();
    let float = match model::onnx(&args.model, &args.dimensions)? {
        Imported::Float(float) => float,
        Imported::Quantized(_) => bail!("{} is quantized already: simulate and verify take it as it is", at_model()),
    };
    let mut npz = Npz::new(model::read(&args.data)?).with_context(at_data)?;
    let (inputs, classes) = data::sizes(&float).with_context(at_model)?;
    let calibration = npz.matrix("calibration", inputs).with_context(at_data)?;
    let labels = data::labels(&mut npz, "calibration_labels", calibration.rows, classes).with_context(at_data)?;
    let base = files::config(&args.config)?;
    let recipe = recipe(args, &base)?;
    check_options(args, &recipe)?;
    files::check_folder(&args.out, &[MODEL, CONFIG, REPORT])?;
    let config = machine(&base, &recipe)?;
    let inputs = Calibration { inputs: &calibration.values, labels: labels.as_deref() };
    let quantized = quantize(&float, inputs, config.numerics(), &recipe, args.seed).with_context(at_model)?;
    let ModelBytes { float: float_bytes, weights, parameters } = quantized.network.bytes();
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        model: at_model(),
        data: at_data(),
        calibration_rows: calibration.rows,
        seed: args.seed,
        numerics: numerics(&config),
        recipe,
        tensors: quantized.tensors,
        wrapping: quantized.wrapping,
        bytes: Bytes { float: float_bytes, weights, parameters },
        accuracy: accuracy(&float, &quantized.network, &mut npz, args.seed).with_context(at_data)?,
    };
    let mut json = serde_json::to_string_pretty(&report)?;
    json.push('\n');
    let written = [
        (MODEL.to_owned(), quantized.network.to_npz().context("cannot make the model's file")?),
        (CONFIG.to_owned(), config.to_toml().into_bytes()),
        (REPORT.to_owned(), json.into_bytes()),
    ];
    let verb = match files::folder(&args.out, &written)? {
        Written::New => "wrote",
        Written::Unchanged => "already up to date:",
    };
    let mut text = report.text();
    line!(text, "\n{verb} {}: {MODEL}, {CONFIG}, {REPORT}", args.out.display());
    let seed = if args.seed == 0 { String::new() } else { format!(" --rounding-seed {}", args.seed) };
    line!(text, "run it with: systole simulate --model {} --data {}{seed}", args.out.display(), args.data.display());
    files::print(&text)?;
    Ok(true)
}

/// The recipe of the file or of whole ranges, with what the options say instead.
fn recipe(args: &QuantizeArgs, base: &Config) -> Result<Recipe> {
    let numerics = base.numerics();
    let mut recipe = match &args.recipe {
        None => Recipe::min_max(numerics.weight().bits(), numerics.activation().bits()),
        Some(path) => model::recipe(path)?,
    };
    if let Some(bits) = args.weights {
        recipe.weights.bits = bits;
    }
    if let Some(bits) = args.activations {
        recipe.activations.bits = bits;
    }
    if let Some(RangeMethod(method)) = args.method {
        recipe.weights.method = WeightMethod::Uniform(method);
        recipe.activations.method = RangeMethod(method);
    }
    if let Some(method) = args.weight_method {
        recipe.weights.method = method;
    }
    if let Some(method) = args.activation_method {
        recipe.activations.method = method;
    }
    if let Some(rounding) = args.weight_rounding {
        recipe.weights.rounding = rounding;
    }
    if let Some(rounding) = args.input_rounding {
        recipe.activations.rounding = rounding;
    }
    if args.per_channel {
        recipe.weights.granularity = Granularity::PerChannel;
    }
    if args.per_tensor {
        recipe.weights.granularity = Granularity::PerTensor;
    }
    recipe.weights.bias_correction |= args.bias_correction;
    if let Some(bits) = args.gradients {
        let default = GradientRecipe { bits, method: recipe.activations.method, rounding: recipe.activations.rounding };
        let mut gradients = recipe.gradients.unwrap_or(default);
        gradients.bits = bits;
        recipe.gradients = Some(gradients);
    }
    if let (Some(method), Some(gradients)) = (args.gradient_method, &mut recipe.gradients) {
        gradients.method = method;
    }
    if let (Some(rounding), Some(gradients)) = (args.gradient_rounding, &mut recipe.gradients) {
        gradients.rounding = rounding;
    }
    Ok(recipe)
}

/// The base configuration with the recipe's widths, of weights the widest of any layer. Outputs as wide as activations stay so, since they are the next layer's.
fn machine(base: &Config, recipe: &Recipe) -> Result<Config> {
    let mut raw = RawConfig::from(base);
    let n = &mut raw.numerics;
    let (weights, activations) = (recipe.machine_weight_bits(), recipe.activations.bits);
    if n.weight_bits == weights && n.activation_bits == activations {
        return Ok(base.clone());
    }
    if n.output_bits == n.activation_bits {
        n.output_bits = activations;
    }
    n.weight_bits = weights;
    n.activation_bits = activations;
    // A width that followed from the others follows from them again; one that was asked for stays.
    if n.accumulator_bits == AccumulatorBits::Exact(base.numerics().exact_accumulator_bits()) {
        n.accumulator_bits = AccumulatorBits::Named(Auto::Auto);
    }
    raw.name = format!("{}-w{weights}a{activations}", raw.name);
    Ok(Config::try_from(raw)?)
}

/// Options that the recipe leaves nothing to decide for.
fn check_options(args: &QuantizeArgs, recipe: &Recipe) -> Result<()> {
    let method = recipe.weights.method;
    let uniform = matches!(method, WeightMethod::Uniform(_));
    ensure!(
        args.weight_rounding.is_none() || uniform,
        "--weight-rounding has no effect with the weight method {method}: its levels are taken as they are nearest"
    );
    if matches!(method, WeightMethod::Ternary | WeightMethod::Binary) {
        let bits = args.weights.unwrap_or(2);
        ensure!(bits == 2, "--weights {bits} has no effect with the weight method {method}: it takes 2 bits");
    }
    let kmeans = matches!(method, WeightMethod::KMeans { .. });
    ensure!(!(kmeans && args.per_channel), "--per-channel has no effect with the weight method {method}");
    let gradients = args.gradient_method.is_some() || args.gradient_rounding.is_some();
    ensure!(
        recipe.gradients.is_some() || !gradients,
        "--gradient-method and --gradient-rounding need --gradients BITS, or [gradients] in the recipe"
    );
    Ok(())
}

fn numerics(config: &Config) -> String {
    let n = config.numerics();
    let (scheme, rounding) = (n.scheme(), n.rounding());
    format!("{} x {} -> {} by {scheme}, {rounding}", n.activation(), n.weight(), n.output())
}

fn accuracy(float: &FloatNetwork, quantized: &QuantizedNetwork, npz: &mut Npz, seed: u64) -> Result<Option<Accuracy>> {
    let names = npz.names();
    if !["test", "labels"].iter().all(|wanted| names.iter().any(|name| name == wanted)) {
        return Ok(None);
    }
    let (inputs, classes) = data::sizes(float)?;
    let (test, labels) = data::test_data(npz, inputs, classes)?;
    let Some(labels) = labels else { return Ok(None) };
    let outputs = quantized.run_golden(&quantized.quantize_input(&test.values, seed)?, seed)?;
    Ok(Some(Accuracy {
        images: test.rows,
        float: count_correct(&data::float_outputs(float, &test.values)?, classes, &labels),
        quantized: count_correct(&outputs, classes, &labels),
    }))
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        let out = &mut text;
        line!(
            out,
            "Systole {}: {} calibrated with {} rows of {}",
            self.version,
            self.model,
            self.calibration_rows,
            self.data
        );
        line!(out, "machine: {}", self.numerics);
        for component in Component::ALL {
            let tensors: Vec<&TensorReport> = self.tensors.iter().filter(|t| t.component == component).collect();
            if tensors.is_empty() {
                continue;
            }
            line!(out, "\n{}", component.name());
            line!(out, "layer                tensor      format      SQNR dB          MSE  clipped %  bytes before    after  method");
            for t in tensors {
                let sqnr = t.sqnr_db.map_or_else(|| "exact".to_owned(), |db| format!("{db:.2}"));
                line!(
                    out,
                    "{:<20} {:<11} {:<8} {:>10} {:>12.3e} {:>10.3} {:>13} {:>8}  {}",
                    t.layer,
                    t.tensor,
                    t.format,
                    sqnr,
                    t.mse,
                    100.0 * t.clipped_share,
                    t.bytes_float,
                    t.bytes_quantized,
                    t.method
                );
            }
        }
        for Wrapping { layer, needed_bits, accumulator_bits } in &self.wrapping {
            line!(out, "\nwarning: sums of layer {layer} can need {needed_bits} bits, and the accumulator of {accumulator_bits} wraps");
        }
        let after = self.bytes.weights + self.bytes.parameters;
        line!(
            out,
            "\nmodel size  {} bytes as float32, {after} quantized (weights {}, parameters {}): {:.2} times smaller",
            self.bytes.float,
            self.bytes.weights,
            self.bytes.parameters,
            self.bytes.float as f64 / after as f64
        );
        if let Some(accuracy) = &self.accuracy {
            let share = |correct: usize| 100.0 * correct as f64 / accuracy.images as f64;
            line!(
                out,
                "accuracy    float {} of {} = {:.2} %, quantized (golden) {} of {} = {:.2} %",
                accuracy.float,
                accuracy.images,
                share(accuracy.float),
                accuracy.quantized,
                accuracy.images,
                share(accuracy.quantized)
            );
        }
        text
    }
}
