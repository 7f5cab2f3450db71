//! What a run did, as its energy needs it.

use golden::Operation;
use spec::{Command, Config, Counter, Counters, LoadTarget};
use testbenches::Problem;

/// Numbers of a run. Everything but `beats` follows from the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Multiplications by weights that are not 0 by form, each with a sum: m x n x k of convolutions and pools, m x n x inputs
    /// of additions.
    pub products: u64,
    pub folds: u64,
    /// Rows of activations that enter the mesh; each is read from the activation buffer and written to the accumulator.
    pub streamed_rows: u64,
    /// Rows of the activation buffer that loads write.
    pub activation_writes: u64,
    /// Rows of weights that preloads read.
    pub weight_reads: u64,
    pub weight_writes: u64,
    /// Rows that are added to, or compared with, what the accumulator holds.
    pub accumulator_reads: u64,
    /// Groups of accumulators that stores read, every term by itself.
    pub requantized_groups: u64,
    /// Groups of outputs.
    pub output_groups: u64,
    /// Of them looked up in the tables.
    pub looked_up_groups: u64,
    /// Parameter records that loads write.
    pub parameter_writes: u64,
    /// Entries that loads write in the table of every lane.
    pub table_writes: u64,
    /// Bus words read and written.
    pub beats: u64,
}

impl Counts {
    /// Of a problem's program and its run.
    pub fn of(problem: &Problem, counters: &Counters) -> Self {
        let layers = problem.network.layers.iter().zip(&problem.compiled.layers);
        let products = layers.map(|(layer, plan)| {
            let terms = match &layer.operation {
                Operation::Add { factors } => factors.len(),
                _ => plan.shape.k,
            };
            (plan.shape.m * plan.shape.n * terms) as u64
        });
        let mut counts = Self {
            products: products.sum(),
            beats: counters.get(Counter::ReadBeats) + counters.get(Counter::WriteBeats),
            ..Self::default()
        };
        problem.compiled.program.commands.iter().for_each(|command| counts.add(&problem.config, command));
        counts
    }

    fn add(&mut self, config: &Config, command: &Command) {
        match command {
            Command::Load(load) => {
                let rows = u64::from(load.requests) * u64::from(load.rows_per_request);
                match load.target {
                    LoadTarget::Activations => self.activation_writes += rows,
                    LoadTarget::Weights => self.weight_writes += rows,
                    LoadTarget::Parameters => self.parameter_writes += rows,
                    LoadTarget::Table => self.table_writes += rows,
                }
            }
            Command::Execute(fold) => {
                let rows = u64::from(fold.rows);
                let overwritten = match (fold.overwrite, fold.accumulator_step) {
                    (false, _) => 0,
                    // The others are added to the first.
                    (true, 0) => 1,
                    (true, _) => rows,
                };
                self.folds += 1;
                self.streamed_rows += rows;
                self.weight_reads += u64::from(fold.k);
                self.accumulator_reads += rows - overwritten;
            }
            Command::Store(store) => {
                let g = config.geometry();
                let of_tile = (g.cols() / g.requantizer_lanes()) as u64;
                let of_row = (u64::from(store.tiles) - 1) * of_tile + u64::from(store.last_groups);
                let groups = u64::from(store.rows) * of_row;
                self.requantized_groups += groups * u64::from(store.terms);
                self.output_groups += groups;
                self.looked_up_groups += if store.table { groups } else { 0 };
            }
            Command::Seed(_) | Command::Finish => {}
        }
    }
}
