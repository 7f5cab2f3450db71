//! `systole sweep --dry-run`.

use super::{counts, progress, Task};
use crate::files;
use crate::interrupt::Interrupted;
use anyhow::Result;
use explore::run::Halt;
use explore::store::{Ended, Kind, Progress, Store};
use explore::work::Work;
use std::collections::BTreeSet;
use std::time::Instant;

/// Tasks of a kind that are run to know how long one takes.
const SAMPLES: usize = 3;

pub(super) fn run(task: &Task<'_>) -> Result<bool> {
    // A results file that nobody sees tells what there would be to do.
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(&folder.path().join("dry.sqlite"), &task.sweep, &task.inputs, "")?;
    task.register(&mut store)?;
    let mut source = Vec::new();
    if task.results.exists() {
        let collected = store.collect(&task.results)?;
        if collected.new > 0 {
            source.push(format!("{} tasks that ended in {}", collected.new, task.results.display()));
        }
    }
    if let Some(synthesis) = task.sweep.synthesis() {
        store.retry_timed_out(synthesis.timeout())?;
    }
    let before = store.progress()?;
    let mut known = before;
    let samples = sample(task, &store, &mut known)?;
    if samples > 0 {
        source.push(format!("{samples} tasks that were run for it"));
    }
    let mut text = task.head();
    line!(text, "tasks      {}", counts(&before));
    let builds = store.n_builds()?;
    if builds > 0 {
        line!(text, "           {builds} distinct hardware builds");
    }
    line!(text, "           {} have ended, {} are left", before.ended(), before.left());
    if before.left() > 0 {
        let left = progress::left(&known, task.jobs as u64).map_or_else(|| "not known".to_owned(), progress::clock);
        line!(text, "expected   {left} with {} at a time, by {}", task.jobs, source.join(" and "));
        for (at, name) in ["an evaluation", "a simulation", "a build"].into_iter().enumerate() {
            if known.ended[at] > 0 {
                line!(text, "           {:.3} s {name}", known.seconds[at]);
            }
        }
    }
    files::print(&text)?;
    Ok(true)
}

/// Runs a few tasks of each kind that is left and of which none has ended; how many were run. Nothing is kept of their results.
fn sample(task: &Task<'_>, store: &Store, known: &mut Progress) -> Result<usize> {
    let work = task.work();
    let mut run = 0;
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        if known.pending[at] == 0 || known.ended[at] > 0 {
            continue;
        }
        let samples = store.spread(kind, if kind == Kind::Build { 1 } else { SAMPLES })?;
        let mut seconds = 0.0;
        for sample in &samples {
            let (ended, first) = timed(task, &work, sample)?;
            seconds += match (kind, ended) {
                // Its tools may have run earlier.
                (Kind::Build, Ended::Done(result)) => result["seconds"].as_f64().unwrap_or(first),
                (Kind::Build, _) => first,
                (Kind::Evaluate, _) => {
                    let second = timed(task, &work, sample)?.1;
                    second + (first - second).max(0.0) * firsts(task, known)
                }
                // The evaluations have read the files by then.
                (Kind::Time, _) => timed(task, &work, sample)?.1,
            };
        }
        run += samples.len();
        known.ended[at] = samples.len() as u64;
        known.seconds[at] = seconds / samples.len().max(1) as f64;
    }
    Ok(run)
}

/// The share of evaluations that are the first of their network files, method and bits of activations: these read files and
/// find ranges, which the others then have.
fn firsts(task: &Task<'_>, known: &Progress) -> f64 {
    let axes = task.plan.points.iter().map(|point| &point.axes);
    let kinds: BTreeSet<_> =
        axes.map(|axes| (&axes.network, axes.network_width.to_bits(), &axes.method, axes.activation_bits)).collect();
    let evaluations = known.pending[Kind::Evaluate as usize].max(1);
    ((kinds.len() * task.sweep.seeds().len()) as f64 / evaluations as f64).min(1.0)
}

fn timed(task: &Task<'_>, work: &Work<'_>, sample: &explore::store::Task) -> Result<(Ended, f64)> {
    let start = Instant::now();
    match work.run(sample, task.interrupted) {
        Ok(ended) => Ok((ended, start.elapsed().as_secs_f64())),
        Err(Halt::Interrupted) => Err(Interrupted { left: "nothing is kept of a dry run".to_owned() }.into()),
        Err(Halt::Error(error)) => Err(error.into()),
    }
}
