//! Every scheme with every rounding it allows, on all engines.

mod common;

use common::hand::{resident, Hand};
use common::{agree, changed, gemm, named, options, rtl};
use spec::config::{RawConfig, RawRounding};
use spec::{Command, Config, Counter, MachineScheme, Round, Seed, Store, Tokens};
use testbenches::data::Random;
use testbenches::engine::{run_pins, run_simulator};
use testbenches::rtl::Rtl;
use testbenches::verify::Engines;
use testbenches::{random, Case, Data, Problem};

fn on(rtl: &Rtl) -> Engines<'_> {
    Engines { rtl: Some(rtl), kernel: false }
}

fn problem(case: &Case) -> Problem {
    case.problem().unwrap_or_else(|e| panic!("{e}"))
}

/// The values of all layers after a run on the simulator, which must be golden's.
fn outputs(problem: &Problem) -> Vec<Vec<i32>> {
    let outcome = run_simulator(&problem.config, problem.environment()).unwrap_or_else(|e| panic!("{e}"));
    assert!(outcome.memory == problem.golden_memory().unwrap_or_else(|e| panic!("{e}")), "simulator against golden");
    problem.compiled.layers.iter().map(|plan| plan.output.read(&outcome.memory)).collect()
}

/// The case with the least seed whose bounds are the whole range: roundings must not be clamped away.
fn unclamped(case: Case) -> Case {
    let cases = (0..).map(|seed| Case { seed, ..case.clone() });
    let is_full = |case: &Case| {
        let problem = problem(case);
        let full = golden::Bounds::full(problem.config.numerics());
        problem.network.layers.iter().all(|layer| layer.bounds == full)
    };
    cases.into_iter().find(is_full).expect("a third of all layers are")
}

fn legal(scheme: MachineScheme, rounding: RawRounding) -> bool {
    let is_up = rounding == RawRounding::Named(Round::HalfTowardPositive);
    match scheme {
        MachineScheme::FixedSingle | MachineScheme::Pow2 => true,
        MachineScheme::FixedDouble => !is_up,
        MachineScheme::FixedDoubleUp => is_up,
    }
}

/// Small sums and power-of-two ratios: about half of all roundings see exact ties, so each rule gives values of its own.
#[test]
fn every_scheme_and_rule_agrees_on_ties() {
    for scheme in MachineScheme::ALL {
        let mut seen: Vec<(RawRounding, Vec<Vec<i32>>)> = Vec::new();
        let named = Round::ALL.map(RawRounding::Named);
        let all = named.into_iter().chain([3, 32].map(|stochastic| RawRounding::Stochastic { stochastic }));
        for rounding in all.filter(|&rounding| legal(scheme, rounding)) {
            let config = changed("tiny", |raw| {
                raw.numerics.scheme = scheme;
                raw.numerics.rounding = rounding;
                raw.numerics.multiplier_bits = if scheme == MachineScheme::Pow2 { 0 } else { 5 };
                raw.numerics.output_signed = true;
                raw.numerics.activation_signed = true;
            });
            let case = unclamped(Case { data: Data::Ties, ..gemm(&config, [23, 7, 12], 3) });
            agree(&format!("{scheme}, {rounding:?}"), &case, on(&rtl(&config)));
            seen.push((rounding, outputs(&problem(&case))));
        }
        for (index, (rounding, values)) in seen.iter().enumerate() {
            for (other, other_values) in &seen[..index] {
                assert!(values != other_values, "{scheme}: {rounding:?} and {other:?} differ nowhere: no ties");
            }
        }
    }
}

/// A stochastic configuration of random widths; of the schemes, all but the one that has no randomness.
fn stochastic(random: &mut Random) -> RawConfig {
    let mut raw = random::config(random);
    let schemes = [MachineScheme::FixedSingle, MachineScheme::FixedDouble, MachineScheme::Pow2];
    raw.numerics.scheme = random.pick(&schemes);
    let multiplier_bits = random.between(1, 32) as u32;
    raw.numerics.multiplier_bits = if raw.numerics.scheme == MachineScheme::Pow2 { 0 } else { multiplier_bits };
    raw.numerics.rounding = RawRounding::Stochastic { stochastic: random.between(1, 32) as u32 };
    raw
}

/// The bits of an output are a function of its index, whatever the mesh, the lanes, the buffers and so the tiling.
#[test]
fn the_same_bits_for_any_tiling_and_mesh() {
    let (mut tilings, mut seeds_that_count) = (std::collections::HashSet::new(), 0);
    for seed in 0..60 {
        let mut random = Random::new(9000 + seed);
        let raw = stochastic(&mut random);
        let mut case = Case { m: 30, ..random::problem(&mut random, &raw) };
        case.widths = case.widths.iter().map(|&width| width.min(28)).collect();
        let expected = outputs(&problem(&case));
        for turn in 0..4 {
            let mut other = case.clone();
            other.config.geometry = random::config(&mut random).geometry;
            other.latency = 3;
            // Groups of columns must start on a byte, which not every geometry has room for.
            let Ok(problem) = other.problem() else { continue };
            tilings.extend(problem.compiled.layers.iter().map(|plan| plan.tiling));
            assert!(outputs(&problem) == expected, "seed {seed}, turn {turn}: {:?}", other.config.geometry);
            if turn == 0 && seed % 15 == 0 {
                agree(&format!("seed {seed}"), &other, on(&rtl(&problem.config)));
            }
        }
        let reseeded = Case { rounding_seed: case.rounding_seed ^ 0x5555_0000_0000_5555, ..case.clone() };
        seeds_that_count += usize::from(outputs(&problem(&reseeded)) != expected);
    }
    assert!(tilings.len() > 40, "{} tilings", tilings.len());
    assert!(seeds_that_count > 20, "another seed gives other values in {seeds_that_count} of 60 cases");
}

/// Another seed changes values and not a single counter.
#[test]
fn a_seed_changes_values_and_nothing_else() {
    let config = changed("tiny", |raw| raw.numerics.rounding = RawRounding::Stochastic { stochastic: 8 });
    let rtl = rtl(&config);
    let case = unclamped(Case { widths: vec![9, 12, 10], ..gemm(&config, [20, 9, 12], 3) });
    let runs = [1, 2, 1 << 40].map(|rounding_seed| {
        let case = Case { rounding_seed, ..case.clone() };
        let report = agree(&format!("seed {rounding_seed}"), &case, on(&rtl));
        (report.cycles, outputs(&problem(&case)))
    });
    for (run, other) in [(0, 1), (0, 2), (1, 2)] {
        assert_eq!(runs[run].0, runs[other].0, "cycles");
        assert!(runs[run].1[0] != runs[other].1[0], "layer 0 of runs {run} and {other}");
        assert!(runs[run].1[1] != runs[other].1[1], "layer 1 of runs {run} and {other}");
    }
}

/// The program of `resident` with a store for each row, a seed before each, and no acknowledgement between them: a seed is taken
/// while the group before it is in the requantizer.
fn a_seed_for_each_row(config: &Config, m: usize) -> Hand {
    let hand = resident(config, m);
    let place = hand.commands.iter().position(|command| matches!(command, Command::Store(_))).expect("a store");
    let Command::Store(store) = hand.commands[place] else { unreachable!("it was found") };
    let mut commands = hand.commands[..place].to_vec();
    // Without some of the folds, outputs are no longer whole numbers.
    commands.drain(place - 5..place - 2);
    let mut random = Random::new(m as u64);
    for row in 0..m {
        let seed = Seed { key: random.word(), mask: random.word() as u32, row_stride: random.word() as u32 };
        let tokens = if row == 0 { store.tokens } else { Tokens::default() };
        let address = store.address + row as u32 * store.stride;
        let accumulator_row = store.accumulator_row + row as u16;
        commands.push(Command::Seed(seed));
        commands.push(Command::Store(Store {
            tokens,
            address,
            accumulator_row,
            rows: 1,
            index: random.word() as u32,
            ..store
        }));
    }
    commands.push(Command::Finish);
    Hand { commands, ..hand }
}

#[test]
fn a_seed_does_not_reach_back_to_the_store_before_it() {
    let mut memories = Vec::new();
    for random_bits in [1, 20] {
        let config = changed("tiny", |raw| {
            raw.numerics.rounding = RawRounding::Stochastic { stochastic: random_bits };
            // One group a row, of one beat: the engine is free again in the cycle after the read.
            raw.geometry.requantizer_lanes = 3;
        });
        let rtl = rtl(&config);
        let hand = a_seed_for_each_row(&config, 8);
        spec::validate(&config, &hand.commands, hand.memory.len()).unwrap_or_else(|e| panic!("{e}"));
        let simulated = run_simulator(&config, hand.environment(&config)).unwrap_or_else(|e| panic!("{e}"));
        let mut instance = rtl.instance(1).unwrap_or_else(|e| panic!("{e}"));
        let outcome = run_pins(&mut instance, hand.environment(&config), None).unwrap_or_else(|e| panic!("{e}"));
        assert!(outcome.memory == simulated.memory, "{random_bits} random bits: values");
        assert_eq!(outcome.counters, simulated.counters, "{random_bits} random bits");
        let counters = outcome.counters.expect("an engine with pins counts");
        let predicted = sim::predict(&config, &hand.commands, common::hand::LATENCY).cycles;
        assert_eq!(counters.get(Counter::Cycles), predicted, "{random_bits} random bits");
        assert_eq!(counters.get(Counter::StoreIssue), 16, "a cycle for each store and each seed");
        memories.push(outcome.memory);
    }
    assert!(memories[0] != memories[1]);
}

#[test]
fn programs_without_a_seed_or_with_one_too_many_are_refused() {
    let random = changed("tiny", |raw| raw.numerics.rounding = RawRounding::Stochastic { stochastic: 8 });
    let mut hand = a_seed_for_each_row(&random, 2);
    let first = hand.commands.iter().position(|command| matches!(command, Command::Seed(_))).expect("a seed");
    let refusal = |config: &Config, commands: &[Command]| {
        spec::validate(config, commands, hand.memory.len()).expect_err("refused").to_string()
    };
    assert_eq!(
        refusal(&named("tiny"), &hand.commands),
        format!(
            "command {first}: seed needs a machine with stochastic rounding; this one rounds by half-toward-positive"
        )
    );
    let mut without = hand.commands.clone();
    without.retain(|command| !matches!(command, Command::Seed(_)));
    assert_eq!(
        refusal(&random, &without),
        format!("command {first}: a store of a machine with stochastic rounding needs a seed before it")
    );
    // One seed holds for all later stores.
    hand.commands.remove(first + 2);
    assert_eq!(spec::validate(&random, &hand.commands, hand.memory.len()), Ok(()));
}

/// A machine without stochastic rounding drops the opcode like any other that is reserved.
#[test]
fn a_seed_is_dropped_where_rounding_has_a_rule() {
    let config = named("tiny");
    let hand = resident(&config, 3);
    let mut with_seed = hand.clone();
    with_seed.commands.insert(0, Command::Seed(Seed { key: u64::MAX, mask: u32::MAX, row_stride: u32::MAX }));
    let rtl = rtl(&config);
    let simulated = run_simulator(&config, with_seed.environment(&config)).unwrap_or_else(|e| panic!("{e}"));
    let mut instance = rtl.instance(1).unwrap_or_else(|e| panic!("{e}"));
    let outcome = run_pins(&mut instance, with_seed.environment(&config), None).unwrap_or_else(|e| panic!("{e}"));
    assert!(simulated.memory == hand.expected() && outcome.memory == hand.expected());
    assert_eq!(outcome.counters, simulated.counters);
}

/// Builds are shared with the other tests of this folder.
#[test]
fn random_configurations_with_random_bits_agree() {
    for seed in 0..6 {
        let mut random = Random::new(500 + seed);
        let raw = stochastic(&mut random);
        let config = Config::try_from(raw.clone()).unwrap_or_else(|e| panic!("{e}"));
        let rtl = Rtl::build(&config, &options()).unwrap_or_else(|e| panic!("{e}"));
        for _ in 0..2 {
            let mut case = random::problem(&mut random, &raw);
            case.m = case.m.min(200);
            agree(&format!("seed {seed}"), &case, on(&rtl));
        }
    }
}
