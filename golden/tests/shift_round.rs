//! Rounding of shifted integers, quotients and floats, against a table made by hand and against exact rational numbers.

mod common;

use common::oracle;
use golden::{divide_round, round_f64, shift_round, shift_stochastic};
use proptest::prelude::*;
use spec::Round;

/// value / 4 for value = -10..=10: every quarter, so every second odd half is a tie. Written by hand.
const QUARTERS: [(i128, [i128; 10]); 21] = [
    // Floor, ceil, toward zero, away from zero, to odd; half to even, toward positive, toward negative, toward zero, away.
    (-10, [-3, -2, -2, -3, -3, -2, -2, -3, -2, -3]), // -2.5
    (-9, [-3, -2, -2, -3, -3, -2, -2, -2, -2, -2]),  // -2.25
    (-8, [-2, -2, -2, -2, -2, -2, -2, -2, -2, -2]),
    (-7, [-2, -1, -1, -2, -1, -2, -2, -2, -2, -2]), // -1.75
    (-6, [-2, -1, -1, -2, -1, -2, -1, -2, -1, -2]), // -1.5
    (-5, [-2, -1, -1, -2, -1, -1, -1, -1, -1, -1]), // -1.25
    (-4, [-1, -1, -1, -1, -1, -1, -1, -1, -1, -1]),
    (-3, [-1, 0, 0, -1, -1, -1, -1, -1, -1, -1]), // -0.75
    (-2, [-1, 0, 0, -1, -1, 0, 0, -1, 0, -1]),    // -0.5
    (-1, [-1, 0, 0, -1, -1, 0, 0, 0, 0, 0]),      // -0.25
    (0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1, [0, 1, 0, 1, 1, 0, 0, 0, 0, 0]), // 0.25
    (2, [0, 1, 0, 1, 1, 0, 1, 0, 0, 1]), // 0.5
    (3, [0, 1, 0, 1, 1, 1, 1, 1, 1, 1]), // 0.75
    (4, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    (5, [1, 2, 1, 2, 1, 1, 1, 1, 1, 1]), // 1.25
    (6, [1, 2, 1, 2, 1, 2, 2, 1, 1, 2]), // 1.5
    (7, [1, 2, 1, 2, 1, 2, 2, 2, 2, 2]), // 1.75
    (8, [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]),
    (9, [2, 3, 2, 3, 3, 2, 2, 2, 2, 2]),  // 2.25
    (10, [2, 3, 2, 3, 3, 2, 3, 2, 2, 3]), // 2.5
];

#[test]
fn ties_of_each_mode_are_those_of_the_hand_written_table() {
    for (value, expected) in QUARTERS {
        for (round, expected) in Round::ALL.into_iter().zip(expected) {
            assert_eq!(shift_round(value, 2, round), expected, "{value} / 4, {round}");
            assert_eq!(divide_round(3 * value, 12, round), expected, "{} / 12, {round}", 3 * value);
            assert_eq!(round_f64(value as f64 / 4.0, round), expected as f64, "{value} / 4.0, {round}");
        }
    }
}

#[test]
fn a_shift_of_zero_keeps_every_value() {
    for value in [i128::MIN, -1, 0, 1, i128::MAX] {
        for round in Round::ALL {
            assert_eq!(shift_round(value, 0, round), value);
            assert_eq!(divide_round(value, 1, round), value);
        }
        assert_eq!(shift_stochastic(value, 0, u32::MAX, 32), value);
    }
}

#[test]
fn the_widest_values_and_shifts_do_not_overflow() {
    for value in [i128::MIN, i128::MIN + 1, -1, 0, 1, i128::MAX - 1, i128::MAX] {
        for round in Round::ALL {
            for shift in [1, 2, 125, 126] {
                let exact = oracle::ratio(value, num_bigint::BigInt::from(1) << shift);
                let expected = oracle::round(&exact, round);
                assert_eq!(expected, shift_round(value, shift, round).into(), "{value} / 2^{shift}, {round}");
                assert_eq!(expected, divide_round(value, 1 << shift, round).into(), "{value} / 2^{shift}, {round}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "shift = 127 exceeds 126")]
fn a_shift_beyond_the_word_is_refused() {
    shift_round(1, 127, Round::Floor);
}

#[test]
#[should_panic(expected = "denominator = 0 must be in 1..=2^126")]
fn a_quotient_by_zero_is_refused() {
    divide_round(1, 0, Round::Floor);
}

#[test]
#[should_panic(expected = "random = 8 has more than 3 bits")]
fn more_random_bits_than_asked_for_are_refused() {
    shift_stochastic(1, 1, 8, 3);
}

#[test]
fn floats_without_a_fraction_stay_as_they_are() {
    for round in Round::ALL {
        for value in [0.0, 1.0, -3.0, 9_007_199_254_740_993.0, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(round_f64(value, round), value, "{round}");
        }
        assert!(round_f64(f64::NAN, round).is_nan());
    }
}

/// A value and a shift of which about half are exact ties and a quarter exact multiples, or one step beside them.
fn case() -> impl Strategy<Value = (i128, u32)> {
    let beside = prop_oneof![4 => Just(0_i128), 1 => Just(1), 1 => Just(-1)];
    (any::<i64>(), 0_u32..=40, 0_u32..=63, any::<bool>(), any::<bool>(), beside).prop_map(
        |(quotient, drop, shift, tie, random, beside)| {
            let quotient = i128::from(quotient >> drop);
            if random {
                return (quotient, shift);
            }
            let half = if tie { (1_i128 << shift) >> 1 } else { 0 };
            ((quotient << shift) + half + beside, shift)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(15_000))]

    // Ten roundings each: 150,000 comparisons.
    #[test]
    fn every_rule_is_the_rational_definition((value, shift) in case()) {
        let exact = oracle::ratio(value, 1_i128 << shift);
        for round in Round::ALL {
            let ours = shift_round(value, shift, round);
            prop_assert_eq!(oracle::round(&exact, round), ours.into(), "{} / 2^{}, {}", value, shift, round);
        }
    }

    // Half of the denominators are even; numerators beside and at odd halves of them.
    #[test]
    fn quotients_are_rounded_as_rational_numbers(
        quotient in -5_000_i128..5_000, denominator in prop_oneof![1_i128..40, 1_i128..1 << 80], beside in -2_i128..=2,
        halves in 0_i128..2,
    ) {
        let numerator = quotient * denominator + halves * denominator / 2 + beside;
        let exact = oracle::ratio(numerator, denominator);
        for round in Round::ALL {
            let ours = divide_round(numerator, denominator, round);
            prop_assert_eq!(oracle::round(&exact, round), ours.into(), "{} / {}, {}", numerator, denominator, round);
        }
    }

    // Halves, their neighbours among the floats, and any float whose integers 128 bits hold.
    #[test]
    fn floats_are_rounded_as_rational_numbers(
        halves in -2_000_i32..2_000, exponent in 0_u32..50, beside in -1_i64..=1, any in any::<f64>(), pick in 0..3,
    ) {
        let near = f64::from(halves) / 2.0 * f64::from_bits((1023 + u64::from(exponent)) << 52) + 0.5;
        let value = match pick {
            0 => any.clamp(-1e18, 1e18),
            _ => f64::from_bits(near.to_bits().wrapping_add_signed(if near == 0.0 { beside.abs() } else { beside })),
        };
        let exact = oracle::float(value);
        for round in Round::ALL {
            let ours = oracle::float(round_f64(value, round));
            prop_assert_eq!(ours, oracle::integer(oracle::round(&exact, round)), "{:e}, {}", value, round);
        }
    }

    #[test]
    fn stochastic_rounding_is_the_rational_definition(
        (value, shift) in case(), bits in 1_u32..=32, random in any::<u32>(), beside in -1_i64..=1,
    ) {
        let exact = oracle::ratio(value, 1_i128 << shift);
        // The first number that rounds up, and those beside it; and any number.
        let most = (1_i64 << bits) - 1;
        let fraction = ((&exact - exact.floor()) * oracle::power(bits as i32)).floor().to_integer();
        let threshold = i64::try_from(fraction).map(|ups| (most + 1 - ups + beside).clamp(0, most)).expect("33 bits");
        for random in [threshold as u32, random & most as u32] {
            let ours = shift_stochastic(value, shift, random, bits);
            let expected = oracle::round_stochastic(&exact, random, bits);
            prop_assert_eq!(expected, ours.into(), "{} / 2^{}, {} of {} bits", value, shift, random, bits);
        }
    }
}

#[test]
fn the_random_cases_are_rich_in_ties() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut below, mut above) = (0, 0);
    for _ in 0..10_000 {
        let (value, shift) = case().new_tree(&mut runner).expect("no filter").current();
        if shift > 0 && value & ((1 << shift) - 1) == 1 << (shift - 1) {
            *(if value < 0 { &mut below } else { &mut above }) += 1;
        }
    }
    assert!(below > 500 && above > 500, "{below} negative and {above} positive ties of 10,000");
}
