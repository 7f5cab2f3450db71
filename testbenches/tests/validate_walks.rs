//! `spec::validate` on walks, windows, maxima, terms and tables: what it refuses, and what it must not refuse.

mod common;

use common::changed;
use common::hand::{with_tokens, FOLDS, NO_TOKENS};
use common::legal::{Legal, ACTIVATIONS, FIRST_FOLD, PARAMETERS, STORE, WEIGHTS};
use spec::{validate, Command, Config, Execute, Load, LoadTarget, Tokens, Walk};

fn all(cases: impl IntoIterator<Item = (String, String)>) {
    for (refusal, expected) in cases {
        assert_eq!(refusal, expected);
    }
}

/// The refusal after a change of the first fold's walk.
fn walk(legal: &Legal, change: impl FnOnce(&mut Walk)) -> String {
    legal.execute(|execute| change(&mut execute.walk))
}

/// Whether the program is accepted after a change of the first fold.
fn accepted(legal: &Legal, change: impl FnOnce(&mut Execute)) -> bool {
    let mut commands = legal.hand.commands.clone();
    let Command::Execute(execute) = &mut commands[FIRST_FOLD] else { panic!("it is a fold") };
    change(execute);
    validate(&legal.config, &commands, legal.hand.memory.len()) == Ok(())
}

#[test]
fn fields_of_a_walk_are_within_their_widths() {
    let legal = Legal::new();
    let field = |text: &str| format!("command 3: {text}");
    all([
        (walk(&legal, |w| w.inner_count = 0), field("inner_count = 0 must be in 1..=65535")),
        // Activations have 5 bits.
        (walk(&legal, |w| w.pad = 32), field("pad = 32 must be in 0..=31")),
        (walk(&legal, |w| w.x_step = 4096), field("x_step = 4096 must be in 0..=4095")),
        (walk(&legal, |w| w.y_step = 4096), field("y_step = 4096 must be in 0..=4095")),
        (walk(&legal, |w| w.x_limit = 524_288), field("x_limit = 524288 must be in 0..=524287")),
        (walk(&legal, |w| w.y_limit = 32_768), field("y_limit = 32768 must be in 0..=32767")),
        (walk(&legal, |w| w.x_start = -524_289), field("x_start = -524289 must be in -524288..=524287")),
        (walk(&legal, |w| w.x_start = 524_288), field("x_start = 524288 must be in -524288..=524287")),
        (legal.execute(|e| e.accumulator_step = 16), field("accumulator_step = 16 must be in 0..=15")),
        (legal.execute(|e| (e.accumulator_row, e.accumulator_step) = (1, 15)), {
            field("accumulator 1..17 is outside its 16 rows")
        }),
    ]);
}

/// Two rows a fold: the second place of a line, or the first of the next.
#[test]
fn x_and_y_do_not_wrap_on_a_walk() {
    let legal = Legal::new();
    let greatest = |step| move |w: &mut Walk| (w.x_start, w.x_step, w.x_limit) = (524_280, step, 524_287);
    assert!(accepted(&legal, |execute| greatest(7)(&mut execute.walk)));
    assert_eq!(walk(&legal, greatest(8)), "command 3: the last x = 524288 must be in -524288..=524287");
    // Every line begins with x_start.
    assert!(accepted(&legal, |execute| {
        greatest(8)(&mut execute.walk);
        execute.walk.inner_count = 1;
    }));
    let line_a_row = |step| {
        move |w: &mut Walk| {
            (w.inner_count, w.outer_stride) = (1, 1);
            (w.y_start, w.y_step, w.y_limit) = (32_760, step, 32_767);
        }
    };
    assert!(accepted(&legal, |execute| line_a_row(7)(&mut execute.walk)));
    assert_eq!(walk(&legal, line_a_row(8)), "command 3: the last y = 32768 must be in -32768..=32767");
}

#[test]
fn rows_that_are_all_padding_need_not_be_there() {
    let legal = Legal::new();
    let never = |row: usize| format!("command 3: activation buffer row {row} is read but was never written");
    // The second row of the fold is row 7, which nobody loads, or is behind the buffer's end.
    for (stride, refusal) in
        [(7, never(7)), (32, "command 3: activation buffer 32..33 is outside its 32 rows".to_owned())]
    {
        let far = |w: &mut Walk| w.inner_stride = stride;
        assert_eq!(walk(&legal, far), refusal);
        // In x: 2 lanes; x is 2 for the first row and 4 for the second.
        let padded = |x_step| move |w: &mut Walk| (w.inner_stride, w.x_step) = (stride, x_step);
        assert!(accepted(&legal, |execute| padded(2)(&mut execute.walk)));
        assert_eq!(walk(&legal, padded(1)), refusal);
        // In y: the second row is a line of its own, at or before the end.
        let line = |y_limit| {
            move |w: &mut Walk| {
                (w.inner_count, w.outer_stride, w.y_step, w.y_limit) = (1, stride, 3, y_limit);
            }
        };
        assert!(accepted(&legal, |execute| line(3)(&mut execute.walk)));
        assert_eq!(walk(&legal, line(4)), refusal);
    }
    // Before the first row: addresses are modulo 2^16.
    assert_eq!(
        walk(&legal, |w| w.inner_stride = u16::MAX),
        "command 3: activation buffer 65535..65536 is outside its 32 rows"
    );
    assert!(accepted(&legal, |execute| {
        execute.activation_row = u16::MAX;
        (execute.walk.x_start, execute.walk.x_step) = (0, 2);
    }));
}

/// The second fold adds to rows 0 and 1, the store reads them.
#[test]
fn accumulator_rows_between_the_steps_are_not_written() {
    let legal = Legal::new();
    let never =
        |index: usize, row: usize| format!("command {index}: accumulator row {row} is read but was never written");
    for step in [0, 2, 15] {
        assert_eq!(legal.execute(|execute| execute.accumulator_step = step), never(FIRST_FOLD + 1, 1), "{step}");
    }
    assert_eq!(
        legal.execute(|execute| (execute.maximum, execute.overwrite) = (true, false)),
        never(FIRST_FOLD, 0),
        "a maximum reads, too"
    );
    assert!(accepted(&legal, |execute| execute.maximum = true));
}

#[test]
fn windows_have_pieces_of_at_most_a_lane_group_and_a_beat() {
    let legal = Legal::new();
    let pieces = |lane_group: u8, elements: u16| {
        legal.load(|load| (load.lane_group, load.row_bits) = (lane_group, 5 * elements))
    };
    all([
        (pieces(8, 1), "command 0: lane_group = 8 must be in 0..=7".to_owned()),
        (pieces(1, 2), "command 0: row_bits of a lane group = 10 must be in 5..=5".to_owned()),
        // Two mesh rows.
        (pieces(3, 2), "command 0: lanes of a lane group = 4 must be in 1..=2".to_owned()),
        (
            legal.load_at(WEIGHTS, |load| load.lane_group = 1),
            format!("command {WEIGHTS}: lane_group = 1 must be in 0..=0"),
        ),
        (
            legal.load_at(PARAMETERS, |load| load.lane_group = 1),
            format!("command {PARAMETERS}: lane_group = 1 must be in 0..=0"),
        ),
    ]);
    // Eight lanes of 5 bits are more than a beat of 32.
    let wide = Legal::on(changed("tiny", |raw| raw.geometry.rows = 8));
    let row_bits = |bits| move |load: &mut Load| (load.lane_group, load.row_bits) = (4, bits);
    assert_eq!(wide.load(row_bits(40)), "command 0: row_bits of a lane group = 40 must be in 5..=32");
    let mut commands = wide.hand.commands.clone();
    let Command::Load(load) = &mut commands[ACTIVATIONS] else { panic!("it is a load") };
    row_bits(30)(load);
    assert_eq!(validate(&wide.config, &commands, wide.hand.memory.len()), Ok(()));
}

/// Two accumulator rows and three records are there, a record a group.
#[test]
fn every_term_has_its_accumulator_row_and_its_records() {
    let legal = Legal::new();
    let terms = |rows: u16, terms: u8| legal.store(|store| (store.rows, store.terms) = (rows, terms));
    let refusal = |text: &str| format!("command {STORE}: {text}");
    all([
        (terms(1, 0), refusal("terms = 0 must be in 1..=15")),
        (terms(1, 16), refusal("terms = 16 must be in 1..=15")),
        (terms(2, 15), refusal("accumulator 0..30 is outside its 16 rows")),
        (terms(2, 2), refusal("accumulator row 2 is read but was never written")),
        (terms(1, 2), refusal("parameter record 3 is read but was never written")),
        // 15 terms of 3 groups are 45 of the 48 rows.
        (
            legal.store(|store| (store.rows, store.terms, store.parameter_row) = (1, 15, 4)),
            refusal("parameter buffer 4..49 is outside its 48 rows"),
        ),
    ]);
}

/// With three lanes two columns of two terms are in banks 0 and 1 of rows 0 and 1: four records, but six are needed.
#[test]
fn terms_need_whole_parameter_rows() {
    let legal = Legal::on(changed("tiny", |raw| raw.geometry.requantizer_lanes = 3));
    let two_columns = |commands: &mut Vec<Command>, terms, records| {
        let Command::Load(load) = &mut commands[PARAMETERS] else { panic!("it is a load") };
        load.rows_per_request = records;
        let Command::Store(store) = &mut commands[STORE] else { panic!("it is a store") };
        (store.rows, store.terms, store.row_bits) = (1, terms, 10);
    };
    assert_eq!(
        legal.refusal(|commands| two_columns(commands, 2, 4)),
        format!("command {STORE}: parameter record 4 is read but was never written")
    );
    let mut commands = legal.hand.commands.clone();
    two_columns(&mut commands, 1, 2);
    assert_eq!(validate(&legal.config, &commands, legal.hand.memory.len()), Ok(()), "one term needs two records");
}

fn with_table() -> Config {
    changed("tiny", |raw| raw.numerics.activation_table = true)
}

/// A load of a table's 32 entries of 5 bits from the start of the memory.
fn table_load(n: u16) -> Load {
    Load {
        target: LoadTarget::Table,
        tokens: NO_TOKENS,
        address: 0,
        stride: 0,
        start_bit: 0,
        requests: 1,
        rows_per_request: n,
        row_bits: 5,
        buffer_row: 0,
        lane_group: 0,
    }
}

#[test]
fn a_machine_without_a_table_has_none() {
    let legal = Legal::new();
    let none = |what: &str| format!("{what} needs a machine with numerics.activation_table = true");
    assert_eq!(
        legal.refusal(|commands| commands.insert(0, Command::Load(table_load(32)))),
        format!("command 0: {}", none("a load of the table"))
    );
    assert_eq!(legal.store(|store| store.table = true), format!("command {STORE}: {}", none("a store with table")));
}

#[test]
fn a_table_is_whole_and_ordered_by_tokens() {
    let legal = Legal::on(with_table());
    let table = |change: &dyn Fn(&mut Load)| {
        let mut load = table_load(32);
        change(&mut load);
        legal.refusal(|commands| {
            commands.insert(PARAMETERS, Command::Load(load));
            let Command::Store(store) = &mut commands[STORE + 1] else { panic!("it is a store") };
            store.table = true;
        })
    };
    let at_store = |text: &str| format!("command {}: {text}", STORE + 1);
    all([
        (table(&|load| load.row_bits = 10), "command 2: row_bits = 10 must be in 5..=5".to_owned()),
        (table(&|load| load.buffer_row = 1), "command 2: buffer 1..33 is outside its 32 rows".to_owned()),
        (table(&|load| load.lane_group = 1), "command 2: lane_group = 1 must be in 0..=0".to_owned()),
        (table(&|load| load.rows_per_request = 31), at_store("table entry 31 is read but was never written")),
        (
            table(&|load| (load.rows_per_request, load.buffer_row) = (31, 1)),
            at_store("table entry 0 is read but was never written"),
        ),
    ]);
    let race = |engine: &str, sequence: usize| {
        format!("table entry 0 is used without a token that orders it after {engine} command {sequence}")
    };
    let last = Tokens { push_second: true, ..NO_TOKENS };
    let ordered = |commands: &mut Vec<Command>, place: usize| {
        commands.insert(place, Command::Load(table_load(32)));
        let Command::Store(store) = &mut commands[STORE + 1] else { panic!("it is a store") };
        store.table = true;
    };
    // It comes after the load whose token the store gets.
    assert_eq!(legal.refusal(|commands| ordered(commands, PARAMETERS + 1)), at_store(&race("load", 4)));
    // It is loaded again while the store looks up.
    let again = legal.refusal(|commands| {
        ordered(commands, PARAMETERS);
        commands.insert(STORE + 2, Command::Load(table_load(1)));
    });
    assert_eq!(again, format!("command {}: {}", STORE + 2, race("store", 1)));
    // The table's own token serves as well as the parameters'.
    let mut commands = legal.hand.commands.clone();
    ordered(&mut commands, PARAMETERS + 1);
    commands[PARAMETERS] = with_tokens(commands[PARAMETERS], NO_TOKENS);
    commands[PARAMETERS + 1] = with_tokens(commands[PARAMETERS + 1], last);
    assert_eq!(validate(&legal.config, &commands, legal.hand.memory.len()), Ok(()));
    assert_eq!(commands.len(), FOLDS + 6);
}
