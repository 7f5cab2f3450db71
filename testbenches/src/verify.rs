//! Runs cases on all engines and compares what they leave behind.

use crate::case::{Case, CaseError, Problem};
use crate::compare::{compare, Comparison};
use crate::data::Random;
use crate::engine::{run_pins, run_simulator, Engine, EngineError, Outcome};
use crate::kernel::Kernel;
use crate::random;
use crate::rtl::Rtl;
use crate::verilator::Options;
use spec::config::RawConfig;
use spec::{Config, Counter};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;
use thiserror::Error;

/// Why nothing could be verified.
#[derive(Debug, Error)]
pub enum VerifyError {
    #[error(transparent)]
    Case(#[from] CaseError),
    #[error("{}: {source}", engine.name())]
    Engine { engine: Engine, source: EngineError },
}

/// What a case showed.
#[derive(Clone, Debug)]
pub struct CaseReport {
    pub case: Case,
    pub cycles: u64,
    pub comparisons: Vec<Comparison>,
}

impl CaseReport {
    /// Whether every engine gave something to compare and nothing differs.
    pub fn passed(&self) -> bool {
        !self.comparisons.is_empty() && self.comparisons.iter().all(Comparison::passed)
    }
}

/// The engines that a case runs on besides golden and the simulator.
#[derive(Clone, Copy)]
pub struct Engines<'a> {
    pub rtl: Option<&'a Rtl>,
    /// RustHDL's own simulator; only for small configurations.
    pub kernel: bool,
}

/// Runs one case.
pub fn run_case(case: &Case, engines: Engines<'_>) -> Result<CaseReport, VerifyError> {
    let problem = case.problem()?;
    let interrupt = (case.reset_after > 0).then_some(case.reset_after);
    run_problem(&problem, case.clone(), interrupt, engines)
}

fn run_problem(
    problem: &Problem,
    case: Case,
    interrupt: Option<u64>,
    engines: Engines<'_>,
) -> Result<CaseReport, VerifyError> {
    let at = |engine| move |source| VerifyError::Engine { engine, source };
    let golden = problem.golden_memory()?;
    let simulated = run_simulator(&problem.config, problem.environment()).map_err(at(Engine::Simulator))?;
    let mut comparisons = vec![compare(problem, &golden, None, Engine::Simulator, &simulated)];
    let mut against_simulator = |engine, outcome: &Outcome| {
        comparisons.push(compare(problem, &golden, Some(&simulated), engine, outcome));
    };
    if let Some(rtl) = engines.rtl {
        let failed = at(Engine::Verilator);
        let mut instance = rtl.instance(case.seed).map_err(|e| failed(e.into()))?;
        let outcome = run_pins(&mut instance, problem.environment(), interrupt).map_err(failed)?;
        against_simulator(Engine::Verilator, &outcome);
    }
    if engines.kernel {
        let failed = at(Engine::Kernel);
        let mut kernel = Kernel::new(&problem.config).map_err(|e| failed(e.into()))?;
        let outcome = run_pins(&mut kernel, problem.environment(), interrupt).map_err(failed)?;
        against_simulator(Engine::Kernel, &outcome);
    }
    let cycles = simulated.counters.map_or(0, |counters| counters.get(Counter::Cycles));
    Ok(CaseReport { case, cycles, comparisons })
}

/// What goes on while many cases run: called after each, with the number done and the number in all.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What came of many cases.
#[derive(Debug, Default)]
pub struct Summary {
    pub configs: usize,
    pub cases: usize,
    pub cycles: u64,
    pub values: u64,
    pub values_differing: u64,
    pub counters: u64,
    pub counters_differing: u64,
    pub others_differing: u64,
    /// Cases that differ or that an engine could not run, with the reason.
    pub failures: Vec<(Case, String)>,
    /// Runs on the verilated RTL, and how many cases were broken off by a reset before their end and run again.
    pub rtl_runs: usize,
    pub resets: usize,
}

impl Summary {
    /// Whether something was compared on the RTL and nothing differs.
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.values > 0 && self.counters > 0 && self.rtl_runs > 0
    }

    fn add(&mut self, case: &Case, result: Result<CaseReport, VerifyError>) {
        self.cases += 1;
        match result {
            Ok(report) => {
                self.cycles += report.cycles;
                // Later, there was no traffic any more.
                self.resets += usize::from((1..report.cycles).contains(&case.reset_after));
                for comparison in &report.comparisons {
                    self.values += comparison.values;
                    self.values_differing += comparison.values_differing;
                    self.counters += comparison.counters;
                    self.counters_differing += comparison.counters_differing;
                    self.others_differing += comparison.others_differing;
                    self.rtl_runs += usize::from(comparison.engine == Engine::Verilator);
                }
                if !report.passed() {
                    self.failures.push((case.clone(), describe(&report)));
                }
            }
            Err(error) => self.failures.push((case.clone(), error.to_string())),
        }
    }

    fn join(&mut self, other: Self) {
        self.configs += other.configs;
        self.cases += other.cases;
        self.cycles += other.cycles;
        self.values += other.values;
        self.values_differing += other.values_differing;
        self.counters += other.counters;
        self.counters_differing += other.counters_differing;
        self.others_differing += other.others_differing;
        self.failures.extend(other.failures);
        self.rtl_runs += other.rtl_runs;
        self.resets += other.resets;
    }
}

fn describe(report: &CaseReport) -> String {
    let failed = report.comparisons.iter().filter(|comparison| !comparison.passed());
    let texts: Vec<String> = failed
        .map(|comparison| {
            let list: Vec<String> = comparison.differences.iter().map(ToString::to_string).collect();
            format!(
                "{} against {}: {} of {} values and {} of {} counters differ\n    {}",
                comparison.engine.name(),
                comparison.reference.name(),
                comparison.values_differing,
                comparison.values,
                comparison.counters_differing,
                comparison.counters,
                list.join("\n    ")
            )
        })
        .collect();
    texts.join("\n  ")
}

/// Random back-pressure for all cases, instead of each case's own.
#[derive(Clone, Copy, Debug)]
pub struct StallChoice {
    pub seed: u64,
    pub percent: u32,
}

/// `n_cases` random problems on one configuration.
pub fn verify_config(
    config: &Config,
    n_cases: usize,
    seed: u64,
    stalls: Option<StallChoice>,
    kernel: bool,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Summary, EngineError> {
    Ok(verify_rtl(config, &Rtl::build(config, options)?, n_cases, seed, stalls, kernel, progress))
}

/// As [`verify_config`], on a model that was built already, such as one of the RTL's netlist.
pub fn verify_rtl(
    config: &Config,
    rtl: &Rtl,
    n_cases: usize,
    seed: u64,
    stalls: Option<StallChoice>,
    kernel: bool,
    progress: Progress<'_>,
) -> Summary {
    let raw = RawConfig::from(config);
    let mut random = Random::new(seed);
    let mut summary = Summary { configs: 1, ..Summary::default() };
    for index in 0..n_cases {
        let case = choose(random::problem(&mut random, &raw), stalls);
        let engines = Engines { rtl: Some(rtl), kernel };
        summary.add(&case, run_case(&case, engines));
        progress(index + 1, n_cases);
    }
    summary
}

fn choose(mut case: Case, stalls: Option<StallChoice>) -> Case {
    if let Some(stalls) = stalls {
        case.stall_seed = case.stall_seed.wrapping_add(stalls.seed) >> 1;
        case.stall_percent = stalls.percent;
    }
    case
}

/// Random problems per random configuration.
const CASES_PER_CONFIG: usize = 2;

/// What random configurations run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Chains of dense layers.
    Products,
    /// Networks of layers of all kinds.
    Networks,
}

impl Work {
    fn config(self, random: &mut Random) -> RawConfig {
        match self {
            Self::Products => random::config(random),
            Self::Networks => random::network_config(random),
        }
    }

    fn problem(self, random: &mut Random, config: &RawConfig) -> Case {
        match self {
            Self::Products => random::problem(random, config),
            Self::Networks => random::network_problem(random, config),
        }
    }
}

/// `n_configs` random configurations, each with its RTL built and run on two random problems, on `threads` threads.
pub fn verify_random(
    work: Work,
    n_configs: usize,
    seed: u64,
    stalls: Option<StallChoice>,
    threads: usize,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Summary, EngineError> {
    let next = AtomicUsize::new(0);
    let finished = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let total: Mutex<Result<Summary, EngineError>> = Mutex::new(Ok(Summary::default()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= n_configs || stop.load(Ordering::Relaxed) {
                    return;
                }
                // Each configuration has a stream of its own, so that the number of threads changes nothing.
                let result = verify_one(work, Random::new(seed ^ (index as u64) << 32), stalls, options);
                let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match (&mut *total, result) {
                    (Ok(total), Ok(summary)) => total.join(summary),
                    (Ok(_), Err(error)) => {
                        stop.store(true, Ordering::Relaxed);
                        *total = Err(error);
                    }
                    (Err(_), _) => {}
                }
                progress(finished.fetch_add(1, Ordering::Relaxed) + 1, n_configs);
            });
        }
    });
    total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn verify_one(
    work: Work,
    mut random: Random,
    stalls: Option<StallChoice>,
    options: &Options,
) -> Result<Summary, EngineError> {
    let raw = work.config(&mut random);
    let mut summary = Summary { configs: 1, ..Summary::default() };
    let case = choose(work.problem(&mut random, &raw), stalls);
    let config = match Config::try_from(raw.clone()) {
        Ok(config) => config,
        Err(error) => {
            summary.add(&case, Err(CaseError::from(error).into()));
            return Ok(summary);
        }
    };
    let rtl = Rtl::build(&config, options)?;
    let others = (1..CASES_PER_CONFIG).map(|_| choose(work.problem(&mut random, &raw), stalls));
    for case in std::iter::once(case).chain(others) {
        summary.add(&case, run_case(&case, Engines { rtl: Some(&rtl), kernel: false }));
    }
    Ok(summary)
}

/// Reruns one case on golden, simulator and RTL.
pub fn verify_case(case: &Case, kernel: bool, options: &Options) -> Result<Summary, EngineError> {
    let mut summary = Summary { configs: 1, ..Summary::default() };
    match Config::try_from(case.config.clone()) {
        Ok(config) => {
            let rtl = Rtl::build(&config, options)?;
            summary.add(case, run_case(case, Engines { rtl: Some(&rtl), kernel }));
        }
        Err(error) => summary.add(case, Err(CaseError::from(error).into())),
    }
    Ok(summary)
}
