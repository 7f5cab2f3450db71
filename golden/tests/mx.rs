//! MXINT8: every mantissa of a grid under the three exponent rules, the thresholds, and the ends of the exponent.

use golden::mx::{decode, encode, MxBlock, MxExponent, MX_BLOCK};
use spec::Round;

/// 2^e by repeated doubling or halving.
fn power(exponent: i32) -> f64 {
    let factor = if exponent < 0 { 0.5 } else { 2.0 };
    (0..exponent.unsigned_abs()).fold(1.0, |power, _| power * factor)
}

/// n / d, half to even, in whole numbers.
fn half_to_even(n: i64, d: i64) -> i64 {
    let (floor, rest) = (n.div_euclid(d), n.rem_euclid(d));
    floor + i64::from(2 * rest > d || (2 * rest == d && floor % 2 != 0))
}

// Mantissas n / 1024 in 1 ..< 2 are n / 16 elements: 1,024 mantissas, both signs, 3 exponents and 3 rules.
#[test]
fn a_grid_of_mantissas_gives_the_elements_and_exponents_of_each_rule() {
    let mut bumped = [0; 3];
    for (at, rule) in MxExponent::ALL.into_iter().enumerate() {
        for exponent in [-20, 0, 33] {
            for n in 1_024..2_048_i64 {
                for sign in [1, -1] {
                    let value = (sign * n) as f64 / 1024.0 * power(exponent);
                    let bump = match rule {
                        MxExponent::FloorSaturate => false,
                        // 127/64 = 2032/1024.
                        MxExponent::BumpAboveGreatest => n > 2_032,
                        // 127.5/64 = 2040/1024 rounds to 128/64.
                        MxExponent::BumpIfRoundedOverflows => n >= 2_040,
                    };
                    bumped[at] += i32::from(bump);
                    let element = match bump {
                        // Elements of twice the size: their 1/16 are 1/32.
                        true => half_to_even(sign * n, 32),
                        false => half_to_even(sign * n, 16).clamp(-127, 127),
                    };
                    let block = encode(&[value as f32], rule, Round::HalfToEven).expect("finite");
                    let expected = MxBlock { exponent: exponent + i32::from(bump), elements: vec![element as i8] };
                    assert_eq!(block, expected, "{value:e}, {}", rule.name());
                }
            }
        }
    }
    assert_eq!(bumped, [0, 6 * 15, 6 * 8]);
}

#[test]
fn thresholds_are_sharp() {
    let exponent = |value: f32, rule| encode(&[value], rule, Round::HalfToEven).expect("finite").exponent;
    let (greatest, half) = (127.0 / 64.0, 127.5_f32 / 64.0);
    let above = |value: f32| value.next_up();
    assert_eq!([greatest, above(greatest)].map(|v| exponent(v, MxExponent::BumpAboveGreatest)), [0, 1]);
    assert_eq!([half.next_down(), half].map(|v| exponent(v, MxExponent::BumpIfRoundedOverflows)), [0, 1]);
    assert_eq!(exponent(2.0_f32.next_down(), MxExponent::FloorSaturate), 0);
    // Where ties go toward zero, the tie at 127.5 does not overflow.
    let block = encode(&[half], MxExponent::BumpIfRoundedOverflows, Round::HalfTowardZero).expect("finite");
    assert_eq!((block.exponent, block.elements), (0, vec![127]));
}

#[test]
fn the_greatest_magnitude_sets_the_exponent_of_the_whole_block() {
    // -3 = -1.5 2: an element is 2/64 = 1/32.
    let block = encode(&[1.0, -3.0, 0.0, 0.1, -0.0], MxExponent::FloorSaturate, Round::HalfToEven).expect("finite");
    assert_eq!((block.exponent, block.elements), (1, vec![32, -96, 0, 3, 0]));
    // -127.5 elements: away from zero -128, which is no code.
    let block = encode(&[-127.5 / 64.0], MxExponent::FloorSaturate, Round::HalfAwayFromZero).expect("finite");
    assert_eq!((block.exponent, block.elements), (0, vec![-127]));
}

#[test]
fn exponents_end_at_the_scale_s_codes() {
    for rule in MxExponent::ALL {
        let encode = |value: f32| encode(&[value], rule, Round::HalfToEven).expect("finite");
        assert_eq!(encode(0.0), MxBlock { exponent: -127, elements: vec![0] });
        // The least float, 2^-149, is 2^-16 elements of 2^-133.
        assert_eq!(encode(f32::from_bits(1)), MxBlock { exponent: -127, elements: vec![0] });
        // 2^-133 is one element of the least block.
        assert_eq!(encode(f32::from_bits(1 << 16)), MxBlock { exponent: -127, elements: vec![1] });
        // Just below 2^128: no greater exponent is there to go to.
        assert_eq!(encode(f32::MAX), MxBlock { exponent: 127, elements: vec![127] });
        assert_eq!(encode(f32::MIN), MxBlock { exponent: 127, elements: vec![-127] });
    }
}

#[test]
fn decoding_gives_elements_in_64ths_of_the_scale() {
    for exponent in [-127, -1, 0, 5, 127] {
        let elements: Vec<i8> = (-128..=127).collect();
        let expected: Vec<f64> = (-128..=127).map(|q| f64::from(q) / 64.0 * power(exponent)).collect();
        assert_eq!(decode(&MxBlock { exponent, elements }), expected);
    }
}

#[test]
fn a_decoded_block_is_encoded_as_it_was() {
    // The greatest magnitude 64 or more fixes the exponent.
    let elements: Vec<i8> = (-15..=15).chain([100]).collect();
    let values: Vec<f32> =
        decode(&MxBlock { exponent: 3, elements: elements.clone() }).into_iter().map(|v| v as f32).collect();
    for rule in MxExponent::ALL {
        for round in Round::ALL {
            assert_eq!(encode(&values, rule, round), Ok(MxBlock { exponent: 3, elements: elements.clone() }));
        }
    }
}

#[test]
fn blocks_that_cannot_be_coded_are_refused() {
    let refused =
        |values: &[f32]| encode(values, MxExponent::FloorSaturate, Round::HalfToEven).expect_err("refused").to_string();
    assert_eq!(refused(&[]), "an MX block has 0 elements, but the shape asks for 32");
    assert_eq!(refused(&[1.0; MX_BLOCK + 1]), "an MX block has 33 elements, but the shape asks for 32");
    assert_eq!(refused(&[1.0, f32::NAN]), "value[1] = NaN is not finite, and the policy is to refuse it");
    assert_eq!(refused(&[f32::NEG_INFINITY]), "value[0] = -inf is not finite, and the policy is to refuse it");
}
