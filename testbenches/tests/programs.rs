//! Random programs of all commands and fields on the simulator: values against plain arithmetic, cycles against the
//! closed form.

mod common;

use common::{plain, programs};
use sim::{Environment, Finished, Stalls};
use spec::{validate, Command, Counter, LoadTarget};
use testbenches::data::Random;

fn random_program(seed: u64) -> (programs::RandomProgram, Random) {
    let mut random = Random::new(seed);
    let config = programs::config(&mut random);
    let program = programs::program(config, &mut random);
    validate(&program.config, &program.commands, program.memory.len()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    (program, random)
}

fn run(program: &programs::RandomProgram, latency: u64, stalls: Stalls, seed: u64) -> Finished {
    let (commands, memory) = (program.commands.clone(), program.memory.clone());
    let environment = Environment::new(&program.config, commands, memory, latency, stalls);
    sim::run(&program.config, environment, |_, _| {}).unwrap_or_else(|e| panic!("seed {seed}: {e}"))
}

#[test]
fn values_equal_plain_arithmetic_and_cycles_equal_the_closed_form() {
    let mut n_slower = 0;
    for seed in 0..1000 {
        let (program, mut random) = random_program(seed);
        let expected = plain::run(&program.config, &program.commands, program.memory.clone());
        let latency = random.pick(&[1, 2, 5, 20]);
        let finished = run(&program, latency, Stalls::NONE, seed);
        assert!(finished.memory == expected, "seed {seed}: the memory differs from plain arithmetic's");
        let predicted = sim::predict(&program.config, &program.commands, latency).cycles;
        assert_eq!(finished.counters.get(Counter::Cycles), predicted, "seed {seed}");
        for group in Counter::GROUPS {
            let sum: u64 = group.iter().map(|&counter| finished.counters.get(counter)).sum();
            assert_eq!(sum, predicted, "seed {seed}: {}", group[0].name());
        }
        let stalls = Stalls { seed, percent: random.pick(&[10, 40, 60]) };
        let stalled = run(&program, latency, stalls, seed);
        assert!(stalled.memory == expected, "seed {seed}: stalls change the memory");
        n_slower += usize::from(stalled.counters.get(Counter::Cycles) > predicted);
    }
    // A short program may hide a few stalls.
    assert!(n_slower > 900, "stalls slow only {n_slower} of 1000 programs down");
}

#[test]
fn random_programs_use_every_field() {
    let mut n_uses = [0; 9];
    for seed in 0..1000 {
        for command in random_program(seed).0.commands {
            let uses = match command {
                Command::Load(load) => [load.target == LoadTarget::Table, load.lane_group > 1, false],
                Command::Execute(execute) => {
                    let partly = |p: spec::Place| p.keep_from < p.keep_to && (p.keep_from > 0 || p.keep_to < 3);
                    let mut places = execute.walk.places(0, 3).take(execute.rows.into());
                    [execute.maximum && !execute.overwrite, places.any(partly), execute.accumulator_step == 0]
                }
                Command::Store(store) => [store.terms > 1, store.table, store.terms > 2 && store.tiles > 1],
                Command::Seed(_) | Command::Finish => continue,
            };
            let kind = match command {
                Command::Load(_) => 0,
                Command::Execute(_) => 3,
                _ => 6,
            };
            for (n_uses, used) in n_uses[kind..].iter_mut().zip(uses) {
                *n_uses += usize::from(used);
            }
        }
    }
    // Tables, windows, maxima, padded lanes, steps of 0, terms, look-ups, many terms of several tiles (and one that
    // no load has).
    assert!(n_uses.iter().enumerate().all(|(index, &n_uses)| n_uses >= 100 || index == 2), "{n_uses:?}");
}
