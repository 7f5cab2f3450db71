//! Why a network could not be quantized.

use super::parameters::FixedPointError;
use calibrate::CalibrateError;
use golden::{GoldenError, LayerError};
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
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error("a network has at least one layer")]
    Empty,
    #[error(
        "layer {layer}: a {operation} keeps its input's integers, so numerics.output = {output} and numerics.activation = {activation} \
         must be equal"
    )]
    KeepsIntegers { layer: String, operation: &'static str, output: Format, activation: Format },
    #[error("layer {layer}: a function needs a table, and numerics.activation_table = false")]
    NoTable { layer: String },
    #[error(
        "layer {layer}: numerics.scheme = pow2 divides by powers of two only, and the average is over {positions} positions"
    )]
    AveragePositions { layer: String, positions: usize },
    #[error(
        "layer {layer}: the scales of its inputs are too far apart for numerics.scheme = pow2: a factor would be 2^{power}, and weights \
         are at most {max}"
    )]
    AddFactor { layer: String, power: i64, max: i64 },
    #[error("{what} needs a chain of dense layers, each with a ReLU or nothing after it: layer {layer} ({operation}) is none")]
    NotDense { what: &'static str, layer: String, operation: &'static str },
    #[error("recipe: layers {unknown:?} are not in the network: its layers are {layers:?}")]
    UnknownLayers { unknown: Vec<String>, layers: Vec<String> },
    #[error("recipe: layers.{layer:?}.weights: its operation is {operation}, which has no weights")]
    NoWeights { layer: String, operation: &'static str },
    #[error("recipe: layers.{layer:?}.activations: a max pool keeps the scale of its input")]
    KeepsScale { layer: String },
    #[error("recipe: layers.{layer:?}.weights.bits = {bits} must be in 2..={machine}, numerics.weight_bits")]
    LayerBits { layer: String, bits: u32, machine: u32 },
    #[error(
        "recipe: weights.method = probabilistic learns all layers together: it must be the method of all or of none"
    )]
    PartlyLearned,
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
}
