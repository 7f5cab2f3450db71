//! The figures of docs/results.md: ratios on the same work in one run, sizes, peak memory.

use compiler::GemmShape;
use spec::config::RawConfig;
use spec::{Config, Counter};
use std::time::Instant;
use testbenches::engine::{run_pins, run_simulator};
use testbenches::rtl::Rtl;
use testbenches::verilator::{Optimize, Options};
use testbenches::{Case, Data, Problem};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn gemm(config: &Config, [m, k, n]: [usize; 3]) -> Result<Problem> {
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

/// The least of some runs: the machine has other things to do, too.
fn least<T>(runs: usize, mut work: impl FnMut() -> Result<T>) -> Result<(f64, T)> {
    let mut best: Option<(f64, T)> = None;
    for _ in 0..runs {
        let start = Instant::now();
        let result = work()?;
        let seconds = start.elapsed().as_secs_f64();
        if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
            best = Some((seconds, result));
        }
    }
    best.ok_or_else(|| "nothing was run".into())
}

/// Peak resident memory of this process in MB, where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

fn main() -> Result<()> {
    let config = Config::named("default").ok_or("the default configuration ships with Systole")?;

    // First, while nothing else has used memory.
    let problem = gemm(&config, [1024; 3])?;
    let before = peak_megabytes();
    let (seconds, outcome) = least(1, || Ok(run_simulator(&config, problem.environment())?))?;
    let cycles = outcome.counters.map_or(0, |counters| counters.get(Counter::Cycles));
    let macs = problem.compiled.macs() as f64;
    println!("1024 cube, default: {cycles} cycles, simulator {seconds:.3} s, {:.2} GMAC/s", macs / seconds / 1e9);
    println!(
        "  peak memory {:.0} MB after the run, {:.0} MB before it",
        peak_megabytes().unwrap_or(f64::NAN),
        before.unwrap_or(f64::NAN)
    );
    drop((problem, outcome));

    let problem = gemm(&config, [256; 3])?;
    let rtl = Rtl::build(&config, &Options { optimize: Optimize::Run, ..Options::new(".") })?;
    let macs = problem.compiled.macs() as f64;
    let (simulator, simulated) = least(9, || Ok(run_simulator(&config, problem.environment())?))?;
    let (verilated, on_rtl) = least(3, || Ok(run_pins(&mut rtl.instance(1)?, problem.environment(), None)?))?;
    if simulated != on_rtl {
        return Err("simulator and RTL differ".into());
    }
    let golden::Operation::Convolution { weights, .. } = &problem.network.layers[0].operation else {
        return Err("a product is one dense layer".into());
    };
    let GemmShape { m, k, n } = problem.compiled.layers[0].shape;
    let shape = golden::Shape { m, k, n };
    let (product, _) = least(9, || Ok(golden::matmul_fast::<i32>(config.numerics(), shape, &problem.input, weights)?))?;
    let cycles = simulated.counters.map_or(0, |counters| counters.get(Counter::Cycles)) as f64;
    println!("256 cube, default: {cycles} cycles");
    println!(
        "  simulator {:.2} ms: {:.2} GMAC/s, {:.1} M cycles/s",
        1e3 * simulator,
        macs / simulator / 1e9,
        cycles / simulator / 1e6
    );
    println!("  verilated RTL {:.1} ms: {:.2} M cycles/s", 1e3 * verilated, cycles / verilated / 1e6);
    println!("  simulator is {:.1} times as fast as the RTL", verilated / simulator);
    println!(
        "  simulator takes {:.1} times as long as the integer product alone ({:.2} ms)",
        simulator / product,
        1e3 * product
    );

    for size in [16, 64] {
        let mut raw = RawConfig::from(&config);
        (raw.geometry.rows, raw.geometry.cols, raw.geometry.requantizer_lanes) = (size, size, size);
        let config = Config::try_from(raw)?;
        let (seconds, emitted) = least(1, || Ok(hdl::emit_top(&config)?))?;
        let bytes = emitted.verilog.len();
        println!("emit {size}x{size}: {bytes} bytes, {} modules, {seconds:.2} s", emitted.n_modules);
    }
    Ok(())
}
