//! Scales, and the quotients that quantizers round.

use crate::error::GoldenError;
use crate::shift_round::{divide_round, round_f64};
use spec::Round;

/// The size of a step: x = scale (q - zero_point).
///
/// Always positive, finite and normal: zero, negative, subnormal, infinite and NaN scales are refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale(Form);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    F32(f32),
    F64(f64),
    Ratio { numerator: u32, denominator: u32 },
    Pow2(i32),
}

impl Scale {
    /// The arithmetic is that of f32.
    pub fn f32(value: f32) -> Result<Self, GoldenError> {
        if value.is_normal() && value > 0.0 {
            return Ok(Self(Form::F32(value)));
        }
        Err(refused(f64::from(value), value.is_subnormal()))
    }

    /// The arithmetic is that of f64.
    pub fn f64(value: f64) -> Result<Self, GoldenError> {
        if value.is_normal() && value > 0.0 {
            return Ok(Self(Form::F64(value)));
        }
        Err(refused(value, value.is_subnormal()))
    }

    /// numerator / denominator; the arithmetic is exact.
    pub fn ratio(numerator: u32, denominator: u32) -> Result<Self, GoldenError> {
        if numerator > 0 && denominator > 0 {
            return Ok(Self(Form::Ratio { numerator, denominator }));
        }
        let value = format!("{numerator}/{denominator}");
        Err(GoldenError::Scale { index: 0, value, rule: "a ratio of two numbers of at least 1" })
    }

    /// 2^exponent; the arithmetic is exact.
    pub fn pow2(exponent: i32) -> Result<Self, GoldenError> {
        if (-126..=127).contains(&exponent) {
            return Ok(Self(Form::Pow2(exponent)));
        }
        Err(GoldenError::Scale { index: 0, value: format!("2^{exponent}"), rule: "2^-126 ..= 2^127, a normal f32" })
    }

    /// The scale as a real number, rounded to f64 for ratios only.
    pub fn value(self) -> f64 {
        match self.0 {
            Form::F32(value) => value.into(),
            Form::F64(value) => value,
            Form::Ratio { numerator, denominator } => f64::from(numerator) / f64::from(denominator),
            Form::Pow2(exponent) => power_of_two(exponent),
        }
    }

    /// x / scale, in the scale's arithmetic.
    pub(crate) fn divide(self, x: f32) -> Quotient {
        match self.0 {
            Form::F32(scale) => Quotient::F32(x / scale),
            Form::F64(scale) => Quotient::F64(f64::from(x) / scale),
            Form::Ratio { numerator, denominator } => Quotient::exact(x, denominator.into(), numerator.into(), 0),
            Form::Pow2(exponent) => Quotient::exact(x, 1, 1, -exponent),
        }
    }

    /// x (1 / scale), the reciprocal rounded first; the same as [`Scale::divide`] where the arithmetic is exact.
    pub(crate) fn multiply_by_reciprocal(self, x: f32) -> Quotient {
        match self.0 {
            Form::F32(scale) => Quotient::F32(x * (1.0 / scale)),
            Form::F64(scale) => Quotient::F64(f64::from(x) * (1.0 / scale)),
            _ => self.divide(x),
        }
    }

    /// scale times an integer of at most 34 bits, in the scale's arithmetic, rounded to f32.
    pub(crate) fn times(self, steps: i64) -> f32 {
        match self.0 {
            Form::F32(scale) => steps as f32 * scale,
            Form::Ratio { numerator, denominator } => {
                // 60 fraction bits leave 28 bits or more; the odd rule keeps that something was dropped, so that the
                // conversion to f32 is the only rounding.
                let product = (i128::from(steps) * i128::from(numerator)) << 60;
                divide_round(product, denominator.into(), Round::ToOdd) as f32 * power_of_two(-60) as f32
            }
            // One rounding of a product that f64 holds, or rounds as its own arithmetic does.
            _ => (self.value() * steps as f64) as f32,
        }
    }
}

/// 2^exponent for exponents of normal f64 numbers.
pub(crate) fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

fn refused(value: f64, subnormal: bool) -> GoldenError {
    let rule = match subnormal {
        true => "positive, finite and normal (this one is subnormal: its quotients would lose bits)",
        false => "positive, finite and normal",
    };
    GoldenError::Scale { index: 0, value: format!("{value:e}"), rule }
}

/// A real number about to be rounded, in the arithmetic it was computed in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quotient {
    F32(f32),
    F64(f64),
    /// numerator / denominator, denominator in 1..=2^93.
    Exact {
        numerator: i128,
        denominator: i128,
    },
}

/// Magnitudes beyond this saturate every format.
const BEYOND: i128 = 1 << 40;
/// Fractions of a step are kept to so many bits, and whether there is more.
const LEAST_POWER: i32 = 60;

impl Quotient {
    /// x multiplier / divisor 2^exponent, exactly; clamped to a magnitude beyond every format's range.
    fn exact(x: f32, multiplier: i128, divisor: i128, exponent: i32) -> Self {
        if x.is_infinite() {
            return Self::Exact { numerator: if x > 0.0 { BEYOND } else { -BEYOND }, denominator: 1 };
        }
        let bits = x.to_bits();
        let (field, fraction) = ((bits >> 23 & 0xff) as i32, i128::from(bits & 0x7f_ffff));
        // x = mantissa 2^power.
        let (mantissa, power) = if field == 0 { (fraction, -149) } else { (fraction | 1 << 23, field - 150) };
        let sign = if x < 0.0 { -1 } else { 1 };
        let magnitude = mantissa * multiplier;
        let power = power + exponent;
        if power >= 0 {
            // 56 bits; 2^60 more is beyond every format, whatever the divisor.
            let magnitude = (magnitude << power.min(60)).min(BEYOND * divisor);
            return Self::Exact { numerator: sign * magnitude, denominator: divisor };
        }
        // Of what is below 2^-60 of a step only matters that it is not zero: the last bit says so.
        let below = (-power - LEAST_POWER).clamp(0, 100);
        let lost = magnitude & ((1 << below) - 1) != 0;
        let numerator = sign * (magnitude >> below | i128::from(lost));
        Self::Exact { numerator, denominator: divisor << (-power).min(LEAST_POWER) }
    }

    /// The sum with an integer.
    pub(crate) fn plus(self, addend: i64) -> Self {
        match self {
            Self::F32(value) => Self::F32(value + addend as f32),
            Self::F64(value) => Self::F64(value + addend as f64),
            Self::Exact { numerator, denominator } => {
                // At most 33 + 92 bits.
                Self::Exact { numerator: numerator + i128::from(addend) * denominator, denominator }
            }
        }
    }

    pub(crate) fn halved(self) -> Self {
        match self {
            Self::F32(value) => Self::F32(value / 2.0),
            Self::F64(value) => Self::F64(value / 2.0),
            Self::Exact { numerator, denominator } => Self::Exact { numerator, denominator: denominator << 1 },
        }
    }

    /// Clamped to `low..=high`.
    pub(crate) fn clamped(self, low: i64, high: i64) -> Self {
        match self {
            Self::F32(value) => Self::F32(value.max(low as f32).min(high as f32)),
            Self::F64(value) => Self::F64(value.max(low as f64).min(high as f64)),
            Self::Exact { numerator, denominator } => {
                let bound = |limit: i64| i128::from(limit) * denominator;
                Self::Exact { numerator: numerator.max(bound(low)).min(bound(high)), denominator }
            }
        }
    }

    /// The nearest integer by the rule, saturated to 64 bits.
    pub(crate) fn round(self, rule: Round) -> i64 {
        match self {
            Self::F32(value) => round_f64(value.into(), rule) as i64,
            Self::F64(value) => round_f64(value, rule) as i64,
            Self::Exact { numerator, denominator } => saturated(divide_round(numerator, denominator, rule)),
        }
    }

    /// The integer below, or the one above with the probability of the fraction, cut to `random_bits` bits.
    pub(crate) fn round_stochastic(self, random: u32, random_bits: u32) -> i64 {
        let (floor, highest) = match self {
            Self::F32(_) | Self::F64(_) => {
                let value = self.as_f64();
                let floor = value.floor();
                // The part beyond the integer towards zero is exact, and so is its product with a power of two. The
                // difference from the integer below is not: below zero it is one minus that part, and may round up.
                let beyond = (value - value.trunc()).abs() * power_of_two(random_bits as i32);
                let highest = match value < 0.0 && value != floor {
                    true => (1 << random_bits) - beyond.ceil() as i128,
                    false => beyond.floor() as i128,
                };
                (floor as i64, highest)
            }
            Self::Exact { numerator, denominator } => {
                let floor = numerator.div_euclid(denominator);
                let mut rest = numerator.rem_euclid(denominator);
                let mut highest = 0;
                for _ in 0..random_bits {
                    rest <<= 1;
                    highest = highest << 1 | i128::from(rest >= denominator);
                    if rest >= denominator {
                        rest -= denominator;
                    }
                }
                (saturated(floor), highest)
            }
        };
        floor.saturating_add(((highest + i128::from(random)) >> random_bits) as i64)
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::F32(value) => value.into(),
            Self::F64(value) => value,
            Self::Exact { numerator, denominator } => numerator as f64 / denominator as f64,
        }
    }
}

fn saturated(value: i128) -> i64 {
    value.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}
