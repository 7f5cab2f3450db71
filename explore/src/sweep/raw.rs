//! A sweep file as it stands, before any check.

use compiler::quantize::recipe::{RangeMethod, WeightMethod, WeightRounding, ZeroPoint};
use compiler::quantize::Granularity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSweep {
    pub name: String,
    /// A file, relative to this one, or a shipped configuration: everything that no axis gives.
    pub config: String,
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Of frames per second where no fmax was measured.
    #[serde(default = "clock")]
    pub clock_mhz: f64,
    #[serde(default)]
    pub networks: BTreeMap<String, RawNetwork>,
    #[serde(default)]
    pub methods: BTreeMap<String, RawMethod>,
    pub axes: Option<toml::Table>,
    #[serde(default)]
    pub products: Vec<toml::Table>,
    #[serde(default)]
    pub constraints: Vec<String>,
    #[serde(default)]
    pub subsets: BTreeMap<String, RawSubset>,
    #[serde(default)]
    pub simulation: RawSimulation,
    pub synthesis: Option<RawSynthesis>,
}

/// Paths, relative to the sweep file, with axes and the seed in braces.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawNetwork {
    pub model: String,
    pub data: String,
}

/// A recipe but for its bits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMethod {
    pub weights: WeightMethod,
    pub activations: RangeMethod,
    pub granularity: Option<Granularity>,
    pub symmetry: Option<ZeroPoint>,
    pub weight_rounding: Option<WeightRounding>,
    pub bias_correction: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSubset {
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSimulation {
    /// Images of the simulated run.
    pub batch: usize,
    /// Cycles from a read request to its first beat.
    pub latency: u64,
    /// SEED:PERCENT.
    pub stalls: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSynthesis {
    #[serde(default = "top")]
    pub block: OneOrMore<String>,
    pub targets: Vec<String>,
    /// As is best for each target, if it is not given.
    pub dsp: Option<OneOrMore<bool>>,
    #[serde(default = "place")]
    pub place: bool,
    /// Of placement.
    #[serde(default = "first_seed")]
    pub seeds: Vec<u64>,
    /// Cells of the target `gates`.
    pub liberty: Option<String>,
    #[serde(default = "timeout")]
    pub timeout_minutes: f64,
    #[serde(default)]
    pub extrapolate: bool,
}

/// A value, or a list of values.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T: Clone> OneOrMore<T> {
    pub fn list(&self) -> Vec<T> {
        match self {
            Self::One(value) => vec![value.clone()],
            Self::More(values) => values.clone(),
        }
    }
}

impl Default for RawSimulation {
    fn default() -> Self {
        Self { batch: 1, latency: 20, stalls: None }
    }
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

fn first_seed() -> Vec<u64> {
    vec![1]
}

fn clock() -> f64 {
    100.0
}

fn top() -> OneOrMore<String> {
    OneOrMore::One("top".to_owned())
}

fn place() -> bool {
    true
}

fn timeout() -> f64 {
    20.0
}
