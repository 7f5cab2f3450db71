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
    /// Bits of the register of products: those of the accumulator and of the multiplier.
    product_bits: u32,
    /// The shift of the first of two roundings; 0 if there is one.
    first_shift: u32,
    fits_i64: bool,
}

impl Requantizer {
    pub fn new(numerics: &Numerics) -> Self {
        // abs(sum) <= 2^(A-1) and multiplier <= 2^M - 1 (or 1 without a multiplier), so abs(product) <= 2^(A-1+M): at
        // A - 1 + M <= 62 the product, both rounding constants (at most 2^31 and 2^62) and the zero point (at most 2^16) fit
        // 64 bits together.
        let product_bits = numerics.accumulator_bits() + numerics.multiplier_bits();
        Self {
            accumulator: numerics.accumulator(),
            rounding: numerics.rounding(),
            product_bits,
            first_shift: if numerics.scheme().is_double() { numerics.multiplier_bits() } else { 0 },
            fits_i64: product_bits <= 63,
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
        self.requantize_terms(&[(acc, channel)], bounds, random)
    }

    /// The sum of several accumulator values, each on its own scale, in the output format: a residual add is two of
    /// them.
    ///
    /// Meaning in reals: term t counts steps of its own s_t; the result is the nearest output step to the sum of
    /// (acc_t + bias_t) s_t / s_y, where s_t / s_y is `multiplier_t / 2^shift` with one shift for all terms.
    ///
    /// Integer formula, with A = `accumulator_bits`, D = `multiplier_bits` and wrap_n the two's complement of the low
    /// n bits: p = wrap_(A+D)(sum over t of wrap_A(acc_t + bias_t) multiplier_t), and then as
    /// [`Requantizer::requantize`] has it, with the shift and the zero point of the last term. In the schemes of two
    /// roundings with shift > D, the first one is
    /// `wrap_(A+D)(p + 2^(D-1)) >> D`: its constant is in the register that the products are added in.
    ///
    /// Range: any number of terms but none. One term is exactly [`Requantizer::requantize`]: its product and the
    /// constant fit A + D bits.
    ///
    /// Corner case: a sum that leaves A + D bits wraps and never saturates, so the order of the terms does not
    /// matter, apart from which is the last.
    ///
    /// ```
    /// use golden::{Bounds, Channel, Requantizer};
    /// let config = spec::Config::named("default").expect("it ships with Systole"); // half toward positive
    /// let requantizer = Requantizer::new(config.numerics());
    /// let [a, b] = [3, 1].map(|multiplier| Channel { bias: 0, multiplier, shift: 2, zero_point: 10 });
    /// // (3 * 3 + 1 * 1) / 4 = 2.5 goes to 3; 3 + 10 = 13. Apart, 2.25 and 0.25 would go to 2 and 0.
    /// assert_eq!(requantizer.requantize_terms(&[(3, &a), (1, &b)], &Bounds { low: -128, high: 127 }, 0), 13);
    /// ```
    ///
    /// Source: `docs/machine.md`, requantizer, step 2.
    ///
    /// # Panics
    /// If there are no terms.
    pub fn requantize_terms(&self, terms: &[(i64, &Channel)], bounds: &Bounds, random: u32) -> i64 {
        let (_, last) = terms.last().expect("an output has at least one term");
        let product_of = |&(acc, channel): &(i64, &Channel)| {
            // Exact modulo 2^64, so also modulo 2^A.
            let sum = self.accumulator.wrap(acc.wrapping_add(channel.bias));
            i128::from(sum) * i128::from(channel.multiplier)
        };
        // Exact: at most 95 bits each.
        let product = terms.iter().map(product_of).sum();
        let shifted = self.scaled(product, last.shift, random) + i128::from(last.zero_point);
        if shifted < i128::from(bounds.low) {
            bounds.low
        } else if shifted > i128::from(bounds.high) {
            bounds.high
        } else {
            // Between two i64 bounds.
            shifted as i64
        }
    }

    /// The two's complement of the low bits that the register of products holds.
    fn wrap_product(&self, product: i128) -> i128 {
        let unused = i128::BITS - self.product_bits;
        product << unused >> unused
    }

    fn scaled(&self, product: i128, shift: u32, random: u32) -> i128 {
        let (mut value, mut left) = (self.wrap_product(product), shift);
        if self.first_shift > 0 {
            if shift <= self.first_shift {
                return shift_round(value, shift, Round::HalfTowardPositive);
            }
            let half = 1 << (self.first_shift - 1);
            value = self.wrap_product(value + half) >> self.first_shift;
            left -= self.first_shift;
        }
        match self.rounding {
            Rounding::Fixed(round) => shift_round(value, left, round),
            Rounding::Stochastic { random_bits } => shift_stochastic(value, left, random, random_bits),
        }
    }

    /// [`Requantizer::requantize_terms`] of each element of `out`: element l has the terms l, l + `stride`, l + 2
    /// `stride` .. of `acc`, as many as there are rows of `out.len()` elements in `channels`. Without a stream,
    /// random bits are 0.
    ///
    /// # Panics
    /// If `channels` is not one row or more, or `acc` does not reach to the last term.
    pub fn requantize_rows<T: Psum>(
        &self,
        acc: &[T],
        stride: usize,
        channels: &[Channel],
        bounds: &Bounds,
        stream: RowStream<'_>,
        out: &mut [i32],
    ) {
        let n = out.len();
        if channels.len() == n {
            return self.requantize_row(&acc[..n], channels, bounds, stream, out);
        }
        let mut terms = Vec::with_capacity(channels.len() / n);
        for (at, out) in out.iter_mut().enumerate() {
            terms.clear();
            let column = acc[at..].iter().step_by(stride);
            terms.extend(column.zip(channels[at..].iter().step_by(n)).map(|(acc, c)| (acc.read(self.accumulator), c)));
            let random = stream.map_or(0, |(stream, first)| stream.bits(first.wrapping_add(at as u32)));
            *out = self.requantize_terms(&terms, bounds, random) as i32;
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
