//! Forward and backward passes.

mod common;

use calibrate::{accuracy, gradients, outputs, samples, CalibrateError, Density, Linear};
use common::digits;

fn layer(k: usize, n: usize, seed: u64, relu: bool) -> Linear {
    let weights = samples(Density::Gauss, seed, k * n);
    Linear { k, n, weights, bias: samples(Density::Gauss, seed + 100, n), relu }
}

fn loss(layers: &[Linear], inputs: &[f32], labels: &[usize]) -> f64 {
    gradients(layers, inputs, labels).expect("a network").loss
}

/// Logits 0 and ln 3: softmax 1/4 and 3/4, so the loss of label 0 is ln 4 and the derivatives are -3/4 and 3/4.
#[test]
fn one_layer_worked_by_hand() {
    let layer = Linear { k: 1, n: 2, weights: vec![0.0, 3.0_f32.ln() / 2.0], bias: vec![0.0; 2], relu: false };
    let found = gradients(&[layer], &[2.0], &[0]).expect("a network");
    assert!((found.loss - 4.0_f64.ln()).abs() < 1e-6);
    let near = |given: &[f32], expected: &[f32]| {
        assert_eq!(given.len(), expected.len());
        given.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{given:?} {expected:?}"));
    };
    near(&found.layers[0].outputs, &[-0.75, 0.75]);
    near(&found.layers[0].bias, &[-0.75, 0.75]);
    near(&found.layers[0].weights, &[-1.5, 1.5]);
}

/// Central differences of the loss by each weight and bias of three layers.
#[test]
fn gradients_are_the_differences_of_the_loss() {
    let layers = [layer(5, 7, 1, true), layer(7, 4, 2, true), layer(4, 3, 3, false)];
    let (inputs, labels) = (samples(Density::Gauss, 9, 6 * 5), [0, 1, 2, 2, 1, 0]);
    let found = gradients(&layers, &inputs, &labels).expect("a network");
    let step = 2.0_f32.powi(-10);
    for (at, gradient) in found.layers.iter().enumerate() {
        let difference = |change: &dyn Fn(&mut Linear, f32)| {
            let [up, down] = [step, -step].map(|step| {
                let mut moved = layers.to_vec();
                change(&mut moved[at], step);
                loss(&moved, &inputs, &labels)
            });
            (up - down) / (2.0 * f64::from(step))
        };
        for (i, &given) in gradient.weights.iter().enumerate() {
            let expected = difference(&|layer, step| layer.weights[i] += step);
            assert!((f64::from(given) - expected).abs() < 1e-3, "layer {at}, weight {i}: {given}, {expected}");
        }
        for (i, &given) in gradient.bias.iter().enumerate() {
            let expected = difference(&|layer, step| layer.bias[i] += step);
            assert!((f64::from(given) - expected).abs() < 1e-3, "layer {at}, bias {i}: {given}, {expected}");
        }
    }
    // By a layer's outputs: what the next layer's inputs would have, with the layers before taken away.
    let all = outputs(&layers, &inputs).expect("a network");
    let mut hidden: Vec<f32> = all[0].iter().map(|&x| x as f32).collect();
    for i in 0..hidden.len() {
        let value = hidden[i];
        let [up, down] = [step, -step].map(|step| {
            hidden[i] = value + step;
            loss(&layers[1..], &hidden, &labels)
        });
        hidden[i] = value;
        let expected = (up - down) / (2.0 * f64::from(step));
        let given = f64::from(found.layers[0].outputs[i]);
        assert!((given - expected).abs() < 1e-3, "output {i}: {given}, {expected}");
    }
}

/// The training script printed 350 of 360 for this network.
#[test]
fn digits_are_read_as_trained() {
    let digits = digits();
    let all = outputs(&digits.layers, &digits.test).expect("a network");
    assert_eq!(accuracy(&all[1], &digits.labels, 10), Ok(350.0 / 360.0));
    assert!(all[0].iter().all(|&x| x >= 0.0) && all[1].iter().any(|&x| x < 0.0));
}

#[test]
fn accuracy_counts_rows() {
    // The first of equal logits is taken.
    assert_eq!(accuracy(&[1.0, 1.0, 0.0, 2.0], &[0, 0], 2), Ok(0.5));
    let error = accuracy(&[1.0; 4], &[0], 2).expect_err("two rows, one label");
    assert_eq!(error, CalibrateError::Length { what: "logits", given: 4, expected: 2 });
    assert!(accuracy(&[], &[], 2).is_err());
}

#[test]
fn refusals_name_what_is_wrong() {
    let refuse =
        |layers: &[Linear], inputs: &[f32]| outputs(layers, inputs).expect_err("it must be refused").to_string();
    assert_eq!(refuse(&[], &[1.0]), "layers has no elements: at least 1 is needed");
    let layers = [layer(2, 3, 1, true), layer(4, 2, 2, false)];
    assert_eq!(refuse(&layers, &[1.0; 2]), "rows of weights after a layer has 4 elements: it must have 3");
    assert_eq!(refuse(&layers[..1], &[1.0; 3]), "inputs has 3 elements: it must have 2");
    assert_eq!(refuse(&layers[..1], &[]), "inputs has no elements: at least 1 is needed");
    let short = Linear { bias: vec![0.0], ..layers[0].clone() };
    assert_eq!(refuse(&[short], &[1.0; 2]), "bias has 1 elements: it must have 3");
    let nan = Linear { weights: vec![f32::NAN; 6], ..layers[0].clone() };
    assert_eq!(refuse(&[nan], &[1.0; 2]), "weights[0] = NaN is not finite: every element must be");
    let error = gradients(&layers[1..], &[1.0; 4], &[0, 1]).expect_err("two labels, one row");
    assert_eq!(error.to_string(), "labels has 2 elements: it must have 1");
}
