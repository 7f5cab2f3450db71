//! Keeping the mean of a layer's outputs where quantized weights move it.

use crate::error::{check_length, check_matrix, check_values, CalibrateError};

/// The bias that gives each output the float layer's mean over the inputs.
///
/// Formula: b'_j = b_j - sum over i of mean_i (v_ij - w_ij), v the k x n weights that the quantized layer multiplies by
/// (scale times integer), mean_i that of input i over the rows of the m x k inputs. It is exact for the layer's sums,
/// before any ReLU. Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
/// 2019, section 4.2, with means from data.
///
/// ```
/// let corrected = calibrate::bias_correction(&[0.4], &[0.5], [1, 1], &[1.0, 3.0], &[0.0])?;
/// assert!((corrected[0] + 0.2).abs() < 1e-6); // E[x] = 2, and 2 (0.5 - 0.4) = 0.2.
/// # Ok::<(), calibrate::CalibrateError>(())
/// ```
pub fn bias_correction(
    weights: &[f32],
    quantized: &[f32],
    [k, n]: [usize; 2],
    inputs: &[f32],
    bias: &[f32],
) -> Result<Vec<f32>, CalibrateError> {
    check_matrix("weights", weights, k, n)?;
    check_matrix("quantized weights", quantized, k, n)?;
    let m = inputs.len() / k;
    check_matrix("inputs", inputs, m, k)?;
    check_length("bias", bias.len(), n)?;
    check_values("bias", bias)?;
    let mean = |i: usize| inputs.iter().skip(i).step_by(k).map(|&x| f64::from(x)).sum::<f64>() / m as f64;
    let mut corrected: Vec<f64> = bias.iter().map(|&b| b.into()).collect();
    for i in 0..k {
        let mean = mean(i);
        for (j, b) in corrected.iter_mut().enumerate() {
            *b -= mean * (f64::from(quantized[i * n + j]) - f64::from(weights[i * n + j]));
        }
    }
    Ok(corrected.into_iter().map(|b| b as f32).collect())
}
