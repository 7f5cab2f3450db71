//! Accumulators of integer layers with any zero points, strides, pads, dilations and groups.

use crate::error::GoldenError;

/// What becomes of a sum that the accumulator cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// Its high bits are dropped, as machines and ONNX's MatMulInteger do.
    Wrap,
    /// The whole sum is clamped, once, after its last term: a sum that is clamped on the way would depend on the order.
    Saturate,
    Refuse,
}

/// The accumulator's width in bits (2..=63, two's complement) and what it does with greater sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccumulatorRule {
    bits: u32,
    overflow: Overflow,
}

impl AccumulatorRule {
    /// 32 bits that wrap.
    pub const INT32: Self = Self { bits: 32, overflow: Overflow::Wrap };
    /// 48 bits that refuse.
    pub const INT48: Self = Self { bits: 48, overflow: Overflow::Refuse };

    pub fn new(bits: u32, overflow: Overflow) -> Result<Self, GoldenError> {
        if (2..=63).contains(&bits) {
            return Ok(Self { bits, overflow });
        }
        Err(GoldenError::OutOfRange { property: "accumulator bits", value: bits.into(), min: 2, max: 63 })
    }

    /// The accumulator's value of an exact sum.
    pub fn hold(self, sum: i128, index: usize) -> Result<i64, GoldenError> {
        let format = spec::Format::new(self.bits, true);
        let (min, max) = (i128::from(format.min()), i128::from(format.max()));
        match self.overflow {
            _ if (min..=max).contains(&sum) => Ok(sum as i64),
            // The low 64 bits hold the low bits of the accumulator.
            Overflow::Wrap => Ok(format.wrap(sum as i64)),
            Overflow::Saturate => Ok(sum.clamp(min, max) as i64),
            Overflow::Refuse => Err(GoldenError::Accumulator { index, value: sum, bits: self.bits }),
        }
    }
}

/// The order of a tensor's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Activations batch, channel, row, column; weights output, input, row, column. ONNX's.
    ChannelsFirst,
    /// Activations batch, row, column, channel; weights output, row, column, input. TFLite's and TOSA's.
    ChannelsLast,
}

/// The shape of a two-dimensional convolution. A depthwise one has as many groups as input channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    pub layout: Layout,
    pub batch: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Rows and columns, here and below.
    pub input: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Added before the first and after the last row and column; padded positions hold the input's zero point.
    pub pad_before: [usize; 2],
    pub pad_after: [usize; 2],
    pub groups: usize,
}

impl Conv2d {
    /// Rows and columns of the output: floor((input + pads - (kernel - 1) dilation - 1) / stride) + 1.
    pub fn output(&self) -> Result<[usize; 2], GoldenError> {
        let sizes = [self.batch, self.in_channels, self.out_channels, self.groups];
        let pairs = [self.input, self.kernel, self.stride, self.dilation];
        if sizes.iter().chain(pairs.iter().flatten()).any(|&size| size == 0) {
            return Err(GoldenError::Shape { operator: "convolution", rule: format!("no size may be 0 in {self:?}") });
        }
        if !self.in_channels.is_multiple_of(self.groups) || !self.out_channels.is_multiple_of(self.groups) {
            let rule = format!(
                "in_channels = {} and out_channels = {} must be multiples of groups = {}",
                self.in_channels, self.out_channels, self.groups
            );
            return Err(GoldenError::Shape { operator: "convolution", rule });
        }
        let mut output = [0; 2];
        for (axis, size) in output.iter_mut().enumerate() {
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            let padded = self.input[axis] + self.pad_before[axis] + self.pad_after[axis];
            if reach > padded {
                let rule = format!("the kernel reaches over {reach} positions of a padded input of {padded}");
                return Err(GoldenError::Shape { operator: "convolution", rule });
            }
            *size = (padded - reach) / self.stride[axis] + 1;
        }
        Ok(output)
    }

    fn activation(&self, batch: usize, channel: usize, [row, col]: [usize; 2]) -> usize {
        let [rows, cols] = self.input;
        match self.layout {
            Layout::ChannelsFirst => ((batch * self.in_channels + channel) * rows + row) * cols + col,
            Layout::ChannelsLast => ((batch * rows + row) * cols + col) * self.in_channels + channel,
        }
    }

    fn weight(&self, out: usize, channel: usize, [row, col]: [usize; 2]) -> usize {
        let ([rows, cols], inner) = (self.kernel, self.in_channels / self.groups);
        match self.layout {
            Layout::ChannelsFirst => ((out * inner + channel) * rows + row) * cols + col,
            Layout::ChannelsLast => ((out * rows + row) * cols + col) * inner + channel,
        }
    }
}

fn check_length(what: &'static str, given: usize, expected: usize) -> Result<(), GoldenError> {
    if given == expected {
        Ok(())
    } else {
        Err(GoldenError::Length { what, given, expected })
    }
}

/// A parameter of output channel `channel`: one for all, or one each.
fn of_channel(values: &[i64], channel: usize) -> i64 {
    if values.len() == 1 {
        values[0]
    } else {
        values[channel]
    }
}

fn check_channels(what: &'static str, values: &[i64], n: usize) -> Result<(), GoldenError> {
    if values.len() == 1 {
        Ok(())
    } else {
        check_length(what, values.len(), n)
    }
}

/// The accumulators of a convolution, in the layout of its activations; [`channel_of`] gives each one's output channel.
///
/// Formula: for each output, the sum over the kernel's positions and the group's channels of
/// (activation - input_zero) (weight - weight_zero), plus the bias, held by `rule`. `weight_zeros` has one value, or one
/// per output channel; `bias` is empty or has one per output channel.
pub fn conv2d(
    shape: &Conv2d,
    activations: &[i32],
    input_zero: i64,
    weights: &[i32],
    weight_zeros: &[i64],
    bias: &[i64],
    rule: AccumulatorRule,
) -> Result<Vec<i64>, GoldenError> {
    let [rows, cols] = shape.output()?;
    let inner = shape.in_channels / shape.groups;
    let per_group = shape.out_channels / shape.groups;
    let in_size = shape.batch * shape.in_channels * shape.input[0] * shape.input[1];
    check_length("activations", activations.len(), in_size)?;
    check_length("weights", weights.len(), shape.out_channels * inner * shape.kernel[0] * shape.kernel[1])?;
    check_channels("weight zero points", weight_zeros, shape.out_channels)?;
    if !bias.is_empty() {
        check_length("bias", bias.len(), shape.out_channels)?;
    }
    let mut sums = vec![0; shape.batch * shape.out_channels * rows * cols];
    for (index, sum) in sums.iter_mut().enumerate() {
        let (batch, out, row, col) = match shape.layout {
            Layout::ChannelsFirst => {
                let (rest, col) = (index / cols, index % cols);
                let (rest, row) = (rest / rows, rest % rows);
                (rest / shape.out_channels, rest % shape.out_channels, row, col)
            }
            Layout::ChannelsLast => {
                let (rest, out) = (index / shape.out_channels, index % shape.out_channels);
                let (rest, col) = (rest / cols, rest % cols);
                (rest / rows, out, rest % rows, col)
            }
        };
        let weight_zero = of_channel(weight_zeros, out);
        let mut exact = bias.get(out).map_or(0, |&bias| i128::from(bias));
        for kernel_row in 0..shape.kernel[0] {
            for kernel_col in 0..shape.kernel[1] {
                let at = |axis: usize, place: usize, kernel: usize| {
                    let padded = place * shape.stride[axis] + kernel * shape.dilation[axis];
                    padded.checked_sub(shape.pad_before[axis]).filter(|&at| at < shape.input[axis])
                };
                // A padded position holds the zero point and adds nothing.
                let (Some(in_row), Some(in_col)) = (at(0, row, kernel_row), at(1, col, kernel_col)) else { continue };
                for channel in 0..inner {
                    let in_channel = out / per_group * inner + channel;
                    let activation = activations[shape.activation(batch, in_channel, [in_row, in_col])];
                    let weight = weights[shape.weight(out, channel, [kernel_row, kernel_col])];
                    exact += (i128::from(activation) - i128::from(input_zero))
                        * (i128::from(weight) - i128::from(weight_zero));
                }
            }
        }
        *sum = rule.hold(exact, index)?;
    }
    Ok(sums)
}

/// The output channel of element `index` of a convolution's result.
pub fn channel_of(shape: &Conv2d, output: [usize; 2], index: usize) -> usize {
    match shape.layout {
        Layout::ChannelsFirst => index / (output[0] * output[1]) % shape.out_channels,
        Layout::ChannelsLast => index % shape.out_channels,
    }
}

/// The accumulators of a matrix product with zero points: activations m x k, weights k x n, both row-major.
///
/// Formula: sum over t of (a[i][t] - a_zero[i]) (w[t][j] - w_zero[j]), plus bias[j], held by `rule`. `activation_zeros` has one value
/// or one per row, `weight_zeros` one or one per column; `bias` is empty or has one per column.
pub fn matmul_with_zeros(
    shape: crate::Shape,
    activations: &[i32],
    activation_zeros: &[i64],
    weights: &[i32],
    weight_zeros: &[i64],
    bias: &[i64],
    rule: AccumulatorRule,
) -> Result<Vec<i64>, GoldenError> {
    let crate::Shape { m, k, n } = shape;
    for (dimension, size) in [("m", m), ("k", k), ("n", n)] {
        if size == 0 {
            return Err(GoldenError::Empty { dimension });
        }
    }
    check_length("activations", activations.len(), m * k)?;
    check_length("weights", weights.len(), k * n)?;
    check_channels("activation zero points", activation_zeros, m)?;
    check_channels("weight zero points", weight_zeros, n)?;
    if !bias.is_empty() {
        check_length("bias", bias.len(), n)?;
    }
    let mut sums = Vec::with_capacity(m * n);
    for (i, row) in activations.chunks_exact(k).enumerate() {
        let activation_zero = of_channel(activation_zeros, i);
        for j in 0..n {
            let weight_zero = of_channel(weight_zeros, j);
            let column = weights.iter().skip(j).step_by(n);
            let products = row.iter().zip(column).map(|(&activation, &weight)| {
                (i128::from(activation) - i128::from(activation_zero)) * (i128::from(weight) - i128::from(weight_zero))
            });
            let exact = products.sum::<i128>() + bias.get(j).map_or(0, |&bias| i128::from(bias));
            sums.push(rule.hold(exact, i * n + j)?);
        }
    }
    Ok(sums)
}
