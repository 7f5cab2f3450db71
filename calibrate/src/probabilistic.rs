//! Quantization as inference: each weight has a distribution over the levels, which is learnt until it has decided.
//!
//! The weights of a network are independent, each with a categorical distribution over its levels; the logits are the parameters. A
//! layer's sum is then nearly Gaussian, with mean X E[W] + b and variance X^2 Var[W]; a seeded sample of the sum (not of the weights)
//! goes on to the next layer. Minimized is the expected cross entropy between the target and the network's softmax, plus a factor times
//! the mean entropy of the weights, by Adam. The factor rises from 0 linearly over the rounds, so the distributions are free at first and
//! sharp at the end. The mode, each weight's likeliest level, is deployed.
//!
//! Sources: Shayer, Levi and Fetaya, "Learning Discrete Weights Using the Local Reparameterization Trick", 2018, for the method; Kingma,
//! Salimans and Welling, 2015, for sampling sums.

use crate::adam::Adam;
use crate::categorical::{Categorical, Moments};
use crate::error::{check_length, CalibrateError};
use crate::matrix::{left_transposed, product, right_transposed, to_f64};
use crate::network::{check_labels, check_network, outputs, rectify, softmax, Linear};
use crate::samples::SplitMix64;

/// What the quantized network is to reproduce.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The label of each input.
    Labels(&'a [usize]),
    /// The float network's own softmax on the inputs: no labels are needed.
    FloatNetwork,
}

/// The levels and scales of one layer: a weight is scale times level.
#[derive(Clone, Copy, Debug)]
pub struct LayerLevels<'a> {
    /// Ascending: a format's values or a codebook's levels. Up to 16, every weight may take each; of more, the three around its nearest.
    pub levels: &'a [i32],
    /// One, or one for each column.
    pub scales: &'a [f32],
}

/// How the distributions are learnt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learning {
    /// Passes over the inputs.
    pub rounds: usize,
    /// Rows of a step; the last one of a pass may be smaller.
    pub batch: usize,
    /// Adam's rate at the start; it falls linearly to a tenth.
    pub rate: f64,
    /// How far the start spreads over the levels, in distances of neighbouring levels.
    pub spread: f64,
    /// What the loss adds for the mean entropy of a weight in nats, at the end.
    pub entropy: f64,
    /// Of noise and of the order of inputs.
    pub seed: u64,
}

/// Learnt weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Learnt {
    /// The mode of each layer, k x n levels.
    pub values: Vec<Vec<i32>>,
    /// The mean loss of each round, without the entropy's part.
    pub losses: Vec<f64>,
    /// The mean entropy of a weight in bits, before the first round and after the last.
    pub entropy_bits: [f64; 2],
}

/// Learns which level each weight takes. Biases stay.
pub fn learn_levels(
    layers: &[Linear],
    levels: &[LayerLevels],
    inputs: &[f32],
    target: Target,
    learning: Learning,
) -> Result<Learnt, CalibrateError> {
    let m = check_network(layers, inputs)?;
    check_length("levels of layers", levels.len(), layers.len())?;
    check_learning(learning)?;
    let n_classes = layers[layers.len() - 1].n;
    let target = match target {
        Target::Labels(labels) => {
            check_labels(labels, n_classes)?;
            check_length("labels", labels.len(), m)?;
            labels.iter().flat_map(|&label| (0..n_classes).map(move |i| f64::from(u8::from(i == label)))).collect()
        }
        Target::FloatNetwork => {
            let all = outputs(layers, inputs)?;
            softmax(&all[all.len() - 1], n_classes)
        }
    };
    let (mut weights, mut optimizers) = (Vec::new(), Vec::new());
    for (layer, levels) in layers.iter().zip(levels) {
        let weight = Categorical::new(&layer.weights, layer.n, levels.levels, levels.scales, learning.spread)?;
        optimizers.push(Adam::new(weight.logits.len()));
        weights.push(weight);
    }
    let n_weights: usize = layers.iter().map(|layer| layer.k * layer.n).sum();
    let entropy =
        |weights: &[Categorical]| weights.iter().map(Categorical::entropy_bits).sum::<f64>() / n_weights as f64;
    let start = entropy(&weights);
    let (inputs, mut random) = (to_f64(inputs), SplitMix64::new(learning.seed));
    let mut order: Vec<usize> = (0..m).collect();
    let mut losses = Vec::with_capacity(learning.rounds);
    for round in 0..learning.rounds {
        let progress = round as f64 / learning.rounds as f64;
        let (rate, factor) = (learning.rate * (1.0 - 0.9 * progress), learning.entropy * progress / n_weights as f64);
        // Fisher and Yates.
        (1..m).rev().for_each(|i| order.swap(i, random.below(i + 1)));
        let mut loss = 0.0;
        for rows in order.chunks(learning.batch) {
            let x = gather(&inputs, rows, layers[0].k);
            let y = gather(&target, rows, n_classes);
            let (found, gradients) = step(layers, &weights, x, &y, factor, &mut random);
            loss += found / m as f64;
            for ((weight, optimizer), gradient) in weights.iter_mut().zip(&mut optimizers).zip(gradients) {
                optimizer.step(&mut weight.logits, &gradient, rate);
                weight.update();
            }
        }
        losses.push(loss);
    }
    let values = weights.iter().map(Categorical::mode).collect();
    Ok(Learnt { values, losses, entropy_bits: [start, entropy(&weights)] })
}

fn check_learning(learning: Learning) -> Result<(), CalibrateError> {
    for (property, value) in [("rate", learning.rate), ("spread", learning.spread)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(CalibrateError::Real { property, value, rule: "positive and finite" });
        }
    }
    if !(learning.entropy.is_finite() && learning.entropy >= 0.0) {
        return Err(CalibrateError::Real {
            property: "entropy",
            value: learning.entropy,
            rule: "0 or more, and finite",
        });
    }
    match learning.batch {
        0 => Err(CalibrateError::Empty { what: "batch" }),
        _ => Ok(()),
    }
}

fn gather(values: &[f64], rows: &[usize], cols: usize) -> Vec<f64> {
    rows.iter().flat_map(|&row| values[row * cols..(row + 1) * cols].iter().copied()).collect()
}

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
fn step(
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
    // Away from 0, or a sharp distribution's derivative would be infinite.
    let deviations: Vec<f64> = variances.into_iter().map(|v| (v + 1e-8).sqrt()).collect();
    let noise: Vec<f64> = deviations.iter().map(|_| random.gauss()).collect();
    for (at, sum) in outputs.iter_mut().enumerate() {
        *sum += f64::from(layer.bias[at % layer.n]) + deviations[at] * noise[at];
    }
    if layer.relu {
        rectify(&mut outputs);
    }
    Trace { moments, inputs, deviations, noise, outputs }
}
