//! The command line.

mod design_space;

use calibrate::Density;
use clap::{ArgGroup, Args, Parser, Subcommand};
use compiler::quantize::recipe::{ElementRounding, RangeMethod, WeightMethod, WeightRounding};
use compiler::GemmShape;
pub use design_space::{Executor, PlotArgs, ReportArgs, SweepArgs, SynthArgs};
use explore::synth::Target;
use golden::SchemeKind;
use spec::Round;
use std::path::PathBuf;
use testbenches::verify::StallChoice;
use testbenches::Case;

/// A systolic-array accelerator for quantized networks: Verilog, cycle-accurate simulator, bit-exact verification.
#[derive(Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Print a validated configuration with everything that is derived from it.
    Config(ConfigArgs),
    /// Write Verilog, a JSON of the derived facts and a C header.
    Emit(EmitArgs),
    /// Quantize a float network, and report what each layer's weights, activations and gradients lose.
    Quantize(Box<QuantizeArgs>),
    /// Run a matrix product or a network in the cycle-accurate simulator.
    Simulate(SimulateArgs),
    /// Take one accumulator apart, and show what every rounding rule, scheme and product makes of it.
    Explain(ExplainArgs),
    /// Table and plot of signal to quantization noise against bits, measured beside the theoretical optimum.
    Sqnr(SqnrArgs),
    /// Measure every point of a design space, and keep the results in a file that any number of runs go on with.
    Sweep(Box<SweepArgs>),
    /// Draw the results of a sweep: accuracy, Pareto fronts, areas, heat maps, utilization.
    Plot(PlotArgs),
    /// Write the results of a sweep as one HTML file: sortable and filterable rows, linked plots, where they come from.
    Report(ReportArgs),
    /// Synthesize a configuration or a block of it; place and route it; its area, frequency and critical path.
    Synth(SynthArgs),
    /// Run random cases on golden, simulator and verilated RTL, and compare every bit, cycle and counter.
    Verify(VerifyArgs),
}

#[derive(Args)]
pub struct ConfigArgs {
    /// Configuration file, or one of tiny, small, default.
    pub config: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct EmitArgs {
    /// Configuration file, or one of tiny, small, default.
    #[arg(long)]
    pub config: String,
    /// Folder to write; it must not exist with other contents.
    #[arg(long)]
    pub out: PathBuf,
    /// Also write a self-checking testbench with vectors.
    #[arg(long)]
    pub testbench: bool,
    /// Seed of the testbench's data.
    #[arg(long, default_value_t = 1, requires = "testbench")]
    pub seed: u64,
}

#[derive(Args)]
pub struct QuantizeArgs {
    /// A float network in ONNX.
    #[arg(value_name = "MODEL.onnx")]
    pub model: PathBuf,
    /// Array `calibration`; `calibration_labels` for gradients, `test` and `labels` for accuracy.
    #[arg(long, value_name = "CALIB.npz")]
    pub data: PathBuf,
    /// Folder to write; it must not exist with other contents.
    #[arg(short, long)]
    pub out: PathBuf,
    /// Base configuration: geometry, scheme, rounding, and the widths that no option gives.
    #[arg(long, default_value = "default")]
    pub config: String,
    /// A TOML file with [weights], [activations], [gradients] and [layers."NAME"]; options override all but the last.
    #[arg(long, value_name = "FILE.toml")]
    pub recipe: Option<PathBuf>,
    /// The size of a dimension of the model's input that has a name instead of a size; may be repeated.
    #[arg(long = "dimension", value_name = "NAME=SIZE", value_parser = parse_dimension)]
    pub dimensions: Vec<(String, usize)>,
    /// Bits of weights.
    #[arg(long, value_name = "BITS")]
    pub weights: Option<u32>,
    /// Bits of activations.
    #[arg(long, value_name = "BITS")]
    pub activations: Option<u32>,
    /// Bits of gradients: they are measured with labelled calibration data.
    #[arg(long, value_name = "BITS")]
    pub gradients: Option<u32>,
    /// Calibration of weights and activations: min-max, percentile=P, kl, mse, aciq.
    #[arg(long)]
    pub method: Option<RangeMethod>,
    /// Of weights: those of --method, or k-means=LEVELS, powers-of-two, additive-powers-of-two, ternary, binary, mxint8=RULE,
    /// probabilistic.
    #[arg(long, value_name = "METHOD")]
    pub weight_method: Option<WeightMethod>,
    #[arg(long, value_name = "METHOD")]
    pub activation_method: Option<RangeMethod>,
    #[arg(long, value_name = "METHOD")]
    pub gradient_method: Option<RangeMethod>,
    /// A rounding rule such as half-to-even, or stochastic=BITS, or adaround.
    #[arg(long, value_name = "ROUNDING")]
    pub weight_rounding: Option<WeightRounding>,
    /// How real inputs are rounded: a rule, or stochastic=BITS.
    #[arg(long, value_name = "ROUNDING")]
    pub input_rounding: Option<ElementRounding>,
    #[arg(long, value_name = "ROUNDING")]
    pub gradient_rounding: Option<ElementRounding>,
    /// One weight scale per output channel (the default without a recipe).
    #[arg(long, conflicts_with = "per_tensor")]
    pub per_channel: bool,
    /// One weight scale per tensor.
    #[arg(long)]
    pub per_tensor: bool,
    /// Biases take back the mean error of rounding the weights.
    #[arg(long)]
    pub bias_correction: bool,
    /// Seed of stochastic rounding and of learning.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

#[derive(Args)]
#[command(group(ArgGroup::new("work").required(true).args(["gemm", "model", "topology"])))]
pub struct SimulateArgs {
    /// Configuration file, or one of tiny, small, default; a folder of `systole quantize` has its own.
    #[arg(long)]
    pub config: Option<String>,
    /// A matrix product of seeded uniform data: activations m x k, weights k x n.
    #[arg(long, value_name = "MxKxN", value_parser = parse_gemm)]
    pub gemm: Option<GemmShape>,
    /// A SCALE-Sim topology file (convolutions or matrix products), each layer on its own with seeded uniform data.
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["rtl", "trace"])]
    pub topology: Option<PathBuf>,
    /// A network in ONNX (float, QDQ, integer operators, QONNX), or a model that `systole quantize` wrote; needs --data.
    #[arg(long, value_name = "FILE|FOLDER", requires = "data")]
    pub model: Option<PathBuf>,
    /// Arrays `calibration`, `test` and, if there are labels, `labels`.
    #[arg(long, value_name = "FILE.npz", requires = "model")]
    pub data: Option<PathBuf>,
    /// Also run the first N rows of the test data (or the whole product) in the verilated RTL, and compare.
    #[arg(long, value_name = "N", value_parser = parse_rows)]
    pub rtl: Option<usize>,
    /// The size of a dimension of the model's input that has a name instead of a size; may be repeated.
    #[arg(long = "dimension", value_name = "NAME=SIZE", requires = "model", value_parser = parse_dimension)]
    pub dimensions: Vec<(String, usize)>,
    /// How a float network is quantized: a TOML file with [weights], [activations] and [layers."NAME"].
    #[arg(long, value_name = "FILE.toml", requires = "model", conflicts_with = "per_tensor")]
    pub recipe: Option<PathBuf>,
    /// One weight scale per tensor instead of one per output channel.
    #[arg(long, requires = "model")]
    pub per_tensor: bool,
    /// Cycles from a read request to its first beat, and from the last written beat to the response.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub latency: u64,
    /// Random back-pressure on every channel: seed and percentage of closed cycles (0..=95).
    #[arg(long, value_name = "SEED:PERCENT", value_parser = parse_stalls)]
    pub stalls: Option<StallChoice>,
    /// Clock for frames per second and operations per second.
    #[arg(long, value_name = "MHZ", default_value_t = 100.0, value_parser = parse_clock)]
    pub clock_mhz: f64,
    /// Seed of the product's data.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seed of stochastic rounding.
    #[arg(long, default_value_t = 0)]
    pub rounding_seed: u64,
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a line a layer as comma-separated values.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write what every engine was at in every cycle: FILE.json is a timeline for Perfetto, FILE.vcd are waves.
    #[arg(long, value_name = "FILE.json|FILE.vcd")]
    pub trace: Option<PathBuf>,
}

#[derive(Args)]
pub struct SqnrArgs {
    /// One density only: gauss, laplace or uniform.
    #[arg(long, value_parser = parse_density)]
    pub density: Option<Density>,
    /// The greatest number of bits.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=i64::from(calibrate::MAX_BITS)))]
    pub bits: u32,
    /// Samples of each density.
    #[arg(long, default_value_t = 1_000_000, value_parser = parse_samples)]
    pub samples: usize,
    /// Draw them independently, instead of one in each of as many equal shares of the density's mass.
    #[arg(long)]
    pub independent: bool,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write the plot.
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
    /// Write the plot.
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    /// Write the table as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

#[derive(Args)]
pub struct ExplainArgs {
    /// The accumulator.
    #[arg(allow_negative_numbers = true)]
    pub accumulator: i64,
    /// The fixed-point multiplier.
    #[arg(long, requires = "shift", conflicts_with = "scale")]
    pub multiplier: Option<u32>,
    /// How far the product is shifted right.
    #[arg(long, requires = "multiplier", value_parser = clap::value_parser!(u32).range(0..=63))]
    pub shift: Option<u32>,
    /// The ratio of scales, instead of multiplier and shift: a 31-bit multiplier is derived from it.
    #[arg(long, value_name = "RATIO", value_parser = parse_ratio)]
    pub scale: Option<f64>,
    /// Added to the accumulator.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub bias: i64,
    /// Added after rounding.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-(1 << 32)..=1 << 32))]
    pub zero_point: i64,
    /// The clamp's bounds; -128:127, and on a machine of --config its whole output, if they are not given.
    #[arg(long, value_name = "LOW:HIGH", value_parser = parse_bounds, allow_hyphen_values = true)]
    pub bounds: Option<(i64, i64)>,
    /// Also what the requantizer of this configuration gives.
    #[arg(long)]
    pub config: Option<String>,
    /// The scheme that the others are compared with, such as FixedSingle or fixed-double.
    #[arg(long, default_value = "FixedSingle", value_parser = parse_scheme)]
    pub scheme: SchemeKind,
    /// The rounding rule of scheme Pow2; half-to-even if it is not given.
    #[arg(long, value_parser = parse_round)]
    pub rounding: Option<Round>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(group(ArgGroup::new("what").required(true).args(["cases", "random_configs", "random_networks", "case", "model"])))]
pub struct VerifyArgs {
    /// Configuration file, or one of tiny, small, default; for --cases or --model.
    #[arg(long, conflicts_with_all = ["random_configs", "random_networks", "case"])]
    pub config: Option<String>,
    /// Random cases on that configuration.
    #[arg(long, requires = "config", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub cases: Option<u32>,
    /// Instead of the RTL its netlist after synthesis: in cells of ice40, of ice40-up5k with DSP blocks, or of ecp5.
    #[arg(long, value_name = "CELLS", requires = "cases", conflicts_with = "kernel", value_parser = parse_netlist)]
    pub netlist: Option<Target>,
    /// Random configurations, each built and run on two random cases.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub random_configs: Option<u32>,
    /// Random configurations, each built and run on two random networks: convolutions, pools, additions, tables.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub random_networks: Option<u32>,
    /// Rerun a saved case.
    #[arg(long, value_name = "FILE")]
    pub case: Option<PathBuf>,
    /// A network on golden, simulator and verilated RTL: ONNX, or what `systole quantize` wrote; needs --data.
    #[arg(long, value_name = "FILE|FOLDER", requires = "data", conflicts_with = "kernel")]
    pub model: Option<PathBuf>,
    /// The array `test`.
    #[arg(long, value_name = "FILE.npz", requires = "model")]
    pub data: Option<PathBuf>,
    /// The size of a dimension of the model's input that has a name instead of a size; may be repeated.
    #[arg(long = "dimension", value_name = "NAME=SIZE", requires = "model", value_parser = parse_dimension)]
    pub dimensions: Vec<(String, usize)>,
    /// How a float network is quantized: a TOML file with [weights], [activations] and [layers."NAME"].
    #[arg(long, value_name = "FILE.toml", requires = "model")]
    pub recipe: Option<PathBuf>,
    /// The first rows of `test` only.
    #[arg(long, requires = "model", value_parser = parse_rows)]
    pub rows: Option<usize>,
    /// Seed of the network's stochastic rounding.
    #[arg(long, requires = "model", default_value_t = 0)]
    pub rounding_seed: u64,
    #[arg(long, default_value_t = 1, conflicts_with = "case")]
    pub seed: u64,
    /// Random back-pressure for all cases, instead of each case's own: seed and percentage (0..=95).
    #[arg(long, value_name = "SEED:PERCENT", value_parser = parse_stalls, conflicts_with = "case")]
    pub stalls: Option<StallChoice>,
    /// Also run RustHDL's own simulator (slow; for configurations like tiny).
    #[arg(long, conflicts_with_all = ["random_configs", "random_networks"])]
    pub kernel: bool,
    /// Folder for the case files of failures.
    #[arg(long, default_value = ".", conflicts_with = "model")]
    pub save: PathBuf,
}

fn parse_netlist(text: &str) -> Result<Target, String> {
    match text {
        "ice40" => Ok(Target::Ice40Hx8k),
        "ice40-up5k" => Ok(Target::Ice40Up5k),
        "ecp5" => Ok(Target::Ecp5_85k),
        _ => Err(format!("{text:?} must be one of ice40, ice40-up5k, ecp5")),
    }
}

fn parse_dimension(text: &str) -> Result<(String, usize), String> {
    let rule = || format!("{text:?} must be NAME=SIZE, with a positive whole number");
    // A name may hold anything.
    let (name, size) = text.rsplit_once('=').ok_or_else(rule)?;
    match size.parse() {
        Ok(size) if size > 0 && !name.is_empty() => Ok((name.to_owned(), size)),
        _ => Err(rule()),
    }
}

fn parse_gemm(text: &str) -> Result<GemmShape, String> {
    let sizes: Vec<&str> = text.split('x').collect();
    let [m, k, n] = sizes[..] else {
        return Err(format!("{text:?} must be three sizes such as 256x256x256"));
    };
    let size = |name, value: &str, max: usize| match value.parse::<usize>() {
        Ok(size) if (1..=max).contains(&size) => Ok(size),
        _ => Err(format!("{name} = {value:?} must be a whole number in 1..={max}")),
    };
    Ok(GemmShape {
        m: size("m", m, Case::MAX_ROWS)?,
        k: size("k", k, Case::MAX_WIDTH)?,
        n: size("n", n, Case::MAX_WIDTH)?,
    })
}

fn parse_density(text: &str) -> Result<Density, String> {
    let found = Density::ALL.into_iter().find(|density| density.name() == text);
    found.ok_or_else(|| format!("{text:?} must be one of {}", Density::ALL.map(Density::name).join(", ")))
}

fn parse_samples(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(samples @ 1_000..=100_000_000) => Ok(samples),
        _ => Err(format!("{text:?} must be a whole number in 1000..=100000000")),
    }
}

fn parse_ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if ratio > 0.0 && ratio.is_finite() => Ok(ratio),
        _ => Err(format!("{text:?} must be a positive, finite number")),
    }
}

fn parse_bounds(text: &str) -> Result<(i64, i64), String> {
    let wrong = || format!("{text:?} must be LOW:HIGH such as -128:127");
    let (low, high) = text.split_once(':').ok_or_else(wrong)?;
    let (low, high): (i64, i64) = (low.parse().map_err(|_| wrong())?, high.parse().map_err(|_| wrong())?);
    if low > high {
        return Err(format!("low = {low} must not exceed high = {high}"));
    }
    Ok((low, high))
}

fn parse_scheme(text: &str) -> Result<SchemeKind, String> {
    let plain = |name: &str| name.replace('-', "").to_lowercase();
    let found = SchemeKind::ALL.into_iter().find(|kind| plain(kind.name()) == plain(text));
    found.ok_or_else(|| {
        let names: Vec<&str> = SchemeKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("{text:?} must be one of {}", names.join(", "))
    })
}

fn parse_round(text: &str) -> Result<Round, String> {
    Round::named(text).ok_or_else(|| {
        let names: Vec<&str> = Round::ALL.iter().map(|round| round.name()).collect();
        format!("{text:?} must be one of {}", names.join(", "))
    })
}

fn parse_stalls(text: &str) -> Result<StallChoice, String> {
    let (seed, percent) = text.split_once(':').ok_or_else(|| format!("{text:?} must be SEED:PERCENT such as 7:40"))?;
    let seed = seed.parse().map_err(|_| format!("seed {seed:?} must be a whole number in 0..={}", u64::MAX))?;
    match percent.parse() {
        Ok(percent) if percent <= sim::Stalls::MAX_PERCENT => Ok(StallChoice { seed, percent }),
        _ => Err(format!("percent {percent:?} must be a whole number in 0..={}", sim::Stalls::MAX_PERCENT)),
    }
}

fn parse_rows(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows) if rows >= 1 => Ok(rows),
        _ => Err(format!("{text:?} must be a whole number of at least 1")),
    }
}

fn parse_clock(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(mhz) if mhz > 0.0 && mhz <= 100_000.0 => Ok(mhz),
        _ => Err(format!("{text:?} must be a frequency in MHz above 0 and up to 100000")),
    }
}
