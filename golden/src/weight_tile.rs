//! Weights packed once, then multiplied by many activation rows.

use crate::error::{check_matrix, GoldenError};
use crate::psum::Psum;
use spec::{Format, Numerics};

mod pairs;

use pairs::{Kernel, Panel, Place, PANEL_COLS};

pub use pairs::pair_up;

/// Pairs of terms handled between two trips to the psums: their panel stays in the first-level cache.
const MAX_CHUNK_PAIRS: usize = 256;

/// Activation rows that are paired up at once: they stay in the second-level cache for all panels.
const BLOCK_ROWS: usize = 128;

/// A `k x n` block of weights, packed for [`WeightTile::multiply`].
///
/// Two forms. Where both operand formats fit 16 bits, pairs of terms are multiplied and added in 32 bits (one instruction
/// for 16 terms with AVX2, found at run time; a portable loop otherwise), over as many terms as 32 bits hold exactly,
/// or over any number if the psums are 32 bits themselves. Where they do not, terms are added one by one in `T`.
#[derive(Clone, Debug)]
pub struct WeightTile<T> {
    k: usize,
    n: usize,
    activation: Format,
    weight: Format,
    form: Form,
    psum: std::marker::PhantomData<T>,
}

#[derive(Clone, Debug)]
enum Form {
    Pairs { panels: Vec<Panel>, chunk_pairs: usize, kernel: Kernel },
    Terms { weights: Vec<i32> },
}

impl<T: Psum> WeightTile<T> {
    /// Packs row-major weights. Zero rows and columns may pad the tile to a mesh; `max_k` is not a limit here.
    pub fn new(numerics: &Numerics, k: usize, n: usize, weights: &[i32]) -> Result<Self, GoldenError> {
        Self::with_kernel(numerics, k, n, weights, Kernel::detect())
    }

    fn with_kernel(
        numerics: &Numerics,
        k: usize,
        n: usize,
        weights: &[i32],
        kernel: Kernel,
    ) -> Result<Self, GoldenError> {
        T::check(numerics)?;
        for (dimension, value) in [("k", k), ("n", n)] {
            if value == 0 {
                return Err(GoldenError::Empty { dimension });
            }
        }
        let (activation, weight) = (numerics.activation(), numerics.weight());
        let form = match exact_pairs::<T>(activation, weight) {
            0 => Form::Terms { weights: Vec::new() },
            exact => Form::Pairs { panels: Vec::new(), chunk_pairs: exact.min(MAX_CHUNK_PAIRS), kernel },
        };
        let mut tile = Self { k, n, activation, weight, form, psum: std::marker::PhantomData };
        tile.replace(weights)?;
        Ok(tile)
    }

    /// Packs other weights of the same dimensions in the place of the old ones.
    ///
    /// ```
    /// let config = spec::Config::named("default").expect("it ships with Systole");
    /// let mut tile = golden::WeightTile::<i32>::new(config.numerics(), 2, 1, &[1, 2]).expect("it fits");
    /// tile.replace(&[3, 4]).expect("it fits");
    /// let mut psums = [0];
    /// tile.multiply(&[10, 1], &mut psums);
    /// assert_eq!(psums, [34]);
    /// ```
    pub fn replace(&mut self, weights: &[i32]) -> Result<(), GoldenError> {
        check_matrix("weights", weights, self.k, self.n, self.weight)?;
        match &mut self.form {
            Form::Pairs { panels, .. } => pairs::pack(self.n, weights, panels),
            Form::Terms { weights: old } => {
                old.clear();
                old.extend_from_slice(weights);
            }
        }
        Ok(())
    }

    pub fn k(&self) -> usize {
        self.k
    }

    pub fn n(&self) -> usize {
        self.n
    }

    /// Overwrites `psums` (`m x n`) with the product of `activations` (`m x k`) and the tile.
    ///
    /// Each psum is the exact sum modulo 2^[`Psum::BITS`]; [`Psum::read`] brings it into the accumulator format.
    /// Activations outside the configuration's format give an unspecified result.
    ///
    /// ```
    /// let config = spec::Config::named("default").expect("it ships with Systole");
    /// let tile = golden::WeightTile::<i32>::new(config.numerics(), 2, 3, &[1, 2, 3, 10, 20, 30]).expect("it fits");
    /// let mut psums = [0; 3];
    /// tile.multiply(&[-1, 2], &mut psums);
    /// assert_eq!(psums, [19, 38, 57]);
    /// ```
    ///
    /// # Panics
    /// If `activations` is not a whole number of rows, or `psums` has another number of rows.
    pub fn multiply(&self, activations: &[i32], psums: &mut [T]) {
        let m = activations.len() / self.k;
        assert_eq!((activations.len(), psums.len()), (m * self.k, m * self.n), "(m k, m n) do not fit the tile");
        let k_pairs = self.k.div_ceil(2);
        let mut pairs = vec![0; m.min(BLOCK_ROWS) * k_pairs];
        let blocks = activations.chunks(BLOCK_ROWS * self.k).zip(psums.chunks_mut(BLOCK_ROWS * self.n));
        for (activations, psums) in blocks {
            let rows = activations.chunks_exact(self.k).zip(pairs.chunks_exact_mut(k_pairs));
            let rows: Vec<&[u32]> = rows
                .map(|(row, pairs)| {
                    pair_up(row, pairs);
                    &*pairs
                })
                .collect();
            self.multiply_rows(&rows, psums, self.n, false);
        }
    }

    /// The product of rows of activations that [`pair_up`] packed, with the tile: its row i overwrites the `n` psums from
    /// `i * stride` on, or with `add` is added to them.
    ///
    /// ```
    /// let config = spec::Config::named("default").expect("it ships with Systole");
    /// let tile = golden::WeightTile::<i32>::new(config.numerics(), 3, 1, &[1, 2, 3]).expect("it fits");
    /// let (mut row, mut psums) = ([0; 2], [100, 200, 300]);
    /// golden::pair_up(&[10, 20, -1], &mut row);
    /// tile.multiply_rows(&[&row, &row], &mut psums, 2, true);
    /// assert_eq!(psums, [147, 200, 347]);
    /// ```
    ///
    /// # Panics
    /// If a row has fewer than `ceil(k / 2)` pairs, `stride` is less than `n`, or `psums` ends before the last row does.
    pub fn multiply_rows(&self, rows: &[&[u32]], psums: &mut [T], stride: usize, add: bool) {
        assert!(stride >= self.n, "rows of {} psums overlap at a stride of {stride}", self.n);
        match &self.form {
            Form::Pairs { panels, chunk_pairs, kernel } => {
                // Chunks of terms, then panels of columns, then rows: a chunk's part of a panel is reused by every row.
                let k_pairs = self.k.div_ceil(2);
                for first_pair in (0..k_pairs).step_by(*chunk_pairs) {
                    let len = k_pairs.min(first_pair + chunk_pairs) - first_pair;
                    for (panel_idx, panel) in panels.chunks_exact(k_pairs).enumerate() {
                        let first_col = panel_idx * PANEL_COLS;
                        let cols = PANEL_COLS.min(self.n - first_col);
                        let place = Place { first_col, cols, stride, add: add || first_pair > 0 };
                        kernel.multiply(&panel[first_pair..first_pair + len], rows, first_pair, psums, place);
                    }
                }
            }
            Form::Terms { weights } => {
                for (i, row) in rows.iter().enumerate() {
                    let psums = &mut psums[i * stride..i * stride + self.n];
                    if !add {
                        psums.fill(T::default());
                    }
                    self.add_terms(weights, row, psums);
                }
            }
        }
    }

    fn add_terms(&self, weights: &[i32], row: &[u32], psums: &mut [T]) {
        for (t, weights) in weights.chunks_exact(self.n).enumerate() {
            // A format of at most 16 bits.
            let activation = self.activation.decode((row[t / 2] >> (16 * (t % 2))).into()) as i32;
            for (psum, &weight) in psums.iter_mut().zip(weights) {
                *psum = psum.add_product(activation, weight);
            }
        }
    }
}

/// How many pairs of products 32 bits sum without loss for `T`; 0 if the operands do not fit 16 bits.
fn exact_pairs<T: Psum>(activation: Format, weight: Format) -> usize {
    let half_word = Format::new(16, true);
    let fits = |format: Format| half_word.contains(format.min()) && half_word.contains(format.max());
    if !fits(activation) || !fits(weight) {
        return 0;
    }
    if T::BITS <= i32::BITS {
        // Sums modulo 2^32 are all that T holds.
        return usize::MAX;
    }
    let magnitude = |format: Format| format.max().max(-format.min());
    let pair = 2 * magnitude(activation) * magnitude(weight);
    // Both magnitudes are at most 2^15, so the quotient is small and not negative.
    (i64::from(i32::MAX) / pair) as usize
}

#[cfg(test)]
mod tests;
