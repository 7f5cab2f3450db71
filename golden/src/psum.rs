//! Machine words that hold a psum of a narrower or equal accumulator.

use crate::error::GoldenError;
use spec::{Format, Numerics};

mod sealed {
    pub trait Sealed {}
    impl Sealed for i32 {}
    impl Sealed for i64 {}
}

/// A word that psums are computed in, modulo 2^[`Psum::BITS`].
///
/// An accumulator of A bits wraps modulo 2^A. With A <= `BITS`, reducing modulo 2^`BITS` at every addition and modulo 2^A only
/// where the value is read gives the same value, in any order of the terms.
pub trait Psum: sealed::Sealed + Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    const BITS: u32;

    /// `value` modulo 2^`BITS`.
    fn from_wide(value: i64) -> Self;

    /// The word as it stands, sign-extended; high bits beyond the accumulator's are not yet dropped.
    fn widen(self) -> i64;

    /// `self + other` modulo 2^`BITS`.
    fn add(self, other: Self) -> Self;

    /// `self + activation * weight` modulo 2^`BITS`.
    fn add_product(self, activation: i32, weight: i32) -> Self;

    /// The accumulator's value: the word modulo 2^A, brought into the accumulator's range.
    fn read(self, accumulator: Format) -> i64 {
        accumulator.wrap(self.widen())
    }

    /// The one with the greater value in the accumulator, `self` if they are equal there.
    ///
    /// ```
    /// use golden::Psum;
    /// assert_eq!(5_i32.greater(-3, spec::Format::new(4, true)), 5);
    /// // In three bits 5 is -3.
    /// assert_eq!(5_i32.greater(-2, spec::Format::new(3, true)), -2);
    /// ```
    fn greater(self, other: Self, accumulator: Format) -> Self {
        if other.read(accumulator) > self.read(accumulator) {
            other
        } else {
            self
        }
    }

    /// Whether this word holds the accumulator of the configuration.
    fn check(numerics: &Numerics) -> Result<(), GoldenError> {
        if numerics.accumulator_bits() <= Self::BITS {
            Ok(())
        } else {
            let accumulator_bits = numerics.accumulator_bits();
            Err(GoldenError::NarrowPsum { psum_bits: Self::BITS, accumulator_bits })
        }
    }
}

impl Psum for i32 {
    const BITS: u32 = i32::BITS;

    #[inline(always)]
    fn from_wide(value: i64) -> Self {
        value as i32
    }

    #[inline(always)]
    fn widen(self) -> i64 {
        self.into()
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn add_product(self, activation: i32, weight: i32) -> Self {
        self.wrapping_add(activation.wrapping_mul(weight))
    }
}

impl Psum for i64 {
    const BITS: u32 = i64::BITS;

    #[inline(always)]
    fn from_wide(value: i64) -> Self {
        value
    }

    #[inline(always)]
    fn widen(self) -> i64 {
        self
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn add_product(self, activation: i32, weight: i32) -> Self {
        self.wrapping_add(i64::from(activation) * i64::from(weight))
    }
}
