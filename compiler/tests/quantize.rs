//! Quantization: a layer by hand, formulas against onnxruntime and rational numbers, refusals, and the digits network.

mod common;

use compiler::float::{count_correct, DataLayout, FloatLayer, FloatNetwork, FloatOperation};
use compiler::npz::Npz;
use compiler::quantize::recipe::{RangeMethod, ZeroPoint};
use compiler::quantize::{
    fixed_point, quantize, quantize_with_ranges, ActivationQuantization, Calibration, FixedPointError, Granularity,
    QuantizeError, QuantizedNetwork, Ranges, Recipe,
};
use golden::{Extent, Operation, Window};
use num_rational::BigRational;
use proptest::prelude::*;
use spec::config::RawConfig;
use spec::{Config, Format, Numerics};

const MLP: &[u8] = include_bytes!("../../examples/digits/mlp.onnx");
const DIGITS: &[u8] = include_bytes!("../../examples/digits/digits.npz");
/// 100 values x through QuantizeLinear (`int8`: scale 0.25, zero point 3; `uint8`: 0.05, 131) and through
/// DynamicQuantizeLinear (`dynamic`, `dynamic_scale`, `dynamic_zero`) of onnxruntime 1.32.0 (CPU, x86-64).
const ONNXRUNTIME: &[u8] = include_bytes!("data/quantize_onnxruntime_1.32.0.npz");

fn default() -> Numerics {
    Config::named("default").expect("it ships").numerics().clone()
}

fn changed(change: impl FnOnce(&mut spec::config::RawNumerics)) -> Numerics {
    let mut raw = RawConfig::from(&Config::named("default").expect("it ships"));
    raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Exact(63);
    change(&mut raw.numerics);
    Config::try_from(raw).expect("legal").numerics().clone()
}

/// One output, with a bias of 0.05.
fn dense(weights: Vec<f32>) -> FloatOperation {
    FloatOperation::Convolution { window: Window::POINT, groups: 1, weights, bias: vec![0.05] }
}

/// y = 1.27 a - 0.64 b + 0.05.
fn small(relu: bool) -> FloatNetwork {
    let layer = FloatLayer {
        name: "fc".to_owned(),
        inputs: vec![0],
        operation: dense(vec![1.27, -0.64]),
        clamp: [if relu { 0.0 } else { f32::NEG_INFINITY }, f32::INFINITY],
    };
    FloatNetwork { input: Extent::vector(2), layout: DataLayout::ChannelsLast, layers: vec![layer] }
}

/// Whole ranges, ties to even.
fn min_max(
    network: &FloatNetwork,
    inputs: &[f32],
    numerics: &Numerics,
    granularity: Granularity,
) -> Result<QuantizedNetwork, QuantizeError> {
    let mut recipe = Recipe::min_max(numerics.weight().bits(), numerics.activation().bits());
    recipe.weights.granularity = granularity;
    Ok(quantize(network, Calibration { inputs, labels: None }, numerics, &recipe, 0)?.network)
}

const CALIBRATION: [f32; 4] = [-1.0, 1.55, 1.55, -1.0];

#[test]
fn a_layer_by_hand() {
    let network = min_max(&small(false), &CALIBRATION, &default(), Granularity::PerChannel).expect("it fits");
    let (layer, [input, output]) = (&network.network().layers[0], [0, 1].map(|tensor| network.parts().tensors[tensor]));
    // Range -1..1.55: scale 2.55 / 255 = 0.01, zero point -128 + 100. Weights: scale 1.27 / 127 = 0.01.
    assert!((input.scale - 0.01).abs() < 1e-8);
    assert_eq!((input.zero_point, layer.pad), (-28, -28));
    let weights = vec![127, -64];
    assert_eq!(layer.operation, Operation::Convolution { window: Window::POINT, groups: 1, weights });
    // 0.05 / 0.0001 = 500; folded: + 28 (127 - 64) = 1764.
    assert_eq!(layer.channels[0][0].bias, 2264);
    // y: -2.212 ..= 2.6585, scale 4.8705 / 255 = 0.0191, zero point RNE(-128 + 115.81).
    assert!((output.scale - 0.0191).abs() < 1e-7);
    assert_eq!((output.zero_point, layer.channels[0][0].zero_point), (-12, -12));
    // 0.0001 / 0.0191 lies in 2^-8..2^-7: shift 30 + 8, multiplier 0.0001 / 0.0191 * 2^38 to f32 precision.
    assert_eq!(layer.channels[0][0].shift, 38);
    assert!((f64::from(layer.channels[0][0].multiplier) - 1_439_151_594.0).abs() < 300.0);
    assert_eq!((layer.bounds.low, layer.bounds.high), (-128, 127));
    // (1, 0) is (72, -28): 1.27 + 0.05 = 1.32 = 69.1 steps; 69 - 12.
    let inputs = network.quantize_input(&[1.0, 0.0], 0).expect("in range");
    assert_eq!(inputs, [72, -28]);
    let outputs = network.run_golden(&inputs, 0).expect("in range");
    assert_eq!(outputs, [57]);
    assert!((network.dequantize(&outputs)[0] - 69.0 * 0.0191).abs() < 1e-5);
}

#[test]
fn relu_is_a_low_bound_at_the_zero_point() {
    let network = min_max(&small(true), &CALIBRATION, &default(), Granularity::PerChannel).expect("it fits");
    let (layer, output) = (&network.network().layers[0], network.parts().tensors[1]);
    assert_eq!((output.zero_point, layer.bounds.low, layer.bounds.high), (-128, -128, 127));
    let outputs = network.run_golden(&network.quantize_input(&[-1.0, 1.0], 0).expect("in range"), 0).expect("in range");
    assert_eq!(network.dequantize(&outputs), [0.0]);
}

#[test]
fn activations_are_quantized_as_onnxruntime_does() {
    let mut npz = Npz::new(ONNXRUNTIME.to_vec()).expect("a fixture");
    let mut row = |name: &str, cols| npz.matrix(name, cols).expect("a fixture").values;
    let x = row("x", 100);
    let compare = |ours: ActivationQuantization, format: Format, expected: Vec<f32>| {
        let values = ours.quantize(&x, format).expect("a scale");
        for ((&x, value), expected) in x.iter().zip(values).zip(expected) {
            assert_eq!(value as f32, expected, "{x} as {format}");
        }
    };
    let (int8, uint8) = (Format::new(8, true), Format::new(8, false));
    compare(ActivationQuantization { scale: 0.25, zero_point: 3 }, int8, row("int8", 100));
    compare(ActivationQuantization { scale: 0.05, zero_point: 131 }, uint8, row("uint8", 100));
    let format = golden::QFormat::full(8, false).expect("it exists");
    let affine = calibrate::Symmetry::Affine;
    let choice =
        calibrate::choose(&x, format, calibrate::Method::MinMax, affine, calibrate::Grid::Any).expect("finite");
    let dynamic = ActivationQuantization { scale: choice.scale, zero_point: choice.zero_point };
    assert_eq!(dynamic.scale, row("dynamic_scale", 1)[0]);
    compare(dynamic, uint8, row("dynamic", 100));
    assert_eq!([dynamic.zero_point].to_vec(), npz.labels("dynamic_zero", 1).expect("a fixture"));
}

#[test]
fn quantization_saturates_and_is_total() {
    let format = Format::new(5, false);
    let unit = ActivationQuantization { scale: 1.0, zero_point: 2 };
    let values = [f32::NEG_INFINITY, -3.0, 0.0, 29.4, 30.0, f32::MAX, f32::INFINITY, f32::NAN];
    assert_eq!(unit.quantize(&values, format).expect("a scale"), [0, 0, 2, 31, 31, 31, 31, 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn fixed_point_is_the_nearest_ratio_with_all_bits(
        mantissa in 1.0_f64..2.0, exponent in -70_i32..36, multiplier_bits in 1_u32..=32, shift_bits in 1_u32..=6,
    ) {
        let numerics = changed(|raw| { raw.multiplier_bits = multiplier_bits; raw.shift_bits = shift_bits; });
        let exact = |value: f64| BigRational::from_float(value).expect("finite");
        let integer = |value: u64| BigRational::from_integer(value.into());
        let half = BigRational::new(1.into(), 2.into());
        let ratio = mantissa * 2_f64.powi(exponent);
        let max_shift = (1_u32 << shift_bits) - 1;
        match fixed_point(ratio, &numerics) {
            Ok((multiplier, shift)) => {
                prop_assert!(numerics.multiplier().is_some_and(|format| format.contains(multiplier.into())) && shift <= max_shift);
                let error = exact(ratio) * integer(1 << shift) - integer(multiplier.into());
                // One bit more where rounding up to 2^multiplier_bits halved both.
                let halved = multiplier == 1 << (multiplier_bits - 1);
                prop_assert!(error.clone() <= half && -error <= half, "{} / 2^{}", multiplier, shift);
                prop_assert!(shift == max_shift || multiplier >> (multiplier_bits - 1) == 1 || halved);
            }
            Err(FixedPointError::TooSmall { .. }) => prop_assert!(exact(ratio) * integer(1 << max_shift) < half),
            Err(FixedPointError::TooGreat { max, .. }) => prop_assert!(exact(ratio) >= integer(max as u64) + half),
        }
    }
}

#[test]
fn fixed_point_rounds_halves_away_and_renormalizes() {
    let numerics = changed(|raw| raw.multiplier_bits = 4);
    // 8.5 / 16 is a tie; 15.5 / 16 is a tie up to 16, which four bits do not hold: 8 / 8.
    assert_eq!(fixed_point(8.5 / 16.0, &numerics), Ok((9, 4)));
    assert_eq!(fixed_point(15.5 / 16.0, &numerics), Ok((8, 3)));
    assert_eq!(fixed_point(15.49, &numerics), Ok((15, 0)));
    let errors = [15.5, 1e-30, 0.0].map(|ratio| fixed_point(ratio, &numerics).expect_err("refused").to_string());
    assert_eq!(
        errors,
        [
            "the ratio of scales 1.55e1 is too great: 4 multiplier bits hold at most 15",
            "the ratio of scales 1e-30 is too small: it rounds to 0 at the greatest shift, 63",
            "the ratio of scales 0e0 is too small: it rounds to 0 at the greatest shift, 63",
        ]
    );
}

#[test]
fn refusals_name_the_property_and_the_limit() {
    let refused = |network: &FloatNetwork, calibration: &[f32], numerics: &Numerics| {
        min_max(network, calibration, numerics, Granularity::PerChannel).expect_err("refused").to_string()
    };
    let one = small(false);
    assert_eq!(
        refused(&one, &CALIBRATION, &changed(|raw| raw.weight_signed = false)),
        "numerics.weight is uint8: symmetric weights need a signed format of at least 2 bits"
    );
    let mut two = one.clone();
    let last =
        FloatLayer { name: "last".to_owned(), inputs: vec![1], operation: dense(vec![1.0]), ..one.layers[0].clone() };
    two.layers.push(last);
    assert_eq!(
        refused(&two, &CALIBRATION, &changed(|raw| raw.output_bits = 16)),
        "numerics.output is int16 and numerics.activation is int8: a network of 2 layers needs them equal, as each \
         layer's output is the next one's activations"
    );
    assert!(min_max(&one, &CALIBRATION, &changed(|raw| raw.output_bits = 16), Granularity::PerTensor).is_ok());
    two.layers[1].operation = dense(vec![1.0; 3]);
    assert_eq!(refused(&two, &CALIBRATION, &default()), "layer last: weights has 3 elements, but the shape asks for 1");
    assert_eq!(
        refused(&one, &CALIBRATION, &changed(|raw| raw.max_k = 1)),
        "layer fc sums 2 terms, numerics.max_k is 1"
    );
    assert_eq!(
        refused(&one, &CALIBRATION[..3], &default()),
        "the calibration data has 3 values: it must have one or more rows of 2"
    );
    assert_eq!(
        refused(&one, &[0.0, f32::INFINITY], &default()),
        "the calibration data holds inf at element 1: every value must be finite"
    );
    assert_eq!(
        refused(&one, &CALIBRATION, &changed(|raw| raw.bias_bits = 12)),
        "layer fc, channel 0: the folded bias 2264 does not fit numerics.bias_bits: it must be in -2048..=2047"
    );
    let ratio = refused(&one, &CALIBRATION, &changed(|raw| raw.shift_bits = 2));
    assert!(ratio.starts_with("layer fc, channel 0: the ratio of scales 5.2356"), "{ratio}");
    assert!(ratio.ends_with("e-3 is too small: it rounds to 0 at the greatest shift, 3"), "{ratio}");
    let network = min_max(&one, &CALIBRATION, &default(), Granularity::PerChannel).expect("it fits");
    assert_eq!(
        network.run_golden(&[1], 0).expect_err("refused").to_string(),
        "the input has 1 values: it must have one or more rows of 2"
    );
    assert_eq!(
        network.run_golden(&[1, 128], 0).expect_err("refused").to_string(),
        "layer fc: input[0][1] = 128 is out of range: it must be in -128..=127"
    );
}

#[test]
fn int8_digits_are_as_good_as_float_digits() {
    let network = common::read_onnx(MLP).expect("shipped");
    let mut npz = Npz::new(DIGITS.to_vec()).expect("shipped");
    let test = npz.matrix("test", 64).expect("shipped");
    let calibration = npz.matrix("calibration", 64).expect("shipped");
    let labels = npz.labels("labels", 360).expect("shipped");
    let float = count_correct(&network.forward(&test.values).expect("it fits"), 10, &labels);
    for granularity in [Granularity::PerChannel, Granularity::PerTensor] {
        let quantized = min_max(&network, &calibration.values, &default(), granularity).expect("it fits");
        let outputs =
            quantized.run_golden(&quantized.quantize_input(&test.values, 0).expect("in range"), 0).expect("in range");
        let int8 = count_correct(&outputs, 10, &labels);
        println!("{granularity:?}: float {float} of 360, int8 {int8} of 360, {:?}", quantized.bytes());
        assert!(float.abs_diff(int8) <= 3, "float {float}, int8 {int8} of 360");
        let bytes = quantized.bytes();
        assert_eq!((bytes.float, bytes.weights), (4 * (64 * 32 + 32 + 32 * 10 + 10), 64 * 32 + 32 * 10));
        // 24 + 31 + 6 + 9 bits, padded to 9 bytes, for 42 channels.
        assert_eq!(bytes.parameters, 42 * 9);
    }
}

/// Ranges are known by all that they depend on: tensor, format, method, symmetry and grid.
#[test]
fn ranges_that_were_chosen_before_change_nothing() {
    let network = small(true);
    let calibration = Calibration { inputs: &CALIBRATION, labels: None };
    let ranges = Ranges::default();
    let pow2 = |raw: &mut spec::config::RawNumerics| {
        raw.scheme = spec::MachineScheme::Pow2;
        raw.multiplier_bits = 0;
    };
    let machines = [
        changed(|_| ()),
        changed(|raw| raw.weight_bits = 3),
        changed(|raw| (raw.activation_bits, raw.output_bits) = (5, 6)),
        changed(|raw| raw.activation_signed = false),
        changed(pow2),
    ];
    for numerics in &machines {
        let mut recipe = Recipe::min_max(numerics.weight().bits(), numerics.activation().bits());
        for method in
            [calibrate::Method::MinMax, calibrate::Method::Percentile(90.0), calibrate::Method::Percentile(99.0)]
        {
            for symmetry in [ZeroPoint::Affine, ZeroPoint::Symmetric] {
                recipe.activations.method = RangeMethod(method);
                recipe.activations.symmetry = symmetry;
                let plain = quantize(&network, calibration, numerics, &recipe, 0).expect("it fits");
                for _ in 0..2 {
                    let again = quantize_with_ranges(&network, calibration, numerics, &recipe, 0, &ranges);
                    assert_eq!(again.expect("it fits"), plain, "{method:?}, {symmetry:?}, {numerics:?}");
                }
            }
        }
    }
}
