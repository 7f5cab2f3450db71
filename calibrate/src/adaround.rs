//! Rounding weights up or down so that a layer's outputs stay, not the weights themselves.

use crate::error::{check_matrix, CalibrateError};
use crate::weights::{check_scales, columns, scale_of, weight_quantizer};
use golden::QFormat;

/// Weights rounded for a layer's outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded {
    /// Row-major k x n integers of the format.
    pub values: Vec<i32>,
    /// The mean over the m inputs and the n outputs of the squared output error, rounding to nearest.
    pub nearest_error: f64,
    /// The same for `values`; never greater, up to rounding of f64 sums.
    pub error: f64,
}

/// Rounds of flips a channel; each makes the error smaller, so that this is reached by near-ties only.
const MAX_ROUNDS: usize = 1000;
/// A flip must gain so much of the channel's error, or rounding of sums could go round in circles.
const LEAST_GAIN: f64 = 1e-12;

/// Chooses for each weight of a k x n matrix the format's value below w / s or the one above.
///
/// Meaning in reals: for each output channel, the q that make sum over the m inputs of (x . (s q - w))^2 small.
/// Formula: with G = X^T X and e = s q - w the sum is e^T G e; from the nearest values, the flip of one weight that
/// gains most is made while there is one, then of a pair of weights, until neither gains: the result is the best among
/// all that differ in at most two weights. A value outside the range is clamped and has no choice. Ties: the weight, or
/// pair, of the lowest number. X is the layer's m x k input as the quantized network sees it; weights of a network with
/// a bias are rounded first and the bias corrected then.
///
/// Source: Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020, for the problem; there
/// it is relaxed, here it is searched.
///
/// ```
/// use calibrate::adaround;
/// // Both inputs see the same value: 0.4 + 0.4 is nearer to 1 + 0 than to 0 + 0.
/// let int8 = golden::QFormat::full(8, true)?;
/// let rounded = adaround(&[0.4, 0.4], [2, 1], &[1.0, 1.0], &[1.0], int8)?;
/// assert_eq!(rounded.values, [1, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn adaround(
    weights: &[f32],
    [k, n]: [usize; 2],
    inputs: &[f32],
    scales: &[f32],
    format: QFormat,
) -> Result<Rounded, CalibrateError> {
    check_matrix("weights", weights, k, n)?;
    let m = inputs.len() / k;
    check_matrix("inputs", inputs, m, k)?;
    check_scales(scales, n)?;
    let gram = gram(inputs, k);
    let nearest = weight_quantizer(format, scales, n)?.quantize(weights, &[k, n])?;
    let mut rounded = Rounded { values: nearest, nearest_error: 0.0, error: 0.0 };
    for (column, w) in columns(weights, n).enumerate() {
        let scale = f64::from(scale_of(scales, column));
        let start: Vec<i64> = (0..k).map(|row| rounded.values[row * n + column].into()).collect();
        let mut channel = Channel::new(&gram, &w, scale, start, format);
        rounded.nearest_error += channel.error();
        for _ in 0..MAX_ROUNDS {
            if !channel.flip_one() && !channel.flip_pair() {
                break;
            }
        }
        rounded.error += channel.error();
        for (row, &q) in channel.q.iter().enumerate() {
            rounded.values[row * n + column] = q as i32;
        }
    }
    rounded.nearest_error /= (m * n) as f64;
    rounded.error /= (m * n) as f64;
    Ok(rounded)
}

/// X^T X of a row-major m x k matrix.
pub(crate) fn gram(inputs: &[f32], k: usize) -> Vec<f64> {
    let mut gram = vec![0.0; k * k];
    for x in inputs.chunks_exact(k) {
        for (i, &a) in x.iter().enumerate().filter(|(_, &a)| a != 0.0) {
            let row = &mut gram[i * k..(i + 1) * k];
            row.iter_mut().zip(x).for_each(|(sum, &b)| *sum += f64::from(a) * f64::from(b));
        }
    }
    gram
}

/// One output channel.
struct Channel<'a> {
    gram: &'a [f64],
    scale: f64,
    q: Vec<i64>,
    /// The weight's other value; equal to q where there is no choice.
    other: Vec<i64>,
    /// e = s q - w.
    e: Vec<f64>,
    /// G e.
    pull: Vec<f64>,
}

impl<'a> Channel<'a> {
    fn new(gram: &'a [f64], weights: &[f32], scale: f64, q: Vec<i64>, format: QFormat) -> Self {
        let e: Vec<f64> = weights.iter().zip(&q).map(|(&w, &q)| scale * q as f64 - f64::from(w)).collect();
        // The value on the weight's other side; a weight beyond the range has none, as its end is the format's.
        let other = q.iter().zip(&e).map(|(&q, &e)| match e {
            _ if e > 0.0 => format.saturate(q - format.step()),
            _ if e < 0.0 => format.saturate(q + format.step()),
            _ => q,
        });
        let other = other.collect();
        let k = e.len();
        let dot = |i: usize| gram[i * k..(i + 1) * k].iter().zip(&e).map(|(g, e)| g * e).sum();
        let pull = (0..k).map(dot).collect();
        Self { gram, scale, q, other, e, pull }
    }

    fn error(&self) -> f64 {
        self.e.iter().zip(&self.pull).map(|(e, pull)| e * pull).sum()
    }

    fn step(&self, i: usize) -> f64 {
        self.scale * (self.other[i] - self.q[i]) as f64
    }

    fn g(&self, i: usize, j: usize) -> f64 {
        self.gram[i * self.q.len() + j]
    }

    /// What the error changes by if weight i is flipped.
    fn change(&self, i: usize) -> f64 {
        let d = self.step(i);
        2.0 * d * self.pull[i] + d * d * self.g(i, i)
    }

    fn flip(&mut self, i: usize) {
        let d = self.step(i);
        for j in 0..self.q.len() {
            self.pull[j] += d * self.g(i, j);
        }
        self.e[i] += d;
        std::mem::swap(&mut self.q[i], &mut self.other[i]);
    }

    fn gains(&self, change: f64) -> bool {
        change < -LEAST_GAIN * self.error().abs()
    }

    fn flip_one(&mut self) -> bool {
        let changes = (0..self.q.len()).map(|i| (self.change(i), i));
        match changes.min_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((change, i)) if self.gains(change) => {
                self.flip(i);
                true
            }
            _ => false,
        }
    }

    fn flip_pair(&mut self) -> bool {
        let k = self.q.len();
        let (steps, changes): (Vec<f64>, Vec<f64>) = (0..k).map(|i| (self.step(i), self.change(i))).unzip();
        let mut best = (0.0, 0, 0);
        for i in 0..k {
            for j in i + 1..k {
                let change = changes[i] + changes[j] + 2.0 * steps[i] * steps[j] * self.g(i, j);
                if change < best.0 {
                    best = (change, i, j);
                }
            }
        }
        let gains = self.gains(best.0);
        if gains {
            self.flip(best.1);
            self.flip(best.2);
        }
        gains
    }
}
