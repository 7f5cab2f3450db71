//! How one matrix product is cut up, and in which order its folds run.

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
    /// All column groups of a chunk of rows before the next chunk: activations are read once.
    Rows,
    /// All chunks of rows of a column group before the next group: weights may stay.
    Cols,
}

/// One way to cut a product: chunks of `chunk_rows` activation rows, groups of `group_tiles` column tiles.
///
/// Loops, outermost first: chunks and groups (in the order of `outer`), k tiles, column tiles of the group. Every
/// innermost turn is one fold; a chunk and a group together fill one half of the accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tiling {
    pub chunk_rows: usize,
    pub group_tiles: usize,
    pub outer: OuterLoop,
}

impl Tiling {
    /// All tilings worth trying; empty if none fits the buffers.
    pub fn candidates(config: &Config, shape: GemmShape) -> Vec<Self> {
        let g = config.geometry();
        let n_tiles = shape.n.div_ceil(g.cols());
        let mut tilings = Vec::new();
        for group_tiles in group_sizes(config, n_tiles) {
            let most = (g.accumulator_rows() / group_tiles).min(g.activation_buffer_rows() / 2).min(shape.m);
            let mut seen = Vec::new();
            for chunk_rows in chunk_sizes(shape.m, most, g) {
                if seen.contains(&chunk_rows) {
                    continue;
                }
                seen.push(chunk_rows);
                let one_loop = chunk_rows >= shape.m || group_tiles >= n_tiles;
                tilings.push(Self { chunk_rows, group_tiles, outer: OuterLoop::Rows });
                if !one_loop {
                    tilings.push(Self { chunk_rows, group_tiles, outer: OuterLoop::Cols });
                }
            }
        }
        tilings
    }

    pub fn n_chunks(&self, shape: GemmShape) -> usize {
        shape.m.div_ceil(self.chunk_rows)
    }

    pub fn n_groups(&self, geometry: &Geometry, shape: GemmShape) -> usize {
        shape.n.div_ceil(geometry.cols()).div_ceil(self.group_tiles)
    }
}

/// The fewest column tiles whose outputs fill whole bytes in a row.
pub(crate) fn aligned_group_tiles(config: &Config) -> usize {
    let tile_bits = config.geometry().cols() * config.numerics().output().bits() as usize;
    (1..8).find(|tiles| (tiles * tile_bits).is_multiple_of(8)).unwrap_or(8)
}

/// The most outputs (n) of a layer for which a tiling surely fits, whatever its m and k.
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
fn group_sizes(config: &Config, n_tiles: usize) -> Vec<usize> {
    let g = config.geometry();
    let aligned = aligned_group_tiles(config);
    let most = n_tiles.min(g.parameter_tiles() / 2).min(g.accumulator_rows());
    (1..=most)
        .filter(|&tiles| tiles == n_tiles || tiles.is_multiple_of(aligned))
        // All small groups, then powers of two and the greatest: the ones between differ little.
        .filter(|&tiles| tiles <= 8 || tiles == most || tiles.is_power_of_two())
        .collect()
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
