//! `systole simulate`.

use crate::args::SimulateArgs;
use crate::files;
use crate::layers::{self, LayerReport};
use crate::model::{self, Source};
use crate::report::{self, Accuracy, Compared, Frames, ModelReport, Report, RtlAccuracy, Speed};
use crate::run::{on_rtl, simulate, Simulated};
use crate::topology;
use anyhow::{bail, ensure, Context, Result};
use compiler::float::count_correct;
use compiler::quantize::{Granularity, Recipe};
use compiler::GemmShape;
use sim::trace::{Timeline, Trace};
use sim::{Environment, Machine, Stalls};
use spec::config::RawConfig;
use spec::{Config, Counter, Numerics};
use std::path::{Path, PathBuf};
use testbenches::{Case, Data, Problem};

pub fn run(args: &SimulateArgs) -> Result<bool> {
    // Before the work, not after it.
    for path in args.json.iter().chain(&args.csv).chain(&args.trace) {
        files::check_writable(path)?;
    }
    let named = args.config.as_ref().map(PathBuf::from);
    files::check_distinct(&[
        ("--model", &args.model),
        ("--data", &args.data),
        ("--config", &named),
        ("--recipe", &args.recipe),
        ("--topology", &args.topology),
        ("--json", &args.json),
        ("--csv", &args.csv),
        ("--trace", &args.trace),
    ])?;
    let form = args.trace.as_deref().map(TraceForm::of).transpose()?;
    if let Some(path) = &args.topology {
        let name = args.config.as_deref().context("--config is needed for --topology")?;
        return topology::run(args, &files::config(name)?, path);
    }
    let report = match (&args.gemm, &args.model, &args.data) {
        (Some(shape), _, _) => {
            let name = args.config.as_deref().context("--config is needed for --gemm")?;
            gemm(args, &files::config(name)?, *shape, form)?
        }
        (None, Some(model), Some(data)) => network(args, model, data, form)?,
        _ => anyhow::bail!("one of --gemm, --topology and --model with --data is needed"),
    };
    write_tables(args, &report, &report.layers)?;
    files::print(&report.text())?;
    Ok(report.passed())
}

/// Writes what `--json` and `--csv` ask for.
pub fn write_tables(args: &SimulateArgs, report: &impl serde::Serialize, layers: &[LayerReport]) -> Result<()> {
    if let Some(path) = &args.json {
        let mut text = serde_json::to_string_pretty(report)?;
        text.push('\n');
        files::write(path, text.as_bytes())?;
    }
    if let Some(path) = &args.csv {
        files::write(path, layers::csv(layers).as_bytes())?;
    }
    Ok(())
}

/// What kind of trace a file is to hold.
#[derive(Clone, Copy)]
enum TraceForm {
    Timeline,
    Waves,
}

impl TraceForm {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(std::ffi::OsStr::to_str) {
            Some("json") => Ok(Self::Timeline),
            Some("vcd") => Ok(Self::Waves),
            _ => bail!("--trace {} must end in .json (a timeline) or .vcd (waves)", path.display()),
        }
    }
}

pub fn stalls(args: &SimulateArgs) -> Stalls {
    args.stalls.map_or(Stalls::NONE, |choice| Stalls { seed: choice.seed, percent: choice.percent })
}

/// The parts of a report that every program has.
fn base_report(
    args: &SimulateArgs,
    config: &Config,
    problem: &Problem,
    simulated: &Simulated,
    work: String,
) -> Result<Report> {
    let predicted = sim::predict(&problem.config, &problem.compiled.program.commands, args.latency).cycles;
    let run = report::run(&problem.config, &problem.compiled, &simulated.counters, predicted, problem.batch);
    let seconds = run.cycles as f64 / (args.clock_mhz * 1e6);
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        config: config.name().to_owned(),
        work,
        latency: args.latency,
        stalls: args.stalls.map(|choice| format!("seed {}, {} %", choice.seed, choice.percent)),
        geometry: config.geometry().clone(),
        layers: layers::reports(problem, &simulated.by_layer, args.clock_mhz)?,
        accuracy: None,
        compared: vec![Compared::from(&simulated.comparison)],
        speed: Speed {
            clock_mhz: args.clock_mhz,
            gops: 2e-9 * run.macs as f64 / seconds,
            frames: None,
            bandwidth_single: None,
        },
        run,
        rtl: None,
        model: None,
    })
}

fn trace(args: &SimulateArgs, problem: &Problem, simulated: &Simulated, form: Option<TraceForm>) -> Result<()> {
    let (Some(path), Some(form)) = (&args.trace, form) else { return Ok(()) };
    files::write_with(path, |out| match form {
        TraceForm::Waves => {
            let mut trace = Trace::new(out)?;
            observe(problem, |machine, environment| trace.cycle(machine, environment))
        }
        TraceForm::Timeline => {
            let mut timeline = Timeline::new(out)?;
            let mut from = 0;
            let last = simulated.counters;
            let ends = simulated.by_layer.starts.iter().chain([&last]).map(|counters| counters.get(Counter::Cycles));
            for (layer, to) in problem.compiled.layers.iter().zip(ends) {
                timeline.layer(&layer.name, from, to.saturating_sub(1).max(from))?;
                from = to;
            }
            observe(problem, |machine, _| timeline.cycle(machine))?;
            timeline.finish()?;
            Ok(())
        }
    })
}

/// Runs a program once more, and shows every cycle until that fails.
fn observe(problem: &Problem, mut each: impl FnMut(&Machine, &Environment) -> std::io::Result<()>) -> Result<()> {
    let mut failed = None;
    sim::run(&problem.config, problem.environment(), |machine, environment| {
        if failed.is_none() {
            failed = each(machine, environment).err();
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error).context("cannot write the trace"))
}

fn gemm(args: &SimulateArgs, config: &Config, shape: GemmShape, form: Option<TraceForm>) -> Result<Report> {
    let case = Case {
        m: shape.m,
        widths: vec![shape.k, shape.n],
        data: Data::Uniform,
        seed: args.seed,
        rounding_seed: args.rounding_seed,
        latency: args.latency,
        stall_seed: stalls(args).seed,
        stall_percent: stalls(args).percent,
        reset_after: 0,
        config: RawConfig::from(config),
        network: None,
    };
    let problem = case.problem()?;
    let simulated = simulate(&problem)?;
    trace(args, &problem, &simulated, form)?;
    let work = format!("matrix product {} x {} x {}, seed {}", shape.m, shape.k, shape.n, args.seed);
    let mut report = base_report(args, config, &problem, &simulated, work)?;
    if args.rtl.is_some() {
        let rtl = on_rtl(&problem, &simulated, args.seed)?;
        report.compared.push(Compared::from(&rtl.comparison));
        report.rtl = Some(rtl.report);
    }
    Ok(report)
}

fn network(args: &SimulateArgs, model: &Path, data: &Path, form: Option<TraceForm>) -> Result<Report> {
    let recipe = |numerics: &Numerics| match &args.recipe {
        Some(path) => model::recipe(path),
        None if args.per_tensor => Ok(per_tensor(numerics)),
        None => Ok(model::per_channel(numerics)),
    };
    let loaded = model::load(&Source {
        model,
        data,
        config: args.config.as_deref(),
        recipe: &recipe,
        dimensions: &args.dimensions,
        rounding_seed: args.rounding_seed,
    })?;
    for (option, given) in [("--per-tensor", args.per_tensor), ("--recipe", args.recipe.is_some())] {
        ensure!(loaded.float.is_some() || !given, "{option} has no effect: {} is quantized already", model.display());
    }
    let (config, test) = (&loaded.config, &loaded.test);
    if let Some(rows) = args.rtl {
        ensure!((1..=test.rows).contains(&rows), "--rtl {rows} must be in 1..={}, the rows of test", test.rows);
    }
    let problem_of = |rows| model::problem(&loaded, rows, args.rounding_seed, args.latency, stalls(args));
    let problem = problem_of(test.rows)?;
    let simulated = simulate(&problem)?;
    trace(args, &problem, &simulated, form)?;
    let work = format!("{} with {} rows of {}", model.display(), test.rows, data.display());
    let mut report = base_report(args, config, &problem, &simulated, work)?;
    let classes = loaded.classes();
    let output = problem.compiled.output();
    let correct = |memory: &[u8], rows: usize, labels: &[i64]| {
        let outputs = output.read(memory);
        count_correct(&outputs[..rows * classes], classes, &labels[..rows])
    };
    if let Some(labels) = &loaded.labels {
        report.accuracy = Some(Accuracy {
            images: test.rows,
            float: loaded.float_correct(labels)?,
            golden: correct(&simulated.golden, test.rows, labels),
            simulator: correct(&simulated.by_layer.outcome.memory, test.rows, labels),
            rtl: None,
        });
    }
    if let Some(rows) = args.rtl {
        let part = problem_of(rows)?;
        let part_simulated = simulate(&part)?;
        let rtl = on_rtl(&part, &part_simulated, 1)?;
        report.compared.push(Compared::from(&part_simulated.comparison));
        report.compared.push(Compared::from(&rtl.comparison));
        if let (Some(accuracy), Some(labels)) = (&mut report.accuracy, &loaded.labels) {
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
    let single_problem = problem_of(1)?;
    let single = simulate(&single_problem)?;
    let single_cycles = single.counters.get(Counter::Cycles);
    let rate = |frames: usize, cycles: u64| frames as f64 * args.clock_mhz * 1e6 / cycles as f64;
    report.speed.frames =
        Some(Frames { batch: rate(test.rows, report.run.cycles), single: rate(1, single_cycles), single_cycles });
    let single_bytes = compiler::Usage::of(config, &single_problem.compiled.program.commands).payload.bytes();
    report.speed.bandwidth_single = Some(30.0 * single_bytes);
    let bytes = loaded.quantized.bytes();
    report.model = Some(ModelReport { float_bytes: bytes.float, quantized_bytes: bytes.quantized() });
    Ok(report)
}

fn per_tensor(numerics: &Numerics) -> Recipe {
    let mut recipe = model::per_channel(numerics);
    recipe.weights.granularity = Granularity::PerTensor;
    recipe
}
