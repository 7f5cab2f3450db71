//! The results file: an SQLite file with the points of a sweep, the tasks that measure them, and what came of each task.
//!
//! Any number of processes of one machine may share it. Whatever is killed, at whatever moment, leaves a file that the next run goes on
//! with: a task's result is there whole or not at all. `docs/sweeps.md` describes the tables.

mod claim;
mod collect;
mod error;
mod identity;
mod owner;
mod read;
mod register;

pub use claim::{Claim, Ended, Progress, Task};
pub use collect::Collected;
pub use error::StoreError;
pub use identity::sha256;
pub use owner::{HEARTBEAT_SECONDS, LEASE_SECONDS};
pub use read::{About, Owner};
pub use register::{Build, Share};

use crate::sweep::Sweep;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of the tables in `store/schema.sql`.
pub const SCHEMA: u32 = 2;
/// "Syst": marks an SQLite file as a results file.
const APPLICATION_ID: u32 = 0x5379_7374;
/// How long another process's transaction is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a sweep's tasks do; in this order they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Accuracy of a point's network and seed.
    Evaluate,
    /// Cycles of a point.
    Time,
    /// Synthesis, and placement with a seed.
    Build,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Evaluate, Self::Time, Self::Build];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Time => "time",
            Self::Build => "build",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An open results file.
pub struct Store {
    path: PathBuf,
    connection: Connection,
    sweep: Sweep,
    /// This process in the table `owners`; none before it works on tasks.
    owner: Option<i64>,
}

impl Store {
    /// Opens a results file to read what is there, finished or not. Nothing is changed.
    pub fn open_read(path: &Path) -> Result<Self, StoreError> {
        check_header(path)?;
        let with = |flags: OpenFlags, name: &Path| {
            let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
            let connection = Connection::open_with_flags(name, flags)?;
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.query_row("SELECT count(*) FROM sweep", [], |_| Ok(()))?;
            Ok(connection)
        };
        // SQLite keeps files beside this one: who may write takes them away at the end, who only reads leaves them.
        let (read, write) = (OpenFlags::SQLITE_OPEN_READ_ONLY, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = match beside(path, "-wal").exists() {
            true => with(read, path),
            // In a folder that cannot be written, the file is as its last writer left it.
            false => match with(write, path) {
                Err(error) if is_denied(&error) => with(read, Path::new(&immutable(path))),
                opened => opened,
            },
        };
        let connection = connection.map_err(StoreError::sqlite(path))?;
        Self::of(path, connection)
    }

    /// Opens the results file of `sweep`, or makes it. What is no results file, or has other results, is refused and left as it is.
    /// `inputs` are the files that its results depend on, with their SHA-256; `command` is told to readers.
    pub fn open(path: &Path, sweep: &Sweep, inputs: &[(PathBuf, String)], command: &str) -> Result<Self, StoreError> {
        Self::open_with(path, sweep, inputs, command, "NORMAL")
    }

    /// Opens a part's results file, which no other process may use until this one ends. Unlike [`Store::open`]'s, it may be on a network
    /// file system. Tasks that a process had taken, on whatever machine, are free again.
    pub fn open_part(
        path: &Path,
        sweep: &Sweep,
        inputs: &[(PathBuf, String)],
        command: &str,
    ) -> Result<Self, StoreError> {
        let store = Self::open_with(path, sweep, inputs, command, "EXCLUSIVE")?;
        let sql = "UPDATE tasks SET state = 'pending', owner = NULL WHERE state = 'claimed'";
        store.connection.execute(sql, []).map_err(store.at())?;
        Ok(store)
    }

    fn open_with(
        path: &Path,
        sweep: &Sweep,
        inputs: &[(PathBuf, String)],
        command: &str,
        locking: &str,
    ) -> Result<Self, StoreError> {
        match check_header(path) {
            Err(StoreError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                identity::create(path, sweep, command)?;
            }
            checked => checked?,
        }
        let before = Self::open_read(path)?;
        before.same_sweep(sweep)?;
        before.same_inputs(inputs)?;
        drop(before);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let at = StoreError::sqlite(path);
        let connection = Connection::open_with_flags(path, flags).map_err(&at)?;
        connection.busy_timeout(PATIENCE).map_err(&at)?;
        // Before anything is read: the log's index is then in this process's memory, not in a file that machines would have to share.
        connection.pragma_update(None, "locking_mode", locking).map_err(&at)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(&at)?;
        let mut store = Self::of(path, connection)?;
        store.add_inputs(inputs)?;
        Ok(store)
    }

    fn of(path: &Path, connection: Connection) -> Result<Self, StoreError> {
        let stored = connection.query_row("SELECT file, config FROM sweep", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        let (file, config) = stored.map_err(StoreError::sqlite(path))?;
        let damaged = |error: crate::sweep::SweepError| StoreError::Damaged {
            path: path.to_owned(),
            what: format!("the sweep file in it: {error}"),
        };
        let sweep = Sweep::new(&file, &config).map_err(damaged)?;
        Ok(Self { path: path.to_owned(), connection, sweep, owner: None })
    }

    /// The sweep whose results these are.
    pub fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the file grow to that many pages of 4096 bytes only, as a disk that is full would.
    pub fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "max_page_count", pages).map_err(StoreError::sqlite(&self.path))
    }

    fn at(&self) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        StoreError::sqlite(&self.path)
    }
}

/// Whether the file's first bytes are those of a results file of this schema. Nothing opens it otherwise: SQLite would write.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let read = |source| StoreError::Read { path: path.to_owned(), source };
    let mut header = Vec::new();
    File::open(path).and_then(|file| file.take(100).read_to_end(&mut header)).map_err(read)?;
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Err(StoreError::NotSqlite { path: path.to_owned() });
    }
    let word = |at: usize| header[at..at + 4].iter().fold(0, |word: u32, byte| word << 8 | u32::from(*byte));
    if word(68) != APPLICATION_ID {
        return Err(StoreError::OtherProgram { path: path.to_owned() });
    }
    match word(60) {
        SCHEMA => Ok(()),
        found => Err(StoreError::Schema { path: path.to_owned(), found, expected: SCHEMA }),
    }
}

fn is_denied(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(error.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A name by which SQLite takes the file as one that nobody changes.
fn immutable(path: &Path) -> String {
    let mut name = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => name.push(char::from(*byte)),
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    name.push_str("?immutable=1");
    name
}
