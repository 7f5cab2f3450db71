//! Quantizers: every order, rule and kind of scale against definitions in rational numbers or plain IEEE operations.

mod common;

use common::oracle;
use golden::{
    Granularity, InfinityPolicy, Kind, NanPolicy, Order, QFormat, Quantizer, QuantizerParts, QuantizerRounding, Range,
    Scale, Stream,
};
use num_bigint::BigInt;
use num_rational::BigRational;
use spec::Round;

fn format(kind: Kind, bits: u32) -> QFormat {
    QFormat::new(kind, bits, Range::Full).expect("it exists")
}

fn parts(format: QFormat, scale: Scale, zero_point: i64) -> QuantizerParts {
    QuantizerParts {
        format,
        scales: vec![scale],
        zero_points: vec![zero_point],
        granularity: Granularity::Tensor,
        rounding: QuantizerRounding::Fixed(Round::HalfToEven),
        order: Order::DivideThenAdd,
        nan: NanPolicy::Refuse,
        infinity: InfinityPolicy::Saturate,
    }
}

fn build(parts: QuantizerParts) -> Quantizer {
    Quantizer::new(parts).expect("it is legal")
}

/// Quotients at, below and above ties, and floats of every size.
fn values(scale: f64) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::new();
    for halves in -620_i32..=620 {
        let near = (f64::from(halves) * scale / 2.0) as f32;
        values.extend([near, near.next_up(), near.next_down()]);
    }
    let edges = [0.0, f32::from_bits(1), f32::MIN_POSITIVE, f32::MIN_POSITIVE.next_down(), f32::MAX, f32::EPSILON];
    values.extend(edges);
    values.extend((0..255_u32).map(|exponent| f32::from_bits(exponent << 23 | 0x2a_cafe)));
    values.extend(values.clone().into_iter().map(|value| -value));
    values.retain(|value| value.is_finite());
    values
}

fn formats() -> Vec<(QFormat, i64)> {
    let narrow = |kind, bits| QFormat::new(kind, bits, Range::Narrow).expect("it exists");
    vec![
        (format(Kind::Signed, 8), 0),
        (format(Kind::Signed, 8), -7),
        (format(Kind::Unsigned, 8), 129),
        (narrow(Kind::Signed, 4), 3),
        (narrow(Kind::Unsigned, 3), 1),
        (format(Kind::Signed, 1), -1),
        (format(Kind::Signed, 32), 0),
        (format(Kind::Unsigned, 32), 2_147_483_649),
        (QFormat::TERNARY, 0),
        (QFormat::TERNARY, 1),
    ]
}

/// The definition of each order in exact arithmetic.
fn exact(quotient: &BigRational, zero_point: i64, format: QFormat, order: Order, rule: Round) -> BigInt {
    let (low, high) = (format.min(), format.max());
    match order {
        Order::DivideThenAdd | Order::ReciprocalThenAdd => {
            oracle::clamp(oracle::round(quotient, rule) + zero_point, low, high)
        }
        Order::AddThenRound => oracle::clamp(oracle::round(&(quotient + oracle::integer(zero_point)), rule), low, high),
        Order::ClampThenRound => {
            let sum = quotient + oracle::integer(zero_point);
            oracle::round(&sum.max(oracle::integer(low)).min(oracle::integer(high)), rule)
        }
    }
}

// About 5,000 values of each scale, in turn under the four orders, ten rules and ten formats: 100,000 comparisons and more.
#[test]
fn exact_scales_are_the_rational_definition() {
    let mut scales: Vec<(Scale, BigRational)> = [(1, 1), (3, 4), (1, 3), (7, 1), (u32::MAX, 1), (1, u32::MAX), (10, 3)]
        .map(|(n, d)| (Scale::ratio(n, d).expect("positive"), oracle::ratio(n, d)))
        .to_vec();
    for exponent in [0, -3, 5, -126, 127, -60] {
        scales.push((Scale::pow2(exponent).expect("a normal number"), oracle::power(exponent)));
    }
    let mut compared = 0;
    for (scale, real) in scales {
        let values = values(scale.value());
        for (turn, (order, rule)) in Order::ALL.into_iter().flat_map(|o| Round::ALL.map(|r| (o, r))).enumerate() {
            for (place, (format, zero_point)) in formats().into_iter().enumerate() {
                let rounding = QuantizerRounding::Fixed(rule);
                let quantizer = build(QuantizerParts { rounding, order, ..parts(format, scale, zero_point) });
                // A step that shares no factor with the number of turns visits all values under some rule.
                for &value in values.iter().skip((turn * 7 + place * 3) % 173).step_by(173) {
                    let expected = exact(&(oracle::float(value.into()) / &real), zero_point, format, order, rule);
                    let given = quantizer.quantize_one(value, 0, 0);
                    assert_eq!(
                        expected,
                        given.into(),
                        "{value:e} by {scale:?} + {zero_point} to {format}, {}, {rule}",
                        order.name()
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared >= 100_000, "{compared}");
}

#[test]
fn exact_ties_are_found_at_every_rule_and_order() {
    // 3/4 h / 2 is a float for every h: a tie at every odd h.
    let (scale, real) = (Scale::ratio(3, 4).expect("positive"), oracle::ratio(3, 4));
    for order in Order::ALL {
        for rule in Round::ALL {
            for zero_point in [0, 1, -5] {
                let int8 = format(Kind::Signed, 8);
                let rounding = QuantizerRounding::Fixed(rule);
                let quantizer = build(QuantizerParts { rounding, order, ..parts(int8, scale, zero_point) });
                for halves in -280_i16..=280 {
                    let value = f32::from(halves) * 0.375;
                    let expected = exact(&(oracle::float(value.into()) / &real), zero_point, int8, order, rule);
                    let given = quantizer.quantize_one(value, 0, 0);
                    assert_eq!(expected, given.into(), "{halves}/2, {}, {rule}", order.name());
                }
            }
        }
    }
}

/// The integer of a float by the rational definition; infinities are beyond every format.
fn nearest(value: f64, rule: Round) -> BigInt {
    match value.is_infinite() {
        true => BigInt::from(if value > 0.0 { 1 } else { -1 }) << 200,
        false => oracle::round(&oracle::float(value), rule),
    }
}

#[test]
fn float_scales_are_plain_ieee_operations() {
    let int8 = format(Kind::Signed, 8);
    let uint8 = format(Kind::Unsigned, 8);
    let mut differ = 0;
    for scale in [0.1_f32, 1.0, 7.0, 0.037, f32::MIN_POSITIVE, f32::MAX, 1e-20, 3e20] {
        let wide = f64::from(scale) * 1.000_000_01;
        for rule in Round::ALL {
            for (format, zero_point) in [(int8, 0), (int8, -3), (uint8, 127)] {
                let clamp = |v: BigInt| oracle::clamp(v, format.min(), format.max());
                let zero = zero_point as f64;
                let (low, high) = (format.min() as f64, format.max() as f64);
                let make = |order, scale| {
                    let rounding = QuantizerRounding::Fixed(rule);
                    build(QuantizerParts { rounding, order, ..parts(format, scale, zero_point) })
                };
                let narrow = Order::ALL.map(|order| make(order, Scale::f32(scale).expect("normal")));
                let long = Order::ALL.map(|order| make(order, Scale::f64(wide).expect("normal")));
                for &x in values(scale.into()).iter().step_by(7) {
                    let (quotient, product) = (x / scale, x * (1.0 / scale));
                    let sum = quotient + zero as f32;
                    let expected = [
                        clamp(nearest(quotient.into(), rule) + zero_point),
                        clamp(nearest(product.into(), rule) + zero_point),
                        clamp(nearest(sum.into(), rule)),
                        nearest(sum.max(low as f32).min(high as f32).into(), rule),
                    ];
                    differ += i32::from(expected[0] != expected[1]) + i32::from(expected[0] != expected[2]);
                    let given = narrow.each_ref().map(|q| BigInt::from(q.quantize_one(x, 0, 0)));
                    assert_eq!(given, expected, "f32 {x:e} / {scale:e} + {zero_point}, {rule}");

                    let x = f64::from(x);
                    let (quotient, product) = (x / wide, x * (1.0 / wide));
                    let sum = quotient + zero;
                    let expected = [
                        clamp(nearest(quotient, rule) + zero_point),
                        clamp(nearest(product, rule) + zero_point),
                        clamp(nearest(sum, rule)),
                        nearest(sum.max(low).min(high), rule),
                    ];
                    let given = long.each_ref().map(|q| BigInt::from(q.quantize_one(x as f32, 0, 0)));
                    assert_eq!(given, expected, "f64 {x:e} / {wide:e} + {zero_point}, {rule}");
                }
            }
        }
    }
    assert!(differ > 100, "the orders differ {differ} times");
}

#[test]
fn an_odd_zero_point_inside_the_rounding_changes_ties_to_even() {
    let make =
        |order| build(QuantizerParts { order, ..parts(format(Kind::Signed, 8), Scale::f32(1.0).expect("1"), 1) });
    // 0.5: round(0.5) + 1 = 1, round(1.5) = 2. 1.5: round(1.5) + 1 = 3, round(2.5) = 2.
    let both = |order| [0.5, 1.5].map(|x| make(order).quantize_one(x, 0, 0));
    assert_eq!(both(Order::DivideThenAdd), [1, 3]);
    assert_eq!(both(Order::ReciprocalThenAdd), [1, 3]);
    assert_eq!(both(Order::AddThenRound), [2, 2]);
    assert_eq!(both(Order::ClampThenRound), [2, 2]);
}

#[test]
fn a_rounded_reciprocal_turns_a_tie_into_a_greater_number() {
    let make =
        |order| build(QuantizerParts { order, ..parts(format(Kind::Signed, 8), Scale::f32(7.0).expect("7"), 0) });
    // 45.5 / 7 = 6.5 goes to 6. In f32, 1/7 is a little too great: 45.5 (1/7) = 6.50000048.
    assert_eq!(make(Order::DivideThenAdd).quantize_one(45.5, 0, 0), 6);
    assert_eq!(make(Order::ReciprocalThenAdd).quantize_one(45.5, 0, 0), 7);
}

// Both limits are integers, so rounding never crosses them.
#[test]
fn clamping_before_and_after_rounding_agree() {
    for (format, zero_point) in formats() {
        for rule in Round::ALL {
            let make = |order| {
                let rounding = QuantizerRounding::Fixed(rule);
                build(QuantizerParts { rounding, order, ..parts(format, Scale::f64(0.3).expect("normal"), zero_point) })
            };
            let (before, after) = (make(Order::ClampThenRound), make(Order::AddThenRound));
            for value in values(0.3) {
                assert_eq!(before.quantize_one(value, 0, 0), after.quantize_one(value, 0, 0), "{value:e}, {rule}");
            }
        }
    }
}

#[test]
fn limits_of_32_bits_hold_in_every_arithmetic() {
    for scale in [Scale::f32(1.0), Scale::f64(1.0), Scale::ratio(1, 1), Scale::pow2(0)] {
        let scale = scale.expect("1");
        for order in Order::ALL {
            let ends = |kind, bits| {
                let quantizer = build(QuantizerParts { order, ..parts(format(kind, bits), scale, 0) });
                [-3e10, 3e10, f32::NEG_INFINITY, f32::INFINITY].map(|x| quantizer.quantize_one(x, 0, 0))
            };
            let (int32, uint32) = ([i32::MIN.into(), i32::MAX.into()], [0, u32::MAX.into()]);
            assert_eq!(ends(Kind::Signed, 32), [int32, int32].concat()[..], "{scale:?}");
            assert_eq!(ends(Kind::Unsigned, 32), [uint32, uint32].concat()[..], "{scale:?}");
            for bits in [24, 25, 31] {
                let most = (1_i64 << bits) - 1;
                assert_eq!(ends(Kind::Bipolar, bits), [-most, most, -most, most], "{scale:?}, {bits} bits");
            }
        }
    }
}

// 2 i - (2^b - 1): i is rounded.
#[test]
fn bipolar_values_are_the_rounded_place_among_the_odd_numbers() {
    for bits in 1..=4 {
        let bipolar = format(Kind::Bipolar, bits);
        let most = (1_i64 << bits) - 1;
        for (scale, real) in [(Scale::ratio(3, 4), oracle::ratio(3, 4)), (Scale::pow2(-2), oracle::power(-2))] {
            let scale = scale.expect("positive");
            for rule in Round::ALL {
                let quantizer =
                    build(QuantizerParts { rounding: QuantizerRounding::Fixed(rule), ..parts(bipolar, scale, 0) });
                for eighths in -200_i16..=200 {
                    let value = f32::from(eighths) / 8.0;
                    let place = (oracle::float(value.into()) / &real + oracle::integer(most)) / oracle::integer(2);
                    let expected = oracle::clamp(oracle::round(&place, rule), 0, most) * 2 - most;
                    assert_eq!(expected, quantizer.quantize_one(value, 0, 0).into(), "{value}, {bipolar}, {rule}");
                }
            }
        }
    }
}

#[test]
fn one_bit_is_the_sign_where_ties_go_up() {
    let rounding = QuantizerRounding::Fixed(Round::HalfTowardPositive);
    let sign = build(QuantizerParts { rounding, ..parts(QFormat::BIPOLAR, Scale::pow2(0).expect("1"), 0) });
    let values = [-3.0, -1e-30, -0.0, 0.0, 1e-30, 0.7];
    assert_eq!(sign.quantize(&values, &[6]).expect("finite"), [-1, -1, 1, 1, 1, 1]);
}

#[test]
fn stochastic_rounding_is_the_rational_definition_for_every_scale() {
    let int16 = format(Kind::Signed, 16);
    for bits in [1, 2, 7, 8, 13, 31, 32] {
        let stream = Stream::new(99, 4, bits);
        let rounding = QuantizerRounding::Stochastic(stream);
        for scale in [Scale::ratio(7, 3), Scale::pow2(-4), Scale::f32(0.3), Scale::f64(1.1)] {
            let scale = scale.expect("positive");
            let quantizer = build(QuantizerParts { rounding, ..parts(int16, scale, 5) });
            for (index, &value) in values(scale.value()).iter().enumerate() {
                let quotient = match scale {
                    _ if scale == Scale::ratio(7, 3).expect("positive") => {
                        oracle::float(value.into()) / oracle::ratio(7, 3)
                    }
                    _ if scale == Scale::f32(0.3).expect("positive") => {
                        let quotient = value / 0.3_f32;
                        if quotient.is_infinite() {
                            continue;
                        }
                        oracle::float(quotient.into())
                    }
                    _ if scale == Scale::f64(1.1).expect("positive") => oracle::float(f64::from(value) / 1.1),
                    _ => oracle::float(value.into()) * oracle::integer(16),
                };
                let random = stream.bits(index as u32);
                let expected = oracle::round_stochastic(&quotient, random, bits) + BigInt::from(5);
                let given = quantizer.quantize_one(value, 0, index as u32);
                let expected = oracle::clamp(expected, int16.min(), int16.max());
                assert_eq!(expected, given.into(), "{value:e} by {scale:?}, {random} of {bits} bits");
            }
        }
    }
}

#[test]
fn a_negative_float_just_below_a_multiple_of_the_least_probability_rounds_up_once_less() {
    // v = -(2^-32 + 2^-55), so the fraction is just below 1 - 2^-32: it is cut to 2^32 - 2 of 2^32 chances.
    let value = -(2.0_f32.powi(-32) + 2.0_f32.powi(-55));
    for (random, expected) in [(0, -1), (1, -1), (2, 0)] {
        let mask = Stream::from_key(1, 0, 32).bits(0) ^ random;
        let rounding = QuantizerRounding::Stochastic(Stream::from_key(1, mask, 32));
        for scale in [Scale::f32(1.0), Scale::f64(1.0), Scale::pow2(0), Scale::ratio(1, 1)] {
            let scale = scale.expect("1");
            let quantizer = build(QuantizerParts { rounding, ..parts(format(Kind::Signed, 8), scale, 0) });
            assert_eq!(quantizer.quantize_one(value, 0, 0), expected, "random {random}, {scale:?}");
        }
    }
}
