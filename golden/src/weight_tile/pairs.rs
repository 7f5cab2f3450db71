//! Pairs of 16-bit terms, multiplied and added in 32 bits: the packed layout and its two kernels.

use crate::psum::Psum;

/// Columns of a panel: two registers of eight 32-bit sums.
pub const PANEL_COLS: usize = 16;
/// Activation rows that [`Kernel::block`] multiplies at once.
pub const ROWS: usize = 4;

/// One pair of weight rows, [`PANEL_COLS`] columns: element 2 c + i is row i of column c.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Panel(pub [i16; 2 * PANEL_COLS]);

/// The sums of one panel.
type Sums = [i32; PANEL_COLS];

/// Packs row-major weights panel after panel, each as `ceil(k / 2)` pairs of rows; missing rows and columns are 0.
///
/// The caller has checked that every weight fits 16 bits.
pub fn pack(k: usize, n: usize, weights: &[i32]) -> Vec<Panel> {
    let k_pairs = k.div_ceil(2);
    let mut panels = vec![Panel([0; 2 * PANEL_COLS]); k_pairs * n.div_ceil(PANEL_COLS)];
    for (row, weights) in weights.chunks_exact(n).enumerate() {
        for (panel_idx, weights) in weights.chunks(PANEL_COLS).enumerate() {
            let panel = &mut panels[panel_idx * k_pairs + row / 2].0;
            for (pair, &weight) in panel.chunks_exact_mut(2).zip(weights) {
                pair[row % 2] = weight as i16;
            }
        }
    }
    panels
}

/// Packs neighbours of an activation row into words, the first in the low half; an odd last one is paired with 0.
pub fn pair_up(activations: &[i32], pairs: &mut [u32]) {
    let halves = activations.chunks_exact(2);
    if let [last] = *halves.remainder() {
        pairs[activations.len() / 2] = pair_of(last, 0);
    }
    for (pair, halves) in pairs.iter_mut().zip(halves) {
        *pair = pair_of(halves[0], halves[1]);
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

    /// Overwrites `psums` with the sums of one activation row with every panel of `k_pairs` pairs.
    #[inline]
    pub fn row<T: Psum>(self, panels: &[Panel], k_pairs: usize, activations: &[i32], psums: &mut [T]) {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            // SAFETY: `avx2` is set only where the processor was seen to have it.
            return unsafe { avx2::row(panels, k_pairs, activations, psums) };
        }
        let mut pairs = vec![0; k_pairs];
        pair_up(activations, &mut pairs);
        for (panel, psums) in panels.chunks_exact(k_pairs).zip(psums.chunks_mut(PANEL_COLS)) {
            let [sums] = block_portable(panel, &pairs);
            store(&sums, psums);
        }
    }

    /// The sums of [`ROWS`] packed activation rows, one after another in `pairs`, with one panel of as many pairs.
    pub fn block(self, panel: &[Panel], pairs: &[u32]) -> [Sums; ROWS] {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            // SAFETY: as above.
            return unsafe { avx2::block(panel, pairs) };
        }
        block_portable(panel, pairs)
    }
}

/// Overwrites up to [`PANEL_COLS`] psums.
#[inline(always)]
pub fn store<T: Psum>(sums: &Sums, psums: &mut [T]) {
    // A full panel has a length known to the compiler.
    if let Ok(full) = <&mut [T; PANEL_COLS]>::try_from(&mut *psums) {
        *full = sums.map(|sum| T::from_wide(sum.into()));
    } else {
        for (psum, &sum) in psums.iter_mut().zip(sums) {
            *psum = T::from_wide(sum.into());
        }
    }
}

#[inline(always)]
fn block_portable<const N: usize>(panel: &[Panel], pairs: &[u32]) -> [Sums; N] {
    let mut sums = [[0_i32; PANEL_COLS]; N];
    for (t, weights) in panel.iter().enumerate() {
        for (row, sums) in sums.iter_mut().enumerate() {
            let pair = pairs[row * panel.len() + t];
            let (low, high) = (i32::from(pair as i16), i32::from((pair >> 16) as i16));
            for (sum, weights) in sums.iter_mut().zip(weights.0.chunks_exact(2)) {
                // Only four products of -2^15 and -2^15 meet the wrap, and then it is modulo 2^32 as promised.
                let pair = (low * i32::from(weights[0])).wrapping_add(high * i32::from(weights[1]));
                *sum = sum.wrapping_add(pair);
            }
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{pair_of, store, Panel, Psum, Sums, PANEL_COLS, ROWS};
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_load_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
        _mm256_storeu_si256,
    };

    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn row<T: Psum>(panels: &[Panel], k_pairs: usize, activations: &[i32], psums: &mut [T]) {
        assert!(activations.len().div_ceil(2) == k_pairs, "a panel's pairs and the row's pairs differ");
        // SAFETY: this function's own condition, and the row was checked above.
        unsafe {
            if psums.len() <= PANEL_COLS {
                group::<T, 1>(panels, k_pairs, activations, psums);
            } else {
                groups(panels, k_pairs, activations, psums);
            }
        }
    }

    /// Apart from [`row`] so that a row of one panel does not pay for its registers.
    ///
    /// # Safety
    /// As for [`group`].
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    unsafe fn groups<T: Psum>(mut panels: &[Panel], k_pairs: usize, activations: &[i32], mut psums: &mut [T]) {
        while !psums.is_empty() {
            // SAFETY: this function's own condition.
            let done = unsafe {
                match psums.len().div_ceil(PANEL_COLS) {
                    0 | 1 => group::<T, 1>(panels, k_pairs, activations, psums),
                    2 | 3 => group::<T, 2>(panels, k_pairs, activations, psums),
                    _ => group::<T, 4>(panels, k_pairs, activations, psums),
                }
            };
            panels = &panels[done * k_pairs..];
            let done = psums.len().min(done * PANEL_COLS);
            psums = &mut psums[done..];
        }
    }

    /// One row through the first `P` panels, whose sums stay in registers; returns `P`.
    ///
    /// # Safety
    /// The processor has AVX2, and `activations` has `2 * k_pairs` elements or one fewer.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn group<T: Psum, const P: usize>(
        panels: &[Panel],
        k_pairs: usize,
        activations: &[i32],
        psums: &mut [T],
    ) -> usize {
        let panels = &panels[..P * k_pairs];
        let mut sums = [[_mm256_setzero_si256(); 2]; P];
        let mut step = |t: usize, pair: u32| {
            let pair = _mm256_set1_epi32(pair as i32);
            for (panel, sums) in sums.iter_mut().enumerate() {
                // SAFETY: panel < P and t < k_pairs.
                *sums = unsafe { madd(*sums, pair, panels.get_unchecked(panel * k_pairs + t)) };
            }
        };
        for t in 0..activations.len() / 2 {
            // SAFETY: 2 t + 1 < activations.len().
            let pair = unsafe { pair_of(*activations.get_unchecked(2 * t), *activations.get_unchecked(2 * t + 1)) };
            step(t, pair);
        }
        if activations.len() % 2 == 1 {
            step(k_pairs - 1, pair_of(activations[activations.len() - 1], 0));
        }
        for (sums, psums) in sums.into_iter().zip(psums.chunks_mut(PANEL_COLS)) {
            // SAFETY: the processor has AVX2.
            store(&unsafe { lanes(sums) }, psums);
        }
        P
    }

    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn block(panel: &[Panel], pairs: &[u32]) -> [Sums; ROWS] {
        // SAFETY: this function's own condition.
        unsafe { rows::<ROWS>(panel, pairs) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn rows<const N: usize>(panel: &[Panel], pairs: &[u32]) -> [Sums; N] {
        let len = panel.len();
        assert!(pairs.len() == N * len, "a panel's pairs and the rows' pairs differ");
        let mut sums = [[_mm256_setzero_si256(); 2]; N];
        for (t, weights) in panel.iter().enumerate() {
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: row < N and t < len, and pairs has N * len elements.
                let pair = _mm256_set1_epi32(unsafe { *pairs.get_unchecked(row * len + t) } as i32);
                // SAFETY: the processor has AVX2.
                *sums = unsafe { madd(*sums, pair, weights) };
            }
        }
        // SAFETY: the processor has AVX2.
        sums.map(|sums| unsafe { lanes(sums) })
    }

    /// # Safety
    /// The processor has AVX2.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn madd(sums: [__m256i; 2], pair: __m256i, weights: &Panel) -> [__m256i; 2] {
        let at: *const __m256i = weights.0.as_ptr().cast();
        // SAFETY: a panel is 64 bytes, aligned to 64.
        let weights = unsafe { [_mm256_load_si256(at), _mm256_load_si256(at.add(1))] };
        [
            _mm256_add_epi32(sums[0], _mm256_madd_epi16(pair, weights[0])),
            _mm256_add_epi32(sums[1], _mm256_madd_epi16(pair, weights[1])),
        ]
    }

    /// # Safety
    /// The processor has AVX2.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn lanes(sums: [__m256i; 2]) -> Sums {
        let mut lanes = [0_i32; PANEL_COLS];
        let at: *mut __m256i = lanes.as_mut_ptr().cast();
        // SAFETY: two registers of eight words.
        unsafe {
            _mm256_storeu_si256(at, sums[0]);
            _mm256_storeu_si256(at.add(1), sums[1]);
        }
        lanes
    }
}
