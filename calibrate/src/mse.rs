//! The parameters of least squared error, with golden's quantizer as the judge.

use crate::error::CalibrateError;
use crate::measure::squared_error;
use crate::method::ends;
use crate::range::{affine_choice, exponent_above, greatest, normal, power_of_two, symmetric_choice, zero_point};
use crate::range::{Choice, Grid};
use golden::{Kind, QFormat};

/// Clips are compared in so many parts of the greatest magnitude, and up to twice as far: beyond it lies the best scale
/// of some data that have a grid of their own.
const PARTS: u32 = 128;
/// Above so many values, candidates of the coarse search are compared on every second, third, .. value.
const COARSE_VALUES: usize = 1 << 16;
/// The fine search goes over so many parts, half of them on each side.
const NEARBY: u32 = 12;
/// Exponents below the one that covers everything.
const N_EXPONENTS: i32 = 24;

/// The choices of a format, judged on values.
struct Search<'a> {
    values: &'a [f32],
    format: QFormat,
    best: Choice,
    error: f64,
}

impl<'a> Search<'a> {
    fn new(values: &'a [f32], format: QFormat, start: Choice) -> Result<Self, CalibrateError> {
        let mut search = Self { values, format, best: start, error: f64::INFINITY };
        search.offer(start)?;
        Ok(search)
    }

    /// Takes the choice if it is better; of equal ones the first stays.
    fn offer(&mut self, choice: Choice) -> Result<bool, CalibrateError> {
        let error = squared_error(&choice.quantizer(self.format)?, self.values, &[self.values.len()])?;
        let better = error < self.error;
        if better {
            (self.best, self.error) = (choice, error);
        }
        Ok(better)
    }

    /// The scale that is best for the integers that the best choice gives, sum x d / sum d^2 with d = q - zero_point;
    /// repeated while it helps.
    fn polish(&mut self) -> Result<(), CalibrateError> {
        for _ in 0..32 {
            let zero_point = self.best.zero_point;
            let quantized = self.best.quantizer(self.format)?.quantize(self.values, &[self.values.len()])?;
            let (mut product, mut square) = (0.0, 0.0);
            for (&x, &q) in self.values.iter().zip(&quantized) {
                let q = if self.format.kind() == Kind::Unsigned { i64::from(q as u32) } else { i64::from(q) };
                let steps = (q - zero_point) as f64;
                product += f64::from(x) * steps;
                square += steps * steps;
            }
            // All values are at the zero point, or on its other side.
            if square == 0.0 || product <= 0.0 {
                break;
            }
            let scale = normal((product / square) as f32);
            if !self.offer(Choice { scale, zero_point })? {
                break;
            }
        }
        Ok(())
    }
}

/// Every n-th value, n odd so that a period of two channels or more is not met.
fn thinned(values: &[f32]) -> Vec<f32> {
    values.iter().copied().step_by(values.len().div_ceil(COARSE_VALUES) | 1).collect()
}

/// argmin over the scale of sum (x - dequantize(quantize(x)))^2, zero point 0.
///
/// 256 clips i / 128 max abs(x) are compared, then those around the best one at an eighth of that distance and at
/// distances halved nine times, then the scale is the regression of the values on their integers until that no longer
/// helps. On the grid of powers of two: the exponents from two above the one that covers all values to 24 below. Of
/// equal errors the first found stays; all zeros have the scale 1. f32 decides: the compared quantizers have the scales
/// that are returned.
pub(crate) fn symmetric(values: &[f32], format: QFormat, grid: Grid) -> Result<Choice, CalibrateError> {
    let (low, high) = ends(values);
    let most = if format.kind() == Kind::Unsigned { high } else { high.max(-low) };
    let start = symmetric_choice(most, format, grid);
    if most == 0.0 {
        return Ok(start);
    }
    if grid == Grid::PowersOfTwo {
        let mut search = Search::new(values, format, start)?;
        let cover = exponent_above(most / greatest(format) as f64);
        for exponent in (cover - N_EXPONENTS..=cover + 2).rev() {
            search.offer(Choice { scale: power_of_two(exponent.clamp(-126, 127)), zero_point: 0 })?;
        }
        return Ok(search.best);
    }
    let coarse = thinned(values);
    let mut search = Search::new(&coarse, format, start)?;
    let mut clip = most;
    let part = most / f64::from(PARTS);
    for i in (1..=2 * PARTS).rev() {
        let candidate = part * f64::from(i);
        if search.offer(symmetric_choice(candidate, format, grid))? {
            clip = candidate;
        }
    }
    let mut search = Search::new(values, format, search.best)?;
    search.offer(start)?;
    // The error is rugged where each value's rounding shows.
    let middle = clip;
    for i in 1..8 * NEARBY {
        let candidate = middle + part * (f64::from(i) / 8.0 - f64::from(NEARBY / 2));
        if candidate > 0.0 && search.offer(symmetric_choice(candidate, format, grid))? {
            clip = candidate;
        }
    }
    for halvings in 4..=12 {
        let distance = part / f64::from(1 << halvings);
        for candidate in [clip - distance, clip + distance] {
            if search.offer(symmetric_choice(candidate, format, grid))? {
                clip = candidate;
            }
        }
    }
    search.polish()?;
    Ok(search.best)
}

/// argmin over scale and zero point of sum (x - dequantize(quantize(x)))^2.
///
/// From the whole range, the low end is compared at 64 places between the least value and 0 with the high end fixed,
/// then the high end likewise, in turn until neither helps; then ends around them at distances halved eight times; the
/// symmetric choice is taken if it is better; then the scale is polished as in [`symmetric`]. So the error is at most
/// the symmetric choice's and that of the whole range. On the grid of powers of two each of the exponents is tried with
/// 65 low ends. The ends never pass the data's and 0.
pub(crate) fn affine(values: &[f32], format: QFormat, grid: Grid) -> Result<Choice, CalibrateError> {
    let (least, most) = ends(values);
    let start = affine_choice(least, most, format, grid);
    if least == most {
        return Ok(start);
    }
    let parts = f64::from(PARTS / 2);
    let coarse = thinned(values);
    if grid == Grid::PowersOfTwo {
        let mut search = Search::new(&coarse, format, start)?;
        let cover = exponent_above((most - least) / (format.max() - format.min()) as f64);
        for exponent in (cover - N_EXPONENTS..=cover + 2).rev() {
            let scale = power_of_two(exponent.clamp(-126, 127));
            // Twice the same zero point costs time only; most are the same where the scale is great.
            let mut tried = None;
            for i in (0..=PARTS / 2).rev() {
                let zero_point = zero_point(least * f64::from(i) / parts, scale, format);
                if tried.replace(zero_point) != Some(zero_point) {
                    search.offer(Choice { scale, zero_point })?;
                }
            }
        }
        let mut full = Search::new(values, format, search.best)?;
        full.offer(start)?;
        return Ok(full.best);
    }
    let mut search = Search::new(&coarse, format, start)?;
    let mut range = (least, most);
    let choice = |(low, high)| affine_choice(low, high, format, grid);
    for _ in 0..8 {
        let before = range;
        for i in (0..=PARTS / 2).rev() {
            let candidate = (least * f64::from(i) / parts, range.1);
            if candidate != (0.0, 0.0) && search.offer(choice(candidate))? {
                range = candidate;
            }
        }
        for i in (0..=PARTS / 2).rev() {
            let candidate = (range.0, most * f64::from(i) / parts);
            if candidate != (0.0, 0.0) && search.offer(choice(candidate))? {
                range = candidate;
            }
        }
        if range == before {
            break;
        }
    }
    let mut search = Search::new(values, format, search.best)?;
    search.offer(start)?;
    for halvings in 1..=8 {
        let distance = (most - least) / parts / f64::from(1 << halvings);
        for (low, high) in [(-distance, 0.0), (distance, 0.0), (0.0, -distance), (0.0, distance)] {
            let candidate = ((range.0 + low).clamp(least, 0.0), (range.1 + high).clamp(0.0, most));
            if candidate.0 < candidate.1 && search.offer(choice(candidate))? {
                range = candidate;
            }
        }
    }
    search.offer(symmetric(values, format, grid)?)?;
    search.polish()?;
    Ok(search.best)
}
