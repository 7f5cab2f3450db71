//! A quantized network in a file: an `.npz` archive that numpy reads, too.
//!
//! | array | shape | elements |
//! |---|---|---|
//! | `systole` | bytes | a JSON text: format version, numerics, and of each layer name, sizes, bounds and scales |
//! | `weights_I` | k, n | int16 |
//! | `weight_scales_I` | n | float32 |
//! | `bias_I` | n | int64, the input's zero point folded in |
//! | `multiplier_I`, `shift_I` | n | uint32, uint8 |
//! | `zero_point_I` | n | int32 |
//!
//! I is the layer's number from 0.

use super::network::{QuantizedLayer, QuantizedNetwork};
use super::parameters::ActivationQuantization;
use super::recipe::ElementRounding;
use crate::npz::{Npz, NpzBuilder, NpzError};
use golden::{Bounds, Channel, GoldenError, Shape};
use serde::{Deserialize, Serialize};
use spec::config::{ConfigError, RawNumerics};
use spec::Numerics;
use std::io;
use thiserror::Error;

/// The version that is written; no other is read.
const VERSION: u32 = 1;

/// Why a model file could not be read.
#[derive(Debug, Error)]
pub enum ModelError {
    #[error(transparent)]
    Npz(#[from] NpzError),
    #[error("the model's description does not parse: {0}")]
    Parse(serde_json::Error),
    #[error("the model has the format version {given}: this version of Systole reads {VERSION}")]
    Version { given: String },
    #[error("the model's numerics: {0}")]
    Numerics(#[from] ConfigError),
    #[error("layer {layer}: {source}")]
    Layer { layer: String, source: GoldenError },
    #[error("layer {layer}: {what} = {value} must be {rule}")]
    Value { layer: String, what: &'static str, value: String, rule: String },
    #[error("layer {layer} takes k = {k} inputs, the layer before it gives {n}")]
    Chain { layer: String, k: usize, n: usize },
    #[error("the model has no layers")]
    Empty,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    numerics: RawNumerics,
    input_rounding: ElementRounding,
    layers: Vec<LayerDescription>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerDescription {
    name: String,
    k: usize,
    n: usize,
    low: i64,
    high: i64,
    input: ActivationQuantization,
    output: ActivationQuantization,
}

impl QuantizedNetwork {
    /// The bytes of the network's file.
    pub fn to_npz(&self) -> io::Result<Vec<u8>> {
        let describe = |layer: &QuantizedLayer| LayerDescription {
            name: layer.name.clone(),
            k: layer.k,
            n: layer.n,
            low: layer.bounds.low,
            high: layer.bounds.high,
            input: layer.input,
            output: layer.output,
        };
        let layers = self.layers().iter().map(describe).collect();
        let description = Description {
            version: VERSION,
            numerics: self.numerics().into(),
            input_rounding: self.input_rounding(),
            layers,
        };
        let mut npz = NpzBuilder::new();
        npz.text("systole", &serde_json::to_string(&description)?)?;
        for (index, layer) in self.layers().iter().enumerate() {
            let name = |array: &str| format!("{array}_{index}");
            // At most 16 bits, signed.
            let weights: Vec<i16> = layer.weights.iter().map(|&weight| weight as i16).collect();
            npz.array(&name("weights"), &[layer.k, layer.n], &weights)?;
            npz.array(&name("weight_scales"), &[layer.n], &layer.weight_scales)?;
            let channels = &layer.channels;
            let column = |of: fn(&Channel) -> i64| channels.iter().map(of).collect::<Vec<i64>>();
            npz.array(&name("bias"), &[layer.n], &column(|channel| channel.bias))?;
            let multipliers: Vec<u32> = channels.iter().map(|channel| channel.multiplier).collect();
            npz.array(&name("multiplier"), &[layer.n], &multipliers)?;
            let shifts: Vec<u8> = channels.iter().map(|channel| channel.shift as u8).collect();
            npz.array(&name("shift"), &[layer.n], &shifts)?;
            let zero_points: Vec<i32> = channels.iter().map(|channel| channel.zero_point as i32).collect();
            npz.array(&name("zero_point"), &[layer.n], &zero_points)?;
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
        let numerics = Numerics::try_from(description.numerics)?;
        if description.layers.is_empty() {
            return Err(ModelError::Empty);
        }
        let mut layers: Vec<QuantizedLayer> = Vec::new();
        for (index, description) in description.layers.into_iter().enumerate() {
            let layer = read_layer(&mut npz, index, description, &numerics)?;
            if let Some(before) = layers.last() {
                if before.n != layer.k {
                    return Err(ModelError::Chain { layer: layer.name, k: layer.k, n: before.n });
                }
                if before.output != layer.input {
                    let rule = format!("{:?}, the output of the layer before it", before.output);
                    let value = format!("{:?}", layer.input);
                    return Err(ModelError::Value { layer: layer.name, what: "input", value, rule });
                }
            }
            layers.push(layer);
        }
        Ok(Self::new(numerics, layers, description.input_rounding))
    }
}

fn read_layer(
    npz: &mut Npz,
    index: usize,
    description: LayerDescription,
    numerics: &Numerics,
) -> Result<QuantizedLayer, ModelError> {
    let LayerDescription { name, k, n, low, high, input, output } = description;
    let value =
        |what, value: String, rule: &str| ModelError::Value { layer: name.clone(), what, value, rule: rule.to_owned() };
    let array = |array: &str| format!("{array}_{index}");
    let integers = |npz: &mut Npz, name: &str, shape: &[usize]| npz.integers(&array(name), shape);
    let weights = integers(npz, "weights", &[k, n])?;
    let narrow =
        |weight: i64| i32::try_from(weight).map_err(|_| value("weight", weight.to_string(), "a number of 32 bits"));
    let weights = weights.into_iter().map(narrow).collect::<Result<Vec<i32>, _>>()?;
    let weight_scales = npz.floats(&array("weight_scales"), &[n])?;
    let [bias, multiplier, shift, zero_point] =
        ["bias", "multiplier", "shift", "zero_point"].map(|name| integers(npz, name, &[n]));
    let (bias, multiplier, shift, zero_point) = (bias?, multiplier?, shift?, zero_point?);
    let mut channels = Vec::with_capacity(n);
    for j in 0..n {
        let unsigned = |what, given: i64| {
            u32::try_from(given).map_err(|_| value(what, given.to_string(), "a number of 32 bits, not negative"))
        };
        let (multiplier, shift) = (unsigned("multiplier", multiplier[j])?, unsigned("shift", shift[j])?);
        if zero_point[j] != output.zero_point {
            let rule = format!("{}, the output's", output.zero_point);
            return Err(value("zero_point of a channel", zero_point[j].to_string(), &rule));
        }
        channels.push(Channel { bias: bias[j], multiplier, shift, zero_point: zero_point[j] });
    }
    for scale in weight_scales.iter().chain([&input.scale, &output.scale]) {
        if !(scale.is_normal() && *scale > 0.0) {
            return Err(value("scale", format!("{scale:e}"), "positive, finite and normal"));
        }
    }
    for (zero_point, format) in [(input.zero_point, numerics.activation()), (output.zero_point, numerics.output())] {
        if !format.contains(zero_point) {
            let rule = format!("in {}..={}", format.min(), format.max());
            return Err(value("zero_point", zero_point.to_string(), &rule));
        }
    }
    let at = |source| ModelError::Layer { layer: name.clone(), source };
    let bounds = Bounds { low, high };
    bounds.check(numerics).map_err(at)?;
    // The input's values are checked when there are some; one row of zero points stands for them.
    let row = vec![input.zero_point as i32; k];
    Shape { m: 1, k, n }.check(numerics, &row, &weights).map_err(at)?;
    for (channel, parameters) in channels.iter().enumerate() {
        parameters.check(numerics).map_err(|source| at(GoldenError::Channel { channel, source: Box::new(source) }))?;
    }
    Ok(QuantizedLayer { name, k, n, weights, weight_scales, channels, bounds, input, output })
}
