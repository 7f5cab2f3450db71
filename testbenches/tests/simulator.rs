//! The simulator against golden (values) and against its closed form (cycles).

use spec::Counter;
use testbenches::data::Random;
use testbenches::Case;

/// A random valid configuration and a random problem for it.
fn random_case(seed: u64) -> Case {
    testbenches::random::case(&mut Random::new(seed))
}

#[test]
fn values_equal_golden_and_cycles_equal_the_closed_form() {
    for seed in 0..300 {
        let mut case = random_case(seed);
        case.stall_percent = 0;
        let problem = case.problem().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let finished = sim::run(&problem.config, problem.environment(), |_, _| {})
            .unwrap_or_else(|e| panic!("seed {seed}: {e}\n{}", case.to_toml().unwrap()));
        assert!(finished.memory == problem.golden_memory().unwrap(), "seed {seed}:\n{}", case.to_toml().unwrap());
        let predicted = sim::predict(&problem.config, &problem.compiled.program.commands, problem.latency).cycles;
        assert_eq!(finished.counters.get(Counter::Cycles), predicted, "seed {seed}:\n{}", case.to_toml().unwrap());
        for group in Counter::GROUPS {
            let sum: u64 = group.iter().map(|&counter| finished.counters.get(counter)).sum();
            assert_eq!(sum, predicted, "seed {seed}: {}", group[0].name());
        }
    }
}
