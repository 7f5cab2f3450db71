//! Scales of matrices, roundings for outputs, corrected biases.

mod common;

use calibrate::{adaround, bias_correction, choose, outputs, samples, weight_quantizer, weight_scales};
use calibrate::{Density, Grid, Linear, Method, Per, SplitMix64, Symmetry};
use common::digits;
use golden::{Kind, QFormat, Range};
use proptest::prelude::*;

fn narrow(bits: u32) -> QFormat {
    QFormat::new(Kind::Signed, bits, Range::Narrow).expect("it exists")
}

#[test]
fn channels_are_columns() {
    // Columns 1, -4 and 3, 0.5.
    let weights = [1.0, 3.0, -4.0, 0.5];
    let scales = |per| weight_scales(&weights, [2, 2], narrow(4), Method::MinMax, per, Grid::Any).expect("finite");
    assert_eq!(scales(Per::Tensor), [4.0 / 7.0]);
    assert_eq!(scales(Per::Channel), [4.0 / 7.0, 3.0 / 7.0]);
    let quantizer = weight_quantizer(narrow(4), &scales(Per::Channel), 2).expect("scales");
    assert_eq!(quantizer.quantize(&weights, &[2, 2]), Ok(vec![2, 7, -7, 1]));
    let columns = weight_scales(&weights, [2, 2], narrow(2), Method::Mse, Per::Channel, Grid::PowersOfTwo);
    let column = |values: &[f32]| {
        choose(values, narrow(2), Method::Mse, Symmetry::Symmetric, Grid::PowersOfTwo).expect("finite").scale
    };
    assert_eq!(columns.expect("finite"), [column(&[1.0, -4.0]), column(&[3.0, 0.5])]);
    for [k, n] in [[2, 3], [0, 4], [4, 0]] {
        assert!(weight_scales(&weights, [k, n], narrow(4), Method::MinMax, Per::Tensor, Grid::Any).is_err());
    }
    assert!(weight_quantizer(narrow(4), &[1.0; 3], 2).is_err());
}

/// The sum over inputs of squared output errors, from its definition.
fn output_error(weights: &[f32], inputs: &[f32], scale: f32, q: &[i64]) -> f64 {
    let error = |x: &[f32]| -> f64 {
        let each = x.iter().zip(weights).zip(q);
        each.map(|((&x, &w), &q)| f64::from(x) * (f64::from(scale) * q as f64 - f64::from(w))).sum()
    };
    inputs.chunks_exact(weights.len()).map(|x| error(x).powi(2)).sum()
}

/// All choices of floor or ceiling for up to ten weights of one channel.
#[test]
fn adaround_against_exhaustive_search() {
    let (mut random, mut optimal, mut n) = (SplitMix64::new(1), 0, 0);
    for case in 0..120 {
        let k = 1 + case % 10;
        let scale = 0.5 + random.unit() as f32;
        let weights = samples(Density::Gauss, random.word(), k);
        // Inputs that go together, as a network's do.
        let inputs: Vec<f32> =
            samples(Density::Gauss, random.word(), 12 * k).iter().map(|x| (x + 1.0).max(0.0)).collect();
        let format = narrow(3);
        let rounded = adaround(&weights, [k, 1], &inputs, &[scale], format).expect("finite");
        let values: Vec<i64> = rounded.values.iter().map(|&q| q.into()).collect();
        let floors: Vec<f64> = weights.iter().map(|&w| (f64::from(w) / f64::from(scale)).floor()).collect();
        let choice = |bits: usize| -> Vec<i64> {
            let value = |(i, floor): (usize, &f64)| format.saturate(*floor as i64 + (bits >> i & 1) as i64);
            floors.iter().enumerate().map(value).collect()
        };
        let all: Vec<Vec<i64>> = (0..1 << k).map(choice).collect();
        assert!(all.contains(&values), "{weights:?} / {scale} became {values:?}");
        let error = |q: &[i64]| output_error(&weights, &inputs, scale, q);
        let best = all.iter().map(|q| error(q)).fold(f64::INFINITY, f64::min);
        let found = error(&values);
        assert!((rounded.error * 12.0 - found).abs() <= 1e-9 * (1.0 + found), "{} {found}", rounded.error);
        // No choice that differs in two weights is better.
        let distance = |q: &[i64]| q.iter().zip(&values).filter(|(a, b)| a != b).count();
        let near = all.iter().filter(|q| distance(q) <= 2).map(|q| error(q)).fold(f64::INFINITY, f64::min);
        assert!(found <= near + 1e-9 * (1.0 + near), "case {case}: {found}, {near} is two flips away");
        n += 1;
        optimal += usize::from(found <= best * (1.0 + 1e-9) + 1e-12);
        assert!(k > 2 || found <= best + 1e-9, "case {case}: one or two weights leave nothing else");
    }
    println!("{optimal} of {n} are the best of all");
    assert!(optimal * 100 >= n * 85, "{optimal} of {n}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn adaround_is_never_worse_than_nearest(
        seed: u64,
        k in 1..=12_usize,
        n in 1..=3_usize,
        bits in 2..=5_u32,
        channel: bool,
    ) {
        let (weights, inputs) = (samples(Density::Laplace, seed, k * n), samples(Density::Gauss, !seed, 8 * k));
        let per = if channel { Per::Channel } else { Per::Tensor };
        let scales = weight_scales(&weights, [k, n], narrow(bits), Method::Mse, per, Grid::Any).expect("finite");
        let rounded = adaround(&weights, [k, n], &inputs, &scales, narrow(bits)).expect("finite");
        prop_assert!(rounded.error <= rounded.nearest_error * (1.0 + 1e-12));
        prop_assert!(rounded.values.iter().all(|&q| narrow(bits).contains(q.into())));
        // The nearest error, from golden's quantizer and the definition.
        let quantizer = weight_quantizer(narrow(bits), &scales, n).expect("scales");
        let nearest = quantizer.quantize(&weights, &[k, n]).expect("finite");
        let mut sum = 0.0;
        for column in 0..n {
            let w: Vec<f32> = weights.iter().skip(column).step_by(n).copied().collect();
            let q: Vec<i64> = nearest.iter().skip(column).step_by(n).map(|&q| q.into()).collect();
            sum += output_error(&w, &inputs, scales[if channel { column } else { 0 }], &q);
        }
        let expected = sum / (8 * n) as f64;
        prop_assert!((rounded.nearest_error - expected).abs() <= 1e-9 * (1.0 + expected));
    }
}

/// Of bipolar weights, the odd numbers on both sides; beyond the range there is no choice.
#[test]
fn adaround_knows_other_formats() {
    let bipolar = QFormat::new(Kind::Bipolar, 2, Range::Full).expect("it exists");
    // 1.6 lies between 1 and 3, twice: 3.2 is nearer to 1 + 3 than to 1 + 1.
    let rounded = adaround(&[1.6, 1.6, 9.0], [3, 1], &[1.0, 1.0, 0.0], &[1.0], bipolar).expect("finite");
    assert_eq!(rounded.values, [3, 1, 3]);
    assert!(adaround(&[1.0; 3], [3, 1], &[1.0; 4], &[1.0], bipolar).is_err());
    assert!(adaround(&[1.0; 3], [3, 1], &[], &[1.0], bipolar).is_err());
    assert!(adaround(&[1.0; 3], [3, 1], &[1.0; 3], &[0.0], bipolar).is_err());
}

/// What it is for: at 2 bits the digits network's first layer keeps its outputs much better.
#[test]
fn adaround_and_bias_correction_on_digits() {
    let digits = digits();
    let layer = &digits.layers[0];
    let size = [layer.k, layer.n];
    let scales = weight_scales(&layer.weights, size, narrow(2), Method::Mse, Per::Channel, Grid::Any).expect("finite");
    let rounded = adaround(&layer.weights, size, &digits.calibration, &scales, narrow(2)).expect("finite");
    println!("first layer, 2 bits: {:.4} nearest, {:.4} chosen", rounded.nearest_error, rounded.error);
    assert!(rounded.error < rounded.nearest_error / 3.0);
    // The chosen weights are no worse on images that were not seen.
    let linear = |weights: Vec<f32>, bias: Vec<f32>| Linear { weights, bias, relu: false, ..layer.clone() };
    let quantizer = weight_quantizer(narrow(2), &scales, layer.n).expect("scales");
    let back = |q: &[i32]| quantizer.dequantize(q, &size).expect("in range");
    let sums = |weights, bias, images: &[f32]| outputs(&[linear(weights, bias)], images).expect("a layer").remove(0);
    let float = sums(layer.weights.clone(), layer.bias.clone(), &digits.test);
    let unseen = |weights: Vec<f32>| -> f64 {
        let given = sums(weights, layer.bias.clone(), &digits.test);
        given.iter().zip(&float).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / float.len() as f64
    };
    let nearest = quantizer.quantize(&layer.weights, &size).expect("finite");
    let (before, after) = (unseen(back(&nearest)), unseen(back(&rounded.values)));
    println!("unseen images: {before:.4} nearest, {after:.4} chosen");
    assert!(after < before / 2.0, "{before} became {after}");

    // With the bias corrected, every channel's mean over the calibration images is the float layer's.
    let weights = back(&nearest);
    let bias = bias_correction(&layer.weights, &weights, size, &digits.calibration, &layer.bias).expect("finite");
    let means = |weights: &[f32], bias: &[f32]| -> Vec<f64> {
        let sums = sums(weights.to_vec(), bias.to_vec(), &digits.calibration);
        (0..layer.n).map(|j| sums.iter().skip(j).step_by(layer.n).sum::<f64>() / 256.0).collect()
    };
    let expected = means(&layer.weights, &layer.bias);
    let moved = |given: Vec<f64>| given.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(moved(means(&weights, &layer.bias)) > 0.1, "rounding must move some mean, or this tests nothing");
    let left = moved(means(&weights, &bias));
    assert!(left < 1e-5, "{left}");
    assert!(bias_correction(&layer.weights, &weights, size, &digits.calibration, &bias[1..]).is_err());
}
