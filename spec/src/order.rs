//! Program order, tokens and races.
//!
//! A token carries what its producer is known to have completed, and all that the producer itself knew when it issued the
//! command: a vector clock over the six kinds of completion. A command may touch what another engine touches only if
//! its clock says that the other engine is through with it.

use crate::command::{Command, Execute, Load, LoadTarget, Store, Tokens, TOKEN_LIMIT};
use crate::config::Config;
use std::collections::VecDeque;
use thiserror::Error;

/// Why a command is not safe at its place.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OrderError {
    #[error("pops {pair}, but in program order no token is there")]
    NoToken { pair: &'static str },
    #[error("pushes {pair}, but in program order it already holds its limit of {TOKEN_LIMIT}")]
    TokenLimit { pair: &'static str },
    #[error("{count} tokens of {pair} are left at the end of the program")]
    TokensLeft { pair: &'static str, count: usize },
    #[error("{what} {row} is used without a token that orders it after {engine} command {sequence}")]
    Race { what: &'static str, row: u64, engine: &'static str, sequence: u64 },
    #[error("{what} {row} is read but was never written")]
    NeverWritten { what: &'static str, row: u64 },
}

/// How many commands of an engine are known to be through with something, in program order of that engine.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// Loads complete.
    loaded: u64,
    /// Folds whose weights, or activations, have been read, or whose accumulator rows have been written.
    weights_read: u64,
    activations_read: u64,
    accumulated: u64,
    /// Stores that have read accumulator and parameters, or whose writes are acknowledged.
    drained: u64,
    written: u64,
}

impl Clock {
    fn join(&mut self, other: &Self) {
        self.loaded = self.loaded.max(other.loaded);
        self.weights_read = self.weights_read.max(other.weights_read);
        self.activations_read = self.activations_read.max(other.activations_read);
        self.accumulated = self.accumulated.max(other.accumulated);
        self.drained = self.drained.max(other.drained);
        self.written = self.written.max(other.written);
    }
}

const PAIRS: [&str; 6] = ["load_execute", "load_store", "execute_load", "execute_store", "store_load", "store_execute"];

/// Pops and pushes (indices into [`PAIRS`]) towards the first and second neighbour.
struct Around {
    pop: [usize; 2],
    push: [usize; 2],
}

const LOAD: Around = Around { pop: [2, 4], push: [0, 1] };
const EXECUTE: Around = Around { pop: [0, 5], push: [2, 3] };
const STORE: Around = Around { pop: [1, 3], push: [4, 5] };

/// Who wrote and who read a buffer row or a parameter record last, as sequence numbers from 1 (0: nobody).
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    writer: u64,
    reader: u64,
}

/// A range of memory that a command touches, as one interval.
#[derive(Clone, Copy, Debug)]
struct Span {
    sequence: u64,
    from: u64,
    to: u64,
}

impl Span {
    fn new(sequence: u64, address: u32, stride: u32, n: u16, bits: u64) -> Self {
        let from = u64::from(address);
        Self { sequence, from, to: from + u64::from(n.saturating_sub(1)) * u64::from(stride) + bits.div_ceil(8) }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// The state of the check between two commands.
pub(crate) struct Order {
    tokens: [VecDeque<Clock>; 6],
    known: [Clock; 3],
    loads: u64,
    folds: u64,
    stores: u64,
    lanes: u64,
    output_bits: u64,
    activations: Vec<Row>,
    weights: Vec<Row>,
    parameters: Vec<Row>,
    table: Vec<Row>,
    mesh_rows: usize,
    accumulated: [Vec<bool>; 2],
    /// Last fold and last store of each half: the halves' ports are shared, so whole halves conflict.
    half_folds: [u64; 2],
    half_stores: [u64; 2],
    loaded_memory: VecDeque<Span>,
    stored_memory: VecDeque<Span>,
}

impl Order {
    pub(crate) fn new(config: &Config) -> Self {
        let g = config.geometry();
        Self {
            tokens: Default::default(),
            known: [Clock::default(); 3],
            loads: 0,
            folds: 0,
            stores: 0,
            lanes: g.requantizer_lanes() as u64,
            output_bits: config.numerics().output().bits().into(),
            activations: vec![Row::default(); g.activation_buffer_rows()],
            weights: vec![Row::default(); g.weight_buffer_rows()],
            parameters: vec![Row::default(); g.parameter_rows() * g.requantizer_lanes()],
            table: vec![Row::default(); 1 << config.numerics().output().bits()],
            mesh_rows: g.rows(),
            accumulated: [vec![false; g.accumulator_rows()], vec![false; g.accumulator_rows()]],
            half_folds: [0; 2],
            half_stores: [0; 2],
            loaded_memory: VecDeque::new(),
            stored_memory: VecDeque::new(),
        }
    }

    /// Adds the next command in program order; its fields have been checked.
    pub(crate) fn command(&mut self, command: &Command) -> Result<(), OrderError> {
        match command {
            Command::Load(load) => self.load(load),
            Command::Execute(execute) => self.execute(execute),
            Command::Store(store) => self.store(store),
            // Only store reads what it sets, in program order.
            Command::Seed(_) => Ok(()),
            Command::Finish => self.finish(),
        }
    }

    fn finish(&self) -> Result<(), OrderError> {
        match self.tokens.iter().position(|tokens| !tokens.is_empty()) {
            Some(pair) => Err(OrderError::TokensLeft { pair: PAIRS[pair], count: self.tokens[pair].len() }),
            None => Ok(()),
        }
    }

    fn pop(&mut self, engine: usize, around: &Around, flags: Tokens) -> Result<Clock, OrderError> {
        for (pair, wanted) in [(around.pop[0], flags.pop_first), (around.pop[1], flags.pop_second)] {
            if wanted {
                let clock = self.tokens[pair].pop_front().ok_or(OrderError::NoToken { pair: PAIRS[pair] })?;
                self.known[engine].join(&clock);
            }
        }
        Ok(self.known[engine])
    }

    fn push(&mut self, pair: usize, clock: Clock) -> Result<(), OrderError> {
        if self.tokens[pair].len() >= TOKEN_LIMIT as usize {
            return Err(OrderError::TokenLimit { pair: PAIRS[pair] });
        }
        self.tokens[pair].push_back(clock);
        Ok(())
    }

    fn load(&mut self, load: &Load) -> Result<(), OrderError> {
        self.loads += 1;
        let clock = self.pop(0, &LOAD, load.tokens)?;
        let n_rows = u64::from(load.requests) * u64::from(load.rows_per_request);
        let first = u64::from(load.buffer_row);
        let (rows, what, engine, known, first) = match load.target {
            LoadTarget::Activations => {
                (&mut self.activations, "activation buffer row", "execute", clock.activations_read, first)
            }
            LoadTarget::Weights => (&mut self.weights, "weight buffer row", "execute", clock.weights_read, first),
            LoadTarget::Parameters => {
                (&mut self.parameters, "parameter record", "store", clock.drained, first * self.lanes)
            }
            LoadTarget::Table => (&mut self.table, "table entry", "store", clock.drained, first),
        };
        for row in first..first + n_rows {
            let state = &mut rows[row as usize];
            if state.reader > known {
                return Err(OrderError::Race { what, row, engine, sequence: state.reader });
            }
            state.writer = self.loads;
        }
        let bits = u64::from(load.start_bit) + u64::from(load.request_bits());
        let span = Span::new(self.loads, load.address, load.stride, load.requests, bits);
        while self.stored_memory.front().is_some_and(|stored| stored.sequence <= clock.written) {
            self.stored_memory.pop_front();
        }
        if let Some(stored) = self.stored_memory.iter().find(|stored| stored.overlaps(&span)) {
            let sequence = stored.sequence;
            return Err(OrderError::Race { what: "memory byte", row: span.from, engine: "store", sequence });
        }
        self.loaded_memory.push_back(span);
        let mut done = clock;
        done.loaded = self.loads;
        if load.tokens.push_first {
            self.push(LOAD.push[0], done)?;
        }
        if load.tokens.push_second {
            self.push(LOAD.push[1], done)?;
        }
        Ok(())
    }

    fn execute(&mut self, execute: &Execute) -> Result<(), OrderError> {
        self.folds += 1;
        let fold = self.folds;
        let clock = self.pop(1, &EXECUTE, execute.tokens)?;
        let (k, weight_row) = (u64::from(execute.k), u64::from(execute.weight_row));
        read_loaded(&mut self.weights, "weight buffer row", weight_row, k, clock.loaded, fold)?;
        let places = execute.walk.places(execute.activation_row, self.mesh_rows).take(execute.rows.into());
        for place in places.filter(|place| place.keep_from < place.keep_to) {
            let row = u64::from(place.row);
            read_loaded(&mut self.activations, "activation buffer row", row, 1, clock.loaded, fold)?;
        }
        let half = usize::from(execute.half);
        let stores = self.half_stores[half];
        if stores > clock.drained {
            return Err(OrderError::Race {
                what: "accumulator half",
                row: half as u64,
                engine: "store",
                sequence: stores,
            });
        }
        self.half_folds[half] = fold;
        let first = usize::from(execute.accumulator_row);
        let step = usize::from(execute.accumulator_step);
        let rows = if step == 0 { 1 } else { usize::from(execute.rows) };
        for row in (0..rows).map(|i| first + i * step) {
            if !execute.overwrite && !self.accumulated[half][row] {
                return Err(OrderError::NeverWritten { what: "accumulator row", row: row as u64 });
            }
            self.accumulated[half][row] = true;
        }
        // Earlier folds have read all they need when a later one streams.
        if execute.tokens.push_first {
            let activations_read = if execute.push_late { fold } else { fold - 1 };
            self.push(EXECUTE.push[0], Clock { weights_read: fold, activations_read, ..clock })?;
        }
        if execute.tokens.push_second {
            self.push(
                EXECUTE.push[1],
                Clock { weights_read: fold, activations_read: fold, accumulated: fold, ..clock },
            )?;
        }
        Ok(())
    }

    fn store(&mut self, store: &Store) -> Result<(), OrderError> {
        self.stores += 1;
        let sequence = self.stores;
        let clock = self.pop(2, &STORE, store.tokens)?;
        let half = usize::from(store.half);
        if self.half_folds[half] > clock.accumulated {
            let sequence = self.half_folds[half];
            return Err(OrderError::Race { what: "accumulator half", row: half as u64, engine: "execute", sequence });
        }
        self.half_stores[half] = sequence;
        for tile in 0..u64::from(store.tiles) {
            let first = u64::from(store.accumulator_row) + tile * u64::from(store.tile_stride);
            let rows = u64::from(store.rows) * u64::from(store.terms);
            if let Some(row) = (first..first + rows).find(|&row| !self.accumulated[half][row as usize]) {
                return Err(OrderError::NeverWritten { what: "accumulator row", row });
            }
        }
        // One record a column that is written; the lanes beyond the last column compute what nobody keeps.
        // With several terms, whole parameter rows.
        let columns = u64::from(store.row_bits) / self.output_bits;
        let records = match u64::from(store.terms) {
            1 => columns,
            terms => columns.div_ceil(self.lanes) * terms * self.lanes,
        };
        if store.table {
            let n = self.table.len() as u64;
            read_loaded(&mut self.table, "table entry", 0, n, clock.loaded, sequence)?;
        }
        read_loaded(
            &mut self.parameters,
            "parameter record",
            u64::from(store.parameter_row) * self.lanes,
            records,
            clock.loaded,
            sequence,
        )?;
        let span = Span::new(sequence, store.address, store.stride, store.rows, store.row_bits.into());
        while self.loaded_memory.front().is_some_and(|loaded| loaded.sequence <= clock.loaded) {
            self.loaded_memory.pop_front();
        }
        if let Some(loaded) = self.loaded_memory.iter().find(|loaded| loaded.overlaps(&span)) {
            let sequence = loaded.sequence;
            return Err(OrderError::Race { what: "memory byte", row: span.from, engine: "load", sequence });
        }
        self.stored_memory.push_back(span);
        if store.tokens.push_first {
            self.push(STORE.push[0], Clock { drained: sequence, written: sequence, ..clock })?;
        }
        if store.tokens.push_second {
            self.push(STORE.push[1], Clock { drained: sequence, ..clock })?;
        }
        Ok(())
    }
}

/// Notes a read of rows that load wrote; each must be written, and known to be.
fn read_loaded(
    rows: &mut [Row],
    what: &'static str,
    first: u64,
    n: u64,
    known: u64,
    reader: u64,
) -> Result<(), OrderError> {
    for row in first..first + n {
        let state = &mut rows[row as usize];
        if state.writer == 0 {
            return Err(OrderError::NeverWritten { what, row });
        }
        if state.writer > known {
            return Err(OrderError::Race { what, row, engine: "load", sequence: state.writer });
        }
        state.reader = reader;
    }
    Ok(())
}
