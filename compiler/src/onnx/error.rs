//! Why a model was refused.

use thiserror::Error;

/// Operators that are read, as messages name them.
pub const SUPPORTED: &str = "Gemm, MatMul, Add, Relu, Flatten, Reshape, Identity and Constant";

/// A node that is not read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedNode {
    pub node: String,
    pub operator: String,
    /// The attribute that is not read; without one, the operator itself is not.
    pub attribute: Option<String>,
}

impl std::fmt::Display for UnsupportedNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.node, self.operator)?;
        match &self.attribute {
            Some(attribute) => write!(f, ": {attribute}"),
            None => Ok(()),
        }
    }
}

/// See the module.
#[derive(Debug, Error)]
pub enum OnnxError {
    #[error("the file is not a complete ONNX model: {0}")]
    Decode(#[from] prost::DecodeError),
    #[error("the file holds no ONNX graph")]
    NoGraph,
    #[error("the graph has no Gemm and no MatMul")]
    NoLayers,
    #[error("unsupported nodes: {}; supported are {SUPPORTED}", join(.0))]
    Unsupported(Vec<UnsupportedNode>),
    #[error("the graph has the {what} {names:?}: it must have exactly one that is not an initializer")]
    NotOne { what: &'static str, names: Vec<String> },
    #[error(
        "input {input} has the shape {shape}: every dimension but the first (the batch) must be a positive number"
    )]
    InputShape { input: String, shape: String },
    #[error("value {value} feeds {nodes:?}: branches are not supported")]
    Branch { value: String, nodes: Vec<String> },
    #[error("nodes {nodes:?} are not on the path from the input to the output")]
    OffPath { nodes: Vec<String> },
    #[error("value {value} is neither the graph's output nor anyone's input")]
    DeadEnd { value: String },
    #[error("node {node} ({operator}): its {operand} must be {rule}")]
    Operand { node: String, operator: String, operand: &'static str, rule: &'static str },
    #[error("node {node} ({operator}): {what}: given {given:?}, expected {expected}")]
    Shape { node: String, operator: String, what: &'static str, given: Vec<i64>, expected: String },
    #[error("tensor {tensor} lies in another file: external data is not supported")]
    External { tensor: String },
    #[error("tensor {tensor} has ONNX data type {given}: it must be {expected}")]
    DataType { tensor: String, given: i32, expected: &'static str },
    #[error("tensor {tensor} has the shape {dims:?}, but its data makes {given} elements")]
    Length { tensor: String, dims: Vec<i64>, given: usize },
    #[error("tensor {tensor} holds {value} at element {at}: every value must be finite")]
    NonFinite { tensor: String, at: usize, value: f32 },
}

fn join(nodes: &[UnsupportedNode]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
