//! From the accumulator to the output format: the requantizer.

use crate::error::{in_format, GoldenError};
use crate::psum::Psum;
use crate::shift_round::{shift_round, shift_round_i64, shift_stochastic, shift_stochastic_i64};
use crate::stochastic::Stream;
use spec::{Format, Numerics, Round, Rounding};

/// The requantizer's parameters of one output channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Channel {
    pub bias: i64,
    /// 1 in a scheme without a multiplier.
    pub multiplier: u32,
    pub shift: u32,
    pub zero_point: i64,
}

impl Channel {
    /// Checks each field against the width that the configuration gives it.
    pub fn check(&self, numerics: &Numerics) -> Result<(), GoldenError> {
        in_format("bias", self.bias, numerics.bias())?;
        match numerics.multiplier() {
            Some(format) => in_format("multiplier", self.multiplier.into(), format)?,
            None if self.multiplier == 1 => {}
            None => {
                let value = self.multiplier.into();
                return Err(GoldenError::OutOfRange { property: "multiplier of scheme pow2", value, min: 1, max: 1 });
            }
        }
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

/// The random bits of a row of outputs: its tensor's stream, and the index of the row's first output.
pub type RowStream<'a> = Option<(&'a Stream, u32)>;

/// The requantizer of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requantizer {
    accumulator: Format,
    rounding: Rounding,
    /// The shift of the first of two roundings; 0 if there is one.
    first_shift: u32,
    /// Bits of the product register.
    product_bits: u32,
    fits_i64: bool,
}

impl Requantizer {
    pub fn new(numerics: &Numerics) -> Self {
        // abs(sum) <= 2^(A-1) and multiplier <= 2^M - 1 (or 1 without a multiplier), so abs(product) <= 2^(A-1+M): at
        // A - 1 + M <= 62 the product, both rounding constants (at most 2^31 and 2^62) and the zero point (at most 2^16) fit
        // 64 bits together.
        let product_bits = numerics.accumulator_bits() - 1 + numerics.multiplier_bits();
        Self {
            accumulator: numerics.accumulator(),
            rounding: numerics.rounding(),
            first_shift: if numerics.scheme().is_double() { numerics.multiplier_bits() } else { 0 },
            product_bits: numerics.accumulator_bits() + numerics.multiplier_bits(),
            fits_i64: product_bits <= 62,
        }
    }

    /// One accumulator value in the output format. `random` are the output's random bits, see [`Stream::bits`]; without
    /// stochastic rounding they do not matter.
    ///
    /// Meaning in reals: `acc` counts steps of s_x s_w, the output steps of s_y; the result is the nearest output step to
    /// (acc + bias) s_x s_w / s_y, where s_x s_w / s_y is `multiplier / 2^shift`.
    ///
    /// Integer formula, with A = `accumulator_bits`, p = wrap_A(acc + bias) multiplier:
    /// `clamp(scaled + zero_point, low, high)`, where `scaled` is by the scheme
    ///
    /// | scheme | scaled |
    /// |---|---|
    /// | `fixed-single` | `shift_round(p, shift, rounding)` |
    /// | `pow2` | the same with multiplier 1 |
    /// | `fixed-double`, `fixed-double-up` | with D = `multiplier_bits` and up = half toward positive: for shift > D, `shift_round(shift_round(p, D, up), shift - D, rounding)`; else `shift_round(p, shift, up)` |
    ///
    /// and stochastic rounding puts [`shift_stochastic`] in the place of `shift_round(.., rounding)`. The zero point is added after
    /// rounding. Ties: see [`shift_round`]. Range: any `acc` (only its low A bits count); the product has at most 95 bits
    /// and is exact.
    ///
    /// Corner cases: `shift = 0` rounds nothing; a zero point outside the bounds pins small results to the nearer bound;
    /// `acc + bias` wraps and never saturates, so the result does not depend on the order in which `acc` was summed.
    ///
    /// ```
    /// use golden::{Bounds, Channel, Requantizer};
    /// let config = spec::Config::named("default").expect("it ships with Systole"); // half toward positive
    /// let requantizer = Requantizer::new(config.numerics());
    /// let channel = Channel { bias: 3, multiplier: 5, shift: 2, zero_point: -1 };
    /// // (-5 + 3) * 5 / 4 = -2.5, a tie: it goes to -2; -2 + -1 = -3.
    /// assert_eq!(requantizer.requantize(-5, &channel, &Bounds { low: -128, high: 127 }, 0), -3);
    /// assert_eq!(requantizer.requantize(-5, &channel, &Bounds { low: -1, high: 127 }, 0), -1);
    /// ```
    ///
    /// Source: TOSA specification, RESCALE, `apply_scale_32` with `SINGLE_ROUND` and `DOUBLE_ROUND`, generalized to all tie rules
    /// and to multipliers of 1..=32 bits. [`crate::Scheme`] has the schemes of other products.
    pub fn requantize(&self, acc: i64, channel: &Channel, bounds: &Bounds, random: u32) -> i64 {
        // Exact modulo 2^64, so also modulo 2^A.
        let sum = self.accumulator.wrap(acc.wrapping_add(channel.bias));
        let product = i128::from(sum) * i128::from(channel.multiplier);
        let shifted = self.scaled(product, channel.shift, random) + i128::from(channel.zero_point);
        if shifted < i128::from(bounds.low) {
            bounds.low
        } else if shifted > i128::from(bounds.high) {
            bounds.high
        } else {
            // Between two i64 bounds.
            shifted as i64
        }
    }

    /// One output of several accumulators, each with its own parameters.
    ///
    /// Meaning in reals: each accumulator in steps of its own scale; their sum in output steps, rounded once.
    ///
    /// Integer formula: p is the sum over the terms of wrap_A(acc + bias) multiplier, wrapped to A + D bits (two's complement; D =
    /// `multiplier_bits`); then as [`Requantizer::requantize`] with the shift and the zero point of the last term. One term is
    /// `requantize` itself: its product fits A + D bits. No terms give the rounded zero point of nothing: the lower bound.
    pub fn requantize_terms(&self, terms: &[(i64, &Channel)], bounds: &Bounds, random: u32) -> i64 {
        let Some((_, last)) = terms.last() else { return bounds.low };
        let product = |(acc, channel): &(i64, &Channel)| {
            let sum = self.accumulator.wrap(acc.wrapping_add(channel.bias));
            i128::from(sum) * i128::from(channel.multiplier)
        };
        let unused_bits = 128 - self.product_bits;
        let product = (terms.iter().map(product).sum::<i128>() << unused_bits) >> unused_bits;
        let shifted = self.scaled(product, last.shift, random) + i128::from(last.zero_point);
        shifted.clamp(bounds.low.into(), bounds.high.into()) as i64
    }

    fn scaled(&self, product: i128, shift: u32, random: u32) -> i128 {
        let (mut value, mut left) = (product, shift);
        if self.first_shift > 0 {
            if shift <= self.first_shift {
                return shift_round(product, shift, Round::HalfTowardPositive);
            }
            value = shift_round(product, self.first_shift, Round::HalfTowardPositive);
            left -= self.first_shift;
        }
        match self.rounding {
            Rounding::Fixed(round) => shift_round(value, left, round),
            Rounding::Stochastic { random_bits } => shift_stochastic(value, left, random, random_bits),
        }
    }

    /// [`Requantizer::requantize`] of each element of a row with its channel, in 64 bits where they provably suffice. Without a
    /// stream, random bits are 0.
    ///
    /// # Panics
    /// If `acc`, `channels` and `out` differ in length. In debug builds also if a bound does not fit `i32` or the shift
    /// exceeds 63: [`Channel::check`] and [`Bounds::check`] exclude both.
    pub fn requantize_row<T: Psum>(
        &self,
        acc: &[T],
        channels: &[Channel],
        bounds: &Bounds,
        stream: RowStream<'_>,
        out: &mut [i32],
    ) {
        assert_eq!(acc.len(), channels.len(), "a row has one channel per element");
        assert_eq!(acc.len(), out.len(), "a row has one output per element");
        debug_assert!(i32::try_from(bounds.low).is_ok() && i32::try_from(bounds.high).is_ok(), "{bounds:?}");
        let random = |at: usize| match stream {
            // Only the index modulo 2^32 counts.
            Some((stream, first)) => stream.bits(first.wrapping_add(at as u32)),
            None => 0,
        };
        if !self.fits_i64 {
            for (at, ((&acc, channel), out)) in acc.iter().zip(channels).zip(out).enumerate() {
                *out = self.requantize(acc.read(self.accumulator), channel, bounds, random(at)) as i32;
            }
            return;
        }
        // One loop per rule, so that the choice is made once a row.
        macro_rules! by_rule {
            ($($rule:ident),*) => {
                match self.rounding {
                    $(Rounding::Fixed(Round::$rule) => {
                        self.row_i64(acc, channels, bounds, out, |p, s, _| shift_round_i64(p, s, Round::$rule));
                    })*
                    Rounding::Stochastic { random_bits } => {
                        self.row_i64(acc, channels, bounds, out, |p, s, at| {
                            shift_stochastic_i64(p, s, random(at), random_bits)
                        });
                    }
                }
            };
        }
        by_rule!(
            Floor,
            Ceil,
            TowardZero,
            AwayFromZero,
            ToOdd,
            HalfToEven,
            HalfTowardPositive,
            HalfTowardNegative,
            HalfTowardZero,
            HalfAwayFromZero
        );
    }

    #[inline(always)]
    fn row_i64<T: Psum>(
        &self,
        acc: &[T],
        channels: &[Channel],
        bounds: &Bounds,
        out: &mut [i32],
        last_round: impl Fn(i64, u32, usize) -> i64,
    ) {
        for (at, ((&acc, channel), out)) in acc.iter().zip(channels).zip(out).enumerate() {
            debug_assert!(channel.shift <= 63, "{channel:?}");
            let sum = self.accumulator.wrap(acc.widen().wrapping_add(channel.bias));
            let product = sum * i64::from(channel.multiplier);
            let scaled = if self.first_shift == 0 {
                last_round(product, channel.shift, at)
            } else if channel.shift <= self.first_shift {
                shift_round_i64(product, channel.shift, Round::HalfTowardPositive)
            } else {
                let once = shift_round_i64(product, self.first_shift, Round::HalfTowardPositive);
                last_round(once, channel.shift - self.first_shift, at)
            };
            *out = (scaled + channel.zero_point).max(bounds.low).min(bounds.high) as i32;
        }
    }
}
