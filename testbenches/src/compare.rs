//! Compares what engines left behind: every output value, every other byte, every counter.

use crate::case::Problem;
use crate::engine::{Engine, Outcome};
use spec::Counter;
use std::fmt;

/// One difference, named so that it can be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    Value {
        layer: String,
        row: usize,
        col: usize,
        expected: i32,
        actual: i32,
    },
    Byte {
        address: usize,
        expected: u8,
        actual: u8,
    },
    Counter {
        counter: Counter,
        expected: u64,
        actual: u64,
    },
    /// The engine has no counters to compare, or its memory has another size.
    Missing {
        what: &'static str,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { layer, row, col, expected, actual } => {
                write!(f, "{layer}[{row}, {col}]: expected {expected}, got {actual}")
            }
            Self::Byte { address, expected, actual } => {
                write!(f, "memory byte {address:#x}, no output value: expected {expected:#04x}, got {actual:#04x}")
            }
            Self::Counter { counter, expected, actual } => {
                write!(f, "counter {}: expected {expected}, got {actual}", counter.name())
            }
            Self::Missing { what } => write!(f, "{what} is missing"),
        }
    }
}

/// What was compared between an engine and its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub engine: Engine,
    pub reference: Engine,
    pub values: u64,
    pub values_differing: u64,
    pub counters: u64,
    pub counters_differing: u64,
    /// Differences of other kinds: bytes outside the outputs, missing parts.
    pub others_differing: u64,
    /// The first few differences.
    pub differences: Vec<Difference>,
}

/// How many differences a comparison lists; all are counted.
const LISTED: usize = 8;

impl Comparison {
    /// Whether something was compared and nothing differs.
    pub fn passed(&self) -> bool {
        self.values > 0 && self.values_differing == 0 && self.counters_differing == 0 && self.others_differing == 0
    }

    fn note(&mut self, difference: Difference) {
        match difference {
            Difference::Value { .. } => self.values_differing += 1,
            Difference::Counter { .. } => self.counters_differing += 1,
            Difference::Byte { .. } | Difference::Missing { .. } => self.others_differing += 1,
        }
        if self.differences.len() < LISTED {
            self.differences.push(difference);
        }
    }
}

/// Compares an engine's outcome with golden's memory, and with the simulator's counters if both have them.
pub fn compare(
    problem: &Problem,
    golden: &[u8],
    simulator: Option<&Outcome>,
    engine: Engine,
    outcome: &Outcome,
) -> Comparison {
    let mut comparison = Comparison {
        engine,
        reference: if simulator.is_some() { Engine::Simulator } else { Engine::Golden },
        values: 0,
        values_differing: 0,
        counters: 0,
        counters_differing: 0,
        others_differing: 0,
        differences: Vec::new(),
    };
    if golden.len() != outcome.memory.len() {
        comparison.note(Difference::Missing { what: "a part of the memory" });
        return comparison;
    }
    let mut is_output = vec![false; golden.len()];
    for plan in &problem.compiled.layers {
        let region = plan.output;
        let (expected, actual) = (region.read(golden), region.read(&outcome.memory));
        is_output[region.address..region.address + region.bytes()].fill(true);
        comparison.values += expected.len() as u64;
        for (index, (&expected, &actual)) in expected.iter().zip(&actual).enumerate().filter(|(_, (e, a))| e != a) {
            let (row, col) = (index / region.cols, index % region.cols);
            comparison.note(Difference::Value { layer: plan.name.clone(), row, col, expected, actual });
        }
        // The bits that fill a row's last byte are part of the layout, too.
        if comparison.values_differing == 0 {
            let range = region.address..region.address + region.bytes();
            note_bytes(&mut comparison, golden, &outcome.memory, range);
        }
    }
    let outside: Vec<usize> = (0..golden.len()).filter(|&address| !is_output[address]).collect();
    for address in outside {
        note_bytes(&mut comparison, golden, &outcome.memory, address..address + 1);
    }
    match (simulator, &outcome.counters) {
        (Some(Outcome { counters: Some(expected), .. }), Some(actual)) => {
            for (counter, expected) in expected.iter() {
                comparison.counters += 1;
                let actual = actual.get(counter);
                if expected != actual {
                    comparison.note(Difference::Counter { counter, expected, actual });
                }
            }
        }
        (Some(_), _) => comparison.note(Difference::Missing { what: "a set of counters" }),
        (None, _) => {}
    }
    comparison
}

fn note_bytes(comparison: &mut Comparison, golden: &[u8], memory: &[u8], range: std::ops::Range<usize>) {
    for address in range {
        let (expected, actual) = (golden[address], memory[address]);
        if expected != actual {
            comparison.note(Difference::Byte { address, expected, actual });
        }
    }
}
