//! What Verilator and Yosys say about a module without simulating it.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::bench::scratch;
use super::error::VerilatorError;
use super::tools::{self, Tools};

/// A memory that Yosys keeps as one, named by its path below the top module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    pub name: String,
    pub width: usize,
    pub depth: usize,
}

/// Everything that `verilator --lint-only -Wall` and Yosys find in a module, latches included: empty when it is clean.
///
/// # Errors
/// A tool is missing, or fails without a finding.
pub fn lint(verilog: &str, top: &str, tools: &Tools) -> Result<String, VerilatorError> {
    let directory = scratch()?;
    write(directory.path(), verilog)?;
    let mut command = Command::new(&tools.verilator);
    command
        .current_dir(directory.path())
        .args(["--lint-only", "-Wall", "--top-module", top, "design.v"])
        // Design and file need not share a name.
        .arg("-Wno-DECLFILENAME");
    let mut findings = tools::printed(&tools::run(&mut command, "verilator")?);
    // Optimizing would turn a ring of gates into a constant before `check` sees it.
    // The plain `check` lists everything before one of the asserting commands ends the run.
    let output = yosys(
        directory.path(),
        tools,
        &format!(
            "read_verilog design.v; hierarchy -check -top {top}; proc -noopt; check; \
             select -assert-none t:$dlatch t:$adlatch t:$dlatchsr; check -assert"
        ),
    )?;
    let printed = tools::printed(&output);
    let is_finding = |line: &&str| ["Warning:", "ERROR:", "Latch inferred"].iter().any(|start| line.starts_with(start));
    for line in printed.lines().filter(is_finding) {
        if !findings.contains(line) {
            findings.push_str(line);
            findings.push('\n');
        }
    }
    if findings.is_empty() && !output.status.success() {
        return Err(VerilatorError::YosysFailed { output: printed });
    }
    Ok(findings)
}

/// The memories below a module that synthesis can map to memory blocks; an array that Yosys turns into registers is not
/// among them.
///
/// # Errors
/// Yosys is missing or refuses the module.
pub fn memories(verilog: &str, top: &str, tools: &Tools) -> Result<Vec<Memory>, VerilatorError> {
    let directory = scratch()?;
    write(directory.path(), verilog)?;
    let output = yosys(
        directory.path(),
        tools,
        &format!(
            "read_verilog design.v; hierarchy -check -top {top}; proc; flatten; opt; memory -nomap; \
             write_json netlist.json"
        ),
    )?;
    let failed = |output: String| VerilatorError::YosysFailed { output };
    if !output.status.success() {
        return Err(failed(tools::printed(&output)));
    }
    let path = directory.path().join("netlist.json");
    let text = fs::read_to_string(&path).map_err(VerilatorError::io(&path))?;
    let netlist: Value = serde_json::from_str(&text).map_err(|error| failed(format!("netlist: {error}")))?;
    let cells =
        netlist["modules"][top]["cells"].as_object().ok_or_else(|| failed(format!("netlist: no module {top}")))?;
    let mut found = Vec::new();
    for cell in cells.values() {
        if matches!(cell["type"].as_str(), Some("$mem" | "$mem_v2")) {
            let memory = memory(&cell["parameters"])
                .ok_or_else(|| failed(format!("netlist: parameters of a memory: {cell}")))?;
            found.push(memory);
        }
    }
    found.sort_by(|a: &Memory, b| a.name.cmp(&b.name));
    Ok(found)
}

fn memory(parameters: &Value) -> Option<Memory> {
    // Yosys writes numbers as binary digits.
    let number = |name: &str| usize::from_str_radix(parameters[name].as_str()?, 2).ok();
    Some(Memory {
        name: parameters["MEMID"].as_str()?.trim_start_matches('\\').to_owned(),
        width: number("WIDTH")?,
        depth: number("SIZE")?,
    })
}

fn write(directory: &Path, verilog: &str) -> Result<(), VerilatorError> {
    let path = directory.join("design.v");
    fs::write(&path, verilog).map_err(VerilatorError::io(&path))
}

fn yosys(directory: &Path, tools: &Tools, script: &str) -> Result<Output, VerilatorError> {
    let mut command = Command::new(&tools.yosys);
    tools::run(command.current_dir(directory).args(["-p", script]), "yosys")
}
