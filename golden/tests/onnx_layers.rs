//! ONNX's sums, pools and clamps of integers on small cases by hand, and what they refuse.

use golden::onnx::{
    clip, max_pool, qgemm, qlinear_add, qlinear_average_pool, qlinear_global_average_pool, Affine, Divisor, Operand,
    Output, Pool2d,
};
use golden::{GoldenError, QFormat, Shape, Window};

const HALF: Affine<'_> = Affine { scales: &[0.5], zero_points: &[1] };
const ONE: Affine<'_> = Affine { scales: &[1.0], zero_points: &[0] };

fn output(scale: f32, zero_point: i64) -> Output {
    Output { format: QFormat::full(8, true).expect("it exists"), scale, zero_point }
}

fn refused<T: std::fmt::Debug>(result: Result<T, GoldenError>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn a_sum_is_rounded_with_its_zero_point() {
    let a = Operand { values: &[1, 2, 3, 4, -128, 127], affine: HALF };
    let b = Operand { values: &[0, 0, 1, 1, -128, 127], affine: ONE };
    // (a - 1) / 2 + b: 0, 0.5, 2, 2.5, -192.5, 190. With zero point 0: ties to 0 and 2; with 1: of 1.5 and 3.5, to 2 and 4.
    assert_eq!(qlinear_add(a, b, output(1.0, 0)), Ok(vec![0, 0, 2, 2, -128, 127]));
    assert_eq!(qlinear_add(a, b, output(1.0, 1)), Ok(vec![1, 2, 3, 4, -128, 127]));
    // Half of it: 0, 0.25, 1, 1.25, -96.25, 95; plus 100.
    assert_eq!(qlinear_add(a, b, output(2.0, 100)), Ok(vec![100, 100, 101, 101, 4, 127]));
}

#[test]
fn clamps_take_the_upper_bound_last() {
    assert_eq!(clip(&[-3, 0, 2, 9], -1, 4), [-1, 0, 2, 4]);
    assert_eq!(clip(&[-3, 9], 4, -1), [-1, -1]);
}

const CORNERS: Pool2d = Pool2d {
    planes: 1,
    input: [2, 3],
    window: Window { kernel: [2, 2], stride: [1, 2], dilation: [1, 1], pad_before: [1, 0], pad_after: [0, 1] },
};

#[test]
fn padding_is_never_the_greatest() {
    // Windows of rows 0 and 0..2, columns 0..2 and 2.
    assert_eq!(max_pool(&CORNERS, &[-9, -8, -7, -6, -9, -5]), Ok(vec![-8, -7, -6, -5]));
}

#[test]
fn an_average_is_over_the_kernel_or_over_the_image() {
    let x = Operand { values: &[5, 7, 9, 1, 3, 5], affine: HALF };
    // Reals 2, 3, 4; 0, 1, 2. Sums 5, 4; 6, 6 over 4, or over 2, 1; 4, 2.
    let average = |divisor, y| qlinear_average_pool(&CORNERS, divisor, x, y);
    assert_eq!(average(Divisor::Kernel, output(0.25, 0)), Ok(vec![5, 4, 6, 6]));
    assert_eq!(average(Divisor::Image, output(0.25, 0)), Ok(vec![10, 16, 6, 12]));
    // 2.5 and 1.5 are ties before, 3.5 and 2.5 with the zero point.
    assert_eq!(average(Divisor::Image, output(1.0, 0)), Ok(vec![2, 4, 2, 3]));
    assert_eq!(average(Divisor::Image, output(1.0, 1)), Ok(vec![4, 5, 2, 4]));
}

#[test]
fn a_mean_of_all_is_rounded_before_its_zero_point() {
    let x = Operand { values: &[2, 3, 5, 6, 1, 1, 3, 3], affine: HALF };
    // Sums of x - 1: 12 and 4; times 0.5 / 4: 1.5 and 0.5, to 2 and 0.
    assert_eq!(qlinear_global_average_pool(2, 4, x, output(1.0, 0)), Ok(vec![2, 0]));
    assert_eq!(qlinear_global_average_pool(2, 4, x, output(1.0, 1)), Ok(vec![3, 1]));
}

#[test]
fn a_product_adds_its_bias_before_scaling() {
    let shape = Shape { m: 1, k: 2, n: 2 };
    let a = Operand { values: &[2, 4], affine: HALF };
    let b = Operand { values: &[1, 2, 3, 4], affine: Affine { scales: &[1.0, 3.0], zero_points: &[0, 1] } };
    // Sums 1 + 9 and 1 + 9, plus 1 and -2: 11 / 2 = 5.5 to 6; 8 1.5 = 12.
    assert_eq!(qgemm(shape, a, b, &[1, -2], output(1.0, 0)), Ok(vec![6, 12]));
    assert_eq!(qgemm(shape, a, b, &[], output(1.0, 1)), Ok(vec![6, 16]));
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let y = output(1.0, 0);
    let a = Operand { values: &[1, 2], affine: ONE };
    let two = Affine { scales: &[1.0, 1.0], zero_points: &[0] };
    assert_eq!(
        refused(qlinear_add(a, Operand { values: &[1], affine: ONE }, y)),
        "second operand of an add has 1 elements, but the shape asks for 2"
    );
    assert_eq!(
        refused(qlinear_add(a, Operand { affine: two, ..a }, y)),
        "scales of the activations has 2 elements, but the shape asks for 1"
    );
    let far = Affine { scales: &[1e30], zero_points: &[0] };
    assert_eq!(
        refused(qlinear_add(a, Operand { affine: far, ..a }, output(1e-30, 0))),
        "scale[0] = inf must be positive, finite and normal"
    );
    assert_eq!(
        refused(qlinear_add(a, a, output(1.0, 128))),
        "zero_point = 128 is out of range: it must be in -128..=127"
    );
    assert_eq!(
        refused(qlinear_global_average_pool(1, 0, a, y)),
        "pixels of a plane = 0 is out of range: it must be in 1..=16777215"
    );
    assert_eq!(
        refused(qlinear_global_average_pool(2, 2, a, y)),
        "input of a pool has 2 elements, but the shape asks for 4"
    );
    assert_eq!(refused(max_pool(&CORNERS, &[0; 5])), "input of a pool has 5 elements, but the shape asks for 6");
    let padding = Pool2d { window: Window { kernel: [1, 1], ..CORNERS.window }, ..CORNERS };
    assert_eq!(
        refused(max_pool(&padding, &[0; 6])),
        "pool: the window at row 0 and column 0 reads nothing but padding"
    );
    let wide = Pool2d { window: Window { dilation: [1, 2], ..CORNERS.window }, ..CORNERS };
    assert_eq!(
        refused(qlinear_average_pool(&wide, Divisor::Image, Operand { values: &[0; 6], affine: ONE }, y)),
        "pool: an average pool has the dilation 1, not [1, 2]"
    );
}
