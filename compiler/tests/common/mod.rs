//! Float networks that several tests take.
#![allow(dead_code)] // each test file uses a part of it

use compiler::float::{DataLayout, FloatLayer, FloatNetwork, FloatOperation, Function};
use compiler::onnx::{import, ImportOptions, Imported, ModelFile, OnnxError};
use golden::{Extent, Window};
use spec::config::{AccumulatorBits, Auto, RawConfig, RawNumerics};
use spec::{Config, Numerics};

pub const OPEN: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];
pub const RELU: [f32; 2] = [0.0, f32::INFINITY];

/// The numerics of the default configuration, changed, with a table.
pub fn numerics(change: impl FnOnce(&mut RawNumerics)) -> Numerics {
    let mut raw = RawConfig::from(&Config::named("default").expect("it ships"));
    raw.numerics.accumulator_bits = AccumulatorBits::Named(Auto::Auto);
    raw.numerics.activation_table = true;
    change(&mut raw.numerics);
    Config::try_from(raw).expect("legal").numerics().clone()
}

/// Numbers between -1 and 1, always the same.
pub fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut random = calibrate::SplitMix64::new(seed);
    (0..n).map(|_| (2.0 * random.unit() - 1.0) as f32).collect()
}

pub fn layer(name: &str, inputs: &[usize], operation: FloatOperation, clamp: [f32; 2]) -> FloatLayer {
    FloatLayer { name: name.to_owned(), inputs: inputs.to_vec(), operation, clamp }
}

pub fn convolution(window: Window, groups: usize, [k, n]: [usize; 2], seed: u64) -> FloatOperation {
    let bias = noise(n, seed + 1000).iter().map(|b| b / 4.0).collect();
    FloatOperation::Convolution { window, groups, weights: noise(k * n, seed), bias }
}

pub fn network(input: [usize; 3], layers: Vec<FloatLayer>) -> FloatNetwork {
    let [height, width, channels] = input;
    FloatNetwork { input: Extent { height, width, channels }, layout: DataLayout::ChannelsLast, layers }
}

/// 3 x 3 with a pad of 1 all around.
pub fn padded() -> Window {
    Window { pad_before: [1, 1], pad_after: [1, 1], ..Window::of([3, 3]) }
}

/// Layers of all kinds on 6 x 5 x 3: the sum of a convolution and a depthwise one on it, pooled both ways, squashed, and classified.
pub fn of_all_kinds() -> FloatNetwork {
    let halved = Window { stride: [2, 2], ..Window::of([2, 2]) };
    network(
        [6, 5, 3],
        vec![
            layer("first", &[0], convolution(padded(), 1, [27, 4], 1), [0.0, 6.0]),
            layer("depthwise", &[1], convolution(padded(), 4, [9, 4], 2), OPEN),
            layer("sum", &[1, 2], FloatOperation::Add, RELU),
            layer("greatest", &[3], FloatOperation::MaxPool { window: padded() }, OPEN),
            layer("mean", &[4], FloatOperation::AveragePool { window: halved }, OPEN),
            layer("squashed", &[5], FloatOperation::Function(Function::Tanh), OPEN),
            layer("classes", &[6], convolution(Window::of([3, 2]), 1, [24, 5], 3), OPEN),
        ],
    )
}

/// The float network of a model's bytes.
pub fn read_onnx(bytes: &[u8]) -> Result<FloatNetwork, OnnxError> {
    match import(&ModelFile::decode(bytes.to_vec())?, &ImportOptions::default())? {
        Imported::Float(network) => Ok(network),
        Imported::Quantized(_) => panic!("the network has no integers"),
    }
}
