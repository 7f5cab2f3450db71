//! The simulator's time against that of the integer products alone, on matrix products of the shapes of ResNet-18's
//! layers.

use spec::config::RawConfig;
use spec::{Config, Counter};
use std::time::Instant;
use testbenches::{Case, Data, Problem};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Times a shape occurs, and m, k, n. The 4,608 rows of the last convolutions are cut to the default configuration's
/// `max_k`.
const LAYERS: [(u64, [usize; 3]); 11] = [
    (1, [12_544, 147, 64]),
    (4, [3_136, 576, 64]),
    (1, [784, 576, 128]),
    (3, [784, 1_152, 128]),
    (1, [784, 64, 128]),
    (1, [196, 1_152, 256]),
    (3, [196, 2_304, 256]),
    (1, [196, 128, 256]),
    (1, [49, 2_304, 512]),
    (3, [49, 4_096, 512]),
    (1, [49, 256, 512]),
];

fn problem(config: &Config, [m, k, n]: [usize; 3]) -> Result<Problem> {
    let case = Case {
        m,
        widths: vec![k, n],
        data: Data::Uniform,
        seed: 1,
        rounding_seed: 1,
        latency: 20,
        stall_seed: 0,
        stall_percent: 0,
        reset_after: 0,
        config: RawConfig::from(config),
        network: None,
    };
    Ok(case.problem()?)
}

/// The least seconds of a few runs: the machine has other things to do, too.
fn least<T>(mut work: impl FnMut() -> Result<T>) -> Result<(f64, T)> {
    let mut best: Option<(f64, T)> = None;
    for _ in 0..3 {
        let start = Instant::now();
        let result = work()?;
        let seconds = start.elapsed().as_secs_f64();
        if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
            best = Some((seconds, result));
        }
    }
    best.ok_or_else(|| "nothing was run".into())
}

fn main() -> Result<()> {
    let config = Config::named("default").ok_or("the default configuration ships with Systole")?;
    let (mut cycles, mut macs, mut stepped, mut skipped, mut product) = (0, 0, 0.0, 0.0, 0.0);
    for (n_layers, shape @ [m, k, n]) in LAYERS {
        let problem = problem(&config, shape)?;
        let (slow, finished) = least(|| Ok(sim::run(&config, problem.environment(), |_, _| {})?))?;
        let (fast, same) = least(|| Ok(sim::run_unobserved(&config, problem.environment())?))?;
        if finished.counters != same.counters || finished.memory != same.memory {
            return Err("skipping changes the result".into());
        }
        let golden::Operation::Convolution { weights, .. } = &problem.network.layers[0].operation else {
            return Err("a case without a network has dense layers".into());
        };
        let shape = golden::Shape { m, k, n };
        let (alone, _) = least(|| Ok(golden::matmul_fast::<i32>(config.numerics(), shape, &problem.input, weights)?))?;
        let layer_cycles = finished.counters.get(Counter::Cycles);
        println!(
            "{m} x {k} x {n}: {layer_cycles} cycles, per cycle {:.1} ns stepped, {:.1} ns skipping, {:.1} ns the product",
            1e9 * slow / layer_cycles as f64,
            1e9 * fast / layer_cycles as f64,
            1e9 * alone / layer_cycles as f64,
        );
        cycles += n_layers * layer_cycles;
        macs += n_layers * (m * k * n) as u64;
        let times = n_layers as f64;
        (stepped, skipped, product) = (stepped + times * slow, skipped + times * fast, product + times * alone);
    }
    println!(
        "all: {cycles} cycles, {:.2} GMAC; stepped {stepped:.3} s, skipping {skipped:.3} s, products {product:.3} s",
        macs as f64 / 1e9
    );
    println!("skipping takes {:.2} times as long as the products alone", skipped / product);
    Ok(())
}
