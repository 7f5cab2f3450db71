//! `systole simulate`.

use crate::args::SimulateArgs;
use crate::files;
use crate::report::{self, Accuracy, Compared, Frames, ModelReport, Report, RtlAccuracy, RtlReport, Speed};
use anyhow::{ensure, Context, Result};
use compiler::npz::{Matrix, Npz};
use compiler::onnx::{count_correct, read_onnx, FloatNetwork};
use compiler::quantize::{quantize, Granularity, QuantizedNetwork};
use compiler::GemmShape;
use sim::trace::Trace;
use sim::Stalls;
use spec::config::RawConfig;
use spec::{Config, Counter, Counters};
use std::path::Path;
use std::time::Instant;
use testbenches::engine::{run_pins, run_simulator};
use testbenches::rtl::Rtl;
use testbenches::verilator::{Optimize, Options};
use testbenches::{compare, Case, Comparison, Data, Engine, LayerData, Outcome, Problem};

pub fn run(args: &SimulateArgs) -> Result<bool> {
    let config = files::config(&args.config)?;
    // Before the work, not after it.
    for path in args.json.iter().chain(&args.trace) {
        files::check_writable(path)?;
    }
    ensure!(args.json.is_none() || args.json != args.trace, "--json and --trace name the same file");
    let report = match (&args.gemm, &args.model, &args.data) {
        (Some(shape), _, _) => gemm(args, &config, *shape)?,
        (None, Some(model), Some(data)) => network(args, &config, model, data)?,
        _ => anyhow::bail!("one of --gemm and --model with --data is needed"),
    };
    if let Some(path) = &args.json {
        let mut text = serde_json::to_string_pretty(&report)?;
        text.push('\n');
        files::write(path, text.as_bytes())?;
    }
    files::print(&report.text())?;
    Ok(report.passed())
}

fn stalls(args: &SimulateArgs) -> Stalls {
    args.stalls.map_or(Stalls::NONE, |choice| Stalls { seed: choice.seed, percent: choice.percent })
}

/// A program's run in the simulator, with what it was compared with.
struct Simulated {
    outcome: Outcome,
    counters: Counters,
    comparison: Comparison,
    golden: Vec<u8>,
}

fn simulate(problem: &Problem) -> Result<Simulated> {
    let golden = problem.golden_memory()?;
    let outcome = run_simulator(&problem.config, problem.environment())?;
    let counters = outcome.counters.context("the simulator counts")?;
    let comparison = compare(problem, &golden, None, Engine::Simulator, &outcome);
    Ok(Simulated { outcome, counters, comparison, golden })
}

/// A program's run in the verilated RTL, timed beside the simulator on the same work.
struct OnRtl {
    outcome: Outcome,
    comparison: Comparison,
    report: RtlReport,
}

fn on_rtl(problem: &Problem, simulated: &Simulated, seed: u64) -> Result<OnRtl> {
    let options = Options { optimize: Optimize::Run, ..Options::new(".") };
    let rtl = Rtl::build(&problem.config, &options)?;
    let mut instance = rtl.instance(seed)?;
    let start = Instant::now();
    let outcome = run_pins(&mut instance, problem.environment(), None)?;
    let seconds_rtl = start.elapsed().as_secs_f64();
    let start = Instant::now();
    run_simulator(&problem.config, problem.environment())?;
    let seconds_simulator = start.elapsed().as_secs_f64();
    let comparison = compare(problem, &simulated.golden, Some(&simulated.outcome), Engine::Verilator, &outcome);
    let cycles = |outcome: &Outcome| outcome.counters.map_or(0, |counters| counters.get(Counter::Cycles));
    let report = RtlReport {
        rows: problem.m,
        cycles_rtl: cycles(&outcome),
        cycles_simulator: cycles(&simulated.outcome),
        seconds_rtl,
        seconds_simulator,
    };
    Ok(OnRtl { outcome, comparison, report })
}

/// The parts of a report that every program has.
fn base_report(args: &SimulateArgs, problem: &Problem, simulated: &Simulated, work: String) -> Report {
    let predicted = sim::predict(&problem.config, &problem.compiled.program.commands, args.latency).cycles;
    let run = report::run(&problem.config, &problem.compiled, &simulated.counters, predicted, problem.m);
    let seconds = run.cycles as f64 / (args.clock_mhz * 1e6);
    Report {
        version: env!("CARGO_PKG_VERSION"),
        config: problem.config.name().to_owned(),
        work,
        latency: args.latency,
        stalls: args.stalls.map(|choice| format!("seed {}, {} %", choice.seed, choice.percent)),
        layers: report::layers(&problem.compiled.layers),
        accuracy: None,
        compared: vec![Compared::from(&simulated.comparison)],
        speed: Speed { clock_mhz: args.clock_mhz, gops: 2e-9 * run.macs as f64 / seconds, frames: None },
        run,
        rtl: None,
        model: None,
    }
}

fn trace(args: &SimulateArgs, problem: &Problem) -> Result<()> {
    let Some(path) = &args.trace else { return Ok(()) };
    let mut text = Vec::new();
    let mut trace = Trace::new(&mut text).context("cannot write the trace")?;
    let mut failed = None;
    sim::run(&problem.config, problem.environment(), |machine, environment| {
        if let Err(error) = trace.cycle(machine, environment) {
            failed.get_or_insert(error);
        }
    })?;
    if let Some(error) = failed {
        return Err(error).context("cannot write the trace");
    }
    files::write(path, &text)
}

fn gemm(args: &SimulateArgs, config: &Config, shape: GemmShape) -> Result<Report> {
    let case = Case {
        m: shape.m,
        widths: vec![shape.k, shape.n],
        data: Data::Uniform,
        seed: args.seed,
        rounding_seed: ROUNDING_SEED,
        latency: args.latency,
        stall_seed: stalls(args).seed,
        stall_percent: stalls(args).percent,
        reset_after: 0,
        config: RawConfig::from(config),
    };
    let problem = case.problem()?;
    let simulated = simulate(&problem)?;
    trace(args, &problem)?;
    let work = format!("matrix product {} x {} x {}, seed {}", shape.m, shape.k, shape.n, args.seed);
    let mut report = base_report(args, &problem, &simulated, work);
    if args.rtl.is_some() {
        let rtl = on_rtl(&problem, &simulated, args.seed)?;
        report.compared.push(Compared::from(&rtl.comparison));
        report.rtl = Some(rtl.report);
    }
    Ok(report)
}

/// The seed of stochastic rounding.
const ROUNDING_SEED: u64 = 0;

/// A network's program for the first `rows` rows of the test data.
fn network_problem(
    args: &SimulateArgs,
    config: &Config,
    network: &QuantizedNetwork,
    test: &Matrix,
    rows: usize,
) -> Result<Problem> {
    let input = network.quantize_input(&test.values[..rows * test.cols]);
    let layers = network.layers().iter().map(|layer| LayerData {
        name: layer.name.clone(),
        k: layer.k,
        n: layer.n,
        weights: layer.weights.clone(),
        channels: layer.channels.clone(),
        bounds: layer.bounds,
    });
    Ok(Problem::new(config.clone(), rows, input, layers.collect(), ROUNDING_SEED, args.latency, stalls(args))?)
}

struct Loaded {
    float: FloatNetwork,
    quantized: QuantizedNetwork,
    test: Matrix,
    labels: Option<Vec<i64>>,
}

fn load(args: &SimulateArgs, config: &Config, model: &Path, data: &Path) -> Result<Loaded> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let float = read_onnx(&read(model)?).with_context(|| model.display().to_string())?;
    let at_data = || data.display().to_string();
    let mut npz = Npz::new(read(data)?).with_context(at_data)?;
    let calibration = npz.matrix("calibration", float.input_len).with_context(at_data)?;
    let test = npz.matrix("test", float.input_len).with_context(at_data)?;
    let has_labels = npz.names().iter().any(|name| name == "labels");
    let labels = has_labels.then(|| npz.labels("labels", test.rows)).transpose().with_context(at_data)?;
    let classes = float.output_len();
    if let Some(label) = labels.iter().flatten().find(|&&label| !usize::try_from(label).is_ok_and(|l| l < classes)) {
        anyhow::bail!("{}: label {label} must be in 0..{classes}, the network's outputs", data.display());
    }
    let granularity = if args.per_tensor { Granularity::PerTensor } else { Granularity::PerChannel };
    let quantized = quantize(&float, &calibration.values, config.numerics(), granularity)
        .with_context(|| model.display().to_string())?;
    Ok(Loaded { float, quantized, test, labels })
}

fn network(args: &SimulateArgs, config: &Config, model: &Path, data: &Path) -> Result<Report> {
    let Loaded { float, quantized, test, labels } = load(args, config, model, data)?;
    if let Some(rows) = args.rtl {
        ensure!((1..=test.rows).contains(&rows), "--rtl {rows} must be in 1..={}, the rows of test", test.rows);
    }
    let problem = network_problem(args, config, &quantized, &test, test.rows)?;
    let simulated = simulate(&problem)?;
    trace(args, &problem)?;
    let work = format!("{} with {} rows of {}", model.display(), test.rows, data.display());
    let mut report = base_report(args, &problem, &simulated, work);
    let classes = float.output_len();
    let output = problem.compiled.output();
    let correct = |memory: &[u8], rows: usize, labels: &[i64]| {
        count_correct(&output_rows(&problem, memory, rows), classes, &labels[..rows])
    };
    if let Some(labels) = &labels {
        report.accuracy = Some(Accuracy {
            images: test.rows,
            float: count_correct(&float.forward(&test.values), classes, labels),
            golden: correct(&simulated.golden, test.rows, labels),
            simulator: correct(&simulated.outcome.memory, test.rows, labels),
            rtl: None,
        });
    }
    if let Some(rows) = args.rtl {
        let part = network_problem(args, config, &quantized, &test, rows)?;
        let part_simulated = simulate(&part)?;
        let rtl = on_rtl(&part, &part_simulated, 1)?;
        report.compared.push(Compared::from(&part_simulated.comparison));
        report.compared.push(Compared::from(&rtl.comparison));
        if let (Some(accuracy), Some(labels)) = (&mut report.accuracy, &labels) {
            let outputs = part.compiled.output().read(&rtl.outcome.memory);
            let golden = output.read(&simulated.golden);
            accuracy.rtl = Some(RtlAccuracy {
                images: rows,
                rtl: count_correct(&outputs, classes, &labels[..rows]),
                golden: count_correct(&golden[..rows * classes], classes, &labels[..rows]),
            });
        }
        report.rtl = Some(rtl.report);
    }
    let single = simulate(&network_problem(args, config, &quantized, &test, 1)?)?;
    let single_cycles = single.counters.get(Counter::Cycles);
    let rate = |frames: usize, cycles: u64| frames as f64 * args.clock_mhz * 1e6 / cycles as f64;
    report.speed.frames =
        Some(Frames { batch: rate(test.rows, report.run.cycles), single: rate(1, single_cycles), single_cycles });
    let bytes = quantized.bytes();
    report.model = Some(ModelReport { float_bytes: bytes.float, quantized_bytes: bytes.quantized() });
    Ok(report)
}

/// The first rows of the last layer's outputs.
fn output_rows(problem: &Problem, memory: &[u8], rows: usize) -> Vec<i32> {
    let region = problem.compiled.output();
    let mut values = region.read(memory);
    values.truncate(rows * region.cols);
    values
}
