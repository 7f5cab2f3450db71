//! The quantized digits networks of examples/digits under the profile `onnx`, compared with what onnxruntime made of all 360 test images
//! (vectors/onnx_digits.py).

// Each test file uses a part.
#![allow(dead_code)]

use crate::onnx_file::{constants, Constant};
use crate::vectors::{digests, Tally, Vectors};
use golden::onnx::{
    dequantize_linear, max_pool, qgemm, qlinear_add, qlinear_conv, qlinear_global_average_pool, quantize_linear,
    Affine, Operand, Output, Pool2d,
};
use golden::{Conv2d, GoldenError, Granularity, Layout, QFormat, Shape, Window};
use npyz::npz::NpzArchive;
use std::collections::BTreeMap;
use std::path::PathBuf;

const FILES: [&str; 3] = ["cnn-qdq-int8", "cnn-qoperator", "cnn-qdq-int4"];
/// Channels first, in the order in which they are made.
pub const TENSORS: [&str; 9] = ["image", "relu1", "pool", "relu2", "sum3", "relu3", "mean", "flat", "logits"];
pub const IMAGES: usize = 360;
const BLOCK_IMAGES: usize = 12;
const FIRST: usize = 24;

/// A file of examples/digits.
pub fn example(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "examples", "digits", name].iter().collect()
}

/// Channels first; there is one.
pub fn images() -> Vec<f32> {
    let mut data = NpzArchive::open(example("digits.npz")).expect("digits.npz");
    data.by_name("test").expect("readable").expect("it is there").into_vec().expect("float32")
}

/// How a network's addition and its ReLU are written.
#[derive(Clone, Copy)]
pub enum Addition {
    /// QLinearAdd, whose clamp is the ReLU.
    Linear,
    /// Floats between DequantizeLinear and QuantizeLinear.
    Floats,
}

/// The constants of a file.
pub struct Network {
    constants: BTreeMap<String, Constant>,
    addition: Addition,
}

/// A tensor's scale and zero point, and one of each for each channel.
pub struct Parameters {
    pub scales: Vec<f32>,
    pub zero_points: Vec<i64>,
}

impl Parameters {
    fn affine(&self) -> Affine<'_> {
        Affine { scales: &self.scales, zero_points: &self.zero_points }
    }

    fn output(&self) -> Output {
        Output { format: int8(), scale: self.scales[0], zero_point: self.zero_points[0] }
    }
}

fn int8() -> QFormat {
    QFormat::full(8, true).expect("it exists")
}

impl Network {
    pub fn constant(&self, name: &str) -> &Constant {
        self.constants.get(name).unwrap_or_else(|| panic!("{name} is missing"))
    }

    pub fn parameters(&self, name: &str) -> Parameters {
        let zeros = &self.constant(&format!("{name}_zero")).values;
        Parameters { scales: self.constant(&format!("{name}_scale")).floats(), zero_points: zeros.clone() }
    }

    fn convolution(
        &self,
        x: (&[i32], &str),
        size: usize,
        layer: &str,
        stride: usize,
        y: &str,
    ) -> Result<Vec<i32>, GoldenError> {
        let weights = self.constant(&format!("{layer}_w_q"));
        let shape = Conv2d {
            layout: Layout::ChannelsFirst,
            batch: IMAGES,
            in_channels: weights.shape[1],
            out_channels: weights.shape[0],
            input: [size, size],
            kernel: [weights.shape[2], weights.shape[3]],
            stride: [stride, stride],
            dilation: [1, 1],
            pad_before: [1, 1],
            pad_after: [1, 1],
            groups: 1,
        };
        let (x_parameters, w_parameters) = (self.parameters(x.1), self.parameters(&format!("{layer}_w")));
        let x = Operand { values: x.0, affine: x_parameters.affine() };
        let values = weights.ints();
        let w = Operand { values: &values, affine: w_parameters.affine() };
        qlinear_conv(&shape, x, w, &self.constant(&format!("{layer}_b_q")).values, self.parameters(y).output())
    }

    fn added(&self, a: &[i32], b: &[i32]) -> Result<Vec<i32>, GoldenError> {
        let (a_parameters, b_parameters) = (self.parameters("relu2"), self.parameters("sum3"));
        let y = self.parameters("relu3");
        match self.addition {
            Addition::Linear => {
                let a = Operand { values: a, affine: a_parameters.affine() };
                qlinear_add(a, Operand { values: b, affine: b_parameters.affine() }, y.output())
            }
            Addition::Floats => {
                let reals = |q: &[i32], of: &Parameters| {
                    dequantize_linear(q, &[q.len()], int8(), of.affine(), Granularity::Tensor)
                };
                let (a, b) = (reals(a, &a_parameters)?, reals(b, &b_parameters)?);
                let sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a + b).max(0.0)).collect();
                quantize_linear(&sums, &[sums.len()], int8(), y.affine(), Granularity::Tensor)
            }
        }
    }

    /// All integer tensors, in the order of [`TENSORS`].
    fn run(&self, images: &[f32]) -> Result<Vec<Vec<i32>>, GoldenError> {
        let image =
            quantize_linear(images, &[images.len()], int8(), self.parameters("image").affine(), Granularity::Tensor)?;
        let relu1 = self.convolution((&image, "image"), 8, "conv1", 1, "relu1")?;
        let window = Window { stride: [2, 2], ..Window::of([2, 2]) };
        let pool = max_pool(&Pool2d { planes: IMAGES * 16, input: [8, 8], window }, &relu1)?;
        let relu2 = self.convolution((&pool, "relu1"), 4, "conv2", 2, "relu2")?;
        let sum3 = self.convolution((&relu2, "relu2"), 2, "conv3", 1, "sum3")?;
        let relu3 = self.added(&relu2, &sum3)?;
        let (relu3_parameters, mean_parameters) = (self.parameters("relu3"), self.parameters("mean"));
        let x = Operand { values: &relu3, affine: relu3_parameters.affine() };
        let mean = qlinear_global_average_pool(IMAGES * 32, 4, x, mean_parameters.output())?;
        let (weights, w_parameters) = (self.constant("dense_w_q"), self.parameters("dense_w"));
        let shape = Shape { m: IMAGES, k: weights.shape[0], n: weights.shape[1] };
        let values = weights.ints();
        let a = Operand { values: &mean, affine: mean_parameters.affine() };
        let b = Operand { values: &values, affine: w_parameters.affine() };
        let logits = qgemm(shape, a, b, &self.constant("dense_b_q").values, self.parameters("logits").output())?;
        Ok(vec![image, relu1, pool, relu2, sum3, relu3, mean.clone(), mean, logits])
    }
}

/// All tensors of all images, in the order of [`TENSORS`]: onnxruntime's, after those of golden were compared with the stored ones, the
/// first images' value by value, all by digests.
pub fn compare(file: &str, addition: Addition) -> (Network, Vec<Vec<i32>>) {
    let network = Network { constants: constants(&example(&format!("{file}.onnx"))), addition };
    let tensors = network.run(&images()).unwrap_or_else(|error| panic!("{file}: {error}"));

    let mut stored = Vectors::open("onnx_layers-cnn");
    let names = stored.ints("tensors").into_iter().map(|byte| byte as u8).collect();
    assert_eq!(String::from_utf8(names).expect("names are UTF-8"), TENSORS.join("\n"));
    let sizes: Vec<usize> =
        stored.ints("shapes").chunks(3).map(|shape| shape.iter().product::<i64>() as usize).collect();
    let number = FILES.iter().position(|&name| name == file).expect("one of the files");
    let same = FILES[stored.ints("same")[number] as usize];
    let first = stored.ints(&format!("{same}_first"));
    let blocks = stored.words(&format!("{same}_digests"));

    let mut tally = Tally::default();
    let mut at = 0;
    for image in 0..FIRST {
        for ((name, tensor), &size) in TENSORS.iter().zip(&tensors).zip(&sizes) {
            for (index, &actual) in tensor[image * size..][..size].iter().enumerate() {
                tally.compare(name, first[at], actual.into(), || format!("{file}, image {image}, element {index}"));
                at += 1;
            }
        }
    }
    assert_eq!(at, first.len(), "{file}: values of the first images");
    let counts: Vec<_> = TENSORS.iter().zip(&sizes).map(|(&name, &size)| (name, FIRST * size)).collect();
    tally.finish(&counts);

    let mut differing = vec![];
    for (((name, tensor), &size), expected) in
        TENSORS.iter().zip(&tensors).zip(&sizes).zip(blocks.chunks(IMAGES / BLOCK_IMAGES))
    {
        assert_eq!(tensor.len(), IMAGES * size, "{file}: size of {name}");
        let wide: Vec<i64> = tensor.iter().map(|&value| value.into()).collect();
        for (block, (expected, actual)) in expected.iter().zip(digests(&wide, BLOCK_IMAGES * size)).enumerate() {
            if *expected != actual {
                differing.push(format!("{name}, images from {}", block * BLOCK_IMAGES));
            }
        }
    }
    assert_eq!(blocks.len(), TENSORS.len() * IMAGES / BLOCK_IMAGES, "{file}: number of digests");
    assert!(differing.is_empty(), "{file}: {} blocks differ: {}", differing.len(), differing.join("; "));
    (network, tensors)
}
