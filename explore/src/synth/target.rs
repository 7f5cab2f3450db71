//! The targets: what Yosys is told for each, and what their devices hold.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a block is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// iCE40 HX8K in package CT256.
    #[serde(rename = "ice40-hx8k")]
    Ice40Hx8k,
    /// iCE40 UP5K in package SG48.
    #[serde(rename = "ice40-up5k")]
    Ice40Up5k,
    /// ECP5 UM5G-25 in package CABGA381, speed grade 8.
    #[serde(rename = "ecp5-25k")]
    Ecp5_25k,
    /// ECP5 UM5G-85 in package CABGA381, speed grade 8.
    #[serde(rename = "ecp5-85k")]
    Ecp5_85k,
    /// Gowin GW1N and GW2A: counts only.
    #[serde(rename = "gowin")]
    Gowin,
    /// Xilinx 7: counts only.
    #[serde(rename = "xilinx7")]
    Xilinx7,
    /// The cells of a liberty file: areas only.
    #[serde(rename = "gates")]
    Generic,
}

/// A text that names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("target {given:?} must be one of {}", Target::names(|_| true))]
pub struct UnknownTarget {
    pub given: String,
}

/// What a device has some of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    Luts,
    Ffs,
    Dsps,
    Rams,
}

impl fmt::Display for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Luts => "LUT",
            Self::Ffs => "FF",
            Self::Dsps => "DSP",
            Self::Rams => "block RAM",
        })
    }
}

/// What the tools and the counts need to know of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    pub luts: u64,
    pub ffs: u64,
    pub dsps: u64,
    pub rams: u64,
    /// Options of nextpnr that choose it.
    pub options: &'static [&'static str],
}

/// Of what the cells of a target are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Ice40,
    Ecp5,
    Gowin,
    Xilinx7,
    Gates,
}

const HX8K: Device = Device { luts: 7680, ffs: 7680, dsps: 0, rams: 32, options: &["--hx8k", "--package", "ct256"] };
const UP5K: Device = Device { luts: 5280, ffs: 5280, dsps: 8, rams: 30, options: &["--up5k", "--package", "sg48"] };
const ECP5_25K: Device = Device {
    luts: 24_288,
    ffs: 24_288,
    dsps: 28,
    rams: 56,
    options: &["--um5g-25k", "--package", "CABGA381", "--speed", "8", "--lpf-allow-unconstrained"],
};
const ECP5_85K: Device = Device {
    luts: 83_640,
    ffs: 83_640,
    dsps: 156,
    rams: 208,
    options: &["--um5g-85k", "--package", "CABGA381", "--speed", "8", "--lpf-allow-unconstrained"],
};

impl Target {
    pub const ALL: [Self; 7] =
        [Self::Ice40Hx8k, Self::Ice40Up5k, Self::Ecp5_25k, Self::Ecp5_85k, Self::Gowin, Self::Xilinx7, Self::Generic];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ice40Hx8k => "ice40-hx8k",
            Self::Ice40Up5k => "ice40-up5k",
            Self::Ecp5_25k => "ecp5-25k",
            Self::Ecp5_85k => "ecp5-85k",
            Self::Gowin => "gowin",
            Self::Xilinx7 => "xilinx7",
            Self::Generic => "gates",
        }
    }

    pub const fn family(self) -> Family {
        match self {
            Self::Ice40Hx8k | Self::Ice40Up5k => Family::Ice40,
            Self::Ecp5_25k | Self::Ecp5_85k => Family::Ecp5,
            Self::Gowin => Family::Gowin,
            Self::Xilinx7 => Family::Xilinx7,
            Self::Generic => Family::Gates,
        }
    }

    /// None for targets that are a family of devices or a library of gates.
    pub const fn device(self) -> Option<&'static Device> {
        match self {
            Self::Ice40Hx8k => Some(&HX8K),
            Self::Ice40Up5k => Some(&UP5K),
            Self::Ecp5_25k => Some(&ECP5_25K),
            Self::Ecp5_85k => Some(&ECP5_85K),
            Self::Gowin | Self::Xilinx7 | Self::Generic => None,
        }
    }

    /// Whether Yosys can map multipliers to DSP blocks of the target.
    pub const fn has_dsp(self) -> bool {
        !matches!(self, Self::Ice40Hx8k | Self::Gowin | Self::Generic)
    }

    /// Whether nextpnr can place and route for it.
    pub const fn has_place(self) -> bool {
        matches!(self.family(), Family::Ice40 | Family::Ecp5)
    }

    /// DSP blocks wherever there are any: a product of 8 x 8 bits is about 290 LUTs of an ECP5 without. At 2 x 2 bits, where
    /// it is 4, they are a waste, and `dsp = false` is the better choice.
    pub const fn default_dsp(self) -> bool {
        self.has_dsp()
    }

    /// The names of the targets that `choose` takes.
    fn names(choose: impl Fn(Self) -> bool) -> String {
        let chosen: Vec<&str> = Self::ALL.into_iter().filter(|&target| choose(target)).map(Self::name).collect();
        chosen.join(", ")
    }

    pub(super) fn with_place() -> String {
        Self::names(Self::has_place)
    }

    pub(super) fn with_dsp() -> String {
        Self::names(Self::has_dsp)
    }

    /// Yosys's commands from `design.v` to the flat netlist `netlist.json` and its counts.
    pub(super) fn script(self, top: &str, dsp: bool) -> String {
        let map = match self {
            Self::Ice40Hx8k => format!("synth_ice40 -device hx -top {top}"),
            Self::Ice40Up5k => format!("synth_ice40 -device u -top {top}{}", if dsp { " -dsp" } else { "" }),
            Self::Ecp5_25k | Self::Ecp5_85k => {
                format!("synth_ecp5 -top {top}{}", if dsp { "" } else { " -nodsp" })
            }
            // Wide tables would be counted by their leaves, twice what the block needs.
            Self::Gowin => format!("synth_gowin -noiopads -nowidelut -top {top}"),
            Self::Xilinx7 => format!(
                "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}{}",
                if dsp { "" } else { " -nodsp" }
            ),
            Self::Generic => format!(
                "synth -flatten -top {top}; tee -q -o generic.json stat -json; dfflibmap -liberty cells.lib; \
                 abc -liberty cells.lib; opt_clean"
            ),
        };
        let area = if self == Self::Generic { " tee -q -o area.txt stat -liberty cells.lib;" } else { "" };
        format!(
            "read_verilog design.v; {map}; attrmap -remove src; tee -q -o stat.json stat -json;{area} \
             write_json netlist.json"
        )
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        let found = Self::ALL.into_iter().find(|target| target.name() == text);
        found.ok_or_else(|| UnknownTarget { given: text.to_owned() })
    }
}
