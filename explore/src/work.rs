//! What the tasks of a sweep do.

use crate::measure::{evaluate, time, Failure, MeasureError, Sources, Workbench};
use crate::point::Point;
use crate::run::Halt;
use crate::store::{Ended, Kind, Task};
use crate::sweep::Sweep;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use thiserror::Error;

/// Why no task like it can be done.
#[derive(Debug, Error)]
pub enum WorkError {
    #[error(transparent)]
    Measure(#[from] Failure),
    #[error("a result cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The results file says so; the sweep file never does.
    #[error("{axes} is no point of the sweep: {reason}")]
    Point { axes: String, reason: String },
}

/// Does the tasks of one sweep; shared by threads.
pub struct Work<'a> {
    sweep: &'a Sweep,
    /// What paths of the sweep file are relative to.
    folder: PathBuf,
    workbench: Workbench,
}

impl<'a> Work<'a> {
    pub fn new(sweep: &'a Sweep, folder: PathBuf) -> Self {
        Self { sweep, folder, workbench: Workbench::new(Workbench::MOST_BYTES) }
    }

    /// Does a task, or stops soon after `halt` is set.
    pub fn run(&self, task: &Task, _halt: &AtomicBool) -> Result<Ended, Halt<WorkError>> {
        let axes = || task.axes.to_string();
        let point = self.sweep.point(&task.axes);
        let point = point.map_err(|reason| Halt::Error(WorkError::Point { axes: axes(), reason }))?;
        match task.kind {
            Kind::Evaluate => measured(evaluate(&self.workbench, &point, &self.sources(&point, task.seed), task.seed)),
            Kind::Time => {
                let simulation = self.sweep.simulation();
                measured(time(&self.workbench, &point, &self.sources(&point, task.seed), &simulation))
            }
            Kind::Build => unreachable!(),
        }
    }

    fn sources(&self, point: &Point, seed: u64) -> Sources {
        let files = self.sweep.files(&point.axes, seed);
        let (model, data) = files.map(|files| (files.model, files.data)).unwrap_or_default();
        Sources { model: self.folder.join(model), data: self.folder.join(data) }
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
