use super::*;
use crate::measure::workbench::Subject;
use crate::measure::MeasureError;
use crate::point::{Axes, Point};
use compiler::float::{DataLayout, FloatLayer, FloatNetwork, FloatOperation};
use compiler::npz::Matrix;
use compiler::quantize::{Granularity, Recipe};
use golden::{Extent, Window};
use spec::config::{AccumulatorBits, Auto, RawConfig, RawRounding};
use spec::{Config, Round};

/// `default` with other widths, whole ranges, one scale a tensor.
fn point(weight_bits: u32, activation_bits: u32) -> Point {
    let mut raw = RawConfig::from(&Config::named("default").expect("it ships with Systole"));
    raw.numerics.weight_bits = weight_bits;
    raw.numerics.activation_bits = activation_bits;
    raw.numerics.output_bits = activation_bits;
    raw.numerics.accumulator_bits = AccumulatorBits::Named(Auto::Auto);
    let config = Config::try_from(raw).expect("any widths are a configuration");
    let g = config.geometry();
    let axes = Axes {
        network: Some("net".to_owned()),
        network_width: 1.0,
        method: Some("max".to_owned()),
        weight_bits,
        activation_bits,
        accumulator_bits: AccumulatorBits::Named(Auto::Auto),
        output_bits: activation_bits,
        rounding: RawRounding::Named(Round::HalfTowardPositive),
        rows: g.rows(),
        cols: g.cols(),
        multiplier_stages: g.multiplier_stages(),
        requantizer_lanes: g.requantizer_lanes(),
        bus_bits: g.bus_bits(),
    };
    let mut recipe = Recipe::min_max(weight_bits, activation_bits);
    recipe.weights.granularity = Granularity::PerTensor;
    Point { axes, config, recipe: Some(recipe) }
}

/// One dense layer without a bias; `weights` are k x n.
fn subject(k: usize, weights: &[f32], calibration: &[f32], test: &[f32], labels: &[i64], keep_bytes: usize) -> Subject {
    let operation = FloatOperation::Convolution {
        window: Window::POINT,
        groups: 1,
        weights: weights.to_vec(),
        bias: vec![0.0; weights.len() / k],
    };
    let clamp = [f32::NEG_INFINITY, f32::INFINITY];
    let layers = vec![FloatLayer { name: "dense".to_owned(), inputs: vec![0], operation, clamp }];
    let network = FloatNetwork { input: Extent::vector(k), layout: DataLayout::ChannelsLast, layers };
    let matrix = |values: &[f32]| Matrix { rows: values.len() / k, cols: k, values: values.to_vec() };
    Subject::new(network, matrix(calibration), matrix(test), labels.to_vec(), keep_bytes).expect("the layer fits")
}

/// Weights 2 and 0.6 in three bits have the step 2/3: they become 2 and 2/3. Inputs are in 0..1 on calibration, outputs in 0..2; in two
/// bits their steps are 1/3 and 2/3. Inputs 1 and 0.5 (a tie of 1 and 2 steps, to 2) are seen as 1 and 2/3, and 4/9 is rounded to 2/3.
#[test]
fn a_network_quantized_by_hand() {
    for keep_bytes in [usize::MAX, 0] {
        let subject = subject(1, &[2.0, 0.6], &[0.0, 1.0], &[1.0, 0.5], &[0, 1], keep_bytes);
        let found = evaluate_subject(&subject, &point(3, 2), 7).expect("the point fits");
        // Float outputs 2, 0.6, 1, 0.3; quantized ones 2, 2/3, 4/3, 2/3: 5.45 over (2^2 + 10^2 + 11^2) / 30^2.
        let outputs = 10.0 * f64::log10(5.45 / 0.25);
        // 4.36 over (1/15)^2.
        let weights = 10.0 * f64::log10(4.36 * 225.0);
        let close = |given: Option<f64>, expected: f64| (given.expect("it loses something") - expected).abs() < 1e-4;
        assert!(close(found.sqnr_db, outputs) && close(found.layers[0].output_sqnr_db, outputs), "{found:?}");
        assert!(close(found.layers[0].weight_sqnr_db, weights), "{found:?}");
        assert_eq!((found.seed, found.images, found.correct, found.float_correct), (7, 2, 1, 1));
        assert_eq!((found.layers.len(), found.layers[0].saturated, found.layers[0].outputs), (1, 0, 4));
        // Two weights of three bits in a byte; two records of 24 + 31 + 6 + 3 bits.
        assert_eq!(found.model_bytes, 1 + 2 * 8);
    }
}

/// Calibrated with outputs up to 1, and 1 + 1 comes.
#[test]
fn outputs_beyond_the_format_saturate() {
    let subject = subject(2, &[1.0, 1.0], &[1.0, 0.0, 0.0, 1.0], &[1.0, 1.0, 1.0, 0.0], &[0, 0], usize::MAX);
    let found = evaluate_subject(&subject, &point(8, 8), 0).expect("the point fits");
    assert_eq!((found.layers[0].saturated, found.layers[0].outputs), (1, 2));
    // Weights lose nothing.
    assert_eq!(found.layers[0].weight_sqnr_db, None);
}

#[test]
fn a_point_that_breaks_a_rule_is_refused() {
    let subject = subject(1, &[1.0], &[1.0], &[1.0], &[0], usize::MAX);
    let refused = |point: &Point| {
        let error = evaluate_subject(&subject, point, 0).expect_err("it breaks a rule");
        assert!(matches!(MeasureError::from(error), MeasureError::Refused(_)), "it is the point's fault");
        evaluate_subject(&subject, point, 0).expect_err("it breaks a rule").to_string()
    };
    let other_bits = Point { recipe: Some(Recipe::min_max(4, 8)), ..point(8, 8) };
    assert_eq!(refused(&other_bits), "recipe: weights.bits = 4, but numerics.weight_bits = 8: they must be equal");
    assert_eq!(refused(&Point { recipe: None, ..point(8, 8) }), "the point has no network");
}
