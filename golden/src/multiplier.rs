//! Ratios of scales as integers: multiplier and exponent.

use crate::error::GoldenError;

/// A positive ratio as a 31-bit multiplier: m 2^(e - 31), with m in 2^30 ..= 2^31 - 1; or zero, (0, 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Multiplier {
    m: i32,
    e: i32,
}

impl Multiplier {
    /// The greatest exponent: the shift, 31 - e, is then 1.
    pub const MAX_EXPONENT: i32 = 30;

    /// `m` in 0 ..= 2^31 - 1 and `e` in -31 ..= 30.
    pub fn new(m: i32, e: i32) -> Result<Self, GoldenError> {
        if m < 0 {
            return Err(GoldenError::OutOfRange {
                property: "multiplier",
                value: m.into(),
                min: 0,
                max: i32::MAX.into(),
            });
        }
        if !(-31..=Self::MAX_EXPONENT).contains(&e) {
            return Err(GoldenError::OutOfRange { property: "exponent", value: e.into(), min: -31, max: 30 });
        }
        Ok(Self { m, e })
    }

    /// The multiplier nearest to a positive ratio.
    ///
    /// Formula: ratio = f 2^e with f in 1/2 <= f < 1; m = round(f 2^31), half away from zero; if m = 2^31 it is halved and e grows
    /// by 1. e < -31 gives (0, 0); e > 30 gives (2^31 - 1, 30). Every step is exact but the one rounding.
    ///
    /// ```
    /// let multiplier = golden::Multiplier::from_ratio(0.75)?;
    /// assert_eq!((multiplier.m(), multiplier.e()), (3 << 29, 0));
    /// # Ok::<(), golden::GoldenError>(())
    /// ```
    ///
    /// Source: TFLite's QuantizeMultiplier, with the saturation of its single-rounding build.
    pub fn from_ratio(ratio: f64) -> Result<Self, GoldenError> {
        if !(ratio > 0.0 && ratio.is_finite()) {
            return Err(GoldenError::Ratio { value: ratio, min: f64::from_bits(1), max: f64::MAX });
        }
        let bits = ratio.to_bits();
        let (field, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
        if field == 0 {
            // A subnormal number is far below 2^-31.
            return Ok(Self { m: 0, e: 0 });
        }
        // f = (2^52 + fraction) 2^-53, and 31 of its 53 bits stay.
        let mut m = ((1 << 52 | fraction) + (1 << 21)) >> 22;
        let mut e = field - 1022;
        if m == 1 << 31 {
            m >>= 1;
            e += 1;
        }
        Ok(match e {
            ..-31 => Self { m: 0, e: 0 },
            31.. => Self { m: i32::MAX, e: Self::MAX_EXPONENT },
            _ => Self { m: m as i32, e },
        })
    }

    pub fn m(self) -> i32 {
        self.m
    }

    pub fn e(self) -> i32 {
        self.e
    }

    /// 31 - e: how far the product is shifted right.
    pub fn shift(self) -> u32 {
        (31 - self.e) as u32
    }

    /// m 2^(e - 31).
    pub fn value(self) -> f64 {
        f64::from(self.m) * crate::scale::power_of_two(self.e - 31)
    }
}
