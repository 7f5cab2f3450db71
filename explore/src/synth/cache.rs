//! A directory of finished builds, each named by a hash of everything that went into it.

use super::process::POLL;
use super::SynthError;
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A name for what these texts describe: equal only for equal lists.
pub fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ["ab", "c"] apart from ["a", "bc"].
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The entry `name` of `directory`; `build` fills it if it is not there or not `good` any more.
///
/// Threads and processes that ask for one entry at a time wait for the first of them. An entry whose `build` failed is not
/// kept, and what a dead process left is removed.
pub fn entry(
    directory: &Path,
    name: &str,
    interrupted: &AtomicBool,
    good: impl Fn(&Path) -> bool,
    build: impl FnOnce(&Path) -> Result<(), SynthError>,
) -> Result<PathBuf, SynthError> {
    fs::create_dir_all(directory).map_err(SynthError::io(directory))?;
    let finished = directory.join(name);
    if good(&finished) {
        return Ok(finished);
    }
    let lock_path = directory.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).map_err(SynthError::io(&lock_path))?;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if interrupted.load(Ordering::Relaxed) => {
                return Err(SynthError::Interrupted)
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
            Err(TryLockError::Error(error)) => return Err(SynthError::io(&lock_path)(error)),
        }
    }
    if good(&finished) {
        return Ok(finished);
    }
    let prefix = format!(".{name}.");
    for left in fs::read_dir(directory).map_err(SynthError::io(directory))? {
        let left = left.map_err(SynthError::io(directory))?;
        if left.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_dir_all(left.path()).map_err(SynthError::io(left.path()))?;
        }
    }
    let unfinished = tempfile::Builder::new().prefix(&prefix).tempdir_in(directory);
    let unfinished = unfinished.map_err(SynthError::io(directory))?;
    build(unfinished.path())?;
    if finished.exists() {
        fs::remove_dir_all(&finished).map_err(SynthError::io(&finished))?;
    }
    let unfinished = unfinished.keep();
    fs::rename(&unfinished, &finished).map_err(SynthError::io(&finished))?;
    Ok(finished)
}
