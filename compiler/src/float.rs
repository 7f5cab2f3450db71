//! Networks of floats: what is quantized, and what quantized networks are judged by.
//!
//! Tensors are channels-last: image, row, column, channel.

use golden::{Extent, GoldenError, Window};

/// What a layer does with its inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum FloatOperation {
    /// Weights are row-major k x n: k counts kernel rows, kernel columns and the group's input channels (innermost). A dense layer has
    /// a kernel of one position, or one as large as its input.
    Convolution { window: Window, groups: usize, weights: Vec<f32>, bias: Vec<f32> },
    /// The mean over the window; padded positions count as zeros and are counted.
    AveragePool { window: Window },
    /// The greatest value of the window; padded positions do not count.
    MaxPool { window: Window },
    /// The sum of all inputs.
    Add,
    /// A function of each element.
    Function(Function),
}

/// Functions that the machine looks up in a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    Sigmoid,
    Tanh,
    /// 0.5 x (1 + erf(x / sqrt 2))
    Gelu,
    /// x sigmoid(x)
    Silu,
    /// max(0, min(1, alpha x + beta))
    HardSigmoid {
        alpha: f32,
        beta: f32,
    },
    /// x max(0, min(1, x / 6 + 1 / 2))
    HardSwish,
    /// x, below zero alpha x
    LeakyRelu {
        alpha: f32,
    },
    /// x, below zero alpha (e^x - 1)
    Elu {
        alpha: f32,
    },
}

impl Function {
    /// The function, in f64.
    pub fn of(self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
        match self {
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => libm::tanh(x),
            Self::Gelu => 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)),
            Self::Silu => x * sigmoid(x),
            Self::HardSigmoid { alpha, beta } => (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::LeakyRelu { alpha } => {
                if x < 0.0 {
                    f64::from(alpha) * x
                } else {
                    x
                }
            }
            Self::Elu { alpha } => {
                if x < 0.0 {
                    f64::from(alpha) * (libm::exp(x) - 1.0)
                } else {
                    x
                }
            }
        }
    }
}

/// One layer; its outputs are clamped to `clamp` (a ReLU is `[0, infinity]`).
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    pub name: String,
    /// Tensors: 0 is the network's input, i + 1 the output of layer i.
    pub inputs: Vec<usize>,
    pub operation: FloatOperation,
    pub clamp: [f32; 2],
}

/// The most elements of a tensor of one image.
const MOST_ELEMENTS: usize = 1 << 26;

/// How the rows of a data file are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataLayout {
    /// Channel, row, column: ONNX's.
    ChannelsFirst,
    /// Row, column, channel: the machine's.
    ChannelsLast,
}

impl DataLayout {
    /// Images as the machine has them.
    ///
    /// # Panics
    /// If `values` is not a whole number of images.
    pub fn to_channels_last<T: Copy>(self, extent: Extent, values: &[T]) -> Vec<T> {
        assert!(values.len().is_multiple_of(extent.elements()), "{} values, images of {extent}", values.len());
        match self {
            Self::ChannelsLast => values.to_vec(),
            Self::ChannelsFirst => values
                .chunks_exact(extent.elements())
                .flat_map(|image| {
                    (0..extent.elements())
                        .map(|at| image[at % extent.channels * extent.pixels() + at / extent.channels])
                        .collect::<Vec<T>>()
                })
                .collect(),
        }
    }
}

/// Layers in an order in which each comes after its inputs; the last one's output is the network's.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNetwork {
    pub input: Extent,
    /// Of the data it is given.
    pub layout: DataLayout,
    pub layers: Vec<FloatLayer>,
}

impl FloatLayer {
    /// The output's extent.
    pub fn extent(&self, inputs: &[Extent]) -> Result<Extent, GoldenError> {
        let shape = |rule: String| GoldenError::Shape { operator: self.operation.name(), rule };
        let Some(&input) = inputs.first() else { return Err(shape("no input".to_owned())) };
        let [height, width] = self.operation.window().output(input.size())?;
        let channels = match &self.operation {
            FloatOperation::Convolution { window, groups, weights, bias } => {
                let divides =
                    *groups > 0 && input.channels.is_multiple_of(*groups) && bias.len().is_multiple_of(*groups);
                if !divides || bias.is_empty() {
                    let (c, n) = (input.channels, bias.len());
                    return Err(shape(format!(
                        "{c} input and {n} output channels must be multiples of {groups} groups"
                    )));
                }
                let expected = window.positions() * (input.channels / groups) * bias.len();
                if weights.len() != expected {
                    return Err(GoldenError::Length { what: "weights", given: weights.len(), expected });
                }
                bias.len()
            }
            FloatOperation::Add if inputs.iter().any(|other| *other != input) => {
                return Err(shape(format!("its inputs differ: {inputs:?}")));
            }
            _ => input.channels,
        };
        let elements = height.saturating_mul(width).saturating_mul(channels);
        if elements > MOST_ELEMENTS {
            return Err(shape(format!("its output of {elements} elements an image exceeds {MOST_ELEMENTS}")));
        }
        Ok(Extent { height, width, channels })
    }

    /// Terms of a convolution's sum.
    pub fn k(&self, input: Extent) -> usize {
        match &self.operation {
            FloatOperation::Convolution { window, groups, .. } => window.positions() * (input.channels / groups),
            operation => operation.window().positions(),
        }
    }

    /// The outputs for `batch` images of each input. Sums are in f64.
    pub(crate) fn forward(&self, batch: usize, input: Extent, output: Extent, inputs: &[&[f32]]) -> Vec<f32> {
        let clamp = |x: f64| x.max(self.clamp[0].into()).min(self.clamp[1].into()) as f32;
        let window = self.operation.window();
        // The channels of the input pixel that an output pixel sees; none if it is padding.
        let pixel_at = |image: usize, out: [usize; 2], position: [usize; 2]| {
            let [row, col] = window.input(out, position, input.size())?;
            let first = ((image * input.height + row) * input.width + col) * input.channels;
            Some(&inputs[0][first..first + input.channels])
        };
        let read = |image, out, position, channel: usize| {
            pixel_at(image, out, position).map(|channels| f64::from(channels[channel]))
        };
        let positions = || (0..window.positions()).map(|p| [p / window.kernel[1], p % window.kernel[1]]);
        let mut outputs = Vec::with_capacity(batch * output.elements());
        for image in 0..batch {
            for pixel in 0..output.pixels() {
                let out = [pixel / output.width, pixel % output.width];
                match &self.operation {
                    FloatOperation::Convolution { groups, weights, bias, .. } => {
                        let n = bias.len();
                        let (inner, group_n) = (input.channels / groups, n / groups);
                        let mut sums: Vec<f64> = bias.iter().map(|&b| b.into()).collect();
                        for (p, position) in positions().enumerate() {
                            let Some(channels) = pixel_at(image, out, position) else { continue };
                            for (channel, &x) in channels.iter().enumerate() {
                                let (group, c) = (channel / inner, channel % inner);
                                let first = (p * inner + c) * n + group * group_n;
                                let sums = &mut sums[group * group_n..(group + 1) * group_n];
                                for (sum, &w) in sums.iter_mut().zip(&weights[first..first + group_n]) {
                                    *sum += f64::from(x) * f64::from(w);
                                }
                            }
                        }
                        outputs.extend(sums.into_iter().map(clamp));
                    }
                    FloatOperation::AveragePool { .. } => {
                        let mean = |c| {
                            positions().filter_map(|p| read(image, out, p, c)).sum::<f64>() / window.positions() as f64
                        };
                        outputs.extend((0..output.channels).map(mean).map(clamp));
                    }
                    FloatOperation::MaxPool { .. } => {
                        let most =
                            |c| positions().filter_map(|p| read(image, out, p, c)).fold(f64::NEG_INFINITY, f64::max);
                        outputs.extend((0..output.channels).map(most).map(clamp));
                    }
                    FloatOperation::Add => {
                        let at = (image * output.pixels() + pixel) * output.channels;
                        let sum = |c| inputs.iter().map(|input| f64::from(input[at + c])).sum::<f64>();
                        outputs.extend((0..output.channels).map(sum).map(clamp));
                    }
                    FloatOperation::Function(function) => {
                        let at = (image * output.pixels() + pixel) * output.channels;
                        let of = |c: usize| function.of(inputs[0][at + c].into());
                        outputs.extend((0..output.channels).map(of).map(clamp));
                    }
                }
            }
        }
        outputs
    }
}

impl FloatOperation {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Convolution { .. } => "convolution",
            Self::AveragePool { .. } => "average pool",
            Self::MaxPool { .. } => "max pool",
            Self::Add => "add",
            Self::Function(_) => "function",
        }
    }

    /// The window; element-wise operations have one position.
    pub const fn window(&self) -> Window {
        match self {
            Self::Convolution { window, .. } | Self::AveragePool { window } | Self::MaxPool { window } => *window,
            Self::Add | Self::Function(_) => Window::POINT,
        }
    }
}

impl FloatNetwork {
    /// The extents of all tensors, the input's first.
    pub fn extents(&self) -> Result<Vec<Extent>, golden::LayerError> {
        let mut extents = vec![self.input];
        for layer in &self.layers {
            let inputs: Option<Vec<Extent>> = layer.inputs.iter().map(|&input| extents.get(input).copied()).collect();
            let operator = layer.operation.name();
            let late = || GoldenError::Shape { operator, rule: "an input comes after its layer".to_owned() };
            let extent = inputs.ok_or_else(late).and_then(|inputs| layer.extent(&inputs));
            extents.push(extent.map_err(|source| golden::LayerError { layer: layer.name.clone(), source })?);
        }
        Ok(extents)
    }

    /// For each tensor the last layer that reads it, or that makes it if none does.
    pub(crate) fn last_readers(&self) -> Vec<usize> {
        let mut last: Vec<usize> = std::iter::once(0).chain(0..self.layers.len()).collect();
        for (index, layer) in self.layers.iter().enumerate() {
            layer.inputs.iter().for_each(|&tensor| last[tensor] = index);
        }
        last
    }

    /// The network's outputs for whole images, channels-last. Sums are in f64, values between layers in f32.
    ///
    /// # Panics
    /// If `inputs` is not a whole number of images.
    pub fn forward(&self, inputs: &[f32]) -> Result<Vec<f32>, golden::LayerError> {
        let mut run = self.run(inputs)?;
        while run.next_layer().is_some() {}
        Ok(run.tensors.pop().unwrap_or_default())
    }

    /// [`FloatNetwork::forward`], layer by layer.
    ///
    /// # Panics
    /// If `inputs` is not a whole number of images.
    pub fn run(&self, inputs: &[f32]) -> Result<FloatRun<'_>, golden::LayerError> {
        let extents = self.extents()?;
        let elements = self.input.elements();
        assert!(inputs.len().is_multiple_of(elements), "{} values, images of {}", inputs.len(), self.input);
        let batch = inputs.len() / elements;
        let last_readers = self.last_readers();
        Ok(FloatRun { network: self, extents, last_readers, batch, tensors: vec![inputs.to_vec()] })
    }
}

/// A float network on its way from its inputs to its outputs. Tensors that no later layer reads are dropped.
#[derive(Debug)]
pub struct FloatRun<'a> {
    network: &'a FloatNetwork,
    extents: Vec<Extent>,
    last_readers: Vec<usize>,
    batch: usize,
    tensors: Vec<Vec<f32>>,
}

impl FloatRun<'_> {
    /// The outputs of the next layer, channels-last; none after the last one.
    pub fn next_layer(&mut self) -> Option<&[f32]> {
        let index = self.tensors.len() - 1;
        let layer = self.network.layers.get(index)?;
        let of: Vec<&[f32]> = layer.inputs.iter().map(|&tensor| self.tensors[tensor].as_slice()).collect();
        let outputs = layer.forward(self.batch, self.extents[layer.inputs[0]], self.extents[index + 1], &of);
        self.tensors.push(outputs);
        for (tensor, _) in self.last_readers.iter().enumerate().filter(|(_, &last)| last == index) {
            if tensor <= index {
                self.tensors[tensor] = Vec::new();
            }
        }
        self.tensors.last().map(Vec::as_slice)
    }
}

/// How many rows of `classes` scores have their greatest (the first of equals) at the row's label.
///
/// # Panics
/// If there are not as many rows as labels.
pub fn count_correct<T: PartialOrd + Copy>(scores: &[T], classes: usize, labels: &[i64]) -> usize {
    assert_eq!(scores.len(), classes * labels.len(), "there must be one row of {classes} scores per label");
    let best = |row: &[T]| (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
    scores.chunks_exact(classes).zip(labels).filter(|(row, &label)| i64::try_from(best(row)) == Ok(label)).count()
}
