//! Quantized models on a machine's formats.
//!
//! Values of a tensor keep their distance: all move by one offset, and the zero point with them, so that unsigned
//! values lie in a signed format and signed ones in an unsigned format. Bounds keep them inside a narrower format than
//! the machine's.

use super::integer::{IntegerLayer, IntegerModel, IntegerOperation, IntegerTensor};
use crate::float::Function;
use crate::onnx::error::{OnnxError, Unfit};
use crate::quantize::recipe::ElementRounding;
use crate::quantize::{fixed_point, ActivationQuantization};
use crate::quantized::{QuantizedNetwork, QuantizedParts};
use golden::{fold_zero_point, Bounds, Channel, Extent, Layer, LayerError, Network, Operation, Window};
use spec::{Format, MachineScheme, Numerics};

/// Integers of at most this size are folded into biases: folding cannot overflow.
const MOST_STEPS: f64 = (1_u64 << 52) as f64;

/// Scales of a bias and of its accumulator that differ by less are equal: both are products of two f32, one of them
/// rounded to f32.
const EQUAL_SCALES: f64 = 1e-6;

/// A tensor of the model in the machine's format.
#[derive(Clone, Copy)]
struct Moved {
    scale: f32,
    zero_point: i64,
    bounds: Bounds,
    format: Format,
}

impl Moved {
    /// None if the machine's format has too few bits.
    fn new(tensor: &IntegerTensor, format: Format) -> Option<Self> {
        let (low, high) = (tensor.format.min(), tensor.format.max());
        // Unsigned formats keep 0 where they can.
        let offset = match format.contains(low) && format.contains(high) {
            true => 0,
            false => format.min() - if low < 0 { -(1 << (tensor.format.bits() - 1)) } else { 0 },
        };
        let bounds = Bounds { low: low + offset, high: high + offset };
        let fits = format.contains(bounds.low) && format.contains(bounds.high);
        fits.then_some(Self { scale: tensor.scale, zero_point: tensor.zero_point + offset, bounds, format })
    }

    fn quantization(&self) -> ActivationQuantization {
        ActivationQuantization { scale: self.scale, zero_point: self.zero_point }
    }

    fn is_whole(&self) -> bool {
        (self.bounds.low, self.bounds.high) == (self.format.min(), self.format.max())
    }

    /// The integer of a bound: quantized, ties to even, and kept inside the format.
    fn bound(&self, x: f32) -> i64 {
        let steps = (x / self.scale).round_ties_even();
        // Infinite bounds saturate.
        (steps as i64).saturating_add(self.zero_point).clamp(self.bounds.low, self.bounds.high)
    }

    fn clamped(&self, clamp: [f32; 2]) -> Bounds {
        Bounds { low: self.bound(clamp[0]), high: self.bound(clamp[1]) }
    }
}

/// What one layer becomes, or why not.
struct Target<'a> {
    numerics: &'a Numerics,
    layer: &'a IntegerLayer,
    unfit: Vec<Unfit>,
}

impl IntegerModel {
    /// The model on the machine of `numerics`, exact but for the requantizer's fixed-point ratios and ties. Everything
    /// that does not fit is reported at once.
    pub fn on(&self, numerics: &Numerics) -> Result<QuantizedNetwork, OnnxError> {
        let mut unfit = Vec::new();
        let mut moved = Vec::with_capacity(self.tensors.len());
        for (index, tensor) in self.tensors.iter().enumerate() {
            let (format, key) = match index {
                0 => (numerics.activation(), "numerics.activation_bits"),
                _ => (numerics.output(), "numerics.output_bits"),
            };
            let node = index.checked_sub(1).map_or("the network's input", |layer| &self.layers[layer].name);
            match Moved::new(tensor, format) {
                Some(tensor) => moved.push(tensor),
                None => unfit.push(Unfit {
                    node: node.to_owned(),
                    tensor: "its values".to_owned(),
                    value: tensor.format.to_string(),
                    rule: format!("does not fit {format}: {key} must be at least {}", tensor.format.machine().bits()),
                }),
            }
        }
        if moved.len() < self.tensors.len() {
            return Err(OnnxError::Unfit(unfit));
        }
        let extents = self.extents().map_err(Box::new)?;
        let mut network = Network { input: self.input, layers: Vec::with_capacity(self.layers.len() + 1) };
        let mut parts = QuantizedParts {
            tensors: vec![moved[0].quantization()],
            weight_scales: Vec::new(),
            input_rounding: ElementRounding::Fixed(self.input_rounding),
            layout: self.layout,
        };
        // Real inputs saturate to the machine's format: a narrower one needs a layer that clamps.
        if !moved[0].is_whole() {
            let name = "clamp of the network's input".to_owned();
            let clamp = [f32::NEG_INFINITY, f32::INFINITY];
            let layer = IntegerLayer { name, inputs: vec![0], operation: IntegerOperation::Add.into(), clamp };
            let mut target = Target { numerics, layer: &layer, unfit: Vec::new() };
            network.layers.extend(target.add(&[moved[0]], moved[0], self.input.channels));
            unfit.append(&mut target.unfit);
            parts.tensors.push(moved[0].quantization());
            parts.weight_scales.push(Vec::new());
        }
        let shift = parts.weight_scales.len();
        for (index, layer) in self.layers.iter().enumerate() {
            let inputs: Vec<Moved> = layer.inputs.iter().map(|&tensor| moved[tensor]).collect();
            let mut target = Target { numerics, layer, unfit: Vec::new() };
            if let Some(mut golden) = target.layer(&inputs, moved[index + 1], extents[index + 1].channels) {
                golden.inputs.iter_mut().for_each(|tensor| *tensor += shift);
                network.layers.push(golden);
            }
            unfit.append(&mut target.unfit);
            parts.tensors.push(moved[index + 1].quantization());
            parts.weight_scales.push(match &*layer.operation {
                IntegerOperation::Convolution { scales, .. } => scales.iter().map(|&scale| scale as f32).collect(),
                IntegerOperation::Affine { factors, .. } => factors.iter().map(|&factor| factor.abs() as f32).collect(),
                _ => Vec::new(),
            });
        }
        if !unfit.is_empty() {
            return Err(OnnxError::Unfit(unfit));
        }
        Ok(QuantizedNetwork::new(numerics.clone(), network, parts).map_err(Box::new)?)
    }

    /// Of all tensors, the input's first.
    fn extents(&self) -> Result<Vec<Extent>, LayerError> {
        let mut extents = vec![self.input];
        for layer in &self.layers {
            let (input, operation) = (extents[layer.inputs[0]], &*layer.operation);
            let channels = match operation {
                IntegerOperation::Convolution { scales, .. } => scales.len(),
                _ => input.channels,
            };
            let output = operation.window().output(input.size());
            let [height, width] = output.map_err(|source| LayerError { layer: layer.name.clone(), source })?;
            extents.push(Extent { height, width, channels });
        }
        Ok(extents)
    }
}

impl Target<'_> {
    fn refuse(&mut self, tensor: impl Into<String>, value: impl ToString, rule: impl Into<String>) {
        let node = self.layer.name.clone();
        self.unfit.push(Unfit { node, tensor: tensor.into(), value: value.to_string(), rule: rule.into() });
    }

    fn layer(&mut self, inputs: &[Moved], output: Moved, n: usize) -> Option<Layer> {
        let input = inputs[0];
        match &*self.layer.operation {
            IntegerOperation::Convolution { .. } => self.convolution(input, output),
            IntegerOperation::Affine { factors, bias } => self.affine(factors, bias, input, output),
            &IntegerOperation::AveragePool { window } => {
                let count = window.positions();
                let ratio = f64::from(input.scale) / (f64::from(output.scale) * count as f64);
                let bias = self.bias(0, -(count as i64) * input.zero_point)?;
                let (multiplier, shift) = self.ratio(0, ratio)?;
                let channel = Channel { bias, multiplier, shift, zero_point: output.zero_point };
                let pad = input.zero_point as i32;
                Some(Layer { pad, ..self.golden(Operation::SumPool { window }, vec![vec![channel; n]], output) })
            }
            &IntegerOperation::MaxPool { window } => {
                let channel = self.rescaled(input, output)?;
                // Below every value: padding is never the greatest.
                let pad = input.format.min() as i32;
                Some(Layer { pad, ..self.golden(Operation::MaxPool { window }, vec![vec![channel; n]], output) })
            }
            IntegerOperation::Add => self.add(inputs, output, n),
            &IntegerOperation::Function(function) => self.table(function, input, output, n),
        }
    }

    fn golden(&self, operation: Operation, channels: Vec<Vec<Channel>>, output: Moved) -> Layer {
        Layer {
            name: self.layer.name.clone(),
            inputs: self.layer.inputs.clone(),
            operation,
            pad: 0,
            channels,
            bounds: output.clamped(self.layer.clamp),
            table: None,
        }
    }

    fn convolution(&mut self, input: Moved, output: Moved) -> Option<Layer> {
        let IntegerOperation::Convolution { window, groups, weights, scales, tensor, integer_bias, real_bias } =
            &*self.layer.operation
        else {
            return None;
        };
        let format = self.numerics.weight();
        if let Some(&value) = weights.iter().find(|&&value| !format.contains(value.into())) {
            let ends = weights.iter().fold([0, 0], |[low, high], &w| [low.min(w), high.max(w)]);
            let bits = spec::format::signed_bits_for(ends[0].into(), ends[1].into());
            let rule = match format.is_signed() || value >= 0 {
                true => format!(
                    "does not fit {format} (zero points of weights are taken off): \
                     numerics.weight_bits must be at least {bits}"
                ),
                false => format!("does not fit {format}: numerics.weight_signed must be true"),
            };
            self.refuse(format!("tensor {tensor}"), value, rule);
            return None;
        }
        let mut biases = Vec::with_capacity(scales.len());
        for (j, (scale, real)) in scales.iter().zip(real_bias).enumerate() {
            let unit = f64::from(input.scale) * scale;
            let steps = match integer_bias.get(j) {
                Some(&(value, scale)) if (scale / unit - 1.0).abs() < EQUAL_SCALES => {
                    value as f64 + (real / unit).round_ties_even()
                }
                Some(&(value, scale)) => ((value as f64 * scale + real) / unit).round_ties_even(),
                None => (real / unit).round_ties_even(),
            };
            if steps.is_nan() || steps.abs() >= MOST_STEPS {
                self.refuse(
                    format!("bias of channel {j}"),
                    steps,
                    format!("is beyond {MOST_STEPS:e} steps of {unit:e}"),
                );
                return None;
            }
            biases.push(steps as i64);
        }
        let folded = fold_zero_point(input.zero_point, weights, &biases);
        let mut channels = Vec::with_capacity(scales.len());
        for (j, (bias, scale)) in folded.into_iter().zip(scales).enumerate() {
            let bias = self.bias(j, bias)?;
            let ratio = f64::from(input.scale) * scale / f64::from(output.scale);
            let (multiplier, shift) = self.ratio(j, ratio)?;
            channels.push(Channel { bias, multiplier, shift, zero_point: output.zero_point });
        }
        let operation = Operation::Convolution { window: *window, groups: *groups, weights: weights.clone() };
        // A zero point is a value of its format.
        let pad = input.zero_point as i32;
        Some(Layer { pad, ..self.golden(operation, vec![channels], output) })
    }

    /// A 1 x 1 convolution of one channel each. All weights are one power of two, or its negative: the greatest whose
    /// biases fit, as the bias counts steps of the input's scale divided by it.
    fn affine(&mut self, factors: &[f64], bias: &[f64], input: Moved, output: Moved) -> Option<Layer> {
        let steps = |j: usize, weight: i64| {
            let unit = f64::from(input.scale) * if factors[j] == 0.0 { 1.0 } else { factors[j].abs() };
            let sign = factors[j].signum() as i64 * i64::from(factors[j] != 0.0);
            (bias[j] / unit * weight as f64).round_ties_even() - (input.zero_point * weight * sign) as f64
        };
        let format = self.numerics.bias();
        let most = (i64::BITS - 1 - self.numerics.weight().max().leading_zeros()) as i64;
        let fits = |weight: i64| {
            (0..factors.len()).all(|j| (format.min() as f64..=format.max() as f64).contains(&steps(j, weight)))
        };
        let signed = self.numerics.weight().is_signed() || factors.iter().all(|&factor| factor >= 0.0);
        let weight = (0..=most).rev().map(|power| 1 << power).find(|&weight| signed && fits(weight));
        let Some(weight) = weight else {
            let rule = format!(
                "do not fit {format} and {}: numerics.bias_bits, numerics.weight_signed",
                self.numerics.weight()
            );
            self.refuse("its factors and biases", "they", rule);
            return None;
        };
        let mut channels = Vec::with_capacity(factors.len());
        for (j, &factor) in factors.iter().enumerate() {
            let factor = if factor == 0.0 { 1.0 } else { factor.abs() };
            let ratio = f64::from(input.scale) * factor / (f64::from(output.scale) * weight as f64);
            let (multiplier, shift) = self.ratio(j, ratio)?;
            channels.push(Channel { bias: steps(j, weight) as i64, multiplier, shift, zero_point: output.zero_point });
        }
        let weights =
            factors.iter().map(|&factor| if factor == 0.0 { 0 } else { factor.signum() as i32 * weight as i32 });
        let (window, groups) = (Window::POINT, factors.len());
        let operation = Operation::Convolution { window, groups, weights: weights.collect() };
        let pad = input.zero_point as i32;
        Some(Layer { pad, ..self.golden(operation, vec![channels], output) })
    }

    fn bias(&mut self, channel: usize, bias: i64) -> Option<i64> {
        let format = self.numerics.bias();
        if format.contains(bias) {
            return Some(bias);
        }
        let bits = spec::format::signed_bits_for(bias.into(), bias.into());
        let rule = format!("does not fit {format}: numerics.bias_bits must be at least {bits}");
        self.refuse(format!("bias of channel {channel}, with the input's zero point folded in"), bias, rule);
        None
    }

    fn ratio(&mut self, channel: usize, ratio: f64) -> Option<(u32, u32)> {
        let tensor = format!("ratio of scales of channel {channel}");
        if self.numerics.scheme() == MachineScheme::Pow2 && !is_power_of_two(ratio) {
            self.refuse(tensor, format!("{ratio:e}"), "must be a power of two where numerics.scheme = \"pow2\"");
            return None;
        }
        match fixed_point(ratio, self.numerics) {
            Ok(fixed) => Some(fixed),
            Err(error) => {
                let rule = format!("has no multiplier (numerics.multiplier_bits, numerics.shift_bits): {error}");
                self.refuse(tensor, format!("{ratio:e}"), rule);
                None
            }
        }
    }

    /// One term whose scale and zero point change, if they differ.
    fn rescaled(&mut self, input: Moved, output: Moved) -> Option<Channel> {
        if (input.scale, input.zero_point) == (output.scale, output.zero_point) {
            return Some(Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 });
        }
        let bias = self.bias(0, -input.zero_point)?;
        let (multiplier, shift) = self.ratio(0, f64::from(input.scale) / f64::from(output.scale))?;
        Some(Channel { bias, multiplier, shift, zero_point: output.zero_point })
    }

    fn add(&mut self, inputs: &[Moved], output: Moved, n: usize) -> Option<Layer> {
        if let &[input] = inputs {
            let channel = self.rescaled(input, output)?;
            return Some(self.golden(Operation::Add { factors: vec![1] }, vec![vec![channel; n]], output));
        }
        let ratios: Vec<f64> = inputs.iter().map(|input| f64::from(input.scale) / f64::from(output.scale)).collect();
        let fixed = ratios.iter().map(|&ratio| self.ratio(0, ratio)).collect::<Option<Vec<_>>>()?;
        let without = self.numerics.multiplier().is_none();
        // All terms are at one shift: that of the greatest ratio, or without a multiplier that of the least.
        let shifts = || fixed.iter().map(|&(_, shift)| shift);
        let shift = if without { shifts().max() } else { shifts().min() }?;
        let mut factors = Vec::with_capacity(inputs.len());
        let mut channels = Vec::with_capacity(inputs.len());
        for (u, (input, &ratio)) in inputs.iter().zip(&ratios).enumerate() {
            let scaled = (ratio * (1_u64 << shift) as f64).round();
            let (factor, multiplier) = if without { (scaled, 1.0) } else { (1.0, scaled) };
            if scaled < 1.0 || factor > self.numerics.weight().max() as f64 {
                let rule = format!(
                    "is too far from that of the other terms: at their shift {shift} it is {scaled}, which {}",
                    if without { "must fit numerics.weight_bits" } else { "numerics.multiplier_bits cannot hold" }
                );
                self.refuse(format!("ratio of scales of term {u}"), format!("{ratio:e}"), rule);
                return None;
            }
            // Both are whole numbers of at most 32 bits.
            let bias = self.bias(0, -input.zero_point * factor as i64)?;
            factors.push(factor as i32);
            let channel = Channel { bias, multiplier: multiplier as u32, shift, zero_point: output.zero_point };
            channels.push(vec![channel; n]);
        }
        Some(self.golden(Operation::Add { factors }, channels, output))
    }

    fn table(&mut self, function: Function, input: Moved, output: Moved, n: usize) -> Option<Layer> {
        if !self.numerics.activation_table() {
            self.refuse("its function", format!("{function:?}"), "needs numerics.activation_table = true");
            return None;
        }
        let format = self.numerics.output();
        if input.format != format {
            let rule =
                format!("must be {format}, the format of the table (numerics.output_bits, numerics.output_signed)");
            self.refuse("its input", input.format, rule);
            return None;
        }
        let entry = |raw: u64| {
            let x = (format.decode(raw) - input.zero_point) as f32 * input.scale;
            let y = function.of(x.into()) as f32;
            output.bound(y.max(self.layer.clamp[0]).min(self.layer.clamp[1])) as i32
        };
        let table = Some((0..1 << format.bits()).map(entry).collect());
        let channel = Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 };
        let layer = self.golden(Operation::Add { factors: vec![1] }, vec![vec![channel; n]], output);
        Some(Layer { bounds: input.bounds, table, ..layer })
    }
}

/// Whether a normal number is one.
fn is_power_of_two(x: f64) -> bool {
    x.is_normal() && x.to_bits().trailing_zeros() >= 52
}
