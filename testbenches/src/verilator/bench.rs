//! Self-checking Verilog testbenches, run by Icarus Verilog or by Verilator.
//!
//! Verilator 5.006 takes a variable that changes in a loop before a delay of the same body for unchanged: a bench that is
//! run by it counts its errors in a clocked `always`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::VerilatorError;
use super::tools::{self, Tools};

/// A testbench that makes its own clock and ends itself.
#[derive(Clone, Debug)]
pub struct Bench {
    pub files: Vec<PathBuf>,
    /// Name of the testbench module.
    pub top: String,
    /// Where it runs: what `$readmemh` names relative to.
    pub directory: PathBuf,
}

/// How a testbench ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Exit status; none when a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    /// What the compiler printed without refusing the bench.
    pub warnings: String,
}

impl Bench {
    /// The files independent of the working directory.
    fn absolute(&self) -> Result<Vec<PathBuf>, VerilatorError> {
        let absolute = |file: &PathBuf| std::fs::canonicalize(file).map_err(VerilatorError::io(file));
        self.files.iter().map(absolute).collect()
    }

    fn execute(&self, command: &mut Command, package: &'static str, warnings: String) -> Result<Run, VerilatorError> {
        let output = tools::run(command.current_dir(&self.directory).stdin(Stdio::null()), package)?;
        Ok(Run { status: output.status.code(), stdout: String::from_utf8_lossy(&output.stdout).into_owned(), warnings })
    }
}

/// Compiles a bench as Verilog-2001 with `iverilog -Wall` and runs it.
///
/// # Errors
/// Icarus is missing or refuses the bench. A bench that fails is no error: see [`Run::status`].
pub fn icarus(bench: &Bench, tools: &Tools) -> Result<Run, VerilatorError> {
    let directory = scratch()?;
    let program = directory.path().join("bench.vvp");
    let mut compiler = Command::new(&tools.iverilog);
    compiler.args(["-g2001", "-Wall", "-s", &bench.top, "-o"]).arg(&program).args(bench.absolute()?);
    let output = tools::run(&mut compiler, "iverilog")?;
    let warnings = tools::printed(&output);
    if !output.status.success() {
        return Err(VerilatorError::IcarusFailed { output: warnings });
    }
    let mut simulator = Command::new(&tools.vvp);
    // Without a terminal, and with status 1 after `$stop`.
    simulator.arg("-N").arg(&program);
    bench.execute(&mut simulator, "iverilog", warnings)
}

/// Compiles a bench, delays included, with `verilator --binary` and runs it from a random start state.
///
/// # Errors
/// Verilator is missing or refuses the bench. A bench that fails is no error: see [`Run::status`].
pub fn verilator_binary(bench: &Bench, seed: u32, tools: &Tools) -> Result<Run, VerilatorError> {
    let directory = scratch()?;
    let mut compiler = Command::new(&tools.verilator);
    compiler
        .args(["--binary", "--timing", "--assert", "-Wno-fatal"])
        .args(["--x-assign", "unique", "--x-initial", "unique"])
        // A bench runs for less time than optimizing Verilator's runtime takes.
        .args(["-j", "0", "-MAKEFLAGS", "OPT_GLOBAL=-O0 OPT_SLOW=-O0"])
        // Flags meant for C++ in Rust packages; the makefile would take them.
        .env_remove("CXXFLAGS")
        .args(["--top-module", &bench.top, "-o", "bench", "--Mdir"])
        .arg(directory.path())
        .args(bench.absolute()?);
    let output = tools::run(&mut compiler, "verilator")?;
    if !output.status.success() {
        return Err(VerilatorError::VerilateFailed { output: tools::printed(&output) });
    }
    // The standard output is make's.
    let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut simulator = Command::new(directory.path().join("bench"));
    // Verilator takes zero for "choose one", and 31 bits.
    let seed = (seed & 0x7fff_ffff).max(1);
    simulator.arg("+verilator+rand+reset+2").arg(format!("+verilator+seed+{seed}"));
    bench.execute(&mut simulator, "verilator", warnings)
}

pub(super) fn scratch() -> Result<tempfile::TempDir, VerilatorError> {
    tempfile::tempdir().map_err(VerilatorError::io(Path::new("temporary directory")))
}
