//! The quantized digits networks of examples/digits under the profile `onnx`, every tensor of all 360 test images against onnxruntime's
//! (vectors/onnx_digits.py).

#[path = "common/digits.rs"]
mod digits;
#[path = "common/onnx_file.rs"]
mod onnx_file;
#[path = "common/vectors.rs"]
mod vectors;

use digits::{compare, Addition};

#[test]
fn qoperator_network() {
    let (_, tensors) = compare("cnn-qoperator", Addition::Linear);
    // A ReLU is the clamp at the zero point -128.
    for tensor in [&tensors[1], &tensors[3], &tensors[5]] {
        assert!(tensor.contains(&-128), "no value was clamped");
    }
}

#[test]
fn qdq_network() {
    compare("cnn-qdq-int8", Addition::Floats);
    compare("cnn-qdq-int8", Addition::Linear);
}

#[test]
fn qdq_network_with_weights_of_four_bits() {
    compare("cnn-qdq-int4", Addition::Floats);
    compare("cnn-qdq-int4", Addition::Linear);
}
