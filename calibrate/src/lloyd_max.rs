//! The levels at which a density is quantized best.

use crate::density::Density;
use crate::optimal::levels_mse;

/// A limit that is not reached: some ten rounds suffice.
const MAX_ROUNDS: u32 = 10_000;

/// Levels that solve y_i = mean of the density between (y_{i-1} + y_i) / 2 and (y_i + y_{i+1}) / 2, ascending.
///
/// Lloyd's iteration alone would take some 10^5 rounds at 256 levels, so Newton's method solves the same equations from
/// a start near the solution.
pub(crate) fn lloyd_max(density: Density, n: usize) -> Vec<f64> {
    let mut levels: Vec<f64> = (0..n).map(|i| companded(density, (i as f64 + 0.5) / n as f64)).collect();
    let mut error = levels_mse(density, &levels);
    for _ in 0..MAX_ROUNDS {
        let step = newton_step(density, &levels);
        let newton: Vec<f64> = levels.iter().zip(&step).map(|(y, d)| y - d).collect();
        let ascending = newton.windows(2).all(|pair| pair[0] < pair[1]);
        let newton_error = if ascending { levels_mse(density, &newton) } else { f64::INFINITY };
        // Far from the solution Newton's step may lead away from it; one of Lloyd's rounds never does. Near it errors
        // differ by rounding only.
        if newton_error <= error * (1.0 + 1e-12) {
            (levels, error) = (newton, newton_error);
            if step.iter().all(|d| d.abs() < 1e-9) {
                break;
            }
        } else {
            levels = lloyd_round(density, &levels);
            error = levels_mse(density, &levels);
        }
    }
    levels
}

/// Where the integral of p^(1/3), as a share of the whole, is u: many levels have a density near that.
///
/// Source: Panter and Dite, "Quantization Distortion in Pulse-Count Modulation", 1951. p^(1/3) is, up to a factor, a
/// Gaussian of deviation sqrt(3), a Laplacian three times as wide, and the same uniform density.
fn companded(density: Density, u: f64) -> f64 {
    let stretch = match density {
        Density::Gauss => 3.0_f64.sqrt(),
        Density::Laplace => 3.0,
        Density::Uniform => 1.0,
    };
    stretch * density.quantile(u)
}

/// The ends of level i's interval.
fn interval(levels: &[f64], i: usize) -> (f64, f64) {
    let low = if i == 0 { f64::NEG_INFINITY } else { 0.5 * (levels[i - 1] + levels[i]) };
    let high = if i + 1 == levels.len() { f64::INFINITY } else { 0.5 * (levels[i] + levels[i + 1]) };
    (low, high)
}

/// Each level becomes its interval's mean.
fn lloyd_round(density: Density, levels: &[f64]) -> Vec<f64> {
    let mean = |i: usize| {
        let (low, high) = interval(levels, i);
        let [mass, first, _] = density.moments(low, high);
        if mass > 0.0 {
            first / mass
        } else {
            levels[i]
        }
    };
    (0..levels.len()).map(mean).collect()
}

/// The solution d of H d = g: g_i = y_i m_i - f_i (mass and first moment of interval i) is half the error's derivative
/// by y_i, and H its Jacobian, which is tridiagonal as a level only moves its own two borders, by half as much.
fn newton_step(density: Density, levels: &[f64]) -> Vec<f64> {
    let n = levels.len();
    // What a border adds: (distance to the level) times the density, halved.
    let pull = |y: f64, border: f64| {
        if border.is_finite() {
            0.5 * (y - border) * density.at(border)
        } else {
            0.0
        }
    };
    let mut gradient = Vec::with_capacity(n);
    let (mut lower, mut diagonal, mut upper) = (Vec::new(), Vec::new(), Vec::new());
    for (i, &y) in levels.iter().enumerate() {
        let (low, high) = interval(levels, i);
        let [mass, first, _] = density.moments(low, high);
        gradient.push(y * mass - first);
        lower.push(-pull(y, low));
        upper.push(pull(y, high));
        diagonal.push(mass - pull(y, low) + pull(y, high));
    }
    // Elimination downwards, then substitution upwards.
    for i in 1..n {
        let factor = lower[i] / diagonal[i - 1];
        diagonal[i] -= factor * upper[i - 1];
        gradient[i] -= factor * gradient[i - 1];
    }
    for i in (0..n).rev() {
        let above = if i + 1 < n { upper[i] * gradient[i + 1] } else { 0.0 };
        gradient[i] = (gradient[i] - above) / diagonal[i];
    }
    gradient
}
