//! `systole simulate --topology`: SCALE-Sim's layer shapes, each on its own with seeded data.

use crate::args::SimulateArgs;
use crate::files;
use crate::layers::{self, LayerReport};
use crate::model::read;
use crate::report::{print_compared, Compared};
use crate::run::simulate;
use crate::simulate::{stalls, write_tables};
use anyhow::{ensure, Context, Result};
use compiler::topology::{read_topology, TopologyLayer};
use golden::{Bounds, Layer, Network, Operation};
use serde::Serialize;
use spec::Config;
use std::io::{IsTerminal, Write};
use std::path::Path;
use testbenches::data::Random;
use testbenches::{Data, Problem};

/// The whole file's report.
#[derive(Debug, Serialize)]
struct TopologyReport {
    version: &'static str,
    config: String,
    work: String,
    latency: u64,
    layers: Vec<LayerReport>,
    compared: Vec<Compared>,
    cycles: u64,
    macs: u64,
    utilization: f64,
    clock_mhz: f64,
    gops: f64,
    /// Payload of all layers, each once.
    bytes: f64,
}

pub fn run(args: &SimulateArgs, config: &Config, path: &Path) -> Result<bool> {
    let at = || path.display().to_string();
    let text = String::from_utf8(read(path)?).map_err(|_| anyhow::anyhow!("it is no text file")).with_context(at)?;
    let shapes = read_topology(&text).with_context(at)?;
    check(config, &shapes).with_context(at)?;
    let (mut reports, mut compared) = (Vec::with_capacity(shapes.len()), Vec::new());
    for (index, shape) in shapes.iter().enumerate() {
        progress(index, shapes.len(), &shape.name);
        let problem = problem(args, config, shape, index).with_context(|| format!("layer {}", shape.name))?;
        let simulated = simulate(&problem)?;
        compared.push(Compared::from(&simulated.comparison));
        reports.extend(layers::reports(&problem, &simulated.by_layer, args.clock_mhz)?);
    }
    progress(shapes.len(), shapes.len(), "done");
    let sum = |of: fn(&LayerReport) -> u64| reports.iter().map(of).sum::<u64>();
    let (cycles, macs) = (sum(|layer| layer.cycles), sum(|layer| layer.macs));
    let g = config.geometry();
    let seconds = cycles as f64 / (args.clock_mhz * 1e6);
    let report = TopologyReport {
        version: env!("CARGO_PKG_VERSION"),
        config: config.name().to_owned(),
        work: format!("{} with seed {}", path.display(), args.seed),
        latency: args.latency,
        compared: Compared::joined(&compared),
        cycles,
        macs,
        utilization: macs as f64 / (g.rows() * g.cols()) as f64 / cycles.max(1) as f64,
        clock_mhz: args.clock_mhz,
        gops: 2e-9 * macs as f64 / seconds,
        bytes: reports.iter().map(|layer| layer.usage.payload.bytes()).sum(),
        layers: reports,
    };
    write_tables(args, &report, &report.layers)?;
    let mut out = String::new();
    print(&mut out, config, &report);
    files::print(&out)?;
    Ok(report.compared.iter().all(Compared::passed))
}

fn print(out: &mut String, config: &Config, report: &TopologyReport) {
    line!(out, "Systole {}: {} on configuration {}", report.version, report.work, report.config);
    line!(out, "memory latency {} cycles; each layer runs alone", report.latency);
    layers::print(out, config.geometry(), &report.layers);
    print_compared(out, &report.compared);
    line!(out, "\nall layers             {} MACs in {} cycles", report.macs, report.cycles);
    line!(out, "utilization            {:.2} %", 100.0 * report.utilization);
    line!(
        out,
        "at {} MHz             {:.2} GOPS (2 operations a MAC); the layers, each once, take {:.3} ms",
        report.clock_mhz,
        report.gops,
        report.cycles as f64 / report.clock_mhz / 1e3
    );
    line!(out, "bytes moved            {:.0}, each layer once", report.bytes);
    let passed = report.compared.iter().all(Compared::passed);
    line!(out, "\n{}", if passed { "PASS: nothing differs" } else { "FAIL" });
}

/// Refuses, all at once and before anything runs, layers whose sums the machine does not hold.
fn check(config: &Config, shapes: &[TopologyLayer]) -> Result<()> {
    let max_k = u64::from(config.numerics().max_k());
    let k = |layer: &TopologyLayer| {
        let (_, input, window, _) = layer.shape.layer();
        (window.positions() * input.channels) as u64
    };
    let deep: Vec<String> = shapes
        .iter()
        .filter(|layer| k(layer) > max_k)
        .map(|layer| format!("layer {}: k = {} exceeds numerics.max_k = {max_k}", layer.name, k(layer)))
        .collect();
    ensure!(deep.is_empty(), "{}", deep.join("; "));
    Ok(())
}

/// The layer alone, with uniform activations and weights.
fn problem(args: &SimulateArgs, config: &Config, shape: &TopologyLayer, index: usize) -> Result<Problem> {
    let numerics = config.numerics();
    let (batch, input, window, n) = shape.shape.layer();
    let k = window.positions() * input.channels;
    let mut random = Random::new(args.seed ^ (index as u64) << 32);
    let mut elements =
        |n: usize, format| -> Vec<i32> { (0..n).map(|_| Data::Uniform.element(&mut random, format)).collect() };
    let values = elements(batch * input.elements(), numerics.activation());
    let weights = elements(k * n, numerics.weight());
    let layer = Layer {
        name: shape.name.clone(),
        inputs: vec![0],
        operation: Operation::Convolution { window, groups: 1, weights },
        pad: 0,
        channels: vec![(0..n).map(|_| Data::Uniform.channel(&mut random, numerics, k)).collect()],
        bounds: Bounds::full(numerics),
        table: None,
    };
    let network = Network { input, layers: vec![layer] };
    Ok(Problem::new(config.clone(), network, batch, values, args.rounding_seed, args.latency, stalls(args))?)
}

/// A line on standard error, if it is a terminal.
fn progress(done: usize, all: usize, name: &str) {
    let mut err = std::io::stderr().lock();
    if err.is_terminal() {
        let end = if done == all { "\n" } else { "" };
        // Nobody needs to know that progress cannot be shown.
        let _ = write!(err, "\r\x1b[K{done} of {all} layers: {name}{end}");
        let _ = err.flush();
    }
}
