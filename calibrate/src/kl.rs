//! The clip whose quantized histogram diverges least from the tensor's.
//!
//! Meaning: of a histogram of 2048 bins, a window is kept and requantized to the format's levels. P is the window with
//! what lies outside added to its outermost bins; Q has, in each of the equal groups that stand for a level, the
//! group's count spread evenly over the group's bins that are not empty in P. The window of the least KL(P || Q) = sum
//! p ln(p / q) wins, and of equal ones the narrowest. Where a group is empty but for what was added, the bin counts as
//! 10^-4 of an element in Q, or no far outlier would ever be cut.
//!
//! Source: Migacz, "8-bit Inference with TensorRT", 2017, with any number of levels in place of 128. What empty bins
//! count there is not said.

use crate::error::CalibrateError;
use crate::method::ends;
use golden::{Kind, QFormat};
use std::ops::Range;

/// Bins of a histogram.
pub const N_BINS: usize = 2048;
/// The narrowest window, a sixteenth of the histogram, as in the source. For few levels the number of levels would be too narrow: a
/// window of as many bins as levels is its own quantization and never diverges.
pub const LEAST_BINS: usize = 128;
/// What an empty bin of Q counts, in elements.
const EMPTY: f64 = 1e-4;

/// The clip of magnitudes.
///
/// The histogram covers 0..=max; windows begin at 0 and have i bins, i from the number of
/// levels, but at least 128, to 2048; the clip is
/// (i + 0.5) bins wide, which for i = 2048 (nothing outside) is half a bin beyond the greatest. Levels: the format's
/// distinct magnitudes, 2^(b-1) for signed and bipolar formats and 2^b for unsigned ones; at most 2048.
pub(crate) fn symmetric_clip(magnitudes: &[f64], format: QFormat) -> Result<f64, CalibrateError> {
    let levels = check_levels(match format.kind() {
        Kind::Bipolar => format.n_levels() / 2,
        _ => format.max() as u64 + 1,
    })?;
    let greatest = magnitudes.iter().fold(0.0, |greatest: f64, &x| greatest.max(x));
    let (counts, width) = histogram(magnitudes.iter().copied(), 0.0, greatest)?;
    let window = best_window(levels, |len| divergence(&counts, 0..len, levels));
    Ok((window as f64 + 0.5) * width)
}

/// The range of an affine quantizer.
///
/// The histogram covers the values and 0. For each width the window is, among those that hold 0's bin, the one with the
/// greatest count, and of equal ones the lowest; the range is the window's. Levels: the format's values, at most 2048.
pub(crate) fn affine_range(values: &[f32], format: QFormat) -> Result<(f64, f64), CalibrateError> {
    let levels = check_levels(format.n_levels())?;
    let (low, high) = ends(values);
    let (counts, width) = histogram(values.iter().map(|&x| x.into()), low, high)?;
    let zero = bin(0.0, low, width);
    let start = |len| fullest(&counts, len, zero);
    let len = best_window(levels, |len| {
        let first = start(len);
        divergence(&counts, first..first + len, levels)
    });
    let first = start(len);
    Ok((low + first as f64 * width, low + (first + len) as f64 * width))
}

fn check_levels(levels: u64) -> Result<usize, CalibrateError> {
    if levels <= N_BINS as u64 {
        return Ok(levels as usize);
    }
    let value = levels as i64;
    Err(CalibrateError::OutOfRange {
        property: "number of levels of a format for KL",
        value,
        min: 1,
        max: N_BINS as i64,
    })
}

fn bin(x: f64, low: f64, width: f64) -> usize {
    (((x - low) / width) as usize).min(N_BINS - 1)
}

fn histogram(values: impl Iterator<Item = f64>, low: f64, high: f64) -> Result<(Vec<u64>, f64), CalibrateError> {
    if low == high {
        return Err(CalibrateError::AllEqual { method: "kl", value: 0.0, rule: "a value other than 0" });
    }
    let width = (high - low) / N_BINS as f64;
    let mut counts = vec![0; N_BINS];
    for x in values {
        counts[bin(x, low, width)] += 1;
    }
    Ok((counts, width))
}

/// The number of bins, at least the number of levels and [`LEAST_BINS`], of the least divergence.
fn best_window(levels: usize, divergence: impl Fn(usize) -> f64) -> usize {
    let mut best = (f64::INFINITY, N_BINS);
    for len in levels.max(LEAST_BINS)..=N_BINS {
        let candidate = divergence(len);
        if candidate < best.0 {
            best = (candidate, len);
        }
    }
    best.1
}

/// The first bin of the window of `len` bins that holds `zero` and the greatest count.
fn fullest(counts: &[u64], len: usize, zero: usize) -> usize {
    let (first, last) = ((zero + 1).saturating_sub(len), zero.min(N_BINS - len));
    let mut count: u64 = counts[first..first + len].iter().sum();
    let mut best = (count, first);
    for start in first + 1..=last {
        count = count + counts[start + len - 1] - counts[start - 1];
        if count > best.0 {
            best = (count, start);
        }
    }
    best.1
}

/// KL(P || Q) of a window, see the module.
fn divergence(counts: &[u64], window: Range<usize>, levels: usize) -> f64 {
    let (kept, total) = (&counts[window.clone()], counts.iter().sum::<u64>() as f64);
    let below: u64 = counts[..window.start].iter().sum();
    let above: u64 = counts[window.end..].iter().sum();
    let inside = kept.iter().sum::<u64>() as f64;
    let reference = |at: usize| {
        let mut count = kept[at];
        count += if at == 0 { below } else { 0 };
        count + if at == kept.len() - 1 { above } else { 0 }
    };
    if inside == 0.0 {
        return f64::INFINITY;
    }
    let mut sum = 0.0;
    for level in 0..levels {
        let group = level * kept.len() / levels..(level + 1) * kept.len() / levels;
        let occupied = group.clone().filter(|&at| reference(at) > 0).count();
        let count: u64 = kept[group.clone()].iter().sum();
        let q = (count as f64 / occupied as f64).max(EMPTY) / inside;
        for p in group.map(reference).filter(|&count| count > 0).map(|count| count as f64 / total) {
            sum += p * libm::log(p / q);
        }
    }
    sum
}
