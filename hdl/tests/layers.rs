//! Programs of several layers' parts in RustHDL's simulator: windows, walks, maxima, terms and the table, against sums
//! computed directly.

mod common;

use common::machine::Machine;
use common::Random;
use spec::command::{Execute, Load, LoadTarget, Store};
use spec::{Command, Config, RawConfig, Tokens, Walk};

/// Pixels of the line, taps of the kernel.
const PIXELS: usize = 7;
const TAPS: usize = 3;
const PAD: i64 = 9;
/// Where things are in memory.
const TABLE: usize = 0;
const PARAMETERS: usize = 256;
const WEIGHTS: usize = 512;
const LINE: usize = 1024;
const OUTPUTS: usize = 2048;
const ROW_BYTES: usize = 16;

fn config() -> Config {
    let mut raw = RawConfig::from(&Config::named("tiny").expect("a named configuration"));
    raw.geometry.rows = TAPS;
    raw.geometry.cols = 4;
    raw.geometry.requantizer_lanes = 2;
    raw.numerics.activation_table = true;
    Config::try_from(raw).expect("a legal configuration")
}

fn put(bytes: &mut [u8], at: usize, bits: u32, value: i64) {
    for i in (0..bits as usize).filter(|i| value >> i & 1 == 1) {
        bytes[(at + i) / 8] |= 1 << ((at + i) % 8);
    }
}

fn get(bytes: &[u8], at: usize, bits: u32) -> u64 {
    (0..bits as usize).map(|i| u64::from(bytes[(at + i) / 8] >> ((at + i) % 8) & 1) << i).sum()
}

const NONE: Tokens = Tokens { pop_first: false, pop_second: false, push_first: false, push_second: false };

fn load(target: LoadTarget, address: usize, requests: usize, rows_per_request: usize, row_bits: u32) -> Load {
    Load {
        target,
        tokens: NONE,
        address: address as u32,
        stride: 1,
        start_bit: 0,
        requests: requests as u16,
        rows_per_request: rows_per_request as u16,
        row_bits: row_bits as u16,
        buffer_row: 0,
        lane_group: 0,
    }
}

/// Three kernels over a padded line: the greater of the first two is the first term of an output, the third kernel's
/// sum the second one; the table has the last word.
#[test]
fn a_padded_line_is_convolved_compared_added_and_looked_up() {
    let config = config();
    let (n, g) = (config.numerics(), config.geometry());
    let (cols, lanes) = (g.cols(), g.requantizer_lanes());
    let (activation, output) = (n.activation().bits(), n.output().bits());
    for seed in 0..5 {
        let mut random = Random::new(seed);
        let mut below = |n: u64| random.below(n) as i64;
        let line: Vec<i64> = (0..PIXELS).map(|_| below(1 << activation)).collect();
        let weights: Vec<Vec<i64>> = (0..3 * TAPS).map(|_| (0..cols).map(|_| below(16) - 8).collect()).collect();
        let table: Vec<i64> = (0..1 << output).map(|_| below(1 << output)).collect();
        // Bias and multiplier by term and column; a shift of 6.
        let records: Vec<Vec<(i64, i64)>> =
            (0..2).map(|_| (0..cols).map(|_| (below(200) - 100, below(32))).collect()).collect();

        let mut bytes = vec![0; 4096];
        for (entry, &value) in table.iter().enumerate() {
            put(&mut bytes, 8 * TABLE + entry * output as usize, output, value);
        }
        for c in 0..cols {
            for (term, record) in records.iter().enumerate() {
                let (bias, multiplier) = record[c];
                let row = c / lanes * 2 + term;
                let at = 8 * PARAMETERS + (row * lanes + c % lanes) * n.parameter_bits() as usize;
                put(&mut bytes, at, n.bias_bits(), bias);
                put(&mut bytes, at + n.bias_bits() as usize, n.multiplier_bits(), multiplier);
                put(&mut bytes, at + (n.bias_bits() + n.multiplier_bits()) as usize, n.shift_bits(), 6);
            }
            for (j, row) in weights.iter().enumerate() {
                put(&mut bytes, 8 * WEIGHTS + (j * cols + c) * 4, 4, row[c]);
            }
        }
        // A byte a pixel; the one after the line must not matter.
        for (i, &pixel) in line.iter().chain([&21]).enumerate() {
            put(&mut bytes, 8 * (LINE + i), activation, pixel);
        }
        bytes[OUTPUTS..].fill(0xff);

        // Window t has pixel t - r in lane r: windows 1 to PIXELS see a pixel of padding at either end.
        let walk = Walk {
            inner_count: PIXELS as u16,
            inner_stride: 1,
            outer_stride: 0,
            pad: PAD as u16,
            x_start: 2,
            x_step: 1,
            x_limit: PIXELS as u32,
            y_start: 0,
            y_step: 0,
            y_limit: 1,
        };
        let execute = |kernel: usize| Execute {
            tokens: NONE,
            half: false,
            overwrite: kernel != 1,
            push_late: false,
            maximum: kernel == 1,
            accumulator_step: 2,
            rows: PIXELS as u16,
            activation_row: 1,
            weight_row: (kernel * TAPS) as u16,
            accumulator_row: u16::from(kernel == 2),
            k: TAPS as u16,
            walk,
        };
        let windows = Load {
            tokens: Tokens { push_first: true, push_second: true, ..NONE },
            lane_group: 1,
            ..load(LoadTarget::Activations, LINE, PIXELS + 1, 1, activation)
        };
        let pop = |second| Tokens { pop_first: true, pop_second: second, ..NONE };
        let program = [
            Command::Load(load(LoadTarget::Table, TABLE, 1, 1 << output, output)),
            Command::Load(load(LoadTarget::Parameters, PARAMETERS, 1, 2 * cols, n.parameter_bits())),
            Command::Load(load(LoadTarget::Weights, WEIGHTS, 1, 3 * TAPS, 4 * cols as u32)),
            Command::Load(windows),
            Command::Execute(Execute { tokens: pop(false), ..execute(0) }),
            Command::Execute(execute(1)),
            Command::Execute(Execute { tokens: Tokens { push_second: true, ..NONE }, ..execute(2) }),
            Command::Store(Store {
                tokens: pop(true),
                half: false,
                rows: PIXELS as u16,
                address: OUTPUTS as u32,
                stride: ROW_BYTES as u32,
                accumulator_row: 0,
                tile_stride: 0,
                tiles: 1,
                last_groups: (cols / lanes) as u8,
                parameter_row: 0,
                terms: 2,
                table: true,
                row_bits: cols as u32 * output,
                low: 3,
                high: 29,
                index: 0,
            }),
            Command::Finish,
        ];
        let mut machine = Machine::new(&config, bytes);
        machine.run(&program);

        for i in 0..PIXELS {
            for c in 0..cols {
                let sum = |kernel: usize| -> i64 {
                    let taps = (0..TAPS).map(|r| {
                        // The weight row for mesh row TAPS - 1 is stored first.
                        let weight = weights[kernel * TAPS + TAPS - 1 - r][c];
                        weight * (i + 1).checked_sub(r).and_then(|at| line.get(at)).unwrap_or(&PAD)
                    });
                    taps.sum()
                };
                let terms = [sum(0).max(sum(1)), sum(2)];
                let product: i64 = terms.iter().zip(&records).map(|(term, r)| (term + r[c].0) * r[c].1).sum();
                let result = (product + 32).div_euclid(64).clamp(3, 29);
                let actual = get(&machine.memory.bytes, 8 * (OUTPUTS + i * ROW_BYTES) + c * output as usize, output);
                assert_eq!(actual as i64, table[result as usize], "seed {seed}, pixel {i}, column {c}");
            }
        }
    }
}
