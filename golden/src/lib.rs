//! What values are right: rounding, requantization, integer matrix products. No time and no I/O.
//!
//! Each fact has a naive definition, written as its formula reads, and a fast form that tests prove equal to it. The
//! naive one is normative; the hardware is the only other definition of a value.

pub mod error;
pub mod layer;
pub mod matmul;
pub mod psum;
pub mod requantize;
pub mod shift_round;
pub mod stochastic;
pub mod weight_tile;

pub use error::GoldenError;
pub use layer::{fold_zero_point, layer, layer_fast};
pub use matmul::{matmul, matmul_fast, Shape};
pub use psum::Psum;
pub use requantize::{Bounds, Channel, Requantizer, RowStream};
pub use shift_round::{divide_round, round_f64, shift_round, shift_stochastic};
pub use stochastic::{Permutation, Stream};
pub use weight_tile::WeightTile;
