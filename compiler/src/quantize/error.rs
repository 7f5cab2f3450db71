//! Why a network could not be quantized.

use super::parameters::FixedPointError;
use calibrate::CalibrateError;
use golden::GoldenError;
use spec::Format;
use thiserror::Error;

/// See the module.
#[derive(Debug, Error, PartialEq)]
pub enum QuantizeError {
    #[error("numerics.weight is {format}: symmetric weights need a signed format of at least 2 bits")]
    WeightFormat { format: Format },
    #[error(
        "numerics.output is {output} and numerics.activation is {activation}: a network of {layers} layers needs them equal, \
         as each layer's output is the next one's activations"
    )]
    FormatsDiffer { layers: usize, output: Format, activation: Format },
    #[error(
        "layer {layer} is {k} x {n}, but its input has {input_len} elements, or its weights or bias another length"
    )]
    LayerShape { layer: String, k: usize, n: usize, input_len: usize },
    #[error("layer {layer} sums {k} terms, numerics.max_k is {max_k}")]
    TooManyTerms { layer: String, k: usize, max_k: u32 },
    #[error("the calibration data has {given} values: it must have one or more rows of {input_len}")]
    CalibrationLength { given: usize, input_len: usize },
    #[error("the calibration data holds {value} at element {at}: every value must be finite")]
    CalibrationValue { at: usize, value: f32 },
    #[error("layer {layer}, channel {channel}: the folded bias {value} does not fit numerics.bias_bits: it must be in {min}..={max}")]
    Bias { layer: String, channel: usize, value: i64, min: i64, max: i64 },
    #[error("layer {layer}, channel {channel}: {source}")]
    Ratio { layer: String, channel: usize, source: FixedPointError },
    #[error("recipe: {key} = {given}, but {of} = {machine}: they must be equal")]
    Bits { key: &'static str, given: u32, of: &'static str, machine: u32 },
    #[error("recipe: gradients.bits = {bits} is out of range: it must be in 2..=32")]
    GradientBits { bits: u32 },
    #[error("recipe: [gradients] needs the labels of the calibration data: they are not there")]
    NoLabels,
    #[error("a label of the calibration data is out of range: it must be in 0..{classes}, the network's outputs")]
    Labels { classes: usize },
    #[error("the calibration data has {rows} rows and {given} labels")]
    LabelCount { given: usize, rows: usize },
    #[error("numerics.scheme = pow2 needs scales that are powers of two, and weights.method = {method} gives others")]
    ScalesOfCodebook { method: String },
    #[error(
        "layer {layer}, channel {channel}: the exponents of its MXINT8 blocks are too far apart for weights of {bits} bits: one would be {value}"
    )]
    MxSpread { layer: String, channel: usize, value: i64, bits: u32 },
    #[error("layer {layer}, channel {channel}: its MXINT8 scale 2^{power} must be at least 2^-126")]
    MxScale { layer: String, channel: usize, power: i32 },
    #[error("{tensor}: {source}")]
    Calibrate { tensor: String, source: CalibrateError },
    #[error("layer {layer}: float outputs are not finite on the calibration data: the first is output {at}")]
    FloatOutput { layer: String, at: usize },
    #[error(
        "layer {layer}, channel {channel}: the bias {bias:e} is beyond 64 bits in steps of {step:e} (input scale x weight scale)"
    )]
    BiasSteps { layer: String, channel: usize, bias: f32, step: f64 },
    #[error(transparent)]
    Quantizer(#[from] GoldenError),
    #[error("the input has {given} values: it must have one or more rows of {input_len}")]
    InputLength { given: usize, input_len: usize },
    #[error("layer {layer}: {source}")]
    Golden { layer: String, source: GoldenError },
}
