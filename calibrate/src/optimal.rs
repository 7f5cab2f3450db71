//! The least error that quantizers can have on a known density: what measured errors are compared with.

use crate::density::Density;
use crate::error::CalibrateError;
use crate::lloyd_max::lloyd_max;
use crate::measure::decibels;
use golden::QFormat;

/// The widest formats and codebooks that are worked on.
pub const MAX_BITS: u32 = 10;

/// A format's best scale on a density of deviation 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimalScale {
    pub scale: f64,
    /// The mean squared error; as the deviation is 1, also the noise to signal ratio.
    pub mse: f64,
}

impl OptimalScale {
    pub fn sqnr_db(self) -> f64 {
        decibels(1.0 / self.mse)
    }
}

/// The best levels on a density of deviation 1, in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimalLevels {
    pub levels: Vec<f64>,
    pub mse: f64,
}

impl OptimalLevels {
    pub fn sqnr_db(&self) -> f64 {
        decibels(1.0 / self.mse)
    }
}

/// The scale of least mean squared error of a quantizer with zero point 0: x = scale q, q the nearest value of the
/// format.
///
/// Formula: argmin over s of sum over q of int (x - s q)^2 p(x) dx, each from s (q - step / 2) to s (q + step / 2), the
/// ends to infinity. The best of 400 scales a constant ratio apart is refined by golden-section search to 1e-12 of
/// itself. The midrise uniform quantizer of b bits and step d is the bipolar format of b bits at scale d / 2. Formats
/// of 1..=10 bits.
///
/// Source: Max, "Quantizing for Minimum Distortion", IRE Transactions on Information Theory IT-6, 1960.
///
/// ```
/// use calibrate::{optimal_scale, Density};
/// // One bit: the levels are +-E abs(x) = +-sqrt(2 / pi).
/// let best = optimal_scale(Density::Gauss, golden::QFormat::BIPOLAR)?;
/// assert!((best.scale - (2.0 / std::f64::consts::PI).sqrt()).abs() < 1e-6);
/// # Ok::<(), calibrate::CalibrateError>(())
/// ```
pub fn optimal_scale(density: Density, format: QFormat) -> Result<OptimalScale, CalibrateError> {
    check_bits(format.bits())?;
    let mse = |scale: f64| scale_mse(density, format, scale);
    // From the clip's tenth of a deviation to hundred deviations.
    let (least, most) = (0.1, 100.0);
    let clip = |i: f64| least * libm::pow(most / least, i / 400.0) / format.max().max(1) as f64;
    let mut best = (f64::INFINITY, 0);
    for i in 0..=400 {
        let candidate = mse(clip(f64::from(i)));
        if candidate < best.0 {
            best = (candidate, i);
        }
    }
    let at = f64::from(best.1);
    let scale = golden_section(mse, clip(at - 1.0), clip(at + 1.0));
    Ok(OptimalScale { scale, mse: mse(scale) })
}

/// The mean squared error at a scale.
pub(crate) fn scale_mse(density: Density, format: QFormat, scale: f64) -> f64 {
    let half = format.step() as f64 / 2.0;
    let edge =
        |q: i64, end: i64, side: f64| if q == end { side * f64::INFINITY } else { scale * (q as f64 + side * half) };
    (format.min()..=format.max())
        .step_by(format.step() as usize)
        .map(|q| density.error(edge(q, format.min(), -1.0), edge(q, format.max(), 1.0), scale * q as f64))
        .sum()
}

/// Where a function with one minimum between `low` and `high` has it.
///
/// Source: Kiefer, "Sequential Minimax Search for a Maximum", 1953.
fn golden_section(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut f_a, mut f_b) = (f(a), f(b));
    while high - low > 1e-12 * high && low < a && a < b && b < high {
        if f_a <= f_b {
            (high, b, f_b) = (b, a, f_a);
            a = high - ratio * (high - low);
            f_a = f(a);
        } else {
            (low, a, f_a) = (a, b, f_b);
            b = low + ratio * (high - low);
            f_b = f(b);
        }
    }
    0.5 * (low + high)
}

/// The 2^bits levels of least mean squared error, any reals: the optimum of scalar quantizers with so many levels.
/// 1..=10 bits.
///
/// Formula: each level is the mean of its interval, each border the middle of its two levels. The three densities fall
/// from 0 outwards in a way (their logarithms are concave) that leaves one solution.
///
/// Sources: Lloyd, "Least Squares Quantization in PCM", 1957; Max, 1960. One solution: Fleischer, 1964.
pub fn optimal_levels(density: Density, bits: u32) -> Result<OptimalLevels, CalibrateError> {
    check_bits(bits)?;
    let levels = lloyd_max(density, 1 << bits);
    let mse = levels_mse(density, &levels);
    Ok(OptimalLevels { levels, mse })
}

/// The mean squared error of taking the nearest level.
pub fn levels_mse(density: Density, levels: &[f64]) -> f64 {
    let border = |i: usize| match i {
        0 => f64::NEG_INFINITY,
        _ if i == levels.len() => f64::INFINITY,
        _ => 0.5 * (levels[i - 1] + levels[i]),
    };
    levels.iter().enumerate().map(|(i, &y)| density.error(border(i), border(i + 1), y)).sum()
}

fn check_bits(bits: u32) -> Result<(), CalibrateError> {
    if (1..=MAX_BITS).contains(&bits) {
        return Ok(());
    }
    Err(CalibrateError::OutOfRange { property: "bits", value: bits.into(), min: 1, max: MAX_BITS.into() })
}
