//! The clip that is best for a Gaussian or a Laplacian.
//!
//! Meaning: of a density of deviation 1 (Laplace: of scale b = 1), symmetric about 0, a range -u..=u is cut into
//! `levels` equal steps. What is clipped costs 2 int_u^inf (x - u)^2 p(x) dx, what is rounded (2 u / levels)^2 / 12.
//! Where the derivative of the sum is 0:
//!
//! | density | condition |
//! |---|---|
//! | Gauss | 2 (phi(u) - u Q(u)) = u / (3 levels^2), phi its density and Q its upper tail |
//! | Laplace | e^-u = u / (3 levels^2) |
//!
//! Both left sides fall and both right sides rise, so there is one solution; it is found by bisection.
//!
//! Source: Banner, Nahshan and Soudry, "Post-training 4-bit quantization of convolutional networks for
//! rapid-deployment", 2019.

use crate::density::{gauss, gauss_tail};
use crate::error::CalibrateError;
use crate::method::ends;
use golden::{Kind, QFormat};

/// The best clip of a Gaussian in deviations, see the module.
///
/// ```
/// assert!((calibrate::gauss_clip(16.0)? - 2.56).abs() < 0.005);
/// # Ok::<(), calibrate::CalibrateError>(())
/// ```
pub fn gauss_clip(levels: f64) -> Result<f64, CalibrateError> {
    let levels = check_levels(levels)?;
    Ok(crossing(|u| 2.0 * (gauss(u) - u * gauss_tail(u)) - u / (3.0 * levels * levels)))
}

/// The best clip of a Laplacian in its scales b = E abs(x), see the module.
pub fn laplace_clip(levels: f64) -> Result<f64, CalibrateError> {
    let levels = check_levels(levels)?;
    Ok(crossing(|u| libm::exp(-u) - u / (3.0 * levels * levels)))
}

fn check_levels(levels: f64) -> Result<f64, CalibrateError> {
    if (1.0..=8_589_934_592.0).contains(&levels) {
        return Ok(levels);
    }
    Err(CalibrateError::Real { property: "number of levels", value: levels, rule: "in 1..=2^33" })
}

/// Where a falling function that is positive at 0 crosses 0; it is negative at 64.
fn crossing(falling: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 64.0);
    // 64 halvings leave less than a unit in the last place.
    for _ in 0..64 {
        let middle = 0.5 * (low + high);
        if falling(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// A density fitted to deviations from its centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// Its standard deviation.
    Gauss { sigma: f64 },
    /// Its scale, the mean magnitude.
    Laplace { b: f64 },
}

/// The likelier density of the two, each with its likeliest parameter.
///
/// sigma is the root of the mean square, b the mean magnitude. The mean log-likelihoods are -(ln(2 pi sigma^2) + 1) / 2
/// and -(ln(2 b) + 1); of equal ones Gauss is taken. `None` if all deviations are 0.
pub fn fit(deviations: &[f64]) -> Option<Fit> {
    let n = deviations.len() as f64;
    let square = deviations.iter().map(|x| x * x).sum::<f64>() / n;
    let b = deviations.iter().map(|x| x.abs()).sum::<f64>() / n;
    // Squares of the smallest numbers vanish.
    if !(square > 0.0 && b > 0.0) {
        return None;
    }
    let gauss = -0.5 * (libm::log(2.0 * std::f64::consts::PI * square) + 1.0);
    let laplace = -(libm::log(2.0 * b) + 1.0);
    Some(if gauss >= laplace { Fit::Gauss { sigma: square.sqrt() } } else { Fit::Laplace { b } })
}

impl Fit {
    fn clip(self, levels: f64) -> Result<f64, CalibrateError> {
        match self {
            Self::Gauss { sigma } => Ok(sigma * gauss_clip(levels)?),
            Self::Laplace { b } => Ok(b * laplace_clip(levels)?),
        }
    }
}

const NOTHING_TO_FIT: CalibrateError =
    CalibrateError::AllEqual { method: "aciq", value: 0.0, rule: "values that differ from their centre" };

/// The clip of magnitudes: the centre is 0. Unsigned formats: the density is fitted to what is not 0, as half a
/// density, whose steps are half as wide. Never beyond the greatest magnitude.
pub(crate) fn symmetric_clip(magnitudes: &[f64], format: QFormat) -> Result<f64, CalibrateError> {
    let levels = format.n_levels() as f64;
    let greatest = magnitudes.iter().fold(0.0, |greatest: f64, &x| greatest.max(x));
    let clip = if format.kind() == Kind::Unsigned {
        let positive: Vec<f64> = magnitudes.iter().copied().filter(|&x| x > 0.0).collect();
        fit(&positive).ok_or(NOTHING_TO_FIT)?.clip(2.0 * levels)?
    } else {
        fit(magnitudes).ok_or(NOTHING_TO_FIT)?.clip(levels)?
    };
    Ok(clip.min(greatest))
}

/// The clip about the mean, never beyond the values and 0.
pub(crate) fn affine_range(values: &[f32], format: QFormat) -> Result<(f64, f64), CalibrateError> {
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
    if values.iter().all(|&x| x == values[0]) {
        let rule = "values that differ from their mean";
        return Err(CalibrateError::AllEqual { method: "aciq", value: values[0].into(), rule });
    }
    let deviations: Vec<f64> = values.iter().map(|&x| f64::from(x) - mean).collect();
    let clip = fit(&deviations).ok_or(NOTHING_TO_FIT)?.clip(format.n_levels() as f64)?;
    let (low, high) = ends(values);
    Ok(((mean - clip).max(low), (mean + clip).min(high)))
}
