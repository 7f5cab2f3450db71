//! What an integrator gets beside the Verilog: the self-checking testbench and the C header.

mod common;

use common::{c::run_c, case, changed, gemm, named, programs};
use spec::config::RawRounding;
use spec::{Command, Config, LoadTarget, Tokens, Walk};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use testbenches::data::Random;
use testbenches::export::testbench;
use testbenches::verilator::{icarus, verilator_binary, Bench, Run, Tools};
use testbenches::Problem;

const FILES: [&str; 2] = ["testbench.v", "top.v"];

/// Writes the emitted top with its testbench; `change` may alter the expected bytes.
fn export(problem: &Problem, folder: &Path, change: impl FnOnce(String) -> String) -> Bench {
    let emitted = hdl::emit_top(&problem.config).unwrap_or_else(|e| panic!("{e}"));
    let bench = testbench(problem).unwrap_or_else(|e| panic!("{e}"));
    let files = [
        (FILES[0], bench.verilog),
        (FILES[1], emitted.verilog),
        ("commands.hex", bench.commands),
        ("memory.hex", bench.memory),
        ("expected.hex", change(bench.expected)),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("a temporary folder can be written");
    }
    let files = FILES.map(|name| folder.join(name)).to_vec();
    Bench { files, top: "testbench".to_owned(), directory: folder.to_owned() }
}

fn stochastic() -> Config {
    changed("tiny", |raw| raw.numerics.rounding = RawRounding::Stochastic { stochastic: 8 })
}

fn problem(config: &Config) -> Problem {
    gemm(config, [5, 5, 4], 5).problem().unwrap_or_else(|e| panic!("{e}"))
}

/// The byte of the first output, one more than it should be.
fn one_wrong_byte(problem: &Problem) -> impl FnOnce(String) -> String {
    let address = problem.compiled.output().address;
    move |expected| {
        let mut lines: Vec<String> = expected.lines().map(str::to_owned).collect();
        let byte = u8::from_str_radix(&lines[address], 16).expect("a byte");
        lines[address] = format!("{:02x}", byte.wrapping_add(1));
        lines.join("\n") + "\n"
    }
}

/// Runs the testbench as it is and with one wrong expected byte: only the first may pass.
fn passes_and_fails(config: &Config, tool: &dyn Fn(&Bench) -> Run) {
    let problem = problem(config);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = tool(&export(&problem, folder.path(), |expected| expected));
    assert_eq!(good.status, Some(0), "{good:?}");
    assert!(good.stdout.contains("PASS: "), "{good:?}");
    assert!(!good.stdout.contains("FAIL"), "{good:?}");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let bad = tool(&export(&problem, folder.path(), one_wrong_byte(&problem)));
    assert_ne!(bad.status, Some(0), "{bad:?}");
    let address = problem.compiled.output().address;
    assert!(bad.stdout.contains(&format!("byte {address}: expected ")), "{bad:?}");
    assert!(bad.stdout.contains("FAIL: 1 errors"), "{bad:?}");
    assert!(!bad.stdout.contains("PASS"), "{bad:?}");
}

#[test]
fn the_testbench_passes_in_icarus_and_fails_on_a_wrong_byte() {
    for config in [named("tiny"), named("small"), stochastic()] {
        passes_and_fails(&config, &|bench| icarus(bench, &Tools::from_path()).unwrap_or_else(|e| panic!("{e}")));
    }
}

#[test]
fn the_testbench_passes_in_verilator_and_fails_on_a_wrong_byte() {
    passes_and_fails(&named("tiny"), &|bench| {
        verilator_binary(bench, 7, &Tools::from_path()).unwrap_or_else(|e| panic!("{e}"))
    });
}

/// The C expression that makes a walk.
fn c_walk(config: &Config, walk: &Walk) -> String {
    if *walk == Walk::linear(config.geometry().rows()) {
        return "systole_linear()".to_owned();
    }
    format!(
        "(systole_walk) {{ {}, {}, {}, {}, {}, {}, {}, {}, {}, {} }}",
        walk.inner_count,
        walk.inner_stride,
        walk.outer_stride,
        config.numerics().activation().decode(walk.pad.into()),
        walk.x_start,
        walk.x_step,
        walk.x_limit,
        walk.y_start,
        walk.y_step,
        walk.y_limit
    )
}

/// The C call that makes a command.
fn c_call(config: &Config, command: &Command) -> String {
    let bound = |encoded: u16| config.numerics().output().decode(encoded.into());
    let tokens = |tokens: Tokens| {
        let flags = [
            (tokens.pop_first, "SYSTOLE_POP_FIRST"),
            (tokens.pop_second, "SYSTOLE_POP_SECOND"),
            (tokens.push_first, "SYSTOLE_PUSH_FIRST"),
            (tokens.push_second, "SYSTOLE_PUSH_SECOND"),
        ];
        flags.iter().filter(|(set, _)| *set).fold("0".to_owned(), |text, (_, name)| format!("{text} | {name}"))
    };
    let flag = |set: bool, name: &str| if set { format!(" | {name}") } else { String::new() };
    match command {
        Command::Load(load) => {
            let opcode = match load.target {
                LoadTarget::Activations => "SYSTOLE_OPCODE_LOAD_ACTIVATIONS",
                LoadTarget::Weights => "SYSTOLE_OPCODE_LOAD_WEIGHTS",
                LoadTarget::Parameters => "SYSTOLE_OPCODE_LOAD_PARAMETERS",
                LoadTarget::Table => "SYSTOLE_OPCODE_LOAD_TABLE",
            };
            format!(
                "systole_load({opcode}, {}, {}u, {}u, {}, {}, {}, {}, {}, {})",
                tokens(load.tokens),
                load.address,
                load.stride,
                load.start_bit,
                load.requests,
                load.rows_per_request,
                load.row_bits,
                load.buffer_row,
                load.lane_group
            )
        }
        Command::Execute(execute) => format!(
            "systole_execute({}{}{}{}{}, {}, {}, {}, {}, {}, {}, {})",
            tokens(execute.tokens),
            flag(execute.half, "SYSTOLE_HALF"),
            flag(execute.overwrite, "SYSTOLE_OVERWRITE"),
            flag(execute.push_late, "SYSTOLE_PUSH_LATE"),
            flag(execute.maximum, "SYSTOLE_MAXIMUM"),
            execute.rows,
            execute.activation_row,
            execute.weight_row,
            execute.accumulator_row,
            execute.accumulator_step,
            execute.k,
            c_walk(config, &execute.walk)
        ),
        Command::Store(store) => format!(
            "systole_store({}{}{}, {}, {}u, {}u, {}, {}, {}, {}, {}, {}, {}u, {}, {}, {}u)",
            tokens(store.tokens),
            flag(store.half, "SYSTOLE_HALF"),
            flag(store.table, "SYSTOLE_TABLE"),
            store.rows,
            store.address,
            store.stride,
            store.accumulator_row,
            store.tile_stride,
            store.tiles,
            store.last_groups,
            store.parameter_row,
            store.terms,
            store.row_bits,
            bound(store.low),
            bound(store.high),
            store.index
        ),
        Command::Seed(seed) => {
            format!("systole_seed(0x{:x}u, 0x{:x}u, {}u)", seed.key, seed.mask, seed.row_stride)
        }
        Command::Finish => "systole_finish()".to_owned(),
    }
}

#[test]
fn the_header_encodes_commands_as_the_machine_decodes_them() {
    for config in Config::NAMED.map(named).into_iter().chain([stochastic()]) {
        let mut commands = Vec::new();
        for seed in 0..6 {
            let mut case = case(&config, seed);
            case.m = case.m.min(60);
            commands.extend(case.problem().unwrap_or_else(|e| panic!("{e}")).compiled.program.commands);
        }
        commands.truncate(400);
        commands.extend(programs::program(config.clone(), &mut Random::new(1)).commands);
        commands.extend(greatest(&config));
        let body: String =
            commands.iter().map(|command| format!("    show({});\n", c_call(&config, command))).collect();
        let printed = run_c(&config, "", &body);
        assert_eq!(printed.lines().count(), commands.len());
        for (line, command) in printed.lines().zip(&commands) {
            let words: Vec<String> = command.encode().iter().map(|word| format!("{word:08x}")).collect();
            assert_eq!(line, words.join(" "), "{command:?}");
        }
    }
}

/// Commands of each kind with every field at its greatest value; pads, bounds and starts of walks also at their least.
fn greatest(config: &Config) -> Vec<Command> {
    let (activation, output) = (config.numerics().activation(), config.numerics().output());
    let encode = |value| u16::try_from(output.encode(value)).expect("at most 16 bits");
    let ones = encode(if output.is_signed() { -1 } else { output.max() });
    let tokens = Tokens { pop_first: true, pop_second: true, push_first: true, push_second: true };
    let store = spec::Store {
        tokens,
        half: true,
        rows: u16::MAX,
        address: u32::MAX,
        stride: u32::MAX,
        accumulator_row: u16::MAX,
        tile_stride: u16::MAX,
        tiles: u16::MAX,
        last_groups: 128,
        parameter_row: u16::MAX,
        terms: 15,
        table: true,
        row_bits: (1 << 28) - 1,
        low: encode(output.min()),
        high: encode(output.max()),
        index: u32::MAX,
    };
    let load = spec::Load {
        target: LoadTarget::Parameters,
        tokens,
        address: u32::MAX,
        stride: u32::MAX,
        start_bit: 7,
        requests: u16::MAX,
        rows_per_request: u16::MAX,
        row_bits: u16::MAX,
        buffer_row: u16::MAX,
        lane_group: 15,
    };
    let execute = spec::Execute {
        tokens,
        half: true,
        overwrite: true,
        push_late: true,
        maximum: true,
        accumulator_step: 15,
        rows: u16::MAX,
        activation_row: u16::MAX,
        weight_row: u16::MAX,
        accumulator_row: u16::MAX,
        k: u16::MAX,
        walk: Walk {
            inner_count: u16::MAX,
            inner_stride: u16::MAX,
            outer_stride: u16::MAX,
            pad: u16::try_from(activation.encode(activation.max())).expect("at most 16 bits"),
            x_start: (1 << 19) - 1,
            x_step: 0xfff,
            x_limit: (1 << 19) - 1,
            y_start: i16::MAX,
            y_step: 0xfff,
            y_limit: 0x7fff,
        },
    };
    let least = u16::try_from(activation.encode(activation.min())).expect("at most 16 bits");
    let least = Walk { pad: least, x_start: -(1 << 19), y_start: i16::MIN, ..execute.walk };
    vec![
        Command::Load(load),
        Command::Load(spec::Load { target: LoadTarget::Table, ..load }),
        Command::Execute(execute),
        Command::Execute(spec::Execute { walk: least, ..execute }),
        Command::Execute(spec::Execute { walk: Walk::linear(config.geometry().rows()), ..execute }),
        Command::Store(store),
        Command::Store(spec::Store { low: ones, high: ones, ..store }),
        Command::Seed(spec::Seed { key: u64::MAX - 1, mask: u32::MAX, row_stride: u32::MAX }),
        Command::Finish,
    ]
}

/// Sizes, the record and the status addresses, against the configuration file and `docs/machine.md`.
#[test]
fn the_header_has_the_sizes_of_tiny() {
    let expected = [
        ("ROWS", 2),
        ("COLS", 3),
        ("ACTIVATION_BITS", 5),
        ("ACTIVATION_SIGNED", 0),
        ("WEIGHT_BITS", 4),
        ("WEIGHT_SIGNED", 1),
        ("OUTPUT_BITS", 5),
        ("OUTPUT_SIGNED", 0),
        // 1024 x 31 x -8 and a 12-bit bias.
        ("ACCUMULATOR_BITS", 19),
        ("MAX_K", 1024),
        // 12 + 12 + 5 + 6 bits, padded to bytes.
        ("PARAMETER_BITS", 40),
        ("ACTIVATION_TABLE", 0),
        ("ACTIVATION_BUFFER_ROWS", 32),
        ("WEIGHT_BUFFER_ROWS", 6),
        ("ACCUMULATOR_ROWS", 16),
        ("PARAMETER_BUFFER_ROWS", 48),
        ("REQUANTIZER_LANES", 1),
        ("BUS_BYTES", 4),
        ("COMMAND_BYTES", 32),
        ("QUEUE_DEPTH", 4),
        ("TOKEN_LIMIT", 15),
        ("PARAMETER_BIAS_FROM", 0),
        ("PARAMETER_BIAS_BITS", 12),
        ("PARAMETER_MULTIPLIER_FROM", 12),
        ("PARAMETER_MULTIPLIER_BITS", 12),
        ("PARAMETER_SHIFT_FROM", 24),
        ("PARAMETER_SHIFT_BITS", 5),
        ("PARAMETER_ZERO_POINT_FROM", 29),
        ("PARAMETER_ZERO_POINT_BITS", 6),
        ("STATUS_CYCLES", 0),
        ("STATUS_EXECUTE_SPAN", 8),
        ("STATUS_PACK_IDLE", 31),
        ("STATUS_COMMANDS", 38),
        ("STATUS_CODES", 40),
    ];
    let mut body = String::new();
    for (name, _) in expected {
        writeln!(body, "    number(SYSTOLE_{name});").expect("writing to a string cannot fail");
    }
    body.push_str("    show(systole_finish());\n");
    let printed = run_c(&named("tiny"), "", &body);
    for (line, (name, value)) in printed.lines().zip(expected) {
        assert_eq!(line, value.to_string(), "SYSTOLE_{name}");
    }
}
