//! Parts of models.

use compiler::onnx::proto::{
    Attribute, Dimension, Graph, Model, Node, Tensor, TensorShape, TensorType, Type, ValueInfo, FLOAT, INT64, INT8,
};
use compiler::onnx::{import, ImportOptions, Imported, ModelFile};
use prost::Message;

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> Tensor {
    Tensor {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: FLOAT,
        float_data: values.to_vec(),
        ..Tensor::default()
    }
}

/// As many equal numbers as `dims` ask for.
pub fn filled(name: &str, dims: &[i64], value: f32) -> Tensor {
    floats(name, dims, &vec![value; dims.iter().product::<i64>() as usize])
}

pub fn ints(name: &str, values: &[i64]) -> Tensor {
    let (dims, int64_data) = (vec![values.len() as i64], values.to_vec());
    Tensor { name: name.to_owned(), dims, data_type: INT64, int64_data, ..Tensor::default() }
}

pub fn int8(name: &str, dims: &[i64], values: &[i32]) -> Tensor {
    let (dims, int32_data) = (dims.to_vec(), values.to_vec());
    Tensor { name: name.to_owned(), dims, data_type: INT8, int32_data, ..Tensor::default() }
}

pub fn node(name: &str, op_type: &str, input: &[&str], output: &str) -> Node {
    Node {
        name: name.to_owned(),
        op_type: op_type.to_owned(),
        input: input.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Node::default()
    }
}

pub fn with(mut node: Node, attribute: Attribute) -> Node {
    node.attribute.push(attribute);
    node
}

pub fn int(name: &str, i: i64) -> Attribute {
    Attribute { name: name.to_owned(), i, ..Attribute::default() }
}

pub fn list(name: &str, ints: &[i64]) -> Attribute {
    Attribute { name: name.to_owned(), ints: ints.to_vec(), ..Attribute::default() }
}

pub fn text(name: &str, text: &str) -> Attribute {
    Attribute { name: name.to_owned(), s: text.as_bytes().to_vec().into(), ..Attribute::default() }
}

/// The batch and `dims`; those below 0 have no size, and at -1 the name `size`.
pub fn value(name: &str, elem_type: i32, dims: &[i64]) -> ValueInfo {
    let dim = |&dim: &i64| match dim {
        -1 => Dimension { dim_value: None, dim_param: Some("size".to_owned()) },
        dim if dim < 0 => Dimension { dim_value: None, dim_param: None },
        _ => Dimension { dim_value: Some(dim), dim_param: None },
    };
    let dim = std::iter::once(&-2).chain(dims).map(dim).collect();
    let shape = Some(TensorShape { dim });
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type: Some(TensorType { elem_type, shape }) }) }
}

/// From x of the batch and `dims` to y.
pub fn graph(dims: &[i64], node: Vec<Node>, initializer: Vec<Tensor>) -> Graph {
    Graph { node, initializer, input: vec![value("x", FLOAT, dims)], output: vec![value("y", FLOAT, &[])] }
}

pub fn file(graph: Graph) -> ModelFile {
    let model = Model { ir_version: 10, graph: Some(graph), opset_import: Vec::new() };
    ModelFile::decode(model.encode_to_vec()).expect("it decodes")
}

pub fn read(graph: Graph) -> Result<Imported, String> {
    import(&file(graph), &ImportOptions::default()).map_err(|error| error.to_string())
}

/// Why a graph is refused; of unsupported nodes without the list of what is supported.
pub fn refused(graph: Graph) -> String {
    let error = read(graph).expect_err("it is refused");
    error.split("; supported are ").next().unwrap_or_default().to_owned()
}
