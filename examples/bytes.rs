//! Bytes that one image of the digits network moves, by tensor and by the weights' bits: a table, and a plot in the file named.
//!
//!     cargo run --release --example bytes -- docs/bytes.svg

use anyhow::{bail, ensure, Context, Result};
use compiler::npz::Npz;
use compiler::onnx::{import, ImportOptions, Imported, ModelFile};
use compiler::quantize::{quantize, Calibration, Recipe};
use explore::plot::chart::{Chart, Dot, Look, Series};
use explore::plot::ticks::Axis;
use sim::Stalls;
use spec::config::RawConfig;
use spec::{Config, Counter};
use std::path::PathBuf;
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
    let series = TENSORS.iter().enumerate().map(|(at, (name, _))| {
        let dot =
            |(bits, bytes): &(u32, [f64; TENSORS.len()])| Dot { x: f64::from(*bits), y: bytes[at], ..Dot::default() };
        Series { name: (*name).to_owned(), look: Look::nth(at), dots: rows.iter().map(dot).collect() }
    });
    let all: Vec<f64> = rows.iter().flat_map(|(_, bytes)| *bytes).collect();
    let chart = Chart {
        title: "Bytes that one image moves: the convolutional digits network on default".to_owned(),
        x: Axis::whole("bits of a weight", &rows.iter().map(|(bits, _)| f64::from(*bits)).collect::<Vec<f64>>()),
        y: Axis::straight("bytes", &all, true),
        series: series.collect(),
        notes: Vec::new(),
    };
    std::fs::write(&path, chart.scene().svg()?).with_context(|| format!("cannot write {path}"))
}
