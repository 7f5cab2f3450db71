//! Learnt levels in the digits network.

mod common;

use calibrate::{
    accuracy, learn_levels, outputs, weight_quantizer, weight_scales, CalibrateError, Grid, LayerLevels, Learning,
    Learnt, Linear, Method, Per, Target,
};
use common::digits;
use golden::{Codebook, Kind, QFormat, Range};

/// -1, 0, 1.
fn int2() -> QFormat {
    QFormat::new(Kind::Signed, 2, Range::Narrow).expect("it exists")
}

const TERNARY: [i32; 3] = [-1, 0, 1];

fn learning(rounds: usize, entropy: f64) -> Learning {
    Learning { rounds, batch: 32, rate: 0.05, spread: 0.5, entropy, seed: 1 }
}

fn scales(layers: &[Linear], per: Per) -> Vec<Vec<f32>> {
    let scales = |l: &Linear| weight_scales(&l.weights, [l.k, l.n], int2(), Method::Mse, per, Grid::Any);
    layers.iter().map(|layer| scales(layer).expect("finite weights")).collect()
}

fn nearest(layers: &[Linear], scales: &[Vec<f32>]) -> Vec<Vec<i32>> {
    let quantize = |(layer, scales): (&Linear, &Vec<f32>)| {
        let quantizer = weight_quantizer(int2(), scales, layer.n).expect("scales");
        quantizer.quantize(&layer.weights, &[layer.k, layer.n]).expect("finite weights")
    };
    layers.iter().zip(scales).map(quantize).collect()
}

/// The share of test images that layers with those integers get right.
fn share(layers: &[Linear], values: &[Vec<i32>], scales: &[Vec<f32>], test: &[f32], labels: &[usize]) -> f64 {
    let replaced = |((layer, values), scales): ((&Linear, &Vec<i32>), &Vec<f32>)| {
        let scale = |at: usize| scales[if scales.len() == 1 { 0 } else { at % layer.n }];
        let weights = values.iter().enumerate().map(|(at, &q)| q as f32 * scale(at)).collect();
        Linear { weights, ..layer.clone() }
    };
    let quantized: Vec<Linear> = layers.iter().zip(values).zip(scales).map(replaced).collect();
    let all = outputs(&quantized, test).expect("a network");
    accuracy(&all[all.len() - 1], labels, 10).expect("labels")
}

fn learn(layers: &[Linear], scales: &[Vec<f32>], inputs: &[f32], target: Target, learning: Learning) -> Learnt {
    let levels: Vec<LayerLevels> = scales.iter().map(|scales| LayerLevels { levels: &TERNARY, scales }).collect();
    learn_levels(layers, &levels, inputs, target, learning).expect("it can be learnt")
}

/// Without labels, on 256 images that the network was trained on; tested on 360 others.
#[test]
fn two_bits_learnt_beat_two_bits_rounded() {
    let digits = digits();
    for (per, least_gain) in [(Per::Tensor, 0.2), (Per::Channel, 0.1)] {
        let scales = scales(&digits.layers, per);
        let rounded = nearest(&digits.layers, &scales);
        let of = |values: &[Vec<i32>]| share(&digits.layers, values, &scales, &digits.test, &digits.labels);
        let learnt = learn(&digits.layers, &scales, &digits.calibration, Target::FloatNetwork, learning(200, 1.0));
        let (before, after) = (of(&rounded), of(&learnt.values));
        println!("{per:?}: nearest {before:.3}, learnt {after:.3}, entropy {:?} bits", learnt.entropy_bits);
        assert!(after > before + least_gain && after > 0.93, "{per:?}: {after} after {before}");
        // It has decided: the entropy fell from near one bit to a tenth.
        let [start, end] = learnt.entropy_bits;
        assert!(start > 0.5 && end < 0.1, "{start} bits became {end}");
        assert!(learnt.losses[199] < learnt.losses[0] / 10.0, "{:?}", learnt.losses);
    }
}

#[test]
fn equal_seeds_give_equal_bits() {
    let digits = digits();
    let scales = scales(&digits.layers, Per::Channel);
    let run = |seed| {
        let learning = Learning { seed, ..learning(3, 0.5) };
        learn(&digits.layers, &scales, &digits.calibration, Target::FloatNetwork, learning)
    };
    assert_eq!(run(4), run(4));
    assert_ne!(run(4).losses, run(5).losses);
}

#[test]
fn entropy_sharpens_distributions() {
    let digits = digits();
    let scales = scales(&digits.layers, Per::Channel);
    let end = |entropy| {
        learn(&digits.layers, &scales, &digits.calibration, Target::FloatNetwork, learning(30, entropy)).entropy_bits[1]
    };
    let (free, sharp) = (end(0.0), end(3.0));
    assert!(sharp < free / 2.0, "{free} bits without, {sharp} with the term");
}

/// One weight, two classes, labels that only the level -1 explains although the float weight is 0.8.
#[test]
fn labels_decide_against_the_float_weight() {
    let layer = Linear { k: 1, n: 2, weights: vec![0.8, 0.1], bias: vec![0.0; 2], relu: false };
    let levels = [LayerLevels { levels: &[-1, 1], scales: &[1.0] }];
    let learning = Learning { rounds: 300, batch: 4, rate: 0.05, spread: 0.5, entropy: 0.1, seed: 2 };
    // Positive inputs are of class 1, negative ones of class 0.
    let target = Target::Labels(&[1, 0, 1, 0]);
    let learnt = learn_levels(&[layer], &levels, &[1.0, -1.0, 2.0, -0.5], target, learning).expect("it can be learnt");
    assert_eq!(learnt.values, [[-1, 1]]);
}

/// With more than 16 levels a weight stays within one level of its nearest.
#[test]
fn many_levels_leave_three_to_choose_from() {
    let digits = digits();
    let codebook = Codebook::powers_of_two(QFormat::full(16, true).expect("it exists"), 12).expect("they fit");
    let scales = [2.0_f32.powi(-10)];
    let levels = [LayerLevels { levels: codebook.levels(), scales: &scales }; 2];
    let learnt = learn_levels(&digits.layers, &levels, &digits.calibration, Target::FloatNetwork, learning(3, 0.1));
    let learnt = learnt.expect("it can be learnt");
    let place = |level: i32| codebook.levels().iter().position(|&l| l == level).expect("a level") as i64;
    for (layer, values) in digits.layers.iter().zip(&learnt.values) {
        for (&w, &value) in layer.weights.iter().zip(values) {
            let near = place(codebook.nearest(f64::from(w) / f64::from(scales[0])));
            assert!((place(value) - near).abs() <= 2, "{w} became {value}");
        }
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let layer = Linear { k: 1, n: 2, weights: vec![0.8, 0.1], bias: vec![0.0; 2], relu: false };
    let refuse = |levels: &[i32], scales: &[f32], inputs: &[f32], target: Target, learning: Learning| {
        let levels = [LayerLevels { levels, scales }];
        let refused = learn_levels(std::slice::from_ref(&layer), &levels, inputs, target, learning);
        refused.expect_err("it must be refused").to_string()
    };
    let fine = learning(1, 0.0);
    let float = Target::FloatNetwork;
    let text = refuse(&[-1, 0, 1], &[1.0], &[1.0], float, fine);
    assert_eq!(text, "a codebook of 3 levels is larger than its tensor of 2 elements");
    let text = refuse(&[1, -1], &[1.0], &[1.0], float, fine);
    assert_eq!(text, "number of levels = 2 must be two or more, in ascending order, all different");
    let text = refuse(&[-1, 1], &[-1.0], &[1.0], float, fine);
    assert_eq!(text, "scale = -1 must be positive, finite and normal");
    let text = refuse(&[-1, 1], &[1.0], &[1.0], float, Learning { rate: f64::NAN, ..fine });
    assert_eq!(text, "rate = NaN must be positive and finite");
    let text = refuse(&[-1, 1], &[1.0], &[1.0], float, Learning { entropy: -1.0, ..fine });
    assert_eq!(text, "entropy = -1 must be 0 or more, and finite");
    let text = refuse(&[-1, 1], &[1.0], &[1.0], float, Learning { batch: 0, ..fine });
    assert_eq!(text, "batch has no elements: at least 1 is needed");
    let text = refuse(&[-1, 1], &[1.0], &[1.0], Target::Labels(&[2]), fine);
    assert_eq!(text, "label = 2 is out of range: it must be in 0..=1");
    let text = refuse(&[-1, 1], &[1.0], &[1.0], Target::Labels(&[1, 0]), fine);
    assert_eq!(text, "labels has 2 elements: it must have 1");
    assert!(matches!(
        learn_levels(std::slice::from_ref(&layer), &[], &[1.0], float, fine),
        Err(CalibrateError::Length { what: "levels of layers", given: 0, expected: 1 })
    ));
}
