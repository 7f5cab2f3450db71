//! One lane of the requantizer alone, emitted and verilated: a value a cycle, for vectors that never saw a matrix
//! product.

use crate::engine::EngineError;
use crate::verilator::{Design, Instance, Library, Options, PortHandle, VerilatorError};
use golden::{Bounds, Channel};
use hdl::simulate::{SimulateError, Stepper};
use hdl::RequantizerLane;
use spec::{Format, Numerics, Rounding};
use std::sync::Arc;
use thiserror::Error;

const TOP: &str = "requantizer_lane";
/// Cycles from an accumulator to its output, to the bounds it is clamped to, and to its random bits.
const LATENCY: usize = 4;
const BOUNDS_LATE: usize = 3;
const RANDOM_LATE: usize = 2;

/// What a lane is given, and what it must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneRow {
    pub accumulator: i64,
    pub channel: Channel,
    pub bounds: Bounds,
    /// Random bits; 0 unless rounding is stochastic.
    pub random: u32,
    pub expected: i64,
}

/// Why rows could not be run.
#[derive(Debug, Error)]
pub enum LaneError {
    #[error("row {row}: accumulator = {value} is out of range: it must be in {min}..={max}")]
    Accumulator { row: usize, value: i64, min: i64, max: i64 },
    #[error("row {row}: random = {random}, but an output takes {random_bits} random bits")]
    Random { row: usize, random: u32, random_bits: u32 },
    #[error("row {row}: {source}")]
    Row { row: usize, source: golden::GoldenError },
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Simulate(#[from] SimulateError),
}

impl From<VerilatorError> for LaneError {
    fn from(error: VerilatorError) -> Self {
        Self::Engine(error.into())
    }
}

/// What came of some rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneReport {
    pub rows: usize,
    pub differing: usize,
    /// Number of the first row that differs, and what the lane gave for it.
    pub first: Option<(usize, i64)>,
}

/// The lane of a configuration's numerics, built and loaded.
#[derive(Debug)]
pub struct Lane {
    numerics: Numerics,
    library: Arc<Library>,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    reset: PortHandle,
    accumulator: PortHandle,
    record: PortHandle,
    first: PortHandle,
    random: Option<PortHandle>,
    low: PortHandle,
    high: PortHandle,
    output: PortHandle,
}

impl Lane {
    /// Emits the lane and builds a model of it, or takes it from the cache.
    pub fn build(numerics: &Numerics, options: &Options) -> Result<Self, LaneError> {
        let lane = Stepper::new(RequantizerLane::new(numerics))?;
        let emitted = hdl::emit(lane.block(), TOP, "One lane of the requantizer.").map_err(EngineError::from)?;
        let design = Design { verilog: emitted.verilog, top: TOP.to_owned(), ports: emitted.ports };
        let library = Library::build(&design, options)?;
        let bits = |format: Format| format.bits() as usize;
        let bound = bits(numerics.bound());
        let random = match numerics.rounding() {
            Rounding::Fixed(_) => None,
            Rounding::Stochastic { random_bits } => Some(library.input("random_in_0", random_bits as usize)?),
        };
        let ports = Ports {
            reset: library.input("reset", 1)?,
            accumulator: library.input("accumulator_in", bits(numerics.accumulator()))?,
            record: library.input("record_in", numerics.parameter_bits() as usize)?,
            first: library.input("first_in", 1)?,
            random,
            low: library.input("low_in", bound)?,
            high: library.input("high_in", bound)?,
            output: library.output("output_out", bits(numerics.output()))?,
        };
        Ok(Self { numerics: numerics.clone(), library, ports })
    }

    /// Streams the rows through the lane, one a cycle, and counts the outputs that are not as expected. Registers start
    /// with random contents that follow from `seed`.
    pub fn run(&self, rows: &[LaneRow], seed: u64) -> Result<LaneReport, LaneError> {
        for (index, row) in rows.iter().enumerate() {
            self.check(index, row)?;
        }
        let mut model = self.library.instance(seed)?;
        model.set(self.ports.reset, 0)?;
        // Every row is a column of one term.
        model.set(self.ports.first, 1)?;
        let mut report = LaneReport { rows: rows.len(), differing: 0, first: None };
        for cycle in 0..rows.len() + LATENCY {
            let row = |late: usize| cycle.checked_sub(late).and_then(|index| rows.get(index));
            self.drive(&mut model, row(0), row(RANDOM_LATE), row(BOUNDS_LATE))?;
            model.step()?;
            if let Some(row) = row(LATENCY) {
                let actual = self.numerics.output().decode(model.get(self.ports.output)?);
                if actual != row.expected {
                    report.differing += 1;
                    report.first.get_or_insert((cycle - LATENCY, actual));
                }
            }
        }
        Ok(report)
    }

    fn check(&self, index: usize, row: &LaneRow) -> Result<(), LaneError> {
        let format = self.numerics.accumulator();
        if !format.contains(row.accumulator) {
            let (min, max) = (format.min(), format.max());
            return Err(LaneError::Accumulator { row: index, value: row.accumulator, min, max });
        }
        let random_bits = self.numerics.rounding().random_bits();
        if u64::from(row.random) >> random_bits != 0 {
            return Err(LaneError::Random { row: index, random: row.random, random_bits });
        }
        let checked = row.channel.check(&self.numerics).and_then(|()| row.bounds.check(&self.numerics));
        checked.map_err(|source| LaneError::Row { row: index, source })
    }

    fn drive(
        &self,
        model: &mut Instance,
        entering: Option<&LaneRow>,
        multiplied: Option<&LaneRow>,
        clamped: Option<&LaneRow>,
    ) -> Result<(), VerilatorError> {
        let n = &self.numerics;
        if let Some(row) = entering {
            model.set(self.ports.accumulator, n.accumulator().encode(row.accumulator))?;
            let record = self.record(&row.channel);
            let words: Vec<u32> = (0..n.parameter_bits().div_ceil(32)).map(|i| (record >> (32 * i)) as u32).collect();
            model.set_wide(self.ports.record, &words)?;
        }
        if let (Some(port), Some(row)) = (self.ports.random, multiplied) {
            model.set(port, row.random.into())?;
        }
        if let Some(row) = clamped {
            model.set(self.ports.low, n.bound().encode(row.bounds.low))?;
            model.set(self.ports.high, n.bound().encode(row.bounds.high))?;
        }
        Ok(())
    }

    /// The parameter record as it stands in memory: at most 48 + 32 + 6 + 17 bits.
    fn record(&self, channel: &Channel) -> u128 {
        let n = &self.numerics;
        let fields = [
            Some((n.bias(), channel.bias)),
            n.multiplier().map(|format| (format, channel.multiplier.into())),
            Some((n.shift(), channel.shift.into())),
            Some((n.bound(), channel.zero_point)),
        ];
        fields
            .into_iter()
            .flatten()
            .rev()
            .fold(0, |record, (format, value)| record << format.bits() | u128::from(format.encode(value)))
    }
}
