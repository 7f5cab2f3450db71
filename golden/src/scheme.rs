//! The requantization schemes of the field, by name: how an accumulator is scaled.

use crate::error::GoldenError;
use crate::multiplier::Multiplier;
use crate::scale::{power_of_two, Scale};
use crate::shift_round::{round_f64, shift_round};
use spec::Round;
use std::fmt;

/// The shift of the first of two roundings, and the bits of a [`Multiplier`].
const HIGH: u32 = 31;

/// A requantization scheme with its parameters. "int8" names none of them: inside one library the same layer gives different
/// bits by the kernel that runs.
///
/// With acc the accumulator (bias included), p = acc m, s = 31 - e:
///
/// | scheme | scaled accumulator | used by |
/// |---|---|---|
/// | `FixedSingle` | (p + 2^(s-1)) >> s | TOSA SINGLE_ROUND, ruy's generic code, CMSIS-NN's single rounding |
/// | `FixedDouble` | p rounded half toward positive by 31, then half away from zero by s - 31 | gemmlowp, TFLite's reference convolutions, TFLite-Micro, CMSIS-NN, TOSA DOUBLE_ROUND |
/// | `FixedDoubleUp` | p rounded half toward positive by 31, then half toward positive by s - 31 | ruy's vector kernels |
/// | `F32Even` | f32(acc) scale in f32, half to even | XNNPACK's fp32 kernels, onnxruntime, FBGEMM, Gemmini |
/// | `F64Away` | f64(acc) scale in f64, half away from zero | LiteRT's reference fully connected layer |
/// | `F32Rndnu` | acc times the scale's 24-bit mantissa, half toward positive, one shift (scales below 2^24) | XNNPACK's rndnu kernels |
/// | `S64Reduced` | with M = min((m + 2^15) >> 16, 2^15 - 1): (acc M + 2^(14-e)) >> (15 - e), exactly acc M 2^(e-15) for e >= 15 | TFLite's and CMSIS-NN's int16 layers |
/// | `Tosa16` | (acc m + 2^(s-1)) >> s, m of 16 bits, s given | TOSA RESCALE with scale32 = false |
/// | `Pow2` | acc shifted right by `shift`, rounded by a named rule | Gemmini's shift, Vitis-AI, VTA |
///
/// One rounding or two: the two-rounding schemes are `(p + 2^(s-1) + c) >> s` with c = 2^30 (negative where acc is, for
/// `FixedDouble`) wherever s > 31, and c = 0 elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scheme {
    FixedSingle(Multiplier),
    FixedDouble(Multiplier),
    FixedDoubleUp(Multiplier),
    F32Even(f32),
    F64Away(f64),
    F32Rndnu(f32),
    S64Reduced(Multiplier),
    Tosa16 { m: i16, shift: u32 },
    Pow2 { shift: u32, round: Round },
}

/// A scheme without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemeKind {
    FixedSingle,
    FixedDouble,
    FixedDoubleUp,
    F32Even,
    F64Away,
    F32Rndnu,
    S64Reduced,
    Tosa16,
    Pow2(Round),
}

impl SchemeKind {
    /// All schemes; `Pow2` with the rule that the named profiles use most.
    pub const ALL: [Self; 9] = [
        Self::FixedSingle,
        Self::FixedDouble,
        Self::FixedDoubleUp,
        Self::F32Even,
        Self::F64Away,
        Self::F32Rndnu,
        Self::S64Reduced,
        Self::Tosa16,
        Self::Pow2(Round::HalfToEven),
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::FixedSingle => "FixedSingle",
            Self::FixedDouble => "FixedDouble",
            Self::FixedDoubleUp => "FixedDoubleUp",
            Self::F32Even => "F32Even",
            Self::F64Away => "F64Away",
            Self::F32Rndnu => "F32Rndnu",
            Self::S64Reduced => "S64Reduced",
            Self::Tosa16 => "Tosa16",
            Self::Pow2(_) => "Pow2",
        }
    }
}

/// What a tensor's requantization ends with: the zero point is added to the scaled accumulator, and the sum clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputStage {
    pub zero_point: i64,
    pub low: i64,
    pub high: i64,
}

impl OutputStage {
    /// clamp(scaled + zero_point, low, high).
    pub fn apply(self, scaled: i64) -> i64 {
        scaled.saturating_add(self.zero_point).max(self.low).min(self.high)
    }
}

impl Scheme {
    /// The scheme of that kind for a positive ratio of scales, s_x s_w / s_y.
    ///
    /// | kind | parameters |
    /// |---|---|
    /// | fixed, `S64Reduced` | [`Multiplier::from_ratio`] |
    /// | `F32Even`, `F32Rndnu` | the ratio as f32 |
    /// | `F64Away` | the ratio |
    /// | `Tosa16` | the multiplier nearest to the ratio that has 15 bits, half away from zero, shift 2..=62 |
    /// | `Pow2` | the power of two nearest to the ratio by its logarithm: shift = -floor(log2(ratio sqrt 2)) |
    ///
    /// Errors: a ratio that the scheme's parameters cannot stand for. What this gives is legal, see [`Scheme::check`].
    pub fn from_ratio(kind: SchemeKind, ratio: f64) -> Result<Self, GoldenError> {
        // A ratio that is zero, negative or not finite is refused here for all kinds.
        let multiplier = Multiplier::from_ratio(ratio)?;
        let within = |min: f64, max: f64| match (min..=max).contains(&ratio) {
            true => Ok(()),
            false => Err(GoldenError::Ratio { value: ratio, min, max }),
        };
        // Ratios below 2^-32 have a multiplier of 0, as in the peers; from 2^30 - 1/4 on the nearest has 32 bits.
        let fixed = within(0.0, (power_of_two(30) - 0.25).next_down());
        match kind {
            SchemeKind::FixedSingle => fixed.map(|()| Self::FixedSingle(multiplier)),
            SchemeKind::FixedDouble => fixed.map(|()| Self::FixedDouble(multiplier)),
            SchemeKind::FixedDoubleUp => fixed.map(|()| Self::FixedDoubleUp(multiplier)),
            SchemeKind::S64Reduced => {
                within(0.0, power_of_two(14))?;
                Ok(Self::S64Reduced(multiplier))
            }
            SchemeKind::F32Even => {
                within(f32::MIN_POSITIVE.into(), f32::MAX.into())?;
                Ok(Self::F32Even(ratio as f32))
            }
            SchemeKind::F64Away => {
                within(f64::MIN_POSITIVE, f64::MAX)?;
                Ok(Self::F64Away(ratio))
            }
            SchemeKind::F32Rndnu => {
                // The greatest f32 below 2^8.
                within(power_of_two(-32), power_of_two(8) - power_of_two(-16))?;
                Ok(Self::F32Rndnu(ratio as f32))
            }
            SchemeKind::Tosa16 => {
                within(power_of_two(-48), power_of_two(12))?;
                // ratio = f 2^e; 15 bits of f stay.
                let (bits, e) = (ratio.to_bits(), (ratio.to_bits() >> 52) as i32 - 1022);
                let m = ((1 << 52 | (bits & ((1 << 52) - 1))) + (1_u64 << 37)) >> 38;
                let (m, e) = if m == 1 << 15 { (m >> 1, e + 1) } else { (m, e) };
                Ok(Self::Tosa16 { m: m as i16, shift: (15 - e) as u32 })
            }
            SchemeKind::Pow2(round) => {
                // Above it, 2 is nearer than 1, and no shift to the right gives it.
                within(power_of_two(-62), std::f64::consts::SQRT_2.next_down())?;
                // ratio = f 2^e with f in 1 ..< 2: up where f^2 >= 2, in integers.
                let (bits, e) = (ratio.to_bits(), (ratio.to_bits() >> 52) as i32 - 1023);
                let f = u128::from(1 << 52 | (bits & ((1 << 52) - 1)));
                let nearest = e + i32::from(f * f >= 1 << 105);
                Ok(Self::Pow2 { shift: (-nearest).max(0) as u32, round })
            }
        }
    }

    /// Whether the parameters are legal: float scales positive, finite and normal, for `F32Rndnu` in 2^-32 ..< 2^8; a multiplier of
    /// `Tosa16` that is not negative with a shift of 2..=62; a shift of `Pow2` of at most 62.
    ///
    /// Schemes that are written down by hand are not checked elsewhere: with illegal parameters [`Scheme::scale`] panics or gives a
    /// value that means nothing.
    pub fn check(self) -> Result<(), GoldenError> {
        let shift = |shift: u32, min: u32| match (min..=62).contains(&shift) {
            true => Ok(()),
            false => Err(GoldenError::OutOfRange { property: "shift", value: shift.into(), min: min.into(), max: 62 }),
        };
        match self {
            Self::FixedSingle(_) | Self::FixedDouble(_) | Self::FixedDoubleUp(_) | Self::S64Reduced(_) => Ok(()),
            Self::F32Even(scale) => Scale::f32(scale).map(drop),
            Self::F64Away(scale) => Scale::f64(scale).map(drop),
            Self::F32Rndnu(scale) => {
                Scale::f32(scale)?;
                Self::from_ratio(SchemeKind::F32Rndnu, scale.into()).map(drop)
            }
            Self::Tosa16 { m, .. } if m < 0 => {
                let (value, max) = (m.into(), i16::MAX.into());
                Err(GoldenError::OutOfRange { property: "multiplier", value, min: 0, max })
            }
            Self::Tosa16 { shift: given, .. } => shift(given, 2),
            Self::Pow2 { shift: given, .. } => shift(given, 0),
        }
    }

    pub fn kind(self) -> SchemeKind {
        match self {
            Self::FixedSingle(_) => SchemeKind::FixedSingle,
            Self::FixedDouble(_) => SchemeKind::FixedDouble,
            Self::FixedDoubleUp(_) => SchemeKind::FixedDoubleUp,
            Self::F32Even(_) => SchemeKind::F32Even,
            Self::F64Away(_) => SchemeKind::F64Away,
            Self::F32Rndnu(_) => SchemeKind::F32Rndnu,
            Self::S64Reduced(_) => SchemeKind::S64Reduced,
            Self::Tosa16 { .. } => SchemeKind::Tosa16,
            Self::Pow2 { round, .. } => SchemeKind::Pow2(round),
        }
    }

    /// The accumulator in steps of the output, before zero point and clamp. Formulas: the table of [`Scheme`].
    ///
    /// Range: any 64-bit accumulator; integer products are exact. A result beyond 64 bits is saturated. For e > 0 the peers of
    /// the two-rounding schemes form acc 2^e in 32 bits first, which may wrap there; here it is exact.
    ///
    /// ```
    /// use golden::{Multiplier, Scheme};
    /// // 1/8: m = 2^30, e = -2, s = 33. -12 / 8 = -1.5, a tie.
    /// let eighth = Multiplier::from_ratio(0.125)?;
    /// assert_eq!(Scheme::FixedSingle(eighth).scale(-12), -1); // toward positive
    /// assert_eq!(Scheme::FixedDouble(eighth).scale(-12), -2); // away from zero
    /// // -11 / 8 = -1.375, but 31 bits give -5.5, rounded to -5, and -5 / 4 = -1.25.
    /// assert_eq!(Scheme::FixedDouble(eighth).scale(-11), -1);
    /// # Ok::<(), golden::GoldenError>(())
    /// ```
    pub fn scale(self, acc: i64) -> i64 {
        let up = Round::HalfTowardPositive;
        let twice = |multiplier: Multiplier, second: Round| {
            let (product, shift) = (i128::from(acc) * i128::from(multiplier.m()), multiplier.shift());
            match shift.checked_sub(HIGH) {
                None => shift_round(product, shift, up),
                Some(rest) => shift_round(shift_round(product, HIGH, up), rest, second),
            }
        };
        let scaled = match self {
            Self::FixedSingle(multiplier) => {
                shift_round(i128::from(acc) * i128::from(multiplier.m()), multiplier.shift(), up)
            }
            Self::FixedDouble(multiplier) => twice(multiplier, Round::HalfAwayFromZero),
            Self::FixedDoubleUp(multiplier) => twice(multiplier, up),
            // A float-to-integer conversion saturates.
            Self::F32Even(scale) => return round_f64((acc as f32 * scale).into(), Round::HalfToEven) as i64,
            Self::F64Away(scale) => return round_f64(acc as f64 * scale, Round::HalfAwayFromZero) as i64,
            Self::F32Rndnu(scale) => {
                let (mantissa, shift) = mantissa(scale);
                shift_round(i128::from(acc) * i128::from(mantissa), shift, up)
            }
            Self::S64Reduced(multiplier) => {
                let (reduced, shift) = reduced(multiplier);
                shift_round(i128::from(acc) * i128::from(reduced), shift, up)
            }
            Self::Tosa16 { m, shift } => shift_round(i128::from(acc) * i128::from(m), shift, up),
            Self::Pow2 { shift, round } => shift_round(acc.into(), shift, round),
        };
        scaled.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// The whole requantization of an accumulator.
    pub fn requantize(self, acc: i64, output: OutputStage) -> i64 {
        output.apply(self.scale(acc))
    }

    /// `(multiplier, shift)` of the exact product that an integer scheme rounds; none for float schemes.
    pub fn product(self) -> Option<(i64, u32)> {
        match self {
            Self::FixedSingle(multiplier) | Self::FixedDouble(multiplier) | Self::FixedDoubleUp(multiplier) => {
                Some((multiplier.m().into(), multiplier.shift()))
            }
            Self::F32Rndnu(scale) => {
                let (mantissa, shift) = mantissa(scale);
                Some((mantissa.into(), shift))
            }
            Self::S64Reduced(multiplier) => Some(reduced(multiplier)),
            Self::Tosa16 { m, shift } => Some((m.into(), shift)),
            Self::Pow2 { shift, .. } => Some((1, shift)),
            Self::F32Even(_) | Self::F64Away(_) => None,
        }
    }
}

/// The 15-bit multiplier of [`Scheme::S64Reduced`], and its shift.
fn reduced(multiplier: Multiplier) -> (i64, u32) {
    let reduced = ((i64::from(multiplier.m()) + (1 << 15)) >> 16).min((1 << 15) - 1);
    match u32::try_from(15 - multiplier.e()) {
        Ok(shift) => (reduced, shift),
        // Greater exponents than `from_ratio` gives shift left, by at most 15.
        Err(_) => (reduced << (multiplier.e() - 15), 0),
    }
}

/// A positive normal f32 as mantissa / 2^shift, with 24 bits of mantissa.
fn mantissa(scale: f32) -> (i32, u32) {
    let bits = scale.to_bits();
    let mantissa = (bits & 0x7f_ffff | 1 << 23) as i32;
    // Scales from 2^-32 to below 2^8, as `from_ratio` gives them.
    (mantissa, (150_i32 - (bits >> 23 & 0xff) as i32).clamp(0, 126) as u32)
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().name();
        match self {
            Self::FixedSingle(m) | Self::FixedDouble(m) | Self::FixedDoubleUp(m) | Self::S64Reduced(m) => {
                write!(f, "{name}(m = {}, e = {})", m.m(), m.e())
            }
            Self::F32Even(scale) | Self::F32Rndnu(scale) => write!(f, "{name}({scale:e})"),
            Self::F64Away(scale) => write!(f, "{name}({scale:e})"),
            Self::Tosa16 { m, shift } => write!(f, "{name}(m = {m}, shift = {shift})"),
            Self::Pow2 { shift, round } => write!(f, "{name}(shift = {shift}, {round})"),
        }
    }
}
