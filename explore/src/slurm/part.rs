//! What becomes of a part.

use super::queue::{Ending, State};
use std::time::Duration;

/// Where a part of the sweep is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It waits or runs.
    Pending,
    /// Ended, as it seems, without a mark: a network file system may show the mark a little later.
    Unmarked,
    Finished,
    Failed(Failure),
}

/// Why a part gave no full results. What it has is collected all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Ended(Ending),
    /// Slurm does not know it, and it left no mark.
    Gone,
    /// It says that it is done, and has no results file.
    NoResults,
    /// Its script ended well and left no mark.
    NoMark,
}

impl Failure {
    /// Whether it may be that no node has had it.
    pub fn is_before_begin(&self) -> bool {
        match self {
            Self::Gone => true,
            Self::Ended(ending) => ending.node.is_empty(),
            Self::NoResults | Self::NoMark => false,
        }
    }

    /// As a clause after the part's name.
    pub fn text(&self) -> String {
        match self {
            Self::Ended(Ending { state, reason, node }) => {
                let place = if node.is_empty() { String::new() } else { format!(" on {node}") };
                let reason = if matches!(reason.as_str(), "" | "None") { String::new() } else { format!(": {reason}") };
                format!("ended as {state}{place}{reason}")
            }
            Self::Gone => "is in Slurm's queue no more and did not finish: it was cancelled".to_owned(),
            Self::NoResults => "says that it is done, and its results file is not there".to_owned(),
            Self::NoMark => "ended well and left no mark in the shared directory".to_owned(),
        }
    }
}

/// How long a mark may take to be seen.
const GRACE: Duration = Duration::from_secs(5);

/// Judges a part by the queue, asked before its mark was looked for, and by how long it has been unmarked.
pub fn judge(state: Option<&State>, is_marked: bool, unmarked_for: Duration) -> Part {
    let is_late = unmarked_for >= GRACE;
    match state {
        _ if is_marked => Part::Finished,
        Some(State::Waiting(_) | State::Running) => Part::Pending,
        Some(State::Ended(ending)) => Part::Failed(Failure::Ended(ending.clone())),
        Some(State::Completed) if is_late => Part::Failed(Failure::NoMark),
        None if is_late => Part::Failed(Failure::Gone),
        Some(State::Completed) | None => Part::Unmarked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_finished_by_its_mark_and_failed_by_its_end_without_one() {
        let killed = Ending { state: "TIMEOUT".into(), reason: "TimeLimit".into(), node: "node3".into() };
        let ended = State::Ended(killed.clone());
        let waiting = State::Waiting("Resources".into());
        let (soon, late) = (Duration::from_secs(1), Duration::from_secs(5));
        for state in [None, Some(&waiting), Some(&State::Running), Some(&State::Completed), Some(&ended)] {
            assert_eq!(judge(state, true, soon), Part::Finished, "{state:?}");
        }
        assert_eq!(judge(Some(&waiting), false, late), Part::Pending);
        assert_eq!(judge(Some(&State::Running), false, late), Part::Pending);
        assert_eq!(judge(Some(&ended), false, soon), Part::Failed(Failure::Ended(killed)));
        assert_eq!(judge(Some(&State::Completed), false, soon), Part::Unmarked);
        assert_eq!(judge(Some(&State::Completed), false, late), Part::Failed(Failure::NoMark));
        assert_eq!(judge(None, false, soon), Part::Unmarked);
        assert_eq!(judge(None, false, late), Part::Failed(Failure::Gone));
    }

    #[test]
    fn a_failure_says_how_it_ended() {
        let ended = |state: &str, reason: &str, node: &str| {
            Failure::Ended(Ending { state: state.into(), reason: reason.into(), node: node.into() }).text()
        };
        assert_eq!(ended("FAILED", "NonZeroExitCode", "node1"), "ended as FAILED on node1: NonZeroExitCode");
        assert_eq!(ended("CANCELLED", "None", ""), "ended as CANCELLED");
    }
}
