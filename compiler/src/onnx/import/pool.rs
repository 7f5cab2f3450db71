//! Pools.

use super::constant;
use super::lowering::Lowering;
use super::node::Op;
use super::step::Operation;
use super::view::{Value, Views, CHANNEL, COLUMN, ROW};
use super::window;
use crate::onnx::error::OnnxError;
use golden::{Extent, Window};

/// The extent of an image that `op` reads as channel, row, column.
pub fn image(lowering: &mut Lowering<'_>, op: Op<'_>, name: &str) -> Result<Extent, OnnxError> {
    let value = lowering.value(op, name)?;
    if value.dims.len() != 3 {
        let n = value.dims.len().max(1) - 1;
        return Err(op.refuse(format!("{n}-D: only two dimensions (batch, channel, row, column) are supported")));
    }
    lowering.views.resolve(name, &[CHANNEL, ROW, COLUMN]).ok_or_else(|| {
        op.refuse(format!(
            "its operand {name} has no channels, rows and columns in this order that data need not be moved for"
        ))
    })
}

/// The image of `extent` that a step makes of tensor `from`.
pub fn windowed(lowering: &mut Lowering<'_>, op: Op<'_>, from: usize, operation: Operation, extent: Extent) -> Value {
    let tensor = lowering.push(op, vec![from], operation);
    let (space, (dims, axes)) = (lowering.views.space(extent), Views::image(extent));
    Value { tensor, space, dims, axes }
}

pub fn after(op: Op<'_>, window: Window, input: Extent) -> Result<Extent, OnnxError> {
    let [height, width] = window.output(input.size()).map_err(|source| op.golden(source))?;
    Ok(Extent { height, width, channels: input.channels })
}

/// The mean over a window, or a refusal where padding would not count.
pub fn average(op: Op<'_>, input: Extent) -> Result<Window, OnnxError> {
    let window = window::of(op, window::kernel(op)?, input)?;
    let padded = window.pad_before != [0, 0] || window.pad_after != [0, 0];
    if padded && op.int("count_include_pad", 0) == 0 {
        return Err(op.refuse(
            "count_include_pad = 0 with pads: windows at the edge would have another divisor; \
             only 1 is supported there",
        ));
    }
    Ok(window)
}

pub fn pool<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let name = op.required(0, "operand")?;
    let input = image(lowering, op, name)?;
    let operation = match op.kind().1 {
        "MaxPool" => {
            if op.int("storage_order", 0) != 0 {
                return Err(op.refuse("storage_order = 1: only 0 is supported"));
            }
            Operation::MaxPool(window::of(op, window::kernel(op)?, input)?)
        }
        _ => Operation::AveragePool(average(op, input)?),
    };
    let (Operation::MaxPool(window) | Operation::AveragePool(window)) = operation else { return Ok(()) };
    let extent = after(op, window, input)?;
    let tensor = lowering.value(op, name)?.tensor;
    let value = windowed(lowering, op, tensor, operation, extent);
    lowering.views.insert(op.output()?, value);
    Ok(())
}

pub fn global<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let name = op.required(0, "operand")?;
    let input = image(lowering, op, name)?;
    let window = Window::of(input.size());
    let operation = match op.kind().1 {
        "GlobalMaxPool" => Operation::MaxPool(window),
        _ => Operation::AveragePool(window),
    };
    let tensor = lowering.value(op, name)?.tensor;
    let value = windowed(lowering, op, tensor, operation, Extent::vector(input.channels));
    lowering.views.insert(op.output()?, value);
    Ok(())
}

pub fn reduce_mean<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let name = op.required(0, "operand")?;
    lowering.value(op, name)?;
    let value = lowering.views.settled(name).ok_or_else(|| op.refuse("its operand has too many dimensions"))?;
    let rank = value.dims.len() + 1;
    let axes = match (op.ints("axes"), op.input(1)) {
        (Some(axes), _) => axes.to_vec(),
        (None, Some(axes)) => constant::of(lowering.graph, op, axes)?.integers(op)?,
        (None, None) => Vec::new(),
    };
    let axes: Vec<usize> = axes.iter().map(|&axis| op.axis("axes", axis, rank)).collect::<Result<_, _>>()?;
    let input = lowering.views.extent(value.space);
    let reduced: Vec<usize> =
        axes.iter().filter(|&&axis| axis > 0).flat_map(|&axis| value.axes[axis - 1].clone()).collect();
    if axes.is_empty() || axes.contains(&0) || reduced.contains(&CHANNEL) {
        return Err(op.refuse(format!("axes = {axes:?}: means are taken over rows and columns only")));
    }
    let over = |axis: usize, size: usize| if reduced.contains(&axis) { size } else { 1 };
    let window = Window::of([over(ROW, input.height), over(COLUMN, input.width)]);
    // A mean over axes of size 1 too is a pool, of one position.
    let extent = after(op, window, input)?;
    let tensor = lowering.push(op, vec![value.tensor], Operation::AveragePool(window));
    let (mut dims, mut left) = (Vec::new(), Vec::new());
    for (at, (&dim, of)) in value.dims.iter().zip(&value.axes).enumerate() {
        match (axes.contains(&(at + 1)), op.int("keepdims", 1) != 0) {
            (false, _) => {
                dims.push(dim);
                left.push(of.clone());
            }
            (true, true) => {
                dims.push(1);
                left.push(Vec::new());
            }
            (true, false) => {}
        }
    }
    let space = lowering.views.space(extent);
    lowering.views.insert(op.output()?, Value { tensor, space, dims, axes: left });
    Ok(())
}
