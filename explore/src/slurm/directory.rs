//! The directory that the submitting process shares with the nodes.

use super::Error;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A job array that was submitted, or is about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Of the sweep.
    pub fingerprint: String,
    /// No other submission's: it finds a job whose id could not be recorded.
    pub job_name: String,
    /// None until sbatch has answered.
    pub job: Option<u64>,
    /// The elements of the array.
    pub parts: Vec<usize>,
    /// How many parts the sweep is cut into: at least the greatest of `parts`.
    pub of: usize,
}

/// Everything of one submission beside the results file: `submission.json`, the script, each part's results, mark and log.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Held as long as this lives.
    _lock: File,
}

impl Directory {
    /// Creates the directory if it is not there, and keeps other processes out.
    pub fn open(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(file("create", path))?;
        // Nodes have their own working directory.
        let path = path.canonicalize().map_err(file("find", path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(file("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { directory: path }),
            Err(TryLockError::Error(source)) => Err(file("lock", &lock_path)(source)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn script(&self) -> PathBuf {
        self.path.join("job.sh")
    }

    /// A part's own results file.
    pub fn results(&self, part: usize) -> PathBuf {
        self.path.join(format!("part-{part}.sqlite"))
    }

    pub fn log(&self, job: u64, part: usize) -> PathBuf {
        self.path.join(format!("{job}_{part}.log"))
    }

    /// Whether a part has left its mark.
    pub fn is_done(&self, part: usize) -> bool {
        self.path.join(format!("part-{part}.done")).exists()
    }

    /// The job that a part says it belongs to, if one has begun.
    pub fn begun_job(&self, parts: &[usize]) -> Option<u64> {
        let begun = parts.iter().find_map(|part| fs::read_to_string(self.path.join(format!("part-{part}.begun"))).ok());
        begun?.trim().parse().ok()
    }

    /// Makes a network file system look again: it remembers for up to a minute which files are not there, but not after a change of its
    /// own in the same directory.
    pub fn look_again(&self) -> Result<(), Error> {
        let path = self.path.join("look");
        File::create(&path).map_err(file("create", &path))?;
        fs::remove_file(&path).map_err(file("remove", &path))
    }

    /// The submission that was not collected to its end.
    pub fn submission(&self) -> Result<Option<Submission>, Error> {
        let path = self.path.join("submission.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| Error::Submission { path, message: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(file("read", &path)(source)),
        }
    }

    pub fn record(&self, submission: &Submission) -> Result<(), Error> {
        let path = self.path.join("submission.json");
        let text = serde_json::to_vec_pretty(submission)
            .map_err(|error| Error::Submission { path: path.clone(), message: error.to_string() })?;
        let beside = self.path.join("submission.json.new");
        let write = || {
            fs::write(&beside, text)?;
            File::open(&beside)?.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().map_err(file("write", &path))
    }

    /// Removes the parts of an earlier submission, whose results must have been collected.
    pub fn clear_parts(&self) -> Result<(), Error> {
        self.remove(|name| name.starts_with("part-"))
    }

    /// Forgets the submission once all its parts are collected. Logs in `keep` stay.
    pub fn close(&self, keep: &[PathBuf]) -> Result<(), Error> {
        // First: a mark without its part's results would pass for a part that lost them.
        self.remove(|name| name == "submission.json")?;
        self.clear_parts()?;
        self.remove(|name| {
            name == "job.sh" || (name.ends_with(".log") && !keep.iter().any(|path| path.ends_with(name)))
        })
    }

    fn remove(&self, is_meant: impl Fn(&str) -> bool) -> Result<(), Error> {
        for entry in fs::read_dir(&self.path).map_err(file("list", &self.path))? {
            let path = entry.map_err(file("list", &self.path))?.path();
            if path.file_name().and_then(OsStr::to_str).is_some_and(&is_meant) {
                fs::remove_file(&path).map_err(file("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// The error of a file.
pub(super) fn file<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |source| Error::File { what, path: path.to_owned(), source }
}
