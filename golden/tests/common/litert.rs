//! The layers of vectors/litert.py: the table that describes them, their data by formula, their accumulators by `golden`.

use crate::vectors::{words, Vectors};
use golden::ops::{conv2d, matmul_with_zeros};
use golden::{AccumulatorRule, Conv2d, Layout, Operator, OutputStage, Profile, Scheme, Shape};

/// The columns of the table, in order.
const FIELDS: &str = "kind act m height width channels n kernel_height kernel_width stride dilation same zx zy lo hi \
                      n_scales x_bits x_shift w_bits w_shift bias_bits bias_shift bias_half";
pub const OPERATORS: [Operator; 3] = [Operator::FullyConnected, Operator::Convolution, Operator::Depthwise];
/// The sets of kernels, in the order of the columns of outputs.
pub const KERNELS: [(&str, Profile); 4] = [
    ("reference", Profile::TfliteReference),
    ("optimized", Profile::TfliteRuy),
    ("default", Profile::TfliteXnnpack),
    ("micro", Profile::TfliteMicro),
];
/// LiteRT's optimised depthwise kernel rounds by `FixedDoubleUp` in whole groups of so many channels only; the channels
/// that remain round as TFLite-Micro does.
const SIMD_CHANNELS: usize = 8;

pub struct Layer {
    fields: Vec<i64>,
    x_scale: f32,
    y_scale: f32,
    w_scales: Vec<f32>,
}

pub struct Data {
    pub x: Vec<i32>,
    pub w: Vec<i32>,
    pub bias: Vec<i64>,
}

impl Layer {
    pub fn read_all(file: &mut Vectors) -> Vec<Self> {
        let n_fields = FIELDS.split(' ').count();
        file.assert_note("fields", FIELDS.split(' '));
        let (x_scales, y_scales, mut rest) = (file.floats("sx"), file.floats("sy"), file.floats("sw"));
        let table = file.ints("layers");
        assert_eq!(table.len(), n_fields * x_scales.len());
        let layers =
            table.chunks_exact(n_fields).zip(x_scales.iter().zip(&y_scales)).map(|(fields, (&x_scale, &y_scale))| {
                let mut layer = Self { fields: fields.to_vec(), x_scale, y_scale, w_scales: Vec::new() };
                layer.w_scales = rest.drain(..layer.size("n_scales")).collect();
                layer
            });
        let layers = layers.collect();
        assert!(rest.is_empty(), "{} scales belong to no layer", rest.len());
        layers
    }

    pub fn get(&self, field: &str) -> i64 {
        self.fields[FIELDS.split(' ').position(|name| name == field).expect(field)]
    }

    pub fn size(&self, field: &str) -> usize {
        usize::try_from(self.get(field)).expect(field)
    }

    pub fn output(&self) -> OutputStage {
        OutputStage { zero_point: self.get("zy"), low: self.get("lo"), high: self.get("hi") }
    }

    pub fn operator(&self) -> Operator {
        OPERATORS[self.size("kind")]
    }

    /// Elements of x, w and the bias.
    pub fn sizes(&self) -> [usize; 3] {
        let kernel = self.size("kernel_height") * self.size("kernel_width");
        let (channels, n) = (self.size("channels"), self.size("n"));
        let inner = if self.operator() == Operator::Depthwise { 1 } else { channels };
        [self.size("m") * self.size("height") * self.size("width") * channels, n * kernel * inner, n]
    }

    /// The data that vectors/litert_layers.py gives for a seed, by its formula.
    pub fn data(&self, seed: u64) -> Data {
        let mut words = words(seed);
        let mut take = |count: usize, bits: &str, shift: &str| -> Vec<i64> {
            let (bits, shift) = (self.size(bits), self.size(shift));
            words.by_ref().take(count).map(|word| (word as i64 >> (64 - bits)) << shift).collect()
        };
        let [x, w, n] = self.sizes();
        let x = take(x, "x_bits", "x_shift");
        let w = take(w, "w_bits", "w_shift");
        let bias = take(n, "bias_bits", "bias_shift");
        let zero = if self.get("x_bits") == 8 { 0 } else { self.get("zx") };
        let half = self.get("bias_half");
        let tie = |channel: usize| if half == 0 { 0 } else { half + [0, 0, -1, 1][channel % 4] };
        Data {
            x: x.into_iter().map(|value| (value + zero) as i32).collect(),
            w: w.into_iter().map(|value| value.max(-127) as i32).collect(),
            bias: bias.into_iter().enumerate().map(|(channel, value)| value + tie(channel)).collect(),
        }
    }

    pub fn shape(&self) -> Shape {
        Shape { m: self.size("m"), k: self.size("channels"), n: self.size("n") }
    }

    /// Weights k x n of a fully connected layer, whose file has n x k.
    pub fn columns(&self, data: &Data) -> Vec<i32> {
        let Shape { k, n, .. } = self.shape();
        (0..k * n).map(|index| data.w[index % n * k + index / n]).collect()
    }

    /// The accumulators, bias included; the output channel is the fastest dimension.
    pub fn accumulators(&self, data: &Data) -> Vec<i64> {
        let (zero, rule) = (self.get("zx"), AccumulatorRule::INT32);
        if self.operator() == Operator::FullyConnected {
            let columns = self.columns(data);
            return matmul_with_zeros(self.shape(), &data.x, &[zero], &columns, &[0], &data.bias, rule)
                .expect("it fits");
        }
        let conv = self.conv2d();
        let n = conv.out_channels;
        let weights = if self.operator() == Operator::Depthwise {
            // From row, column, output to output, row, column.
            let kernel = conv.kernel[0] * conv.kernel[1];
            (0..n * kernel).map(|index| data.w[index % kernel * n + index / kernel]).collect()
        } else {
            data.w.clone()
        };
        conv2d(&conv, &data.x, zero, &weights, &[0], &data.bias, rule).expect("it fits")
    }

    fn conv2d(&self) -> Conv2d {
        let input = [self.size("height"), self.size("width")];
        let kernel = [self.size("kernel_height"), self.size("kernel_width")];
        let (stride, dilation) = (self.size("stride"), self.size("dilation"));
        let (mut pad_before, mut pad_after) = ([0; 2], [0; 2]);
        if self.get("same") == 1 {
            for axis in 0..2 {
                let reach = (kernel[axis] - 1) * dilation + 1;
                let total = ((input[axis].div_ceil(stride) - 1) * stride + reach).saturating_sub(input[axis]);
                pad_before[axis] = total / 2;
                pad_after[axis] = total - total / 2;
            }
        }
        Conv2d {
            layout: Layout::ChannelsLast,
            batch: self.size("m"),
            in_channels: self.size("channels"),
            out_channels: self.size("n"),
            input,
            kernel,
            stride: [stride; 2],
            dilation: [dilation; 2],
            pad_before,
            pad_after,
            groups: if self.operator() == Operator::Depthwise { self.size("channels") } else { 1 },
        }
    }

    /// The scheme of each output channel.
    pub fn schemes(&self, profile: Profile) -> Vec<Scheme> {
        let n = self.size("n");
        let scheme = |channel: usize| {
            let w_scale = if self.w_scales.len() == 1 { self.w_scales[0] } else { self.w_scales[channel] };
            let is_remainder = profile == Profile::TfliteRuy
                && self.operator() == Operator::Depthwise
                && channel >= n - n % SIMD_CHANNELS;
            let profile = if is_remainder { Profile::TfliteMicro } else { profile };
            let scheme = profile.scheme(self.operator(), 8, self.x_scale, w_scale, self.y_scale);
            scheme.expect("the ratio is legal").expect("the profile requantizes")
        };
        (0..n).map(scheme).collect()
    }
}
