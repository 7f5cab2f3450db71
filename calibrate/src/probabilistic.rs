//! Quantization as inference: each weight has a distribution over the levels, which is learnt until it has decided.
//!
//! The weights of a network are independent, each with a categorical distribution over its levels; the logits are the
//! parameters. A layer's sum is then nearly Gaussian, with mean X M + b and variance X^2 V (M and V those of the
//! weights); a seeded sample of the sum (not of the weights) goes on to the next layer. Minimized is the expected cross
//! entropy between the target and the network's softmax, plus a factor times the mean entropy of the weights, by Adam.
//! The factor rises from 0 linearly over the rounds, so the distributions are free at first and sharp at the end. The
//! mode, each weight's likeliest level, is deployed.
//!
//! Sources: Shayer, Levi and Fetaya, "Learning Discrete Weights Using the Local Reparameterization Trick", 2018, for
//! the method; Kingma, Salimans and Welling, 2015, for sampling sums.

use crate::adam::Adam;
use crate::categorical::Categorical;
use crate::error::{check_length, CalibrateError};
use crate::matrix::to_f64;
use crate::network::{check_labels, check_network, outputs, softmax, Linear};
use crate::sampled_sums::step;
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
    /// Ascending: a format's values or a codebook's levels. Up to 16, every weight may take each; of more, the three
    /// around its nearest.
    pub levels: &'a [i32],
    /// One, or one for each column.
    pub scales: &'a [f32],
}

/// How the distributions are learnt.
///
/// For the digits network (2368 weights of 2 bits, 256 images) 200 rounds of batches of 32 with rate 0.05, spread 0.5
/// and entropy 1 do; rates and entropies a few times as great or small do as well. A spread of 1 starts too far from
/// the float weights.
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

/// Learns which level each weight takes; biases and scales stay.
///
/// The sums of a layer are sampled as mean + sqrt(variance + 1e-8) times a Gaussian number; the loss of a round is its
/// rows' mean. Ties of a mode go to the lower level. Codebooks that are larger than a layer are refused.
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
