use super::*;
use spec::config::RawConfig;
use spec::Config;
use testbenches::{Case, Data, NetworkCase};

fn case(m: usize, widths: Vec<usize>, network: Option<NetworkCase>) -> Case {
    Case {
        m,
        widths,
        data: Data::Uniform,
        seed: 3,
        rounding_seed: 0,
        latency: 20,
        stall_seed: 5,
        stall_percent: 20,
        reset_after: 0,
        config: RawConfig::from(&Config::named("small").expect("it ships with Systole")),
        network,
    }
}

fn run(case: &Case) -> (Problem, Outcome) {
    let problem = case.problem().expect("it compiles");
    let outcome = run_simulator(&problem.config, problem.environment()).expect("it runs");
    (problem, outcome)
}

#[test]
fn every_pe_cycle_has_one_cause() {
    let layers = NetworkCase { input: [9, 7, 3], layers: 12 };
    for case in [case(33, vec![21, 10, 7], None), case(2, Vec::new(), Some(layers))] {
        let (problem, outcome) = run(&case);
        let found = timing(&problem, &outcome).expect("it counts");
        let sum = found.causes.utilization + found.causes.lost.iter().map(|(_, percent)| percent).sum::<f64>();
        assert!((sum - 100.0).abs() < 1e-9, "{sum} % in all");
        assert_eq!(found.differing, 0);
    }
}

/// 33 images of 21 -> 10 -> 7.
#[test]
fn macs_and_bytes_are_of_one_image() {
    let (problem, outcome) = run(&case(33, vec![21, 10, 7], None));
    let found = timing(&problem, &outcome).expect("it counts");
    assert_eq!((found.batch, found.macs), (33, 21 * 10 + 10 * 7));
    let n = problem.config.numerics();
    // Each output is written once: 10 and 7 an image.
    assert!((found.bytes.outputs - 17.0 * f64::from(n.output().bits()) / 8.0).abs() < 1e-9, "{found:?}");
    let counters = outcome.counters.expect("it counts");
    assert!((found.bytes.weights * 33.0 * 8.0 - counters.get(Counter::WeightBits) as f64).abs() < 1e-6);
    // What external memory's energy is charged for: 1.95 nJ for 64 bits.
    assert!((found.bus_bytes / 8.0 * 1.95 - found.energy.memory_nj).abs() < 1e-6, "{found:?}");
    assert!(found.bus_bytes >= found.bytes.total(), "{found:?}");
    let useful = found.causes.utilization / 100.0 * found.cycles as f64 * (problem.config.geometry().rows() as f64);
    let useful = useful * problem.config.geometry().cols() as f64;
    assert!((useful - 33.0 * 280.0).abs() < 1e-6, "{useful}");
}

#[test]
fn a_value_that_is_not_goldens_is_seen() {
    let (problem, mut outcome) = run(&case(5, vec![4, 3], None));
    let output = problem.compiled.output();
    let mut values = output.read(&outcome.memory);
    values[7] ^= 1;
    output.write(&mut outcome.memory, &values);
    assert_eq!(timing(&problem, &outcome).expect("it counts").differing, 1);
    // A byte that belongs to no output.
    outcome.memory[0] ^= 1;
    assert_eq!(timing(&problem, &outcome).expect("it counts").differing, 2);
}

#[test]
fn a_run_without_counters_is_a_failure() {
    let (problem, mut outcome) = run(&case(5, vec![4, 3], None));
    outcome.counters = None;
    let error = timing(&problem, &outcome).expect_err("nothing is counted");
    assert_eq!(error.to_string(), "the simulator gave no counters");
}
