//! Runs a program on the simulated machine to its end, or to the point where nothing can happen any more.

use crate::machine::{Machine, Skipped};
use crate::memory::{Environment, MemoryFault};
use spec::{Config, Counter, Counters};
use thiserror::Error;

/// How a run ended that did not reach `done`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RunError {
    #[error(
        "deadlock in cycle {cycle}: execute is at {}, load at {}, unpack at {}, store at {}, pack at {}",
        codes[0].name(), codes[1].name(), codes[2].name(), codes[3].name(), codes[4].name()
    )]
    Deadlock { cycle: u64, codes: [Counter; 5] },
    #[error(transparent)]
    Memory(#[from] MemoryFault),
}

/// Watches for a machine in which nothing happens any more; the same rule for the simulator and the hardware.
#[derive(Clone, Debug)]
pub struct Watchdog {
    quiet: u64,
    limit: u64,
}

impl Watchdog {
    pub fn new(environment: &Environment) -> Self {
        Self { quiet: 0, limit: environment.quiet_limit() }
    }

    /// Notes a cycle; true if the machine is to be given up.
    #[inline]
    pub fn expired(&mut self, transfers: bool, execute: Counter) -> bool {
        let working = matches!(execute, Counter::ExecuteStream | Counter::ExecutePreload);
        self.quiet = if transfers || working { 0 } else { self.quiet + 1 };
        self.quiet > self.limit
    }

    /// Cycles that may be quiet without the watchdog expiring.
    fn left(&self) -> u64 {
        self.limit - self.quiet
    }

    /// Notes skipped cycles, [`Watchdog::left`] of them at most.
    fn skip(&mut self, skipped: &Skipped) {
        self.quiet = match skipped.quiet_since {
            Some(cycles) => cycles,
            None => self.quiet + skipped.cycles,
        };
    }
}

/// A finished run: counters, and the memory as the program left it.
#[derive(Clone, Debug)]
pub struct Finished {
    pub counters: Counters,
    pub memory: Vec<u8>,
}

/// Runs a machine after reset against its environment until `done` is taken. `observe` sees every cycle.
pub fn run(
    config: &Config,
    environment: Environment,
    observe: impl FnMut(&Machine, &Environment),
) -> Result<Finished, RunError> {
    run_on(&mut Machine::new(config), environment, observe)
}

/// As [`run_unobserved`]; `notice` sees every cycle in which a command was issued, and others that were stepped.
pub fn run_noticing(
    config: &Config,
    environment: Environment,
    notice: impl FnMut(&Machine),
) -> Result<Finished, RunError> {
    run_noticing_on(&mut Machine::new(config), environment, notice)
}

/// As [`run`] with nothing to observe, and faster: without stalls, runs of cycles in which no command moves and no
/// token is pushed are not stepped one by one. What comes out is the same.
pub fn run_unobserved(config: &Config, environment: Environment) -> Result<Finished, RunError> {
    run_unobserved_on(&mut Machine::new(config), environment)
}

/// As [`run_unobserved`], on a machine that was reset, or that has finished a program.
pub fn run_unobserved_on(machine: &mut Machine, environment: Environment) -> Result<Finished, RunError> {
    run_noticing_on(machine, environment, |_| {})
}

fn run_noticing_on(
    machine: &mut Machine,
    mut environment: Environment,
    mut notice: impl FnMut(&Machine),
) -> Result<Finished, RunError> {
    let mut watchdog = Watchdog::new(&environment);
    while !environment.is_done() {
        let skipped = machine.skip(&mut environment, watchdog.left());
        watchdog.skip(&skipped);
        step(machine, &mut environment, &mut watchdog)?;
        notice(machine);
    }
    Ok(Finished { counters: *machine.counters(), memory: environment.into_memory() })
}

/// As [`run`], on a machine that was reset, or that has finished a program.
pub fn run_on(
    machine: &mut Machine,
    mut environment: Environment,
    mut observe: impl FnMut(&Machine, &Environment),
) -> Result<Finished, RunError> {
    let mut watchdog = Watchdog::new(&environment);
    while !environment.is_done() {
        let stepped = step(machine, &mut environment, &mut watchdog);
        observe(machine, &environment);
        stepped?;
    }
    Ok(Finished { counters: *machine.counters(), memory: environment.into_memory() })
}

/// One cycle.
#[inline]
fn step(machine: &mut Machine, environment: &mut Environment, watchdog: &mut Watchdog) -> Result<(), RunError> {
    let inputs = environment.drive();
    let outputs = machine.outputs();
    machine.step(&inputs, &outputs);
    environment.step(&inputs, &outputs);
    if let Some(fault) = environment.fault() {
        return Err(fault.clone().into());
    }
    let codes = machine.codes();
    if watchdog.expired(outputs.transfers(&inputs), codes[0]) {
        return Err(RunError::Deadlock { cycle: environment.cycle(), codes });
    }
    Ok(())
}
