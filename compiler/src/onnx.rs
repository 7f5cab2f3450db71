//! Float networks from ONNX: one path of linear layers, each with an optional ReLU.

mod error;
mod import;
mod model_file;
mod network;
pub mod proto;
mod tensor;
mod walk;

pub use error::{OnnxError, Unfit, UnsupportedNode, SUPPORTED};
pub use import::{
    import, notes, ImportOptions, Imported, IntegerLayer, IntegerModel, IntegerOperation, IntegerTensor, Needs,
};
pub use model_file::ModelFile;
pub use network::{count_correct, FloatLayer, FloatNetwork};

use prost::Message;
use proto::{Graph, Model, Node, Tensor, ValueInfo};
use std::collections::HashMap;
use walk::Walk;

/// Reads a float network from the bytes of an `.onnx` file.
///
/// Read are Gemm (`transA = 0`, either `transB`; `alpha` and `beta` are folded into weights and bias), MatMul, Add of a
/// constant (a bias), Relu, Flatten and Reshape to two dimensions, Identity and Constant, on a single path from one input
/// to one output. Every node that is not supported is reported at once.
pub fn read_onnx(bytes: &[u8]) -> Result<FloatNetwork, OnnxError> {
    let graph = Model::decode(bytes)?.graph.ok_or(OnnxError::NoGraph)?;
    let unsupported: Vec<_> = graph.node.iter().filter_map(unsupported).collect();
    if !unsupported.is_empty() {
        return Err(OnnxError::Unsupported { nodes: unsupported, supported: SUPPORTED.to_owned() });
    }
    let constants = constants(&graph);
    let input = only("inputs", graph.input.iter().filter(|input| !constants.contains_key(input.name.as_str())))?;
    let output = only("outputs", graph.output.iter())?;
    let (batch, shape) = input_shape(input)?;
    let mut walk = Walk::new(&constants, batch, shape);
    follow(&graph, &input.name, &output.name, |node, value| walk.step(node, value))?;
    walk.finish()
}

/// A node's name, or what stands for it if it has none.
fn name_of(node: &Node) -> String {
    if !node.name.is_empty() {
        return node.name.clone();
    }
    format!("-> {}", node.output.first().map_or("nothing", |output| output))
}

fn unsupported(node: &Node) -> Option<UnsupportedNode> {
    let standard = node.domain.is_empty() || node.domain == "ai.onnx";
    let attribute = match node.op_type.as_str() {
        "Gemm" if standard => node.attribute.iter().find(|a| a.name == "transA" && a.i != 0),
        "Constant" if standard => node.attribute.iter().find(|a| a.name != "value"),
        "Reshape" if standard => node.attribute.iter().find(|a| a.name == "allowzero" && a.i != 0),
        "MatMul" | "Add" | "Relu" | "Flatten" | "Identity" if standard => None,
        _ => {
            let prefix = if standard { String::new() } else { format!("{}.", node.domain) };
            let operator = format!("{prefix}{}", node.op_type);
            return Some(UnsupportedNode { node: name_of(node), operator, attribute: None });
        }
    }?;
    let attribute = match attribute.name.as_str() {
        name @ ("transA" | "allowzero") => format!("{name} = {}, only 0 is supported", attribute.i),
        name => format!("{name}, only value is supported"),
    };
    Some(UnsupportedNode { node: name_of(node), operator: node.op_type.clone(), attribute: Some(attribute) })
}

fn constants(graph: &Graph) -> HashMap<&str, &Tensor> {
    let initializers = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor));
    let nodes = graph.node.iter().filter(|node| node.op_type == "Constant").filter_map(|node| {
        let tensor = node.attribute.iter().find_map(|attribute| attribute.t.as_ref())?;
        Some((node.output.first()?.as_str(), tensor))
    });
    initializers.chain(nodes).collect()
}

fn only<'a>(what: &'static str, values: impl Iterator<Item = &'a ValueInfo>) -> Result<&'a ValueInfo, OnnxError> {
    let values: Vec<_> = values.collect();
    match values[..] {
        [only] => Ok(only),
        _ => Err(OnnxError::NotOne { what, names: values.iter().map(|value| value.name.clone()).collect() }),
    }
}

/// The batch, if it is fixed, and the other dimensions.
fn input_shape(input: &ValueInfo) -> Result<(Option<i64>, Vec<usize>), OnnxError> {
    let dims = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).and_then(|t| t.shape.as_ref());
    let dims = dims.map_or(&[][..], |shape| &shape.dim);
    let fixed = |dim: &proto::Dimension| dim.dim_value.and_then(|v| usize::try_from(v).ok()).filter(|&v| v > 0);
    let rest: Option<Vec<usize>> = dims.iter().skip(1).map(fixed).collect();
    match rest {
        Some(rest) if !rest.is_empty() => Ok((dims[0].dim_value, rest)),
        _ => {
            let text = |dim: &proto::Dimension| match (dim.dim_value, &dim.dim_param) {
                (Some(value), _) => value.to_string(),
                (None, Some(name)) => name.clone(),
                (None, None) => "?".to_owned(),
            };
            let shape = format!("[{}]", dims.iter().map(text).collect::<Vec<_>>().join(", "));
            Err(OnnxError::InputShape { input: input.name.clone(), shape })
        }
    }
}

/// Calls `step` with each node on the path from `input` to `output` and the value that the path enters it by.
fn follow<'a>(
    graph: &'a Graph,
    input: &'a str,
    output: &str,
    mut step: impl FnMut(&'a Node, &'a str) -> Result<(), OnnxError>,
) -> Result<(), OnnxError> {
    let mut consumers: HashMap<&str, Vec<&Node>> = HashMap::new();
    let path = || graph.node.iter().filter(|node| node.op_type != "Constant");
    for node in path() {
        // A node that takes a value twice (x + x) is a branch, too.
        for value in &node.input {
            consumers.entry(value).or_default().push(node);
        }
    }
    let mut visited: Vec<&Node> = Vec::new();
    let mut value = input;
    loop {
        let next = consumers.get(value).map_or(&[][..], |nodes| nodes);
        match (next, value == output) {
            ([], true) => break,
            ([], false) => return Err(OnnxError::DeadEnd { value: value.to_owned() }),
            // Each node is consumed at most once on the way, so a cycle cannot hold the walk.
            (&[node], false) if !visited.iter().any(|seen| std::ptr::eq(*seen, node)) => {
                step(node, value)?;
                visited.push(node);
                value = node.output.first().map_or("", |output| output);
            }
            (nodes, _) => {
                let nodes = nodes.iter().map(|node| name_of(node)).collect();
                return Err(OnnxError::Branch { value: value.to_owned(), nodes });
            }
        }
    }
    let off_path: Vec<_> = path().filter(|node| !visited.iter().any(|seen| std::ptr::eq(*seen, *node))).collect();
    if off_path.is_empty() {
        Ok(())
    } else {
        Err(OnnxError::OffPath { nodes: off_path.into_iter().map(name_of).collect() })
    }
}
