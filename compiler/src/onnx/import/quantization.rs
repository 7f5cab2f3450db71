//! Scales, zero points and formats, as QuantizeLinear, DequantizeLinear and QONNX's Quant state them.

use super::constant::{self, Affine, Constant, Values};
use super::graph::Graph;
use super::node::Op;
use super::step::Quantization;
use crate::onnx::error::OnnxError;
use golden::{
    Granularity, InfinityPolicy, Kind, NanPolicy, Order, QFormat, Quantizer, QuantizerParts, QuantizerRounding, Range,
    Scale,
};
use spec::Round;

/// What a node states.
struct Stated {
    scales: Vec<f32>,
    zero_points: Vec<i64>,
    format: QFormat,
    order: Order,
    round: Round,
    /// Of the scales' tensor, by which QONNX finds the axis.
    dims: Vec<usize>,
}

type Operands<'f> = &'f dyn Fn(usize, &'static str) -> Result<Constant, OnnxError>;

/// The scales of operand `at`, each positive, finite and normal.
pub fn scales(op: Op<'_>, constant: &Constant) -> Result<Vec<f32>, OnnxError> {
    let scales = constant.floats(op)?;
    match scales.iter().position(|scale| !(scale.is_normal() && *scale > 0.0)) {
        None if scales.is_empty() => Err(op.shape("the scales", &constant.dims, "one or more")),
        None => Ok(scales),
        Some(index) => Err(OnnxError::Scale {
            node: op.name(),
            operator: op.node.op_type.clone(),
            tensor: constant.name.clone(),
            index,
            value: scales[index],
        }),
    }
}

/// Zero points and their format, as many as scales.
pub fn zero_points(op: Op<'_>, constant: &Constant, n: usize) -> Result<(Vec<i64>, QFormat), OnnxError> {
    let Values::Integer(values, format) = &constant.values else {
        return Err(constant.wrong_type(op, "zero points, integers of at most 32 bits,"));
    };
    match values.len() {
        len if len == n => Ok((values.iter().map(|&value| value.into()).collect(), *format)),
        1 => Ok((vec![values[0].into(); n], *format)),
        _ => Err(op.shape("the zero points", &constant.dims, format!("as many as scales: {n}"))),
    }
}

/// Of a QuantizeLinear, or of a DequantizeLinear of a value of `format`.
fn linear(op: Op<'_>, operand: Operands<'_>, format: Option<QFormat>) -> Result<Stated, OnnxError> {
    if op.int("block_size", 0) != 0 {
        return Err(op.refuse("block_size: one scale a tensor or a channel is supported"));
    }
    let scale = operand(1, "scale")?;
    let scales = scales(op, &scale)?;
    let n = scales.len();
    let (zero_points, stated) = match op.input(2) {
        Some(_) => {
            let (zeros, format) = zero_points(op, &operand(2, "zero point")?, n)?;
            (zeros, Some(format))
        }
        None => (vec![0; n], None),
    };
    let named = match op.kind().1 {
        "QuantizeLinear" if op.int("output_dtype", 0) != 0 => {
            let data_type = op.int("output_dtype", 0);
            let format = i32::try_from(data_type).ok().and_then(constant::format_of);
            Some(format.ok_or_else(|| op.refuse(format!("output_dtype = {data_type}: integers of 4, 8 and 16 bits")))?)
        }
        "QuantizeLinear" if stated.is_none() => Some(QFormat::full(8, false).map_err(|source| op.golden(source))?),
        _ => format,
    };
    let format = match (stated, named) {
        (Some(stated), Some(named)) if stated != named => {
            return Err(
                op.refuse(format!("its zero point is {stated}, but its values are {named}: they must be equal"))
            );
        }
        (Some(format), _) | (None, Some(format)) => format,
        (None, None) => return Err(op.refuse("the integer type of its operand is not known")),
    };
    Ok(Stated { scales, zero_points, format, order: Order::DivideThenAdd, round: Round::HalfToEven, dims: scale.dims })
}

/// Of QONNX's Quant and BipolarQuant.
fn qonnx(op: Op<'_>, operand: Operands<'_>) -> Result<Stated, OnnxError> {
    let scale = operand(1, "scale")?;
    let (scales, dims) = (scales(op, &scale)?, scale.dims.clone());
    if op.kind().1 == "BipolarQuant" {
        let (n, format) = (scales.len(), QFormat::BIPOLAR);
        let (order, round) = (Order::ClampThenRound, Round::HalfTowardPositive);
        return Ok(Stated { zero_points: vec![0; n], scales, format, order, round, dims });
    }
    let whole = |at, what| -> Result<Vec<i64>, OnnxError> {
        let constant: Constant = operand(at, what)?;
        match &constant.values {
            Values::Float(values) => match values.iter().find(|value| value.fract() != 0.0 || value.abs() > 1e9) {
                None => Ok(values.iter().map(|&value| value as i64).collect()),
                Some(value) => Err(op.refuse(format!("its {what} is {value}: it must be a whole number"))),
            },
            _ => constant.integers(op),
        }
    };
    let zeros = whole(2, "zero point")?;
    let zero_points = match zeros[..] {
        [zero] => vec![zero; scales.len()],
        _ if zeros.len() == scales.len() => zeros,
        _ => return Err(op.shape("the zero points", &[zeros.len()], format!("as many as scales: {}", scales.len()))),
    };
    let bits = match whole(3, "bit width")?[..] {
        [bits] => bits,
        _ => return Err(op.refuse("its bit width must be one number")),
    };
    let kind = if op.int("signed", 1) != 0 { Kind::Signed } else { Kind::Unsigned };
    let range = if op.int("narrow", 0) != 0 { Range::Narrow } else { Range::Full };
    let format = QFormat::new(kind, u32::try_from(bits).unwrap_or(0), range).map_err(|source| op.golden(source))?;
    let round = match op.text("rounding_mode", "ROUND").to_uppercase().as_str() {
        "ROUND" | "HALF_EVEN" => Round::HalfToEven,
        "CEIL" => Round::Ceil,
        "FLOOR" => Round::Floor,
        "UP" => Round::AwayFromZero,
        "DOWN" | "ROUND_TO_ZERO" => Round::TowardZero,
        "HALF_UP" => Round::HalfAwayFromZero,
        "HALF_DOWN" => Round::HalfTowardZero,
        mode => {
            let known = "ROUND, CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN";
            return Err(op.refuse(format!("rounding_mode = {mode}: those read are {known}")));
        }
    };
    Ok(Stated { scales, zero_points, format, order: Order::ClampThenRound, round, dims })
}

/// What a node that quantizes or dequantizes activations states; `format` is its operand's, if it has integers.
pub fn of_activations(graph: &Graph<'_>, op: Op<'_>, format: Option<QFormat>) -> Result<Quantization, OnnxError> {
    let operand = |at, what| constant::of(graph, op, op.required(at, what)?);
    let stated = if op.kind().0 == "qonnx" { qonnx(op, &operand)? } else { linear(op, &operand, format)? };
    if stated.format.kind() == Kind::Bipolar {
        return Err(op.refuse("bipolar activations: the requantizer rounds and clamps, it takes no sign"));
    }
    one(op, &stated.scales, &stated.zero_points, stated.format, stated.round)
}

/// One scale and zero point, as activations have them.
pub fn one(
    op: Op<'_>,
    scales: &[f32],
    zero_points: &[i64],
    format: QFormat,
    round: Round,
) -> Result<Quantization, OnnxError> {
    let (&[scale], &[zero_point]) = (scales, zero_points) else {
        return Err(op.refuse(format!("{} scales of activations: one a tensor is supported", scales.len())));
    };
    if !format.contains(zero_point) {
        return Err(op.refuse(format!("its zero point {zero_point} must be a value of {format}")));
    }
    Ok(Quantization { scale, zero_point, format, round })
}

/// A constant, quantized or dequantized.
pub fn of_constant(
    graph: &Graph<'_>,
    op: Op<'_>,
    mut constant: Constant,
    operand: Operands<'_>,
) -> Result<Constant, OnnxError> {
    let format = match &constant.values {
        Values::Integer(_, format) => Some(*format),
        _ => None,
    };
    debug_assert!(op.node.output.first().is_some_and(|output| graph.is_constant(output)));
    constant.name = op.output()?.to_owned();
    let stated = if op.kind().0 == "qonnx" { qonnx(op, operand)? } else { linear(op, operand, format)? };
    let axis = axis_of(op, &constant, &stated)?;
    if op.kind().1 == "DequantizeLinear" {
        let Values::Integer(values, format) = constant.values else {
            return Err(constant.wrong_type(op, "integers of at most 32 bits"));
        };
        let (scales, zero_points) = (stated.scales, stated.zero_points);
        constant.values = Values::Affine(Affine { values, format, scales, zero_points, axis });
        return Ok(constant);
    }
    let values = constant.floats(op)?;
    let scales = stated.scales.iter().map(|&scale| Scale::f32(scale)).collect::<Result<_, _>>();
    let quantizer = scales.and_then(|scales| {
        Quantizer::new(QuantizerParts {
            format: stated.format,
            scales,
            zero_points: stated.zero_points.clone(),
            granularity: axis.map_or(Granularity::Tensor, Granularity::Axis),
            rounding: QuantizerRounding::Fixed(stated.round),
            order: stated.order,
            nan: NanPolicy::Least,
            infinity: InfinityPolicy::Saturate,
        })
    });
    let q = quantizer.and_then(|quantizer| quantizer.quantize(&values, &constant.dims));
    let (q, format) = (q.map_err(|source| op.golden(source))?, stated.format);
    constant.values = match op.kind().0 {
        "qonnx" => {
            let (scales, zero_points) = (stated.scales, stated.zero_points);
            Values::Affine(Affine { values: q, format, scales, zero_points, axis })
        }
        _ => Values::Integer(q, format),
    };
    Ok(constant)
}

/// The axis along which scales differ: none if there is one.
fn axis_of(op: Op<'_>, constant: &Constant, stated: &Stated) -> Result<Option<usize>, OnnxError> {
    let n = stated.scales.len();
    if n == 1 {
        return Ok(None);
    }
    let rank = constant.dims.len();
    let axis = if op.kind().0 == "qonnx" {
        // Broadcast as numpy does: the one dimension that is not 1, from the end.
        let ahead = rank.checked_sub(stated.dims.len());
        let at = stated.dims.iter().position(|&dim| dim == n);
        ahead.zip(at).map(|(ahead, at)| ahead + at)
    } else {
        Some(op.axis("axis", op.int("axis", 1), rank)?)
    };
    match axis {
        Some(axis) if constant.dims[axis] == n => Ok(Some(axis)),
        _ => {
            Err(op.shape("the scales", &stated.dims, format!("one, or one a place of an axis of {:?}", constant.dims)))
        }
    }
}
