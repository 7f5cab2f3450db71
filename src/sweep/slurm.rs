//! `systole sweep --executor slurm`.

use super::Task;
use crate::args::{Executor, SweepArgs};
use anyhow::{ensure, Context, Result};
use explore::run::Stopped;
use explore::slurm::{self, check_options, Directory, Event, Job, Progress, Submission, Waited};
use explore::store::{Share, Store};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Parts of a sweep if the user does not say.
const PARTS: u32 = 32;

/// Refuses options that do not go together.
pub(super) fn check_args(args: &SweepArgs) -> Result<()> {
    if args.executor == Executor::Local {
        ensure!(args.slurm_array.is_none(), "--slurm-array is for --executor slurm");
        ensure!(args.slurm_options.is_empty(), "--slurm-option is for --executor slurm");
    }
    Ok(check_options(&args.slurm_options)?)
}

/// Waits for what an earlier run submitted, submits the rest, and waits for that; tells how many parts of it did not finish.
pub(super) fn run(task: &Task, store: &mut Store, command: &str) -> Result<(Stopped, usize)> {
    let mut path = task.results.clone().into_os_string();
    path.push(".slurm");
    let directory = Directory::open(&PathBuf::from(path))?;
    let mut print = store.about()?.fingerprint;
    if let Some(name) = &task.args.subset {
        print.push_str(" subset ");
        print.push_str(name);
    }
    let mut failed = 0;
    if let Some(submission) = slurm::resume(&directory, &print)? {
        say(&submission, "was submitted before");
        match wait(task, store, &directory, &submission)? {
            Waited::Interrupted => return Ok((Stopped::Interrupted, 0)),
            Waited::Ended { .. } => {}
        }
    }
    let parts = prepare(task, store, &directory, command)?;
    if !parts.open.is_empty() {
        let submission = submit(task, &directory, &print, &parts)?;
        say(&submission, "is submitted");
        match wait(task, store, &directory, &submission)? {
            Waited::Interrupted => return Ok((Stopped::Interrupted, 0)),
            Waited::Ended { failed: parts } => failed = parts.len(),
        }
    }
    Ok((Stopped::Finished, failed))
}

struct Parts {
    /// With tasks that are left.
    open: Vec<usize>,
    of: usize,
}

/// Gives each part that has something to do a results file with what has ended already.
fn prepare(task: &Task, store: &Store, directory: &Directory, command: &str) -> Result<Parts> {
    directory.clear_parts()?;
    let (progress, tools) = (store.progress()?, store.about()?.tools);
    let of = u64::from(task.args.slurm_array.unwrap_or(PARTS)).min(progress.left());
    let mut open = Vec::new();
    for index in 0..of {
        let number = usize::try_from(index)? + 1;
        let path = directory.results(number);
        let mut part = Store::open_part(&path, &task.sweep, &task.inputs, command)?;
        part.register(&task.plan, &store.known_builds(&task.plan)?, Some(Share { index, of }))?;
        // A node with another version says so; here its results could not be taken.
        for (name, version) in &tools {
            part.same_tool(name, version)?;
        }
        if progress.ended() > 0 {
            part.collect(store.path())?;
        }
        let left = part.progress()?.left();
        drop(part);
        if left > 0 {
            open.push(number);
        } else {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(Parts { open, of: usize::try_from(of)? })
}

fn submit(task: &Task, directory: &Directory, print: &str, parts: &Parts) -> Result<Submission> {
    let program = std::env::current_exe().context("cannot tell where systole is")?;
    let sweep_file = task.args.file.canonicalize().with_context(|| task.args.file.display().to_string())?;
    let mut arguments: Vec<String> = task.args.subset.iter().map(|name| format!("--subset={name}")).collect();
    if task.args.yes {
        arguments.push("--yes".to_owned());
    }
    let job = Job {
        program: &program,
        sweep_file: &sweep_file,
        arguments: &arguments,
        jobs: task.args.jobs,
        options: &task.args.slurm_options,
    };
    Ok(slurm::submit(directory, &job, print, &parts.open, parts.of)?)
}

fn say(submission: &Submission, what: &str) {
    let job = submission.job.unwrap_or_default();
    let (parts, of) = (submission.parts.len(), submission.of);
    eprintln!("systole: job {job} {what}: {parts} of {of} parts; it goes on if this command is stopped, and `scancel {job}` cancels it");
}

fn wait(task: &Task, store: &mut Store, directory: &Directory, submission: &Submission) -> Result<Waited> {
    let mut status = Status::new(submission);
    let collect = |path: &Path| store.collect(path).map(|_| ());
    let waited = slurm::wait(directory, submission, collect, |event| status.show(&event), task.interrupted);
    status.finish();
    Ok(waited?)
}

/// Where the parts are: a bar on a terminal, else a line whenever one has ended.
struct Status {
    bar: Option<ProgressBar>,
    ended: usize,
    parts: usize,
}

impl Status {
    fn new(submission: &Submission) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let parts = submission.parts.len() as u64;
            let bar = ProgressBar::with_draw_target(Some(parts), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} parts, {elapsed}{msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { bar, ended: 0, parts: submission.parts.len() }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Failed(part) => self.line(&part.text()),
            Event::Unreachable(error) => self.line(&format!("{error}; still waiting")),
            Event::Progress(progress) => {
                let ended = progress.finished + progress.failed;
                match &self.bar {
                    Some(bar) => {
                        bar.set_position(ended as u64);
                        bar.set_message(text(progress));
                    }
                    None if ended > self.ended => {
                        eprintln!("systole: {ended} of {} parts{}", self.parts, text(progress))
                    }
                    None => {}
                }
                self.ended = ended;
            }
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("systole: {text}")),
            None => eprintln!("systole: {text}"),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn text(progress: &Progress) -> String {
    let mut text = String::new();
    if progress.failed > 0 {
        text.push_str(&format!(", {} failed", progress.failed));
    }
    if progress.running > 0 {
        text.push_str(&format!(", {} run", progress.running));
    }
    if progress.waiting > 0 {
        let reason = progress.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        text.push_str(&format!(", {} wait{reason}", progress.waiting));
    }
    text
}
