//! What each layer of a program did: shape, cycles, stalls, bytes, buffers, sums.

use anyhow::{Context, Result};
use compiler::{LayerPlan, Usage};
use golden::ChannelPeaks;
use serde::Serialize;
use spec::{Counter, Counters, Geometry};
use std::fmt::Write;
use testbenches::{Outcome, Problem};

/// A run in the simulator: what it left, and the counters when execute took up each layer but the first.
pub struct ByLayer {
    pub outcome: Outcome,
    pub starts: Vec<Counters>,
}

/// Runs a program, and notes the counters at the first fold of each layer.
pub fn run(problem: &Problem) -> Result<ByLayer> {
    let is_fold = |command: &&spec::Command| matches!(command, spec::Command::Execute(_));
    let commands = &problem.compiled.program.commands;
    let mut first_folds = problem
        .compiled
        .layers
        .iter()
        .skip(1)
        .map(|layer: &LayerPlan| commands[..layer.commands.start].iter().filter(is_fold).count() as u64);
    let mut next = first_folds.next();
    let mut starts = Vec::new();
    let finished = sim::run_noticing(&problem.config, problem.environment(), |machine| {
        while next.is_some_and(|fold| machine.folds() > fold) {
            starts.push(*machine.counters());
            next = first_folds.next();
        }
    })?;
    Ok(ByLayer { outcome: Outcome { memory: finished.memory, counters: Some(finished.counters) }, starts })
}

/// The reasons why execute does not stream, in cycles.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Stalls {
    pub preload: u64,
    pub wait_load: u64,
    pub wait_store: u64,
    pub wait_space: u64,
    pub wait_command: u64,
    pub drain: u64,
}

/// Extremes of an output channel, see `golden::ChannelPeaks`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Peaks {
    pub least: i64,
    pub greatest: i64,
    pub saturated: u64,
}

/// One layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    pub name: String,
    pub operation: &'static str,
    /// Rows, columns and channels of an image.
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub m: usize,
    pub k: usize,
    pub n: usize,
    pub macs: u64,
    /// Output rows and columns of a chunk, column tiles of a group.
    pub chunk: [usize; 2],
    pub chunk_images: usize,
    pub group_tiles: usize,
    /// From its first fold to the next layer's, or to the end.
    pub cycles: u64,
    /// Closed form for the layer alone.
    pub predicted_cycles: u64,
    /// Of cycles x rows x columns.
    pub utilization: f64,
    pub stream_cycles: u64,
    pub stalls: Stalls,
    pub usage: Usage,
    /// At the stated clock, if the layer were alone: 2 operations a MAC, images of the batch.
    pub gops: f64,
    pub frames_per_second: f64,
    /// Bytes that an image of the batch moves, times 30.
    pub bytes_per_second_at_30_fps: f64,
    pub float_bytes: u64,
    pub weight_bytes: u64,
    /// Outputs beyond the output format, of all.
    pub saturated: u64,
    pub outputs: u64,
    /// The least and the greatest accumulator of all channels.
    pub accumulator: [i64; 2],
    pub channels: Vec<Peaks>,
}

/// The peaks of every layer's channels.
fn peaks(problem: &Problem) -> Result<Vec<Vec<ChannelPeaks>>> {
    let mut peaks = Vec::with_capacity(problem.network.layers.len());
    let (numerics, seed) = (problem.config.numerics(), problem.rounding_seed);
    explore::measure::inspect(&problem.network, numerics, problem.batch, &problem.input, seed, |_, _, of_layer| {
        peaks.push(of_layer);
    })?;
    Ok(peaks)
}

/// Weights of a layer; pools and additions have none of their own.
fn weights(layer: &golden::Layer) -> usize {
    match &layer.operation {
        golden::Operation::Convolution { weights, .. } => weights.len(),
        _ => 0,
    }
}

/// The layers of a program that ran.
pub fn reports(problem: &Problem, run: &ByLayer, clock_mhz: f64) -> Result<Vec<LayerReport>> {
    let last = run.outcome.counters.context("the simulator counts")?;
    let peaks = peaks(problem)?;
    let plans = &problem.compiled.layers;
    let mut reports = Vec::with_capacity(plans.len());
    for (index, (plan, peaks)) in plans.iter().zip(peaks).enumerate() {
        let from = index.checked_sub(1).map_or(Counters::ZERO, |before| run.starts[before]);
        let to = run.starts.get(index).copied().unwrap_or(last);
        let cycles = |counter| to.get(counter) - from.get(counter);
        reports.push(report(problem, index, plan, &cycles, &peaks, clock_mhz));
    }
    Ok(reports)
}

fn report(
    problem: &Problem,
    index: usize,
    plan: &LayerPlan,
    cycles: &dyn Fn(Counter) -> u64,
    peaks: &[ChannelPeaks],
    clock_mhz: f64,
) -> LayerReport {
    let (g, layer) = (problem.config.geometry(), &problem.network.layers[index]);
    let usage = Usage::of(&problem.config, &problem.compiled.program.commands[plan.commands.clone()]);
    let extent = |e: golden::Extent| [e.height, e.width, e.channels];
    let n_weights = weights(layer) as u64;
    let total = cycles(Counter::Cycles);
    LayerReport {
        // A name may hold anything; a terminal and a table shall not obey it.
        name: plan.name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect(),
        operation: plan.operation,
        input: extent(plan.input),
        output: extent(plan.output_extent),
        m: plan.shape.m,
        k: plan.shape.k,
        n: plan.shape.n,
        macs: plan.macs,
        chunk: plan.tiling.chunk,
        chunk_images: plan.tiling.images,
        group_tiles: plan.tiling.group_tiles,
        cycles: total,
        predicted_cycles: plan.predicted_cycles,
        utilization: plan.macs as f64 / (g.rows() * g.cols()) as f64 / total.max(1) as f64,
        stream_cycles: cycles(Counter::ExecuteStream),
        stalls: Stalls {
            preload: cycles(Counter::ExecutePreload),
            wait_load: cycles(Counter::ExecuteWaitLoad),
            wait_store: cycles(Counter::ExecuteWaitStore),
            wait_space: cycles(Counter::ExecuteWaitSpace),
            wait_command: cycles(Counter::ExecuteWaitCommand),
            drain: cycles(Counter::ExecuteDrain),
        },
        usage,
        gops: 2e-3 * plan.macs as f64 * clock_mhz / total.max(1) as f64,
        frames_per_second: problem.batch as f64 * clock_mhz * 1e6 / total.max(1) as f64,
        bytes_per_second_at_30_fps: 30.0 * usage.payload.bytes() / problem.batch as f64,
        float_bytes: 4 * (n_weights + if n_weights > 0 { plan.shape.n as u64 } else { 0 }),
        weight_bytes: (n_weights * u64::from(problem.config.numerics().weight().bits())).div_ceil(8),
        saturated: peaks.iter().map(|channel| channel.saturated).sum(),
        outputs: (plan.shape.m * plan.shape.n) as u64,
        accumulator: [
            peaks.iter().map(|channel| channel.least).min().unwrap_or(0),
            peaks.iter().map(|channel| channel.greatest).max().unwrap_or(0),
        ],
        channels: peaks
            .iter()
            .map(|p| Peaks { least: p.least, greatest: p.greatest, saturated: p.saturated })
            .collect(),
    }
}

fn times(extent: [usize; 3]) -> String {
    format!("{}x{}x{}", extent[0], extent[1], extent[2])
}

/// The tables of layers for people.
pub fn print(out: &mut String, g: &Geometry, layers: &[LayerReport]) {
    let width = layers.iter().map(|layer| layer.name.chars().count()).max().unwrap_or(0).clamp(5, 32);
    line!(
        out,
        "\n{:<width$} {:<11} {:>12} {:>12} {:>12} {:>11} {:>7} {:>9} {:>9} {:>9} {:>7}",
        "layer",
        "operation",
        "input",
        "output",
        "MACs",
        "cycles",
        "used",
        "load",
        "store",
        "preload",
        "other"
    );
    for l in layers {
        let other = l.stalls.wait_space + l.stalls.wait_command + l.stalls.drain;
        line!(
            out,
            "{:<width$} {:<11} {:>12} {:>12} {:>12} {:>11} {:>6.2}% {:>9} {:>9} {:>9} {:>7}",
            l.name,
            l.operation,
            times(l.input),
            times(l.output),
            l.macs,
            l.cycles,
            100.0 * l.utilization,
            l.stalls.wait_load,
            l.stalls.wait_store,
            l.stalls.preload,
            other
        );
    }
    line!(
        out,
        "used: utilization; load .. other: cycles in which execute waits for load, for store, preloads, or else"
    );
    line!(
        out,
        "\n{:<width$} {:>11} {:>11} {:>10} {:>11} {:>9} {:>9} {:>9} {:>9} {:>24}",
        "layer",
        "act. bytes",
        "weights",
        "parameters",
        "outputs",
        "act. rows",
        "w. rows",
        "acc. rows",
        "saturated",
        "accumulator"
    );
    for l in layers {
        let bytes = |bits: u64| bits.div_ceil(8);
        let payload = &l.usage.payload;
        line!(
            out,
            "{:<width$} {:>11} {:>11} {:>10} {:>11} {:>9} {:>9} {:>9} {:>8.2}% {:>24}",
            l.name,
            bytes(payload.activation_bits),
            bytes(payload.weight_bits),
            bytes(payload.parameter_bits),
            bytes(payload.output_bits),
            l.usage.rows.activations,
            l.usage.rows.weights,
            l.usage.rows.accumulator,
            100.0 * l.saturated as f64 / l.outputs as f64,
            format!("{}..{}", l.accumulator[0], l.accumulator[1])
        );
    }
    line!(
        out,
        "rows: the most in use, of {} in the activation buffer, {} in the weight buffer, {} in a half of the accumulator",
        g.activation_buffer_rows(),
        g.weight_buffer_rows(),
        g.accumulator_rows()
    );
}

/// A line a layer, comma-separated; names are quoted.
pub fn csv(layers: &[LayerReport]) -> String {
    let mut out = String::from(
        "name,operation,input,output,m,k,n,macs,cycles,predicted_cycles,utilization,stream_cycles,preload,wait_load,\
         wait_store,wait_space,wait_command,drain,activation_bytes,weight_bytes,parameter_bytes,output_bytes,activation_rows,\
         weight_rows,parameter_rows,accumulator_rows,gops,frames_per_second,bytes_per_second_at_30_fps,saturated,outputs,accumulator_least,\
         accumulator_greatest\n",
    );
    for l in layers {
        let (s, p, r) = (&l.stalls, &l.usage.payload, &l.usage.rows);
        let bytes = |bits: u64| bits as f64 / 8.0;
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "\"{}\",{},{},{},{},{},{},{},{},{},{:.6},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{:.4},{:.2},{:.0},{},{},{},{}",
            l.name.replace('"', "\"\""),
            l.operation,
            times(l.input),
            times(l.output),
            l.m,
            l.k,
            l.n,
            l.macs,
            l.cycles,
            l.predicted_cycles,
            l.utilization,
            l.stream_cycles,
            s.preload,
            s.wait_load,
            s.wait_store,
            s.wait_space,
            s.wait_command,
            s.drain,
            bytes(p.activation_bits),
            bytes(p.weight_bits),
            bytes(p.parameter_bits),
            bytes(p.output_bits),
            r.activations,
            r.weights,
            r.parameters,
            r.accumulator,
            l.gops,
            l.frames_per_second,
            l.bytes_per_second_at_30_fps,
            l.saturated,
            l.outputs,
            l.accumulator[0],
            l.accumulator[1]
        );
    }
    out
}
