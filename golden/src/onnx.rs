//! ONNX's quantized operators, to the bit: what its specification says and onnxruntime and tract compute.

use crate::error::GoldenError;
use crate::format::QFormat;
use crate::ops::{channel_of, conv2d, matmul_with_zeros, AccumulatorRule, Conv2d};
use crate::quantizer::{Granularity, InfinityPolicy, NanPolicy, Order, Quantizer, QuantizerParts, QuantizerRounding};
use crate::scale::Scale;
use crate::scheme::{OutputStage, Scheme};
use crate::Shape;
use spec::Round;

mod add;
mod pool;

pub use add::{clip, qlinear_add};
pub use pool::{max_pool, qlinear_average_pool, qlinear_global_average_pool, Divisor, Pool2d};

/// A tensor's scales and zero points, as the operators take them: one of each, or one per channel or block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine<'a> {
    pub scales: &'a [f32],
    pub zero_points: &'a [i64],
}

fn quantizer(format: QFormat, affine: Affine<'_>, granularity: Granularity) -> Result<Quantizer, GoldenError> {
    let scales = affine.scales.iter().enumerate().map(|(index, &scale)| scale_at(index, scale));
    Quantizer::new(QuantizerParts {
        format,
        scales: scales.collect::<Result<_, _>>()?,
        zero_points: affine.zero_points.to_vec(),
        granularity,
        rounding: QuantizerRounding::Fixed(Round::HalfToEven),
        order: Order::DivideThenAdd,
        nan: NanPolicy::Least,
        infinity: InfinityPolicy::Saturate,
    })
}

fn scale_at(index: usize, scale: f32) -> Result<Scale, GoldenError> {
    Scale::f32(scale).map_err(|error| match error {
        GoldenError::Scale { value, rule, .. } => GoldenError::Scale { index, value, rule },
        other => other,
    })
}

/// QuantizeLinear: saturate(RNE(x / scale) + zero_point), divided in f32. Infinities saturate; NaN becomes the least value,
/// as in onnxruntime (ONNX leaves it open).
pub fn quantize_linear(
    values: &[f32],
    shape: &[usize],
    format: QFormat,
    affine: Affine<'_>,
    granularity: Granularity,
) -> Result<Vec<i32>, GoldenError> {
    quantizer(format, affine, granularity)?.quantize(values, shape)
}

/// DequantizeLinear: (q - zero_point) scale, the difference exact, the product in f32.
pub fn dequantize_linear(
    values: &[i32],
    shape: &[usize],
    format: QFormat,
    affine: Affine<'_>,
    granularity: Granularity,
) -> Result<Vec<f32>, GoldenError> {
    quantizer(format, affine, granularity)?.dequantize(values, shape)
}

/// What [`dynamic_quantize_linear`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Dynamic {
    pub values: Vec<i32>,
    pub scale: f32,
    pub zero_point: i64,
}

/// DynamicQuantizeLinear to uint8: the range is widened to hold 0; scale = (max - min) / 255 in f32, zero_point = RNE(clamp(0 - min /
/// scale, 0, 255)), values by [`quantize_linear`]. A tensor of zeros has the scale 1.
///
/// Errors: an empty tensor, NaN or infinities, a range whose scale is no normal f32.
pub fn dynamic_quantize_linear(values: &[f32]) -> Result<Dynamic, GoldenError> {
    if values.is_empty() {
        return Err(GoldenError::Empty { dimension: "number of values" });
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(GoldenError::NotFinite { index, value: values[index] });
    }
    let (low, high) = values.iter().fold((0.0_f32, 0.0_f32), |(low, high), &x| (low.min(x), high.max(x)));
    let scale = if low == high { 1.0 } else { (high - low) / 255.0 };
    let zero_point = (0.0 - low / scale).clamp(0.0, 255.0).round_ties_even() as i64;
    let affine = Affine { scales: &[scale], zero_points: &[zero_point] };
    let uint8 = QFormat::full(8, false)?;
    let values = quantize_linear(values, &[values.len()], uint8, affine, Granularity::Tensor)?;
    Ok(Dynamic { values, scale, zero_point })
}

/// MatMulInteger: sum of (a - a_zero) (b - b_zero) modulo 2^32, as int32. Zero points: one, or one per row of a and column of b.
pub fn matmul_integer(
    shape: Shape,
    a: &[i32],
    a_zeros: &[i64],
    b: &[i32],
    b_zeros: &[i64],
) -> Result<Vec<i64>, GoldenError> {
    matmul_with_zeros(shape, a, a_zeros, b, b_zeros, &[], AccumulatorRule::INT32)
}

/// ConvInteger: the convolution's sums modulo 2^32, as int32.
pub fn conv_integer(
    shape: &Conv2d,
    x: &[i32],
    x_zero: i64,
    w: &[i32],
    w_zeros: &[i64],
) -> Result<Vec<i64>, GoldenError> {
    conv2d(shape, x, x_zero, w, w_zeros, &[], AccumulatorRule::INT32)
}

/// The ratio that onnxruntime scales accumulators by: f32(f32(s_x s_w) / s_y), in this order.
pub fn effective_scale(x: f32, w: f32, y: f32) -> f32 {
    x * w / y
}

/// One quantized operand of an operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operand<'a> {
    pub values: &'a [i32],
    pub affine: Affine<'a>,
}

/// The output's format, scale and zero point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output {
    pub format: QFormat,
    pub scale: f32,
    pub zero_point: i64,
}

impl Output {
    /// What its requantization ends with, if scale and zero point are legal.
    fn stage(&self) -> Result<OutputStage, GoldenError> {
        Scale::f32(self.scale)?;
        let (low, high) = (self.format.min(), self.format.max());
        if !self.format.contains(self.zero_point) {
            let value = self.zero_point;
            return Err(GoldenError::OutOfRange { property: "zero_point", value, min: low, max: high });
        }
        Ok(OutputStage { zero_point: self.zero_point, low, high })
    }
}

fn requantize(
    sums: Vec<i64>,
    channel: impl Fn(usize) -> usize,
    x_scale: f32,
    w_scales: &[f32],
    y: Output,
) -> Result<Vec<i32>, GoldenError> {
    for scales in [&[x_scale], w_scales] {
        for (index, &scale) in scales.iter().enumerate() {
            scale_at(index, scale)?;
        }
    }
    let stage = y.stage()?;
    let scale_of = |index: usize| match w_scales {
        [one] => *one,
        many => many[channel(index)],
    };
    let output = |(index, &acc): (usize, &i64)| {
        let scheme = Scheme::F32Even(effective_scale(x_scale, scale_of(index), y.scale));
        // Formats of at most 32 bits.
        scheme.requantize(acc, stage) as i32
    };
    Ok(sums.iter().enumerate().map(output).collect())
}

fn one_scale(x: Operand<'_>) -> Result<(f32, i64), GoldenError> {
    match (x.affine.scales, x.affine.zero_points) {
        ([scale], [zero_point]) => Ok((*scale, *zero_point)),
        ([_], zeros) => {
            Err(GoldenError::Length { what: "zero points of the activations", given: zeros.len(), expected: 1 })
        }
        (scales, _) => Err(GoldenError::Length { what: "scales of the activations", given: scales.len(), expected: 1 }),
    }
}

fn check_scales(w: Operand<'_>, n: usize) -> Result<(), GoldenError> {
    if w.affine.scales.len() == 1 || w.affine.scales.len() == n {
        return Ok(());
    }
    Err(GoldenError::Length { what: "scales of the weights", given: w.affine.scales.len(), expected: n })
}

/// QLinearMatMul: the sums of [`matmul_integer`], then clamp(RNE(f32(sum) f32(f32(s_a s_b) / s_y)) + z_y).
pub fn qlinear_matmul(shape: Shape, a: Operand<'_>, b: Operand<'_>, y: Output) -> Result<Vec<i32>, GoldenError> {
    let (a_scale, a_zero) = one_scale(a)?;
    check_scales(b, shape.n)?;
    let sums = matmul_integer(shape, a.values, &[a_zero], b.values, b.affine.zero_points)?;
    requantize(sums, |index| index % shape.n, a_scale, b.affine.scales, y)
}

/// QGemm with alpha = 1 and an output scale: the sums of [`matmul_integer`] plus the int32 bias, then as [`qlinear_matmul`]. Source:
/// onnxruntime's contributed operators; it has no page in the ONNX specification.
pub fn qgemm(shape: Shape, a: Operand<'_>, b: Operand<'_>, bias: &[i64], y: Output) -> Result<Vec<i32>, GoldenError> {
    let (a_scale, a_zero) = one_scale(a)?;
    check_scales(b, shape.n)?;
    let zeros = b.affine.zero_points;
    let sums = matmul_with_zeros(shape, a.values, &[a_zero], b.values, zeros, bias, AccumulatorRule::INT32)?;
    requantize(sums, |index| index % shape.n, a_scale, b.affine.scales, y)
}

/// QLinearConv: the sums of [`conv_integer`] plus the int32 bias, then as [`qlinear_matmul`].
pub fn qlinear_conv(
    shape: &Conv2d,
    x: Operand<'_>,
    w: Operand<'_>,
    bias: &[i64],
    y: Output,
) -> Result<Vec<i32>, GoldenError> {
    let (x_scale, x_zero) = one_scale(x)?;
    check_scales(w, shape.out_channels)?;
    let zeros = w.affine.zero_points;
    let sums = conv2d(shape, x.values, x_zero, w.values, zeros, bias, AccumulatorRule::INT32)?;
    let output = shape.output()?;
    requantize(sums, |index| channel_of(shape, output, index), x_scale, w.affine.scales, y)
}
