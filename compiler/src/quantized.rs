//! Networks in integers, with what their integers mean.

use crate::float::DataLayout;
use crate::quantize::recipe::ElementRounding;
use crate::quantize::ActivationQuantization;
use golden::{Extent, LayerError, Network};
use spec::Numerics;

/// A network of integers for one configuration of values.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedNetwork {
    numerics: Numerics,
    network: Network,
    extents: Vec<Extent>,
    parts: QuantizedParts,
}

/// What a network's integers mean.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedParts {
    /// Scale and zero point of each tensor: the input's, then each layer's output's.
    pub tensors: Vec<ActivationQuantization>,
    /// For each layer the scale of each output channel's weights; empty if it has none.
    pub weight_scales: Vec<Vec<f32>>,
    /// How real inputs are rounded.
    pub input_rounding: ElementRounding,
    /// Of the data files that the network is given.
    pub layout: DataLayout,
}

impl QuantizedNetwork {
    /// Refuses layers that do not fit each other or the machine.
    ///
    /// # Panics
    /// If `parts` has not one tensor more than there are layers, or not one list of weight scales a layer.
    pub fn new(numerics: Numerics, network: Network, parts: QuantizedParts) -> Result<Self, LayerError> {
        assert_eq!(parts.tensors.len(), network.layers.len() + 1, "one scale a tensor");
        assert_eq!(parts.weight_scales.len(), network.layers.len(), "one list of weight scales a layer");
        let extents = network.extents(&numerics)?;
        Ok(Self { numerics, network, extents, parts })
    }

    pub fn numerics(&self) -> &Numerics {
        &self.numerics
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Of all tensors, the input's first.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    pub fn parts(&self) -> &QuantizedParts {
        &self.parts
    }
}
