//! What a model's file says in JSON.

use super::ModelError;
use crate::float::DataLayout;
use crate::quantize::parameters::ActivationQuantization;
use crate::quantize::recipe::ElementRounding;
use crate::quantized::QuantizedNetwork;
use golden::{Extent, Layer, Operation, Window};
use serde::{Deserialize, Serialize};
use spec::config::RawNumerics;
use spec::Format;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    pub version: u32,
    pub numerics: RawNumerics,
    pub input: ExtentDescription,
    pub layout: DataLayout,
    pub input_rounding: ElementRounding,
    /// The input's, then each layer's output's.
    pub tensors: Vec<ActivationQuantization>,
    pub layers: Vec<LayerDescription>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtentDescription {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerDescription {
    pub name: String,
    pub inputs: Vec<usize>,
    pub operation: OperationDescription,
    /// Output channels.
    pub n: usize,
    pub pad: i32,
    pub low: i64,
    pub high: i64,
    /// Whether there is a table.
    pub table: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum OperationDescription {
    Convolution { window: WindowDescription, groups: usize },
    SumPool { window: WindowDescription },
    MaxPool { window: WindowDescription },
    Add { factors: Vec<i32> },
}

/// Rows and columns.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowDescription {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub pad_before: [usize; 2],
    pub pad_after: [usize; 2],
}

impl From<ExtentDescription> for Extent {
    fn from(ExtentDescription { height, width, channels }: ExtentDescription) -> Self {
        Self { height, width, channels }
    }
}

impl From<WindowDescription> for Window {
    fn from(window: WindowDescription) -> Self {
        let WindowDescription { kernel, stride, dilation, pad_before, pad_after } = window;
        Self { kernel, stride, dilation, pad_before, pad_after }
    }
}

impl From<Window> for WindowDescription {
    fn from(Window { kernel, stride, dilation, pad_before, pad_after }: Window) -> Self {
        Self { kernel, stride, dilation, pad_before, pad_after }
    }
}

/// The greatest size of anything: products of a few of them fit 64 bits.
const MOST: usize = 1 << 16;
/// The greatest number of channels.
const MOST_CHANNELS: usize = 1 << 20;

pub(super) const SCALE_RULE: &str = "positive, finite and normal";

pub(super) fn is_scale(scale: f32) -> bool {
    scale.is_normal() && scale > 0.0
}

/// Checks the scale and the zero point of tensor `index`.
pub(super) fn check_tensor(index: usize, tensor: &ActivationQuantization, format: Format) -> Result<(), ModelError> {
    let value =
        |what, value: String, rule: String| ModelError::Value { place: format!("tensor {index}"), what, value, rule };
    if !is_scale(tensor.scale) {
        return Err(value("scale", format!("{:e}", tensor.scale), SCALE_RULE.to_owned()));
    }
    if !format.contains(tensor.zero_point) {
        let rule = format!("in {}..={}", format.min(), format.max());
        return Err(value("zero_point", tensor.zero_point.to_string(), rule));
    }
    Ok(())
}

fn range(place: &str, what: &'static str, value: usize, least: usize, most: usize) -> Result<(), ModelError> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(ModelError::Value {
            place: place.to_owned(),
            what,
            value: value.to_string(),
            rule: format!("in {least}..={most}"),
        }),
    }
}

/// Checks a layer's output, so that no product of its sizes overflows.
pub(super) fn check_extent(layer: &str, extent: Extent) -> Result<(), ModelError> {
    let place = format!("the output of layer {layer}");
    range(&place, "height", extent.height, 1, MOST)?;
    range(&place, "width", extent.width, 1, MOST)?;
    range(&place, "channels", extent.channels, 1, MOST_CHANNELS)
}

impl Description {
    pub fn of(network: &QuantizedNetwork, version: u32) -> Self {
        let Extent { height, width, channels } = network.network().input;
        Self {
            version,
            numerics: network.numerics().into(),
            input: ExtentDescription { height, width, channels },
            layout: network.parts().layout,
            input_rounding: network.parts().input_rounding,
            tensors: network.parts().tensors.clone(),
            layers: network.network().layers.iter().map(LayerDescription::of).collect(),
        }
    }

    /// Checks all sizes, so that no product of them overflows, and the number of tensors.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.layers.is_empty() {
            return Err(ModelError::Empty);
        }
        let tensors = self.layers.len() + 1;
        range("the model", "number of tensors", self.tensors.len(), tensors, tensors)?;
        range("the model", "input.height", self.input.height, 1, MOST)?;
        range("the model", "input.width", self.input.width, 1, MOST)?;
        range("the model", "input.channels", self.input.channels, 1, MOST_CHANNELS)?;
        for layer in &self.layers {
            let place = format!("layer {}", layer.name);
            range(&place, "n", layer.n, 1, MOST_CHANNELS)?;
            let window = match &layer.operation {
                OperationDescription::Convolution { window, .. }
                | OperationDescription::SumPool { window }
                | OperationDescription::MaxPool { window } => window,
                OperationDescription::Add { factors } => {
                    range(&place, "number of factors", factors.len(), 1, MOST)?;
                    continue;
                }
            };
            for (what, values, least) in [
                ("kernel", window.kernel, 1),
                ("stride", window.stride, 1),
                ("dilation", window.dilation, 1),
                ("pad_before", window.pad_before, 0),
                ("pad_after", window.pad_after, 0),
            ] {
                values.iter().try_for_each(|&value| range(&place, what, value, least, MOST))?;
            }
        }
        Ok(())
    }
}

impl LayerDescription {
    fn of(layer: &Layer) -> Self {
        let operation = match &layer.operation {
            Operation::Convolution { window, groups, .. } => {
                OperationDescription::Convolution { window: (*window).into(), groups: *groups }
            }
            Operation::SumPool { window } => OperationDescription::SumPool { window: (*window).into() },
            Operation::MaxPool { window } => OperationDescription::MaxPool { window: (*window).into() },
            Operation::Add { factors } => OperationDescription::Add { factors: factors.clone() },
        };
        Self {
            name: layer.name.clone(),
            inputs: layer.inputs.clone(),
            operation,
            n: layer.channels[0].len(),
            pad: layer.pad,
            low: layer.bounds.low,
            high: layer.bounds.high,
            table: layer.table.is_some(),
        }
    }
}
