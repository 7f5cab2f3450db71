//! Commands run one after another in plain arithmetic, from the list in `docs/machine.md`: no time, no tokens.

use golden::{Bounds, Channel, Requantizer, Stream};
use spec::{Command, Config, Execute, Format, Load, LoadTarget, Seed, Store};

/// What the commands work on, element by element.
struct Plain<'a> {
    config: &'a Config,
    memory: Vec<u8>,
    activations: Vec<Vec<i64>>,
    weights: Vec<Vec<i64>>,
    parameters: Vec<Channel>,
    table: Vec<i64>,
    accumulator: [Vec<Vec<i64>>; 2],
    seed: Option<Seed>,
}

/// The memory that the commands leave.
pub fn run(config: &Config, commands: &[Command], memory: Vec<u8>) -> Vec<u8> {
    let (g, n) = (config.geometry(), config.numerics());
    let half = vec![vec![0; g.cols()]; g.accumulator_rows()];
    let mut plain = Plain {
        config,
        memory,
        activations: vec![vec![0; g.rows()]; g.activation_buffer_rows()],
        weights: vec![vec![0; g.cols()]; g.weight_buffer_rows()],
        parameters: vec![
            Channel { bias: 0, multiplier: 0, shift: 0, zero_point: 0 };
            g.parameter_rows() * g.requantizer_lanes()
        ],
        table: vec![0; 1 << n.output().bits()],
        accumulator: [half.clone(), half],
        seed: None,
    };
    for command in commands {
        match command {
            Command::Load(load) => plain.load(load),
            Command::Execute(execute) => plain.execute(execute),
            Command::Store(store) => plain.store(store),
            Command::Seed(seed) => plain.seed = Some(*seed),
            Command::Finish => {}
        }
    }
    plain.memory
}

impl Plain<'_> {
    fn bits(&self, from: u64, n_bits: u64) -> u64 {
        let bit = |at: u64| u64::from(self.memory[(at / 8) as usize] >> (at % 8) & 1);
        (0..n_bits).map(|i| bit(from + i) << i).sum()
    }

    fn elements(&self, from: u64, row_bits: u64, format: Format) -> Vec<i64> {
        let bits = u64::from(format.bits());
        (0..row_bits / bits).map(|i| format.decode(self.bits(from + i * bits, bits))).collect()
    }

    fn record(&self, mut from: u64) -> Channel {
        let n = self.config.numerics();
        let mut next = |format: Format| {
            let value = format.decode(self.bits(from, format.bits().into()));
            from += u64::from(format.bits());
            value
        };
        Channel {
            bias: next(n.bias()),
            multiplier: n.multiplier().map_or(1, |format| next(format) as u32),
            shift: next(n.shift()) as u32,
            zero_point: next(n.bound()),
        }
    }

    fn load(&mut self, load: &Load) {
        let (n, g) = (self.config.numerics(), self.config.geometry());
        let row_bits = u64::from(load.row_bits);
        let rows: Vec<u64> = (0..u64::from(load.requests))
            .flat_map(|i| (0..u64::from(load.rows_per_request)).map(move |j| (i, j)))
            .map(|(i, j)| {
                let byte = u64::from(load.address) + i * u64::from(load.stride);
                8 * byte + u64::from(load.start_bit) + j * row_bits
            })
            .collect();
        let first = usize::from(load.buffer_row);
        let element = |row: &[i64], lane: usize| row.get(lane).copied().unwrap_or(0);
        match load.target {
            LoadTarget::Activations => {
                let rows: Vec<Vec<i64>> =
                    rows.iter().map(|&from| self.elements(from, row_bits, n.activation())).collect();
                for i in 0..rows.len() {
                    self.activations[first + i] = match load.lane_group {
                        0 => (0..g.rows()).map(|lane| element(&rows[i], lane)).collect(),
                        group => {
                            let lanes = 1 << (group - 1);
                            let piece = |lane: usize| i.checked_sub(lane / lanes).map(|piece| &rows[piece]);
                            let value = |lane| piece(lane).map_or(0, |row| element(row, lane % lanes));
                            (0..g.rows()).map(value).collect()
                        }
                    };
                }
            }
            LoadTarget::Weights => {
                for (i, from) in rows.into_iter().enumerate() {
                    let row = self.elements(from, row_bits, n.weight());
                    self.weights[first + i] = (0..g.cols()).map(|lane| element(&row, lane)).collect();
                }
            }
            LoadTarget::Parameters => {
                for (i, from) in rows.into_iter().enumerate() {
                    self.parameters[first * g.requantizer_lanes() + i] = self.record(from);
                }
            }
            LoadTarget::Table => {
                for (i, from) in rows.into_iter().enumerate() {
                    self.table[first + i] = n.output().decode(self.bits(from, row_bits));
                }
            }
        }
    }

    fn execute(&mut self, execute: &Execute) {
        let (n, g, walk) = (self.config.numerics(), self.config.geometry(), execute.walk);
        let k = usize::from(execute.k);
        for i in 0..i64::from(execute.rows) {
            let (line, place) = (i / i64::from(walk.inner_count), i % i64::from(walk.inner_count));
            let row = i64::from(execute.activation_row)
                + line * i64::from(walk.outer_stride)
                + place * i64::from(walk.inner_stride);
            let row = row.rem_euclid(1 << 16) as usize;
            let x = i64::from(walk.x_start) + place * i64::from(walk.x_step);
            let y = i64::from(walk.y_start) + line * i64::from(walk.y_step);
            let activation = |lane: usize| {
                let r = lane as i64;
                let inside = 0 <= y && y < i64::from(walk.y_limit) && x - i64::from(walk.x_limit) <= r && r < x;
                if inside {
                    self.activations[row][lane]
                } else {
                    n.activation().decode(walk.pad.into())
                }
            };
            // Stored row k-1 is the mesh's row 0; mesh rows from k on hold 0.
            let weight = |lane: usize, col: usize| {
                if lane < k {
                    self.weights[usize::from(execute.weight_row) + k - 1 - lane][col]
                } else {
                    0
                }
            };
            let step = i64::from(execute.accumulator_step);
            let target = (i64::from(execute.accumulator_row) + i * step) as usize;
            let half = usize::from(execute.half);
            let sums: Vec<i64> = (0..g.cols())
                .map(|col| {
                    let psum = (0..g.rows()).map(|lane| activation(lane) * weight(lane, col)).sum();
                    let (psum, old) = (n.accumulator().wrap(psum), self.accumulator[half][target][col]);
                    if execute.overwrite && (step > 0 || i == 0) {
                        psum
                    } else if execute.maximum {
                        old.max(psum)
                    } else {
                        n.accumulator().wrap(old + psum)
                    }
                })
                .collect();
            self.accumulator[half][target] = sums;
        }
    }

    fn store(&mut self, store: &Store) {
        let (n, g) = (self.config.numerics(), self.config.geometry());
        let (output, lanes, terms) = (n.output(), g.requantizer_lanes(), usize::from(store.terms));
        let requantizer = Requantizer::new(n);
        let bound = |encoded: u16| output.decode(encoded.into());
        let bounds = Bounds { low: bound(store.low), high: bound(store.high) };
        for i in 0..usize::from(store.rows) {
            let columns = store.row_bits as usize / output.bits() as usize;
            let mut bits: Vec<bool> = Vec::new();
            for j in 0..columns {
                let (tile, column) = (j / g.cols(), j % g.cols());
                let first = usize::from(store.accumulator_row) + i * terms + tile * usize::from(store.tile_stride);
                // Groups are counted over all tiles, and each has a parameter row a term.
                let record = |u: usize| (usize::from(store.parameter_row) + j / lanes * terms + u) * lanes + j % lanes;
                let terms: Vec<(i64, &Channel)> = (0..terms)
                    .map(|u| {
                        let sum = self.accumulator[usize::from(store.half)][first + u][column];
                        (sum, &self.parameters[record(u)])
                    })
                    .collect();
                let random = match (self.seed, n.rounding().random_bits()) {
                    (Some(seed), random_bits @ 1..) => {
                        let index = (i as u32).wrapping_mul(seed.row_stride).wrapping_add(store.index);
                        Stream::from_key(seed.key, seed.mask, random_bits).bits(index.wrapping_add(j as u32))
                    }
                    _ => 0,
                };
                let result = output.encode(requantizer.requantize_terms(&terms, &bounds, random));
                let result = if store.table { output.encode(self.table[result as usize]) } else { result };
                bits.extend((0..output.bits()).map(|bit| result >> bit & 1 == 1));
            }
            let address = store.address as usize + i * store.stride as usize;
            for (byte, bits) in self.memory[address..].iter_mut().zip(bits.chunks(8)) {
                *byte = bits.iter().enumerate().map(|(at, &bit)| u8::from(bit) << at).sum();
            }
        }
    }
}
