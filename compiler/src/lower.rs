//! Lowers a chain of dense layers to a program: memory image, commands, dependencies.

use crate::image::{pack, Image, Region};
use crate::sync::{synchronize, Event, Step};
use crate::tiling::{aligned_group_tiles, GemmShape, OuterLoop, Tiling};
use golden::{Bounds, Channel};
use spec::{Command, Config, Execute, Format, Load, LoadTarget, Program, ProgramError, Store, Tokens};
use thiserror::Error;

/// One dense layer: weights k x n, row-major, and the requantizer's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    pub name: &'a str,
    pub k: usize,
    pub n: usize,
    pub weights: &'a [i32],
    pub channels: &'a [Channel],
    pub bounds: Bounds,
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
    pub input: Region,
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

/// Compiles `layers` for `m` input rows. Each layer's tiling is the candidate that reads the fewest bytes of those whose
/// program's `cost` in cycles is within 1/128 of the least.
pub fn compile(
    config: &Config,
    m: usize,
    input: &[i32],
    layers: &[Layer<'_>],
    cost: &dyn Fn(&[Command]) -> u64,
) -> Result<Compiled, CompileError> {
    let Some(first) = layers.first().filter(|_| m > 0) else { return Err(CompileError::Empty) };
    check(config, m, input, layers)?;
    let mut image = Image::default();
    let input_region = image.matrix(m, first.k, config.numerics().activation());
    input_region.write(image.bytes_mut(), input);
    let mut builder = Builder { config, steps: Vec::new() };
    let mut plans: Vec<LayerPlan> = Vec::new();
    let mut previous = Written::default();
    let mut source = input_region;
    for layer in layers {
        let shape = GemmShape { m, k: layer.k, n: layer.n };
        let placed = place(config, &mut image, layer, m, source);
        let (tiling, predicted_cycles) = best_tiling(config, shape, layer, &placed, cost)?;
        previous = builder.layer(shape, layer.bounds, tiling, &placed, &previous);
        source = Region { format: config.numerics().activation(), ..placed.output };
        let name = layer.name.to_owned();
        plans.push(LayerPlan { name, shape, tiling, predicted_cycles, output: placed.output });
    }
    builder.push(Command::Finish, Vec::new());
    let memory = image.into_bytes();
    if u32::try_from(memory.len()).is_err() {
        return Err(CompileError::Memory { bytes: memory.len() as u64 });
    }
    let commands = synchronize(builder.steps);
    spec::validate(config, &commands, memory.len())?;
    Ok(Compiled { program: Program { commands, memory }, input: input_region, layers: plans })
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

/// A layer's tensors in memory.
struct Placed {
    input: Region,
    output: Region,
    /// Address of each weight tile, k tile major.
    weights: Vec<usize>,
    parameters: usize,
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

/// Bias, multiplier, shift, zero point, least significant first.
fn pack_record(config: &Config, bytes: &mut [u8], channel: &Channel) {
    let n = config.numerics();
    let fields = [
        (n.bias(), channel.bias),
        (n.multiplier(), channel.multiplier.into()),
        (n.shift(), channel.shift.into()),
        (n.bound(), channel.zero_point),
    ];
    let mut record = 0u128;
    let mut at = 0;
    for (format, value) in fields {
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
    layer: &Layer<'_>,
    placed: &Placed,
    cost: &dyn Fn(&[Command]) -> u64,
) -> Result<(Tiling, u64), CompileError> {
    let mut tried: Vec<(Tiling, u64, u64)> = Vec::new();
    for tiling in Tiling::candidates(config, shape) {
        let mut builder = Builder { config, steps: Vec::new() };
        builder.layer(shape, layer.bounds, tiling, placed, &Written::default());
        builder.push(Command::Finish, Vec::new());
        let commands = synchronize(builder.steps);
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
        layer: layer.name.to_owned(),
        m: shape.m,
        k: shape.k,
        n: shape.n,
        group_tiles: aligned_group_tiles(config),
        accumulator_rows: g.accumulator_rows(),
        parameter_tiles: g.parameter_tiles() / 2,
    })
}

/// The store commands that wrote a layer's output: first row, one past the last row, place in the program.
#[derive(Clone, Debug, Default)]
struct Written(Vec<(usize, usize, usize)>);

impl Written {
    /// The last store that wrote any of the rows.
    fn last(&self, from: usize, to: usize) -> Option<usize> {
        self.0.iter().filter(|(first, end, _)| *first < to && from < *end).map(|&(_, _, place)| place).max()
    }
}

/// A buffer as slots that are filled in turn; a slot remembers what it holds and who reads it last.
struct Slots<K> {
    held: Vec<Option<(K, usize)>>,
    readers: Vec<Option<Event>>,
    next: usize,
}

impl<K: PartialEq + Copy> Slots<K> {
    fn new(n: usize) -> Self {
        Self { held: vec![None; n], readers: vec![None; n], next: 0 }
    }

    /// The slot that holds `key`, with the place of its load.
    fn find(&self, key: K) -> Option<(usize, usize)> {
        let slot = self.held.iter().position(|held| held.is_some_and(|(k, _)| k == key))?;
        self.held[slot].map(|(_, place)| (slot, place))
    }

    /// The next slot in turn, and who must be through with it before it is filled at `place`.
    fn fill(&mut self, key: K, place: usize) -> (usize, Option<Event>) {
        let slot = self.next;
        self.next = (slot + 1) % self.held.len();
        self.held[slot] = Some((key, place));
        (slot, self.readers[slot].take())
    }

    fn read(&mut self, slot: usize, by: Event) {
        self.readers[slot] = self.readers[slot].max(Some(by));
    }
}

struct Builder<'a> {
    config: &'a Config,
    steps: Vec<Step>,
}

impl Builder<'_> {
    fn push(&mut self, command: Command, needs: Vec<Event>) -> usize {
        self.steps.push(Step { command, needs });
        self.steps.len() - 1
    }

    /// Appends one layer. Buffers start empty, but everything of the layers before may still be in use.
    fn layer(
        &mut self,
        shape: GemmShape,
        bounds: Bounds,
        tiling: Tiling,
        placed: &Placed,
        previous: &Written,
    ) -> Written {
        let g = self.config.geometry();
        let (n_chunks, n_groups) = (tiling.n_chunks(shape), tiling.n_groups(g, shape));
        // The last command of each engine before this layer: what it uses must be given back.
        let before =
            |wanted: fn(&Command) -> bool| self.steps.iter().rposition(|step| wanted(&step.command)).map(Event::done);
        let last_fold = before(|command| matches!(command, Command::Execute(_)));
        let last_store = before(|command| matches!(command, Command::Store(_)));
        let mut plan = LayerSchedule {
            shape,
            bounds,
            tiling,
            placed,
            previous,
            activations: Slots::new(g.activation_buffer_rows() / tiling.chunk_rows),
            weights: Slots::new(g.weight_buffer_tiles()),
            parameters: Slots::new(g.parameter_tiles() / tiling.group_tiles),
            halves: [last_store, last_store],
            next_half: false,
            written: Written::default(),
        };
        plan.activations.readers.fill(last_fold);
        plan.weights.readers.fill(last_fold);
        plan.parameters.readers.fill(last_store);
        match tiling.outer {
            OuterLoop::Rows => {
                for chunk in 0..n_chunks {
                    (0..n_groups).for_each(|group| plan.block(self, chunk, group));
                }
            }
            OuterLoop::Cols => {
                for group in 0..n_groups {
                    (0..n_chunks).for_each(|chunk| plan.block(self, chunk, group));
                }
            }
        }
        plan.written
    }
}

/// A group's parameters in the parameter buffer.
struct Parameters {
    slot: usize,
    /// The place of the last load.
    loaded_at: usize,
    /// Who must be through with the slot before it is filled.
    reader: Option<Event>,
    to_load: bool,
}

/// A layer while its commands are made.
struct LayerSchedule<'a> {
    shape: GemmShape,
    bounds: Bounds,
    tiling: Tiling,
    placed: &'a Placed,
    previous: &'a Written,
    /// Keys: (chunk, k tile); (k tile, column tile); group.
    activations: Slots<(usize, usize)>,
    weights: Slots<(usize, usize)>,
    parameters: Slots<usize>,
    /// The store that reads each accumulator half last.
    halves: [Option<Event>; 2],
    next_half: bool,
    written: Written,
}

impl LayerSchedule<'_> {
    /// One chunk of rows by one group of column tiles: all its folds, then its store.
    fn block(&mut self, builder: &mut Builder<'_>, chunk: usize, group: usize) {
        let g = builder.config.geometry();
        let n_tiles = self.shape.n.div_ceil(g.cols());
        let first_row = chunk * self.tiling.chunk_rows;
        let rows = self.tiling.chunk_rows.min(self.shape.m - first_row);
        let first_tile = group * self.tiling.group_tiles;
        let tiles = self.tiling.group_tiles.min(n_tiles - first_tile);
        let half = self.next_half;
        self.next_half = !half;
        let k_tiles = self.shape.k.div_ceil(g.rows());
        let mut parameters = self.parameters(builder, group);
        let mut last_fold = None;
        for k_tile in 0..k_tiles {
            let mut weights = Some(self.weights(builder, k_tile, first_tile));
            let (activation_row, activations_at) = self.activations(builder, chunk, k_tile, first_row, rows);
            for tile in 0..tiles {
                let (weight_row, weights_at) =
                    weights.take().unwrap_or_else(|| self.weights(builder, k_tile, first_tile + tile));
                let mut needs = vec![Event::done(activations_at), Event::done(weights_at)];
                if k_tile == 0 && tile == 0 {
                    needs.extend(self.halves[usize::from(half)]);
                }
                let k = g.rows().min(self.shape.k - k_tile * g.rows());
                let fold = builder.push(
                    Command::Execute(Execute {
                        tokens: Tokens::default(),
                        half,
                        overwrite: k_tile == 0,
                        push_late: false,
                        rows: rows as u16,
                        activation_row: activation_row as u16,
                        weight_row: weight_row as u16,
                        accumulator_row: (tile * rows) as u16,
                        k: k as u16,
                    }),
                    needs,
                );
                self.weights.read(weight_row / g.rows(), Event::swap(fold));
                self.activations.read(activation_row / self.tiling.chunk_rows, Event::done(fold));
                last_fold = Some(fold);
            }
            // Only the store needs them, so they are spread over the k tiles: the bus has more urgent things to carry.
            for tile in (0..tiles).filter(|tile| (tile + 1) * k_tiles / (tiles + 1) == k_tile) {
                self.load_parameters(builder, &mut parameters, first_tile, tile);
            }
        }
        self.parameters.held[parameters.slot] = Some((group, parameters.loaded_at));
        if let Some(last_fold) = last_fold {
            let needs = vec![Event::done(parameters.loaded_at), Event::done(last_fold)];
            let parameter_row = parameters.slot * self.tiling.group_tiles * g.column_groups();
            self.store(builder, half, [first_row, rows], [first_tile, tiles], parameter_row, needs);
            self.parameters.read(parameters.slot, Event::done(builder.steps.len() - 1));
        }
    }

    /// The buffer row of a chunk's activations for a k tile, and the place of their load.
    fn activations(
        &mut self,
        builder: &mut Builder<'_>,
        chunk: usize,
        k_tile: usize,
        first_row: usize,
        rows: usize,
    ) -> (usize, usize) {
        if let Some((slot, place)) = self.activations.find((chunk, k_tile)) {
            return (slot * self.tiling.chunk_rows, place);
        }
        let (slot, reader) = self.activations.fill((chunk, k_tile), builder.steps.len());
        let mesh_rows = builder.config.geometry().rows();
        let bits = self.placed.input.format.bits() as usize;
        let k = mesh_rows.min(self.shape.k - k_tile * mesh_rows);
        let (address, start_bit) = self.placed.input.locate(first_row, k_tile * mesh_rows);
        let mut needs: Vec<Event> = reader.into_iter().collect();
        needs.extend(self.previous.last(first_row, first_row + rows).map(Event::done));
        let buffer_row = slot * self.tiling.chunk_rows;
        let load = Load {
            target: LoadTarget::Activations,
            tokens: Tokens::default(),
            address: address as u32,
            stride: self.placed.input.stride() as u32,
            start_bit,
            requests: rows as u16,
            rows_per_request: 1,
            row_bits: (k * bits) as u16,
            buffer_row: buffer_row as u16,
        };
        (buffer_row, builder.push(Command::Load(load), needs))
    }

    /// The buffer row of a weight tile, and the place of its load.
    fn weights(&mut self, builder: &mut Builder<'_>, k_tile: usize, tile: usize) -> (usize, usize) {
        let g = builder.config.geometry();
        if let Some((slot, place)) = self.weights.find((k_tile, tile)) {
            return (slot * g.rows(), place);
        }
        let (slot, reader) = self.weights.fill((k_tile, tile), builder.steps.len());
        let k = g.rows().min(self.shape.k - k_tile * g.rows());
        let n = g.cols().min(self.shape.n - tile * g.cols());
        let n_tiles = self.shape.n.div_ceil(g.cols());
        let load = Load {
            target: LoadTarget::Weights,
            tokens: Tokens::default(),
            address: self.placed.weights[k_tile * n_tiles + tile] as u32,
            stride: 0,
            start_bit: 0,
            requests: 1,
            rows_per_request: k as u16,
            row_bits: (n * builder.config.numerics().weight().bits() as usize) as u16,
            buffer_row: (slot * g.rows()) as u16,
        };
        (slot * g.rows(), builder.push(Command::Load(load), reader.into_iter().collect()))
    }

    /// The slot of a group's parameters, and what is still to be loaded.
    fn parameters(&mut self, builder: &Builder<'_>, group: usize) -> Parameters {
        if let Some((slot, loaded_at)) = self.parameters.find(group) {
            return Parameters { slot, loaded_at, reader: None, to_load: false };
        }
        let (slot, reader) = self.parameters.fill(group, builder.steps.len());
        Parameters { slot, loaded_at: builder.steps.len(), reader, to_load: true }
    }

    /// Loads the parameters of one column tile of a group, unless they are there.
    fn load_parameters(
        &mut self,
        builder: &mut Builder<'_>,
        parameters: &mut Parameters,
        first_tile: usize,
        tile: usize,
    ) {
        if !parameters.to_load {
            return;
        }
        let g = builder.config.geometry();
        let record_bits = builder.config.numerics().parameter_bits();
        let first = (first_tile + tile) * g.cols();
        let row = (parameters.slot * self.tiling.group_tiles + tile) * g.column_groups();
        let load = Load {
            target: LoadTarget::Parameters,
            tokens: Tokens::default(),
            address: (self.placed.parameters + first * record_bits as usize / 8) as u32,
            stride: 0,
            start_bit: 0,
            requests: 1,
            rows_per_request: g.cols().min(self.shape.n - first) as u16,
            row_bits: record_bits as u16,
            buffer_row: row as u16,
        };
        parameters.loaded_at = builder.push(Command::Load(load), parameters.reader.into_iter().collect());
    }

    fn store(
        &mut self,
        builder: &mut Builder<'_>,
        half: bool,
        [first_row, rows]: [usize; 2],
        [first_tile, tiles]: [usize; 2],
        parameter_row: usize,
        needs: Vec<Event>,
    ) {
        let g = builder.config.geometry();
        let first = first_tile * g.cols();
        let channels = (tiles * g.cols()).min(self.shape.n - first);
        let last_channels = channels - (tiles - 1) * g.cols();
        let (address, start_bit) = self.placed.output.locate(first_row, first);
        debug_assert_eq!(start_bit, 0, "groups start on a byte");
        let store = Store {
            tokens: Tokens::default(),
            half,
            rows: rows as u16,
            address: address as u32,
            stride: self.placed.output.stride() as u32,
            accumulator_row: 0,
            tile_stride: rows as u16,
            tiles: tiles as u16,
            last_groups: last_channels.div_ceil(g.requantizer_lanes()) as u8,
            parameter_row: parameter_row as u16,
            row_bits: (channels * self.placed.output.format.bits() as usize) as u32,
            low: self.bounds.low as i32,
            high: self.bounds.high as i32,
        };
        let place = builder.push(Command::Store(store), needs);
        self.halves[usize::from(half)] = Some(Event::done(place));
        self.written.0.push((first_row, first_row + rows, place));
    }
}
