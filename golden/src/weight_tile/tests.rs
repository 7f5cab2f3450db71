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

/// The products of rows that lie apart, in psums that lie apart, over or onto what stood there; what is between the psums
/// does not change.
fn check_rows<T: Psum>(tile: &WeightTile<T>, activations: &[i32], expected: &[i64]) {
    let (k, n) = (tile.k(), tile.n());
    let (old, stride) = (T::from_wide(77), n + 3);
    let rows: Vec<Vec<u32>> = activations
        .chunks_exact(k)
        .map(|row| {
            let mut pairs = vec![u32::MAX; k.div_ceil(2) + 1];
            pair_up(row, &mut pairs);
            pairs
        })
        .collect();
    let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
    for add in [false, true] {
        let mut psums = vec![old; rows.len() * stride - 3];
        tile.multiply_rows(&rows, &mut psums, stride, add);
        for (psums, sums) in psums.chunks(stride).zip(expected.chunks_exact(n)) {
            let (psums, between) = psums.split_at(n);
            let onto = if add { 77 } else { 0 };
            assert!(psums.iter().zip(sums).all(|(&psum, &sum)| psum == T::from_wide(sum + onto)), "{k} x {n}, {add}");
            assert!(between.iter().all(|&psum| psum == old), "{k} x {n}, {add}");
        }
    }
}

#[test]
fn both_kernels_give_the_sums_for_every_small_shape() {
    for kernel in [Kernel::portable(), Kernel::detect()] {
        for k in (1..=9).chain([31, 127, 128, 129, 600]) {
            for n in [1, 2, 7, 15, 16, 17, 33, 48, 65, 81] {
                let (weights, activations) = (values(k * n, 1), values(7 * k, 2));
                let tile = WeightTile::<i32>::with_kernel(&numerics(), k, n, &weights, kernel).expect("in range");
                let wide = WeightTile::<i64>::with_kernel(&numerics(), k, n, &weights, kernel).expect("in range");
                let expected: Vec<i64> = activations.chunks_exact(k).flat_map(|row| naive(row, &weights, n)).collect();
                check_rows(&tile, &activations, &expected);
                check_rows(&wide, &activations, &expected);
                // What stood in the psums does not matter.
                let mut psums = vec![77; 7 * n];
                wide.multiply(&activations, &mut psums);
                assert_eq!(psums, expected, "{kernel:?} {k} x {n}");
            }
        }
    }
}

#[test]
fn operands_that_do_not_fit_16_bits_are_multiplied_term_by_term() {
    let mut raw = spec::config::RawConfig::from(&Config::named("default").expect("it ships"));
    (raw.numerics.activation_bits, raw.numerics.activation_signed) = (16, false);
    raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Named(spec::config::Auto::Auto);
    let config = Config::try_from(raw).expect("it is valid");
    let weights = values(5 * 3, 1);
    let tile = WeightTile::<i64>::new(config.numerics(), 5, 3, &weights).expect("in range");
    assert!(matches!(tile.form, Form::Terms { .. }));
    let activations: Vec<i32> = values(4 * 5, 2).iter().map(|value| value & 0xffff).collect();
    let expected: Vec<i64> = activations.chunks_exact(5).flat_map(|row| naive(row, &weights, 3)).collect();
    check_rows(&tile, &activations, &expected);
}

#[test]
fn blocks_of_many_rows_are_as_single_rows() {
    let (m, k, n) = (2 * BLOCK_ROWS + 5, 3, 2);
    let (weights, activations) = (values(k * n, 1), values(m * k, 2));
    let tile = WeightTile::<i64>::new(&numerics(), k, n, &weights).expect("in range");
    let mut psums = vec![77; m * n];
    tile.multiply(&activations, &mut psums);
    let expected: Vec<i64> = activations.chunks_exact(k).flat_map(|row| naive(row, &weights, n)).collect();
    assert_eq!(psums, expected);
}

#[test]
fn replaced_weights_leave_nothing_behind() {
    for (k, n) in [(3, 17), (4, 16), (1, 1)] {
        let (old, new) = (values(k * n, 1), values(k * n, 2));
        let mut tile = WeightTile::<i32>::new(&numerics(), k, n, &old).expect("in range");
        tile.replace(&new).expect("in range");
        let activations = values(k, 3);
        check_rows(&tile, &activations, &naive(&activations, &new, n));
        assert!(tile.replace(&new[1..]).is_err());
        assert!(tile.replace(&vec![128; k * n]).is_err());
    }
}

#[test]
fn a_pair_of_the_most_negative_words_wraps_the_same_in_both_kernels() {
    // (-2^15)^2 + (-2^15)^2 = 2^31, which 32 bits hold as -2^31.
    let mut panels = Vec::new();
    pairs::pack(2, &[-32_768; 4], &mut panels);
    let mut row = [0];
    pair_up(&[-32_768, -32_768], &mut row);
    for kernel in [Kernel::portable(), Kernel::detect()] {
        let mut psums = [0_i32; 2];
        let place = Place { first_col: 0, cols: 2, stride: 2, add: false };
        kernel.multiply(&panels, &[&row], 0, &mut psums, place);
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
#[should_panic(expected = "(m k, m n) do not fit the tile")]
fn a_row_of_another_length_is_refused() {
    let tile = WeightTile::<i32>::new(&numerics(), 2, 1, &[1, 1]).expect("in range");
    tile.multiply(&[1], &mut [0]);
}

#[test]
#[should_panic(expected = "rows of 2 psums overlap at a stride of 1")]
fn psums_that_overlap_are_refused() {
    let tile = WeightTile::<i32>::new(&numerics(), 1, 2, &[1, 1]).expect("in range");
    tile.multiply_rows(&[&[1]], &mut [0; 2], 1, false);
}
