//! Quantized models on a machine: where values, zero points, biases and bounds go.

#[allow(dead_code)] // the parts that other tests use
mod onnx_parts;

use compiler::onnx::proto::{Graph, Tensor, INT32, UINT8};
use compiler::onnx::{Imported, IntegerModel};
use compiler::quantized::QuantizedNetwork;
use golden::{Bounds, Operation};
use onnx_parts::{floats, graph, int8, node, read};
use spec::Config;

fn model(graph: Graph) -> Box<IntegerModel> {
    match read(graph) {
        Ok(Imported::Quantized(model)) => model,
        other => panic!("{other:?}"),
    }
}

/// On the shipped configuration, int8, with biases of 32 bits and a table.
fn on_int8(model: &IntegerModel) -> QuantizedNetwork {
    let toml = Config::named("default").expect("it ships").to_toml();
    let lines = toml.lines().map(|line| match line {
        _ if line.starts_with("bias_bits") => "bias_bits = 32",
        _ if line.starts_with("accumulator_bits") => "accumulator_bits = \"auto\"",
        _ if line.starts_with("activation_table") => "activation_table = true",
        _ => line,
    });
    let toml = lines.collect::<Vec<_>>().join("\n");
    model.on(Config::from_toml(&toml).expect("it is valid").numerics()).expect("it fits")
}

fn with_type(tensor: Tensor, data_type: i32) -> Tensor {
    Tensor { data_type, ..tensor }
}

/// x -> Q -> DQ -> MatMul by (3, -5) plus a bias -> Relu -> Q -> DQ -> y in uint8, of scales 0.1, 0.3 and 0.7.
fn uint8() -> Graph {
    let nodes = vec![
        node("q", "QuantizeLinear", &["x", "s", "z"], "xq"),
        node("d", "DequantizeLinear", &["xq", "s", "z"], "xd"),
        node("dw", "DequantizeLinear", &["w", "ws"], "wd"),
        node("db", "DequantizeLinear", &["b", "bs"], "bd"),
        node("g", "Gemm", &["xd", "wd", "bd"], "h"),
        node("r", "Relu", &["h"], "hr"),
        node("q2", "QuantizeLinear", &["hr", "s2", "z2"], "hq"),
        node("d2", "DequantizeLinear", &["hq", "s2", "z2"], "y"),
    ];
    let tensors = vec![
        floats("s", &[], &[0.1]),
        floats("ws", &[], &[0.3]),
        floats("bs", &[], &[0.1 * 0.3]),
        floats("s2", &[], &[0.7]),
        with_type(int8("z", &[], &[120]), UINT8),
        with_type(int8("z2", &[], &[20]), UINT8),
        int8("w", &[2, 1], &[3, -5]),
        // As f32 a neighbour of 2^30.
        with_type(int8("b", &[1], &[(1 << 30) + 1]), INT32),
    ];
    graph(&[2], nodes, tensors)
}

#[test]
fn unsigned_values_move_to_a_signed_machine() {
    let network = on_int8(&model(uint8()));
    let zero_points: Vec<i64> = network.parts().tensors.iter().map(|tensor| tensor.zero_point).collect();
    assert_eq!(zero_points, [120 - 128, 20 - 128]);
    let layer = &network.network().layers[0];
    assert_eq!((layer.pad, layer.bounds), (-8, Bounds { low: -108, high: 127 }));
    assert_eq!(layer.channels[0][0].zero_point, -108);
}

#[test]
fn integer_biases_in_steps_of_the_accumulator_stay_exact() {
    let network = on_int8(&model(uint8()));
    // The zero point -8 times the sum of the weights, -2, is taken off.
    assert_eq!(network.network().layers[0].channels[0][0].bias, (1 << 30) + 1 - 16);
}

#[test]
fn integer_biases_of_other_scales_are_requantized() {
    let mut graph = uint8();
    graph.initializer[2] = floats("bs", &[], &[0.25]);
    graph.initializer[7] = with_type(int8("b", &[1], &[1001]), INT32);
    let network = on_int8(&model(graph));
    // 1001 x 0.25 / 0.03 = 8341.67.
    assert_eq!(network.network().layers[0].channels[0][0].bias, 8342 - 16);
}

#[test]
fn an_output_quantized_twice_is_two_layers() {
    let mut graph = uint8();
    graph.node.truncate(6);
    graph.node.extend([
        node("q2", "QuantizeLinear", &["hr", "s2", "z2"], "hq"),
        node("d2", "DequantizeLinear", &["hq", "s2", "z2"], "hd"),
        node("q3", "QuantizeLinear", &["hr", "s", "z2"], "gq"),
        node("d3", "DequantizeLinear", &["gq", "s", "z2"], "gd"),
        node("a", "Add", &["hd", "gd"], "sum"),
        node("q4", "QuantizeLinear", &["sum", "s2", "z2"], "sq"),
        node("d4", "DequantizeLinear", &["sq", "s2", "z2"], "y"),
    ]);
    let network = on_int8(&model(graph));
    let layers: Vec<_> =
        network.network().layers.iter().map(|layer| (layer.name.as_str(), layer.inputs.clone())).collect();
    assert_eq!(layers, [("g", vec![0]), ("g#2", vec![0]), ("a", vec![1, 2])]);
}

/// x -> Quant(8 bits) -> Sigmoid -> Quant(bits) -> y.
fn sigmoid(input_bits: f32) -> Graph {
    let quant = |input: &str, scale: &str, bits: &str, output: &str| {
        let mut node = node(output, "Quant", &[input, scale, "z", bits], output);
        node.domain = "qonnx.custom_op.general".to_owned();
        node
    };
    let nodes = vec![quant("x", "s", "b", "xq"), node("f", "Sigmoid", &["xq"], "h"), quant("h", "s2", "b2", "y")];
    let tensors = vec![
        floats("s", &[], &[0.125]),
        floats("s2", &[], &[0.25]),
        floats("z", &[], &[0.0]),
        floats("b", &[], &[input_bits]),
        floats("b2", &[], &[4.0]),
    ];
    graph(&[1], nodes, tensors)
}

#[test]
fn a_table_takes_all_values_of_its_input() {
    let network = on_int8(&model(sigmoid(8.0)));
    let layer = &network.network().layers[0];
    assert_eq!(layer.bounds, Bounds { low: -128, high: 127 });
    let table = layer.table.as_ref().expect("a table");
    // sigmoid(16 / 8) = 0.88 is 3.52 steps, sigmoid(-127 / 8) none, sigmoid(0) two.
    assert_eq!((table[16], table[256 - 127], table[0]), (4, 0, 2));
}

#[test]
fn inputs_of_fewer_bits_are_clamped_by_a_layer() {
    let network = on_int8(&model(sigmoid(5.0)));
    let layers = &network.network().layers;
    assert_eq!(layers[0].name, "clamp of the network's input");
    assert_eq!(layers[0].bounds, Bounds { low: -16, high: 15 });
    assert_eq!((&layers[1].inputs[..], layers[1].bounds), (&[1][..], Bounds { low: -16, high: 15 }));
    assert_eq!(network.parts().tensors.len(), 3);
}

#[test]
fn constants_a_channel_use_the_precision_of_the_weights() {
    let nodes = vec![
        node("q", "QuantizeLinear", &["x", "s", "z"], "xq"),
        node("d", "DequantizeLinear", &["xq", "s", "z"], "xd"),
        node("m", "Mul", &["xd", "m"], "p"),
        node("a", "Add", &["p", "a"], "h"),
        node("q2", "QuantizeLinear", &["h", "s", "z"], "hq"),
        node("d2", "DequantizeLinear", &["hq", "s", "z"], "y"),
    ];
    let tensors = vec![
        floats("s", &[], &[0.5]),
        int8("z", &[], &[3]),
        floats("m", &[3], &[1.0, -2.0, 0.0]),
        floats("a", &[], &[0.25]),
    ];
    let network = on_int8(&model(graph(&[3], nodes, tensors)));
    let layer = &network.network().layers[0];
    let Operation::Convolution { groups, weights, .. } = &layer.operation else { panic!("{:?}", layer.operation) };
    // The greatest power of two of int8.
    assert_eq!((*groups, &weights[..]), (3, &[64, -64, 0][..]));
    let biases: Vec<i64> = layer.channels[0].iter().map(|channel| channel.bias).collect();
    // 0.25 in steps of 0.5 / 64, of 1 / 64 and of 0.5 / 64, less the zero point times the weight.
    assert_eq!(biases, [32 - 3 * 64, 16 + 3 * 64, 32]);
    let ratios: Vec<f64> =
        layer.channels[0].iter().map(|c| f64::from(c.multiplier) / (1_u64 << c.shift) as f64).collect();
    assert_eq!(ratios, [1.0 / 64.0, 2.0 / 64.0, 1.0 / 64.0]);
}
