//! Scales, zero points and fixed-point ratios.

use golden::{
    GoldenError, Granularity, InfinityPolicy, NanPolicy, Order, QFormat, Quantizer, QuantizerParts, QuantizerRounding,
    Scale,
};
use serde::{Deserialize, Serialize};
use spec::{Format, Numerics, Round};
use thiserror::Error;

/// One scale and zero point for a tensor: x = scale (q - zero_point).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationQuantization {
    pub scale: f32,
    pub zero_point: i64,
}

impl ActivationQuantization {
    /// Golden's quantizer: divided in f32, the zero point added after rounding. Infinities saturate; NaN becomes the least value.
    pub fn quantizer(&self, format: Format, rounding: QuantizerRounding) -> Result<Quantizer, GoldenError> {
        Quantizer::new(QuantizerParts {
            format: QFormat::full(format.bits(), format.is_signed())?,
            scales: vec![Scale::f32(self.scale)?],
            zero_points: vec![self.zero_point],
            granularity: Granularity::Tensor,
            rounding,
            order: Order::DivideThenAdd,
            nan: NanPolicy::Least,
            infinity: InfinityPolicy::Saturate,
        })
    }

    /// The values' integers, ties to even: ONNX's QuantizeLinear.
    ///
    /// ```
    /// use compiler::quantize::ActivationQuantization;
    /// let half = ActivationQuantization { scale: 0.5, zero_point: 1 };
    /// // 1.25 / 0.5 = 2.5, a tie: 2, and 2 + 1 = 3.
    /// assert_eq!(half.quantize(&[1.25, 1.75, -1000.0], spec::Format::new(8, true))?, [3, 5, -128]);
    /// # Ok::<(), golden::GoldenError>(())
    /// ```
    pub fn quantize(&self, values: &[f32], format: Format) -> Result<Vec<i32>, GoldenError> {
        let quantizer = self.quantizer(format, QuantizerRounding::Fixed(Round::HalfToEven))?;
        quantizer.quantize(values, &[values.len()])
    }

    /// The values as the machine sees them: quantized by the rounding and back.
    pub(super) fn seen(
        &self,
        values: &[f32],
        format: Format,
        rounding: QuantizerRounding,
    ) -> Result<Vec<f32>, GoldenError> {
        let q = self.quantizer(format, rounding)?.quantize(values, &[values.len()])?;
        Ok(q.into_iter().map(|q| self.dequantize(q)).collect())
    }

    /// scale (q - zero_point).
    pub fn dequantize(&self, q: i32) -> f32 {
        (f64::from(self.scale) * (i64::from(q) - self.zero_point) as f64) as f32
    }
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
/// ratio < 2^multiplier_bits - 1/2. Without a multiplier (scheme `pow2`) the multiplier is 1, and the ratio at most 1 1/2.
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
