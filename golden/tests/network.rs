//! Networks of windows, pools and additions: by hand, against golden's own ONNX convolution, fast against naive.

use golden::{
    ops, AccumulatorRule, Bounds, Channel, Conv2d, Extent, Form, GoldenError, Layer, Layout, Network, Operation,
    Overflow, Stream, Window,
};
use proptest::prelude::*;
use spec::{Config, Numerics, RawConfig};

fn numerics(change: impl FnOnce(&mut RawConfig)) -> Numerics {
    let mut raw = RawConfig::from(&Config::named("default").expect("it ships"));
    change(&mut raw);
    Config::try_from(raw).expect("legal").numerics().clone()
}

fn default() -> Numerics {
    numerics(|_| {})
}

const IDENTITY: Channel = Channel { bias: 0, multiplier: 1, shift: 0, zero_point: 0 };

fn layer(numerics: &Numerics, operation: Operation, n: usize) -> Layer {
    Layer {
        name: "layer".to_owned(),
        inputs: vec![0],
        operation,
        pad: 0,
        channels: vec![vec![IDENTITY; n]],
        bounds: Bounds::full(numerics),
        table: None,
    }
}

fn run(numerics: &Numerics, input: Extent, layers: Vec<Layer>, batch: usize, values: &[i32], form: Form) -> Vec<i32> {
    let mut last = Vec::new();
    let network = Network { input, layers };
    network.run(numerics, batch, values, 3, form, |_, outputs| last = outputs.to_vec()).expect("it fits");
    last
}

const IMAGE: Extent = Extent { height: 2, width: 3, channels: 1 };

#[test]
fn windows_by_hand() {
    let numerics = default();
    let values = [1, -2, 3, -4, 5, -6];
    let padded = Window { pad_before: [0, 1], ..Window::of([2, 2]) };
    let of = |operation: Operation, pad: i32| {
        let layer = Layer { pad, ..layer(&numerics, operation, 1) };
        run(&numerics, IMAGE, vec![layer], 1, &values, Form::Naive)
    };
    // Columns -1, 0 and 1 of both rows; column -1 holds 7.
    let weights = vec![1, 10, 20, 2];
    let sums = [7 + 10 + 140 - 8, 1 - 20 - 80 + 10, -2 + 30 + 100 - 12];
    assert_eq!(of(Operation::Convolution { window: padded, groups: 1, weights }, 7), [127, sums[1], sums[2].min(127)]);
    assert_eq!(sums, [149, -89, 116]);
    assert_eq!(of(Operation::SumPool { window: padded }, 7), [7 + 1 + 7 - 4, 1 - 2 - 4 + 5, -2 + 3 + 5 - 6]);
    assert_eq!(of(Operation::MaxPool { window: padded }, -128), [1, 5, 5]);
    // Of all six the greatest, and the whole as one window.
    assert_eq!(of(Operation::MaxPool { window: Window::of([2, 3]) }, 0), [5]);
    let strided = Window { stride: [1, 2], dilation: [1, 2], ..Window::of([1, 2]) };
    assert_eq!(of(Operation::SumPool { window: strided }, 0), [1 + 3, -4 - 6]);
}

#[test]
fn an_addition_is_rounded_once() {
    let numerics = default();
    let term = |bias, multiplier| Channel { bias, multiplier, shift: 2, zero_point: -1 };
    let add = Layer {
        inputs: vec![0, 0],
        channels: vec![vec![term(1, 3)], vec![term(-2, 5)]],
        ..layer(&numerics, Operation::Add { factors: vec![1, 1] }, 1)
    };
    // ((1 + 1) 3 + (1 - 2) 5) / 4 = 1/4; ((2 + 1) 3 + 0) / 4 = 9/4; ((-3 + 1) 3 + (-3 - 2) 5) / 4 = -31/4. Rounded term by term the first
    // would be 2 - 1 = 1.
    let input = Extent::vector(1);
    assert_eq!(run(&numerics, input, vec![add.clone()], 3, &[1, 2, -3], Form::Naive), [0 - 1, 2 - 1, -8 - 1]);
    let factors = Layer { operation: Operation::Add { factors: vec![4, -1] }, ..add };
    // ((4 + 1) 3 + (-1 - 2) 5) / 4 = 0; ((-8 + 1) 3 + (2 - 2) 5) / 4 = -21/4; ((40 + 1) 3 + (-10 - 2) 5) / 4 = 63/4.
    assert_eq!(run(&numerics, input, vec![factors], 3, &[1, -2, 10], Form::Naive), [0 - 1, -5 - 1, 16 - 1]);
}

#[test]
fn a_table_comes_after_the_clamp() {
    let numerics = numerics(|raw| raw.numerics.activation_table = true);
    let mut table: Vec<i32> = vec![0; 256];
    (table[5], table[256 - 3]) = (70, -80);
    let layer = Layer {
        bounds: Bounds { low: -3, high: 5 },
        table: Some(table),
        ..layer(&numerics, Operation::Add { factors: vec![1] }, 1)
    };
    assert_eq!(run(&numerics, Extent::vector(1), vec![layer], 4, &[100, 5, -100, 1], Form::Naive), [70, 70, -80, 0]);
}

#[test]
fn tensors_are_named_by_their_place() {
    let numerics = default();
    let add = |inputs: Vec<usize>| Layer {
        channels: vec![vec![IDENTITY]; inputs.len()],
        operation: Operation::Add { factors: vec![1; inputs.len()] },
        inputs,
        ..layer(&numerics, Operation::Add { factors: vec![] }, 1)
    };
    // x + x, then that and x, then that and the first sum: 2 + 3.
    let layers = vec![add(vec![0, 0]), add(vec![1, 0]), add(vec![2, 1])];
    assert_eq!(run(&numerics, Extent::vector(1), layers, 1, &[1], Form::Naive), [5]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let numerics = default();
    let input = Extent { height: 2, width: 2, channels: 4 };
    let refusal = |layer: Layer| {
        let network = Network { input, layers: vec![layer] };
        network.extents(&numerics).expect_err("refused").to_string()
    };
    let conv = |groups, weights, n| {
        layer(&numerics, Operation::Convolution { window: Window::of([1, 1]), groups, weights }, n)
    };
    assert_eq!(
        refusal(conv(3, vec![1; 4], 1)),
        "layer layer: convolution: 4 input and 1 output channels must be multiples of 3 groups"
    );
    assert_eq!(refusal(conv(1, vec![1; 5], 1)), "layer layer: weights has 5 elements, but the shape asks for 4");
    assert_eq!(
        refusal(conv(2, vec![1, 128, 1, 1], 2)),
        "layer layer: weights[0][1] = 128 is out of range: it must be in -128..=127"
    );
    let wide = layer(&numerics, Operation::MaxPool { window: Window::of([3, 1]) }, 4);
    assert_eq!(refusal(wide), "layer layer: window: the kernel reaches over 3 positions of a padded input of 2");
    let late = Layer { inputs: vec![1], ..layer(&numerics, Operation::Add { factors: vec![1] }, 4) };
    assert_eq!(refusal(late), "layer layer: add: input 1 must come before it: tensors 0..1 do");
    let few = layer(&numerics, Operation::Add { factors: vec![1, 1] }, 4);
    assert_eq!(refusal(few), "layer layer: add: 1 inputs, but it takes 2");
    let shifts = Layer {
        inputs: vec![0, 0],
        channels: vec![vec![IDENTITY; 4], vec![Channel { shift: 1, ..IDENTITY }; 4]],
        ..layer(&numerics, Operation::Add { factors: vec![1, 1] }, 4)
    };
    assert_eq!(
        refusal(shifts),
        "layer layer: channel 0: add: the terms of a channel must have the same shift and zero point"
    );
    let pad = Layer { pad: 128, ..layer(&numerics, Operation::SumPool { window: Window::of([1, 1]) }, 4) };
    assert_eq!(refusal(pad), "layer layer: pad = 128 is out of range: it must be in -128..=127");
    let table = Layer { table: Some(vec![0; 256]), ..layer(&numerics, Operation::Add { factors: vec![1] }, 4) };
    assert_eq!(refusal(table), "layer layer: table: the machine has none: numerics.activation_table must be true");
    let long =
        layer(&numerics, Operation::SumPool { window: Window { pad_after: [5000, 0], ..Window::of([4097, 1]) } }, 4);
    assert_eq!(refusal(long), "layer layer: k = 4097 exceeds numerics.max_k = 4096");
}

#[test]
fn peaks_are_those_of_the_sums() {
    let numerics = default();
    let channel = Channel { bias: 100, multiplier: 1, shift: 0, zero_point: 0 };
    let layer = Layer {
        channels: vec![vec![channel; 2]],
        ..layer(&numerics, Operation::SumPool { window: Window::of([1, 2]) }, 2)
    };
    let extent = Extent { height: 1, width: 3, channels: 2 };
    let peaks = layer.peaks(&numerics, 1, extent, &[&[1, -1, 26, -99, 3, -101]]).expect("it fits");
    let shown: Vec<(i64, i64, u64)> = peaks.iter().map(|p| (p.least, p.greatest, p.saturated)).collect();
    // 127 and 129, of which one is above 127; 0 and -100.
    assert_eq!(shown, [(127, 129, 1), (-100, 0, 0)]);
    // Below the least value of -128 an output saturates, unless zero is that value, or the bound is another.
    let low = |zero_point, low| {
        let channels = vec![vec![Channel { bias: -100, zero_point, ..channel }; 2]];
        let layer = Layer { channels, bounds: Bounds { low, high: 127 }, ..layer.clone() };
        layer.peaks(&numerics, 1, extent, &[&[0, -90, 0, 0, 0, 0]]).expect("it fits")[1].saturated
    };
    assert_eq!((low(0, -128), low(-128, -128), low(0, -127)), (1, 0, 0));
}

fn window() -> impl Strategy<Value = Window> {
    let pair = |range: std::ops::RangeInclusive<usize>| [range.clone(), range];
    (pair(1..=3), pair(1..=3), pair(1..=2), pair(0..=2), pair(0..=2)).prop_map(
        |(kernel, stride, dilation, pad_before, pad_after)| Window { kernel, stride, dilation, pad_before, pad_after },
    )
}

/// A size, its least and its greatest value.
fn values(len: usize, low: i32, high: i32) -> impl Strategy<Value = Vec<i32>> {
    proptest::collection::vec(low..=high, len)
}

proptest! {
    #[test]
    fn convolutions_are_those_of_onnx(
        window in window(),
        [height, width] in [1_usize..=6, 1..=6],
        (groups, inner, outer) in (1_usize..=3, 1_usize..=3, 1_usize..=3),
        batch in 1_usize..=2,
        zero in -128_i32..=127,
        seed in any::<u64>(),
    ) {
        let (numerics, extent) = (default(), Extent { height, width, channels: groups * inner });
        prop_assume!(window.output([height, width]).is_ok());
        let n = groups * outer;
        let k = window.positions() * inner;
        let random = |at: usize| ((seed ^ 0x9e37).wrapping_mul(at as u64 * 2 + 1) >> 40) as i32 % 128;
        let input: Vec<i32> = (0..batch * extent.elements()).map(random).collect();
        let weights: Vec<i32> = (0..k * n).map(|at| random(at + 7919)).collect();
        let sums: i64 = weights.iter().map(|&w| i64::from(w)).sum();
        prop_assume!(sums.abs() < 1 << 15);
        // The machine folds the zero point of its input into the bias.
        let folded = golden::fold_zero_point(zero.into(), &weights, &vec![0; n]);
        let channels: Vec<Channel> =
            folded.iter().map(|&bias| Channel { bias, multiplier: 1, shift: 6, zero_point: 0 }).collect();
        let layer = Layer {
            pad: zero,
            channels: vec![channels.clone()],
            ..layer(&numerics, Operation::Convolution { window, groups, weights: weights.clone() }, n)
        };
        // ONNX's weights are output, input, row, column; here row, column, input, output.
        let [rows, cols] = window.kernel;
        let onnx: Vec<i32> = (0..n * k)
            .map(|at| {
                let (j, rest) = (at / k, at % k);
                let (c, position) = (rest / (rows * cols), rest % (rows * cols));
                weights[(position * inner + c) * n + j]
            })
            .collect();
        let shape = Conv2d {
            layout: Layout::ChannelsFirst,
            batch,
            in_channels: extent.channels,
            out_channels: n,
            input: [height, width],
            kernel: window.kernel,
            stride: window.stride,
            dilation: window.dilation,
            pad_before: window.pad_before,
            pad_after: window.pad_after,
            groups,
        };
        let to_first: Vec<i32> = (0..input.len())
            .map(|at| {
                let (image, rest) = (at / extent.elements(), at % extent.elements());
                let (c, pixel) = (rest / extent.pixels(), rest % extent.pixels());
                input[image * extent.elements() + pixel * extent.channels + c]
            })
            .collect();
        let rule = AccumulatorRule::new(40, Overflow::Refuse).expect("legal");
        let expected = ops::conv2d(&shape, &to_first, zero.into(), &onnx, &[0], &[], rule).expect("it fits");
        let [out_rows, out_cols] = window.output([height, width]).expect("assumed");
        let pixels = out_rows * out_cols;
        let by_hand: Vec<i32> = (0..batch * pixels * n)
            .map(|at| {
                let (image, rest) = (at / (pixels * n), at % (pixels * n));
                let sum = expected[(image * n + rest % n) * pixels + rest / n];
                // Half toward positive at 6 bits.
                ((sum + 32) >> 6).clamp(-128, 127) as i32
            })
            .collect();
        for form in [Form::Naive, Form::Fast] {
            prop_assert_eq!(&run(&numerics, extent, vec![layer.clone()], batch, &input, form), &by_hand);
        }
    }

    #[test]
    fn pools_are_sums_and_maxima_of_windows(
        window in window(),
        [height, width] in [1_usize..=6, 1..=6],
        values in values(72, -128, 127),
        pad in -128_i32..=127,
        wrapping in 6_u32..=12,
    ) {
        // An accumulator of few bits: everything is modulo 2^A, maxima are signed.
        let numerics = numerics(|raw| {
            raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Wrapping { wrapping };
        });
        let extent = Extent { height, width, channels: 2 };
        let Ok([rows, cols]) = window.output([height, width]) else { return Ok(()) };
        let input = &values[..extent.elements()];
        let wrap = |value: i64| {
            let range = 1_i64 << wrapping;
            let low = value.rem_euclid(range);
            if low >= range / 2 { low - range } else { low }
        };
        let seen = |row: usize, col: usize, c: usize| -> Vec<i64> {
            let mut seen = Vec::new();
            for kernel in 0..window.kernel[0] {
                for across in 0..window.kernel[1] {
                    let y = (row * window.stride[0] + kernel * window.dilation[0]) as i64 - window.pad_before[0] as i64;
                    let x = (col * window.stride[1] + across * window.dilation[1]) as i64 - window.pad_before[1] as i64;
                    let inside = (0..height as i64).contains(&y) && (0..width as i64).contains(&x);
                    seen.push(match inside {
                        true => input[((y as usize * width) + x as usize) * 2 + c].into(),
                        false => pad.into(),
                    });
                }
            }
            seen
        };
        let places = || (0..rows).flat_map(|row| (0..cols).flat_map(move |col| [(row, col, 0), (row, col, 1)]));
        let sums: Vec<i32> =
            places().map(|(row, col, c)| wrap(seen(row, col, c).iter().sum()).clamp(-128, 127) as i32).collect();
        let maxima: Vec<i32> = places()
            .map(|(row, col, c)| seen(row, col, c).into_iter().map(wrap).max().expect("a window").clamp(-128, 127) as i32)
            .collect();
        for form in [Form::Naive, Form::Fast] {
            for (operation, expected) in [(Operation::SumPool { window }, &sums), (Operation::MaxPool { window }, &maxima)] {
                let layer = Layer { pad, ..layer(&numerics, operation, 2) };
                prop_assert_eq!(&run(&numerics, extent, vec![layer], 1, input, form), expected);
            }
        }
    }
}

#[test]
fn random_bits_are_numbered_through_the_batch() {
    let numerics = numerics(|raw| raw.numerics.rounding = spec::config::RawRounding::Stochastic { stochastic: 8 });
    let channel = Channel { bias: 0, multiplier: 1, shift: 4, zero_point: 0 };
    let layer =
        Layer { channels: vec![vec![channel; 2]], ..layer(&numerics, Operation::SumPool { window: Window::POINT }, 2) };
    let input: Vec<i32> = (0..24).map(|i| i * 5).collect();
    let extent = Extent { height: 2, width: 3, channels: 2 };
    // The layer is tensor 0 of seed 3. An output is rounded up if its 4 lost bits and the top 4 of its 8 random ones carry.
    let stream = Stream::new(3, 0, 8);
    let expected: Vec<i32> = input
        .iter()
        .enumerate()
        .map(|(at, &q)| (q >> 4) + i32::from((q & 15) * 16 + stream.bits(at as u32) as i32 >= 256))
        .collect();
    for form in [Form::Naive, Form::Fast] {
        assert_eq!(run(&numerics, extent, vec![layer.clone()], 2, &input, form), expected);
    }
    let refused = layer.run(&numerics, 1, extent, &[&input], Some(&stream), Form::Naive);
    assert!(matches!(refused, Err(GoldenError::Length { .. })), "one image of two");
    let refused = layer.run(&numerics, 2, extent, &[&input], None, Form::Naive);
    assert_eq!(refused, Err(GoldenError::RandomBits { random_bits: 8, given: 0 }));
}
