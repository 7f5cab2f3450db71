//! A recipe's methods and roundings as texts.

use super::{ElementRounding, RangeMethod, WeightMethod, WeightRounding};
use calibrate::Method;
use golden::mx::MxExponent;
use spec::Round;
use std::fmt;
use std::str::FromStr;

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
