//! The repeatable inputs of the digested ONNX sets: the formulas of vectors/onnx_formulas.py.

use crate::vectors::{words, GAMMA};
use golden::QFormat;

/// Where in its part of the stream a set's second operand, and the scales of its channels, begin.
const SECOND_OPERAND: u64 = 1 << 22;
const CHANNELS: u64 = 1 << 23;
/// The sets' parts of the stream.
const PART_BITS: u32 = 24;

/// One set's part of the stream.
#[derive(Clone, Copy)]
pub struct Part {
    pub seed: u64,
    pub set: u64,
}

impl Part {
    /// Words `first .. first + n`.
    fn words(self, first: u64, n: usize) -> impl Iterator<Item = u64> {
        // Word i of a seed is word 0 of the seed moved by i steps.
        words(self.seed.wrapping_add(((self.set << PART_BITS) + first).wrapping_mul(GAMMA))).take(n)
    }

    /// Half of the elements are ties of x / scale. `far` also gives any finite float.
    pub fn quantize_inputs(self, n: usize, format: QFormat, zero: i64, scale: (i64, i32), far: bool) -> Vec<f32> {
        let (mantissa, exponent) = scale;
        let levels = format.max() - format.min() + 1;
        let guard = 3 + levels / 8;
        let value = |w: u64| {
            let k = format.min() - zero - guard + (w >> 8).rem_euclid((levels + 2 * guard) as u64) as i64;
            let steps = match w & 7 {
                4 => 2 * k * mantissa,
                6 => 2 * k * mantissa + ((w >> 40) % (2 * mantissa) as u64) as i64,
                _ => (2 * k + 1) * mantissa,
            };
            let bits = scaled(steps, exponent - 1).to_bits();
            f32::from_bits(match (w & 7, (w >> 32) as u32) {
                (5, _) if w & 8 != 0 => bits + 1,
                (5, _) => bits - 1,
                (7, raw) if far && raw & 0x7f80_0000 == 0x7f80_0000 => raw ^ 1 << 30,
                (7, raw) if far => raw,
                _ => bits,
            })
        };
        self.words(0, n).map(value).collect()
    }

    /// Row `row` of the dynamic quantizer's inputs.
    pub fn dynamic_inputs(self, row: u64, n: usize) -> Vec<f32> {
        let row: Vec<_> = self.words(row * n as u64, n).collect();
        let h = row[0];
        let part = |shift: u32, mask: u64| (h >> shift & mask) as i64;
        let (base, span) = match h >> 4 & 3 {
            0 => (-part(8, 511), 511),
            1 => (-part(32, 0xfffff), 1 + part(8, 0xfffff)),
            _ => (1 + part(32, 0xfff), 1 + part(8, 0xffff)),
        };
        let base = if h >> 4 & 3 == 3 { -base - span } else { base };
        let value = |(column, &w): (usize, &u64)| {
            let t = match column {
                1 => 0,
                2 => span - 1,
                _ => (w % span as u64) as i64,
            };
            scaled(base + t, (h & 15) as i32 - 9)
        };
        row.iter().enumerate().map(value).collect()
    }

    /// The high halves of the words, as the int32 inputs of DequantizeLinear.
    pub fn high_halves(self, n: usize) -> Vec<i32> {
        self.words(0, n).map(|w| (w >> 32) as i32).collect()
    }

    pub fn first_operand(self, n: usize, format: QFormat, mask: u64) -> Vec<i32> {
        self.words(0, n).map(|w| code(w, format, mask)).collect()
    }

    pub fn second_operand(self, n: usize, format: QFormat, mask: u64) -> Vec<i32> {
        self.words(SECOND_OPERAND, n).map(|w| code(w, format, mask)).collect()
    }

    /// The two operands of a product whose accumulators are half and more ties of a division by 2^shift.
    pub fn targets(
        self,
        n: usize,
        zeros: (i32, i32),
        shift: u32,
        limit_bits: u32,
        terms: usize,
    ) -> (Vec<i32>, Vec<i32>) {
        let row = |sign: i32| (0..=terms).map(move |t| zeros.0 + sign * if t < terms { 127 } else { 1 });
        let a = row(1).chain(row(-1)).collect();
        let target = |w: u64| {
            let beside = if w & 1 == 1 { 0 } else { ((w >> 32) % 5) as i64 - 2 };
            let odd = 2 * (w >> 8 & 0xf_ffff) as i64 + 1;
            (((odd << (shift - 1)) & ((1 << limit_bits) - 1)) + beside).max(0) as usize
        };
        let targets: Vec<_> = self.words(0, n).map(target).collect();
        let share = |t: usize, target: usize| {
            let quotient = target / 127;
            let share = if t < terms { quotient / terms + usize::from(quotient % terms > t) } else { target % 127 };
            zeros.1 + share as i32
        };
        let b = (0..=terms).flat_map(|t| targets.iter().map(move |&target| share(t, target))).collect();
        (a, b)
    }

    pub fn channel_scales(self, n: usize) -> Vec<f32> {
        let mantissa =
            |(channel, w): (usize, u64)| (1 << 23) + if channel % 2 == 1 { 0 } else { (w & 0x7f_ffff) as i64 };
        self.words(CHANNELS, n).enumerate().map(mantissa).map(|mantissa| scaled(mantissa, -33)).collect()
    }
}

fn code(w: u64, format: QFormat, mask: u64) -> i32 {
    let part = (w & mask) as i32;
    if format.min() < 0 {
        -128 + part
    } else {
        255 - part
    }
}

/// f32(integer) 2^exponent.
pub fn scaled(integer: i64, exponent: i32) -> f32 {
    // 2^exponent, in two factors that are normal numbers; each product is exact where the result is normal.
    let power = |exponent: i32| f32::from_bits(((exponent + 127) as u32) << 23);
    integer as f32 * power(exponent / 2) * power(exponent - exponent / 2)
}
