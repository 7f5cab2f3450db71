//! What the tasks of a sweep do.

use crate::measure::{evaluate, time, Failure, MeasureError, Sources, Workbench};
use crate::point::Point;
use crate::run::Halt;
use crate::store::{Build, Ended, Kind, Task};
use crate::sweep::{Plan, Sweep, Synthesis, Variant};
use crate::synth::tools::Found;
use crate::synth::{self, synthesize, Outcome, Request, SynthError};
use serde::Serialize;
use spec::Config;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// Why no task like it can be done.
#[derive(Debug, Error)]
pub enum WorkError {
    #[error(transparent)]
    Measure(#[from] Failure),
    #[error(transparent)]
    Synth(#[from] SynthError),
    #[error("a result cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The results file says so; the sweep file never does.
    #[error("{axes} is no point of the sweep: {reason}")]
    Point { axes: String, reason: String },
    #[error("the results file has a build, and the sweep file has no [synthesis]")]
    NoSynthesis,
}

/// Does the tasks of one sweep; shared by threads.
pub struct Work<'a> {
    sweep: &'a Sweep,
    /// What paths of the sweep file are relative to.
    folder: PathBuf,
    /// Where builds are kept.
    cache: PathBuf,
    workbench: Workbench,
}

impl<'a> Work<'a> {
    pub fn new(sweep: &'a Sweep, folder: PathBuf, cache: PathBuf) -> Self {
        Self { sweep, folder, cache, workbench: Workbench::new(Workbench::MOST_BYTES) }
    }

    /// Does a task, or stops soon after `halt` is set.
    pub fn run(&self, task: &Task, halt: &AtomicBool) -> Result<Ended, Halt<WorkError>> {
        let point = self.point(task).map_err(Halt::Error)?;
        match (task.kind, &task.build) {
            (Kind::Evaluate, _) => {
                measured(evaluate(&self.workbench, &point, &self.sources(&point, task.seed), task.seed))
            }
            (Kind::Time, _) => {
                let simulation = self.sweep.simulation();
                measured(time(&self.workbench, &point, &self.sources(&point, task.seed), &simulation))
            }
            (Kind::Build, Some(build)) => self.build(&point.config, build.variant, task.seed, halt),
            (Kind::Build, None) => Err(Halt::Error(WorkError::NoSynthesis)),
        }
    }

    fn point(&self, task: &Task) -> Result<Point, WorkError> {
        let refuse = |reason| WorkError::Point { axes: task.axes.to_string(), reason };
        self.sweep.point(&task.axes).map_err(refuse)
    }

    fn sources(&self, point: &Point, seed: u64) -> Sources {
        let files = self.sweep.files(&point.axes, seed);
        let (model, data) = files.map(|files| (files.model, files.data)).unwrap_or_default();
        Sources { model: self.folder.join(model), data: self.folder.join(data) }
    }

    fn build(&self, config: &Config, variant: Variant, seed: u64, halt: &AtomicBool) -> Result<Ended, Halt<WorkError>> {
        let Some(synthesis) = self.sweep.synthesis() else { return Err(Halt::Error(WorkError::NoSynthesis)) };
        let liberty = synthesis.liberty(variant.target).map(|liberty| self.folder.join(liberty));
        let place = synthesis.is_placed(variant.target).then_some(seed);
        let request = request(synthesis, config, variant, place, liberty.as_deref());
        let outcome = match synthesize(&request, &self.cache, halt) {
            Ok(outcome) => outcome,
            Err(SynthError::Interrupted) => return Err(Halt::Interrupted),
            Err(error) => return Err(Halt::Error(error.into())),
        };
        let result = serde_json::to_value(&outcome).map_err(|error| Halt::Error(error.into()))?;
        Ok(match outcome {
            Outcome::Done { .. } => Ended::Done(result),
            Outcome::Failed { stage, reason, .. } => Ended::Failed(format!("{stage}: {reason}"), Some(result)),
            Outcome::TimedOut { stage, after, .. } => {
                Ended::Failed(format!("{stage}: not ended after {}", synth::limit(after)), Some(result))
            }
        })
    }
}

/// What a measurement is to the sweep: files that are not as they must be stop it, and a run that goes wrong is that point's result.
fn measured<T: Serialize>(result: Result<T, MeasureError>) -> Result<Ended, Halt<WorkError>> {
    match result {
        Ok(result) => match serde_json::to_value(result) {
            Ok(result) => Ok(Ended::Done(result)),
            Err(error) => Err(Halt::Error(error.into())),
        },
        Err(MeasureError::Refused(refusal)) => Ok(Ended::Refused(refusal.to_string())),
        Err(MeasureError::Failed(failure @ (Failure::Case(_) | Failure::Run(_) | Failure::Counters))) => {
            Ok(Ended::Failed(failure.to_string(), None))
        }
        Err(MeasureError::Failed(failure)) => Err(Halt::Error(failure.into())),
    }
}

fn request<'a>(
    synthesis: &Synthesis,
    config: &'a Config,
    variant: Variant,
    place: Option<u64>,
    liberty: Option<&'a Path>,
) -> Request<'a> {
    let Variant { block, target, dsp } = variant;
    Request { config, block, target, dsp, place, liberty, timeout: synthesis.timeout() }
}

/// The builds of a plan's points that are not among `known`, by their places in the plan. Points share a build whose Verilog, tools
/// and options are the same, so this writes the Verilog of each machine, with that many threads.
pub fn builds(
    sweep: &Sweep,
    plan: &Plan,
    known: &HashMap<usize, Vec<Build>>,
    folder: &Path,
    jobs: usize,
    interrupted: &AtomicBool,
) -> Result<HashMap<usize, Vec<Build>>, WorkError> {
    let Some(synthesis) = sweep.synthesis() else { return Ok(HashMap::new()) };
    // Points with the same machine have the same builds, whatever their network.
    let mut machines: BTreeMap<String, (Config, Vec<usize>)> = BTreeMap::new();
    for (place, planned) in plan.points.iter().enumerate().filter(|(place, _)| !known.contains_key(place)) {
        let refuse = |reason| WorkError::Point { axes: planned.axes.to_string(), reason };
        let config = sweep.point(&planned.axes).map_err(refuse)?.config;
        machines.entry(config.to_toml()).or_insert((config, Vec::new())).1.push(place);
    }
    let machines: Vec<(Config, Vec<usize>)> = machines.into_values().collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Ok(HashMap::new()));
    let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(machines.len()) {
            scope.spawn(|| {
                while let Some((config, places)) = machines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let builds = match interrupted.load(Ordering::Relaxed) {
                        true => Err(SynthError::Interrupted),
                        false => builds_of(synthesis, config, folder),
                    };
                    match (&mut *lock(), builds) {
                        (Ok(found), Ok(builds)) => found.extend(places.iter().map(|place| (*place, builds.clone()))),
                        (Err(_), _) => return,
                        (found, Err(error)) => {
                            *found = Err(error);
                            return;
                        }
                    }
                }
            });
        }
    });
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner)?)
}

fn builds_of(synthesis: &Synthesis, config: &Config, folder: &Path) -> Result<Vec<Build>, SynthError> {
    let build = |variant: Variant| {
        let liberty = synthesis.liberty(variant.target).map(|liberty| folder.join(liberty));
        let work = synth::key(&request(synthesis, config, variant, None, liberty.as_deref()))?;
        Ok(Build { variant, work })
    };
    synthesis.variants().into_iter().map(build).collect()
}

/// The tools of a sweep's builds.
pub fn tools(sweep: &Sweep) -> Result<Vec<Found>, WorkError> {
    let mut tools: Vec<Found> = Vec::new();
    let Some(synthesis) = sweep.synthesis() else { return Ok(tools) };
    for Variant { target, .. } in synthesis.variants() {
        let versions = synth::versions(target, synthesis.is_placed(target))?;
        for found in std::iter::once(versions.yosys).chain(versions.nextpnr) {
            if !tools.contains(&found) {
                tools.push(found);
            }
        }
    }
    Ok(tools)
}
