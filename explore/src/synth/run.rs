//! A build from request to outcome, through the cache.

use super::cells::{Counts, Gates};
use super::process::{self, Ended, Limits};
use super::target::Family;
use super::tools::{Tool, Versions};
use super::{cache, cells, place, tools, Outcome, Request, Stage, SynthError};
use hdl::Emitted;
use serde::de::IgnoredAny;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const OUTCOME: &str = "outcome.json";
/// The mapped block in Yosys's JSON, in the entry of a synthesis that is done.
pub(super) const NETLIST: &str = "netlist.json";

/// Names the build: equal for requests that give the same Verilog to the same tools with the same options. The time they may
/// take is not among them.
///
/// # Errors
/// A tool is missing or of an unknown version, the liberty file cannot be read, or the request asks for what there is not.
pub fn key(request: &Request<'_>) -> Result<String, SynthError> {
    let build = Build::of(request)?;
    Ok(match request.place {
        None => build.synthesis_key(),
        Some(seed) => build.place_key(seed),
    })
}

/// Builds, or takes the outcome from `cache`. A build that ran out of time is tried again if there is more of it.
///
/// # Errors
/// As [`key`], and if something cannot be written, or `interrupted` became true: then nothing half-written is left.
pub fn synthesize(request: &Request<'_>, cache: &Path, interrupted: &AtomicBool) -> Result<Outcome, SynthError> {
    let build = Build::of(request)?;
    let limits = Limits { started: Instant::now(), timeout: request.timeout, interrupted };
    let (entry, outcome) = build.synthesis(cache, limits)?;
    match request.place {
        Some(seed) if matches!(outcome, Outcome::Done { .. }) => build.place(seed, &entry, outcome, cache, limits),
        _ => Ok(outcome),
    }
}

/// The folder with the mapped block of a request, which is synthesized if need be.
pub(super) fn netlist(
    request: &Request<'_>,
    cache: &Path,
    interrupted: &AtomicBool,
) -> Result<(PathBuf, Emitted), SynthError> {
    let request = &Request { place: None, ..*request };
    let build = Build::of(request)?;
    let limits = Limits { started: Instant::now(), timeout: request.timeout, interrupted };
    let none = |reason| SynthError::NoNetlist { block: request.block, target: request.target, reason };
    match build.synthesis(cache, limits)? {
        (entry, Outcome::Done { .. }) => Ok((entry, build.emitted)),
        (_, Outcome::Failed { reason, .. }) => Err(none(reason)),
        (_, Outcome::TimedOut { after, .. }) => Err(none(format!("timed out after {} s", after.as_secs_f64()))),
    }
}

/// Everything that a build depends on.
struct Build<'a> {
    request: &'a Request<'a>,
    emitted: Emitted,
    script: String,
    liberty: String,
    versions: Versions,
}

impl<'a> Build<'a> {
    fn of(request: &'a Request<'a>) -> Result<Self, SynthError> {
        let target = request.target;
        let liberty = match (request.liberty, target.family()) {
            (Some(path), Family::Gates) => fs::read_to_string(path).map_err(SynthError::io(path))?,
            (None, Family::Gates) => return Err(SynthError::LibertyMissing),
            (Some(_), _) => return Err(SynthError::LibertyUnused { target }),
            (None, _) => String::new(),
        };
        if request.dsp && !target.has_dsp() {
            return Err(SynthError::NoDsp { target });
        }
        let versions = tools::versions(target, request.place.is_some())?;
        let emitted = hdl::emit_block(request.config, request.block)?;
        let script = target.script(&request.block.module(), request.dsp);
        Ok(Self { request, emitted, script, liberty, versions })
    }

    fn synthesis_key(&self) -> String {
        cache::key(&[&self.emitted.verilog, &self.versions.yosys.line, &self.script, &self.liberty])
    }

    fn place_key(&self, seed: u64) -> String {
        let nextpnr = self.versions.nextpnr.as_ref().map_or("", |found| &found.line);
        let options = place::options(self.request.target, seed).join(" ");
        cache::key(&[&self.synthesis_key(), nextpnr, &options, place::HARNESS])
    }

    /// The entry of the synthesis, and what came of it.
    fn synthesis(&self, cache: &Path, limits: Limits<'_>) -> Result<(PathBuf, Outcome), SynthError> {
        let name = format!("synth-{}", self.synthesis_key());
        let entry = cache::entry(
            cache,
            &name,
            limits.interrupted,
            |entry| {
                // Of one that was built the netlist is needed too.
                let is_whole = || entry.join(NETLIST).is_file();
                usable(entry, limits.timeout)
                    && (!matches!(read_outcome(entry), Ok(Outcome::Done { .. })) || is_whole())
            },
            |directory| {
                let outcome = self.run_yosys(directory, limits)?;
                if !matches!(outcome, Outcome::Done { .. }) {
                    remove(&directory.join(NETLIST))?;
                }
                write_outcome(directory, &outcome)
            },
        )?;
        let outcome = read_outcome(&entry)?;
        Ok((entry, outcome))
    }

    fn run_yosys(&self, directory: &Path, limits: Limits<'_>) -> Result<Outcome, SynthError> {
        let stage = Stage::Synthesis;
        write(&directory.join("design.v"), &self.emitted.verilog)?;
        if self.request.target.family() == Family::Gates {
            write(&directory.join("cells.lib"), &self.liberty)?;
        }
        let started = Instant::now();
        let yosys = &self.versions.yosys;
        match process::run(&yosys.program, ["-q", "-p", &self.script], directory, "yosys.log", limits)? {
            Ended::Success => {}
            Ended::TimedOut => return Ok(Outcome::TimedOut { stage, after: limits.timeout, area: None }),
            Ended::Failure(printed) => {
                let reason = first_error(&printed, yosys.tool, directory)?;
                return Ok(Outcome::Failed { stage, reason, area: None });
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let is_gates = self.request.target.family() == Family::Gates;
        for file in [NETLIST, "stat.json"].into_iter().chain(is_gates.then_some("generic.json")) {
            whole(&directory.join(file))?;
        }
        let text = |name: &str| read(&directory.join(name));
        let stat = text("stat.json")?;
        let gates = match self.request.target.family() {
            Family::Gates => Some((text("generic.json")?, text("area.txt")?)),
            _ => None,
        };
        let gates = gates.as_ref().map(|(generic, area)| Gates { generic, area });
        Ok(match cells::area(self.request.target, &Counts { stat: &stat, gates }) {
            Ok(area) => {
                let utilization = cells::utilization(self.request.target, &area);
                Outcome::Done { area, utilization, fmax_mhz: None, critical_path: Vec::new(), seconds }
            }
            Err(reason) => Outcome::Failed { stage, reason, area: None },
        })
    }

    /// Places and routes the synthesized block; `outcome` is that of the synthesis.
    fn place(
        &self,
        seed: u64,
        synthesis: &Path,
        outcome: Outcome,
        cache: &Path,
        limits: Limits<'_>,
    ) -> Result<Outcome, SynthError> {
        let name = format!("place-{}", self.place_key(seed));
        let good = |entry: &Path| {
            // Of one that was placed the report is needed too.
            let is_whole = || place::critical_path(entry).is_ok();
            usable(entry, limits.timeout) && (!matches!(read_outcome(entry), Ok(Outcome::Done { .. })) || is_whole())
        };
        let entry = cache::entry(cache, &name, limits.interrupted, good, |directory| {
            let block = place::Block {
                target: self.request.target,
                module: &self.request.block.module(),
                ports: &self.emitted.ports,
                netlist: &synthesis.join(NETLIST),
                versions: &self.versions,
            };
            let outcome = block.place(seed, outcome, directory, limits)?;
            for file in [NETLIST, place::HARNESSED] {
                remove(&directory.join(file))?;
            }
            write_outcome(directory, &outcome)
        })?;
        let mut outcome = read_outcome(&entry)?;
        if let Outcome::Done { critical_path, .. } = &mut outcome {
            // Read anew, so that the names of blocks may change without another placement.
            *critical_path = place::critical_path(&entry)?;
        }
        Ok(outcome)
    }
}

/// Whether an entry's outcome stands: one that ran out of time does not if there is more of it.
fn usable(entry: &Path, timeout: Duration) -> bool {
    match read_outcome(entry) {
        Ok(Outcome::TimedOut { after, .. }) => after >= timeout,
        Ok(_) => true,
        Err(_) => false,
    }
}

fn read_outcome(entry: &Path) -> Result<Outcome, SynthError> {
    let path = entry.join(OUTCOME);
    let text = read(&path)?;
    serde_json::from_str(&text).map_err(|error| SynthError::Content { path, what: error.to_string() })
}

fn write_outcome(directory: &Path, outcome: &Outcome) -> Result<(), SynthError> {
    let path = directory.join(OUTCOME);
    let text = serde_json::to_string_pretty(outcome);
    write(&path, &text.map_err(|error| SynthError::Content { path: path.clone(), what: error.to_string() })?)
}

pub(super) fn read(path: &Path) -> Result<String, SynthError> {
    fs::read_to_string(path).map_err(SynthError::io(path))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), SynthError> {
    fs::write(path, text).map_err(SynthError::io(path))
}

/// Removes a file that need not be there.
fn remove(path: &Path) -> Result<(), SynthError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(SynthError::io(path)(error)),
        _ => Ok(()),
    }
}

/// What a tool says went wrong; there is no JSON of it. One that does not say was not stopped by the design.
pub(super) fn first_error(printed: &str, tool: Tool, directory: &Path) -> Result<String, SynthError> {
    let error = printed.lines().find_map(|line| line.split_once("ERROR: "));
    match error {
        Some((_, message)) => Ok(format!("{}: {}", tool.name(), message.trim())),
        None => Err(SynthError::Silent {
            tool: tool.name(),
            cache: directory.parent().unwrap_or(directory).to_owned(),
            last: printed.lines().last().unwrap_or_default().trim().to_owned(),
        }),
    }
}

/// Refuses a JSON file that is not whole: Yosys does not notice a full disk.
pub(super) fn whole(path: &Path) -> Result<(), SynthError> {
    let file = fs::File::open(path).map_err(SynthError::io(path))?;
    let read: Result<IgnoredAny, _> = serde_json::from_reader(BufReader::new(file));
    read.map(|_| ()).map_err(|source| SynthError::Cut { path: path.to_owned(), source })
}
