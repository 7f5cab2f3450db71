//! Reading what the user names, printing, and writing so that nothing half-written is left.

use anyhow::{bail, Context, Result};
use spec::Config;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Reads a configuration file, or takes one of the shipped configurations by name.
pub fn config(name: &str) -> Result<Config> {
    let path = Path::new(name);
    if !path.is_file() {
        return match Config::named(name) {
            Some(config) => Ok(config),
            None => {
                bail!("no configuration file {name}, and no shipped configuration of that name: {:?}", Config::NAMED)
            }
        };
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Config::from_toml(&text).with_context(|| name.to_owned())
}

/// Where builds of all kinds are kept: the environment variable `SYSTOLE_CACHE`, or else `target/verilated`.
pub fn cache() -> PathBuf {
    testbenches::verilator::cache_dir(Path::new("."))
}

/// Refuses a place where a file cannot be written, before work is done for it.
pub fn check_place(path: &Path) -> Result<()> {
    let folder = parent(path);
    if !folder.is_dir() {
        bail!("cannot write {}: {} is no folder to hold that file", path.display(), folder.display());
    }
    if path.is_dir() {
        bail!("cannot write {}: it is a folder", path.display());
    }
    if !path.exists() || path.is_file() {
        tempfile::NamedTempFile::new_in(&folder).with_context(|| format!("cannot write in {}", folder.display()))?;
    }
    Ok(())
}

/// As [`check_place`], and refuses to put something else in the place of a sweep's results.
pub fn check_writable(path: &Path) -> Result<()> {
    const SQLITE: &[u8] = b"SQLite format 3\0";
    check_place(path)?;
    let mut start = [0; SQLITE.len()];
    // What cannot be read is no results file of the user's.
    let read = fs::metadata(path).is_ok_and(|found| found.is_file())
        && fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    if read && start == SQLITE {
        bail!("{} is a results file, or another SQLite file: name another file or remove it", path.display());
    }
    Ok(())
}

/// Prints to standard output. A reader that is gone, as in `systole config default | head -1`, is no error.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to standard output"),
        _ => Ok(()),
    }
}

/// As [`write`], for contents that are made piece by piece.
pub fn write_with(path: &Path, contents: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    if path.exists() && !path.is_file() {
        let file = fs::OpenOptions::new().write(true).open(path);
        let mut out = std::io::BufWriter::new(file.with_context(|| format!("cannot write {}", path.display()))?);
        contents(&mut out)?;
        return out.flush().with_context(|| format!("cannot write {}", path.display()));
    }
    // Through a link, to the file it names.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = target.as_path();
    let folder = parent(path);
    let file =
        tempfile::NamedTempFile::new_in(&folder).with_context(|| format!("cannot write in {}", folder.display()))?;
    let mut out = std::io::BufWriter::new(file);
    contents(&mut out)?;
    let file = out.into_inner().map_err(|error| error.into_error());
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    // A temporary file is private; what is asked for is as readable as any other.
    set_readable(file.path())?;
    file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Writes a file beside its place, then renames it there. What is no plain file, such as a pipe or a device, is written to.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    write_with(path, |out| out.write_all(contents).with_context(|| format!("cannot write {}", path.display())))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(unix)]
fn set_readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(not(unix))]
fn set_readable(_: &Path) -> Result<()> {
    Ok(())
}

/// Refuses a folder that [`folder`] would refuse whatever the contents are, before work is done for it.
pub fn check_folder(path: &Path, names: &[&str]) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("{} exists and is no folder", path.display()))? {
        let name = entry.with_context(|| format!("cannot read {}", path.display()))?.file_name();
        if !names.iter().any(|known| name == *known) {
            bail!(
                "{} exists with other contents ({}): name another folder or remove it",
                path.display(),
                name.to_string_lossy()
            );
        }
    }
    Ok(())
}

/// Where a path leads, whether or not there is a file.
fn place(path: &Path) -> PathBuf {
    let folder = fs::canonicalize(parent(path)).unwrap_or_else(|_| parent(path));
    fs::canonicalize(path).unwrap_or_else(|_| folder.join(path.file_name().unwrap_or_default()))
}

/// Whether two paths lead to one file.
pub fn is_same(a: &Path, b: &Path) -> bool {
    place(a) == place(b)
}

/// Refuses two options that name one file.
pub fn check_distinct(paths: &[(&str, &Option<PathBuf>)]) -> Result<()> {
    let given: Vec<(&str, PathBuf)> =
        paths.iter().filter_map(|(option, path)| path.as_ref().map(|path| (*option, place(path)))).collect();
    for (at, (option, path)) in given.iter().enumerate() {
        if let Some((other, _)) = given[..at].iter().find(|(_, earlier)| earlier == path) {
            bail!("{other} and {option} name the same file");
        }
    }
    Ok(())
}

/// Whether [`folder`] had something to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Written {
    New,
    Unchanged,
}

/// Writes a whole folder at once. One that exists must be empty or hold exactly these files.
pub fn folder(path: &Path, files: &[(String, Vec<u8>)]) -> Result<Written> {
    if path.exists() {
        let entries = fs::read_dir(path).with_context(|| format!("{} exists and is no folder", path.display()))?;
        let mut count = 0;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
            count += 1;
            let name = entry.file_name();
            let ours = files.iter().find(|(file, _)| name == file.as_str());
            let same = ours.is_some_and(|(_, contents)| fs::read(entry.path()).is_ok_and(|read| read == *contents));
            if !same {
                bail!(
                    "{} exists with other contents ({}): name another folder or remove it",
                    path.display(),
                    name.display()
                );
            }
        }
        if count == files.len() {
            return Ok(Written::Unchanged);
        }
        if count > 0 {
            bail!("{} exists with only some of the files: name another folder or remove it", path.display());
        }
    }
    let outer = parent(path);
    fs::create_dir_all(&outer).with_context(|| format!("cannot make {}", outer.display()))?;
    let beside = tempfile::tempdir_in(&outer).with_context(|| format!("cannot write in {}", outer.display()))?;
    for (name, contents) in files {
        let file = beside.path().join(name);
        fs::write(&file, contents).with_context(|| format!("cannot write {}", file.display()))?;
    }
    set_readable(beside.path())?;
    if path.exists() {
        // Empty: filled in place, since it may be a link or somebody's working directory.
        for (name, _) in files {
            let to = path.join(name);
            fs::rename(beside.path().join(name), &to).with_context(|| format!("cannot write {}", to.display()))?;
        }
        return Ok(Written::New);
    }
    let beside = beside.keep();
    if let Err(error) = fs::rename(&beside, path) {
        // Nothing half-written stays behind; the error is the one to tell.
        let _ = fs::remove_dir_all(&beside);
        return Err(error).with_context(|| format!("cannot write {}", path.display()));
    }
    Ok(Written::New)
}
