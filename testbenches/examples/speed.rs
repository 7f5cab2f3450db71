//! How fast the layers of ResNet-18 are simulated, against the time of their integer matrix products alone: the same
//! values, one thread, one run. Every layer is compiled for `default`, and its memory is compared with golden's.
//!
//! An argument is another file of layers, in SCALE-Sim's format.

use compiler::topology::{read_topology, TopologyShape};
use golden::{Bounds, Layer, Network, Operation, Shape};
use spec::config::{AccumulatorBits, Auto, RawConfig};
use spec::{Config, Counter};
use std::time::Instant;
use testbenches::data::Random;
use testbenches::{Data, Problem};

/// Of each layer, and of its product.
const N_RUNS: usize = 20;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// `default` with room for the 4,608 terms of the last convolutions.
fn config() -> Result<Config> {
    let mut raw = RawConfig::from(&Config::named("default").ok_or("the default configuration ships with Systole")?);
    raw.numerics.max_k = 9216;
    raw.numerics.accumulator_bits = AccumulatorBits::Named(Auto::Auto);
    Ok(Config::try_from(raw)?)
}

/// A layer alone, with uniform activations and weights.
fn problem(config: &Config, shape: TopologyShape) -> Result<Problem> {
    let numerics = config.numerics();
    let (batch, input, window, n) = shape.layer();
    let k = window.positions() * input.channels;
    let mut random = Random::new(1);
    let mut elements =
        |n: usize, format| -> Vec<i32> { (0..n).map(|_| Data::Uniform.element(&mut random, format)).collect() };
    let values = elements(batch * input.elements(), numerics.activation());
    let weights = elements(k * n, numerics.weight());
    let layer = Layer {
        name: "layer".to_owned(),
        inputs: vec![0],
        operation: Operation::Convolution { window, groups: 1, weights },
        pad: 0,
        channels: vec![(0..n).map(|_| Data::Uniform.channel(&mut random, numerics, k)).collect()],
        bounds: Bounds::full(numerics),
        table: None,
    };
    let network = Network { input, layers: vec![layer] };
    Ok(Problem::new(config.clone(), network, batch, values, 1, 20, sim::Stalls::NONE)?)
}

/// The activations as the matrix that the weights are multiplied by: a row an output, all positions of its window.
fn patches(problem: &Problem, shape: TopologyShape) -> Result<Vec<i32>> {
    let (batch, input, window, _) = shape.layer();
    let [height, width] = window.output(input.size())?;
    let mut patches = Vec::new();
    for image in problem.input.chunks_exact(problem.input.len() / batch) {
        for at in 0..height * width {
            for position in 0..window.positions() {
                let position = [position / window.kernel[1], position % window.kernel[1]];
                match window.input([at / width, at % width], position, input.size()) {
                    Some([row, col]) => {
                        let from = (row * input.width + col) * input.channels;
                        patches.extend_from_slice(&image[from..from + input.channels]);
                    }
                    None => patches.resize(patches.len() + input.channels, 0),
                }
            }
        }
    }
    Ok(patches)
}

/// Seconds of the work that `work` does with what `prepare` gives, and its result.
fn timed<P, T>(prepare: impl Fn() -> P, work: impl Fn(P) -> Result<T>) -> Result<(f64, T)> {
    let prepared = prepare();
    let start = Instant::now();
    let result = work(prepared)?;
    Ok((start.elapsed().as_secs_f64(), result))
}

fn main() -> Result<()> {
    let config = config()?;
    let resnet18 = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shapes/resnet18.csv");
    let layers = read_topology(&std::fs::read_to_string(std::env::args().nth(1).as_deref().unwrap_or(resnet18))?)?;
    let mut known: Vec<(TopologyShape, [f64; 2], u64)> = Vec::new();
    let (mut seconds, mut cycles, mut macs) = ([0.0, 0.0], 0, 0);
    for layer in &layers {
        let shape = layer.shape;
        if !known.iter().any(|(known, ..)| *known == shape) {
            let problem = problem(&config, shape)?;
            let (batch, input, window, n) = shape.layer();
            let [height, width] = window.output(input.size())?;
            let product = Shape { m: batch * height * width, k: window.positions() * input.channels, n };
            let patches = patches(&problem, shape)?;
            let Operation::Convolution { weights, .. } = &problem.network.layers[0].operation else {
                return Err("the layer is a convolution".into());
            };
            // The least of a few runs that take turns: the machine has other things to do, too.
            let mut seconds = [f64::INFINITY; 2];
            let mut finished = None;
            for _ in 0..N_RUNS {
                let (simulated, run) =
                    timed(|| problem.environment(), |environment| Ok(sim::run_unobserved(&config, environment)?))?;
                let (multiplied, _) =
                    timed(|| (), |()| Ok(golden::matmul_fast::<i32>(config.numerics(), product, &patches, weights)?))?;
                seconds = [seconds[0].min(simulated), seconds[1].min(multiplied)];
                finished = Some(run);
            }
            let finished = finished.ok_or("nothing was run")?;
            if finished.memory != problem.golden_memory()? {
                return Err(format!("{}: the memory differs from golden's", layer.name).into());
            }
            known.push((shape, seconds, finished.counters.get(Counter::Cycles)));
        }
        let Some(&(_, of_layer, layer_cycles)) = known.iter().find(|(known, ..)| *known == shape) else { continue };
        println!(
            "{:<15}{layer_cycles:>9} cycles, {:>6.1} ns a cycle, {:>5.1} ns of them the product: {:>5.2} times as long",
            layer.name,
            1e9 * of_layer[0] / layer_cycles as f64,
            1e9 * of_layer[1] / layer_cycles as f64,
            of_layer[0] / of_layer[1],
        );
        cycles += layer_cycles;
        macs += shape.macs();
        seconds.iter_mut().zip(of_layer).for_each(|(sum, of_layer)| *sum += of_layer);
    }
    let rate = |seconds: f64| macs as f64 / seconds / 1e9;
    println!("{} layers, {macs} MACs, {cycles} cycles; golden agrees on all values", layers.len());
    println!(
        "simulated in {:.3} s, {:.2} GMAC/s, {:.1} ns a cycle",
        seconds[0],
        rate(seconds[0]),
        1e9 * seconds[0] / cycles as f64
    );
    println!("products alone {:.3} s, {:.2} GMAC/s", seconds[1], rate(seconds[1]));
    println!("the simulation takes {:.2} times as long as the products alone", seconds[0] / seconds[1]);
    Ok(())
}
