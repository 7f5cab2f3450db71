//! The gradients of a network's loss, tensors to quantize and report like weights and activations.

use crate::error::{check_length, CalibrateError};
use crate::matrix::{left_transposed, right_transposed, to_f32, to_f64};
use crate::network::{check_labels, outputs, softmax, Linear};

/// Derivatives of the loss by one layer's tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerGradients {
    /// k x n.
    pub weights: Vec<f32>,
    /// n.
    pub bias: Vec<f32>,
    /// m x n: by the layer's outputs, after its ReLU.
    pub outputs: Vec<f32>,
}

/// A loss and its derivatives.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    pub loss: f64,
    pub layers: Vec<LayerGradients>,
}

/// The gradients of the mean softmax cross entropy, L = -1/m sum over rows of ln(softmax(z)_label), z the last layer's
/// outputs.
///
/// Formula: dL/dz = (softmax(z) - one_hot(label)) / m; through a layer with derivative D of its sums (the outputs'
/// where the output is positive or there is no ReLU, else 0): dL/dW = X^T D, dL/db = column sums of D, dL/dX = D W^T.
/// At a sum of exactly 0 ReLU's derivative is taken as 0. Computed in f64, returned in f32.
pub fn gradients(layers: &[Linear], inputs: &[f32], labels: &[usize]) -> Result<Gradients, CalibrateError> {
    let all = outputs(layers, inputs)?;
    let (Some(logits), Some(last)) = (all.last(), layers.last()) else {
        return Err(CalibrateError::Empty { what: "layers" });
    };
    check_labels(labels, last.n)?;
    let m = logits.len() / last.n;
    check_length("labels", labels.len(), m)?;
    let probabilities = softmax(logits, last.n);
    let mut loss = 0.0;
    let mut back = probabilities.clone();
    for (row, &label) in labels.iter().enumerate() {
        loss -= libm::log(probabilities[row * last.n + label]) / m as f64;
        back[row * last.n + label] -= 1.0;
    }
    back.iter_mut().for_each(|x| *x /= m as f64);
    let mut found = Vec::with_capacity(layers.len());
    for (at, layer) in layers.iter().enumerate().rev() {
        let by_outputs = to_f32(&back);
        if layer.relu {
            back.iter_mut().zip(&all[at]).filter(|(_, &y)| y <= 0.0).for_each(|(x, _)| *x = 0.0);
        }
        let before = if at == 0 { to_f64(inputs) } else { all[at - 1].clone() };
        let bias = |j: usize| back.iter().skip(j).step_by(layer.n).sum::<f64>() as f32;
        found.push(LayerGradients {
            weights: to_f32(&left_transposed(&before, &back, layer.k, layer.n)),
            bias: (0..layer.n).map(bias).collect(),
            outputs: by_outputs,
        });
        back = right_transposed(&back, &to_f64(&layer.weights), layer.n);
    }
    found.reverse();
    Ok(Gradients { loss, layers: found })
}
