//! Waiting for the parts of a submission.

use super::directory::{Directory, Submission};
use super::part::{judge, Failure, Part};
use super::queue::{self, Queue, State};
use super::Error;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Slurm's commands may fail for as long as this before waiting is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// Slurm is asked every twentieth of the time waited so far, within these.
const PERIOD: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(15)];
/// How many lines of a log are shown.
const TAIL_LINES: usize = 5;
/// How many bytes of a log are read for that.
const TAIL_BYTES: u64 = 4096;

/// What to tell the user meanwhile.
#[derive(Debug)]
pub enum Event<'a> {
    Progress(&'a Progress),
    Failed(&'a FailedPart),
    /// Slurm's commands fail; the parts' marks are still looked for.
    Unreachable(&'a Error),
}

/// Parts by where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub finished: usize,
    pub failed: usize,
    pub running: usize,
    pub waiting: usize,
    /// Why the first of those that wait does, in Slurm's words.
    pub reason: Option<String>,
}

/// A part that did not finish.
#[derive(Clone, Debug)]
pub struct FailedPart {
    pub part: usize,
    pub of: usize,
    pub job: u64,
    pub failure: Failure,
    /// Where its output is, if it left any.
    pub log: Option<PathBuf>,
    /// The last lines of the log.
    pub tail: String,
}

impl FailedPart {
    /// Over several lines.
    pub fn text(&self) -> String {
        let Self { part, of, job, failure, .. } = self;
        let mut text = format!("part {part} of {of} (job {job}_{part}) {}", failure.text());
        match &self.log {
            Some(log) if self.tail.is_empty() => text.push_str(&format!("; its log {} is empty", log.display())),
            Some(log) => {
                text.push_str(&format!("; the end of its log {}:", log.display()));
                for line in self.tail.lines() {
                    text.push_str("\n    ");
                    text.push_str(line);
                }
            }
            // A part that never began has no log either.
            None if failure.is_before_begin() => {}
            None => text.push_str("; it left no log: can the node see the results directory, and write to it?"),
        }
        text
    }
}

/// How waiting for a submission ended.
#[derive(Debug)]
pub enum Waited {
    /// All parts have ended and are collected.
    Ended { failed: Vec<FailedPart> },
    /// The jobs go on, and the next call goes on waiting.
    Interrupted,
}

/// Why waiting ended early: a reason of Slurm, or of whoever takes a part's results.
#[derive(Debug, thiserror::Error)]
pub enum WaitError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Slurm(#[from] Error),
    #[error(transparent)]
    Collect(E),
}

/// Waits for the parts, and has each collected as it ends: `collect` takes a part's results file, of a failed part too, and may be given
/// one again after an interruption.
pub fn wait<E: std::error::Error>(
    directory: &Directory,
    submission: &Submission,
    mut collect: impl FnMut(&Path) -> Result<(), E>,
    mut observe: impl FnMut(Event),
    interrupted: &AtomicBool,
) -> Result<Waited, WaitError<E>> {
    let Some(job) = submission.job else { return Ok(Waited::Ended { failed: Vec::new() }) };
    let begin = Instant::now();
    let mut silent_since: Option<Instant> = None;
    let mut watch = Watch { directory, submission, open: submission.parts.clone(), unmarked: BTreeMap::new() };
    let mut failed = Vec::new();
    while !watch.open.is_empty() {
        // Before the marks: what has ended by then has left its mark.
        let queue = match queue::ask(job) {
            Ok(queue) => {
                silent_since = None;
                Some(queue)
            }
            Err(_) if interrupted.load(Ordering::Relaxed) => return Ok(Waited::Interrupted),
            Err(error @ Error::Unreachable { .. }) => {
                match silent_since {
                    Some(since) if since.elapsed() > PATIENCE => return Err(error.into()),
                    Some(_) => {}
                    None => {
                        observe(Event::Unreachable(&error));
                        silent_since = Some(Instant::now());
                    }
                }
                None
            }
            Err(error) => return Err(error.into()),
        };
        let ended = watch.look(queue.as_ref())?;
        for (part, failure) in ended {
            let results = directory.results(part);
            if results.exists() {
                collect(&results).map_err(WaitError::Collect)?;
            }
            if let Some(failure) = failure {
                let part = examine(directory, submission.of, job, part, failure);
                observe(Event::Failed(&part));
                failed.push(part);
            }
            watch.open.retain(|&open| open != part);
        }
        observe(Event::Progress(&watch.progress(queue.as_ref(), failed.len())));
        let period = (begin.elapsed() / 20).clamp(PERIOD[0], PERIOD[1]);
        if !watch.open.is_empty() && !sleep(period, interrupted) {
            return Ok(Waited::Interrupted);
        }
    }
    let logs: Vec<PathBuf> = failed.iter().filter_map(|part: &FailedPart| part.log.clone()).collect();
    directory.close(&logs)?;
    Ok(Waited::Ended { failed })
}

/// The parts that have not ended.
struct Watch<'a> {
    directory: &'a Directory,
    submission: &'a Submission,
    open: Vec<usize>,
    /// Those that seem to have ended without a mark, and since when.
    unmarked: BTreeMap<usize, Instant>,
}

impl Watch<'_> {
    /// The parts that have ended, with what went wrong. Without a queue only marks count.
    fn look(&mut self, queue: Option<&Queue>) -> Result<Vec<(usize, Option<Failure>)>, Error> {
        if !self.unmarked.is_empty() {
            self.directory.look_again()?;
        }
        let mut ended = Vec::new();
        for &part in &self.open {
            let state = queue.map_or(Some(&State::Running), |queue| queue.get(&part));
            let unmarked_for = self.unmarked.get(&part).map_or(Duration::ZERO, Instant::elapsed);
            match judge(state, self.directory.is_done(part), unmarked_for) {
                Part::Pending => {}
                Part::Unmarked => {
                    self.unmarked.entry(part).or_insert_with(Instant::now);
                }
                Part::Finished if self.directory.results(part).exists() => ended.push((part, None)),
                Part::Finished => ended.push((part, Some(Failure::NoResults))),
                Part::Failed(failure) => ended.push((part, Some(failure))),
            }
        }
        Ok(ended)
    }

    fn progress(&self, queue: Option<&Queue>, failed: usize) -> Progress {
        let reason = |part| match queue?.get(part)? {
            State::Waiting(reason) => Some(reason),
            State::Running | State::Completed | State::Ended(_) => None,
        };
        let reasons: Vec<&String> = self.open.iter().filter_map(reason).collect();
        Progress {
            finished: self.submission.parts.len() - self.open.len() - failed,
            failed,
            running: self.open.len() - reasons.len(),
            waiting: reasons.len(),
            reason: reasons.first().map(ToString::to_string),
        }
    }
}

/// Whether it slept to the end.
fn sleep(period: Duration, interrupted: &AtomicBool) -> bool {
    let end = Instant::now() + period;
    while Instant::now() < end {
        if interrupted.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

/// What there is to say of a failed part.
fn examine(directory: &Directory, of: usize, job: u64, part: usize, failure: Failure) -> FailedPart {
    let log = directory.log(job, part);
    // A log that cannot be read is as good as none.
    let tail = tail(&log).ok();
    FailedPart { part, of, job, failure, log: tail.is_some().then_some(log), tail: tail.unwrap_or_default() }
}

/// The last lines of a file.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL_BYTES)))?;
    let mut end = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}
