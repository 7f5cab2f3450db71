//! Weights packed once, then multiplied by many activation rows.

use crate::error::{check_matrix, GoldenError};
use crate::psum::Psum;
use spec::{Format, Numerics};

mod pairs;

use pairs::{Kernel, Panel, PANEL_COLS, ROWS};

/// Pairs of terms handled between two trips to the psums: their panel stays in the first-level cache.
const MAX_CHUNK_PAIRS: usize = 256;

/// A `k x n` block of weights, packed for [`WeightTile::multiply_row`].
///
/// Two forms. Where both operand formats fit 16 bits, pairs of terms are multiplied and added in 32 bits (one instruction
/// for 16 terms with AVX2, found at run time; a portable loop otherwise), over as many terms as 32 bits hold exactly,
/// or over any number if the psums are 32 bits themselves. Where they do not, terms are added one by one in `T`.
#[derive(Clone, Debug)]
pub struct WeightTile<T> {
    k: usize,
    n: usize,
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
        check_matrix("weights", weights, k, n, numerics.weight())?;
        let form = match exact_pairs::<T>(numerics.activation(), numerics.weight()) {
            0 => Form::Terms { weights: weights.to_vec() },
            exact => {
                Form::Pairs { panels: pairs::pack(k, n, weights), chunk_pairs: exact.min(MAX_CHUNK_PAIRS), kernel }
            }
        };
        Ok(Self { k, n, form, psum: std::marker::PhantomData })
    }

    pub fn k(&self) -> usize {
        self.k
    }

    pub fn n(&self) -> usize {
        self.n
    }

    /// Overwrites `psums` with the `n` sums of products of one activation row of `k` elements.
    ///
    /// Each psum is the exact sum modulo 2^[`Psum::BITS`]; [`Psum::read`] brings it into the accumulator format.
    /// Activations outside the configuration's format give an unspecified result.
    ///
    /// ```
    /// let config = spec::Config::named("default").expect("it ships with Systole");
    /// let tile = golden::WeightTile::<i32>::new(config.numerics(), 2, 3, &[1, 2, 3, 10, 20, 30]).expect("it fits");
    /// let mut psums = [0; 3];
    /// tile.multiply_row(&[-1, 2], &mut psums);
    /// assert_eq!(psums, [19, 38, 57]);
    /// ```
    ///
    /// # Panics
    /// If `activations` has not `k` or `psums` not `n` elements.
    #[inline]
    pub fn multiply_row(&self, activations: &[i32], psums: &mut [T]) {
        assert_eq!((activations.len(), psums.len()), (self.k, self.n), "(k, n) of the row and of the tile differ");
        match &self.form {
            Form::Pairs { panels, chunk_pairs, kernel } => {
                let k_pairs = self.k.div_ceil(2);
                if k_pairs <= *chunk_pairs {
                    kernel.row(panels, k_pairs, activations, psums);
                } else {
                    self.multiply_pairs(panels, *chunk_pairs, *kernel, activations, psums);
                }
            }
            Form::Terms { weights } => self.multiply_terms(weights, activations, psums),
        }
    }

    /// Overwrites `psums` (`m x n`) with the product of `activations` (`m x k`) and the tile.
    ///
    /// # Panics
    /// If `activations` is not a whole number of rows, or `psums` has another number of rows.
    pub fn multiply(&self, activations: &[i32], psums: &mut [T]) {
        let m = activations.len() / self.k;
        assert_eq!((activations.len(), psums.len()), (m * self.k, m * self.n), "(m k, m n) do not fit the tile");
        match &self.form {
            Form::Pairs { panels, chunk_pairs, kernel } => {
                self.multiply_pairs(panels, *chunk_pairs, *kernel, activations, psums);
            }
            Form::Terms { weights } => self.multiply_terms(weights, activations, psums),
        }
    }

    fn multiply_terms(&self, weights: &[i32], activations: &[i32], psums: &mut [T]) {
        for (activations, psums) in activations.chunks_exact(self.k).zip(psums.chunks_exact_mut(self.n)) {
            psums.fill(T::default());
            for (&activation, weights) in activations.iter().zip(weights.chunks_exact(self.n)) {
                for (psum, &weight) in psums.iter_mut().zip(weights) {
                    *psum = psum.add_product(activation, weight);
                }
            }
        }
    }

    /// Chunks of terms, then panels of columns, then blocks of rows: a chunk's part of a panel is reused by every row.
    fn multiply_pairs(
        &self,
        panels: &[Panel],
        chunk_pairs: usize,
        kernel: Kernel,
        activations: &[i32],
        psums: &mut [T],
    ) {
        let k_pairs = self.k.div_ceil(2);
        let m = activations.len() / self.k;
        let mut packed = vec![0; m.next_multiple_of(ROWS) * chunk_pairs.min(k_pairs)];
        for start in (0..k_pairs).step_by(chunk_pairs) {
            let len = chunk_pairs.min(k_pairs - start);
            // A last block of fewer rows is multiplied in full; its surplus rows are stale and never read.
            for (row, packed) in activations.chunks_exact(self.k).zip(packed.chunks_exact_mut(len)) {
                pairs::pair_up(&row[2 * start..self.k.min(2 * (start + len))], packed);
            }
            for (panel_idx, panel) in panels.chunks_exact(k_pairs).enumerate() {
                let first_col = panel_idx * PANEL_COLS;
                let cols = PANEL_COLS.min(self.n - first_col);
                for (block_idx, block) in packed.chunks_exact(ROWS * len).enumerate().take(m.div_ceil(ROWS)) {
                    let sums = kernel.block(&panel[start..start + len], block);
                    for (row, sums) in (block_idx * ROWS..m).zip(&sums) {
                        let at = row * self.n + first_col;
                        let psums = &mut psums[at..at + cols];
                        if start == 0 {
                            pairs::store(sums, psums);
                            continue;
                        }
                        for (psum, &sum) in psums.iter_mut().zip(sums) {
                            *psum = psum.add(T::from_wide(sum.into()));
                        }
                    }
                }
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
