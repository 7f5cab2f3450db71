//! What can go wrong between Verilog text and a running model.

use std::path::PathBuf;

/// Why a model could not be built, loaded, driven or checked.
#[derive(Debug, thiserror::Error)]
pub enum VerilatorError {
    #[error("{tool} was not found: install it with `apt-get install {package}`")]
    ToolMissing { tool: String, package: &'static str },
    #[error("port {name}: {reason}")]
    InvalidPort { name: String, reason: &'static str },
    #[error("top module {name}: not a plain Verilog name, or the name of the wrapper")]
    InvalidTop { name: String },
    #[error("verilator refused the design:\n{output}")]
    VerilateFailed { output: String },
    #[error("the C++ compiler failed:\n{output}")]
    CompileFailed { output: String },
    #[error("cannot load {}: {source}", path.display())]
    LoadFailed { path: PathBuf, source: libloading::Error },
    #[error("the model stopped in cycle {cycle}: {message}")]
    Aborted { cycle: u64, message: String },
    #[error("{top} has no {kind} port {name}")]
    UnknownPort { top: String, kind: &'static str, name: String },
    #[error("port {name} of {top} is {actual} bits wide, not {expected}")]
    PortWidth { top: String, name: String, expected: usize, actual: usize },
    #[error("port handle of another design used with {top}")]
    ForeignPort { top: String },
    #[error("value {value:#x} does not fit port {name} of {width} bits")]
    ValueTooWide { name: String, value: u64, width: usize },
    #[error("port {name} of {width} bits takes {expected} words, not {actual}")]
    WordCount { name: String, width: usize, expected: usize, actual: usize },
    #[error("cannot write the trace {}: {message}", path.display())]
    TraceFailed { path: PathBuf, message: String },
    #[error("{top} was built without tracing, so {} cannot be written", path.display())]
    TraceOff { top: String, path: PathBuf },
    #[cfg(feature = "verilated")]
    #[error("a model on the host's runtime writes no trace")]
    HostTrace,
    #[error("yosys failed:\n{output}")]
    YosysFailed { output: String },
    #[error("iverilog refused the bench:\n{output}")]
    IcarusFailed { output: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl VerilatorError {
    /// For `map_err` of file operations.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
