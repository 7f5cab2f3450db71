//! Lowers a network to a program: memory image, commands, dependencies.

use crate::image::{pack, Image, Region};
use crate::plan::Plan;
use crate::schedule::{Builder, Outputs, Placed, Records, Slots, Written};
use crate::sync::synchronize;
use crate::tiling::{aligned_group_tiles, GemmShape, Tiling};
use golden::{Channel, Extent, Layer, LayerError, Network, Stream, Window};
use spec::{Command, Config, Format, Program, ProgramError, Rounding, Seed, Walk};
use std::ops::Range;
use thiserror::Error;

/// Why a network cannot be lowered.
#[derive(Debug, Error, PartialEq)]
pub enum CompileError {
    #[error("layer {layer}: {property} = {value} must be in {min}..={max}")]
    Range { layer: String, property: &'static str, value: u64, min: u64, max: u64 },
    #[error("the input has {given} elements, but {batch} images of {extent} have {expected}")]
    Input { given: usize, batch: usize, extent: Extent, expected: usize },
    #[error(
        "layer {layer} (output {output} of {batch} images, {terms} terms): no tiling fits; column tiles that are stored together must \
         start on a byte, which takes groups of {group_tiles}, but a half of the accumulator has {accumulator_rows} rows, half of the \
         parameter buffer holds {parameter_tiles} tiles and the activation buffer has {activation_rows} rows"
    )]
    NoTiling {
        layer: String,
        output: Extent,
        batch: usize,
        terms: usize,
        group_tiles: usize,
        accumulator_rows: usize,
        parameter_tiles: usize,
        activation_rows: usize,
    },
    #[error(transparent)]
    Network(#[from] LayerError),
    #[error("the input: {0}")]
    Golden(golden::GoldenError),
    #[error("the memory image of {bytes} bytes does not fit 32-bit addresses")]
    Memory { bytes: u64 },
    #[error("a network has at least one layer and one input image")]
    Empty,
    #[error("the compiler made an invalid program (a bug): {0}")]
    Invalid(#[from] ProgramError),
}

/// What became of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerPlan {
    pub name: String,
    /// What it does: "convolution", "max pool", ...
    pub operation: &'static str,
    /// Of one image.
    pub input: Extent,
    pub output_extent: Extent,
    pub window: Window,
    /// m and n of the output; k terms of one sum.
    pub shape: GemmShape,
    /// Useful multiply-accumulates: none for pools and additions.
    pub macs: u64,
    pub tiling: Tiling,
    /// What its folds stream.
    pub slots: Slots,
    /// Cycles that the cost function gave for the layer alone.
    pub predicted_cycles: u64,
    /// The layer's commands in the program.
    pub commands: Range<usize>,
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
    /// Useful multiply-accumulates of all layers.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.macs).sum()
    }

    /// The final outputs.
    pub fn output(&self) -> Region {
        self.layers[self.layers.len() - 1].output
    }
}

/// Compiles a network for `batch` images (channels-last). Each layer's tiling is the candidate that reads the fewest bytes of those
/// whose program's `cost` in cycles is within 1/128 of the least. With stochastic rounding, layer i rounds by the stream of `seed`
/// and tensor i; other rounding does not look at `seed`.
pub fn compile(
    config: &Config,
    network: &Network,
    batch: usize,
    input: &[i32],
    seed: u64,
    cost: &dyn Fn(&[Command]) -> u64,
) -> Result<Compiled, CompileError> {
    if batch == 0 || network.layers.is_empty() {
        return Err(CompileError::Empty);
    }
    let numerics = config.numerics();
    let extents = network.extents(numerics)?;
    check(config, network, &extents, batch, input)?;
    let mut image = Image::default();
    let region = tensor(&mut image, config, batch, network.input, numerics.activation());
    region.write(image.bytes_mut(), input);
    let mut builder = Builder::new(config);
    let mut plans: Vec<LayerPlan> = Vec::new();
    let mut tensors = vec![(region, Written::default())];
    for (index, layer) in network.layers.iter().enumerate() {
        let (input, output) = (extents[layer.inputs[0]], extents[index + 1]);
        let plan = Plan::new(config, layer, batch, input, output);
        let outputs = Outputs {
            bounds: layer.bounds,
            pad: numerics.activation().encode(layer.pad.into()) as u16,
            seed: seed_of(config, seed, index, output.channels),
        };
        let activations = |&tensor: &usize| Region { format: numerics.activation(), ..tensors[tensor].0 };
        let inputs = layer.inputs.iter().map(activations).collect();
        let placed = place(config, &mut image, layer, &plan, inputs);
        let (tiling, predicted_cycles) = best_tiling(config, &plan, &layer.name, outputs, &placed, cost)?;
        let sources: Vec<&Written> = layer.inputs.iter().map(|&tensor| &tensors[tensor].1).collect();
        let from = builder.len();
        let (written, slots) = builder.layer(&plan, outputs, tiling, &placed, &sources);
        plans.push(LayerPlan {
            name: layer.name.clone(),
            operation: layer.operation.name(),
            input,
            output_extent: output,
            window: plan.window,
            shape: GemmShape { m: plan.m(), k: layer.operation.k(input), n: output.channels },
            macs: plan.macs,
            tiling,
            slots,
            predicted_cycles,
            commands: from..builder.len(),
            output: placed.output,
        });
        tensors.push((placed.output, written));
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

/// Sizes that the fields of commands hold; everything else golden has checked.
fn check(
    config: &Config,
    network: &Network,
    extents: &[Extent],
    batch: usize,
    input: &[i32],
) -> Result<(), CompileError> {
    let expected = batch * network.input.elements();
    if input.len() != expected {
        return Err(CompileError::Input { given: input.len(), batch, extent: network.input, expected });
    }
    let format = config.numerics().activation();
    if let Some(at) = input.iter().position(|&value| !format.contains(value.into())) {
        let (value, min, max) = (input[at].into(), format.min(), format.max());
        let (row, col) = (at / network.input.elements(), at % network.input.elements());
        return Err(CompileError::Golden(golden::GoldenError::Element { matrix: "input", row, col, value, min, max }));
    }
    for (layer, output) in network.layers.iter().zip(&extents[1..]) {
        let range = |property, value: usize, min: u64, max: u64| match (min..=max).contains(&(value as u64)) {
            true => Ok(()),
            false => Err(CompileError::Range { layer: layer.name.clone(), property, value: value as u64, min, max }),
        };
        let (input, window) = (extents[layer.inputs[0]], layer.operation.window());
        range("n", output.channels, 1, 1 << 20)?;
        range("m", batch * output.pixels(), 1, 1 << 24)?;
        // x counts lanes: its last value is that of the last window's last position.
        let lanes = config.geometry().rows().next_power_of_two();
        let steps = (1 << Walk::STEP_BITS) - 1;
        range("stride of rows", window.stride[0], 1, steps)?;
        range("stride of columns", window.stride[1], 1, steps / lanes as u64)?;
        let padded = |axis: usize| input.size()[axis] + window.pad_before[axis] + window.pad_after[axis] + 1;
        range("padded height", padded(0), 1, (1 << (Walk::Y_BITS - 1)) - 1)?;
        range("padded width", padded(1), 1, ((1 << (Walk::X_BITS - 1)) - 1) / lanes as u64)?;
        let terms = output.channels.min(config.geometry().cols()).div_ceil(config.geometry().rows());
        match layer.operation {
            golden::Operation::MaxPool { .. } => range("columns of the mesh over its rows", terms, 1, 15)?,
            _ => range("terms", layer.channels.len(), 1, 15)?,
        }
    }
    Ok(())
}

/// Allocates a tensor: a row a pixel. Window loads may read some pixels beyond its end.
fn tensor(image: &mut Image, config: &Config, batch: usize, extent: Extent, format: Format) -> Region {
    let region = image.matrix(batch * extent.pixels(), extent.channels, format);
    if extent.width > 1 {
        image.allocate(config.geometry().rows() * region.stride());
    }
    region
}

fn place(config: &Config, image: &mut Image, layer: &Layer, plan: &Plan, inputs: Vec<Region>) -> Placed {
    let (n, g) = (config.numerics(), config.geometry());
    let weight = n.weight();
    let mut weights = Vec::with_capacity(plan.tiles.len());
    for tile in &plan.tiles {
        let n_bytes = (tile.k * tile.n * weight.bits() as usize).div_ceil(8);
        // Aligned to the bus, so that a tile is a whole number of beats.
        let address = image.allocate_aligned(n_bytes, g.bus_bytes());
        // Shift order: the mesh's last row first.
        let values = tile.values.chunks_exact(tile.n).rev().flatten().map(|&value| weight.encode(value.into()));
        pack(&mut image.bytes_mut()[address..address + n_bytes], weight.bits() as usize, values);
        weights.push(address);
    }
    let record_bytes = n.parameter_bits() as usize / 8;
    let records = parameter_records(config, layer, plan);
    let mut address = image.allocate(record_bytes * records.iter().map(Vec::len).sum::<usize>());
    let mut parameters = Vec::with_capacity(records.len());
    for tile in &records {
        parameters.push(Records { address, count: tile.len() });
        for channel in tile {
            pack_record(config, &mut image.bytes_mut()[address..address + record_bytes], channel);
            address += record_bytes;
        }
    }
    let table = layer.table.as_ref().map(|table| {
        let n_bytes = (table.len() * n.output().bits() as usize).div_ceil(8);
        let address = image.allocate(n_bytes);
        let values = table.iter().map(|&value| n.output().encode(value.into()));
        pack(&mut image.bytes_mut()[address..address + n_bytes], n.output().bits() as usize, values);
        address
    });
    let output = tensor(image, config, plan.batch, plan.output, n.output());
    Placed { inputs, output, weights, parameters, table }
}

/// The records of each column tile in the order of the parameter buffer: groups of lanes, terms, lanes. Where an output has several
/// terms, groups are filled up with copies of the last channel.
fn parameter_records(config: &Config, layer: &Layer, plan: &Plan) -> Vec<Vec<Channel>> {
    let g = config.geometry();
    let (n, lanes) = (plan.output.channels, g.requantizer_lanes());
    let tile = |first: usize| {
        let end = n.min(first + g.cols());
        if plan.terms == 1 {
            return layer.channels[0][first..end].to_vec();
        }
        let mut records = Vec::new();
        for group in (first..end).step_by(lanes) {
            for term in 0..plan.terms {
                // The parts of a maximum have the same parameters, and the bias where the column is fed.
                let parts = layer.channels.len() < plan.terms;
                let channels = &layer.channels[if parts { 0 } else { term }];
                let record = |j: usize| match parts && (j - first) / g.rows() != term {
                    true => Channel { bias: 0, ..channels[j] },
                    false => channels[j],
                };
                records.extend((group..group + lanes).map(|j| record(j.min(end - 1))));
            }
        }
        records
    };
    (0..n).step_by(g.cols()).map(tile).collect()
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
    plan: &Plan,
    name: &str,
    outputs: Outputs,
    placed: &Placed,
    cost: &dyn Fn(&[Command]) -> u64,
) -> Result<(Tiling, u64), CompileError> {
    let mut tried: Vec<(Tiling, u64, u64)> = Vec::new();
    let nobody = Written::default();
    let sources = vec![&nobody; placed.inputs.len()];
    for tiling in Tiling::candidates(config, plan) {
        let mut builder = Builder::new(config);
        builder.layer(plan, outputs, tiling, placed, &sources);
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
        output: plan.output,
        batch: plan.batch,
        terms: plan.terms,
        group_tiles: aligned_group_tiles(config),
        accumulator_rows: g.accumulator_rows(),
        parameter_tiles: g.parameter_tiles() / 2,
        activation_rows: g.activation_buffer_rows(),
    })
}
