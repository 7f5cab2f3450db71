//! The quantized digits network on the verilated RTL of three array shapes: golden = simulator = RTL, values, cycles and counters.

mod common;

use common::{changed, named, rtl};
use compiler::npz::Npz;
use compiler::onnx::{import, ImportOptions, Imported, ModelFile};
use sim::Stalls;
use spec::{Config, Counter};
use std::path::PathBuf;
use testbenches::engine::{run_pins, run_simulator};
use testbenches::{compare, Engine, Problem};

const IMAGES: usize = 8;
const PIXELS: usize = 64;
/// Of all layers, an image.
const VALUES: u64 = 1706;

fn example(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "examples", "digits", name].iter().collect()
}

fn problem(config: &Config, stall_percent: u32) -> Problem {
    let model = ModelFile::read(&example("cnn-qdq-int8.onnx")).unwrap_or_else(|e| panic!("{e}"));
    let model = match import(&model, &ImportOptions::default()) {
        Ok(Imported::Quantized(model)) => model,
        other => panic!("{other:?}"),
    };
    let quantized = model.on(config.numerics()).unwrap_or_else(|e| panic!("{}: {e}", config.name()));
    let data = std::fs::read(example("digits.npz")).expect("it is there");
    let test = Npz::new(data).and_then(|mut data| data.matrix("test", PIXELS)).unwrap_or_else(|e| panic!("{e}"));
    let input = quantized.quantize_input(&test.values[..IMAGES * PIXELS], 0).expect("whole images");
    let stalls = Stalls { seed: 1, percent: stall_percent };
    let problem = Problem::new(config.clone(), quantized.network().clone(), IMAGES, input, 0, 20, stalls);
    problem.unwrap_or_else(|e| panic!("{}: {e}", config.name()))
}

/// The cycles of both runs.
fn agrees(config: &Config) -> [u64; 2] {
    let rtl = rtl(config);
    [0, 40].map(|stall_percent| {
        let context = format!("{}, stalls {stall_percent} %", config.name());
        let problem = problem(config, stall_percent);
        let golden = problem.golden_memory().unwrap_or_else(|e| panic!("{context}: {e}"));
        let simulated = run_simulator(config, problem.environment()).unwrap_or_else(|e| panic!("{context}: {e}"));
        let mut instance = rtl.instance(1).unwrap_or_else(|e| panic!("{context}: {e}"));
        let outcome = run_pins(&mut instance, problem.environment(), None).unwrap_or_else(|e| panic!("{context}: {e}"));
        for comparison in [
            compare(&problem, &golden, None, Engine::Simulator, &simulated),
            compare(&problem, &golden, Some(&simulated), Engine::Verilator, &outcome),
        ] {
            assert!(comparison.passed(), "{context}: {:?}", comparison.differences);
            assert_eq!(comparison.values, IMAGES as u64 * VALUES, "{context}");
        }
        let [simulated, outcome] = [simulated, outcome].map(|outcome| outcome.counters.expect("it counts"));
        assert_eq!(simulated, outcome, "{context}");
        outcome.get(Counter::Cycles)
    })
}

/// Stalls cost cycles, so the second run was another one.
fn agrees_under_stalls(config: &Config) {
    let [without, with] = agrees(config);
    assert!(without > 0 && with > without, "{}: {without} cycles, {with} with stalls", config.name());
}

#[test]
fn square_of_16() {
    agrees_under_stalls(&named("default"));
}

#[test]
fn square_of_4() {
    agrees_under_stalls(&named("small"));
}

/// More columns than rows, so that a max pool takes several terms, and sides that divide nothing.
#[test]
fn five_rows_of_twelve() {
    agrees_under_stalls(&changed("small", |raw| {
        raw.name = "5x12".to_owned();
        raw.geometry.rows = 5;
        raw.geometry.cols = 12;
        raw.geometry.multiplier_stages = 2;
        raw.geometry.bus_bits = 128;
        raw.geometry.requantizer_lanes = 3;
    }));
}
