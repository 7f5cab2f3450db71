//! Products and layers: by hand, fast against naive, and the folding of zero points.

mod common;

use common::{any_numerics, raw, value_of};
use golden::{
    fold_zero_point, layer, layer_fast, matmul, matmul_fast, Bounds, Channel, GoldenError, Psum, Shape, Stream,
    WeightTile,
};
use proptest::prelude::*;
use spec::{Config, Format, Numerics};

fn default() -> Numerics {
    Config::named("default").expect("it ships").numerics().clone()
}

const IDENTITY: Channel = Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 };

#[test]
fn a_product_by_hand_tells_rows_from_columns() {
    let shape = Shape { m: 2, k: 3, n: 2 };
    let activations = [1, 2, 3, -4, 5, -6];
    let weights = [7, 8, 9, 10, 11, 12];
    // 1*7 + 2*9 + 3*11, 1*8 + 2*10 + 3*12; -4*7 + 5*9 - 6*11, -4*8 + 5*10 - 6*12.
    let expected = [58, 64, -49, -54];
    assert_eq!(matmul(&default(), shape, &activations, &weights).expect("it fits"), expected);
    let fast = matmul_fast::<i32>(&default(), shape, &activations, &weights).expect("it fits");
    assert_eq!(fast, expected.map(|v| v as i32));
}

#[test]
fn a_narrow_accumulator_wraps_whatever_the_order() {
    let int8 = Format::new(8, true);
    let mut raw = raw(int8, int8, int8);
    raw.accumulator_bits = spec::config::AccumulatorBits::Wrapping { wrapping: 12 };
    let numerics = Numerics::try_from(raw).expect("legal");
    let shape = Shape { m: 1, k: 2, n: 1 };
    // 2 * 127 * 127 = 32258 = 7 * 4096 + 3586, and 3586 - 4096 = -510.
    assert_eq!(matmul(&numerics, shape, &[127, 127], &[127, 127]).expect("it fits"), [-510]);
}

#[test]
fn shapes_and_values_are_checked() {
    let numerics = default();
    let check = |shape, activations: &[i32], weights: &[i32]| {
        layer(&numerics, shape, activations, weights, &[IDENTITY], &Bounds::full(&numerics), None)
            .expect_err("refused")
            .to_string()
    };
    let one = Shape { m: 1, k: 1, n: 1 };
    assert_eq!(check(Shape { m: 0, ..one }, &[], &[1]), "m = 0: every dimension must be at least 1");
    assert_eq!(check(Shape { k: 4097, ..one }, &[], &[]), "k = 4097 exceeds numerics.max_k = 4096");
    assert_eq!(check(one, &[1, 2], &[1]), "activations has 2 elements, but the shape asks for 1");
    assert_eq!(
        check(Shape { m: 2, k: 2, n: 1 }, &[1, 2, 3, 128], &[1, 1]),
        "activations[1][1] = 128 is out of range: it must be in -128..=127"
    );
    assert_eq!(check(one, &[1], &[-129]), "weights[0][0] = -129 is out of range: it must be in -128..=127");
    assert_eq!(check(Shape { n: 2, ..one }, &[1], &[1, 1]), "channels has 1 elements, but the shape asks for 2");
    let wide = Channel { shift: 64, ..IDENTITY };
    let error = layer(&numerics, one, &[1], &[1], &[wide], &Bounds::full(&numerics), None).expect_err("refused");
    assert_eq!(error.to_string(), "channel 0: shift = 64 is out of range: it must be in 0..=63");
}

#[test]
fn psums_narrower_than_the_accumulator_are_refused() {
    let int16 = Format::new(16, true);
    let numerics = Numerics::try_from(raw(int16, int16, int16)).expect("legal");
    let error = WeightTile::<i32>::new(&numerics, 1, 1, &[1]).expect_err("refused");
    assert_eq!(error.to_string(), "psums of 32 bits cannot hold numerics.accumulator_bits = 48");
}

#[test]
fn stochastic_rounding_needs_a_stream_of_its_number_of_bits() {
    let int8 = Format::new(8, true);
    let mut raw = raw(int8, int8, int8);
    raw.rounding = spec::config::RawRounding::Stochastic { stochastic: 6 };
    let numerics = Numerics::try_from(raw).expect("legal");
    let one = Shape { m: 1, k: 1, n: 1 };
    for f in [layer as Layer, layer_fast] {
        let run = |random_bits: Option<u32>| {
            let stream = random_bits.map(|bits| Stream::new(1, 0, bits));
            f(&numerics, one, &[1], &[1], &[IDENTITY], &Bounds::full(&numerics), stream.as_ref())
                .map_err(|e| e.to_string())
        };
        assert_eq!(run(Some(6)), Ok(vec![1]));
        assert_eq!(
            run(None).expect_err("refused"),
            "stochastic rounding takes 6 random bits an output, and no stream was given"
        );
        assert_eq!(
            run(Some(7)).expect_err("refused"),
            "the stream gives 7 random bits an output: stochastic rounding takes 6"
        );
    }
}

/// Either form of a layer.
type Layer =
    fn(&Numerics, Shape, &[i32], &[i32], &[Channel], &Bounds, Option<&Stream>) -> Result<Vec<i32>, GoldenError>;

/// Operands of a random configuration; extremes are frequent.
fn problem(largest: usize) -> impl Strategy<Value = (Numerics, Shape, Vec<i32>, Vec<i32>)> {
    (any_numerics(), 1..=largest, 1..=2 * largest, 1..=largest).prop_flat_map(|(numerics, m, k, n)| {
        let narrow = |v: i64| v as i32;
        let activations = proptest::collection::vec(value_of(numerics.activation()).prop_map(narrow), m * k);
        let weights = proptest::collection::vec(value_of(numerics.weight()).prop_map(narrow), k * n);
        (Just(numerics), Just(Shape { m, k, n }), activations, weights)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_fast_product_is_the_naive_one((numerics, shape, activations, weights) in problem(24)) {
        let naive = matmul(&numerics, shape, &activations, &weights).expect("in range");
        let wide = matmul_fast::<i64>(&numerics, shape, &activations, &weights).expect("in range");
        let read: Vec<i64> = wide.iter().map(|psum| psum.read(numerics.accumulator())).collect();
        prop_assert_eq!(&read, &naive, "i64, {:?}", numerics);
        if numerics.accumulator_bits() <= 32 {
            let narrow = matmul_fast::<i32>(&numerics, shape, &activations, &weights).expect("in range");
            let read: Vec<i64> = narrow.iter().map(|psum| psum.read(numerics.accumulator())).collect();
            prop_assert_eq!(&read, &naive, "i32, {:?}", numerics);
        }
    }

    #[test]
    fn the_fast_layer_is_the_naive_one(
        (numerics, shape, activations, weights) in problem(12),
        multiplier in any::<u32>(), shift in any::<u32>(), bias in any::<i64>(), zero_point in any::<i64>(),
        seed in any::<u64>(),
    ) {
        let channels: Vec<Channel> = (0..shape.n as u32)
            .map(|c| Channel {
                bias: numerics.bias().wrap(bias ^ i64::from(c)),
                multiplier: numerics.multiplier().map_or(1, |format| format.wrap(i64::from(multiplier.rotate_left(c))) as u32),
                shift: numerics.shift().wrap(i64::from(shift.rotate_left(c))) as u32,
                zero_point: numerics.bound().wrap(zero_point.rotate_left(c)),
            })
            .collect();
        let bounds = Bounds::full(&numerics);
        let stream = Stream::new(seed, 3, numerics.rounding().random_bits().max(1));
        let run = |f: Layer| f(&numerics, shape, &activations, &weights, &channels, &bounds, Some(&stream));
        let naive = run(layer).expect("in range");
        let fast = run(layer_fast).expect("in range");
        prop_assert_eq!(fast, naive);
    }

    // Direct computation with (q - z), without the accumulator: the folded bias gives the same sum.
    #[test]
    fn a_folded_zero_point_is_a_subtraction_before_the_product(
        (numerics, shape, activations, weights) in problem(8), zero_point in -300_i64..300, bias in -1000_i64..1000,
    ) {
        let folded = fold_zero_point(zero_point, &weights, &vec![bias; shape.n]);
        for i in 0..shape.m {
            for j in 0..shape.n {
                let mut direct = bias;
                let mut stored = folded[j];
                for t in 0..shape.k {
                    let (q, w) = (i64::from(activations[i * shape.k + t]), i64::from(weights[t * shape.n + j]));
                    direct += (q - zero_point) * w;
                    stored += q * w;
                }
                prop_assert_eq!(stored, direct, "{:?}", numerics);
            }
        }
    }
}

/// Long sums of the greatest products: every chunk of the packed kernel is at its limit.
#[test]
fn long_sums_of_extremes_are_exact() {
    for (activation, weight) in [(8, 8), (15, 8), (16, 8), (16, 12), (16, 16)] {
        for signed in [true, false] {
            let (activation, weight) = (Format::new(activation, signed), Format::new(weight, true));
            let numerics = Numerics::try_from(raw(activation, weight, Format::new(8, true))).expect("legal");
            let k = 5_001;
            let shape = Shape { m: 5, k, n: 17 };
            let activations = vec![if signed { activation.min() } else { activation.max() } as i32; 5 * k];
            let weights = vec![weight.min() as i32; k * 17];
            let expected = i64::from(activations[0]) * weight.min() * k as i64;
            let psums = matmul_fast::<i64>(&numerics, shape, &activations, &weights).expect("in range");
            assert_eq!(psums, vec![expected; 5 * 17], "{activation} x {weight}");
            let mut row = vec![0_i64; 17];
            let tile = WeightTile::new(&numerics, k, 17, &weights).expect("in range");
            tile.multiply(&activations[..k], &mut row);
            assert_eq!(row, vec![expected; 17], "{activation} x {weight}");
        }
    }
}
