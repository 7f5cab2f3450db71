//! Random bits: an independent second definition, exact uniformity, exact chances, and how spread counts are.

mod common;

use common::{oracle, raw};
use golden::stochastic::ROUNDS;
use golden::{layer, layer_fast, matmul, shift_stochastic, Bounds, Channel, Permutation, Requantizer, Shape, Stream};
use num_bigint::BigInt;
use proptest::prelude::*;
use spec::config::RawRounding;
use spec::{Format, Numerics};

/// The permutation as its text reads, with any number of rounds; bits as arithmetic, not as shifts of words.
fn permuted(number: u64, half_bits: u32, key: u64, rounds: usize) -> u64 {
    let pi = ["243f", "6a88", "85a3", "08d3", "1319", "8a2e", "0370", "7344", "a409", "3822"];
    let size = 1_u64 << half_bits;
    let rotate = |x: u64, by: u32| (0..by).fold(x, |x, _| 2 * x % size + 2 * x / size);
    let (mut left, mut right) = (number / size % size, number % size);
    for (round, pi) in pi.iter().enumerate().take(rounds) {
        let word = key / (1 << (16 * (round % 4))) % (1 << 16);
        let constant = u64::from_str_radix(pi, 16).expect("hexadecimal");
        let mixed = (rotate(left, 1) & rotate(left, 8)) ^ rotate(left, 2);
        (left, right) = (right ^ mixed ^ ((word ^ constant) % size), left);
    }
    right * size + left
}

// Made by an independent program in Python from the documentation alone.
#[test]
fn known_answers_never_change() {
    for (half_bits, key, number, image) in [
        (16, 0x0123_4567_89ab_cdef, 77, 0x24f2_2cba),
        (16, 0, 0, 0x65f8_86c6),
        (16, u64::MAX, 0xdead_beef, 0xa5a2_2674),
        (8, 0xfedc_ba98_7654_3210, 0x1234, 0xd726),
        (5, 3, 1000, 0x201),
        (3, 0x1111_2222_3333_4444, 45, 7),
    ] {
        assert_eq!(Permutation::new(half_bits, key).apply(number), image, "{half_bits}, {key:x}, {number}");
    }
    let indices = [0, 1, 2, 65_536, u32::MAX];
    for (seed, tensor, bits, key, mask, expected) in [
        (42, 0, 8, 0xea85_68d2_e45f_d6cb, 0x2a, [0x64, 0xad, 0x56, 0xdc, 0xcb]),
        (0, 0, 1, 0xea85_68d2_e45f_d6cb, 0, [0, 1, 0, 0, 1]),
        (
            u64::MAX,
            u32::MAX,
            32,
            0x76bf_7d4f_7e36_1947,
            u32::MAX,
            [0xf870_5c24, 0x0f2a_8af0, 0x73f6_0dba, 0x2380_41b7, 0xbfc0_8ef2],
        ),
        (123_456_789, 7, 13, 0x7e8f_f9b9_f06f_91ed, 0xd15, [0x1000, 0x1e85, 0x1cbf, 0x18cb, 0x176f]),
    ] {
        let stream = Stream::new(seed, tensor, bits);
        assert_eq!((stream.key(), stream.mask(), stream.random_bits()), (key, mask, bits));
        assert_eq!(indices.map(|index| stream.bits(index)), expected, "{seed}, {tensor}");
        let of_key = Stream::from_key(key, mask, bits);
        assert_eq!(of_key, stream);
        // Bits of the mask above the number of random bits are not looked at.
        assert_eq!(Stream::from_key(key, mask | u32::MAX << 16 << (bits / 2), bits).random_bits(), bits);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_permutation_is_its_text_and_can_be_undone(half_bits in 3_u32..=16, key in any::<u64>(), x in any::<u32>()) {
        let permutation = Permutation::new(half_bits, key);
        let number = (u64::from(x) % (1 << (2 * half_bits))) as u32;
        let image = permutation.apply(x);
        prop_assert_eq!(u64::from(image), permuted(number.into(), half_bits, key, ROUNDS));
        prop_assert_eq!(permutation.invert(image), number);
        prop_assert_eq!(permutation.apply(permutation.invert(x)), number);
    }
}

// So every number of r low bits occurs equally often: 65,536 / 2^r times.
#[test]
fn all_numbers_of_16_bits_give_all_numbers_of_16_bits() {
    for key in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef, 0x5555_aaaa_3333_cccc] {
        let permutation = Permutation::new(8, key);
        let mut seen = vec![false; 1 << 16];
        for number in 0..1 << 16 {
            let image = permutation.apply(number) as usize;
            assert!(!std::mem::replace(&mut seen[image], true), "{image} twice, key {key:x}");
        }
        assert!(seen.into_iter().all(|seen| seen));
    }
}

#[test]
fn over_the_seeds_that_differ_in_the_random_bits_exactly_the_fraction_rounds_up() {
    for bits in 1..=8 {
        for high in [0, 1, 0x1234_5678_9abc_def0] {
            for tensor in [0, 3, u32::MAX] {
                let streams: Vec<Stream> =
                    (0..1 << bits).map(|low| Stream::new(high << bits | low, tensor, bits)).collect();
                for index in [0, 1, 77, 4_096, u32::MAX] {
                    for (value, shift) in
                        [(1, 1), (3, 2), (5, 3), (-5, 3), (200, 8), (-1, 8), (1_023, 10), (-7_777, 13)]
                    {
                        let floor = i128::from(value) >> shift;
                        let ups = streams
                            .iter()
                            .map(|stream| shift_stochastic(value.into(), shift, stream.bits(index), bits))
                            .inspect(|&result| assert!(result == floor || result == floor + 1))
                            .filter(|&result| result == floor + 1)
                            .count();
                        let dropped = (i128::from(value) - (floor << shift)) as usize;
                        assert_eq!(ups, (dropped << bits) >> shift, "{value} / 2^{shift}, {bits} bits, {index}");
                    }
                }
            }
        }
    }
}

// Every fraction of a shift: the mean is the value, cut to r bits.
#[test]
fn the_mean_over_all_random_numbers_is_the_value_cut_to_its_random_bits() {
    for bits in 1..=8 {
        for shift in [0, 1, 3, 7, 8, 11] {
            for value in -(3_i64 << shift)..3 << shift {
                let sum: i128 = (0..1 << bits).map(|random| shift_stochastic(value.into(), shift, random, bits)).sum();
                let exact = oracle::ratio(value, 1 << shift) * oracle::power(bits as i32);
                assert_eq!(BigInt::from(sum), exact.floor().to_integer(), "{value} / 2^{shift}, {bits} bits");
            }
        }
    }
}

/// How far the mean square of counts strays from the binomial variance, in standard errors.
///
/// Counts of ups among `n` samples of chance p have the mean n p, variance n p q and fourth central moment
/// n p q (1 + 3 (n - 2) p q); so the mean of `len` squared deviations has the variance (fourth - variance^2) / len.
fn deviation(counts: &[u32], n: u32, p: f64) -> f64 {
    let (n, q, len) = (f64::from(n), 1.0 - p, counts.len() as f64);
    let variance = n * p * q;
    let fourth = variance * (1.0 + 3.0 * (n - 2.0) * p * q);
    let spread = counts.iter().map(|&count| (f64::from(count) - n * p).powi(2)).sum::<f64>() / len;
    (spread - variance) / ((fourth - variance * variance) / len).sqrt()
}

/// Counts of ups among 64 samples along rows and along columns of a square of outputs with that row stride, for every chance.
fn deviations(stride: u32, bits: impl Fn(u32) -> u32) -> Vec<f64> {
    const SIDE: u32 = 256;
    const SAMPLES: u32 = 64;
    let bytes: Vec<u32> = (0..SIDE).flat_map(|row| (0..SIDE).map(move |col| row * stride + col)).map(bits).collect();
    let mut all = Vec::new();
    for eighths in [1, 2, 4, 6] {
        let up = |row: u32, col: u32| (bytes[(row * SIDE + col) as usize] + 32 * eighths) >> 8;
        let groups = || (0..SIDE).flat_map(|line| (0..SIDE / SAMPLES).map(move |part| (line, part * SAMPLES)));
        let along_rows: Vec<u32> =
            groups().map(|(row, from)| (from..from + SAMPLES).map(|col| up(row, col)).sum()).collect();
        let along_cols: Vec<u32> =
            groups().map(|(col, from)| (from..from + SAMPLES).map(|row| up(row, col)).sum()).collect();
        let p = f64::from(eighths) / 8.0;
        all.extend([deviation(&along_rows, SAMPLES, p), deviation(&along_cols, SAMPLES, p)]);
    }
    all
}

const STRIDES: [u32; 7] = [256, 257, 300, 512, 1_000, 1_024, 4_096];
const SEEDS: [(u64, u32); 6] = [(0, 0), (0, 1), (1 << 8, 0), (12_345, 2), (u64::MAX, 3), (0xfeed_beef_cafe, 400)];

/// The share of deviations beyond three standard errors, and the greatest.
fn strayed(rounds: usize) -> (f64, f64) {
    let mut all = Vec::new();
    for (seed, tensor) in SEEDS {
        let key = Stream::new(seed, tensor, 8).key();
        for stride in STRIDES {
            all.extend(deviations(stride, |index| (permuted(index.into(), 16, key, rounds) & 255) as u32));
        }
    }
    let greatest = all.iter().fold(0.0_f64, |most, deviation| most.max(deviation.abs()));
    (all.iter().filter(|deviation| deviation.abs() > 3.0).count() as f64 / all.len() as f64, greatest)
}

// 336 variances of 1,024 counts each. Of as many normal deviates one in 370 is beyond 3, and none beyond 4.5 (1 in 440).
#[test]
fn counts_along_rows_and_columns_spread_as_independent_chances_do() {
    let mut all = Vec::new();
    for (seed, tensor) in SEEDS {
        let stream = Stream::new(seed, tensor, 8);
        for stride in STRIDES {
            all.extend(deviations(stride, |index| stream.bits(index)));
        }
    }
    assert_eq!(all.len(), 336);
    let beyond = all.iter().filter(|deviation| deviation.abs() > 3.0).count();
    let greatest = all.iter().fold(0.0_f64, |most, deviation| most.max(deviation.abs()));
    assert!(beyond <= 6 && greatest < 4.5, "{beyond} beyond 3 standard errors, the greatest {greatest}");
}

// The same measure sees what half the rounds leave.
#[test]
fn five_rounds_would_not_pass() {
    let (share, greatest) = strayed(5);
    assert!(share > 0.1 && greatest > 10.0, "{share} beyond 3 standard errors, the greatest {greatest}");
}

// The correlation of n independent pairs of signs is normal with the standard deviation 1 / sqrt(n).
#[test]
fn neighbouring_seeds_and_tensors_are_not_correlated() {
    const N: u32 = 1 << 14;
    let sign = |stream: &Stream, index: u32| if stream.bits(index) >= 128 { 1.0 } else { -1.0 };
    let mut greatest = 0.0_f64;
    let mut pairs = Vec::new();
    for i in 0..8_u64 {
        // Neighbouring seeds above the random bits, and neighbouring tensors.
        pairs.push((Stream::new(i << 8, 0, 8), Stream::new((i + 1) << 8, 0, 8)));
        pairs.push((Stream::new(7, i as u32, 8), Stream::new(7, i as u32 + 1, 8)));
        pairs.push((Stream::new(i << 8, 1, 8), Stream::new((i + 1) << 8, 0, 8)));
    }
    for (a, b) in &pairs {
        for offset in [0, 1, 2, 256] {
            let sum: f64 = (0..N).map(|index| sign(a, index) * sign(b, index + offset)).sum();
            greatest = greatest.max(sum.abs() / f64::from(N).sqrt());
        }
    }
    // The greatest of 96 normal deviates exceeds 4.2 with a chance of 1 in 400.
    assert!(greatest < 4.2, "a correlation of {greatest} standard deviations");
}

fn stochastic(random_bits: u32) -> Numerics {
    let int8 = Format::new(8, true);
    let mut raw = raw(int8, int8, int8);
    raw.rounding = RawRounding::Stochastic { stochastic: random_bits };
    Numerics::try_from(raw).expect("legal")
}

#[test]
fn any_tiling_and_order_gives_the_same_outputs() {
    let numerics = stochastic(8);
    let shape = Shape { m: 13, k: 9, n: 21 };
    let value = |i: usize| ((i * 7_919 + 13) % 255) as i32 - 127;
    let activations: Vec<i32> = (0..shape.m * shape.k).map(value).collect();
    let weights: Vec<i32> = (0..shape.k * shape.n).map(|i| value(i + 1_000)).collect();
    let channels: Vec<Channel> =
        (0..21).map(|j| Channel { bias: j * 31, multiplier: 3 + j as u32, shift: 14, zero_point: j - 9 }).collect();
    let (bounds, stream) = (Bounds::full(&numerics), Stream::new(77, 5, 8));
    let whole = layer(&numerics, shape, &activations, &weights, &channels, &bounds, Some(&stream)).expect("it fits");
    let fast = layer_fast(&numerics, shape, &activations, &weights, &channels, &bounds, Some(&stream));
    assert_eq!(fast.expect("it fits"), whole);
    let psums = matmul(&numerics, shape, &activations, &weights).expect("it fits");
    let requantizer = Requantizer::new(&numerics);
    for (rows, cols) in [(1, 21), (13, 1), (4, 5), (3, 16), (1, 1)] {
        let mut tiles: Vec<(usize, usize)> =
            (0..13).step_by(rows).flat_map(|row| (0..21).step_by(cols).map(move |col| (row, col))).collect();
        // Another order of the tiles, and rows backwards.
        tiles.sort_by_key(|&(row, col)| (row * 31 + col * 17) % 23);
        let mut outputs = vec![i32::MAX; whole.len()];
        for (row, col) in tiles {
            let cols = cols.min(21 - col);
            for row in (row..(row + rows).min(13)).rev() {
                let at = row * 21 + col..row * 21 + col + cols;
                let first = Some((&stream, at.start as u32));
                let out = &mut outputs[at.clone()];
                requantizer.requantize_row(&psums[at], &channels[col..col + cols], &bounds, first, out);
            }
        }
        assert_eq!(outputs, whole, "tiles of {rows} x {cols}");
    }
    let other = layer(&numerics, shape, &activations, &weights, &channels, &bounds, Some(&Stream::new(77, 6, 8)));
    assert_ne!(other.expect("it fits"), whole, "another tensor has other random bits");
}

#[test]
#[should_panic(expected = "random_bits = 0 must be in 1..=32")]
fn a_stream_without_bits_is_refused() {
    Stream::new(1, 1, 0);
}

#[test]
#[should_panic(expected = "half_bits = 17 must be in 3..=16")]
fn a_permutation_beyond_32_bits_is_refused() {
    Permutation::new(17, 0);
}
