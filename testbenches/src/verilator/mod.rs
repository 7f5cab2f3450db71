//! Any Verilog module as a model that Rust steps: built at run time by Verilator, cached, loaded.
//!
//! ```no_run
//! use testbenches::verilator::{Design, Library, Options};
//! # fn main() -> Result<(), testbenches::verilator::VerilatorError> {
//! # let (verilog, ports) = (String::new(), Vec::new());
//! let design = Design { verilog, top: "counter".into(), ports };
//! let library = Library::build(&design, &Options::new("."))?;
//! let (reset, q) = (library.input("reset", 1)?, library.output("q", 8)?);
//! let mut counter = library.instance(42)?;
//! counter.set(reset, 1)?;
//! counter.step()?;
//! assert_eq!(counter.get(q)?, 0);
//! # Ok(())
//! # }
//! ```

mod bench;
mod build;
mod cache;
mod error;
mod instance;
mod library;
mod lint;
mod tools;
mod units;
mod wrapper;

#[cfg(feature = "verilated")]
pub mod hosted;

#[cfg(test)]
mod tests;

pub use bench::{icarus, verilator_binary, Bench, Run};
pub use cache::cache_dir;
pub use error::VerilatorError;
pub use instance::Instance;
pub use library::{Library, PortHandle};
pub use lint::{lint, memories, Memory};
pub use tools::Tools;
pub use wrapper::{wrap, Layout, Slot, CLOCK, WRAPPER};

use std::path::{Path, PathBuf};

/// A module in Verilog with all its ports. Its clock, if it has one, is the port `clock`.
#[derive(Clone, Debug)]
pub struct Design {
    /// The module and all it needs.
    pub verilog: String,
    /// Name of the module.
    pub top: String,
    /// Every port of the module, the clock included.
    pub ports: Vec<spec::Port>,
}

/// Waveforms that a model can write. A model with waveforms is slower, and is another cache entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    Off,
    /// Text, large; every viewer reads it.
    Vcd,
    /// Compressed; needs zlib's header (`apt-get install zlib1g-dev`).
    Fst,
}

/// What to save time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimize {
    /// Building: for many small designs that run some thousand cycles each.
    Build,
    /// Running: for a design that runs a million cycles.
    Run,
}

/// Where the C++ runtime of a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// In the model's library: nothing is needed of the program that loads it.
    Own,
    /// In the program, from the `verilated` package: see [`hosted`].
    #[cfg(feature = "verilated")]
    Host,
}

/// What the Verilog of a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Rtl,
    /// Expressions and registers of single bits. Verilator 5.006 computes wrong values for those if it may optimize over
    /// the graph of the data.
    Netlist,
}

/// How a model is built and where it is kept.
#[derive(Clone, Debug)]
pub struct Options {
    pub cache_dir: PathBuf,
    pub trace: Trace,
    pub optimize: Optimize,
    pub runtime: Runtime,
    pub tools: Tools,
    pub source: Source,
}

impl Options {
    /// No trace, quick to build, its own runtime, kept in [`cache_dir`]`(base)`.
    #[must_use]
    pub fn new(base: impl AsRef<Path>) -> Self {
        Self {
            cache_dir: cache_dir(base.as_ref()),
            trace: Trace::Off,
            optimize: Optimize::Build,
            runtime: Runtime::Own,
            tools: Tools::from_path(),
            source: Source::Rtl,
        }
    }
}
