//! k-means on a line.

use crate::error::{check_values, CalibrateError};

/// Rounds of Lloyd's iteration; convergence is met long before.
const MAX_ROUNDS: usize = 100_000;

/// Where the iteration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// At equal distances from the least to the greatest value: the few large values keep centroids of their own. With
    /// many centroids the outermost hold a value or two each and no longer move, so that the error ends above the least
    /// possible.
    ///
    /// Source: Han, Mao and Dally, "Deep Compression", 2016, section 3.
    Linear,
    /// At the middles of equal shares of the integral of p^(1/3), p taken as constant over each run of 16 values: near
    /// the least error if there are many centroids.
    ///
    /// Source: Panter and Dite, "Quantization Distortion in Pulse-Count Modulation", 1951.
    CubeRoot,
}

/// Values in a run of [`Start::CubeRoot`].
const RUN: usize = 16;

/// Centroids of values, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Centroids {
    pub centroids: Vec<f64>,
    /// How many values each centroid is nearest to.
    pub counts: Vec<u64>,
    /// The sum of squared distances to the nearest centroid, before each round and at the end: it never grows, up to
    /// rounding.
    pub errors: Vec<f64>,
}

/// Lloyd's iteration, to convergence.
///
/// Each round takes each value to the nearest centroid (a value in the middle to the upper one) and each centroid to
/// the mean of its values; a centroid without values stays. It ends when no value changes its centroid. Source: Lloyd,
/// "Least Squares Quantization in PCM", 1957.
pub fn kmeans(values: &[f32], n_centroids: usize, start: Start) -> Result<Centroids, CalibrateError> {
    check_values("values", values)?;
    if !(1..=values.len()).contains(&n_centroids) {
        return Err(CalibrateError::Codebook { levels: n_centroids, elements: values.len() });
    }
    let mut sorted: Vec<f64> = values.iter().map(|&x| x.into()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    // Clusters are runs of sorted values, so sums of prefixes give every mean.
    let mut sums = vec![[0.0, 0.0]];
    for &x in &sorted {
        let [first, second] = sums[sums.len() - 1];
        sums.push([first + x, second + x * x]);
    }
    let mut centroids = match start {
        Start::Linear => linear(&sorted, n_centroids),
        Start::CubeRoot => cube_root(&sorted, n_centroids),
    };
    let mut errors = Vec::new();
    let mut borders = assign(&sorted, &centroids);
    for _ in 0..MAX_ROUNDS {
        errors.push(error(&sums, &borders, &centroids));
        for (centroid, ends) in centroids.iter_mut().zip(borders.windows(2)) {
            if ends[0] < ends[1] {
                *centroid = (sums[ends[1]][0] - sums[ends[0]][0]) / (ends[1] - ends[0]) as f64;
            }
        }
        let next = assign(&sorted, &centroids);
        if next == borders {
            break;
        }
        borders = next;
    }
    errors.push(error(&sums, &borders, &centroids));
    let counts = borders.windows(2).map(|ends| (ends[1] - ends[0]) as u64).collect();
    Ok(Centroids { centroids, counts, errors })
}

fn linear(sorted: &[f64], n: usize) -> Vec<f64> {
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let steps = (n.max(2) - 1) as f64;
    (0..n).map(|i| low + (high - low) * i as f64 / steps).collect()
}

fn cube_root(sorted: &[f64], n: usize) -> Vec<f64> {
    let last = sorted.len() - 1;
    let ends: Vec<f64> = (0..last).step_by(RUN).chain([last]).map(|at| sorted[at]).collect();
    // A run of length L has a density in proportion to 1 / L, so its part of the integral is L^(2/3).
    let mut sums = vec![0.0];
    for (run, pair) in ends.windows(2).enumerate() {
        let root = libm::cbrt(pair[1] - pair[0]);
        sums.push(sums[run] + root * root);
    }
    let place = |i: usize| {
        let share = sums[sums.len() - 1] * (i as f64 + 0.5) / n as f64;
        let run = sums.partition_point(|&sum| sum <= share);
        // All values are equal.
        if run == sums.len() {
            return sorted[last];
        }
        let within = (share - sums[run - 1]) / (sums[run] - sums[run - 1]);
        ends[run - 1] + within * (ends[run] - ends[run - 1])
    };
    (0..n).map(place).collect()
}

/// Where each centroid's run of values begins, and the end of the last.
fn assign(sorted: &[f64], centroids: &[f64]) -> Vec<usize> {
    let mut borders = vec![0];
    for pair in centroids.windows(2) {
        let middle = 0.5 * (pair[0] + pair[1]);
        borders.push(sorted.partition_point(|&x| x < middle));
    }
    borders.push(sorted.len());
    borders
}

fn error(sums: &[[f64; 2]], borders: &[usize], centroids: &[f64]) -> f64 {
    let of = |(ends, c): (&[usize], &f64)| {
        let ([first, second], [first_end, second_end]) = (sums[ends[0]], sums[ends[1]]);
        // Of equal values rounding may leave a little less than 0.
        ((second_end - second) - 2.0 * c * (first_end - first) + c * c * (ends[1] - ends[0]) as f64).max(0.0)
    };
    borders.windows(2).zip(centroids).map(of).sum()
}
