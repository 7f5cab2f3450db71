//! From a range of reals to a scale and a zero point.

use crate::error::CalibrateError;
use golden::{QFormat, Quantizer, Scale};
use spec::Round;

/// Which scales are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grid {
    Any,
    /// 2^e with e in -126..=127: requantizers that only shift.
    PowersOfTwo,
}

/// A scale and a zero point for one group of elements: x = scale (q - zero_point).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    pub scale: f32,
    pub zero_point: i64,
}

impl Choice {
    /// Golden's quantizer of these parameters, ties to even.
    pub fn quantizer(self, format: QFormat) -> Result<Quantizer, CalibrateError> {
        Ok(Quantizer::tensor(format, Scale::f32(self.scale)?, self.zero_point, Round::HalfToEven)?)
    }
}

/// The scale at which `clip` is the format's greatest value; zero point 0.
///
/// Formula: scale = clip / max in f32, max the format's (1 for signed formats of one bit, which are -1 and 0). On the
/// grid of powers of two the least that is not below clip / max. Corner cases: a clip of 0 has the scale 1; scales are
/// kept normal.
///
/// ```
/// use calibrate::{symmetric_choice, Choice, Grid};
/// let int8 = golden::QFormat::full(8, true)?;
/// assert_eq!(symmetric_choice(63.5, int8, Grid::Any), Choice { scale: 0.5, zero_point: 0 });
/// assert_eq!(symmetric_choice(63.6, int8, Grid::PowersOfTwo).scale, 1.0);
/// # Ok::<(), golden::GoldenError>(())
/// ```
pub fn symmetric_choice(clip: f64, format: QFormat, grid: Grid) -> Choice {
    let max = greatest(format);
    let scale = match grid {
        _ if clip == 0.0 => 1.0,
        Grid::Any => clip as f32 / max as f32,
        Grid::PowersOfTwo => power_of_two_above(clip / max as f64),
    };
    Choice { scale: normal(scale), zero_point: 0 }
}

/// The parameters that cover `low..=high` and 0.
///
/// Meaning in reals: the least scale at which every value of the range is within half a step of one of the format's
/// (with a grid of powers of two, about the least). Formula, with low <= 0 <= high: scale = (high - low) / (max - min),
/// on the grid rounded up to a power of two; zero_point = clamp(RNE(min - low / scale)), RNE rounding ties to even.
/// Corner cases: an empty range has the scale 1; scales are kept normal.
///
/// Source: ONNX operator DynamicQuantizeLinear, with any format in place of uint8.
///
/// ```
/// use calibrate::{affine_choice, Choice, Grid};
/// let uint8 = golden::QFormat::full(8, false)?;
/// assert_eq!(affine_choice(-1.0, 254.0, uint8, Grid::Any), Choice { scale: 1.0, zero_point: 1 });
/// # Ok::<(), golden::GoldenError>(())
/// ```
pub fn affine_choice(low: f64, high: f64, format: QFormat, grid: Grid) -> Choice {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let ratio = (high - low) / (format.max() - format.min()) as f64;
    let scale = normal(match grid {
        _ if low == high => 1.0,
        Grid::Any => ratio as f32,
        Grid::PowersOfTwo => power_of_two_above(ratio),
    });
    Choice { scale, zero_point: zero_point(low, scale, format) }
}

/// The zero point at which `low` is about the format's least value.
pub(crate) fn zero_point(low: f64, scale: f32, format: QFormat) -> i64 {
    format.saturate((format.min() as f64 - low / f64::from(scale)).round_ties_even() as i64)
}

/// What a symmetric clip is divided by.
pub(crate) fn greatest(format: QFormat) -> i64 {
    // Signed numbers of one bit are -1 and 0.
    format.max().max(1)
}

/// The scale kept within normal numbers, which are what quantizers divide by.
pub(crate) fn normal(scale: f32) -> f32 {
    scale.clamp(f32::MIN_POSITIVE, f32::MAX)
}

/// The exponent of the least power of two that is not below a positive ratio, kept to normal f32 numbers.
pub(crate) fn exponent_above(ratio: f64) -> i32 {
    let bits = ratio.to_bits();
    // The field is floor(log2) of a normal number; subnormal ones are below every scale.
    let floor = (bits >> 52) as i32 - 1023;
    let exact = bits & ((1 << 52) - 1) == 0;
    (floor + i32::from(!exact)).clamp(-126, 127)
}

/// 2^exponent for exponents of normal f32 numbers.
pub(crate) fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) as u32) << 23)
}

fn power_of_two_above(ratio: f64) -> f32 {
    power_of_two(exponent_above(ratio))
}
