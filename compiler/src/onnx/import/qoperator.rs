//! Operators of integers, as the same operators of real numbers between DequantizeLinear and QuantizeLinear.

use super::constant::{self, Affine, Constant, Values};
use super::elementwise::{self, alike};
use super::linear::{Convolution, Dense};
use super::lowering::Lowering;
use super::node::Op;
use super::pool;
use super::quantization;
use super::step::{Bias, Operation, Quantization};
use super::view::Value;
use crate::float::Function;
use crate::onnx::error::OnnxError;
use golden::{Extent, Window};
use spec::Round;

pub fn node<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let x = op.required(0, "first operand")?;
    lowering.value(op, x)?;
    match op.kind().1 {
        "QLinearConv" => {
            let (from, to) = (activations(lowering, op, x, [1, 2])?, activations(lowering, op, x, [6, 7])?);
            let weights = weights(lowering, op, [3, 4, 5], 0)?;
            let bias = bias(lowering, op, 8, from, &weights, 1.0)?;
            let convolution = Convolution::new(lowering, op, x, weights, |n| checked(op, bias, n))?;
            let real = dequantized(lowering, op, convolution.input.tensor, from);
            let value = convolution.push(lowering, op, real);
            finish(lowering, op, value, to)
        }
        "QLinearMatMul" => {
            let (from, to) = (activations(lowering, op, x, [1, 2])?, activations(lowering, op, x, [6, 7])?);
            let weights = weights(lowering, op, [3, 4, 5], 1)?;
            let dense = Dense::new(lowering, op, x, weights, false)?;
            let real = dequantized(lowering, op, dense.input.tensor, from);
            let value = dense.push(lowering, op, real);
            finish(lowering, op, value, to)
        }
        "QGemm" => q_gemm(lowering, op, x),
        "MatMulInteger" | "ConvInteger" => integer(lowering, op, x),
        "QLinearAdd" => {
            let other = op.required(3, "second operand")?;
            if lowering.graph.is_constant(other) {
                return add_constant(lowering, op, x);
            }
            let a = activations(lowering, op, x, [1, 2])?;
            let b = activations(lowering, op, other, [4, 5])?;
            let to = activations(lowering, op, x, [6, 7])?;
            let [x, y] = alike(lowering, op, [x, other])?;
            let inputs = vec![dequantized(lowering, op, x.tensor, a), dequantized(lowering, op, y.tensor, b)];
            let tensor = lowering.push(op, inputs, Operation::Add);
            finish(lowering, op, Value { tensor, ..x }, to)
        }
        "QLinearGlobalAveragePool" | "QLinearAveragePool" => {
            if op.int("channels_last", 0) != 0 {
                return Err(op.refuse("channels_last = 1: only 0 is supported"));
            }
            let (from, to) = (activations(lowering, op, x, [1, 2])?, activations(lowering, op, x, [3, 4])?);
            let input = pool::image(lowering, op, x)?;
            let (window, extent) = if op.kind().1 == "QLinearAveragePool" {
                let window = pool::average(op, input)?;
                (window, pool::after(op, window, input)?)
            } else {
                (Window::of(input.size()), Extent::vector(input.channels))
            };
            let tensor = lowering.value(op, x)?.tensor;
            let real = dequantized(lowering, op, tensor, from);
            let value = pool::windowed(lowering, op, real, Operation::AveragePool(window), extent);
            finish(lowering, op, value, to)
        }
        _ => {
            let function = match op.kind().1 {
                "QLinearSigmoid" => Function::Sigmoid,
                _ => Function::LeakyRelu { alpha: op.float("alpha", 0.01)? },
            };
            let (from, to) = (activations(lowering, op, x, [1, 2])?, activations(lowering, op, x, [3, 4])?);
            let value = lowering.value(op, x)?;
            let real = dequantized(lowering, op, value.tensor, from);
            let tensor = lowering.push(op, vec![real], Operation::Function(function));
            finish(lowering, op, Value { tensor, ..value }, to)
        }
    }
}

/// QLinearAdd of activations and a constant a channel.
fn add_constant<'a>(lowering: &mut Lowering<'a>, op: Op<'a>, x: &str) -> Result<(), OnnxError> {
    let (from, to) = (activations(lowering, op, x, [1, 2])?, activations(lowering, op, x, [6, 7])?);
    let constant = weights(lowering, op, [3, 4, 5], 0)?;
    let bias = elementwise::per_channel(lowering, op, x, &constant)?;
    let value = lowering.value(op, x)?;
    let real = dequantized(lowering, op, value.tensor, from);
    let factors = vec![1.0; bias.real.len()];
    let tensor = lowering.push(op, vec![real], Operation::Affine { factors, bias });
    finish(lowering, op, Value { tensor, ..value }, to)
}

/// Scale and zero point of activations, operands `at`. Without a zero point the format is that of `like`.
fn activations(lowering: &Lowering<'_>, op: Op<'_>, like: &str, at: [usize; 2]) -> Result<Quantization, OnnxError> {
    let scales = quantization::scales(op, &lowering.constant(op, at[0], "scale")?)?;
    let (zeros, format) = match op.input(at[1]) {
        Some(_) => quantization::zero_points(op, &lowering.constant(op, at[1], "zero point")?, scales.len())?,
        None => {
            let format = lowering.formats[lowering.value(op, like)?.tensor];
            (vec![0; scales.len()], format.ok_or_else(|| op.operand("first operand", "integers"))?)
        }
    };
    quantization::one(op, &scales, &zeros, format, Round::HalfToEven)
}

/// Integer weights: operands value, scale and zero point; `axis` is that of their output channels.
fn weights(lowering: &Lowering<'_>, op: Op<'_>, at: [usize; 3], axis: usize) -> Result<Constant, OnnxError> {
    let constant = lowering.constant(op, at[0], "weights")?;
    let scales = quantization::scales(op, &lowering.constant(op, at[1], "scale of the weights")?)?;
    affine(lowering, op, constant, scales, at[2], axis)
}

fn affine(
    lowering: &Lowering<'_>,
    op: Op<'_>,
    constant: Constant,
    scales: Vec<f32>,
    zero_at: usize,
    axis: usize,
) -> Result<Constant, OnnxError> {
    let Values::Integer(values, format) = constant.values else {
        return Err(constant.wrong_type(op, "integers of at most 32 bits"));
    };
    let n = constant.dims.get(axis).copied().unwrap_or(0);
    if scales.len() != 1 && scales.len() != n {
        return Err(op.shape("the scales of the weights", &[scales.len()], format!("1 or {n}, the output channels")));
    }
    let zero = op.input(zero_at).map(|_| lowering.constant(op, zero_at, "zero point of the weights")).transpose()?;
    // One scale may go with a zero point a channel.
    let per_channel = scales.len().max(zero.as_ref().map_or(1, Constant::len));
    let scales = if scales.len() < per_channel { vec![scales[0]; per_channel] } else { scales };
    let zero_points = match zero {
        Some(zero) => {
            let (zeros, stated) = quantization::zero_points(op, &zero, scales.len())?;
            if stated != format {
                return Err(op.refuse(format!("its zero point is {stated}, but its weights are {format}")));
            }
            zeros
        }
        None => vec![0; scales.len()],
    };
    if scales.len() != 1 && scales.len() != n {
        return Err(op.shape("the zero points of the weights", &[scales.len()], format!("1 or {n}")));
    }
    let axis = (scales.len() > 1).then_some(axis);
    Ok(Constant { values: Values::Affine(Affine { values, format, scales, zero_points, axis }), ..constant })
}

/// An int32 bias in steps of the accumulator.
fn bias(
    lowering: &Lowering<'_>,
    op: Op<'_>,
    at: usize,
    input: Quantization,
    weights: &Constant,
    alpha: f64,
) -> Result<Option<Bias>, OnnxError> {
    if op.input(at).is_none() {
        return Ok(None);
    }
    let constant = lowering.constant(op, at, "bias")?;
    let Values::Affine(affine) = &weights.values else { return Ok(None) };
    let values = constant.integers(op)?;
    let n = match affine.axis {
        Some(axis) => weights.dims[axis],
        None => values.len(),
    };
    if values.len() != n {
        return Err(op.shape("the bias", &constant.dims, format!("[{n}]")));
    }
    let scale =
        |j: usize| f64::from(input.scale) * f64::from(affine.scales[if affine.axis.is_none() { 0 } else { j }]) * alpha;
    let integers = values.iter().enumerate().map(|(j, &value)| (value, scale(j))).collect();
    Ok(Some(Bias { integers, real: vec![0.0; n] }))
}

fn checked(op: Op<'_>, bias: Option<Bias>, n: usize) -> Result<Bias, OnnxError> {
    match bias {
        Some(bias) if bias.real.len() != n => Err(op.shape("the bias", &[bias.real.len()], format!("[{n}]"))),
        bias => Ok(bias.unwrap_or_else(|| Bias::zero(n))),
    }
}

fn dequantized(lowering: &mut Lowering<'_>, op: Op<'_>, tensor: usize, quantization: Quantization) -> usize {
    lowering.push(op, vec![tensor], Operation::Dequantize(quantization))
}

fn finish<'a>(
    lowering: &mut Lowering<'a>,
    op: Op<'a>,
    value: Value,
    quantization: Quantization,
) -> Result<(), OnnxError> {
    let tensor = lowering.push(op, vec![value.tensor], Operation::Quantize(quantization));
    lowering.views.insert(op.output()?, Value { tensor, ..value });
    Ok(())
}

fn q_gemm<'a>(lowering: &mut Lowering<'a>, op: Op<'a>, x: &str) -> Result<(), OnnxError> {
    if op.int("transA", 0) != 0 {
        return Err(op.refuse("transA = 1: only 0 is supported"));
    }
    if op.input(7).is_none() {
        return Err(op.refuse("without a scale of its output: its output must be quantized"));
    }
    let (from, to) = (activations(lowering, op, x, [1, 2])?, activations(lowering, op, x, [7, 8])?);
    let transposed = op.int("transB", 0) != 0;
    let alpha = op.float("alpha", 1.0)?;
    let weights = weights(lowering, op, [3, 4, 5], usize::from(!transposed))?;
    let bias = bias(lowering, op, 6, from, &weights, alpha.into())?;
    let mut dense = Dense::new(lowering, op, x, weights, transposed)?;
    let n = dense.linear.n();
    let bias = checked(op, bias, n)?;
    dense.linear = dense.linear.then(&vec![alpha.into(); n], bias);
    let real = dequantized(lowering, op, dense.input.tensor, from);
    let value = dense.push(lowering, op, real);
    finish(lowering, op, value, to)
}

const INTEGER_FORM: &str =
    "its output must go to a Cast to float32 and a Mul by a constant, the scale of its sums, and nowhere else";

/// MatMulInteger and ConvInteger with the Cast and the Mul behind them.
fn integer<'a>(lowering: &mut Lowering<'a>, op: Op<'a>, x: &str) -> Result<(), OnnxError> {
    let graph = lowering.graph;
    let after = |value: &str, operator: &str| {
        graph.only_reader(value).map(Op::new).filter(|next| next.kind() == ("", operator))
    };
    let cast = after(op.output()?, "Cast").filter(|cast| cast.int("to", 0) == 1);
    let cast = cast.ok_or_else(|| op.refuse(INTEGER_FORM))?;
    let mul = after(cast.output()?, "Mul").ok_or_else(|| op.refuse(INTEGER_FORM))?;
    let factor = [0, 1].into_iter().filter_map(|at| mul.input(at)).find(|value| graph.is_constant(value));
    let factor = constant::of(graph, mul, factor.ok_or_else(|| op.refuse(INTEGER_FORM))?)?;
    let sums = quantization::scales(mul, &factor)?;
    let value = lowering.value(op, x)?;
    let from = value.tensor.checked_sub(1).map(|at| &lowering.steps[at].operation);
    let Some(&Operation::Quantize(from)) = from else {
        return Err(op.refuse("its first operand must be the output of QuantizeLinear, with a constant scale"));
    };
    if let Some(zero) = op.input(2) {
        let given = constant::of(graph, op, zero)?.integers(op)?;
        if given.iter().any(|&zero| zero != from.zero_point) {
            let zero_point = from.zero_point;
            return Err(op.refuse(format!("its zero point {given:?} must be its operand's, {zero_point}")));
        }
    } else if from.zero_point != 0 {
        return Err(op.refuse(format!("it has no zero point, but its operand has {}", from.zero_point)));
    }
    let weights = lowering.constant(op, 1, "second operand")?;
    let axis = if op.kind().1 == "ConvInteger" { 0 } else { weights.dims.len().max(1) - 1 };
    // Weights with the scale 1 make sums in steps of the operand's scale, which the factor then replaces.
    let weights = affine(lowering, op, weights, vec![1.0], 3, axis)?;
    let n = weights.dims.get(axis).copied().unwrap_or(0);
    if sums.len() != 1 && sums.len() != n {
        return Err(mul.shape("the scale of the sums", &factor.dims, format!("1 or {n}, the output channels")));
    }
    let factors: Vec<f64> =
        (0..n).map(|j| f64::from(sums[if sums.len() == 1 { 0 } else { j }]) / f64::from(from.scale)).collect();
    let real = dequantized(lowering, op, value.tensor, from);
    let value = if op.kind().1 == "ConvInteger" {
        let convolution = Convolution::new(lowering, op, x, weights, |n| Ok(Bias::zero(n)))?;
        convolution.scaled(&factors).push(lowering, op, real)
    } else {
        let mut dense = Dense::new(lowering, op, x, weights, false)?;
        dense.linear = dense.linear.then(&factors, Bias::zero(n));
        dense.push(lowering, op, real)
    };
    lowering.views.insert(mul.output()?, value);
    lowering.covered.extend([cast.node as *const _, mul.node as *const _]);
    Ok(())
}
