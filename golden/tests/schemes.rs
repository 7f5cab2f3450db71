//! Requantization schemes against the texts that define them, and multipliers against exact numbers.

mod common;

use common::oracle;
use golden::{Multiplier, OutputStage, Scheme, SchemeKind};
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;
use spec::Round;

fn multiplier(m: i32, e: i32) -> Multiplier {
    Multiplier::new(m, e).expect("in range")
}

/// Twice the high half of a product, rounded: gemmlowp's, whose division truncates.
fn doubled_high_product(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    let product = i64::from(a) * i64::from(b);
    let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    ((product + nudge) / (1 << 31)) as i32
}

/// A quotient by 2^n, ties away from zero: gemmlowp's, by the dropped bits and a threshold.
fn divided_by_mask(x: i32, n: u32) -> i32 {
    let mask = ((1_i64 << n) - 1) as i32;
    let threshold = (mask >> 1) + i32::from(x < 0);
    (x >> n) + i32::from((x & mask) > threshold)
}

/// TOSA's scaling by a 32-bit multiplier: the rounding constant is changed by 2^30 where there are two roundings.
fn tosa_scale(value: i32, m: i32, shift: u32, double: bool) -> i64 {
    let mut constant = 1_i64 << (shift - 1);
    if double && shift > 31 {
        constant += if value >= 0 { 1 << 30 } else { -(1 << 30) };
    }
    (i64::from(value) * i64::from(m) + constant) >> shift
}

/// An accumulator and a multiplier: half of the products are ties of the first or of the last rounding, or beside them.
fn case() -> impl Strategy<Value = (i32, i32)> {
    let acc = prop_oneof![
        any::<i32>(),
        (any::<i32>(), 0_u32..31).prop_map(|(acc, drop)| acc >> drop),
        (-9_i32..=9, 0_u32..28, -1_i32..=1).prop_map(|(odd, shift, beside)| (odd << shift).wrapping_add(beside)),
        proptest::sample::select(vec![i32::MIN, i32::MIN + 1, -1, 0, 1, i32::MAX]),
    ];
    let m = prop_oneof![1 << 30..=i32::MAX, Just(1 << 30), Just(3 << 29), Just(i32::MAX), 0..=i32::MAX, Just(0),];
    (acc, m)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn two_roundings_are_gemmlowp_s((acc, m) in case(), n in 0_u32..=31) {
        let scheme = Scheme::FixedDouble(multiplier(m, -(n as i32)));
        let expected = divided_by_mask(doubled_high_product(acc, m), n);
        prop_assert_eq!(scheme.scale(acc.into()), i64::from(expected), "{} * {}, n = {}", acc, m, n);
        let up = Scheme::FixedDoubleUp(multiplier(m, -(n as i32)));
        let high = i64::from(doubled_high_product(acc, m));
        let expected = if n == 0 { high } else { (high + (1 << (n - 1))) >> n };
        prop_assert_eq!(up.scale(acc.into()), expected, "up, {} * {}, n = {}", acc, m, n);
    }

    // The peers shift left in 32 bits first; where that holds, so do both definitions.
    #[test]
    fn a_left_shift_first_is_the_same_where_it_fits((acc, m) in case(), e in 1_i32..=30) {
        if let Ok(shifted) = i32::try_from(i64::from(acc) << e) {
            let expected = i64::from(doubled_high_product(shifted, m));
            for scheme in [Scheme::FixedDouble(multiplier(m, e)), Scheme::FixedDoubleUp(multiplier(m, e))] {
                prop_assert_eq!(scheme.scale(acc.into()), expected, "{} * {}, e = {}", acc, m, e);
            }
        }
    }

    #[test]
    fn one_and_two_roundings_are_tosa_s((acc, m) in case(), shift in 2_u32..=62) {
        // TOSA's own limit: abs(value) < 2^(shift - 1).
        let acc = if shift < 33 { acc >> (33 - shift) } else { acc };
        let given = [Scheme::FixedSingle, Scheme::FixedDouble].map(|s| s(multiplier(m, 31 - shift as i32)).scale(acc.into()));
        let expected = [tosa_scale(acc, m, shift, false), tosa_scale(acc, m, shift, true)];
        prop_assert_eq!(given, expected, "{} * {} >> {}", acc, m, shift);
    }

    #[test]
    fn integer_schemes_are_one_sum_and_one_shift((acc, m) in case(), s in 1_u32..=62) {
        let product = i128::from(acc) * i128::from(m);
        let c = if s > 31 { 1_i128 << 30 } else { 0 };
        let closed = |c: i128| i64::try_from((product + (1 << (s - 1)) + c) >> s).expect("62 bits");
        let by = multiplier(m, 31 - s as i32);
        prop_assert_eq!(Scheme::FixedSingle(by).scale(acc.into()), closed(0));
        prop_assert_eq!(Scheme::FixedDouble(by).scale(acc.into()), closed(if acc < 0 { -c } else { c }));
        prop_assert_eq!(Scheme::FixedDoubleUp(by).scale(acc.into()), closed(c));
        for scheme in [Scheme::FixedSingle(by), Scheme::FixedDouble(by), Scheme::FixedDoubleUp(by)] {
            prop_assert_eq!(scheme.product(), Some((i64::from(m), s)));
        }
    }

    #[test]
    fn reduced_multipliers_are_their_formula(acc in -(1_i64 << 47)..1 << 47, m in 0_i32.., e in -31_i32..=30) {
        let reduced = ((i128::from(m) + (1 << 15)) >> 16).min((1 << 15) - 1);
        let exact = oracle::integer(i128::from(acc) * reduced) * oracle::power(e - 15);
        let given = Scheme::S64Reduced(multiplier(m, e)).scale(acc);
        let expected = oracle::round(&exact, Round::HalfTowardPositive);
        prop_assert_eq!(oracle::clamp(expected, i64::MIN, i64::MAX), given.into(), "{} {} {}", acc, m, e);
    }

    #[test]
    fn shifts_and_short_multipliers_are_the_rational_definition(
        acc in prop_oneof![any::<i64>(), -40_i64..=40], m in 0_i16.., shift in 0_u32..=62,
    ) {
        let short = oracle::integer(i128::from(acc) * i128::from(m)) / oracle::power(shift as i32);
        let expected = oracle::clamp(oracle::round(&short, Round::HalfTowardPositive), i64::MIN, i64::MAX);
        prop_assert_eq!(expected, Scheme::Tosa16 { m, shift }.scale(acc).into());
        for round in Round::ALL {
            let exact = oracle::integer(acc) / oracle::power(shift as i32);
            prop_assert_eq!(oracle::round(&exact, round), Scheme::Pow2 { shift, round }.scale(acc).into(), "{}", round);
        }
    }

    #[test]
    fn float_schemes_are_two_ieee_operations_and_a_rounding(
        acc in prop_oneof![any::<i32>(), -2_000_i32..2_000], ratio in 1e-9_f64..4.0, halves in any::<bool>(),
    ) {
        // Powers of two make ties.
        let ratio = if halves { f64::from_bits(ratio.to_bits() & !((1 << 52) - 1)) } else { ratio };
        let (single, long) = (acc as f32 * ratio as f32, f64::from(acc) * ratio);
        let even = oracle::round(&oracle::float(single.into()), Round::HalfToEven);
        prop_assert_eq!(even, Scheme::F32Even(ratio as f32).scale(acc.into()).into());
        let away = oracle::round(&oracle::float(long), Round::HalfAwayFromZero);
        prop_assert_eq!(away, Scheme::F64Away(ratio).scale(acc.into()).into());
        // One product with the scale's own mantissa: exact until it is rounded.
        let exact = oracle::integer(acc) * oracle::float(f64::from(ratio as f32));
        let up = oracle::round(&exact, Round::HalfTowardPositive);
        prop_assert_eq!(up, Scheme::F32Rndnu(ratio as f32).scale(acc.into()).into());
    }
}

#[test]
fn one_rounding_and_two_disagree_as_often_as_a_first_rounding_makes_a_tie() {
    const N: u32 = 200_000;
    let mut state = 20_261_124_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i32
    };
    for n in 2..=8 {
        let mut differ = 0;
        for _ in 0..N {
            // 31 bits and a sign from the next number.
            let (acc, by) = (i64::from(next()) - (1 << 30), multiplier(next() | 1 << 30, -n));
            let (single, double) = (Scheme::FixedSingle(by).scale(acc), Scheme::FixedDouble(by).scale(acc));
            assert!((single - double).abs() <= 1);
            differ += u32::from(single != double);
        }
        // The first rounding reaches a tie of the second from one side: a chance of 2^-n / 2.
        let expected = f64::from(N) / f64::from(1 << (n + 1));
        let off = (f64::from(differ) - expected) / expected.sqrt();
        assert!(off.abs() < 4.0, "n = {n}: {differ} differ, not {expected}, {off} standard deviations off");
    }
}

#[test]
fn results_beyond_64_bits_saturate() {
    let by = multiplier(i32::MAX, 30);
    for scheme in [Scheme::FixedSingle(by), Scheme::FixedDouble(by), Scheme::FixedDoubleUp(by), Scheme::S64Reduced(by)]
    {
        assert_eq!((scheme.scale(i64::MAX), scheme.scale(i64::MIN)), (i64::MAX, i64::MIN), "{scheme}");
    }
    for scheme in [Scheme::F32Even(1e30), Scheme::F64Away(1e30)] {
        assert_eq!((scheme.scale(i64::MAX), scheme.scale(i64::MIN)), (i64::MAX, i64::MIN), "{scheme}");
    }
    let stage = OutputStage { zero_point: 5, low: -128, high: 127 };
    assert_eq!([stage.apply(i64::MAX), stage.apply(i64::MIN), stage.apply(1), stage.apply(122)], [127, -128, 6, 127]);
    // A zero point after the scaling, then the bounds.
    assert_eq!(Scheme::FixedSingle(multiplier(1 << 30, 0)).requantize(-5, stage), 3);
}

/// The multiplier of a ratio by exact numbers: e such that ratio 2^-e is in 1/2 ..< 1.
fn of_ratio(ratio: f64) -> (BigInt, i32) {
    let real = oracle::float(ratio);
    let mut e = (-1_080..=1_030).rev().find(|&e| real >= oracle::power(e - 1)).expect("above the least float");
    let mut m = oracle::round(&(real / oracle::power(e - 31)), Round::HalfAwayFromZero);
    if m == BigInt::from(1_i64 << 31) {
        m /= 2;
        e += 1;
    }
    match e {
        ..-31 => (0.into(), 0),
        31.. => (i32::MAX.into(), 30),
        _ => (m, e),
    }
}

#[test]
fn multipliers_are_the_rounded_mantissa_of_their_ratio() {
    let half_bit = |steps: u64, beside: i64| ((steps << 22 | 1 << 21) as i64 + beside) as u64;
    let mut ratios = Vec::new();
    for exponent in (-36..=34).chain([-1_022, -500, 600, 1_023]) {
        let scale = ((exponent + 1_023) as u64) << 52;
        // Ties of the 31 bits and their neighbours, and mantissas that round up to 2^31.
        for steps in [0, 1, 2, 77, (1 << 30) - 2, (1 << 30) - 1] {
            ratios.extend([-1, 0, 1].map(|beside| f64::from_bits(scale | half_bit(steps, beside))));
        }
        ratios.extend([0, 1, (1 << 52) - 1, 0x9_1234_5678_9abc].map(|f| f64::from_bits(scale | f)));
    }
    ratios.extend([f64::from_bits(1), f64::MIN_POSITIVE.next_down(), 0.1, 1.0 / 3.0]);
    for ratio in ratios {
        let given = Multiplier::from_ratio(ratio).expect("positive");
        assert_eq!((BigInt::from(given.m()), given.e()), of_ratio(ratio), "{ratio:e}");
        assert_eq!(given.shift() as i32, 31 - given.e());
        assert_eq!(oracle::float(given.value()), oracle::integer(given.m()) * oracle::power(given.e() - 31));
    }
}

#[test]
fn renormalised_tiny_and_huge_multipliers_by_hand() {
    let of = |ratio: f64| Multiplier::from_ratio(ratio).map(|by| (by.m(), by.e())).expect("positive");
    assert_eq!(of(1.0), (1 << 30, 1));
    assert_eq!(of(0.75), (3 << 29, 0));
    // 31 bits of ones and a half: up to 2^31, which is 2^30 and one exponent more.
    assert_eq!(of(1.0 - 2.0_f64.powi(-32)), (1 << 30, 1));
    assert_eq!(of(1.0 - 2.0_f64.powi(-31)), (i32::MAX, 0));
    assert_eq!(of(2.0_f64.powi(-32)), (1 << 30, -31));
    assert_eq!(of(2.0_f64.powi(-32).next_down()), (1 << 30, -31));
    assert_eq!(of(2.0_f64.powi(-33)), (0, 0));
    assert_eq!(of(2.0_f64.powi(29)), (1 << 30, 30));
    assert_eq!(of(2.0_f64.powi(30)), (i32::MAX, 30));
    assert_eq!(of(f64::MAX), (i32::MAX, 30));
    let refused = |m, e| Multiplier::new(m, e).expect_err("refused").to_string();
    assert_eq!(refused(-1, 0), "multiplier = -1 is out of range: it must be in 0..=2147483647");
    assert_eq!(refused(1, 31), "exponent = 31 is out of range: it must be in -31..=30");
    assert_eq!(refused(1, -32), "exponent = -32 is out of range: it must be in -31..=30");
    for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let message = Multiplier::from_ratio(ratio).expect_err("refused").to_string();
        let limits = format!("it must be in 5e-324..={:e}", f64::MAX);
        assert_eq!(message, format!("the ratio of scales {ratio:e} is out of range: {limits}"));
    }
}

#[test]
fn every_kind_of_scheme_is_made_of_a_ratio() {
    let of = |kind, ratio| Scheme::from_ratio(kind, ratio).expect("in range");
    assert_eq!(of(SchemeKind::FixedDouble, 1e-12), Scheme::FixedDouble(multiplier(0, 0)));
    let by = multiplier(3 << 29, -2);
    assert_eq!(of(SchemeKind::FixedSingle, 0.1875), Scheme::FixedSingle(by));
    assert_eq!(of(SchemeKind::FixedDouble, 0.1875), Scheme::FixedDouble(by));
    assert_eq!(of(SchemeKind::FixedDoubleUp, 0.1875), Scheme::FixedDoubleUp(by));
    assert_eq!(of(SchemeKind::S64Reduced, 0.1875), Scheme::S64Reduced(by));
    assert_eq!(of(SchemeKind::F32Even, 0.1), Scheme::F32Even(0.1));
    assert_eq!(of(SchemeKind::F32Rndnu, 0.1), Scheme::F32Rndnu(0.1));
    assert_eq!(of(SchemeKind::F64Away, 0.1), Scheme::F64Away(0.1));
    // 0.1875 = 3/4 2^-2: 15 bits of 3/4, and 15 + 2.
    assert_eq!(of(SchemeKind::Tosa16, 0.1875), Scheme::Tosa16 { m: 3 << 13, shift: 17 });
    assert_eq!(of(SchemeKind::Tosa16, 1.0 - 2.0_f64.powi(-16)), Scheme::Tosa16 { m: 1 << 14, shift: 14 });
    assert_eq!(of(SchemeKind::Tosa16, 1.0 - 2.0_f64.powi(-16) - 1e-9), Scheme::Tosa16 { m: i16::MAX, shift: 15 });
    assert_eq!(of(SchemeKind::Tosa16, 2.0_f64.powi(12)), Scheme::Tosa16 { m: 1 << 14, shift: 2 });
    assert_eq!(of(SchemeKind::Tosa16, 2.0_f64.powi(-48)), Scheme::Tosa16 { m: 1 << 14, shift: 62 });
    for kind in SchemeKind::ALL {
        let scheme = of(kind, 0.1875);
        assert_eq!(scheme.kind(), kind);
        assert!(scheme.to_string().starts_with(kind.name()), "{scheme}");
    }
    assert_eq!(of(SchemeKind::FixedSingle, 0.1875).to_string(), "FixedSingle(m = 1610612736, e = -2)");
    assert_eq!(of(SchemeKind::Pow2(Round::Floor), 0.25).to_string(), "Pow2(shift = 2, floor)");
}

#[test]
fn a_power_of_two_is_the_nearest_by_its_logarithm() {
    let shift = |ratio: f64| match Scheme::from_ratio(SchemeKind::Pow2(Round::Floor), ratio) {
        Ok(Scheme::Pow2 { shift, round: Round::Floor }) => shift,
        other => panic!("{other:?}"),
    };
    assert_eq!([1.0, 1.25, 0.75, 0.5, 0.36, 0.35, 0.25].map(shift), [0, 0, 0, 1, 1, 2, 2]);
    assert_eq!(shift(2.0_f64.powi(-62)), 62);
    // Up from where the square reaches 1/2 of the greater power's square: around each middle, float by float.
    for exponent in 0..=61 {
        let middle = 2.0_f64.powi(-exponent - 1) * std::f64::consts::SQRT_2;
        for ratio in [middle.next_down().next_down(), middle.next_down(), middle, middle.next_up()] {
            let real: BigRational = oracle::float(ratio);
            let up = &real * &real >= oracle::power(-2 * exponent - 1);
            assert_eq!(shift(ratio), (exponent + i32::from(!up)) as u32, "{ratio:e}");
        }
    }
}

#[test]
fn ratios_that_a_scheme_cannot_stand_for_are_refused_with_its_limits() {
    // Ratios below 2^-32 have a multiplier of 0.
    // From 2^30 - 1/4 on the nearest multiplier has 32 bits.
    let fixed = (0.0, (2.0_f64.powi(30) - 0.25).next_down());
    let limits = [
        (SchemeKind::FixedSingle, fixed),
        (SchemeKind::FixedDouble, fixed),
        (SchemeKind::FixedDoubleUp, fixed),
        (SchemeKind::S64Reduced, (0.0, 2.0_f64.powi(14))),
        (SchemeKind::F32Even, (f32::MIN_POSITIVE.into(), f32::MAX.into())),
        (SchemeKind::F64Away, (f64::MIN_POSITIVE, f64::MAX)),
        (SchemeKind::F32Rndnu, (2.0_f64.powi(-32), 256.0_f32.next_down().into())),
        (SchemeKind::Tosa16, (2.0_f64.powi(-48), 2.0_f64.powi(12))),
        (SchemeKind::Pow2(Round::Floor), (2.0_f64.powi(-62), 2.0_f64.sqrt().next_down())),
    ];
    for (kind, (min, max)) in limits {
        for within in [min.max(f64::from_bits(1)), max] {
            let scheme = Scheme::from_ratio(kind, within).expect("within the limits");
            assert_eq!(scheme.check(), Ok(()), "{scheme}");
            // It works at the limits.
            scheme.scale(i64::MIN);
            scheme.scale(i64::MAX);
        }
        for beyond in [min.next_down(), max.next_up()] {
            if beyond.is_finite() && beyond > 0.0 {
                let message = Scheme::from_ratio(kind, beyond).expect_err("refused").to_string();
                let rule = format!("is out of range: it must be in {min:e}..={max:e}");
                assert_eq!(message, format!("the ratio of scales {beyond:e} {rule}"));
            }
        }
        for never in [0.0, -0.5, f64::NAN, f64::INFINITY] {
            assert!(Scheme::from_ratio(kind, never).is_err(), "{}, {never}", kind.name());
        }
    }
}

#[test]
fn schemes_written_by_hand_are_checked_on_request() {
    let refused = |scheme: Scheme| scheme.check().expect_err("refused").to_string();
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40] {
        for scheme in [Scheme::F32Even(scale), Scheme::F32Rndnu(scale), Scheme::F64Away((scale * 1e-300_f32).into())] {
            assert!(refused(scheme).contains("must be positive, finite and normal"), "{scheme}");
        }
    }
    assert!(refused(Scheme::F32Rndnu(256.0)).starts_with("the ratio of scales 2.56e2 is out of range"));
    assert_eq!(refused(Scheme::Tosa16 { m: -1, shift: 3 }), "multiplier = -1 is out of range: it must be in 0..=32767");
    assert_eq!(refused(Scheme::Tosa16 { m: 1, shift: 1 }), "shift = 1 is out of range: it must be in 2..=62");
    let pow2 = |shift| Scheme::Pow2 { shift, round: Round::Floor };
    assert_eq!(refused(pow2(200)), "shift = 200 is out of range: it must be in 0..=62");
    assert_eq!(pow2(0).check(), Ok(()));
}
