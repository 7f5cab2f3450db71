//! Convolutions and products with constants.

use super::constant::{Constant, Values};
use super::lowering::Lowering;
use super::node::Op;
use super::pool;
use super::step::{Bias, Linear, Operation, Weights};
use super::view::{Value, CHANNEL, COLUMN, ROW};
use super::window;
use crate::onnx::error::OnnxError;
use golden::{Extent, Window};

/// Weights as k x n, of a constant whose output channels are its axis `n_axis`; `at` finds the element of row t and
/// column j.
fn weights(
    op: Op<'_>,
    constant: Constant,
    n_axis: usize,
    [k, n]: [usize; 2],
    at: impl Fn(usize, usize) -> usize,
) -> Result<Weights, OnnxError> {
    let places = || (0..k * n).map(|i| at(i / n, i % n));
    match &constant.values {
        Values::Float(values) => Ok(Weights::Float(places().map(|at| values[at]).collect())),
        Values::Affine(affine) => {
            if affine.axis.is_some_and(|axis| axis != n_axis) {
                return Err(op.refuse(format!(
                    "tensor {}: scales along axis {:?}: only one a tensor or an \
                     output channel (axis {n_axis}) is supported",
                    constant.name,
                    affine.axis.unwrap_or_default()
                )));
            }
            let value = |at: usize| {
                let value = i64::from(affine.values[at]) - affine.zero_points[constant.group(affine, at)];
                let fits = i32::try_from(value).ok().filter(|&value| value != i32::MIN);
                fits.ok_or_else(|| op.refuse(format!("tensor {} holds {value}: 32 bits must hold it", constant.name)))
            };
            let scales = (0..n).map(|j| affine.scales[if affine.axis.is_none() { 0 } else { j }].into()).collect();
            let values = places().map(value).collect::<Result<_, _>>()?;
            Ok(Weights::Integer { values, scales, tensor: constant.name.clone() })
        }
        Values::Integer(..) | Values::Long(_) => Err(constant.wrong_type(op, "weights with a scale")),
    }
}

/// A bias of n channels.
pub fn bias(op: Op<'_>, constant: &Constant, n: usize) -> Result<Bias, OnnxError> {
    let is_row = constant.dims.iter().rev().skip(1).all(|&dim| dim == 1);
    if !is_row || (constant.len() != n && constant.len() != 1) {
        return Err(op.shape("the bias", &constant.dims, format!("[{n}]")));
    }
    let place = |j: usize| if constant.len() == 1 { 0 } else { j };
    spread(constant, op, n, place)
}

/// The bias whose channel j is element `place(j)` of a constant.
pub fn spread(constant: &Constant, op: Op<'_>, n: usize, place: impl Fn(usize) -> usize) -> Result<Bias, OnnxError> {
    match &constant.values {
        Values::Affine(affine) => {
            let integer = |j: usize| {
                let (at, group) = (place(j), constant.group(affine, place(j)));
                (i64::from(affine.values[at]) - affine.zero_points[group], affine.scales[group].into())
            };
            Ok(Bias { integers: (0..n).map(integer).collect(), real: vec![0.0; n] })
        }
        _ => {
            let values = constant.floats(op)?;
            Ok(Bias { integers: Vec::new(), real: (0..n).map(|j| values[place(j)].into()).collect() })
        }
    }
}

/// A convolution of the image `name`, before its step.
pub struct Convolution {
    linear: Linear,
    pub input: Value,
    output: Extent,
}

impl Convolution {
    pub fn new(
        lowering: &mut Lowering<'_>,
        op: Op<'_>,
        name: &str,
        constant: Constant,
        bias_of: impl FnOnce(usize) -> Result<Bias, OnnxError>,
    ) -> Result<Self, OnnxError> {
        let &[n, inner, rows, cols] = &constant.dims[..] else {
            let rank = constant.dims.len().max(2) - 2;
            return Err(op.refuse(format!("{rank}-D: only two dimensions are supported")));
        };
        let input = pool::image(lowering, op, name)?;
        let stated = op.sizes("kernel_shape", 2, 1)?;
        if let Some(stated) = stated.filter(|stated| stated[..] != [rows, cols]) {
            return Err(op.malformed("kernel_shape", format!("{stated:?}"), format!("[{rows}, {cols}], the weights'")));
        }
        let groups = usize::try_from(op.int("group", 1)).unwrap_or(0);
        let fits = groups > 0
            && inner > 0
            && n > 0
            && n.is_multiple_of(groups)
            && inner.checked_mul(groups) == Some(input.channels);
        if !fits || rows == 0 || cols == 0 {
            let expected = format!(
                "[n, {} channels / {groups} groups, rows, columns], n a multiple of the groups",
                input.channels
            );
            return Err(op.shape("the weights", &constant.dims, expected));
        }
        let window = window::of(op, [rows, cols], input)?;
        let [height, width] = window.output(input.size()).map_err(|source| op.golden(source))?;
        let positions = rows * cols;
        let weights = weights(op, constant, 0, [positions * inner, n], |t, j| {
            let (position, channel) = (t / inner, t % inner);
            (j * inner + channel) * positions + position
        })?;
        let linear = Linear { window, groups, weights, bias: bias_of(n)? };
        Ok(Self { linear, input: lowering.value(op, name)?, output: Extent { height, width, channels: n } })
    }

    /// With outputs times a factor a channel.
    pub fn scaled(self, factors: &[f64]) -> Self {
        let bias = Bias::zero(factors.len());
        Self { linear: self.linear.then(factors, bias), ..self }
    }

    /// Its step, with tensor `from` as input.
    pub fn push(self, lowering: &mut Lowering<'_>, op: Op<'_>, from: usize) -> Value {
        pool::windowed(lowering, op, from, Operation::Linear(self.linear), self.output)
    }
}

pub fn conv<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let name = op.required(0, "operand")?;
    lowering.value(op, name)?;
    let constant = lowering.constant(op, 1, "weights")?;
    let given = op.input(2).map(|_| lowering.constant(op, 2, "bias")).transpose()?;
    let bias = |n: usize| given.map_or_else(|| Ok(Bias::zero(n)), |constant| bias(op, &constant, n));
    let convolution = Convolution::new(lowering, op, name, constant, bias)?;
    let from = convolution.input.tensor;
    let value = convolution.push(lowering, op, from);
    lowering.views.insert(op.output()?, value);
    Ok(())
}

/// A product with a constant matrix, before its step.
pub struct Dense {
    pub linear: Linear,
    pub input: Value,
    output: Extent,
}

impl Dense {
    /// Of the value `name`, whose last dimension is multiplied.
    pub fn new(
        lowering: &mut Lowering<'_>,
        op: Op<'_>,
        name: &str,
        constant: Constant,
        transposed: bool,
    ) -> Result<Self, OnnxError> {
        let rank = lowering.value(op, name)?.dims.len();
        // Of the input, the roles of its axes may be free to choose.
        let known: &[usize] = match rank {
            1 => &[CHANNEL],
            3 => &[ROW, COLUMN, CHANNEL],
            _ => &[COLUMN, CHANNEL],
        };
        let _ = lowering.views.resolve(name, known);
        let input = lowering.views.settled(name);
        let input =
            input.ok_or_else(|| op.refuse("its operand has dimensions that are no image, sequence or vector"))?;
        let Some(&k) = input.dims.last() else { return Err(op.shape("the input", &[], "[batch, k]")) };
        let (rows, n) = match constant.dims[..] {
            [n, rows] if transposed => (rows, n),
            [rows, n] if !transposed => (rows, n),
            _ => (0, 0),
        };
        if rows != k || n == 0 {
            let expected = if transposed { format!("[n, {k}]") } else { format!("[{k}, n]") };
            return Err(op.shape("the weights", &constant.dims, expected));
        }
        let extent = lowering.views.extent(input.space);
        let axes = input.axes.last().map_or(&[][..], Vec::as_slice);
        let (window, output) = if rank == 1 {
            (Window::of(extent.size()), Extent::vector(n))
        } else if axes.iter().all(|&axis| axis == CHANNEL) && k == extent.channels {
            (Window::POINT, Extent { channels: n, ..extent })
        } else {
            return Err(op.refuse("its last dimension is not the channels, which alone are summed over"));
        };
        // Where in its dimension each axis of the input lies.
        let mut strides = [0; 3];
        let mut stride = 1;
        for &axis in axes.iter().rev() {
            strides[axis] = stride;
            stride *= lowering.views.size(input.space, axis);
        }
        let (cols, channels) = (extent.width, extent.channels);
        let weights = weights(op, constant, usize::from(!transposed), [k, n], |t, j| {
            let place = [t / channels / cols, t / channels % cols, t % channels];
            let row: usize = place.iter().zip(strides).map(|(at, stride)| at * stride).sum();
            if transposed {
                j * k + row
            } else {
                row * n + j
            }
        })?;
        Ok(Self { linear: Linear { window, groups: 1, weights, bias: Bias::zero(n) }, input, output })
    }

    /// Its step, with tensor `from` as input.
    pub fn push(self, lowering: &mut Lowering<'_>, op: Op<'_>, from: usize) -> Value {
        let n = self.linear.n();
        let tensor = lowering.push(op, vec![from], Operation::Linear(self.linear));
        let space = lowering.views.space(self.output);
        let (mut dims, mut axes) = (self.input.dims, self.input.axes);
        dims.truncate(dims.len() - 1);
        axes.truncate(axes.len() - 1);
        dims.push(n);
        axes.push(if n > 1 { vec![CHANNEL] } else { Vec::new() });
        Value { tensor, space, dims, axes }
    }
}

pub fn gemm<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let name = op.required(0, "first operand")?;
    let rank = lowering.value(op, name)?.dims.len() + 1;
    if op.int("transA", 0) != 0 {
        return Err(op.refuse("transA = 1: only 0 is supported"));
    }
    if rank != 2 {
        let dims = lowering.value(op, name)?.dims;
        return Err(op.shape("the input after the batch", &dims, "one dimension (a Flatten is missing)"));
    }
    let (alpha, beta) = (op.float("alpha", 1.0)?, op.float("beta", 1.0)?);
    let constant = lowering.constant(op, 1, "second operand")?;
    let mut dense = Dense::new(lowering, op, name, constant, op.int("transB", 0) != 0)?;
    let n = dense.linear.n();
    let bias = match op.input(2) {
        Some(_) => bias(op, &lowering.constant(op, 2, "third operand")?, n)?.scaled(&vec![beta.into(); n]),
        None => Bias::zero(n),
    };
    dense.linear = dense.linear.then(&vec![alpha.into(); n], bias);
    let from = dense.input.tensor;
    let value = dense.push(lowering, op, from);
    lowering.views.insert(op.output()?, value);
    Ok(())
}

pub fn matmul<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let name = op.required(0, "first operand")?;
    lowering.value(op, name)?;
    let constant = lowering.constant(op, 1, "second operand")?;
    let dense = Dense::new(lowering, op, name, constant, false)?;
    let from = dense.input.tensor;
    let value = dense.push(lowering, op, from);
    lowering.views.insert(op.output()?, value);
    Ok(())
}

pub fn batch_normalization<'a>(lowering: &mut Lowering<'a>, op: Op<'a>) -> Result<(), OnnxError> {
    let name = op.required(0, "operand")?;
    lowering.value(op, name)?;
    if op.int("training_mode", 0) != 0 || op.int("spatial", 1) == 0 {
        return Err(op.refuse("training_mode = 1 or spatial = 0: only inference with one value a channel is supported"));
    }
    let value = lowering.views.settled(name).ok_or_else(|| op.refuse("its operand has too many dimensions"))?;
    let n = lowering.views.extent(value.space).channels;
    if value.dims.first() != Some(&n) || value.axes[0].iter().any(|&axis| axis != CHANNEL) {
        return Err(op.refuse("the first dimension after the batch is not the channels"));
    }
    let mut parameters = Vec::with_capacity(4);
    for (at, what) in ["", "scale", "bias", "mean", "variance"].into_iter().enumerate().skip(1) {
        let constant = lowering.constant(op, at, what)?;
        let values = constant.floats(op)?;
        if values.len() != n {
            return Err(op.shape(what, &constant.dims, format!("[{n}]")));
        }
        parameters.push(values);
    }
    let epsilon = f64::from(op.float("epsilon", 1e-5)?);
    let mut factors = Vec::with_capacity(n);
    let mut real = Vec::with_capacity(n);
    let parameter = |at: usize, j: usize| f64::from(parameters[at][j]);
    for j in 0..n {
        let [scale, bias, mean, variance] = [0, 1, 2, 3].map(|at| parameter(at, j));
        let deviation = (variance + epsilon).sqrt();
        if deviation.is_nan() || deviation <= 0.0 {
            return Err(op.malformed(
                "epsilon",
                epsilon,
                format!("above {:e}, minus the variance of channel {j}", -variance),
            ));
        }
        factors.push(scale / deviation);
        real.push(bias - mean * (scale / deviation));
    }
    let bias = Bias { integers: Vec::new(), real };
    lowering.element_wise(op, name, Operation::Affine { factors, bias }, op.output()?)
}
