//! Sums of quantized tensors, and clamps.

use super::{one_scale, Operand, Output};
use crate::error::GoldenError;
use crate::scale::Scale;
use crate::shift_round::round_f64;
use spec::Round;

/// QLinearAdd of equally shaped tensors, as onnxruntime computes it where the processor has fused multiply-adds.
///
/// Meaning in reals: s_y (y - z_y) = s_a (a - z_a) + s_b (b - z_b). Formula, every operation in f32 and fma(p, q, r) = p q + r rounded
/// once:
///
/// ```text
/// A = s_a / s_y        B = s_b / s_y        c = z_y - fma(A, z_a, B z_b)
/// y = clamp(RNE(fma(a, A, fma(b, B, c))))
/// ```
///
/// Ties: to even, but of the sum that already holds the zero point: with an odd z_y the half above an even difference goes up, unlike in
/// [`super::quantize_linear`]. The order counts: a and b may not be exchanged. Range: sums saturate; onnxruntime on x86 gives the
/// format's least value for sums from 2^31 on. The ratios A and B must be normal.
///
/// ```
/// use golden::onnx::{qlinear_add, Affine, Operand, Output};
/// let half = Affine { scales: &[0.5], zero_points: &[0] };
/// let (a, b) = (Operand { values: &[1, 3], affine: half }, Operand { values: &[0, 0], affine: half });
/// let y = Output { format: golden::QFormat::full(8, true)?, scale: 1.0, zero_point: 1 };
/// // 0.5 + 1 and 1.5 + 1 are both ties, and both go to 2.
/// assert_eq!(qlinear_add(a, b, y)?, [2, 2]);
/// # Ok::<(), golden::GoldenError>(())
/// ```
///
/// Source: onnxruntime's contributed operator com.microsoft.QLinearAdd. Its page gives no arithmetic; this order was found by trying
/// the candidates on all pairs of 8-bit values with scales rich in ties (golden/vectors/onnx_layers.py).
pub fn qlinear_add(a: Operand<'_>, b: Operand<'_>, y: Output) -> Result<Vec<i32>, GoldenError> {
    let ((a_scale, a_zero), (b_scale, b_zero)) = (one_scale(a)?, one_scale(b)?);
    let stage = y.stage()?;
    let (a_ratio, b_ratio) = (a_scale / y.scale, b_scale / y.scale);
    for scale in [a_scale, b_scale, a_ratio, b_ratio] {
        Scale::f32(scale)?;
    }
    if a.values.len() != b.values.len() {
        let (given, expected) = (b.values.len(), a.values.len());
        return Err(GoldenError::Length { what: "second operand of an add", given, expected });
    }
    let fixed = y.zero_point as f32 - a_ratio.mul_add(a_zero as f32, b_ratio * b_zero as f32);
    let output = |(&a, &b): (&i32, &i32)| {
        let sum = (a as f32).mul_add(a_ratio, (b as f32).mul_add(b_ratio, fixed));
        // Formats of at most 32 bits; the cast of an infinite sum saturates.
        (round_f64(sum.into(), Round::HalfToEven) as i64).max(stage.low).min(stage.high) as i32
    };
    Ok(a.values.iter().zip(b.values).map(output).collect())
}

/// Clip on integers: min(max(q, low), high), so `high` wins if the bounds cross. Relu on integers is `clip(values, 0, i32::MAX)`; the
/// ReLU of the reals that the integers stand for has their zero point as `low`.
pub fn clip(values: &[i32], low: i32, high: i32) -> Vec<i32> {
    values.iter().map(|&value| value.max(low).min(high)).collect()
}
