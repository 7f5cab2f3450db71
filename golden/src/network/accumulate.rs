//! Accumulators of one layer, channels-last.

use super::{Form, Operation};
use crate::error::GoldenError;
use crate::psum::Psum;
use crate::weight_tile::WeightTile;
use crate::window::{Extent, Window};
use spec::Numerics;

/// Output pixels whose patches are held at once.
const BLOCK_PIXELS: usize = 64;

/// activation x factor.
pub(super) fn scaled(numerics: &Numerics, input: &[i32], factor: i32) -> Vec<i64> {
    input.iter().map(|&q| numerics.accumulator().wrap(i64::from(q) * i64::from(factor))).collect()
}

/// A sliding window over `batch` images.
struct Sliding<'a> {
    window: Window,
    batch: usize,
    extent: Extent,
    output: [usize; 2],
    input: &'a [i32],
    pad: i32,
}

impl Sliding<'_> {
    fn pixels(&self) -> usize {
        self.batch * self.output[0] * self.output[1]
    }

    /// The activations of channels `from..to` that output pixel `pixel` sees at `position`; none if it is padding.
    fn channels(&self, pixel: usize, position: [usize; 2], [from, to]: [usize; 2]) -> Option<&[i32]> {
        let (image, at) = (pixel / (self.output[0] * self.output[1]), pixel % (self.output[0] * self.output[1]));
        let output = [at / self.output[1], at % self.output[1]];
        let [row, col] = self.window.input(output, position, self.extent.size())?;
        let first = ((image * self.extent.height + row) * self.extent.width + col) * self.extent.channels;
        Some(&self.input[first + from..first + to])
    }

    fn positions(&self) -> impl Iterator<Item = [usize; 2]> {
        let [rows, cols] = self.window.kernel;
        (0..rows).flat_map(move |row| (0..cols).map(move |col| [row, col]))
    }

    /// The activation of one channel.
    fn at(&self, pixel: usize, position: [usize; 2], channel: usize) -> i64 {
        self.channels(pixel, position, [channel, channel + 1]).map_or(self.pad, |values| values[0]).into()
    }
}

/// The accumulators of a layer with a window.
#[allow(clippy::too_many_arguments)] // one call, in the parent
pub(super) fn of(
    numerics: &Numerics,
    operation: &Operation,
    pad: i32,
    batch: usize,
    extent: Extent,
    n: usize,
    input: &[i32],
    form: Form,
) -> Result<Vec<i64>, GoldenError> {
    let window = operation.window();
    let output = window.output(extent.size())?;
    let sliding = Sliding { window, batch, extent, output, input, pad };
    let accumulator = numerics.accumulator();
    let each = |f: &dyn Fn(usize, usize) -> i64| -> Vec<i64> {
        (0..sliding.pixels()).flat_map(|pixel| (0..n).map(move |j| f(pixel, j))).collect()
    };
    match operation {
        Operation::Convolution { groups, weights, .. } => {
            let convolution = Convolution { inner: extent.channels / groups, n, groups: *groups, weights };
            let depthwise = convolution.inner == 1;
            if form == Form::Naive || depthwise {
                return Ok(each(&|pixel, j| accumulator.wrap(convolution.sum(&sliding, pixel, j))));
            }
            if i32::check(numerics).is_ok() {
                convolution.fast::<i32>(numerics, &sliding)
            } else {
                convolution.fast::<i64>(numerics, &sliding)
            }
        }
        Operation::SumPool { .. } => Ok(each(&|pixel, j| {
            accumulator.wrap(sliding.positions().map(|position| sliding.at(pixel, position, j)).sum())
        })),
        Operation::MaxPool { .. } => Ok(each(&|pixel, j| {
            let values = sliding.positions().map(|position| accumulator.wrap(sliding.at(pixel, position, j)));
            // A window has at least one position.
            values.max().unwrap_or(0)
        })),
        Operation::Add { .. } => Ok(scaled(numerics, input, 1)),
    }
}

struct Convolution<'a> {
    /// Input channels of a group.
    inner: usize,
    n: usize,
    groups: usize,
    /// k x n.
    weights: &'a [i32],
}

impl Convolution<'_> {
    fn sum(&self, sliding: &Sliding<'_>, pixel: usize, j: usize) -> i64 {
        let first = j / (self.n / self.groups) * self.inner;
        let terms = sliding.positions().flat_map(|position| (0..self.inner).map(move |c| (position, first + c)));
        terms
            .enumerate()
            .map(|(t, (position, channel))| {
                sliding.at(pixel, position, channel) * i64::from(self.weights[t * self.n + j])
            })
            .sum()
    }

    /// Patches of a block of pixels, times the packed weights of one group after the other.
    fn fast<T: Psum>(&self, numerics: &Numerics, sliding: &Sliding<'_>) -> Result<Vec<i64>, GoldenError> {
        let (k, group_n, pixels) = (self.weights.len() / self.n, self.n / self.groups, sliding.pixels());
        let mut accumulators = vec![0; pixels * self.n];
        let mut patches = Vec::new();
        let mut psums = Vec::new();
        for group in 0..self.groups {
            let weights: Vec<i32> = self
                .weights
                .chunks_exact(self.n)
                .flat_map(|row| &row[group * group_n..(group + 1) * group_n])
                .copied()
                .collect();
            let tile = WeightTile::<T>::new(numerics, k, group_n, &weights)?;
            let channels = [group * self.inner, (group + 1) * self.inner];
            for start in (0..pixels).step_by(BLOCK_PIXELS) {
                let end = pixels.min(start + BLOCK_PIXELS);
                patches.clear();
                for pixel in start..end {
                    for position in sliding.positions() {
                        match sliding.channels(pixel, position, channels) {
                            Some(values) => patches.extend_from_slice(values),
                            None => patches.resize(patches.len() + self.inner, sliding.pad),
                        }
                    }
                }
                psums.resize((end - start) * group_n, T::default());
                tile.multiply(&patches, &mut psums);
                for (pixel, row) in (start..end).zip(psums.chunks_exact(group_n)) {
                    let at = pixel * self.n + group * group_n;
                    for (accumulator, psum) in accumulators[at..at + group_n].iter_mut().zip(row) {
                        *accumulator = psum.read(numerics.accumulator());
                    }
                }
            }
        }
        Ok(accumulators)
    }
}
