//! One step through a network of categorical weights, with sums sampled instead of weights.

use crate::categorical::{Categorical, Moments};
use crate::matrix::{left_transposed, product, right_transposed};
use crate::network::{rectify, softmax, Linear};
use crate::samples::SplitMix64;

/// What a variance is kept above, or a sharp distribution's derivative would be infinite.
const LEAST_VARIANCE: f64 = 1e-8;

/// What a layer did with a batch.
struct Trace {
    moments: Moments,
    inputs: Vec<f64>,
    /// Of the sums.
    deviations: Vec<f64>,
    noise: Vec<f64>,
    outputs: Vec<f64>,
}

/// The loss summed over the rows, and the derivatives of (its mean + factor times the entropy) by logits.
pub(crate) fn step(
    layers: &[Linear],
    weights: &[Categorical],
    mut x: Vec<f64>,
    target: &[f64],
    factor: f64,
    random: &mut SplitMix64,
) -> (f64, Vec<Vec<f64>>) {
    let rows = x.len() / layers[0].k;
    let mut traces = Vec::with_capacity(layers.len());
    for (layer, weight) in layers.iter().zip(weights) {
        let trace = forward(layer, weight.moments(), x, random);
        x = trace.outputs.clone();
        traces.push(trace);
    }
    let n = layers[layers.len() - 1].n;
    let p = softmax(&x, n);
    let loss = -p.iter().zip(target).filter(|(_, &y)| y > 0.0).map(|(&p, y)| y * libm::log(p.max(1e-300))).sum::<f64>();
    let mut back: Vec<f64> = p.iter().zip(target).map(|(p, y)| (p - y) / rows as f64).collect();
    let mut gradients = Vec::with_capacity(layers.len());
    for ((layer, weight), trace) in layers.iter().zip(weights).zip(&traces).rev() {
        if layer.relu {
            back.iter_mut().zip(&trace.outputs).filter(|(_, &y)| y <= 0.0).for_each(|(d, _)| *d = 0.0);
        }
        // A sum is mean + deviation noise, and the deviation's derivative by the variance 1 / (2 deviation).
        let by_variance = back.iter().zip(&trace.noise).zip(&trace.deviations);
        let by_variance: Vec<f64> = by_variance.map(|((d, e), s)| d * e / (2.0 * s)).collect();
        let squares: Vec<f64> = trace.inputs.iter().map(|x| x * x).collect();
        let d_mean = left_transposed(&trace.inputs, &back, layer.k, layer.n);
        let d_variance = left_transposed(&squares, &by_variance, layer.k, layer.n);
        gradients.push(weight.gradient(&d_mean, &d_variance, factor));
        back = right_transposed(&back, &trace.moments.mean, layer.n);
        let through = right_transposed(&by_variance, &trace.moments.variance, layer.n);
        back.iter_mut().zip(through).zip(&trace.inputs).for_each(|((d, v), x)| *d += 2.0 * x * v);
    }
    gradients.reverse();
    (loss, gradients)
}

fn forward(layer: &Linear, moments: Moments, inputs: Vec<f64>, random: &mut SplitMix64) -> Trace {
    let squares: Vec<f64> = inputs.iter().map(|x| x * x).collect();
    let mut outputs = product(&inputs, &moments.mean, layer.k, layer.n);
    let variances = product(&squares, &moments.variance, layer.k, layer.n);
    let deviations: Vec<f64> = variances.into_iter().map(|v| (v + LEAST_VARIANCE).sqrt()).collect();
    let noise: Vec<f64> = deviations.iter().map(|_| random.gauss()).collect();
    for (at, sum) in outputs.iter_mut().enumerate() {
        *sum += f64::from(layer.bias[at % layer.n]) + deviations[at] * noise[at];
    }
    if layer.relu {
        rectify(&mut outputs);
    }
    Trace { moments, inputs, deviations, noise, outputs }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences of the loss by every logit of two layers, with the same noise.
    #[test]
    fn derivatives_are_the_differences_of_the_loss() {
        let layer = |k: usize, n: usize, relu| {
            let weights = (0..k * n).map(|at| (at * 7 % 5) as f32 / 4.0 - 0.5).collect();
            Linear { k, n, weights, bias: vec![0.1; n], relu }
        };
        let layers = [layer(3, 4, true), layer(4, 2, false)];
        let scales = [0.5, 0.25, 0.5, 0.75];
        let distributions =
            |layer: &Linear| Categorical::new(&layer.weights, layer.n, &[-1, 0, 2], &scales[..layer.n], 0.7);
        let weights: Vec<Categorical> = layers.iter().map(|layer| distributions(layer).expect("levels")).collect();
        let (x, target) = ([0.9, -0.4, 1.3, 0.2, 0.8, -1.1], [0.3, 0.7, 1.0, 0.0]);
        let factor = 0.05;
        let run =
            |weights: &[Categorical]| step(&layers, weights, x.to_vec(), &target, factor, &mut SplitMix64::new(3));
        // The loss is summed over two rows; entropies are in bits.
        let whole = |weights: &[Categorical]| {
            let bits: f64 = weights.iter().map(Categorical::entropy_bits).sum();
            run(weights).0 / 2.0 + factor * bits * std::f64::consts::LN_2
        };
        let (_, gradients) = run(&weights);
        for (at, gradient) in gradients.iter().enumerate() {
            for (i, given) in gradient.iter().enumerate() {
                let [up, down] = [1e-5, -1e-5].map(|by| {
                    let mut moved = weights.clone();
                    moved[at].logits[i] += by;
                    moved[at].update();
                    whole(&moved)
                });
                let expected = (up - down) / 2e-5;
                assert!(
                    (given - expected).abs() < 1e-7,
                    "layer {at}, logit {i}: {given}, the difference is {expected}"
                );
            }
        }
    }
}
