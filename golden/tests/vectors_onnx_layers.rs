//! Digested sets of sums, pools, clamps and QGemm from vectors/onnx_layers.py: onnxruntime's outputs, bit for bit. The inputs are by
//! the formulas of vectors/onnx_layer_sets.py.

#[path = "common/vectors.rs"]
mod vectors;

use golden::onnx::{
    clip, max_pool, qgemm, qlinear_add, qlinear_average_pool, qlinear_global_average_pool, Affine, Divisor, Operand,
    Output, Pool2d,
};
use golden::{GoldenError, QFormat, Shape, Window};
use vectors::{digests, words, Vectors, GAMMA};

const FILE: &str = "onnx_layers-ops";

fn format(kind: i64) -> QFormat {
    QFormat::full(8, kind == 0).expect("it exists")
}

fn output(kind: i64, scale: f32, zero_point: i64) -> Output {
    Output { format: format(kind), scale, zero_point }
}

/// Words `first .. first + n` of the part of set `p`.
fn stream(seed: u64, p: i64, first: usize, n: usize) -> impl Iterator<Item = u64> {
    let start = ((p as u64) << 20) + first as u64;
    words(seed.wrapping_add(start.wrapping_mul(GAMMA))).take(n)
}

fn centred(words: impl Iterator<Item = u64>, kind: i64, span: i64, zero: i64) -> Vec<i32> {
    let (low, high) = (format(kind).min(), format(kind).max());
    // 8-bit values.
    words.map(|w| (zero + (w % span as u64) as i64 - span / 2).clamp(low, high) as i32).collect()
}

/// Compares the outputs of each set, given the seed, its parameters and its scales, with the stored digests; `compared` is how many
/// values that are.
fn check<const COLUMNS: usize, const SCALES: usize>(
    table: &str,
    outputs: impl Fn(u64, [i64; COLUMNS], [f32; SCALES]) -> Result<Vec<i32>, GoldenError>,
    compared: usize,
) {
    let mut file = Vectors::open(FILE);
    let seed = file.seed();
    let sets = file.ints(&format!("{table}_sets"));
    let scales = file.floats(&format!("{table}_scales"));
    let expected = file.words(&format!("{table}_digests"));
    assert_eq!((sets.len(), scales.len()), (expected.len() * COLUMNS, expected.len() * SCALES), "{table}: columns");
    let (mut count, mut differing) = (0, vec![]);
    for (index, expected) in expected.iter().enumerate() {
        let row: [i64; COLUMNS] = sets[index * COLUMNS..][..COLUMNS].try_into().expect("this length");
        let scales: [f32; SCALES] = scales[index * SCALES..][..SCALES].try_into().expect("this length");
        let values = outputs(seed, row, scales).unwrap_or_else(|error| panic!("{table} {row:?}: {error}"));
        count += values.len();
        let wide: Vec<i64> = values.iter().map(|&value| value.into()).collect();
        if digests(&wide, wide.len()) != [*expected] {
            differing.push(format!("{table}, set {row:?}, scales {scales:?}"));
        }
    }
    let first = differing.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(differing.is_empty(), "{table}: {} of {} sets differ:\n{first}", differing.len(), expected.len());
    assert_eq!(count, compared, "{table}: values compared");
}

#[test]
fn sums_of_all_pairs() {
    check(
        "add",
        |_, [kind, a_zero, b_zero, y_zero], [a_scale, b_scale, y_scale]| {
            let values = format(kind).min() as i32..=format(kind).max() as i32;
            let a: Vec<_> = values.clone().flat_map(|a| vec![a; 256]).collect();
            let b: Vec<_> = values.clone().flat_map(|_| values.clone()).collect();
            let a = Operand { values: &a, affine: Affine { scales: &[a_scale], zero_points: &[a_zero] } };
            let b = Operand { values: &b, affine: Affine { scales: &[b_scale], zero_points: &[b_zero] } };
            qlinear_add(a, b, output(kind, y_scale, y_zero))
        },
        48 * 65_536,
    );
}

fn window(kernel: [i64; 2], stride: [i64; 2], pads: [i64; 4], dilation: [i64; 2]) -> Window {
    let sizes = |values: [i64; 2]| values.map(|value| value as usize);
    let [top, left, bottom, right] = pads;
    Window {
        kernel: sizes(kernel),
        stride: sizes(stride),
        dilation: sizes(dilation),
        pad_before: sizes([top, left]),
        pad_after: sizes([bottom, right]),
    }
}

#[test]
fn averages_of_windows() {
    check(
        "average",
        |seed, row: [i64; 17], [x_scale, y_scale]| {
            let [p, kind, planes, rows, cols, kh, kw, sh, sw, top, left, bottom, right, include_pad, span, x_zero, y_zero] =
                row;
            let values = centred(stream(seed, p, 0, (planes * rows * cols) as usize), kind, span, x_zero);
            let shape = Pool2d {
                planes: planes as usize,
                input: [rows as usize, cols as usize],
                window: window([kh, kw], [sh, sw], [top, left, bottom, right], [1, 1]),
            };
            let x = Operand { values: &values, affine: Affine { scales: &[x_scale], zero_points: &[x_zero] } };
            let divisor = if include_pad == 1 { Divisor::Kernel } else { Divisor::Image };
            qlinear_average_pool(&shape, divisor, x, output(kind, y_scale, y_zero))
        },
        232_960,
    );
}

#[test]
fn averages_of_whole_planes() {
    check(
        "global",
        |seed, [p, kind, planes, rows, cols, span, x_zero, y_zero], [x_scale, y_scale]| {
            let (planes, pixels) = (planes as usize, (rows * cols) as usize);
            let values = centred(stream(seed, p, 0, planes * pixels), kind, span, x_zero);
            let x = Operand { values: &values, affine: Affine { scales: &[x_scale], zero_points: &[x_zero] } };
            qlinear_global_average_pool(planes, pixels, x, output(kind, y_scale, y_zero))
        },
        196_608,
    );
}

#[test]
fn maxima_of_windows() {
    check(
        "max",
        |seed, row: [i64; 15], []| {
            let [p, kind, planes, rows, cols, kh, kw, sh, sw, top, left, bottom, right, dh, dw] = row;
            let values = centred(stream(seed, p, 0, (planes * rows * cols) as usize), kind, 256, 0);
            let shape = Pool2d {
                planes: planes as usize,
                input: [rows as usize, cols as usize],
                window: window([kh, kw], [sh, sw], [top, left, bottom, right], [dh, dw]),
            };
            max_pool(&shape, &values)
        },
        2_696,
    );
}

#[test]
fn clamps_of_all_values() {
    let all = |kind| (format(kind).min() as i32..=format(kind).max() as i32).collect::<Vec<_>>();
    check("clip", |_, [kind, low, high], []| Ok(clip(&all(kind), low as i32, high as i32)), 1_024);
    check("relu", |_, [kind], []| Ok(clip(&all(kind), 0, i32::MAX)), 256);
}

#[test]
fn products_with_a_bias() {
    check(
        "gemm",
        |seed, [p, kind, m, k, n, by_channel, a_zero, y_zero], [a_scale, b_scale, y_scale]| {
            let shape = Shape { m: m as usize, k: k as usize, n: n as usize };
            let (a_size, b_size) = (shape.m * shape.k, shape.k * shape.n);
            let a = centred(stream(seed, p, 0, a_size), kind, 256, a_zero);
            let b = centred(stream(seed, p, a_size, b_size), 0, 256, 0);
            let bias = stream(seed, p, a_size + b_size, shape.n).map(|w| (w % 40_001) as i64 - 20_000);
            let bias: Vec<_> = bias.collect();
            let (scales, zeros): (Vec<f32>, Vec<i64>) = match by_channel {
                1 => (0..n).map(|j| (b_scale * (1 + j % 7) as f32, j % 5 - 2)).unzip(),
                _ => (vec![b_scale], vec![0]),
            };
            let a = Operand { values: &a, affine: Affine { scales: &[a_scale], zero_points: &[a_zero] } };
            let b = Operand { values: &b, affine: Affine { scales: &scales, zero_points: &zeros } };
            qgemm(shape, a, b, &bias, output(kind, y_scale, y_zero))
        },
        19_904,
    );
}
