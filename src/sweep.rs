//! `systole sweep`.

mod dry_run;
mod front;
mod progress;
mod slurm;

use crate::args::{Executor, SweepArgs};
use crate::files;
use crate::interrupt::{self, Interrupted};
use anyhow::{ensure, Context, Result};
use explore::export;
use explore::row::Row;
use explore::run::{run as run_tasks, Stopped};
use explore::store::{sha256, Kind, Progress, Store};
use explore::sweep::{Plan, Sweep, Synthesis};
use explore::synth::tools::Found;
use explore::synth::SynthError;
use explore::work::{self, Work, WorkError};
use progress::Bar;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Reasons that are told by number of points; the others are counted together.
const MOST_REASONS: usize = 8;

/// The place of builds in [`Progress`].
const BUILD: usize = Kind::Build as usize;

/// A sweep with everything that is found out before any task.
struct Task<'a> {
    args: &'a SweepArgs,
    sweep: Sweep,
    plan: Plan,
    /// What paths of the sweep file are relative to.
    folder: PathBuf,
    inputs: Vec<(PathBuf, String)>,
    results: PathBuf,
    jobs: usize,
    interrupted: &'static AtomicBool,
}

pub fn run(args: &SweepArgs) -> Result<bool> {
    slurm::check_args(args)?;
    let interrupted = interrupt::flag()?;
    let at = || args.file.display().to_string();
    let sweep = Sweep::read(&args.file).with_context(at)?;
    let plan = sweep.plan(args.subset.as_deref(), args.yes, interrupted).with_context(at)?;
    let folder = args.file.parent().unwrap_or(Path::new("")).to_owned();
    let results = args.results.clone().unwrap_or_else(|| format!("{}.sqlite", sweep.name()).into());
    let inputs = sweep.inputs(&plan, &folder).with_context(at)?;
    check_outputs(args, &results, &folder, &inputs)?;
    let hashed = inputs.into_iter().map(|input| Ok((input.clone(), sha256(&folder.join(&input))?)));
    let inputs = hashed.collect::<Result<Vec<_>>>()?;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let jobs = args.jobs.map_or(cores, |jobs| jobs as usize);
    let task = Task { args, sweep, plan, folder, inputs, results, jobs, interrupted };
    match args.dry_run {
        true => dry_run::run(&task),
        false => task.run(),
    }
}

/// Refuses outputs that cannot be written, or that are inputs.
fn check_outputs(args: &SweepArgs, results: &Path, folder: &Path, inputs: &[PathBuf]) -> Result<()> {
    let outputs =
        [("--results", Some(results.to_owned())), ("--csv", args.csv.clone()), ("--parquet", args.parquet.clone())];
    let outputs: Vec<(&str, &Option<PathBuf>)> = outputs.iter().map(|(option, path)| (*option, path)).collect();
    files::check_distinct(&outputs)?;
    for (option, output) in &outputs {
        let Some(output) = output else { continue };
        match *option {
            "--results" => files::check_place(output)?,
            _ => files::check_writable(output)?,
        }
        for beside in ["-wal", "-shm", "-journal"] {
            let mut file = results.as_os_str().to_owned();
            file.push(beside);
            ensure!(!files::is_same(output, Path::new(&file)), "{option} {} is a part of --results", output.display());
        }
        for input in
            inputs.iter().map(|input| folder.join(input)).chain([args.file.clone()]).chain(args.collect.clone())
        {
            ensure!(!files::is_same(output, &input), "{option} {} is a file that the sweep reads", output.display());
        }
    }
    Ok(())
}

impl Task<'_> {
    fn run(&self) -> Result<bool> {
        let command: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let command = command.join(" ");
        let open = if self.args.part.is_some() { Store::open_part } else { Store::open };
        let mut store = open(&self.results, &self.sweep, &self.inputs, &command)?;
        self.register(&mut store)?;
        store.set_extrapolates(self.args.extrapolate)?;
        for part in &self.args.collect {
            store.collect(part)?;
        }
        let mut before = store.progress()?;
        let timeout = self.sweep.synthesis().map_or(Duration::ZERO, Synthesis::timeout);
        let timed_out = store.timed_out(timeout)?;
        let start = Instant::now();
        let (mut stopped, mut unfinished_parts) = (Stopped::Finished, 0);
        if before.left() + timed_out > 0 && self.args.collect.is_empty() {
            store.same_tool("Systole", env!("CARGO_PKG_VERSION"))?;
            if before.pending[BUILD] + before.claimed[BUILD] + timed_out > 0 {
                for Found { tool, line, .. } in work::tools(&self.sweep)? {
                    store.same_tool(tool.name(), &line)?;
                }
            }
            store.retry_timed_out(timeout)?;
            before = store.progress()?;
            match self.args.executor {
                Executor::Local => stopped = self.run_here(&mut store, &before, &command)?,
                Executor::Slurm => (stopped, unfinished_parts) = slurm::run(self, &mut store, &command)?,
            }
        }
        let after = store.progress()?;
        if stopped == Stopped::Interrupted && after.left() > 0 {
            let left = format!(
                "{} of {} tasks are left, and what ended is in {}; run the same command again to go on",
                after.left(),
                after.left() + after.ended(),
                self.results.display()
            );
            return Err(Interrupted { left }.into());
        }
        let ordinals: HashSet<u64> = self.plan.points.iter().map(|point| point.ordinal).collect();
        let rows = store.rows_of(|ordinal| ordinals.contains(&ordinal))?;
        let mut text = self.head();
        self.tasks(&before, &after, start.elapsed().as_secs_f64(), &mut text);
        let differing = outcomes(&rows, &mut text);
        front::list(&rows, &mut text);
        self.export(&rows, &mut text)?;
        files::print(&text)?;
        ensure!(
            unfinished_parts == 0,
            "{unfinished_parts} parts of the job array did not finish: {} tasks are left; run the same command again to submit them",
            after.left()
        );
        Ok(differing == 0)
    }

    fn run_here(&self, store: &mut Store, before: &Progress, command: &str) -> Result<Stopped> {
        let work = self.work();
        let mut bar = Bar::new(before);
        let worked = run_tasks(
            store,
            self.jobs,
            command,
            self.interrupted,
            &|task, halt| work.run(task, halt),
            &mut |progress| bar.show(progress),
        );
        bar.finish();
        Ok(worked?)
    }

    fn work(&self) -> Work<'_> {
        Work::new(&self.sweep, self.folder.clone(), files::cache().join("synth"))
    }

    /// Enters points and tasks in the results file.
    fn register(&self, store: &mut Store) -> Result<()> {
        let known = store.known_builds(&self.plan)?;
        let new = work::builds(&self.sweep, &self.plan, &known, &self.folder, self.jobs, self.interrupted);
        let new = match new {
            Err(WorkError::Synth(SynthError::Interrupted)) => {
                return Err(Interrupted { left: "no task was begun".to_owned() }.into());
            }
            new => new?,
        };
        store.register(&self.plan, &new, self.args.part)?;
        Ok(())
    }

    fn head(&self) -> String {
        let (mut text, plan) = (String::new(), &self.plan);
        line!(text, "Systole {}: sweep {}, {}", env!("CARGO_PKG_VERSION"), self.sweep.name(), self.args.file.display());
        let subset = self.args.subset.iter().map(|name| format!(" in subset {name}")).collect::<String>();
        line!(text, "points     {}{subset}, of a product of {}", plan.points.len(), plan.product);
        if plan.excluded > 0 {
            line!(
                text,
                "           {} left out by constraints{}",
                plan.excluded,
                if subset.is_empty() { "" } else { " and the subset" }
            );
        }
        let skipped: u64 = plan.skipped.values().sum();
        if skipped > 0 {
            line!(text, "           {skipped} skipped: they break a rule of the configuration");
            reasons(plan.skipped.iter().map(|(reason, points)| (reason.as_str(), *points)), &mut text);
        }
        text
    }

    fn tasks(&self, before: &Progress, after: &Progress, seconds: f64, text: &mut String) {
        line!(text, "tasks      {}", counts(after));
        let (ended, now) = (before.ended(), after.ended() - before.ended());
        match now {
            _ if !self.args.collect.is_empty() => {
                line!(text, "           {} have ended, {} are left", after.ended(), after.left());
            }
            0 => line!(text, "           all had ended before: nothing was run, no tool was started"),
            _ => line!(text, "           {ended} had ended before, {now} ended now in {seconds:.1} s"),
        }
    }

    fn export(&self, rows: &[Row], text: &mut String) -> Result<()> {
        line!(text, "results    {}", self.results.display());
        if let Some(path) = &self.args.csv {
            files::write_with(path, |out| Ok(export::csv(rows, out)?))?;
            line!(text, "wrote      {}: {} rows", path.display(), rows.len());
        }
        if let Some(path) = &self.args.parquet {
            files::write(path, &export::parquet(rows)?)?;
            line!(text, "wrote      {}: {} rows", path.display(), rows.len());
        }
        Ok(())
    }
}

/// Tasks by what they do.
fn counts(progress: &Progress) -> String {
    let count = |at: usize| progress.pending[at] + progress.claimed[at] + progress.ended[at];
    let names = ["evaluations (accuracy of a network and seed)", "simulations (cycles)", "builds"];
    let parts = (0..Kind::ALL.len()).filter(|at| count(*at) > 0).map(|at| format!("{} {}", count(at), names[at]));
    parts.collect::<Vec<_>>().join(", ")
}

/// Says how the points fared; how many have values that are not golden's.
fn outcomes(rows: &[Row], text: &mut String) -> usize {
    // A point has a row for each build.
    let mut points: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in rows {
        points.insert(row.point.as_deref().unwrap_or_default(), row);
    }
    let networks = points.values().map(|row| (row.status.as_deref(), row.reason.as_deref()));
    statuses("points", &["done", "pending", "refused", "failed"], networks, text);
    let builds = rows.iter().map(|row| (row.build_status.as_deref(), row.build_reason.as_deref()));
    statuses("builds of points", &["done", "pending", "failed", "timed out", "extrapolated"], builds, text);
    let differing = points.values().filter(|row| row.differing.is_some_and(|differing| differing > 0)).count();
    if differing > 0 {
        line!(text, "DIFFERENT  {differing} points have simulated values that are not golden's");
    }
    differing
}

/// Counts by status, with the reasons of what is not well.
fn statuses<'a>(
    what: &str,
    known: &[&str],
    found: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)> + Clone,
    text: &mut String,
) {
    for status in known {
        let of = found.clone().filter(|(found, _)| found == &Some(*status));
        let mut by_reason: BTreeMap<&str, u64> = BTreeMap::new();
        let mut count = 0;
        for (_, reason) in of {
            count += 1;
            if let Some(reason) = reason {
                *by_reason.entry(reason).or_default() += 1;
            }
        }
        if count > 0 {
            line!(text, "{status:<10} {count} {what}");
            reasons(by_reason.into_iter(), text);
        }
    }
}

/// Lists reasons with the points that they are of, the most frequent first.
fn reasons<'a>(reasons: impl Iterator<Item = (&'a str, u64)>, text: &mut String) {
    let mut reasons: Vec<(&str, u64)> = reasons.collect();
    reasons.sort_by_key(|(_, points)| std::cmp::Reverse(*points));
    for (reason, points) in reasons.iter().take(MOST_REASONS) {
        line!(text, "           {points:>5}  {reason}");
    }
    let others: u64 = reasons.iter().skip(MOST_REASONS).map(|(_, points)| points).sum();
    if others > 0 {
        line!(text, "           {others:>5}  for {} other reasons", reasons.len() - MOST_REASONS);
    }
}
