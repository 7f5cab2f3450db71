//! Measurements as columns of a row.

use super::evaluate::{Evaluation, LayerEvaluation};
use super::time::Timing;
use crate::causes::Cause;
use crate::row::Row;

/// Images a second that bandwidth is told for.
const VIDEO_FPS: f64 = 30.0;

/// Where a clock comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSource {
    /// Place and route of this point.
    Fmax,
    /// The sweep file.
    Assumed,
}

impl ClockSource {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fmax => "fmax",
            Self::Assumed => "assumed",
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The mean of what is there for every seed; none if it is not there for one of them.
fn mean_of_all(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    mean(&values.collect::<Option<Vec<f64>>>()?)
}

/// The standard deviation with n - 1; none of a single value.
fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Fills the columns of accuracy from the evaluations of a point, one a seed. Without any, none is filled.
///
/// A layer that loses nothing has no SQNR and is not the one that loses most; if no layer of a seed loses anything, the
/// mean is absent, as it is infinite.
pub fn summarize(evaluations: &[Evaluation], row: &mut Row) {
    if evaluations.is_empty() {
        return;
    }
    let percents = |correct: fn(&Evaluation) -> usize| -> Vec<f64> {
        evaluations.iter().map(|of| 100.0 * correct(of) as f64 / of.images as f64).collect()
    };
    let accuracies = percents(|of| of.correct);
    let worst = |sqnr: fn(&LayerEvaluation) -> Option<f64>| {
        mean_of_all(evaluations.iter().map(|of| of.layers.iter().filter_map(sqnr).reduce(f64::min)))
    };
    let saturated = |of: &Evaluation| {
        let sum = |count: fn(&LayerEvaluation) -> u64| of.layers.iter().map(count).sum::<u64>() as f64;
        100.0 * sum(|layer| layer.saturated) / sum(|layer| layer.outputs)
    };
    let bytes: Vec<f64> = evaluations.iter().map(|of| of.model_bytes as f64).collect();
    row.seeds = Some(evaluations.len() as i64);
    row.images = Some(evaluations.iter().map(|of| of.images as i64).sum());
    row.accuracy_float_percent = mean(&percents(|of| of.float_correct));
    row.accuracy_percent = mean(&accuracies);
    row.accuracy_sd_percent = deviation(&accuracies);
    row.accuracy_min_percent = accuracies.iter().copied().reduce(f64::min);
    row.accuracy_max_percent = accuracies.iter().copied().reduce(f64::max);
    row.sqnr_db = mean_of_all(evaluations.iter().map(|of| of.sqnr_db));
    row.weight_sqnr_db = worst(|layer| layer.weight_sqnr_db);
    row.activation_sqnr_db = worst(|layer| layer.output_sqnr_db);
    row.saturated_percent = mean(&evaluations.iter().map(saturated).collect::<Vec<f64>>());
    row.model_bytes = mean(&bytes).map(|bytes| bytes.round() as i64);
}

impl Timing {
    /// Fills the columns of cycles, bytes and energy.
    pub fn fill(&self, row: &mut Row) {
        let lost = |cause| Some(self.causes.lost(cause));
        let energy = &self.energy;
        row.batch = Some(self.batch as i64);
        row.cycles = Some(self.cycles as i64);
        row.differing = Some(self.differing as i64);
        row.utilization_percent = Some(self.causes.utilization);
        row.lost_rows_percent = lost(Cause::Rows);
        row.lost_cols_percent = lost(Cause::Cols);
        row.lost_form_percent = lost(Cause::Form);
        row.lost_preload_percent = lost(Cause::Preload);
        row.lost_fill_percent = lost(Cause::Fill);
        row.lost_accumulator_percent = lost(Cause::Accumulator);
        row.lost_tokens_percent = lost(Cause::Tokens);
        row.lost_commands_percent = lost(Cause::Commands);
        row.lost_drain_percent = lost(Cause::Drain);
        row.macs = Some(self.macs as i64);
        row.bytes = Some(self.bytes.total());
        row.weight_bytes = Some(self.bytes.weights);
        row.activation_bytes = Some(self.bytes.activations);
        row.output_bytes = Some(self.bytes.outputs);
        row.parameter_bytes = Some(self.bytes.parameters);
        row.bus_bytes = Some(self.bus_bytes);
        row.bandwidth_30fps_mb_per_s = Some(VIDEO_FPS * self.bytes.total() / 1e6);
        row.bus_30fps_mb_per_s = Some(VIDEO_FPS * self.bus_bytes / 1e6);
        row.energy_nj = Some(energy.total_nj());
        row.energy_mac_nj = Some(energy.mac_nj);
        row.energy_hop_nj = Some(energy.hop_nj);
        row.energy_buffer_nj = Some(energy.buffer_nj);
        row.energy_requantize_nj = Some(energy.requantize_nj);
        row.energy_memory_nj = Some(energy.memory_nj);
    }

    /// Images a second.
    pub fn fps(&self, clock_mhz: f64) -> f64 {
        self.batch as f64 * clock_mhz * 1e6 / self.cycles as f64
    }

    /// Fills the clock and the frames per second at it.
    pub fn fill_rate(&self, clock_mhz: f64, source: ClockSource, row: &mut Row) {
        row.clock_mhz = Some(clock_mhz);
        row.clock_source = Some(source.name().to_owned());
        row.fps = Some(self.fps(clock_mhz));
    }
}

#[cfg(test)]
mod tests;
