//! Windows of convolutions and pools, from attributes.

use super::node::Op;
use crate::onnx::error::OnnxError;
use golden::{Extent, Window};

fn pair(sizes: Option<Vec<usize>>, default: [usize; 2]) -> [usize; 2] {
    match sizes.as_deref() {
        Some(&[rows, cols]) => [rows, cols],
        _ => default,
    }
}

/// The window of a node with that kernel over an input of that extent.
pub fn of(op: Op<'_>, kernel: [usize; 2], input: Extent) -> Result<Window, OnnxError> {
    let stride = pair(op.sizes("strides", 2, 1)?, [1, 1]);
    let dilation = pair(op.sizes("dilations", 2, 1)?, [1, 1]);
    let mut window = Window { stride, dilation, ..Window::of(kernel) };
    let size = input.size();
    match op.text("auto_pad", "NOTSET") {
        "" | "NOTSET" => {
            if let Some(pads) = op.ints("pads").filter(|pads| pads.iter().any(|&pad| pad < 0)) {
                return Err(op.refuse(format!("pads = {pads:?}: pads that cut the input off are not supported")));
            }
            if let Some(pads) = op.sizes("pads", 4, 0)? {
                window.pad_before = [pads[0], pads[1]];
                window.pad_after = [pads[2], pads[3]];
            }
        }
        "VALID" => {}
        mode @ ("SAME_UPPER" | "SAME_LOWER") => {
            for axis in 0..2 {
                let reach = (kernel[axis] - 1) * dilation[axis] + 1;
                let total = ((size[axis].div_ceil(stride[axis]) - 1) * stride[axis] + reach).saturating_sub(size[axis]);
                let (less, more) = (total / 2, total.div_ceil(2));
                let upper = mode == "SAME_UPPER";
                (window.pad_before[axis], window.pad_after[axis]) = if upper { (less, more) } else { (more, less) };
            }
        }
        mode => return Err(op.malformed("auto_pad", mode, "NOTSET, VALID, SAME_UPPER or SAME_LOWER")),
    }
    let output = window.output(size).map_err(|source| op.golden(source))?;
    if op.int("ceil_mode", 0) != 0 {
        for axis in 0..2 {
            let reach = (kernel[axis] - 1) * dilation[axis] + 1;
            let padded = size[axis] + window.pad_before[axis] + window.pad_after[axis];
            if (padded - reach).div_ceil(stride[axis]) + 1 != output[axis] {
                return Err(op.refuse(format!(
                    "ceil_mode = 1: a last window would reach beyond the padded input of {padded}, \
                     which only whole windows may not"
                )));
            }
        }
    }
    // A window of padding only would have no greatest value, and no other framework has one.
    let alone = |axis: usize| {
        let reach = (kernel[axis] - 1) * dilation[axis] + 1;
        window.pad_before[axis] >= reach || window.pad_after[axis] >= reach
    };
    if op.node.op_type.contains("Pool") && (alone(0) || alone(1)) {
        return Err(op.refuse("pads: each must be smaller than the kernel's reach"));
    }
    Ok(window)
}

/// The kernel's size that a pool states.
pub fn kernel(op: Op<'_>) -> Result<[usize; 2], OnnxError> {
    match op.ints("kernel_shape").map(<[i64]>::len) {
        None => Err(op.operand("kernel_shape", "there")),
        Some(2) => Ok(pair(op.sizes("kernel_shape", 2, 1)?, [1, 1])),
        Some(n) => Err(op.refuse(format!("{n}-D: only two dimensions are supported"))),
    }
}
