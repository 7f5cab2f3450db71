//! Networks in integers, with what their integers mean.

use crate::float::DataLayout;
use crate::quantize::recipe::ElementRounding;
use crate::quantize::{ActivationQuantization, QuantizeError};
use golden::{Extent, Form, Layer, LayerError, Network, Operation};
use spec::Numerics;

/// The tensor number of the stream that rounds the network's inputs.
pub(crate) const INPUT_STREAM: u32 = u32::MAX;

/// A network of integers for one configuration of values.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedNetwork {
    numerics: Numerics,
    network: Network,
    extents: Vec<Extent>,
    parts: QuantizedParts,
}

/// What a network's integers mean.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedParts {
    /// Scale and zero point of each tensor: the input's, then each layer's output's.
    pub tensors: Vec<ActivationQuantization>,
    /// For each layer the scale of each output channel's weights; empty if it has none.
    pub weight_scales: Vec<Vec<f32>>,
    /// How real inputs are rounded.
    pub input_rounding: ElementRounding,
    /// Of the data files that the network is given.
    pub layout: DataLayout,
}

/// Bytes of a network's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelBytes {
    /// Weights and biases as float32.
    pub float: usize,
    /// Packed weights, each layer padded to a byte.
    pub weights: usize,
    /// Parameter records, one per output channel and term, and tables, each padded to a byte.
    pub parameters: usize,
}

impl ModelBytes {
    pub fn quantized(&self) -> usize {
        self.weights + self.parameters
    }
}

impl QuantizedNetwork {
    /// Refuses layers that do not fit each other or the machine.
    ///
    /// # Panics
    /// If `parts` has not one tensor more than there are layers, or not one list of weight scales a layer.
    pub fn new(numerics: Numerics, network: Network, parts: QuantizedParts) -> Result<Self, LayerError> {
        assert_eq!(parts.tensors.len(), network.layers.len() + 1, "one scale a tensor");
        assert_eq!(parts.weight_scales.len(), network.layers.len(), "one list of weight scales a layer");
        let extents = network.extents(&numerics)?;
        Ok(Self { numerics, network, extents, parts })
    }

    pub fn numerics(&self) -> &Numerics {
        &self.numerics
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Of all tensors, the input's first.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    pub fn parts(&self) -> &QuantizedParts {
        &self.parts
    }

    /// Of one image's outputs.
    pub fn output(&self) -> Extent {
        self.extents[self.extents.len() - 1]
    }

    /// Rows of a data file in the activation format, channels-last, rounded as the recipe says; `seed` is that of stochastic rounding,
    /// which goes by an element's place among the channels-last ones.
    ///
    /// Infinities saturate; NaN becomes the least value.
    pub fn quantize_input(&self, rows: &[f32], seed: u64) -> Result<Vec<i32>, QuantizeError> {
        let input = self.network.input;
        if !rows.len().is_multiple_of(input.elements()) {
            return Err(QuantizeError::InputLength { given: rows.len(), input_len: input.elements() });
        }
        let inputs = self.parts.layout.to_channels_last(input, rows);
        let rounding = self.parts.input_rounding.golden(seed, INPUT_STREAM);
        let quantizer = self.parts.tensors[0].quantizer(self.numerics.activation(), rounding)?;
        Ok(quantizer.quantize(&inputs, &[inputs.len()])?)
    }

    /// The network's outputs as floats.
    pub fn dequantize(&self, outputs: &[i32]) -> Vec<f32> {
        let output = self.parts.tensors[self.parts.tensors.len() - 1];
        outputs.iter().map(|&q| output.dequantize(q)).collect()
    }

    /// The network's outputs for images in the activation format, channels-last, by the golden model. `seed` is that of stochastic
    /// rounding; layer i rounds by the stream of tensor i.
    pub fn run_golden(&self, inputs: &[i32], seed: u64) -> Result<Vec<i32>, QuantizeError> {
        let input_len = self.network.input.elements();
        let batch = inputs.len() / input_len;
        if batch == 0 || batch * input_len != inputs.len() {
            return Err(QuantizeError::InputLength { given: inputs.len(), input_len });
        }
        let mut last = Vec::new();
        let each = |index: usize, outputs: &[i32]| {
            if index + 1 == self.network.layers.len() {
                last = outputs.to_vec();
            }
        };
        self.network.run(&self.numerics, batch, inputs, seed, Form::Fast, each)?;
        Ok(last)
    }

    /// Bytes before and after quantization.
    pub fn bytes(&self) -> ModelBytes {
        let mut bytes = ModelBytes { float: 0, weights: 0, parameters: 0 };
        let packed = |count: usize, bits: u32| (count * bits as usize).div_ceil(8);
        for Layer { operation, channels, table, .. } in &self.network.layers {
            if let Operation::Convolution { weights, .. } = operation {
                bytes.float += 4 * (weights.len() + channels[0].len());
                bytes.weights += packed(weights.len(), self.numerics.weight().bits());
            }
            let records: usize = channels.iter().map(Vec::len).sum();
            bytes.parameters += records * packed(1, self.numerics.parameter_bits());
            bytes.parameters += packed(table.as_ref().map_or(0, Vec::len), self.numerics.output().bits());
        }
        bytes
    }
}
