//! Profiles by name, and the schemes that they stand for.

use golden::{Multiplier, Operator, Order, Profile, Scheme, SchemeKind};
use spec::Round;

const OPERATORS: [Operator; 3] = [Operator::FullyConnected, Operator::Convolution, Operator::Depthwise];

#[test]
fn profiles_have_the_schemes_of_their_products() {
    let away = Round::HalfAwayFromZero;
    let even = Round::HalfToEven;
    let (double, f32_even) = (SchemeKind::FixedDouble, SchemeKind::F32Even);
    let (after, before) = (Order::DivideThenAdd, Order::AddThenRound);
    // Fully connected, convolution, depthwise with activations of 8 bits; all three with 16.
    let table = [
        ("onnx", after, even, [Some(f32_even); 3], Some(f32_even)),
        ("tflite-reference", after, away, [Some(SchemeKind::F64Away), Some(double), Some(double)], None),
        ("tflite-ruy", after, away, [Some(SchemeKind::FixedDoubleUp); 3], None),
        ("tflite-xnnpack", before, even, [Some(f32_even); 3], Some(f32_even)),
        ("tflite-micro", after, away, [Some(double); 3], None),
        ("cmsis-nn", after, away, [Some(double); 3], None),
        ("tosa", after, even, [Some(SchemeKind::FixedSingle); 3], Some(SchemeKind::FixedSingle)),
        ("gemmini", after, even, [Some(f32_even); 3], Some(f32_even)),
        ("vta-shift", after, even, [Some(SchemeKind::Pow2(Round::Floor)); 3], Some(SchemeKind::Pow2(Round::Floor))),
        ("qonnx", Order::ClampThenRound, even, [None; 3], None),
    ];
    assert_eq!(table.len(), Profile::ALL.len());
    for (name, order, round, eight, sixteen) in table {
        let profile = Profile::named(name).expect("it is in the table");
        assert_eq!(profile.name(), name);
        assert_eq!((profile.order(), profile.rounding()), (order, round), "{name}");
        assert_eq!(OPERATORS.map(|operator| profile.scheme_kind(operator, 8)), eight, "{name}");
        // TFLite's and CMSIS-NN's layers of 16-bit activations have a scheme of their own.
        let sixteen = if name == "qonnx" { None } else { Some(sixteen.unwrap_or(SchemeKind::S64Reduced)) };
        assert_eq!(OPERATORS.map(|operator| profile.scheme_kind(operator, 16)), [sixteen; 3], "{name}");
    }
    assert_eq!(Profile::named("tflite"), None);
    assert_eq!(Profile::named(""), None);
}

#[test]
fn scales_are_combined_in_the_product_s_arithmetic() {
    let (x, w, y) = (0.01_f32, 0.001_f32, 1.1_f32);
    let of = |profile: Profile, operator| profile.scheme(operator, 8, x, w, y).expect("in range");
    let single = x * w / y;
    let double = f64::from(x) * f64::from(w) / f64::from(y);
    assert_ne!(f64::from(single), double);
    assert_ne!(single, x * (w / y), "the order of the operations shows");
    for profile in [Profile::Onnx, Profile::TfliteXnnpack, Profile::Gemmini] {
        assert_eq!(of(profile, Operator::Convolution), Some(Scheme::F32Even(single)));
    }
    assert_eq!(of(Profile::TfliteReference, Operator::FullyConnected), Some(Scheme::F64Away(double)));
    let by = Multiplier::from_ratio(double).expect("positive");
    assert_ne!(by, Multiplier::from_ratio(single.into()).expect("positive"));
    assert_eq!(of(Profile::TfliteMicro, Operator::Depthwise), Some(Scheme::FixedDouble(by)));
    assert_eq!(of(Profile::Tosa, Operator::Depthwise), Some(Scheme::FixedSingle(by)));
    assert_eq!(of(Profile::Qonnx, Operator::Convolution), None);
    let error = Profile::TfliteMicro.scheme(Operator::Convolution, 8, 1.0, 1.0, 0.0).expect_err("refused");
    assert_eq!(
        error.to_string(),
        format!("the ratio of scales inf is out of range: it must be in 5e-324..={:e}", f64::MAX)
    );
}
