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
//!
//! [layers."conv1"]              # of one layer: any of these keys, the others are as above
//! weights = { bits = 8, method = "min-max", granularity = "per-tensor", rounding = "adaround", bias_correction = false }
//! activations = { method = "kl", symmetry = "symmetric" }
//! ```
//!
//! The greatest `bits` of weights are the machine's. A layer's activations are its outputs.

mod layers;
mod texts;

pub use layers::{ActivationOverride, LayerOverride, LayerRecipe, WeightOverride};

use calibrate::{Method, Symmetry};
use golden::mx::MxExponent;
use golden::{QuantizerRounding, Stream};
use serde::{Deserialize, Serialize};
use spec::Round;
use std::collections::BTreeMap;

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub weights: WeightRecipe,
    pub activations: ActivationRecipe,
    #[serde(default)]
    pub gradients: Option<GradientRecipe>,
    /// What is other for single layers, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<String, LayerOverride>,
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
            layers: BTreeMap::new(),
        }
    }

    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// What holds for the layer of that name.
    pub fn of(&self, layer: &str) -> LayerRecipe {
        let base = LayerRecipe { weights: self.weights, activations: self.activations };
        self.layers.get(layer).map_or(base, |layer| layer.over(base))
    }

    /// Bits of weights that the machine needs: the most that any layer has.
    pub fn machine_weight_bits(&self) -> u32 {
        let layers = self.layers.keys().map(|layer| self.of(layer).weights.machine_bits());
        layers.fold(self.weights.machine_bits(), u32::max)
    }
}

impl ElementRounding {
    /// Golden's rounding of the tensor with that number.
    pub(crate) fn golden(self, seed: u64, tensor: u32) -> QuantizerRounding {
        match self {
            Self::Fixed(round) => QuantizerRounding::Fixed(round),
            Self::Stochastic { random_bits } => QuantizerRounding::Stochastic(Stream::new(seed, tensor, random_bits)),
        }
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
