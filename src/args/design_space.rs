//! Options of the commands for the design space.

use clap::{Args, ValueEnum};
use explore::plot::Kind as PlotKind;
use explore::store::Share;
use explore::synth::{BlockName, Target};
use std::path::PathBuf;

#[derive(Args)]
pub struct SweepArgs {
    /// Axes, networks, methods, and what is to be measured: docs/sweeps.md.
    #[arg(value_name = "FILE.toml")]
    pub file: PathBuf,
    /// The results file, made if it is not there; NAME.sqlite in the working directory if it is not given, by the sweep's name.
    #[arg(long, value_name = "FILE.sqlite")]
    pub results: Option<PathBuf>,
    /// The points of this subset only.
    #[arg(long, value_name = "NAME")]
    pub subset: Option<String>,
    /// Say how many points, builds and tasks there are, and how long they will take.
    #[arg(long, conflicts_with_all = ["csv", "parquet", "part", "collect"])]
    pub dry_run: bool,
    /// Tasks at a time; as many as there are cores if it is not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// Write the rows of results as comma-separated values.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the rows of results as Parquet.
    #[arg(long, value_name = "FILE")]
    pub parquet: Option<PathBuf>,
    /// Give areas to what could not be built, from builds of other rows and columns; they are marked as extrapolated.
    #[arg(long)]
    pub extrapolate: bool,
    /// Take a product of more than a million points.
    #[arg(long)]
    pub yes: bool,
    /// Only the I-th of N parts of the tasks, into a results file of its own.
    #[arg(long, value_name = "I/N", value_parser = parse_part, requires = "results", hide = true)]
    pub part: Option<Share>,
    /// Where tasks run: local, or slurm for a job array that is waited for.
    #[arg(long, value_enum, default_value_t = Executor::Local, conflicts_with_all = ["part", "collect"])]
    pub executor: Executor,
    /// Elements of the job array; 32 if it is not given, and never more than there are tasks.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub slurm_array: Option<u32>,
    /// An option of sbatch in one word, such as --slurm-option=--partition=NAME; may be repeated.
    #[arg(long = "slurm-option", value_name = "OPTION", allow_hyphen_values = true)]
    pub slurm_options: Vec<String>,
    /// Take the results of parts; no task is run.
    #[arg(long, value_name = "FILE.sqlite", hide = true, conflicts_with = "part")]
    pub collect: Vec<PathBuf>,
}

/// Where a sweep's tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Executor {
    Local,
    Slurm,
}

#[derive(Args)]
pub struct PlotArgs {
    /// What `systole sweep` wrote, finished or not.
    #[arg(value_name = "RESULTS.sqlite")]
    pub results: PathBuf,
    /// Folder for the plots; it is made if it does not exist, and files of the same names are replaced.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Write SVG only.
    #[arg(long, conflicts_with = "png")]
    pub svg: bool,
    /// Write PNG only.
    #[arg(long)]
    pub png: bool,
    /// One kind of plot, such as heat or front-luts; may be repeated.
    #[arg(long, value_name = "KIND", value_parser = parse_plot)]
    pub only: Vec<PlotKind>,
    /// One network of the sweep file; may be repeated.
    #[arg(long = "network", value_name = "NAME")]
    pub networks: Vec<String>,
    /// Key of the point whose utilization is drawn; the most accurate point of each network if it is not given.
    #[arg(long, value_name = "KEY")]
    pub point: Option<String>,
}

#[derive(Args)]
pub struct ReportArgs {
    /// What `systole sweep` wrote, finished or not.
    #[arg(value_name = "RESULTS.sqlite")]
    pub results: PathBuf,
    #[arg(short, long, value_name = "FILE.html")]
    pub out: PathBuf,
}

#[derive(Args)]
pub struct SynthArgs {
    /// Configuration file, or one of tiny, small, default.
    #[arg(long)]
    pub config: String,
    /// ice40-hx8k, ice40-up5k, ecp5-25k, ecp5-85k; counts only: gowin, xilinx7; cells of --liberty: gates.
    #[arg(long)]
    pub target: Target,
    /// top, pe, mesh, requantizer, requantizer-lane or datapath.
    #[arg(long, default_value = "top")]
    pub block: BlockName,
    /// Build multipliers of lookup tables even where the target has DSP blocks.
    #[arg(long)]
    pub no_dsp: bool,
    /// Place and route with seed 1.
    #[arg(long)]
    pub place: bool,
    /// Place and route with each of these seeds.
    #[arg(long, value_name = "SEED,SEED..", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// The cells of target gates.
    #[arg(long, value_name = "FILE.lib")]
    pub liberty: Option<PathBuf>,
    /// Minutes for each build.
    #[arg(long, value_name = "MIN", default_value_t = 60.0)]
    pub timeout: f64,
    /// Write the results as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Folder to write: Verilog, results and configuration; it must not exist with other contents.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

fn parse_part(text: &str) -> Result<Share, String> {
    let rule = || format!("{text:?} must be I/N with I in 1..=N");
    let (index, of) = text.split_once('/').ok_or_else(rule)?;
    let (index, of): (u64, u64) = (index.parse().map_err(|_| rule())?, of.parse().map_err(|_| rule())?);
    match (1..=of).contains(&index) {
        true => Ok(Share { index: index - 1, of }),
        false => Err(rule()),
    }
}

fn parse_plot(text: &str) -> Result<PlotKind, String> {
    PlotKind::named(text)
        .ok_or_else(|| format!("{text:?} must be one of {}", PlotKind::ALL.map(PlotKind::name).join(", ")))
}
