//! `systole verify`.

use crate::args::VerifyArgs;
use crate::files;
use anyhow::{Context, Result};
use std::io::{IsTerminal, Write};
use std::path::Path;
use testbenches::verify::{verify_case, verify_config, verify_random, Summary};
use testbenches::{verilator, Case};

pub fn run(args: &VerifyArgs) -> Result<bool> {
    let options = verilator::Options::new(".");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let summary = if let (Some(name), Some(cases)) = (&args.config, args.cases) {
        let config = files::config(name)?;
        verify_config(&config, cases as usize, args.seed, args.stalls, args.kernel, &options, &progress)?
    } else if let Some(n_configs) = args.random_configs {
        verify_random(n_configs as usize, args.seed, args.stalls, threads, &options, &progress)?
    } else {
        let path = args.case.as_deref().context("one of --config, --random-configs, --case is needed")?;
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let case = Case::from_toml(&text).with_context(|| path.display().to_string())?;
        // A case that cannot be run is an input error, not a difference.
        case.problem().with_context(|| path.display().to_string())?;
        verify_case(&case, args.kernel, &options)?
    };
    print(&summary, args.seed);
    for (index, (case, reason)) in summary.failures.iter().enumerate() {
        report_failure(case, reason, &args.save, index)?;
    }
    Ok(summary.passed())
}

/// The rate of done work, on standard error if it is a terminal.
fn progress(done: usize, all: usize) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let end = if done == all { "\n" } else { "" };
        // A terminal that is gone is no reason to stop.
        let _ = write!(err, "\r{done} of {all}{end}");
        let _ = err.flush();
    }
}

fn print(summary: &Summary, seed: u64) {
    println!("configurations            {:>14}", summary.configs);
    println!("cases (seed {seed})            {:>14}", summary.cases);
    println!("runs on the verilated RTL {:>14}", summary.rtl_runs);
    println!("  of them after a reset in the middle of traffic {}", summary.resets);
    println!("cycles simulated          {:>14}", summary.cycles);
    println!("values compared           {:>14}   differing {}", summary.values, summary.values_differing);
    println!("counters compared         {:>14}   differing {}", summary.counters, summary.counters_differing);
    println!("other bytes               {:>14}   differing {}", "all", summary.others_differing);
    println!("failed cases              {:>14}", summary.failures.len());
    println!("{}", if summary.passed() { "PASS" } else { "FAIL" });
}

fn report_failure(case: &Case, reason: &str, folder: &Path, index: usize) -> Result<()> {
    let text = case.to_toml()?;
    let path = folder.join(format!("failed-{}-{index}.toml", case.seed));
    files::write(&path, text.as_bytes())?;
    println!("\nfailed case {index}: {reason}");
    println!("  rerun it with: systole verify --case {}", path.display());
    Ok(())
}
