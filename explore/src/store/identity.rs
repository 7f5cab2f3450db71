//! Which sweep a results file is of.

use super::{Store, StoreError, APPLICATION_ID, SCHEMA};
use crate::sweep::{Sweep, Synthesis};
use rusqlite::{params, Connection, TransactionBehavior};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The version of what is computed here.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Makes the results file whole beside its place, so that nobody ever sees a part of it. One that appears meanwhile stays.
pub(super) fn create(path: &Path, sweep: &Sweep, command: &str) -> Result<(), StoreError> {
    let refuse = |source: io::Error| StoreError::Create { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sweep-").suffix(".sqlite");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder).map_err(refuse)?;
    let at = StoreError::sqlite(path);
    let connection = Connection::open(file.path()).map_err(&at)?;
    fill(&connection, sweep, command).map_err(&at)?;
    connection.close().map_err(|(_, error)| at(error))?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(refuse(error.error)),
        _ => Ok(()),
    }
}

fn fill(connection: &Connection, sweep: &Sweep, command: &str) -> rusqlite::Result<()> {
    connection.execute_batch(include_str!("schema.sql"))?;
    let identity = sweep.identity().to_string();
    connection.execute(
        "INSERT INTO sweep VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
        params![
            sweep.name(),
            sweep.text(),
            sweep.base_config(),
            identity,
            hex(&Sha256::digest(&identity)),
            sweep.synthesis().is_some_and(Synthesis::extrapolates),
            VERSION,
            command
        ],
    )?;
    connection.pragma_update(None, "user_version", SCHEMA)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    // Here nobody else is at the file: a change of this mode waits for no one.
    connection.pragma_update(None, "journal_mode", "WAL")
}

impl Store {
    pub(super) fn same_sweep(&self, sweep: &Sweep) -> Result<(), StoreError> {
        match difference("", &self.sweep.identity(), &sweep.identity()) {
            Some(differs) => Err(StoreError::OtherSweep { path: self.path.clone(), differs }),
            None => Ok(()),
        }
    }

    /// Files that results are of must be as they were.
    pub(super) fn same_inputs(&self, inputs: &[(PathBuf, String)]) -> Result<(), StoreError> {
        let mut query = self.connection.prepare("SELECT sha256 FROM inputs WHERE path = ?1").map_err(self.at())?;
        for (input, now) in inputs {
            let mut found = query.query(params![input.to_string_lossy()]).map_err(self.at())?;
            let Some(row) = found.next().map_err(self.at())? else { continue };
            let then: String = row.get(0).map_err(self.at())?;
            if then != *now {
                let (path, input, now) = (self.path.clone(), input.clone(), now.clone());
                return Err(StoreError::OtherInput { path, input, then, now });
            }
        }
        Ok(())
    }

    pub(super) fn add_inputs(&mut self, inputs: &[(PathBuf, String)]) -> Result<(), StoreError> {
        let at = StoreError::sqlite(&self.path);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&at)?;
        for (input, sha256) in inputs {
            let row = params![input.to_string_lossy(), sha256];
            transaction.execute("INSERT OR IGNORE INTO inputs VALUES (?1, ?2)", row).map_err(&at)?;
        }
        transaction.commit().map_err(&at)
    }

    /// Refuses results of another version of what makes them, once there are some; else notes the version.
    pub fn same_tool(&self, name: &str, version: &str) -> Result<(), StoreError> {
        self.connection
            .execute("INSERT OR IGNORE INTO tools VALUES (?1, ?2)", params![name, version])
            .map_err(self.at())?;
        let then: String = self
            .connection
            .query_row("SELECT version FROM tools WHERE name = ?1", [name], |row| row.get(0))
            .map_err(self.at())?;
        match then == version {
            true => Ok(()),
            false => Err(StoreError::OtherVersion {
                path: self.path.clone(),
                name: name.to_owned(),
                then,
                now: version.to_owned(),
            }),
        }
    }
}

/// Where two values differ first, in words.
fn difference(at: &str, there: &Value, here: &Value) -> Option<String> {
    if let (Value::Object(a), Value::Object(b)) = (there, here) {
        let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
        let child = |key: &String| if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        let value = |object: &serde_json::Map<String, Value>, key| object.get(key).cloned().unwrap_or(Value::Null);
        return keys.filter_map(|key| difference(&child(key), &value(a, key), &value(b, key))).next();
    }
    let show = |value: &Value| match value {
        Value::Null => "absent".to_owned(),
        value => value.to_string(),
    };
    (there != here).then(|| format!("{at} is {} there and {} here", show(there), show(here)))
}

/// The SHA-256 of a file.
pub fn sha256(path: &Path) -> Result<String, StoreError> {
    let refuse = |source| StoreError::Read { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(refuse)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(refuse)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
