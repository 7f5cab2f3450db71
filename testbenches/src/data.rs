//! Seeded test data: uniform, extreme, and tie-rich.

use golden::{Bounds, Channel};
use serde::{Deserialize, Serialize};
use spec::{Format, Numerics};

/// SplitMix64: the same stream for ever, on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; n is small against 2^64, so the bias does not matter.
    pub fn below(&mut self, n: u64) -> u64 {
        self.word() % n
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low) as u64 + 1) as i64
    }

    /// One of the given.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// What the operands look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// Every value of the format is as likely as any other.
    Uniform,
    /// Mostly the least and the greatest value, multipliers and shifts at their ends.
    Extreme,
    /// Small sums and power-of-two ratios, so that a large share of the products are exact ties.
    Ties,
}

impl Data {
    pub const ALL: [Self; 3] = [Self::Uniform, Self::Extreme, Self::Ties];

    /// One operand element.
    pub fn element(self, random: &mut Random, format: Format) -> i32 {
        let (min, max) = (format.min(), format.max());
        let value = match self {
            Self::Uniform => random.between(min, max),
            Self::Extreme => match random.below(8) {
                0..=2 => min,
                3..=5 => max,
                _ => random.between(min, max),
            },
            Self::Ties => random.between(min.max(-3), max.min(3)),
        };
        value as i32
    }

    /// Bounds: full, ReLU-like, or a random range.
    pub fn bounds(self, random: &mut Random, numerics: &Numerics) -> Bounds {
        let full = Bounds::full(numerics);
        let middle = random.between(full.low, full.high);
        match random.below(3) {
            0 => full,
            1 => Bounds { low: middle, high: full.high },
            _ => Bounds { low: full.low, high: middle },
        }
    }

    /// The parameters of one output channel, for sums of `k` products.
    pub fn channel(self, random: &mut Random, numerics: &Numerics, k: usize) -> Channel {
        let bias = numerics.bias();
        // 1 without a multiplier: a power of two, and the only value.
        let multiplier_max = numerics.multiplier().map_or(1, |format| format.max() as u64);
        let multiplier_bits = u64::from(numerics.multiplier_bits()).max(1);
        // Of two roundings the first is by multiplier_bits, so shifts a little above it leave the second something to do.
        let first_shift = if numerics.scheme().is_double() { multiplier_bits } else { 0 };
        let shift_max = numerics.shift().max() as u64;
        let zero_point = random.between(numerics.output().min(), numerics.output().max());
        match self {
            Self::Extreme => Channel {
                bias: random.pick(&[bias.min(), bias.max(), 0]),
                multiplier: match numerics.multiplier() {
                    Some(_) => random.pick(&[0, 1, multiplier_max, multiplier_max / 2 + 1]) as u32,
                    None => 1,
                },
                shift: match random.below(6) {
                    0 => 0,
                    1 => 1.min(shift_max),
                    2 => shift_max / 2,
                    3 => shift_max,
                    _ => (first_shift + random.below(3)).min(shift_max),
                } as u32,
                zero_point: random.pick(&[numerics.bound().min(), numerics.bound().max(), zero_point]),
            },
            Self::Ties => {
                // Odd multiples of 2^(shift - 1) are ties: a power-of-two multiplier and a shift just above it.
                let (power, shift) = match first_shift > 0 && random.below(2) == 0 {
                    // Halves and quarters for the first rounding, and what is left of them for the second.
                    true => (first_shift.saturating_sub(1 + random.below(2)), first_shift + random.below(4)),
                    false => {
                        let power = random.below(multiplier_bits);
                        (power, power + random.below(3))
                    }
                };
                let shift = shift.min(shift_max);
                let near = random.between(bias.min().max(-4), bias.max().min(4));
                Channel { bias: near, multiplier: 1 << power, shift: shift as u32, zero_point }
            }
            Self::Uniform => {
                // A ratio that brings the sum's magnitude to that of the output.
                let magnitude = |format: Format| f64::from(format.bits() - u32::from(format.is_signed()));
                let sum_bits =
                    magnitude(numerics.activation()) + magnitude(numerics.weight()) + (k as f64).log2() / 2.0;
                let drop = (sum_bits - magnitude(numerics.output())).max(0.0) as u64 + random.below(3);
                let multiplier = (multiplier_max / 2 + random.below(multiplier_max / 2 + 1)).max(1);
                let shift = (drop + u64::from(multiplier.ilog2())).min(shift_max);
                let reach = 1i64 << (sum_bits as u32).min(40);
                Channel {
                    bias: random.between(bias.min().max(-reach), bias.max().min(reach)),
                    multiplier: multiplier as u32,
                    shift: shift as u32,
                    zero_point,
                }
            }
        }
    }
}
