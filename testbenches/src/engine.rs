//! What all engines that have pins share: the run loop, the reset, the read-out.

use crate::kernel::KernelError;
use crate::verilator::VerilatorError;
use hdl::EmitError;
use sim::pins::{Inputs, Outputs};
use sim::{Environment, RunError, Watchdog};
use spec::counter::STATUS_CODES;
use spec::{Config, Counter, Counters};
use thiserror::Error;

/// An engine that can run a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Values only.
    Golden,
    Simulator,
    /// The RustHDL description in RustHDL's own simulator: slow, for small configurations.
    Kernel,
    /// The emitted Verilog under Verilator.
    Verilator,
}

impl Engine {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Golden => "golden",
            Self::Simulator => "simulator",
            Self::Kernel => "rustHDL kernel",
            Self::Verilator => "verilated RTL",
        }
    }
}

/// Why an engine gave no result.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Verilator(#[from] VerilatorError),
    #[error(transparent)]
    Emit(#[from] EmitError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error("status address {address} gave {code}, which is no counter")]
    Code { address: u8, code: u64 },
}

/// What an engine leaves behind. Golden knows no time and has no counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub memory: Vec<u8>,
    pub counters: Option<Counters>,
}

/// A description of the hardware that can be clocked at its pins.
pub trait Pins {
    /// One cycle: drives the inputs, samples the outputs and the status word at `status_address`, then the clock edge.
    fn cycle(&mut self, inputs: &Inputs, reset: bool, status_address: u8) -> Result<(Outputs, u64), EngineError>;
}

/// Runs the program in `environment` to its end; with `interrupt`, first for that many cycles, to be broken off by a reset.
pub fn run_pins(
    pins: &mut impl Pins,
    environment: Environment,
    interrupt: Option<u64>,
) -> Result<Outcome, EngineError> {
    reset(pins)?;
    if let Some(cycles) = interrupt {
        let mut broken_off = environment.clone();
        while broken_off.cycle() < cycles && !broken_off.is_done() {
            let inputs = broken_off.drive();
            let (outputs, _) = pins.cycle(&inputs, false, STATUS_CODES)?;
            broken_off.step(&inputs, &outputs);
        }
        reset(pins)?;
    }
    run_from_reset(pins, environment)
}

/// Runs the program of a machine that was reset, or that has finished a program.
pub fn run_from_reset(pins: &mut impl Pins, mut environment: Environment) -> Result<Outcome, EngineError> {
    let mut watchdog = Watchdog::new(&environment);
    while !environment.is_done() {
        let inputs = environment.drive();
        let (outputs, code) = pins.cycle(&inputs, false, STATUS_CODES)?;
        environment.step(&inputs, &outputs);
        if let Some(fault) = environment.fault() {
            return Err(RunError::from(fault.clone()).into());
        }
        if watchdog.expired(outputs.transfers(&inputs), counter_at(STATUS_CODES, code)?) {
            let cycle = environment.cycle();
            let mut codes = [Counter::Cycles; 5];
            for (address, slot) in (STATUS_CODES..).zip(&mut codes) {
                let (_, code) = pins.cycle(&Inputs::default(), false, address)?;
                *slot = counter_at(address, code)?;
            }
            return Err(RunError::Deadlock { cycle, codes }.into());
        }
    }
    let mut counters = Counters::ZERO;
    for &counter in Counter::ALL {
        let (_, value) = pins.cycle(&Inputs::default(), false, counter as u8)?;
        counters.set(counter, value);
    }
    Ok(Outcome { memory: environment.into_memory(), counters: Some(counters) })
}

fn reset(pins: &mut impl Pins) -> Result<(), EngineError> {
    for _ in 0..2 {
        pins.cycle(&Inputs::default(), true, 0)?;
    }
    Ok(())
}

fn counter_at(address: u8, code: u64) -> Result<Counter, EngineError> {
    let counter = u8::try_from(code).ok().and_then(Counter::at);
    counter.ok_or(EngineError::Code { address, code })
}

/// Runs on the simulator.
pub fn run_simulator(config: &Config, environment: Environment) -> Result<Outcome, EngineError> {
    let finished = sim::run_unobserved(config, environment)?;
    Ok(Outcome { memory: finished.memory, counters: Some(finished.counters) })
}
