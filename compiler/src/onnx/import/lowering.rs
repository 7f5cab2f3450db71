//! From nodes to steps.

use super::constant::{self, Constant};
use super::graph::Graph;
use super::node::{supported, Op};
use super::step::{Operation, Quantization, Step};
use super::view::{Value, Views};
use super::{elementwise, linear, pool, qoperator, quantization, shape};
use crate::onnx::error::{OnnxError, UnsupportedNode};
use crate::onnx::proto::Node;
use golden::QFormat;
use std::collections::HashSet;

/// The steps so far, and how the graph's values lie in their tensors.
pub struct Lowering<'a> {
    pub graph: &'a Graph<'a>,
    pub views: Views<'a>,
    pub steps: Vec<Step>,
    /// Formats of tensors that hold integers.
    pub formats: Vec<Option<QFormat>>,
    /// Nodes that another node's step covers.
    pub covered: HashSet<*const Node>,
}

impl<'a> Lowering<'a> {
    /// All steps. Nodes that cannot run are reported together; nodes that read what these make are left out.
    pub fn run(graph: &'a Graph<'a>) -> Result<Self, OnnxError> {
        let input = &graph.input;
        let format = constant::format_of(input.data_type);
        let mut lowering = Self {
            graph,
            views: Views::new(input.name, &input.dims),
            steps: Vec::new(),
            formats: vec![format],
            covered: HashSet::new(),
        };
        let mut refused: Vec<UnsupportedNode> = Vec::new();
        let mut unknown: HashSet<&str> = HashSet::new();
        for &node in &graph.nodes {
            let op = Op::new(node);
            let constant = node.output.iter().all(|value| graph.is_constant(value));
            let lost = node.input.iter().any(|value| unknown.contains(value.as_str()));
            let step = match op.check() {
                Ok(()) if constant || lost || lowering.covered.contains(&(node as *const _)) => Ok(()),
                Ok(()) => lowering.node(op),
                Err(error) => Err(error),
            };
            match step {
                Ok(()) => {}
                Err(OnnxError::Unsupported { nodes, .. }) => {
                    refused.extend(nodes.into_iter().filter(|node| !refused.contains(node)).collect::<Vec<_>>());
                    unknown.extend(node.output.iter().map(String::as_str));
                }
                Err(error) => return Err(error),
            }
            if lost {
                unknown.extend(node.output.iter().map(String::as_str));
            }
        }
        if refused.is_empty() {
            Ok(lowering)
        } else {
            Err(OnnxError::Unsupported { nodes: refused, supported: supported() })
        }
    }

    fn node(&mut self, op: Op<'a>) -> Result<(), OnnxError> {
        match op.kind() {
            ("", "Conv") => linear::conv(self, op),
            ("", "Gemm") => linear::gemm(self, op),
            ("", "MatMul") => linear::matmul(self, op),
            ("", "BatchNormalization") => linear::batch_normalization(self, op),
            ("", "Add" | "Sub" | "Mul" | "Div") => elementwise::binary(self, op),
            ("", "Relu" | "Clip") => elementwise::clamp(self, op),
            ("", "MaxPool" | "AveragePool") => pool::pool(self, op),
            ("", "GlobalAveragePool" | "GlobalMaxPool") => pool::global(self, op),
            ("", "ReduceMean") => pool::reduce_mean(self, op),
            ("", "Flatten" | "Reshape" | "Transpose" | "Squeeze" | "Unsqueeze" | "Identity" | "Dropout") => {
                shape::view(self, op)
            }
            ("", "Sigmoid" | "Tanh" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Elu" | "Gelu")
            | ("com.microsoft", "Gelu") => elementwise::function(self, op),
            ("" | "com.microsoft", "QuantizeLinear") => {
                let quantization = quantization::of_activations(self.graph, op, None)?;
                self.element_wise(op, op.required(0, "operand")?, Operation::Quantize(quantization), op.output()?)
            }
            ("" | "com.microsoft", "DequantizeLinear") => {
                let value = op.required(0, "operand")?;
                let format = self.formats[self.value(op, value)?.tensor];
                let quantization = quantization::of_activations(self.graph, op, format)?;
                self.element_wise(op, value, Operation::Dequantize(quantization), op.output()?)
            }
            ("qonnx", _) => {
                let value = op.required(0, "operand")?;
                let quantization = quantization::of_activations(self.graph, op, None)?;
                self.element_wise(op, value, Operation::Quantize(quantization), op.output()?)?;
                self.element_wise(op, op.output()?, Operation::Dequantize(quantization), op.output()?)
            }
            ("", "Cast") => Err(op.refuse("of activations: only after MatMulInteger and ConvInteger")),
            _ => qoperator::node(self, op),
        }
    }

    /// The value `name` that `op` reads.
    pub fn value(&self, op: Op<'_>, name: &str) -> Result<Value, OnnxError> {
        match self.views.get(name) {
            Some(value) => Ok(value.clone()),
            None if self.graph.is_constant(name) => {
                Err(op.refuse(format!("its operand {name} is a constant: activations are expected")))
            }
            None => Err(op.refuse(format!(
                "its operand {name} is not the first output of its node, or the \
                 network's input in other dimensions than another node's"
            ))),
        }
    }

    pub fn constant(&self, op: Op<'_>, at: usize, operand: &'static str) -> Result<Constant, OnnxError> {
        constant::of(self.graph, op, op.required(at, operand)?)
    }

    /// A new tensor.
    pub fn push(&mut self, op: Op<'_>, inputs: Vec<usize>, operation: Operation) -> usize {
        self.formats.push(match operation {
            Operation::Quantize(Quantization { format, .. }) => Some(format),
            // Pools, reshapes and clamps of integers are integers.
            Operation::MaxPool(_) | Operation::Clamp(_) => self.formats[inputs[0]],
            _ => None,
        });
        self.steps.push(Step { name: op.name(), operator: op.node.op_type.clone(), inputs, operation });
        self.steps.len()
    }

    /// A step of each element: its output `to` has the dimensions of `from`.
    pub fn element_wise(&mut self, op: Op<'_>, from: &str, operation: Operation, to: &'a str) -> Result<(), OnnxError> {
        let value = self.value(op, from)?;
        let tensor = self.push(op, vec![value.tensor], operation);
        self.views.insert(to, Value { tensor, ..value });
        Ok(())
    }
}
