//! The execute engine: one fold ahead in preload, one in the stream unit, pushes when the rows have drained.

use crate::array::Array;
use crate::buffers::Buffers;
use golden::Psum;
use spec::{Config, Execute};
use std::collections::VecDeque;

/// The tokens that execute pushes in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExecutePushes {
    pub load: bool,
    pub store: bool,
}

/// What is decided from the registers at the start of a cycle.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    start: bool,
    /// Whether the preload unit can take a command.
    pub can_issue: bool,
}

/// Preload unit, stream unit and the drain of what was streamed.
#[derive(Clone, Debug)]
pub struct ExecuteEngine {
    rows: u32,
    drain_cycles: u32,
    preload_active: bool,
    preload_index: u32,
    pending: bool,
    fold: Option<Execute>,
    stream: Option<Execute>,
    stream_index: u32,
    drain_left: u32,
    cycle: u64,
    store_pushes: VecDeque<u64>,
    tile: Vec<i32>,
}

impl ExecuteEngine {
    pub fn new(config: &Config) -> Self {
        let geometry = config.geometry();
        Self {
            rows: geometry.rows() as u32,
            drain_cycles: (geometry.rows() + geometry.cols() + geometry.multiplier_stages() + 2) as u32,
            preload_active: false,
            preload_index: 0,
            pending: false,
            fold: None,
            stream: None,
            stream_index: 0,
            drain_left: 0,
            cycle: 0,
            store_pushes: VecDeque::new(),
            tile: Vec::new(),
        }
    }

    pub fn is_idle(&self) -> bool {
        !self.preload_active && !self.pending && self.stream.is_none() && self.drain_left == 0
    }

    pub fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    pub fn is_preloading(&self) -> bool {
        self.preload_active
    }

    /// Whether the cycle counts for the span from the first shift to the last psum register.
    #[inline]
    pub fn in_span(&self) -> bool {
        self.preload_active || self.pending || self.stream.is_some() || self.drain_left > 3
    }

    /// Cycles that are sure to pass before a fold starts or ends to stream, a preload ends or a token is pushed.
    #[inline]
    pub fn steady_cycles(&self) -> u64 {
        let streamed = match &self.stream {
            None => u64::MAX,
            // The first row is when all of them are computed.
            Some(_) if self.stream_index == 0 => 0,
            Some(stream) => u64::from(u32::from(stream.rows) - 1 - self.stream_index),
        };
        let preloaded = if self.preload_active { u64::from(self.rows - 1 - self.preload_index) } else { u64::MAX };
        let pushed = self.store_pushes.front().map_or(u64::MAX, |&at| at - self.cycle);
        streamed.min(preloaded).min(pushed)
    }

    /// Lets at most [`ExecuteEngine::steady_cycles`] cycles pass; returns how many of them are in the span.
    #[inline]
    pub fn skip(&mut self, cycles: u32) -> u64 {
        let in_span = if self.preload_active || self.pending || self.stream.is_some() {
            cycles
        } else {
            cycles.min(self.drain_left.saturating_sub(3))
        };
        self.cycle += u64::from(cycles);
        if self.preload_active {
            self.preload_index += cycles;
        }
        if self.stream.is_some() {
            self.stream_index += cycles;
        } else {
            self.drain_left = self.drain_left.saturating_sub(cycles);
        }
        in_span.into()
    }

    #[inline]
    fn preload_last(&self) -> bool {
        self.preload_active && self.preload_index + 1 == self.rows
    }

    #[inline]
    pub fn decide(&self) -> Decision {
        let stream_free = match &self.stream {
            None => true,
            Some(stream) => self.stream_index + 1 == u32::from(stream.rows),
        };
        let start = (self.preload_last() || self.pending) && stream_free;
        Decision { start, can_issue: start || (!self.preload_active && !self.pending) }
    }

    /// One cycle; `issued` is the command taken from the queue in it.
    #[inline]
    pub fn step<T: Psum>(
        &mut self,
        decision: Decision,
        issued: Option<Execute>,
        buffers: &Buffers,
        array: &mut Array<T>,
    ) -> ExecutePushes {
        let mut pushes = ExecutePushes::default();
        if self.store_pushes.front() == Some(&self.cycle) {
            self.store_pushes.pop_front();
            pushes.store = true;
        }
        self.drain_left = self.drain_left.saturating_sub(1);
        let mut stream_ended = false;
        if let Some(stream) = &self.stream {
            let index = self.stream_index;
            let last = index + 1 == u32::from(stream.rows);
            if index == 0 {
                array.swap();
                array.fold(stream, buffers);
            }
            pushes.load = stream.tokens.push_first && if stream.push_late { last } else { index == 0 };
            if last && stream.tokens.push_second {
                self.store_pushes.push_back(self.cycle + u64::from(self.drain_cycles));
            }
            self.drain_left = self.drain_cycles;
            self.stream_index += 1;
            stream_ended = last;
        }
        if self.preload_last() {
            if let Some(fold) = &self.fold {
                buffers.weight_tile(fold.weight_row.into(), fold.k.into(), &mut self.tile);
                array.preload(&self.tile);
            }
        }
        let preload_last = self.preload_last();
        self.pending = (preload_last || self.pending) && !decision.start;
        if decision.start {
            self.stream = self.fold;
            self.stream_index = 0;
        } else if stream_ended {
            self.stream = None;
        }
        if self.preload_active {
            self.preload_index += 1;
            self.preload_active = !preload_last;
        }
        if let Some(execute) = issued {
            self.preload_active = true;
            self.preload_index = 0;
            self.fold = Some(execute);
        }
        self.cycle += 1;
        pushes
    }
}
