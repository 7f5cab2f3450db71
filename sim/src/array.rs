//! The values in the mesh and the accumulator. When they get there is decided in [`crate::execute`].

use crate::buffers::Buffers;
use golden::{Bounds, Channel, Psum, Requantizer, RowStream, WeightTile};
use spec::{Config, Execute};

/// Rows of a fold that are multiplied at once: they and their products stay in the first-level cache.
const CHUNK_ROWS: usize = 64;

/// The preloaded weights and both accumulator halves, psums in words of type `T`.
///
/// All rows of a fold are streamed into the accumulator when its first row is. In the hardware they follow one a cycle and arrive
/// later and column by column, but nothing writes them before the token that follows the last of them, and nothing reads the sums
/// before the token that follows the last column, so the values that are read are the same for every program that `spec`
/// accepts.
#[derive(Clone, Debug)]
pub struct Array<T> {
    config: Config,
    requantizer: Requantizer,
    shadow: Option<WeightTile<T>>,
    weights: Option<WeightTile<T>>,
    halves: [Vec<T>; 2],
    streamed: Vec<i32>,
    accumulator_rows: Vec<usize>,
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
            streamed: Vec::new(),
            accumulator_rows: Vec::new(),
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
        let Some(weights) = &self.weights else { return };
        let (rows, cols) = (self.config.geometry().rows(), self.config.geometry().cols());
        let pad = self.config.numerics().activation().decode(fold.walk.pad.into()) as i32;
        let step = usize::from(fold.accumulator_step);
        let mut overwrite = fold.overwrite;
        let mut places = fold.walk.places(fold.activation_row, rows).take(fold.rows.into());
        let mut accumulator_row = usize::from(fold.accumulator_row);
        let mut left = usize::from(fold.rows);
        while left > 0 {
            let n_rows = left.min(CHUNK_ROWS);
            left -= n_rows;
            self.streamed.clear();
            self.accumulator_rows.clear();
            for place in places.by_ref().take(n_rows) {
                if buffers.stream(place, pad, &mut self.streamed) {
                    self.accumulator_rows.push(accumulator_row);
                }
                accumulator_row += step;
            }
            let products = &mut self.products[..self.accumulator_rows.len() * cols];
            weights.multiply(&self.streamed, products);
            for (&row, products) in self.accumulator_rows.iter().zip(products.chunks_exact(cols)) {
                let half = &mut self.halves[usize::from(fold.half)];
                let Some(target) = half.get_mut(row * cols..(row + 1) * cols) else { continue };
                if overwrite {
                    target.copy_from_slice(products);
                    overwrite = step > 0;
                } else if fold.maximum {
                    let accumulator = self.config.numerics().accumulator();
                    for (target, &product) in target.iter_mut().zip(products) {
                        *target = target.greater(product, accumulator);
                    }
                } else {
                    for (target, &product) in target.iter_mut().zip(products) {
                        *target = target.add(product);
                    }
                }
            }
        }
    }

    /// Requantizes `out.len()` columns from `(row, col)` on, each the sum of as many terms as there are rows of that length in
    /// `channels`; the terms are in accumulator rows one after another.
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
