//! Quantized models as ONNX has them, before they are put on a machine.

use super::float::Names;
use super::node::supported;
use super::step::{clamp_after, Linear, Operation, Quantization, Step, Weights, NO_CLAMP};
use crate::float::{DataLayout, Function};
use crate::onnx::error::{OnnxError, UnsupportedNode};
use golden::{Extent, QFormat, Window};
use spec::Round;
use std::sync::Arc;

/// A tensor of integers of ONNX's type: x = scale (q - zero_point).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IntegerTensor {
    pub scale: f32,
    pub zero_point: i64,
    pub format: QFormat,
}

/// What a layer does with its inputs, seen as real numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum IntegerOperation {
    /// Weights are row-major k x n, without their zero points.
    Convolution {
        window: Window,
        groups: usize,
        weights: Vec<i32>,
        /// One an output channel.
        scales: Vec<f64>,
        /// What the file calls the weights.
        tensor: String,
        /// Value and scale of each channel; may be empty.
        integer_bias: Vec<(i64, f64)>,
        /// Added to it.
        real_bias: Vec<f64>,
    },
    /// Each channel times a factor, plus a bias.
    Affine {
        factors: Vec<f64>,
        bias: Vec<f64>,
    },
    /// The mean over the window; padding counts, as zeros.
    AveragePool {
        window: Window,
    },
    MaxPool {
        window: Window,
    },
    /// The sum of all inputs. One input: it is quantized anew.
    Add,
    Function(Function),
}

impl IntegerOperation {
    /// The window; element-wise operations have one position.
    pub fn window(&self) -> Window {
        match self {
            Self::Convolution { window, .. } | Self::AveragePool { window } | Self::MaxPool { window } => *window,
            Self::Affine { .. } | Self::Add | Self::Function(_) => Window::POINT,
        }
    }
}

/// One layer; its real outputs are clamped, then quantized to its tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerLayer {
    pub name: String,
    /// Tensors: 0 is the network's input, i + 1 the output of layer i.
    pub inputs: Vec<usize>,
    pub operation: Arc<IntegerOperation>,
    pub clamp: [f32; 2],
}

/// A quantized network in ONNX's formats. [`IntegerModel::on`] puts it on a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerModel {
    pub input: Extent,
    /// Of the data it is given.
    pub layout: DataLayout,
    /// How real inputs are rounded. QONNX adds the zero point before it rounds: where that is odd, ties to even go the
    /// other way there.
    pub input_rounding: Round,
    /// The input's, then each layer's output's.
    pub tensors: Vec<IntegerTensor>,
    pub layers: Vec<IntegerLayer>,
}

/// The least formats that hold a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    pub activation_bits: u32,
    /// Whether any activations are signed; unsigned ones fit a signed machine of as many bits, and signed ones an
    /// unsigned machine.
    pub activation_signed: bool,
    /// Of signed weights.
    pub weight_bits: u32,
    /// Whether a layer needs `numerics.activation_table`.
    pub activation_table: bool,
}

impl IntegerModel {
    /// What a machine must have for [`IntegerModel::on`].
    pub fn needs(&self) -> Needs {
        let activation_bits = self.tensors.iter().map(|tensor| tensor.format.machine().bits()).max().unwrap_or(1);
        let weight_bits = |layer: &IntegerLayer| match &*layer.operation {
            IntegerOperation::Convolution { weights, .. } => {
                let ends = weights.iter().fold([0, 0], |[low, high], &w| [low.min(w), high.max(w)]);
                spec::format::signed_bits_for(ends[0].into(), ends[1].into())
            }
            // Pools and additions multiply by 1.
            _ => 2,
        };
        Needs {
            activation_bits,
            activation_signed: self.tensors.iter().any(|tensor| tensor.format.min() < 0),
            weight_bits: self.layers.iter().map(weight_bits).max().unwrap_or(1),
            activation_table: self.layers.iter().any(|layer| matches!(*layer.operation, IntegerOperation::Function(_))),
        }
    }
}

/// What is known of a tensor of the steps.
#[derive(Clone)]
enum State {
    /// The network's input as it is given: real numbers, or integers of a format without a scale yet.
    Input,
    /// A tensor of the model.
    Integer(usize),
    /// The same as real numbers.
    Real(usize),
    /// Real numbers that are not quantized yet.
    Pending(Pending),
    /// Of a node that was refused.
    Unknown,
}

#[derive(Clone)]
struct Pending {
    name: String,
    operator: String,
    inputs: Vec<usize>,
    operation: Arc<IntegerOperation>,
    clamp: [f32; 2],
}

impl Pending {
    /// Whether its values are all values of its input, so that they keep its scale.
    fn keeps_scale(&self) -> bool {
        match *self.operation {
            IntegerOperation::MaxPool { .. } => true,
            IntegerOperation::Add => self.inputs.len() == 1,
            _ => false,
        }
    }
}

struct Builder {
    input_format: Option<QFormat>,
    input: Option<Quantization>,
    tensors: Vec<IntegerTensor>,
    layers: Vec<IntegerLayer>,
    names: Names,
    refused: Vec<UnsupportedNode>,
}

/// The model of steps that quantize; none if it has no layer.
pub fn model(
    steps: Vec<Step>,
    input: Extent,
    layout: DataLayout,
    input_format: Option<QFormat>,
) -> Result<Option<IntegerModel>, OnnxError> {
    let mut builder = Builder {
        input_format,
        input: None,
        tensors: Vec::new(),
        layers: Vec::new(),
        names: Names::new(),
        refused: Vec::new(),
    };
    // The input's place; it is known when it is first quantized.
    builder.tensors.push(IntegerTensor { scale: 1.0, zero_point: 0, format: QFormat::TERNARY });
    let mut states = vec![State::Input];
    for step in steps {
        let inputs: Vec<State> = step.inputs.iter().map(|&tensor| states[tensor].clone()).collect();
        let unknown = inputs.iter().any(|state| matches!(state, State::Unknown));
        let state = if unknown { None } else { builder.step(step, inputs) };
        states.push(state.unwrap_or(State::Unknown));
    }
    let output = match states.pop() {
        Some(State::Integer(tensor) | State::Real(tensor)) => tensor,
        Some(State::Pending(pending)) => builder.kept(pending).unwrap_or(0),
        _ => 0,
    };
    if !builder.refused.is_empty() {
        return Err(OnnxError::Unsupported { nodes: builder.refused, supported: supported() });
    }
    if output == 0 {
        return Ok(None);
    }
    // What follows the output's layer, another rounding of the same sums, is read by nobody.
    builder.layers.truncate(output);
    builder.tensors.truncate(output + 1);
    let input_rounding = builder.input.map_or(Round::HalfToEven, |quantization| quantization.round);
    let Builder { tensors, layers, .. } = builder;
    Ok(Some(IntegerModel { input, layout, input_rounding, tensors, layers }))
}

impl Builder {
    fn refuse(&mut self, node: &str, operator: &str, reason: impl Into<String>) {
        let node =
            UnsupportedNode { node: node.to_owned(), operator: operator.to_owned(), attribute: Some(reason.into()) };
        if !self.refused.contains(&node) {
            self.refused.push(node);
        }
    }

    /// The state of the step's output; none if it was refused.
    fn step(&mut self, step: Step, inputs: Vec<State>) -> Option<State> {
        let Step { name, operator, operation, .. } = step;
        let pending = |operation: IntegerOperation, inputs: Vec<usize>| {
            let (name, operator, operation) = (name.clone(), operator.clone(), Arc::new(operation));
            Some(State::Pending(Pending { name, operator, inputs, operation, clamp: NO_CLAMP }))
        };
        match operation {
            Operation::Quantize(quantization) => self.quantize(&name, &operator, inputs, quantization),
            Operation::Dequantize(quantization) => self.dequantize(&name, &operator, inputs, quantization),
            Operation::Clamp(clamp) => match inputs.into_iter().next()? {
                State::Pending(before) => {
                    Some(State::Pending(Pending { clamp: clamp_after(before.clamp, clamp), ..before }))
                }
                State::Real(tensor) => match pending(IntegerOperation::Add, vec![tensor])? {
                    State::Pending(added) => Some(State::Pending(Pending { clamp, ..added })),
                    other => Some(other),
                },
                _ => {
                    self.refuse(&name, &operator, "its operand is not dequantized: DequantizeLinear must make it");
                    None
                }
            },
            Operation::MaxPool(window) => match inputs.first()? {
                &State::Integer(tensor) => {
                    let operation = Arc::new(IntegerOperation::MaxPool { window });
                    let tensor = self.layer(&name, vec![tensor], operation, NO_CLAMP, self.tensors[tensor]);
                    Some(State::Integer(tensor))
                }
                _ => {
                    let inputs = self.reals(&name, &operator, inputs)?;
                    pending(IntegerOperation::MaxPool { window }, inputs)
                }
            },
            Operation::Linear(linear) => {
                let inputs = self.reals(&name, &operator, inputs);
                let Linear { window, groups, weights, bias } = linear;
                let Weights::Integer { values: weights, scales, tensor } = weights else {
                    self.refuse(&name, &operator, "its weights are not quantized, but activations of the model are");
                    return None;
                };
                let (integer_bias, real_bias) = (bias.integers, bias.real);
                let operation =
                    IntegerOperation::Convolution { window, groups, weights, scales, tensor, integer_bias, real_bias };
                pending(operation, inputs?)
            }
            Operation::AveragePool(window) => {
                let inputs = self.reals(&name, &operator, inputs)?;
                pending(IntegerOperation::AveragePool { window }, inputs)
            }
            Operation::Add => {
                let inputs = self.reals(&name, &operator, inputs)?;
                pending(IntegerOperation::Add, inputs)
            }
            Operation::Function(function) => {
                let inputs = self.reals(&name, &operator, inputs)?;
                pending(IntegerOperation::Function(function), inputs)
            }
            Operation::Affine { factors, bias } => {
                let inputs = self.reals(&name, &operator, inputs)?;
                pending(IntegerOperation::Affine { factors, bias: bias.values() }, inputs)
            }
        }
    }

    fn quantize(&mut self, name: &str, operator: &str, inputs: Vec<State>, q: Quantization) -> Option<State> {
        let stated = IntegerTensor { scale: q.scale, zero_point: q.zero_point, format: q.format };
        match inputs.into_iter().next()? {
            State::Input if self.input_format.is_none() => self.set_input(name, operator, q),
            State::Real(tensor) if self.tensors[tensor] == stated => Some(State::Integer(tensor)),
            State::Real(tensor) => {
                let operation = Arc::new(IntegerOperation::Add);
                Some(State::Integer(self.layer(name, vec![tensor], operation, NO_CLAMP, stated)))
            }
            State::Pending(before) => {
                let Pending { name, inputs, operation, clamp, .. } = before;
                Some(State::Integer(self.layer(&name, inputs, operation, clamp, stated)))
            }
            State::Input | State::Integer(_) => {
                self.refuse(name, operator, "its operand is quantized already");
                None
            }
            State::Unknown => None,
        }
    }

    fn set_input(&mut self, name: &str, operator: &str, q: Quantization) -> Option<State> {
        match self.input {
            Some(before) if before != q => {
                self.refuse(name, operator, "the network's input is quantized in two ways: one is supported");
                return None;
            }
            _ => self.input = Some(q),
        }
        self.tensors[0] = IntegerTensor { scale: q.scale, zero_point: q.zero_point, format: q.format };
        Some(State::Integer(0))
    }

    fn dequantize(&mut self, name: &str, operator: &str, inputs: Vec<State>, q: Quantization) -> Option<State> {
        let tensor = match inputs.into_iter().next()? {
            State::Input if self.input_format == Some(q.format) => {
                self.set_input(name, operator, q)?;
                0
            }
            State::Integer(tensor) => tensor,
            _ => {
                self.refuse(name, operator, format!("its operand must hold quantized values of {}", q.format));
                return None;
            }
        };
        let of = self.tensors[tensor];
        if (of.scale, of.zero_point, of.format) != (q.scale, q.zero_point, q.format) {
            let reason = format!(
                "scale {:e}, zero point {} and {} must be those its operand was quantized with: {:e}, {} and {}",
                q.scale, q.zero_point, q.format, of.scale, of.zero_point, of.format
            );
            self.refuse(name, operator, reason);
            return None;
        }
        Some(State::Real(tensor))
    }

    /// The tensors of real operands. Operands that keep their own operand's scale need not be quantized.
    fn reals(&mut self, name: &str, operator: &str, states: Vec<State>) -> Option<Vec<usize>> {
        let mut tensors = Vec::with_capacity(states.len());
        for state in states {
            tensors.push(match state {
                State::Real(tensor) => Some(tensor),
                State::Pending(pending) => self.kept(pending),
                State::Input if self.input_format.is_none() => {
                    self.refuse(name, operator, "it reads the network's input, which QuantizeLinear must quantize");
                    None
                }
                State::Input | State::Integer(_) => {
                    self.refuse(name, operator, "it reads quantized values, which DequantizeLinear must dequantize");
                    None
                }
                State::Unknown => None,
            });
        }
        tensors.into_iter().collect()
    }

    /// The tensor of values that are read, or are the output, without being quantized.
    fn kept(&mut self, pending: Pending) -> Option<usize> {
        if pending.keeps_scale() {
            let tensor = self.tensors[pending.inputs[0]];
            let Pending { name, inputs, operation, clamp, .. } = pending;
            return Some(self.layer(&name, inputs, operation, clamp, tensor));
        }
        let reason = "its output is not quantized: QuantizeLinear and DequantizeLinear must follow it";
        self.refuse(&pending.name, &pending.operator, reason);
        None
    }

    /// The output tensor of a layer, which may be there already.
    fn layer(
        &mut self,
        name: &str,
        inputs: Vec<usize>,
        operation: Arc<IntegerOperation>,
        clamp: [f32; 2],
        output: IntegerTensor,
    ) -> usize {
        let same = |(layer, tensor): (&IntegerLayer, &IntegerTensor)| {
            let alike = Arc::ptr_eq(&layer.operation, &operation) && layer.inputs == inputs && layer.clamp == clamp;
            alike && *tensor == output
        };
        if let Some(at) = self.layers.iter().zip(&self.tensors[1..]).position(same) {
            return at + 1;
        }
        let name = self.names.unique(name);
        self.layers.push(IntegerLayer { name, inputs, operation, clamp });
        self.tensors.push(output);
        self.layers.len()
    }
}
