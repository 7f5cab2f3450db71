//! The axes of a sweep, the values that a file gives them, and their product.

use super::SweepError;
use crate::point::Axes;
use spec::config::{AccumulatorBits, RawRounding};
use toml::Value;

/// A dimension of the design space. The last varies fastest in the order of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Axis {
    Network,
    NetworkWidth,
    Method,
    WeightBits,
    ActivationBits,
    AccumulatorBits,
    OutputBits,
    Rounding,
    Rows,
    Cols,
    MultiplierStages,
    RequantizerLanes,
    BusBits,
}

impl Axis {
    pub const ALL: [Self; 13] = [
        Self::Network,
        Self::NetworkWidth,
        Self::Method,
        Self::WeightBits,
        Self::ActivationBits,
        Self::AccumulatorBits,
        Self::OutputBits,
        Self::Rounding,
        Self::Rows,
        Self::Cols,
        Self::MultiplierStages,
        Self::RequantizerLanes,
        Self::BusBits,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::NetworkWidth => "network_width",
            Self::Method => "method",
            Self::WeightBits => "weight_bits",
            Self::ActivationBits => "activation_bits",
            Self::AccumulatorBits => "accumulator_bits",
            Self::OutputBits => "output_bits",
            Self::Rounding => "rounding",
            Self::Rows => "rows",
            Self::Cols => "cols",
            Self::MultiplierStages => "multiplier_stages",
            Self::RequantizerLanes => "requantizer_lanes",
            Self::BusBits => "bus_bits",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|axis| axis.name() == name)
    }

    /// All names, as errors list them.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The point's value as it stands in paths, constraints and results.
    pub fn text(self, axes: &Axes) -> String {
        match self {
            Self::Network => axes.network.clone().unwrap_or_default(),
            Self::NetworkWidth => axes.network_width.to_string(),
            Self::Method => axes.method.clone().unwrap_or_default(),
            Self::WeightBits => axes.weight_bits.to_string(),
            Self::ActivationBits => axes.activation_bits.to_string(),
            Self::AccumulatorBits => match axes.accumulator_bits {
                AccumulatorBits::Named(_) => "auto".to_owned(),
                AccumulatorBits::Exact(bits) | AccumulatorBits::Wrapping { wrapping: bits } => bits.to_string(),
            },
            Self::OutputBits => axes.output_bits.to_string(),
            Self::Rounding => match axes.rounding {
                RawRounding::Named(round) => round.name().to_owned(),
                RawRounding::Stochastic { stochastic } => format!("stochastic={stochastic}"),
            },
            Self::Rows => axes.rows.to_string(),
            Self::Cols => axes.cols.to_string(),
            Self::MultiplierStages => axes.multiplier_stages.to_string(),
            Self::RequantizerLanes => axes.requantizer_lanes.to_string(),
            Self::BusBits => axes.bus_bits.to_string(),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Network | Self::Method => Kind::Name,
            Self::NetworkWidth => Kind::Multiplier,
            Self::AccumulatorBits => Kind::Accumulator,
            Self::OutputBits => Kind::Output,
            Self::Rounding => Kind::Rounding,
            _ => Kind::Whole,
        }
    }
}

/// What values an axis takes.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Name,
    Multiplier,
    Whole,
    Accumulator,
    Output,
    Rounding,
}

/// Wider than any width or size of a machine; what a configuration refuses is counted there.
const GREATEST: i64 = 1 << 20;
/// Of `network_width`.
const GREATEST_MULTIPLIER: f64 = 1000.0;
/// Values of one axis.
const MOST_VALUES: usize = 100_000;

/// One value of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Level {
    Text(String),
    Whole(u32),
    Real(f64),
    Accumulator(AccumulatorBits),
    Rounding(RawRounding),
    /// Of `output_bits`: those of activations.
    AsActivations,
}

/// Axes with their values; a point has one of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    levels: Vec<(Axis, Vec<Level>)>,
}

impl Product {
    /// Reads `[axes]` or an entry of `[[products]]`, whose name is `key`.
    pub(super) fn read(key: &str, table: &toml::Table) -> Result<Self, SweepError> {
        let mut levels = Vec::new();
        for (name, value) in table {
            let key = format!("{key}.{name}");
            let axis = Axis::named(name).ok_or_else(|| SweepError::UnknownAxis { key: key.clone() })?;
            levels.push((axis, values(axis, &key, value)?));
        }
        levels.sort_by_key(|(axis, _)| *axis);
        Ok(Self { levels })
    }

    pub(super) fn levels(&self, axis: Axis) -> Option<&[Level]> {
        self.levels.iter().find(|(given, _)| *given == axis).map(|(_, levels)| levels.as_slice())
    }

    /// Points of the product, before any constraint.
    pub fn len(&self) -> u128 {
        self.levels.iter().fold(1, |points, (_, levels)| points.saturating_mul(levels.len() as u128))
    }

    /// Whether there is no point; a file cannot say so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The point at a place of the product, below [`Product::len`]. What no axis gives is as in `base`.
    pub fn point(&self, mut place: u128, base: &Axes) -> Axes {
        let mut axes = base.clone();
        let mut output = None;
        for (axis, levels) in self.levels.iter().rev() {
            let level = &levels[(place % levels.len() as u128) as usize];
            place /= levels.len() as u128;
            if *axis == Axis::OutputBits {
                output = Some(level);
            } else {
                set(&mut axes, *axis, level);
            }
        }
        match output {
            Some(Level::Whole(bits)) => axes.output_bits = *bits,
            Some(_) => axes.output_bits = axes.activation_bits,
            // Layers feed each other.
            None if axes.network.is_some() => axes.output_bits = axes.activation_bits,
            None => {}
        }
        axes
    }
}

fn set(axes: &mut Axes, axis: Axis, level: &Level) {
    match (axis, level) {
        (Axis::Network, Level::Text(name)) => axes.network = Some(name.clone()),
        (Axis::Method, Level::Text(name)) => axes.method = Some(name.clone()),
        (Axis::NetworkWidth, Level::Real(width)) => axes.network_width = *width,
        (Axis::AccumulatorBits, Level::Accumulator(bits)) => axes.accumulator_bits = *bits,
        (Axis::Rounding, Level::Rounding(rounding)) => axes.rounding = *rounding,
        (Axis::WeightBits, Level::Whole(bits)) => axes.weight_bits = *bits,
        (Axis::ActivationBits, Level::Whole(bits)) => axes.activation_bits = *bits,
        (Axis::Rows, Level::Whole(rows)) => axes.rows = *rows as usize,
        (Axis::Cols, Level::Whole(cols)) => axes.cols = *cols as usize,
        (Axis::MultiplierStages, Level::Whole(stages)) => axes.multiplier_stages = *stages as usize,
        (Axis::RequantizerLanes, Level::Whole(lanes)) => axes.requantizer_lanes = *lanes as usize,
        (Axis::BusBits, Level::Whole(bits)) => axes.bus_bits = *bits as usize,
        _ => unreachable!("{axis:?} was read with values of its own kind, and output bits are set apart"),
    }
}

fn values(axis: Axis, key: &str, value: &Value) -> Result<Vec<Level>, SweepError> {
    let refuse = |rule: &str| SweepError::Rule { key: key.to_owned(), value: show(value), rule: rule.to_owned() };
    match value {
        Value::Array(values) if !values.is_empty() => {
            let mut levels: Vec<Level> = Vec::new();
            for value in values {
                let level = level(axis, key, value)?;
                if !levels.contains(&level) {
                    levels.push(level);
                }
            }
            Ok(levels)
        }
        Value::Table(range) if matches!(axis.kind(), Kind::Name | Kind::Rounding) && range.contains_key("from") => {
            Err(refuse("a list of names: this axis has no ranges"))
        }
        Value::Table(table) if table.contains_key("from") || table.contains_key("to") => range(axis, key, value, table),
        Value::Array(_) => Err(refuse("a list of at least one value")),
        _ => Ok(vec![level(axis, key, value)?]),
    }
}

fn range(axis: Axis, key: &str, value: &Value, table: &toml::Table) -> Result<Vec<Level>, SweepError> {
    let refuse = |rule: String| SweepError::Rule { key: key.to_owned(), value: show(value), rule };
    if let Some(name) = table.keys().find(|name| !["from", "to", "step"].contains(&name.as_str())) {
        return Err(refuse(format!("a range of from, to and, if not 1, step: {name:?} is none of these")));
    }
    let real = axis.kind() == Kind::Multiplier;
    let number = |name: &str| match table.get(name) {
        Some(Value::Integer(value)) => Ok(Some(*value as f64)),
        Some(Value::Float(value)) if real && value.is_finite() => Ok(Some(*value)),
        Some(_) => Err(refuse(format!("a range of {}", if real { "numbers" } else { "whole numbers" }))),
        None => Ok(None),
    };
    let (Some(from), Some(to)) = (number("from")?, number("to")?) else {
        return Err(refuse("a range with both from and to".to_owned()));
    };
    let step = number("step")?.unwrap_or(1.0);
    if step <= 0.0 {
        return Err(refuse("a range whose step is above 0".to_owned()));
    }
    if from > to {
        return Err(refuse(format!("a range that is not empty: from = {from} is above to = {to}")));
    }
    // A step such as 0.1 reaches its end in spite of its rounding.
    let steps = ((to - from) / step + 1e-9).floor();
    if steps >= MOST_VALUES as f64 {
        return Err(refuse(format!("a range of at most {MOST_VALUES} values")));
    }
    let value = |i: usize| {
        let value = from + i as f64 * step;
        // Sums of decimal fractions are shown, and stand in paths, as they are written.
        if real {
            Value::Float((value * 1e9).round() / 1e9)
        } else {
            Value::Integer(value as i64)
        }
    };
    (0..=steps as usize).map(|i| level(axis, key, &value(i))).collect()
}

fn level(axis: Axis, key: &str, value: &Value) -> Result<Level, SweepError> {
    let refuse = |rule: String| SweepError::Rule { key: key.to_owned(), value: show(value), rule };
    let whole = |value: &Value| match value {
        Value::Integer(number @ 0..=GREATEST) => u32::try_from(*number).ok(),
        _ => None,
    };
    match (axis.kind(), value) {
        (Kind::Name, Value::String(name)) => Ok(Level::Text(name.clone())),
        (Kind::Name, _) => Err(refuse("a list of names".to_owned())),
        (Kind::Multiplier, Value::Integer(_) | Value::Float(_)) => {
            let number = value.as_float().or(value.as_integer().map(|number| number as f64)).unwrap_or(f64::NAN);
            match number > 0.0 && number <= GREATEST_MULTIPLIER {
                true => Ok(Level::Real(number)),
                false => Err(refuse(format!("above 0 and at most {GREATEST_MULTIPLIER}"))),
            }
        }
        (Kind::Multiplier, _) => Err(refuse("a list of numbers".to_owned())),
        (Kind::Accumulator, _) => {
            let bits: Result<AccumulatorBits, _> = value.clone().try_into();
            bits.map(Level::Accumulator)
                .map_err(|_| refuse("\"auto\", a number of bits, or { wrapping = BITS }".to_owned()))
        }
        (Kind::Rounding, _) => {
            let rounding: Result<RawRounding, _> = value.clone().try_into();
            rounding.map(Level::Rounding).map_err(|error| refuse(rule_of(error.message())))
        }
        (Kind::Output, Value::String(name)) if name == "activation_bits" => Ok(Level::AsActivations),
        (Kind::Output, _) => whole(value)
            .map(Level::Whole)
            .ok_or_else(|| refuse(format!("\"activation_bits\" or a whole number in 0..={GREATEST}"))),
        (Kind::Whole, _) => {
            whole(value).map(Level::Whole).ok_or_else(|| refuse(format!("a whole number in 0..={GREATEST}")))
        }
    }
}

/// A message of the form "KEY must be RULE" without its beginning: the error has that.
fn rule_of(message: &str) -> String {
    message.split_once("must be ").map_or(message, |(_, rule)| rule).trim().to_owned()
}

/// A value as it stands in a file.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let entries: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {}", show(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}
