//! Networks of integer layers: what the machine computes between its first and its last tensor.
//!
//! | operation | accumulator of term u | padding holds | utilization |
//! |---|---|---|---|
//! | convolution (a dense layer has one position, or the whole input, as its window) | sum over the window and the group's channels of activation x weight | the input's zero point | its own |
//! | sum pool (average pool: the divisor is in the multiplier) | sum over the window of the channel's activations | the input's zero point | none |
//! | max pool | the greatest activation of the window | the format's least value | none |
//! | add | input u's activation x `factors[u]` | - | none |
//!
//! Everything is before requantization: sums and maxima are of stored integers, exact modulo 2^A. Zero points are in the biases. One
//! rounding follows, of the sum over the terms of (accumulator + bias) x multiplier: an average's ties and those of an addition are the
//! machine's rounding rule's. Then clamp, then the table if there is one. A window may cross any tile: its sum or maximum is
//! accumulated position by position, in any order.

use crate::error::GoldenError;
use crate::requantize::{Bounds, Channel, Requantizer};
use crate::stochastic::Stream;
use crate::window::{Extent, Window};
use spec::{Numerics, Rounding};

mod accumulate;

/// What a layer does with its inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Weights are row-major k x n: k counts kernel rows, kernel columns and the group's input channels (innermost), n the output
    /// channels.
    Convolution {
        window: Window,
        groups: usize,
        weights: Vec<i32>,
    },
    SumPool {
        window: Window,
    },
    MaxPool {
        window: Window,
    },
    /// Of equally shaped inputs, one factor each. One input: only its scale changes.
    Add {
        factors: Vec<i32>,
    },
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub name: String,
    /// Tensors: 0 is the network's input, i + 1 the output of layer i.
    pub inputs: Vec<usize>,
    pub operation: Operation,
    /// What padded positions hold.
    pub pad: i32,
    /// For each term (input of an add; else one) the parameters of each output channel. Shift and zero point of a channel are the same in
    /// all terms.
    pub channels: Vec<Vec<Channel>>,
    pub bounds: Bounds,
    /// 2^output_bits output values, indexed by the clamped result in the encoding of the output format.
    pub table: Option<Vec<i32>>,
}

/// Layers in an order in which each comes after its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    pub input: Extent,
    pub layers: Vec<Layer>,
}

/// A layer that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerError {
    pub layer: String,
    pub source: GoldenError,
}

impl std::fmt::Display for LayerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "layer {}: {}", self.layer, self.source)
    }
}

impl std::error::Error for LayerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// How accumulators are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the formula reads.
    Naive,
    /// Patches times packed tiles; proven equal by tests.
    Fast,
}

fn shape_error(operator: &'static str, rule: String) -> GoldenError {
    GoldenError::Shape { operator, rule }
}

impl Operation {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Convolution { .. } => "convolution",
            Self::SumPool { .. } => "sum pool",
            Self::MaxPool { .. } => "max pool",
            Self::Add { .. } => "add",
        }
    }

    /// The window; an add has one position.
    pub const fn window(&self) -> Window {
        match self {
            Self::Convolution { window, .. } | Self::SumPool { window } | Self::MaxPool { window } => *window,
            Self::Add { .. } => Window::POINT,
        }
    }

    /// Terms of one sum: k of a convolution, positions of a pool's window, 1 of an add.
    pub fn k(&self, input: Extent) -> usize {
        match self {
            Self::Convolution { window, groups, .. } => window.positions() * (input.channels / groups),
            Self::SumPool { window } | Self::MaxPool { window } => window.positions(),
            Self::Add { .. } => 1,
        }
    }
}

impl Layer {
    /// The output's extent, if the layer fits its inputs and the machine.
    pub fn check(&self, numerics: &Numerics, inputs: &[Extent]) -> Result<Extent, GoldenError> {
        let operator = self.operation.name();
        let n_inputs = match &self.operation {
            Operation::Add { factors } => factors.len(),
            _ => 1,
        };
        let Some(&input) = inputs.first().filter(|_| inputs.len() == n_inputs) else {
            return Err(shape_error(operator, format!("{} inputs, but it takes {n_inputs}", inputs.len())));
        };
        let (height, width) = self.operation.window().output(input.size()).map(|[h, w]| (h, w))?;
        let channels = match &self.operation {
            Operation::Convolution { groups, weights, .. } => {
                let n = self.channels.first().map_or(0, Vec::len);
                let divides = *groups > 0 && input.channels.is_multiple_of(*groups) && n.is_multiple_of(*groups);
                if !divides || n == 0 {
                    let rule = format!(
                        "{} input and {n} output channels must be multiples of {groups} groups",
                        input.channels
                    );
                    return Err(shape_error(operator, rule));
                }
                crate::error::check_matrix("weights", weights, self.operation.k(input), n, numerics.weight())?;
                n
            }
            Operation::SumPool { .. } | Operation::MaxPool { .. } => input.channels,
            Operation::Add { factors } => {
                if let Some(other) = inputs.iter().find(|other| **other != input) {
                    return Err(shape_error(operator, format!("inputs of {input} and {other} must be equal")));
                }
                for &factor in factors {
                    crate::error::in_format("factor", factor.into(), numerics.weight())?;
                }
                input.channels
            }
        };
        if !matches!(self.operation, Operation::Convolution { .. } | Operation::Add { .. }) {
            crate::error::in_format("weight of a pool", 1, numerics.weight())?;
        }
        let k = match self.operation {
            // Nothing is summed.
            Operation::MaxPool { .. } => 1,
            _ => self.operation.k(input),
        };
        if u32::try_from(k).map_or(true, |k| k > numerics.max_k()) {
            return Err(GoldenError::TooManyTerms { k, max_k: numerics.max_k() });
        }
        crate::error::in_format("pad", self.pad.into(), numerics.activation())?;
        self.check_parameters(numerics, n_inputs, channels)?;
        Ok(Extent { height, width, channels })
    }

    fn check_parameters(&self, numerics: &Numerics, n_terms: usize, n: usize) -> Result<(), GoldenError> {
        let length = |what, given, expected| match given == expected {
            true => Ok(()),
            false => Err(GoldenError::Length { what, given, expected }),
        };
        length("terms of channels", self.channels.len(), n_terms)?;
        for term in &self.channels {
            length("channels", term.len(), n)?;
            for (channel, (parameters, first)) in term.iter().zip(&self.channels[0]).enumerate() {
                let at = |source| GoldenError::Channel { channel, source: Box::new(source) };
                parameters.check(numerics).map_err(at)?;
                if (parameters.shift, parameters.zero_point) != (first.shift, first.zero_point) {
                    let rule = "the terms of a channel must have the same shift and zero point".to_owned();
                    return Err(at(shape_error("add", rule)));
                }
            }
        }
        self.bounds.check(numerics)?;
        let Some(table) = &self.table else { return Ok(()) };
        if !numerics.activation_table() {
            return Err(shape_error(
                "table",
                "the machine has none: numerics.activation_table must be true".to_owned(),
            ));
        }
        crate::error::check_matrix("table", table, 1, 1 << numerics.output().bits(), numerics.output())
    }

    /// The outputs for `batch` images of each input (checked before), channels-last; `stream` gives the random bits of stochastic
    /// rounding, by the output's place in that order.
    pub fn run(
        &self,
        numerics: &Numerics,
        batch: usize,
        extent: Extent,
        inputs: &[&[i32]],
        stream: Option<&Stream>,
        form: Form,
    ) -> Result<Vec<i32>, GoldenError> {
        let (random_bits, given) = (numerics.rounding().random_bits(), stream.map_or(0, Stream::random_bits));
        if random_bits > 0 && given != random_bits {
            return Err(GoldenError::RandomBits { random_bits, given });
        }
        for &input in inputs {
            crate::error::check_matrix("input", input, batch, extent.elements(), numerics.activation())?;
        }
        let requantizer = Requantizer::new(numerics);
        let n = self.channels[0].len();
        let mut outputs = match &self.operation {
            Operation::Add { factors } => {
                let accumulators: Vec<Vec<i64>> = inputs
                    .iter()
                    .zip(factors)
                    .map(|(input, &factor)| accumulate::scaled(numerics, input, factor))
                    .collect();
                let output = |at: usize| {
                    let random = stream.map_or(0, |stream| stream.bits(at as u32));
                    let terms: Vec<(i64, &Channel)> =
                        accumulators.iter().zip(&self.channels).map(|(acc, term)| (acc[at], &term[at % n])).collect();
                    requantizer.requantize_terms(&terms, &self.bounds, random) as i32
                };
                (0..accumulators[0].len()).map(output).collect()
            }
            operation => {
                let accumulators = accumulate::of(numerics, operation, self.pad, batch, extent, n, inputs[0], form)?;
                let mut outputs = vec![0; accumulators.len()];
                let rows = accumulators.chunks_exact(n).zip(outputs.chunks_exact_mut(n));
                for (row, (acc, out)) in rows.enumerate() {
                    let stream = stream.map(|stream| (stream, (row * n) as u32));
                    match form {
                        Form::Fast => requantizer.requantize_row(acc, &self.channels[0], &self.bounds, stream, out),
                        Form::Naive => {
                            for (j, (&acc, out)) in acc.iter().zip(out).enumerate() {
                                let random =
                                    stream.map_or(0, |(stream, first)| stream.bits(first.wrapping_add(j as u32)));
                                *out = requantizer.requantize(acc, &self.channels[0][j], &self.bounds, random) as i32;
                            }
                        }
                    }
                }
                outputs
            }
        };
        if let Some(table) = &self.table {
            let output = numerics.output();
            outputs.iter_mut().for_each(|value| *value = table[output.encode((*value).into()) as usize]);
        }
        Ok(outputs)
    }
}

/// What the sums of an output channel reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelPeaks {
    /// The least and the greatest accumulator with its bias, of any term.
    pub least: i64,
    pub greatest: i64,
    /// Outputs that saturate: rounded, they are beyond an end of the output format that is also a bound of the layer. Below the least
    /// value they count only if the zero point is above it: else that bound is a ReLU's.
    pub saturated: u64,
}

impl Layer {
    /// The peaks of each output channel over `batch` images of each input. Random bits are taken as 0.
    pub fn peaks(
        &self,
        numerics: &Numerics,
        batch: usize,
        extent: Extent,
        inputs: &[&[i32]],
    ) -> Result<Vec<ChannelPeaks>, GoldenError> {
        let n = self.channels[0].len();
        let terms: Vec<Vec<i64>> = match &self.operation {
            Operation::Add { factors } => {
                inputs.iter().zip(factors).map(|(input, &factor)| accumulate::scaled(numerics, input, factor)).collect()
            }
            operation => {
                vec![accumulate::of(numerics, operation, self.pad, batch, extent, n, inputs[0], Form::Fast)?]
            }
        };
        let (requantizer, output) = (Requantizer::new(numerics), numerics.output());
        let unbounded = Bounds { low: i64::MIN, high: i64::MAX };
        let mut peaks = vec![ChannelPeaks { least: i64::MAX, greatest: i64::MIN, saturated: 0 }; n];
        for at in 0..terms[0].len() {
            let j = at % n;
            let of: Vec<(i64, &Channel)> =
                terms.iter().zip(&self.channels).map(|(acc, term)| (acc[at], &term[j])).collect();
            for (acc, channel) in &of {
                let sum = numerics.accumulator().wrap(acc.wrapping_add(channel.bias));
                peaks[j].least = peaks[j].least.min(sum);
                peaks[j].greatest = peaks[j].greatest.max(sum);
            }
            let value = requantizer.requantize_terms(&of, &unbounded, 0);
            let zero_point = of[0].1.zero_point;
            let below = value < output.min() && self.bounds.low == output.min() && zero_point > output.min();
            let above = value > output.max() && self.bounds.high == output.max();
            peaks[j].saturated += u64::from(below || above);
        }
        Ok(peaks)
    }
}

impl Network {
    /// The extents of all tensors, the input's first, if every layer fits its inputs and the machine.
    pub fn extents(&self, numerics: &Numerics) -> Result<Vec<Extent>, LayerError> {
        let mut extents = vec![self.input];
        for layer in &self.layers {
            let at = |source| LayerError { layer: layer.name.clone(), source };
            let mut inputs = Vec::with_capacity(layer.inputs.len());
            for &input in &layer.inputs {
                let Some(&extent) = extents.get(input) else {
                    let rule = format!("input {input} must come before it: tensors 0..{} do", extents.len());
                    return Err(at(shape_error(layer.operation.name(), rule)));
                };
                if input > 0 && numerics.output() != numerics.activation() {
                    let rule = format!(
                        "its input is a layer's output, of format {}, but activations are {}",
                        numerics.output(),
                        numerics.activation()
                    );
                    return Err(at(shape_error(layer.operation.name(), rule)));
                }
                inputs.push(extent);
            }
            extents.push(layer.check(numerics, &inputs).map_err(at)?);
        }
        Ok(extents)
    }

    /// Runs all layers; `each` gets the number and the outputs of each in order. Tensors that no later layer reads are dropped. `seed` is
    /// that of stochastic rounding; layer i rounds by the stream of tensor i.
    pub fn run(
        &self,
        numerics: &Numerics,
        batch: usize,
        input: &[i32],
        seed: u64,
        form: Form,
        mut each: impl FnMut(usize, &[i32]),
    ) -> Result<(), LayerError> {
        self.run_inspected(numerics, batch, input, seed, form, |index, _, outputs| {
            each(index, outputs);
            Ok(())
        })
    }

    /// [`Network::run`]; `each` also gets the layer's inputs, and may refuse.
    pub fn run_inspected(
        &self,
        numerics: &Numerics,
        batch: usize,
        input: &[i32],
        seed: u64,
        form: Form,
        mut each: impl FnMut(usize, &[&[i32]], &[i32]) -> Result<(), GoldenError>,
    ) -> Result<(), LayerError> {
        let extents = self.extents(numerics)?;
        let mut last_readers = vec![0; self.layers.len() + 1];
        for (index, layer) in self.layers.iter().enumerate() {
            layer.inputs.iter().for_each(|&tensor| last_readers[tensor] = index);
        }
        let mut tensors: Vec<Option<Vec<i32>>> = vec![Some(input.to_vec())];
        for (index, layer) in self.layers.iter().enumerate() {
            let at = |source| LayerError { layer: layer.name.clone(), source };
            let stream = match numerics.rounding() {
                Rounding::Fixed(_) => None,
                Rounding::Stochastic { random_bits } => Some(Stream::new(seed, index as u32, random_bits)),
            };
            let inputs: Vec<&[i32]> = layer.inputs.iter().filter_map(|&tensor| tensors[tensor].as_deref()).collect();
            let extent = extents[layer.inputs[0]];
            let outputs = layer.run(numerics, batch, extent, &inputs, stream.as_ref(), form).map_err(at)?;
            each(index, &inputs, &outputs).map_err(at)?;
            tensors.push(Some(outputs));
            for &tensor in layer.inputs.iter().chain([&(index + 1)]) {
                if last_readers[tensor] <= index {
                    tensors[tensor] = None;
                }
            }
        }
        Ok(())
    }

    /// Multiply-accumulates of one image: those of convolutions; pools and adds have none.
    pub fn macs(&self, extents: &[Extent]) -> Vec<u64> {
        let layer = |(index, layer): (usize, &Layer)| match layer.operation {
            Operation::Convolution { .. } => {
                (extents[index + 1].elements() * layer.operation.k(extents[layer.inputs[0]])) as u64
            }
            _ => 0,
        };
        self.layers.iter().enumerate().map(layer).collect()
    }
}
