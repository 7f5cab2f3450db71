//! The widths that the command set and the contract fix, and those that follow from a configuration.

use crate::bits::index_bits;
use spec::Config;

/// A byte address or a stride.
pub const ADDRESS_BITS: usize = 32;
/// A count of rows, requests, tiles or beats, or a buffer row in a command.
pub const COUNT_BITS: usize = 16;
/// An encoded command.
pub const COMMAND_BITS: usize = spec::command::COMMAND_BITS;
/// An output's index within its tensor, and what it grows by from row to row.
pub const INDEX_BITS: usize = 32;
/// The place of a streamed row among the pixels of a line, and of its line; and what they grow by.
pub const X_BITS: usize = spec::Walk::X_BITS as usize; // widening
pub const Y_BITS: usize = spec::Walk::Y_BITS as usize; // widening
pub const STEP_BITS: usize = spec::Walk::STEP_BITS as usize; // widening
/// Accumulator rows from one streamed row to the next.
pub const ACCUMULATOR_STEP_BITS: usize = 4;
/// The key of the permutation that makes random bits.
pub const KEY_BITS: usize = 64;
/// The bit at which a piece of memory begins, within a byte.
pub const START_BIT_BITS: usize = 3;
/// The lanes that a piece of a window takes: 0, or 1 more than their logarithm.
pub const LANE_GROUP_BITS: usize = 4;
/// The field with the number of terms.
pub const TERM_BITS: usize = 4;
/// The field with the bits of a stored row.
pub const STORE_ROW_BITS: usize = 28;
/// The field with the number of groups in the last tile.
pub const LAST_GROUP_BITS: usize = 7;
/// The clamp bounds in a command; of each, the output's bits matter.
pub const BOUND_BITS: usize = 16;
/// Jobs between issue and the words of a channel.
pub const JOB_QUEUE_DEPTH: usize = 4;
/// Groups between the requantizer and the write channel.
pub const STORE_QUEUE_DEPTH: usize = 8;

/// An index of a bit in a bus word: `log2(BUS)`.
pub fn offset_bits(bus_bits: usize) -> usize {
    index_bits(bus_bits)
}

/// An index of a byte in a bus word: `log2(BUS / 8)`.
pub fn byte_offset_bits(bus_bits: usize) -> usize {
    index_bits(bus_bits) - START_BIT_BITS
}

/// A length in bits: of the longest burst, and so of the longest request.
pub fn length_bits(bus_bits: usize) -> usize {
    COUNT_BITS + offset_bits(bus_bits)
}

/// The widest row that load writes: an activation row, a weight row or a parameter record.
pub fn row_bits(config: &Config) -> usize {
    activation_row_bits(config).max(weight_row_bits(config)).max(parameter_bits(config))
}

/// An address of a row in any of load's buffers.
pub fn row_addr_bits(config: &Config) -> usize {
    let g = config.geometry();
    let deepest = g.activation_buffer_rows().max(g.weight_buffer_rows()).max(g.parameter_rows());
    let entries = n_tables(config) << config.numerics().output().bits();
    index_bits(deepest.max(entries))
}

/// A row of the activation buffer.
pub fn activation_row_bits(config: &Config) -> usize {
    config.geometry().rows() * bits(config.numerics().activation().bits())
}

/// A row of the weight buffer.
pub fn weight_row_bits(config: &Config) -> usize {
    config.geometry().cols() * bits(config.numerics().weight().bits())
}

/// A row of the accumulator.
pub fn accumulator_row_bits(config: &Config) -> usize {
    config.geometry().cols() * bits(config.numerics().accumulator_bits())
}

/// One parameter record.
pub fn parameter_bits(config: &Config) -> usize {
    bits(config.numerics().parameter_bits())
}

/// A group: what the requantizer's lanes give in a cycle.
pub fn group_bits(config: &Config) -> usize {
    config.geometry().requantizer_lanes() * bits(config.numerics().output().bits())
}

/// Whether the machine rounds stochastically, as a count of the blocks for it: 0 or 1.
pub fn n_stochastic(config: &Config) -> usize {
    usize::from(config.numerics().rounding().random_bits() > 0)
}

/// Whether the machine has an activation table, as a count of the blocks for it: 0 or 1.
pub fn n_tables(config: &Config) -> usize {
    usize::from(config.numerics().activation_table())
}

/// A width of the configuration as the crate counts widths.
pub fn bits(width: u32) -> usize {
    width as usize // widening
}
