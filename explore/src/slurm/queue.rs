//! What Slurm's commands are asked and answer.

use super::Error;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};

/// What the queue says of one element of a job array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// With Slurm's reason.
    Waiting(String),
    Running,
    /// Its script ended with status 0.
    Completed,
    /// Anything else that is the end of it.
    Ended(Ending),
}

/// How an element ended, in Slurm's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub state: String,
    pub reason: String,
    /// Empty if it never began.
    pub node: String,
}

impl State {
    fn of(state: &str, reason: &str, node: &str) -> Self {
        match state {
            "COMPLETED" => Self::Completed,
            "RUNNING" | "COMPLETING" | "RESIZING" | "SIGNALING" | "STAGE_OUT" | "STOPPED" | "SUSPENDED" => {
                Self::Running
            }
            "BOOT_FAIL" | "CANCELLED" | "DEADLINE" | "FAILED" | "NODE_FAIL" | "OUT_OF_MEMORY" | "PREEMPTED"
            | "REVOKED" | "TIMEOUT" => {
                Self::Ended(Ending { state: state.to_owned(), reason: reason.to_owned(), node: node.to_owned() })
            }
            // Also states of Slurms to come: to wait for an ended element is better than to run a live one twice.
            _ => Self::Waiting(reason.to_owned()),
        }
    }
}

/// The elements of a job array by index. An element that was cancelled before it began is in no queue, nor is one that ended long ago.
pub type Queue = BTreeMap<usize, State>;

const FORMAT: &str = "--format=%i|%T|%N|%r";

/// Asks Slurm for the elements of a job array.
pub fn ask(job: u64) -> Result<Queue, Error> {
    let output = squeue(&[&format!("--jobs={job}"), FORMAT])?;
    if output.status.success() {
        return parse(&String::from_utf8_lossy(&output.stdout));
    }
    let text = said(&output);
    // A job that ended long ago.
    if text.contains("Invalid job id") {
        return Ok(Queue::new());
    }
    Err(Error::Unreachable { text })
}

/// The id of the job array of that name, if Slurm has one.
pub fn find(job_name: &str) -> Result<Option<u64>, Error> {
    let output = squeue(&[&format!("--name={job_name}"), "--format=%F"])?;
    if !output.status.success() {
        return Err(Error::Unreachable { text: said(&output) });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(line) = text.lines().next() else { return Ok(None) };
    line.trim().parse().map(Some).map_err(|_| Error::Answer { tool: "squeue", text: line.to_owned() })
}

/// Submits; returns the job's id.
pub fn submit(arguments: &[std::ffi::OsString]) -> Result<u64, Error> {
    let output = run("sbatch", Command::new("sbatch").arg("--parsable").args(arguments))?;
    if !output.status.success() {
        return Err(Error::Refused { text: said(&output) });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| Error::Answer { tool: "sbatch", text: text.trim().to_owned() })
}

fn squeue(arguments: &[&str]) -> Result<Output, Error> {
    let mut command = Command::new("squeue");
    // The user's own filters and formats would hide elements.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SQUEUE_") {
            command.env_remove(name);
        }
    }
    run("squeue", command.args(["--noheader", "--array", "--states=all"]).args(arguments))
}

fn run(tool: &'static str, command: &mut Command) -> Result<Output, Error> {
    command.stdin(Stdio::null()).output().map_err(|source| match source.kind() {
        ErrorKind::NotFound => Error::Missing { tool },
        _ => Error::Tool { tool, source },
    })
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    if text.trim().is_empty() {
        return output.status.to_string();
    }
    text.trim().to_owned()
}

/// Reads lines of [`FORMAT`]: `12_3|RUNNING|node0|None`.
fn parse(text: &str) -> Result<Queue, Error> {
    let line = |line: &str| {
        let mut fields = line.splitn(4, '|');
        let (id, state, node, reason) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let element = id.rsplit_once('_')?.1.parse().ok()?;
        Some((element, State::of(state, reason, node)))
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|text| line(text).ok_or_else(|| Error::Answer { tool: "squeue", text: text.to_owned() })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // As squeue of Slurm 22.05.8 answered for an array 1,2,3,5-8%2 with a failed, a cancelled and waiting elements.
    const ANSWER: &str = "\
6_6|PENDING||JobArrayTaskLimit
6_7|PENDING||Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions
6_5|RUNNING|node0|None
6_1|COMPLETED|node1|None
6_2|FAILED|node1|NonZeroExitCode
6_3|CANCELLED|node0|None
";

    #[test]
    fn states_are_those_of_the_queue() {
        let ended = |state: &str, reason: &str, node: &str| {
            State::Ended(Ending { state: state.into(), reason: reason.into(), node: node.into() })
        };
        let down = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions";
        let expected = Queue::from([
            (1, State::Completed),
            (2, ended("FAILED", "NonZeroExitCode", "node1")),
            (3, ended("CANCELLED", "None", "node0")),
            (5, State::Running),
            (6, State::Waiting("JobArrayTaskLimit".into())),
            (7, State::Waiting(down.into())),
        ]);
        assert_eq!(parse(ANSWER).unwrap(), expected);
        assert_eq!(parse("").unwrap(), Queue::new());
        assert_eq!(State::of("HIBERNATING", "why", ""), State::Waiting("why".into()));
    }

    #[test]
    fn other_answers_are_errors_that_show_them() {
        for text in ["6_1|RUNNING", "6|RUNNING|node0|None", "6_[1-4]|PENDING||None", "CLUSTER: far"] {
            assert_eq!(
                parse(text).unwrap_err().to_string(),
                format!("squeue answered {text:?}, which was not expected")
            );
        }
    }
}
