//! The load engine against a model of its rules, every output in every cycle, and the rows against the memory they
//! come from.

mod common;

use common::Random;
use hdl::bits::Bits;
use hdl::simulate::Stepper;
use hdl::Load;
use spec::{Command, Config, LoadTarget, Tokens};
use std::collections::VecDeque;

/// The bits `from..from + n` of `memory`, least significant first; 128 at most.
fn memory_bits(memory: &[u8], from: usize, n: usize) -> u128 {
    (0..n).fold(0, |bits, i| {
        let at = from + i;
        bits | u128::from(memory[at / 8] >> (at % 8) & 1) << i
    })
}

fn mask(n: usize) -> u128 {
    (1 << n) - 1
}

/// The inputs of a cycle.
struct Inputs {
    command: Option<spec::Load>,
    available: [bool; 2],
    space: [bool; 2],
    request_ready: bool,
    beat: Option<u128>,
}

/// What must be seen in a cycle, by port name.
type Seen = Vec<(&'static str, u128)>;

#[derive(Default)]
struct Model {
    bus: usize,
    lanes: u16,
    activation_bits: usize,
    mesh_rows: usize,
    // Issue and requests.
    requests: Option<spec::Load>,
    request_address: u32,
    requests_left: u16,
    jobs: VecDeque<spec::Load>,
    // Unpack.
    job: Option<spec::Load>,
    unpack_requests: u16,
    rows_left: u16,
    need_left: usize,
    offset: usize,
    position: usize,
    hold: u128,
    slot: usize,
    first: bool,
    row: u128,
    buffer_row: u16,
    bank: u16,
    // The row register's companions.
    written: Option<(LoadTarget, u16, u16)>,
    push: [bool; 2],
}

impl Model {
    /// The outputs of this cycle; then the registers take their next values.
    fn cycle(&mut self, inputs: &Inputs) -> Seen {
        let mut seen = Seen::new();
        let bus = self.bus;
        let room = self.jobs.len() < 4;
        let written = self.written.take();
        let push = std::mem::take(&mut self.push);
        let is = |target| u128::from(written.is_some_and(|(t, ..)| t == target));
        seen.push(("activation_write_out", is(LoadTarget::Activations)));
        seen.push(("weight_write_out", is(LoadTarget::Weights)));
        seen.push(("parameter_write_out", is(LoadTarget::Parameters)));
        seen.push(("table_write_out", is(LoadTarget::Table)));
        if let Some((target, row, bank)) = written {
            seen.push(("row_addr_out", row.into()));
            seen.push(("row_data_out", self.row));
            if target == LoadTarget::Parameters {
                seen.push(("row_bank_out", bank.into()));
            }
        }
        seen.push(("push_first_out", push[0].into()));
        seen.push(("push_second_out", push[1].into()));
        let idle = self.requests.is_none() && self.jobs.is_empty() && self.job.is_none() && written.is_none();
        seen.push(("idle_out", idle.into()));

        // Unpack.
        let new_job = if self.job.is_none() { self.jobs.front().copied() } else { None };
        let (mut payload, mut event, mut taken) = ((None, 0), 2, false);
        let mut ready = false;
        if let Some(job) = self.job {
            let need = bus.min(self.need_left);
            let (skip, held) = (self.position + need > 2 * bus, self.position + need <= bus);
            ready = !held;
            taken = ready && inputs.beat.is_some();
            event = if ready && !taken { 0 } else { 1 };
            let from = self.position;
            let both = self.hold | inputs.beat.unwrap_or(0) << bus;
            let emits = !skip && (held || taken);
            self.position += if emits { need } else { 0 };
            if taken {
                self.hold = inputs.beat.unwrap_or(0);
                self.position -= bus;
            }
            if emits {
                payload = (Some(job.target), need);
                let word = both >> from & mask(need);
                self.row = match (job.lane_group, self.slot) {
                    (0, 0) => word,
                    (0, slot) => self.row & mask(slot * bus) | word << (slot * bus),
                    (group, _) => {
                        let older = if self.first { 0 } else { self.row };
                        let shift = self.activation_bits << (group - 1);
                        (older << shift | word) & mask(self.mesh_rows * self.activation_bits)
                    }
                };
                self.first = false;
                self.emitted(job, need);
            }
        }
        seen.push(("read_data_ready_out", ready.into()));
        seen.push(("read_beat_out", taken.into()));
        seen.push(("unpack_events_out", 1 << event));
        let counted = |target| if payload.0 == Some(target) { payload.1 as u128 } else { 0 };
        seen.push(("activation_bits_out", counted(LoadTarget::Activations)));
        seen.push(("weight_bits_out", counted(LoadTarget::Weights)));
        seen.push(("parameter_bits_out", counted(LoadTarget::Parameters) + counted(LoadTarget::Table)));
        if let Some(job) = new_job {
            self.jobs.pop_front();
            self.job = Some(job);
            self.offset = (8 * job.address as usize + usize::from(job.start_bit)) % bus;
            self.position = bus + self.offset;
            self.need_left = job.row_bits.into();
            self.rows_left = job.rows_per_request;
            self.unpack_requests = job.requests;
            (self.slot, self.bank, self.buffer_row, self.first) = (0, 0, job.buffer_row, true);
        }

        // Issue and requests.
        seen.push(("read_request_valid_out", self.requests.is_some().into()));
        let mut issued = [false; 5];
        let event = if let Some(command) = self.requests {
            let offset = 8 * (self.request_address as usize % (bus / 8)) + usize::from(command.start_bit);
            let beats = (offset + command.request_bits() as usize).div_ceil(bus);
            seen.push((
                "read_request_address_out",
                (self.request_address / (bus as u32 / 8) * (bus as u32 / 8)).into(),
            ));
            seen.push(("read_request_beats_out", beats as u128));
            if inputs.request_ready {
                self.request_address = self.request_address.wrapping_add(command.stride);
                self.requests_left -= 1;
                if self.requests_left == 0 {
                    self.requests = None;
                }
            }
            usize::from(!inputs.request_ready)
        } else if let Some(command) = inputs.command {
            let t = command.tokens;
            let full = (t.push_first && !inputs.space[0]) || (t.push_second && !inputs.space[1]) || !room;
            if t.pop_first && !inputs.available[0] {
                3
            } else if t.pop_second && !inputs.available[1] {
                4
            } else if full {
                5
            } else {
                issued = [true, t.pop_first, t.pop_second, t.push_first, t.push_second];
                self.jobs.push_back(command);
                self.requests = Some(command);
                self.request_address = command.address;
                self.requests_left = command.requests;
                6
            }
        } else {
            2
        };
        seen.push(("load_events_out", 1 << event));
        let names = ["take_out", "pop_first_out", "pop_second_out", "reserve_first_out", "reserve_second_out"];
        seen.extend(names.into_iter().zip(issued.map(u128::from)));
        seen
    }

    fn emitted(&mut self, job: spec::Load, need: usize) {
        self.need_left -= need;
        self.slot += 1;
        if self.need_left > 0 {
            return;
        }
        self.written = Some((job.target, self.buffer_row, self.bank));
        (self.need_left, self.slot) = (job.row_bits.into(), 0);
        self.bank += 1;
        if job.target != LoadTarget::Parameters || self.bank == self.lanes {
            self.bank = 0;
            self.buffer_row += 1;
        }
        self.rows_left -= 1;
        if self.rows_left == 0 {
            self.rows_left = job.rows_per_request;
            self.unpack_requests -= 1;
            self.offset = (self.offset + 8 * job.stride as usize) % self.bus;
            self.position = self.bus + self.offset;
            if self.unpack_requests == 0 {
                self.job = None;
                self.push = [job.tokens.push_first, job.tokens.push_second];
            }
        }
    }
}

fn config(change: impl FnOnce(&mut spec::RawConfig)) -> Config {
    let mut raw = spec::RawConfig::from(&Config::named("tiny").expect("a named configuration"));
    change(&mut raw);
    Config::try_from(raw).expect("a valid configuration")
}

fn random_load(config: &Config, random: &mut Random, memory_bytes: u64) -> spec::Load {
    let (n, g) = (config.numerics(), config.geometry());
    let mut flag = || random.below(3) == 0;
    let tokens = Tokens { pop_first: flag(), pop_second: flag(), push_first: flag(), push_second: flag() };
    let n_targets = if n.activation_table() { 4 } else { 3 };
    let (target, widest, depth) = match random.below(n_targets) {
        0 => (LoadTarget::Activations, n.activation().bits() as usize * g.rows(), g.activation_buffer_rows()),
        1 => (LoadTarget::Weights, n.weight().bits() as usize * g.cols(), g.weight_buffer_rows()),
        2 => (LoadTarget::Parameters, n.parameter_bits() as usize, g.parameter_rows()),
        _ => (LoadTarget::Table, n.output().bits() as usize, 1 << n.output().bits()),
    };
    // Half of the activations are windows; a piece has at most the lanes of its group, and fits a word.
    let lane_group = match target {
        LoadTarget::Activations if random.below(2) == 0 => 1 + random.below(u64::from(g.rows().ilog2()) + 1) as u8,
        _ => 0,
    };
    let widest = match lane_group {
        0 => widest,
        group => g.bus_bits().min((n.activation().bits() as usize) << (group - 1)),
    };
    let load = spec::Load {
        target,
        tokens,
        address: random.below(memory_bytes / 4) as u32,
        stride: random.below(memory_bytes / 16) as u32,
        start_bit: random.below(8) as u8,
        requests: 1 + random.below(4) as u16,
        rows_per_request: 1 + random.below(6) as u16,
        row_bits: 1 + random.below(widest as u64) as u16,
        buffer_row: random.below(depth as u64 / 2) as u16,
        lane_group,
    };
    // Rows must fit the buffer; a short buffer takes fewer.
    let rows = usize::from(load.requests * load.rows_per_request);
    match usize::from(load.buffer_row) + rows <= depth {
        true => load,
        false => spec::Load { requests: 1, rows_per_request: 1, ..load },
    }
}

/// The rows that a load must write: (target, row, bank, value).
fn rows_of(load: &spec::Load, config: &Config, memory: &[u8]) -> Vec<(usize, u16, u16, u128)> {
    let lanes = config.geometry().requantizer_lanes() as u16;
    let (mesh_rows, activation) = (config.geometry().rows(), config.numerics().activation().bits() as usize);
    let mut rows = Vec::new();
    let mut read: Vec<u128> = Vec::new();
    for request in 0..usize::from(load.requests) {
        let from = 8 * (load.address as usize + request * load.stride as usize) + usize::from(load.start_bit);
        for row in 0..usize::from(load.rows_per_request) {
            let value = memory_bits(memory, from + row * usize::from(load.row_bits), load.row_bits.into());
            read.push(value);
            let value = match load.lane_group {
                0 => value,
                // Lane by lane: lane r is lane r mod 2^s of the row read r / 2^s rows before.
                group => (0..mesh_rows).fold(0, |window, r| {
                    let (before, lane) = (r >> (group - 1), r % (1 << (group - 1)));
                    let piece = read.len().checked_sub(1 + before).map_or(0, |at| read[at]);
                    window | (piece >> (lane * activation) & mask(activation)) << (r * activation)
                }),
            };
            let idx = rows.len() as u16;
            let (row, bank) = if load.target == LoadTarget::Parameters { (idx / lanes, idx % lanes) } else { (idx, 0) };
            rows.push((load.target as usize, load.buffer_row + row, bank, value));
        }
    }
    rows
}

/// Random loads against random delays on every channel; `busy` is how many of 8 cycles a channel is ready in.
fn loads_are_right(config: &Config, busy: u64, seed: u64) {
    let mut random = Random::new(seed);
    let lanes = config.geometry().requantizer_lanes() as u16;
    let bus = config.geometry().bus_bits();
    let memory: Vec<u8> = (0..4096).map(|_| random.word() as u8).collect();
    let mut queue: VecDeque<spec::Load> = (0..120).map(|_| random_load(config, &mut random, 4096)).collect();
    let mut expected_rows: VecDeque<_> = queue.iter().flat_map(|load| rows_of(load, config, &memory)).collect();
    let mut expected_pushes = [0; 2];
    for load in &queue {
        expected_pushes[0] += usize::from(load.tokens.push_first);
        expected_pushes[1] += usize::from(load.tokens.push_second);
    }
    let (activation_bits, mesh_rows) = (config.numerics().activation().bits() as usize, config.geometry().rows());
    let mut model = Model { bus, lanes, activation_bits, mesh_rows, ..Model::default() };
    let mut dut = Stepper::new(Load::new(config)).expect("accepted");
    let mut beats: VecDeque<u128> = VecDeque::new();
    let mut offered = false;
    let mut cycle = 0;
    loop {
        let mut on = |busy| random.below(8) < busy;
        offered = !beats.is_empty() && (offered || on(busy));
        let inputs = Inputs {
            command: queue.front().copied().filter(|_| on(7)),
            available: [on(4), on(4)],
            space: [on(4), on(4)],
            request_ready: on(busy),
            beat: beats.front().copied().filter(|_| offered),
        };
        let block = dut.block_mut();
        block.command_valid_in.next = inputs.command.is_some().into();
        let words = inputs.command.map_or([0; 8], |load| Command::Load(load).encode());
        let pair = |i: usize| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32;
        block.command_in.next = Bits::from_words((0..4).map(pair).collect(), 256);
        block.first_available_in.next = inputs.available[0].into();
        block.second_available_in.next = inputs.available[1].into();
        block.first_space_in.next = inputs.space[0].into();
        block.second_space_in.next = inputs.space[1].into();
        block.read_request_ready_in.next = inputs.request_ready.into();
        block.read_data_valid_in.next = inputs.beat.is_some().into();
        block.read_data_in.next = Bits::new(inputs.beat.unwrap_or(0), bus);
        dut.settle().expect("settles");
        for (port, value) in model.cycle(&inputs) {
            let actual = match port {
                // Not there without a table.
                "table_write_out" => dut.block().table_write_out.first().map_or(0, |port| port.val().low_u128()),
                _ => dut.get(port).expect("a port").low_u128(),
            };
            assert_eq!(actual, value, "{port} in cycle {cycle}, seed {seed}");
        }
        let get = |port| dut.get(port).expect("a port").low_u128();
        if get("take_out") == 1 {
            queue.pop_front();
        }
        if get("read_beat_out") == 1 {
            beats.pop_front();
            offered = false;
        }
        if get("read_request_valid_out") == 1 && inputs.request_ready {
            let address = get("read_request_address_out") as usize;
            let burst = 0..get("read_request_beats_out") as usize;
            beats.extend(burst.map(|beat| memory_bits(&memory, 8 * address + beat * bus, bus)));
        }
        let written = ["activation_write_out", "weight_write_out", "parameter_write_out"].map(|port| get(port) == 1);
        let table_written = dut.block().table_write_out.first().is_some_and(|port| port.val().any());
        for (target, is_written) in written.into_iter().chain([table_written]).enumerate() {
            if is_written {
                let expected = expected_rows.pop_front().expect("a row is expected");
                let bank = if target == 2 { get("row_bank_out") as u16 } else { 0 };
                let row = (target, get("row_addr_out") as u16, bank, get("row_data_out"));
                assert_eq!(row, expected, "cycle {cycle}, seed {seed}");
            }
        }
        expected_pushes[0] -= get("push_first_out") as usize;
        expected_pushes[1] -= get("push_second_out") as usize;
        let done = queue.is_empty() && get("take_out") == 0 && get("idle_out") == 1;
        dut.edge().expect("settles");
        cycle += 1;
        assert!(cycle < 200_000, "no end");
        if done {
            break;
        }
    }
    assert!(expected_rows.is_empty() && beats.is_empty(), "{} rows, {} beats left", expected_rows.len(), beats.len());
    assert_eq!(expected_pushes, [0, 0], "every push happens once");
}

#[test]
fn tiny_loads_follow_the_contract() {
    for busy in [8, 4, 1] {
        loads_are_right(&config(|_| {}), busy, busy);
    }
}

/// Eleven banks, rows of 85 and 66 bits.
#[test]
fn wide_rows_follow_the_contract() {
    let config = config(|raw| {
        raw.geometry.rows = 17;
        raw.geometry.cols = 22;
        raw.geometry.requantizer_lanes = 11;
        raw.numerics.weight_bits = 3;
        raw.geometry.weight_buffer_tiles = 2;
    });
    for busy in [8, 3] {
        loads_are_right(&config, busy, 10 + busy);
    }
}

/// Windows of pieces of 1 to 16 lanes, rows and tables.
#[test]
fn windows_and_tables_follow_the_contract() {
    for (rows, activation_bits, bus_bits) in [(16, 5, 64), (11, 8, 64), (2, 3, 32)] {
        let config = config(|raw| {
            raw.geometry.rows = rows;
            raw.geometry.bus_bits = bus_bits;
            raw.geometry.activation_buffer_rows = 64;
            raw.numerics.activation_bits = activation_bits;
            raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Wrapping { wrapping: 20 };
            raw.numerics.output_bits = 6;
            raw.numerics.activation_table = true;
        });
        for busy in [8, 3] {
            loads_are_right(&config, busy, 30 + busy);
        }
    }
}

/// A bus that is wider than every row.
#[test]
fn narrow_rows_follow_the_contract() {
    let config = config(|raw| {
        raw.geometry.bus_bits = 64;
        raw.geometry.cols = 4;
        raw.geometry.requantizer_lanes = 4;
    });
    for busy in [8, 3] {
        loads_are_right(&config, busy, 20 + busy);
    }
}
