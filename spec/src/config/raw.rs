//! The configuration as it stands in a file.

use super::{Config, Numerics};
use crate::format::{MachineScheme, Round, Rounding};
use serde::{Deserialize, Serialize};

/// The configuration as it stands in a file, before any check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    pub name: String,
    pub numerics: RawNumerics,
    pub geometry: RawGeometry,
}

/// See [`RawConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawNumerics {
    pub activation_bits: u32,
    pub activation_signed: bool,
    pub weight_bits: u32,
    pub weight_signed: bool,
    pub output_bits: u32,
    pub output_signed: bool,
    /// The most terms that one output sums.
    pub max_k: u32,
    pub bias_bits: u32,
    pub accumulator_bits: AccumulatorBits,
    pub scheme: MachineScheme,
    pub rounding: RawRounding,
    /// 0 for the scheme `pow2`.
    pub multiplier_bits: u32,
    pub shift_bits: u32,
    /// Whether the requantizer ends in a table of 2^output_bits entries.
    pub activation_table: bool,
}

/// See [`RawConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawGeometry {
    pub rows: usize,
    pub cols: usize,
    pub multiplier_stages: usize,
    pub activation_buffer_rows: usize,
    /// Slots of `rows` weight rows each.
    pub weight_buffer_tiles: usize,
    /// Rows of each of the accumulator's two halves.
    pub accumulator_rows: usize,
    /// Column tiles (of `cols` output channels each) whose parameters the parameter buffer holds.
    pub parameter_tiles: usize,
    pub requantizer_lanes: usize,
    pub bus_bits: usize,
    pub queue_depth: usize,
}

/// `accumulator_bits = "auto"`, a width that holds every sum, or `{ wrapping = WIDTH }` for a narrower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "accumulator_bits must be \"auto\", a number of bits, or { wrapping = BITS }"
)]
pub enum AccumulatorBits {
    Named(Auto),
    Exact(u32),
    Wrapping { wrapping: u32 },
}

/// `rounding = "half-to-even"` or another rule by its name, or `{ stochastic = RANDOM_BITS }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "rounding must be floor, ceil, toward-zero, away-from-zero, to-odd, half-to-even, half-toward-positive, \
                 half-toward-negative, half-toward-zero, half-away-from-zero, or { stochastic = RANDOM_BITS }"
)]
pub enum RawRounding {
    Named(Round),
    Stochastic { stochastic: u32 },
}

impl From<Rounding> for RawRounding {
    fn from(rounding: Rounding) -> Self {
        match rounding {
            Rounding::Fixed(round) => Self::Named(round),
            Rounding::Stochastic { random_bits } => Self::Stochastic { stochastic: random_bits },
        }
    }
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    Auto,
}

impl From<&Numerics> for RawNumerics {
    fn from(n: &Numerics) -> Self {
        Self {
            activation_bits: n.activation().bits(),
            activation_signed: n.activation().is_signed(),
            weight_bits: n.weight().bits(),
            weight_signed: n.weight().is_signed(),
            output_bits: n.output().bits(),
            output_signed: n.output().is_signed(),
            max_k: n.max_k(),
            bias_bits: n.bias_bits(),
            accumulator_bits: if n.accumulator_wraps() {
                AccumulatorBits::Wrapping { wrapping: n.accumulator_bits() }
            } else {
                AccumulatorBits::Exact(n.accumulator_bits())
            },
            scheme: n.scheme(),
            rounding: n.rounding().into(),
            multiplier_bits: n.multiplier_bits(),
            shift_bits: n.shift_bits(),
            activation_table: n.activation_table(),
        }
    }
}

impl From<&Config> for RawConfig {
    fn from(config: &Config) -> Self {
        let g = config.geometry();
        Self {
            name: config.name().to_owned(),
            numerics: config.numerics().into(),
            geometry: RawGeometry {
                rows: g.rows(),
                cols: g.cols(),
                multiplier_stages: g.multiplier_stages(),
                activation_buffer_rows: g.activation_buffer_rows(),
                weight_buffer_tiles: g.weight_buffer_tiles(),
                accumulator_rows: g.accumulator_rows(),
                parameter_tiles: g.parameter_tiles(),
                requantizer_lanes: g.requantizer_lanes(),
                bus_bits: g.bus_bits(),
                queue_depth: g.queue_depth(),
            },
        }
    }
}
