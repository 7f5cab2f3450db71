//! What a recipe says of single layers.

use super::{ActivationRecipe, Granularity, RangeMethod, WeightMethod, WeightRecipe, WeightRounding, ZeroPoint};
use serde::{Deserialize, Serialize};

/// One layer's weights; what is absent is the recipe's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightOverride {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<WeightMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granularity: Option<Granularity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<WeightRounding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias_correction: Option<bool>,
}

/// One layer's outputs; what is absent is the recipe's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationOverride {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<RangeMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symmetry: Option<ZeroPoint>,
}

/// What is other for one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerOverride {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightOverride>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activations: Option<ActivationOverride>,
}

/// All that a recipe says of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerRecipe {
    pub weights: WeightRecipe,
    /// Of its outputs.
    pub activations: ActivationRecipe,
}

impl LayerOverride {
    pub(super) fn over(&self, base: LayerRecipe) -> LayerRecipe {
        let LayerRecipe { weights, activations } = base;
        let (w, a) = (self.weights.unwrap_or_default(), self.activations.unwrap_or_default());
        LayerRecipe {
            weights: WeightRecipe {
                bits: w.bits.unwrap_or(weights.bits),
                method: w.method.unwrap_or(weights.method),
                granularity: w.granularity.unwrap_or(weights.granularity),
                rounding: w.rounding.unwrap_or(weights.rounding),
                bias_correction: w.bias_correction.unwrap_or(weights.bias_correction),
            },
            activations: ActivationRecipe {
                method: a.method.unwrap_or(activations.method),
                symmetry: a.symmetry.unwrap_or(activations.symmetry),
                ..activations
            },
        }
    }
}
