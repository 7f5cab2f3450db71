//! A program: commands in order, and the memory they work on. [`validate`] refuses one that could go wrong.

use crate::command::{Command, Execute, Load, LoadTarget, Store, Walk};
use crate::config::Config;
use crate::format::Rounding;
use crate::order::{Order, OrderError};
use thiserror::Error;

/// Commands and the memory image they start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub commands: Vec<Command>,
    pub memory: Vec<u8>,
}

/// Why a program was refused. `index` is the command's place in the program.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProgramError {
    #[error("command {index}: {field} = {value} must be in {min}..={max}")]
    Field { index: usize, field: &'static str, value: i64, min: i64, max: i64 },
    #[error("command {index}: {field} = {value} must be a multiple of {multiple}")]
    Multiple { index: usize, field: &'static str, value: u64, multiple: u64 },
    #[error("command {index}: {what} {from}..{to} is outside its {size} {unit}")]
    Outside { index: usize, what: &'static str, from: u64, to: u64, size: u64, unit: &'static str },
    #[error("command {index}: clamp bounds {low}..={high} must be ordered and within {min}..={max}")]
    Bounds { index: usize, low: i64, high: i64, min: i64, max: i64 },
    #[error("command {index}: seed needs a machine with stochastic rounding; this one rounds by {rounding}")]
    Seed { index: usize, rounding: Rounding },
    #[error("command {index}: {what} needs a machine with numerics.activation_table = true")]
    NoTable { index: usize, what: &'static str },
    #[error("command {index}: a store of a machine with stochastic rounding needs a seed before it")]
    NoSeed { index: usize },
    #[error("a program ends with finish and has no other; command {index} of {n_commands} breaks that")]
    Finish { index: usize, n_commands: usize },
    #[error("command {index}: {source}")]
    Order { index: usize, source: OrderError },
}

/// Checks every command's fields, that program order is a legal sequential run of the tokens, and that every pair of conflicting
/// accesses of different engines is ordered by tokens.
pub fn validate(config: &Config, commands: &[Command], memory_bytes: usize) -> Result<(), ProgramError> {
    let mut order = Order::new(config);
    let n_commands = commands.len();
    if n_commands == 0 {
        return Err(ProgramError::Finish { index: 0, n_commands });
    }
    let rounding = config.numerics().rounding();
    let random = rounding.random_bits() > 0;
    let mut seeded = false;
    for (index, command) in commands.iter().enumerate() {
        let fields = Fields { index, config, memory_bytes: memory_bytes as u64 };
        match command {
            Command::Load(load) => fields.load(load)?,
            Command::Execute(execute) => fields.execute(execute)?,
            Command::Store(_) if random && !seeded => return Err(ProgramError::NoSeed { index }),
            Command::Store(store) => fields.store(store)?,
            Command::Seed(_) if !random => return Err(ProgramError::Seed { index, rounding }),
            Command::Seed(_) => seeded = true,
            Command::Finish => {}
        }
        if (*command == Command::Finish) != (index + 1 == n_commands) {
            return Err(ProgramError::Finish { index, n_commands });
        }
        order.command(command).map_err(|source| ProgramError::Order { index, source })?;
    }
    Ok(())
}

/// Sizes and counts are far below 2^63.
fn signed(value: u64) -> i64 {
    value as i64
}

struct Fields<'a> {
    index: usize,
    config: &'a Config,
    memory_bytes: u64,
}

impl Fields<'_> {
    fn range(&self, field: &'static str, value: i64, min: i64, max: i64) -> Result<(), ProgramError> {
        if (min..=max).contains(&value) {
            Ok(())
        } else {
            Err(ProgramError::Field { index: self.index, field, value, min, max })
        }
    }

    fn multiple(&self, field: &'static str, value: u64, multiple: u64) -> Result<(), ProgramError> {
        if value.is_multiple_of(multiple) {
            Ok(())
        } else {
            Err(ProgramError::Multiple { index: self.index, field, value, multiple })
        }
    }

    fn rows(&self, what: &'static str, from: u64, n: u64, size: usize) -> Result<(), ProgramError> {
        let (to, size) = (from + n, size as u64);
        if to <= size {
            Ok(())
        } else {
            Err(ProgramError::Outside { index: self.index, what, from, to, size, unit: "rows" })
        }
    }

    /// `n` bursts of `bits` bits, `stride` bytes apart: whole beats must be within the memory.
    fn memory(&self, address: u32, start_bit: u8, stride: u32, n: u64, bits: u64) -> Result<(), ProgramError> {
        let bus = self.config.geometry().bus_bytes() as u64;
        let from = u64::from(address);
        let last = from + (n - 1) * u64::from(stride);
        let to = (last + (u64::from(start_bit) + bits).div_ceil(8)).next_multiple_of(bus);
        // Addresses have 32 bits, however large the memory is.
        let size = self.memory_bytes.min(1 << 32);
        if to > size {
            return Err(ProgramError::Outside { index: self.index, what: "memory", from, to, size, unit: "bytes" });
        }
        let beats = (8 * bus - 1 + bits).div_ceil(8 * bus);
        self.range("beats of a burst", signed(beats), 1, 65_535)
    }

    fn load(&self, load: &Load) -> Result<(), ProgramError> {
        let (n, g) = (self.config.numerics(), self.config.geometry());
        if load.target == LoadTarget::Table && !n.activation_table() {
            return Err(ProgramError::NoTable { index: self.index, what: "a load of the table" });
        }
        let (element_bits, row_bits, depth, rows_per_buffer_row) = match load.target {
            LoadTarget::Table => (n.output().bits(), n.output().bits(), 1 << n.output().bits(), 1),
            LoadTarget::Activations => {
                let bits = n.activation().bits();
                (bits, bits * g.rows() as u32, g.activation_buffer_rows(), 1)
            }
            LoadTarget::Weights => (n.weight().bits(), n.weight().bits() * g.cols() as u32, g.weight_buffer_rows(), 1),
            LoadTarget::Parameters => {
                (n.parameter_bits(), n.parameter_bits(), g.parameter_rows(), g.requantizer_lanes() as u64)
            }
        };
        self.range("start_bit", load.start_bit.into(), 0, 7)?;
        self.range("requests", load.requests.into(), 1, u16::MAX.into())?;
        self.range("rows_per_request", load.rows_per_request.into(), 1, u16::MAX.into())?;
        self.range("row_bits", load.row_bits.into(), element_bits.into(), row_bits.into())?;
        self.multiple("row_bits", load.row_bits.into(), element_bits.into())?;
        if load.lane_group > 0 {
            let groups = if load.target == LoadTarget::Activations { 7 } else { 0 };
            self.range("lane_group", load.lane_group.into(), 0, groups)?;
            let group_bits = i64::from(element_bits) << (load.lane_group - 1);
            let limit = group_bits.min(g.bus_bits() as i64);
            self.range("row_bits of a lane group", load.row_bits.into(), element_bits.into(), limit)?;
            self.range("lanes of a lane group", 1 << (load.lane_group - 1), 1, g.rows() as i64)?;
        }
        let n_rows = u64::from(load.requests) * u64::from(load.rows_per_request);
        self.rows("buffer", load.buffer_row.into(), n_rows.div_ceil(rows_per_buffer_row), depth)?;
        let bits = u64::from(load.rows_per_request) * u64::from(load.row_bits);
        self.memory(load.address, load.start_bit, load.stride, load.requests.into(), bits)
    }

    fn execute(&self, execute: &Execute) -> Result<(), ProgramError> {
        let g = self.config.geometry();
        let rows = u64::from(execute.rows);
        self.range("rows", execute.rows.into(), 1, u16::MAX.into())?;
        self.range("k", execute.k.into(), 1, g.rows() as i64)?;
        self.range("accumulator_step", execute.accumulator_step.into(), 0, 15)?;
        self.walk(execute)?;
        self.rows("weight buffer", execute.weight_row.into(), execute.k.into(), g.weight_buffer_rows())?;
        let last = (rows - 1) * u64::from(execute.accumulator_step);
        self.rows("accumulator", execute.accumulator_row.into(), last + 1, g.accumulator_rows())
    }

    /// Fields within their widths, x and y that do not wrap, buffer rows that exist (padded rows are not read).
    fn walk(&self, execute: &Execute) -> Result<(), ProgramError> {
        let (n, g, walk) = (self.config.numerics(), self.config.geometry(), &execute.walk);
        let step = (1 << Walk::STEP_BITS) - 1;
        let (x_end, y_end) = (1 << (Walk::X_BITS - 1), 1 << (Walk::Y_BITS - 1));
        self.range("inner_count", walk.inner_count.into(), 1, u16::MAX.into())?;
        self.range("pad", walk.pad.into(), 0, (1 << n.activation().bits()) - 1)?;
        self.range("x_step", walk.x_step.into(), 0, step)?;
        self.range("y_step", walk.y_step.into(), 0, step)?;
        self.range("x_limit", walk.x_limit.into(), 0, x_end - 1)?;
        self.range("y_limit", walk.y_limit.into(), 0, y_end - 1)?;
        self.range("x_start", walk.x_start.into(), -x_end, x_end - 1)?;
        let rows = i64::from(execute.rows);
        let inner = i64::from(walk.inner_count).min(rows) - 1;
        let last_x = i64::from(walk.x_start) + inner * i64::from(walk.x_step);
        let last_y = i64::from(walk.y_start) + (rows - 1) / i64::from(walk.inner_count) * i64::from(walk.y_step);
        self.range("the last x", last_x, -x_end, x_end - 1)?;
        self.range("the last y", last_y, -y_end, y_end - 1)?;
        for place in walk.places(execute.activation_row, g.rows()).take(execute.rows.into()) {
            if place.keep_from < place.keep_to {
                self.rows("activation buffer", place.row.into(), 1, g.activation_buffer_rows())?;
            }
        }
        Ok(())
    }

    fn store(&self, store: &Store) -> Result<(), ProgramError> {
        let (n, g) = (self.config.numerics(), self.config.geometry());
        let column_groups = g.column_groups() as u64;
        self.range("rows", store.rows.into(), 1, u16::MAX.into())?;
        self.range("tiles", store.tiles.into(), 1, u16::MAX.into())?;
        self.range("last_groups", store.last_groups.into(), 1, signed(column_groups))?;
        self.range("terms", store.terms.into(), 1, 15)?;
        if store.table && !n.activation_table() {
            return Err(ProgramError::NoTable { index: self.index, what: "a store with table" });
        }
        let (tiles, terms) = (u64::from(store.tiles), u64::from(store.terms));
        let accumulator_rows = u64::from(store.rows) * terms + (tiles - 1) * u64::from(store.tile_stride);
        self.rows("accumulator", store.accumulator_row.into(), accumulator_rows, g.accumulator_rows())?;
        let groups = (tiles - 1) * column_groups + u64::from(store.last_groups);
        self.rows("parameter buffer", store.parameter_row.into(), groups * terms, g.parameter_rows())?;
        let element_bits = u64::from(n.output().bits());
        let group_bits = g.requantizer_lanes() as u64 * element_bits;
        self.range("row_bits", store.row_bits.into(), 1, (1 << 28) - 1)?;
        let (least, most) = ((groups - 1) * group_bits + 1, groups * group_bits);
        self.range("row_bits", store.row_bits.into(), signed(least), signed(most))?;
        self.multiple("row_bits", store.row_bits.into(), element_bits)?;
        let (min, max) = (n.output().min(), n.output().max());
        // Bits above the output's width stand for values above its range.
        let bound = |raw: u16| match u64::from(raw) >> n.output().bits() {
            0 => n.output().decode(raw.into()),
            _ => raw.into(),
        };
        let (low, high) = (bound(store.low), bound(store.high));
        if low > high || high > max || low > max {
            return Err(ProgramError::Bounds { index: self.index, low, high, min, max });
        }
        self.memory(store.address, 0, store.stride, store.rows.into(), store.row_bits.into())
    }
}
