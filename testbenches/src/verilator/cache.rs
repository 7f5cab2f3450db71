//! A directory of finished builds, each named by a hash of everything that went into it.
//!
//! An entry appears by a rename and never changes afterwards: a loaded library is not loaded again from the same path.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::VerilatorError;

/// Where models are kept: the environment variable `SYSTOLE_CACHE`, or else `target/verilated` below `base`.
#[must_use]
pub fn cache_dir(base: &Path) -> PathBuf {
    match std::env::var_os("SYSTOLE_CACHE") {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => base.join("target").join("verilated"),
    }
}

/// A name for the build that these texts describe: equal only for equal lists.
pub(super) fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ["ab", "c"] apart from ["a", "bc"].
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The entry `name` of `directory` and whether it was there; `build` fills it when it was not.
///
/// Threads and processes that ask for one entry at a time wait for the first of them. An entry whose `build` failed is
/// not kept.
pub(super) fn entry(
    directory: &Path,
    name: &str,
    build: impl FnOnce(&Path) -> Result<(), VerilatorError>,
) -> Result<(PathBuf, bool), VerilatorError> {
    fs::create_dir_all(directory).map_err(VerilatorError::io(directory))?;
    // The C++ compiler runs elsewhere, so that names in its messages are short.
    let directory = fs::canonicalize(directory).map_err(VerilatorError::io(directory))?;
    let finished = directory.join(name);
    if finished.is_dir() {
        return Ok((finished, true));
    }
    let lock_path = directory.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).map_err(VerilatorError::io(&lock_path))?;
    lock.lock().map_err(VerilatorError::io(&lock_path))?;
    if finished.is_dir() {
        return Ok((finished, true));
    }
    let unfinished = directory.join(format!(".{name}.unfinished"));
    // Whoever left it is dead: we hold the lock.
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(VerilatorError::io(&unfinished))?;
    }
    fs::create_dir(&unfinished).map_err(VerilatorError::io(&unfinished))?;
    if let Err(error) = build(&unfinished) {
        // The build's error says more than a failure to clean up would.
        let _ = fs::remove_dir_all(&unfinished);
        return Err(error);
    }
    fs::rename(&unfinished, &finished).map_err(VerilatorError::io(&finished))?;
    Ok((finished, false))
}
