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
    shadow: Option<WeightTile<T>>,
    weights: Option<WeightTile<T>>,
    halves: [Vec<T>; 2],
    /// A chunk of streamed rows, which of the fold's rows they are, and their products.
    streamed: Vec<i32>,
    indices: Vec<usize>,
    products: Vec<T>,
}

impl<T: Psum> Array<T> {
    pub fn new(config: &Config) -> Self {
        let size = config.geometry().accumulator_rows() * config.geometry().cols();
        Self {
            config: config.clone(),
            requantizer: Requantizer::new(config.numerics()),
            shadow: None,
            weights: None,
            halves: [vec![T::default(); size], vec![T::default(); size]],
            streamed: vec![0; CHUNK_ROWS * config.geometry().rows()],
            indices: Vec::new(),
            products: vec![T::default(); CHUNK_ROWS * config.geometry().cols()],
        }
    }

    /// A preload is complete: `weights` is R x C in row-major order.
    pub fn preload(&mut self, weights: &[i32]) {
        let geometry = self.config.geometry();
        let tile = WeightTile::new(self.config.numerics(), geometry.rows(), geometry.cols(), weights);
        self.shadow = Some(tile.expect("the weight buffer holds R x C values of the weight format"));
    }

    /// The shadow weights become the weights.
    pub fn swap(&mut self) {
        self.weights = self.shadow.take();
    }

    /// Streams the rows of a fold into the accumulator.
    pub fn fold(&mut self, fold: &Execute, buffers: &Buffers) {
        let (rows, cols) = (self.config.geometry().rows(), self.config.geometry().cols());
        let pad = self.config.numerics().activation().decode(fold.walk.pad.into()) as i32;
        if let Some(streamed) = buffers.stream_linear(fold) {
            for (chunk, streamed) in streamed.chunks(CHUNK_ROWS * rows).enumerate() {
                let (n_rows, Some(weights)) = (streamed.len() / rows, &self.weights) else { return };
                weights.multiply(streamed, &mut self.products[..n_rows * cols]);
                self.indices.clear();
                self.indices.extend((chunk * CHUNK_ROWS..).take(n_rows));
                self.accumulate(fold);
            }
            return;
        }
        let mut places = fold.walk.places(fold.activation_row, rows);
        for first in (0..usize::from(fold.rows)).step_by(CHUNK_ROWS) {
            let indices = first..usize::from(fold.rows).min(first + CHUNK_ROWS);
            self.indices.clear();
            for (index, place) in indices.zip(places.by_ref()) {
                let at = self.indices.len() * rows;
                if buffers.stream(place, pad, &mut self.streamed[at..at + rows]) {
                    self.indices.push(index);
                }
            }
            let (n_rows, Some(weights)) = (self.indices.len(), &self.weights) else { return };
            weights.multiply(&self.streamed[..n_rows * rows], &mut self.products[..n_rows * cols]);
            self.accumulate(fold);
        }
    }

    /// Brings the products of a chunk of rows into the accumulator.
    fn accumulate(&mut self, fold: &Execute) {
        let cols = self.config.geometry().cols();
        let accumulator = self.config.numerics().accumulator();
        let step = usize::from(fold.accumulator_step);
        let half = &mut self.halves[usize::from(fold.half)];
        let combine = |target: &mut [T], products: &[T], overwrite: bool| {
            let pairs = target.iter_mut().zip(products);
            if overwrite {
                pairs.for_each(|(target, &product)| *target = product);
            } else if fold.maximum {
                pairs.for_each(|(target, &product)| *target = target.greater(product, accumulator));
            } else {
                pairs.for_each(|(target, &product)| *target = target.add(product));
            }
        };
        let (Some(&first), n_rows) = (self.indices.first(), self.indices.len()) else { return };
        let products = &self.products[..n_rows * cols];
        let from = (usize::from(fold.accumulator_row) + first) * cols;
        // Rows one after another are one long row.
        if step == 1 && self.indices.last() == Some(&(first + n_rows - 1)) {
            if let Some(target) = half.get_mut(from..from + products.len()) {
                return combine(target, products, fold.overwrite);
            }
        }
        for (&index, products) in self.indices.iter().zip(products.chunks_exact(cols)) {
            let from = (usize::from(fold.accumulator_row) + index * step) * cols;
            if let Some(target) = half.get_mut(from..from + cols) {
                combine(target, products, fold.overwrite && (step > 0 || index == 0));
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
