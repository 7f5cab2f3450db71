//! A whole quantized linear layer: product, bias, requantization.

use crate::error::GoldenError;
use crate::matmul::{matmul, matmul_fast, Shape};
use crate::psum::Psum;
use crate::requantize::{Bounds, Channel, Requantizer};
use crate::stochastic::Stream;
use spec::Numerics;

/// The layer's outputs, `m x n` in the output format.
///
/// Meaning in reals: y = activation(x W + b), each tensor as scale x (q - zero_point), with weights of zero point 0.
/// Integer formula: [`matmul`], then [`Requantizer::requantize`] of each element with the parameters of its column and, for
/// stochastic rounding, the bits of `stream` for its index, row n + column. Other rounding needs no stream. The
/// activations' zero point does not occur: it is folded into the bias, see [`fold_zero_point`].
///
/// ```
/// use golden::{layer, Bounds, Channel, Shape};
/// let config = spec::Config::named("default").expect("it ships with Systole");
/// let channel = Channel { bias: 4, multiplier: 1, shift: 1, zero_point: 0 };
/// let relu = Bounds { low: 0, high: 127 };
/// let shape = Shape { m: 2, k: 2, n: 1 };
/// // (3*10 + -4*1 + 4) / 2 = 15; (-3*10 + 4*1 + 4) / 2 = -11, below zero.
/// let y = layer(config.numerics(), shape, &[3, -4, -3, 4], &[10, 1], &[channel], &relu, None).expect("it fits");
/// assert_eq!(y, [15, 0]);
/// ```
pub fn layer(
    numerics: &Numerics,
    shape: Shape,
    activations: &[i32],
    weights: &[i32],
    channels: &[Channel],
    bounds: &Bounds,
    stream: Option<&Stream>,
) -> Result<Vec<i32>, GoldenError> {
    check_parameters(numerics, shape, channels, bounds, stream)?;
    let requantizer = Requantizer::new(numerics);
    let psums = matmul(numerics, shape, activations, weights)?;
    let output = |(at, &acc): (usize, &i64)| {
        let random = stream.map_or(0, |stream| stream.bits(at as u32));
        requantizer.requantize(acc, &channels[at % shape.n], bounds, random) as i32
    };
    Ok(psums.iter().enumerate().map(output).collect())
}

/// [`layer`] by packed tiles and whole rows.
pub fn layer_fast(
    numerics: &Numerics,
    shape: Shape,
    activations: &[i32],
    weights: &[i32],
    channels: &[Channel],
    bounds: &Bounds,
    stream: Option<&Stream>,
) -> Result<Vec<i32>, GoldenError> {
    fn run<T: Psum>(
        numerics: &Numerics,
        shape: Shape,
        operands: (&[i32], &[i32]),
        channels: &[Channel],
        bounds: &Bounds,
        stream: Option<&Stream>,
    ) -> Result<Vec<i32>, GoldenError> {
        let requantizer = Requantizer::new(numerics);
        let psums = matmul_fast::<T>(numerics, shape, operands.0, operands.1)?;
        let mut outputs = vec![0; psums.len()];
        for (row, (acc, out)) in psums.chunks_exact(shape.n).zip(outputs.chunks_exact_mut(shape.n)).enumerate() {
            let first = (row * shape.n) as u32;
            requantizer.requantize_row(acc, channels, bounds, stream.map(|stream| (stream, first)), out);
        }
        Ok(outputs)
    }
    check_parameters(numerics, shape, channels, bounds, stream)?;
    if i32::check(numerics).is_ok() {
        run::<i32>(numerics, shape, (activations, weights), channels, bounds, stream)
    } else {
        run::<i64>(numerics, shape, (activations, weights), channels, bounds, stream)
    }
}

/// The biases that absorb the activations' zero point: `biases[j] - zero_point * sum over t of weights[t][j]`.
///
/// Meaning in reals: sum of (q - z) w + b = sum of q w + (b - z sum of w), so a machine that multiplies the stored q needs
/// no subtraction. The identity is exact in integers; whether the result fits `bias_bits` is for the caller to check
/// ([`Channel::check`]). Positions that pad activations must then hold z, or their weights must be 0.
///
/// ```
/// // Two channels of k = 2; activations have the zero point 3.
/// assert_eq!(golden::fold_zero_point(3, &[10, 1, 20, -1], &[100, 7]), [100 - 3 * 30, 7]);
/// ```
///
/// Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
/// 2018, section 2.3.
///
/// # Panics
/// If `weights` (row-major, one column per bias) is not a whole number of rows.
pub fn fold_zero_point(zero_point: i64, weights: &[i32], biases: &[i64]) -> Vec<i64> {
    let n = biases.len();
    assert!(
        n > 0 && weights.chunks_exact(n).remainder().is_empty(),
        "{} weights do not make rows of {n}",
        weights.len()
    );
    let column_sum = |j: usize| weights.iter().skip(j).step_by(n).map(|&w| i64::from(w)).sum::<i64>();
    biases.iter().enumerate().map(|(j, bias)| bias - zero_point * column_sum(j)).collect()
}

fn check_parameters(
    numerics: &Numerics,
    shape: Shape,
    channels: &[Channel],
    bounds: &Bounds,
    stream: Option<&Stream>,
) -> Result<(), GoldenError> {
    let (random_bits, given) = (numerics.rounding().random_bits(), stream.map_or(0, Stream::random_bits));
    if random_bits > 0 && given != random_bits {
        return Err(GoldenError::RandomBits { random_bits, given });
    }
    if channels.len() != shape.n {
        return Err(GoldenError::Length { what: "channels", given: channels.len(), expected: shape.n });
    }
    for (channel, parameters) in channels.iter().enumerate() {
        parameters.check(numerics).map_err(|source| GoldenError::Channel { channel, source: Box::new(source) })?;
    }
    bounds.check(numerics)
}
