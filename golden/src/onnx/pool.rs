//! Pools of quantized images, channels first.

use super::{one_scale, Operand, Output};
use crate::error::GoldenError;
use crate::scale::Scale;
use crate::scheme::Scheme;
use crate::shift_round::round_f64;
use crate::window::Window;
use spec::Round;

/// The shape of a pool. Planes are the rows x columns images of each channel of each element of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool2d {
    pub planes: usize,
    /// Rows and columns.
    pub input: [usize; 2],
    pub window: Window,
}

/// What an average is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// All positions of the kernel: count_include_pad = 1.
    Kernel,
    /// The positions that are not padding: count_include_pad = 0.
    Image,
}

impl Pool2d {
    /// `reduce` of the values that each window reads, row by row, and which are at least one.
    fn windows<T>(&self, values: &[i32], reduce: impl Fn(&[i32]) -> T) -> Result<Vec<T>, GoldenError> {
        let [rows, cols] = self.window.output(self.input)?;
        let pixels = self.input[0] * self.input[1];
        check_planes(values.len(), self.planes, pixels)?;
        let [kernel_rows, kernel_cols] = self.window.kernel;
        let mut results = Vec::with_capacity(self.planes * rows * cols);
        for plane in values.chunks_exact(pixels) {
            for row in 0..rows {
                for col in 0..cols {
                    let positions = (0..kernel_rows).flat_map(|i| (0..kernel_cols).map(move |j| [i, j]));
                    let read = positions.filter_map(|position| self.window.input([row, col], position, self.input));
                    let read: Vec<i32> = read.map(|[row, col]| plane[row * self.input[1] + col]).collect();
                    if read.is_empty() {
                        let rule = format!("the window at row {row} and column {col} reads nothing but padding");
                        return Err(GoldenError::Shape { operator: "pool", rule });
                    }
                    results.push(reduce(&read));
                }
            }
        }
        Ok(results)
    }
}

fn check_planes(given: usize, planes: usize, pixels: usize) -> Result<(), GoldenError> {
    match planes.checked_mul(pixels) {
        Some(expected) if expected == given => Ok(()),
        expected => {
            Err(GoldenError::Length { what: "input of a pool", given, expected: expected.unwrap_or(usize::MAX) })
        }
    }
}

/// MaxPool on integers: the greatest value that each window reads; padding is never the greatest. Scale and zero point stay.
pub fn max_pool(shape: &Pool2d, values: &[i32]) -> Result<Vec<i32>, GoldenError> {
    shape.windows(values, |read| read.iter().copied().fold(i32::MIN, i32::max))
}

/// QLinearGlobalAveragePool of `planes` planes of `pixels` values each.
///
/// Meaning in reals: the mean of a plane. Formula: clamp(RNE(f32(sum of (x - z_x)) c) + z_y) with c = f32(s_x / f32(s_y f32(pixels))):
/// [`Scheme::F32Even`] with another ratio than a convolution's. It is not what [`qlinear_average_pool`] gives for one window over all.
/// Range: less than 2^24 pixels; c must be normal.
///
/// Source: onnxruntime's contributed operator com.microsoft.QLinearGlobalAveragePool; the order of c was found as for
/// [`super::qlinear_add`].
pub fn qlinear_global_average_pool(
    planes: usize,
    pixels: usize,
    x: Operand<'_>,
    y: Output,
) -> Result<Vec<i32>, GoldenError> {
    const MAX_PIXELS: usize = (1 << 24) - 1;
    let (x_scale, x_zero) = one_scale(x)?;
    Scale::f32(x_scale)?;
    let stage = y.stage()?;
    if !(1..=MAX_PIXELS).contains(&pixels) {
        let (value, max) = (i64::try_from(pixels).unwrap_or(i64::MAX), MAX_PIXELS as i64);
        return Err(GoldenError::OutOfRange { property: "pixels of a plane", value, min: 1, max });
    }
    check_planes(x.values.len(), planes, pixels)?;
    let scheme = Scheme::F32Even(x_scale / (y.scale * pixels as f32));
    scheme.check()?;
    let mean = |plane: &[i32]| {
        let sum = plane.iter().map(|&value| i64::from(value) - x_zero).sum();
        // Formats of at most 32 bits.
        scheme.requantize(sum, stage) as i32
    };
    Ok(x.values.chunks_exact(pixels).map(mean).collect())
}

/// QLinearAveragePool.
///
/// Meaning in reals: the mean of what a window reads, padding being 0. Formula, every operation in f32: the sum of (x - z_x) s_x one
/// position after another, row by row from 0 on; then y = clamp(RNE(sum / divisor / s_y + z_y)). Ties: to even, of a number that already
/// holds the zero point. Range: x_scale / y_scale must be normal.
///
/// Source: onnxruntime's contributed operator com.microsoft.QLinearAveragePool, found as for [`super::qlinear_add`]. It has no
/// dilation.
pub fn qlinear_average_pool(
    shape: &Pool2d,
    divisor: Divisor,
    x: Operand<'_>,
    y: Output,
) -> Result<Vec<i32>, GoldenError> {
    let (x_scale, x_zero) = one_scale(x)?;
    let stage = y.stage()?;
    for scale in [x_scale, x_scale / y.scale] {
        Scale::f32(scale)?;
    }
    if shape.window.dilation != [1, 1] {
        let rule = format!("an average pool has the dilation 1, not {:?}", shape.window.dilation);
        return Err(GoldenError::Shape { operator: "pool", rule });
    }
    shape.windows(x.values, |read| {
        let sum = read.iter().fold(0.0_f32, |sum, &value| sum + (i64::from(value) - x_zero) as f32 * x_scale);
        let count = match divisor {
            Divisor::Kernel => shape.window.positions(),
            Divisor::Image => read.len(),
        };
        let steps = sum / count as f32 / y.scale + y.zero_point as f32;
        // Formats of at most 32 bits; the cast of an infinite number of steps saturates.
        (round_f64(steps.into(), Round::HalfToEven) as i64).max(stage.low).min(stage.high) as i32
    })
}
