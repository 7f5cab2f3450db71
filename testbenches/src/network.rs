//! Random small networks of layers of all kinds.

use crate::data::{Data, Random};
use golden::{Channel, Extent, Layer, LayerError, Network, Operation, Window};
use serde::{Deserialize, Serialize};
use spec::Numerics;

/// A random network as it stands in a case's file: everything else follows from the case's seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkCase {
    /// Rows, columns and channels of the input.
    pub input: [usize; 3],
    /// How many layers there are.
    pub layers: usize,
}

impl NetworkCase {
    pub const MAX_LAYERS: usize = 64;
    /// The greatest number of rows, of columns, and of channels.
    pub const MAX_SIZE: usize = 64;
    /// The greatest m of a case.
    pub const MAX_IMAGES: usize = 64;
}

/// Channels of a convolution's output are drawn up to this many.
const MOST_CHANNELS: i64 = 8;

/// A layer's operation and what it reads.
struct Drawn {
    inputs: Vec<usize>,
    operation: Operation,
    n: usize,
}

/// The network of a case. Every layer reads a tensor that is there, mostly the last one, and fits the machine: where a drawn window,
/// or its sums, do not, another one is drawn, and a dense layer or a rescaling in the end.
pub fn network(
    random: &mut Random,
    data: Data,
    numerics: &Numerics,
    case: &NetworkCase,
) -> Result<Network, LayerError> {
    let [height, width, channels] = case.input;
    let mut network = Network { input: Extent { height, width, channels }, layers: Vec::with_capacity(case.layers) };
    let mut extents = vec![network.input];
    for index in 0..case.layers {
        let name = format!("layer{index}");
        let drawn = draw(random, data, numerics, &extents);
        let of: Vec<Extent> = drawn.inputs.iter().map(|&tensor| extents[tensor]).collect();
        let k = drawn.operation.k(of[0]);
        let pad = match drawn.operation {
            // The machine compares with whatever padding holds; this is what a max pool is used with.
            Operation::MaxPool { .. } if random.below(2) == 0 => numerics.activation().min() as i32,
            _ => data.element(random, numerics.activation()),
        };
        let table = numerics.activation_table() && random.below(2) == 0;
        let layer = Layer {
            pad,
            channels: channels_of(random, data, numerics, [drawn.inputs.len(), drawn.n, k]),
            bounds: data.bounds(random, numerics),
            table: table.then(|| {
                (0..1_u64 << numerics.output().bits()).map(|_| data.element(random, numerics.output())).collect()
            }),
            name,
            inputs: drawn.inputs,
            operation: drawn.operation,
        };
        let extent = layer.check(numerics, &of);
        extents.push(extent.map_err(|source| LayerError { layer: layer.name.clone(), source })?);
        network.layers.push(layer);
    }
    Ok(network)
}

/// Parameters for each term and channel; a channel's terms share shift and zero point.
fn channels_of(random: &mut Random, data: Data, numerics: &Numerics, [terms, n, k]: [usize; 3]) -> Vec<Vec<Channel>> {
    let first: Vec<Channel> = (0..n).map(|_| data.channel(random, numerics, k)).collect();
    let other = |random: &mut Random, first: &Channel| Channel {
        shift: first.shift,
        zero_point: first.zero_point,
        ..data.channel(random, numerics, k)
    };
    let others: Vec<Vec<Channel>> =
        (1..terms).map(|_| first.iter().map(|first| other(random, first)).collect()).collect();
    std::iter::once(first).chain(others).collect()
}

/// How often something that fits is looked for.
const DRAWS: usize = 16;

fn draw(random: &mut Random, data: Data, numerics: &Numerics, extents: &[Extent]) -> Drawn {
    let last = extents.len() - 1;
    // Where formats differ, only the network's input can be read.
    let chained = numerics.output() == numerics.activation();
    let max_k = numerics.max_k() as usize;
    for _ in 0..DRAWS {
        let tensor = match random.below(8) {
            0 => random.below(extents.len() as u64) as usize,
            _ => last,
        };
        let tensor = if chained { tensor } else { 0 };
        let input = extents[tensor];
        let drawn = match random.below(8) {
            0 | 1 => {
                let window = window(random, input);
                Drawn { inputs: vec![tensor], operation: Operation::SumPool { window }, n: input.channels }
            }
            2 => {
                let window = window(random, input);
                Drawn { inputs: vec![tensor], operation: Operation::MaxPool { window }, n: input.channels }
            }
            3 | 4 => add(random, data, numerics, extents, tensor),
            _ => convolution(random, data, numerics, tensor, input),
        };
        let one_fits = numerics.weight().contains(1);
        let pools = matches!(drawn.operation, Operation::SumPool { .. } | Operation::MaxPool { .. });
        if drawn.operation.window().output(input.size()).is_ok()
            && drawn.operation.k(input) <= max_k
            && (one_fits || !pools)
        {
            return drawn;
        }
    }
    add(random, data, numerics, &extents[..1], 0)
}

/// Of up to three tensors of one extent; the first is `tensor`.
fn add(random: &mut Random, data: Data, numerics: &Numerics, extents: &[Extent], tensor: usize) -> Drawn {
    let equal: Vec<usize> = (0..extents.len()).filter(|&other| extents[other] == extents[tensor]).collect();
    let chained = numerics.output() == numerics.activation();
    let others = random.below(3);
    let inputs: Vec<usize> =
        std::iter::once(tensor).chain((0..others).map(|_| if chained { random.pick(&equal) } else { 0 })).collect();
    let factors = inputs.iter().map(|_| data.element(random, numerics.weight())).collect();
    Drawn { n: extents[tensor].channels, inputs, operation: Operation::Add { factors } }
}

/// Plain, grouped, depthwise, or dense over the whole image.
fn convolution(random: &mut Random, data: Data, numerics: &Numerics, tensor: usize, input: Extent) -> Drawn {
    let channels = input.channels;
    // Neither plain nor depthwise, if there is such a number.
    let groups: Vec<usize> = (2..channels).filter(|groups| channels.is_multiple_of(*groups)).collect();
    let (window, groups) = match random.below(6) {
        0 => (Window::of(input.size()), 1),
        1 => (Window::POINT, 1),
        2 => (window(random, input), channels),
        3 if !groups.is_empty() => (window(random, input), random.pick(&groups)),
        _ => (window(random, input), 1),
    };
    let group_n = (random.between(1, MOST_CHANNELS) as usize).div_ceil(groups);
    let (k, n) = (window.positions() * (channels / groups), groups * group_n);
    let weights = (0..k * n).map(|_| data.element(random, numerics.weight())).collect();
    Drawn { inputs: vec![tensor], operation: Operation::Convolution { window, groups, weights }, n }
}

/// Kernels up to 4, or as large as the input; strides up to 3, dilations up to 2, pads that the kernel reaches.
fn window(random: &mut Random, input: Extent) -> Window {
    let mut window = Window::POINT;
    for (axis, size) in input.size().into_iter().enumerate() {
        window.kernel[axis] = match random.below(8) {
            0 => size,
            _ => random.between(1, 4) as usize,
        };
        window.stride[axis] = random.pick(&[1, 1, 1, 2, 2, 3]);
        window.dilation[axis] = random.pick(&[1, 1, 1, 2]);
        let reach = (window.kernel[axis] as i64 - 1) * window.dilation[axis] as i64;
        window.pad_before[axis] = random.between(0, reach.min(3)) as usize;
        window.pad_after[axis] = random.between(0, reach.min(3)) as usize;
    }
    window
}
