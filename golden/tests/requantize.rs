//! The requantizer: by hand, at its limits, and the fast row against the naive formula.

mod common;

use common::{any_numerics, multiplier_of, oracle, raw, value_of};
use golden::{Bounds, Channel, GoldenError, Requantizer, Stream};
use num_bigint::BigInt;
use proptest::prelude::*;
use spec::config::{AccumulatorBits, RawRounding};
use spec::{Format, MachineScheme, Numerics, Round, Rounding};

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
        assert_eq!(requantizer.requantize(-7, &channel, &FULL, 0), expected, "{round}");
    }
    // (-5 + 2) * 3 / 2 = -4.5: the even neighbour is the upper one.
    for (round, expected) in Round::ALL.into_iter().zip([5, 6, 6, 5, 5, 6, 6, 5, 6, 5]) {
        let requantizer = Requantizer::new(&numerics(AccumulatorBits::Exact(63), round));
        assert_eq!(requantizer.requantize(-5, &channel, &FULL, 0), expected, "{round}");
    }
}

/// The default formats with a scheme and rounding.
fn scheme(scheme: MachineScheme, rounding: RawRounding, multiplier_bits: u32) -> Requantizer {
    let int8 = Format::new(8, true);
    let mut raw = raw(int8, int8, int8);
    (raw.scheme, raw.rounding, raw.multiplier_bits) = (scheme, rounding, multiplier_bits);
    Requantizer::new(&Numerics::try_from(raw).expect("legal"))
}

#[test]
fn two_roundings_differ_from_one_by_hand() {
    let away = RawRounding::Named(Round::HalfAwayFromZero);
    let up = RawRounding::Named(Round::HalfTowardPositive);
    let single = scheme(MachineScheme::FixedSingle, away, 4);
    let double = scheme(MachineScheme::FixedDouble, away, 4);
    let double_up = scheme(MachineScheme::FixedDoubleUp, up, 4);
    let run = |requantizer: &Requantizer, acc: i64, shift: u32| {
        requantizer.requantize(acc, &Channel { bias: 0, multiplier: 8, shift, zero_point: 0 }, &FULL, 0)
    };
    // 3 * 8 / 2^6 = 0.375. Two roundings: 24 / 16 = 1.5 goes to 2, and 2 / 4 = 0.5 to 1.
    assert_eq!([run(&single, 3, 6), run(&double, 3, 6), run(&double_up, 3, 6)], [0, 1, 1]);
    // -4 * 8 / 16 = -2, and -2 / 4 = -0.5.
    assert_eq!([run(&single, -4, 6), run(&double, -4, 6), run(&double_up, -4, 6)], [-1, -1, 0]);
    // -5 * 8 / 16 = -2.5 goes up to -2, and -2 / 4 = -0.5 away to -1 or up to 0. One rounding of -0.625: -1.
    assert_eq!([run(&single, -5, 6), run(&double, -5, 6), run(&double_up, -5, 6)], [-1, -1, 0]);
    // A shift of the multiplier's bits or less is one rounding toward positive, whatever the rule: -1 * 8 / 16 = -0.5.
    assert_eq!([run(&single, -1, 4), run(&double, -1, 4), run(&double_up, -1, 4)], [-1, 0, 0]);
}

#[test]
fn a_shift_alone_rounds_by_its_rule() {
    for (round, expected) in Round::ALL.into_iter().zip([-4, -3, -3, -4, -3, -4, -3, -4, -3, -4]) {
        let requantizer = scheme(MachineScheme::Pow2, RawRounding::Named(round), 0);
        let channel = Channel { bias: 0, multiplier: 1, shift: 1, zero_point: 0 };
        assert_eq!(requantizer.requantize(-7, &channel, &FULL, 0), expected, "-3.5, {round}");
    }
}

#[test]
fn stochastic_rounding_is_the_last_one_of_two() {
    let stochastic = RawRounding::Stochastic { stochastic: 2 };
    let outputs = |requantizer: &Requantizer, acc, shift| {
        let channel = Channel { bias: 0, multiplier: 8, shift, zero_point: 0 };
        [0, 1, 2, 3].map(|random| requantizer.requantize(acc, &channel, &FULL, random))
    };
    // 24 / 64 = 0.375: cut to two bits 0.25.
    assert_eq!(outputs(&scheme(MachineScheme::FixedSingle, stochastic, 4), 3, 6), [0, 0, 0, 1]);
    // 24 / 16 goes up to 2; 2 / 4 = 0.5.
    assert_eq!(outputs(&scheme(MachineScheme::FixedDouble, stochastic, 4), 3, 6), [0, 0, 1, 1]);
    // There is no second rounding: 8 / 16 goes up.
    assert_eq!(outputs(&scheme(MachineScheme::FixedDouble, stochastic, 4), 1, 4), [1, 1, 1, 1]);
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
fn products_of_terms_are_added_before_one_rounding_by_hand() {
    let away = RawRounding::Named(Round::HalfAwayFromZero);
    let of = |requantizer: &Requantizer, terms: [i64; 2], multipliers: [u32; 2], shift: u32| {
        let channels = multipliers.map(|multiplier| Channel { bias: 1, multiplier, shift, zero_point: 3 });
        requantizer.requantize_terms(&[(terms[0], &channels[0]), (terms[1], &channels[1])], &FULL, 0)
    };
    // (2 + 1) * 3 + (-5 + 1) * 1 = 5, and 5 / 2 = 2.5 goes to 3; apart, 4.5 and -2 would go to 5 and -2.
    assert_eq!(of(&scheme(MachineScheme::FixedSingle, away, 4), [2, -5], [3, 1], 1), 3 + 3);
    // (2 + 1) * 3 + (14 + 1) * 1 = 24. Two roundings: 24 / 16 = 1.5 goes to 2, and 2 / 4 = 0.5 to 1.
    assert_eq!(of(&scheme(MachineScheme::FixedDouble, away, 4), [2, 14], [3, 1], 6), 1 + 3);
    // Eight bits of accumulator and four of multiplier make twelve: 127 * 15 + 127 * 15 - 4096 = -286, and -286 / 2^4
    // = -17.875.
    let int8 = Format::new(8, true);
    let mut raw = raw(int8, int8, int8);
    (raw.accumulator_bits, raw.multiplier_bits) = (AccumulatorBits::Wrapping { wrapping: 8 }, 4);
    let narrow = Requantizer::new(&Numerics::try_from(raw.clone()).expect("legal"));
    assert_eq!(of(&narrow, [126, 126], [15, 15], 4), -18 + 3);
    // 127 * 15 + 10 * 14 = 2045, and the constant takes it out of twelve bits: 2045 + 8 - 4096 = -2043, floor(-2043 /
    // 2^4) = -128.
    (raw.scheme, raw.rounding) = (MachineScheme::FixedDouble, away);
    let narrow = Requantizer::new(&Numerics::try_from(raw).expect("legal"));
    assert_eq!(of(&narrow, [126, 9], [15, 14], 5), -64 + 3);
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
    let int8 = Format::new(8, true);
    let mut raw = raw(int8, int8, int8);
    (raw.scheme, raw.multiplier_bits) = (MachineScheme::Pow2, 0);
    let shift_alone = Numerics::try_from(raw).expect("legal");
    assert_eq!(Channel { bias: 0, multiplier: 1, ..fits }.check(&shift_alone), Ok(()));
    assert_eq!(
        Channel { multiplier: 2, ..fits }.check(&shift_alone).expect_err("refused").to_string(),
        "multiplier of scheme pow2 = 2 is out of range: it must be in 1..=1"
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
    let shift_max = numerics.shift().max();
    // A power of two below the shift's makes every odd multiple a tie.
    let multiplier = multiplier_of(numerics);
    // Around the end of the first of two roundings, too.
    let near = i64::from(numerics.multiplier_bits());
    let shift = prop_oneof![
        value_of(numerics.shift()),
        0..=shift_max.min(4),
        (near - 1..=near + 2).prop_map(move |shift| shift.clamp(0, shift_max))
    ];
    let acc = prop_oneof![
        value_of(accumulator),
        (-40_i64..=40).prop_map(move |acc| accumulator.saturate(acc)),
        (-9_i64..=9, 0_u32..62).prop_map(move |(odd, shift)| accumulator.wrap(odd << shift)),
    ];
    let bias = prop_oneof![Just(0), value_of(numerics.bias())];
    let element = (acc, multiplier, shift, bias, value_of(numerics.bound())).prop_map(
        |(acc, multiplier, shift, bias, zero_point)| {
            let shift = shift as u32;
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

/// The two's complement of the low `bits` bits.
fn wrap(value: BigInt, bits: u32) -> BigInt {
    let (modulus, half) = (BigInt::from(1) << bits, BigInt::from(1) << (bits - 1));
    ((value + &half) % &modulus + &modulus) % &modulus - half
}

/// The documented formula of a sum of terms in integers of any size and rational numbers.
fn formula_of_terms(numerics: &Numerics, terms: &[(i64, &Channel)], bounds: &Bounds, random: u32) -> BigInt {
    let (a, d, one) = (numerics.accumulator_bits(), numerics.multiplier_bits(), BigInt::from(1));
    let product_of = |&(acc, channel): &(i64, &Channel)| wrap(BigInt::from(acc) + channel.bias, a) * channel.multiplier;
    let product = wrap(terms.iter().map(product_of).sum(), a + d);
    let (_, Channel { shift, zero_point, .. }) = *terms.last().expect("there are terms");
    let double = matches!(numerics.scheme(), MachineScheme::FixedDouble | MachineScheme::FixedDoubleUp);
    let scaled = if double && *shift <= d {
        oracle::round(&oracle::ratio(product, &one << shift), Round::HalfTowardPositive)
    } else {
        let (value, shift) = if double {
            let first = wrap(product + (&one << (d - 1)), a + d);
            (oracle::round(&oracle::ratio(first, &one << d), Round::Floor), shift - d)
        } else {
            (product, *shift)
        };
        let exact = oracle::ratio(value, &one << shift);
        match numerics.rounding() {
            Rounding::Fixed(round) => oracle::round(&exact, round),
            Rounding::Stochastic { random_bits } => oracle::round_stochastic(&exact, random, random_bits),
        }
    };
    oracle::clamp(scaled + zero_point, bounds.low, bounds.high)
}

/// The documented formula in integers of any size and rational numbers.
fn formula(numerics: &Numerics, acc: i64, channel: &Channel, bounds: &Bounds, random: u32) -> BigInt {
    let one = BigInt::from(1);
    let product = wrap(BigInt::from(acc) + channel.bias, numerics.accumulator_bits()) * channel.multiplier;
    let last = |value: BigInt, shift: u32| {
        let exact = oracle::ratio(value, &one << shift);
        match numerics.rounding() {
            Rounding::Fixed(round) => oracle::round(&exact, round),
            Rounding::Stochastic { random_bits } => oracle::round_stochastic(&exact, random, random_bits),
        }
    };
    let up = |value: BigInt, shift: u32| oracle::round(&oracle::ratio(value, &one << shift), Round::HalfTowardPositive);
    let (shift, first) = (channel.shift, numerics.multiplier_bits());
    let scaled = match numerics.scheme() {
        MachineScheme::FixedSingle | MachineScheme::Pow2 => last(product, shift),
        MachineScheme::FixedDouble | MachineScheme::FixedDoubleUp if shift > first => {
            last(up(product, first), shift - first)
        }
        MachineScheme::FixedDouble | MachineScheme::FixedDoubleUp => up(product, shift),
    };
    oracle::clamp(scaled + channel.zero_point, bounds.low, bounds.high)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    // Rows of about ten outputs: 100,000 comparisons with the rational formula.
    #[test]
    fn the_naive_formula_is_the_rational_one_and_the_fast_row_is_the_naive_one(
        (numerics, (channels, acc, bounds)) in any_numerics().prop_flat_map(|n| (Just(n.clone()), row(&n))),
        seed in any::<u64>(), first in any::<u32>(),
    ) {
        let requantizer = Requantizer::new(&numerics);
        let random_bits = numerics.rounding().random_bits();
        let stream = (random_bits > 0).then(|| Stream::new(seed, 1, random_bits));
        let random = |at: usize| stream.map_or(0, |stream| stream.bits(first.wrapping_add(at as u32)));
        let mut naive = Vec::new();
        for (at, (&acc, channel)) in acc.iter().zip(&channels).enumerate() {
            let output = requantizer.requantize(acc, channel, &bounds, random(at));
            let expected = formula(&numerics, acc, channel, &bounds, random(at));
            prop_assert_eq!(BigInt::from(output), expected, "{:?}, {:?}, {}", numerics, channel, acc);
            naive.push(output as i32);
        }
        let row_stream = stream.as_ref().map(|stream| (stream, first));
        let mut fast = vec![0; acc.len()];
        requantizer.requantize_row(&acc, &channels, &bounds, row_stream, &mut fast);
        prop_assert_eq!(&fast, &naive, "{:?}", numerics);
        if numerics.accumulator_bits() <= 32 {
            let acc: Vec<i32> = acc.iter().map(|&acc| acc as i32).collect();
            requantizer.requantize_row(&acc, &channels, &bounds, row_stream, &mut fast);
            prop_assert_eq!(&fast, &naive, "{:?}", numerics);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_sum_of_terms_is_the_rational_formula_and_wraps_with_the_register_of_products(
        (numerics, (channels, acc, bounds)) in any_numerics().prop_flat_map(|n| (Just(n.clone()), row(&n))),
        random in any::<u64>(),
    ) {
        let random = (random & ((1 << numerics.rounding().random_bits()) - 1)) as u32;
        let terms: Vec<(i64, &Channel)> = acc.into_iter().zip(&channels).collect();
        let output = Requantizer::new(&numerics).requantize_terms(&terms, &bounds, random);
        let expected = formula_of_terms(&numerics, &terms, &bounds, random);
        prop_assert_eq!(BigInt::from(output), expected, "{:?}, {:?}", numerics, terms);
    }
}

/// The widest products that 64 bits hold, and the narrowest that they do not, at every shift and rule.
#[test]
fn rows_at_the_limit_of_64_bits_are_the_naive_formula() {
    let int8 = Format::new(8, true);
    let mut widths = vec![(MachineScheme::Pow2, 63, 0)];
    for multiplier in [1, 16, 31, 32] {
        for scheme in [MachineScheme::FixedSingle, MachineScheme::FixedDouble, MachineScheme::FixedDoubleUp] {
            widths.extend([(scheme, 63 - multiplier, multiplier), (scheme, (64 - multiplier).min(63), multiplier)]);
        }
    }
    for (scheme, accumulator, multiplier_bits) in widths {
        for round in Round::ALL {
            let mut raw = raw(int8, int8, Format::new(16, true));
            raw.accumulator_bits = AccumulatorBits::Wrapping { wrapping: accumulator };
            (raw.scheme, raw.rounding, raw.multiplier_bits) = (scheme, RawRounding::Named(round), multiplier_bits);
            let Ok(numerics) = Numerics::try_from(raw) else {
                let up = round == Round::HalfTowardPositive;
                assert_eq!(up, scheme == MachineScheme::FixedDouble, "{scheme}, {round}");
                continue;
            };
            let requantizer = Requantizer::new(&numerics);
            let bounds = Bounds::full(&numerics);
            let format = numerics.accumulator();
            let values = [format.min(), format.min() + 1, -1, 0, 1, format.max() - 1, format.max()];
            let most = numerics.multiplier().map_or(1, |format| format.max()) as u32;
            for multiplier in [1, most.div_ceil(2), most] {
                for shift in 0..=63 {
                    let channel = Channel { bias: 0, multiplier, shift, zero_point: -1 };
                    let mut fast = [0; 7];
                    requantizer.requantize_row(&values, &[channel; 7], &bounds, None, &mut fast);
                    for (value, fast) in values.into_iter().zip(fast) {
                        let expected = formula(&numerics, value, &channel, &bounds, 0);
                        assert_eq!(BigInt::from(fast), expected, "{numerics:?}, {value}, {channel:?}");
                    }
                }
            }
        }
    }
}
