//! Nodes: their operators, and their attributes by name.

use crate::onnx::error::{OnnxError, UnsupportedNode};
use crate::onnx::name_of;
use crate::onnx::proto::{Attribute, Node};

/// Domain, operator and the attributes that are read. Domains: "" (ONNX's own), `com.microsoft`, and `qonnx`, which
/// stands for `qonnx.custom_op.general` and `onnx.brevitas`.
const OPERATORS: &[(&str, &str, &[&str])] = &[
    ("", "Conv", &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]),
    ("", "Gemm", &["alpha", "beta", "transA", "transB"]),
    ("", "MatMul", &[]),
    ("", "Add", &[]),
    ("", "Sub", &[]),
    ("", "Mul", &[]),
    ("", "Div", &[]),
    ("", "Relu", &[]),
    ("", "Clip", &["min", "max"]),
    ("", "MaxPool", &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"]),
    (
        "",
        "AveragePool",
        &["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"],
    ),
    ("", "GlobalAveragePool", &[]),
    ("", "GlobalMaxPool", &[]),
    ("", "ReduceMean", &["axes", "keepdims", "noop_with_empty_axes"]),
    ("", "Flatten", &["axis"]),
    ("", "Reshape", &["allowzero"]),
    ("", "Transpose", &["perm"]),
    ("", "Squeeze", &["axes"]),
    ("", "Unsqueeze", &["axes"]),
    ("", "BatchNormalization", &["epsilon", "momentum", "spatial", "training_mode"]),
    ("", "Identity", &[]),
    ("", "Dropout", &["ratio", "seed"]),
    ("", "Constant", &["value", "value_float", "value_floats", "value_int", "value_ints"]),
    ("", "Cast", &["to", "saturate", "round_mode"]),
    ("", "Sigmoid", &[]),
    ("", "Tanh", &[]),
    ("", "HardSigmoid", &["alpha", "beta"]),
    ("", "HardSwish", &[]),
    ("", "LeakyRelu", &["alpha"]),
    ("", "Elu", &["alpha"]),
    ("", "Gelu", &["approximate"]),
    ("", "QuantizeLinear", &["axis", "block_size", "output_dtype", "precision", "saturate"]),
    ("", "DequantizeLinear", &["axis", "block_size", "output_dtype"]),
    ("", "QLinearConv", &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]),
    ("", "QLinearMatMul", &[]),
    ("", "MatMulInteger", &[]),
    ("", "ConvInteger", &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]),
    ("com.microsoft", "Gelu", &[]),
    ("com.microsoft", "QuantizeLinear", &["axis"]),
    ("com.microsoft", "DequantizeLinear", &["axis"]),
    ("com.microsoft", "QGemm", &["alpha", "transA", "transB"]),
    ("com.microsoft", "QLinearAdd", &[]),
    (
        "com.microsoft",
        "QLinearAveragePool",
        &[
            "auto_pad",
            "ceil_mode",
            "channels_last",
            "count_include_pad",
            "dilations",
            "kernel_shape",
            "pads",
            "strides",
        ],
    ),
    ("com.microsoft", "QLinearGlobalAveragePool", &["channels_last"]),
    ("com.microsoft", "QLinearSigmoid", &[]),
    ("com.microsoft", "QLinearLeakyRelu", &["alpha"]),
    ("qonnx", "Quant", &["narrow", "rounding_mode", "signed"]),
    ("qonnx", "IntQuant", &["narrow", "rounding_mode", "signed"]),
    ("qonnx", "BipolarQuant", &[]),
];

/// What messages say is supported.
pub fn supported() -> String {
    let names: Vec<String> = OPERATORS
        .iter()
        .map(|(domain, operator, _)| match *domain {
            "" => (*operator).to_owned(),
            domain => format!("{domain}.{operator}"),
        })
        .collect();
    names.join(", ")
}

/// A node of the graph.
#[derive(Clone, Copy)]
pub struct Op<'a> {
    pub node: &'a Node,
}

impl<'a> Op<'a> {
    pub const fn new(node: &'a Node) -> Self {
        Self { node }
    }

    pub fn name(&self) -> String {
        name_of(self.node)
    }

    /// Domain and operator, as [`OPERATORS`] has them.
    pub fn kind(&self) -> (&'a str, &'a str) {
        let domain = match self.node.domain.as_str() {
            "ai.onnx" => "",
            "qonnx.custom_op.general" | "onnx.brevitas" => "qonnx",
            domain => domain,
        };
        (domain, &self.node.op_type)
    }

    /// Refuses operators and attributes that are not read.
    pub fn check(&self) -> Result<(), OnnxError> {
        let (domain, operator) = self.kind();
        let Some((.., known)) = OPERATORS.iter().find(|(d, o, _)| (*d, *o) == (domain, operator)) else {
            let reason = match operator {
                // As the last node it only names what the network has computed.
                "ArgMax" => Some("cut it off: make its operand the graph's output"),
                "DynamicQuantizeLinear" => Some("scales chosen at run time: quantize the model statically"),
                _ => None,
            };
            return Err(unsupported_node(self.refusal(reason.map(str::to_owned))));
        };
        match self.node.attribute.iter().find(|attribute| !known.contains(&attribute.name.as_str())) {
            None => Ok(()),
            Some(attribute) if known.is_empty() => {
                Err(self.refuse(format!("attribute {}: the operator is read without attributes", attribute.name)))
            }
            Some(attribute) => {
                Err(self.refuse(format!("attribute {}: those read are {}", attribute.name, known.join(", "))))
            }
        }
    }

    fn refusal(&self, reason: Option<String>) -> UnsupportedNode {
        let (domain, operator) = self.kind();
        let operator = if domain.is_empty() { operator.to_owned() } else { format!("{}.{operator}", self.node.domain) };
        UnsupportedNode { node: self.name(), operator, attribute: reason }
    }

    /// The node cannot run, for this reason.
    pub fn refuse(&self, reason: impl Into<String>) -> OnnxError {
        unsupported_node(self.refusal(Some(reason.into())))
    }

    pub fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    pub fn float(&self, name: &str, default: f32) -> Result<f32, OnnxError> {
        match self.attribute(name).map(|attribute| attribute.f) {
            None => Ok(default),
            Some(value) if value.is_finite() => Ok(value),
            Some(value) => Err(self.malformed(name, value, "finite")),
        }
    }

    pub fn text(&self, name: &str, default: &'a str) -> &'a str {
        // What is no text is none of the words that are read.
        self.attribute(name).map_or(default, |attribute| std::str::from_utf8(&attribute.s).unwrap_or("no text"))
    }

    pub fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    /// Sizes of two dimensions, or of `n`.
    pub fn sizes(&self, name: &str, n: usize, least: i64) -> Result<Option<Vec<usize>>, OnnxError> {
        let Some(given) = self.ints(name) else { return Ok(None) };
        let sizes: Option<Vec<usize>> =
            given.iter().filter(|&&size| size >= least).map(|&size| usize::try_from(size).ok()).collect();
        match sizes {
            Some(sizes) if sizes.len() == n && sizes.len() == given.len() && sizes.iter().all(|&s| s <= 1 << 20) => {
                Ok(Some(sizes))
            }
            _ => Err(self.malformed(name, format!("{given:?}"), format!("{n} numbers in {least}..={}", 1 << 20))),
        }
    }

    /// An attribute that no such node can have.
    pub fn malformed(&self, attribute: &str, value: impl ToString, rule: impl Into<String>) -> OnnxError {
        OnnxError::Attribute {
            node: self.name(),
            operator: self.node.op_type.clone(),
            given: format!("{attribute} = {}", value.to_string()),
            rule: rule.into(),
        }
    }

    /// An axis of a tensor of `rank` dimensions; below zero from the end.
    pub fn axis(&self, name: &str, axis: i64, rank: usize) -> Result<usize, OnnxError> {
        let n = rank as i64;
        match usize::try_from(if axis < 0 { axis.saturating_add(n) } else { axis }) {
            Ok(axis) if axis < rank => Ok(axis),
            _ => Err(self.malformed(name, axis, format!("in {}..={}", -n, n - 1))),
        }
    }

    /// An operand's value; an empty name is a missing one.
    pub fn input(&self, at: usize) -> Option<&'a str> {
        self.node.input.get(at).map(String::as_str).filter(|name| !name.is_empty())
    }

    pub fn required(&self, at: usize, operand: &'static str) -> Result<&'a str, OnnxError> {
        self.input(at).ok_or_else(|| self.operand(operand, "there"))
    }

    pub fn operand(&self, operand: &'static str, rule: &'static str) -> OnnxError {
        OnnxError::Operand { node: self.name(), operator: self.node.op_type.clone(), operand, rule }
    }

    pub fn output(&self) -> Result<&'a str, OnnxError> {
        let first = self.node.output.first().map(String::as_str).filter(|name| !name.is_empty());
        first.ok_or_else(|| self.operand("first output", "there"))
    }

    pub fn shape(&self, what: &'static str, given: &[usize], expected: impl Into<String>) -> OnnxError {
        let given = given.iter().map(|&dim| i64::try_from(dim).unwrap_or(i64::MAX)).collect();
        OnnxError::Shape {
            node: self.name(),
            operator: self.node.op_type.clone(),
            what,
            given,
            expected: expected.into(),
        }
    }

    pub fn golden(&self, source: golden::GoldenError) -> OnnxError {
        OnnxError::Golden { node: self.name(), operator: self.node.op_type.clone(), source: Box::new(source) }
    }
}

pub fn unsupported_node(node: UnsupportedNode) -> OnnxError {
    OnnxError::Unsupported { nodes: vec![node], supported: supported() }
}
