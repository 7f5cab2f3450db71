//! The store engine: reads the accumulator by groups, requantizes, packs rows into beats, collects responses.

use crate::array::Array;
use crate::buffers::Buffers;
use crate::load::Requester;
use crate::pack_rows::Packer;
use crate::pins::Burst;
use golden::{Bounds, Psum, Stream};
use spec::{Config, Counter, Counters, Format, Numerics, Rounding, Seed, Store, Tokens};
use std::collections::VecDeque;

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
    pub packer: Packer,
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
            packer: Packer::new(config),
            outputs: vec![0; geometry.requantizer_lanes()],
            stochastic,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.reader.command.is_none()
            && !self.requester.is_active()
            && !self.ack_pending
            && self.packer.is_idle()
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
        self.packer.jobs.push(store);
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

    /// Cycles that are sure to pass before a command's last group is read or packed, the next one is taken from the
    /// job queue, or the push to load comes.
    #[inline]
    pub fn steady_cycles(&self) -> u64 {
        let read = if self.reader.command.is_some() { self.reads_left() - 1 } else { u64::MAX };
        let acknowledged = if self.ack_pending { self.busy_cycles().max(self.outstanding.into()) } else { u64::MAX };
        read.min(self.packer.steady_cycles()).min(acknowledged)
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
        let (code, group_taken) = self.packer.step(pins.data_ready, counters);
        if may_read && self.read_term() {
            pushes.execute = self.read_group(array, buffers);
            self.credits -= 1;
        }
        self.credits += u32::from(group_taken);
        self.packer.fifo -= u32::from(group_taken);
        if self.pipeline.front() == Some(&self.cycle) {
            self.pipeline.pop_front();
            self.packer.fifo += 1;
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
            self.packer.bits.push(self.format.encode(output.into()), n_bits as usize);
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
}

/// What happens on the write channels in a cycle.
#[derive(Clone, Copy, Debug)]
pub struct StorePins {
    pub request_taken: bool,
    pub data_ready: bool,
    pub response: bool,
}
