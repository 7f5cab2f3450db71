//! `spec::validate`: which programs it refuses, and that compiled programs have no token to spare.

mod common;

use common::hand::{with_tokens, FOLDS, NO_TOKENS};
use common::legal::{Legal, ACTIVATIONS, FIRST_FOLD, LAST_FOLD, PARAMETERS, STORE, WEIGHTS};
use spec::{validate, Command, Load, OrderError, ProgramError, Tokens};
use std::collections::VecDeque;
use testbenches::data::Random;
use testbenches::random;

const POP_FIRST: Tokens = Tokens { pop_first: true, ..NO_TOKENS };
const POP_SECOND: Tokens = Tokens { pop_second: true, ..NO_TOKENS };
const PUSH_FIRST: Tokens = Tokens { push_first: true, ..NO_TOKENS };

#[test]
fn a_missing_token_is_a_race() {
    let legal = Legal::new();
    let race = |what: &str, engine: &str, sequence: usize| {
        format!("{what} is used without a token that orders it after {engine} command {sequence}")
    };
    // Execute waits for neither load.
    assert_eq!(
        legal.tokens(&[(WEIGHTS, NO_TOKENS), (FIRST_FOLD, NO_TOKENS)]),
        format!("command {FIRST_FOLD}: {}", race("weight buffer row 0", "load", 2))
    );
    // It waits for the weights only, which are loaded first.
    assert_eq!(
        legal.refusal(|commands| {
            let weights = with_tokens(commands[WEIGHTS], PUSH_FIRST);
            commands[WEIGHTS] = with_tokens(commands[ACTIVATIONS], NO_TOKENS);
            commands[ACTIVATIONS] = weights;
        }),
        format!("command {FIRST_FOLD}: {}", race("activation buffer row 0", "load", 2))
    );
    // It waits for the activations only.
    assert_eq!(
        legal.tokens(&[(ACTIVATIONS, PUSH_FIRST), (WEIGHTS, NO_TOKENS)]),
        format!("command {FIRST_FOLD}: {}", race("weight buffer row 0", "load", 2))
    );
    // Store does not wait for the parameters.
    assert_eq!(
        legal.tokens(&[(PARAMETERS, NO_TOKENS), (STORE, POP_SECOND)]),
        format!("command {STORE}: {}", race("parameter record 0", "load", 3))
    );
    // Store does not wait for the last fold.
    assert_eq!(
        legal.tokens(&[(LAST_FOLD, NO_TOKENS), (STORE, POP_FIRST)]),
        format!("command {STORE}: {}", race("accumulator half 0", "execute", FOLDS))
    );
    // Store waits for the fold before the last.
    assert_eq!(
        legal.tokens(&[(LAST_FOLD - 1, Tokens { push_second: true, ..NO_TOKENS }), (LAST_FOLD, NO_TOKENS)]),
        format!("command {STORE}: {}", race("accumulator half 0", "execute", FOLDS))
    );
    // Buffers are filled again while the folds read them.
    for index in [ACTIVATIONS, WEIGHTS] {
        let again = with_tokens(legal.hand.commands[index], NO_TOKENS);
        let what = ["activation buffer row 0", "weight buffer row 0"][index];
        assert_eq!(
            legal.refusal(|commands| commands.insert(STORE, again)),
            format!("command {STORE}: {}", race(what, "execute", FOLDS))
        );
    }
    // Parameters are loaded again while the store reads them.
    let again = with_tokens(legal.hand.commands[PARAMETERS], NO_TOKENS);
    assert_eq!(
        legal.refusal(|commands| commands.insert(STORE + 1, again)),
        format!("command {}: {}", STORE + 1, race("parameter record 0", "store", 1))
    );
    // The next fold writes the half that the store reads.
    let fold = with_tokens(legal.hand.commands[FIRST_FOLD], NO_TOKENS);
    assert_eq!(
        legal.refusal(|commands| commands.insert(STORE + 1, fold)),
        format!("command {}: {}", STORE + 1, race("accumulator half 0", "store", 1))
    );
    // The output is loaded before its writes are acknowledged.
    let output = legal.hand.rows[0].0;
    let Command::Load(load) = legal.hand.commands[PARAMETERS] else { panic!("it is a load") };
    let at_output = Load { tokens: NO_TOKENS, address: output as u32, buffer_row: 3, ..load };
    assert_eq!(
        legal.refusal(|commands| {
            // Room for a whole record behind the output.
            commands.insert(STORE + 1, Command::Load(Load { rows_per_request: 1, row_bits: 40, ..at_output }));
        }),
        format!("command {}: {}", STORE + 1, race(&format!("memory byte {output}"), "store", 1))
    );
    // The store writes over what a load still reads.
    assert_eq!(
        legal.refusal(|commands| {
            let weights = commands[WEIGHTS];
            let tokens = with_tokens(weights, NO_TOKENS);
            // Behind the parameters, whose token is the last that store gets.
            let Command::Load(late) = tokens else { panic!("it is a load") };
            commands.insert(FIRST_FOLD, Command::Load(Load { buffer_row: 2, ..late }));
            let Command::Store(store) = &mut commands[STORE + 1] else { panic!("it is a store") };
            store.address = late.address;
            store.rows = 1;
        }),
        format!("command {}: {}", STORE + 1, race(&format!("memory byte {}", weights_address(&legal)), "load", 4))
    );
}

fn weights_address(legal: &Legal) -> u32 {
    match legal.hand.commands[WEIGHTS] {
        Command::Load(load) => load.address,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tokens_are_neither_missing_nor_left_nor_too_many() {
    let legal = Legal::new();
    assert_eq!(
        legal.tokens(&[(WEIGHTS, NO_TOKENS)]),
        format!("command {FIRST_FOLD}: pops load_execute, but in program order no token is there")
    );
    assert_eq!(
        legal.tokens(&[(FIRST_FOLD + 1, PUSH_FIRST)]),
        format!("command {}: 1 tokens of execute_load are left at the end of the program", STORE + 1)
    );
    let push = |n: usize| {
        move |commands: &mut Vec<Command>| {
            let fold = with_tokens(commands[FIRST_FOLD + 1], PUSH_FIRST);
            commands.splice(LAST_FOLD..LAST_FOLD, vec![fold; n]);
        }
    };
    assert_eq!(
        legal.refusal(push(15)),
        format!("command {}: 15 tokens of execute_load are left at the end of the program", STORE + 16)
    );
    assert_eq!(
        legal.refusal(push(16)),
        format!(
            "command {}: pushes execute_load, but in program order it already holds its limit of 15",
            LAST_FOLD + 15
        )
    );
}

#[test]
fn a_program_ends_with_its_only_finish() {
    let legal = Legal::new();
    let n = legal.hand.commands.len();
    let refusal = |index: usize, n_commands: usize| {
        format!("a program ends with finish and has no other; command {index} of {n_commands} breaks that")
    };
    assert_eq!(legal.refusal(Vec::clear), refusal(0, 0));
    assert_eq!(legal.refusal(|commands| commands.truncate(n - 1)), refusal(n - 2, n - 1));
    assert_eq!(legal.refusal(|commands| commands.insert(0, Command::Finish)), refusal(0, n + 1));
    assert_eq!(legal.refusal(|commands| commands.push(Command::Finish)), refusal(n - 1, n + 1));
}

#[test]
fn fields_are_within_the_machine() {
    let legal = Legal::new();
    let size = legal.hand.memory.len();
    let cases = [
        (legal.load(|load| load.requests = 0), "command 0: requests = 0 must be in 1..=65535".to_owned()),
        (
            legal.load(|load| load.rows_per_request = 0),
            "command 0: rows_per_request = 0 must be in 1..=65535".to_owned(),
        ),
        (legal.load(|load| load.start_bit = 8), "command 0: start_bit = 8 must be in 0..=7".to_owned()),
        // A row is two 5-bit elements.
        (legal.load(|load| load.row_bits = 4), "command 0: row_bits = 4 must be in 5..=10".to_owned()),
        (legal.load(|load| load.row_bits = 11), "command 0: row_bits = 11 must be in 5..=10".to_owned()),
        (legal.load(|load| load.row_bits = 9), "command 0: row_bits = 9 must be a multiple of 5".to_owned()),
        (legal.load(|load| load.buffer_row = 31), "command 0: buffer 31..33 is outside its 32 rows".to_owned()),
        (
            legal.load(|load| load.address = size as u32),
            format!("command 0: memory {size}..{} is outside its {size} bytes", size + 8),
        ),
        (
            legal.load(|load| load.address = size as u32 - 4),
            format!("command 0: memory {}..{} is outside its {size} bytes", size - 4, size + 4),
        ),
        (legal.execute(|execute| execute.rows = 0), "command 3: rows = 0 must be in 1..=65535".to_owned()),
        (legal.execute(|execute| execute.k = 0), "command 3: k = 0 must be in 1..=2".to_owned()),
        (legal.execute(|execute| execute.k = 3), "command 3: k = 3 must be in 1..=2".to_owned()),
        (
            legal.execute(|execute| execute.activation_row = 31),
            "command 3: activation buffer 32..33 is outside its 32 rows".to_owned(),
        ),
        (
            legal.execute(|execute| execute.weight_row = 5),
            "command 3: weight buffer 5..7 is outside its 6 rows".to_owned(),
        ),
        (
            legal.execute(|execute| execute.accumulator_row = 15),
            "command 3: accumulator 15..17 is outside its 16 rows".to_owned(),
        ),
        (
            legal.execute(|execute| execute.activation_row = 2),
            "command 3: activation buffer row 2 is read but was never written".to_owned(),
        ),
        (
            legal.execute(|execute| execute.weight_row = 1),
            "command 3: weight buffer row 2 is read but was never written".to_owned(),
        ),
        (
            legal.execute(|execute| execute.overwrite = false),
            "command 3: accumulator row 0 is read but was never written".to_owned(),
        ),
        (legal.store(|store| store.rows = 0), format!("command {STORE}: rows = 0 must be in 1..=65535")),
        (legal.store(|store| store.tiles = 0), format!("command {STORE}: tiles = 0 must be in 1..=65535")),
        (legal.store(|store| store.last_groups = 4), format!("command {STORE}: last_groups = 4 must be in 1..=3")),
        (
            legal.store(|store| store.accumulator_row = 15),
            format!("command {STORE}: accumulator 15..17 is outside its 16 rows"),
        ),
        (
            legal.store(|store| store.accumulator_row = 1),
            format!("command {STORE}: accumulator row 2 is read but was never written"),
        ),
        (
            legal.store(|store| store.half = true),
            format!("command {STORE}: accumulator row 0 is read but was never written"),
        ),
        (
            legal.store(|store| store.parameter_row = 46),
            format!("command {STORE}: parameter buffer 46..49 is outside its 48 rows"),
        ),
        (
            legal.store(|store| store.parameter_row = 1),
            format!("command {STORE}: parameter record 3 is read but was never written"),
        ),
        // Three groups of one 5-bit element.
        (legal.store(|store| store.row_bits = 16), format!("command {STORE}: row_bits = 16 must be in 11..=15")),
        (legal.store(|store| store.row_bits = 14), format!("command {STORE}: row_bits = 14 must be a multiple of 5")),
        (
            legal.store(|store| store.low = u16::MAX),
            format!("command {STORE}: clamp bounds 65535..=31 must be ordered and within 0..=31"),
        ),
        (
            legal.store(|store| store.high = 32),
            format!("command {STORE}: clamp bounds 0..=32 must be ordered and within 0..=31"),
        ),
        (
            legal.store(|store| (store.low, store.high) = (4, 3)),
            format!("command {STORE}: clamp bounds 4..=3 must be ordered and within 0..=31"),
        ),
        (
            legal.store(|store| store.address = size as u32),
            format!("command {STORE}: memory {size}..{} is outside its {size} bytes", size + 8),
        ),
    ];
    for (refusal, expected) in cases {
        assert_eq!(refusal, expected);
    }
}

/// Two records are loaded, three columns are stored.
#[test]
fn every_stored_column_has_its_record() {
    let legal = Legal::new();
    let refusal = legal.refusal(|commands| match &mut commands[PARAMETERS] {
        Command::Load(load) => load.rows_per_request = 2,
        other => panic!("{other:?}"),
    });
    assert_eq!(refusal, format!("command {STORE}: parameter record 2 is read but was never written"));
}

/// For each of the six pairs (producer, first or second push; consumer, first or second pop), the places of pushes and pops.
fn matches(commands: &[Command]) -> Vec<(usize, bool, usize, bool)> {
    let engine = |command: &Command| match command {
        Command::Load(_) => Some(0),
        Command::Execute(_) => Some(1),
        Command::Store(_) => Some(2),
        Command::Seed(_) | Command::Finish => None,
    };
    let neighbours = [[1, 2], [0, 2], [0, 1]];
    let mut waiting: [[VecDeque<(usize, bool)>; 3]; 3] = Default::default();
    let mut found = Vec::new();
    for (place, command) in commands.iter().enumerate() {
        let Some(own) = engine(command) else { continue };
        let tokens = command.tokens();
        let [first, second] = neighbours[own];
        for (pops, other, is_second) in [(tokens.pop_first, first, false), (tokens.pop_second, second, true)] {
            if pops {
                let (push, push_second) = waiting[other][own].pop_front().expect("a compiled program is legal");
                found.push((push, push_second, place, is_second));
            }
        }
        for (pushes, other, is_second) in [(tokens.push_first, first, false), (tokens.push_second, second, true)] {
            if pushes {
                waiting[own][other].push_back((place, is_second));
            }
        }
    }
    found
}

fn without(command: Command, is_push: bool, is_second: bool) -> Command {
    let mut tokens = command.tokens();
    let flag = match (is_push, is_second) {
        (false, false) => &mut tokens.pop_first,
        (false, true) => &mut tokens.pop_second,
        (true, false) => &mut tokens.push_first,
        (true, true) => &mut tokens.push_second,
    };
    assert!(*flag);
    *flag = false;
    with_tokens(command, tokens)
}

/// Takes single flags and whole pairs out of compiled programs. A flag alone is always missed; a pair nearly always.
#[test]
fn compiled_programs_have_hardly_a_token_to_spare() {
    let (mut pairs, mut races, mut spare) = (0, 0, 0);
    for seed in 0..60 {
        let mut case = random::case(&mut Random::new(seed));
        case.m = case.m.min(100);
        let problem = case.problem().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let (commands, bytes) = (&problem.compiled.program.commands, problem.compiled.program.memory.len());
        assert_eq!(validate(&problem.config, commands, bytes), Ok(()), "seed {seed}");
        // Every pair of a short program, some of a long one.
        let found = matches(commands);
        for &(push, push_second, pop, pop_second) in found.iter().step_by(1 + found.len() / 60) {
            let mut changed = commands.clone();
            changed[push] = without(changed[push], true, push_second);
            assert!(
                matches!(
                    validate(&problem.config, &changed, bytes),
                    Err(ProgramError::Order { source: OrderError::NoToken { .. } | OrderError::Race { .. }, .. })
                ),
                "seed {seed}: the push of command {push} is not missed"
            );
            changed[pop] = without(changed[pop], false, pop_second);
            pairs += 1;
            match validate(&problem.config, &changed, bytes) {
                Err(ProgramError::Order { source: OrderError::Race { .. }, .. }) => races += 1,
                Ok(()) => spare += 1,
                Err(other) => panic!("seed {seed}: {other}"),
            }
        }
    }
    println!("{pairs} pairs taken out: {races} races, {spare} that were not needed");
    assert!(pairs > 1000);
    assert!(races * 100 >= pairs * 90, "{races} of {pairs} pairs are missed");
}
