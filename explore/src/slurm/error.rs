//! Why a sweep could not be given to Slurm, or not be taken back.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What went wrong. None of these loses a result: the same command goes on from where it was.
#[derive(Debug, Error)]
pub enum Error {
    #[error(
        "{tool} is missing: install Slurm's commands (Debian: apt-get install slurm-client), or use --executor local"
    )]
    Missing { tool: &'static str },
    #[error("cannot run {tool}: {source}")]
    Tool { tool: &'static str, source: io::Error },
    #[error("Slurm refused the job: {text}")]
    Refused { text: String },
    #[error("Slurm does not answer: {text}")]
    Unreachable { text: String },
    #[error("{tool} answered {text:?}, which was not expected")]
    Answer { tool: &'static str, text: String },
    #[error("--slurm-option {option:?} must be an option of sbatch that begins with '-', such as --partition=NAME")]
    NoOption { option: String },
    #[error("--slurm-option {option:?} is not the user's to give: the executor sets it, or could not follow the job")]
    OwnOption { option: String },
    #[error("another process submits or waits for the jobs of {}", directory.display())]
    Locked { directory: PathBuf },
    #[error(
        "{} holds jobs of another sweep or subset (fingerprint {theirs}, this one's is {ours}): let them end with its own sweep file, or cancel \
         them and remove the directory",
        directory.display()
    )]
    OtherSweep { directory: PathBuf, theirs: String, ours: String },
    #[error("{} does not parse: {message}", path.display())]
    Submission { path: PathBuf, message: String },
    #[error("cannot {what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
}
