//! The operators of [`Bits`]; the rule for widths is in the module above.

use super::{Bits, Data};
use std::cmp::Ordering;
use std::ops::{Add, BitAnd, BitOr, BitXor, Mul, Neg, Not, Shl, Shr, Sub};

/// Both operands at the common width, and whether the result is signed.
fn common(a: &Bits, b: &Bits) -> (Bits, Bits, bool) {
    let width = a.bits().max(b.bits());
    let signed = (a.is_signed() || a.bits() == 0) && (b.is_signed() || b.bits() == 0) && width > 0;
    (a.resized(width), b.resized(width), signed)
}

fn compute(a: &Bits, b: &Bits, small: fn(u128, u128) -> u128, large: fn(&[u64], &[u64]) -> Vec<u64>) -> Bits {
    let (a, b, signed) = common(a, b);
    let result = match (&a.data, &b.data) {
        (Data::Small(x), Data::Small(y)) => Bits::new(small(*x, *y), a.width),
        _ => Bits::from_words(large(&a.words(), &b.words()), a.width),
    };
    result.with_sign(signed)
}

fn add_words(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut carry = false;
    let sum = |(&x, &y): (&u64, &u64)| {
        let (partial, first) = x.overflowing_add(y);
        let (total, second) = partial.overflowing_add(u64::from(carry));
        carry = first || second;
        total
    };
    a.iter().zip(b).map(sum).collect()
}

fn sub_words(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut borrow = false;
    let difference = |(&x, &y): (&u64, &u64)| {
        let (partial, first) = x.overflowing_sub(y);
        let (total, second) = partial.overflowing_sub(u64::from(borrow));
        borrow = first || second;
        total
    };
    a.iter().zip(b).map(difference).collect()
}

fn mul_words(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut product = vec![0_u64; a.len()];
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0_u128;
        for (j, &y) in b.iter().enumerate().take(a.len() - i) {
            let total = u128::from(x) * u128::from(y) + u128::from(product[i + j]) + carry;
            product[i + j] = super::low_word(total);
            carry = total >> 64;
        }
    }
    product
}

fn each_word(a: &[u64], b: &[u64], word: fn(u64, u64) -> u64) -> Vec<u64> {
    a.iter().zip(b).map(|(&x, &y)| word(x, y)).collect()
}

macro_rules! binary {
    ($trait:ident, $method:ident, $small:expr, $large:expr) => {
        impl<T: Into<Bits>> $trait<T> for Bits {
            type Output = Bits;
            fn $method(self, other: T) -> Bits {
                compute(&self, &other.into(), $small, $large)
            }
        }
    };
}

binary!(Add, add, u128::wrapping_add, add_words);
binary!(Sub, sub, u128::wrapping_sub, sub_words);
binary!(Mul, mul, u128::wrapping_mul, mul_words);
binary!(BitAnd, bitand, |x, y| x & y, |a, b| each_word(a, b, |x, y| x & y));
binary!(BitOr, bitor, |x, y| x | y, |a, b| each_word(a, b, |x, y| x | y));
binary!(BitXor, bitxor, |x, y| x ^ y, |a, b| each_word(a, b, |x, y| x ^ y));

impl Not for Bits {
    type Output = Bits;
    fn not(self) -> Bits {
        let words = self.words().iter().map(|word| !word).collect();
        Bits::from_words(words, self.width).with_sign(self.signed)
    }
}

impl Neg for Bits {
    type Output = Bits;
    fn neg(self) -> Bits {
        let signed = self.signed;
        (Bits::zero(self.width) - self).with_sign(signed)
    }
}

impl<T: Into<Bits>> Shl<T> for Bits {
    type Output = Bits;
    /// Keeps the width; zeros enter.
    fn shl(self, amount: T) -> Bits {
        let (amount, width) = (amount.into().index(), self.width);
        if amount >= width {
            return Bits::zero(width).with_sign(self.signed);
        }
        if let Data::Small(value) = self.data {
            return Bits::new(value << amount, width).with_sign(self.signed);
        }
        let mut words = vec![0; amount / 64];
        words.extend(self.slice(0, width - amount).words());
        let bit = super::low_shift(amount);
        let shifted = (0..width.div_ceil(64)).map(|i| {
            let low = words.get(i).map_or(0, |word| word << bit);
            let carried = i.checked_sub(1).and_then(|below| words.get(below)).map_or(0, |word| *word);
            low | carried.checked_shr(64 - bit).unwrap_or(0)
        });
        Bits::from_words(shifted.collect(), width).with_sign(self.signed)
    }
}

impl<T: Into<Bits>> Shr<T> for Bits {
    type Output = Bits;
    /// Keeps the width; zeros enter, or the sign of a `signed_cast` (the result is then unsigned, as it is emitted
    /// inside a concatenation).
    fn shr(self, amount: T) -> Bits {
        let (amount, width) = (amount.into().index(), self.width);
        if !self.signed {
            return self.slice(amount, width);
        }
        self.resized(2 * width).slice(amount.min(width), width)
    }
}

impl<T: Into<Bits> + Clone> PartialEq<T> for Bits {
    fn eq(&self, other: &T) -> bool {
        equal(self, &other.clone().into())
    }
}

impl<T: Into<Bits> + Clone> PartialOrd<T> for Bits {
    fn partial_cmp(&self, other: &T) -> Option<Ordering> {
        Some(compare(self, &other.clone().into()))
    }
}

/// Same width and value, without the copy that a comparison with a literal makes.
pub(crate) fn equal(a: &Bits, b: &Bits) -> bool {
    if a.width == b.width {
        return match (&a.data, &b.data) {
            (Data::Small(x), Data::Small(y)) => x == y,
            (Data::Large(x), Data::Large(y)) => x.as_raw_slice() == y.as_raw_slice(),
            _ => false,
        };
    }
    compare(a, b) == Ordering::Equal
}

fn compare(a: &Bits, b: &Bits) -> Ordering {
    // A literal is never negative, and may be wider than the signal: compare at a width that holds both.
    let room = |bits: &Bits| if bits.width == 0 { 65 } else { bits.width };
    let width = if a.width == 0 || b.width == 0 { room(a).max(room(b)) } else { a.width.max(b.width) };
    let signed = (a.signed || a.width == 0) && (b.signed || b.width == 0);
    let (a, b) = (a.resized(width), b.resized(width));
    let negative = |bits: &Bits| signed && bits.slice(width - 1, 1).any();
    match (negative(&a), negative(&b)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => a.words().iter().rev().cmp(b.words().iter().rev()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{signed_cast, Bits};

    /// Every operator on the large path agrees with the small path, with operands placed across word borders.
    #[test]
    fn large_agrees_with_small() {
        let values = [0, 1, 2, 0xffff_ffff_ffff_ffff, 0x1_0000_0000_0000_0001, 1 << 99, (1 << 100) - 1];
        let (narrow, wide) = (100, 200);
        for x in values {
            for y in values {
                let (a, b) = (Bits::new(x, narrow), Bits::new(y, narrow));
                let (p, q) = (a.resized(wide), b.resized(wide));
                let low = |value: Bits| value.slice(0, narrow).low_u128();
                assert_eq!(low(p.clone() + q.clone()), (a.clone() + b.clone()).low_u128());
                assert_eq!(low(p.clone() - q.clone()), (a.clone() - b.clone()).low_u128());
                assert_eq!(low(p.clone() * q.clone()), (a.clone() * b.clone()).low_u128());
                assert_eq!(low(p.clone() & q.clone()), x & y);
                assert_eq!(low(p.clone() | q.clone()), x | y);
                assert_eq!(low(!(p.clone() ^ q.clone())), !(x ^ y) & ((1 << 100) - 1));
                assert_eq!(p.partial_cmp(&q), x.partial_cmp(&y));
                for amount in [0, 1, 63, 64, 65, 99] {
                    assert_eq!(low(p.clone() << amount), (a.clone() << amount).low_u128());
                    assert_eq!((p.clone() >> amount).low_u128(), x >> amount);
                }
            }
        }
    }

    #[test]
    fn signed_values_extend_and_compare_with_their_sign() {
        for x in -8_i128..8 {
            for y in -8_i128..8 {
                let (a, b) = (signed_cast(Bits::from_i128(x, 4)), signed_cast(Bits::from_i128(y, 4)));
                assert_eq!(a < b, x < y, "{x} < {y}");
                assert_eq!((a.clone() + b.clone()).resized(150).slice(140, 10).any(), wrapped(x + y) < 0);
                assert_eq!((a.clone() >> 2).resized(4).to_i128(), x >> 2);
            }
        }
    }

    fn wrapped(value: i128) -> i128 {
        Bits::from_i128(value, 4).to_i128()
    }
}
