//! `systole sweep --dry-run`.

use super::{counts, progress, Task};
use crate::files;
use anyhow::Result;
use explore::run::Halt;
use explore::store::{Kind, Store};
use explore::work::Work;
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
    let before = store.progress()?;
    let mut known = before;
    let samples = sample(task, &store, &mut known)?;
    if samples > 0 {
        source.push(format!("{samples} tasks that were run for it"));
    }
    let mut text = task.head();
    line!(text, "tasks      {}", counts(&before));
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
fn sample(task: &Task<'_>, store: &Store, known: &mut explore::store::Progress) -> Result<usize> {
    let work = Work::new(&task.sweep, task.folder.clone());
    let mut run = 0;
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        if known.pending[at] == 0 || known.ended[at] > 0 {
            continue;
        }
        let samples = store.spread(kind, SAMPLES)?;
        let (mut seconds, mut ended) = (0.0, 0u64);
        for sample in &samples {
            // Files are read by the first; of the many tasks that follow few read any.
            for counted in [false, true] {
                let start = Instant::now();
                match work.run(sample, task.interrupted) {
                    Ok(_) => {}
                    Err(Halt::Interrupted) => {
                        return Err(crate::interrupt::Interrupted { left: "nothing was kept".to_owned() }.into())
                    }
                    Err(Halt::Error(error)) => return Err(error.into()),
                }
                if counted {
                    seconds += start.elapsed().as_secs_f64();
                    ended += 1;
                }
            }
        }
        run += samples.len();
        known.ended[at] = ended;
        known.seconds[at] = seconds / ended.max(1) as f64;
    }
    Ok(run)
}
