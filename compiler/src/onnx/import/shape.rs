//! Operators that only change a value's dimensions.

use super::constant;
use super::lowering::Lowering;
use super::node::Op;
use super::view::Value;
use crate::onnx::error::OnnxError;

pub fn view<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let name = op.required(0, "operand")?;
    let value = lowering.value(op, name)?;
    let rank = value.dims.len() + 1;
    let list = |attribute: &str| match (op.ints(attribute), op.input(1)) {
        (Some(axes), _) => Ok(Some(axes.to_vec())),
        (None, Some(axes)) => constant::of(lowering.graph, op, axes)?.integers(op).map(Some),
        (None, None) => Ok(None),
    };
    // The batch stands for itself in these.
    let with_batch = || std::iter::once(usize::MAX).chain(value.dims.iter().copied()).collect::<Vec<_>>();
    let without_batch = |dims: Vec<usize>| match dims.split_first() {
        Some((&usize::MAX, dims)) => Ok(dims.to_vec()),
        _ => Err(op.refuse("it changes the batch, the first dimension")),
    };
    let dims = match op.kind().1 {
        "Transpose" => {
            let perm = constant::permutation(op, rank)?;
            if perm[0] != 0 {
                return Err(op.refuse(format!("perm = {perm:?}: it moves the batch, the first dimension")));
            }
            let dims = perm[1..].iter().map(|&axis| value.dims[axis - 1]).collect();
            let axes = perm[1..].iter().map(|&axis| value.axes[axis - 1].clone()).collect();
            lowering.views.insert(op.output()?, Value { dims, axes, ..value });
            return Ok(());
        }
        "Identity" | "Dropout" => {
            if op.kind().1 == "Dropout" && op.input(2).is_some() {
                let training = constant::of(lowering.graph, op, op.required(2, "training_mode")?);
                return Err(training.err().unwrap_or_else(|| op.refuse("training_mode: only inference is supported")));
            }
            lowering.views.insert(op.output()?, value);
            return Ok(());
        }
        "Flatten" => {
            let axis = op.axis("axis", op.int("axis", 1), rank + 1)?;
            if axis != 1 {
                return Err(op.refuse(format!("axis = {axis}: only 1, which keeps the batch, is supported")));
            }
            vec![value.dims.iter().product()]
        }
        "Reshape" => {
            let target = constant::of(lowering.graph, op, op.required(1, "shape")?)?.integers(op)?;
            reshaped(lowering, op, &value.dims, &target)?
        }
        "Squeeze" => {
            let axes = list("axes")?;
            let all = with_batch();
            let axes = axes.unwrap_or_else(|| (1..rank as i64).filter(|&axis| all[axis as usize] == 1).collect());
            if axes.iter().any(|&axis| axis == 0 || axis == -(rank as i64)) {
                return Err(op.refuse("it changes the batch, the first dimension"));
            }
            without_batch(constant::squeezed(op, &all, Some(axes))?)?
        }
        _ => without_batch(constant::unsqueezed(op, &with_batch(), list("axes")?)?)?,
    };
    let axes = lowering.views.regrouped(name, &dims).ok_or_else(|| {
        op.refuse(format!(
            "from {:?} to {dims:?} after the batch: it cuts or mixes channels, rows or columns",
            value.dims
        ))
    })?;
    // The regrouping may have cut an axis of the input.
    let value = lowering.value(op, name)?;
    lowering.views.insert(op.output()?, Value { dims, axes, ..value });
    Ok(())
}

/// The dimensions after the batch that a Reshape makes of `dims`.
fn reshaped(lowering: &Lowering<'_>, op: Op<'_>, dims: &[usize], target: &[i64]) -> Result<Vec<usize>, OnnxError> {
    let elements: usize = dims.iter().product();
    let wrong = || {
        op.refuse(format!(
            "the new shape {target:?} must keep the batch, the first dimension, and {elements} elements after it"
        ))
    };
    let copies = op.int("allowzero", 0) == 0;
    let (&batch, rest) = target.split_first().ok_or_else(wrong)?;
    let mut product = 1_usize;
    let mut out = Vec::with_capacity(rest.len());
    for (at, &dim) in rest.iter().enumerate() {
        let dim = match dim {
            -1 => 1,
            0 if copies => *dims.get(at).ok_or_else(wrong)?,
            dim => usize::try_from(dim).ok().filter(|&dim| dim > 0).ok_or_else(wrong)?,
        };
        product = product.checked_mul(dim).ok_or_else(wrong)?;
        out.push(dim);
    }
    let free: Vec<usize> = (0..rest.len()).filter(|&at| rest[at] == -1).collect();
    let fixed = lowering.graph.input.batch.and_then(|batch| i64::try_from(batch).ok());
    let kept = (batch == 0 && copies) || Some(batch) == fixed;
    match free[..] {
        [] if product == elements && (kept || batch == -1) => {}
        [at] if kept && elements.is_multiple_of(product) => out[at] = elements / product,
        _ => return Err(wrong()),
    }
    Ok(out)
}
