//! Bringing a quotient, a shifted integer or a float to an integer, by a rule that says where ties go.

use spec::Round;
use std::cmp::Ordering;

/// The greatest shift that [`shift_round`] takes.
pub const MAX_SHIFT: u32 = 126;

/// Where a value lies between the integer below and the next.
#[derive(Clone, Copy)]
struct Position {
    exact: bool,
    /// How its distance from the integer below compares with one half.
    half: Ordering,
    negative: bool,
    floor_is_odd: bool,
}

/// Whether the rule takes the integer above instead of the one below.
fn rounds_up(round: Round, at: Position) -> bool {
    if at.exact {
        return false;
    }
    let nearest = |tie: bool| match at.half {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => tie,
    };
    match round {
        Round::Floor => false,
        Round::Ceil => true,
        Round::TowardZero => at.negative,
        Round::AwayFromZero => !at.negative,
        Round::ToOdd => !at.floor_is_odd,
        Round::HalfToEven => nearest(at.floor_is_odd),
        Round::HalfTowardPositive => nearest(true),
        Round::HalfTowardNegative => nearest(false),
        Round::HalfTowardZero => nearest(at.negative),
        Round::HalfAwayFromZero => nearest(!at.negative),
    }
}

/// `value / 2^shift`, rounded to an integer.
///
/// Meaning in reals, with v = value / 2^shift, f = floor(v), c = ceil(v):
///
/// | rounding | result |
/// |---|---|
/// | [`Round::Floor`], [`Round::Ceil`] | f, c |
/// | [`Round::TowardZero`], [`Round::AwayFromZero`] | of f and c the one nearer to zero, the one farther from it |
/// | [`Round::ToOdd`] | v if it is an integer, else the odd one of f and c |
/// | [`Round::HalfToEven`] | nearest, ties to the even one |
/// | [`Round::HalfTowardPositive`] | floor(v + 1/2): nearest, ties to c |
/// | [`Round::HalfTowardNegative`] | ceil(v - 1/2): nearest, ties to f |
/// | [`Round::HalfTowardZero`] | sign(v) ceil(abs(v) - 1/2) |
/// | [`Round::HalfAwayFromZero`] | sign(v) floor(abs(v) + 1/2) |
///
/// Integer formula: f = `value >> shift` (arithmetic), r = `value - (f << shift)`, h = `2^(shift - 1)`. If r = 0 the result is
/// f; else f + 1 where the rule says so from r against h, the sign of value and whether f is odd, and f otherwise.
///
/// Range: any value; the result never exceeds abs(value), so nothing overflows. Corner case: with `shift = 0` nothing is
/// dropped and nothing is rounded.
///
/// ```
/// use golden::shift_round;
/// use spec::Round;
/// // -5 / 2 = -2.5 lies between -3 and -2.
/// assert_eq!(shift_round(-5, 1, Round::Floor), -3);
/// assert_eq!(shift_round(-5, 1, Round::HalfTowardPositive), -2);
/// assert_eq!(shift_round(-5, 1, Round::HalfAwayFromZero), -3);
/// assert_eq!(shift_round(-5, 1, Round::HalfToEven), -2);
/// assert_eq!(shift_round(-5, 1, Round::ToOdd), -3);
/// ```
///
/// Source: `HalfTowardPositive` is TOSA's `SINGLE_ROUND` (TOSA specification, RESCALE) and RISC-V's `rnu`; `HalfToEven` is
/// IEEE 754's roundTiesToEven and RISC-V's `rne`; `HalfAwayFromZero` is IEEE 754's roundTiesToAway; `Floor` is RISC-V's `rdn`,
/// `ToOdd` its `rod`; the others are among the quantization modes of `ap_fixed` in high-level synthesis.
///
/// # Panics
/// If `shift` exceeds [`MAX_SHIFT`].
pub fn shift_round(value: i128, shift: u32, round: Round) -> i128 {
    assert!(shift <= MAX_SHIFT, "shift = {shift} exceeds {MAX_SHIFT}");
    if shift == 0 {
        return value;
    }
    let floor = value >> shift;
    let remainder = value - (floor << shift);
    let half = 1_i128 << (shift - 1);
    let at = Position {
        exact: remainder == 0,
        half: remainder.cmp(&half),
        negative: value < 0,
        floor_is_odd: floor % 2 != 0,
    };
    floor + i128::from(rounds_up(round, at))
}

/// `numerator / denominator`, rounded to an integer; the rules are those of [`shift_round`].
///
/// Integer formula: f = floor(numerator / denominator), r = numerator - f denominator, and 2 r is compared with the
/// denominator.
///
/// ```
/// use spec::Round;
/// // 7 / -2 is written -7 / 2 = -3.5.
/// assert_eq!(golden::divide_round(-7, 2, Round::HalfToEven), -4);
/// assert_eq!(golden::divide_round(-7, 2, Round::HalfTowardZero), -3);
/// ```
///
/// # Panics
/// If `denominator` is not in 1..=2^126.
pub fn divide_round(numerator: i128, denominator: i128, round: Round) -> i128 {
    assert!((1..=1 << 126).contains(&denominator), "denominator = {denominator} must be in 1..=2^126");
    let floor = numerator.div_euclid(denominator);
    let remainder = numerator.rem_euclid(denominator);
    let at = Position {
        exact: remainder == 0,
        // 2 r against d, without the doubling.
        half: remainder.cmp(&(denominator - remainder)),
        negative: numerator < 0,
        floor_is_odd: floor % 2 != 0,
    };
    floor + i128::from(rounds_up(round, at))
}

/// `value` rounded to an integer, as a float; the rules are those of [`shift_round`].
///
/// Exact: a float's integer part and fraction are floats. Infinities and NaN stay what they are.
///
/// ```
/// use spec::Round;
/// assert_eq!(golden::round_f64(2.5, Round::HalfToEven), 2.0);
/// assert_eq!(golden::round_f64(-0.1, Round::AwayFromZero), -1.0);
/// ```
pub fn round_f64(value: f64, round: Round) -> f64 {
    let whole = value.trunc();
    let fraction = (value - whole).abs();
    if !value.is_finite() || fraction == 0.0 {
        return value;
    }
    let negative = value < 0.0;
    // Below zero the fraction is the distance from the integer above.
    let (floor, half) = match negative {
        true => (whole - 1.0, 0.5_f64.total_cmp(&fraction)),
        false => (whole, fraction.total_cmp(&0.5)),
    };
    let at = Position { exact: false, half, negative, floor_is_odd: floor % 2.0 != 0.0 };
    if rounds_up(round, at) {
        floor + 1.0
    } else {
        floor
    }
}

/// `value / 2^shift`, rounded up with a probability of its fraction, by `random_bits` random bits.
///
/// Meaning in reals: with v = value / 2^shift and f = floor(v), the result is f + 1 for exactly floor((v - f) 2^r) of the 2^r
/// values of `random`, and f for the others; so the mean over all of them is v rounded down to a multiple of 2^-r.
///
/// Integer formula, with r = `random_bits`: F = the r highest of the `shift` bits that are dropped (with zeros below them if there
/// are fewer), and the result is f + ((F + random) >> r). Where shift >= r this is `(value + random 2^(shift - r)) >> shift`.
/// There are no ties. Corner case: with `shift = 0` nothing is rounded.
///
/// ```
/// // 11 / 4 = 2.75: of the four values of two random bits, three round up.
/// let ups = (0..4).filter(|&random| golden::shift_stochastic(11, 2, random, 2) == 3).count();
/// assert_eq!(ups, 3);
/// ```
///
/// Source: Gupta et al., "Deep Learning with Limited Numerical Precision", 2015, section 3; the cut to r bits is named there
/// only as a hardware choice.
///
/// # Panics
/// If `shift` exceeds [`MAX_SHIFT`], `random_bits` is not in 1..=32, or `random` has more bits.
pub fn shift_stochastic(value: i128, shift: u32, random: u32, random_bits: u32) -> i128 {
    assert!(shift <= MAX_SHIFT, "shift = {shift} exceeds {MAX_SHIFT}");
    assert!((1..=32).contains(&random_bits), "random_bits = {random_bits} must be in 1..=32");
    assert!(u64::from(random) >> random_bits == 0, "random = {random} has more than {random_bits} bits");
    let floor = value >> shift;
    let dropped = value - (floor << shift);
    let highest = match shift.checked_sub(random_bits) {
        Some(below) => dropped >> below,
        None => dropped << (random_bits - shift),
    };
    floor + ((highest + i128::from(random)) >> random_bits)
}

/// [`shift_round`] by one addition and one arithmetic shift in 64 bits.
///
/// The caller guarantees `abs(value) <= 2^62 + 2^31` and `shift <= 62`, or `-2^62 <= value < 2^62` and `shift = 63`: then
/// `value + c` fits 64 bits.
#[inline(always)]
pub(crate) fn shift_round_i64(value: i64, shift: u32, round: Round) -> i64 {
    // Keeps shift = 0 without a branch: half is 0 and the corrections are masked.
    let half = ((1_i64 << shift) as u64 >> 1) as i64;
    let shifts = i64::from(shift > 0);
    let negative = i64::from(value < 0);
    let floor = value >> shift;
    let inexact = i64::from(value != floor << shift);
    match round {
        Round::Floor => floor,
        Round::Ceil => floor + inexact,
        Round::TowardZero => floor + (inexact & negative),
        Round::AwayFromZero => floor + (inexact & (1 - negative)),
        Round::ToOdd => floor | inexact,
        Round::HalfToEven => (value + half - (shifts & (1 - (floor & 1)))) >> shift,
        Round::HalfTowardPositive => (value + half) >> shift,
        Round::HalfTowardNegative => (value + half - shifts) >> shift,
        Round::HalfTowardZero => (value + half - (shifts & (1 - negative))) >> shift,
        Round::HalfAwayFromZero => (value + half - (shifts & negative)) >> shift,
    }
}

/// [`shift_stochastic`] in 64 bits; the caller guarantees `shift <= 63`.
#[inline(always)]
pub(crate) fn shift_stochastic_i64(value: i64, shift: u32, random: u32, random_bits: u32) -> i64 {
    let floor = value >> shift;
    let dropped = (value - (floor << shift)) as u64;
    let highest =
        if shift >= random_bits { dropped >> (shift - random_bits) } else { dropped << (random_bits - shift) };
    floor + ((highest + u64::from(random)) >> random_bits) as i64
}
