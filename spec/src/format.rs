//! Integer formats and rounding modes, named so that the tie rule can be read off the name.

use serde::{Deserialize, Serialize};

/// A two's-complement or unsigned integer format of `bits` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    bits: u32,
    signed: bool,
}

impl Format {
    /// A format of 1..=63 bits.
    ///
    /// # Panics
    /// If `bits` is outside 1..=63; configurations check their own, narrower limits first.
    pub const fn new(bits: u32, signed: bool) -> Self {
        assert!(bits >= 1 && bits <= 63, "a format has 1..=63 bits");
        Self { bits, signed }
    }

    pub const fn bits(self) -> u32 {
        self.bits
    }

    pub const fn is_signed(self) -> bool {
        self.signed
    }

    /// The least value: -2^(bits-1) if signed, else 0.
    pub const fn min(self) -> i64 {
        if self.signed {
            -(1 << (self.bits - 1))
        } else {
            0
        }
    }

    /// The greatest value: 2^(bits-1) - 1 if signed, else 2^bits - 1.
    pub const fn max(self) -> i64 {
        if self.signed {
            (1 << (self.bits - 1)) - 1
        } else {
            (1 << self.bits) - 1
        }
    }

    pub const fn contains(self, value: i64) -> bool {
        self.min() <= value && value <= self.max()
    }

    /// The low `bits` bits of `value`, as they stand in memory and on a bus.
    pub const fn encode(self, value: i64) -> u64 {
        (value as u64) & ((1 << self.bits) - 1)
    }

    /// The value whose low `bits` bits are those of `raw`; higher bits are ignored.
    pub const fn decode(self, raw: u64) -> i64 {
        let shift = 64 - self.bits;
        if self.signed {
            ((raw << shift) as i64) >> shift
        } else {
            ((raw << shift) >> shift) as i64
        }
    }

    /// `value` modulo 2^bits, brought into the format's range (drops high bits).
    pub const fn wrap(self, value: i64) -> i64 {
        self.decode(value as u64)
    }

    /// `value` clamped to the format's range.
    pub const fn saturate(self, value: i64) -> i64 {
        if value < self.min() {
            self.min()
        } else if value > self.max() {
            self.max()
        } else {
            value
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.signed { "int" } else { "uint" }, self.bits)
    }
}

/// How a requantizer drops the low bits of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Towards minus infinity.
    Floor,
    /// To nearest, ties towards plus infinity.
    HalfUp,
    /// To nearest, ties away from zero.
    HalfAway,
    /// To nearest, ties to the even neighbour.
    HalfEven,
}

impl Rounding {
    pub const ALL: [Self; 4] = [Self::Floor, Self::HalfUp, Self::HalfAway, Self::HalfEven];

    /// The name as it stands in a configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::HalfUp => "half-up",
            Self::HalfAway => "half-away",
            Self::HalfEven => "half-even",
        }
    }
}

/// The number of bits of a two's-complement integer that holds both `min` and `max`.
pub const fn signed_bits_for(min: i128, max: i128) -> u32 {
    let magnitude = if min < 0 { !min } else { 0 };
    let widest = if magnitude > max { magnitude } else { max };
    129 - widest.leading_zeros()
}

/// The number of bits that an unsigned counter of `0..=max` needs, at least 1.
pub const fn bits_for(max: u64) -> u32 {
    if max == 0 {
        1
    } else {
        64 - max.leading_zeros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_small_formats_survives_encoding() {
        for bits in 1..=9 {
            for signed in [false, true] {
                let format = Format::new(bits, signed);
                assert_eq!(format.max() - format.min() + 1, 1 << bits);
                for value in format.min()..=format.max() {
                    assert_eq!(format.decode(format.encode(value)), value);
                    assert_eq!(format.wrap(value + (1 << bits)), value);
                    assert_eq!(format.saturate(value), value);
                }
                assert_eq!(format.saturate(format.max() + 1), format.max());
                assert_eq!(format.saturate(format.min() - 1), format.min());
                assert_eq!(format.wrap(format.max() + 1), format.min());
            }
        }
    }

    #[test]
    fn widths_are_the_least_that_hold_the_range() {
        assert_eq!(signed_bits_for(-1, 0), 1);
        assert_eq!(signed_bits_for(0, 0), 1);
        assert_eq!(signed_bits_for(0, 1), 2);
        assert_eq!(signed_bits_for(-128, 127), 8);
        assert_eq!(signed_bits_for(-129, 127), 9);
        assert_eq!(signed_bits_for(-128, 128), 9);
        assert_eq!(bits_for(0), 1);
        assert_eq!(bits_for(7), 3);
        assert_eq!(bits_for(8), 4);
    }
}
