//! The order of a layer's commands, the slots they use, and what each waits for.

use crate::image::Region;
use crate::sync::{Event, Step};
use crate::tiling::{GemmShape, OuterLoop, Tiling};
use golden::Bounds;
use spec::{Command, Config, Execute, Load, LoadTarget, Seed, Store, Tokens, Walk};

/// A layer's tensors in memory.
pub(crate) struct Placed {
    pub input: Region,
    pub output: Region,
    /// Address of each weight tile, k tile major.
    pub weights: Vec<usize>,
    pub parameters: usize,
}

/// What a layer's outputs go through on their way to memory.
#[derive(Clone, Copy)]
pub(crate) struct Outputs {
    pub bounds: Bounds,
    /// What its stores round with, if rounding is stochastic.
    pub seed: Option<Seed>,
}

/// The store commands that wrote a layer's output: first row, one past the last row, place in the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Vec<(usize, usize, usize)>);

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

/// Commands in program order, with what each waits for.
pub(crate) struct Builder<'a> {
    config: &'a Config,
    steps: Vec<Step>,
}

impl<'a> Builder<'a> {
    pub fn new(config: &'a Config) -> Self {
        Self { config, steps: Vec::new() }
    }

    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// Appends a command and returns its place.
    pub fn push(&mut self, command: Command, needs: Vec<Event>) -> usize {
        self.steps.push(Step { command, needs });
        self.steps.len() - 1
    }

    /// Appends one layer. Buffers start empty, but everything of the layers before may still be in use.
    pub fn layer(
        &mut self,
        shape: GemmShape,
        outputs: Outputs,
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
            outputs,
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
    /// The seed is taken by the first store.
    outputs: Outputs,
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
                        maximum: false,
                        accumulator_step: 1,
                        rows: rows as u16,
                        activation_row: activation_row as u16,
                        weight_row: weight_row as u16,
                        accumulator_row: (tile * rows) as u16,
                        k: k as u16,
                        walk: Walk::linear(g.rows()),
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
            lane_group: 0,
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
            lane_group: 0,
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
            lane_group: 0,
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
        if let Some(seed) = self.outputs.seed.take() {
            builder.push(Command::Seed(seed), Vec::new());
        }
        let output = self.placed.output.format;
        let bound = |value: i64| output.encode(value) as u16;
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
            terms: 1,
            table: false,
            row_bits: (channels * self.placed.output.format.bits() as usize) as u32,
            low: bound(self.outputs.bounds.low),
            high: bound(self.outputs.bounds.high),
            // Only the index modulo 2^32 counts.
            index: (first_row * self.shape.n + first) as u32,
        };
        let place = builder.push(Command::Store(store), needs);
        self.halves[usize::from(half)] = Some(Event::done(place));
        self.written.0.push((first_row, first_row + rows, place));
    }
}
