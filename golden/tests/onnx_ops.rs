//! ONNX's quantized operators on small cases by hand.

use golden::onnx::{
    conv_integer, dequantize_linear, dynamic_quantize_linear, effective_scale, matmul_integer, qlinear_conv,
    qlinear_matmul, quantize_linear, Affine, Dynamic, Operand, Output,
};
use golden::{Conv2d, GoldenError, Granularity, Layout, QFormat, Shape};

fn uint8() -> QFormat {
    QFormat::full(8, false).expect("it exists")
}

fn refused<T: std::fmt::Debug>(result: Result<T, GoldenError>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn values_are_rounded_before_the_zero_point_is_added() {
    let affine = Affine { scales: &[2.0], zero_points: &[129] };
    let values = [0.0, 1.0, 3.0, -1.0, -3.0, 1_000.0, -1_000.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    // Halves 0.5 and 1.5 go to 0 and 2.
    let expected = [129, 129, 131, 129, 127, 255, 0, 255, 0, 0];
    let given = quantize_linear(&values, &[10], uint8(), affine, Granularity::Tensor);
    assert_eq!(given, Ok(expected.to_vec()));
    let back = dequantize_linear(&[129, 131, 0], &[3], uint8(), affine, Granularity::Tensor);
    assert_eq!(back, Ok(vec![0.0, 4.0, -258.0]));
    let axis = Affine { scales: &[2.0, 4.0], zero_points: &[1, 2] };
    let given = quantize_linear(&[8.0; 4], &[2, 2], uint8(), axis, Granularity::Axis(1));
    assert_eq!(given, Ok(vec![5, 4, 5, 4]));
    assert_eq!(
        refused(quantize_linear(
            &[1.0; 2],
            &[2],
            uint8(),
            Affine { scales: &[1.0, 0.0], ..axis },
            Granularity::Axis(0)
        )),
        "scale[1] = 0e0 must be positive, finite and normal"
    );
}

#[test]
fn a_dynamic_range_holds_zero_and_has_255_steps() {
    let run = |values: &[f32]| dynamic_quantize_linear(values).expect("finite");
    assert_eq!(run(&[0.0, -0.0]), Dynamic { values: vec![0, 0], scale: 1.0, zero_point: 0 });
    // Above zero the range starts at 0: 510 / 255 = 2. Halves go to even.
    assert_eq!(run(&[510.0, 1.0, 3.0]), Dynamic { values: vec![255, 0, 2], scale: 2.0, zero_point: 0 });
    assert_eq!(run(&[-510.0, -1.0]), Dynamic { values: vec![0, 255], scale: 2.0, zero_point: 255 });
    // -1..=254: the zero point is 1.
    assert_eq!(run(&[-1.0, 254.0, 0.5]), Dynamic { values: vec![0, 255, 1], scale: 1.0, zero_point: 1 });
    // 0.5 / 1 is a tie of the zero point: to 0.
    assert_eq!(run(&[-0.5, 254.5]).zero_point, 0);
    assert_eq!(run(&[-1.5, 253.5]).zero_point, 2);
    assert_eq!(refused(dynamic_quantize_linear(&[])), "number of values = 0: every dimension must be at least 1");
    assert_eq!(
        refused(dynamic_quantize_linear(&[1.0, f32::NAN])),
        "value[1] = NaN is not finite, and the policy is to refuse it"
    );
    // 2^-149 / 255 is 0 in f32, and the widest range is infinite.
    assert_eq!(
        refused(dynamic_quantize_linear(&[f32::from_bits(1)])),
        "scale[0] = 0e0 must be positive, finite and normal"
    );
    assert_eq!(
        refused(dynamic_quantize_linear(&[f32::MAX, f32::MIN])),
        "scale[0] = inf must be positive, finite and normal"
    );
}

#[test]
fn integer_products_wrap_at_32_bits() {
    let shape = Shape { m: 1, k: 33_026, n: 1 };
    let ones = vec![255; 33_026];
    // 255 255 33,026 = 2,147,515,650 = 2^31 + 32,002.
    assert_eq!(matmul_integer(shape, &ones, &[0], &ones, &[0]), Ok(vec![-2_147_451_646]));
    let shape = Shape { m: 2, k: 2, n: 2 };
    let given = matmul_integer(shape, &[1, 2, 3, 4], &[1, 3], &[5, 6, 7, 8], &[5, 8]);
    // Rows 0, 1 and 0, 1; columns 0, 2 and -2, 0.
    assert_eq!(given, Ok(vec![2, 0, 2, 0]));
}

const CONV: Conv2d = Conv2d {
    layout: Layout::ChannelsFirst,
    batch: 1,
    in_channels: 1,
    out_channels: 2,
    input: [2, 2],
    kernel: [1, 2],
    stride: [1, 1],
    dilation: [1, 1],
    pad_before: [0, 1],
    pad_after: [0, 0],
    groups: 1,
};

#[test]
fn an_integer_convolution_pads_with_the_zero_point() {
    // x - 1 = 0, 1; 2, 3, after a padded 0. Kernels 1, 10 and 2, 20 after their zero points.
    let given = conv_integer(&CONV, &[1, 2, 3, 4], 1, &[3, 12, 4, 22], &[2]);
    assert_eq!(given, Ok(vec![0, 10, 20, 32, 0, 20, 40, 64]));
    let each = conv_integer(&CONV, &[1, 2, 3, 4], 1, &[3, 12, 4, 22], &[2, 4]);
    assert_eq!(each, Ok(vec![0, 10, 20, 32, 0, 18, 36, 54]));
}

const X: Affine<'_> = Affine { scales: &[0.5], zero_points: &[1] };

#[test]
fn quantized_products_are_scaled_rounded_shifted_and_clamped() {
    let shape = Shape { m: 2, k: 1, n: 2 };
    let a = Operand { values: &[2, 4], affine: X };
    let y = Output { format: uint8(), scale: 1.0, zero_point: 3 };
    // Sums 1, 2 and 3, 6 times 1/2 are 0.5, 1 and 1.5, 3: to 0, 1 and 2, 3, plus 3.
    let b = Operand { values: &[1, 2], affine: Affine { scales: &[1.0], zero_points: &[0] } };
    assert_eq!(qlinear_matmul(shape, a, b, y), Ok(vec![3, 4, 5, 6]));
    // Each column its scale: 1/2 and 100.
    let b = Operand { values: &[1, 2], affine: Affine { scales: &[1.0, 200.0], zero_points: &[0, 0] } };
    assert_eq!(qlinear_matmul(shape, a, b, y), Ok(vec![3, 203, 5, 255]));
}

#[test]
fn quantized_convolutions_add_the_bias_to_the_sum() {
    let x = Operand { values: &[1, 2, 3, 4], affine: X };
    let w = Operand { values: &[1, 10, 2, 20], affine: Affine { scales: &[1.0, 2.0], zero_points: &[0] } };
    let y = Output { format: uint8(), scale: 2.0, zero_point: 7 };
    // Sums 0, 10, 20, 32 plus 2 over 4; 0, 20, 40, 64 minus 20 over 2: 0.5, 3, 5.5, 8.5; -10, 0, 10, 22.
    assert_eq!(qlinear_conv(&CONV, x, w, &[2, -20], y), Ok(vec![7, 10, 13, 15, 0, 7, 17, 29]));
}

#[test]
fn the_ratio_of_scales_is_rounded_twice_in_its_order() {
    let (x, w, y) = (0.01_f32, 0.001_f32, 1.1_f32);
    let product = (f64::from(x) * f64::from(w)) as f32;
    assert_eq!(effective_scale(x, w, y), (f64::from(product) / f64::from(y)) as f32);
    assert_ne!(effective_scale(x, w, y), x * (w / y));
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let shape = Shape { m: 1, k: 1, n: 2 };
    let y = Output { format: uint8(), scale: 1.0, zero_point: 0 };
    let run = |a: Affine<'_>, b: Affine<'_>, y: Output| {
        refused(qlinear_matmul(shape, Operand { values: &[2], affine: a }, Operand { values: &[1, 2], affine: b }, y))
    };
    let b = Affine { scales: &[1.0, 1.0], zero_points: &[0] };
    assert_eq!(
        run(Affine { scales: &[0.5, 0.5], zero_points: &[1] }, b, y),
        "scales of the activations has 2 elements, but the shape asks for 1"
    );
    assert_eq!(
        run(Affine { scales: &[0.5], zero_points: &[1, 1] }, b, y),
        "zero points of the activations has 2 elements, but the shape asks for 1"
    );
    assert_eq!(
        run(X, Affine { scales: &[1.0; 3], ..b }, y),
        "scales of the weights has 3 elements, but the shape asks for 2"
    );
    assert_eq!(run(X, Affine { scales: &[1.0, -1.0], ..b }, y), "scale[1] = -1e0 must be positive, finite and normal");
    assert_eq!(run(X, b, Output { scale: f32::NAN, ..y }), "scale[0] = NaN must be positive, finite and normal");
    assert_eq!(run(X, b, Output { zero_point: 256, ..y }), "zero_point = 256 is out of range: it must be in 0..=255");
}
