//! The programs that are run, and running them.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::error::VerilatorError;

/// The programs used, each a name to be looked up in `PATH` or a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    pub verilator: PathBuf,
    pub cxx: PathBuf,
    pub yosys: PathBuf,
    pub iverilog: PathBuf,
    pub vvp: PathBuf,
}

impl Tools {
    /// The programs under their usual names.
    #[must_use]
    pub fn from_path() -> Self {
        Self {
            verilator: "verilator".into(),
            cxx: "g++".into(),
            yosys: "yosys".into(),
            iverilog: "iverilog".into(),
            vvp: "vvp".into(),
        }
    }
}

/// Runs a command to its end. `package` is what to install when the program is missing.
pub(super) fn run(command: &mut Command, package: &'static str) -> Result<Output, VerilatorError> {
    let program = PathBuf::from(command.get_program());
    // A missing working directory would look like a missing program.
    if let Some(directory) = command.get_current_dir() {
        std::fs::metadata(directory).map_err(VerilatorError::io(directory))?;
    }
    command.output().map_err(|source| match source.kind() {
        ErrorKind::NotFound => VerilatorError::ToolMissing { tool: program.display().to_string(), package },
        _ => VerilatorError::Io { path: program, source },
    })
}

/// Everything a command printed.
pub(super) fn printed(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// What a program prints when given one argument, such as `--version`; asked once a process.
pub(super) fn ask(program: &Path, arguments: &[&str], package: &'static str) -> Result<String, VerilatorError> {
    type Answers = Mutex<HashMap<(PathBuf, Vec<String>), String>>;
    static ANSWERS: LazyLock<Answers> = LazyLock::new(Answers::default);
    let question = (program.to_owned(), arguments.iter().map(|&a| a.to_owned()).collect::<Vec<_>>());
    // A panic elsewhere leaves the map whole.
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = answers.get(&question) {
        return Ok(answer.clone());
    }
    let output = run(Command::new(program).args(arguments), package)?;
    let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    answers.insert(question, answer.clone());
    Ok(answer)
}
