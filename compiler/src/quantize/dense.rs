//! Networks that are chains of dense layers, as `calibrate` has them.

use super::error::QuantizeError;
use crate::float::{FloatLayer, FloatNetwork, FloatOperation};
use calibrate::Linear;
use golden::Extent;

/// The layers, if each is dense and takes the one before it; `what` needs that.
pub(super) fn layers(
    network: &FloatNetwork,
    extents: &[Extent],
    what: &'static str,
) -> Result<Vec<Linear>, QuantizeError> {
    let dense = |(index, layer): (usize, &FloatLayer)| {
        linear(layer, index, extents[layer.inputs[0]]).ok_or_else(|| QuantizeError::NotDense {
            what,
            layer: layer.name.clone(),
            operation: layer.operation.name(),
        })
    };
    network.layers.iter().enumerate().map(dense).collect()
}

fn linear(layer: &FloatLayer, index: usize, input: Extent) -> Option<Linear> {
    let FloatOperation::Convolution { window, groups: 1, weights, bias } = &layer.operation else { return None };
    let relu = match layer.clamp {
        [f32::NEG_INFINITY, f32::INFINITY] => false,
        [0.0, f32::INFINITY] => true,
        _ => return None,
    };
    (window.is_whole(input.size()) && layer.inputs == [index]).then(|| Linear {
        k: input.elements(),
        n: bias.len(),
        weights: weights.clone(),
        bias: bias.clone(),
        relu,
    })
}
