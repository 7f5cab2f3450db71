//! Quantized networks in files: they read back as they were, and damaged ones are refused.

use compiler::npz::{Npz, NpzBuilder};
use compiler::onnx::read_onnx;
use compiler::quantize::{quantize, Calibration, QuantizedNetwork, Recipe};
use spec::Config;

fn digits() -> QuantizedNetwork {
    let network = read_onnx(include_bytes!("../../examples/digits/mlp.onnx")).expect("shipped");
    let mut npz = Npz::new(include_bytes!("../../examples/digits/digits.npz").to_vec()).expect("shipped");
    let inputs = npz.matrix("calibration", 64).expect("shipped").values;
    let config = Config::named("default").expect("it ships");
    let calibration = Calibration { inputs: &inputs, labels: None };
    quantize(&network, calibration, config.numerics(), &Recipe::min_max(8, 8), 0).expect("it fits").network
}

#[test]
fn a_network_reads_back_as_it_was() {
    let network = digits();
    let bytes = network.to_npz().expect("plain arrays");
    assert_eq!(network.to_npz().expect("plain arrays"), bytes, "the same network gives the same bytes");
    assert_eq!(QuantizedNetwork::from_npz(bytes).expect("just written"), network);
}

/// The archive with one array changed.
fn changed(name: &str, change: impl Fn(&mut Vec<i64>)) -> Vec<u8> {
    rebuilt(|text| text, name, change)
}

/// The archive with its description and one array changed.
fn rebuilt(describe: impl Fn(String) -> String, name: &str, change: impl Fn(&mut Vec<i64>)) -> Vec<u8> {
    let mut npz = Npz::new(digits().to_npz().expect("plain arrays")).expect("just written");
    let mut builder = NpzBuilder::new();
    let text = npz.text("systole").expect("it is there");
    builder.text("systole", &describe(text)).expect("memory");
    for (index, (k, n)) in [(64, 32), (32, 10)].into_iter().enumerate() {
        for (array, shape) in [
            ("weights", vec![k, n]),
            ("bias", vec![n]),
            ("multiplier", vec![n]),
            ("shift", vec![n]),
            ("zero_point", vec![n]),
        ] {
            let key = format!("{array}_{index}");
            let mut values = npz.integers(&key, &shape).expect("it is there");
            if key == name {
                change(&mut values);
            }
            let shape = if values.len() == shape.iter().product::<usize>() { shape } else { vec![values.len()] };
            builder.array(&key, &shape, &values).expect("memory");
        }
        let key = format!("weight_scales_{index}");
        builder.array(&key, &[n], &npz.floats(&key, &[n]).expect("it is there")).expect("memory");
    }
    builder.finish().expect("memory")
}

fn with_text(change: impl Fn(String) -> String) -> Vec<u8> {
    let mut npz = Npz::new(digits().to_npz().expect("plain arrays")).expect("just written");
    let mut builder = NpzBuilder::new();
    builder.text("systole", &change(npz.text("systole").expect("it is there"))).expect("memory");
    builder.finish().expect("memory")
}

#[test]
fn damaged_models_are_refused() {
    let refused = |bytes: Vec<u8>| QuantizedNetwork::from_npz(bytes).expect_err("refused").to_string();
    assert!(QuantizedNetwork::from_npz(changed("", |_| {})).is_ok());
    for (name, value, message) in [
        ("weights_0", 128, "layer gemm1: weights[0][0] = 128 is out of range: it must be in -128..=127"),
        ("bias_1", 1 << 23, "layer gemm2: channel 0: bias = 8388608 is out of range: it must be in -8388608..=8388607"),
        (
            "multiplier_0",
            1 << 31,
            "layer gemm1: channel 0: multiplier = 2147483648 is out of range: it must be in 0..=2147483647",
        ),
        ("multiplier_0", -1, "layer gemm1: multiplier = -1 must be a number of 32 bits, not negative"),
        ("shift_1", 64, "layer gemm2: channel 0: shift = 64 is out of range: it must be in 0..=63"),
        ("zero_point_0", 256, "layer gemm1: zero_point of a channel = 256 must be -128, the output's"),
    ] {
        assert_eq!(refused(changed(name, |values| values[0] = value)), message);
    }
    let short = refused(changed("bias_0", |values| values.truncate(3)));
    assert_eq!(short, "array bias_0 has the shape [3]: it must be [32]");
    let newer = refused(with_text(|text| text.replace("\"version\":1", "\"version\":2")));
    assert_eq!(newer, "the model has the format version 2: this version of Systole reads 1");
    // The second layer's input is the first one's output.
    let unchained = |text: String| {
        let key = "\"input\":{";
        let (before, after) = text.rsplit_once(key).expect("two layers");
        format!("{before}{key}{}", after.replacen("\"zero_point\":-128", "\"zero_point\":-127", 1))
    };
    let chain = refused(rebuilt(unchained, "", |_| {}));
    assert!(chain.starts_with("layer gemm2: input = ActivationQuantization { scale: "), "{chain}");
    assert!(
        chain.contains("zero_point: -127 } must be ") && chain.ends_with("the output of the layer before it"),
        "{chain}"
    );
    assert!(refused(with_text(|text| text[1..].to_owned())).starts_with("the model's description does not parse: "));
    let narrow = refused(with_text(|text| text.replace("\"weight_bits\":8", "\"weight_bits\":99")));
    assert_eq!(narrow, "the model's numerics: numerics.weight_bits = 99 is out of range: it must be in 1..=16");
    assert!(refused(with_text(|text| text)).contains("has no array weights_0"));
}
