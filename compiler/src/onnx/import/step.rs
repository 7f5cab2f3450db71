//! What the importer makes of nodes before it knows whether the network is one of floats or of integers.

use crate::float::Function;
use golden::{QFormat, Window};
use spec::Round;

/// x = scale (q - zero_point), q an integer of the format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    pub scale: f32,
    pub zero_point: i64,
    pub format: QFormat,
    pub round: Round,
}

/// Weights, row-major k x n as [`crate::float::FloatOperation::Convolution`] has them.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    Float(Vec<f32>),
    /// Zero points are taken off.
    Integer {
        values: Vec<i32>,
        /// One an output channel.
        scales: Vec<f64>,
        tensor: String,
    },
}

/// A bias of each output channel: integers with a scale each, plus real numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Bias {
    /// Empty, or value and scale of each channel.
    pub integers: Vec<(i64, f64)>,
    pub real: Vec<f64>,
}

impl Bias {
    pub fn zero(n: usize) -> Self {
        Self { integers: Vec::new(), real: vec![0.0; n] }
    }

    /// As real numbers.
    pub fn values(&self) -> Vec<f64> {
        let mut values = self.real.clone();
        for (value, (integer, scale)) in values.iter_mut().zip(&self.integers) {
            *value += *integer as f64 * scale;
        }
        values
    }

    /// This bias times a factor a channel.
    pub fn scaled(mut self, factors: &[f64]) -> Self {
        self.real.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
        for ((_, scale), factor) in self.integers.iter_mut().zip(factors) {
            *scale *= factor;
        }
        self
    }

    /// The sum. Integers stay where one of the two has them.
    pub fn plus(mut self, other: Self) -> Self {
        if self.integers.is_empty() {
            self.integers = other.integers;
        } else {
            let other_integers = other.integers;
            self.real.iter_mut().zip(other_integers).for_each(|(value, (q, scale))| *value += q as f64 * scale);
        }
        self.real.iter_mut().zip(other.real).for_each(|(value, other)| *value += other);
        self
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    pub window: Window,
    pub groups: usize,
    pub weights: Weights,
    pub bias: Bias,
}

impl Linear {
    pub fn n(&self) -> usize {
        self.bias.real.len()
    }

    /// With the outputs times a factor a channel, plus a bias.
    pub fn then(mut self, factors: &[f64], bias: Bias) -> Self {
        let n = self.n();
        match &mut self.weights {
            Weights::Float(values) => {
                for (at, value) in values.iter_mut().enumerate() {
                    *value = (f64::from(*value) * factors[at % n]) as f32;
                }
            }
            Weights::Integer { values, scales, .. } => {
                for (at, value) in values.iter_mut().enumerate() {
                    // Scales are positive: the sign goes to the weights.
                    if factors[at % n] < 0.0 {
                        *value = -*value;
                    } else if factors[at % n] == 0.0 {
                        *value = 0;
                    }
                }
                for (scale, factor) in scales.iter_mut().zip(factors) {
                    *scale *= if *factor == 0.0 { 1.0 } else { factor.abs() };
                }
            }
        }
        Self { bias: self.bias.scaled(factors).plus(bias), ..self }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Linear(Linear),
    /// Each channel times a factor, plus a bias.
    Affine {
        factors: Vec<f64>,
        bias: Bias,
    },
    AveragePool(Window),
    MaxPool(Window),
    Add,
    Function(Function),
    Clamp([f32; 2]),
    Quantize(Quantization),
    Dequantize(Quantization),
}

/// One operation; step i makes tensor i + 1, and tensor 0 is the network's input.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub name: String,
    pub operator: String,
    pub inputs: Vec<usize>,
    pub operation: Operation,
}

/// [low, high] after `first`.
pub fn clamp_after(first: [f32; 2], second: [f32; 2]) -> [f32; 2] {
    first.map(|bound| bound.max(second[0]).min(second[1]))
}

pub const NO_CLAMP: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

/// How many steps read each tensor; the last tensor counts as read.
pub fn readers(steps: &[Step]) -> Vec<usize> {
    let mut readers = vec![0; steps.len() + 1];
    readers[steps.len()] = 1;
    steps.iter().flat_map(|step| &step.inputs).for_each(|&tensor| readers[tensor] += 1);
    readers
}

/// Steps that the output needs; it is the last one's.
pub fn live(steps: Vec<Step>, output: usize) -> Vec<Step> {
    let mut needed = vec![false; steps.len() + 1];
    needed[output] = true;
    for (at, step) in steps.iter().enumerate().rev() {
        if needed[at + 1] {
            step.inputs.iter().for_each(|&tensor| needed[tensor] = true);
        }
    }
    let mut moved = vec![0; needed.len()];
    let mut kept: Vec<Step> = Vec::with_capacity(steps.len());
    for (at, mut step) in steps.into_iter().enumerate() {
        if needed[at + 1] {
            step.inputs.iter_mut().for_each(|tensor| *tensor = moved[*tensor]);
            kept.push(step);
            moved[at + 1] = kept.len();
        }
    }
    kept
}

/// Folds factors and biases into the step before them if it is linear, too, and nothing else reads it.
pub fn fold_affine(steps: Vec<Step>) -> Vec<Step> {
    let readers = readers(&steps);
    let mut moved = vec![0];
    let mut out: Vec<Step> = Vec::with_capacity(steps.len());
    for mut step in steps {
        let (old, new) = (step.inputs[0], moved[step.inputs[0]]);
        step.inputs.iter_mut().for_each(|tensor| *tensor = moved[*tensor]);
        let before = new.checked_sub(1).map(|at| &mut out[at].operation);
        match (step.operation, before) {
            (Operation::Affine { factors, bias }, Some(Operation::Linear(linear))) if readers[old] == 1 => {
                let before = std::mem::replace(linear, Linear::empty());
                *linear = before.then(&factors, bias);
                moved.push(new);
            }
            (Operation::Affine { factors, bias }, Some(Operation::Affine { factors: first, bias: first_bias }))
                if readers[old] == 1 =>
            {
                let before = std::mem::replace(first_bias, Bias::zero(0));
                *first_bias = before.scaled(&factors).plus(bias);
                first.iter_mut().zip(factors).for_each(|(first, factor)| *first *= factor);
                moved.push(new);
            }
            (operation, _) => {
                out.push(Step { operation, ..step });
                moved.push(out.len());
            }
        }
    }
    out
}

impl Linear {
    fn empty() -> Self {
        Self { window: Window::POINT, groups: 1, weights: Weights::Float(Vec::new()), bias: Bias::zero(0) }
    }
}
