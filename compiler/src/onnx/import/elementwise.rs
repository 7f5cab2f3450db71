//! Operators of each element: sums, constants a channel, clamps and functions.

use super::constant::{self, Constant};
use super::linear;
use super::lowering::Lowering;
use super::node::Op;
use super::step::{Bias, Operation};
use super::view::{Value, CHANNEL};
use crate::float::Function;
use crate::onnx::error::OnnxError;

pub fn binary<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let names = [op.required(0, "first operand")?, op.required(1, "second operand")?];
    let constants = names.map(|name| lowering.graph.is_constant(name));
    let (operator, to) = (op.kind().1, op.output()?);
    let (at, name) = match constants {
        [false, false] if operator == "Add" => return add(lowering, op, names, to),
        [false, false] if operator == "Mul" => return gated(lowering, op, names, to),
        [false, false] => return Err(op.refuse("of two activations: one must be a constant")),
        [false, true] => (1, names[0]),
        _ => (0, names[1]),
    };
    if operator == "Div" && at == 0 {
        return Err(op.refuse("of a constant by activations is not supported"));
    }
    lowering.value(op, name)?;
    let constant = constant::of(lowering.graph, op, names[at])?;
    let bias = per_channel(lowering, op, name, &constant)?;
    let n = bias.real.len();
    let ones = |sign: f64| vec![sign; n];
    let (factors, bias) = match operator {
        "Add" => (ones(1.0), bias),
        "Sub" if at == 1 => (ones(1.0), bias.scaled(&ones(-1.0))),
        "Sub" => (ones(-1.0), bias),
        "Mul" => (bias.values(), Bias::zero(n)),
        _ => (bias.values().into_iter().map(f64::recip).collect(), Bias::zero(n)),
    };
    if factors.iter().any(|factor| !factor.is_finite()) {
        return Err(op.refuse(format!("tensor {} holds 0, by which it divides", constant.name)));
    }
    lowering.element_wise(op, name, Operation::Affine { factors, bias }, to)
}

/// A constant that is broadcast to the value `name`, as one number a channel.
pub fn per_channel(
    lowering: &mut Lowering<'_>,
    op: Op<'_>,
    name: &str,
    constant: &Constant,
) -> Result<Bias, OnnxError> {
    let value = lowering.views.settled(name).ok_or_else(|| op.refuse("its operand has too many dimensions"))?;
    let n = lowering.views.extent(value.space).channels;
    let rank = value.dims.len() + 1;
    let refuse = || {
        let (dims, given) = (&value.dims, &constant.dims);
        op.refuse(format!(
            "tensor {} of {given:?} with {dims:?} after the batch: only constants a channel",
            constant.name
        ))
    };
    let mut channelwise = false;
    for (from_end, &dim) in constant.dims.iter().rev().enumerate() {
        let at = (rank.checked_sub(from_end + 1)).and_then(|axis| axis.checked_sub(1));
        match at {
            _ if dim == 1 => {}
            Some(at) if value.dims[at] == dim && value.axes[at] == [CHANNEL] => channelwise = true,
            _ => return Err(refuse()),
        }
    }
    // More dimensions would make the value larger.
    if constant.dims.len() > rank || constant.len() == 0 {
        return Err(refuse());
    }
    linear::spread(constant, op, n, |j| if channelwise { j } else { 0 })
}

/// Two values of the same dimensions, with the axes of both known.
pub fn alike(lowering: &mut Lowering<'_>, op: Op<'_>, names: [&str; 2]) -> Result<[Value; 2], OnnxError> {
    lowering.value(op, names[0])?;
    lowering.value(op, names[1])?;
    let like = lowering.views.settle_like(names[0], names[1]).and(lowering.views.settle_like(names[1], names[0]));
    let values = names.map(|name| lowering.views.settled(name));
    let (Some(()), [Some(a), Some(b)]) = (like, values) else {
        return Err(op.refuse("the axes of its operands differ, or are too many"));
    };
    if a.dims != b.dims || a.axes != b.axes || lowering.views.extent(a.space) != lowering.views.extent(b.space) {
        return Err(op.refuse(format!("of {:?} and {:?} after the batch: they must be equal", a.dims, b.dims)));
    }
    Ok([a, b])
}

fn add<'a>(lowering: &mut Lowering<'a>, op: Op<'a>, names: [&str; 2], to: &'a str) -> Result<(), OnnxError> {
    let [a, b] = alike(lowering, op, names)?;
    let tensor = lowering.push(op, vec![a.tensor, b.tensor], Operation::Add);
    lowering.views.insert(to, Value { tensor, ..a });
    Ok(())
}

/// x sigmoid(x), and x times HardSwish's gate.
fn gated<'a>(lowering: &mut Lowering<'a>, op: Op<'a>, names: [&str; 2], to: &'a str) -> Result<(), OnnxError> {
    let values = [lowering.value(op, names[0])?, lowering.value(op, names[1])?];
    for [x, gate] in [[0, 1], [1, 0]] {
        let Some(step) = values[gate].tensor.checked_sub(1).map(|at| &lowering.steps[at]) else { continue };
        let Operation::Function(function) = step.operation else { continue };
        let function = match function {
            Function::Sigmoid => Function::Silu,
            Function::HardSigmoid { alpha, beta } if (alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5 => {
                Function::HardSwish
            }
            _ => continue,
        };
        let same = |value: &Value| (value.space, value.dims.clone(), value.axes.clone());
        if step.inputs == [values[x].tensor] && same(&values[x]) == same(&values[gate]) {
            return lowering.element_wise(op, names[x], Operation::Function(function), to);
        }
    }
    Err(op.refuse("of two activations: only x Sigmoid(x) and x HardSigmoid(x) with alpha = 1/6, beta = 0.5"))
}

pub fn clamp<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let bounds = if op.kind().1 == "Relu" {
        [0.0, f32::INFINITY]
    } else {
        let mut bounds = [f32::NEG_INFINITY, f32::INFINITY];
        for (at, (name, bound)) in ["min", "max"].into_iter().zip(&mut bounds).enumerate() {
            if op.input(at + 1).is_some() {
                let constant = lowering.constant(op, at + 1, name)?;
                match constant.floats(op)?[..] {
                    [value] => *bound = value,
                    _ => return Err(op.shape("a bound", &constant.dims, "one number")),
                }
            } else if let Some(attribute) = op.attribute(name) {
                *bound = attribute.f;
            }
        }
        if bounds.iter().any(|bound| bound.is_nan()) {
            return Err(op.malformed("min and max", format!("{bounds:?}"), "numbers"));
        }
        // As ONNX has it: the upper bound holds where they cross.
        [bounds[0].min(bounds[1]), bounds[1]]
    };
    lowering.element_wise(op, op.required(0, "operand")?, Operation::Clamp(bounds), op.output()?)
}

pub fn function<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let function = match op.kind().1 {
        "Sigmoid" => Function::Sigmoid,
        "Tanh" => Function::Tanh,
        "HardSigmoid" => Function::HardSigmoid { alpha: op.float("alpha", 0.2)?, beta: op.float("beta", 0.5)? },
        "HardSwish" => Function::HardSwish,
        "LeakyRelu" => Function::LeakyRelu { alpha: op.float("alpha", 0.01)? },
        "Elu" => Function::Elu { alpha: op.float("alpha", 1.0)? },
        _ => match op.text("approximate", "none") {
            "none" => Function::Gelu,
            mode => return Err(op.refuse(format!("approximate = {mode}: only none is supported"))),
        },
    };
    lowering.element_wise(op, op.required(0, "operand")?, Operation::Function(function), op.output()?)
}
