//! Small ONNX cases, rich in ties, from vectors/onnx_ops.py: onnxruntime's outputs and the node tests of onnx, bit for bit.

#[path = "common/onnx_bank.rs"]
mod onnx_bank;
#[path = "common/vectors.rs"]
mod vectors;

use onnx_bank::{read, Case, OPS};
use vectors::Tally;

fn compare(cases: &[Case], compared: &[(&str, usize)]) {
    let mut tally = Tally::default();
    for case in cases {
        let outputs = case.golden();
        assert_eq!(outputs.len(), case.outputs.len(), "{}: number of outputs", case.name);
        for (slot, (expected, actual)) in case.outputs.iter().zip(outputs).enumerate() {
            assert_eq!(expected.values.len(), actual.len(), "{}: size of output {slot}", case.name);
            for (index, (&expected, &actual)) in expected.values.iter().zip(&actual).enumerate() {
                let place = || format!("case {}, output {slot}, element {index}; {}", case.name, case.inputs_of(index));
                tally.compare(OPS[case.op], expected, actual, place);
            }
        }
    }
    tally.finish(compared);
}

#[test]
fn onnxruntime_cases() {
    let cases = read("onnx_ops-cases");
    assert_eq!(cases.len(), 225);
    assert!(cases.iter().all(|case| case.covered));
    let compared = [
        ("ConvInteger", 816),
        ("DequantizeLinear", 1207),
        ("DynamicQuantizeLinear", 196),
        ("MatMulInteger", 144),
        ("QLinearConv", 1224),
        ("QLinearMatMul", 816),
        ("QuantizeLinear", 3807),
    ];
    compare(&cases, &compared);
}

#[test]
fn onnx_node_tests() {
    let (covered, minifloats): (Vec<_>, Vec<_>) = read("onnx_ops-nodes").into_iter().partition(|case| case.covered);
    assert_eq!(covered.len(), 34);
    let compared = [
        ("ConvInteger", 36),
        ("DequantizeLinear", 72),
        ("DynamicQuantizeLinear", 30),
        ("MatMulInteger", 8),
        ("QLinearConv", 49),
        ("QLinearMatMul", 72),
        ("QuantizeLinear", 124),
    ];
    compare(&covered, &compared);
    let names: Vec<_> = minifloats.iter().map(|case| case.name.as_str()).collect();
    // Golden has no minifloat tensors.
    assert_eq!(
        names,
        [
            "dequantizelinear_e4m3fn",
            "dequantizelinear_e4m3fn_float16",
            "dequantizelinear_e4m3fn_zero_point",
            "dequantizelinear_e5m2",
            "dequantizelinear_float4e2m1",
            "quantizelinear_e4m3fn",
            "quantizelinear_e5m2",
            "quantizelinear_float4e2m1",
        ]
    );
}
