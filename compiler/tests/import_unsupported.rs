//! Models that ONNX allows and the importer or a machine does not run: all reasons at once, in words.

mod onnx_parts;

use compiler::float::{FloatOperation, Function};
use compiler::onnx::proto::{Attribute, Graph, Node, Tensor};
use compiler::onnx::{import, notes, ImportOptions, Imported, IntegerModel, Needs};
use onnx_parts::{file, filled, floats, graph, int, int8, ints, list, node, read, refused, text, with};
use spec::Config;

/// The reason for which one node between x and y is refused.
fn reason(dims: &[i64], node: Node, tensors: Vec<Tensor>) -> String {
    let operator = format!("unsupported nodes: n ({}): ", node.op_type);
    let text = refused(graph(dims, vec![node], tensors));
    text.strip_prefix(&operator).unwrap_or_else(|| panic!("{text}")).to_owned()
}

fn in_domain(domain: &str, node: Node) -> Node {
    Node { domain: domain.to_owned(), ..node }
}

#[test]
fn all_nodes_that_cannot_run_are_reported_at_once() {
    let nodes = vec![
        with(node("p", "MaxPool", &["x"], "a"), list("kernel_shape", &[2, 2])),
        node("l", "LSTM", &["a"], "b"),
        node("r", "Relu", &["b"], "c"),
        in_domain("com.example", node("m", "Relu", &["c"], "d")),
        with(node("f", "Flatten", &["x"], "e"), int("axis", 2)),
        node("s", "Softmax", &["e"], "f"),
        node("y", "Add", &["d", "f"], "y"),
    ];
    assert_eq!(
        refused(graph(&[2, 4, 4], nodes, vec![])),
        "unsupported nodes: l (LSTM), m (com.example.Relu), \
         f (Flatten): axis = 2: only 1, which keeps the batch, is supported, s (Softmax)"
    );
    let gemm = node("g", "Gemm", &["x", "w"], "h");
    assert_eq!(
        refused(graph(&[2], vec![gemm, node("a", "ArgMax", &["h"], "y")], vec![filled("w", &[2, 3], 1.0)])),
        "unsupported nodes: a (ArgMax): cut it off: make its operand the graph's output"
    );
}

#[test]
fn the_list_of_what_is_supported_is_in_the_message() {
    let error = read(graph(&[2], vec![node("l", "LSTM", &["x"], "y")], vec![])).expect_err("it is refused");
    assert!(error.contains("; supported are Conv, Gemm, MatMul, Add, "), "{error}");
    assert!(
        error.ends_with("com.microsoft.QLinearLeakyRelu, qonnx.Quant, qonnx.IntQuant, qonnx.BipolarQuant"),
        "{error}"
    );
}

#[test]
fn each_refusal_has_its_reason() {
    let image = &[2, 4, 4];
    let w = |dims: &[i64]| vec![filled("w", dims, 1.0)];
    let conv = || node("n", "Conv", &["x", "w"], "y");
    let pool = |operator| with(node("n", operator, &["x"], "y"), list("kernel_shape", &[2, 2]));
    let cases = [
        (reason(&[2, 9], conv(), w(&[3, 2, 3])), "1-D: only two dimensions are supported"),
        (
            reason(&[2, 9], conv(), w(&[3, 2, 3, 3])),
            "1-D: only two dimensions (batch, channel, row, column) are supported",
        ),
        (reason(image, conv(), w(&[3, 2, 1, 1, 1])), "3-D: only two dimensions are supported"),
        (
            reason(image, with(conv(), list("pads", &[-1, 0, 0, 0])), w(&[3, 2, 1, 1])),
            "pads = [-1, 0, 0, 0]: pads that cut the input off are not supported",
        ),
        (
            reason(image, with(conv(), int("activation", 1)), w(&[3, 2, 1, 1])),
            "attribute activation: those read are auto_pad, dilations, group, kernel_shape, pads, strides",
        ),
        (
            reason(image, with(with(pool("MaxPool"), int("ceil_mode", 1)), list("strides", &[3, 3])), vec![]),
            "ceil_mode = 1: a last window would reach beyond the padded input of 4, which only whole windows may not",
        ),
        (reason(image, with(pool("MaxPool"), int("storage_order", 1)), vec![]), "storage_order = 1: only 0 is supported"),
        (
            reason(image, with(pool("MaxPool"), list("pads", &[2, 0, 0, 0])), vec![]),
            "pads: each must be smaller than the kernel's reach",
        ),
        (
            reason(image, with(pool("AveragePool"), list("pads", &[1, 0, 0, 0])), vec![]),
            "count_include_pad = 0 with pads: windows at the edge would have another divisor; only 1 is supported there",
        ),
        (
            reason(image, with(node("n", "ReduceMean", &["x"], "y"), list("axes", &[1])), vec![]),
            "axes = [1]: means are taken over rows and columns only",
        ),
        (
            reason(image, node("n", "Add", &["x", "w"], "y"), w(&[4, 4])),
            "tensor w of [4, 4] with [2, 4, 4] after the batch: only constants a channel",
        ),
        (
            reason(image, node("n", "Reshape", &["x", "s"], "y"), vec![ints("s", &[1, 32])]),
            "the new shape [1, 32] must keep the batch, the first dimension, and 32 elements after it",
        ),
        (
            reason(image, with(node("n", "Transpose", &["x"], "y"), list("perm", &[1, 0, 2, 3])), vec![]),
            "perm = [1, 0, 2, 3]: it moves the batch, the first dimension",
        ),
        (
            reason(image, node("n", "Squeeze", &["x", "s"], "y"), vec![ints("s", &[0])]),
            "it changes the batch, the first dimension",
        ),
        (
            reason(&[2], node("n", "Mul", &["x", "x"], "y"), vec![]),
            "of two activations: only x Sigmoid(x) and x HardSigmoid(x) with alpha = 1/6, beta = 0.5",
        ),
        (
            reason(&[2], with(node("n", "Gelu", &["x"], "y"), text("approximate", "tanh")), vec![]),
            "approximate = tanh: only none is supported",
        ),
        (
            reason(&[2], with(node("n", "Gemm", &["x", "w"], "y"), int("transA", 1)), w(&[2, 2])),
            "transA = 1: only 0 is supported",
        ),
        (reason(&[2], node("n", "MatMul", &["w", "x"], "y"), w(&[2, 2])), "its operand w is a constant: activations are expected"),
        (
            reason(&[2], node("n", "MatMulInteger", &["x", "w"], "y"), vec![int8("w", &[2, 1], &[1, 1])]),
            "its output must go to a Cast to float32 and a Mul by a constant, the scale of its sums, and nowhere else",
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(given, expected);
    }
}

#[test]
fn data_that_would_have_to_move_is_refused() {
    // Rows are taken for channels only where data need not move.
    let nodes = vec![
        node("c", "Conv", &["x", "w"], "h"),
        with(node("t", "Transpose", &["h"], "ht"), list("perm", &[0, 2, 1, 3])),
        node("d", "Conv", &["ht", "w"], "y"),
    ];
    assert_eq!(
        refused(graph(&[2, 2, 2], nodes, vec![filled("w", &[2, 2, 1, 1], 1.0)])),
        "unsupported nodes: d (Conv): its operand ht has no channels, rows and columns in this order that data need not be moved for"
    );
    let nodes = vec![node("c", "Conv", &["x", "w"], "h"), node("r", "Reshape", &["h", "s"], "y")];
    let tensors = vec![filled("w", &[4, 2, 1, 1], 1.0), ints("s", &[0, 2, 2, 3, 3])];
    assert_eq!(
        refused(graph(&[2, 3, 3], nodes, tensors)),
        "unsupported nodes: r (Reshape): from [4, 3, 3] to [2, 2, 3, 3] after the batch: it cuts or mixes channels, rows or columns"
    );
}

#[test]
fn a_last_softmax_is_left_out_and_said_so() {
    let nodes = vec![node("g", "Gemm", &["x", "w"], "h"), with(node("s", "Softmax", &["h"], "y"), int("axis", -1))];
    let model = file(graph(&[2], nodes, vec![filled("w", &[2, 3], 1.0)]));
    let Ok(Imported::Float(network)) = import(&model, &ImportOptions::default()) else { panic!("it is one of floats") };
    assert_eq!(network.layers.len(), 1);
    assert_eq!(
        notes(&model, &ImportOptions::default()).expect("it is read"),
        ["s (Softmax) is left out, as the last node: the network's outputs are its inputs, in the same order"]
    );
}

#[test]
fn nodes_that_the_output_does_not_need_are_left_out() {
    let nodes = vec![
        node("s", "Sigmoid", &["x"], "h"),
        node("dead", "Relu", &["h"], "dead"),
        node("m", "Mul", &["h", "x"], "y"),
    ];
    let Ok(Imported::Float(network)) = read(graph(&[4], nodes, vec![])) else { panic!("it is one of floats") };
    let operations: Vec<_> =
        network.layers.iter().map(|layer| (layer.name.as_str(), layer.operation.clone())).collect();
    assert_eq!(operations, [("m", FloatOperation::Function(Function::Silu))]);
}

/// x -> Q -> DQ -> MatMul -> (`between`) -> Q -> DQ -> y.
fn quantized(between: &[&str], weights: &[i32]) -> Graph {
    let mut nodes = vec![
        node("q", "QuantizeLinear", &["x", "s", "z"], "xq"),
        node("d", "DequantizeLinear", &["xq", "s", "z"], "xd"),
        node("dw", "DequantizeLinear", &["w", "ws"], "wd"),
        node("m", "MatMul", &["xd", "wd"], "h0"),
    ];
    for (at, operator) in between.iter().enumerate() {
        nodes.push(node(&operator.to_lowercase(), operator, &[&format!("h{at}")], &format!("h{}", at + 1)));
    }
    nodes.push(node("q2", "QuantizeLinear", &[&format!("h{}", between.len()), "s2", "z"], "hq"));
    nodes.push(node("d2", "DequantizeLinear", &["hq", "s2", "z"], "y"));
    let tensors = vec![
        floats("s", &[], &[0.5]),
        floats("s2", &[], &[0.75]),
        int8("z", &[], &[3]),
        floats("ws", &[], &[0.25]),
        int8("w", &[2, 3], weights),
    ];
    graph(&[2], nodes, tensors)
}

const WEIGHTS: [i32; 6] = [1, -2, 3, -4, 5, -6];

#[test]
fn what_is_not_quantized_is_named() {
    assert_eq!(
        refused(quantized(&["Sigmoid"], &WEIGHTS)),
        "unsupported nodes: m (MatMul): its output is not quantized: QuantizeLinear and DequantizeLinear must follow it"
    );
    let mut last = quantized(&["Relu"], &WEIGHTS);
    last.node.truncate(last.node.len() - 2);
    last.output[0].name = "h1".to_owned();
    assert_eq!(
        refused(last),
        "unsupported nodes: m (MatMul): its output is not quantized: QuantizeLinear and DequantizeLinear must follow it"
    );
    let mut real = quantized(&[], &WEIGHTS);
    real.node[3].input[1] = "wf".to_owned();
    real.initializer.push(filled("wf", &[2, 3], 1.0));
    assert_eq!(
        refused(real),
        "unsupported nodes: m (MatMul): its weights are not quantized, but activations of the model are"
    );
    let mut first = quantized(&[], &WEIGHTS);
    first.node[3].input[0] = "x".to_owned();
    assert_eq!(
        refused(first),
        "unsupported nodes: m (MatMul): it reads the network's input, which QuantizeLinear must quantize"
    );
    let mut other = quantized(&[], &WEIGHTS);
    other.node[1].input[1] = "s2".to_owned();
    assert_eq!(
        refused(other),
        "unsupported nodes: d (DequantizeLinear): scale 7.5e-1, zero point 3 and int8 must be those its operand was \
         quantized with: 5e-1, 3 and int8"
    );
    let mut dynamic = quantized(&[], &WEIGHTS);
    dynamic.node[0] = node("q", "DynamicQuantizeLinear", &["x"], "xq");
    assert_eq!(
        refused(dynamic),
        "unsupported nodes: q (DynamicQuantizeLinear): scales chosen at run time: quantize the model statically"
    );
    let mut per_channel = quantized(&[], &WEIGHTS);
    per_channel.initializer[0] = floats("s", &[2], &[0.5, 0.25]);
    assert_eq!(
        refused(per_channel),
        "unsupported nodes: q (QuantizeLinear): 2 scales of activations: one a tensor is supported"
    );
}

fn model(graph: Graph) -> Box<IntegerModel> {
    match read(graph) {
        Ok(Imported::Quantized(model)) => model,
        other => panic!("{other:?}"),
    }
}

/// Why the model does not run on the shipped configuration with some lines replaced.
fn unfit(model: &IntegerModel, edits: &[(&str, &str)]) -> String {
    let mut toml = Config::named("default").expect("it ships").to_toml();
    // Resolved for the widths as they were.
    let at = toml.find("accumulator_bits").expect("it has one");
    let end = at + toml[at..].find('\n').expect("a line");
    toml.replace_range(at..end, "accumulator_bits = \"auto\"");
    for (from, to) in edits {
        assert!(toml.contains(from), "{from} in {toml}");
        toml = toml.replace(from, to);
    }
    let config = Config::from_toml(&toml).expect("it is valid");
    let error = model.on(config.numerics()).expect_err("it does not fit").to_string();
    error.strip_prefix("the machine cannot run the model exactly: ").expect("it says so").to_owned()
}

#[test]
fn a_machine_that_does_not_fit_is_told_why() {
    let model = model(quantized(&["Relu"], &WEIGHTS));
    let needs = Needs { activation_bits: 8, activation_signed: true, weight_bits: 4, activation_table: false };
    assert_eq!(model.needs(), needs);
    assert!(model.on(Config::named("default").expect("it ships").numerics()).is_ok());
    assert_eq!(
        unfit(&model, &[("activation_bits = 8", "activation_bits = 7"), ("output_bits = 8", "output_bits = 7")]),
        "node the network's input, its values: int8 does not fit int7: numerics.activation_bits must be at least 8, \
         node m, its values: int8 does not fit int7: numerics.output_bits must be at least 8"
    );
    assert_eq!(
        unfit(&model, &[("weight_bits = 8", "weight_bits = 3")]),
        "node m, tensor wd: 5 does not fit int3 (zero points of weights are taken off): numerics.weight_bits must be at least 4"
    );
    assert_eq!(
        unfit(&model, &[("weight_signed = true", "weight_signed = false")]),
        "node m, tensor wd: -2 does not fit uint8: numerics.weight_signed must be true"
    );
    assert_eq!(
        unfit(&model, &[("bias_bits = 24", "bias_bits = 3")]),
        "node m, bias of channel 0, with the input's zero point folded in: 9 does not fit int3: numerics.bias_bits must be at least 5"
    );
    let pow2 = [("scheme = \"fixed-single\"", "scheme = \"pow2\""), ("multiplier_bits = 31", "multiplier_bits = 0")];
    assert_eq!(
        unfit(&model, &pow2),
        "node m, ratio of scales of channel 0: 1.6666666666666666e-1 must be a power of two where numerics.scheme = \"pow2\""
    );
    assert_eq!(
        unfit(&model, &[("shift_bits = 6", "shift_bits = 1")]),
        "node m, ratio of scales of channel 0: 1.6666666666666666e-1 has no multiplier (numerics.multiplier_bits, \
         numerics.shift_bits): the ratio of scales 1.6666666666666666e-1 is too small: it rounds to 0 at the greatest shift, 1"
    );
}

#[test]
fn functions_need_a_table() {
    let mut graph = quantized(&[], &WEIGHTS);
    graph.node[3] = node("f", "Sigmoid", &["xd"], "h0");
    let model = model(graph);
    assert!(model.needs().activation_table);
    assert_eq!(unfit(&model, &[]), "node f, its function: Sigmoid needs numerics.activation_table = true");
}

#[test]
fn weights_with_zero_points_that_do_not_fit_are_refused() {
    let mut graph = quantized(&[], &[127, 0, 0, 0, 0, 0]);
    graph.node[2].input.push("wz".to_owned());
    graph.initializer.push(int8("wz", &[], &[-5]));
    assert_eq!(
        unfit(&model(graph), &[]),
        "node m, tensor wd: 132 does not fit int8 (zero points of weights are taken off): numerics.weight_bits must be at least 9"
    );
}

#[test]
fn quant_modes_that_are_not_read_are_refused() {
    let quant = |attribute: Attribute| {
        let operands = ["x", "s", "z", "b"];
        let quant = in_domain("onnx.brevitas", with(node("n", "Quant", &operands, "y"), attribute));
        let tensors = vec![floats("s", &[], &[0.5]), floats("z", &[], &[0.0]), floats("b", &[], &[4.0])];
        refused(graph(&[4], vec![quant], tensors))
    };
    assert_eq!(
        quant(text("rounding_mode", "STOCHASTIC")),
        "unsupported nodes: n (onnx.brevitas.Quant): rounding_mode = STOCHASTIC: those read are ROUND, CEIL, FLOOR, UP, DOWN, HALF_UP, HALF_DOWN"
    );
    let operands = ["x", "s"];
    let bipolar = in_domain("onnx.brevitas", node("n", "BipolarQuant", &operands, "y"));
    assert_eq!(
        refused(graph(&[4], vec![bipolar], vec![floats("s", &[], &[0.5])])),
        "unsupported nodes: n (onnx.brevitas.BipolarQuant): bipolar activations: the requantizer rounds and clamps, it takes no sign"
    );
}
