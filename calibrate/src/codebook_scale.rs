//! Scales at which integer levels lose least.

use crate::kmeans::Centroids;
use crate::range::normal;
use golden::{Codebook, QFormat};

/// The scale at which taking the nearest level has the least squared error; 1 if no scale is better than all zeros or
/// there is nothing to fit.
pub(crate) fn best_scale(weights: &[f32], codebook: &Codebook) -> f32 {
    let levels = codebook.levels();
    let magnitude = weights.iter().fold(0.0_f64, |most, &w| most.max(f64::from(w).abs()));
    let level = levels.iter().fold(0.0_f64, |most, &level| most.max(f64::from(level).abs()));
    if magnitude == 0.0 || level == 0.0 {
        return 1.0;
    }
    let mut best = (f64::INFINITY, 1.0_f32);
    // From four octaves above the scale at which both meet to four below; the greatest scales first.
    for i in -256..=256 {
        let scale = normal((magnitude / level * libm::exp2(-f64::from(i) / 64.0)) as f32);
        let error = fitted(weights, codebook, scale).0;
        if error < best.0 {
            best = (error, scale);
        }
    }
    loop {
        let (_, product, square) = fitted(weights, codebook, best.1);
        if product <= 0.0 || square == 0.0 {
            return best.1;
        }
        let scale = normal((product / square) as f32);
        let error = fitted(weights, codebook, scale).0;
        if error >= best.0 {
            return best.1;
        }
        best = (error, scale);
    }
}

/// The squared error at a scale, and sum w l and sum l^2 over the nearest levels l.
fn fitted(weights: &[f32], codebook: &Codebook, scale: f32) -> (f64, f64, f64) {
    let scale = f64::from(scale);
    weights.iter().fold((0.0, 0.0, 0.0), |(error, product, square), &w| {
        let w = f64::from(w);
        let level = f64::from(codebook.nearest(w / scale));
        let lost = w - scale * level;
        (error + lost * lost, product + w * level, square + level * level)
    })
}

/// Centroids as integers of a format, ascending, and their scale.
///
/// Loss: sum of count (centroid - scale level)^2. Compared are the scales at which the centroid of the greatest
/// magnitude is m steps, m up to twice the format's greatest value in 512 to 8192 equal parts, each before and after
/// regression on its levels. Of equal losses the first, with the finest levels, is taken.
pub(crate) fn rounded_levels(fitted: &Centroids, format: QFormat) -> (Vec<i32>, f32) {
    let most = fitted.centroids.iter().fold(0.0_f64, |most, c| most.max(c.abs()));
    let round = |scale: f32| -> Vec<i64> {
        let level = |c: &f64| format.saturate((c / f64::from(scale)).round_ties_even() as i64);
        fitted.centroids.iter().map(level).collect()
    };
    let loss = |levels: &[i64], scale: f32| -> f64 {
        let each = fitted.centroids.iter().zip(levels).map(|(c, &level)| c - f64::from(scale) * level as f64);
        each.zip(&fitted.counts).map(|(lost, &count)| count as f64 * lost * lost).sum()
    };
    let mut best = (f64::INFINITY, 1.0_f32);
    let max = format.max().max(1);
    let parts = (16 * max).clamp(512, 8192);
    for i in (1..=parts).rev().filter(|_| most > 0.0) {
        let m = 2.0 * max as f64 * i as f64 / parts as f64;
        let scale = normal((most / m) as f32);
        let levels = round(scale);
        let sums = fitted.centroids.iter().zip(&fitted.counts).zip(&levels);
        let (product, square) = sums.fold((0.0, 0.0), |(product, square), ((c, &count), &level)| {
            let level = level as f64;
            (product + count as f64 * c * level, square + count as f64 * level * level)
        });
        let regressed = if product > 0.0 { normal((product / square) as f32) } else { scale };
        for scale in [scale, regressed] {
            let candidate = loss(&round(scale), scale);
            if candidate < best.0 {
                best = (candidate, scale);
            }
        }
    }
    let mut levels: Vec<i32> = round(best.1).into_iter().map(|level| level as i32).collect();
    levels.dedup();
    (levels, best.1)
}
