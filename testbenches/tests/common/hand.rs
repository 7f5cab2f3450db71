//! Programs written by hand from `docs/machine.md`, with outputs that follow from plain arithmetic.

use sim::{Environment, Stalls};
use spec::{Command, Config, Execute, Load, LoadTarget, Store, Tokens, Walk};

pub const NO_TOKENS: Tokens = Tokens { pop_first: false, pop_second: false, push_first: false, push_second: false };

pub const LATENCY: u64 = 5;

/// Commands, the memory they start from, and the bytes of each output row.
#[derive(Clone)]
pub struct Hand {
    pub commands: Vec<Command>,
    pub memory: Vec<u8>,
    /// Address and bytes of each row that the program writes.
    pub rows: Vec<(usize, Vec<u8>)>,
}

impl Hand {
    pub fn environment(&self, config: &Config) -> Environment {
        Environment::new(config, self.commands.clone(), self.memory.clone(), LATENCY, Stalls::NONE)
    }

    /// The memory that the program must leave.
    pub fn expected(&self) -> Vec<u8> {
        let mut memory = self.memory.clone();
        for (address, bytes) in &self.rows {
            memory[*address..address + bytes.len()].copy_from_slice(bytes);
        }
        memory
    }
}

/// Elements of `bits` bits one after another, least significant bit first; two's complement for negative ones.
pub fn pack(values: impl IntoIterator<Item = i64>, bits: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut n_bits = 0;
    for value in values {
        for bit in 0..bits {
            if n_bits % 8 == 0 {
                bytes.push(0);
            }
            *bytes.last_mut().expect("a byte was pushed") |=
                u8::try_from(value >> bit & 1).expect("a bit") << (n_bits % 8);
            n_bits += 1;
        }
    }
    bytes
}

fn small(value: usize) -> u16 {
    u16::try_from(value).expect("a hand-made program is small")
}

fn address(value: usize) -> u32 {
    u32::try_from(value).expect("a hand-made program is small")
}

/// Folds that add up to this many times the product; 40 times one is eighths of a multiple of 5.
pub const FOLDS: usize = 40;

/// One weight tile and `m` activation rows, loaded once, then 40 folds that add to the same rows, one store, finish.
///
/// Multiplier 1, shift 3, bias 8 c, zero point 0: column c of a row is `5 sum + c`, clamped to the output's range.
pub fn resident(config: &Config, m: usize) -> Hand {
    let (n, g) = (config.numerics(), config.geometry());
    let (rows, cols, bus) = (g.rows(), g.cols(), g.bus_bytes());
    let activation = |i: usize, r: usize| ((3 * i + 5 * r + 1) % 4) as i64;
    let weight = |r: usize, c: usize| ((2 * r + 3 * c) % 5) as i64 - 2;

    let mut memory: Vec<u8> = Vec::new();
    let mut place = |bytes: &[u8]| {
        let at = memory.len();
        memory.extend(bytes);
        memory.resize(memory.len().next_multiple_of(bus), 0xa5);
        at
    };
    let activations: Vec<usize> =
        (0..m).map(|i| place(&pack((0..rows).map(|r| activation(i, r)), n.activation().bits()))).collect();
    // The mesh's last row first.
    let weights = (0..rows).rev().flat_map(|r| (0..cols).map(move |c| weight(r, c)));
    let weights = place(&pack(weights, n.weight().bits()));
    let record = |c: usize| {
        let bits = |value: i64, bits: u32| (0..bits).map(move |bit| value >> bit & 1);
        let padding = n.parameter_bits() - n.bias_bits() - n.multiplier_bits() - n.shift_bits() - n.output().bits() - 1;
        bits(8 * c as i64, n.bias_bits())
            .chain(bits(1, n.multiplier_bits()))
            .chain(bits(3, n.shift_bits()))
            .chain(bits(0, n.output().bits() + 1 + padding))
    };
    let parameters = place(&pack((0..cols).flat_map(record), 1));
    let (low, high) = (n.output().min(), n.output().max());
    let outputs: Vec<(usize, Vec<u8>)> = (0..m)
        .map(|i| {
            let column = |c: usize| {
                let sum: i64 = (0..rows).map(|r| activation(i, r) * weight(r, c)).sum();
                (5 * sum + c as i64).clamp(low, high)
            };
            let bytes = pack((0..cols).map(column), n.output().bits());
            (place(&vec![0x5a; bytes.len()]), bytes)
        })
        .collect();
    let stride = |addresses: &[usize]| address(if m > 1 { addresses[1] - addresses[0] } else { 0 });
    let output_addresses: Vec<usize> = outputs.iter().map(|row| row.0).collect();

    let load = |target, tokens, at, stride, [requests, rows_per_request]: [usize; 2], row_bits: usize| {
        Command::Load(Load {
            target,
            tokens,
            address: address(at),
            stride,
            start_bit: 0,
            requests: small(requests),
            rows_per_request: small(rows_per_request),
            row_bits: small(row_bits),
            buffer_row: 0,
            lane_group: 0,
        })
    };
    let (activation_bits, weight_bits) = (n.activation().bits() as usize, n.weight().bits() as usize);
    let mut commands = vec![
        load(LoadTarget::Activations, NO_TOKENS, activations[0], stride(&activations), [m, 1], rows * activation_bits),
        load(LoadTarget::Weights, Tokens { push_first: true, ..NO_TOKENS }, weights, 0, [1, rows], cols * weight_bits),
        load(
            LoadTarget::Parameters,
            Tokens { push_second: true, ..NO_TOKENS },
            parameters,
            0,
            [1, cols],
            n.parameter_bits() as usize,
        ),
    ];
    commands.extend((0..FOLDS).map(|fold| {
        Command::Execute(Execute {
            tokens: Tokens { pop_first: fold == 0, push_second: fold + 1 == FOLDS, ..NO_TOKENS },
            half: false,
            overwrite: fold == 0,
            push_late: false,
            maximum: false,
            accumulator_step: 1,
            rows: small(m),
            activation_row: 0,
            weight_row: 0,
            accumulator_row: 0,
            k: small(rows),
            walk: Walk::linear(rows),
        })
    }));
    commands.push(Command::Store(Store {
        tokens: Tokens { pop_first: true, pop_second: true, ..NO_TOKENS },
        half: false,
        rows: small(m),
        address: address(outputs[0].0),
        stride: stride(&output_addresses),
        accumulator_row: 0,
        tile_stride: 0,
        tiles: 1,
        last_groups: u8::try_from(cols / g.requantizer_lanes()).expect("at most 128"),
        parameter_row: 0,
        terms: 1,
        table: false,
        row_bits: n.output().bits() * u32::try_from(cols).expect("at most 128"),
        low: u16::try_from(n.output().encode(low)).expect("at most 16 bits"),
        high: u16::try_from(n.output().encode(high)).expect("at most 16 bits"),
        index: 0,
    }));
    commands.push(Command::Finish);
    Hand { commands, memory, rows: outputs }
}

/// The first command of each engine in [`resident`], with other tokens.
pub fn with_tokens(command: Command, tokens: Tokens) -> Command {
    match command {
        Command::Load(load) => Command::Load(Load { tokens, ..load }),
        Command::Execute(execute) => Command::Execute(Execute { tokens, ..execute }),
        Command::Store(store) => Command::Store(Store { tokens, ..store }),
        Command::Seed(_) | Command::Finish => command,
    }
}
