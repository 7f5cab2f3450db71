//! The requantizer: by hand, at its limits, and the fast row against the naive formula.

mod common;

use common::{any_numerics, raw, value_of};
use golden::{Bounds, Channel, GoldenError, Requantizer};
use proptest::prelude::*;
use spec::config::{AccumulatorBits, RawRounding};
use spec::{Format, Numerics, Round};

fn numerics(accumulator_bits: AccumulatorBits, round: Round) -> Numerics {
    let int8 = Format::new(8, true);
    let mut raw = raw(int8, int8, int8);
    raw.accumulator_bits = accumulator_bits;
    raw.multiplier_bits = 32;
    raw.rounding = RawRounding::Named(round);
    Numerics::try_from(raw).expect("legal")
}

const FULL: Bounds = Bounds { low: -128, high: 127 };

#[test]
fn a_worked_example_in_each_rounding() {
    // (-7 + 2) * 3 / 2 = -7.5; + 10.
    let channel = Channel { bias: 2, multiplier: 3, shift: 1, zero_point: 10 };
    for (round, expected) in Round::ALL.into_iter().zip([2, 3, 3, 2, 3, 2, 3, 2, 3, 2]) {
        let requantizer = Requantizer::new(&numerics(AccumulatorBits::Exact(63), round));
        assert_eq!(requantizer.requantize(-7, &channel, &FULL, 0), expected, "{}", round.name());
    }
    // (-5 + 2) * 3 / 2 = -4.5: the even neighbour is the upper one.
    for (round, expected) in Round::ALL.into_iter().zip([5, 6, 6, 5, 5, 6, 6, 5, 6, 5]) {
        let requantizer = Requantizer::new(&numerics(AccumulatorBits::Exact(63), round));
        assert_eq!(requantizer.requantize(-5, &channel, &FULL, 0), expected, "{}", round.name());
    }
}

#[test]
fn the_sum_with_the_bias_wraps_at_the_accumulator_and_the_result_saturates() {
    let requantizer = Requantizer::new(&numerics(AccumulatorBits::Wrapping { wrapping: 8 }, Round::HalfTowardPositive));
    let unit = Channel { bias: 1, multiplier: 1, shift: 0, zero_point: 0 };
    assert_eq!(requantizer.requantize(127, &unit, &FULL, 0), -128);
    assert_eq!(requantizer.requantize(127 + 256, &unit, &FULL, 0), -128);
    let double = Channel { bias: 0, multiplier: 2, shift: 0, zero_point: 0 };
    assert_eq!(requantizer.requantize(127, &double, &FULL, 0), 127);
    assert_eq!(requantizer.requantize(-128, &double, &FULL, 0), -128);
}

#[test]
fn the_zero_point_is_added_after_rounding() {
    // 1 / 2 is a tie; half-even rounds it to 0, and 0 + 1 = 1. Rounding 1.5 would give 2.
    let requantizer = Requantizer::new(&numerics(AccumulatorBits::Exact(63), Round::HalfToEven));
    let channel = Channel { bias: 0, multiplier: 1, shift: 1, zero_point: 1 };
    assert_eq!(requantizer.requantize(1, &channel, &FULL, 0), 1);
}

#[test]
fn the_widest_product_is_exact() {
    let requantizer = Requantizer::new(&numerics(AccumulatorBits::Exact(63), Round::HalfTowardPositive));
    let channel = Channel { bias: 0, multiplier: u32::MAX, shift: 63, zero_point: 0 };
    let bounds = Bounds { low: i64::MIN, high: i64::MAX };
    // -2^62 (2^32 - 1) / 2^63 = -(2^31 - 1/2), a tie that rounds up.
    assert_eq!(requantizer.requantize(-(1 << 62), &channel, &bounds, 0), -(1 << 31) + 1);
    // (2^62 - 1)(2^32 - 1) / 2^63 = 2^31 - 1/2 - 2^-31 + 2^-63, just below the tie.
    assert_eq!(requantizer.requantize((1 << 62) - 1, &channel, &bounds, 0), (1 << 31) - 1);
}

#[test]
fn parameters_outside_their_widths_are_named_with_their_limits() {
    let config = spec::Config::named("default").expect("it ships");
    let fits = Channel { bias: -(1 << 23), multiplier: (1 << 31) - 1, shift: 63, zero_point: -256 };
    assert_eq!(fits.check(config.numerics()), Ok(()));
    let errors = [
        Channel { bias: 1 << 23, ..fits },
        Channel { multiplier: 1 << 31, ..fits },
        Channel { shift: 64, ..fits },
        Channel { zero_point: 256, ..fits },
    ]
    .map(|channel| channel.check(config.numerics()).expect_err("it does not fit").to_string());
    assert_eq!(
        errors,
        [
            "bias = 8388608 is out of range: it must be in -8388608..=8388607",
            "multiplier = 2147483648 is out of range: it must be in 0..=2147483647",
            "shift = 64 is out of range: it must be in 0..=63",
            "zero_point = 256 is out of range: it must be in -256..=255",
        ]
    );
}

#[test]
fn bounds_are_output_values_in_order() {
    let config = spec::Config::named("default").expect("it ships");
    assert_eq!(Bounds::full(config.numerics()), FULL);
    assert_eq!(FULL.check(config.numerics()), Ok(()));
    let errors = [Bounds { low: -129, high: 0 }, Bounds { low: 0, high: 128 }, Bounds { low: 1, high: 0 }]
        .map(|bounds| bounds.check(config.numerics()).expect_err("refused"));
    assert_eq!(
        errors,
        [
            GoldenError::OutOfRange { property: "bounds.low", value: -129, min: -128, max: 127 },
            GoldenError::OutOfRange { property: "bounds.high", value: 128, min: -128, max: 127 },
            GoldenError::BoundsOrder { low: 1, high: 0 },
        ]
    );
}

/// A channel, and accumulator values of which many scale to exact ties.
fn row(numerics: &Numerics) -> impl Strategy<Value = (Vec<Channel>, Vec<i64>, Bounds)> {
    let accumulator = numerics.accumulator();
    let (multiplier_bits, shift_max) = (numerics.multiplier_bits(), numerics.shift().max());
    let multiplier = prop_oneof![
        value_of(numerics.multiplier().expect("every scheme here has one")),
        // A power of two below the shift's makes every odd multiple a tie.
        (0..multiplier_bits).prop_map(|bit| 1_i64 << bit),
    ];
    let shift = prop_oneof![value_of(numerics.shift()), 0..=shift_max.min(4)];
    let acc = prop_oneof![
        value_of(accumulator),
        (-40_i64..=40).prop_map(move |acc| accumulator.saturate(acc)),
        (-9_i64..=9, 0_u32..62).prop_map(move |(odd, shift)| accumulator.wrap(odd << shift)),
    ];
    let bias = prop_oneof![Just(0), value_of(numerics.bias())];
    let element = (acc, multiplier, shift, bias, value_of(numerics.bound())).prop_map(
        |(acc, multiplier, shift, bias, zero_point)| {
            let (multiplier, shift) = (multiplier as u32, shift as u32);
            (acc, Channel { bias, multiplier, shift, zero_point })
        },
    );
    let bounds = (value_of(numerics.output()), value_of(numerics.output()))
        .prop_map(|(a, b)| Bounds { low: a.min(b), high: a.max(b) });
    (proptest::collection::vec(element, 1..20), bounds).prop_map(|(elements, bounds)| {
        let (acc, channels) = elements.into_iter().unzip();
        (channels, acc, bounds)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_fast_row_is_the_naive_formula(
        (numerics, (channels, acc, bounds)) in any_numerics().prop_flat_map(|n| (Just(n.clone()), row(&n)))
    ) {
        let requantizer = Requantizer::new(&numerics);
        let naive: Vec<i32> = acc
            .iter()
            .zip(&channels)
            .map(|(&acc, channel)| requantizer.requantize(acc, channel, &bounds, 0) as i32)
            .collect();
        let mut fast = vec![0; acc.len()];
        requantizer.requantize_row(&acc, &channels, &bounds, None, &mut fast);
        prop_assert_eq!(&fast, &naive, "{:?}", numerics);
        if numerics.accumulator_bits() <= 32 {
            let acc: Vec<i32> = acc.iter().map(|&acc| acc as i32).collect();
            requantizer.requantize_row(&acc, &channels, &bounds, None, &mut fast);
            prop_assert_eq!(&fast, &naive, "{:?}", numerics);
        }
    }
}
