//! Why a results file was refused, or could not be written.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot make {}: {source}", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("{} is no results file: it is no SQLite file", path.display())]
    NotSqlite { path: PathBuf },
    #[error("{} is no results file: it is an SQLite file of another program", path.display())]
    OtherProgram { path: PathBuf },
    #[error("{} has schema {found} of results files, and this Systole reads schema {expected}", path.display())]
    Schema { path: PathBuf, found: u32, expected: u32 },
    #[error("{} has the results of another sweep: {differs}; name another file with --results", path.display())]
    OtherSweep { path: PathBuf, differs: String },
    #[error(
        "{} has results of another {}: its SHA-256 is {now}, and was {then}; name another file with --results",
        path.display(),
        input.display()
    )]
    OtherInput { path: PathBuf, input: PathBuf, then: String, now: String },
    #[error(
        "{} has results by {name} {then}, and this is {now}: they would not compare; go on with {then}, or name another file with \
         --results",
        path.display()
    )]
    OtherVersion { path: PathBuf, name: String, then: String, now: String },
    #[error("no room is left for {}; what was finished before is kept: make room and run the same command again", path.display())]
    Full { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("{} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("{}: {task} has another result in {}", path.display(), part.display())]
    Disagree { path: PathBuf, part: PathBuf, task: String },
}

impl StoreError {
    /// What SQLite's error is for that file.
    pub(super) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self + '_ {
        |source| {
            let path = path.to_owned();
            match source.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => Self::Full { path },
                Some(rusqlite::ErrorCode::NotADatabase) => Self::NotSqlite { path },
                Some(rusqlite::ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: source.to_string() },
                _ => Self::Sqlite { path, source },
            }
        }
    }
}
