//! Why a model was refused.

use golden::{GoldenError, LayerError};
use thiserror::Error;

/// A node that is not read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedNode {
    pub node: String,
    pub operator: String,
    /// The attribute that is not read, or another reason; without one, the operator itself is not read.
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
    #[error("unsupported nodes: {}; supported are {supported}", join(.nodes))]
    Unsupported { nodes: Vec<UnsupportedNode>, supported: String },
    #[error("the graph has the {what} {names:?}: it must have exactly one that is not an initializer")]
    NotOne { what: &'static str, names: Vec<String> },
    #[error(
        "input {input} has the shape {shape}: every dimension but the first (the batch) must be a positive number"
    )]
    InputShape { input: String, shape: String },
    #[error("node {node} ({operator}): its {operand} must be {rule}")]
    Operand { node: String, operator: String, operand: &'static str, rule: &'static str },
    #[error("node {node} ({operator}): {what}: given {given:?}, expected {expected}")]
    Shape { node: String, operator: String, what: &'static str, given: Vec<i64>, expected: String },
    #[error("tensor {tensor} has ONNX data type {given}: it must be {expected}")]
    DataType { tensor: String, given: i32, expected: &'static str },
    #[error("tensor {tensor} has the shape {dims:?}, but its data makes {given} elements")]
    Length { tensor: String, dims: Vec<i64>, given: usize },
    #[error("tensor {tensor} holds {value} at element {at}: every value must be finite")]
    NonFinite { tensor: String, at: usize, value: f32 },
    #[error("cannot read {path}: {source}")]
    Read { path: String, source: std::io::Error },
    #[error(
        "{path} has {bytes} bytes: a file of a model has at most {most}, larger tensors lie in files of their own"
    )]
    TooLarge { path: String, bytes: u64, most: u64 },
    #[error("tensor {tensor} of node {node}: its external data {location:?} {rule}")]
    ExternalData { tensor: String, node: String, location: String, rule: String },
    #[error("value {value} is made by {makers:?}: it must have one maker")]
    Makers { value: String, makers: Vec<String> },
    #[error("node {node} ({operator}) reads value {value}, which nothing makes")]
    Missing { node: String, operator: String, value: String },
    #[error("output {output} is the network's input: no node computes anything")]
    Nothing { output: String },
    #[error("output {output} is made by no node")]
    NoOutput { output: String },
    #[error("nodes {nodes:?} read each other's outputs in a cycle")]
    Cycle { nodes: Vec<String> },
    #[error("input {input}: dimension {dimension} has no size: bind it, for example {dimension}=16")]
    Unbound { input: String, dimension: String },
    #[error("dimension {dimension} is bound to {size}: it must be {rule}")]
    Binding { dimension: String, size: usize, rule: String },
    #[error("input {input} has {dims:?} elements after the batch: they must be at most {most}")]
    Elements { input: String, dims: Vec<usize>, most: usize },
    #[error("input {input} has ONNX data type {given}: it must be float32 or an integer of at most 16 bits")]
    InputType { input: String, given: i32 },
    #[error("node {node} ({operator}): attribute {given} must be {rule}")]
    Attribute { node: String, operator: String, given: String, rule: String },
    #[error(
        "node {node} ({operator}): tensor {tensor}: scale[{index}] = {value:e} must be positive, finite and normal"
    )]
    Scale { node: String, operator: String, tensor: String, index: usize, value: f32 },
    #[error("tensor {tensor} holds {value} at element {at}, which is no {format}")]
    Width { tensor: String, at: usize, value: i64, format: String },
    #[error("node {node} ({operator}) needs constants through {depth} nodes: at most {most} are followed")]
    Depth { node: String, operator: String, depth: usize, most: usize },
    #[error("node {node} ({operator}): {source}")]
    Golden { node: String, operator: String, source: Box<GoldenError> },
    #[error(transparent)]
    Layer(#[from] Box<LayerError>),
    #[error("the machine cannot run the model exactly: {}", join(.0))]
    Unfit(Vec<Unfit>),
}

/// What of a quantized model does not fit the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfit {
    pub node: String,
    /// What holds the value.
    pub tensor: String,
    pub value: String,
    /// What it would have to be, and the configuration's key that says so.
    pub rule: String,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {}, {}: {} {}", self.node, self.tensor, self.value, self.rule)
    }
}

fn join<T: ToString>(nodes: &[T]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
