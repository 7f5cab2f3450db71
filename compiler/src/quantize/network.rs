//! A quantized network: what the machine runs, and its values by the golden model.

use super::error::QuantizeError;
use super::fit::rounding_of;
use super::parameters::ActivationQuantization;
use super::recipe::ElementRounding;
use golden::{layer_fast, Bounds, Channel, Shape, Stream};
use spec::{Format, Numerics, Rounding};

/// The tensor number of the stream that rounds the network's inputs.
pub(super) const INPUT_STREAM: u32 = u32::MAX;

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
    input_rounding: ElementRounding,
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
    pub(super) fn new(numerics: Numerics, layers: Vec<QuantizedLayer>, input_rounding: ElementRounding) -> Self {
        Self { numerics, layers, input_rounding }
    }

    /// How real inputs are rounded.
    pub fn input_rounding(&self) -> ElementRounding {
        self.input_rounding
    }

    pub fn numerics(&self) -> &Numerics {
        &self.numerics
    }

    pub fn layers(&self) -> &[QuantizedLayer] {
        &self.layers
    }

    /// Float inputs in the activation format, rounded as the recipe says; `seed` is that of stochastic rounding.
    ///
    /// Infinities saturate; NaN becomes the least value.
    pub fn quantize_input(&self, inputs: &[f32], seed: u64) -> Result<Vec<i32>, QuantizeError> {
        let Some(layer) = self.layers.first() else { return Ok(Vec::new()) };
        let format = self.numerics.activation();
        let quantizer = layer.input.quantizer(format, rounding_of(self.input_rounding, seed, INPUT_STREAM))?;
        Ok(quantizer.quantize(inputs, &[inputs.len()])?)
    }

    /// The last layer's outputs as floats.
    pub fn dequantize(&self, outputs: &[i32]) -> Vec<f32> {
        let dequantize = |output: ActivationQuantization| outputs.iter().map(|&q| output.dequantize(q)).collect();
        self.layers.last().map_or_else(Vec::new, |layer| dequantize(layer.output))
    }

    /// The outputs of every layer for row-major inputs in the activation format, by the golden model. `seed` is that of stochastic
    /// rounding; layer i rounds by the stream of tensor i.
    pub fn run_golden(&self, inputs: &[i32], seed: u64) -> Result<Vec<Vec<i32>>, QuantizeError> {
        let input_len = self.layers.first().map_or(0, |layer| layer.k);
        let m = inputs.len().checked_div(input_len).unwrap_or(0);
        if m == 0 || m * input_len != inputs.len() {
            return Err(QuantizeError::InputLength { given: inputs.len(), input_len });
        }
        let mut outputs: Vec<Vec<i32>> = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let stream = match self.numerics.rounding() {
                Rounding::Fixed(_) => None,
                Rounding::Stochastic { random_bits } => Some(Stream::new(seed, index as u32, random_bits)),
            };
            let activations = outputs.last().map_or(inputs, |last| last);
            let shape = Shape { m, k: layer.k, n: layer.n };
            let (numerics, stream) = (&self.numerics, stream.as_ref());
            let next = layer_fast(numerics, shape, activations, &layer.weights, &layer.channels, &layer.bounds, stream)
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
