//! Plain dense networks of floats: what is quantized, and what quantized weights are tried in.

use crate::error::{check_length, check_matrix, check_values, CalibrateError};
use crate::matrix::{product, to_f64};

/// relu(x W + b), or x W + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    pub k: usize,
    pub n: usize,
    /// Row-major k x n.
    pub weights: Vec<f32>,
    /// n.
    pub bias: Vec<f32>,
    pub relu: bool,
}

impl Linear {
    fn check(&self) -> Result<(), CalibrateError> {
        check_matrix("weights", &self.weights, self.k, self.n)?;
        check_length("bias", self.bias.len(), self.n)?;
        check_values("bias", &self.bias)
    }

    /// x W + b of m x k inputs.
    pub(crate) fn sums(&self, inputs: &[f64]) -> Vec<f64> {
        let mut sums = product(inputs, &to_f64(&self.weights), self.k, self.n);
        for row in sums.chunks_exact_mut(self.n) {
            row.iter_mut().zip(&self.bias).for_each(|(sum, &b)| *sum += f64::from(b));
        }
        sums
    }
}

pub(crate) fn rectify(values: &mut [f64]) {
    values.iter_mut().for_each(|x| *x = x.max(0.0));
}

/// Checks layers that follow each other and the first one's inputs; returns m, the number of rows.
pub(crate) fn check_network(layers: &[Linear], inputs: &[f32]) -> Result<usize, CalibrateError> {
    let first = layers.first().ok_or(CalibrateError::Empty { what: "layers" })?;
    layers.iter().try_for_each(Linear::check)?;
    for pair in layers.windows(2) {
        check_length("rows of weights after a layer", pair[1].k, pair[0].n)?;
    }
    let m = inputs.len() / first.k;
    check_matrix("inputs", inputs, m, first.k)?;
    Ok(m)
}

/// Each layer's m x n outputs, after its ReLU; sums in f64, the last ones the logits.
///
/// ```
/// use calibrate::{outputs, Linear};
/// let layer = Linear { k: 2, n: 1, weights: vec![1.0, -2.0], bias: vec![0.5], relu: true };
/// assert_eq!(outputs(&[layer], &[3.0, 1.0, 0.0, 1.0])?, [[1.5, 0.0]]);
/// # Ok::<(), calibrate::CalibrateError>(())
/// ```
pub fn outputs(layers: &[Linear], inputs: &[f32]) -> Result<Vec<Vec<f64>>, CalibrateError> {
    check_network(layers, inputs)?;
    let mut all: Vec<Vec<f64>> = Vec::with_capacity(layers.len());
    for layer in layers {
        let mut sums = match all.last() {
            Some(before) => layer.sums(before),
            None => layer.sums(&to_f64(inputs)),
        };
        if layer.relu {
            rectify(&mut sums);
        }
        all.push(sums);
    }
    Ok(all)
}

/// The share of rows whose greatest of n logits, the first of equal ones, is the label's.
pub fn accuracy(logits: &[f64], labels: &[usize], n: usize) -> Result<f64, CalibrateError> {
    check_labels(labels, n)?;
    check_length("logits", logits.len(), labels.len() * n)?;
    let greatest = |row: &[f64]| (0..n).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    let right = logits.chunks_exact(n).zip(labels).filter(|(row, &label)| greatest(row) == label).count();
    Ok(right as f64 / labels.len() as f64)
}

pub(crate) fn check_labels(labels: &[usize], n: usize) -> Result<(), CalibrateError> {
    if labels.is_empty() {
        return Err(CalibrateError::Empty { what: "labels" });
    }
    match labels.iter().find(|&&label| label >= n) {
        Some(&label) => {
            Err(CalibrateError::OutOfRange { property: "label", value: label as i64, min: 0, max: n as i64 - 1 })
        }
        None => Ok(()),
    }
}

/// e^z / sum e^z of each row of n.
pub(crate) fn softmax(logits: &[f64], n: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(n) {
        let greatest = row.iter().fold(f64::NEG_INFINITY, |most, &z| most.max(z));
        let powers: Vec<f64> = row.iter().map(|z| libm::exp(z - greatest)).collect();
        let sum: f64 = powers.iter().sum();
        out.extend(powers.into_iter().map(|power| power / sum));
    }
    out
}
