//! How one layer is cut up, and in which order its folds run.

use crate::chunk::{needed_rows, Chunk};
use crate::plan::{Form, Plan};
use spec::{Config, Geometry};

/// The shape of a product: activations m x k, weights k x n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GemmShape {
    pub m: usize,
    pub k: usize,
    pub n: usize,
}

impl GemmShape {
    /// Multiply-accumulates.
    pub fn macs(&self) -> u64 {
        self.m as u64 * self.k as u64 * self.n as u64
    }
}

/// Which of the two outer loops is the outer one; k and the tiles of a group are always inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OuterLoop {
    /// All column groups of a chunk before the next chunk: activations are read once.
    Rows,
    /// All chunks of a column group before the next group: weights may stay.
    Cols,
}

/// One way to cut a layer: chunks of outputs, groups of `group_tiles` column tiles.
///
/// Loops, outermost first: chunks and groups (in the order of `outer`), steps (slices of channels, positions of the window), column
/// tiles of the group. Every innermost turn is one fold; a chunk and a group together fill one half of the accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tiling {
    /// Rows and columns of output pixels of an image; for layers without a sliding window 1 and a number of pixels or images.
    pub chunk: [usize; 2],
    /// Images of a chunk; 1 for layers without a sliding window.
    pub images: usize,
    pub group_tiles: usize,
    pub outer: OuterLoop,
}

/// How many times the fewest chunks that fit are worth trying.
const MOST_CHUNKS: usize = 12;

impl Tiling {
    /// Outputs of a chunk.
    pub fn chunk_rows(&self) -> usize {
        self.images * self.chunk[0] * self.chunk[1]
    }

    /// All tilings worth trying; empty if none fits the buffers.
    pub(crate) fn candidates(config: &Config, plan: &Plan) -> Vec<Self> {
        let g = config.geometry();
        let n_tiles = plan.n_tiles(config);
        let mut tilings: Vec<Self> = Vec::new();
        for group_tiles in group_sizes(config, n_tiles, plan.terms) {
            let most = (g.accumulator_rows() / (group_tiles * plan.terms)).min(usize::from(u16::MAX));
            for chunk in plan_chunks(plan, most, g) {
                let needed = needed_rows(plan, chunk).max(1);
                if needed > g.activation_buffer_rows().min(usize::from(u16::MAX)) {
                    continue;
                }
                for images in image_counts(plan, chunk, most, g.activation_buffer_rows() / needed) {
                    let rows = Self { chunk, images, group_tiles, outer: OuterLoop::Rows };
                    let one_loop = rows.n_chunks(plan) == 1 || group_tiles >= n_tiles;
                    let both = [rows, Self { outer: OuterLoop::Cols, ..rows }];
                    for tiling in &both[..if one_loop { 1 } else { 2 }] {
                        if !tilings.contains(tiling) {
                            tilings.push(*tiling);
                        }
                    }
                }
            }
        }
        // Every chunk runs all of its folds: far more chunks than needed only cost weights and time, here and on the machine.
        let least = tilings.iter().map(|tiling| tiling.n_chunks(plan)).min().unwrap_or(0);
        tilings.retain(|tiling| tiling.n_chunks(plan) <= MOST_CHUNKS * least);
        tilings
    }

    fn n_chunks(&self, plan: &Plan) -> usize {
        match plan.form {
            Form::Sliding => {
                let [height, width] = plan.output.size();
                plan.batch.div_ceil(self.images) * height.div_ceil(self.chunk[0]) * width.div_ceil(self.chunk[1])
            }
            _ => plan.m().div_ceil(self.chunk[1]),
        }
    }

    pub(crate) fn chunks(&self, plan: &Plan) -> Vec<Chunk> {
        let pieces = |len: usize, step: usize| (0..len).step_by(step).map(move |from| [from, len.min(from + step)]);
        if plan.form != Form::Sliding {
            return pieces(plan.m(), self.chunk[1]).map(|[from, to]| Chunk::Range { from, len: to - from }).collect();
        }
        let [height, width] = plan.output.size();
        let mut chunks = Vec::new();
        for images in pieces(plan.batch, self.images) {
            for rows in pieces(height, self.chunk[0]) {
                chunks.extend(pieces(width, self.chunk[1]).map(|cols| Chunk::Rectangle { images, rows, cols }));
            }
        }
        chunks
    }

    pub(crate) fn n_groups(&self, n_tiles: usize) -> usize {
        n_tiles.div_ceil(self.group_tiles)
    }
}

/// The fewest column tiles whose outputs fill whole bytes in a row.
pub(crate) fn aligned_group_tiles(config: &Config) -> usize {
    let tile_bits = config.geometry().cols() * config.numerics().output().bits() as usize;
    (1..8).find(|tiles| (tiles * tile_bits).is_multiple_of(8)).unwrap_or(8)
}

/// The most outputs (n) of a layer of one term for which a tiling surely fits, whatever its m and k.
pub fn max_outputs(config: &Config) -> usize {
    let g = config.geometry();
    let held = (g.parameter_tiles() / 2).min(g.accumulator_rows());
    if aligned_group_tiles(config) <= held {
        usize::MAX
    } else {
        held * g.cols()
    }
}

/// Group sizes whose first bit of every group falls on a byte, which fit half of the parameter buffer.
fn group_sizes(config: &Config, n_tiles: usize, terms: usize) -> Vec<usize> {
    let g = config.geometry();
    let aligned = aligned_group_tiles(config);
    let most = n_tiles.min(g.parameter_tiles() / 2 / terms).min(g.accumulator_rows() / terms);
    (1..=most)
        .filter(|&tiles| tiles == n_tiles || tiles.is_multiple_of(aligned))
        // All small groups, then powers of two and the greatest: the ones between differ little.
        .filter(|&tiles| tiles <= 8 || tiles == most || tiles.is_power_of_two())
        .collect()
}

/// How many images may share the weights of a chunk: powers of two, and the most. All of them are in the buffer at once, in half of
/// its `slots` if there is more than one, so that the next ones can be loaded.
fn image_counts(plan: &Plan, chunk: [usize; 2], most: usize, slots: usize) -> Vec<usize> {
    if plan.form != Form::Sliding {
        return vec![1];
    }
    let most = (most / (chunk[0] * chunk[1])).min(slots / 2).clamp(1, plan.batch);
    let mut counts: Vec<usize> = (0..usize::BITS).map(|log2| 1 << log2).take_while(|&images| images < most).collect();
    counts.push(plan.batch.div_ceil(plan.batch.div_ceil(most)));
    counts
}

/// Chunks of at most `most` outputs.
fn plan_chunks(plan: &Plan, most: usize, geometry: &Geometry) -> Vec<[usize; 2]> {
    if most == 0 {
        return Vec::new();
    }
    if plan.form != Form::Sliding {
        let most = most.min(geometry.activation_buffer_rows() / 2).min(plan.m());
        return chunk_sizes(plan.m(), most, geometry).into_iter().map(|rows| [1, rows]).collect();
    }
    let [height, width] = plan.output.size();
    // Whole rows where they fit; else even parts of a row.
    let fewest = width.div_ceil(most);
    let mut chunks = Vec::new();
    for parts in [1, 2, 3, 4, 8].map(|factor| fewest * factor) {
        let cols = width.div_ceil(parts);
        if parts > 1 && (parts > width || cols < 2 * geometry.rows().min(width / fewest)) && parts > fewest {
            continue;
        }
        let most_rows = (most / cols).min(height);
        let fewest_bands = height.div_ceil(most_rows);
        let bands = [1, 2, 3, 4, 6, 8].map(|factor| fewest_bands * factor);
        let even = bands.into_iter().filter(|&bands| bands <= height).map(|bands| height.div_ceil(bands));
        // Single rows fit the smallest buffers.
        chunks.extend(even.chain([most_rows, 1]).map(|rows| [rows, cols]));
        // Parts of a row are a last resort: their halos are read again and again.
        if parts == fewest && fewest == 1 && geometry.activation_buffer_rows() >= 4 * plan.input.width {
            break;
        }
    }
    chunks.extend([[1, (most / 2).clamp(1, width)], [1, 1]]);
    chunks.sort_unstable();
    chunks.dedup();
    chunks
}

/// Chunk sizes: even divisions of m, from the greatest that fits down to about two mesh heights.
fn chunk_sizes(m: usize, most: usize, geometry: &Geometry) -> Vec<usize> {
    if most == 0 {
        return Vec::new();
    }
    let fewest = m.div_ceil(most);
    let smallest = (2 * geometry.rows()).min(most);
    let mut sizes = vec![m.div_ceil(fewest)];
    for factor in [2, 3, 4, 6, 8] {
        let chunks = fewest * factor;
        let rows = m.div_ceil(chunks);
        if rows >= smallest {
            sizes.push(rows);
        }
    }
    // A power of two that fits keeps bursts and buffers aligned.
    let power = 1 << most.ilog2();
    if power < m {
        sizes.extend([power, (power / 2).max(1)]);
    }
    sizes
}
