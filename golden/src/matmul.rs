//! Integer matrix products in the accumulator format.

use crate::error::{check_matrix, GoldenError};
use crate::psum::Psum;
use crate::weight_tile::WeightTile;
use spec::Numerics;

/// Activations `m x k`, weights `k x n`, result `m x n`; all matrices are row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    pub m: usize,
    pub k: usize,
    pub n: usize,
}

impl Shape {
    /// Multiply-accumulates of the product.
    pub fn macs(&self) -> u64 {
        self.m as u64 * self.k as u64 * self.n as u64
    }

    /// Checks dimensions, lengths, `max_k`, and that every element fits its format.
    pub fn check(&self, numerics: &Numerics, activations: &[i32], weights: &[i32]) -> Result<(), GoldenError> {
        for (dimension, value) in [("m", self.m), ("k", self.k), ("n", self.n)] {
            if value == 0 {
                return Err(GoldenError::Empty { dimension });
            }
        }
        if u32::try_from(self.k).map_or(true, |k| k > numerics.max_k()) {
            return Err(GoldenError::TooManyTerms { k: self.k, max_k: numerics.max_k() });
        }
        check_matrix("activations", activations, self.m, self.k, numerics.activation())?;
        check_matrix("weights", weights, self.k, self.n, numerics.weight())
    }
}

/// The accumulator after every term: element (i, j) is the sum over t of `activations[i][t] * weights[t][j]`, wrapped to
/// the accumulator format.
///
/// Meaning in reals: the exact sum, wherever it fits the accumulator. Integer formula: the sum modulo
/// 2^`accumulator_bits`, brought into the signed range; so neither the order of the terms nor a split into tiles changes
/// it. Range: at most `max_k` terms of 32-bit products, exact in 64 bits. Corner case: a configuration whose
/// accumulator was asked to be narrower than its greatest sum drops the high bits and never saturates.
///
/// ```
/// let config = spec::Config::named("default").expect("it ships with Systole");
/// let shape = golden::Shape { m: 1, k: 2, n: 2 };
/// let psums = golden::matmul(config.numerics(), shape, &[3, -4], &[10, 20, 1, -1]).expect("it fits");
/// assert_eq!(psums, [26, 64]);
/// ```
///
/// Source: ONNX operator MatMulInteger, with the accumulator's width made explicit.
pub fn matmul(
    numerics: &Numerics,
    shape: Shape,
    activations: &[i32],
    weights: &[i32],
) -> Result<Vec<i64>, GoldenError> {
    shape.check(numerics, activations, weights)?;
    let Shape { m, k, n } = shape;
    let mut psums = Vec::with_capacity(m * n);
    for i in 0..m {
        for j in 0..n {
            let sum: i64 = (0..k).map(|t| i64::from(activations[i * k + t]) * i64::from(weights[t * n + j])).sum();
            psums.push(numerics.accumulator().wrap(sum));
        }
    }
    Ok(psums)
}

/// [`matmul`] by packed tiles; elements stand for the same values when read with [`Psum::read`].
pub fn matmul_fast<T: Psum>(
    numerics: &Numerics,
    shape: Shape,
    activations: &[i32],
    weights: &[i32],
) -> Result<Vec<T>, GoldenError> {
    shape.check(numerics, activations, weights)?;
    let tile = WeightTile::new(numerics, shape.k, shape.n, weights)?;
    let mut psums = vec![T::default(); shape.m * shape.n];
    tile.multiply(activations, &mut psums);
    Ok(psums)
}
