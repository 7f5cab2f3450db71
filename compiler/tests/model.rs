//! Quantized networks in files: they read back as they were, and damaged ones are refused.

mod common;

use compiler::npz::{Npz, NpzBuilder};
use compiler::quantize::{quantize, Calibration, QuantizedNetwork, Recipe};
use spec::Config;

fn digits() -> QuantizedNetwork {
    let network = common::read_onnx(include_bytes!("../../examples/digits/mlp.onnx")).expect("shipped");
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
            let shape = if array == "weights" { shape } else { vec![1, n] };
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
        ("zero_point_1", -1, "layer gemm2: zero_point of a channel = -1 must be 11, the output's"),
        ("zero_point_0", 256, "layer gemm1: channel 0: zero_point = 256 is out of range: it must be in -256..=255"),
    ] {
        assert_eq!(refused(changed(name, |values| values[0] = value)), message);
    }
    let short = refused(changed("bias_0", |values| values.truncate(3)));
    assert_eq!(short, "array bias_0 has the shape [3]: it must be [1, 32]");
    for version in [1, 3] {
        let other = refused(with_text(|text| text.replace("\"version\":2", &format!("\"version\":{version}"))));
        let message = "this version of Systole reads 2; quantize the network again";
        assert_eq!(other, format!("the model has the format version {version}: {message}"));
    }
    assert!(refused(with_text(|text| text[1..].to_owned())).starts_with("the model's description does not parse: "));
    let narrow = refused(with_text(|text| text.replace("\"weight_bits\":8", "\"weight_bits\":99")));
    assert_eq!(narrow, "the model's numerics: numerics.weight_bits = 99 is out of range: it must be in 1..=16");
    assert!(refused(with_text(|text| text)).contains("has no array weights_0"));
}

/// A network with layers of all kinds, a table among them.
fn of_all_kinds() -> QuantizedNetwork {
    let inputs = common::noise(16 * 90, 3);
    let calibration = Calibration { inputs: &inputs, labels: None };
    let numerics = common::numerics(|_| {});
    quantize(&common::of_all_kinds(), calibration, &numerics, &Recipe::min_max(8, 8), 0).expect("it fits").network
}

#[test]
fn layers_of_all_kinds_read_back_as_they_were() {
    let network = of_all_kinds();
    let read = QuantizedNetwork::from_npz(network.to_npz().expect("plain arrays")).expect("just written");
    assert!(read == network);
    assert_eq!(read.network().layers.iter().filter(|layer| layer.table.is_some()).count(), 1);
}

/// The archive of `of_all_kinds` with another text: arrays are read only after what the text says of their sizes was checked.
fn described(from: &str, to: &str) -> String {
    let mut npz = Npz::new(of_all_kinds().to_npz().expect("plain arrays")).expect("just written");
    let text = npz.text("systole").expect("it is there");
    assert!(text.contains(from), "{from} in {text}");
    let mut builder = NpzBuilder::new();
    builder.text("systole", &text.replacen(from, to, 1)).expect("memory");
    for (array, shape) in [("weights_0", [27, 4]), ("bias_0", [1, 4]), ("multiplier_0", [1, 4]), ("shift_0", [1, 4])] {
        builder.array(array, &shape, &npz.integers(array, &shape).expect("it is there")).expect("memory");
    }
    builder.array("weight_scales_0", &[4], &npz.floats("weight_scales_0", &[4]).expect("it is there")).expect("memory");
    let zero_points = npz.integers("zero_point_0", &[1, 4]).expect("it is there");
    builder.array("zero_point_0", &[1, 4], &zero_points).expect("memory");
    let bytes = builder.finish().expect("memory");
    QuantizedNetwork::from_npz(bytes).expect_err("refused").to_string()
}

#[test]
fn descriptions_that_cannot_be_are_refused() {
    for (from, to, message) in [
        ("\"groups\":1", "\"groups\":0", "layer first: groups = 0 must be a divisor of the input's 3 channels"),
        ("\"groups\":1", "\"groups\":2", "layer first: groups = 2 must be a divisor of the input's 3 channels"),
        ("\"kernel\":[3,3]", "\"kernel\":[0,3]", "layer first: kernel = 0 must be in 1..=65536"),
        (
            "\"dilation\":[1,1]",
            "\"dilation\":[1,99999999999]",
            "layer first: dilation = 99999999999 must be in 1..=65536",
        ),
        (
            "\"dilation\":[1,1]",
            "\"dilation\":[1,9]",
            "layer first: window: the kernel reaches over 19 positions of a padded input of 7",
        ),
        ("\"inputs\":[0]", "\"inputs\":[1]", "layer first: inputs = [1] must be one or more of the tensors 0..=0"),
        ("\"inputs\":[0]", "\"inputs\":[]", "layer first: inputs = [] must be one or more of the tensors 0..=0"),
        ("\"channels\":3", "\"channels\":0", "the model: input.channels = 0 must be in 1..=1048576"),
        (
            "\"pad_after\":[1,1]",
            "\"pad_after\":[65536,1]",
            "the output of layer first: height = 65541 must be in 1..=65536",
        ),
        ("\"n\":4", "\"n\":5", "array weights_0 has the shape [27, 4]: it must be [27, 5]"),
        ("\"low\":-", "\"low\":-9", "layer first: bounds.low = "),
        (
            "\"tensors\":[",
            "\"tensors\":[{\"scale\":1.0,\"zero_point\":0},",
            "the model: number of tensors = 9 must be in 8..=8",
        ),
        (
            "\"layout\":\"channels-last\"",
            "\"layout\":\"rows\"",
            "the model's description does not parse: unknown variant `rows`",
        ),
        ("\"table\":false", "\"table\":true", "the archive has no array table_0"),
    ] {
        let refused = described(from, to);
        assert!(refused.starts_with(message), "{to}: {refused}");
    }
}

#[test]
fn no_damage_to_a_file_is_a_panic() {
    let whole = of_all_kinds().to_npz().expect("plain arrays");
    for len in (0..whole.len()).step_by(97) {
        assert!(QuantizedNetwork::from_npz(whole[..len].to_vec()).is_err(), "the first {len} bytes");
    }
    let mut refused = 0;
    for at in (0..whole.len()).step_by(61) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        refused += usize::from(QuantizedNetwork::from_npz(bytes).is_err());
    }
    assert!(refused > whole.len() / 61 / 2, "{refused} of {} damaged files", whole.len().div_ceil(61));
}
