//! How a range is chosen from data.

use crate::error::{check_values, CalibrateError};
use crate::range::{affine_choice, symmetric_choice, Choice, Grid};
use crate::{aciq, kl, mse, percentile};
use golden::{Kind, QFormat};

/// How a tensor's range is chosen.
///
/// Every method needs finite values and at least one. Data that are all equal:
///
/// | method | all 0 | all equal to x != 0 |
/// |---|---|---|
/// | min-max, percentile, MSE | scale 1 | the range from 0 to x (MSE: without error) |
/// | KL | refused: a histogram of no width | the range from 0 to x |
/// | ACIQ | refused | affine: refused, as the deviation is 0; symmetric: a clip of abs(x) |
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// The whole range.
    MinMax,
    /// Symmetric: the p-th percentile of magnitudes; affine: from percentile 100 - p to percentile p. p is in (0, 100],
    /// for affine ranges in (50, 100]. Between two elements it is interpolated linearly.
    Percentile(f64),
    /// The clip whose quantized histogram diverges least from the tensor's, see [`crate::kl`].
    Kl,
    /// The parameters of least squared error, see [`crate::mse`].
    Mse,
    /// The clip that is best for a Gaussian or a Laplacian, whichever is likelier, see [`crate::aciq`].
    Aciq,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::MinMax => "min-max",
            Self::Percentile(_) => "percentile",
            Self::Kl => "kl",
            Self::Mse => "mse",
            Self::Aciq => "aciq",
        }
    }
}

/// Whether there is a zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Symmetry {
    /// Zero point 0. The range is -clip..=clip, for unsigned formats 0..=clip.
    Symmetric,
    /// Any zero point of the format; the range includes 0. Bipolar formats have none.
    Affine,
}

/// The scale and zero point for a tensor, or for one group of its elements.
///
/// Methods choose a range (MSE the parameters themselves) and [`symmetric_choice`] or [`affine_choice`] brings it to
/// parameters. With [`Grid::PowersOfTwo`] a range's scale is rounded up to a power of two, so that it covers no less;
/// MSE compares the exponents themselves. An unsigned format with zero point 0 sees negative values as 0.
///
/// ```
/// use calibrate::{choose, Choice, Grid, Method, Symmetry};
/// let int8 = golden::QFormat::full(8, true)?;
/// let choice = choose(&[-1.0, 127.0, 3.0], int8, Method::MinMax, Symmetry::Symmetric, Grid::Any)?;
/// assert_eq!(choice, Choice { scale: 1.0, zero_point: 0 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn choose(
    values: &[f32],
    format: QFormat,
    method: Method,
    symmetry: Symmetry,
    grid: Grid,
) -> Result<Choice, CalibrateError> {
    check_values("values", values)?;
    match symmetry {
        Symmetry::Symmetric => symmetric(values, format, method, grid),
        Symmetry::Affine if format.kind() == Kind::Bipolar => {
            Err(CalibrateError::ZeroPoint { format: format.to_string() })
        }
        Symmetry::Affine => affine(values, format, method, grid),
    }
}

fn symmetric(values: &[f32], format: QFormat, method: Method, grid: Grid) -> Result<Choice, CalibrateError> {
    let unsigned = format.kind() == Kind::Unsigned;
    let magnitude = |&x: &f32| f64::from(if unsigned { x.max(0.0) } else { x.abs() });
    let magnitudes: Vec<f64> = values.iter().map(magnitude).collect();
    let clip = match method {
        Method::MinMax => magnitudes.iter().fold(0.0, |greatest: f64, &x| greatest.max(x)),
        Method::Percentile(p) => percentile::percentile(magnitudes, p)?,
        Method::Kl => kl::symmetric_clip(&magnitudes, format)?,
        Method::Mse => return mse::symmetric(values, format, grid),
        Method::Aciq => aciq::symmetric_clip(&magnitudes, format)?,
    };
    Ok(symmetric_choice(clip, format, grid))
}

fn affine(values: &[f32], format: QFormat, method: Method, grid: Grid) -> Result<Choice, CalibrateError> {
    let (low, high) = match method {
        Method::MinMax => ends(values),
        Method::Percentile(p) => percentile::range(values, p)?,
        Method::Kl => kl::affine_range(values, format)?,
        Method::Mse => return mse::affine(values, format, grid),
        Method::Aciq => aciq::affine_range(values, format)?,
    };
    Ok(affine_choice(low, high, format, grid))
}

/// The least and the greatest of the values and 0.
pub(crate) fn ends(values: &[f32]) -> (f64, f64) {
    values.iter().map(|&x| f64::from(x)).fold((0.0, 0.0), |(low, high): (f64, f64), x| (low.min(x), high.max(x)))
}
