//! Nodes along the path, turned into layers one by one.

use super::error::OnnxError;
use super::name_of;
use super::proto::{Node, Tensor};
use super::tensor::{floats, integers};
use crate::float::{DataLayout, FloatLayer, FloatNetwork, FloatOperation};
use golden::{Extent, Window};
use std::collections::HashMap;

/// The layers so far and the shape of the value that the path has reached.
pub struct Walk<'a> {
    constants: &'a HashMap<&'a str, &'a Tensor>,
    batch: Option<i64>,
    /// Without the batch.
    shape: Vec<usize>,
    input_len: usize,
    layers: Vec<FloatLayer>,
}

/// A constant matrix or vector.
struct Constant {
    dims: Vec<usize>,
    values: Vec<f32>,
}

impl<'a> Walk<'a> {
    pub fn new(constants: &'a HashMap<&'a str, &'a Tensor>, batch: Option<i64>, shape: Vec<usize>) -> Self {
        let input_len = shape.iter().product();
        Self { constants, batch, shape, input_len, layers: Vec::new() }
    }

    pub fn finish(self) -> Result<FloatNetwork, OnnxError> {
        if self.layers.is_empty() {
            return Err(OnnxError::NoLayers);
        }
        let input = Extent::vector(self.input_len);
        Ok(FloatNetwork { input, layout: DataLayout::ChannelsLast, layers: self.layers })
    }

    /// Takes the path through `node`, which it enters by `value`. Only operators that were found supported get here.
    pub fn step(&mut self, node: &Node, value: &str) -> Result<(), OnnxError> {
        match node.op_type.as_str() {
            "Gemm" => self.linear(node, value),
            "MatMul" => self.linear(node, value),
            "Add" => self.add(node, value),
            "Relu" => {
                self.last_layer(node)?.clamp[0] = 0.0;
                Ok(())
            }
            "Flatten" => self.flatten(node),
            "Reshape" => self.reshape(node, value),
            _ => Ok(()),
        }
    }

    fn linear(&mut self, node: &Node, value: &str) -> Result<(), OnnxError> {
        if node.input.first().map(String::as_str) != Some(value) {
            return Err(operand(node, "first operand", "the activations"));
        }
        let weights = self.constant(node, 1, "second operand")?;
        let &[k] = &self.shape[..] else {
            let given = std::iter::once(-1).chain(signed(&self.shape)).collect();
            return Err(shape_error(node, "the input", given, "two dimensions (a Flatten is missing)".to_owned()));
        };
        let transposed = attribute(node, "transB").is_some_and(|a| a.i != 0);
        let (rows, n) = match weights.dims[..] {
            [n, rows] if transposed => (rows, n),
            [rows, n] if !transposed => (rows, n),
            _ => (0, 0),
        };
        if rows != k || n == 0 {
            let expected = if transposed { format!("[n, {k}]") } else { format!("[{k}, n]") };
            return Err(shape_error(node, "the weights", signed(&weights.dims).collect(), expected));
        }
        let alpha = attribute(node, "alpha").map_or(1.0, |a| a.f);
        let at = |t: usize, j: usize| if transposed { j * k + t } else { t * n + j };
        let weight = |i: usize| alpha * weights.values[at(i / n, i % n)];
        let weights = (0..k * n).map(weight).collect();
        let mut bias = vec![0.0; n];
        // A missing last operand may also be written as an empty name.
        if node.op_type == "Gemm" && node.input.get(2).is_some_and(|name| !name.is_empty()) {
            let beta = attribute(node, "beta").map_or(1.0, |a| a.f);
            add_bias(node, &mut bias, &self.constant(node, 2, "third operand")?, beta)?;
        }
        self.layers.push(FloatLayer {
            name: name_of(node),
            inputs: vec![self.layers.len()],
            operation: FloatOperation::Convolution { window: Window::POINT, groups: 1, weights, bias },
            clamp: [f32::NEG_INFINITY, f32::INFINITY],
        });
        self.shape = vec![n];
        Ok(())
    }

    fn add(&mut self, node: &Node, value: &str) -> Result<(), OnnxError> {
        let other = usize::from(node.input.first().map(String::as_str) == Some(value));
        let bias = self.constant(node, other, "other operand")?;
        match self.last_layer(node)? {
            FloatLayer { operation: FloatOperation::Convolution { bias: of_layer, .. }, clamp, .. }
                if clamp[0] == f32::NEG_INFINITY =>
            {
                add_bias(node, of_layer, &bias, 1.0)
            }
            _ => Err(operand(node, "input", "the output of a Gemm or MatMul, before its Relu")),
        }
    }

    fn flatten(&mut self, node: &Node) -> Result<(), OnnxError> {
        let axis = attribute(node, "axis").map_or(1, |a| a.i);
        // Axes below zero count from the end.
        let rank = self.shape.len() as i64 + 1;
        if axis != 1 && axis != 1 - rank {
            return Err(shape_error(node, "the axis", vec![axis], "1, which keeps the batch".to_owned()));
        }
        self.shape = vec![self.shape.iter().product()];
        Ok(())
    }

    fn reshape(&mut self, node: &Node, value: &str) -> Result<(), OnnxError> {
        if node.input.first().map(String::as_str) != Some(value) {
            return Err(operand(node, "first operand", "the activations"));
        }
        let tensor = node.input.get(1).and_then(|name| self.constants.get(name.as_str()));
        let target = integers(tensor.ok_or_else(|| operand(node, "second operand", "a constant"))?)?;
        let len: usize = self.shape.iter().product();
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let keeps = match target[..] {
            [-1, -1] => false,
            [batch, cols] => {
                let batch_kept = batch == 0 || batch == -1 || Some(batch) == self.batch;
                // A 0 copies the dimension at the same place.
                let copied = cols == 0 && self.shape.len() == 1;
                batch_kept && (cols == len || cols == -1 || copied)
            }
            _ => false,
        };
        if !keeps {
            return Err(shape_error(node, "the new shape", target, format!("[-1, {len}], which keeps the batch")));
        }
        self.shape = vec![self.shape.iter().product()];
        Ok(())
    }

    fn last_layer(&mut self, node: &Node) -> Result<&mut FloatLayer, OnnxError> {
        self.layers.last_mut().ok_or_else(|| operand(node, "input", "the output of a Gemm or MatMul"))
    }

    fn constant(&self, node: &Node, at: usize, what: &'static str) -> Result<Constant, OnnxError> {
        let tensor = node.input.get(at).and_then(|name| self.constants.get(name.as_str()));
        let (dims, values) = floats(tensor.ok_or_else(|| operand(node, what, "a constant"))?)?;
        Ok(Constant { dims, values })
    }
}

/// Adds `factor * constant`, broadcast over the batch and, if it is a single value, over the columns.
fn add_bias(node: &Node, bias: &mut [f32], constant: &Constant, factor: f32) -> Result<(), OnnxError> {
    let n = bias.len();
    let values = &constant.values;
    let is_row = constant.dims.iter().rev().skip(1).all(|&dim| dim == 1) && constant.dims.len() <= 2;
    if !is_row || (values.len() != n && values.len() != 1) {
        return Err(shape_error(node, "the bias", signed(&constant.dims).collect(), format!("[{n}]")));
    }
    for (bias, value) in bias.iter_mut().zip(values.iter().cycle()) {
        *bias += factor * value;
    }
    Ok(())
}

fn attribute<'n>(node: &'n Node, name: &str) -> Option<&'n super::proto::Attribute> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

fn signed(dims: &[usize]) -> impl Iterator<Item = i64> + '_ {
    dims.iter().map(|&dim| i64::try_from(dim).unwrap_or(i64::MAX))
}

fn operand(node: &Node, operand: &'static str, rule: &'static str) -> OnnxError {
    OnnxError::Operand { node: name_of(node), operator: node.op_type.clone(), operand, rule }
}

fn shape_error(node: &Node, what: &'static str, given: Vec<i64>, expected: String) -> OnnxError {
    OnnxError::Shape { node: name_of(node), operator: node.op_type.clone(), what, given, expected }
}
