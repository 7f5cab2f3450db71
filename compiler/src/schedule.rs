//! The order of a layer's commands, the slots they use, and what each waits for.

use crate::chunk::{needed_rows, resident, stream, Chunk};
use crate::image::Region;
use crate::plan::Plan;
use crate::sync::{Event, Step};
use crate::tiling::{OuterLoop, Tiling};
use golden::Bounds;
use spec::{Command, Config, Execute, Load, LoadTarget, Seed, Store, Tokens};

/// Parameter records of one column tile in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records {
    pub address: usize,
    pub count: usize,
}

/// A layer's tensors in memory.
pub(crate) struct Placed {
    pub inputs: Vec<Region>,
    pub output: Region,
    /// Address of each weight tile of the plan.
    pub weights: Vec<usize>,
    /// Of each column tile.
    pub parameters: Vec<Records>,
    /// Address of the activation table.
    pub table: Option<usize>,
}

/// What a layer's outputs go through on their way to memory.
#[derive(Clone, Copy)]
pub(crate) struct Outputs {
    pub bounds: Bounds,
    /// What padded positions hold, in the encoding of the activation format.
    pub pad: u16,
    /// What its stores round with, if rounding is stochastic.
    pub seed: Option<Seed>,
}

/// The store commands that wrote a tensor: first row, one past the last row, place in the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Vec<(usize, usize, usize)>);

impl Written {
    /// The last store that wrote any of the rows.
    fn last(&self, from: usize, to: usize) -> Option<usize> {
        self.0.iter().filter(|(first, end, _)| *first < to && from < *end).map(|&(_, _, place)| place).max()
    }
}

/// What a layer's folds stream, in PE-cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// Rows streamed x mesh rows x mesh columns.
    pub total: u64,
    /// Of them in mesh rows beyond a fold's k.
    pub unused_rows: u64,
    /// Of the others in mesh columns beyond the tile's n.
    pub unused_cols: u64,
}

/// A buffer as slots that are filled in turn; a slot remembers what it holds and who reads it last.
struct Ring<K> {
    held: Vec<Option<(K, usize)>>,
    readers: Vec<Option<Event>>,
    next: usize,
}

impl<K: PartialEq + Copy> Ring<K> {
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
    /// The last store that looked results up.
    table_user: Option<Event>,
}

impl<'a> Builder<'a> {
    pub fn new(config: &'a Config) -> Self {
        Self { config, steps: Vec::new(), table_user: None }
    }

    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// Commands so far.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Appends a command and returns its place.
    pub fn push(&mut self, command: Command, needs: Vec<Event>) -> usize {
        self.steps.push(Step { command, needs });
        self.steps.len() - 1
    }

    /// Appends one layer; `sources` are its inputs. Buffers start empty, but everything of the layers before may still be in use.
    pub fn layer(
        &mut self,
        plan: &Plan,
        outputs: Outputs,
        tiling: Tiling,
        placed: &Placed,
        sources: &[&Written],
    ) -> (Written, Slots) {
        let g = self.config.geometry();
        // The last command of each engine before this layer: what it uses must be given back.
        let before =
            |wanted: fn(&Command) -> bool| self.steps.iter().rposition(|step| wanted(&step.command)).map(Event::done);
        let last_fold = before(|command| matches!(command, Command::Execute(_)));
        let last_store = before(|command| matches!(command, Command::Store(_)));
        let slot_rows = needed_rows(plan, tiling.chunk).max(1);
        let n_groups = tiling.n_groups(plan.n_tiles(self.config));
        let group_rows = tiling.group_tiles * plan.terms * g.column_groups();
        let mut layer = LayerSchedule {
            plan,
            outputs,
            tiling,
            placed,
            sources,
            slot_rows,
            group_rows,
            activations: Ring::new(g.activation_buffer_rows() / slot_rows),
            weights: Ring::new(g.weight_buffer_tiles()),
            parameters: Ring::new(g.parameter_rows() / group_rows),
            halves: [last_store, last_store],
            next_half: false,
            steps_of_groups: steps_of_groups(plan, tiling, n_groups),
            table_at: None,
            written: Written::default(),
            slots: Slots::default(),
        };
        layer.activations.readers.fill(last_fold);
        layer.weights.readers.fill(last_fold);
        layer.parameters.readers.fill(last_store);
        layer.load_table(self);
        let chunks = tiling.chunks(plan);
        match tiling.outer {
            OuterLoop::Rows => {
                for (index, chunk) in chunks.iter().enumerate() {
                    (0..n_groups).for_each(|group| layer.block(self, (index, chunk), group));
                }
            }
            OuterLoop::Cols => {
                for group in 0..n_groups {
                    chunks.iter().enumerate().for_each(|chunk| layer.block(self, chunk, group));
                }
            }
        }
        (layer.written, layer.slots)
    }
}

fn steps_of_groups(plan: &Plan, tiling: Tiling, n_groups: usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); n_groups];
    for (index, step) in plan.steps.iter().enumerate() {
        for (tile, _) in &step.weights {
            let group = &mut groups[tile / tiling.group_tiles];
            if group.last() != Some(&index) {
                group.push(index);
            }
        }
    }
    groups
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
    plan: &'a Plan,
    /// The seed is taken by the first store.
    outputs: Outputs,
    tiling: Tiling,
    placed: &'a Placed,
    sources: &'a [&'a Written],
    /// Buffer rows of an activation slot, parameter rows of a group.
    slot_rows: usize,
    group_rows: usize,
    /// Keys: (chunk, image, slice); address; group.
    activations: Ring<(usize, usize, usize)>,
    weights: Ring<usize>,
    parameters: Ring<usize>,
    /// The store that reads each accumulator half last.
    halves: [Option<Event>; 2],
    next_half: bool,
    /// Places in the plan of the steps that any tile of a group takes part in.
    steps_of_groups: Vec<Vec<usize>>,
    /// The load of the table.
    table_at: Option<usize>,
    written: Written,
    slots: Slots,
}

impl LayerSchedule<'_> {
    fn load_table(&mut self, builder: &mut Builder<'_>) {
        let Some(address) = self.placed.table else { return };
        let bits = builder.config.numerics().output().bits();
        let load = Load {
            target: LoadTarget::Table,
            tokens: Tokens::default(),
            address: address as u32,
            stride: 0,
            start_bit: 0,
            requests: 1,
            rows_per_request: 1 << bits,
            row_bits: bits as u16,
            buffer_row: 0,
            lane_group: 0,
        };
        let needs = builder.table_user.into_iter().collect();
        self.table_at = Some(builder.push(Command::Load(load), needs));
    }

    /// One chunk by one group of column tiles: all its folds, then its stores.
    fn block(&mut self, builder: &mut Builder<'_>, (index, chunk): (usize, &Chunk), group: usize) {
        let (plan, config) = (self.plan, builder.config);
        let g = config.geometry();
        let n_tiles = plan.n_tiles(config);
        let first_tile = group * self.tiling.group_tiles;
        let tiles = self.tiling.group_tiles.min(n_tiles - first_tile);
        let half = self.next_half;
        self.next_half = !half;
        let (outputs, images) = (chunk.outputs(), chunk.images(plan));
        let mut parameters = self.parameters(builder, group);
        // Accumulator rows that some fold has begun.
        let mut begun = vec![false; tiles * plan.terms * images];
        let mut last_fold = None;
        let steps = std::mem::take(&mut self.steps_of_groups[group]);
        for (place, &step) in steps.iter().enumerate() {
            let step = &plan.steps[step];
            let at = |tile: usize| step.weights.partition_point(|(known, _)| *known < tile);
            let of_group = &step.weights[at(first_tile)..at(first_tile + tiles)];
            for image in 0..images {
                let stream = stream(config, plan, chunk, image, step, self.outputs.pad);
                let mut resident: Option<(usize, Option<usize>)> = None;
                for &(tile, weights) in of_group {
                    let tile = tile - first_tile;
                    let (weight_row, weights_at) = self.weights(builder, weights);
                    let (slot, activations_at) =
                        *resident.get_or_insert_with(|| self.activations(builder, (index, chunk), image, step.slice));
                    let mut needs = vec![Event::done(weights_at)];
                    needs.extend(activations_at.map(Event::done));
                    if last_fold.is_none() {
                        needs.extend(self.halves[usize::from(half)]);
                    }
                    let begun = &mut begun[(tile * plan.terms + step.term) * images + image];
                    let overwrite = !std::mem::replace(begun, true);
                    let output = tile * outputs + stream.output;
                    let fold = builder.push(
                        Command::Execute(Execute {
                            tokens: Tokens::default(),
                            half,
                            overwrite,
                            push_late: false,
                            maximum: plan.maximum,
                            accumulator_step: if stream.reduce { 0 } else { plan.terms as u8 },
                            rows: stream.rows,
                            activation_row: ((slot * self.slot_rows) as u16).wrapping_add(stream.activation_row),
                            weight_row: weight_row as u16,
                            accumulator_row: (output * plan.terms + step.term) as u16,
                            k: step.k as u16,
                            walk: stream.walk,
                        }),
                        needs,
                    );
                    self.weights.read(weight_row / g.rows(), Event::swap(fold));
                    self.activations.read(slot, Event::done(fold));
                    last_fold = Some(fold);
                    self.count(config, stream.rows.into(), step.k, plan.tiles[weights].n);
                }
            }
            // Only the stores need them, so they are spread over the steps: the bus has more urgent things to carry.
            for tile in (0..tiles).filter(|tile| (tile + 1) * steps.len() / (tiles + 1) == place) {
                self.load_parameters(builder, &mut parameters, first_tile, tile);
            }
        }
        self.steps_of_groups[group] = steps;
        self.parameters.held[parameters.slot] = Some((group, parameters.loaded_at));
        if let Some(last_fold) = last_fold {
            let mut needs = vec![Event::done(parameters.loaded_at), Event::done(last_fold)];
            needs.extend(self.table_at.map(Event::done));
            self.stores(builder, half, chunk, [first_tile, tiles], parameters.slot * self.group_rows, needs);
            self.parameters.read(parameters.slot, Event::done(builder.steps.len() - 1));
        }
    }

    fn count(&mut self, config: &Config, rows: u64, k: usize, n: usize) {
        let g = config.geometry();
        let (mesh_rows, mesh_cols) = (g.rows() as u64, g.cols() as u64);
        let (k, n) = (k as u64, n as u64);
        self.slots.total += rows * mesh_rows * mesh_cols;
        self.slots.unused_rows += rows * (mesh_rows - k) * mesh_cols;
        self.slots.unused_cols += rows * k * (mesh_cols - n);
    }

    /// The slot of a slice's activations, and the place of their last load; none if all of it is padding.
    fn activations(
        &mut self,
        builder: &mut Builder<'_>,
        (index, chunk): (usize, &Chunk),
        image: usize,
        slice: usize,
    ) -> (usize, Option<usize>) {
        let key = (index, image, slice);
        if let Some((slot, place)) = self.activations.find(key) {
            return (slot, Some(place));
        }
        let slice = &self.plan.slices[slice];
        let source = self.placed.inputs[slice.input];
        let resident = resident(builder.config, self.plan, chunk, image, slice, source);
        if resident.loads.is_empty() {
            return (0, None);
        }
        let (slot, reader) = self.activations.fill(key, builder.steps.len());
        let mut needs: Vec<Event> = reader.into_iter().collect();
        needs.extend(self.sources[slice.input].last(resident.source[0], resident.source[1]).map(Event::done));
        for load in resident.loads {
            let buffer_row = (slot * self.slot_rows) as u16 + load.buffer_row;
            builder.push(Command::Load(Load { buffer_row, ..load }), std::mem::take(&mut needs));
        }
        let place = builder.steps.len() - 1;
        self.activations.held[slot] = Some((key, place));
        (slot, Some(place))
    }

    /// The buffer row of a weight tile, and the place of its load.
    fn weights(&mut self, builder: &mut Builder<'_>, tile: usize) -> (usize, usize) {
        let g = builder.config.geometry();
        if let Some((slot, place)) = self.weights.find(tile) {
            return (slot * g.rows(), place);
        }
        let (slot, reader) = self.weights.fill(tile, builder.steps.len());
        let shape = &self.plan.tiles[tile];
        let load = Load {
            target: LoadTarget::Weights,
            tokens: Tokens::default(),
            address: self.placed.weights[tile] as u32,
            stride: 0,
            start_bit: 0,
            requests: 1,
            rows_per_request: shape.k as u16,
            row_bits: (shape.n * builder.config.numerics().weight().bits() as usize) as u16,
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
        let records = self.placed.parameters[first_tile + tile];
        let tile_rows = self.plan.terms * builder.config.geometry().column_groups();
        let load = Load {
            target: LoadTarget::Parameters,
            tokens: Tokens::default(),
            address: records.address as u32,
            stride: 0,
            start_bit: 0,
            requests: 1,
            rows_per_request: records.count as u16,
            row_bits: builder.config.numerics().parameter_bits() as u16,
            buffer_row: (parameters.slot * self.group_rows + tile * tile_rows) as u16,
            lane_group: 0,
        };
        parameters.loaded_at = builder.push(Command::Load(load), parameters.reader.into_iter().collect());
    }

    fn stores(
        &mut self,
        builder: &mut Builder<'_>,
        half: bool,
        chunk: &Chunk,
        [first_tile, tiles]: [usize; 2],
        parameter_row: usize,
        mut needs: Vec<Event>,
    ) {
        let g = builder.config.geometry();
        let (n, terms) = (self.plan.output.channels, self.plan.terms);
        let first = first_tile * g.cols();
        let channels = (tiles * g.cols()).min(n - first);
        let last_channels = channels - (tiles - 1) * g.cols();
        if let Some(seed) = self.outputs.seed.take() {
            builder.push(Command::Seed(seed), Vec::new());
        }
        let region = self.placed.output;
        let bound = |value: i64| region.format.encode(value) as u16;
        for part in chunk.stores(self.plan) {
            let (address, start_bit) = region.locate(part.first, first);
            debug_assert_eq!(start_bit, 0, "groups start on a byte");
            let store = Store {
                tokens: Tokens::default(),
                half,
                rows: part.rows as u16,
                address: address as u32,
                stride: region.stride() as u32,
                accumulator_row: (part.output * terms) as u16,
                tile_stride: (chunk.outputs() * terms) as u16,
                tiles: tiles as u16,
                last_groups: last_channels.div_ceil(g.requantizer_lanes()) as u8,
                parameter_row: parameter_row as u16,
                terms: terms as u8,
                table: self.placed.table.is_some(),
                row_bits: (channels * region.format.bits() as usize) as u32,
                low: bound(self.outputs.bounds.low),
                high: bound(self.outputs.bounds.high),
                // Only the index modulo 2^32 counts.
                index: (part.first * n + first) as u32,
            };
            let place = builder.push(Command::Store(store), std::mem::take(&mut needs));
            self.halves[usize::from(half)] = Some(Event::done(place));
            if store.table {
                builder.table_user = Some(Event::done(place));
            }
            self.written.0.push((part.first, part.first + part.rows, place));
        }
    }
}
