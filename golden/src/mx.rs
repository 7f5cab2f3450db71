//! Block-scaled integers: MXINT8 of the OCP Microscaling Formats specification.

use crate::error::GoldenError;
use crate::scale::power_of_two;
use crate::shift_round::round_f64;
use spec::Round;

/// Elements that share a scale.
pub const MX_BLOCK: usize = 32;
/// The exponents of an E8M0 scale are codes 0..=254 minus this; code 255 is NaN.
pub const E8M0_BIAS: i32 = 127;

/// How a block's exponent follows from its greatest magnitude. Three rules are in use, and they give different bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MxExponent {
    /// floor(log2 max); elements that then exceed 127/64 saturate. Source: OCP Microscaling Formats 1.0, section 6.3.
    FloorSaturate,
    /// floor(log2 max), one more if max exceeds 127/64 of it. Source: TOSA 1.1, CAST_TO_BLOCK_SCALED.
    BumpAboveGreatest,
    /// floor(log2 max), one more if max, rounded to elements, exceeds 127/64 of it: with ties to even from 127.5/64 on. Source:
    /// measured on TOSA's reference model 2026.8.
    BumpIfRoundedOverflows,
}

impl MxExponent {
    pub const ALL: [Self; 3] = [Self::FloorSaturate, Self::BumpAboveGreatest, Self::BumpIfRoundedOverflows];

    pub const fn name(self) -> &'static str {
        match self {
            Self::FloorSaturate => "floor-saturate",
            Self::BumpAboveGreatest => "bump-above-greatest",
            Self::BumpIfRoundedOverflows => "bump-if-rounded-overflows",
        }
    }
}

/// A block: value i is `elements[i] 2^(exponent - 6)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxBlock {
    /// -127..=127.
    pub exponent: i32,
    pub elements: Vec<i8>,
}

/// Codes up to [`MX_BLOCK`] values as MXINT8: elements of 8 bits with 6 fraction bits, one power-of-two scale.
///
/// Formula: with max the greatest magnitude, exponent = rule(max), clamped to -127..=127; element = clamp(round(x 2^(6 - exponent)),
/// -127, 127) by `round`. The code -128 is never made. A block of zeros has the exponent -127.
///
/// Errors: an empty or too long block, a NaN or an infinity.
///
/// ```
/// use golden::mx::{encode, MxExponent};
/// use spec::Round;
/// let block = encode(&[1.0, -0.5, 1.999], MxExponent::FloorSaturate, Round::HalfToEven)?;
/// assert_eq!((block.exponent, block.elements), (0, vec![64, -32, 127]));
/// let block = encode(&[1.0, -0.5, 1.999], MxExponent::BumpAboveGreatest, Round::HalfToEven)?;
/// assert_eq!((block.exponent, block.elements), (1, vec![32, -16, 64]));
/// # Ok::<(), golden::GoldenError>(())
/// ```
pub fn encode(values: &[f32], rule: MxExponent, round: Round) -> Result<MxBlock, GoldenError> {
    if values.is_empty() || values.len() > MX_BLOCK {
        return Err(GoldenError::Length { what: "an MX block", given: values.len(), expected: MX_BLOCK });
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(GoldenError::NotFinite { index, value: values[index] });
    }
    let most = values.iter().fold(0.0_f64, |most, &value| most.max(f64::from(value).abs()));
    let floor_log2 = if most == 0.0 { -E8M0_BIAS } else { (most.to_bits() >> 52) as i32 - 1023 };
    let mantissa = most * power_of_two(6 - floor_log2);
    let bump = match rule {
        MxExponent::FloorSaturate => false,
        MxExponent::BumpAboveGreatest => mantissa > 127.0,
        MxExponent::BumpIfRoundedOverflows => round_f64(mantissa, round) > 127.0,
    };
    let exponent = (floor_log2 + i32::from(bump)).clamp(-E8M0_BIAS, E8M0_BIAS);
    let factor = power_of_two(6 - exponent);
    // Between -127 and 127 after the clamp.
    let element = |&value: &f32| round_f64(f64::from(value) * factor, round).clamp(-127.0, 127.0) as i8;
    Ok(MxBlock { exponent, elements: values.iter().map(element).collect() })
}

/// The values of a block, exactly (in f64: the least ones are no f32).
pub fn decode(block: &MxBlock) -> Vec<f64> {
    block.elements.iter().map(|&element| f64::from(element) * power_of_two(block.exponent - 6)).collect()
}
