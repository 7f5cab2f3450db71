//! Quantizers of tensors: granularities by hand, policies, dequantization, and what is refused.

mod common;

use common::oracle;
use golden::{
    GoldenError, Granularity, InfinityPolicy, Kind, NanPolicy, Order, QFormat, Quantizer, QuantizerParts,
    QuantizerRounding, Range, Scale, Stream,
};
use proptest::prelude::*;
use spec::Round;

fn int8() -> QFormat {
    QFormat::full(8, true).expect("it exists")
}

fn scales(values: &[f32]) -> Vec<Scale> {
    values.iter().map(|&value| Scale::f32(value).expect("normal")).collect()
}

fn parts(granularity: Granularity, values: &[f32], zero_points: &[i64]) -> QuantizerParts {
    QuantizerParts {
        format: int8(),
        scales: scales(values),
        zero_points: zero_points.to_vec(),
        granularity,
        rounding: QuantizerRounding::Fixed(Round::HalfToEven),
        order: Order::DivideThenAdd,
        nan: NanPolicy::Refuse,
        infinity: InfinityPolicy::Refuse,
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, GoldenError>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn every_place_along_an_axis_has_its_scale_by_hand() {
    let ones = [1.0; 12];
    // Shape 2 x 3 x 2; scales 1, 1/2, 1/4 along the middle axis, zero points 0, 1, 2.
    let middle = Quantizer::new(parts(Granularity::Axis(1), &[1.0, 0.5, 0.25], &[0, 1, 2])).expect("legal");
    let quantized = middle.quantize(&ones, &[2, 3, 2]).expect("it fits");
    assert_eq!(quantized, [1, 1, 3, 3, 6, 6, 1, 1, 3, 3, 6, 6]);
    assert_eq!(middle.dequantize(&quantized, &[2, 3, 2]).expect("it fits"), ones);
    let first = Quantizer::new(parts(Granularity::Axis(0), &[1.0, 0.5], &[0, 0])).expect("legal");
    assert_eq!(first.quantize(&ones, &[2, 6]).expect("it fits"), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    let last = Quantizer::new(parts(Granularity::Axis(1), &[1.0, 0.5], &[0, 0])).expect("legal");
    assert_eq!(last.quantize(&ones, &[6, 2]).expect("it fits"), [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
}

#[test]
fn blocks_along_an_axis_have_their_scales_by_hand() {
    let ones = [1.0; 10];
    // 2 x 5, blocks of 2 along the columns: 2, 2 and 1 columns, so 2 x 3 scales.
    let scales = [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125];
    let rows =
        Quantizer::new(parts(Granularity::Block { axis: 1, len: 2 }, &scales, &[0, 0, 0, 0, 0, 1])).expect("legal");
    assert_eq!(rows.quantize(&ones, &[2, 5]).expect("it fits"), [1, 1, 2, 2, 4, 8, 8, 16, 16, 33]);
    // 5 x 2, blocks of 3 along the rows: 3 and 2 rows, so 2 x 2 scales.
    let cols = Quantizer::new(parts(Granularity::Block { axis: 0, len: 3 }, &scales[..4], &[0; 4])).expect("legal");
    let quantized = cols.quantize(&ones, &[5, 2]).expect("it fits");
    assert_eq!(quantized, [1, 2, 1, 2, 1, 2, 4, 8, 4, 8]);
    assert_eq!(cols.dequantize(&quantized, &[5, 2]).expect("it fits"), ones);
    // A block longer than the axis is the whole axis.
    let whole = Quantizer::new(parts(Granularity::Block { axis: 0, len: 9 }, &[0.5, 1.0], &[0; 2])).expect("legal");
    assert_eq!(whole.quantize(&ones, &[5, 2]).expect("it fits"), [2, 1, 2, 1, 2, 1, 2, 1, 2, 1]);
}

#[test]
fn nan_and_infinities_follow_their_policies() {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0];
    let make = |nan, infinity| {
        Quantizer::new(QuantizerParts { nan, infinity, ..parts(Granularity::Tensor, &[0.5], &[3]) }).expect("legal")
    };
    let run = |nan, infinity, from: usize| make(nan, infinity).quantize(&values[from..], &[4 - from]);
    assert_eq!(run(NanPolicy::Least, InfinityPolicy::Saturate, 0), Ok(vec![-128, 127, -128, 5]));
    assert_eq!(run(NanPolicy::Zero, InfinityPolicy::Saturate, 0), Ok(vec![3, 127, -128, 5]));
    assert_eq!(run(NanPolicy::Refuse, InfinityPolicy::Saturate, 1), Ok(vec![127, -128, 5]));
    assert_eq!(
        refused(run(NanPolicy::Refuse, InfinityPolicy::Saturate, 0)),
        "value[0] = NaN is not finite, and the policy is to refuse it"
    );
    assert_eq!(
        refused(run(NanPolicy::Least, InfinityPolicy::Refuse, 0)),
        "value[1] = inf is not finite, and the policy is to refuse it"
    );
    assert_eq!(
        refused(run(NanPolicy::Zero, InfinityPolicy::Refuse, 2)),
        "value[0] = -inf is not finite, and the policy is to refuse it"
    );
    assert_eq!(make(NanPolicy::Refuse, InfinityPolicy::Refuse).quantize_one(f32::NAN, 0, 0), -128);
}

#[test]
fn infinities_saturate_in_every_order_arithmetic_and_rounding() {
    let stochastic = QuantizerRounding::Stochastic(Stream::new(5, 0, 8));
    for order in Order::ALL {
        for scale in [Scale::f32(0.1), Scale::f64(0.1), Scale::ratio(1, u32::MAX), Scale::pow2(127)] {
            for rounding in [QuantizerRounding::Fixed(Round::Floor), stochastic] {
                for (format, zero_point) in [(int8(), 127), (int8(), -128), (QFormat::BIPOLAR, 0)] {
                    let quantizer = Quantizer::new(QuantizerParts {
                        format,
                        scales: vec![scale.clone().expect("positive")],
                        rounding,
                        order,
                        infinity: InfinityPolicy::Saturate,
                        ..parts(Granularity::Tensor, &[1.0], &[zero_point])
                    })
                    .expect("legal");
                    let given = quantizer.quantize(&[f32::INFINITY, f32::NEG_INFINITY], &[2]);
                    assert_eq!(given, Ok(vec![format.max() as i32, format.min() as i32]), "{format}, {scale:?}");
                }
            }
        }
    }
}

#[test]
fn dequantization_is_the_product_in_the_scale_s_arithmetic() {
    let run = |format, scale: Result<Scale, GoldenError>, zero_point, q: i32| {
        let quantizer = Quantizer::tensor(format, scale.expect("positive"), zero_point, Round::HalfToEven);
        quantizer.expect("legal").dequantize(&[q], &[1]).expect("it fits")[0]
    };
    assert_eq!(run(int8(), Scale::f32(0.1), -3, 100), 103.0 * 0.1_f32);
    assert_eq!(run(int8(), Scale::f64(0.1), -3, 100), (103.0 * 0.1_f64) as f32);
    assert_eq!(run(int8(), Scale::ratio(3, 4), 5, 1), -3.0);
    assert_eq!(run(int8(), Scale::pow2(-126), 0, 1), f32::MIN_POSITIVE);
    // An unsigned number of 32 bits in a signed word, and a difference of 33 bits.
    let uint32 = QFormat::full(32, false).expect("it exists");
    assert_eq!(run(uint32, Scale::f32(1.0), 0, -1), 4_294_967_295_u32 as f32);
    assert_eq!(run(uint32, Scale::pow2(0), 4_294_967_295, 0), -4_294_967_295.0);
    let bipolar = QFormat::new(Kind::Bipolar, 2, Range::Full).expect("it exists");
    assert_eq!(run(bipolar, Scale::f32(0.5), 0, -3), -1.5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    // No float is nearer to the exact product; of two that are equally near it is the even one.
    #[test]
    fn dequantization_by_a_ratio_rounds_once(n in 1_u32.., d in 1_u32.., small in any::<bool>(), q in any::<i32>()) {
        let (n, d) = if small { (n % 100 + 1, d % 100 + 1) } else { (n, d) };
        let int32 = QFormat::full(32, true).expect("it exists");
        let quantizer = Quantizer::tensor(int32, Scale::ratio(n, d).expect("positive"), 0, Round::HalfToEven);
        let given = quantizer.expect("legal").dequantize(&[q], &[1]).expect("it fits")[0];
        let exact = oracle::ratio(n, d) * oracle::integer(q);
        let distance = |value: f32| {
            let difference = oracle::float(value.into()) - &exact;
            if difference < oracle::integer(0) { -difference } else { difference }
        };
        for other in [given.next_up(), given.next_down()] {
            let even = given.to_bits() & 1 == 0;
            prop_assert!(
                distance(given) < distance(other) || (even && distance(given) == distance(other)),
                "{} * {}/{}: {:e} or {:e}", q, n, d, given, other
            );
        }
    }
}

#[test]
fn scales_that_cannot_be_divided_by_are_refused() {
    for value in [0.0, -0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let message = format!("scale[0] = {value:e} must be positive, finite and normal");
        assert_eq!(refused(Scale::f32(value)), message);
        assert_eq!(refused(Scale::f64(value.into())), message);
    }
    let subnormal = "must be positive, finite and normal (this one is subnormal: its quotients would lose bits)";
    let value = f32::MIN_POSITIVE.next_down();
    assert_eq!(refused(Scale::f32(value)), format!("scale[0] = {:e} {subnormal}", f64::from(value)));
    assert_eq!(refused(Scale::f64(5e-324)), format!("scale[0] = 5e-324 {subnormal}"));
    assert!(Scale::f32(f32::MIN_POSITIVE).is_ok() && Scale::f64(value.into()).is_ok());
    assert_eq!(refused(Scale::ratio(0, 3)), "scale[0] = 0/3 must be a ratio of two numbers of at least 1");
    assert_eq!(refused(Scale::ratio(3, 0)), "scale[0] = 3/0 must be a ratio of two numbers of at least 1");
    for exponent in [-127, 128, i32::MIN] {
        let message = format!("scale[0] = 2^{exponent} must be 2^-126 ..= 2^127, a normal f32");
        assert_eq!(refused(Scale::pow2(exponent)), message);
    }
    assert!(Scale::pow2(-126).is_ok() && Scale::pow2(127).is_ok());
}

#[test]
fn zero_points_are_values_of_the_format() {
    let zero = |format, zero_point| Quantizer::tensor(format, Scale::pow2(0).expect("1"), zero_point, Round::Floor);
    let message = |value, min, max| format!("zero_point = {value} is out of range: it must be in {min}..={max}");
    assert_eq!(refused(zero(int8(), 128)), message(128, -128, 127));
    assert_eq!(refused(zero(int8(), -129)), message(-129, -128, 127));
    assert_eq!(refused(zero(QFormat::full(4, false).expect("it exists"), -1)), message(-1, 0, 15));
    let narrow = QFormat::new(Kind::Signed, 8, Range::Narrow).expect("it exists");
    assert_eq!(refused(zero(narrow, -128)), message(-128, -127, 127));
    assert_eq!(refused(zero(QFormat::BIPOLAR, 1)), message(1, 0, 0));
    assert_eq!(refused(zero(QFormat::TERNARY, 2)), message(2, -1, 1));
}

#[test]
fn parameters_that_do_not_fit_each_other_are_refused() {
    let new = |granularity, n: usize, zeros: usize| Quantizer::new(parts(granularity, &vec![1.0; n], &vec![0; zeros]));
    assert_eq!(refused(new(Granularity::Tensor, 0, 0)), "number of scales = 0: every dimension must be at least 1");
    assert_eq!(refused(new(Granularity::Axis(0), 2, 1)), "zero_points has 1 elements, but the shape asks for 2");
    assert_eq!(
        refused(new(Granularity::Tensor, 2, 2)),
        "scales of a whole tensor has 2 elements, but the shape asks for 1"
    );
    assert_eq!(
        refused(new(Granularity::Block { axis: 0, len: 0 }, 1, 1)),
        "block length = 0: every dimension must be at least 1"
    );
    let run = |granularity, n, shape: &[usize]| {
        let quantizer = new(granularity, n, n).expect("legal");
        let size = shape.iter().product();
        let message = refused(quantizer.quantize(&vec![1.0; size], shape));
        assert_eq!(refused(quantizer.dequantize(&vec![1; size], shape)), message);
        message
    };
    assert_eq!(
        run(Granularity::Axis(2), 3, &[2, 3]),
        "axis = 2 must be below 2, the number of the tensor's dimensions"
    );
    assert_eq!(
        run(Granularity::Axis(1), 2, &[2, 3]),
        "number of scales = 2 must be 3, one a group of shape [2, 3] along axis 1"
    );
    assert_eq!(
        run(Granularity::Block { axis: 1, len: 2 }, 3, &[2, 3]),
        "number of scales = 3 must be 4, one a group of shape [2, 3] along axis 1"
    );
    let tensor = new(Granularity::Tensor, 1, 1).expect("legal");
    assert_eq!(refused(tensor.quantize(&[1.0], &[2])), "the tensor has 1 elements, but the shape asks for 2");
    assert_eq!(refused(tensor.dequantize(&[1, 2, 3], &[2])), "the tensor has 3 elements, but the shape asks for 2");
}
