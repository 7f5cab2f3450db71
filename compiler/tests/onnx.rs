//! Import from ONNX: the shipped network against onnxruntime, and small graphs by hand.

mod common;

use common::read_onnx;
use compiler::float::{count_correct, FloatLayer, FloatNetwork, FloatOperation};
use compiler::npz::Npz;
use compiler::onnx::proto::{
    Attribute, Dimension, Graph, Model, Node, Tensor, TensorShape, TensorType, Type, ValueInfo, FLOAT, INT64,
};
use compiler::onnx::OnnxError;
use prost::Message;

const MLP: &[u8] = include_bytes!("../../examples/digits/mlp.onnx");
const DIGITS: &[u8] = include_bytes!("../../examples/digits/digits.npz");
/// The logits of the first 20 test images by onnxruntime 1.32.0 (CPU, x86-64).
const ONNXRUNTIME: &[u8] = include_bytes!("data/digits_onnxruntime_1.32.0.npz");

/// A dense layer's weights and bias.
fn parameters(layer: &FloatLayer) -> (&[f32], &[f32]) {
    let FloatOperation::Convolution { weights, bias, .. } = &layer.operation else { panic!("{} is dense", layer.name) };
    (weights, bias)
}

#[test]
fn the_digits_network_gives_what_onnxruntime_gives() {
    let network = read_onnx(MLP).expect("the shipped network is read");
    let shape = |layer: &FloatLayer| {
        let (weights, bias) = parameters(layer);
        (layer.name.clone(), weights.len() / bias.len(), bias.len(), layer.clamp == [0.0, f32::INFINITY])
    };
    let shapes: Vec<_> = network.layers.iter().map(shape).collect();
    assert_eq!(shapes, [("gemm1".to_owned(), 64, 32, true), ("gemm2".to_owned(), 32, 10, false)]);
    let test = Npz::new(DIGITS.to_vec()).and_then(|mut npz| npz.matrix("test", 64)).expect("the shipped data is read");
    let expected = Npz::new(ONNXRUNTIME.to_vec()).and_then(|mut npz| npz.matrix("logits", 10)).expect("a fixture");
    assert_eq!(expected.rows, 20);
    let logits = network.forward(&test.values[..20 * 64]).expect("it fits");
    assert_eq!(logits.len(), expected.values.len());
    for (at, (ours, theirs)) in logits.iter().zip(&expected.values).enumerate() {
        // Sums of 64 float32 terms in another order.
        assert!((ours - theirs).abs() <= 2e-5 * theirs.abs().max(1.0), "logit {at}: {ours} and {theirs}");
    }
}

fn tensor(name: &str, dims: &[i64], values: &[f32]) -> Tensor {
    Tensor {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: FLOAT,
        float_data: values.to_vec(),
        ..Tensor::default()
    }
}

fn node(name: &str, op_type: &str, input: &[&str], output: &str) -> Node {
    Node {
        name: name.to_owned(),
        op_type: op_type.to_owned(),
        input: input.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Node::default()
    }
}

fn with(mut node: Node, name: &str, i: i64, f: f32) -> Node {
    node.attribute.push(Attribute { name: name.to_owned(), i, f, ..Attribute::default() });
    node
}

/// Dimensions below 1 are symbolic.
fn value(name: &str, dims: &[i64]) -> ValueInfo {
    let dim = |&dim: &i64| match dim {
        1.. => Dimension { dim_value: Some(dim), dim_param: None },
        _ => Dimension { dim_value: None, dim_param: Some("n".to_owned()) },
    };
    let shape = Some(TensorShape { dim: dims.iter().map(dim).collect() });
    ValueInfo {
        name: name.to_owned(),
        r#type: Some(Type { tensor_type: Some(TensorType { elem_type: FLOAT, shape }) }),
    }
}

fn graph(input: &[i64], node: Vec<Node>, initializer: Vec<Tensor>) -> Graph {
    Graph { node, initializer, input: vec![value("x", input)], output: vec![value("y", &[])] }
}

fn read(graph: Graph) -> Result<FloatNetwork, OnnxError> {
    read_onnx(&Model { ir_version: 8, graph: Some(graph), opset_import: Vec::new() }.encode_to_vec())
}

/// y = x w + b for two inputs and three outputs.
fn plain() -> Graph {
    let weights = tensor("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    graph(&[0, 2], vec![node("g", "Gemm", &["x", "w", "b"], "y")], vec![weights, tensor("b", &[3], &[0.1, 0.2, 0.3])])
}

#[test]
fn gemm_folds_its_attributes() {
    let mut graph = plain();
    graph.initializer[0] = tensor("w", &[3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    let gemm = graph.node.remove(0);
    graph.node.push(with(with(with(gemm, "transB", 1, 0.0), "alpha", 0, 2.0), "beta", 0, -1.0));
    let network = read(graph).expect("supported");
    let expected: (&[f32], &[f32]) = (&[2.0, 4.0, 6.0, 8.0, 10.0, 12.0], &[-0.1, -0.2, -0.3]);
    assert_eq!(parameters(&network.layers[0]), expected);
    // (1, -1): 2 - 8 - 0.1.
    assert_eq!(network.forward(&[1.0, -1.0]).expect("it fits"), [-6.1, -6.2, -6.3]);
}

#[test]
fn matmul_add_relu_and_shape_operators_make_layers() {
    let shape = Tensor { name: String::new(), dims: vec![2], data_type: INT64, ..Tensor::default() };
    let shape =
        Tensor { raw_data: [-1_i64, 4].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().into(), ..shape };
    let mut constant = node("", "Constant", &[], "shape");
    constant.attribute.push(Attribute { name: "value".to_owned(), t: Some(shape), ..Attribute::default() });
    let nodes = vec![
        constant,
        node("r", "Reshape", &["x", "shape"], "flat"),
        node("i", "Identity", &["flat"], "same"),
        node("m", "MatMul", &["same", "w"], "sum"),
        node("a", "Add", &["b", "sum"], "biased"),
        node("", "Relu", &["biased"], "y"),
    ];
    let tensors = vec![tensor("w", &[4, 1], &[1.0, 10.0, 100.0, 1000.0]), tensor("b", &[1], &[0.5])];
    let network = read(graph(&[0, 2, 2], nodes, tensors)).expect("supported");
    let widths: Vec<usize> = network.extents().expect("it fits").iter().map(|extent| extent.elements()).collect();
    assert_eq!(widths, [4, 1]);
    let outputs = network.forward(&[1.0, 2.0, 3.0, 4.0, -1.0, 0.0, 0.0, 0.0]).expect("it fits");
    assert_eq!(outputs, [4321.5, 0.0]);
}

#[test]
fn every_truncation_of_the_file_is_an_error() {
    let mut decode_errors = 0;
    for len in 0..MLP.len() {
        match read_onnx(&MLP[..len]) {
            Ok(_) => {
                // Only the opset, which follows the graph, may be missing.
                let rest = MLP.len() - len;
                assert!(rest < 8, "the first {len} bytes were taken for a whole model");
            }
            Err(OnnxError::Decode(_)) => decode_errors += 1,
            Err(_) => {}
        }
    }
    assert!(decode_errors > MLP.len() - 100);
}

#[test]
fn the_first_of_equal_scores_counts() {
    assert_eq!(count_correct(&[1, 3, 3, 0, 0, 0], 3, &[1, 0]), 2);
    assert_eq!(count_correct(&[1, 3, 3, 0, 0, 0], 3, &[2, 1]), 0);
}
