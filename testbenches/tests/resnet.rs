//! A convolution of ResNet-18 on `default`, with a memory latency of 20 cycles: how busy the mesh is, and what it moves.

mod common;

use common::{changed, named};
use compiler::topology::read_topology;
use golden::{Bounds, Layer, Network, Operation};
use sim::Stalls;
use spec::{Config, Counter, Counters};
use testbenches::data::Random;
use testbenches::engine::{run_simulator, Engine};
use testbenches::{compare, Data, Problem};

/// 56 x 56 pixels, padded, and 64 channels; 3 x 3 positions; 64 filters.
const NAME: &str = "conv2_1a";
const SHAPES: &str = include_str!("../../examples/shapes/resnet18.csv");
const MACS: u64 = 3136 * 64 * 576;

fn problem(config: &Config) -> Problem {
    let shapes = read_topology(SHAPES).unwrap_or_else(|e| panic!("{e}"));
    let shape = shapes.iter().find(|shape| shape.name == NAME).expect("it is there").shape;
    assert_eq!(shape.macs(), MACS);
    let (batch, input, window, n) = shape.layer();
    let (numerics, k) = (config.numerics(), window.positions() * input.channels);
    let mut random = Random::new(1);
    let mut elements =
        |n: usize, format| -> Vec<i32> { (0..n).map(|_| Data::Uniform.element(&mut random, format)).collect() };
    let values = elements(batch * input.elements(), numerics.activation());
    let weights = elements(k * n, numerics.weight());
    let layer = Layer {
        name: NAME.to_owned(),
        inputs: vec![0],
        operation: Operation::Convolution { window, groups: 1, weights },
        pad: 0,
        channels: vec![(0..n).map(|_| Data::Uniform.channel(&mut random, numerics, k)).collect()],
        bounds: Bounds::full(numerics),
        table: None,
    };
    let network = Network { input, layers: vec![layer] };
    Problem::new(config.clone(), network, batch, values, 0, 20, Stalls::NONE).unwrap_or_else(|e| panic!("{e}"))
}

fn run(config: &Config) -> Counters {
    let problem = problem(config);
    let outcome = run_simulator(config, problem.environment()).unwrap_or_else(|e| panic!("{e}"));
    let golden = problem.golden_memory().unwrap_or_else(|e| panic!("{e}"));
    let comparison = compare(&problem, &golden, None, Engine::Simulator, &outcome);
    assert!(comparison.passed(), "{:?}", comparison.differences);
    assert_eq!(comparison.values, 3136 * 64);
    outcome.counters.expect("it counts")
}

#[test]
fn the_mesh_is_busy_for_97_of_100_cycles() {
    let config = named("default");
    let g = config.geometry();
    let (counters, pes) = (run(&config), (g.rows() * g.cols()) as u64);
    let [span, cycles] = [Counter::ExecuteSpan, Counter::Cycles].map(|counter| counters.get(counter));
    assert!(MACS * 100 >= 99 * pes * span, "execute takes {span} cycles for {} of work", MACS / pes);
    assert!(MACS * 100 >= 97 * pes * cycles, "the run takes {cycles} cycles for {} of work", MACS / pes);
}

/// Weights are packed in memory: half the bits are half the bytes, and nothing else moves more.
#[test]
fn bytes_fall_in_proportion_to_the_bits_of_a_weight() {
    let [eight, four, two] = [8, 4, 2].map(|bits| run(&changed("default", |raw| raw.numerics.weight_bits = bits)));
    let weights = |counters: &Counters| counters.get(Counter::WeightBits);
    assert!(weights(&two) >= 2 * 64 * 576, "every weight is read");
    assert_eq!([weights(&eight), weights(&four)], [4 * weights(&two), 2 * weights(&two)]);
    for counter in [Counter::ActivationBits, Counter::OutputBits] {
        assert_eq!([four.get(counter), two.get(counter)], [eight.get(counter); 2], "{}", counter.name());
    }
}
