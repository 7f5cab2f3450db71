//! Sums of the digits networks as exact rational numbers, and how far the machine and onnxruntime may be from them.

use crate::digits::{Network, TENSORS};

/// An element of a tensor.
#[derive(Clone, Copy)]
pub struct Element {
    pub image: usize,
    pub channel: usize,
    pub row: usize,
    pub col: usize,
}

/// A whole number, and the scales that it is multiplied by.
struct Term {
    n: i64,
    scales: [f32; 2],
}

/// What is rounded to an element, in steps of the output without its zero point: the sum of the terms, divided by the output's scale and
/// a mean's count.
pub struct Sums {
    terms: Vec<Term>,
    output_scale: f32,
    zero_point: i64,
    count: i64,
    /// Sizes of the operands of an addition and of all zero points, in steps of the output; 0 where there is one term.
    operands: f64,
}

/// A convolution of 3 x 3 positions with pads of 1.
struct Convolution {
    layer: &'static str,
    input: &'static str,
    /// Rows, and columns, of the input.
    size: usize,
    stride: usize,
}

fn convolution(name: &str) -> Convolution {
    match name {
        "relu1" => Convolution { layer: "conv1", input: "image", size: 8, stride: 1 },
        "relu2" => Convolution { layer: "conv2", input: "pool", size: 4, stride: 2 },
        "sum3" => Convolution { layer: "conv3", input: "relu2", size: 2, stride: 1 },
        _ => panic!("{name} is made by no layer that rounds"),
    }
}

/// Half the distance of two neighbouring float32, relative to the number.
const HALF_STEP: f64 = 1.0 / (1 << 24) as f64;
/// What products of such errors add, and this file's own f64, is far less than this part of the bound.
const SECOND_ORDER: f64 = 1.0 + 1.0 / (1 << 20) as f64;

impl Sums {
    /// The sums of an element of the tensor `name`; `tensors` are all of them, channels first.
    pub fn of(network: &Network, tensors: &[Vec<i32>], name: &str, at: Element) -> Self {
        let tensor = |name: &str| {
            let place = TENSORS.iter().position(|&other| other == name);
            &tensors[place.unwrap_or_else(|| panic!("{name} is no tensor"))]
        };
        let scale_and_zero = |name: &str| {
            let parameters = network.parameters(name);
            (parameters.scales[0], parameters.zero_points[0])
        };
        let (output_scale, zero_point) = scale_and_zero(name);
        let of = |terms, count, operands| Self { terms, output_scale, zero_point, count, operands };
        let one = |n, scales, count| of(vec![Term { n, scales }], count, 0.0);
        let weighted = |layer: &str, n: i64, input_scale| {
            let n = n + network.constant(&format!("{layer}_b_q")).values[at.channel];
            one(n, [input_scale, network.parameters(&format!("{layer}_w")).scales[at.channel]], 1)
        };
        match name {
            "relu3" => {
                let operand = |name: &str| {
                    let (scale, zero) = scale_and_zero(name);
                    let q = i64::from(tensor(name)[((at.image * 32 + at.channel) * 2 + at.row) * 2 + at.col]);
                    let size = f64::from(scale) / f64::from(output_scale) * (q.abs() + zero.abs()) as f64;
                    (Term { n: q - zero, scales: [scale, 1.0] }, size)
                };
                let ((a, a_size), (b, b_size)) = (operand("relu2"), operand("sum3"));
                of(vec![a, b], 1, a_size + b_size + zero_point.abs() as f64)
            }
            "mean" => {
                let (scale, zero) = scale_and_zero("relu3");
                let pixels = &tensor("relu3")[(at.image * 32 + at.channel) * 4..][..4];
                one(pixels.iter().map(|&q| i64::from(q) - zero).sum(), [scale, 1.0], 4)
            }
            "logits" => {
                let (scale, zero) = scale_and_zero("mean");
                let rows = network.constant("dense_w_q").values.chunks(10);
                let activations = tensor("mean")[at.image * 32..][..32].iter().map(|&q| i64::from(q) - zero);
                weighted("dense", activations.zip(rows).map(|(q, row)| q * row[at.channel]).sum(), scale)
            }
            _ => {
                let Convolution { layer, input, size, stride } = convolution(name);
                let (scale, zero) = scale_and_zero(match input {
                    "pool" => "relu1",
                    input => input,
                });
                let weights = network.constant(&format!("{layer}_w_q"));
                let channels = weights.shape[1];
                let mut n = 0;
                for (index, weight) in weights.values[at.channel * channels * 9..][..channels * 9].iter().enumerate() {
                    let (channel, position) = (index / 9, [index / 3 % 3, index % 3]);
                    let [row, col] = [at.row * stride + position[0], at.col * stride + position[1]];
                    if (1..=size).contains(&row) && (1..=size).contains(&col) {
                        let q = tensor(input)[((at.image * channels + channel) * size + row - 1) * size + col - 1];
                        n += (i64::from(q) - zero) * weight;
                    }
                }
                weighted(layer, n, scale)
            }
        }
    }

    /// Exactly, as a numerator and a denominator.
    fn ratio(&self) -> (i128, i128) {
        let parts = |x: f32| {
            // Scales are normal and positive.
            let bits = x.to_bits();
            (i128::from(bits & 0x7f_ffff | 0x80_0000), (bits >> 23) as i32 - 150)
        };
        let terms = self.terms.iter().map(|term| {
            let [(m0, e0), (m1, e1)] = term.scales.map(parts);
            (i128::from(term.n) * m0 * m1, e0 + e1)
        });
        let terms: Vec<(i128, i32)> = terms.collect();
        let least = terms.iter().map(|&(_, exponent)| exponent).min().expect("a term");
        let numerator: i128 = terms.iter().map(|&(n, exponent)| n << (exponent - least)).sum();
        let (mantissa, exponent) = parts(self.output_scale);
        let denominator = mantissa * i128::from(self.count);
        match exponent - least {
            shift @ 0.. => (numerator, denominator << shift),
            shift => (numerator << -shift, denominator),
        }
    }

    /// How far from a tie, the middle of two whole numbers, it is; 0 is exact.
    pub fn to_tie(&self) -> f64 {
        let (numerator, denominator) = self.ratio();
        let rest = numerator.rem_euclid(denominator);
        (2 * rest - denominator).abs() as f64 / (2 * denominator) as f64
    }

    /// The nearest int8 with the zero point; of two as near, the greater.
    pub fn rounded(&self) -> i32 {
        let (numerator, denominator) = self.ratio();
        let steps = (2 * numerator + denominator).div_euclid(2 * denominator) + i128::from(self.zero_point);
        steps.clamp(-128, 127) as i32
    }

    /// How far the machine's sum may be from it before it is rounded: each multiplier is the nearest to its ratio times 2^shift, so off by
    /// at most 1/2, and the ratio itself was computed in f64.
    pub fn machine_error(&self, shift: u32) -> f64 {
        let error = |term: &Term| {
            let ratio = f64::from(term.scales[0]) * f64::from(term.scales[1]) / f64::from(self.output_scale);
            term.n.abs() as f64 * (0.5 / (1_u64 << shift) as f64 + ratio * 4.0 * f64::EPSILON)
        };
        self.terms.iter().map(error).sum::<f64>() * SECOND_ORDER
    }

    /// How far onnxruntime's may be, by the formulas of `golden::onnx`, every float32 operation rounding by at most [`HALF_STEP`].
    ///
    /// A product or mean has four, relative to the result: of the sum, of the scales' product, of the ratio, of their product. An addition
    /// has six, relative to at most the sizes of all operands together: of the ratios, of one zero point's product, and of four sums.
    pub fn float_error(&self) -> f64 {
        let (numerator, denominator) = self.ratio();
        let (roundings, size) = match self.terms.len() {
            1 => (4.0, (numerator as f64 / denominator as f64).abs()),
            _ => (6.0, self.operands),
        };
        roundings * size * HALF_STEP * SECOND_ORDER
    }
}
