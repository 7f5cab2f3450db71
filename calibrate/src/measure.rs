//! How well a quantizer does on data.

use crate::error::{check_values, CalibrateError};
use golden::Quantizer;

/// The mean of (x - dequantize(quantize(x)))^2 over a row-major tensor of that shape, in f64.
pub fn mse(quantizer: &Quantizer, values: &[f32], shape: &[usize]) -> Result<f64, CalibrateError> {
    Ok(squared_error(quantizer, values, shape)? / values.len() as f64)
}

/// The sum of (x - dequantize(quantize(x)))^2.
pub(crate) fn squared_error(quantizer: &Quantizer, values: &[f32], shape: &[usize]) -> Result<f64, CalibrateError> {
    check_values("values", values)?;
    let back = quantizer.dequantize(&quantizer.quantize(values, shape)?, shape)?;
    Ok(difference(values, &back))
}

/// The sum of squared differences.
pub(crate) fn difference(values: &[f32], others: &[f32]) -> f64 {
    values.iter().zip(others).map(|(&x, &y)| f64::from(x) - f64::from(y)).map(|error| error * error).sum()
}

/// Signal to quantization noise: 10 log10(sum x^2 / sum (x - dequantize(quantize(x)))^2). Infinite if nothing is lost;
/// values that are all 0 are refused.
pub fn sqnr_db(quantizer: &Quantizer, values: &[f32], shape: &[usize]) -> Result<f64, CalibrateError> {
    let noise = squared_error(quantizer, values, shape)?;
    let signal: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if signal == 0.0 {
        return Err(CalibrateError::AllEqual { method: "sqnr", value: 0.0, rule: "a value other than 0" });
    }
    Ok(decibels(signal / noise))
}

/// The share of values that lie more than half a step beyond the ends of the format's range: no rounding to nearest
/// brings them back.
pub fn clipped_share(quantizer: &Quantizer, values: &[f32], shape: &[usize]) -> Result<f64, CalibrateError> {
    check_values("values", values)?;
    let format = quantizer.parts().format;
    // Each element's own ends, whatever the granularity. Values of 32 unsigned bits are passed as the same bits.
    let ends = |q: i64| quantizer.dequantize(&vec![q as i32; values.len()], shape);
    let (low, high) = (ends(format.min())?, ends(format.max())?);
    let steps = (format.n_levels() - 1) as f64;
    let clipped = |((&x, &low), &high): ((&f32, &f32), &f32)| {
        let (x, low, high) = (f64::from(x), f64::from(low), f64::from(high));
        let half = (high - low) / steps / 2.0;
        x < low - half || x > high + half
    };
    let n = values.iter().zip(&low).zip(&high).filter(|&each| clipped(each)).count();
    Ok(n as f64 / values.len() as f64)
}

/// 10 log10 of a ratio of powers.
pub fn decibels(ratio: f64) -> f64 {
    10.0 * libm::log10(ratio)
}
