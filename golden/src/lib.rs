//! What values are right: rounding, requantization, integer matrix products. No time and no I/O.
//!
//! Each fact has a naive definition, written as its formula reads, and a fast form that tests prove equal to it. The
//! naive one is normative; the hardware is the only other definition of a value.

pub mod codebook;
pub mod error;
pub mod format;
pub mod layer;
pub mod matmul;
pub mod multiplier;
pub mod mx;
pub mod network;
pub mod onnx;
pub mod ops;
pub mod profile;
pub mod psum;
pub mod quantizer;
pub mod requantize;
pub mod scale;
pub mod scheme;
pub mod shift_round;
pub mod stochastic;
pub mod trace;
pub mod weight_tile;
pub mod window;

pub use codebook::Codebook;
pub use error::GoldenError;
pub use format::{Kind, QFormat, Range};
pub use layer::{fold_zero_point, layer, layer_fast};
pub use matmul::{matmul, matmul_fast, Shape};
pub use multiplier::Multiplier;
pub use network::{ChannelPeaks, Form, Layer, LayerError, Network, Operation};
pub use ops::{AccumulatorRule, Conv2d, Layout, Overflow};
pub use profile::{Operator, Profile};
pub use psum::Psum;
pub use quantizer::{Granularity, InfinityPolicy, NanPolicy, Order, Quantizer, QuantizerParts, QuantizerRounding};
pub use requantize::{Bounds, Channel, Requantizer, RowStream};
pub use scale::Scale;
pub use scheme::{OutputStage, Scheme, SchemeKind};
pub use shift_round::{divide_round, round_f64, shift_round, shift_stochastic};
pub use stochastic::{Permutation, Stream};
pub use trace::{Dropped, Product};
pub use weight_tile::{pair_up, WeightTile};
pub use window::{Extent, Window};
