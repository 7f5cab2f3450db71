//! The whole machine: a program from memory to memory in RustHDL's simulator, and the emitted text.

mod common;

use hdl::bits::Bits;
use hdl::simulate::{Ports, Stepper};
use hdl::{emit_top, Top};
use spec::command::{Load, LoadTarget, Store};
use spec::counter::STATUS_CODES;
use spec::{Command, Config, Counter, Execute, RawConfig, Tokens};
use std::collections::{BTreeSet, VecDeque};

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
fn memories_stay_memories() {
    let config = named("tiny");
    let emitted = emit_top(&config).expect("the machine is emitted");
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("dut.v"), emitted.verilog).expect("dut.v is written");
    // Two buffers, a bank a lane, two halves a column, and six queues.
    let g = config.geometry();
    let n_memories = 2 + g.requantizer_lanes() + 2 * g.cols() + 6;
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
    assert!(medium.verilog.len() < 250_000, "16x16: {} bytes", medium.verilog.len());
    assert!(large.verilog.len() < 1_000_000, "64x64: {} bytes", large.verilog.len());
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

/// External memory behind the ports: requests are answered in order, a beat a cycle.
struct Memory {
    bytes: Vec<u8>,
    bus_bytes: usize,
    /// Beats to be read, by byte address.
    reads: VecDeque<usize>,
    /// Beats to be written, by byte address; true ends a request.
    writes: VecDeque<(usize, bool)>,
    responses: usize,
}

struct Machine {
    top: Stepper<Top>,
    memory: Memory,
}

impl Machine {
    fn new(config: &Config, bytes: Vec<u8>) -> Machine {
        let memory = Memory {
            bytes,
            bus_bytes: config.geometry().bus_bytes(),
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            responses: 0,
        };
        Machine { top: Stepper::new(Top::new(config)).expect("the machine is accepted"), memory }
    }

    /// Drives the memory's side for a cycle; true if the command was taken, true if `done` was.
    fn cycle(&mut self, command: Option<&Command>) -> (bool, bool) {
        let memory = &mut self.memory;
        let bus_bits = 8 * memory.bus_bytes;
        let top = self.top.block_mut();
        top.command_valid_in.next = command.is_some().into();
        let words = command.map_or([0; 8], Command::encode);
        let words = words.chunks(2).map(|pair| u64::from(pair[1]) << 32 | u64::from(pair[0])).collect();
        top.command_data_in.next = Bits::from_words(words, spec::command::COMMAND_BITS);
        top.read_request_ready_in.next = memory.reads.is_empty().into();
        top.read_data_valid_in.next = (!memory.reads.is_empty()).into();
        let mut beat = Bits::zero(bus_bits);
        if let Some(&address) = memory.reads.front() {
            for i in 0..memory.bus_bytes {
                beat.set_slice(8 * i, &Bits::new(memory.bytes[address + i].into(), 8));
            }
        }
        top.read_data_in.next = beat;
        top.write_request_ready_in.next = memory.writes.is_empty().into();
        top.write_data_ready_in.next = (!memory.writes.is_empty()).into();
        top.write_response_valid_in.next = (memory.responses > 0).into();
        top.done_ready_in.next = true.into();
        self.top.settle().expect("the machine settles");

        let top = self.top.block();
        let high = |name: &str| {
            let port = top.outputs().into_iter().find(|(port, _)| *port == name);
            port.expect("an output").1.val().any()
        };
        let took = high("command_ready_out") && command.is_some();
        let done = high("done_valid_out");
        memory.responses = 0;
        if high("read_data_ready_out") {
            memory.reads.pop_front();
        }
        if high("read_request_valid_out") && memory.reads.is_empty() {
            // Ready was high only if nothing was left before this cycle.
            if !top.read_data_valid_in.val().any() {
                let address = top.read_request_address_out.val().index();
                let beats = top.read_request_beats_out.val().index();
                memory.reads.extend((0..beats).map(|i| address + i * memory.bus_bytes));
            }
        }
        let could_write = !memory.writes.is_empty();
        if could_write && high("write_data_valid_out") {
            let (address, is_last) = memory.writes.pop_front().expect("a beat");
            let (data, strobe) = (top.write_data_out.val(), top.write_data_strobe_out.val());
            for i in (0..memory.bus_bytes).filter(|&i| strobe.slice(i, 1).any()) {
                memory.bytes[address + i] = data.slice(8 * i, 8).low_u128() as u8;
                // 8 bits
            }
            memory.responses = usize::from(is_last);
        }
        if !could_write && high("write_request_valid_out") {
            let address = top.write_request_address_out.val().index();
            let beats = top.write_request_beats_out.val().index();
            memory.writes.extend((0..beats).map(|i| (address + i * memory.bus_bytes, i + 1 == beats)));
        }
        self.top.edge().expect("the machine settles");
        (took, done)
    }

    /// Runs a program to its `done` and returns the number of cycles.
    fn run(&mut self, program: &[Command]) -> u64 {
        let mut next = 0;
        for cycle in 1..100_000 {
            let (took, done) = self.cycle(program.get(next));
            next += usize::from(took);
            if done {
                assert_eq!(next, program.len(), "done before the last command");
                return cycle;
            }
        }
        panic!("no done; {next} of {} commands were taken", program.len());
    }

    /// Runs a program for some cycles, then resets the machine and the memory's channels.
    fn run_and_reset(&mut self, program: &[Command], n_cycles: usize) {
        let mut next = 0;
        for _ in 0..n_cycles {
            next += usize::from(self.cycle(program.get(next)).0);
        }
        self.top.block_mut().reset.next = true.into();
        self.cycle(None);
        self.top.block_mut().reset.next = false.into();
        self.memory.reads.clear();
        self.memory.writes.clear();
        self.memory.responses = 0;
    }

    fn status(&mut self, address: u8) -> u64 {
        self.top.block_mut().status_address_in.next = usize::from(address).into();
        self.top.settle().expect("the machine settles");
        u64::try_from(self.top.block().status_data_out.val().low_u128()).expect("64 bits")
    }
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

/// A product of m x 2R and 2R x C in two folds, with a bias and no scaling, from memory to memory: after resets in
/// the middle of it, and twice, to start over.
fn product_is_right(config: &Config) {
    let (g, n) = (config.geometry(), config.numerics());
    let (m, rows, cols) = (5, g.rows(), g.cols());
    let (a, w, o) = (n.activation().bits(), n.weight().bits(), n.output().bits());
    let activation = |i: usize, k: usize| ((3 * i + 5 * k + i * k) % 11) as i64;
    let weight = |k: usize, c: usize| ((7 * k + 3 * c) % 9) as i64 - 4;
    let bias = |c: usize| 3 * c as i64 - 2;
    let (parameters, weights, activations, outputs) = (0, 1024, 2048, 4096);
    let mut bytes = vec![0; 8192];
    for c in 0..cols {
        let at = 8 * parameters + c * n.parameter_bits() as usize;
        put(&mut bytes, at, n.bias_bits(), bias(c));
        put(&mut bytes, at + n.bias_bits() as usize, n.multiplier_bits(), 1);
    }
    for fold in 0..2 {
        for j in 0..rows {
            for c in 0..cols {
                let at = 8 * weights + ((fold * rows + j) * cols + c) * w as usize;
                put(&mut bytes, at, w, weight(fold * rows + rows - 1 - j, c));
            }
        }
    }
    let stride = (2 * rows * a as usize).div_ceil(8);
    for i in 0..m {
        for k in 0..2 * rows {
            put(&mut bytes, 8 * (activations + i * stride) + k * a as usize, a, activation(i, k));
        }
    }
    let row_bits = cols * o as usize;
    let out_stride = row_bits.div_ceil(8) + 1;

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
        };
    let execute = |fold: usize| Execute {
        tokens: NONE,
        half: true,
        overwrite: fold == 0,
        push_late: false,
        rows: m as u16,
        activation_row: (fold * m) as u16,
        weight_row: (fold * rows) as u16,
        accumulator_row: 2,
        k: rows as u16,
    };
    let to_store = Tokens { push_second: true, ..NONE };
    let to_execute = Tokens { push_first: true, ..NONE };
    let second_start = rows * a as usize;
    let second = Load {
        tokens: to_execute,
        start_bit: (second_start % 8) as u8,
        buffer_row: m as u16,
        ..load(LoadTarget::Activations, activations + second_start / 8, m, stride, 1, rows * a as usize)
    };
    let record = n.parameter_bits() as usize;
    let program = [
        Command::Load(Load { tokens: to_store, ..load(LoadTarget::Parameters, parameters, 1, 0, cols, record) }),
        Command::Load(load(LoadTarget::Weights, weights, 1, 0, 2 * rows, cols * w as usize)),
        Command::Load(load(LoadTarget::Activations, activations, m, stride, 1, rows * a as usize)),
        Command::Load(second),
        Command::Execute(Execute { tokens: Tokens { pop_first: true, ..NONE }, ..execute(0) }),
        Command::Execute(Execute { tokens: to_store, ..execute(1) }),
        Command::Store(Store {
            tokens: Tokens { pop_first: true, pop_second: true, ..NONE },
            half: true,
            rows: m as u16,
            address: outputs as u32,
            stride: out_stride as u32,
            accumulator_row: 2,
            tile_stride: 0,
            tiles: 1,
            last_groups: g.column_groups() as u8,
            parameter_row: 0,
            row_bits: row_bits as u32,
            low: n.output().min() as i32,
            high: n.output().max() as i32,
        }),
        Command::Finish,
    ];

    let mut machine = Machine::new(config, bytes);
    for n_cycles in [20, 70, 100] {
        machine.run_and_reset(&program, n_cycles);
    }
    for round in 0..2 {
        machine.memory.bytes[outputs..].fill(0xff);
        let cycles = machine.run(&program);
        for i in 0..m {
            for c in 0..cols {
                let sum: i64 = (0..2 * rows).map(|k| activation(i, k) * weight(k, c)).sum();
                let expected = n.output().saturate(sum + bias(c));
                let actual = get(&machine.memory.bytes, 8 * (outputs + i * out_stride) + c * o as usize, o);
                assert_eq!(n.output().decode(actual as u64), expected, "{}: row {i}, column {c}", config.name());
            }
            assert_eq!(machine.memory.bytes[outputs + i * out_stride + out_stride - 1], 0xff, "between rows");
        }
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
        assert_eq!(counter(&mut machine, Counter::ActivationBits), (2 * m * rows * a as usize) as u64);
        assert_eq!(counter(&mut machine, Counter::WeightBits), (2 * rows * cols * w as usize) as u64);
        assert_eq!(counter(&mut machine, Counter::ParameterBits), (cols * record) as u64);
        assert_eq!(counter(&mut machine, Counter::OutputBits), (m * row_bits) as u64);
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
