//! `systole verify`.

use crate::args::VerifyArgs;
use crate::files;
use crate::interrupt;
use crate::model::{self, Source};
use crate::report::{self, Compared};
use crate::run::{on_rtl, simulate};
use crate::INTERRUPTED;
use anyhow::{ensure, Context, Result};
use explore::synth::netlist::Netlist;
use explore::synth::{BlockName, Request, Target};
use sim::Stalls;
use spec::Config;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;
use testbenches::rtl::Rtl;
use testbenches::verify::{verify_case, verify_config, verify_random, verify_rtl, Summary, Work};
use testbenches::{verilator, Case};

/// Of the memory that networks are verified with.
const LATENCY: u64 = 20;
/// For the synthesis of a netlist; `systole synth` can be told another.
const NETLIST_TIMEOUT: Duration = Duration::from_secs(3600);

pub fn run(args: &VerifyArgs) -> Result<bool> {
    ensure!(args.netlist.is_none() || args.cases.is_some(), "--netlist goes with --cases only");
    if let (Some(model), Some(data)) = (&args.model, &args.data) {
        return network(args, model, data);
    }
    ensure!(args.save.is_dir(), "--save {} is no folder", args.save.display());
    let options = verilator::Options::new(".");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut seed = args.seed;
    let summary = if let Some(cases) = args.cases {
        let config = files::config(args.config.as_deref().context("--config is needed for --cases")?)?;
        match args.netlist {
            Some(target) => {
                let rtl = mapped(&config, target, options)?;
                verify_rtl(&config, &rtl, cases as usize, args.seed, args.stalls, false, &progress)
            }
            None => verify_config(&config, cases as usize, args.seed, args.stalls, args.kernel, &options, &progress)?,
        }
    } else if let Some(n_configs) = args.random_configs {
        verify_random(Work::Products, n_configs as usize, args.seed, args.stalls, threads, &options, &progress)?
    } else if let Some(n_configs) = args.random_networks {
        verify_random(Work::Networks, n_configs as usize, args.seed, args.stalls, threads, &options, &progress)?
    } else {
        let path =
            args.case.as_deref().context("one of --config, --random-configs, --random-networks, --case is needed")?;
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let case = Case::from_toml(&text).with_context(|| path.display().to_string())?;
        // A case that cannot be run is an input error, not a difference.
        case.problem().with_context(|| path.display().to_string())?;
        seed = case.seed;
        verify_case(&case, args.kernel, &options)?
    };
    let mut out = String::new();
    let subject = args.netlist.map_or_else(|| "verilated RTL".to_owned(), |target| format!("{target} cells"));
    print(&mut out, &subject, &summary, seed);
    let mut saved = Ok(());
    for (index, (case, reason)) in summary.failures.iter().enumerate() {
        saved = saved.and(report_failure(&mut out, case, reason, &args.save, index));
    }
    files::print(&out)?;
    saved.map(|()| summary.passed())
}

/// The configuration's netlist in cells of `target`, as a model behind the ports of the RTL.
fn mapped(config: &Config, target: Target, options: verilator::Options) -> Result<Rtl> {
    let request = Request {
        config,
        block: BlockName::Top,
        target,
        dsp: target.default_dsp(),
        place: None,
        liberty: None,
        timeout: NETLIST_TIMEOUT,
    };
    let interrupted = interrupt::flag()?;
    let netlist = Netlist::load(&request, &files::cache().join("synth"), interrupted)?;
    let options = verilator::Options { source: verilator::Source::Netlist, ..options };
    Ok(Rtl::load(config, verilator::Library::build(&netlist.design()?, &options)?)?)
}

/// A network's test data on golden, simulator and verilated RTL.
fn network(args: &VerifyArgs, model: &Path, data: &Path) -> Result<bool> {
    let source = Source {
        model,
        data,
        config: args.config.as_deref(),
        recipe: &|numerics| args.recipe.as_deref().map_or_else(|| Ok(model::per_channel(numerics)), model::recipe),
        dimensions: &args.dimensions,
        rounding_seed: args.rounding_seed,
    };
    let loaded = model::load(&source)?;
    let all = loaded.test.rows;
    let rows = args.rows.unwrap_or(all);
    ensure!((1..=all).contains(&rows), "--rows {rows} must be in 1..={all}, the rows of test");
    let stalls = args.stalls.map_or(Stalls::NONE, |choice| Stalls { seed: choice.seed, percent: choice.percent });
    let problem = model::problem(&loaded, rows, args.rounding_seed, LATENCY, stalls)?;
    let simulated = simulate(&problem)?;
    let rtl = on_rtl(&problem, &simulated, args.seed)?;
    let compared = [Compared::from(&simulated.comparison), Compared::from(&rtl.comparison)];
    let mut out = String::new();
    let (model, data, config) = (model.display(), data.display(), loaded.config.name());
    line!(out, "{model} with {rows} rows of {data} on configuration {config}");
    line!(out, "cycles: RTL {}, simulator {}", rtl.report.cycles_rtl, rtl.report.cycles_simulator);
    report::print_compared(&mut out, &compared);
    let passed = compared.iter().all(Compared::passed);
    line!(out, "{}", if passed { "PASS" } else { "FAIL" });
    files::print(&out)?;
    Ok(passed)
}

/// The rate of done work, on standard error if it is a terminal.
fn progress(done: usize, all: usize) {
    if interrupt::is_requested() {
        std::process::exit(INTERRUPTED.into());
    }
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let end = if done == all { "\n" } else { "" };
        // A terminal that is gone is no reason to stop.
        let _ = write!(err, "\r{done} of {all}{end}");
        let _ = err.flush();
    }
}

fn print(out: &mut String, subject: &str, summary: &Summary, seed: u64) {
    line!(out, "configurations            {:>14}", summary.configs);
    line!(out, "cases (seed {seed})            {:>14}", summary.cases);
    line!(out, "{:<25} {:>14}", format!("runs on the {subject}"), summary.rtl_runs);
    line!(out, "  of them after a reset in the middle of traffic {}", summary.resets);
    line!(out, "cycles simulated          {:>14}", summary.cycles);
    line!(out, "values compared           {:>14}   differing {}", summary.values, summary.values_differing);
    line!(out, "counters compared         {:>14}   differing {}", summary.counters, summary.counters_differing);
    line!(out, "other bytes               {:>14}   differing {}", "all", summary.others_differing);
    line!(out, "failed cases              {:>14}", summary.failures.len());
    line!(out, "{}", if summary.passed() { "PASS" } else { "FAIL" });
}

fn report_failure(out: &mut String, case: &Case, reason: &str, folder: &Path, index: usize) -> Result<()> {
    line!(out, "\nfailed case {index}: {reason}");
    let text = case.to_toml()?;
    let path = folder.join(format!("failed-{}-{index}.toml", case.seed));
    files::write(&path, text.as_bytes())?;
    line!(out, "  rerun it with: systole verify --case {}", path.display());
    Ok(())
}
