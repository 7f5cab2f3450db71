//! Steps as a network of floats.

use super::step::{clamp_after, readers, Operation, Step, Weights, NO_CLAMP};
use crate::float::{DataLayout, FloatLayer, FloatNetwork, FloatOperation};
use golden::{Extent, Window};

/// Names as they are, each with a number if it was there before.
pub struct Names(std::collections::HashMap<String, usize>);

impl Names {
    pub fn new() -> Self {
        Self(std::collections::HashMap::new())
    }

    pub fn unique(&mut self, name: &str) -> String {
        let count = self.0.entry(name.to_owned()).or_insert(0);
        *count += 1;
        match *count {
            1 => name.to_owned(),
            count => {
                let name = format!("{name}#{count}");
                self.unique(&name)
            }
        }
    }
}

/// The network of steps that quantize nothing. A clamp belongs to the layer before it if nothing else reads that layer.
pub fn network(steps: Vec<Step>, input: Extent, layout: DataLayout) -> FloatNetwork {
    let readers = readers(&steps);
    let mut names = Names::new();
    let mut moved = vec![0];
    let mut layers: Vec<FloatLayer> = Vec::with_capacity(steps.len());
    for step in steps {
        let inputs: Vec<usize> = step.inputs.iter().map(|&tensor| moved[tensor]).collect();
        let (operation, clamp) = match step.operation {
            Operation::Clamp(clamp) => {
                if let Some(before) = inputs[0].checked_sub(1).filter(|_| readers[step.inputs[0]] == 1) {
                    layers[before].clamp = clamp_after(layers[before].clamp, clamp);
                    moved.push(inputs[0]);
                    continue;
                }
                (FloatOperation::Add, clamp)
            }
            Operation::Linear(linear) => {
                let bias = linear.bias.values().into_iter().map(|value| value as f32).collect();
                let weights = match linear.weights {
                    Weights::Float(values) => values,
                    Weights::Integer { values, scales, .. } => {
                        let scaled = |(at, &q): (usize, &i32)| (f64::from(q) * scales[at % scales.len()]) as f32;
                        values.iter().enumerate().map(scaled).collect()
                    }
                };
                let (window, groups) = (linear.window, linear.groups);
                (FloatOperation::Convolution { window, groups, weights, bias }, NO_CLAMP)
            }
            Operation::AveragePool(window) => (FloatOperation::AveragePool { window }, NO_CLAMP),
            Operation::MaxPool(window) => (FloatOperation::MaxPool { window }, NO_CLAMP),
            Operation::Function(function) => (FloatOperation::Function(function), NO_CLAMP),
            // A 1 x 1 convolution of one channel each.
            Operation::Affine { factors, bias } => {
                let (window, groups) = (Window::POINT, factors.len());
                let weights = factors.into_iter().map(|factor| factor as f32).collect();
                let bias = bias.values().into_iter().map(|value| value as f32).collect();
                (FloatOperation::Convolution { window, groups, weights, bias }, NO_CLAMP)
            }
            // Nothing is quantized: one input alone stays as it is.
            Operation::Add | Operation::Quantize(_) | Operation::Dequantize(_) => (FloatOperation::Add, NO_CLAMP),
        };
        layers.push(FloatLayer { name: names.unique(&step.name), inputs, operation, clamp });
        moved.push(layers.len());
    }
    FloatNetwork { input, layout, layers }
}
