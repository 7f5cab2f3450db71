//! Codebooks fitted to weights: integer levels that a machine multiplies by, and scales.

use crate::codebook_scale::{best_scale, rounded_levels};
use crate::error::{check_matrix, CalibrateError};
use crate::kmeans::{kmeans, Start};
use crate::range::normal;
use crate::weights::{columns, scale_of, Per};
use golden::{Codebook, QFormat};

/// Levels, scales, and which level stands for each weight: w is about the scale times the level of its index.
#[derive(Clone, Debug, PartialEq)]
pub struct CodebookFit {
    pub codebook: Codebook,
    /// One, or one for each of the n columns.
    pub scales: Vec<f32>,
    /// Row-major k x n.
    pub indices: Vec<u32>,
}

impl CodebookFit {
    /// The level of each weight.
    pub fn values(&self) -> Vec<i32> {
        self.indices.iter().map(|&index| self.codebook.levels()[index as usize]).collect()
    }

    /// scale times level, for a matrix of n columns.
    pub fn dequantized(&self, n: usize) -> Vec<f32> {
        let back = |(at, level): (usize, i32)| (f64::from(scale_of(&self.scales, at % n)) * f64::from(level)) as f32;
        self.values().into_iter().enumerate().map(back).collect()
    }
}

/// k-means, then centroids rounded to integers of the weight format at the scale that loses least; one scale for the
/// tensor.
///
/// Deep Compression's codebooks have [`Start::Linear`]. Centroids that round to one integer are merged, so there may be
/// fewer levels than asked for. Each weight takes the level nearest to w / scale. See [`kmeans`].
pub fn fit_kmeans(
    weights: &[f32],
    [k, n]: [usize; 2],
    n_levels: usize,
    start: Start,
    format: QFormat,
) -> Result<CodebookFit, CalibrateError> {
    check_matrix("weights", weights, k, n)?;
    let fitted = kmeans(weights, n_levels, start)?;
    let (levels, scale) = rounded_levels(&fitted, format);
    let codebook = Codebook::new(format, levels)?;
    Ok(nearest(weights, n, codebook, vec![scale]))
}

/// Any codebook of fixed levels, such as [`Codebook::powers_of_two`] or [`Codebook::additive_powers_of_two`], with the
/// scale of least squared error, one for the tensor or for each column.
///
/// The scale is found by comparing 64 clips an octave, over eight octaves around the one at which the greatest
/// magnitudes meet, then by regression on the chosen levels until that no longer helps. Each weight takes the nearest
/// level. The codebook must not have more levels than the matrix elements.
pub fn fit_levels(
    weights: &[f32],
    [k, n]: [usize; 2],
    codebook: Codebook,
    per: Per,
) -> Result<CodebookFit, CalibrateError> {
    check_matrix("weights", weights, k, n)?;
    check_levels(&codebook, weights)?;
    let scales = match per {
        Per::Tensor => vec![best_scale(weights, &codebook)],
        Per::Channel => columns(weights, n).map(|column| best_scale(&column, &codebook)).collect(),
    };
    Ok(nearest(weights, n, codebook, scales))
}

/// -1, 0, 1: a weight is 0 unless abs(w) > t, t = 0.7 mean abs(w); the scale is the mean of the abs(w) that are not 0.
///
/// Corner case: weights that are all 0 have the scale 1. Source: Li, Zhang and Liu, "Ternary Weight Networks", 2016.
///
/// ```
/// use calibrate::{fit_ternary, Per};
/// // mean abs(w) = 1, t = 0.7; scale = (1.5 + 2) / 2.
/// let fit = fit_ternary(&[0.5, -1.5, 2.0, 0.0], [4, 1], Per::Tensor)?;
/// assert_eq!((fit.values(), fit.scales), (vec![0, -1, 1, 0], vec![1.75]));
/// # Ok::<(), calibrate::CalibrateError>(())
/// ```
pub fn fit_ternary(weights: &[f32], [k, n]: [usize; 2], per: Per) -> Result<CodebookFit, CalibrateError> {
    check_matrix("weights", weights, k, n)?;
    check_levels(&Codebook::ternary(), weights)?;
    let (mut scales, mut thresholds) = (Vec::new(), Vec::new());
    for group in groups(weights, n, per) {
        let threshold = 0.7 * mean(group.iter().map(|&w| f64::from(w).abs()));
        let above = group.iter().map(|&w| f64::from(w).abs()).filter(|&magnitude| magnitude > threshold);
        let scale = mean(above);
        thresholds.push(threshold);
        scales.push(if scale == 0.0 { 1.0 } else { normal(scale as f32) });
    }
    let index = |(at, &w): (usize, &f32)| {
        let threshold = thresholds[if thresholds.len() == 1 { 0 } else { at % n }];
        let w = f64::from(w);
        1 + u32::from(w > threshold) - u32::from(w < -threshold)
    };
    let indices = weights.iter().enumerate().map(index).collect();
    Ok(CodebookFit { codebook: Codebook::ternary(), scales, indices })
}

/// -1, 1: the sign, 0 counting as positive; the scale is the mean of abs(w), which has the least squared error.
///
/// Corner case: weights that are all 0 have the least normal scale, as there is no level 0. Source: Rastegari et al.,
/// "XNOR-Net", 2016, section 3.1.
pub fn fit_binary(weights: &[f32], [k, n]: [usize; 2], per: Per) -> Result<CodebookFit, CalibrateError> {
    check_matrix("weights", weights, k, n)?;
    check_levels(&Codebook::binary(), weights)?;
    let scale = |group: Vec<f32>| normal(mean(group.iter().map(|&w| f64::from(w).abs())) as f32);
    let scales = groups(weights, n, per).into_iter().map(scale).collect();
    let indices = weights.iter().map(|&w| u32::from(w >= 0.0)).collect();
    Ok(CodebookFit { codebook: Codebook::binary(), scales, indices })
}

/// A codebook larger than its tensor would cost more than it saves.
fn check_levels(codebook: &Codebook, weights: &[f32]) -> Result<(), CalibrateError> {
    if codebook.levels().len() <= weights.len() {
        return Ok(());
    }
    Err(CalibrateError::Codebook { levels: codebook.levels().len(), elements: weights.len() })
}

fn nearest(weights: &[f32], n: usize, codebook: Codebook, scales: Vec<f32>) -> CodebookFit {
    let index =
        |(at, &w): (usize, &f32)| codebook.nearest_index(f64::from(w) / f64::from(scale_of(&scales, at % n))) as u32;
    let indices = weights.iter().enumerate().map(index).collect();
    CodebookFit { codebook, scales, indices }
}

fn groups(weights: &[f32], n: usize, per: Per) -> Vec<Vec<f32>> {
    match per {
        Per::Tensor => vec![weights.to_vec()],
        Per::Channel => columns(weights, n).collect(),
    }
}

/// The mean; 0 of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0_u64), |(sum, n), x| (sum + x, n + 1));
    if n == 0 {
        0.0
    } else {
        sum / n as f64
    }
}
