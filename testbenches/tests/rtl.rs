//! The verilated RTL against the simulator (values and every counter) and against golden (every byte).

mod common;

use common::hand::{resident, with_tokens, Hand, FOLDS, NO_TOKENS};
use common::{agree, case, changed, gemm, named, options, rtl, same_counters};
use sim::{Machine, RunError};
use spec::{Command, Config, Counter, Counters, OrderError, ProgramError, Tokens};
use testbenches::engine::{run_from_reset, run_pins, run_simulator, EngineError};
use testbenches::rtl::Rtl;
use testbenches::verify::{verify_random, Engines, Work};
use testbenches::{Case, Data, Outcome, Problem};

fn on(rtl: &Rtl) -> Engines<'_> {
    Engines { rtl: Some(rtl), kernel: false }
}

fn problem(case: &Case) -> Problem {
    case.problem().unwrap_or_else(|e| panic!("{e}"))
}

fn counters(outcome: &Outcome) -> Counters {
    outcome.counters.expect("an engine with pins counts")
}

/// A dozen cases: every third is broken off by a reset first, every other has back-pressure.
fn a_dozen(name: &str, seed: u64) {
    let config = named(name);
    let rtl = rtl(&config);
    for index in 0..12 {
        let mut case = case(&config, seed + index);
        case.m = case.m.min(200);
        case.reset_after = if index % 3 == 0 { 37 * (index + 1) } else { 0 };
        case.stall_percent = if index % 2 == 0 { 40 } else { 0 };
        agree(&format!("{name}, seed {}", seed + index), &case, on(&rtl));
    }
}

#[test]
fn tiny_agrees() {
    a_dozen("tiny", 100);
}

#[test]
fn small_agrees() {
    a_dozen("small", 200);
}

#[test]
fn random_configurations_agree() {
    let summary =
        verify_random(Work::Products, 8, 7, None, 2, &options(), &|_, _| {}).unwrap_or_else(|e| panic!("{e}"));
    let reasons: Vec<&str> = summary.failures.iter().map(|(_, reason)| reason.as_str()).collect();
    assert!(summary.passed(), "{}", reasons.join("\n"));
    assert_eq!((summary.configs, summary.cases, summary.rtl_runs), (8, 16, 16));
}

/// Three configurations with two networks each; the command `systole verify --random-networks` runs more.
#[test]
fn random_networks_agree() {
    let summary =
        verify_random(Work::Networks, 3, 2026, None, 2, &options(), &|_, _| {}).unwrap_or_else(|e| panic!("{e}"));
    let reasons: Vec<&str> = summary.failures.iter().map(|(_, reason)| reason.as_str()).collect();
    assert!(summary.passed(), "{}", reasons.join("\n"));
    assert_eq!((summary.configs, summary.cases, summary.rtl_runs), (3, 6, 6));
}

/// A single PE and buffers of the least sizes: every address has one bit or none to spare.
#[test]
fn the_smallest_machine_agrees() {
    let config = changed("tiny", |raw| {
        raw.geometry.rows = 1;
        raw.geometry.cols = 1;
        raw.geometry.multiplier_stages = 0;
        raw.geometry.activation_buffer_rows = 2;
        raw.geometry.weight_buffer_tiles = 2;
        raw.geometry.accumulator_rows = 1;
        raw.geometry.parameter_tiles = 2;
        raw.geometry.queue_depth = 2;
        raw.numerics.output_bits = 8;
        raw.numerics.activation_bits = 1;
        raw.numerics.weight_bits = 1;
    });
    let rtl = rtl(&config);
    for size in [[1, 1, 1], [3, 2, 2], [5, 17, 3]] {
        agree(&format!("{size:?}"), &gemm(&config, size, 1), on(&rtl));
    }
}

/// Least and greatest operands: most outputs are at a clamp bound.
#[test]
fn extreme_values_saturate_alike() {
    for name in ["tiny", "small"] {
        let config = named(name);
        let rtl = rtl(&config);
        for seed in 0..4 {
            let case = Case { data: Data::Extreme, seed, ..gemm(&config, [9, 11, 13], 2) };
            agree(&format!("{name}, seed {seed}"), &case, on(&rtl));
        }
    }
}

/// Columns with biases, multipliers and zero points of their own, in every column tile and remainder.
#[test]
fn every_channel_has_its_own_parameters() {
    let config = named("small");
    let rtl = rtl(&config);
    for n in 1..=9 {
        agree(&format!("n = {n}"), &gemm(&config, [3, 5, n], 1), on(&rtl));
    }
}

#[test]
fn heavy_stalls_change_no_value() {
    for name in ["tiny", "small"] {
        let config = named(name);
        let rtl = rtl(&config);
        for seed in 0..3 {
            let case = Case { stall_seed: seed, stall_percent: 80, ..gemm(&config, [13, 9, 10], 4) };
            agree(&format!("{name}, stall seed {seed}"), &case, on(&rtl));
        }
    }
}

#[test]
fn a_reset_in_any_cycle_leaves_nothing_behind() {
    let config = named("tiny");
    let rtl = rtl(&config);
    let mut case = gemm(&config, [7, 5, 8], 3);
    case.stall_percent = 20;
    let problem = problem(&case);
    let golden = problem.golden_memory().unwrap_or_else(|e| panic!("{e}"));
    let simulated = run_simulator(&config, problem.environment()).unwrap_or_else(|e| panic!("{e}"));
    let cycles = counters(&simulated).get(Counter::Cycles);
    assert!(cycles > 100);
    for after in (1..cycles).step_by(3) {
        // Each with a start state of its own.
        let mut instance = rtl.instance(after).unwrap_or_else(|e| panic!("{e}"));
        let outcome = run_pins(&mut instance, problem.environment(), Some(after))
            .unwrap_or_else(|e| panic!("reset after {after}: {e}"));
        assert!(outcome.memory == golden, "reset after {after}: the memory differs from golden's");
        same_counters(&format!("reset after {after}"), &counters(&simulated), &counters(&outcome));
    }
}

#[test]
fn two_programs_run_one_after_the_other_without_a_reset() {
    for name in ["tiny", "small"] {
        let config = named(name);
        let rtl = rtl(&config);
        let first = problem(&gemm(&config, [5, 7, 9], 3));
        let second = problem(&Case { seed: 2, ..gemm(&config, [8, 5, 4], 3) });

        let mut machine = Machine::new(&config);
        let mut simulated = |problem: &Problem| {
            sim::run_on(&mut machine, problem.environment(), |_, _| {}).unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        let simulated = [simulated(&first), simulated(&second)];
        let mut instance = rtl.instance(3).unwrap_or_else(|e| panic!("{e}"));
        let outcomes = [
            run_pins(&mut instance, first.environment(), None).unwrap_or_else(|e| panic!("{name}: {e}")),
            run_from_reset(&mut instance, second.environment()).unwrap_or_else(|e| panic!("{name}: {e}")),
        ];
        for (index, problem) in [&first, &second].into_iter().enumerate() {
            let golden = problem.golden_memory().unwrap_or_else(|e| panic!("{e}"));
            assert!(simulated[index].memory == golden, "{name}: program {index}: simulator");
            assert!(outcomes[index].memory == golden, "{name}: program {index}: RTL");
            same_counters(&format!("{name}: program {index}"), &simulated[index].counters, &counters(&outcomes[index]));
        }

        // The counters are cleared at the end of the cycle in which the first command is taken.
        let alone = run_simulator(&config, second.environment()).unwrap_or_else(|e| panic!("{name}: {e}"));
        for counter in [Counter::Cycles, Counter::Commands] {
            assert_eq!(simulated[1].counters.get(counter), counters(&alone).get(counter) - 1, "{}", counter.name());
        }
        for counter in [Counter::ExecuteSpan, Counter::ReadBeats, Counter::WriteBeats, Counter::OutputBits] {
            assert_eq!(simulated[1].counters.get(counter), counters(&alone).get(counter), "{}", counter.name());
        }
    }
}

/// 40 folds of the same operands, R rows or one row a fold: nothing but the mesh limits them, so the span is the formula's.
#[test]
fn short_folds_follow_each_other_without_a_bubble() {
    let shapes = [named("tiny"), named("small"), changed("tiny", |raw| raw.geometry.rows = 5)];
    for config in shapes {
        let g = config.geometry();
        let (rows, cols, stages) = (g.rows(), g.cols(), g.multiplier_stages());
        let rtl = rtl(&config);
        for m in [1, rows, rows + 3] {
            let context = format!("{} with {rows} rows, m = {m}", config.name());
            let hand = resident(&config, m);
            spec::validate(&config, &hand.commands, hand.memory.len()).unwrap_or_else(|e| panic!("{context}: {e}"));
            let simulated =
                run_simulator(&config, hand.environment(&config)).unwrap_or_else(|e| panic!("{context}: {e}"));
            let mut instance = rtl.instance(1).unwrap_or_else(|e| panic!("{e}"));
            let outcome =
                run_pins(&mut instance, hand.environment(&config), None).unwrap_or_else(|e| panic!("{context}: {e}"));
            let expected = hand.expected();
            assert!(expected != hand.memory, "{context}: the program must change the memory");
            assert_eq!(simulated.memory, expected, "{context}: simulator");
            assert_eq!(outcome.memory, expected, "{context}: RTL");
            same_counters(&context, &counters(&simulated), &counters(&outcome));

            let span = rows + (FOLDS - 1) * m.max(rows) + m + rows + cols - 1 + stages;
            assert_eq!(counters(&simulated).get(Counter::ExecuteSpan), span as u64, "{context}: simulator");
            assert_eq!(counters(&outcome).get(Counter::ExecuteSpan), span as u64, "{context}: RTL");
            assert_eq!(counters(&outcome).get(Counter::ExecuteStream), (FOLDS * m) as u64, "{context}");
        }
    }
}

/// Runs a program that cannot end on both engines: both must give up in the same cycle, with the same causes.
fn deadlock(config: &Config, rtl: &Rtl, context: &str, hand: &Hand) -> [Counter; 5] {
    let simulated = match run_simulator(config, hand.environment(config)) {
        Err(EngineError::Run(error)) => error,
        other => panic!("{context}: simulator: {other:?}"),
    };
    let mut instance = rtl.instance(9).unwrap_or_else(|e| panic!("{e}"));
    match run_pins(&mut instance, hand.environment(config), None) {
        Err(EngineError::Run(error)) => assert_eq!(error, simulated, "{context}"),
        other => panic!("{context}: RTL: {other:?}"),
    }
    match simulated {
        RunError::Deadlock { codes, .. } => codes,
        RunError::Memory(fault) => panic!("{context}: {fault}"),
    }
}

#[test]
fn a_deadlock_says_what_every_engine_waits_for() {
    use Counter::{
        ExecuteDrain, ExecuteWaitCommand, ExecuteWaitLoad, ExecuteWaitStore, LoadWaitCommand, LoadWaitExecute,
        LoadWaitSpace, LoadWaitStore, PackIdle, StoreWaitCommand, StoreWaitExecute, StoreWaitLoad, UnpackIdle,
    };
    let config = named("tiny");
    let rtl = rtl(&config);
    let legal = resident(&config, 2);
    let load = |tokens| with_tokens(legal.commands[0], tokens);
    let execute = |tokens| with_tokens(legal.commands[3], tokens);
    let store = |tokens| with_tokens(legal.commands[3 + FOLDS], tokens);
    let first = Tokens { pop_first: true, ..NO_TOKENS };
    let second = Tokens { pop_second: true, ..NO_TOKENS };
    let push_first = Tokens { push_first: true, ..NO_TOKENS };
    let no_token = |pair| OrderError::NoToken { pair };

    let cases: [(&str, Vec<Command>, OrderError, [Counter; 5]); 8] = [
        (
            "execute pops from load",
            vec![execute(first)],
            no_token("load_execute"),
            [ExecuteWaitLoad, LoadWaitCommand, UnpackIdle, StoreWaitCommand, PackIdle],
        ),
        (
            "execute pops from store",
            vec![execute(second)],
            no_token("store_execute"),
            [ExecuteWaitStore, LoadWaitCommand, UnpackIdle, StoreWaitCommand, PackIdle],
        ),
        (
            "load pops from execute",
            vec![load(first)],
            no_token("execute_load"),
            [ExecuteDrain, LoadWaitExecute, UnpackIdle, StoreWaitCommand, PackIdle],
        ),
        (
            "load pops from store",
            vec![load(second)],
            no_token("store_load"),
            [ExecuteDrain, LoadWaitStore, UnpackIdle, StoreWaitCommand, PackIdle],
        ),
        (
            "store pops from load",
            vec![store(first)],
            no_token("load_store"),
            [ExecuteDrain, LoadWaitCommand, UnpackIdle, StoreWaitLoad, PackIdle],
        ),
        (
            "store pops from execute",
            vec![store(second)],
            no_token("execute_store"),
            [ExecuteDrain, LoadWaitCommand, UnpackIdle, StoreWaitExecute, PackIdle],
        ),
        (
            "each waits for the next",
            vec![load(second), execute(first), store(second)],
            no_token("store_load"),
            [ExecuteWaitLoad, LoadWaitStore, UnpackIdle, StoreWaitExecute, PackIdle],
        ),
        (
            "sixteen tokens that nobody takes",
            // The queue is full, so execute cannot know that the program ends.
            vec![load(push_first); 24],
            OrderError::TokenLimit { pair: "load_execute" },
            [ExecuteWaitCommand, LoadWaitSpace, UnpackIdle, StoreWaitCommand, PackIdle],
        ),
    ];
    for (context, mut commands, refusal, codes) in cases {
        commands.push(Command::Finish);
        let error = spec::validate(&config, &commands, legal.memory.len()).expect_err(context);
        match error {
            ProgramError::Order { source, .. } => assert_eq!(source, refusal, "{context}"),
            other => panic!("{context}: {other}"),
        }
        assert_eq!(deadlock(&config, &rtl, context, &Hand { commands, ..legal.clone() }), codes, "{context}");
    }
}
