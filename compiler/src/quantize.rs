//! From a float network and calibration data to integers: scales, zero points and the requantizer's parameters.
//!
//! Weights are symmetric, `w = s_w q` with `abs(q) <= 2^(bits - 1) - 1`; activations are affine, `x = s_x (q - z_x)`, one
//! scale per tensor. Each layer's output has the scale of the next layer's input.

mod error;
mod network;
mod parameters;

pub use error::QuantizeError;
pub use network::{ModelBytes, QuantizedLayer, QuantizedNetwork};
pub use parameters::{fixed_point, weight_scale, ActivationQuantization, FixedPointError};

use crate::onnx::{FloatLayer, FloatNetwork};
use golden::{fold_zero_point, Bounds, Channel};
use spec::Numerics;

/// What shares a weight scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Each output channel has its own.
    PerChannel,
    /// The whole matrix has one.
    PerTensor,
}

/// Quantizes `network` for the machine of `numerics`; ranges are the least and the greatest values that `calibration`
/// (row-major, `network.input_len` columns) makes at the input and after each layer, 0 included.
pub fn quantize(
    network: &FloatNetwork,
    calibration: &[f32],
    numerics: &Numerics,
    granularity: Granularity,
) -> Result<QuantizedNetwork, QuantizeError> {
    check(network, calibration, numerics)?;
    let outputs = network.forward_all(calibration);
    let mut input = ActivationQuantization::from_values(calibration, numerics.activation());
    let mut layers = Vec::with_capacity(network.layers.len());
    for (layer, outputs) in network.layers.iter().zip(&outputs) {
        // Formats of layers in between are equal; `check` saw to it.
        let output = ActivationQuantization::from_values(outputs, numerics.output());
        layers.push(quantize_layer(layer, input, output, numerics, granularity)?);
        input = output;
    }
    Ok(QuantizedNetwork::new(numerics.clone(), layers))
}

fn check(network: &FloatNetwork, calibration: &[f32], numerics: &Numerics) -> Result<(), QuantizeError> {
    if !numerics.weight().is_signed() || numerics.weight().bits() < 2 {
        return Err(QuantizeError::WeightFormat { format: numerics.weight() });
    }
    if network.layers.len() > 1 && numerics.output() != numerics.activation() {
        return Err(QuantizeError::FormatsDiffer {
            layers: network.layers.len(),
            output: numerics.output(),
            activation: numerics.activation(),
        });
    }
    let mut len = network.input_len;
    for layer in &network.layers {
        let fits = layer.k == len && layer.weights.len() == layer.k * layer.n && layer.bias.len() == layer.n;
        if !fits || layer.k == 0 || layer.n == 0 {
            return Err(QuantizeError::LayerShape {
                layer: layer.name.clone(),
                k: layer.k,
                n: layer.n,
                input_len: len,
            });
        }
        if u32::try_from(layer.k).map_or(true, |k| k > numerics.max_k()) {
            let max_k = numerics.max_k();
            return Err(QuantizeError::TooManyTerms { layer: layer.name.clone(), k: layer.k, max_k });
        }
        len = layer.n;
    }
    if calibration.is_empty() || !calibration.len().is_multiple_of(network.input_len) {
        let (given, input_len) = (calibration.len(), network.input_len);
        return Err(QuantizeError::CalibrationLength { given, input_len });
    }
    match calibration.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(QuantizeError::CalibrationValue { at, value: calibration[at] }),
        None => Ok(()),
    }
}

fn quantize_layer(
    layer: &FloatLayer,
    input: ActivationQuantization,
    output: ActivationQuantization,
    numerics: &Numerics,
    granularity: Granularity,
) -> Result<QuantizedLayer, QuantizeError> {
    let (k, n) = (layer.k, layer.n);
    let scales = weight_scales(layer, numerics, granularity);
    let limit = numerics.weight().max();
    let weight = |at: usize| {
        let steps = (layer.weights[at] / scales[at % n]).round_ties_even();
        // Between the limits, so exact.
        steps.clamp(-(limit as f32), limit as f32) as i32
    };
    let weights: Vec<i32> = (0..k * n).map(weight).collect();

    // In units of s_x s_w, those of the accumulator.
    let unit = |channel: usize| f64::from(input.scale) * f64::from(scales[channel]);
    let biases: Vec<i64> = (0..n).map(|j| (f64::from(layer.bias[j]) / unit(j)).round_ties_even() as i64).collect();
    let column_sums = fold_zero_point(-1, &weights, &vec![0; n]);
    let mut channels = Vec::with_capacity(n);
    for j in 0..n {
        // A quotient beyond 64 bits is saturated, and adding to it must not come back into range.
        let bias = biases[j].saturating_sub(input.zero_point * column_sums[j]);
        let format = numerics.bias();
        if !format.contains(bias) {
            let (min, max) = (format.min(), format.max());
            return Err(QuantizeError::Bias { layer: layer.name.clone(), channel: j, value: bias, min, max });
        }
        let (multiplier, shift) = fixed_point(unit(j) / f64::from(output.scale), numerics)
            .map_err(|source| QuantizeError::Ratio { layer: layer.name.clone(), channel: j, source })?;
        channels.push(Channel { bias, multiplier, shift, zero_point: output.zero_point });
    }
    let full = Bounds::full(numerics);
    let bounds = if layer.relu { Bounds { low: output.zero_point, ..full } } else { full };
    Ok(QuantizedLayer {
        name: layer.name.clone(),
        k,
        n,
        weights,
        weight_scales: scales,
        channels,
        bounds,
        input,
        output,
    })
}

/// One scale per channel; channels of zeros get the whole matrix's, so that their bias keeps its precision.
fn weight_scales(layer: &FloatLayer, numerics: &Numerics, granularity: Granularity) -> Vec<f32> {
    let magnitude = |weights: &mut dyn Iterator<Item = &f32>| weights.fold(0.0_f32, |most, w| most.max(w.abs()));
    let whole = magnitude(&mut layer.weights.iter());
    let column = |j: usize| match granularity {
        Granularity::PerTensor => whole,
        Granularity::PerChannel => match magnitude(&mut layer.weights.iter().skip(j).step_by(layer.n)) {
            0.0 => whole,
            most => most,
        },
    };
    (0..layer.n).map(|j| weight_scale(column(j), numerics.weight())).collect()
}
