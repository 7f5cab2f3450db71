//! Bytes that one image of the digits network moves, by tensor and by the weights' bits: a table, and a plot in the file named.
//!
//!     cargo run --release --example bytes -- docs/bytes.svg

// Each takes what the plots of the command line need.
#[allow(dead_code)]
#[path = "../src/files.rs"]
mod files;
#[allow(dead_code)]
#[path = "../src/plot.rs"]
mod plot;

use anyhow::{bail, ensure, Context, Result};
use compiler::npz::Npz;
use compiler::onnx::{import, ImportOptions, Imported, ModelFile};
use compiler::quantize::{quantize, Calibration, Recipe};
use plot::{Plot, Series, Style};
use sim::Stalls;
use spec::config::RawConfig;
use spec::{Config, Counter};
use std::path::{Path, PathBuf};
use testbenches::engine::{run_simulator, Engine};
use testbenches::{compare, Problem};

const WEIGHT_BITS: std::ops::RangeInclusive<u32> = 2..=8;
const TENSORS: [(&str, Counter); 4] = [
    ("weights", Counter::WeightBits),
    ("activations", Counter::ActivationBits),
    ("outputs", Counter::OutputBits),
    ("parameters", Counter::ParameterBits),
];

fn example(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "examples", "digits", name].iter().collect()
}

/// The float network on `default` with weights of that many bits, and the first test image.
fn problem(weight_bits: u32) -> Result<Problem> {
    let mut raw = RawConfig::from(&Config::named("default").context("it ships with Systole")?);
    raw.numerics.weight_bits = weight_bits;
    let config = Config::try_from(raw)?;
    let numerics = config.numerics();
    let Imported::Float(float) = import(&ModelFile::read(&example("cnn.onnx"))?, &ImportOptions::default())? else {
        bail!("cnn.onnx is a network of floats");
    };
    let pixels = float.input.elements();
    let mut data = Npz::new(std::fs::read(example("digits.npz"))?)?;
    let (calibration, test) = (data.matrix("calibration", pixels)?, data.matrix("test", pixels)?);
    let recipe = Recipe::min_max(weight_bits, numerics.activation().bits());
    let calibration = Calibration { inputs: &calibration.values, labels: None };
    let quantized = quantize(&float, calibration, numerics, &recipe, 0)?.network;
    let input = quantized.quantize_input(&test.values[..pixels], 0)?;
    Ok(Problem::new(config, quantized.network().clone(), 1, input, 0, 20, Stalls::NONE)?)
}

/// Payload bytes of each of [`TENSORS`], as the machine's counters have them.
fn bytes(weight_bits: u32) -> Result<[f64; TENSORS.len()]> {
    let problem = problem(weight_bits)?;
    let outcome = run_simulator(&problem.config, problem.environment())?;
    let comparison = compare(&problem, &problem.golden_memory()?, None, Engine::Simulator, &outcome);
    ensure!(comparison.passed(), "weights of {weight_bits} bits: {:?}", comparison.differences);
    let counters = outcome.counters.context("the simulator counts")?;
    Ok(TENSORS.map(|(_, counter)| counters.get(counter) as f64 / 8.0))
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("name the file of the plot, such as docs/bytes.svg")?;
    let rows = WEIGHT_BITS.map(|bits| Ok((bits, bytes(bits)?))).collect::<Result<Vec<_>>>()?;
    println!("weight bits   {}", TENSORS.map(|(name, _)| format!("{name:>12}")).join(""));
    for (bits, bytes) in &rows {
        println!("{bits:>11}   {}", bytes.map(|bytes| format!("{bytes:>12}")).join(""));
    }
    let styles = [Style::Line, Style::Line, Style::Dashes, Style::Dashes];
    let series = TENSORS.iter().zip(styles).enumerate().map(|(color, ((name, _), style))| {
        let points = rows.iter().map(|(bits, bytes)| (f64::from(*bits), bytes[color])).collect();
        Series { name: (*name).to_owned(), points, color, style }
    });
    let most = rows.iter().flat_map(|(_, bytes)| *bytes).fold(0.0, f64::max);
    let plot = Plot {
        title: "Bytes that one image moves: the convolutional digits network on default".to_owned(),
        x_label: "bits of a weight".to_owned(),
        y_label: "bytes".to_owned(),
        x: (1.5, 8.5),
        y: (0.0, (most / 5000.0).ceil() * 5000.0),
        series: series.collect(),
    };
    plot.write_svg(Path::new(&path))
}
