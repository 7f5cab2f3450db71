//! Percentiles, interpolated linearly.

use crate::error::CalibrateError;

/// The p-th percentile.
///
/// Formula: with the n values in ascending order, numbered from 0, and r = p / 100 (n - 1), f = floor(r): x_f +
/// (x_{f+1} - x_f) (r - f). p is in (0, 100]; 100 gives the greatest value exactly. Source: Hyndman and Fan, "Sample
/// Quantiles in Statistical Packages", 1996, definition 7.
pub(crate) fn percentile(mut values: Vec<f64>, p: f64) -> Result<f64, CalibrateError> {
    // Written so that NaN is refused too.
    if !(p > 0.0 && p <= 100.0) {
        return Err(CalibrateError::Percentile { value: p, rule: "in (0, 100]" });
    }
    values.sort_unstable_by(f64::total_cmp);
    Ok(sorted(&values, p))
}

/// From percentile 100 - p to percentile p.
pub(crate) fn range(values: &[f32], p: f64) -> Result<(f64, f64), CalibrateError> {
    if !(p > 50.0 && p <= 100.0) {
        return Err(CalibrateError::Percentile { value: p, rule: "in (50, 100] for an affine range" });
    }
    let mut values: Vec<f64> = values.iter().map(|&x| x.into()).collect();
    values.sort_unstable_by(f64::total_cmp);
    Ok((sorted(&values, 100.0 - p), sorted(&values, p)))
}

fn sorted(values: &[f64], p: f64) -> f64 {
    let rank = p / 100.0 * (values.len() - 1) as f64;
    let below = rank.floor() as usize;
    let above = (below + 1).min(values.len() - 1);
    values[below] + (values[above] - values[below]) * (rank - below as f64)
}
