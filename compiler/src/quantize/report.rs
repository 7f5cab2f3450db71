//! What quantization does to each tensor, by component.

use super::fit::{Fitted, Matrix};
use super::parameters::ActivationQuantization;
use super::recipe::{Granularity, WeightMethod, WeightRecipe};
use serde::Serialize;
use spec::Format;

/// What is quantized on its own terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    Weights,
    Activations,
    Gradients,
}

impl Component {
    pub const ALL: [Self; 3] = [Self::Weights, Self::Activations, Self::Gradients];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Activations => "activations",
            Self::Gradients => "gradients",
        }
    }
}

/// One tensor before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorReport {
    pub component: Component,
    pub layer: String,
    pub tensor: &'static str,
    pub format: String,
    pub method: String,
    /// The least and the greatest scale of its channels.
    pub scale: [f32; 2],
    pub zero_point: i64,
    pub elements: usize,
    /// 10 log10 of the sum of squares over the sum of squared errors; none if nothing is lost, or all is 0.
    pub sqnr_db: Option<f64>,
    /// The mean squared error.
    pub mse: f64,
    /// The share of elements more than half the outermost step beyond the range.
    pub clipped_share: f64,
    pub bytes_float: usize,
    pub bytes_quantized: usize,
}

/// Errors of a tensor: what it was, what it became, and the ends of its range, by element.
pub(super) struct Errors {
    pub sqnr_db: Option<f64>,
    pub mse: f64,
    pub clipped_share: f64,
}

/// `range` gives where an element's range ends: half a step beyond the least and the greatest value.
pub(super) fn errors(values: &[f32], became: &[f32], range: impl Fn(usize) -> (f64, f64)) -> Errors {
    let (mut signal, mut noise, mut clipped) = (0.0, 0.0, 0_usize);
    for (at, (&value, &became)) in values.iter().zip(became).enumerate() {
        let (value, (low, high)) = (f64::from(value), range(at));
        signal += value * value;
        noise += (value - f64::from(became)).powi(2);
        clipped += usize::from(value < low || value > high);
    }
    let n = values.len().max(1) as f64;
    let sqnr_db = (signal > 0.0 && noise > 0.0).then(|| calibrate::decibels(signal / noise));
    Errors { sqnr_db, mse: noise / n, clipped_share: clipped as f64 / n }
}

pub(super) fn bytes(elements: usize, bits: u32) -> usize {
    (elements * bits as usize).div_ceil(8)
}

/// `machine_bits` are those that weights have in memory, where they may be more than the recipe's.
pub(super) fn weights(layer: Matrix<'_>, fitted: &Fitted, recipe: &WeightRecipe, machine_bits: u32) -> TensorReport {
    let errors = errors(layer.weights, &fitted.real(), |at| {
        let scale = f64::from(fitted.scales[at % layer.n]);
        let [below, above] = fitted.gaps.map(|gap| f64::from(gap) / 2.0);
        (scale * (f64::from(fitted.low) - below), scale * (f64::from(fitted.high) + above))
    });
    let bits = recipe.machine_bits();
    let per = match (recipe.method, recipe.granularity) {
        (WeightMethod::KMeans { .. }, _) | (_, Granularity::PerTensor) => "per-tensor",
        (_, Granularity::PerChannel) => "per-channel",
    };
    let correction = if recipe.bias_correction { ", bias corrected" } else { "" };
    let rounding = match recipe.method {
        WeightMethod::Uniform(_) => format!(", {}", recipe.rounding),
        WeightMethod::Mxint8 { .. } => ", blocks of 32".to_owned(),
        _ => format!(", {} levels", fitted.levels),
    };
    let fold = |f: fn(f32, f32) -> f32| fitted.scales.iter().copied().reduce(f).unwrap_or(1.0);
    TensorReport {
        component: Component::Weights,
        layer: layer.name.to_owned(),
        tensor: "weights",
        format: format!("int{bits}"),
        method: format!("{}, {per}{rounding}{correction}", recipe.method),
        scale: [fold(f32::min), fold(f32::max)],
        zero_point: 0,
        elements: layer.weights.len(),
        sqnr_db: errors.sqnr_db,
        mse: errors.mse,
        clipped_share: errors.clipped_share,
        bytes_float: 4 * layer.weights.len(),
        bytes_quantized: bytes(layer.weights.len(), machine_bits),
    }
}

pub(super) fn activations(
    layer: &str,
    tensor: &'static str,
    [values, became]: [&[f32]; 2],
    quantization: ActivationQuantization,
    format: Format,
    method: &str,
) -> TensorReport {
    let end = |q: i64| f64::from(quantization.scale) * (q - quantization.zero_point) as f64;
    let half = f64::from(quantization.scale) / 2.0;
    let ends = (end(format.min()) - half, end(format.max()) + half);
    let errors = errors(values, became, |_| ends);
    let symmetry = if quantization.zero_point == 0 { "" } else { ", zero point" };
    TensorReport {
        component: Component::Activations,
        layer: layer.to_owned(),
        tensor,
        format: format.to_string(),
        method: format!("{method}{symmetry}"),
        scale: [quantization.scale; 2],
        zero_point: quantization.zero_point,
        elements: values.len(),
        sqnr_db: errors.sqnr_db,
        mse: errors.mse,
        clipped_share: errors.clipped_share,
        bytes_float: 4 * values.len(),
        bytes_quantized: bytes(values.len(), format.bits()),
    }
}
