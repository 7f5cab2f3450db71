//! Quantized layers of all kinds: parameters by hand, groups against layers of their own, and whole networks against floats.

mod common;

use common::{convolution, layer, network, noise, numerics, of_all_kinds, padded, OPEN, RELU};
use compiler::float::{DataLayout, FloatLayer, FloatNetwork, FloatOperation, Function};
use compiler::quantize::recipe::ZeroPoint;
use compiler::quantize::{quantize, Calibration, QuantizedNetwork, Recipe};
use golden::{Channel, Extent, Operation, Window};
use spec::{MachineScheme, Numerics, Round};

fn quantized_by(network: &FloatNetwork, inputs: &[f32], numerics: &Numerics, recipe: &Recipe) -> QuantizedNetwork {
    let calibration = Calibration { inputs, labels: None };
    quantize(network, calibration, numerics, recipe, 0).unwrap_or_else(|e| panic!("{e}")).network
}

fn min_max(network: &FloatNetwork, inputs: &[f32], numerics: &Numerics) -> QuantizedNetwork {
    quantized_by(network, inputs, numerics, &Recipe::min_max(numerics.weight().bits(), numerics.activation().bits()))
}

/// Scale 2.55 / 255 = 0.01, zero point -128 + 100.
const IMAGE: [f32; 4] = [-1.0, 1.55, 0.25, 0.2];

fn alone(operation: FloatOperation, clamp: [f32; 2]) -> FloatNetwork {
    network([2, 2, 1], vec![layer("only", &[0], operation, clamp)])
}

#[test]
fn an_average_by_hand() {
    let window = Window { pad_after: [1, 0], ..Window::of([3, 2]) };
    let network = alone(FloatOperation::AveragePool { window }, OPEN);
    let quantized = min_max(&network, &IMAGE, &numerics(|_| {}));
    let layer = &quantized.network().layers[0];
    // 1 / 6 alone is the range: 0 ..= 1 / 6, a step of 1 / 1530; 0.01 1530 / 6 = 2.55 steps an input step.
    let output = quantized.parts().tensors[1];
    assert!((output.scale - 1.0 / 1530.0).abs() < 1e-9);
    assert_eq!((output.zero_point, layer.pad), (-128, -28));
    let channel = layer.channels[0][0];
    assert_eq!((channel.bias, channel.zero_point), (6 * 28, -128));
    let ratio = f64::from(channel.multiplier) / 2_f64.powi(channel.shift as i32);
    assert!((ratio - 2.55).abs() < 1e-6 && channel.multiplier >= 1 << 30, "{ratio}");
    // (-1 + 1.55 + 0.25 + 0.2) / 6 = 1 / 6, the greatest value.
    let outputs = quantized.run_golden(&quantized.quantize_input(&IMAGE, 0).expect("in range"), 0).expect("in range");
    assert_eq!(outputs, [127]);
}

#[test]
fn a_maximum_keeps_integers_and_pads_with_the_least() {
    let quantized = min_max(&alone(FloatOperation::MaxPool { window: padded() }, OPEN), &IMAGE, &numerics(|_| {}));
    let layer = &quantized.network().layers[0];
    assert_eq!(quantized.parts().tensors[0], quantized.parts().tensors[1]);
    assert_eq!(layer.channels, [[Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 }]]);
    assert_eq!((layer.pad, layer.bounds.low, layer.bounds.high), (-128, -128, 127));
    // A ReLU is at the zero point of the input.
    let relu = min_max(&alone(FloatOperation::MaxPool { window: Window::POINT }, RELU), &IMAGE, &numerics(|_| {}));
    assert_eq!(relu.network().layers[0].bounds.low, -28);
    let outputs = relu.run_golden(&relu.quantize_input(&IMAGE, 0).expect("in range"), 0).expect("in range");
    assert_eq!(outputs, [-28, 127, -3, -8]);
    // Steps of 1/4: -6.125 and 6.375 are 24.5 and 25.5 of them, and ties go to even.
    let mut symmetric = Recipe::min_max(8, 8);
    symmetric.activations.symmetry = ZeroPoint::Symmetric;
    let clamped = alone(FloatOperation::MaxPool { window: Window::POINT }, [-6.125, 6.375]);
    let clamped = quantized_by(&clamped, &[31.75, 1.0, 2.0, -3.0], &numerics(|_| {}), &symmetric);
    let bounds = clamped.network().layers[0].bounds;
    assert_eq!((clamped.parts().tensors[0].scale, bounds.low, bounds.high), (0.25, -24, 26));
}

/// x + factor x: the second term by a layer of its own.
fn sum(factor: f32, clamp: [f32; 2]) -> FloatNetwork {
    let weights = vec![factor];
    let scaled = FloatOperation::Convolution { window: Window::POINT, groups: 1, weights, bias: vec![0.0] };
    network([2, 2, 1], vec![layer("scaled", &[0], scaled, OPEN), layer("sum", &[0, 1], FloatOperation::Add, clamp)])
}

#[test]
fn a_sum_by_hand() {
    let quantized = min_max(&sum(3.0, OPEN), &IMAGE, &numerics(|_| {}));
    let layer = &quantized.network().layers[1];
    assert_eq!(layer.operation, Operation::Add { factors: vec![1, 1] });
    // All three tensors have the zero point -28; steps are 0.01, 0.03 and 0.04.
    let [x, triple] = [layer.channels[0][0], layer.channels[1][0]];
    for (term, ratio) in [(x, 0.25), (triple, 0.75)] {
        assert_eq!((term.bias, term.zero_point, term.shift), (28, -28, 31));
        assert!((f64::from(term.multiplier) / 2_f64.powi(31) - ratio).abs() < 1e-6, "{term:?}");
    }
    let outputs = quantized.run_golden(&quantized.quantize_input(&IMAGE, 0).expect("in range"), 0).expect("in range");
    assert_eq!(outputs, [-128, 127, -3, -8]);
    let clamped = min_max(&sum(3.0, [-0.5, 6.0]), &IMAGE, &numerics(|_| {}));
    let (bounds, output) = (clamped.network().layers[1].bounds, clamped.parts().tensors[2]);
    // -0.5 ..= 6: a step of 6.5 / 255, and 0.5 is 19.6 of them.
    assert!((output.scale - 6.5 / 255.0).abs() < 1e-8);
    assert_eq!((output.zero_point, bounds.low, bounds.high), (-108, -128, 127));
}

#[test]
fn a_sum_without_multipliers_has_factors() {
    let pow2 = |weight_bits| {
        numerics(|raw| {
            (raw.scheme, raw.multiplier_bits, raw.weight_bits) = (MachineScheme::Pow2, 0, weight_bits);
            raw.rounding = spec::config::RawRounding::Named(Round::HalfToEven);
        })
    };
    let quantized = min_max(&sum(3.0, OPEN), &IMAGE, &pow2(8));
    let scales: Vec<f32> = quantized.parts().tensors.iter().map(|tensor| tensor.scale).collect();
    // Ranges of 2.55, 7.65 and 10.2 over 255 steps, rounded up to powers of two.
    assert_eq!(scales, [1.0 / 64.0, 1.0 / 32.0, 1.0 / 16.0]);
    let layer = &quantized.network().layers[1];
    assert_eq!(layer.operation, Operation::Add { factors: vec![1, 2] });
    let terms: Vec<Channel> = layer.channels.iter().map(|term| term[0]).collect();
    let zero = |tensor: usize| quantized.parts().tensors[tensor].zero_point;
    let term = |bias| Channel { bias, multiplier: 1, shift: 2, zero_point: zero(2) };
    assert_eq!(terms, [term(-zero(0)), term(-2 * zero(1))]);
    // The sum with 8 x has steps of 1/8: ratios of 1/8 and 1, and weights of 3 bits are at most 3.
    let calibration = Calibration { inputs: &IMAGE, labels: None };
    let refused = quantize(&sum(8.0, OPEN), calibration, &pow2(3), &Recipe::min_max(3, 8), 0).expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "layer sum: the scales of its inputs are too far apart for numerics.scheme = pow2: a factor would be 2^3, and \
         weights are at most 3"
    );
    let halves = FloatOperation::AveragePool { window: Window::of([1, 2]) };
    let halves = min_max(&alone(halves, OPEN), &[1.55, 1.0, -1.0, -0.5], &pow2(8));
    // Steps of 1/64 before and after: half a sum.
    let channel = halves.network().layers[0].channels[0][0];
    assert_eq!((channel.multiplier, channel.shift, channel.bias), (1, 1, -2 * halves.parts().tensors[0].zero_point));
    let network = network([1, 3, 1], vec![layer_of(FloatOperation::AveragePool { window: Window::of([1, 3]) })]);
    let calibration = Calibration { inputs: &IMAGE[..3], labels: None };
    let refused = quantize(&network, calibration, &pow2(8), &Recipe::min_max(8, 8), 0).expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "layer mean: numerics.scheme = pow2 divides by powers of two only, and the average is over 3 positions"
    );
}

fn layer_of(operation: FloatOperation) -> FloatLayer {
    layer("mean", &[0], operation, OPEN)
}

#[test]
fn a_function_is_a_table() {
    let network = alone(FloatOperation::Function(Function::Sigmoid), [0.4, 0.75]);
    let quantized = min_max(&network, &IMAGE, &numerics(|_| {}));
    let layer = &quantized.network().layers[0];
    assert_eq!(layer.operation, Operation::Add { factors: vec![1] });
    assert_eq!(layer.channels, [[Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 }]]);
    // 0 ..= 0.75, the clamp's end.
    let output = quantized.parts().tensors[1];
    assert!((output.scale - 0.75 / 255.0).abs() < 1e-9 && output.zero_point == -128);
    let table = layer.table.as_ref().expect("a table");
    assert_eq!(table.len(), 256);
    for q in -128..=127_i32 {
        let x = 0.01 * f64::from(q + 28);
        let steps = (1.0 / (1.0 + (-x).exp())).clamp(0.4, 0.75) / (0.75 / 255.0);
        let entry = table[(q & 255) as usize];
        assert!((f64::from(entry) + 128.0 - steps).abs() < 0.501, "{q}: {entry} for {steps}");
    }
    // 0.5 is 170 steps.
    assert_eq!(table[(-28_i32 & 255) as usize], 170 - 128);
    let without = numerics(|raw| raw.activation_table = false);
    let calibration = Calibration { inputs: &IMAGE, labels: None };
    let refused = quantize(&network, calibration, &without, &Recipe::min_max(8, 8), 0).expect_err("refused");
    assert_eq!(refused.to_string(), "layer only: a function needs a table, and numerics.activation_table = false");
    let wide = numerics(|raw| raw.output_bits = 9);
    let refused = quantize(&network, calibration, &wide, &Recipe::min_max(8, 8), 0).expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "layer only: a function keeps its input's integers, so numerics.output = int9 and numerics.activation = int8 must \
         be equal"
    );
}

/// Each group of a convolution gets what a layer of its own on its channels gets: AdaRound and bias corrections see its patches only.
#[test]
fn groups_are_fitted_like_layers_of_their_own() {
    let window = Window { stride: [2, 1], ..padded() };
    let (inner, group_n, pixels) = (2, 3, 12);
    let grouped = convolution(window, 2, [9 * inner, 2 * group_n], 5);
    let FloatOperation::Convolution { weights, bias, .. } = &grouped else { panic!("it was made") };
    // Equal ends in both halves, so that the input's scale is the same.
    let mut inputs = noise(8 * pixels * 2 * inner, 6);
    inputs[..4].copy_from_slice(&[-1.0, 1.0, -1.0, 1.0]);
    let mut recipe = Recipe::min_max(3, 8);
    recipe.weights.rounding = "adaround".parse().expect("a rounding");
    recipe.weights.bias_correction = true;
    let numerics = numerics(|raw| raw.weight_bits = 3);
    let all =
        quantized_by(&network([4, 3, 4], vec![layer("all", &[0], grouped.clone(), OPEN)]), &inputs, &numerics, &recipe);
    let Operation::Convolution { weights: fitted, .. } = &all.network().layers[0].operation else { panic!("as above") };
    for group in 0..2 {
        let columns = group * group_n..(group + 1) * group_n;
        let part = |values: &[f32], n: usize, columns: std::ops::Range<usize>| -> Vec<f32> {
            values.chunks_exact(n).flat_map(|row| row[columns.clone()].to_vec()).collect()
        };
        let weights = part(weights, 2 * group_n, columns.clone());
        let own = FloatOperation::Convolution { window, groups: 1, weights, bias: bias[columns.clone()].to_vec() };
        let inputs = part(&inputs, 2 * inner, group * inner..(group + 1) * inner);
        let own = quantized_by(&network([4, 3, 2], vec![layer("own", &[0], own, OPEN)]), &inputs, &numerics, &recipe);
        let Operation::Convolution { weights, .. } = &own.network().layers[0].operation else { panic!("as above") };
        let theirs: Vec<i32> = fitted.chunks_exact(2 * group_n).flat_map(|row| row[columns.clone()].to_vec()).collect();
        assert_eq!(&theirs, weights, "group {group}");
        assert_eq!(all.parts().weight_scales[0][columns.clone()], own.parts().weight_scales[0]);
        let biases = |network: &QuantizedNetwork| -> Vec<i64> {
            network.network().layers[0].channels[0].iter().map(|channel| channel.bias).collect()
        };
        assert_eq!(biases(&all)[columns], biases(&own));
    }
}

#[test]
fn eight_bits_are_near_floats_in_networks_of_all_kinds() {
    let network = of_all_kinds();
    let [inputs, test] = [11, 12].map(|seed| noise(64 * 90, seed));
    let float = network.forward(&test).expect("it fits");
    for bits in [8, 6] {
        let numerics = numerics(|raw| (raw.activation_bits, raw.output_bits) = (bits, bits));
        let quantized = min_max(&network, &inputs, &numerics);
        let golden = quantized.run_golden(&quantized.quantize_input(&test, 0).expect("in range"), 0).expect("in range");
        let became = quantized.dequantize(&golden);
        let power = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
        let signal = power(&mut float.iter().map(|&x| x.into()));
        let loss = power(&mut float.iter().zip(&became).map(|(&x, &y)| f64::from(x) - f64::from(y)));
        let sqnr = calibrate::decibels(signal / loss);
        // 6 dB a bit; a wrong zero point or pad anywhere leaves next to nothing.
        let expected = if bits == 8 { 27.0 } else { 15.0 };
        println!("{bits} bits: {sqnr:.1} dB");
        assert!(sqnr > expected, "{bits} bits: {sqnr} dB");
    }
}

/// The layers up to each one are a network of their own.
#[test]
fn a_float_run_gives_every_layers_outputs() {
    let network = of_all_kinds();
    let inputs = noise(3 * 90, 5);
    let mut run = network.run(&inputs).expect("it fits");
    for n_layers in 1..=network.layers.len() {
        let part = FloatNetwork { layers: network.layers[..n_layers].to_vec(), ..network.clone() };
        let outputs = run.next_layer().expect("there is one more");
        assert_eq!(outputs, part.forward(&inputs).expect("it fits"), "layer {}", n_layers - 1);
    }
    assert_eq!(run.next_layer(), None);
}

#[test]
fn rows_of_data_are_read_in_their_layout() {
    let mut network = alone(FloatOperation::MaxPool { window: Window::POINT }, OPEN);
    network.input = Extent { height: 1, width: 2, channels: 2 };
    network.layout = DataLayout::ChannelsFirst;
    let quantized = min_max(&network, &IMAGE, &numerics(|_| {}));
    // Channel 0 is -1, 1.55, channel 1 is 0.25, 0.2.
    assert_eq!(quantized.quantize_input(&IMAGE, 0).expect("in range"), [-128, -3, 127, -8]);
    let refused = quantized.quantize_input(&IMAGE[..3], 0).expect_err("refused").to_string();
    assert_eq!(refused, "the input has 3 values: it must have one or more rows of 4");
}
