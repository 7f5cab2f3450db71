//! A design point: one value of every axis, and what follows from them.

use compiler::quantize::Recipe;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spec::config::{AccumulatorBits, RawRounding};
use spec::Config;
use std::fmt;

/// One value of every axis. An axis that a sweep file does not give has the value of its base configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axes {
    /// A name of `[networks]`; none in sweeps of hardware alone.
    pub network: Option<String>,
    /// The multiplier of the network's channels: it stands in the names of the network's files.
    pub network_width: f64,
    /// A name of `[methods]`; none without a network.
    pub method: Option<String>,
    /// Of the weights' levels. At 1 bit they are -s and s, which the machine holds as two-bit integers.
    pub weight_bits: u32,
    pub activation_bits: u32,
    pub accumulator_bits: AccumulatorBits,
    pub output_bits: u32,
    pub rounding: RawRounding,
    pub rows: usize,
    pub cols: usize,
    pub multiplier_stages: usize,
    pub requantizer_lanes: usize,
    pub bus_bits: usize,
}

/// A point with everything that its results depend on, but the contents of files.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub axes: Axes,
    /// The base configuration with the point's axes.
    pub config: Config,
    /// How the network is quantized; none without a network.
    pub recipe: Option<Recipe>,
}

impl Point {
    /// Names the point in results files: equal for equal points only, and the same in every run.
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        let recipe = self.recipe.as_ref().map(|recipe| serde_json::json!(recipe).to_string());
        for part in [serde_json::json!(self.axes).to_string(), self.config.to_toml(), recipe.unwrap_or_default()] {
            // The length keeps ["ab", "c"] apart from ["a", "bc"].
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// In words, as far as errors need them.
impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(network) = &self.network {
            write!(f, "network = {network}, network_width = {}, ", self.network_width)?;
        }
        if let Some(method) = &self.method {
            write!(f, "method = {method}, ")?;
        }
        let Self { weight_bits, activation_bits, rows, cols, .. } = self;
        write!(f, "weight_bits = {weight_bits}, activation_bits = {activation_bits}, rows = {rows}, cols = {cols}")
    }
}
