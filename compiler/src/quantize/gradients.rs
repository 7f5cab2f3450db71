//! What quantization does to gradients: they are computed in floats, quantized by the recipe, and measured.

use super::error::QuantizeError;
use super::fit::weight_format;
use super::recipe::GradientRecipe;
use super::report::{bytes, errors, Component, TensorReport};
use calibrate::{Grid, Linear, Symmetry};
use golden::{Granularity, InfinityPolicy, NanPolicy, Order, Quantizer, QuantizerParts, Scale};

/// Tensor numbers of streams that round gradients.
const GRADIENT_STREAMS: u32 = 1 << 30;

/// The gradients of the mean cross-entropy by each layer's weights and outputs, for inputs as the first layer takes them.
pub(super) fn report(
    layers: &[Linear],
    names: &[&str],
    inputs: &[f32],
    labels: &[i64],
    recipe: GradientRecipe,
    seed: u64,
) -> Result<Vec<TensorReport>, QuantizeError> {
    let classes = layers.last().map_or(0, |layer| layer.n);
    let labels = labels.iter().map(|&label| usize::try_from(label).ok().filter(|&label| label < classes));
    let labels = labels.collect::<Option<Vec<usize>>>().ok_or(QuantizeError::Labels { classes })?;
    let gradients = calibrate::gradients(layers, inputs, &labels)
        .map_err(|source| QuantizeError::Calibrate { tensor: "gradients of all layers".to_owned(), source })?;
    let mut reports = Vec::new();
    for (name, gradient) in names.iter().zip(&gradients.layers) {
        for (tensor, values) in [("by weights", &gradient.weights), ("by outputs", &gradient.outputs)] {
            let number = GRADIENT_STREAMS + reports.len() as u32;
            reports.push(tensor_report(name, tensor, values, recipe, seed, number)?);
        }
    }
    Ok(reports)
}

fn tensor_report(
    layer: &str,
    tensor: &'static str,
    values: &[f32],
    recipe: GradientRecipe,
    seed: u64,
    number: u32,
) -> Result<TensorReport, QuantizeError> {
    let format = weight_format(recipe.bits)?;
    let choice = calibrate::choose(values, format, recipe.method.0, Symmetry::Symmetric, Grid::Any)
        .map_err(|source| QuantizeError::Calibrate { tensor: format!("gradient {tensor} of layer {layer}"), source })?;
    let quantizer = Quantizer::new(QuantizerParts {
        format,
        scales: vec![Scale::f32(choice.scale)?],
        zero_points: vec![0],
        granularity: Granularity::Tensor,
        rounding: recipe.rounding.golden(seed, number),
        order: Order::DivideThenAdd,
        nan: NanPolicy::Refuse,
        infinity: InfinityPolicy::Refuse,
    })?;
    let shape = [values.len()];
    let became = quantizer.dequantize(&quantizer.quantize(values, &shape)?, &shape)?;
    let scale = f64::from(choice.scale);
    let ends = (scale * (format.min() as f64 - 0.5), scale * (format.max() as f64 + 0.5));
    let errors = errors(values, &became, |_| ends);
    Ok(TensorReport {
        component: Component::Gradients,
        layer: layer.to_owned(),
        tensor,
        format: format!("int{}", recipe.bits),
        method: format!("{}, {}", recipe.method, recipe.rounding),
        scale: [choice.scale; 2],
        zero_point: 0,
        elements: values.len(),
        sqnr_db: errors.sqnr_db,
        mse: errors.mse,
        clipped_share: errors.clipped_share,
        bytes_float: 4 * values.len(),
        bytes_quantized: bytes(values.len(), recipe.bits),
    })
}
