//! Pairs of 16-bit terms, multiplied and added in 32 bits: the packed layout and its two kernels.

use crate::psum::Psum;

/// Columns of a panel: two registers of eight 32-bit sums.
pub const PANEL_COLS: usize = 16;
/// Activation rows whose sums are in registers at once.
const ROWS: usize = 4;

/// One pair of weight rows, [`PANEL_COLS`] columns: the low half of a word is the first row's weight.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Panel([u32; PANEL_COLS]);

/// The sums of one panel.
type Sums = [i32; PANEL_COLS];

/// Where the sums of a panel go: row i to `cols` psums from `i * stride + first_col` on, which they overwrite unless `add`.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub first_col: usize,
    pub cols: usize,
    pub stride: usize,
    pub add: bool,
}

/// Packs row-major weights of `n` columns panel after panel, each as pairs of rows; missing rows and columns are 0.
///
/// The caller has checked that every weight fits 16 bits.
pub fn pack(n: usize, weights: &[i32], panels: &mut Vec<Panel>) {
    let k_pairs = (weights.len() / n).div_ceil(2);
    panels.resize(k_pairs * n.div_ceil(PANEL_COLS), Panel([0; PANEL_COLS]));
    for (pair_idx, rows) in weights.chunks(2 * n).enumerate() {
        let (first, second) = rows.split_at(n);
        for (panel_idx, low) in first.chunks(PANEL_COLS).enumerate() {
            let panel = &mut panels[panel_idx * k_pairs + pair_idx].0;
            let from = panel_idx * PANEL_COLS;
            // The last of an odd number of rows has none beside it.
            match second.get(from..from + low.len()) {
                Some(high) => {
                    for ((pair, &low), &high) in panel.iter_mut().zip(low).zip(high) {
                        *pair = pair_of(low, high);
                    }
                }
                None => panel.iter_mut().zip(low).for_each(|(pair, &low)| *pair = pair_of(low, 0)),
            }
        }
    }
}

/// Packs a row of activations of at most 16 bits for [`WeightTile::multiply_rows`](super::WeightTile::multiply_rows):
/// neighbours share a word, the first in its low half; an odd last one is paired with 0.
///
/// ```
/// let mut pairs = [0; 2];
/// golden::pair_up(&[1, -1, 2], &mut pairs);
/// assert_eq!(pairs, [0xffff_0001, 2]);
/// ```
///
/// # Panics
/// If there are fewer pairs than the row needs.
pub fn pair_up(activations: &[i32], pairs: &mut [u32]) {
    let (halves, rest) = activations.as_chunks::<2>();
    if let [last] = *rest {
        pairs[halves.len()] = pair_of(last, 0);
    }
    for (pair, &[low, high]) in pairs[..halves.len()].iter_mut().zip(halves) {
        *pair = pair_of(low, high);
    }
}

#[inline(always)]
fn pair_of(low: i32, high: i32) -> u32 {
    (low as u32 & 0xffff) | ((high as u32) << 16)
}

/// Which instructions do the work; both give the same sums modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Only [`Kernel::detect`] sets it, so it implies that the processor has AVX2.
    avx2: bool,
}

impl Kernel {
    pub fn portable() -> Self {
        Self { avx2: false }
    }

    /// The fastest kernel that this processor runs.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Self { avx2: true };
        }
        Self::portable()
    }

    /// The sums of each row's pairs from `first_pair` on with the pairs of a panel.
    #[inline]
    pub fn multiply<T: Psum>(self, panel: &[Panel], rows: &[&[u32]], first_pair: usize, psums: &mut [T], place: Place) {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            // SAFETY: `avx2` is set only where the processor was seen to have it.
            return unsafe { avx2::multiply(panel, rows, first_pair, psums, place) };
        }
        for (row, pairs) in rows.iter().enumerate() {
            store(&sums_portable(panel, &pairs[first_pair..]), row, psums, place);
        }
    }
}

/// Brings the sums of a row to their place.
#[inline(always)]
fn store<T: Psum>(sums: &Sums, row: usize, psums: &mut [T], place: Place) {
    let from = row * place.stride + place.first_col;
    let psums = &mut psums[from..from + place.cols];
    let combine = |psum: &mut T, sum: i32| {
        let sum = T::from_wide(sum.into());
        *psum = if place.add { psum.add(sum) } else { sum };
    };
    // A full panel has a length known to the compiler.
    if let Ok(full) = <&mut [T; PANEL_COLS]>::try_from(&mut *psums) {
        full.iter_mut().zip(sums).for_each(|(psum, &sum)| combine(psum, sum));
    } else {
        psums.iter_mut().zip(sums).for_each(|(psum, &sum)| combine(psum, sum));
    }
}

fn sums_portable(panel: &[Panel], pairs: &[u32]) -> Sums {
    let halves = |pair: u32| [pair as i16, (pair >> 16) as i16].map(i32::from);
    let mut sums = [0_i32; PANEL_COLS];
    for (weights, &pair) in panel.iter().zip(&pairs[..panel.len()]) {
        let [low, high] = halves(pair);
        for (sum, &weights) in sums.iter_mut().zip(&weights.0) {
            let weights = halves(weights);
            // Only four products of -2^15 and -2^15 meet the wrap, and then it is modulo 2^32 as promised.
            *sum = sum.wrapping_add((low * weights[0]).wrapping_add(high * weights[1]));
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{store, Panel, Place, Psum, Sums, PANEL_COLS, ROWS};
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_load_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
        _mm256_storeu_si256,
    };

    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn multiply<T: Psum>(
        panel: &[Panel],
        rows: &[&[u32]],
        first_pair: usize,
        psums: &mut [T],
        place: Place,
    ) {
        let (blocks, rest) = rows.as_chunks::<ROWS>();
        for (block_idx, block) in blocks.iter().enumerate() {
            // SAFETY: this function's own condition.
            let sums = unsafe { sums(panel, block, first_pair) };
            for (row, sums) in sums.iter().enumerate() {
                store(sums, block_idx * ROWS + row, psums, place);
            }
        }
        for (row, &pairs) in rest.iter().enumerate() {
            // SAFETY: this function's own condition.
            let [sums] = unsafe { sums(panel, &[pairs], first_pair) };
            store(&sums, blocks.len() * ROWS + row, psums, place);
        }
    }

    /// # Safety
    /// The processor has AVX2.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn sums<const N: usize>(panel: &[Panel], rows: &[&[u32]; N], first_pair: usize) -> [Sums; N] {
        for row in rows {
            assert!(row.len() >= first_pair + panel.len(), "a row has fewer pairs than the tile");
        }
        let mut sums = [[_mm256_setzero_si256(); 2]; N];
        for (t, weights) in panel.iter().enumerate() {
            let at: *const __m256i = weights.0.as_ptr().cast();
            // SAFETY: a panel is 64 bytes, aligned to 64.
            let weights = unsafe { [_mm256_load_si256(at), _mm256_load_si256(at.add(1))] };
            for (row, sums) in rows.iter().zip(&mut sums) {
                // SAFETY: from its first pair on, a row has as many pairs as the panel.
                let pair = _mm256_set1_epi32(unsafe { *row.get_unchecked(first_pair + t) } as i32);
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pair, weights));
                }
            }
        }
        // Loops where `map` would be shorter: what is called with a closure is compiled without AVX2.
        let mut lanes = [[0_i32; PANEL_COLS]; N];
        for (lanes, sums) in lanes.iter_mut().zip(sums) {
            for (lanes, sums) in lanes.chunks_exact_mut(8).zip(sums) {
                // SAFETY: eight words.
                unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sums) };
            }
        }
        lanes
    }
}
