//! The comparison itself: every kind of difference is found and named, and an engine that does nothing fails.

mod common;

use common::{gemm, named};
use spec::Counter;
use testbenches::engine::run_simulator;
use testbenches::{compare, Comparison, Engine, Outcome, Problem};

struct Compared {
    problem: Problem,
    golden: Vec<u8>,
    simulated: Outcome,
}

impl Compared {
    fn new() -> Self {
        let config = named("tiny");
        let problem = gemm(&config, [3, 4, 2], 2).problem().unwrap_or_else(|e| panic!("{e}"));
        let golden = problem.golden_memory().unwrap_or_else(|e| panic!("{e}"));
        let simulated = run_simulator(&config, problem.environment()).unwrap_or_else(|e| panic!("{e}"));
        Self { problem, golden, simulated }
    }

    /// The comparison of a changed outcome with the simulator's.
    fn with(&self, change: impl FnOnce(&mut Outcome)) -> Comparison {
        let mut outcome = self.simulated.clone();
        change(&mut outcome);
        compare(&self.problem, &self.golden, Some(&self.simulated), Engine::Verilator, &outcome)
    }
}

fn texts(comparison: &Comparison) -> Vec<String> {
    comparison.differences.iter().map(ToString::to_string).collect()
}

#[test]
fn an_equal_outcome_passes_and_everything_was_compared() {
    let comparison = Compared::new().with(|_| {});
    assert!(comparison.passed());
    assert_eq!((comparison.values, comparison.counters), (3 * 2, 39));
    assert_eq!((comparison.engine, comparison.reference), (Engine::Verilator, Engine::Simulator));
}

#[test]
fn an_engine_that_does_nothing_fails() {
    let compared = Compared::new();
    let untouched = compared.problem.compiled.program.memory.clone();
    assert!(untouched != compared.golden);
    assert!(!compared.with(|outcome| outcome.memory = untouched).passed());
    let empty = compared.with(|outcome| outcome.memory.clear());
    assert!(!empty.passed());
    assert_eq!(texts(&empty), ["a part of the memory is missing"]);
    let uncounted = compared.with(|outcome| outcome.counters = None);
    assert!(!uncounted.passed());
    assert_eq!(texts(&uncounted), ["a set of counters is missing"]);
}

#[test]
fn every_output_bit_counts() {
    let compared = Compared::new();
    let output = compared.problem.compiled.output();
    for byte in output.address..output.address + output.bytes() {
        for bit in 0..8 {
            let comparison = compared.with(|outcome| outcome.memory[byte] ^= 1 << bit);
            assert!(!comparison.passed(), "bit {bit} of byte {byte}");
        }
    }
    // 5-bit elements: the first row is bits 0..5 and 5..10 of its two bytes, the rest of the second byte is zero.
    let [expected, other] = [0, 1].map(|flip| i32::from((compared.golden[output.address] ^ flip) & 31));
    let comparison = compared.with(|outcome| outcome.memory[output.address] ^= 1);
    assert_eq!(texts(&comparison), [format!("layer0[0, 0]: expected {expected}, got {other}")]);
    assert_eq!((comparison.values_differing, comparison.others_differing), (1, 0));
    let padding = compared.with(|outcome| outcome.memory[output.address + 1] ^= 0x80);
    assert_eq!((padding.values_differing, padding.others_differing), (0, 1), "{:?}", texts(&padding));
}

#[test]
fn every_byte_outside_the_outputs_counts() {
    let compared = Compared::new();
    let output = compared.problem.compiled.output();
    let outside =
        (0..compared.golden.len()).filter(|byte| !(output.address..output.address + output.bytes()).contains(byte));
    for byte in outside {
        let comparison = compared.with(|outcome| outcome.memory[byte] ^= 0x10);
        assert_eq!((comparison.values_differing, comparison.others_differing), (0, 1), "byte {byte}");
        assert!(texts(&comparison)[0].starts_with(&format!("memory byte {byte:#x}, no output value: ")));
    }
}

#[test]
fn every_counter_counts() {
    let compared = Compared::new();
    let counters = compared.simulated.counters.expect("the simulator counts");
    for &counter in Counter::ALL {
        let value = counters.get(counter);
        let comparison = compared.with(|outcome| {
            let mut changed = counters;
            changed.set(counter, value + 1);
            outcome.counters = Some(changed);
        });
        assert!(!comparison.passed());
        assert_eq!(texts(&comparison), [format!("counter {}: expected {value}, got {}", counter.name(), value + 1)]);
    }
}
