//! Programs on the simulator and the verilated RTL, each compared with golden.

use crate::layers::{self, ByLayer};
use crate::report::RtlReport;
use anyhow::{Context, Result};
use spec::{Counter, Counters};
use std::time::Instant;
use testbenches::engine::{run_pins, run_simulator};
use testbenches::rtl::Rtl;
use testbenches::verilator::{Optimize, Options};
use testbenches::{compare, Comparison, Engine, Outcome, Problem};

/// A program's run in the simulator, with what it was compared with.
pub struct Simulated {
    pub by_layer: ByLayer,
    pub counters: Counters,
    pub comparison: Comparison,
    pub golden: Vec<u8>,
}

pub fn simulate(problem: &Problem) -> Result<Simulated> {
    let golden = problem.golden_memory()?;
    let by_layer = layers::run(problem)?;
    let counters = by_layer.outcome.counters.context("the simulator counts")?;
    let comparison = compare(problem, &golden, None, Engine::Simulator, &by_layer.outcome);
    Ok(Simulated { by_layer, counters, comparison, golden })
}

/// A program's run in the verilated RTL, timed beside the simulator on the same work.
pub struct OnRtl {
    pub outcome: Outcome,
    pub comparison: Comparison,
    pub report: RtlReport,
}

pub fn on_rtl(problem: &Problem, simulated: &Simulated, seed: u64) -> Result<OnRtl> {
    let options = Options { optimize: Optimize::Run, ..Options::new(".") };
    let rtl = Rtl::build(&problem.config, &options)?;
    let mut instance = rtl.instance(seed)?;
    let start = Instant::now();
    let outcome = run_pins(&mut instance, problem.environment(), None)?;
    let seconds_rtl = start.elapsed().as_secs_f64();
    let start = Instant::now();
    run_simulator(&problem.config, problem.environment())?;
    let seconds_simulator = start.elapsed().as_secs_f64();
    let comparison =
        compare(problem, &simulated.golden, Some(&simulated.by_layer.outcome), Engine::Verilator, &outcome);
    let cycles = |outcome: &Outcome| outcome.counters.map_or(0, |counters| counters.get(Counter::Cycles));
    let report = RtlReport {
        rows: problem.batch,
        cycles_rtl: cycles(&outcome),
        cycles_simulator: cycles(&simulated.by_layer.outcome),
        seconds_rtl,
        seconds_simulator,
    };
    Ok(OnRtl { outcome, comparison, report })
}
