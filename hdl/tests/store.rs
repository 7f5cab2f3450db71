//! The store engine against a model of its rules, every output in every cycle, and the memory against exact arithmetic.

mod common;

use common::Random;
use hdl::bits::Bits;
use hdl::simulate::Stepper;
use hdl::Store;
use spec::{Command, Config, Tokens};
use std::collections::VecDeque;

const ROW_BYTES: usize = 64;

/// The columns of an accumulator row, and the parameters of a channel: bias, multiplier, shift, zero point.
type Row = Vec<i64>;
type Channel = (i64, i64, u32, i64);

struct Buffers {
    accumulator: [Vec<Row>; 2],
    /// By parameter row, then lane.
    parameters: Vec<Vec<Channel>>,
    table: Vec<u128>,
}

struct Inputs {
    command: Option<spec::Store>,
    available: [bool; 2],
    space: [bool; 2],
    request_ready: bool,
    data_ready: bool,
    response: bool,
}

type Seen = Vec<(&'static str, u128)>;

/// A term's place.
#[derive(Clone, Copy)]
struct Place {
    half: bool,
    accumulator_row: u16,
    group: u16,
    parameter_row: u16,
    is_last_term: bool,
}

#[derive(Default)]
struct Model {
    bus: usize,
    group_bits: usize,
    column_groups: u16,
    requests: Option<spec::Store>,
    request_address: u32,
    requests_left: u16,
    ack_pending: bool,
    outstanding: u32,
    /// What is still to be read of the command, in order.
    reads: VecDeque<Place>,
    /// What was read of the group.
    terms: Vec<Place>,
    push_execute: bool,
    command: Option<spec::Store>,
    credits: usize,
    credit_back: usize,
    pipeline: VecDeque<Option<u128>>,
    groups: VecDeque<u128>,
    jobs: VecDeque<spec::Store>,
    job: Option<spec::Store>,
    pack_rows_left: u16,
    bits_left: usize,
    group_left: usize,
    word_index: usize,
    offset: usize,
    fill: usize,
    first: bool,
    flush: bool,
    hold: u128,
}

fn mask(n: usize) -> u128 {
    (1 << n) - 1
}

impl Model {
    fn row_start(&mut self, offset: usize, row_bits: usize) {
        (self.offset, self.fill, self.hold, self.first, self.flush) = (offset, offset, 0, true, false);
        (self.bits_left, self.group_left, self.word_index) = (row_bits, self.group_bits.min(row_bits), 0);
    }

    fn row_done(&mut self, job: &spec::Store) {
        self.pack_rows_left -= 1;
        if self.pack_rows_left == 0 {
            self.job = None;
        }
        self.row_start((self.offset + 8 * job.stride as usize) % self.bus, job.row_bits as usize);
    }

    fn pack(&mut self, inputs: &Inputs, seen: &mut Seen) {
        let bus = self.bus;
        let new_job = if self.job.is_none() { self.jobs.front().copied() } else { None };
        let (mut beat, mut payload, mut event) = (None, 0, 3);
        if let Some(job) = self.job {
            let first_byte = if self.first { self.offset / 8 } else { 0 };
            let bytes = |to: usize| mask(to.div_ceil(8)) & !mask(first_byte);
            if self.flush {
                beat = Some((self.hold, bytes(self.fill)));
                event = 1;
                if inputs.data_ready {
                    self.row_done(&job);
                }
            } else if let Some(group) = self.groups.front().copied() {
                event = 1;
                let need = bus.min(self.group_left);
                let word = group >> (self.word_index * bus) & mask(need);
                let (both, total) = (self.hold | word << self.fill, self.fill + need);
                let row_end = need == self.bits_left;
                if total >= bus || row_end {
                    beat = Some((both & mask(bus), bytes(total.min(bus))));
                }
                if beat.is_none() || inputs.data_ready {
                    payload = need;
                    self.first &= beat.is_none();
                    self.bits_left -= need;
                    self.hold = if total >= bus { both >> bus } else { both };
                    self.fill = if total >= bus { total - bus } else { total };
                    self.group_left -= need;
                    self.word_index += 1;
                    if self.group_left == 0 {
                        self.groups.pop_front();
                        self.credit_back = 1;
                        (self.group_left, self.word_index) = (self.group_bits.min(self.bits_left), 0);
                    }
                    if row_end && total > bus {
                        self.flush = true;
                    } else if row_end {
                        self.row_done(&job);
                    }
                }
            } else {
                event = 2;
            }
        }
        if let Some(job) = new_job {
            self.jobs.pop_front();
            self.job = Some(job);
            self.pack_rows_left = job.rows;
            self.row_start(8 * job.address as usize % bus, job.row_bits as usize);
        }
        if beat.is_some() && !inputs.data_ready {
            event = 0;
        }
        seen.push(("write_data_valid_out", beat.is_some().into()));
        if let Some((data, strobe)) = beat {
            seen.push(("write_data_out", data));
            seen.push(("write_data_strobe_out", strobe));
        }
        seen.push(("write_beat_out", (beat.is_some() && inputs.data_ready).into()));
        seen.push(("output_bits_out", payload as u128));
        seen.push(("pack_events_out", 1 << event));
    }

    /// The outputs of this cycle; then the registers take their next values.
    fn cycle(&mut self, inputs: &Inputs, requantize: impl Fn(&[Place], &spec::Store) -> u128) -> Seen {
        let mut seen = Seen::new();
        let (reading, requesting, waiting) = (!self.reads.is_empty(), self.requests.is_some(), self.ack_pending);
        let room = self.jobs.len() < 4;
        let quiet = self.jobs.is_empty() && self.job.is_none() && self.groups.is_empty() && self.outstanding == 0;
        seen.push(("idle_out", (!reading && !requesting && !waiting && quiet).into()));
        let acknowledged = waiting && !reading && !requesting && self.outstanding == 0;
        seen.push(("push_first_out", acknowledged.into()));
        self.ack_pending &= !acknowledged;

        // The group that is in its last register enters the queue at the end of this cycle.
        let entering = self.pipeline.pop_front().flatten();
        let credits = self.credits;
        self.pack(inputs, &mut seen);
        self.groups.extend(entering);
        self.credits += std::mem::take(&mut self.credit_back);

        let reads = reading && credits > 0;
        seen.push(("read_out", reads.into()));
        let mut last = false;
        if reads {
            let place = self.reads.pop_front().expect("reading");
            last = self.reads.is_empty();
            seen.push(("accumulator_half_out", place.half.into()));
            seen.push(("accumulator_addr_out", place.accumulator_row.into()));
            seen.push(("parameter_addr_out", place.parameter_row.into()));
            self.terms.push(place);
        }
        let is_group_end = reads && self.terms.last().is_some_and(|place| place.is_last_term);
        self.pipeline.push_back(is_group_end.then(|| {
            self.credits -= 1;
            requantize(&std::mem::take(&mut self.terms), &self.command.expect("a command is read"))
        }));
        seen.push(("push_second_out", (last && self.push_execute).into()));

        // Issue and requests.
        seen.push(("write_request_valid_out", requesting.into()));
        let mut request_taken = false;
        if let Some(command) = self.requests {
            let bytes = self.bus as u32 / 8;
            let offset = 8 * (self.request_address % bytes) as usize;
            seen.push(("write_request_address_out", (self.request_address / bytes * bytes).into()));
            seen.push(("write_request_beats_out", (offset + command.row_bits as usize).div_ceil(self.bus) as u128));
            request_taken = inputs.request_ready;
            if request_taken {
                self.request_address = self.request_address.wrapping_add(command.stride);
                self.requests_left -= 1;
                if self.requests_left == 0 {
                    self.requests = None;
                }
            }
        }
        self.outstanding = self.outstanding + u32::from(request_taken) - u32::from(inputs.response);
        let mut issued = [false; 5];
        let event = if reads {
            0
        } else if reading {
            1
        } else if requesting {
            2
        } else if waiting {
            3
        } else if let Some(command) = inputs.command {
            let t = command.tokens;
            let full = (t.push_first && !inputs.space[0]) || (t.push_second && !inputs.space[1]) || !room;
            if t.pop_first && !inputs.available[0] {
                5
            } else if t.pop_second && !inputs.available[1] {
                6
            } else if full {
                7
            } else {
                issued = [true, t.pop_first, t.pop_second, t.push_first, t.push_second];
                self.issue(command);
                8
            }
        } else {
            4
        };
        seen.push(("store_events_out", 1 << event));
        let names = ["take_out", "pop_first_out", "pop_second_out", "reserve_first_out", "reserve_second_out"];
        seen.extend(names.into_iter().zip(issued.map(u128::from)));
        seen
    }

    fn issue(&mut self, command: spec::Store) {
        self.jobs.push_back(command);
        self.requests = Some(command);
        (self.request_address, self.requests_left) = (command.address, command.rows);
        self.ack_pending = command.tokens.push_first;
        self.push_execute = command.tokens.push_second;
        self.command = Some(command);
        self.reads = places(&command, self.column_groups).into();
    }
}

/// The terms of a command in the order of its rows, tiles, columns and terms.
fn places(c: &spec::Store, column_groups: u16) -> Vec<Place> {
    let mut places = Vec::new();
    for i in 0..c.rows {
        let mut parameter_row = c.parameter_row;
        for t in 0..c.tiles {
            let n = if t + 1 == c.tiles { c.last_groups.into() } else { column_groups };
            for group in 0..n {
                for u in 0..u16::from(c.terms) {
                    places.push(Place {
                        half: c.half,
                        accumulator_row: c.accumulator_row + i * u16::from(c.terms) + u + t * c.tile_stride,
                        group,
                        parameter_row,
                        is_last_term: u + 1 == c.terms.into(),
                    });
                    parameter_row += 1;
                }
            }
        }
    }
    places
}

/// Bounds as values of the output.
fn decoded(config: &Config, (low, high): (u16, u16)) -> (i64, i64) {
    let output = config.numerics().output();
    (output.decode(low.into()), output.decode(high.into()))
}

/// A lane's result of the terms of a group: half toward positive, with exact division.
fn requantized(config: &Config, buffers: &Buffers, terms: &[Place], lane: usize, command: &spec::Store) -> u128 {
    let n = config.numerics();
    let mut product = 0_i128;
    let mut last = (0, 0);
    for term in terms {
        let column = usize::from(term.group) * config.geometry().requantizer_lanes() + lane;
        let accumulator = buffers.accumulator[usize::from(term.half)][usize::from(term.accumulator_row)][column];
        let (bias, multiplier, shift, zero_point) = buffers.parameters[usize::from(term.parameter_row)][lane];
        product += i128::from(accumulator + bias) * i128::from(multiplier);
        last = (shift, i128::from(zero_point));
    }
    let (shift, zero_point) = last;
    let range = 1_i128 << (n.accumulator_bits() + n.multiplier_bits());
    let product = (product + range / 2).rem_euclid(range) - range / 2;
    let divisor = 1_i128 << shift;
    let rounded = (2 * product + divisor).div_euclid(2 * divisor);
    let (low, high) = decoded(config, (command.low, command.high));
    let result = (rounded + zero_point).clamp(low.into(), high.into());
    let result = Bits::from_i128(result, n.output().bits() as usize).low_u128();
    if command.table {
        buffers.table[result as usize]
    } else {
        result
    }
}

fn random_buffers(config: &Config, random: &mut Random) -> Buffers {
    let (n, g) = (config.numerics(), config.geometry());
    // Room for the bias: the sum does not wrap here, that is the requantizer's own test.
    let accumulator_bits = n.accumulator_bits() as usize - 2;
    let mut rows = || -> Vec<Row> {
        let mut row = || (0..g.cols()).map(|_| random.signed(accumulator_bits) as i64).collect();
        (0..g.accumulator_rows()).map(|_| row()).collect()
    };
    let accumulator = [rows(), rows()];
    let mut channel = || {
        let zero_point = random.signed(n.output().bits() as usize + 1) as i64;
        let shift = accumulator_bits as u64 + u64::from(n.multiplier_bits()) - u64::from(n.output().bits());
        let shift = shift.min((1 << n.shift_bits()) - 1) - random.below(4);
        let multiplier = random.below(1 << n.multiplier_bits()) as i64;
        (random.signed(n.bias_bits() as usize) as i64, multiplier, shift as u32, zero_point)
    };
    let parameters = (0..g.parameter_rows()).map(|_| (0..g.requantizer_lanes()).map(|_| channel()).collect()).collect();
    let table = (0..1 << n.output().bits()).map(|_| random.bits(n.output().bits() as usize).low_u128()).collect();
    Buffers { accumulator, parameters, table }
}

fn random_store(config: &Config, random: &mut Random, idx: u32) -> spec::Store {
    let (n, g) = (config.numerics(), config.geometry());
    let mut flag = || random.below(3) == 0;
    let tokens = Tokens { pop_first: flag(), pop_second: flag(), push_first: flag(), push_second: flag() };
    let (tiles, rows) = (1 + random.below(3) as u16, 1 + random.below(4) as u16);
    let last_groups = 1 + random.below(g.column_groups() as u64) as u8;
    let lanes = g.requantizer_lanes();
    let columns = (usize::from(tiles - 1) * g.column_groups() + usize::from(last_groups)) * lanes;
    let columns = columns - random.below(lanes as u64) as usize;
    let (min, max) = (n.output().min() as i128, n.output().max() as i128);
    let mut bound = || (min + (random.word() as i128).rem_euclid(max - min + 1)) as i64;
    let (one, other) = (bound(), bound());
    let encode = |bound: i64| n.output().encode(bound) as u16;
    spec::Store {
        tokens,
        half: random.below(2) == 0,
        rows,
        // Rows of different commands do not meet in a byte.
        address: idx * 4 * ROW_BYTES as u32 + random.below(8) as u32,
        stride: ROW_BYTES as u32 - 9 + random.below(9) as u32,
        accumulator_row: random.below(4) as u16,
        tile_stride: random.below(4) as u16,
        tiles,
        last_groups,
        parameter_row: random.below(8) as u16,
        terms: 1 + random.below(3) as u8,
        table: n.activation_table() && random.below(2) == 0,
        row_bits: columns as u32 * n.output().bits(),
        low: encode(one.min(other)),
        high: encode(one.max(other)),
        index: 0,
    }
}

/// Writes what a store must write, over a memory of ones.
fn expect(memory: &mut [u8], command: &spec::Store, config: &Config, buffers: &Buffers) {
    let (output, lanes) = (config.numerics().output().bits() as usize, config.geometry().requantizer_lanes());
    let row_bits = command.row_bits as usize;
    let per_row = places(command, config.geometry().column_groups() as u16);
    let n_groups = per_row.len() / usize::from(command.rows);
    for (i, row) in per_row.chunks(n_groups).enumerate() {
        let from = command.address as usize + i * command.stride as usize;
        memory[from..from + row_bits.div_ceil(8)].fill(0);
        let groups = row.chunks(command.terms.into());
        let columns = groups.flat_map(|terms| (0..lanes).map(move |lane| (terms, lane)));
        for (j, (terms, lane)) in columns.enumerate() {
            let value = requantized(config, buffers, terms, lane, command);
            for bit in (0..output).filter(|bit| j * output + bit < row_bits) {
                let at = j * output + bit;
                memory[from + at / 8] |= ((value >> bit & 1) as u8) << (at % 8);
            }
        }
    }
}

fn stores_are_right(config: &Config, busy: u64, seed: u64) {
    let (n, g) = (config.numerics(), config.geometry());
    let mut random = Random::new(seed);
    let buffers = random_buffers(config, &mut random);
    let (bus, lanes, output) = (g.bus_bits(), g.requantizer_lanes(), n.output().bits() as usize);
    let mut queue: VecDeque<spec::Store> = (0..80).map(|i| random_store(config, &mut random, i)).collect();
    let mut expected = vec![0xff; 80 * 4 * ROW_BYTES + 2 * ROW_BYTES];
    let mut memory = expected.clone();
    let mut pushes = [0; 2];
    for command in &queue {
        expect(&mut expected, command, config, &buffers);
        pushes[0] += usize::from(command.tokens.push_first);
        pushes[1] += usize::from(command.tokens.push_second);
    }
    let requantize = |terms: &[Place], command: &spec::Store| {
        (0..lanes).fold(0, |word, lane| word | requantized(config, &buffers, terms, lane, command) << (lane * output))
    };
    let mut model = Model {
        bus,
        group_bits: lanes * output,
        column_groups: g.column_groups() as u16,
        credits: 8,
        pipeline: VecDeque::from(vec![None; 5 + usize::from(n.activation_table())]),
        ..Model::default()
    };
    let mut dut = Stepper::new(Store::new(config)).expect("accepted");
    if n.activation_table() {
        dut.block_mut().table_write_in[0].next = true.into();
        for (entry, &value) in buffers.table.iter().enumerate() {
            dut.block_mut().table_addr_in[0].next = entry.into();
            dut.block_mut().table_data_in[0].next = Bits::new(value, output);
            dut.edge().expect("settles");
        }
        dut.block_mut().table_write_in[0].next = false.into();
        // An entry of no write.
        dut.block_mut().table_data_in[0].next = 0.into();
    }
    // Bursts whose requests are taken, with the beats that are still to come, and bursts to be acknowledged.
    let mut bursts: VecDeque<(usize, usize)> = VecDeque::new();
    let (mut early, mut beats, mut responses) = (VecDeque::new(), 0, 0);
    let mut cycle = 0;
    loop {
        let mut on = |busy| random.below(8) < busy;
        let inputs = Inputs {
            command: queue.front().copied().filter(|_| on(7)),
            available: [on(4), on(4)],
            space: [on(4), on(4)],
            request_ready: on(busy),
            data_ready: on(busy),
            response: responses > 0 && on(busy),
        };
        responses -= usize::from(inputs.response);
        let block = dut.block_mut();
        block.command_valid_in.next = inputs.command.is_some().into();
        let words = inputs.command.map_or([0; 8], |store| Command::Store(store).encode());
        let pair = |i: usize| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32;
        block.command_in.next = Bits::from_words((0..4).map(pair).collect(), 256);
        block.first_available_in.next = inputs.available[0].into();
        block.second_available_in.next = inputs.available[1].into();
        block.first_space_in.next = inputs.space[0].into();
        block.second_space_in.next = inputs.space[1].into();
        block.write_request_ready_in.next = inputs.request_ready.into();
        block.write_data_ready_in.next = inputs.data_ready.into();
        block.write_response_valid_in.next = inputs.response.into();
        dut.settle().expect("settles");
        for (port, value) in model.cycle(&inputs, requantize) {
            let actual = dut.get(port).expect("a port").low_u128();
            assert_eq!(actual, value, "{port} in cycle {cycle}, seed {seed}");
        }
        let get = |port| dut.get(port).expect("a port").low_u128();
        if get("take_out") == 1 {
            queue.pop_front();
        }
        if get("write_request_valid_out") == 1 && inputs.request_ready {
            bursts.push_back((get("write_request_address_out") as usize, get("write_request_beats_out") as usize));
        }
        if get("write_beat_out") == 1 {
            early.push_back((get("write_data_out"), get("write_data_strobe_out")));
        }
        // Beats may come before their request.
        while let (Some(&(address, n_beats)), Some(&(data, strobe))) = (bursts.front(), early.front()) {
            for byte in (0..bus / 8).filter(|byte| strobe >> byte & 1 == 1) {
                memory[address + beats * bus / 8 + byte] = (data >> (8 * byte)) as u8;
            }
            early.pop_front();
            beats += 1;
            if beats == n_beats {
                (beats, responses) = (0, responses + 1);
                bursts.pop_front();
            }
        }
        pushes[0] -= get("push_first_out") as usize;
        pushes[1] -= get("push_second_out") as usize;
        let done = queue.is_empty() && get("take_out") == 0 && get("idle_out") == 1;
        // The memories answer in the next cycle.
        let half = get("accumulator_half_out") as usize;
        let row = &buffers.accumulator[half][get("accumulator_addr_out") as usize % g.accumulator_rows()];
        let channels = &buffers.parameters[get("parameter_addr_out") as usize % g.parameter_rows()];
        let (accumulators, records) = answers(config, row, channels);
        dut.edge().expect("settles");
        dut.block_mut().accumulator_data_in.next = accumulators;
        dut.block_mut().parameter_data_in.next = records;
        cycle += 1;
        assert!(cycle < 200_000, "no end");
        if done {
            break;
        }
    }
    assert!(bursts.is_empty() && early.is_empty() && beats == 0, "the bursts are what was announced");
    assert_eq!(pushes, [0, 0], "every push happens once");
    let wrong = memory.iter().zip(&expected).position(|(a, b)| a != b);
    assert_eq!(wrong, None, "first wrong byte, seed {seed}");
}

/// A row of the accumulator and of the parameter buffer as buses.
fn answers(config: &Config, row: &Row, channels: &[Channel]) -> (Bits, Bits) {
    let n = config.numerics();
    let (accumulator, record) = (n.accumulator_bits() as usize, n.parameter_bits() as usize);
    let mut accumulators = Bits::zero(row.len() * accumulator);
    for (i, &value) in row.iter().enumerate() {
        accumulators.set_slice(i * accumulator, &Bits::from_i128(value.into(), accumulator));
    }
    let mut records = Bits::zero(channels.len() * record);
    for (i, &(bias, multiplier, shift, zero_point)) in channels.iter().enumerate() {
        let mut at = i * record;
        for (value, width) in [
            (bias, n.bias_bits()),
            (multiplier, n.multiplier_bits()),
            (shift.into(), n.shift_bits()),
            (zero_point, n.bound().bits()),
        ] {
            records.set_slice(at, &Bits::from_i128(value.into(), width as usize));
            at += width as usize;
        }
    }
    (accumulators, records)
}

fn config(change: impl FnOnce(&mut spec::RawConfig)) -> Config {
    let mut raw = spec::RawConfig::from(&Config::named("tiny").expect("a named configuration"));
    // Rows for three terms each.
    raw.geometry.accumulator_rows = 32;
    change(&mut raw);
    Config::try_from(raw).expect("a valid configuration")
}

#[test]
fn tiny_stores_follow_the_contract() {
    for busy in [8, 4, 1] {
        stores_are_right(&config(|_| {}), busy, busy);
    }
}

/// Lookups and results as they are, one cycle later than without a table.
#[test]
fn stores_with_a_table_follow_the_contract() {
    for (output_bits, output_signed) in [(5, false), (8, true), (1, true)] {
        let config = config(|raw| {
            raw.numerics.activation_table = true;
            raw.numerics.output_bits = output_bits;
            raw.numerics.output_signed = output_signed;
            raw.geometry.cols = 6;
            raw.geometry.requantizer_lanes = 3;
        });
        stores_are_right(&config, 4, 40 + u64::from(output_bits));
    }
}

/// Groups of 49 bits, wider than the bus and not a multiple of anything.
#[test]
fn wide_groups_follow_the_contract() {
    let config = config(|raw| {
        raw.geometry.cols = 14;
        raw.geometry.requantizer_lanes = 7;
        raw.numerics.output_bits = 7;
        raw.numerics.output_signed = true;
    });
    for busy in [8, 3] {
        stores_are_right(&config, busy, 10 + busy);
    }
}

/// One group a row of the accumulator, of exactly the bus.
#[test]
fn whole_words_follow_the_contract() {
    let config = config(|raw| {
        raw.geometry.cols = 8;
        raw.geometry.requantizer_lanes = 8;
        raw.numerics.output_bits = 4;
    });
    for busy in [8, 3] {
        stores_are_right(&config, busy, 20 + busy);
    }
}

#[test]
fn a_bus_wider_than_every_row_follows_the_contract() {
    stores_are_right(&config(|raw| raw.geometry.bus_bits = 64), 5, 30);
}
