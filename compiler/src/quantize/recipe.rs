//! A recipe: for weights, activations and gradients, each on their own, the format and how it is filled.
//!
//! As TOML:
//!
//! ```toml
//! [weights]
//! bits = 4
//! method = "mse"                # or min-max, percentile=99.9, kl, aciq, or a codebook
//! granularity = "per-channel"   # or per-tensor
//! rounding = "half-to-even"     # or another rule, adaround, stochastic=8
//! bias_correction = true
//!
//! [activations]
//! bits = 8
//! method = "percentile=99.9"
//! symmetry = "affine"           # or symmetric
//! rounding = "half-to-even"
//!
//! [gradients]                   # needs labelled calibration data
//! bits = 8
//! method = "min-max"
//! rounding = "stochastic=16"
//! ```

use calibrate::{Method, Symmetry};
use golden::mx::MxExponent;
use serde::{Deserialize, Serialize};
use spec::Round;
use std::fmt;
use std::str::FromStr;

/// What shares a weight scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// Each output channel has its own.
    PerChannel,
    /// The whole matrix has one.
    PerTensor,
}

/// How weights get their levels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WeightMethod {
    /// Equal steps; the scale by a calibration method.
    Uniform(Method),
    /// Levels by k-means.
    KMeans {
        levels: usize,
    },
    PowersOfTwo,
    /// Sums of two powers of two.
    AdditivePowersOfTwo,
    /// -1, 0, 1 times a scale (TWN).
    Ternary,
    /// -1, 1 times a scale (BWN).
    Binary,
    /// Distributions over levels are learned, and their modes taken.
    Probabilistic,
    /// Blocks of 32 weights of a channel with a power-of-two scale each (MXINT8), by a rule for the block's exponent. The machine
    /// has one scale a channel, so elements are shifted left by what their block's exponent exceeds the channel's least.
    Mxint8 {
        rule: MxExponent,
    },
}

/// How weights are brought to the levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WeightRounding {
    Element(ElementRounding),
    /// Floor or ceil of each weight, chosen together for the layer's outputs on calibration data.
    AdaRound,
}

/// How one element is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ElementRounding {
    Fixed(Round),
    Stochastic { random_bits: u32 },
}

/// How a range is chosen; [`calibrate::Method`] as a text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RangeMethod(pub Method);

/// Whether there is a zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroPoint {
    Affine,
    Symmetric,
}

impl From<ZeroPoint> for Symmetry {
    fn from(zero_point: ZeroPoint) -> Self {
        match zero_point {
            ZeroPoint::Affine => Self::Affine,
            ZeroPoint::Symmetric => Self::Symmetric,
        }
    }
}

/// Weights: symmetric, without the least value of two's complement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightRecipe {
    /// Bits as the machine has them.
    pub bits: u32,
    pub method: WeightMethod,
    pub granularity: Granularity,
    pub rounding: WeightRounding,
    /// Whether biases take back the mean error that rounding the weights makes on calibration data.
    pub bias_correction: bool,
}

/// Activations, the network's inputs among them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationRecipe {
    pub bits: u32,
    pub method: RangeMethod,
    pub symmetry: ZeroPoint,
    /// How real inputs are rounded; what layers compute is rounded by the machine.
    pub rounding: ElementRounding,
}

/// Gradients of weights and of activations: symmetric, one scale a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradientRecipe {
    pub bits: u32,
    pub method: RangeMethod,
    pub rounding: ElementRounding,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub weights: WeightRecipe,
    pub activations: ActivationRecipe,
    #[serde(default)]
    pub gradients: Option<GradientRecipe>,
}

impl Recipe {
    /// Whole ranges, one weight scale per channel, ties to even.
    pub fn min_max(weight_bits: u32, activation_bits: u32) -> Self {
        let rounding = ElementRounding::Fixed(Round::HalfToEven);
        Self {
            weights: WeightRecipe {
                bits: weight_bits,
                method: WeightMethod::Uniform(Method::MinMax),
                granularity: Granularity::PerChannel,
                rounding: WeightRounding::Element(rounding),
                bias_correction: false,
            },
            activations: ActivationRecipe {
                bits: activation_bits,
                method: RangeMethod(Method::MinMax),
                symmetry: ZeroPoint::Affine,
                rounding,
            },
            gradients: None,
        }
    }

    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

impl WeightRecipe {
    /// Bits that the machine's weights need: ternary and binary weights are two-bit integers.
    pub fn machine_bits(&self) -> u32 {
        match self.method {
            WeightMethod::Ternary | WeightMethod::Binary => 2,
            _ => self.bits,
        }
    }
}

const METHODS: &str = "min-max, percentile=P, kl, mse, aciq";
const CODEBOOKS: &str =
    "k-means=LEVELS, powers-of-two, additive-powers-of-two, ternary, binary, mxint8=EXPONENT_RULE, probabilistic";

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} = {text:?} must be a number"))
}

impl FromStr for RangeMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value))) {
            ("min-max", None) => Method::MinMax,
            ("percentile", Some(value)) => Method::Percentile(number("percentile", value)?),
            ("kl", None) => Method::Kl,
            ("mse", None) => Method::Mse,
            ("aciq", None) => Method::Aciq,
            _ => return Err(format!("{text:?} is no method: it must be one of {METHODS}")),
        }))
    }
}

impl FromStr for WeightMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value))) {
            ("k-means", Some(value)) => match number("k-means", value)? {
                levels @ 2.. => Self::KMeans { levels },
                other => return Err(format!("k-means = {other} must be at least 2 levels")),
            },
            ("mxint8", Some(value)) => {
                let rule = MxExponent::ALL.into_iter().find(|rule| rule.name() == value);
                let names = MxExponent::ALL.map(MxExponent::name).join(", ");
                let rule = rule.ok_or_else(|| format!("mxint8 = {value:?} must be one of {names}"))?;
                Self::Mxint8 { rule }
            }
            ("powers-of-two", None) => Self::PowersOfTwo,
            ("additive-powers-of-two", None) => Self::AdditivePowersOfTwo,
            ("ternary", None) => Self::Ternary,
            ("binary", None) => Self::Binary,
            ("probabilistic", None) => Self::Probabilistic,
            _ => match text.parse::<RangeMethod>() {
                Ok(RangeMethod(method)) => Self::Uniform(method),
                Err(_) => return Err(format!("{text:?} is no method: it must be one of {METHODS}, {CODEBOOKS}")),
            },
        })
    }
}

impl FromStr for ElementRounding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(value) = text.strip_prefix("stochastic=") {
            return match number("stochastic", value)? {
                random_bits @ 1..=32 => Ok(Self::Stochastic { random_bits }),
                other => Err(format!("stochastic = {other} must be in 1..=32 random bits")),
            };
        }
        Round::named(text).map(Self::Fixed).ok_or_else(|| {
            let names: Vec<&str> = Round::ALL.iter().map(|round| round.name()).collect();
            format!("{text:?} is no rounding: it must be one of {}, stochastic=RANDOM_BITS", names.join(", "))
        })
    }
}

impl FromStr for WeightRounding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "adaround" => Ok(Self::AdaRound),
            _ => text.parse().map(Self::Element).map_err(|error: String| format!("{error}, adaround")),
        }
    }
}

impl fmt::Display for RangeMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Method::Percentile(value) => write!(f, "percentile={value}"),
            method => f.write_str(method.name()),
        }
    }
}

impl fmt::Display for WeightMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform(method) => RangeMethod(*method).fmt(f),
            Self::KMeans { levels } => write!(f, "k-means={levels}"),
            Self::PowersOfTwo => f.write_str("powers-of-two"),
            Self::AdditivePowersOfTwo => f.write_str("additive-powers-of-two"),
            Self::Ternary => f.write_str("ternary"),
            Self::Binary => f.write_str("binary"),
            Self::Probabilistic => f.write_str("probabilistic"),
            Self::Mxint8 { rule } => write!(f, "mxint8={}", rule.name()),
        }
    }
}

impl fmt::Display for ElementRounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(round) => round.fmt(f),
            Self::Stochastic { random_bits } => write!(f, "stochastic={random_bits}"),
        }
    }
}

impl fmt::Display for WeightRounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element(rounding) => rounding.fmt(f),
            Self::AdaRound => f.write_str("adaround"),
        }
    }
}

macro_rules! as_text {
    ($($type:ty),*) => {
        $(
            impl TryFrom<String> for $type {
                type Error = String;

                fn try_from(text: String) -> Result<Self, String> {
                    text.parse()
                }
            }

            impl From<$type> for String {
                fn from(value: $type) -> Self {
                    value.to_string()
                }
            }
        )*
    };
}

as_text!(RangeMethod, WeightMethod, ElementRounding, WeightRounding);
