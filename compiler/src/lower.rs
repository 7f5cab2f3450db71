//! Lowers a network to a program: memory image, commands, dependencies. Chains of dense layers only.

use crate::image::{pack, Image, Region};
use crate::schedule::{Builder, Outputs, Placed, Written};
use crate::sync::synchronize;
use crate::tiling::{aligned_group_tiles, GemmShape, Tiling};
use golden::{Bounds, Channel, Extent, Operation, Stream};
use spec::{Command, Config, Format, Program, ProgramError, Rounding, Seed};
use thiserror::Error;

/// One dense layer: weights k x n, row-major, and the requantizer's parameters.
#[derive(Clone, Copy, Debug)]
struct Layer<'a> {
    name: &'a str,
    k: usize,
    n: usize,
    weights: &'a [i32],
    channels: &'a [Channel],
    bounds: Bounds,
}

/// Why a network cannot be lowered.
#[derive(Debug, Error, PartialEq)]
pub enum CompileError {
    #[error("layer {layer}: {property} = {value} must be in {min}..={max}")]
    Range { layer: String, property: &'static str, value: u64, min: u64, max: u64 },
    #[error("layer {layer}: {property} has {value} elements but its shape needs {expected}")]
    Elements { layer: String, property: &'static str, value: usize, expected: usize },
    #[error("layer {layer} takes k = {k} but the layer before it gives n = {n}")]
    Chain { layer: String, k: usize, n: usize },
    #[error("layer {layer} needs its input as {input}, but the layer before it writes the output format {output}")]
    ChainFormat { layer: String, input: Format, output: Format },
    #[error(
        "layer {layer} ({m} x {k} x {n}): no tiling fits; column tiles that are stored together must start on a byte, \
         which takes groups of {group_tiles}, but a half of the accumulator has {accumulator_rows} rows and half of the \
         parameter buffer holds {parameter_tiles} tiles"
    )]
    NoTiling {
        layer: String,
        m: usize,
        k: usize,
        n: usize,
        group_tiles: usize,
        accumulator_rows: usize,
        parameter_tiles: usize,
    },
    #[error("layer {layer}: {source}")]
    Golden { layer: String, source: golden::GoldenError },
    #[error("layer {layer}: a {operation} that is not dense, or not after the layer before it, is not lowered")]
    Unsupported { layer: String, operation: &'static str },
    #[error("the memory image of {bytes} bytes does not fit 32-bit addresses")]
    Memory { bytes: u64 },
    #[error("a network has at least one layer and one input row")]
    Empty,
    #[error("the compiler made an invalid program (a bug): {0}")]
    Invalid(#[from] ProgramError),
}

/// What became of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerPlan {
    pub name: String,
    pub shape: GemmShape,
    pub tiling: Tiling,
    /// Cycles that the cost function gave for the layer alone.
    pub predicted_cycles: u64,
    /// Where the layer's outputs are (m x n, output format).
    pub output: Region,
}

/// A program with the places of its tensors.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub program: Program,
    pub layers: Vec<LayerPlan>,
}

impl Compiled {
    /// Multiply-accumulates of all layers.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.shape.macs()).sum()
    }

    /// The final outputs.
    pub fn output(&self) -> Region {
        self.layers[self.layers.len() - 1].output
    }
}

/// Compiles `network` for a batch of images. Each layer's tiling is the candidate that reads the fewest bytes of those whose
/// program's `cost` in cycles is within 1/128 of the least. With stochastic rounding, layer i rounds by the stream of `seed` and
/// tensor i; other rounding does not look at `seed`.
pub fn compile(
    config: &Config,
    network: &golden::Network,
    batch: usize,
    input: &[i32],
    seed: u64,
    cost: &dyn Fn(&[Command]) -> u64,
) -> Result<Compiled, CompileError> {
    compile_dense(config, batch, input, &dense_layers(network)?, seed, cost)
}

fn dense_layers(network: &golden::Network) -> Result<Vec<Layer<'_>>, CompileError> {
    let (mut layers, mut extent) = (Vec::with_capacity(network.layers.len()), network.input);
    for (index, layer) in network.layers.iter().enumerate() {
        let dense = match &layer.operation {
            Operation::Convolution { window, groups: 1, weights } if window.is_whole(extent.size()) => Some(weights),
            _ => None,
        };
        let chained = layer.inputs == [index] && layer.table.is_none();
        let (Some(weights), [channels], true) = (dense, &layer.channels[..], chained) else {
            let operation = layer.operation.name();
            return Err(CompileError::Unsupported { layer: layer.name.clone(), operation });
        };
        let (k, n) = (extent.elements(), channels.len());
        layers.push(Layer { name: &layer.name, k, n, weights, channels, bounds: layer.bounds });
        extent = Extent::vector(n);
    }
    Ok(layers)
}

fn compile_dense(
    config: &Config,
    m: usize,
    input: &[i32],
    layers: &[Layer<'_>],
    seed: u64,
    cost: &dyn Fn(&[Command]) -> u64,
) -> Result<Compiled, CompileError> {
    let Some(first) = layers.first().filter(|_| m > 0) else { return Err(CompileError::Empty) };
    check(config, m, input, layers)?;
    let mut image = Image::default();
    let input_region = image.matrix(m, first.k, config.numerics().activation());
    input_region.write(image.bytes_mut(), input);
    let mut builder = Builder::new(config);
    let mut plans: Vec<LayerPlan> = Vec::new();
    let mut previous = Written::default();
    let mut source = input_region;
    for (index, layer) in layers.iter().enumerate() {
        let shape = GemmShape { m, k: layer.k, n: layer.n };
        let outputs = Outputs { bounds: layer.bounds, seed: seed_of(config, seed, index, layer.n) };
        let placed = place(config, &mut image, layer, m, source);
        let (tiling, predicted_cycles) = best_tiling(config, shape, layer.name, outputs, &placed, cost)?;
        previous = builder.layer(shape, outputs, tiling, &placed, &previous);
        source = Region { format: config.numerics().activation(), ..placed.output };
        let name = layer.name.to_owned();
        plans.push(LayerPlan { name, shape, tiling, predicted_cycles, output: placed.output });
    }
    builder.push(Command::Finish, Vec::new());
    let memory = image.into_bytes();
    if memory.len() as u64 > 1 << 32 {
        return Err(CompileError::Memory { bytes: memory.len() as u64 });
    }
    let commands = synchronize(builder.into_steps());
    spec::validate(config, &commands, memory.len())?;
    Ok(Compiled { program: Program { commands, memory }, layers: plans })
}

/// What the stores of layer `index` round with.
fn seed_of(config: &Config, seed: u64, index: usize, n: usize) -> Option<Seed> {
    match config.numerics().rounding() {
        Rounding::Fixed(_) => None,
        Rounding::Stochastic { random_bits } => {
            let stream = Stream::new(seed, index as u32, random_bits);
            Some(Seed { key: stream.key(), mask: stream.mask(), row_stride: n as u32 })
        }
    }
}

fn check(config: &Config, m: usize, input: &[i32], layers: &[Layer<'_>]) -> Result<(), CompileError> {
    let numerics = config.numerics();
    let (activation, output) = (numerics.activation(), numerics.output());
    let mut before: Option<usize> = None;
    for layer in layers {
        let name = || layer.name.to_owned();
        let range = |property, value: usize, max: u64| match (1..=max).contains(&(value as u64)) {
            true => Ok(()),
            false => Err(CompileError::Range { layer: name(), property, value: value as u64, min: 1, max }),
        };
        let elements = |property, value, expected| match value == expected {
            true => Ok(()),
            false => Err(CompileError::Elements { layer: name(), property, value, expected }),
        };
        range("k", layer.k, numerics.max_k().into())?;
        range("n", layer.n, 1 << 20)?;
        range("m", m, 1 << 24)?;
        elements("weights", layer.weights.len(), layer.k * layer.n)?;
        elements("channels", layer.channels.len(), layer.n)?;
        match before {
            None => elements("input", input.len(), m * layer.k)?,
            Some(n) if n != layer.k => return Err(CompileError::Chain { layer: name(), k: layer.k, n }),
            Some(_) if activation != output => {
                return Err(CompileError::ChainFormat { layer: name(), input: activation, output })
            }
            Some(_) => {}
        }
        let golden = |source| CompileError::Golden { layer: name(), source };
        layer.bounds.check(numerics).map_err(golden)?;
        layer.channels.iter().try_for_each(|channel| channel.check(numerics)).map_err(golden)?;
        before = Some(layer.n);
    }
    Ok(())
}

fn place(config: &Config, image: &mut Image, layer: &Layer<'_>, m: usize, input: Region) -> Placed {
    let (n, g) = (config.numerics(), config.geometry());
    let weight = n.weight();
    let mut weights = Vec::new();
    for k0 in (0..layer.k).step_by(g.rows()) {
        let k_size = g.rows().min(layer.k - k0);
        for n0 in (0..layer.n).step_by(g.cols()) {
            let n_size = g.cols().min(layer.n - n0);
            let n_bytes = (k_size * n_size * weight.bits() as usize).div_ceil(8);
            // Aligned to the bus, so that a tile is a whole number of beats.
            let address = image.allocate_aligned(n_bytes, g.bus_bytes());
            // Shift order: the mesh's last row first.
            let values = (0..k_size).rev().flat_map(|row| {
                let from = (k0 + row) * layer.n + n0;
                layer.weights[from..from + n_size].iter().map(|&value| weight.encode(value.into()))
            });
            pack(&mut image.bytes_mut()[address..address + n_bytes], weight.bits() as usize, values);
            weights.push(address);
        }
    }
    let record_bytes = n.parameter_bits() as usize / 8;
    let parameters = image.allocate(record_bytes * layer.n);
    for (index, channel) in layer.channels.iter().enumerate() {
        let from = parameters + index * record_bytes;
        pack_record(config, &mut image.bytes_mut()[from..from + record_bytes], channel);
    }
    let output = image.matrix(m, layer.n, n.output());
    Placed { input, output, weights, parameters }
}

/// Bias, multiplier (if the scheme has one), shift, zero point, least significant first.
fn pack_record(config: &Config, bytes: &mut [u8], channel: &Channel) {
    let n = config.numerics();
    let fields = [
        Some((n.bias(), channel.bias)),
        n.multiplier().map(|format| (format, channel.multiplier.into())),
        Some((n.shift(), channel.shift.into())),
        Some((n.bound(), channel.zero_point)),
    ];
    let mut record = 0u128;
    let mut at = 0;
    for (format, value) in fields.into_iter().flatten() {
        record |= u128::from(format.encode(value)) << at;
        at += format.bits();
    }
    let n_bytes = bytes.len();
    bytes.copy_from_slice(&record.to_le_bytes()[..n_bytes]);
}

/// One part in so many of the cycles is given for reading fewer bytes: energy, and room on a shared bus.
const CYCLES_FOR_BYTES: u64 = 128;

fn read_bits(commands: &[Command]) -> u64 {
    let bits = |command: &Command| match command {
        Command::Load(load) => u64::from(load.requests) * u64::from(load.request_bits()),
        _ => 0,
    };
    commands.iter().map(bits).sum()
}

fn best_tiling(
    config: &Config,
    shape: GemmShape,
    name: &str,
    outputs: Outputs,
    placed: &Placed,
    cost: &dyn Fn(&[Command]) -> u64,
) -> Result<(Tiling, u64), CompileError> {
    let mut tried: Vec<(Tiling, u64, u64)> = Vec::new();
    for tiling in Tiling::candidates(config, shape) {
        let mut builder = Builder::new(config);
        builder.layer(shape, outputs, tiling, placed, &Written::default());
        builder.push(Command::Finish, Vec::new());
        let commands = synchronize(builder.into_steps());
        tried.push((tiling, cost(&commands), read_bits(&commands)));
    }
    let least = tried.iter().map(|(_, cycles, _)| *cycles).min().unwrap_or(0);
    let best = tried
        .into_iter()
        .filter(|(_, cycles, _)| *cycles <= least + least / CYCLES_FOR_BYTES)
        .min_by_key(|(_, cycles, bits)| (*bits, *cycles))
        .map(|(tiling, cycles, _)| (tiling, cycles));
    let g = config.geometry();
    best.ok_or_else(|| CompileError::NoTiling {
        layer: name.to_owned(),
        m: shape.m,
        k: shape.k,
        n: shape.n,
        group_tiles: aligned_group_tiles(config),
        accumulator_rows: g.accumulator_rows(),
        parameter_tiles: g.parameter_tiles() / 2,
    })
}
