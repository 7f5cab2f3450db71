//! One configuration of the machine: what is computed ([`Numerics`]) and how it is built ([`Geometry`]).
//!
//! A [`Config`] is valid by construction. It is read from TOML; unknown keys are refused and every error names the
//! key, the value given and the limit. Changing the geometry never changes an output value.

use crate::format::{signed_bits_for, Format, MachineScheme, Round, Rounding};
use thiserror::Error;

mod raw;

pub use raw::{AccumulatorBits, Auto, RawConfig, RawGeometry, RawNumerics, RawRounding};

/// Why a configuration was refused.
#[derive(Debug, Error, PartialEq)]
pub enum ConfigError {
    #[error("{key} = {value} is out of range: it must be in {min}..={max}")]
    OutOfRange { key: &'static str, value: u64, min: u64, max: u64 },
    #[error("{key} = {value} must be {rule}")]
    Rule { key: &'static str, value: String, rule: String },
    #[error("the configuration does not parse: {0}")]
    Parse(String),
}

/// What is computed: formats, rounding and the widths of the requantizer's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Numerics {
    activation: Format,
    weight: Format,
    output: Format,
    max_k: u32,
    bias_bits: u32,
    accumulator_bits: u32,
    accumulator_wraps: bool,
    scheme: MachineScheme,
    rounding: Rounding,
    multiplier_bits: u32,
    shift_bits: u32,
    activation_table: bool,
}

/// How the machine is built: array shape, pipelines, buffers, bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    rows: usize,
    cols: usize,
    multiplier_stages: usize,
    activation_buffer_rows: usize,
    weight_buffer_tiles: usize,
    accumulator_rows: usize,
    parameter_tiles: usize,
    requantizer_lanes: usize,
    bus_bits: usize,
    queue_depth: usize,
}

/// A validated configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    name: String,
    numerics: Numerics,
    geometry: Geometry,
}

/// Widest accumulator: a product with a 32-bit multiplier then fits 96 bits.
pub const MAX_ACCUMULATOR_BITS: u32 = 63;

/// Widest output with an activation table: 1024 entries in every requantizer lane.
pub const MAX_TABLE_BITS: u32 = 10;

/// Parameter rows that the 16-bit field of a command reaches.
const MAX_PARAMETER_ROWS: usize = 1 << 16;

impl Config {
    /// Reads and validates a TOML text.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let raw: RawConfig = toml::from_str(text).map_err(|e| ConfigError::Parse(toml_error(text, &e)))?;
        Self::try_from(raw)
    }

    /// The configuration as TOML, with derived values resolved; reading it back gives the same configuration.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(&RawConfig::from(self)).expect("a raw configuration is plain data")
    }

    /// One of the configurations that ship with Systole: `tiny`, `small` or `default`.
    pub fn named(name: &str) -> Option<Self> {
        Some(Self::from_toml(Self::named_toml(name)?).expect("the shipped configurations are valid"))
    }

    /// The file of one of the configurations that [`Config::named`] knows.
    pub fn named_toml(name: &str) -> Option<&'static str> {
        match name {
            "tiny" => Some(include_str!("../configs/tiny.toml")),
            "small" => Some(include_str!("../configs/small.toml")),
            "default" => Some(include_str!("../configs/default.toml")),
            _ => None,
        }
    }

    /// The names that [`Config::named`] knows.
    pub const NAMED: [&'static str; 3] = ["tiny", "small", "default"];

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn numerics(&self) -> &Numerics {
        &self.numerics
    }

    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }
}

macro_rules! getters {
    ($type:ident { $($(#[$doc:meta])* $field:ident: $result:ty),* $(,)? }) => {
        impl $type { $($(#[$doc])* pub fn $field(&self) -> $result { self.$field })* }
    };
}

getters!(Numerics {
    activation: Format,
    weight: Format,
    output: Format,
    /// The most terms that one output sums.
    max_k: u32,
    bias_bits: u32,
    /// Width of psums, of the accumulator and of the sum with the bias.
    accumulator_bits: u32,
    /// Whether the accumulator was asked to be narrower than its greatest sum; it then wraps.
    accumulator_wraps: bool,
    scheme: MachineScheme,
    rounding: Rounding,
    /// 0 if the scheme has no multiplier.
    multiplier_bits: u32,
    shift_bits: u32,
    /// Whether the requantizer ends in a table of 2^output_bits entries.
    activation_table: bool,
});

getters!(Geometry {
    rows: usize,
    cols: usize,
    multiplier_stages: usize,
    activation_buffer_rows: usize,
    weight_buffer_tiles: usize,
    accumulator_rows: usize,
    parameter_tiles: usize,
    requantizer_lanes: usize,
    bus_bits: usize,
    queue_depth: usize,
});

impl Numerics {
    /// The accumulator's format: two's complement of [`Numerics::accumulator_bits`].
    pub fn accumulator(&self) -> Format {
        Format::new(self.accumulator_bits, true)
    }

    /// The bias's format.
    pub fn bias(&self) -> Format {
        Format::new(self.bias_bits, true)
    }

    /// The requantizer's unsigned multiplier, if the scheme has one.
    pub fn multiplier(&self) -> Option<Format> {
        (self.multiplier_bits > 0).then(|| Format::new(self.multiplier_bits, false))
    }

    /// The requantizer's shift, 0..=2^shift_bits - 1.
    pub fn shift(&self) -> Format {
        Format::new(self.shift_bits, false)
    }

    /// The format of zero points and clamp bounds: signed, one bit wider than the output.
    pub fn bound(&self) -> Format {
        Format::new(self.output.bits() + 1, true)
    }

    /// The least accumulator width that holds every sum of `max_k` products and a bias.
    pub fn exact_accumulator_bits(&self) -> u32 {
        exact_accumulator_bits(self.activation, self.weight, self.max_k, self.bias_bits)
    }

    /// Bits of one parameter record in external memory: bias, multiplier, shift and zero point, least significant
    /// first, padded to a byte.
    pub fn parameter_bits(&self) -> u32 {
        (self.bias_bits + self.multiplier_bits + self.shift_bits + self.bound().bits()).next_multiple_of(8)
    }
}

impl Geometry {
    /// Rows of the weight buffer.
    pub fn weight_buffer_rows(&self) -> usize {
        self.weight_buffer_tiles * self.rows
    }

    /// Groups of `requantizer_lanes` columns in a row of the accumulator.
    pub fn column_groups(&self) -> usize {
        self.cols / self.requantizer_lanes
    }

    /// Rows of the parameter buffer; each holds the records of `requantizer_lanes` channels.
    pub fn parameter_rows(&self) -> usize {
        self.parameter_tiles * self.column_groups()
    }

    pub fn bus_bytes(&self) -> usize {
        self.bus_bits / 8
    }
}

fn exact_accumulator_bits(activation: Format, weight: Format, max_k: u32, bias_bits: u32) -> u32 {
    let bias = Format::new(bias_bits, true);
    let corners = [
        i128::from(activation.min()) * i128::from(weight.min()),
        i128::from(activation.min()) * i128::from(weight.max()),
        i128::from(activation.max()) * i128::from(weight.min()),
        i128::from(activation.max()) * i128::from(weight.max()),
    ];
    let least = corners.into_iter().fold(0, i128::min) * i128::from(max_k) + i128::from(bias.min());
    let greatest = corners.into_iter().fold(0, i128::max) * i128::from(max_k) + i128::from(bias.max());
    signed_bits_for(least, greatest)
}

/// A TOML error in one line: where, and what.
pub fn toml_error(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join("; ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

fn in_range(key: &'static str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange { key, value, min, max })
    }
}

fn rule(holds: bool, key: &'static str, value: impl ToString, rule: impl Into<String>) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError::Rule { key, value: value.to_string(), rule: rule.into() })
    }
}

impl TryFrom<RawNumerics> for Numerics {
    type Error = ConfigError;

    fn try_from(raw: RawNumerics) -> Result<Self, ConfigError> {
        in_range("numerics.activation_bits", raw.activation_bits.into(), 1, 16)?;
        in_range("numerics.weight_bits", raw.weight_bits.into(), 1, 16)?;
        in_range("numerics.output_bits", raw.output_bits.into(), 1, 16)?;
        in_range("numerics.max_k", raw.max_k.into(), 1, 65_535)?;
        in_range("numerics.bias_bits", raw.bias_bits.into(), 1, 48)?;
        let rounding = rounding(&raw)?;
        in_range("numerics.shift_bits", raw.shift_bits.into(), 1, 6)?;
        rule(
            !raw.activation_table || raw.output_bits <= MAX_TABLE_BITS,
            "numerics.activation_table",
            raw.activation_table,
            format!("false where output_bits = {} is above {MAX_TABLE_BITS}", raw.output_bits),
        )?;
        let activation = Format::new(raw.activation_bits, raw.activation_signed);
        let weight = Format::new(raw.weight_bits, raw.weight_signed);
        let exact = exact_accumulator_bits(activation, weight, raw.max_k, raw.bias_bits);
        let key = "numerics.accumulator_bits";
        let (accumulator_bits, accumulator_wraps) = match raw.accumulator_bits {
            AccumulatorBits::Named(Auto::Auto) => (exact, false),
            AccumulatorBits::Exact(bits) => {
                in_range(key, bits.into(), 1, MAX_ACCUMULATOR_BITS.into())?;
                rule(
                    bits >= exact,
                    key,
                    bits,
                    format!(
                        "at least {exact}, or the sum of max_k = {} products and the bias could overflow; \
                         {{ wrapping = {bits} }} asks for a narrower one that wraps",
                        raw.max_k
                    ),
                )?;
                (bits, false)
            }
            AccumulatorBits::Wrapping { wrapping } => {
                in_range(key, wrapping.into(), 2, MAX_ACCUMULATOR_BITS.into())?;
                (wrapping, wrapping < exact)
            }
        };
        Ok(Self {
            activation,
            weight,
            output: Format::new(raw.output_bits, raw.output_signed),
            max_k: raw.max_k,
            bias_bits: raw.bias_bits,
            accumulator_bits,
            accumulator_wraps,
            scheme: raw.scheme,
            rounding,
            multiplier_bits: raw.multiplier_bits,
            shift_bits: raw.shift_bits,
            activation_table: raw.activation_table,
        })
    }
}

/// The rounding, if scheme, rounding and multiplier fit each other. Each arithmetic has exactly one name.
fn rounding(raw: &RawNumerics) -> Result<Rounding, ConfigError> {
    let (scheme, key) = (raw.scheme, "numerics.multiplier_bits");
    match scheme {
        MachineScheme::Pow2 => {
            rule(raw.multiplier_bits == 0, key, raw.multiplier_bits, "0: scheme pow2 has no multiplier")?;
        }
        _ => in_range(key, raw.multiplier_bits.into(), 1, 32)?,
    }
    let (up, key) = (RawRounding::Named(Round::HalfTowardPositive), "numerics.scheme");
    let other = "fixed-double-up where rounding = \"half-toward-positive\": that is its name";
    rule(scheme != MachineScheme::FixedDouble || raw.rounding != up, key, scheme, other)?;
    let other = "fixed-double unless rounding = \"half-toward-positive\", which is what \"up\" stands for";
    rule(scheme != MachineScheme::FixedDoubleUp || raw.rounding == up, key, scheme, other)?;
    match raw.rounding {
        RawRounding::Named(round) => Ok(Rounding::Fixed(round)),
        RawRounding::Stochastic { stochastic: random_bits } => {
            in_range("numerics.rounding.stochastic", random_bits.into(), 1, 32)?;
            Ok(Rounding::Stochastic { random_bits })
        }
    }
}

impl TryFrom<RawGeometry> for Geometry {
    type Error = ConfigError;

    fn try_from(raw: RawGeometry) -> Result<Self, ConfigError> {
        in_range("geometry.rows", raw.rows as u64, 1, 128)?;
        in_range("geometry.cols", raw.cols as u64, 1, 128)?;
        in_range("geometry.multiplier_stages", raw.multiplier_stages as u64, 0, 2)?;
        in_range("geometry.activation_buffer_rows", raw.activation_buffer_rows as u64, 2, 65_536)?;
        in_range("geometry.weight_buffer_tiles", raw.weight_buffer_tiles as u64, 2, 256)?;
        in_range("geometry.accumulator_rows", raw.accumulator_rows as u64, 1, 32_768)?;
        in_range("geometry.parameter_tiles", raw.parameter_tiles as u64, 2, 1024)?;
        in_range("geometry.requantizer_lanes", raw.requantizer_lanes as u64, 1, raw.cols as u64)?;
        in_range("geometry.bus_bits", raw.bus_bits as u64, 32, 256)?;
        in_range("geometry.queue_depth", raw.queue_depth as u64, 2, 64)?;
        rule(raw.bus_bits.is_power_of_two(), "geometry.bus_bits", raw.bus_bits, "a power of two")?;
        rule(raw.queue_depth.is_power_of_two(), "geometry.queue_depth", raw.queue_depth, "a power of two")?;
        rule(
            raw.cols.is_multiple_of(raw.requantizer_lanes),
            "geometry.requantizer_lanes",
            raw.requantizer_lanes,
            format!("a divisor of geometry.cols = {}", raw.cols),
        )?;
        let column_groups = raw.cols / raw.requantizer_lanes;
        let most_tiles = MAX_PARAMETER_ROWS / column_groups;
        rule(
            raw.parameter_tiles <= most_tiles,
            "geometry.parameter_tiles",
            raw.parameter_tiles,
            format!(
                "at most {most_tiles}: commands address {MAX_PARAMETER_ROWS} parameter rows, and a tile has \
                 cols / requantizer_lanes = {column_groups} of them"
            ),
        )?;
        Ok(Self {
            rows: raw.rows,
            cols: raw.cols,
            multiplier_stages: raw.multiplier_stages,
            activation_buffer_rows: raw.activation_buffer_rows,
            weight_buffer_tiles: raw.weight_buffer_tiles,
            accumulator_rows: raw.accumulator_rows,
            parameter_tiles: raw.parameter_tiles,
            requantizer_lanes: raw.requantizer_lanes,
            bus_bits: raw.bus_bits,
            queue_depth: raw.queue_depth,
        })
    }
}

impl TryFrom<RawConfig> for Config {
    type Error = ConfigError;

    fn try_from(raw: RawConfig) -> Result<Self, ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        rule(
            !raw.name.is_empty() && raw.name.len() <= 64 && raw.name.chars().all(plain),
            "name",
            format!("{:?}", raw.name),
            "1..=64 letters, digits, '_' or '-'",
        )?;
        Ok(Self { name: raw.name, numerics: raw.numerics.try_into()?, geometry: raw.geometry.try_into()? })
    }
}
