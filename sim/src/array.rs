//! The values in the mesh and the accumulator. When they get there is decided in [`crate::execute`].

use crate::buffers::Buffers;
use golden::{Bounds, Channel, Psum, Requantizer, RowStream, WeightTile};
use spec::{Config, Execute};

/// Rows of a fold that are multiplied at once: they and their products stay in the first-level cache.
const CHUNK_ROWS: usize = 64;

/// The preloaded weights and both accumulator halves, psums in words of type `T`.
///
/// All rows of a fold are streamed into the accumulator when its first row is. In the hardware they follow one a
/// cycle and arrive later and column by column, but nothing writes them before the token that follows the last of
/// them, and nothing reads the sums before the token that follows the last column, so the values that are read are
/// the same for every program that `spec` accepts.
#[derive(Clone, Debug)]
pub struct Array<T> {
    config: Config,
    requantizer: Requantizer,
    shadow: WeightTile<T>,
    weights: WeightTile<T>,
    halves: [Vec<T>; 2],
    /// Room for a chunk's rows with padding, and for its products.
    padded: Vec<u32>,
    products: Vec<T>,
}

impl<T: Psum> Array<T> {
    pub fn new(config: &Config) -> Self {
        let geometry = config.geometry();
        let (rows, cols) = (geometry.rows(), geometry.cols());
        let size = geometry.accumulator_rows() * cols;
        let weights = WeightTile::new(config.numerics(), rows, cols, &vec![0; rows * cols]);
        let weights = weights.expect("zeros are values of every format, and the machine chose the psums");
        Self {
            config: config.clone(),
            requantizer: Requantizer::new(config.numerics()),
            shadow: weights.clone(),
            weights,
            halves: [vec![T::default(); size], vec![T::default(); size]],
            padded: Vec::new(),
            products: vec![T::default(); CHUNK_ROWS * cols],
        }
    }

    /// A preload is complete: `weights` is R x C in row-major order.
    pub fn preload(&mut self, weights: &[i32]) {
        self.shadow.replace(weights).expect("the weight buffer holds R x C values of the weight format");
    }

    /// The shadow weights become the weights.
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.weights, &mut self.shadow);
    }

    /// Streams the rows of a fold into the accumulator.
    pub fn fold(&mut self, fold: &Execute, buffers: &Buffers) {
        let numerics = self.config.numerics();
        let pad = numerics.activation().decode(fold.walk.pad.into()) as u16;
        let pad = u32::from(pad) << 16 | u32::from(pad);
        let mut padded = std::mem::take(&mut self.padded);
        padded.resize(CHUNK_ROWS * buffers.row_pairs(), 0);
        let mut places = fold.walk.places(fold.activation_row, self.config.geometry().rows());
        for first in (0..usize::from(fold.rows)).step_by(CHUNK_ROWS) {
            let mut rows: [&[u32]; CHUNK_ROWS] = [&[]; CHUNK_ROWS];
            let n_rows = CHUNK_ROWS.min(usize::from(fold.rows) - first);
            let room = padded.chunks_exact_mut(buffers.row_pairs());
            for ((row, padded), place) in rows[..n_rows].iter_mut().zip(room).zip(places.by_ref()) {
                *row = buffers.stream(place, pad, padded);
            }
            self.stream(fold, first, &rows[..n_rows]);
        }
        self.padded = padded;
    }

    /// Streams a chunk of a fold's rows, of which `first` is the first.
    fn stream(&mut self, fold: &Execute, first: usize, rows: &[&[u32]]) {
        let cols = self.config.geometry().cols();
        let half = &mut self.halves[usize::from(fold.half)];
        let stride = usize::from(fold.accumulator_step) * cols;
        let from = usize::from(fold.accumulator_row) * cols + first * stride;
        let to = from + (rows.len() - 1) * stride + cols;
        if stride > 0 && !fold.maximum {
            if let Some(psums) = half.get_mut(from..to) {
                return self.weights.multiply_rows(rows, psums, stride, !fold.overwrite);
            }
        }
        // Rows that meet in one accumulator row, that are compared with it, or of which some are beyond the
        // accumulator.
        let accumulator = self.config.numerics().accumulator();
        let products = &mut self.products[..rows.len() * cols];
        self.weights.multiply_rows(rows, products, cols, false);
        for (index, products) in products.chunks_exact(cols).enumerate() {
            let from = from + index * stride;
            let Some(target) = half.get_mut(from..from + cols) else { continue };
            let overwrite = fold.overwrite && (stride > 0 || first + index == 0);
            for (target, &product) in target.iter_mut().zip(products) {
                *target = if overwrite {
                    product
                } else if fold.maximum {
                    target.greater(product, accumulator)
                } else {
                    target.add(product)
                };
            }
        }
    }

    /// Requantizes `out.len()` columns from `(row, col)` on, each the sum of as many terms as there are rows of that
    /// length in `channels`; the terms are in accumulator rows one after another.
    #[inline]
    pub fn requantize(
        &self,
        half: bool,
        (row, col): (usize, usize),
        channels: &[Channel],
        bounds: &Bounds,
        stream: RowStream<'_>,
        out: &mut [i32],
    ) {
        let (cols, lanes) = (self.config.geometry().cols(), out.len());
        let terms = channels.len() / lanes;
        let from = row * cols + col;
        match self.halves[usize::from(half)].get(from..from + (terms - 1) * cols + lanes) {
            Some(psums) => self.requantizer.requantize_rows(psums, cols, channels, bounds, stream, out),
            None => out.fill(0),
        }
    }
}
