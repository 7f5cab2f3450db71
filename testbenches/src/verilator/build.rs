//! From Verilog to a shared library: verilate, compile, link.
//!
//! Reading `verilated.h` takes longer than compiling a small design, so it is precompiled, and the generated files are
//! compiled in few units. The runtime is compiled once for all models.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::VerilatorError;
use super::units::units;
use super::{cache, tools, Design, Optimize, Options, Runtime, Source, Trace, WRAPPER};

const SHIM: &str = include_str!("shim.cpp");
const RUNTIME_HEADER: &str = include_str!("runtime.h");

/// Name of the library in a cache entry.
const MODEL: &str = "model.so";

/// Warnings about the design are `lint`'s matter; those about the wrapper mean that the ports do not fit.
const WARNINGS: &str = "`verilator_config\nlint_off -file \"*design.v\"\n";

const VERILATE: &[&str] = &[
    "--cc",
    "--prefix",
    "Vdut",
    "--top-module",
    WRAPPER,
    "--Mdir",
    ".",
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
    "--assert",
    "--output-split-cfuncs",
    "500",
    "-Wno-fatal",
    "-Werror-PINMISSING",
    "-Werror-WIDTH",
];

const NO_DATA_GRAPH: &str = "-fno-dfg";

const COMPILE: &[&str] = &["-std=gnu++17", "-fPIC", "-fvisibility-inlines-hidden", "-w", "-Winvalid-pch"];

const LINK: &[&str] = &["-shared", "-s", "-pthread", "-Wl,-Bsymbolic", "-Wl,--version-script=exports.map"];

/// Only the C interface leaves the library: two models in one process share no C++ symbol.
const EXPORTS: &str =
    "{ global: systole_new; systole_delete; systole_error; systole_s*; systole_trace_*; local: *; };\n";

/// Everything a build depends on besides the design.
struct Toolchain<'a> {
    options: &'a Options,
    versions: String,
    include: PathBuf,
}

impl<'a> Toolchain<'a> {
    fn find(options: &'a Options) -> Result<Self, VerilatorError> {
        let verilator = &options.tools.verilator;
        let versions = format!(
            "{}\n{}",
            tools::ask(verilator, &["--version"], "verilator")?,
            tools::ask(&options.tools.cxx, &["--version"], "g++")?
        );
        let root = tools::ask(verilator, &["--getenv", "VERILATOR_ROOT"], "verilator")?;
        Ok(Self { options, versions, include: Path::new(&root).join("include") })
    }

    /// What distinguishes this kind of model in `runtime.h` and `shim.cpp`.
    fn define(&self) -> Option<&'static str> {
        match (self.options.runtime, self.options.trace) {
            #[cfg(feature = "verilated")]
            (Runtime::Host, _) => Some("-DSYSTOLE_HOSTED"),
            (Runtime::Own, Trace::Off) => None,
            (Runtime::Own, Trace::Vcd) => Some("-DSYSTOLE_TRACE_VCD"),
            (Runtime::Own, Trace::Fst) => Some("-DSYSTOLE_TRACE_FST"),
        }
    }

    /// A C++ compiler command with the flags that all files share.
    fn compiler(&self, directory: &Path, level: &str) -> Command {
        let mut command = Command::new(&self.options.tools.cxx);
        command.current_dir(directory).args(COMPILE).arg(level).args(self.define()).arg("-isystem").arg(&self.include);
        command
    }

    /// Names what is compiled from `parts` by this toolchain.
    fn key(&self, parts: &[&str]) -> String {
        let define = self.define().unwrap_or_default();
        let mut all = vec![self.versions.as_str(), define, RUNTIME_HEADER];
        all.extend(COMPILE);
        all.extend(parts);
        cache::key(&all)
    }

    /// The precompiled header for a level: a directory to search, with `runtime.h` in it.
    fn header(&self, level: &str) -> Result<PathBuf, VerilatorError> {
        let name = format!("header-{}", self.key(&[level]));
        let (path, _) = cache::entry(&self.options.cache_dir, &name, |directory| {
            write(&directory.join("runtime.h"), RUNTIME_HEADER)?;
            let mut command = self.compiler(directory, level);
            command.args(["-x", "c++-header", "runtime.h", "-o", "runtime.h.gch"]);
            compile(&mut command)
        })?;
        Ok(path)
    }

    /// Verilator's runtime as objects, and whatever tracing needs.
    fn runtime(&self) -> Result<Vec<PathBuf>, VerilatorError> {
        let mut sources = vec!["verilated", "verilated_threads"];
        match self.options.trace {
            Trace::Off => {}
            Trace::Vcd => sources.push("verilated_vcd_c"),
            Trace::Fst => sources.push("verilated_fst_c"),
        }
        let name = format!("runtime-{}", self.key(&[]));
        let (path, _) = cache::entry(&self.options.cache_dir, &name, |directory| {
            write(&directory.join("runtime.h"), RUNTIME_HEADER)?;
            in_parallel(&sources, |source| {
                let mut command = self.compiler(directory, "-O2");
                command
                    .args(["-include", "runtime.h", "-c", "-o"])
                    .arg(format!("{source}.o"))
                    .arg(self.include.join(format!("{source}.cpp")));
                compile(&mut command)
            })
        })?;
        Ok(sources.iter().map(|source| path.join(format!("{source}.o"))).collect())
    }

    fn verilate(&self, directory: &Path, design: &Design, wrapper: &str) -> Result<(), VerilatorError> {
        write(&directory.join("design.v"), &design.verilog)?;
        write(&directory.join("wrapper.v"), wrapper)?;
        write(&directory.join("warnings.vlt"), WARNINGS)?;
        let mut command = Command::new(&self.options.tools.verilator);
        command.current_dir(directory).args(VERILATE);
        match self.options.trace {
            Trace::Off => {}
            Trace::Vcd => drop(command.arg("--trace")),
            Trace::Fst => drop(command.arg("--trace-fst")),
        }
        if self.options.source == Source::Netlist {
            command.arg(NO_DATA_GRAPH);
        }
        command.args(["warnings.vlt", "design.v", "wrapper.v"]);
        let output = tools::run(&mut command, "verilator")?;
        if output.status.success() {
            return Ok(());
        }
        Err(VerilatorError::VerilateFailed { output: tools::printed(&output) })
    }

    fn compile_model(&self, directory: &Path) -> Result<(), VerilatorError> {
        write(&directory.join("shim.cpp"), SHIM)?;
        write(&directory.join("exports.map"), EXPORTS)?;
        let units = units(directory, self.options.optimize)?;
        in_parallel(&units, |unit| {
            let mut command = self.compiler(directory, unit.level);
            command.arg("-I").arg(self.header(unit.level)?).args(["-include", "runtime.h", "-c"]).arg(&unit.file);
            compile(&mut command)
        })?;
        let mut link = Command::new(&self.options.tools.cxx);
        link.current_dir(directory)
            .args(LINK)
            .args(["-o", MODEL])
            .args(units.iter().map(|unit| unit.file.replace(".cpp", ".o")))
            .args(match self.options.runtime {
                Runtime::Own => self.runtime()?,
                #[cfg(feature = "verilated")]
                Runtime::Host => Vec::new(),
            });
        if self.options.trace == Trace::Fst {
            link.arg("-lz");
        }
        compile(&mut link)
    }
}

/// The library of a design below the cache directory, and whether it was there already.
pub(super) fn library(design: &Design, wrapper: &str, options: &Options) -> Result<(PathBuf, bool), VerilatorError> {
    let toolchain = Toolchain::find(options)?;
    let optimize = match options.optimize {
        Optimize::Build => "build",
        Optimize::Run => "run",
    };
    let mut parts = vec![design.verilog.as_str(), wrapper, SHIM, optimize];
    parts.extend([WARNINGS, EXPORTS]);
    parts.extend(VERILATE);
    parts.extend(LINK);
    if options.source == Source::Netlist {
        parts.push(NO_DATA_GRAPH);
    }
    let name = toolchain.key(&parts);
    let (path, cached) = cache::entry(&options.cache_dir, &name, |directory| {
        let work = directory.join("work");
        fs::create_dir(&work).map_err(VerilatorError::io(&work))?;
        toolchain.verilate(&work, design, wrapper)?;
        toolchain.compile_model(&work)?;
        let model = directory.join(MODEL);
        fs::rename(work.join(MODEL), &model).map_err(VerilatorError::io(&model))?;
        fs::remove_dir_all(&work).map_err(VerilatorError::io(&work))
    })?;
    Ok((path.join(MODEL), cached))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), VerilatorError> {
    fs::write(path, text).map_err(VerilatorError::io(path))
}

fn compile(command: &mut Command) -> Result<(), VerilatorError> {
    let output = tools::run(command, "g++")?;
    if output.status.success() {
        return Ok(());
    }
    let arguments: Vec<OsString> = command.get_args().map(OsString::from).collect();
    Err(VerilatorError::CompileFailed { output: format!("{arguments:?}\n{}", tools::printed(&output)) })
}

/// Does the work for each item, as many at a time as there are cores. The first error of the list is returned.
fn in_parallel<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), VerilatorError> + Sync,
) -> Result<(), VerilatorError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if items.len() <= 1 || cores == 1 {
        return items.iter().try_for_each(work);
    }
    let next = AtomicUsize::new(0);
    let worker = || -> Result<(), VerilatorError> {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(items.len())).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|handle| match handle.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
