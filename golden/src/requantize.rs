//! From the accumulator to the output format: the requantizer.

use crate::error::{in_format, GoldenError};
use crate::psum::Psum;
use crate::shift_round::{shift_round, shift_round_i64};
use spec::{Format, Numerics, Rounding};

/// The requantizer's parameters of one output channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Channel {
    pub bias: i64,
    pub multiplier: u32,
    pub shift: u32,
    pub zero_point: i64,
}

impl Channel {
    /// Checks each field against the width that the configuration gives it.
    pub fn check(&self, numerics: &Numerics) -> Result<(), GoldenError> {
        in_format("bias", self.bias, numerics.bias())?;
        in_format("multiplier", self.multiplier.into(), numerics.multiplier())?;
        in_format("shift", self.shift.into(), numerics.shift())?;
        in_format("zero_point", self.zero_point, numerics.bound())
    }
}

/// The least and the greatest value that a requantizer lets through. An activation function that is a clamp (ReLU, ReLU6)
/// is a choice of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    pub low: i64,
    pub high: i64,
}

impl Bounds {
    /// The bounds that only saturate to the output format.
    pub fn full(numerics: &Numerics) -> Self {
        Self { low: numerics.output().min(), high: numerics.output().max() }
    }

    /// Checks that both bounds are values of the output format (so every output fits it) and that they are in order.
    pub fn check(&self, numerics: &Numerics) -> Result<(), GoldenError> {
        in_format("bounds.low", self.low, numerics.output())?;
        in_format("bounds.high", self.high, numerics.output())?;
        if self.low > self.high {
            return Err(GoldenError::BoundsOrder { low: self.low, high: self.high });
        }
        Ok(())
    }
}

/// The requantizer of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requantizer {
    accumulator: Format,
    rounding: Rounding,
    fits_i64: bool,
}

impl Requantizer {
    pub fn new(numerics: &Numerics) -> Self {
        // abs(sum) <= 2^(A-1) and multiplier <= 2^M - 1, so abs(product) < 2^(A-1+M): at A - 1 + M <= 62 the product, the
        // rounding constant (at most 2^62) and the zero point (at most 2^16) fit 64 bits together.
        let product_bits = numerics.accumulator_bits() - 1 + numerics.multiplier_bits();
        Self { accumulator: numerics.accumulator(), rounding: numerics.rounding(), fits_i64: product_bits <= 62 }
    }

    /// One accumulator value in the output format.
    ///
    /// Meaning in reals: `acc` counts steps of s_x s_w, the output steps of s_y; the result is the nearest output step to
    /// (acc + bias) s_x s_w / s_y, where s_x s_w / s_y is `multiplier / 2^shift`.
    ///
    /// Integer formula, with A = `accumulator_bits`:
    /// `clamp(shift_round(wrap_A(acc + bias) * multiplier, shift, rounding) + zero_point, low, high)`.
    /// There is one rounding, at the end of the exact product; the zero point is added after it. Ties: see
    /// [`shift_round`]. Range: any `acc` (only its low A bits count); the product has at most 95 bits and is exact.
    ///
    /// Corner cases: `shift = 0` rounds nothing; a zero point outside the bounds pins small results to the nearer bound;
    /// `acc + bias` wraps and never saturates, so the result does not depend on the order in which `acc` was summed.
    ///
    /// ```
    /// use golden::{Bounds, Channel, Requantizer};
    /// let config = spec::Config::named("default").expect("it ships with Systole"); // rounding = "half-up"
    /// let requantizer = Requantizer::new(config.numerics());
    /// let channel = Channel { bias: 3, multiplier: 5, shift: 2, zero_point: -1 };
    /// // (-5 + 3) * 5 / 4 = -2.5, a tie: half-up gives -2; -2 + -1 = -3.
    /// assert_eq!(requantizer.requantize(-5, &channel, &Bounds { low: -128, high: 127 }), -3);
    /// assert_eq!(requantizer.requantize(-5, &channel, &Bounds { low: -1, high: 127 }), -1);
    /// ```
    ///
    /// Source: TOSA specification, RESCALE, `apply_scale_32` with `SINGLE_ROUND`, generalized to four tie rules and to
    /// multipliers of 1..=32 bits.
    pub fn requantize(&self, acc: i64, channel: &Channel, bounds: &Bounds) -> i64 {
        // Exact modulo 2^64, so also modulo 2^A.
        let sum = self.accumulator.wrap(acc.wrapping_add(channel.bias));
        let product = i128::from(sum) * i128::from(channel.multiplier);
        let scaled = shift_round(product, channel.shift, self.rounding);
        let shifted = scaled + i128::from(channel.zero_point);
        if shifted < i128::from(bounds.low) {
            bounds.low
        } else if shifted > i128::from(bounds.high) {
            bounds.high
        } else {
            // Between two i64 bounds.
            shifted as i64
        }
    }

    /// [`Requantizer::requantize`] of each element of a row with its channel, in 64 bits where they provably suffice.
    ///
    /// # Panics
    /// If `acc`, `channels` and `out` differ in length. In debug builds also if a bound does not fit `i32` or the shift
    /// exceeds 63: [`Channel::check`] and [`Bounds::check`] exclude both.
    pub fn requantize_row<T: Psum>(&self, acc: &[T], channels: &[Channel], bounds: &Bounds, out: &mut [i32]) {
        assert_eq!(acc.len(), channels.len(), "a row has one channel per element");
        assert_eq!(acc.len(), out.len(), "a row has one output per element");
        debug_assert!(i32::try_from(bounds.low).is_ok() && i32::try_from(bounds.high).is_ok(), "{bounds:?}");
        if !self.fits_i64 {
            for ((&acc, channel), out) in acc.iter().zip(channels).zip(out) {
                *out = self.requantize(acc.read(self.accumulator), channel, bounds) as i32;
            }
            return;
        }
        // One loop per rounding, so that the choice is made once a row.
        match self.rounding {
            Rounding::Floor => self.row_i64(acc, channels, bounds, out, |p, s| shift_round_i64(p, s, Rounding::Floor)),
            Rounding::HalfUp => {
                self.row_i64(acc, channels, bounds, out, |p, s| shift_round_i64(p, s, Rounding::HalfUp))
            }
            Rounding::HalfAway => {
                self.row_i64(acc, channels, bounds, out, |p, s| shift_round_i64(p, s, Rounding::HalfAway));
            }
            Rounding::HalfEven => {
                self.row_i64(acc, channels, bounds, out, |p, s| shift_round_i64(p, s, Rounding::HalfEven));
            }
        }
    }

    #[inline(always)]
    fn row_i64<T: Psum>(
        &self,
        acc: &[T],
        channels: &[Channel],
        bounds: &Bounds,
        out: &mut [i32],
        shift_round: impl Fn(i64, u32) -> i64,
    ) {
        for ((&acc, channel), out) in acc.iter().zip(channels).zip(out) {
            debug_assert!(channel.shift <= 63, "{channel:?}");
            let sum = self.accumulator.wrap(acc.widen().wrapping_add(channel.bias));
            let scaled = shift_round(sum * i64::from(channel.multiplier), channel.shift);
            *out = (scaled + channel.zero_point).max(bounds.low).min(bounds.high) as i32;
        }
    }
}
