//! A quantized network in a file: an `.npz` archive that numpy reads, too.
//!
//! | array | shape | elements |
//! |---|---|---|
//! | `systole` | bytes | a JSON text: format version, numerics, input, scales of the tensors, and of each layer all that is no array |
//! | `weights_I` | k, n | int16 (int32 for unsigned weights of 16 bits); convolutions only |
//! | `weight_scales_I` | n | float32; convolutions only |
//! | `bias_I` | terms, n | int64, the input's zero point folded in |
//! | `multiplier_I`, `shift_I` | terms, n | uint32, uint8 |
//! | `zero_point_I` | terms, n | int32 |
//! | `table_I` | 2^output_bits | int32; layers with a table only |
//!
//! I is the layer's number from 0. An add has a term an input, other layers have one.

mod describe;

use crate::npz::{Npz, NpzBuilder, NpzError};
use crate::quantized::{QuantizedNetwork, QuantizedParts};
use describe::{Description, LayerDescription, OperationDescription};
use golden::{Bounds, Channel, Extent, Layer, LayerError, Network, Operation};
use spec::config::ConfigError;
use spec::Numerics;
use std::io;
use thiserror::Error;

/// The version that is written; no other is read.
const VERSION: u32 = 2;

/// Why a model file could not be read.
#[derive(Debug, Error)]
pub enum ModelError {
    #[error(transparent)]
    Npz(#[from] NpzError),
    #[error("the model's description does not parse: {0}")]
    Parse(serde_json::Error),
    #[error(
        "the model has the format version {given}: this version of Systole reads {VERSION}; quantize the network again"
    )]
    Version { given: String },
    #[error("the model's numerics: {0}")]
    Numerics(#[from] ConfigError),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error("{place}: {what} = {value} must be {rule}")]
    Value { place: String, what: &'static str, value: String, rule: String },
    #[error("the model has no layers")]
    Empty,
}

impl QuantizedNetwork {
    /// The bytes of the network's file.
    pub fn to_npz(&self) -> io::Result<Vec<u8>> {
        let mut npz = NpzBuilder::new();
        npz.text("systole", &serde_json::to_string(&Description::of(self, VERSION))?)?;
        for (index, layer) in self.network().layers.iter().enumerate() {
            let name = |array: &str| format!("{array}_{index}");
            let n = layer.channels[0].len();
            if let Operation::Convolution { weights, .. } = &layer.operation {
                let shape = [weights.len() / n, n];
                match weights.iter().map(|&weight| i16::try_from(weight)).collect::<Result<Vec<i16>, _>>() {
                    Ok(weights) => npz.array(&name("weights"), &shape, &weights)?,
                    Err(_) => npz.array(&name("weights"), &shape, weights)?,
                }
                let scales = &self.parts().weight_scales[index];
                npz.array(&name("weight_scales"), &[scales.len()], scales)?;
            }
            let shape = [layer.channels.len(), n];
            let channels: Vec<&Channel> = layer.channels.iter().flatten().collect();
            let biases: Vec<i64> = channels.iter().map(|channel| channel.bias).collect();
            npz.array(&name("bias"), &shape, &biases)?;
            let multipliers: Vec<u32> = channels.iter().map(|channel| channel.multiplier).collect();
            npz.array(&name("multiplier"), &shape, &multipliers)?;
            // Shifts have at most 6 bits, zero points 17.
            let shifts: Vec<u8> = channels.iter().map(|channel| channel.shift as u8).collect();
            npz.array(&name("shift"), &shape, &shifts)?;
            let zero_points: Vec<i32> = channels.iter().map(|channel| channel.zero_point as i32).collect();
            npz.array(&name("zero_point"), &shape, &zero_points)?;
            if let Some(table) = &layer.table {
                npz.array(&name("table"), &[table.len()], table)?;
            }
        }
        npz.finish()
    }

    /// Reads what [`QuantizedNetwork::to_npz`] wrote, and checks every value against its format.
    pub fn from_npz(bytes: Vec<u8>) -> Result<Self, ModelError> {
        let mut npz = Npz::new(bytes)?;
        let text = npz.text("systole")?;
        // The version first: another one may have other fields.
        let version: serde_json::Value = serde_json::from_str(&text).map_err(ModelError::Parse)?;
        if version["version"] != VERSION {
            return Err(ModelError::Version { given: version["version"].to_string() });
        }
        let description: Description = serde_json::from_str(&text).map_err(ModelError::Parse)?;
        description.check()?;
        let numerics = Numerics::try_from(description.numerics)?;
        let mut network = Network { input: description.input.into(), layers: Vec::new() };
        let mut weight_scales = Vec::new();
        let mut extents = vec![network.input];
        for (index, described) in description.layers.into_iter().enumerate() {
            let (layer, scales) = read_layer(&mut npz, index, described, &extents, &numerics)?;
            // Each layer before the next: sizes of arrays follow from extents that fit the machine.
            let inputs: Vec<Extent> = layer.inputs.iter().filter_map(|&input| extents.get(input).copied()).collect();
            let extent = layer.check(&numerics, &inputs);
            let extent = extent.map_err(|source| LayerError { layer: layer.name.clone(), source })?;
            describe::check_extent(&layer.name, extent)?;
            extents.push(extent);
            let output = description.tensors[index + 1];
            let moves = matches!(layer.operation, Operation::MaxPool { .. }) || layer.table.is_some();
            if let Some(channel) = layer.channels[0].iter().find(|c| !moves && c.zero_point != output.zero_point) {
                let place = format!("layer {}", layer.name);
                let rule = format!("{}, the output's", output.zero_point);
                let value = channel.zero_point.to_string();
                return Err(ModelError::Value { place, what: "zero_point of a channel", value, rule });
            }
            network.layers.push(layer);
            weight_scales.push(scales);
        }
        for (index, tensor) in description.tensors.iter().enumerate() {
            let format = if index == 0 { numerics.activation() } else { numerics.output() };
            describe::check_tensor(index, tensor, format)?;
        }
        let parts = QuantizedParts {
            tensors: description.tensors,
            weight_scales,
            input_rounding: description.input_rounding,
            layout: description.layout,
        };
        Ok(Self::new(numerics, network, parts)?)
    }
}

/// The layer, and the scales of its weights.
fn read_layer(
    npz: &mut Npz,
    index: usize,
    described: LayerDescription,
    extents: &[Extent],
    numerics: &Numerics,
) -> Result<(Layer, Vec<f32>), ModelError> {
    let LayerDescription { name, inputs, operation, n, pad, low, high, table } = described;
    let value = |what, value: String, rule: &str| ModelError::Value {
        place: format!("layer {name}"),
        what,
        value,
        rule: rule.to_owned(),
    };
    let array = |array: &str| format!("{array}_{index}");
    let narrow =
        |what, given: i64| i32::try_from(given).map_err(|_| value(what, given.to_string(), "a number of 32 bits"));
    let numbers = |npz: &mut Npz, what: &'static str, shape: &[usize]| {
        let values = npz.integers(&array(what), shape)?;
        values.into_iter().map(|value| narrow(what, value)).collect::<Result<Vec<i32>, ModelError>>()
    };
    let input = inputs.first().and_then(|&input| extents.get(input));
    let Some(input) = input.filter(|_| inputs.iter().all(|&input| input <= index)) else {
        return Err(value("inputs", format!("{inputs:?}"), &format!("one or more of the tensors 0..={index}")));
    };
    let (mut scales, mut n_terms) = (Vec::new(), 1);
    let operation = match operation {
        OperationDescription::Convolution { window, groups } => {
            if !input.channels.is_multiple_of(groups) {
                let rule = format!("a divisor of the input's {} channels", input.channels);
                return Err(value("groups", groups.to_string(), &rule));
            }
            let window = golden::Window::from(window);
            let k = window.positions() * (input.channels / groups);
            let weights = numbers(npz, "weights", &[k, n])?;
            scales = npz.floats(&array("weight_scales"), &[n])?;
            if let Some(scale) = scales.iter().find(|scale| !describe::is_scale(**scale)) {
                return Err(value("weight scale", format!("{scale:e}"), describe::SCALE_RULE));
            }
            Operation::Convolution { window, groups, weights }
        }
        OperationDescription::SumPool { window } => Operation::SumPool { window: window.into() },
        OperationDescription::MaxPool { window } => Operation::MaxPool { window: window.into() },
        OperationDescription::Add { factors } => {
            n_terms = factors.len();
            Operation::Add { factors }
        }
    };
    let integers = |npz: &mut Npz, what: &str| npz.integers(&array(what), &[n_terms, n]);
    let (bias, multiplier) = (integers(npz, "bias")?, integers(npz, "multiplier")?);
    let (shift, zero_point) = (integers(npz, "shift")?, integers(npz, "zero_point")?);
    let mut channels = Vec::with_capacity(bias.len());
    for at in 0..bias.len() {
        let unsigned = |what, given: i64| {
            u32::try_from(given).map_err(|_| value(what, given.to_string(), "a number of 32 bits, not negative"))
        };
        let (multiplier, shift) = (unsigned("multiplier", multiplier[at])?, unsigned("shift", shift[at])?);
        channels.push(Channel { bias: bias[at], multiplier, shift, zero_point: zero_point[at] });
    }
    let table = match table {
        true => Some(numbers(npz, "table", &[1 << numerics.output().bits()])?),
        false => None,
    };
    let channels = channels.chunks_exact(n).map(<[Channel]>::to_vec).collect();
    Ok((Layer { name, inputs, operation, pad, channels, bounds: Bounds { low, high }, table }, scales))
}
