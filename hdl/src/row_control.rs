//! The control word that travels beside a row of activations, and on to the accumulator.
//!
//! | bits | field |
//! |---|---|
//! | 0 | valid: there is a row |
//! | 1 | half of the accumulator |
//! | 2 | overwrite, or add |
//! | 3 | push a token to store when the row is written |
//! | 4 | maximum, or add |
//! | from 5 on | row of the accumulator |

use crate::prelude::index_bits;
use spec::Config;

/// First bit of the row's address.
pub const ADDRESS: usize = 5;

/// The widths of the fields, the lowest bits first.
pub fn widths(config: &Config) -> [usize; 6] {
    [1, 1, 1, 1, 1, index_bits(config.geometry().accumulator_rows())]
}

/// The width of the word.
pub fn bits(config: &Config) -> usize {
    widths(config).iter().sum()
}
