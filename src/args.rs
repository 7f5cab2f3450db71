//! The command line.

use clap::{ArgGroup, Args, Parser, Subcommand};
use compiler::GemmShape;
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
    /// Run a matrix product or a network in the cycle-accurate simulator.
    Simulate(SimulateArgs),
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
#[command(group(ArgGroup::new("work").required(true).args(["gemm", "model"])))]
pub struct SimulateArgs {
    /// Configuration file, or one of tiny, small, default.
    #[arg(long)]
    pub config: String,
    /// A matrix product of seeded uniform data: activations m x k, weights k x n.
    #[arg(long, value_name = "MxKxN", value_parser = parse_gemm)]
    pub gemm: Option<GemmShape>,
    /// A float network in ONNX; needs --data.
    #[arg(long, value_name = "FILE.onnx", requires = "data")]
    pub model: Option<PathBuf>,
    /// Arrays `calibration`, `test` and, if there are labels, `labels`.
    #[arg(long, value_name = "FILE.npz", requires = "model")]
    pub data: Option<PathBuf>,
    /// Also run the first N rows of the test data (or the whole product) in the verilated RTL, and compare.
    #[arg(long, value_name = "N", value_parser = parse_rows)]
    pub rtl: Option<usize>,
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
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write what every engine was at in every cycle.
    #[arg(long, value_name = "FILE.vcd")]
    pub trace: Option<PathBuf>,
}

#[derive(Args)]
#[command(group(ArgGroup::new("what").required(true).args(["config", "random_configs", "case"])))]
pub struct VerifyArgs {
    /// Configuration file, or one of tiny, small, default; needs --cases.
    #[arg(long, requires = "cases")]
    pub config: Option<String>,
    /// Random cases on that configuration.
    #[arg(long, requires = "config", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub cases: Option<u32>,
    /// Random configurations, each built and run on two random cases.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub random_configs: Option<u32>,
    /// Rerun a saved case.
    #[arg(long, value_name = "FILE")]
    pub case: Option<PathBuf>,
    #[arg(long, default_value_t = 1, conflicts_with = "case")]
    pub seed: u64,
    /// Random back-pressure for all cases, instead of each case's own: seed and percentage (0..=95).
    #[arg(long, value_name = "SEED:PERCENT", value_parser = parse_stalls, conflicts_with = "case")]
    pub stalls: Option<StallChoice>,
    /// Also run RustHDL's own simulator (slow; for configurations like tiny).
    #[arg(long, conflicts_with = "random_configs")]
    pub kernel: bool,
    /// Folder for the case files of failures.
    #[arg(long, default_value = ".")]
    pub save: PathBuf,
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
