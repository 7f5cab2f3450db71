//! Float layers as layers of integers, once scales and weights are chosen.

use super::error::QuantizeError;
use super::fit::{Fitted, Matrix};
use super::parameters::{fixed_point, ActivationQuantization, FixedPointError};
use crate::float::{FloatLayer, FloatOperation, Function};
use golden::{fold_zero_point, Bounds, Channel, GoldenError, Layer, Operation, Window};
use spec::{MachineScheme, Numerics};

/// A float layer with the scales of what it reads and writes.
pub(super) struct Scaled<'a> {
    pub layer: &'a FloatLayer,
    pub inputs: Vec<ActivationQuantization>,
    pub output: ActivationQuantization,
    /// Channels of the output.
    pub n: usize,
    pub numerics: &'a Numerics,
}

/// Biases of so many steps and more are refused before they are folded: 2^62, so that folding cannot overflow.
const MOST_STEPS: f64 = (1_u64 << 62) as f64;

impl Scaled<'_> {
    /// A layer without weights.
    pub fn unweighted(&self) -> Result<Layer, QuantizeError> {
        match &self.layer.operation {
            FloatOperation::AveragePool { window } => self.average_pool(*window),
            FloatOperation::MaxPool { window } => self.max_pool(*window),
            FloatOperation::Function(function) => self.function(*function),
            FloatOperation::Add | FloatOperation::Convolution { .. } => self.add(),
        }
    }

    /// Padding holds the input's zero point, which the biases fold.
    pub fn convolution(
        &self,
        (window, groups): (Window, usize),
        matrix: Matrix<'_>,
        fitted: &Fitted,
        bias: &[f32],
    ) -> Result<Layer, QuantizeError> {
        let (input, name) = (self.inputs[0], || self.layer.name.clone());
        // In units of s_x s_w, those of the accumulator.
        let unit = |channel: usize| f64::from(input.scale) * f64::from(fitted.scales[channel]);
        let steps = |j: usize| (f64::from(bias[j]) / unit(j)).round_ties_even();
        if let Some(channel) = (0..matrix.n).find(|&j| steps(j).abs() >= MOST_STEPS) {
            let (bias, step) = (bias[channel], unit(channel));
            return Err(QuantizeError::BiasSteps { layer: name(), channel, bias, step });
        }
        let biases: Vec<i64> = (0..matrix.n).map(|j| steps(j) as i64).collect();
        let biases = fold_zero_point(input.zero_point, &fitted.values, &biases);
        let channel = |(j, &bias): (usize, &i64)| {
            let (multiplier, shift) = self.ratio(j, unit(j) / f64::from(self.output.scale))?;
            self.channel(j, bias, multiplier, shift)
        };
        let channels = biases.iter().enumerate().map(channel).collect::<Result<Vec<_>, _>>()?;
        let operation = Operation::Convolution { window, groups, weights: fitted.values.clone() };
        self.finish(operation, input.zero_point, vec![channels], self.output)
    }

    /// The divisor is in the multiplier.
    fn average_pool(&self, window: Window) -> Result<Layer, QuantizeError> {
        let (input, count) = (self.inputs[0], window.positions());
        let ratio = f64::from(input.scale) / (f64::from(self.output.scale) * count as f64);
        let (multiplier, shift) = self.ratio(0, ratio)?;
        let channel = self.channel(0, -(count as i64) * input.zero_point, multiplier, shift)?;
        self.finish(Operation::SumPool { window }, input.zero_point, vec![vec![channel; self.n]], self.output)
    }

    /// Integers pass as they are.
    fn max_pool(&self, window: Window) -> Result<Layer, QuantizeError> {
        let least = self.numerics.activation().min();
        self.finish(Operation::MaxPool { window }, least, vec![vec![AS_IT_IS; self.n]], self.inputs[0])
    }

    /// Each term is brought to the output's steps, and their sum rounded once.
    fn add(&self) -> Result<Layer, QuantizeError> {
        let ratios: Vec<f64> =
            self.inputs.iter().map(|input| f64::from(input.scale) / f64::from(self.output.scale)).collect();
        let (factors, multipliers, shift) = match self.numerics.scheme() {
            MachineScheme::Pow2 => {
                let (factors, shift) = self.factors(&ratios)?;
                (factors, vec![1; ratios.len()], shift)
            }
            _ => {
                let (multipliers, shift) = self.multipliers(&ratios)?;
                (vec![1; ratios.len()], multipliers, shift)
            }
        };
        let mut terms = Vec::with_capacity(ratios.len());
        for ((input, &factor), multiplier) in self.inputs.iter().zip(&factors).zip(multipliers) {
            let channel = self.channel(0, -i64::from(factor) * input.zero_point, multiplier, shift)?;
            terms.push(vec![channel; self.n]);
        }
        self.finish(Operation::Add { factors }, 0, terms, self.output)
    }

    /// One multiplier a term, at the shift of the greatest.
    fn multipliers(&self, ratios: &[f64]) -> Result<(Vec<u32>, u32), QuantizeError> {
        let greatest = ratios.iter().copied().fold(0.0, f64::max);
        let (_, shift) = self.ratio(0, greatest)?;
        let multiplier = |&ratio: &f64| match (ratio * (1_u64 << shift) as f64).round() as u32 {
            0 => {
                let source = FixedPointError::TooSmall { ratio, max_shift: shift };
                Err(QuantizeError::Ratio { layer: self.layer.name.clone(), channel: 0, source })
            }
            multiplier => Ok(multiplier),
        };
        Ok((ratios.iter().map(multiplier).collect::<Result<_, _>>()?, shift))
    }

    /// One power of two a term; all ratios are powers of two.
    fn factors(&self, ratios: &[f64]) -> Result<(Vec<i32>, u32), QuantizeError> {
        // The exponent field of a normal number.
        let exponents: Vec<i64> = ratios.iter().map(|ratio| (ratio.to_bits() >> 52) as i64 - 1023).collect();
        let shift = exponents.iter().map(|exponent| -exponent).fold(0, i64::max);
        let max_shift = self.numerics.shift().max();
        if shift > max_shift {
            let ratio = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let source = FixedPointError::TooSmall { ratio, max_shift: max_shift as u32 };
            return Err(QuantizeError::Ratio { layer: self.layer.name.clone(), channel: 0, source });
        }
        let weight = self.numerics.weight();
        let factor = |exponent: &i64| match exponent + shift {
            power if power < i64::from(weight.bits()) - 1 => Ok(1 << power),
            power => Err(QuantizeError::AddFactor { layer: self.layer.name.clone(), power, max: weight.max() }),
        };
        Ok((exponents.iter().map(factor).collect::<Result<_, _>>()?, shift as u32))
    }

    /// The input's integers look up the function's.
    fn function(&self, function: Function) -> Result<Layer, QuantizeError> {
        let (input, format) = (self.inputs[0], self.numerics.output());
        let [low, high] = self.layer.clamp.map(f64::from);
        let value = |q: i64| function.of(input.dequantize(q as i32).into()).max(low).min(high) as f32;
        let mut table = vec![0; 1 << format.bits()];
        let values: Vec<f32> = (format.min()..=format.max()).map(value).collect();
        for (q, entry) in (format.min()..).zip(self.output.quantize(&values, format)?) {
            table[format.encode(q) as usize] = entry;
        }
        let layer = self.finish(Operation::Add { factors: vec![1] }, 0, vec![vec![AS_IT_IS; self.n]], input)?;
        // The clamp is in the table's entries.
        Ok(Layer { table: Some(table), bounds: Bounds::full(self.numerics), ..layer })
    }

    fn ratio(&self, channel: usize, ratio: f64) -> Result<(u32, u32), QuantizeError> {
        fixed_point(ratio, self.numerics).map_err(|source| QuantizeError::Ratio {
            layer: self.layer.name.clone(),
            channel,
            source,
        })
    }

    fn channel(&self, channel: usize, bias: i64, multiplier: u32, shift: u32) -> Result<Channel, QuantizeError> {
        let format = self.numerics.bias();
        if !format.contains(bias) {
            let (min, max) = (format.min(), format.max());
            let layer = self.layer.name.clone();
            return Err(QuantizeError::Bias { layer, channel, value: bias, min, max });
        }
        Ok(Channel { bias, multiplier, shift, zero_point: self.output.zero_point })
    }

    /// The layer, clamped in the integers of `clamped`.
    fn finish(
        &self,
        operation: Operation,
        pad: i64,
        channels: Vec<Vec<Channel>>,
        clamped: ActivationQuantization,
    ) -> Result<Layer, QuantizeError> {
        let bounds = bounds(self.layer.clamp, clamped, self.numerics)?;
        Ok(Layer {
            name: self.layer.name.clone(),
            inputs: self.layer.inputs.clone(),
            operation,
            // A value of the activation format.
            pad: pad as i32,
            channels,
            bounds,
            table: None,
        })
    }
}

/// Of layers that keep integers.
const AS_IT_IS: Channel = Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 };

/// The clamp in the integers of a tensor, half to even; infinities are the format's ends.
fn bounds(clamp: [f32; 2], quantization: ActivationQuantization, numerics: &Numerics) -> Result<Bounds, GoldenError> {
    let ends = quantization.quantize(&clamp, numerics.output())?;
    Ok(Bounds { low: ends[0].into(), high: ends[1].into() })
}
