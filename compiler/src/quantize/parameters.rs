//! Scales, zero points and fixed-point ratios.

use spec::{Format, Numerics};
use thiserror::Error;

/// One scale and zero point for a tensor: x = scale (q - zero_point).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActivationQuantization {
    pub scale: f32,
    pub zero_point: i64,
}

impl ActivationQuantization {
    /// Covers `low..=high` and 0.
    ///
    /// Meaning in reals: the least scale at which every value of the range is within half a step of one of the format's.
    /// Formula, with low <= 0 <= high: scale = (high - low) / (max - min), zero_point = clamp(RNE(min - low / scale)), where
    /// min and max are the format's and RNE rounds to nearest, ties to even. Corner cases: an empty range has the
    /// scale 1; the scale is kept positive and finite.
    ///
    /// Source: ONNX operator DynamicQuantizeLinear, with any format in place of uint8.
    pub fn from_range(low: f32, high: f32, format: Format) -> Self {
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        let steps = (format.max() - format.min()) as f64;
        let scale = if low == high { 1.0 } else { ((high - low) / steps) as f32 };
        let scale = scale.clamp(f32::MIN_POSITIVE, f32::MAX);
        let zero_point = (format.min() as f64 - low / f64::from(scale)).round_ties_even();
        Self { scale, zero_point: format.saturate(zero_point as i64) }
    }

    /// Covers every value.
    pub fn from_values(values: &[f32], format: Format) -> Self {
        let (low, high) = values.iter().fold((0.0_f32, 0.0_f32), |(low, high), &x| (low.min(x), high.max(x)));
        Self::from_range(low, high, format)
    }

    /// The format's value nearest to x: clamp(RNE(x / scale) + zero_point, min, max), divided in f32.
    ///
    /// Ties go to the even quotient, before the zero point is added. Infinities saturate; NaN becomes the least value.
    ///
    /// ```
    /// use compiler::quantize::ActivationQuantization;
    /// let format = spec::Format::new(8, true);
    /// let half = ActivationQuantization { scale: 0.5, zero_point: 1 };
    /// // 1.25 / 0.5 = 2.5, a tie: 2, and 2 + 1 = 3.
    /// assert_eq!([1.25, 1.75, -1000.0].map(|x| half.quantize(x, format)), [3, 5, -128]);
    /// ```
    ///
    /// Source: ONNX operator QuantizeLinear.
    pub fn quantize(&self, x: f32, format: Format) -> i32 {
        let quotient = (x / self.scale).round_ties_even();
        // The conversion saturates at 64 bits, and NaN is handled apart.
        let steps = if quotient.is_nan() { i64::MIN } else { quotient as i64 };
        format.saturate(steps.saturating_add(self.zero_point)) as i32
    }

    /// scale (q - zero_point).
    pub fn dequantize(&self, q: i32) -> f32 {
        (f64::from(self.scale) * (i64::from(q) - self.zero_point) as f64) as f32
    }
}

/// The scale at which `magnitude` is the greatest weight, 2^(bits - 1) - 1; 1 if there is nothing to cover.
pub fn weight_scale(magnitude: f32, weight: Format) -> f32 {
    if magnitude == 0.0 {
        return 1.0;
    }
    (magnitude / weight.max() as f32).max(f32::MIN_POSITIVE)
}

/// Why a ratio of scales has no fixed-point form.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum FixedPointError {
    #[error("the ratio of scales {ratio:e} is too great: {multiplier_bits} multiplier bits hold at most {max}")]
    TooGreat { ratio: f64, multiplier_bits: u32, max: i64 },
    #[error("the ratio of scales {ratio:e} is too small: it rounds to 0 at the greatest shift, {max_shift}")]
    TooSmall { ratio: f64, max_shift: u32 },
}

/// `(multiplier, shift)` with `multiplier / 2^shift` nearest to a positive ratio.
///
/// Formula: shift = multiplier_bits - 1 - floor(log2(ratio)), multiplier = round(ratio 2^shift), half away from zero, so
/// the multiplier uses all its bits; if it rounds up to 2^multiplier_bits, both are halved once. A shift beyond the
/// greatest is cut to it and the multiplier loses leading bits. Range: 1/2 <= ratio 2^(2^shift_bits - 1) and
/// ratio < 2^multiplier_bits - 1/2.
///
/// ```
/// let config = spec::Config::named("default").expect("it ships with Systole"); // 31 multiplier bits
/// assert_eq!(compiler::quantize::fixed_point(0.75, config.numerics()), Ok((3 << 29, 31)));
/// ```
///
/// Source: gemmlowp's and TFLite's quantized multiplier (31 bits, half away from zero), with any widths.
pub fn fixed_point(ratio: f64, numerics: &Numerics) -> Result<(u32, u32), FixedPointError> {
    // Without a multiplier the ratio is a power of two: one of a single bit that is 1.
    let (multiplier_bits, max) = numerics.multiplier().map_or((1, 1), |format| (format.bits(), format.max()));
    let max_shift = numerics.shift().max();
    let too_small = FixedPointError::TooSmall { ratio, max_shift: max_shift as u32 };
    let too_great = FixedPointError::TooGreat { ratio, multiplier_bits, max };
    // Subnormal ratios are below every shift; NaN cannot come from positive scales.
    if ratio < f64::MIN_POSITIVE {
        return Err(too_small);
    }
    if ratio >= max as f64 + 0.5 {
        return Err(too_great);
    }
    // The exponent field is floor(log2) of a normal number, exactly.
    let floor_log2 = (ratio.to_bits() >> 52) as i64 - 1023;
    let mut shift = (i64::from(multiplier_bits) - 1 - floor_log2).clamp(0, max_shift);
    // Exact: a power of two of at most 63 scales a normal number.
    let mut multiplier = (ratio * (1_u64 << shift) as f64).round() as i64;
    if multiplier > max {
        multiplier /= 2;
        shift -= 1;
    }
    match u32::try_from(multiplier) {
        Ok(0) => Err(too_small),
        Ok(multiplier) if shift >= 0 => Ok((multiplier, shift as u32)),
        _ => Err(too_great),
    }
}
