//! Integer formats, rounding modes whose names say where ties go, and the requantizer's schemes.

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

/// A deterministic way to bring a real number to an integer. Every name of a nearest rule says where ties go.
///
/// The words "nearest", "half-up" and "round" are not used alone: each names different rules in different products (QONNX's
/// HALF_UP goes away from zero, TensorFlow's towards plus infinity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Round {
    /// Towards minus infinity: what dropping the low bits of a two's complement number does.
    Floor,
    /// Towards plus infinity.
    Ceil,
    /// Towards zero.
    TowardZero,
    /// Away from zero.
    AwayFromZero,
    /// Integers stay; everything else goes to its odd neighbour (jamming).
    ToOdd,
    /// To nearest, ties to the even neighbour.
    HalfToEven,
    /// To nearest, ties towards plus infinity.
    HalfTowardPositive,
    /// To nearest, ties towards minus infinity.
    HalfTowardNegative,
    /// To nearest, ties towards zero.
    HalfTowardZero,
    /// To nearest, ties away from zero.
    HalfAwayFromZero,
}

impl Round {
    pub const ALL: [Self; 10] = [
        Self::Floor,
        Self::Ceil,
        Self::TowardZero,
        Self::AwayFromZero,
        Self::ToOdd,
        Self::HalfToEven,
        Self::HalfTowardPositive,
        Self::HalfTowardNegative,
        Self::HalfTowardZero,
        Self::HalfAwayFromZero,
    ];

    /// The name as it stands in a configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::TowardZero => "toward-zero",
            Self::AwayFromZero => "away-from-zero",
            Self::ToOdd => "to-odd",
            Self::HalfToEven => "half-to-even",
            Self::HalfTowardPositive => "half-toward-positive",
            Self::HalfTowardNegative => "half-toward-negative",
            Self::HalfTowardZero => "half-toward-zero",
            Self::HalfAwayFromZero => "half-away-from-zero",
        }
    }

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|round| round.name() == name)
    }
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How the machine's requantizer drops the low bits of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// By a rule alone.
    Fixed(Round),
    /// Up with a probability of the dropped fraction, cut to its `random_bits` highest bits. The random bits follow from the
    /// output's index and a seed.
    Stochastic { random_bits: u32 },
}

impl Rounding {
    /// Random bits an output takes; 0 if none.
    pub const fn random_bits(self) -> u32 {
        match self {
            Self::Fixed(_) => 0,
            Self::Stochastic { random_bits } => random_bits,
        }
    }
}

impl std::fmt::Display for Rounding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(round) => round.fmt(f),
            Self::Stochastic { random_bits } => write!(f, "stochastic with {random_bits} random bits"),
        }
    }
}

/// How the machine's requantizer scales. `docs/numerics.md` has the formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineScheme {
    /// One product, one rounding.
    FixedSingle,
    /// Two roundings: half toward positive by `multiplier_bits`, then the configured one by the rest of the shift. Gemmlowp's
    /// arithmetic has 31 multiplier bits and rounds half away from zero.
    FixedDouble,
    /// [`Self::FixedDouble`] with both roundings half toward positive: what ruy's kernels compute.
    FixedDoubleUp,
    /// No multiplier: a shift alone.
    Pow2,
}

impl MachineScheme {
    pub const ALL: [Self; 4] = [Self::FixedSingle, Self::FixedDouble, Self::FixedDoubleUp, Self::Pow2];

    /// The name as it stands in a configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FixedSingle => "fixed-single",
            Self::FixedDouble => "fixed-double",
            Self::FixedDoubleUp => "fixed-double-up",
            Self::Pow2 => "pow2",
        }
    }

    /// Whether there are two roundings.
    pub const fn is_double(self) -> bool {
        matches!(self, Self::FixedDouble | Self::FixedDoubleUp)
    }
}

impl std::fmt::Display for MachineScheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
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
