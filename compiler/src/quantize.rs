//! From a float network and calibration data to integers: scales, zero points and the requantizer's parameters.
//!
//! A [`Recipe`] says for weights, activations and gradients, each on their own, the format and how it is filled. Weights are symmetric,
//! w = s_w q, or levels of a codebook; activations are x = s_x (q - z_x), one scale per tensor. Each layer's output has the
//! scale of the next layer's input.

mod error;
mod fit;
mod gradients;
mod model;
mod network;
mod parameters;
pub mod recipe;
mod report;

pub use error::QuantizeError;
pub use model::ModelError;
pub use network::{ModelBytes, QuantizedLayer, QuantizedNetwork};
pub use parameters::{fixed_point, ActivationQuantization, FixedPointError};
pub use recipe::{Granularity, Recipe};
pub use report::{Component, TensorReport};

use crate::onnx::{FloatLayer, FloatNetwork};
use calibrate::Grid;
use fit::Fitted;
use golden::{fold_zero_point, Bounds, Channel, QFormat, QuantizerRounding};
use serde::Serialize;
use spec::{MachineScheme, Numerics, Round};

/// Data to choose parameters by.
#[derive(Clone, Copy, Debug)]
pub struct Calibration<'a> {
    /// Row-major, as many columns as the network has inputs.
    pub inputs: &'a [f32],
    /// The class of each row; gradients need it.
    pub labels: Option<&'a [i64]>,
}

/// A network in integers, and what became of its tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    pub network: QuantizedNetwork,
    pub tensors: Vec<TensorReport>,
    /// Layers whose sums can exceed a wrapping accumulator.
    pub wrapping: Vec<Wrapping>,
}

/// A layer whose sums can exceed its accumulator, which then wraps: it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wrapping {
    pub layer: String,
    /// The least width that holds every sum of the layer's weights, with any activations and its bias.
    pub needed_bits: u32,
    pub accumulator_bits: u32,
}

/// Quantizes `network` for the machine of `numerics` by the recipe. `seed` is that of stochastic rounding of weights and inputs.
///
/// Ranges of activations are chosen from what the float network makes of the calibration data at its input and after each layer.
pub fn quantize(
    network: &FloatNetwork,
    calibration: Calibration<'_>,
    numerics: &Numerics,
    recipe: &Recipe,
    seed: u64,
) -> Result<Quantized, QuantizeError> {
    check(network, calibration, numerics, recipe)?;
    let floats = network.forward_all(calibration.inputs);
    for (layer, outputs) in network.layers.iter().zip(&floats) {
        if let Some(at) = outputs.iter().position(|x| !x.is_finite()) {
            return Err(QuantizeError::FloatOutput { layer: layer.name.clone(), at });
        }
    }
    // Where there is no multiplier, ratios of scales must be powers of two, so all scales are.
    let grid = if numerics.scheme() == MachineScheme::Pow2 { Grid::PowersOfTwo } else { Grid::Any };
    let choose = |values: &[f32], format: spec::Format, tensor: String| {
        let format = QFormat::full(format.bits(), format.is_signed())?;
        let activations = recipe.activations;
        let choice = calibrate::choose(values, format, activations.method.0, activations.symmetry.into(), grid)
            .map_err(|source| QuantizeError::Calibrate { tensor, source })?;
        Ok::<_, QuantizeError>(ActivationQuantization { scale: choice.scale, zero_point: choice.zero_point })
    };
    let mut input = choose(calibration.inputs, numerics.activation(), "the network's input".to_owned())?;
    let rounding = fit::rounding_of(recipe.activations.rounding, seed, network::INPUT_STREAM);
    // What the next layer sees of the calibration data.
    let mut seen = input.seen(calibration.inputs, numerics.activation(), rounding)?;
    let parts = [calibration.inputs, &seen];
    let mut tensors = vec![report::activations("input", "input", parts, input, numerics.activation(), recipe)];
    let learned = fit::learn(network, calibration, numerics, recipe, seed)?;
    let mut layers = Vec::with_capacity(network.layers.len());
    for (index, (layer, outputs)) in network.layers.iter().zip(&floats).enumerate() {
        // Formats of layers in between are equal; `check` saw to it.
        let output = choose(outputs, numerics.output(), format!("the outputs of layer {}", layer.name))?;
        let fitted = match &learned {
            Some(learned) => learned[index].clone(),
            None => fit::weights(layer, index, &seen, recipe, grid, seed)?,
        };
        let bias = fit::bias(layer, &fitted, &seen, recipe)?;
        tensors.push(report::weights(layer, &fitted, recipe));
        seen = output.seen(outputs, numerics.output(), QuantizerRounding::Fixed(Round::HalfToEven))?;
        tensors.push(report::activations(&layer.name, "output", [outputs, &seen], output, numerics.output(), recipe));
        layers.push(quantize_layer(layer, &fitted, &bias, input, output, numerics)?);
        input = output;
    }
    if let (Some(gradients), Some(labels)) = (recipe.gradients, calibration.labels) {
        tensors.extend(gradients::report(network, calibration.inputs, labels, gradients, seed)?);
    }
    let wrapping = layers.iter().filter_map(|layer| wrapping(layer, numerics)).collect();
    let network = QuantizedNetwork::new(numerics.clone(), layers, recipe.activations.rounding);
    Ok(Quantized { network, tensors, wrapping })
}

fn check(
    network: &FloatNetwork,
    calibration: Calibration<'_>,
    numerics: &Numerics,
    recipe: &Recipe,
) -> Result<(), QuantizeError> {
    let weight = numerics.weight();
    if !weight.is_signed() || weight.bits() < 2 {
        return Err(QuantizeError::WeightFormat { format: weight });
    }
    let bits = [
        ("weights.bits", recipe.weights.machine_bits(), "numerics.weight_bits", weight.bits()),
        ("activations.bits", recipe.activations.bits, "numerics.activation_bits", numerics.activation().bits()),
    ];
    for (key, given, of, machine) in bits {
        if given != machine {
            return Err(QuantizeError::Bits { key, given, of, machine });
        }
    }
    if let Some(gradients) = recipe.gradients {
        if !(2..=32).contains(&gradients.bits) {
            return Err(QuantizeError::GradientBits { bits: gradients.bits });
        }
        if calibration.labels.is_none() {
            return Err(QuantizeError::NoLabels);
        }
    }
    use recipe::WeightMethod::{Mxint8, Probabilistic, Uniform};
    let codebook = !matches!(recipe.weights.method, Uniform(_) | Probabilistic | Mxint8 { .. });
    if numerics.scheme() == MachineScheme::Pow2 && codebook {
        return Err(QuantizeError::ScalesOfCodebook { method: recipe.weights.method.to_string() });
    }
    check_network(network, numerics)?;
    let input_len = network.input_len;
    if calibration.inputs.is_empty() || !calibration.inputs.len().is_multiple_of(input_len) {
        return Err(QuantizeError::CalibrationLength { given: calibration.inputs.len(), input_len });
    }
    let rows = calibration.inputs.len() / input_len;
    if let Some(labels) = calibration.labels.filter(|labels| labels.len() != rows) {
        return Err(QuantizeError::LabelCount { given: labels.len(), rows });
    }
    match calibration.inputs.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(QuantizeError::CalibrationValue { at, value: calibration.inputs[at] }),
        None => Ok(()),
    }
}

fn check_network(network: &FloatNetwork, numerics: &Numerics) -> Result<(), QuantizeError> {
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
    Ok(())
}

/// The layer's need, if the accumulator is narrower.
fn wrapping(layer: &QuantizedLayer, numerics: &Numerics) -> Option<Wrapping> {
    let (low, high) = (i128::from(numerics.activation().min()), i128::from(numerics.activation().max()));
    let channel_bits = |j: usize| {
        let bias = i128::from(layer.channels[j].bias);
        let ends = layer.weights.iter().skip(j).step_by(layer.n).fold([bias, bias], |[least, most], &weight| {
            let (a, b) = (i128::from(weight) * low, i128::from(weight) * high);
            [least + a.min(b), most + a.max(b)]
        });
        spec::format::signed_bits_for(ends[0], ends[1])
    };
    let needed_bits = (0..layer.n).map(channel_bits).max().unwrap_or(1);
    let accumulator_bits = numerics.accumulator_bits();
    (needed_bits > accumulator_bits).then(|| Wrapping { layer: layer.name.clone(), needed_bits, accumulator_bits })
}

/// Biases of so many steps and more are refused before they are folded: 2^62, so that folding cannot overflow.
const MOST_STEPS: f64 = (1_u64 << 62) as f64;

fn quantize_layer(
    layer: &FloatLayer,
    fitted: &Fitted,
    bias: &[f32],
    input: ActivationQuantization,
    output: ActivationQuantization,
    numerics: &Numerics,
) -> Result<QuantizedLayer, QuantizeError> {
    let (k, n) = (layer.k, layer.n);
    // In units of s_x s_w, those of the accumulator.
    let unit = |channel: usize| f64::from(input.scale) * f64::from(fitted.scales[channel]);
    let steps = |j: usize| (f64::from(bias[j]) / unit(j)).round_ties_even();
    if let Some(channel) = (0..n).find(|&j| steps(j).abs() >= MOST_STEPS) {
        let (layer, bias, step) = (layer.name.clone(), bias[channel], unit(channel));
        return Err(QuantizeError::BiasSteps { layer, channel, bias, step });
    }
    let biases: Vec<i64> = (0..n).map(|j| steps(j) as i64).collect();
    let column_sums = fold_zero_point(-1, &fitted.values, &vec![0; n]);
    let mut channels = Vec::with_capacity(n);
    for j in 0..n {
        let bias = biases[j] - input.zero_point * column_sums[j];
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
        weights: fitted.values.clone(),
        weight_scales: fitted.scales.clone(),
        channels,
        bounds,
        input,
        output,
    })
}
