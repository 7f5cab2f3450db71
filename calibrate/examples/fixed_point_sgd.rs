//! Training in one fixed-point format: rounding to nearest against stochastic rounding.
//!
//! Weights, activations and gradients of a network of 64-32-10 are all kept in one signed format of `word` bits,
//! `fraction` of them below the point; every result is rounded by golden's quantizer, ties to even or stochastically.
//! Steps of descent that are smaller than half a step of the format are lost to nearest rounding and kept in the mean
//! by stochastic rounding.
//!
//! The 256 calibration images of the digits example train, its 360 test images test: few to learn from, so floats reach less than the
//! example's network. Source: Gupta et al., "Deep Learning with Limited Numerical Precision", 2015.
//!
//! `cargo run --release -p systole-calibrate --example fixed_point_sgd`

#[path = "../tests/common/mod.rs"]
mod common;

use calibrate::{accuracy, gradients, outputs, Linear, SplitMix64};
use golden::{Granularity, InfinityPolicy, NanPolicy, Order, QFormat, Quantizer, QuantizerParts, QuantizerRounding};
use golden::{Scale, Stream};
use spec::Round;

const FORMATS: [(u32, i32); 8] = [(16, 14), (16, 12), (16, 10), (16, 8), (12, 8), (12, 7), (10, 6), (8, 5)];
const EPOCHS: usize = 80;
const BATCH: usize = 10;
const RATE: f32 = 0.03;
const SEEDS: u64 = 3;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Float,
    Nearest,
    Stochastic,
}

/// Brings tensors to the format, each with random bits of its own.
struct Rounder {
    mode: Mode,
    format: QFormat,
    scale: Scale,
    seed: u64,
    tensor: u32,
}

impl Rounder {
    fn new(mode: Mode, (word, fraction): (u32, i32), seed: u64) -> Self {
        let format = QFormat::full(word, true).expect("a word of 1..=32 bits");
        let scale = Scale::f32(2.0_f32.powi(-fraction)).expect("a normal power of two");
        Self { mode, format, scale, seed, tensor: 0 }
    }

    fn round(&mut self, values: &mut [f32]) {
        let rounding = match self.mode {
            Mode::Float => return,
            Mode::Nearest => QuantizerRounding::Fixed(Round::HalfToEven),
            Mode::Stochastic => QuantizerRounding::Stochastic(Stream::new(self.seed, self.tensor, 24)),
        };
        self.tensor += 1;
        let parts = QuantizerParts {
            format: self.format,
            scales: vec![self.scale],
            zero_points: vec![0],
            granularity: Granularity::Tensor,
            rounding,
            order: Order::DivideThenAdd,
            nan: NanPolicy::Refuse,
            infinity: InfinityPolicy::Refuse,
        };
        let quantizer = Quantizer::new(parts).expect("one scale");
        let shape = [values.len()];
        let codes = quantizer.quantize(values, &shape).expect("finite values");
        values.copy_from_slice(&quantizer.dequantize(&codes, &shape).expect("the same shape"));
    }

    /// One step of descent on a batch, layer by layer so that every tensor between is rounded.
    fn step(&mut self, layers: &mut [Linear], images: &[f32], labels: &[usize]) {
        let mut inputs = vec![images.to_vec()];
        for layer in layers.iter() {
            let last = &inputs[inputs.len() - 1];
            let mut sums = as_f32(&outputs(std::slice::from_ref(layer), last).expect("a layer")[0]);
            self.round(&mut sums);
            inputs.push(sums);
        }
        // The loss by the logits is the same whatever gave the logits: a layer that hands them on.
        let classes = layers[layers.len() - 1].n;
        let identity = (0..classes * classes).map(|at| f32::from(u8::from(at % (classes + 1) == 0))).collect();
        let hand_on = Linear { k: classes, n: classes, weights: identity, bias: vec![0.0; classes], relu: false };
        let found = gradients(&[hand_on], &inputs[inputs.len() - 1], labels).expect("a layer");
        let mut back = found.layers[0].outputs.clone();
        for at in (0..layers.len()).rev() {
            self.round(&mut back);
            let (layer, x) = (&layers[at], &inputs[at]);
            if layer.relu {
                back.iter_mut().zip(&inputs[at + 1]).filter(|(_, &y)| y <= 0.0).for_each(|(d, _)| *d = 0.0);
            }
            let (k, n) = (layer.k, layer.n);
            let rows = || back.chunks_exact(n).zip(x.chunks_exact(k));
            let by_weight = |i: usize| rows().map(|(d, x)| x[i / n] * d[i % n]).sum();
            let mut weights: Vec<f32> = (0..k * n).map(by_weight).collect();
            let mut bias: Vec<f32> = (0..n).map(|j| rows().map(|(d, _)| d[j]).sum()).collect();
            let through =
                |d: &[f32], i: usize| d.iter().zip(&layer.weights[i * n..(i + 1) * n]).map(|(d, w)| d * w).sum();
            let next =
                back.chunks_exact(n).flat_map(|d| (0..k).map(move |i| (d, i))).map(|(d, i)| through(d, i)).collect();
            self.round(&mut weights);
            self.round(&mut bias);
            let layer = &mut layers[at];
            layer.weights.iter_mut().zip(&weights).for_each(|(w, d)| *w -= RATE * d);
            layer.bias.iter_mut().zip(&bias).for_each(|(b, d)| *b -= RATE * d);
            self.round(&mut layer.weights);
            self.round(&mut layer.bias);
            back = next;
        }
    }
}

fn as_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

/// The share of the test images that are right after training.
fn train(digits: &common::Digits, mode: Mode, format: (u32, i32), seed: u64) -> f64 {
    let (mut random, mut rounder) = (SplitMix64::new(seed), Rounder::new(mode, format, seed));
    let mut layer = |k: usize, n: usize, relu| {
        let weights = (0..k * n).map(|_| (random.gauss() * (2.0 / k as f64).sqrt()) as f32).collect();
        Linear { k, n, weights, bias: vec![0.0; n], relu }
    };
    let mut layers = [layer(64, 32, true), layer(32, 10, false)];
    layers.iter_mut().for_each(|layer| rounder.round(&mut layer.weights));
    let (mut images, mut test) = (digits.calibration.clone(), digits.test.clone());
    rounder.round(&mut images);
    rounder.round(&mut test);
    let labels = &digits.calibration_labels;
    let mut order: Vec<usize> = (0..labels.len()).collect();
    for _ in 0..EPOCHS {
        (1..labels.len()).rev().for_each(|i| order.swap(i, random.below(i + 1)));
        for rows in order.chunks(BATCH) {
            let batch: Vec<f32> = rows.iter().flat_map(|row| images[row * 64..(row + 1) * 64].to_vec()).collect();
            let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
            rounder.step(&mut layers, &batch, &labels);
        }
    }
    let all = outputs(&layers, &test).expect("a network");
    accuracy(&all[1], &digits.labels, 10).expect("labels")
}

fn main() {
    let digits = common::digits();
    let mean =
        |mode, format| (1..=SEEDS).map(|seed| train(&digits, mode, format, seed)).sum::<f64>() * 100.0 / SEEDS as f64;
    println!(
        "float {:.1} % ({SEEDS} seeds, {} training and {} test images)",
        mean(Mode::Float, (16, 8)),
        digits.calibration_labels.len(),
        digits.labels.len()
    );
    println!("word, fraction   nearest   stochastic");
    for format in FORMATS {
        let (nearest, stochastic) = (mean(Mode::Nearest, format), mean(Mode::Stochastic, format));
        println!("{:>4}, {:>2}           {nearest:5.1}        {stochastic:5.1}", format.0, format.1);
    }
}
