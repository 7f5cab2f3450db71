//! What a shift drops, against exact rational numbers.

mod common;

use common::oracle;
use golden::{shift_round, Dropped, Multiplier, Product, Scheme};
use spec::Round;

#[test]
fn quotient_and_position_are_those_of_the_exact_product() {
    let mut seen = [0; 4];
    for acc in -70..=70_i64 {
        for multiplier in [1, 3, 8, -5] {
            for shift in 0..=9 {
                let product = Product::new(acc, multiplier, shift);
                let exact = oracle::ratio(acc * multiplier, 1 << shift);
                let floor = exact.floor();
                let rest = &exact - &floor;
                let half = oracle::ratio(1, 2);
                let (expected, at) = match () {
                    () if rest == oracle::integer(0) => (Dropped::Zero, 0),
                    () if rest < half => (Dropped::BelowHalf, 1),
                    () if rest == half => (Dropped::Tie, 2),
                    () => (Dropped::AboveHalf, 3),
                };
                seen[at] += 1;
                assert_eq!(product.position(), expected, "{acc} * {multiplier} / 2^{shift}");
                assert_eq!(floor.to_integer(), product.quotient().into());
                assert_eq!(rest, oracle::ratio(product.dropped(), 1 << shift));
                assert_eq!((product.value(), product.shift()), (i128::from(acc * multiplier), shift));
            }
        }
    }
    assert!(seen.into_iter().all(|n| n > 200), "{seen:?}");
}

#[test]
fn the_product_of_an_integer_scheme_rounds_to_its_result() {
    let by = Multiplier::new(0x5a5a_5a5a, -4).expect("in range");
    for acc in [i64::from(i32::MIN), -12_345, -1, 0, 1, 99, i64::from(i32::MAX)] {
        for scheme in [Scheme::FixedSingle(by), Scheme::S64Reduced(by), Scheme::Tosa16 { m: 77, shift: 9 }] {
            let product = Product::of(scheme, acc).expect("it is an integer scheme");
            let rounded = shift_round(product.value(), product.shift(), Round::HalfTowardPositive);
            assert_eq!(rounded, scheme.scale(acc).into(), "{scheme}");
        }
        assert_eq!(Product::of(Scheme::F32Even(0.5), acc), None);
        assert_eq!(Product::of(Scheme::F64Away(0.5), acc), None);
    }
}

#[test]
#[should_panic(expected = "shift = 127 exceeds 126")]
fn a_shift_beyond_the_word_is_refused() {
    Product::new(1, 1, 127);
}
