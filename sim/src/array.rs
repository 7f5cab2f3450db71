//! The values in the mesh and the accumulator. When they get there is decided in [`crate::execute`].

use golden::{Bounds, Channel, Psum, Requantizer, RowStream, WeightTile};
use spec::Config;

/// The preloaded weights and both accumulator halves, psums in words of type `T`.
///
/// A row's psums are added to the accumulator when the row is read from the activation buffer. In the hardware they
/// arrive later and column by column, but nothing reads them before the token that follows the last column, so the
/// values that are read are the same for every program that `spec` accepts.
#[derive(Clone, Debug)]
pub struct Array<T> {
    config: Config,
    requantizer: Requantizer,
    shadow: Option<WeightTile<T>>,
    weights: Option<WeightTile<T>>,
    halves: [Vec<T>; 2],
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
            products: vec![T::default(); config.geometry().cols()],
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

    /// Streams one activation row of R values into an accumulator row.
    #[inline]
    pub fn stream(&mut self, activations: &[i32], half: bool, row: usize, overwrite: bool) {
        let Some(weights) = &self.weights else { return };
        let cols = self.products.len();
        let Some(target) = self.halves[usize::from(half)].get_mut(row * cols..(row + 1) * cols) else { return };
        if overwrite {
            weights.multiply_row(activations, target);
        } else {
            weights.multiply_row(activations, &mut self.products);
            for (target, &product) in target.iter_mut().zip(&self.products) {
                *target = target.add(product);
            }
        }
    }

    /// Requantizes `channels.len()` columns of an accumulator row from `(row, col)` on.
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
        let from = row * self.products.len() + col;
        match self.halves[usize::from(half)].get(from..from + channels.len()) {
            Some(psums) => self.requantizer.requantize_row(psums, channels, bounds, stream, out),
            None => out.fill(0),
        }
    }
}
