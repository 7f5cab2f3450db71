//! From a float network and calibration data to integers: scales, zero points and the requantizer's parameters.
//!
//! A [`Recipe`] says for weights, activations and gradients, each on their own, the format and how it is filled. Weights are symmetric,
//! w = s_w q, or levels of a codebook; activations are x = s_x (q - z_x), one scale per tensor. Each layer's output has the
//! scale of the next layer's input.

mod check;
mod dense;
mod error;
mod fit;
mod gradients;
mod integers;
mod model;
mod parameters;
mod patches;
mod ranges;
pub mod recipe;
mod report;

pub use crate::quantized::{ModelBytes, QuantizedNetwork};
pub use error::QuantizeError;
pub use model::ModelError;
pub use parameters::{fixed_point, ActivationQuantization, FixedPointError};
pub use ranges::Ranges;
pub use recipe::{Granularity, Recipe};
pub use report::{Component, TensorReport};

use crate::float::{FloatLayer, FloatNetwork, FloatOperation};
use crate::quantized::{QuantizedParts, INPUT_STREAM};
use calibrate::{Grid, Linear};
use fit::{Fitted, Matrix};
use golden::{Extent, Layer, Network, Operation, QuantizerRounding};
use integers::Scaled;
use patches::Patches;
use recipe::{ActivationRecipe, LayerRecipe, WeightMethod};
use serde::Serialize;
use spec::{MachineScheme, Numerics, Round};

/// Data to choose parameters by.
#[derive(Clone, Copy, Debug)]
pub struct Calibration<'a> {
    /// Row-major, an image a row, in the network's layout.
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

/// A tensor of the calibration data: as the float network has it, and as the machine sees it.
struct Tensor {
    float: Vec<f32>,
    seen: Vec<f32>,
}

/// Quantizes `network` for the machine of `numerics` by the recipe. `seed` is that of stochastic rounding of weights and inputs.
///
/// Ranges of activations are chosen from what the float network makes of the calibration data at its input and after each layer. Layers
/// are taken in turn, and a tensor is dropped when no later layer reads it.
pub fn quantize(
    network: &FloatNetwork,
    calibration: Calibration<'_>,
    numerics: &Numerics,
    recipe: &Recipe,
    seed: u64,
) -> Result<Quantized, QuantizeError> {
    quantize_with_ranges(network, calibration, numerics, recipe, seed, &Ranges::default())
}

/// [`quantize`], with ranges that were chosen before; chosen ones are added. `ranges` must be those of this network and these
/// calibration data.
pub fn quantize_with_ranges(
    network: &FloatNetwork,
    calibration: Calibration<'_>,
    numerics: &Numerics,
    recipe: &Recipe,
    seed: u64,
    ranges: &Ranges,
) -> Result<Quantized, QuantizeError> {
    if network.layers.is_empty() {
        return Err(QuantizeError::Empty);
    }
    let extents = network.extents()?;
    let recipes = check::check(network, &extents, calibration, numerics, recipe)?;
    let mut run = Run { network, numerics, extents: &extents, recipes: &recipes, seed, ranges, reports: Vec::new() };
    let inputs = network.layout.to_channels_last(network.input, calibration.inputs);
    let labels = calibration.labels;
    let names: Vec<&str> = network.layers.iter().map(|layer| layer.name.as_str()).collect();
    let mut learned = run.learn(&names, &inputs)?;
    let gradients = match (recipe.gradients, labels) {
        (Some(gradients), Some(labels)) => {
            let layers = dense::layers(network, &extents, "[gradients]")?;
            gradients::report(&layers, &names, &inputs, labels, gradients, seed)?
        }
        _ => Vec::new(),
    };
    let input = run.choose(0, &inputs, numerics.activation(), &recipe.activations, "the network's input".to_owned())?;
    let rounding = recipe.activations.rounding.golden(seed, INPUT_STREAM);
    let seen = input.seen(&inputs, numerics.activation(), rounding)?;
    let method = recipe.activations.method.to_string();
    run.reports.push(report::activations("input", "input", [&inputs, &seen], input, numerics.activation(), &method));
    let last_readers = network.last_readers();
    let (mut tensors, mut scales) = (vec![Some(Tensor { float: inputs, seen })], vec![input]);
    let (mut layers, mut weight_scales) = (Vec::new(), Vec::new());
    for index in 0..network.layers.len() {
        let read: Vec<&Tensor> =
            network.layers[index].inputs.iter().filter_map(|&tensor| tensors[tensor].as_ref()).collect();
        let fitted = learned.as_mut().map(|learned| std::mem::take(&mut learned[index]));
        let done = run.layer(index, &read, &scales, fitted)?;
        layers.push(done.layer);
        weight_scales.push(done.weight_scales);
        scales.push(done.output);
        tensors.push(Some(done.tensor));
        for (tensor, _) in last_readers.iter().enumerate().filter(|(_, &last)| last == index) {
            tensors[tensor] = None;
        }
    }
    let mut reports = run.reports;
    reports.extend(gradients);
    let layout = network.layout;
    let parts = QuantizedParts { tensors: scales, weight_scales, input_rounding: recipe.activations.rounding, layout };
    let network = Network { input: network.input, layers };
    let wrapping = network.layers.iter().filter_map(|layer| wrapping(layer, numerics)).collect();
    Ok(Quantized { network: QuantizedNetwork::new(numerics.clone(), network, parts)?, tensors: reports, wrapping })
}

/// What all layers share.
struct Run<'a> {
    network: &'a FloatNetwork,
    numerics: &'a Numerics,
    extents: &'a [Extent],
    recipes: &'a [LayerRecipe],
    seed: u64,
    ranges: &'a Ranges,
    reports: Vec<TensorReport>,
}

/// What became of a layer.
struct Done {
    layer: Layer,
    weight_scales: Vec<f32>,
    output: ActivationQuantization,
    tensor: Tensor,
}

impl Run<'_> {
    /// Where there is no multiplier, ratios of scales must be powers of two, so all scales are.
    fn grid(&self) -> Grid {
        if self.numerics.scheme() == MachineScheme::Pow2 {
            Grid::PowersOfTwo
        } else {
            Grid::Any
        }
    }

    /// `values` are those of the tensor with that number.
    fn choose(
        &self,
        number: usize,
        values: &[f32],
        format: spec::Format,
        recipe: &ActivationRecipe,
        tensor: String,
    ) -> Result<ActivationQuantization, QuantizeError> {
        let choice = self.ranges.choose(number, values, format, recipe, self.grid());
        let choice = choice.map_err(|source| QuantizeError::Calibrate { tensor, source })?;
        Ok(ActivationQuantization { scale: choice.scale, zero_point: choice.zero_point })
    }

    /// All layers' weights, if they are learned together.
    fn learn(&self, names: &[&str], inputs: &[f32]) -> Result<Option<Vec<Fitted>>, QuantizeError> {
        let learns = |(layer, recipe): (&FloatLayer, &LayerRecipe)| {
            let convolves = matches!(layer.operation, FloatOperation::Convolution { .. });
            convolves && recipe.weights.method == WeightMethod::Probabilistic
        };
        if !self.network.layers.iter().zip(self.recipes).any(learns) {
            return Ok(None);
        }
        let layers: Vec<Linear> = dense::layers(self.network, self.extents, "weights.method = probabilistic")?;
        fit::learn(&layers, names, inputs, self.recipes, self.grid(), self.seed).map(Some)
    }

    /// `read` are the tensors that the layer reads, `scales` those of all tensors before it.
    fn layer(
        &mut self,
        index: usize,
        read: &[&Tensor],
        scales: &[ActivationQuantization],
        learned: Option<Fitted>,
    ) -> Result<Done, QuantizeError> {
        let (layer, recipe, numerics) = (&self.network.layers[index], &self.recipes[index], self.numerics);
        let (input, extent) = (self.extents[layer.inputs[0]], self.extents[index + 1]);
        let floats: Vec<&[f32]> = read.iter().map(|tensor| tensor.float.as_slice()).collect();
        let float = layer.forward(floats[0].len() / input.elements(), input, extent, &floats);
        if let Some(at) = float.iter().position(|x| !x.is_finite()) {
            return Err(QuantizeError::FloatOutput { layer: layer.name.clone(), at });
        }
        let inputs: Vec<ActivationQuantization> = layer.inputs.iter().map(|&tensor| scales[tensor]).collect();
        let keeps_scale = matches!(layer.operation, FloatOperation::MaxPool { .. });
        let output = if keeps_scale {
            inputs[0]
        } else {
            let tensor = format!("the outputs of layer {}", layer.name);
            self.choose(index + 1, &float, numerics.output(), &recipe.activations, tensor)?
        };
        let scaled = Scaled { layer, inputs, output, n: extent.channels, numerics };
        let (integers, weight_scales) = match &layer.operation {
            FloatOperation::Convolution { window, groups, weights, bias } => {
                let k = layer.k(input);
                let matrix = Matrix { name: &layer.name, k, n: bias.len(), weights, bias };
                let patches = Patches::new(*window, *groups, [input, extent], &read[0].seen);
                let fitted = match learned {
                    Some(fitted) => fitted,
                    None => fit::weights(matrix, index, &patches, &recipe.weights, self.grid(), self.seed)?,
                };
                let bias = fit::bias(matrix, &fitted, &patches, &recipe.weights)?;
                self.reports.push(report::weights(matrix, &fitted, &recipe.weights, numerics.weight().bits()));
                (scaled.convolution((*window, *groups), matrix, &fitted, &bias)?, fitted.scales)
            }
            _ => (scaled.unweighted()?, Vec::new()),
        };
        let seen = output.seen(&float, numerics.output(), QuantizerRounding::Fixed(Round::HalfToEven))?;
        let method = if keeps_scale { "its input's".to_owned() } else { recipe.activations.method.to_string() };
        let report = report::activations(&layer.name, "output", [&float, &seen], output, numerics.output(), &method);
        self.reports.push(report);
        Ok(Done { layer: integers, weight_scales, output, tensor: Tensor { float, seen } })
    }
}

/// The layer's need, if the accumulator is narrower.
fn wrapping(layer: &Layer, numerics: &Numerics) -> Option<Wrapping> {
    let (low, high) = (i128::from(numerics.activation().min()), i128::from(numerics.activation().max()));
    let add = |[least, most]: [i128; 2], weight: i128| {
        let (a, b) = (weight * low, weight * high);
        [least + a.min(b), most + a.max(b)]
    };
    let sums = |term: usize, j: usize, bias: i64| {
        let start = [i128::from(bias); 2];
        match &layer.operation {
            Operation::Convolution { weights, .. } => {
                weights.iter().skip(j).step_by(layer.channels[0].len()).map(|&weight| weight.into()).fold(start, add)
            }
            Operation::SumPool { window } => add(start, window.positions() as i128),
            Operation::MaxPool { .. } => add(start, 1),
            Operation::Add { factors } => add(start, factors[term].into()),
        }
    };
    let channels = layer
        .channels
        .iter()
        .enumerate()
        .flat_map(|(term, channels)| channels.iter().enumerate().map(move |(j, channel)| (term, j, channel.bias)));
    let bits = channels
        .map(|(term, j, bias)| sums(term, j, bias))
        .map(|[least, most]| spec::format::signed_bits_for(least, most));
    let needed_bits = bits.max().unwrap_or(1);
    let accumulator_bits = numerics.accumulator_bits();
    (needed_bits > accumulator_bits).then(|| Wrapping { layer: layer.name.clone(), needed_bits, accumulator_bits })
}
