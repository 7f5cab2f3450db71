//! Random programs that use every field of every command, legal by construction.

use golden::Channel;
use spec::config::{AccumulatorBits, Auto, RawConfig, RawNumerics};
use spec::{Command, Config, Execute, Load, LoadTarget, Seed, Store, Tokens, Walk};
use std::ops::Range;
use testbenches::data::{Data, Random};
use testbenches::random;

use super::hand::{pack, NO_TOKENS};

pub struct RandomProgram {
    pub config: Config,
    pub commands: Vec<Command>,
    pub memory: Vec<u8>,
}

/// A configuration with an activation table in half of the cases in which it may have one, and in a quarter of the
/// cases with rows that are whole beats.
pub fn config(random: &mut Random) -> Config {
    let mut raw = random::config(random);
    if random.below(4) == 0 {
        (raw.geometry.rows, raw.geometry.cols, raw.geometry.requantizer_lanes) = (8, 8, random.pick(&[2, 8]));
        (raw.numerics.activation_bits, raw.numerics.weight_bits) = (8, random.pick(&[8, 16]));
        (raw.numerics.accumulator_bits, raw.geometry.bus_bits) =
            (AccumulatorBits::Named(Auto::Auto), random.pick(&[32, 64]));
    }
    let table = raw.numerics.output_bits <= 10 && random.below(2) == 0;
    let numerics = RawNumerics { activation_table: table, ..raw.numerics };
    Config::try_from(RawConfig { numerics, ..raw }).expect("a random configuration is legal")
}

/// Rounds of loads, folds and stores for a configuration. Round g waits for round g - `lag` where it reuses what that
/// used: with a lag of 2 each round has a half of every buffer, and two rounds overlap.
pub fn program(config: Config, random: &mut Random) -> RandomProgram {
    let (n, g) = (config.numerics(), config.geometry());
    let activations = g.activation_buffer_rows() * g.rows() * n.activation().bits() as usize;
    let weights = g.weight_buffer_rows() * g.cols() * n.weight().bits() as usize;
    // A load may fill a whole buffer from one piece.
    let data_bytes = (activations.max(weights) / 8 + 100).max(2000);
    let data: Vec<u8> = (0..data_bytes).map(|_| random.word() as u8).collect();
    let lag = random.between(1, 2) as usize;
    let mut maker = Maker { config, random, commands: Vec::new(), memory: data, data: 0..data_bytes, lag };
    let n_rounds = maker.random.between(1, 5) as usize;
    for round in 0..n_rounds {
        maker.round(round, round + lag < n_rounds);
    }
    maker.commands.push(Command::Finish);
    let bus = maker.config.geometry().bus_bytes();
    maker.memory.resize(maker.memory.len().next_multiple_of(bus), 0);
    RandomProgram { config: maker.config, commands: maker.commands, memory: maker.memory }
}

/// The part of the buffers that a round works in, and what it has loaded.
struct Part {
    half: bool,
    activations: Range<usize>,
    weights: Range<usize>,
    parameters: Range<usize>,
    /// Accumulator rows that are written, from 0 on.
    accumulated: Vec<bool>,
}

struct Maker<'a> {
    config: Config,
    random: &'a mut Random,
    commands: Vec<Command>,
    memory: Vec<u8>,
    /// Bytes of random data that loads read.
    data: Range<usize>,
    lag: usize,
}

fn small<T: TryFrom<usize>>(value: usize) -> T {
    T::try_from(value).unwrap_or_else(|_| panic!("{value} is too large for its field"))
}

impl Maker<'_> {
    fn size(&mut self, low: usize, high: usize) -> usize {
        self.random.between(low as i64, high as i64) as usize
    }

    fn coin(&mut self) -> bool {
        self.random.below(2) == 0
    }

    /// All elements of a row in half of the cases.
    fn elements(&mut self, most: usize) -> usize {
        if self.coin() {
            most
        } else {
            self.size(1, most)
        }
    }

    fn round(&mut self, round: usize, is_followed: bool) {
        let g = self.config.geometry().clone();
        let pops = round >= self.lag;
        let share = |size: usize| match self.lag {
            1 => 0..size,
            _ => round % 2 * (size / 2)..(round % 2 + 1) * (size / 2),
        };
        let mut part = Part {
            half: round % 2 == 1,
            activations: share(g.activation_buffer_rows()),
            weights: share(g.weight_buffer_rows()),
            parameters: share(g.parameter_rows()),
            accumulated: vec![false; g.accumulator_rows()],
        };
        let first = self.commands.len();
        self.loads(round, &mut part);
        let folds = self.commands.len();
        self.folds(&mut part);
        let stores = self.commands.len();
        self.stores(&part);
        let last = self.commands.len() - 1;
        self.tokens(first, |tokens| (tokens.pop_first, tokens.pop_second) = (pops, pops));
        self.tokens(folds - 1, |tokens| (tokens.push_first, tokens.push_second) = (true, true));
        self.tokens(folds, |tokens| (tokens.pop_first, tokens.pop_second) = (true, pops));
        self.tokens(stores - 1, |tokens| (tokens.push_first, tokens.push_second) = (is_followed, true));
        self.tokens(stores, |tokens| (tokens.pop_first, tokens.pop_second) = (true, true));
        self.tokens(last, |tokens| (tokens.push_first, tokens.push_second) = (is_followed, is_followed));
        if self.config.numerics().rounding().random_bits() > 0 && (round == 0 || self.coin()) {
            let (key, mask) = (self.random.word(), self.random.word() as u32);
            let seed = Seed { key, mask, row_stride: self.random.word() as u32 };
            self.commands.insert(folds, Command::Seed(seed));
        }
    }

    fn tokens(&mut self, index: usize, change: impl FnOnce(&mut Tokens)) {
        match &mut self.commands[index] {
            Command::Load(load) => change(&mut load.tokens),
            Command::Execute(execute) => change(&mut execute.tokens),
            Command::Store(store) => change(&mut store.tokens),
            Command::Seed(_) | Command::Finish => panic!("command {index} has no tokens"),
        }
    }

    /// A load of `n_rows` rows of random data, cut into pieces of any stride.
    fn load(&mut self, target: LoadTarget, n_rows: usize, row_bits: usize, buffer_row: usize, lane_group: u8) {
        let divisors: Vec<usize> = (1..=n_rows).filter(|rows| n_rows.is_multiple_of(*rows)).collect();
        let rows_per_request = self.random.pick(&divisors);
        let requests = n_rows / rows_per_request;
        let bytes = (rows_per_request * row_bits).div_ceil(8) + 1;
        // Often from the first bit of a beat on.
        let unit = if self.coin() { self.config.geometry().bus_bytes() } else { 1 };
        let stride = self.size(0, 3 + bytes).min((self.data.len() - bytes) / requests) / unit * unit;
        let address = self.size(self.data.start, self.data.end - bytes - stride * (requests - 1)) / unit * unit;
        let start_bit = if unit > 1 { 0 } else { self.random.below(8) as u8 };
        self.commands.push(Command::Load(Load {
            target,
            tokens: NO_TOKENS,
            address: small(address),
            stride: small(stride),
            start_bit,
            requests: small(requests),
            rows_per_request: small(rows_per_request),
            row_bits: small(row_bits),
            buffer_row: small(buffer_row),
            lane_group,
        }));
    }

    fn loads(&mut self, round: usize, part: &mut Part) {
        let (n, g) = (self.config.numerics().clone(), self.config.geometry().clone());
        let bits = n.activation().bits() as usize;
        let loaded = self.size(1, part.activations.len());
        for attempt in 0..self.size(1, 2) {
            let n_rows = if attempt == 0 { loaded } else { self.size(1, loaded) };
            let buffer_row = part.activations.start + self.size(0, loaded - n_rows);
            if self.coin() {
                let elements = self.elements(g.rows());
                self.load(LoadTarget::Activations, n_rows, elements * bits, buffer_row, 0);
            } else {
                let s = self.size(0, g.rows().ilog2() as usize);
                let elements = self.size(1, (1 << s).min(g.bus_bits() / bits));
                self.load(LoadTarget::Activations, n_rows, elements * bits, buffer_row, small(1 + s));
            }
        }
        part.activations.end = part.activations.start + loaded;
        let elements = self.elements(g.cols());
        let rows = self.size(1, part.weights.len());
        self.load(LoadTarget::Weights, rows, elements * n.weight().bits() as usize, part.weights.start, 0);
        part.weights.end = part.weights.start + rows;
        if n.activation_table() && (round == 0 || self.lag == 1 && self.coin()) {
            let bits = n.output().bits();
            self.load(LoadTarget::Table, 1 << bits, bits as usize, 0, 0);
        }
        self.parameters(part);
    }

    /// Records that share their shift and zero point within a lane, so that any of them may be terms of one sum.
    fn parameters(&mut self, part: &mut Part) {
        let (n, lanes) = (self.config.numerics().clone(), self.config.geometry().requantizer_lanes());
        let rows = self.size(1, part.parameters.len().min(12));
        let data = self.random.pick(&Data::ALL);
        let channels: Vec<Channel> = (0..lanes).map(|_| data.channel(self.random, &n, 8)).collect();
        let bits = |value: i64, bits: u32| (0..bits).map(move |bit| value >> bit & 1);
        let mut records = Vec::new();
        for _ in 0..rows {
            for channel in &channels {
                let other = data.channel(self.random, &n, 8);
                let from = records.len();
                records.extend(bits(other.bias, n.bias_bits()));
                records.extend(bits(other.multiplier.into(), n.multiplier_bits()));
                records.extend(bits(channel.shift.into(), n.shift_bits()));
                records.extend(bits(channel.zero_point, n.output().bits() + 1));
                records.resize(from + n.parameter_bits() as usize, 0);
            }
        }
        let address = self.memory.len();
        self.memory.extend(pack(records, 1));
        self.commands.push(Command::Load(Load {
            target: LoadTarget::Parameters,
            tokens: NO_TOKENS,
            address: small(address),
            stride: small(lanes * n.parameter_bits() as usize / 8),
            start_bit: 0,
            requests: small(rows),
            rows_per_request: small(lanes),
            row_bits: small(n.parameter_bits() as usize),
            buffer_row: small(part.parameters.start),
            lane_group: 0,
        }));
        part.parameters.end = part.parameters.start + rows;
    }

    fn folds(&mut self, part: &mut Part) {
        // The first one writes a block of rows for the stores to read, by going round and round in what is loaded.
        let rows = self.size(1, part.accumulated.len());
        let round_and_round = Walk {
            inner_count: small(part.activations.len()),
            inner_stride: 1,
            ..Walk::linear(self.config.geometry().rows())
        };
        self.fold(part, round_and_round, part.activations.start, rows, 0, 1);
        for _ in 0..self.size(0, 4) {
            let (step, rows) = (self.random.pick(&[0, 0, 1, 1, 1, 2, 3, 15]), self.size(1, 14));
            let size = part.accumulated.len();
            let rows = rows.min((size - 1).checked_div(step).map_or(rows, |steps| steps + 1));
            let accumulator_row = self.size(0, size - 1 - (rows - 1) * step);
            let (walk, activation_row) = self.walk(part, rows);
            self.fold(part, walk, activation_row, rows, accumulator_row, step);
        }
    }

    fn fold(
        &mut self,
        part: &mut Part,
        walk: Walk,
        activation_row: usize,
        rows: usize,
        accumulator_row: usize,
        step: usize,
    ) {
        let k = self.size(1, self.config.geometry().rows().min(part.weights.len()));
        let weight_row = self.size(part.weights.start, part.weights.end - k);
        let targets: Vec<usize> = (0..rows).map(|i| accumulator_row + i * step).collect();
        let overwrite = targets.iter().any(|&row| !part.accumulated[row]) || self.random.below(4) == 0;
        targets.iter().for_each(|&row| part.accumulated[row] = true);
        self.commands.push(Command::Execute(Execute {
            tokens: NO_TOKENS,
            half: part.half,
            overwrite,
            push_late: true,
            maximum: self.random.below(3) == 0,
            accumulator_step: small(step),
            rows: small(rows),
            activation_row: small(activation_row),
            weight_row: small(weight_row),
            accumulator_row: small(accumulator_row),
            k: small(k),
            walk,
        }));
    }

    /// A walk whose rows are loaded, unless they are padding.
    fn walk(&mut self, part: &Part, rows: usize) -> (Walk, usize) {
        let mesh_rows = self.config.geometry().rows();
        let lane = mesh_rows as i64;
        for _ in 0..100 {
            let pick = |random: &mut Random, low, high| random.between(low, high);
            let random = &mut *self.random;
            let walk = Walk {
                inner_count: pick(random, 1, 5) as u16,
                inner_stride: pick(random, -1, 2) as u16,
                outer_stride: pick(random, -2, 5) as u16,
                pad: (random.word() & ((1 << self.config.numerics().activation().bits()) - 1)) as u16,
                x_start: pick(random, -2, lane + 2) as i32,
                x_step: pick(random, 0, 3) as u16,
                x_limit: pick(random, 0, 2 * lane) as u32,
                y_start: pick(random, -2, 1) as i16,
                y_step: pick(random, 0, 2) as u16,
                y_limit: pick(random, 0, 4) as u16,
            };
            let activation_row = self.size(part.activations.start, part.activations.end - 1);
            let mut places = walk.places(small(activation_row), mesh_rows).take(rows);
            if places.all(|p| p.keep_from >= p.keep_to || part.activations.contains(&p.row.into())) {
                return (walk, activation_row);
            }
        }
        (Walk { inner_stride: 0, ..Walk::linear(mesh_rows) }, part.activations.start)
    }

    fn stores(&mut self, part: &Part) {
        let (n, g) = (self.config.numerics().clone(), self.config.geometry().clone());
        let written = part.accumulated.iter().take_while(|&&written| written).count();
        let (parameter_rows, column_groups) = (part.parameters.len(), g.column_groups());
        for _ in 0..self.size(1, 3) {
            let most = written.min(parameter_rows).min(15);
            let terms = if self.coin() { 1 } else { self.size(1, most.clamp(1, 3)) };
            let terms = if self.random.below(8) == 0 { most } else { terms };
            let groups = self.size(1, parameter_rows / terms);
            let tiles = groups.div_ceil(column_groups);
            let last_groups = groups - (tiles - 1) * column_groups;
            let rows = self.size(1, written / terms);
            let tile_stride = self.size(0, (written - rows * terms).checked_div(tiles - 1).unwrap_or(7));
            let spare = written - rows * terms - if tiles > 1 { (tiles - 1) * tile_stride } else { 0 };
            let accumulator_row = self.size(0, spare);
            let columns = (groups - 1) * g.requantizer_lanes() + self.size(1, g.requantizer_lanes());
            let row_bits = columns * n.output().bits() as usize;
            let stride = row_bits.div_ceil(8) + self.size(0, 5);
            let address = self.memory.len() + self.size(0, 5);
            self.memory.resize(address + rows * stride, 0xa5);
            let table = n.activation_table() && self.coin();
            let spare_rows = parameter_rows - groups * terms;
            let parameter_row = part.parameters.start + self.size(0, spare_rows);
            let bounds = Data::Uniform.bounds(self.random, &n);
            let bound = |value: i64| n.output().encode(value) as u16;
            self.commands.push(Command::Store(Store {
                tokens: NO_TOKENS,
                half: part.half,
                rows: small(rows),
                address: small(address),
                stride: small(stride),
                accumulator_row: small(accumulator_row),
                tile_stride: small(tile_stride),
                tiles: small(tiles),
                last_groups: small(last_groups),
                parameter_row: small(parameter_row),
                terms: small(terms),
                table,
                row_bits: small(row_bits),
                low: bound(bounds.low),
                high: bound(bounds.high),
                index: self.random.word() as u32,
            }));
        }
    }
}
