//! Convolutions and products with zero points: against a padded computation, each other, and by hand.

use golden::ops::{channel_of, conv2d, matmul_with_zeros};
use golden::{AccumulatorRule, Conv2d, GoldenError, Layout, Overflow, Shape};
use proptest::prelude::*;

const ONE: Conv2d = Conv2d {
    layout: Layout::ChannelsFirst,
    batch: 1,
    in_channels: 1,
    out_channels: 1,
    input: [3, 3],
    kernel: [2, 2],
    stride: [1, 1],
    dilation: [1, 1],
    pad_before: [0, 0],
    pad_after: [0, 0],
    groups: 1,
};

fn wide() -> AccumulatorRule {
    AccumulatorRule::new(63, Overflow::Refuse).expect("it exists")
}

fn conv(shape: &Conv2d, x: &[i32], x_zero: i64, w: &[i32], w_zeros: &[i64], bias: &[i64]) -> Vec<i64> {
    conv2d(shape, x, x_zero, w, w_zeros, bias, wide()).expect("it fits")
}

#[test]
fn a_convolution_by_hand() {
    let x = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    // 1*10 + 2*20 + 4*30 + 5*40 = 370, and each step adds the weights' sum once or three times.
    assert_eq!(conv(&ONE, &x, 0, &[10, 20, 30, 40], &[0], &[]), [370, 470, 670, 770]);
    // With x - 1 and w - 10: 0*0 + 1*10 + 3*20 + 4*30 = 190, and a bias of 5.
    assert_eq!(conv(&ONE, &x, 1, &[10, 20, 30, 40], &[10], &[5]), [195, 255, 375, 435]);
    // Padded above and to the left by the zero point: the first output sees x[0] under the last weight only.
    let padded = Conv2d { pad_before: [1, 1], ..ONE };
    let given = conv(&padded, &x, 1, &[10, 20, 30, 40], &[0], &[]);
    // x - 1 = 0..=8. The top row: 0*40; 0*30 + 1*40; 1*30 + 2*40. Then 0*20 + 3*40; 0*10 + 1*20 + 3*30 + 4*40; ...
    assert_eq!(given, [0, 40, 110, 120, 270, 370, 300, 570, 670]);
    let stridden = Conv2d { stride: [2, 1], pad_after: [1, 0], ..ONE };
    // Rows 0 and 2; below row 2 there is padding: 7*10 + 8*20, 8*10 + 9*20.
    assert_eq!(conv(&stridden, &x, 0, &[10, 20, 30, 40], &[0], &[]), [370, 470, 230, 260]);
    let dilated = Conv2d { dilation: [2, 2], ..ONE };
    // The corners: 1*10 + 3*20 + 7*30 + 9*40.
    assert_eq!(conv(&dilated, &x, 0, &[10, 20, 30, 40], &[0], &[]), [640]);
}

#[test]
fn layouts_and_groups_by_hand() {
    // Two channels of 1 x 2; one kernel of 1 x 1 for each of two groups.
    let depthwise = Conv2d { in_channels: 2, out_channels: 2, groups: 2, input: [1, 2], kernel: [1, 1], ..ONE };
    assert_eq!(conv(&depthwise, &[1, 2, 3, 4], 0, &[10, 100], &[0], &[1, 2]), [11, 21, 302, 402]);
    let last = Conv2d { layout: Layout::ChannelsLast, ..depthwise };
    assert_eq!(conv(&last, &[1, 3, 2, 4], 0, &[10, 100], &[0], &[1, 2]), [11, 302, 21, 402]);
    // A zero point of each output channel: 10 - 9, 100 - 99.
    assert_eq!(conv(&last, &[1, 3, 2, 4], 0, &[10, 100], &[9, 99], &[]), [1, 3, 2, 4]);
    // Two outputs of each group.
    let multiplied = Conv2d { out_channels: 4, ..depthwise };
    assert_eq!(
        conv(&multiplied, &[1, 2, 3, 4], 0, &[1, 10, 100, 1_000], &[0], &[]),
        [1, 2, 10, 20, 300, 400, 3_000, 4_000]
    );
    let channels = |shape: &Conv2d| (0..8).map(|index| channel_of(shape, [1, 2], index)).collect::<Vec<_>>();
    assert_eq!(channels(&multiplied), [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!(channels(&Conv2d { layout: Layout::ChannelsLast, ..multiplied }), [0, 1, 2, 3, 0, 1, 2, 3]);
}

/// The convolution of really padded activations, in nested lists: batch, channel, row, column.
fn padded(shape: &Conv2d, x: &[i32], x_zero: i64, w: &[i32], w_zeros: &[i64], bias: &[i64]) -> Vec<i64> {
    let (c, o) = (shape.in_channels, shape.out_channels);
    let ([h, wd], [kh, kw]) = (shape.input, shape.kernel);
    let (ph, pw) = (h + shape.pad_before[0] + shape.pad_after[0], wd + shape.pad_before[1] + shape.pad_after[1]);
    let per = c / shape.groups;
    let mut images = vec![vec![vec![vec![x_zero; pw]; ph]; c]; shape.batch];
    for (index, &value) in x.iter().enumerate() {
        let (b, ch, row, col) = match shape.layout {
            Layout::ChannelsFirst => (index / (c * h * wd), index / (h * wd) % c, index / wd % h, index % wd),
            Layout::ChannelsLast => (index / (h * wd * c), index % c, index / (wd * c) % h, index / c % wd),
        };
        images[b][ch][row + shape.pad_before[0]][col + shape.pad_before[1]] = value.into();
    }
    let mut kernels = vec![vec![vec![vec![0_i64; kw]; kh]; per]; o];
    for (index, &value) in w.iter().enumerate() {
        let (out, ch, row, col) = match shape.layout {
            Layout::ChannelsFirst => (index / (per * kh * kw), index / (kh * kw) % per, index / kw % kh, index % kw),
            Layout::ChannelsLast => (index / (kh * kw * per), index % per, index / (kw * per) % kh, index / per % kw),
        };
        kernels[out][ch][row][col] = value.into();
    }
    let reach = |axis: usize| (shape.kernel[axis] - 1) * shape.dilation[axis];
    let rows: Vec<usize> = (0..ph - reach(0)).step_by(shape.stride[0]).collect();
    let cols: Vec<usize> = (0..pw - reach(1)).step_by(shape.stride[1]).collect();
    assert_eq!(shape.output(), Ok([rows.len(), cols.len()]));
    let sum = |b: usize, out: usize, row: usize, col: usize| -> i64 {
        let zero = if w_zeros.len() == 1 { w_zeros[0] } else { w_zeros[out] };
        let mut sum = if bias.is_empty() { 0 } else { bias[out] };
        for ch in 0..per {
            let image = &images[b][out / (o / shape.groups) * per + ch];
            for (i, line) in kernels[out][ch].iter().enumerate() {
                for (j, weight) in line.iter().enumerate() {
                    let value = image[row + i * shape.dilation[0]][col + j * shape.dilation[1]];
                    sum += (value - x_zero) * (weight - zero);
                }
            }
        }
        sum
    };
    let mut sums = Vec::new();
    for b in 0..shape.batch {
        match shape.layout {
            Layout::ChannelsFirst => {
                for out in 0..o {
                    for &row in &rows {
                        sums.extend(cols.iter().map(|&col| sum(b, out, row, col)));
                    }
                }
            }
            Layout::ChannelsLast => {
                for &row in &rows {
                    for &col in &cols {
                        sums.extend((0..o).map(|out| sum(b, out, row, col)));
                    }
                }
            }
        }
    }
    sums
}

/// A shape with groups, and repeatable operands.
fn any_shape() -> impl Strategy<Value = Conv2d> {
    let pair = |from: usize, to: usize| (from..=to, from..=to).prop_map(|(a, b)| [a, b]);
    let channels = (any::<bool>(), 1_usize..=2, 1_usize..=3, 1_usize..=3, 1_usize..=3);
    let places = (pair(1, 6), pair(1, 3), pair(1, 3), pair(1, 2), pair(0, 2), pair(0, 2));
    (channels, places).prop_filter_map(
        "the kernel reaches beyond the input",
        |((first, batch, inner, per_group, groups), (input, kernel, stride, dilation, pad_before, pad_after))| {
            let shape = Conv2d {
                layout: if first { Layout::ChannelsFirst } else { Layout::ChannelsLast },
                batch,
                in_channels: inner * groups,
                out_channels: per_group * groups,
                input,
                kernel,
                stride,
                dilation,
                pad_before,
                pad_after,
                groups,
            };
            shape.output().ok().map(|_| shape)
        },
    )
}

/// Values of -128..=127 from a seed.
fn bytes(seed: u64, n: usize) -> Vec<i32> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i32::from((state >> 40) as i8)
    };
    (0..n).map(|_| next()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn convolutions_are_those_of_really_padded_activations(
        shape in any_shape(), seed in any::<u64>(), x_zero in -128_i64..=127, each in any::<bool>(), with_bias in any::<bool>(),
    ) {
        let inner = shape.in_channels / shape.groups;
        let x = bytes(seed, shape.batch * shape.in_channels * shape.input[0] * shape.input[1]);
        let w = bytes(seed ^ 1 << 20, shape.out_channels * inner * shape.kernel[0] * shape.kernel[1]);
        let wide = |seed, n| bytes(seed, n).into_iter().map(i64::from).collect::<Vec<_>>();
        let w_zeros = wide(seed ^ 2 << 20, if each { shape.out_channels } else { 1 });
        let bias = wide(seed ^ 3 << 20, if with_bias { shape.out_channels } else { 0 });
        let expected = padded(&shape, &x, x_zero, &w, &w_zeros, &bias);
        prop_assert_eq!(conv(&shape, &x, x_zero, &w, &w_zeros, &bias), expected, "{:?}", shape);
    }

    // A 1 x 1 kernel over channels last is a matrix product of transposed weights.
    #[test]
    fn a_convolution_of_one_position_is_a_matrix_product(
        m in 1_usize..6, k in 1_usize..6, n in 1_usize..6, seed in any::<u64>(), x_zero in -128_i64..=127,
    ) {
        let shape = Conv2d {
            layout: Layout::ChannelsLast, in_channels: k, out_channels: n, input: [1, m], kernel: [1, 1], ..ONE
        };
        let (x, w) = (bytes(seed, m * k), bytes(seed ^ 1 << 20, n * k));
        let w_zeros: Vec<i64> = bytes(seed ^ 2 << 20, n).into_iter().map(i64::from).collect();
        let bias: Vec<i64> = bytes(seed ^ 3 << 20, n).into_iter().map(i64::from).collect();
        let transposed: Vec<i32> = (0..k).flat_map(|t| (0..n).map(move |j| (j, t))).map(|(j, t)| w[j * k + t]).collect();
        let product = matmul_with_zeros(Shape { m, k, n }, &x, &[x_zero], &transposed, &w_zeros, &bias, wide());
        prop_assert_eq!(product.expect("it fits"), conv(&shape, &x, x_zero, &w, &w_zeros, &bias));
    }
}

#[test]
fn a_product_with_zero_points_by_hand() {
    let shape = Shape { m: 2, k: 2, n: 2 };
    let run = |a_zeros: &[i64], w_zeros: &[i64], bias: &[i64]| {
        matmul_with_zeros(shape, &[1, 2, 3, 4], a_zeros, &[5, 6, 7, 8], w_zeros, bias, wide()).expect("it fits")
    };
    assert_eq!(run(&[0], &[0], &[]), [19, 22, 43, 50]);
    // Rows 0, 1 and 1, 2 after the zero points 1 and 2; columns 1, 3 and 1, 3 after 4 and 5.
    assert_eq!(run(&[1, 2], &[4, 5], &[10, 20]), [13, 23, 17, 27]);
}

#[test]
fn sums_of_the_widest_operands_are_exact() {
    let shape = Shape { m: 1, k: 1, n: 1 };
    let run = |rule: AccumulatorRule| {
        matmul_with_zeros(shape, &[i32::MAX], &[i32::MIN.into()], &[i32::MAX], &[i32::MIN.into()], &[], rule)
    };
    // (2^32 - 1)^2 = 2^64 - 2^33 + 1: 1 - 2^33 modulo 2^40 or 2^63.
    let saturated = AccumulatorRule::new(63, Overflow::Saturate).expect("it exists");
    assert_eq!(run(saturated), Ok(vec![(1 << 62) - 1]));
    assert_eq!(run(AccumulatorRule::new(40, Overflow::Wrap).expect("it exists")), Ok(vec![1 - (1 << 33)]));
    assert_eq!(
        run(wide()).expect_err("refused").to_string(),
        "the sum 18446744065119617025 of output 0 does not fit an accumulator of 63 bits"
    );
    let one = Conv2d { input: [1, 1], kernel: [1, 1], ..ONE };
    assert_eq!(
        conv2d(&one, &[i32::MAX], i32::MIN.into(), &[i32::MAX], &[i32::MIN.into()], &[], saturated),
        Ok(vec![(1 << 62) - 1])
    );
}

#[test]
fn accumulators_wrap_saturate_or_refuse() {
    let rule = |overflow| AccumulatorRule::new(8, overflow).expect("it exists");
    let hold = |overflow| [-300, -129, -128, 0, 127, 128, 300].map(|sum| rule(overflow).hold(sum, 3));
    assert_eq!(hold(Overflow::Wrap), [-44, 127, -128, 0, 127, -128, 44].map(Ok));
    assert_eq!(hold(Overflow::Saturate), [-128, -128, -128, 0, 127, 127, 127].map(Ok));
    let refused = |value| Err(GoldenError::Accumulator { index: 3, value, bits: 8 });
    let expected = [refused(-300), refused(-129), Ok(-128), Ok(0), Ok(127), refused(128), refused(300)];
    assert_eq!(hold(Overflow::Refuse), expected);
    assert_eq!(AccumulatorRule::INT32.hold(1 << 31, 0), Ok(-(1 << 31)));
    assert_eq!(AccumulatorRule::INT48.hold((1 << 47) - 1, 0), Ok((1 << 47) - 1));
    assert!(AccumulatorRule::INT48.hold(1 << 47, 0).is_err());
    // Terms that overflow on the way and come back: the whole sum is what is clamped.
    let shape = Shape { m: 1, k: 3, n: 1 };
    let sum = matmul_with_zeros(shape, &[100, 100, -100], &[0], &[1, 1, 1], &[0], &[], rule(Overflow::Saturate));
    assert_eq!(sum, Ok(vec![100]));
    for bits in [0, 1, 64] {
        let message = AccumulatorRule::new(bits, Overflow::Wrap).expect_err("refused").to_string();
        assert_eq!(message, format!("accumulator bits = {bits} is out of range: it must be in 2..=63"));
    }
}

#[test]
fn shapes_that_cannot_be_convolved_are_refused() {
    let message = |shape: Conv2d| shape.output().expect_err("refused").to_string();
    assert!(message(Conv2d { batch: 0, ..ONE }).starts_with("convolution: no size may be 0 in Conv2d"));
    for zero in [
        Conv2d { groups: 0, ..ONE },
        Conv2d { stride: [1, 0], ..ONE },
        Conv2d { dilation: [0, 1], ..ONE },
        Conv2d { kernel: [0, 1], ..ONE },
        Conv2d { input: [3, 0], ..ONE },
        Conv2d { in_channels: 0, ..ONE },
        Conv2d { out_channels: 0, ..ONE },
    ] {
        assert!(message(zero).contains("no size may be 0"), "{zero:?}");
    }
    let groups = "convolution: in_channels = 4 and out_channels = 3 must be multiples of groups = 2";
    assert_eq!(message(Conv2d { in_channels: 4, out_channels: 3, groups: 2, ..ONE }), groups);
    let reach = "convolution: the kernel reaches over 5 positions of a padded input of 4";
    assert_eq!(message(Conv2d { kernel: [1, 3], dilation: [1, 2], pad_after: [0, 1], ..ONE }), reach);
    assert_eq!(Conv2d { kernel: [1, 3], dilation: [1, 2], pad_after: [0, 2], ..ONE }.output(), Ok([3, 1]));
}

#[test]
fn operands_of_other_lengths_are_refused() {
    let two = Conv2d { out_channels: 2, ..ONE };
    let run = |x: usize, w: usize, zeros: usize, bias: usize| {
        let result = conv2d(&two, &vec![1; x], 0, &vec![1; w], &vec![0; zeros], &vec![0; bias], wide());
        result.expect_err("refused").to_string()
    };
    assert_eq!(run(8, 8, 1, 0), "activations has 8 elements, but the shape asks for 9");
    assert_eq!(run(9, 4, 1, 0), "weights has 4 elements, but the shape asks for 8");
    assert_eq!(run(9, 8, 3, 0), "weight zero points has 3 elements, but the shape asks for 2");
    assert_eq!(run(9, 8, 2, 1), "bias has 1 elements, but the shape asks for 2");
    let run = |m: usize, x: usize, w: usize, a_zeros: usize, zeros: usize, bias: usize| {
        let shape = Shape { m, k: 3, n: 2 };
        let (a_zeros, zeros, bias) = (vec![0; a_zeros], vec![0; zeros], vec![0; bias]);
        matmul_with_zeros(shape, &vec![1; x], &a_zeros, &vec![1; w], &zeros, &bias, wide())
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(run(0, 0, 6, 1, 1, 0), "m = 0: every dimension must be at least 1");
    assert_eq!(run(4, 11, 6, 1, 1, 0), "activations has 11 elements, but the shape asks for 12");
    assert_eq!(run(4, 12, 5, 1, 1, 0), "weights has 5 elements, but the shape asks for 6");
    assert_eq!(run(4, 12, 6, 2, 1, 0), "activation zero points has 2 elements, but the shape asks for 4");
    assert_eq!(run(4, 12, 6, 1, 0, 0), "weight zero points has 0 elements, but the shape asks for 2");
    assert_eq!(run(4, 12, 6, 1, 1, 3), "bias has 3 elements, but the shape asks for 2");
}
