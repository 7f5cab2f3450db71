//! Skipping over cycles against stepping through them: the same machine after every skip, the same end of every run.

mod common;

use common::hand::{resident, with_tokens, NO_TOKENS};
use common::{named, programs};
use sim::{Environment, Machine, Stalls};
use spec::{Config, Counter};
use testbenches::data::Random;
use testbenches::random;

/// A step of machine and environment; whether something was transferred or the array worked.
fn step(machine: &mut Machine, environment: &mut Environment) -> bool {
    let inputs = environment.drive();
    let outputs = machine.outputs();
    machine.step(&inputs, &outputs);
    environment.step(&inputs, &outputs);
    let working = matches!(machine.codes()[0], Counter::ExecuteStream | Counter::ExecutePreload);
    working || outputs.transfers(&inputs)
}

/// Runs a program with skips, each beside as many steps; returns the cycles of all skips and of the run.
fn compare(config: &Config, mut environment: Environment, most: u64, context: &str) -> [u64; 2] {
    let mut machine = Machine::new(config);
    let mut n_skipped = 0;
    while !environment.is_done() {
        let (mut stepped, mut beside) = (machine.clone(), environment.clone());
        let skipped = machine.skip(&mut environment, most);
        let mut quiet_since = None;
        for _ in 0..skipped.cycles {
            let quiet = !step(&mut stepped, &mut beside);
            quiet_since = if quiet { quiet_since.map(|cycles| cycles + 1) } else { Some(0) };
        }
        let context = format!("{context}, cycle {}: {} cycles", environment.cycle(), skipped.cycles);
        assert!(skipped.cycles <= most, "{context}");
        assert_eq!(machine.counters(), stepped.counters(), "{context}");
        assert_eq!(machine.codes(), stepped.codes(), "{context}");
        assert_eq!(machine.outputs(), stepped.outputs(), "{context}");
        assert_eq!(environment.cycle(), beside.cycle(), "{context}");
        assert_eq!(skipped.quiet_since, quiet_since, "{context}");
        n_skipped += skipped.cycles;
        step(&mut machine, &mut environment);
    }
    [n_skipped, environment.cycle()]
}

#[test]
fn a_skip_is_as_many_steps() {
    let (mut n_skipped, mut n_cycles) = (0, 0);
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let config = programs::config(&mut random);
        let program = programs::program(config, &mut random);
        let latency = random.pick(&[1, 2, 5, 20, 100]);
        let most = random.pick(&[7, u64::MAX]);
        let environment = Environment::new(&program.config, program.commands, program.memory, latency, Stalls::NONE);
        let [skipped, cycles] = compare(&program.config, environment, most, &format!("program {seed}"));
        (n_skipped, n_cycles) = (n_skipped + skipped, n_cycles + cycles);
    }
    assert!(3 * n_skipped > n_cycles, "{n_skipped} of {n_cycles} cycles are skipped");
    for seed in 0..20 {
        let mut case = random::case(&mut Random::new(seed));
        (case.stall_percent, case.m) = (0, case.m.min(100));
        let problem = case.problem().unwrap_or_else(|e| panic!("case {seed}: {e}"));
        compare(&problem.config, problem.environment(), u64::MAX, &format!("case {seed}"));
    }
}

#[test]
fn runs_end_alike_with_and_without_stalls() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let config = programs::config(&mut random);
        let program = programs::program(config, &mut random);
        let stalls = Stalls { seed, percent: if seed % 3 == 0 { 30 } else { 0 } };
        let latency = random.pick(&[1, 2, 5, 20, 100]);
        let environment = Environment::new(&program.config, program.commands, program.memory, latency, stalls);
        let stepped = sim::run(&program.config, environment.clone(), |_, _| {}).expect("a legal program");
        let skipped = sim::run_unobserved(&program.config, environment).expect("a legal program");
        assert_eq!(skipped.counters, stepped.counters, "seed {seed}");
        assert!(skipped.memory == stepped.memory, "seed {seed}: the memory differs");
    }
}

#[test]
fn a_deadlock_is_found_in_the_same_cycle() {
    let config = named("small");
    let hand = resident(&config, 40);
    // Store pushes nothing to load and execute there.
    for changed in 0..hand.commands.len() - 2 {
        let mut hand = hand.clone();
        let tokens = spec::Tokens { pop_first: true, pop_second: true, ..NO_TOKENS };
        hand.commands[changed] = with_tokens(hand.commands[changed], tokens);
        let stepped = sim::run(&config, hand.environment(&config), |_, _| {}).expect_err("a token is missing");
        let skipped = sim::run_unobserved(&config, hand.environment(&config)).expect_err("a token is missing");
        assert_eq!(skipped, stepped, "command {changed}");
    }
}
