//! Products of row-major matrices in f64, summed in the order of the inner index.

/// a b, of m x k and k x n.
pub(crate) fn product(a: &[f64], b: &[f64], k: usize, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; a.len() / k * n];
    for (row, sums) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
        for (&x, other) in row.iter().zip(b.chunks_exact(n)).filter(|(&x, _)| x != 0.0) {
            sums.iter_mut().zip(other).for_each(|(sum, y)| *sum += x * y);
        }
    }
    out
}

/// a^T b, of m x k and m x n.
pub(crate) fn left_transposed(a: &[f64], b: &[f64], k: usize, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; k * n];
    for (row, other) in a.chunks_exact(k).zip(b.chunks_exact(n)) {
        for (&x, sums) in row.iter().zip(out.chunks_exact_mut(n)).filter(|(&x, _)| x != 0.0) {
            sums.iter_mut().zip(other).for_each(|(sum, y)| *sum += x * y);
        }
    }
    out
}

/// a b^T, of m x n and k x n.
pub(crate) fn right_transposed(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let dot = |row: &[f64], other: &[f64]| row.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
    a.chunks_exact(n).flat_map(|row| b.chunks_exact(n).map(move |other| dot(row, other))).collect()
}

pub(crate) fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| x.into()).collect()
}

pub(crate) fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}
