//! A quantized network: what the machine runs, and its values by the golden model.

use super::error::QuantizeError;
use super::parameters::ActivationQuantization;
use golden::{layer_fast, Bounds, Channel, Shape};
use spec::{Format, Numerics};

/// One linear layer in integers.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedLayer {
    pub name: String,
    pub k: usize,
    pub n: usize,
    /// Row-major `k x n`.
    pub weights: Vec<i32>,
    /// One per output channel.
    pub weight_scales: Vec<f32>,
    /// One per output channel; biases hold the input's zero point.
    pub channels: Vec<Channel>,
    pub bounds: Bounds,
    pub input: ActivationQuantization,
    pub output: ActivationQuantization,
}

/// Layers in order, for one configuration of values.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedNetwork {
    numerics: Numerics,
    layers: Vec<QuantizedLayer>,
}

/// Bytes of a network's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelBytes {
    /// Weights and biases as float32.
    pub float: usize,
    /// Packed weights, each layer padded to a byte.
    pub weights: usize,
    /// Parameter records, one per output channel.
    pub parameters: usize,
}

impl ModelBytes {
    pub fn quantized(&self) -> usize {
        self.weights + self.parameters
    }
}

impl QuantizedNetwork {
    pub(super) fn new(numerics: Numerics, layers: Vec<QuantizedLayer>) -> Self {
        Self { numerics, layers }
    }

    pub fn numerics(&self) -> &Numerics {
        &self.numerics
    }

    pub fn layers(&self) -> &[QuantizedLayer] {
        &self.layers
    }

    /// Float inputs in the activation format; see [`ActivationQuantization::quantize`].
    pub fn quantize_input(&self, inputs: &[f32]) -> Vec<i32> {
        let format = self.numerics.activation();
        let quantize = |input: ActivationQuantization| inputs.iter().map(|&x| input.quantize(x, format)).collect();
        self.layers.first().map_or_else(Vec::new, |layer| quantize(layer.input))
    }

    /// The last layer's outputs as floats.
    pub fn dequantize(&self, outputs: &[i32]) -> Vec<f32> {
        let dequantize = |output: ActivationQuantization| outputs.iter().map(|&q| output.dequantize(q)).collect();
        self.layers.last().map_or_else(Vec::new, |layer| dequantize(layer.output))
    }

    /// The outputs of every layer for row-major inputs in the activation format, by the golden model.
    pub fn run_golden(&self, inputs: &[i32]) -> Result<Vec<Vec<i32>>, QuantizeError> {
        let input_len = self.layers.first().map_or(0, |layer| layer.k);
        let m = inputs.len().checked_div(input_len).unwrap_or(0);
        if m == 0 || m * input_len != inputs.len() {
            return Err(QuantizeError::InputLength { given: inputs.len(), input_len });
        }
        let mut outputs: Vec<Vec<i32>> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let activations = outputs.last().map_or(inputs, |last| last);
            let shape = Shape { m, k: layer.k, n: layer.n };
            let next =
                layer_fast(&self.numerics, shape, activations, &layer.weights, &layer.channels, &layer.bounds, None)
                    .map_err(|source| QuantizeError::Golden { layer: layer.name.clone(), source })?;
            outputs.push(next);
        }
        Ok(outputs)
    }

    /// Bytes before and after quantization.
    pub fn bytes(&self) -> ModelBytes {
        let packed = |count: usize, format: Format| (count * format.bits() as usize).div_ceil(8);
        let sum = |bytes: &dyn Fn(&QuantizedLayer) -> usize| self.layers.iter().map(bytes).sum();
        ModelBytes {
            float: sum(&|layer| 4 * (layer.k * layer.n + layer.n)),
            weights: sum(&|layer| packed(layer.k * layer.n, self.numerics.weight())),
            parameters: sum(&|layer| layer.n * self.numerics.parameter_bits().div_ceil(8) as usize),
        }
    }
}
