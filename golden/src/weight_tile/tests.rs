use super::*;
use spec::Config;

fn numerics() -> Numerics {
    Config::named("default").expect("it ships").numerics().clone()
}

/// Repeatable int8 values with many extremes.
fn values(len: usize, seed: u64) -> Vec<i32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match state >> 61 {
            0 => -128,
            1 => 127,
            _ => i32::from((state >> 50) as i8),
        }
    };
    (0..len).map(|_| next()).collect()
}

fn naive(activations: &[i32], weights: &[i32], n: usize) -> Vec<i64> {
    let terms = |j: usize| activations.iter().zip(weights.iter().skip(j).step_by(n));
    (0..n).map(|j| terms(j).map(|(&a, &w)| i64::from(a) * i64::from(w)).sum()).collect()
}

#[test]
fn both_kernels_give_the_sums_for_every_small_shape() {
    for kernel in [Kernel::portable(), Kernel::detect()] {
        for k in (1..=9).chain([31, 127, 128, 129, 600]) {
            for n in [1, 2, 7, 15, 16, 17, 33, 48, 65, 81] {
                let (weights, activations) = (values(k * n, 1), values(5 * k, 2));
                let tile = WeightTile::<i32>::with_kernel(&numerics(), k, n, &weights, kernel).expect("in range");
                let wide = WeightTile::<i64>::with_kernel(&numerics(), k, n, &weights, kernel).expect("in range");
                // What stood in the psums does not matter.
                let (mut psums, mut wide_psums) = (vec![77; n], vec![77; n]);
                let mut expected = Vec::new();
                for row in activations.chunks_exact(k) {
                    let sums = naive(row, &weights, n);
                    tile.multiply_row(row, &mut psums);
                    wide.multiply_row(row, &mut wide_psums);
                    assert_eq!(wide_psums, sums, "{kernel:?} {k} x {n}");
                    assert!(psums.iter().map(|&p| i64::from(p)).eq(sums.iter().copied()), "{kernel:?} {k} x {n}");
                    expected.extend(sums);
                }
                let mut all = vec![77; 5 * n];
                wide.multiply(&activations, &mut all);
                assert_eq!(all, expected, "{kernel:?} {k} x {n}, whole");
            }
        }
    }
}

#[test]
fn a_pair_of_the_most_negative_words_wraps_the_same_in_both_kernels() {
    // (-2^15)^2 + (-2^15)^2 = 2^31, which 32 bits hold as -2^31.
    let weights = [-32_768; 4];
    let panels = pairs::pack(2, 2, &weights);
    for kernel in [Kernel::portable(), Kernel::detect()] {
        let mut psums = [0_i32; 2];
        kernel.row(&panels, 1, &[-32_768, -32_768], &mut psums);
        assert_eq!(psums, [i32::MIN; 2], "{kernel:?}");
    }
}

#[test]
fn the_packed_form_is_used_where_operands_fit_16_bits() {
    let (int16, uint16) = (Format::new(16, true), Format::new(16, false));
    assert_eq!(exact_pairs::<i32>(int16, int16), usize::MAX);
    assert_eq!(exact_pairs::<i32>(uint16, int16), 0);
    assert_eq!(exact_pairs::<i64>(int16, int16), 0);
    // 255 pairs of 2 * 2^15 * 2^7 stay below 2^31; 256 reach it.
    assert_eq!(exact_pairs::<i64>(int16, Format::new(8, true)), 255);
}

#[test]
#[should_panic(expected = "(k, n) of the row and of the tile differ")]
fn a_row_of_another_length_is_refused() {
    let tile = WeightTile::<i32>::new(&numerics(), 2, 1, &[1, 1]).expect("in range");
    tile.multiply_row(&[1], &mut [0]);
}
