//! Synthesis, place and route with outside tools: what a configuration, or a block of it, costs on a target.
//!
//! 1. Yosys maps the block alone and flattens it; the area is of that netlist.
//! 2. nextpnr places and routes that netlist, if a seed is given, between registers at its pins; see [`place`].
//! 3. Both steps are kept in a cache directory under a hash of everything they depend on. An entry appears by a rename.
//!
//! A build that fails, does not fit or takes too long is an [`Outcome`], not an error.

mod cache;
mod cells;
mod error;
pub mod extrapolate;
pub mod netlist;
mod path;
pub mod place;
mod process;
mod run;
mod target;
pub mod tools;

pub use cells::lut_sites;
pub use error::SynthError;
pub use hdl::BlockName;
pub use path::Segment;
pub use place::MAX_SEED;
pub use run::{key, synthesize};
pub use target::{Device, Resource, Target, UnknownTarget};
pub use tools::{versions, Versions};

use serde::{Deserialize, Serialize};
use spec::Config;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// What is to be built.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub config: &'a Config,
    pub block: BlockName,
    pub target: Target,
    /// Whether multipliers may become DSP blocks; see [`Target::default_dsp`].
    pub dsp: bool,
    /// The seed of place and route; none for areas alone.
    pub place: Option<u64>,
    /// The cells of the target `gates`.
    pub liberty: Option<&'a Path>,
    /// For all tools of the build together.
    pub timeout: Duration,
}

/// What a block takes, as cells of the target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Area {
    /// Lookup tables, those that only pass a signal included.
    pub luts: u64,
    pub ffs: u64,
    /// Carry cells: of a bit each on iCE40 and Gowin, two on ECP5, four on Xilinx 7.
    pub carries: u64,
    /// Multiplexers that join lookup tables.
    pub muxes: u64,
    pub dsps: u64,
    /// Block RAMs.
    pub rams: u64,
    /// Cells of RAM or shift registers made of lookup tables.
    pub lut_rams: u64,
    /// Of all cells of a liberty file.
    pub area_um2: Option<f64>,
    /// Every cell of the netlist by type.
    pub cells: BTreeMap<String, u64>,
}

/// How much of a device something takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utilization {
    pub resource: Resource,
    pub used: u64,
    pub available: u64,
}

/// A step of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Synthesis,
    Place,
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Synthesis => "synthesis",
            Self::Place => "place",
        })
    }
}

/// What came of a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    Done {
        area: Area,
        /// Of a known device; empty for targets that name none.
        utilization: Vec<Utilization>,
        /// With registers at all pins; none without place and route.
        fmax_mhz: Option<f64>,
        /// From register to register; empty without place and route.
        critical_path: Vec<Segment>,
        /// Wall time of all tools, when it was built.
        seconds: f64,
    },
    /// A tool refused; `area` is there if the block was synthesized.
    Failed {
        stage: Stage,
        reason: String,
        area: Option<Area>,
    },
    TimedOut {
        stage: Stage,
        after: Duration,
        area: Option<Area>,
    },
}

impl Outcome {
    /// What the block takes, if that much is known.
    pub fn area(&self) -> Option<&Area> {
        match self {
            Self::Done { area, .. } => Some(area),
            Self::Failed { area, .. } | Self::TimedOut { area, .. } => area.as_ref(),
        }
    }
}

/// A limit on time as it is told: in seconds below a minute.
pub fn limit(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds < 60.0 {
        true => format!("{seconds} s"),
        false => format!("{} min", seconds / 60.0),
    }
}
