//! A model's graph, checked: what makes each value, in which order, and which nodes the output needs.

use super::constant;
use super::node::Op;
use super::ImportOptions;
use crate::onnx::error::OnnxError;
use crate::onnx::proto::{self, Dimension, Node, Tensor, ValueInfo};
use crate::onnx::{name_of, ModelFile};
use std::collections::{HashMap, HashSet};

/// The one input that is no constant.
pub struct Input<'a> {
    pub name: &'a str,
    /// If it is fixed.
    pub batch: Option<usize>,
    /// Without the batch.
    pub dims: Vec<usize>,
    pub data_type: i32,
}

pub struct Graph<'a> {
    pub file: &'a ModelFile,
    /// Those that the output needs, each after those it reads.
    pub nodes: Vec<&'a Node>,
    pub input: Input<'a>,
    pub output: &'a str,
    /// What was left out, in words.
    pub notes: Vec<String>,
    initializers: HashMap<&'a str, &'a Tensor>,
    makers: HashMap<&'a str, &'a Node>,
    readers: HashMap<&'a str, Vec<&'a Node>>,
    constants: HashSet<&'a str>,
}

impl<'a> Graph<'a> {
    pub fn new(file: &'a ModelFile, options: &ImportOptions) -> Result<Self, OnnxError> {
        let graph = file.model.graph.as_ref().ok_or(OnnxError::NoGraph)?;
        let mut initializers = HashMap::new();
        for tensor in &graph.initializer {
            if initializers.insert(tensor.name.as_str(), tensor).is_some() {
                return Err(twice(&tensor.name, ["an initializer", "another initializer"]));
            }
        }
        let inputs = || graph.input.iter().filter(|input| !initializers.contains_key(input.name.as_str()));
        let makers = makers(&graph.node, inputs(), &initializers)?;
        let input = only("inputs", inputs())?;
        let output = only("outputs", graph.output.iter())?.name.as_str();
        if !makers.contains_key(output) {
            return Err(OnnxError::NoOutput { output: output.to_owned() });
        }
        for node in &graph.node {
            let known =
                |value: &str| makers.contains_key(value) || initializers.contains_key(value) || value == input.name;
            if let Some(value) = node.input.iter().find(|value| !value.is_empty() && !known(value)) {
                let (node, operator, value) = (name_of(node), node.op_type.clone(), value.clone());
                return Err(OnnxError::Missing { node, operator, value });
            }
        }
        let order = topological(&graph.node, &makers)?;
        let mut constants: HashSet<&str> = initializers.keys().copied().collect();
        for node in &order {
            if node.input.iter().all(|value| value.is_empty() || constants.contains(value.as_str())) {
                constants.extend(node.output.iter().map(String::as_str));
            }
        }
        let (output, notes) = without_softmax(output, &makers);
        let nodes = live(order, output, &makers);
        let mut readers: HashMap<&str, Vec<&Node>> = HashMap::new();
        for node in &nodes {
            for value in &node.input {
                readers.entry(value).or_default().push(node);
            }
        }
        let input = input_of(input, options)?;
        Ok(Self { file, nodes, input, output, notes, initializers, makers, readers, constants })
    }

    pub fn is_constant(&self, value: &str) -> bool {
        self.constants.contains(value)
    }

    pub fn initializer(&self, value: &str) -> Option<&'a Tensor> {
        self.initializers.get(value).copied()
    }

    pub fn maker(&self, value: &str) -> Option<&'a Node> {
        self.makers.get(value).copied()
    }

    /// The node that alone reads `value`, if it is not the output.
    pub fn only_reader(&self, value: &str) -> Option<&'a Node> {
        match self.readers.get(value).map(Vec::as_slice) {
            Some(&[node]) if value != self.output => Some(node),
            _ => None,
        }
    }
}

fn twice(value: &str, makers: [&str; 2]) -> OnnxError {
    OnnxError::Makers { value: value.to_owned(), makers: makers.map(str::to_owned).to_vec() }
}

fn makers<'a>(
    nodes: &'a [Node],
    inputs: impl Iterator<Item = &'a ValueInfo>,
    initializers: &HashMap<&str, &Tensor>,
) -> Result<HashMap<&'a str, &'a Node>, OnnxError> {
    let inputs: HashSet<&str> = inputs.map(|input| input.name.as_str()).collect();
    let mut makers: HashMap<&str, &Node> = HashMap::new();
    for node in nodes {
        for value in node.output.iter().filter(|value| !value.is_empty()) {
            let name = name_of(node);
            if initializers.contains_key(value.as_str()) {
                return Err(twice(value, ["an initializer", &name]));
            }
            if inputs.contains(value.as_str()) {
                return Err(twice(value, ["the graph's input", &name]));
            }
            if let Some(other) = makers.insert(value, node) {
                return Err(twice(value, [&name_of(other), &name]));
            }
        }
    }
    Ok(makers)
}

fn only<'a>(what: &'static str, values: impl Iterator<Item = &'a ValueInfo>) -> Result<&'a ValueInfo, OnnxError> {
    let values: Vec<_> = values.collect();
    match values[..] {
        [only] => Ok(only),
        _ => Err(OnnxError::NotOne { what, names: values.iter().map(|value| value.name.clone()).collect() }),
    }
}

/// Nodes, each after those it reads, else in the file's order.
fn topological<'a>(nodes: &'a [Node], makers: &HashMap<&str, &'a Node>) -> Result<Vec<&'a Node>, OnnxError> {
    let index: HashMap<*const Node, usize> =
        nodes.iter().enumerate().map(|(at, node)| (node as *const _, at)).collect();
    let mut readers = vec![Vec::new(); nodes.len()];
    let mut missing = vec![0_usize; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        for maker in node.input.iter().filter_map(|value| makers.get(value.as_str())) {
            readers[index[&(*maker as *const _)]].push(at);
            missing[at] += 1;
        }
    }
    let mut ready: std::collections::BTreeSet<usize> = (0..nodes.len()).filter(|&at| missing[at] == 0).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(at) = ready.pop_first() {
        order.push(&nodes[at]);
        for &reader in &readers[at] {
            missing[reader] -= 1;
            if missing[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    if order.len() < nodes.len() {
        let nodes = nodes.iter().zip(missing).filter(|(_, missing)| *missing > 0).map(|(node, _)| name_of(node));
        return Err(OnnxError::Cycle { nodes: nodes.collect() });
    }
    Ok(order)
}

/// The output before a last Softmax, whose greatest output is that of its greatest input, and what is left out.
fn without_softmax<'a>(output: &'a str, makers: &HashMap<&'a str, &'a Node>) -> (&'a str, Vec<String>) {
    let mut value = output;
    // Each value has one maker, and the graph has no cycle.
    while let Some(node) = makers.get(value) {
        let Some(first) = node.input.first() else { break };
        match Op::new(node).kind() {
            ("", "Softmax" | "LogSoftmax") | ("com.microsoft", "QLinearSoftmax") => {
                let note = format!(
                    "{} ({}) is left out, as the last node: the network's outputs are its inputs, in the same order",
                    name_of(node),
                    node.op_type
                );
                return (first, vec![note]);
            }
            ("" | "com.microsoft", "QuantizeLinear" | "DequantizeLinear" | "Identity") => value = first,
            _ => break,
        }
    }
    (output, Vec::new())
}

fn live<'a>(order: Vec<&'a Node>, output: &'a str, makers: &HashMap<&'a str, &'a Node>) -> Vec<&'a Node> {
    let mut needed: HashSet<*const Node> = HashSet::new();
    let mut values = vec![output];
    while let Some(value) = values.pop() {
        if let Some(node) = makers.get(value) {
            if needed.insert(*node as *const _) {
                values.extend(node.input.iter().map(String::as_str));
            }
        }
    }
    order.into_iter().filter(|node| needed.contains(&(*node as *const _))).collect()
}

fn input_of<'a>(input: &'a ValueInfo, options: &ImportOptions) -> Result<Input<'a>, OnnxError> {
    let tensor_type = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let dims = tensor_type.and_then(|t| t.shape.as_ref()).map_or(&[][..], |shape| &shape.dim);
    let text = |dim: &Dimension| match (dim.dim_value, &dim.dim_param) {
        (Some(value), _) => value.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "?".to_owned(),
    };
    let refused = || {
        let shape = format!("[{}]", dims.iter().map(text).collect::<Vec<_>>().join(", "));
        OnnxError::InputShape { input: input.name.clone(), shape }
    };
    if dims.len() < 2 {
        return Err(refused());
    }
    let named: Vec<String> = dims.iter().enumerate().map(|(axis, dim)| dimension_name(input, axis, dim)).collect();
    let mut sizes = Vec::with_capacity(dims.len());
    for (dim, name) in dims.iter().zip(&named).skip(1) {
        let bound = options.dimensions.iter().find(|(key, _)| key == name).map(|&(_, size)| size);
        let size = match (dim.dim_value, bound) {
            (Some(value), _) => usize::try_from(value).map_err(|_| refused())?,
            (None, Some(size)) => size,
            (None, None) => {
                return Err(OnnxError::Unbound { input: input.name.clone(), dimension: name.clone() });
            }
        };
        if size == 0 {
            return Err(refused());
        }
        sizes.push(size);
    }
    for (key, size) in &options.dimensions {
        let free = |(name, dim): (&String, &Dimension)| name == key && dim.dim_value.is_none();
        if !named.iter().zip(dims).skip(1).any(free) {
            let free: Vec<&String> = named
                .iter()
                .zip(dims)
                .skip(1)
                .filter(|(_, dim)| dim.dim_value.is_none())
                .map(|(name, _)| name)
                .collect();
            let rule = format!("a dimension without a size of input {}, after the batch: {free:?}", input.name);
            return Err(OnnxError::Binding { dimension: key.clone(), size: *size, rule });
        }
    }
    let elements = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    if elements.is_none_or(|elements| elements > MOST_ELEMENTS) {
        return Err(OnnxError::Elements { input: input.name.clone(), dims: sizes, most: MOST_ELEMENTS });
    }
    let data_type = tensor_type.map_or(proto::FLOAT, |t| t.elem_type);
    if data_type != proto::FLOAT && constant::format_of(data_type).is_none_or(|format| format.bits() > 16) {
        return Err(OnnxError::InputType { input: input.name.clone(), given: data_type });
    }
    let batch = dims[0].dim_value.and_then(|batch| usize::try_from(batch).ok());
    Ok(Input { name: &input.name, batch, dims: sizes, data_type })
}

/// The most elements of one image.
const MOST_ELEMENTS: usize = 1 << 26;

fn dimension_name(input: &ValueInfo, axis: usize, dim: &Dimension) -> String {
    match &dim.dim_param {
        Some(name) if !name.is_empty() => name.clone(),
        _ => format!("{}:{axis}", input.name),
    }
}
