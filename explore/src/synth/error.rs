//! Why nothing was built, as against a build that failed.

use super::Target;
use std::path::PathBuf;
use thiserror::Error;

/// A missing tool, a request that no tool could follow, an input or output error, or an interruption.
#[derive(Debug, Error)]
pub enum SynthError {
    #[error("{tool} was not found: install it with `{install}`, or give its path in {variable}")]
    ToolMissing { tool: &'static str, install: &'static str, variable: &'static str },
    #[error("{tool} is version {found}; the versions known to work are {needed}")]
    ToolVersion { tool: &'static str, found: String, needed: String },
    #[error("target gates needs a liberty file")]
    LibertyMissing,
    #[error("a liberty file is for target gates, not for {target}")]
    LibertyUnused { target: Target },
    #[error("target {target} has no place and route here: it is for {}", Target::with_place())]
    NoPlace { target: Target },
    #[error("target {target} has no DSP blocks here: they are for {}", Target::with_dsp())]
    NoDsp { target: Target },
    #[error(transparent)]
    Emit(#[from] hdl::EmitError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: {what}", path.display())]
    Content { path: PathBuf, what: String },
    #[error("{} was ended by signal {signal}{}", program.display(), if *signal == 9 { ": is there too little memory?" } else { "" })]
    Killed { program: PathBuf, signal: i32 },
    #[error("{} cannot be started: {what}", program.display())]
    Start { program: PathBuf, what: String },
    #[error("{tool} failed without an error of its own: is the disk of {} full? The last it said: {last:?}", cache.display())]
    Silent { tool: &'static str, cache: PathBuf, last: String },
    #[error("{} is cut short ({source}): is the disk full?", path.display())]
    Cut { path: PathBuf, source: serde_json::Error },
    #[error("cell {name} of type {kind} has no model: {what}")]
    Model { name: String, kind: String, what: String },
    #[error("{block} on {target} has no netlist: {reason}")]
    NoNetlist { block: hdl::BlockName, target: Target, reason: String },
    #[error("interrupted")]
    Interrupted,
}

impl SynthError {
    /// For `map_err` of file operations.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
