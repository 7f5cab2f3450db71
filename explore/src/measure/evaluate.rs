//! The accuracy of a point for one seed.

use super::error::{MeasureError, Refusal};
use super::inspect::inspect;
use super::workbench::{FloatLayers, Sources, Subject, Workbench};
use crate::point::Point;
use compiler::float::count_correct;
use compiler::quantize::{Component, Quantized};
use golden::ChannelPeaks;
use serde::{Deserialize, Serialize};

/// What the quantized network makes of all rows of test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    pub seed: u64,
    pub images: usize,
    /// Right answers of the quantized network.
    pub correct: usize,
    /// Right answers of the float network.
    pub float_correct: usize,
    /// Of the outputs against the float network's; none if nothing is lost, or all of the float network's are 0.
    pub sqnr_db: Option<f64>,
    pub layers: Vec<LayerEvaluation>,
    /// Weights, parameters and tables.
    pub model_bytes: usize,
}

/// What quantization does to one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerEvaluation {
    pub name: String,
    /// Of its weights; none if it has none, if nothing is lost, or if all are 0.
    pub weight_sqnr_db: Option<f64>,
    /// Of its outputs against the float network's, with what the layers before it lost; none as in [`Evaluation`].
    pub output_sqnr_db: Option<f64>,
    /// Outputs clamped at an end of the output format, see [`ChannelPeaks::saturated`].
    pub saturated: u64,
    pub outputs: u64,
}

/// Quantizes the network by the point's recipe for its numerics, and runs golden's fast form on all rows of test. `seed` is also that
/// of stochastic rounding.
pub fn evaluate(
    workbench: &Workbench,
    point: &Point,
    sources: &Sources,
    seed: u64,
) -> Result<Evaluation, MeasureError> {
    let subject = workbench.subject(sources)?;
    Ok(evaluate_subject(&subject, point, seed)?)
}

fn evaluate_subject(subject: &Subject, point: &Point, seed: u64) -> Result<Evaluation, Refusal> {
    let Quantized { network, tensors, .. } = subject.quantize(point, seed)?;
    let input = network.quantize_input(&subject.test.values, seed)?;
    let mut float = subject.float_layers()?;
    let (mut layers, mut last) = (Vec::new(), Vec::new());
    let each = |index: usize, outputs: &[i32], peaks: Vec<ChannelPeaks>| {
        let quantization = network.parts().tensors[index + 1];
        let name = &network.network().layers[index].name;
        let weights = tensors.iter().find(|of| of.component == Component::Weights && of.layer == *name);
        layers.push(LayerEvaluation {
            name: name.clone(),
            weight_sqnr_db: weights.and_then(|weights| weights.sqnr_db),
            output_sqnr_db: sqnr_db(&mut float, outputs.iter().map(|&q| quantization.dequantize(q))),
            saturated: peaks.iter().map(|channel| channel.saturated).sum(),
            outputs: outputs.len() as u64,
        });
        if index + 1 == network.network().layers.len() {
            last = outputs.to_vec();
        }
    };
    inspect(network.network(), network.numerics(), subject.test.rows, &input, seed, each)?;
    Ok(Evaluation {
        seed,
        images: subject.test.rows,
        correct: count_correct(&last, network.output().elements(), &subject.labels),
        float_correct: subject.float_correct,
        sqnr_db: layers.last().and_then(|layer| layer.output_sqnr_db),
        layers,
        model_bytes: network.bytes().quantized(),
    })
}

/// 10 log10(sum x^2 / sum (x - y)^2), x being the next layer's float outputs.
fn sqnr_db(float: &mut FloatLayers<'_>, became: impl Iterator<Item = f32>) -> Option<f64> {
    let (mut signal, mut noise) = (0.0, 0.0);
    for (&value, became) in float.next_layer().unwrap_or_default().iter().zip(became) {
        let value = f64::from(value);
        signal += value * value;
        noise += (value - f64::from(became)).powi(2);
    }
    (signal > 0.0 && noise > 0.0).then(|| calibrate::decibels(signal / noise))
}

#[cfg(test)]
mod tests;
