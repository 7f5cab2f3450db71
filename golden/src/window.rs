//! Windows that slide over an image, and where they read.

use crate::error::GoldenError;

/// Rows, columns and channels of one image; a plain vector of n values has one row, one column and n channels. Tensors of images are
/// channels-last: batch, row, column, channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Extent {
    /// A vector.
    pub const fn vector(channels: usize) -> Self {
        Self { height: 1, width: 1, channels }
    }

    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    pub const fn elements(&self) -> usize {
        self.pixels() * self.channels
    }

    pub const fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} x {}", self.height, self.width, self.channels)
    }
}

/// A window of rows and columns (in this order everywhere).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Positions before the first row and column, and after the last.
    pub pad_before: [usize; 2],
    pub pad_after: [usize; 2],
}

impl Window {
    /// One position at a time.
    pub const POINT: Self = Self::of([1, 1]);

    /// A kernel with stride and dilation 1 and no padding.
    pub const fn of(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1, 1], dilation: [1, 1], pad_before: [0, 0], pad_after: [0, 0] }
    }

    /// Positions of the kernel.
    pub const fn positions(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether one window takes the whole input, without padding.
    pub fn is_whole(&self, input: [usize; 2]) -> bool {
        self.kernel == input && self.pad_before == [0, 0] && self.pad_after == [0, 0] && self.dilation == [1, 1]
    }

    /// Rows and columns of the output: floor((input + pads - (kernel - 1) dilation - 1) / stride) + 1.
    pub fn output(&self, input: [usize; 2]) -> Result<[usize; 2], GoldenError> {
        let mut output = [0; 2];
        for axis in 0..2 {
            let sizes = [self.kernel[axis], self.stride[axis], self.dilation[axis], input[axis]];
            if sizes.contains(&0) {
                let rule = format!("kernel, stride, dilation and input must be at least 1, not {sizes:?}");
                return Err(GoldenError::Shape { operator: "window", rule });
            }
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            let padded = input[axis] + self.pad_before[axis] + self.pad_after[axis];
            if reach > padded {
                let rule = format!("the kernel reaches over {reach} positions of a padded input of {padded}");
                return Err(GoldenError::Shape { operator: "window", rule });
            }
            output[axis] = (padded - reach) / self.stride[axis] + 1;
        }
        Ok(output)
    }

    /// The input row and column that the window at `output` reads at `position` of its kernel; none if it is padding.
    pub fn input(&self, output: [usize; 2], position: [usize; 2], input: [usize; 2]) -> Option<[usize; 2]> {
        let mut at = [0; 2];
        for axis in 0..2 {
            let padded = output[axis] * self.stride[axis] + position[axis] * self.dilation[axis];
            at[axis] = padded.checked_sub(self.pad_before[axis]).filter(|&at| at < input[axis])?;
        }
        Some(at)
    }
}
