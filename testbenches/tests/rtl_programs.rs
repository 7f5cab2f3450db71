//! Random programs of every field, and random networks, on the verilated RTL: values against plain arithmetic or
//! golden, every counter against the simulator.

mod common;

use common::{changed, named, options, plain, programs, rtl, same_counters};
use sim::{Environment, Stalls};
use spec::config::{AccumulatorBits, RawRounding};
use spec::{validate, Config, MachineScheme};
use testbenches::data::Random;
use testbenches::engine::{run_pins, run_simulator};
use testbenches::verify::{verify_random, Work};

/// Runs that many programs of a configuration: every other one with stalls, every fifth broken off by a reset first.
fn agree(config: &Config, seeds: std::ops::Range<u64>) {
    let rtl = rtl(config);
    for seed in seeds {
        let context = format!("{}, seed {seed}", config.name());
        let mut random = Random::new(seed);
        let program = programs::program(config.clone(), &mut random);
        validate(config, &program.commands, program.memory.len()).unwrap_or_else(|e| panic!("{context}: {e}"));
        let percent = if seed % 2 == 0 { 0 } else { random.pick(&[10, 40, 60]) };
        let latency = random.pick(&[1, 2, 5, 20]);
        let interrupt = (seed % 5 == 0).then(|| random.between(1, 300) as u64);
        let (commands, memory) = (program.commands.clone(), program.memory.clone());
        let environment = Environment::new(config, commands, memory, latency, Stalls { seed, percent });

        let expected = plain::run(config, &program.commands, program.memory.clone());
        assert!(expected != program.memory, "{context}: the program must change the memory");
        let simulated = run_simulator(config, environment.clone()).unwrap_or_else(|e| panic!("{context}: {e}"));
        let mut instance = rtl.instance(seed).unwrap_or_else(|e| panic!("{context}: {e}"));
        let outcome = run_pins(&mut instance, environment, interrupt).unwrap_or_else(|e| panic!("{context}: {e}"));
        assert_eq!(first_difference(&expected, &simulated.memory), None, "{context}: simulator");
        assert_eq!(first_difference(&expected, &outcome.memory), None, "{context}: RTL");
        let [simulated, outcome] = [simulated, outcome].map(|o| o.counters.expect("an engine with pins counts"));
        same_counters(&context, &simulated, &outcome);
    }
}

/// The first byte that differs: its address, what it should be and what it is.
fn first_difference(expected: &[u8], memory: &[u8]) -> Option<(usize, u8, u8)> {
    assert_eq!(expected.len(), memory.len());
    let address = (0..expected.len()).find(|&address| expected[address] != memory[address])?;
    Some((address, expected[address], memory[address]))
}

const N_PROGRAMS: u64 = 200;

/// Rows of two lanes; no table, one requantizer lane.
#[test]
fn programs_agree_on_tiny() {
    agree(&named("tiny"), 0..N_PROGRAMS);
}

/// Rows of one beat; a table.
#[test]
fn programs_agree_on_small() {
    agree(&named("small"), 1000..1000 + N_PROGRAMS);
}

/// Stochastic rounding of what two shifts leave, a table, and accumulators that wrap; odd sides, two multiplier stages.
#[test]
fn programs_agree_with_stochastic_rounding_and_wrapping_accumulators() {
    let config = changed("tiny", |raw| {
        (raw.geometry.rows, raw.geometry.cols, raw.geometry.requantizer_lanes) = (5, 6, 2);
        (raw.geometry.multiplier_stages, raw.geometry.bus_bits, raw.geometry.queue_depth) = (2, 64, 2);
        raw.numerics.scheme = MachineScheme::FixedDouble;
        raw.numerics.rounding = RawRounding::Stochastic { stochastic: 9 };
        raw.numerics.accumulator_bits = AccumulatorBits::Wrapping { wrapping: 13 };
        raw.numerics.activation_table = true;
    });
    agree(&config, 2000..2000 + N_PROGRAMS);
}

/// Windows of up to eight lanes, all columns in one group, shifts alone.
#[test]
fn programs_agree_with_wide_rows_and_shifts_alone() {
    let config = changed("tiny", |raw| {
        (raw.geometry.rows, raw.geometry.cols, raw.geometry.requantizer_lanes) = (9, 4, 4);
        (raw.geometry.multiplier_stages, raw.geometry.bus_bits) = (0, 128);
        (raw.numerics.activation_signed, raw.numerics.output_signed) = (true, true);
        (raw.numerics.scheme, raw.numerics.multiplier_bits) = (MachineScheme::Pow2, 0);
    });
    agree(&config, 3000..3000 + N_PROGRAMS);
}

#[test]
fn random_networks_agree() {
    let summary =
        verify_random(Work::Networks, 4, 11, None, 2, &options(), &|_, _| {}).unwrap_or_else(|e| panic!("{e}"));
    let reasons: Vec<&str> = summary.failures.iter().map(|(_, reason)| reason.as_str()).collect();
    assert!(summary.passed(), "{}", reasons.join("\n"));
    assert_eq!((summary.configs, summary.cases, summary.rtl_runs), (4, 8, 8));
}
