//! Why an accumulator became what it did: product, quotient, dropped bits, tie or not.

use crate::scheme::Scheme;
use std::cmp::Ordering;

/// How the bits that a shift drops compare with one half of the lowest bit that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// Nothing: the quotient is exact.
    Zero,
    BelowHalf,
    /// Exactly one half: only here the tie rule decides.
    Tie,
    AboveHalf,
}

/// An exact product about to be shifted right.
///
/// ```
/// use golden::{Dropped, Product};
/// // -5 / 2 = -3 + 1/2.
/// let product = Product::new(-5, 1, 1);
/// assert_eq!((product.value(), product.quotient(), product.dropped()), (-5, -3, 1));
/// assert_eq!(product.position(), Dropped::Tie);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    value: i128,
    shift: u32,
}

impl Product {
    /// acc multiplier, to be shifted by `shift`.
    ///
    /// # Panics
    /// If `shift` exceeds [`crate::shift_round::MAX_SHIFT`].
    pub fn new(acc: i64, multiplier: i64, shift: u32) -> Self {
        assert!(shift <= crate::shift_round::MAX_SHIFT, "shift = {shift} exceeds {}", crate::shift_round::MAX_SHIFT);
        Self { value: i128::from(acc) * i128::from(multiplier), shift }
    }

    /// The product that an integer scheme rounds; none for float schemes.
    pub fn of(scheme: Scheme, acc: i64) -> Option<Self> {
        scheme.product().map(|(multiplier, shift)| Self::new(acc, multiplier, shift))
    }

    pub fn value(self) -> i128 {
        self.value
    }

    pub fn shift(self) -> u32 {
        self.shift
    }

    /// floor(value / 2^shift).
    pub fn quotient(self) -> i128 {
        self.value >> self.shift
    }

    /// value - quotient 2^shift: the bits that are dropped, 0 ..= 2^shift - 1.
    pub fn dropped(self) -> i128 {
        self.value - (self.quotient() << self.shift)
    }

    pub fn position(self) -> Dropped {
        let dropped = self.dropped();
        if dropped == 0 {
            return Dropped::Zero;
        }
        match dropped.cmp(&(1 << (self.shift - 1))) {
            Ordering::Less => Dropped::BelowHalf,
            Ordering::Equal => Dropped::Tie,
            Ordering::Greater => Dropped::AboveHalf,
        }
    }
}
