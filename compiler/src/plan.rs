//! A layer as the mesh sees it: slices of activations that rest in the buffer, steps that stream them, weight tiles.
//!
//! | form | layers | one accumulator row is | a chunk is |
//! |---|---|---|---|
//! | rows | windows of one position without padding, additions | a pixel of any image | a range of pixels |
//! | flat | convolutions whose window is the whole input | an image | a range of images |
//! | whole | pools whose window is the whole input | an image | a range of images |
//! | sliding | all others | a pixel | a rectangle of output pixels of one image |

use golden::{Extent, Layer, Operation, Window};
use spec::Config;

/// How a layer's output is cut into chunks, see the table above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Rows,
    Flat,
    Whole,
    Sliding,
}

/// Activations of some channels, at all the positions that a chunk needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Which of the layer's inputs.
    pub input: usize,
    /// Channels of a pixel.
    pub channels: [usize; 2],
    /// Form `Flat`: the pixel they are of. Form `Whole`: the pixels `pixels[0]..pixels[1]`. Else all.
    pub pixels: [usize; 2],
}

/// One pass of a slice against a weight tile of every column tile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub slice: usize,
    /// Row and column, relative to the window's first position without padding, of the newest pixel of the lanes.
    pub tap: [isize; 2],
    /// Mesh rows that take part.
    pub k: usize,
    /// Which accumulator row of an output.
    pub term: usize,
    /// The column tiles that see the slice, in order, each with the place of its weights in [`Plan::tiles`].
    pub weights: Vec<(usize, usize)>,
}

/// A `k x n` tile of weights, row-major.
#[derive(Clone, Debug)]
pub(crate) struct WeightTile {
    pub k: usize,
    pub n: usize,
    pub values: Vec<i32>,
}

/// Several kernel columns side by side in the mesh's rows: groups of 2^log2 lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneGroups {
    pub log2: u32,
    pub count: usize,
    /// Groups that the mesh's rows touch, a last one with too few lanes included.
    pub touched: usize,
}

/// Everything about a layer that does not depend on its tiling.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub form: Form,
    pub window: Window,
    pub batch: usize,
    pub input: Extent,
    pub output: Extent,
    pub slices: Vec<Slice>,
    pub steps: Vec<Step>,
    pub tiles: Vec<WeightTile>,
    pub terms: usize,
    pub maximum: bool,
    pub lane_groups: Option<LaneGroups>,
    pub macs: u64,
}

impl Plan {
    /// The plan of a layer that golden accepts.
    pub fn new(config: &Config, layer: &Layer, batch: usize, input: Extent, output: Extent) -> Self {
        let window = layer.operation.window();
        let whole = window.is_whole(input.size()) && output.pixels() == 1;
        let point = window == Window::POINT;
        let form = match (&layer.operation, point, whole) {
            (_, true, _) => Form::Rows,
            (Operation::Convolution { .. }, _, true) => Form::Flat,
            (_, _, true) => Form::Whole,
            _ => Form::Sliding,
        };
        let mut plan = Self {
            form,
            window,
            batch,
            input,
            output,
            slices: Vec::new(),
            steps: Vec::new(),
            tiles: Vec::new(),
            terms: 1,
            maximum: matches!(layer.operation, Operation::MaxPool { .. }),
            lane_groups: None,
            macs: 0,
        };
        match &layer.operation {
            Operation::Convolution { groups, weights, .. } => {
                plan.macs = (batch * output.elements() * layer.operation.k(input)) as u64;
                let convolution =
                    Weights { values: weights, n: output.channels, inner: input.channels / groups, groups: *groups };
                match form {
                    Form::Flat => plan.flat(config, &convolution),
                    _ => plan.convolution(config, &convolution),
                }
            }
            Operation::Add { factors } => {
                plan.terms = factors.len();
                for (term, &factor) in factors.iter().enumerate() {
                    plan.diagonal(config, term, term, factor);
                }
            }
            Operation::SumPool { .. } => plan.diagonal(config, 0, 0, 1),
            Operation::MaxPool { .. } => {
                // Columns that a slice does not feed get psums of 0: with fewer mesh rows than columns every part has a term of its
                // own, and the store adds them.
                let g = config.geometry();
                plan.terms = output.channels.min(g.cols()).div_ceil(g.rows());
                plan.diagonal(config, 0, 0, 1);
            }
        }
        plan
    }

    pub fn n_tiles(&self, config: &Config) -> usize {
        self.output.channels.div_ceil(config.geometry().cols())
    }

    /// Accumulator rows of the whole output, terms aside.
    pub fn m(&self) -> usize {
        self.batch * self.output.pixels()
    }

    fn add_tile(&mut self, tile: WeightTile) -> usize {
        self.tiles.push(tile);
        self.tiles.len() - 1
    }

    /// Window positions with the offset of the pixel they read: only (0, 0) where a chunk has no window of its own.
    fn taps(&self) -> Vec<[isize; 2]> {
        if self.form != Form::Sliding {
            return vec![[0, 0]];
        }
        let Window { kernel, dilation, pad_before, .. } = self.window;
        let offset = |axis: usize, position: usize| (position * dilation[axis]) as isize - pad_before[axis] as isize;
        (0..kernel[0]).flat_map(|row| (0..kernel[1]).map(move |col| [offset(0, row), offset(1, col)])).collect()
    }

    /// Each output channel reads the channel of the same number: pools and additions.
    fn diagonal(&mut self, config: &Config, input: usize, term: usize, factor: i32) {
        let g = config.geometry();
        let (n_tiles, taps) = (self.n_tiles(config), self.taps());
        // All inner tiles are alike, so they share their weights.
        let mut known: Vec<(usize, usize, usize, usize)> = Vec::new();
        for tile in 0..n_tiles {
            let columns = g.cols().min(self.output.channels - tile * g.cols());
            for (part, from) in (0..columns).step_by(g.rows()).enumerate() {
                let k = g.rows().min(columns - from);
                let found = known.iter().find(|(n, at, lanes, _)| (*n, *at, *lanes) == (columns, from, k));
                let weights = found.map(|known| known.3).unwrap_or_else(|| {
                    let mut values = vec![0; k * columns];
                    (0..k).for_each(|lane| values[lane * columns + from + lane] = factor);
                    self.tiles.push(WeightTile { k, n: columns, values });
                    known.push((columns, from, k, self.tiles.len() - 1));
                    self.tiles.len() - 1
                });
                let first = tile * g.cols() + from;
                let term = if self.maximum { part } else { term };
                for pixels in self.pixel_ranges(config) {
                    self.slices.push(Slice { input, channels: [first, first + k], pixels });
                    let (slice, weights) = (self.slices.len() - 1, vec![(tile, weights)]);
                    self.steps.extend(taps.iter().map(|&tap| Step { slice, tap, k, term, weights: weights.clone() }));
                }
            }
            // A narrow last tile has fewer parts; zeros take the place of the others.
            for term in columns.div_ceil(g.rows())..if self.maximum { self.terms } else { 0 } {
                self.tiles.push(WeightTile { k: 1, n: columns, values: vec![0; columns] });
                let (slice, weights) = (self.slices.len() - 1, vec![(tile, self.tiles.len() - 1)]);
                self.steps.push(Step { slice, tap: taps[0], k: 1, term, weights });
            }
        }
    }

    /// Form `Whole`: ranges of pixels that fit half of the activation buffer.
    fn pixel_ranges(&self, config: &Config) -> Vec<[usize; 2]> {
        let pixels = self.input.pixels();
        if self.form != Form::Whole {
            return vec![[0, pixels]];
        }
        let most = (config.geometry().activation_buffer_rows() / 2).clamp(1, usize::from(u16::MAX));
        let part = pixels.div_ceil(pixels.div_ceil(most));
        (0..pixels).step_by(part).map(|from| [from, pixels.min(from + part)]).collect()
    }

    /// Every pixel of an image is a stretch of one long row; pixels that fill whole bytes make it one.
    fn flat(&mut self, config: &Config, weights: &Weights<'_>) {
        let (pixels, channels) = (self.input.pixels(), self.input.channels);
        let bits = config.numerics().activation().bits() as usize;
        let joined = (channels * bits).is_multiple_of(8) && weights.groups == 1;
        let (stretches, len) = if joined { (1, pixels * channels) } else { (pixels, channels) };
        let rows = config.geometry().rows();
        for stretch in 0..stretches {
            for from in (0..len).step_by(rows) {
                let to = len.min(from + rows);
                self.slices.push(Slice { input: 0, channels: [from, to], pixels: [stretch, stretch + 1] });
                // Lanes of one long row count on through the pixels.
                let lane = |lane: usize| {
                    let at = from + lane;
                    Some((stretch + at / channels * usize::from(joined), at % channels))
                };
                self.step(config, weights, [0, 0], to - from, &lane);
            }
        }
    }

    fn convolution(&mut self, config: &Config, weights: &Weights<'_>) {
        let (rows, channels) = (config.geometry().rows(), self.input.channels);
        self.lane_groups = self.choose_lane_groups(config, weights.groups);
        let Window { kernel, dilation, pad_before, .. } = self.window;
        let tap = |axis: usize, position: usize| (position * dilation[axis]) as isize - pad_before[axis] as isize;
        let all = [0, self.input.pixels()];
        let Some(groups) = self.lane_groups else {
            for from in (0..channels).step_by(rows) {
                let to = channels.min(from + rows);
                self.slices.push(Slice { input: 0, channels: [from, to], pixels: all });
                for row in 0..kernel[0] {
                    for col in 0..kernel[1] {
                        let at = if self.form == Form::Rows { [0, 0] } else { [tap(0, row), tap(1, col)] };
                        let position = row * kernel[1] + col;
                        self.step(config, weights, at, to - from, &|lane| Some((position, from + lane)));
                    }
                }
            }
            return;
        };
        self.slices.push(Slice { input: 0, channels: [0, channels], pixels: all });
        let lanes = 1 << groups.log2;
        for row in 0..kernel[0] {
            for first in (0..kernel[1]).step_by(groups.count) {
                let count = groups.count.min(kernel[1] - first);
                let newest = first + count - 1;
                // Older pixels, which are further left, are in higher groups.
                let lane = |lane: usize| {
                    let channel = lane % lanes;
                    (channel < channels).then(|| (row * kernel[1] + newest - lane / lanes, channel))
                };
                self.step(config, weights, [tap(0, row), tap(1, newest)], count * lanes, &lane);
            }
        }
    }

    /// Groups of lanes if the channels leave room for more than one pixel.
    fn choose_lane_groups(&self, config: &Config, groups: usize) -> Option<LaneGroups> {
        let (g, channels) = (config.geometry(), self.input.channels);
        let bits = config.numerics().activation().bits() as usize;
        let log2 = channels.next_power_of_two().ilog2();
        let count = (g.rows() >> log2).min(self.window.kernel[1]);
        let fits = channels * bits <= g.bus_bits() && log2 <= 6;
        let padding = self.window.pad_before[1].max(self.window.pad_after[1]);
        let plain = groups == 1 && self.window.dilation[1] == 1 && padding < self.window.kernel[1];
        let plain = plain && self.form == Form::Sliding;
        (fits && plain && count >= 2).then_some(LaneGroups { log2, count, touched: g.rows().div_ceil(1 << log2) })
    }

    /// Adds the step of the last slice for one tap; `lane` gives a lane's window position and channel.
    fn step(
        &mut self,
        config: &Config,
        weights: &Weights<'_>,
        tap: [isize; 2],
        k: usize,
        lane: &dyn Fn(usize) -> Option<(usize, usize)>,
    ) {
        let cols = config.geometry().cols();
        let mut of_tiles = Vec::new();
        for (tile, first) in (0..weights.n).step_by(cols).enumerate() {
            let columns = cols.min(weights.n - first);
            let sees = |l: usize| lane(l).is_some_and(|(_, c)| weights.sees(c, [first, first + columns]));
            if !(0..k).any(sees) {
                continue;
            }
            let value = |l: usize, j: usize| lane(l).map_or(0, |(position, c)| weights.at(position, c, first + j));
            let values = (0..k).flat_map(|l| (0..columns).map(move |j| (l, j))).map(|(l, j)| value(l, j)).collect();
            of_tiles.push((tile, self.add_tile(WeightTile { k, n: columns, values })));
        }
        self.steps.push(Step { slice: self.slices.len() - 1, tap, k, term: 0, weights: of_tiles });
    }
}

/// A convolution's weights by position, input channel and output channel.
struct Weights<'a> {
    values: &'a [i32],
    n: usize,
    /// Input channels of a group.
    inner: usize,
    groups: usize,
}

impl Weights<'_> {
    /// 0 between different groups.
    fn at(&self, position: usize, channel: usize, j: usize) -> i32 {
        match channel / self.inner == j / (self.n / self.groups) {
            true => self.values[(position * self.inner + channel % self.inner) * self.n + j],
            false => 0,
        }
    }

    /// Whether any of the output channels is in the input channel's group.
    fn sees(&self, channel: usize, [from, to]: [usize; 2]) -> bool {
        let (group, size) = (channel / self.inner, self.n / self.groups);
        from < (group + 1) * size && group * size < to
    }
}
