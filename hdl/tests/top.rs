//! The whole machine: a program from memory to memory in RustHDL's simulator, and the emitted text.

mod common;

use common::machine::Machine;
use hdl::emit_top;
use spec::command::{Load, LoadTarget, Store};
use spec::config::RawRounding;
use spec::counter::STATUS_CODES;
use spec::{Command, Config, Counter, Execute, MachineScheme, RawConfig, Round, Tokens, Walk};
use std::collections::BTreeSet;

fn named(name: &str) -> Config {
    Config::named(name).expect("a named configuration")
}

/// A configuration changed in a few places.
fn changed(name: &str, change: impl FnOnce(&mut RawConfig)) -> Config {
    let mut raw = RawConfig::from(&named(name));
    change(&mut raw);
    Config::try_from(raw).expect("a legal configuration")
}

fn shaped(rows: usize, cols: usize, lanes: usize) -> Config {
    changed("tiny", |raw| {
        raw.geometry.rows = rows;
        raw.geometry.cols = cols;
        raw.geometry.requantizer_lanes = lanes;
    })
}

fn is_clean(config: &Config) {
    let emitted = emit_top(config).expect("the machine is emitted");
    common::lint(&emitted.verilog, "top");
}

#[test]
fn the_named_machines_are_clean() {
    for name in Config::NAMED {
        is_clean(&named(name));
    }
}

#[test]
fn odd_machines_are_clean() {
    is_clean(&shaped(1, 1, 1));
    is_clean(&shaped(1, 5, 5));
    is_clean(&shaped(7, 1, 1));
    is_clean(&changed("tiny", |raw| {
        raw.geometry.bus_bits = 128;
        raw.geometry.multiplier_stages = 2;
        raw.geometry.accumulator_rows = 9;
        raw.geometry.activation_buffer_rows = 2;
    }));
    is_clean(&changed("tiny", |raw| {
        raw.geometry.bus_bits = 256;
        raw.numerics.activation_bits = 1;
        raw.numerics.weight_bits = 1;
        raw.numerics.weight_signed = false;
        raw.numerics.output_bits = 1;
        raw.numerics.shift_bits = 1;
    }));
}

#[test]
fn every_scheme_is_clean() {
    let random = RawRounding::Stochastic { stochastic: 8 };
    for (scheme, multiplier_bits, rule) in [
        (MachineScheme::FixedSingle, 12, Round::HalfAwayFromZero),
        (MachineScheme::FixedDouble, 12, Round::HalfAwayFromZero),
        (MachineScheme::FixedDoubleUp, 12, Round::HalfTowardPositive),
        (MachineScheme::Pow2, 0, Round::HalfToEven),
    ] {
        // The scheme fixed-double-up has no other rounding.
        let is_up = scheme == MachineScheme::FixedDoubleUp;
        for rounding in [RawRounding::Named(rule), random].into_iter().take(if is_up { 1 } else { 2 }) {
            is_clean(&changed("tiny", |raw| {
                raw.numerics.scheme = scheme;
                raw.numerics.multiplier_bits = multiplier_bits;
                raw.numerics.rounding = rounding;
            }));
        }
    }
}

#[test]
fn machines_with_a_table_are_clean() {
    for (output_bits, rounding) in [
        (1, RawRounding::Named(Round::Floor)),
        (10, RawRounding::Named(Round::HalfToEven)),
        (5, RawRounding::Stochastic { stochastic: 8 }),
    ] {
        is_clean(&changed("tiny", |raw| {
            raw.numerics.activation_table = true;
            raw.numerics.output_bits = output_bits;
            raw.numerics.rounding = rounding;
        }));
    }
}

/// Nothing of the table is in a machine without one.
#[test]
fn a_machine_without_a_table_has_nothing_of_it() {
    let text = |has| emit_top(&changed("tiny", |raw| raw.numerics.activation_table = has)).expect("emitted").verilog;
    let after_header = |text: String| text.split_once("module ").map(|(_, modules)| modules.to_string());
    for word in ["lookup", "table_write", "LOAD_TABLE"] {
        assert!(after_header(text(true)).is_some_and(|modules| modules.contains(word)), "{word}");
        assert!(after_header(text(false)).is_some_and(|modules| !modules.contains(word)), "{word}");
    }
}

/// Nothing of the seed, the indices and the random bits is in a machine that does not need them.
#[test]
fn a_machine_of_a_rule_has_nothing_for_random_bits() {
    let text = |rounding| emit_top(&changed("tiny", |raw| raw.numerics.rounding = rounding)).expect("emitted").verilog;
    let words = ["store_seed", "store_index", "random", "permutation", "key"];
    let stochastic = text(RawRounding::Stochastic { stochastic: 8 });
    let rule = text(RawRounding::Named(Round::ToOdd));
    for word in words {
        assert!(stochastic.contains(word), "{word}");
        assert!(!rule.contains(word), "{word}");
    }
}

#[test]
fn memories_stay_memories() {
    memories_are_found(&named("tiny"));
    memories_are_found(&changed("tiny", |raw| raw.numerics.activation_table = true));
}

fn memories_are_found(config: &Config) {
    let emitted = emit_top(config).expect("the machine is emitted");
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("dut.v"), emitted.verilog).expect("dut.v is written");
    // Two buffers, a bank a lane, two halves a column, six queues, and a table a lane.
    let g = config.geometry();
    let n_tables = if config.numerics().activation_table() { g.requantizer_lanes() } else { 0 };
    let n_memories = 2 + g.requantizer_lanes() + 2 * g.cols() + 6 + n_tables;
    let script = "read_verilog dut.v; hierarchy -check -top top; proc; flatten; opt; memory_dff; memory_collect; \
                  tee -o memories.txt dump t:$mem_v2";
    common::run(dir.path(), "yosys", &["-q", "-p", script]);
    let dump = std::fs::read_to_string(dir.path().join("memories.txt")).expect("the dump is read");
    let n_synchronous = dump.matches("parameter \\RD_CLK_ENABLE 1'1").count();
    assert_eq!(n_synchronous, n_memories);
}

#[test]
fn text_grows_with_wiring_only() {
    let large = changed("default", |raw| {
        raw.geometry.rows = 64;
        raw.geometry.cols = 64;
        raw.geometry.requantizer_lanes = 64;
    });
    let medium = emit_top(&named("default")).expect("the machine is emitted");
    let large = emit_top(&large).expect("the machine is emitted");
    assert!(medium.verilog.len() < 200_000, "16x16: {} bytes", medium.verilog.len());
    assert!(large.verilog.len() < 1_000_000, "64x64: {} bytes", large.verilog.len());
    assert_eq!(medium.n_modules, large.n_modules);
    assert_eq!(kinds(&medium.verilog), kinds(&large.verilog));
}

/// The names of the modules without the widths in them.
fn kinds(verilog: &str) -> BTreeSet<String> {
    let names = verilog.lines().filter_map(|line| line.strip_prefix("module ")?.split(' ').next());
    let without_widths = |name: &str| {
        let words = name.split('_').filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
        words.collect::<Vec<_>>().join("_")
    };
    names.map(without_widths).collect()
}

#[test]
fn the_header_tells_how_to_emit_the_machine_again() {
    let config = named("small");
    let emitted = emit_top(&config).expect("the machine is emitted");
    let comments: Vec<&str> = emitted.verilog.lines().take_while(|line| line.starts_with("//")).collect();
    assert!(comments[0].contains(env!("CARGO_PKG_VERSION")));
    assert!(comments[1].contains("systole emit --config FILE --out DIR"));
    let toml: Vec<&str> = comments[2..].iter().map(|line| line.trim_start_matches("//").trim_start()).collect();
    assert_eq!(Config::from_toml(&toml.join("\n")), Ok(config));
}

#[test]
fn the_ports_are_those_of_the_contract() {
    let emitted = emit_top(&named("default")).expect("the machine is emitted");
    let ports: Vec<(&str, usize)> = emitted.ports.iter().map(|port| (port.name.as_str(), port.width)).collect();
    let expected = [
        ("clock", 1),
        ("reset", 1),
        ("command_valid_in", 1),
        ("command_ready_out", 1),
        ("command_data_in", 256),
        ("read_request_valid_out", 1),
        ("read_request_ready_in", 1),
        ("read_request_address_out", 32),
        ("read_request_beats_out", 16),
        ("read_data_valid_in", 1),
        ("read_data_ready_out", 1),
        ("read_data_in", 64),
        ("write_request_valid_out", 1),
        ("write_request_ready_in", 1),
        ("write_request_address_out", 32),
        ("write_request_beats_out", 16),
        ("write_data_valid_out", 1),
        ("write_data_ready_in", 1),
        ("write_data_out", 64),
        ("write_data_strobe_out", 8),
        ("write_response_valid_in", 1),
        ("write_response_ready_out", 1),
        ("status_address_in", 6),
        ("status_data_out", 64),
        ("done_valid_out", 1),
        ("done_ready_in", 1),
    ];
    assert_eq!(ports, expected);
}

/// Appends `bits` low bits of `value` at the bit position `at`.
fn put(bytes: &mut [u8], at: usize, bits: u32, value: i64) {
    for i in 0..bits as usize {
        if value >> i & 1 == 1 {
            bytes[(at + i) / 8] |= 1 << ((at + i) % 8);
        }
    }
}

fn get(bytes: &[u8], at: usize, bits: u32) -> i64 {
    (0..bits as usize).map(|i| i64::from(bytes[(at + i) / 8] >> ((at + i) % 8) & 1) << i).sum()
}

const NONE: Tokens = Tokens { pop_first: false, pop_second: false, push_first: false, push_second: false };

/// Rows of the product.
const M: usize = 5;
/// Where its parts are in memory.
const PARAMETERS: usize = 0;
const WEIGHTS: usize = 1024;
const ACTIVATIONS: usize = 2048;
const OUTPUTS: usize = 4096;

fn activation(i: usize, k: usize) -> i64 {
    ((3 * i + 5 * k + i * k) % 11) as i64
}

fn weight(k: usize, c: usize) -> i64 {
    ((7 * k + 3 * c) % 9) as i64 - 4
}

fn bias(c: usize) -> i64 {
    3 * c as i64 - 2
}

/// A product of M x 2R and 2R x C in two folds, with a bias and no scaling, in memory.
fn memory(config: &Config) -> Vec<u8> {
    let (g, n) = (config.geometry(), config.numerics());
    let (rows, cols) = (g.rows(), g.cols());
    let (a, w) = (n.activation().bits(), n.weight().bits());
    let mut bytes = vec![0; 8192];
    for c in 0..cols {
        let at = 8 * PARAMETERS + c * n.parameter_bits() as usize;
        put(&mut bytes, at, n.bias_bits(), bias(c));
        put(&mut bytes, at + n.bias_bits() as usize, n.multiplier_bits(), 1);
    }
    for fold in 0..2 {
        for j in 0..rows {
            for c in 0..cols {
                let at = 8 * WEIGHTS + ((fold * rows + j) * cols + c) * w as usize;
                put(&mut bytes, at, w, weight(fold * rows + rows - 1 - j, c));
            }
        }
    }
    let stride = (2 * rows * a as usize).div_ceil(8);
    for i in 0..M {
        for k in 0..2 * rows {
            put(&mut bytes, 8 * (ACTIVATIONS + i * stride) + k * a as usize, a, activation(i, k));
        }
    }
    bytes
}

/// From one row of the output to the next: there is an untouched byte in between.
fn output_stride(config: &Config) -> usize {
    output_row_bits(config).div_ceil(8) + 1
}

fn output_row_bits(config: &Config) -> usize {
    config.geometry().cols() * config.numerics().output().bits() as usize
}

/// The commands that compute the product; the engines of one round wait for those of the round before if there is one.
fn round(config: &Config, is_first: bool) -> [Command; 7] {
    let (g, n) = (config.geometry(), config.numerics());
    let (rows, cols) = (g.rows(), g.cols());
    let (a, w) = (n.activation().bits(), n.weight().bits());
    let stride = (2 * rows * a as usize).div_ceil(8);
    let load =
        |target, address: usize, requests: usize, stride: usize, rows_per_request: usize, row_bits: usize| Load {
            target,
            tokens: NONE,
            address: address as u32,
            stride: stride as u32,
            start_bit: 0,
            requests: requests as u16,
            rows_per_request: rows_per_request as u16,
            row_bits: row_bits as u16,
            buffer_row: 0,
            lane_group: 0,
        };
    let execute = |fold: usize| Execute {
        tokens: NONE,
        half: true,
        overwrite: fold == 0,
        push_late: false,
        maximum: false,
        accumulator_step: 1,
        rows: M as u16,
        activation_row: (fold * M) as u16,
        weight_row: (fold * rows) as u16,
        accumulator_row: 2,
        k: rows as u16,
        walk: Walk::linear(rows),
    };
    let both = |pops: bool, pushes: bool| Tokens {
        pop_first: pops,
        pop_second: pops,
        push_first: pushes,
        push_second: pushes,
    };
    let second_start = rows * a as usize;
    let second = Load {
        tokens: both(false, true),
        start_bit: (second_start % 8) as u8,
        buffer_row: M as u16,
        ..load(LoadTarget::Activations, ACTIVATIONS + second_start / 8, M, stride, 1, rows * a as usize)
    };
    let record = n.parameter_bits() as usize;
    let first = load(LoadTarget::Parameters, PARAMETERS, 1, 0, cols, record);
    let wait_load = Tokens { pop_first: true, pop_second: !is_first, ..NONE };
    [
        Command::Load(Load { tokens: both(!is_first, false), ..first }),
        Command::Load(load(LoadTarget::Weights, WEIGHTS, 1, 0, 2 * rows, cols * w as usize)),
        Command::Load(load(LoadTarget::Activations, ACTIVATIONS, M, stride, 1, rows * a as usize)),
        Command::Load(second),
        Command::Execute(Execute { tokens: wait_load, ..execute(0) }),
        Command::Execute(Execute { tokens: both(false, true), push_late: true, ..execute(1) }),
        Command::Store(Store {
            tokens: both(true, true),
            half: true,
            rows: M as u16,
            address: OUTPUTS as u32,
            stride: output_stride(config) as u32,
            accumulator_row: 2,
            tile_stride: 0,
            tiles: 1,
            last_groups: g.column_groups() as u8,
            parameter_row: 0,
            terms: 1,
            table: false,
            row_bits: output_row_bits(config) as u32,
            low: n.output().encode(n.output().min()) as u16,
            high: n.output().encode(n.output().max()) as u16,
            index: 0,
        }),
    ]
}

fn outputs_are_right(config: &Config, bytes: &[u8]) {
    let (g, n, stride) = (config.geometry(), config.numerics(), output_stride(config));
    let o = n.output().bits();
    for i in 0..M {
        for c in 0..g.cols() {
            let sum: i64 = (0..2 * g.rows()).map(|k| activation(i, k) * weight(k, c)).sum();
            let expected = n.output().saturate(sum + bias(c));
            let actual = get(bytes, 8 * (OUTPUTS + i * stride) + c * o as usize, o);
            assert_eq!(n.output().decode(actual as u64), expected, "{}: row {i}, column {c}", config.name());
        }
        assert_eq!(bytes[OUTPUTS + i * stride + stride - 1], 0xff, "between rows");
    }
}

/// After resets in the middle of it, and twice, to start over.
fn product_is_right(config: &Config) {
    let (g, n) = (config.geometry(), config.numerics());
    let (m, rows, cols) = (M, g.rows(), g.cols());
    let program = [round(config, true).as_slice(), &[Command::Finish]].concat();
    let mut machine = Machine::new(config, memory(config));
    for n_cycles in [20, 70, 100] {
        machine.run_and_reset(&program, n_cycles);
    }
    for round in 0..2 {
        machine.memory.bytes[OUTPUTS..].fill(0xff);
        let cycles = machine.run(&program);
        outputs_are_right(config, &machine.memory.bytes);
        // Commands and cycles count from the one after the command that starts over.
        let restarted = u64::from(round > 0);
        let counter = |machine: &mut Machine, counter: Counter| machine.status(counter as u8);
        let counted = counter(&mut machine, Counter::Cycles);
        assert_eq!(counted, cycles - restarted);
        assert_eq!(counter(&mut machine, Counter::Commands), program.len() as u64 - restarted);
        for group in Counter::GROUPS {
            let sum: u64 = group.iter().map(|&member| counter(&mut machine, member)).sum();
            assert_eq!(sum, counted, "the group of {}", group[0].name());
        }
        let stream = m.max(rows) + m;
        assert_eq!(counter(&mut machine, Counter::ExecuteStream), 2 * m as u64);
        let span = rows + stream + rows + cols - 1 + g.multiplier_stages();
        assert_eq!(counter(&mut machine, Counter::ExecuteSpan), span as u64);
        assert_eq!(
            counter(&mut machine, Counter::ActivationBits),
            (2 * m * rows * n.activation().bits() as usize) as u64
        );
        assert_eq!(counter(&mut machine, Counter::WeightBits), (2 * rows * cols * n.weight().bits() as usize) as u64);
        assert_eq!(counter(&mut machine, Counter::ParameterBits), (cols * n.parameter_bits() as usize) as u64);
        assert_eq!(counter(&mut machine, Counter::OutputBits), (m * output_row_bits(config)) as u64);
        // They stay until the next program, and idle engines wait for commands.
        machine.cycle(None);
        assert_eq!(counter(&mut machine, Counter::Cycles), counted);
        let codes: Vec<u64> = (0..5).map(|code| machine.status(STATUS_CODES + code)).collect();
        let idle = [
            Counter::ExecuteWaitCommand,
            Counter::LoadWaitCommand,
            Counter::UnpackIdle,
            Counter::StoreWaitCommand,
            Counter::PackIdle,
        ];
        assert_eq!(codes, idle.map(|counter| counter as u64));
    }
}

#[test]
fn a_product_goes_from_memory_to_memory() {
    product_is_right(&named("tiny"));
    product_is_right(&named("small"));
    product_is_right(&shaped(1, 1, 1));
    product_is_right(&shaped(1, 5, 5));
    product_is_right(&shaped(7, 1, 1));
    product_is_right(&changed("tiny", |raw| {
        raw.geometry.bus_bits = 128;
        raw.geometry.multiplier_stages = 2;
        raw.geometry.cols = 6;
        raw.geometry.requantizer_lanes = 2;
    }));
}

/// More rounds than a counter holds tokens, each of which takes and gives all six.
#[test]
fn twenty_rounds_wait_for_each_other() {
    let config = named("tiny");
    let mut program: Vec<Command> = (0..20).flat_map(|n| round(&config, n == 0)).collect();
    program.push(Command::Finish);
    let mut machine = Machine::new(&config, memory(&config));
    machine.memory.bytes[OUTPUTS..].fill(0xff);
    let cycles = machine.run(&program);
    outputs_are_right(&config, &machine.memory.bytes);
    // Each round's load waits for the round before, so no two overlap. Three cycles of a program are not its round's:
    // two until its first command is in the queue, and the one of `done`.
    let mut alone = Machine::new(&config, memory(&config));
    let one = alone.run(&[round(&config, true).as_slice(), &[Command::Finish]].concat());
    assert_eq!(cycles, 20 * (one - 3) + 3);
}
