//! What a convolution sees of its input, position by position of its output.

use calibrate::SplitMix64;
use golden::{Extent, Window};

/// The most patches that are looked at.
const MOST_PATCHES: usize = 4096;

/// The patches of a convolution's input.
#[derive(Debug)]
pub(super) struct Patches<'a> {
    window: Window,
    groups: usize,
    input: Extent,
    output: Extent,
    /// Images, channels-last.
    values: &'a [f32],
    /// The output pixels that are looked at.
    pixels: Vec<usize>,
}

impl<'a> Patches<'a> {
    /// Of all output pixels of all images; of more than 4,096, one in each of so many equal shares, always the same.
    pub fn new(window: Window, groups: usize, [input, output]: [Extent; 2], values: &'a [f32]) -> Self {
        let n = values.len() / input.elements() * output.pixels();
        let pixels = if n <= MOST_PATCHES {
            (0..n).collect()
        } else {
            let mut random = SplitMix64::new(n as u64);
            let ends = |share: usize| [share * n / MOST_PATCHES, (share + 1) * n / MOST_PATCHES];
            let one = |[from, to]: [usize; 2]| from + random.below(to - from);
            (0..MOST_PATCHES).map(ends).map(one).collect()
        };
        Self { window, groups, input, output, values, pixels }
    }

    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Rows of k values: kernel rows, kernel columns, the group's channels. Padded positions are 0.
    pub fn of_group(&self, group: usize) -> Vec<f32> {
        let inner = self.input.channels / self.groups;
        let mut rows = Vec::with_capacity(self.pixels.len() * self.window.positions() * inner);
        for &pixel in &self.pixels {
            let (image, at) = (pixel / self.output.pixels(), pixel % self.output.pixels());
            let out = [at / self.output.width, at % self.output.width];
            for position in 0..self.window.positions() {
                let position = [position / self.window.kernel[1], position % self.window.kernel[1]];
                match self.window.input(out, position, self.input.size()) {
                    Some([row, col]) => {
                        let pixel = (image * self.input.height + row) * self.input.width + col;
                        let first = pixel * self.input.channels + group * inner;
                        rows.extend_from_slice(&self.values[first..first + inner]);
                    }
                    None => rows.resize(rows.len() + inner, 0.0),
                }
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two groups of two channels on one image of two rows and columns, padded on the left.
    #[test]
    fn patches_are_rows_of_a_groups_channels() {
        let window = Window { kernel: [1, 2], pad_before: [0, 1], ..Window::POINT };
        let input = Extent { height: 2, width: 2, channels: 4 };
        let values: Vec<f32> = (0..16).map(|i| i as f32).collect();
        let patches = Patches::new(window, 2, [input, Extent { channels: 2, ..input }], &values);
        let expected = [[0.0, 0.0, 2.0, 3.0], [2.0, 3.0, 6.0, 7.0], [0.0, 0.0, 10.0, 11.0], [10.0, 11.0, 14.0, 15.0]];
        assert_eq!(patches.of_group(1), expected.concat());
    }

    #[test]
    fn many_pixels_are_sampled_all_over() {
        let values: Vec<f32> = (0..100_000).map(|i| i as f32).collect();
        let vector = Extent::vector(1);
        let sample = Patches::new(Window::POINT, 1, [vector, vector], &values).of_group(0);
        assert_eq!(sample, Patches::new(Window::POINT, 1, [vector, vector], &values).of_group(0));
        assert_eq!(sample.len(), MOST_PATCHES);
        for (share, &value) in sample.iter().enumerate() {
            let place = value as usize * MOST_PATCHES / 100_000;
            assert!(place.abs_diff(share) <= 1, "{value} in share {share}");
        }
        // Not in step with any row of an image.
        let gaps: std::collections::HashSet<u32> = sample.windows(2).map(|pair| (pair[1] - pair[0]) as u32).collect();
        assert!(gaps.len() > 30, "{} distances", gaps.len());
    }
}
