//! The store engine: reads the accumulator by groups, requantizes, packs rows into beats, collects responses.

use crate::array::Array;
use crate::bits::BitQueue;
use crate::buffers::Buffers;
use crate::load::Requester;
use crate::pins::{Beat, Burst, WriteBeat};
use crate::queue::Queue;
use golden::{Bounds, Psum, Stream};
use spec::{Config, Counter, Counters, Format, Numerics, Rounding, Seed, Store, Tokens};
use std::collections::VecDeque;

/// Depth of the queue of commands that are still to be packed.
pub const JOB_DEPTH: usize = 4;
/// Depth of the queue between requantizer and packer.
pub const FIFO_DEPTH: u32 = 8;

/// Cycles from the read of a group's last term to the one in which it is in the queue's entry.
pub fn pipeline_cycles(numerics: &Numerics) -> u64 {
    5 + u64::from(numerics.activation_table())
}

/// A command of the store queue.
#[derive(Clone, Copy, Debug)]
pub enum StoreCommand {
    Store(Store),
    Seed(Seed),
}

impl StoreCommand {
    pub fn tokens(&self) -> Tokens {
        match self {
            Self::Store(store) => store.tokens,
            Self::Seed(_) => Tokens::default(),
        }
    }

    /// Whether the command needs room in the job queue.
    pub fn is_job(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

/// The tokens that store pushes in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub struct StorePushes {
    pub load: bool,
    pub execute: bool,
}

/// Where the reader is within its command.
#[derive(Clone, Debug)]
struct Reader {
    command: Option<Store>,
    row: u32,
    tile: u32,
    group: u32,
    term: u32,
    row_bits_left: u32,
    /// Of the group's first term.
    parameter_row: usize,
    /// Index of the row's first output, and of the group's, modulo 2^32.
    row_index: u32,
    index: u32,
}

/// Where the packer is within its row.
#[derive(Clone, Debug, Default)]
struct Packer {
    job: Option<Store>,
    rows_left: u32,
    bits_left: u32,
    group_left: u32,
    offset: u32,
    fill: u32,
    first: bool,
    flush: bool,
}

/// What the packer does in a cycle with something to pack.
#[derive(Clone, Copy, Debug)]
struct Pack {
    need: u32,
    total: u32,
    row_end: bool,
    valid: bool,
}

/// What a seed command sets.
#[derive(Clone, Debug)]
struct Stochastic {
    random_bits: u32,
    stream: Stream,
    row_stride: u32,
}

/// Reader, requester, pipeline, packer.
#[derive(Clone, Debug)]
pub struct StoreEngine {
    pub requester: Requester,
    pub jobs: Queue<Store>,
    bus: u32,
    lanes: u32,
    column_groups: u32,
    format: Format,
    reader: Reader,
    credits: u32,
    ack_pending: bool,
    outstanding: u32,
    cycle: u64,
    pipeline_cycles: u64,
    pipeline: VecDeque<u64>,
    fifo: u32,
    packer: Packer,
    bits: BitQueue,
    outputs: Vec<i32>,
    stochastic: Option<Stochastic>,
}

impl StoreEngine {
    pub fn new(config: &Config) -> Self {
        let geometry = config.geometry();
        let stochastic = match config.numerics().rounding() {
            Rounding::Fixed(_) => None,
            // All registers are 0 after reset.
            Rounding::Stochastic { random_bits } => {
                Some(Stochastic { random_bits, stream: Stream::from_key(0, 0, random_bits), row_stride: 0 })
            }
        };
        Self {
            requester: Requester::IDLE,
            jobs: Queue::new(JOB_DEPTH),
            bus: geometry.bus_bits() as u32,
            lanes: geometry.requantizer_lanes() as u32,
            column_groups: geometry.column_groups() as u32,
            format: config.numerics().output(),
            reader: Reader {
                command: None,
                row: 0,
                tile: 0,
                group: 0,
                term: 0,
                row_bits_left: 0,
                parameter_row: 0,
                row_index: 0,
                index: 0,
            },
            credits: FIFO_DEPTH,
            ack_pending: false,
            outstanding: 0,
            cycle: 0,
            pipeline_cycles: pipeline_cycles(config.numerics()),
            pipeline: VecDeque::new(),
            fifo: 0,
            packer: Packer::default(),
            bits: BitQueue::default(),
            outputs: vec![0; geometry.requantizer_lanes()],
            stochastic,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.reader.command.is_none()
            && !self.requester.is_active()
            && !self.ack_pending
            && self.jobs.is_empty()
            && self.packer.job.is_none()
            && self.fifo == 0
            && self.outstanding == 0
    }

    /// Whether the engine can take a command, tokens and job queue aside.
    #[inline]
    pub fn can_issue(&self) -> bool {
        self.reader.command.is_none() && !self.requester.is_active() && !self.ack_pending
    }

    /// What the engine is at, if it is not free for a command.
    #[inline]
    pub fn occupation(&self) -> Option<Counter> {
        if self.reader.command.is_some() {
            Some(if self.credits > 0 { Counter::StoreRead } else { Counter::StoreWaitPack })
        } else if self.requester.is_active() {
            Some(Counter::StoreWaitRequest)
        } else if self.ack_pending {
            Some(Counter::StoreWaitResponse)
        } else {
            None
        }
    }

    pub fn write_request(&self) -> Option<Burst> {
        self.requester.is_active().then(|| self.requester.burst(self.bus / 8))
    }

    /// What a word would do, if the FIFO has a group and no flush is due.
    #[inline]
    fn pack(&self) -> Pack {
        let need = self.bus.min(self.packer.group_left);
        let total = self.packer.fill + need;
        let row_end = need == self.packer.bits_left;
        Pack { need, total, row_end, valid: total >= self.bus || row_end }
    }

    /// The beat offered in this cycle.
    #[inline]
    pub fn write_data(&self) -> Option<WriteBeat> {
        self.packer.job?;
        let to = if self.packer.flush {
            self.packer.fill
        } else if self.fifo > 0 {
            let pack = self.pack();
            if !pack.valid {
                return None;
            }
            pack.total.min(self.bus)
        } else {
            return None;
        };
        let from = if self.packer.first { self.packer.offset } else { 0 };
        Some(self.beat(from, to))
    }

    /// The oldest unwritten bits, placed at bits `from..to` of a beat, with the strobes of the bytes they touch.
    fn beat(&self, from: u32, to: u32) -> WriteBeat {
        let mut data = Beat::default();
        let (mut at, mut taken) = (from as usize, 0);
        while at < to as usize {
            let n_bits = (64 - at % 64).min(to as usize - at);
            data[at / 64] |= self.bits.peek(taken, n_bits) << (at % 64);
            at += n_bits;
            taken += n_bits;
        }
        let bytes = |n: u32| if n >= 32 { u32::MAX } else { (1 << n) - 1 };
        WriteBeat { data, strobe: bytes(to.div_ceil(8)) & !bytes(from / 8) }
    }

    /// Whether the machine has the seed command.
    pub fn is_stochastic(&self) -> bool {
        self.stochastic.is_some()
    }

    pub fn issue(&mut self, command: StoreCommand) {
        match command {
            StoreCommand::Store(store) => self.issue_store(store),
            StoreCommand::Seed(seed) => {
                if let Some(stochastic) = &mut self.stochastic {
                    stochastic.stream = Stream::from_key(seed.key, seed.mask, stochastic.random_bits);
                    stochastic.row_stride = seed.row_stride;
                }
            }
        }
    }

    fn issue_store(&mut self, store: Store) {
        self.reader = Reader {
            command: Some(store),
            row: 0,
            tile: 0,
            group: 0,
            term: 0,
            row_bits_left: store.row_bits,
            parameter_row: store.parameter_row.into(),
            row_index: store.index,
            index: store.index,
        };
        self.requester = Requester {
            address: store.address,
            stride: store.stride,
            start_bit: 0,
            bits: store.row_bits,
            left: store.rows.into(),
        };
        self.ack_pending = store.tokens.push_first;
        self.jobs.push(store);
    }

    /// Whether nothing happens until the next command is issued.
    pub fn is_at_rest(&self) -> bool {
        self.is_idle() && self.pipeline.is_empty()
    }

    /// Lets `cycles` cycles of rest pass.
    pub fn rest(&mut self, cycles: u64) {
        self.cycle += cycles;
    }

    /// Cycles that are sure to pass before a command can be issued, tokens and job queue aside.
    #[inline]
    pub fn busy_cycles(&self) -> u64 {
        self.reads_left().max(self.requester.left.into())
    }

    fn reads_left(&self) -> u64 {
        let Some(store) = self.reader.command else { return 0 };
        let row_groups = (u32::from(store.tiles) - 1) * self.column_groups + u32::from(store.last_groups);
        let done = self.reader.tile * self.column_groups + self.reader.group;
        let rows_left = u64::from(u32::from(store.rows) - self.reader.row);
        (rows_left * u64::from(row_groups) - u64::from(done)) * u64::from(store.terms) - u64::from(self.reader.term)
    }

    /// Cycles that are sure to pass before a command's last group is read or packed, the next one is taken from the job queue,
    /// or the push to load comes.
    #[inline]
    pub fn steady_cycles(&self) -> u64 {
        let read = if self.reader.command.is_some() { self.reads_left() - 1 } else { u64::MAX };
        let packed = match self.packer.job {
            Some(job) => {
                // At most a word a cycle.
                let words = |bits: u32| u64::from(bits.div_ceil(self.bus));
                let left = u64::from(self.packer.rows_left - 1) * words(job.row_bits) + words(self.packer.bits_left);
                left.saturating_sub(1)
            }
            None if self.jobs.is_empty() => u64::MAX,
            None => 0,
        };
        let acknowledged = if self.ack_pending { self.busy_cycles().max(self.outstanding.into()) } else { u64::MAX };
        read.min(packed).min(acknowledged)
    }

    /// One cycle, apart from the issue of a command.
    #[inline]
    pub fn step<T: Psum>(
        &mut self,
        pins: StorePins,
        array: &Array<T>,
        buffers: &Buffers,
        counters: &mut Counters,
    ) -> (Counter, StorePushes) {
        let mut pushes = StorePushes::default();
        if self.ack_pending && self.can_acknowledge() {
            self.ack_pending = false;
            pushes.load = true;
        }
        self.outstanding += u32::from(pins.request_taken);
        self.outstanding -= u32::from(pins.response);
        // The packer sees the credits and the FIFO of the start of the cycle; the reader likewise.
        let may_read = self.reader.command.is_some() && self.credits > 0;
        let (code, group_taken) = self.step_packer(pins.data_ready, counters);
        if may_read && self.read_term() {
            pushes.execute = self.read_group(array, buffers);
            self.credits -= 1;
        }
        self.credits += u32::from(group_taken);
        self.fifo -= u32::from(group_taken);
        if self.pipeline.front() == Some(&self.cycle) {
            self.pipeline.pop_front();
            self.fifo += 1;
        }
        if pins.request_taken {
            self.requester.advance();
        }
        self.cycle += 1;
        (code, pushes)
    }

    fn can_acknowledge(&self) -> bool {
        self.reader.command.is_none() && !self.requester.is_active() && self.outstanding == 0
    }

    /// Reads one term of a group; returns whether it is the last.
    #[inline]
    fn read_term(&mut self) -> bool {
        self.reader.term += 1;
        let last = self.reader.command.is_some_and(|store| self.reader.term == store.terms.into());
        if last {
            self.reader.term = 0;
        }
        last
    }

    /// Takes one group, all of whose terms are read; returns whether the token to execute is pushed.
    fn read_group<T: Psum>(&mut self, array: &Array<T>, buffers: &Buffers) -> bool {
        let Some(store) = self.reader.command else { return false };
        let reader = &mut self.reader;
        let terms = u32::from(store.terms);
        let row = u32::from(store.accumulator_row) + reader.row * terms + reader.tile * u32::from(store.tile_stride);
        let bound = |encoded: u16| self.format.decode(encoded.into());
        let bounds = Bounds { low: bound(store.low), high: bound(store.high) };
        let stream = self.stochastic.as_ref().map(|stochastic| (&stochastic.stream, reader.index));
        if let Some(channels) = buffers.parameters(reader.parameter_row, terms as usize) {
            let col = reader.group * self.lanes;
            let at = (row as usize, col as usize);
            array.requantize(store.half, at, channels, &bounds, stream, &mut self.outputs);
        }
        if store.table {
            for output in &mut self.outputs {
                let entry = self.format.encode((*output).into()) as usize;
                *output = buffers.table().get(entry).copied().unwrap_or(*output);
            }
        }
        let bits = self.format.bits();
        for &output in &self.outputs {
            let n_bits = bits.min(reader.row_bits_left);
            self.bits.push(self.format.encode(output.into()), n_bits as usize);
            reader.row_bits_left -= n_bits;
        }
        self.pipeline.push_back(self.cycle + self.pipeline_cycles);
        reader.parameter_row += terms as usize;
        reader.group += 1;
        reader.index = reader.index.wrapping_add(self.lanes);
        let last_tile = reader.tile + 1 == u32::from(store.tiles);
        let groups = if last_tile { u32::from(store.last_groups) } else { self.column_groups };
        if reader.group < groups {
            return false;
        }
        reader.group = 0;
        reader.tile += 1;
        if !last_tile {
            return false;
        }
        reader.tile = 0;
        reader.row += 1;
        let row_stride = self.stochastic.as_ref().map_or(0, |stochastic| stochastic.row_stride);
        reader.row_index = reader.row_index.wrapping_add(row_stride);
        reader.index = reader.row_index;
        reader.row_bits_left = store.row_bits;
        reader.parameter_row = store.parameter_row.into();
        if reader.row < u32::from(store.rows) {
            return false;
        }
        reader.command = None;
        store.tokens.push_second
    }

    /// One cycle of the packer; returns what it was at and whether it took a group from the FIFO.
    #[inline]
    fn step_packer(&mut self, ready: bool, counters: &mut Counters) -> (Counter, bool) {
        if self.packer.job.is_none() {
            if let Some(&job) = self.jobs.front() {
                self.jobs.pop();
                self.packer.job = Some(job);
                self.packer.rows_left = job.rows.into();
                self.begin_row(8 * (job.address % (self.bus / 8)));
            }
            return (Counter::PackIdle, false);
        }
        if self.packer.flush {
            if !ready {
                return (Counter::PackWaitWrite, false);
            }
            self.drop_written(self.packer.fill);
            self.next_row();
            return (Counter::PackBusy, false);
        }
        if self.fifo == 0 {
            return (Counter::PackWaitData, false);
        }
        let pack = self.pack();
        if pack.valid && !ready {
            return (Counter::PackWaitWrite, false);
        }
        counters.add(Counter::OutputBits, pack.need.into());
        if pack.valid {
            self.drop_written(pack.total.min(self.bus));
            self.packer.first = false;
        }
        let group_bits = self.group_bits();
        let packer = &mut self.packer;
        packer.bits_left -= pack.need;
        packer.fill = if pack.total >= self.bus { pack.total - self.bus } else { pack.total };
        let group_taken = pack.need == packer.group_left;
        packer.group_left = if group_taken { group_bits.min(packer.bits_left) } else { packer.group_left - pack.need };
        if pack.row_end {
            if pack.total > self.bus {
                self.packer.flush = true;
            } else {
                self.next_row();
            }
        }
        (Counter::PackBusy, group_taken)
    }

    fn group_bits(&self) -> u32 {
        self.lanes * self.format.bits()
    }

    /// A beat with bits up to `to` was taken: its bits leave the queue.
    fn drop_written(&mut self, to: u32) {
        let from = if self.packer.first { self.packer.offset } else { 0 };
        self.bits.skip((to - from) as usize);
    }

    fn begin_row(&mut self, offset: u32) {
        let group_bits = self.group_bits();
        let Some(job) = self.packer.job else { return };
        self.packer.offset = offset;
        self.packer.fill = offset;
        self.packer.first = true;
        self.packer.flush = false;
        self.packer.bits_left = job.row_bits;
        self.packer.group_left = group_bits.min(job.row_bits);
    }

    fn next_row(&mut self) {
        let Some(job) = self.packer.job else { return };
        self.packer.rows_left -= 1;
        if self.packer.rows_left == 0 {
            self.packer.job = None;
        } else {
            let stride_offset = 8 * (job.stride % (self.bus / 8));
            self.begin_row((self.packer.offset + stride_offset) % self.bus);
        }
    }
}

/// What happens on the write channels in a cycle.
#[derive(Clone, Copy, Debug)]
pub struct StorePins {
    pub request_taken: bool,
    pub data_ready: bool,
    pub response: bool,
}
