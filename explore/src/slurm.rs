//! Sweeps on many machines: a job array of Slurm, an element a part of the sweep.
//!
//! Everything passes through a [`Directory`] on a file system that the nodes share. Each part writes a results file of its own there, since
//! SQLite cannot share one over a network, and a mark when it is done; this process alone writes the sweep's results file. A submission is
//! recorded before sbatch is asked, under a name that no other has, so that none is submitted twice, whenever this process ends.

mod directory;
mod error;
mod part;
mod queue;
mod script;
mod wait;

pub use directory::{Directory, Submission};
pub use error::Error;
pub use part::Failure;
pub use script::{check_options, Job};
pub use wait::{wait, Event, FailedPart, Progress, WaitError, Waited};

use directory::file;
use sha2::{Digest, Sha256};
use std::fs;
use std::time::SystemTime;

/// Takes up what an earlier process left in the directory: its submission if Slurm has it. None if nothing is to be waited for.
pub fn resume(directory: &Directory, fingerprint: &str) -> Result<Option<Submission>, Error> {
    let Some(mut submission) = directory.submission()? else { return Ok(None) };
    if submission.fingerprint != fingerprint {
        return Err(Error::OtherSweep {
            directory: directory.path().to_owned(),
            theirs: submission.fingerprint,
            ours: fingerprint.to_owned(),
        });
    }
    if submission.job.is_none() {
        // The process ended between sbatch and its answer. A job that Slurm has forgotten has left marks.
        submission.job = queue::find(&submission.job_name)?.or_else(|| directory.begun_job(&submission.parts));
        if submission.job.is_none() {
            directory.close(&[])?;
            return Ok(None);
        }
        directory.record(&submission)?;
    }
    Ok(Some(submission))
}

/// Submits these parts, ascending, of a sweep that is cut into `of`. What their results files hold already stays.
pub fn submit(
    directory: &Directory,
    job: &Job,
    fingerprint: &str,
    parts: &[usize],
    of: usize,
) -> Result<Submission, Error> {
    check_options(job.options)?;
    let script = directory.script();
    fs::write(&script, script::script(job, directory, of)).map_err(file("write", &script))?;
    let job_name = unique_name(fingerprint);
    let mut submission =
        Submission { fingerprint: fingerprint.to_owned(), job_name, job: None, parts: parts.to_vec(), of };
    directory.record(&submission)?;
    match queue::submit(&script::sbatch(job, directory, &submission.job_name, parts)) {
        Ok(id) => submission.job = Some(id),
        // After any other answer there may be a job.
        Err(error @ (Error::Refused { .. } | Error::Missing { .. })) => {
            directory.close(&[])?;
            return Err(error);
        }
        Err(error) => return Err(error),
    }
    directory.record(&submission)?;
    Ok(submission)
}

/// `systole-` and a number.
fn unique_name(fingerprint: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(fingerprint);
    hash.update(std::process::id().to_le_bytes());
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    hash.update(time.as_nanos().to_le_bytes());
    let digits: String = hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("systole-{digits}")
}
