//! Cycles of a point, where they went, what was moved, and the modelled energy.

use super::error::{Failure, MeasureError};
use super::workbench::{Sources, Workbench};
use crate::causes::{Cause, PeCycles};
use crate::energy::{Counts, Energy};
use crate::point::Point;
use serde::{Deserialize, Serialize};
use sim::Stalls;
use spec::Counter;
use testbenches::engine::run_simulator;
use testbenches::{compare, Engine, Outcome, Problem};

/// How a point is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Images of the run: the first rows of test.
    pub batch: usize,
    /// Cycles from a request to its data.
    pub latency: u64,
    pub stalls: Stalls,
}

/// A run on the simulator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    pub batch: usize,
    /// Of the run.
    pub cycles: u64,
    /// Values and other bytes that are not golden's.
    pub differing: u64,
    /// Useful multiply-accumulates an image.
    pub macs: u64,
    pub causes: Causes,
    pub bytes: TensorBytes,
    /// Of the whole words on the memory ports, an image.
    pub bus_bytes: f64,
    pub energy: Energy,
}

/// Shares of all PE-cycles in percent; together 100.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Causes {
    pub utilization: f64,
    pub lost: Vec<(Cause, f64)>,
}

/// Payload an image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorBytes {
    pub weights: f64,
    pub activations: f64,
    pub outputs: f64,
    /// With tables.
    pub parameters: f64,
}

impl TensorBytes {
    pub fn total(&self) -> f64 {
        self.weights + self.activations + self.outputs + self.parameters
    }
}

impl Causes {
    fn of(pe_cycles: &PeCycles) -> Self {
        let share = |(cause, lost): (Cause, u64)| (cause, pe_cycles.percent(lost));
        Self {
            utilization: pe_cycles.percent(pe_cycles.useful),
            lost: Cause::ALL.into_iter().zip(pe_cycles.lost).map(share).collect(),
        }
    }

    /// The share that is lost for a cause.
    pub fn lost(&self, cause: Cause) -> f64 {
        self.lost.iter().filter(|(other, _)| *other == cause).map(|(_, percent)| percent).sum()
    }
}

/// The seed of stochastic rounding: time does not depend on it.
const ROUNDING_SEED: u64 = 0;

/// Compiles the point's network for the first rows of test, runs the program on the simulator, and compares every value with golden.
/// Nothing of it but the compared values depends on the network's weights, so one seed's files are enough.
pub fn time(
    workbench: &Workbench,
    point: &Point,
    sources: &Sources,
    simulation: &Simulation,
) -> Result<Timing, MeasureError> {
    let subject = workbench.subject(sources)?;
    let Simulation { batch, latency, stalls } = *simulation;
    let rows = subject.test.rows;
    if !(1..=rows).contains(&batch) {
        return Err(Failure::Batch { batch, rows, path: sources.data.clone() }.into());
    }
    let quantized = subject.quantize(point, ROUNDING_SEED)?.network;
    let images = &subject.test.values[..batch * subject.test.cols];
    let input = quantized.quantize_input(images, ROUNDING_SEED).map_err(super::Refusal::from)?;
    let network = quantized.network().clone();
    let problem = Problem::new(point.config.clone(), network, batch, input, ROUNDING_SEED, latency, stalls)?;
    let outcome = run_simulator(&problem.config, problem.environment()).map_err(Failure::from)?;
    timing(&problem, &outcome)
}

/// What a run of a problem shows.
fn timing(problem: &Problem, outcome: &Outcome) -> Result<Timing, MeasureError> {
    let counters = outcome.counters.ok_or(Failure::Counters)?;
    let comparison = compare(problem, &problem.golden_memory()?, None, Engine::Simulator, outcome);
    let images = problem.batch as f64;
    let bytes = |counter| counters.get(counter) as f64 / 8.0 / images;
    let beats = counters.get(Counter::ReadBeats) + counters.get(Counter::WriteBeats);
    Ok(Timing {
        batch: problem.batch,
        cycles: counters.get(Counter::Cycles),
        differing: comparison.values_differing + comparison.others_differing,
        macs: problem.compiled.macs() / problem.batch as u64,
        causes: Causes::of(&PeCycles::of(&problem.config, &problem.compiled, &counters)),
        bytes: TensorBytes {
            weights: bytes(Counter::WeightBits),
            activations: bytes(Counter::ActivationBits),
            outputs: bytes(Counter::OutputBits),
            parameters: bytes(Counter::ParameterBits),
        },
        bus_bytes: beats as f64 * problem.config.geometry().bus_bits() as f64 / 8.0 / images,
        energy: Counts::of(problem, &counters).energy(&problem.config).per(images),
    })
}

#[cfg(test)]
mod tests;
