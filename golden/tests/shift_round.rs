//! `shift_round` against a table made by hand and against exact rational numbers.

use golden::shift_round;
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;
use spec::Round;

/// value / 4 for value = -10..=10: every quarter, so every second odd half is a tie. The columns are in the order of `Round::ALL`.
const QUARTERS: [(i128, [i128; 10]); 21] = [
    // floor, ceil, toward-zero, away-from-zero, to-odd, then nearest with ties to even, +inf, -inf, zero, away from zero
    (-10, [-3, -2, -2, -3, -3, -2, -2, -3, -2, -3]), // -2.5
    (-9, [-3, -2, -2, -3, -3, -2, -2, -2, -2, -2]),  // -2.25
    (-8, [-2, -2, -2, -2, -2, -2, -2, -2, -2, -2]),  // -2.0
    (-7, [-2, -1, -1, -2, -1, -2, -2, -2, -2, -2]),  // -1.75
    (-6, [-2, -1, -1, -2, -1, -2, -1, -2, -1, -2]),  // -1.5
    (-5, [-2, -1, -1, -2, -1, -1, -1, -1, -1, -1]),  // -1.25
    (-4, [-1, -1, -1, -1, -1, -1, -1, -1, -1, -1]),  // -1.0
    (-3, [-1, 0, 0, -1, -1, -1, -1, -1, -1, -1]),    // -0.75
    (-2, [-1, 0, 0, -1, -1, 0, 0, -1, 0, -1]),       // -0.5
    (-1, [-1, 0, 0, -1, -1, 0, 0, 0, 0, 0]),         // -0.25
    (0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),             // 0.0
    (1, [0, 1, 0, 1, 1, 0, 0, 0, 0, 0]),             // 0.25
    (2, [0, 1, 0, 1, 1, 0, 1, 0, 0, 1]),             // 0.5
    (3, [0, 1, 0, 1, 1, 1, 1, 1, 1, 1]),             // 0.75
    (4, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),             // 1.0
    (5, [1, 2, 1, 2, 1, 1, 1, 1, 1, 1]),             // 1.25
    (6, [1, 2, 1, 2, 1, 2, 2, 1, 1, 2]),             // 1.5
    (7, [1, 2, 1, 2, 1, 2, 2, 2, 2, 2]),             // 1.75
    (8, [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]),             // 2.0
    (9, [2, 3, 2, 3, 3, 2, 2, 2, 2, 2]),             // 2.25
    (10, [2, 3, 2, 3, 3, 2, 3, 2, 2, 3]),            // 2.5
];

#[test]
fn ties_of_each_mode_are_those_of_the_hand_written_table() {
    for (value, expected) in QUARTERS {
        for (round, expected) in Round::ALL.into_iter().zip(expected) {
            assert_eq!(shift_round(value, 2, round), expected, "{value} / 4, {}", round.name());
        }
    }
}

#[test]
fn a_shift_of_zero_keeps_every_value() {
    for value in [i128::MIN, -1, 0, 1, i128::MAX] {
        for round in Round::ALL {
            assert_eq!(shift_round(value, 0, round), value);
        }
    }
}

#[test]
#[should_panic(expected = "shift = 127 exceeds 126")]
fn a_shift_beyond_the_word_is_refused() {
    shift_round(1, 127, Round::Floor);
}

/// The definitions in rational numbers, as the table of the documentation gives them.
fn rational(value: i128, shift: u32, round: Round) -> BigRational {
    let v = BigRational::new(value.into(), BigInt::from(1) << shift);
    let half = BigRational::new(1.into(), 2.into());
    let zero = BigRational::from_integer(0.into());
    match round {
        Round::Floor => v.floor(),
        Round::Ceil => v.ceil(),
        Round::TowardZero => v.trunc(),
        Round::AwayFromZero if v < zero => v.floor(),
        Round::AwayFromZero => v.ceil(),
        Round::ToOdd if v.is_integer() => v,
        // Of two neighbours the one whose half is no integer.
        Round::ToOdd if (v.floor() / BigInt::from(2)).is_integer() => v.ceil(),
        Round::ToOdd => v.floor(),
        Round::HalfTowardPositive => (v + half).floor(),
        Round::HalfTowardNegative => (v - half).ceil(),
        Round::HalfTowardZero if v < zero => (v + half).floor(),
        Round::HalfTowardZero => (v - half).ceil(),
        Round::HalfAwayFromZero if v < zero => (v - half).ceil(),
        Round::HalfAwayFromZero => (v + half).floor(),
        Round::HalfToEven => {
            let up = (&v + &half).floor();
            let down = (&v - &half).ceil();
            // The two differ at ties only.
            if (&up / BigInt::from(2)).is_integer() {
                up
            } else {
                down
            }
        }
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
    #![proptest_config(ProptestConfig::with_cases(30_000))]

    // Ten roundings each: 300,000 comparisons.
    #[test]
    fn every_mode_is_the_rational_definition((value, shift) in case()) {
        for round in Round::ALL {
            let exact = rational(value, shift, round);
            let ours = BigRational::from_integer(shift_round(value, shift, round).into());
            prop_assert_eq!(ours, exact, "{} / 2^{}, {}", value, shift, round.name());
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
