//! Dividing by a power of two with a named tie rule.

use spec::Rounding;
use std::cmp::Ordering;

/// The greatest shift that [`shift_round`] takes.
pub const MAX_SHIFT: u32 = 126;

/// `value / 2^shift`, rounded to an integer.
///
/// Meaning in reals, with v = value / 2^shift and f = floor(v):
///
/// | rounding | result |
/// |---|---|
/// | [`Rounding::Floor`] | f |
/// | [`Rounding::HalfUp`] | floor(v + 1/2): nearest, ties towards plus infinity |
/// | [`Rounding::HalfAway`] | sign(v) floor(abs(v) + 1/2): nearest, ties away from zero |
/// | [`Rounding::HalfEven`] | nearest, ties to the even neighbour |
///
/// Integer formula: f = `value >> shift` (arithmetic), r = `value - (f << shift)`, h = `2^(shift - 1)`. The result is
/// f + 1 where r > h, or where r = h and the tie rule says up (`HalfUp`: always; `HalfAway`: value >= 0; `HalfEven`: f odd);
/// otherwise, and always for `Floor`, it is f.
///
/// Range: any value; the result never exceeds abs(value), so nothing overflows. Corner case: with `shift = 0` nothing is
/// dropped and nothing is rounded.
///
/// ```
/// use golden::shift_round;
/// use spec::Rounding;
/// // -5 / 2 = -2.5 lies between -3 and -2.
/// assert_eq!(shift_round(-5, 1, Rounding::Floor), -3);
/// assert_eq!(shift_round(-5, 1, Rounding::HalfUp), -2);
/// assert_eq!(shift_round(-5, 1, Rounding::HalfAway), -3);
/// assert_eq!(shift_round(-5, 1, Rounding::HalfEven), -2);
/// ```
///
/// Source: `HalfUp` is TOSA's `SINGLE_ROUND` (TOSA specification, RESCALE) and RISC-V's `rnu`; `HalfEven` is IEEE 754's
/// roundTiesToEven and RISC-V's `rne`; `HalfAway` is IEEE 754's roundTiesToAway; `Floor` is RISC-V's `rdn`.
///
/// # Panics
/// If `shift` exceeds [`MAX_SHIFT`].
pub fn shift_round(value: i128, shift: u32, rounding: Rounding) -> i128 {
    assert!(shift <= MAX_SHIFT, "shift = {shift} exceeds {MAX_SHIFT}");
    if shift == 0 {
        return value;
    }
    let floor = value >> shift;
    let remainder = value - (floor << shift);
    let half = 1_i128 << (shift - 1);
    let rounds_up = match (rounding, remainder.cmp(&half)) {
        (Rounding::Floor, _) | (_, Ordering::Less) => false,
        (_, Ordering::Greater) | (Rounding::HalfUp, Ordering::Equal) => true,
        (Rounding::HalfAway, Ordering::Equal) => value >= 0,
        (Rounding::HalfEven, Ordering::Equal) => floor % 2 != 0,
    };
    floor + i128::from(rounds_up)
}

/// [`shift_round`] by one addition and one arithmetic shift in 64 bits.
///
/// For `shift > 0`, with h = 2^(shift - 1): (value + c) >> shift, where c = 0 (`Floor`), h (`HalfUp`),
/// h - [value < 0] (`HalfAway`), h - 1 + bit `shift` of value (`HalfEven`).
///
/// The caller guarantees `abs(value) <= 2^62` and `shift <= 62`, or `abs(value) < 2^62` and `shift = 63`: then `value + c`
/// fits 64 bits.
#[inline(always)]
pub(crate) fn shift_round_i64(value: i64, shift: u32, rounding: Rounding) -> i64 {
    // Keeps shift = 0 without a branch: half is 0 and the corrections are masked.
    let half = (1_i64 << shift) as u64 >> 1;
    let half = half as i64;
    let rounded = match rounding {
        Rounding::Floor => value,
        Rounding::HalfUp => value + half,
        Rounding::HalfAway => value + half - i64::from(value < 0 && shift > 0),
        Rounding::HalfEven => value + half - i64::from(shift > 0 && (value >> shift) & 1 == 0),
    };
    rounded >> shift
}
