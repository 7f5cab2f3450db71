//! The processes that work on a results file, and which of them are gone.

use super::identity::VERSION;
use super::{Store, StoreError};
use rusqlite::params;

/// A process that was not heard of for so long has lost its tasks.
pub const LEASE_SECONDS: f64 = 60.0;
/// How often a process says that it is there.
pub const HEARTBEAT_SECONDS: f64 = 5.0;

impl Store {
    /// Notes this process, which may then take tasks.
    pub fn join(&mut self, command: &str) -> Result<(), StoreError> {
        let pid = std::process::id();
        let row = params![host(), pid, process(pid).unwrap_or_default(), VERSION, command];
        let sql = "INSERT INTO owners (host, pid, process, systole, command, started, heartbeat)
                   VALUES (?1, ?2, ?3, ?4, ?5, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), unixepoch('now', 'subsec'))";
        self.connection.execute(sql, row).map_err(self.at())?;
        self.owner = Some(self.connection.last_insert_rowid());
        Ok(())
    }

    /// Says that this process is there.
    pub fn heartbeat(&self) -> Result<(), StoreError> {
        let sql = "UPDATE owners SET heartbeat = unixepoch('now', 'subsec') WHERE id = ?1";
        self.connection.execute(sql, [self.owner]).map_err(self.at())?;
        Ok(())
    }

    /// Gives up what this process has not finished, and says that it is gone.
    pub fn leave(&self) -> Result<(), StoreError> {
        self.give_up(self.owner)?;
        let sql = "UPDATE owners SET ended = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?1";
        self.connection.execute(sql, [self.owner]).map_err(self.at())?;
        Ok(())
    }

    /// Takes tasks from processes that are gone: ended or dead on this machine, or not heard of for the lease. Tells how many.
    pub fn take_over(&self) -> Result<usize, StoreError> {
        let sql = "SELECT DISTINCT o.id, o.host, o.pid, o.process, o.ended IS NOT NULL,
                          unixepoch('now', 'subsec') - o.heartbeat
                   FROM tasks t JOIN owners o ON o.id = t.owner WHERE t.state = 'claimed'";
        let mut query = self.connection.prepare_cached(sql).map_err(self.at())?;
        let owners = query.query_map([], |row| {
            let dead = row.get::<_, String>(1)? == host() && process(row.get(2)?) != Some(row.get(3)?);
            let gone = dead || row.get::<_, bool>(4)? || row.get::<_, f64>(5)? > LEASE_SECONDS;
            Ok((row.get::<_, i64>(0)?, gone))
        });
        let owners: Vec<(i64, bool)> = owners.and_then(Iterator::collect).map_err(self.at())?;
        let gone = owners.into_iter().filter(|(id, gone)| *gone && Some(*id) != self.owner);
        gone.map(|(id, _)| self.give_up(Some(id))).sum()
    }

    fn give_up(&self, owner: Option<i64>) -> Result<usize, StoreError> {
        let sql = "UPDATE tasks SET state = 'pending', owner = NULL WHERE state = 'claimed' AND owner = ?1";
        self.connection.execute(sql, [owner]).map_err(self.at())
    }
}

/// Names the machine, this run of it, and which process numbers hold in it.
fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let name = read("/proc/sys/kernel/hostname");
    format!("{} {} {}", name.trim(), read("/proc/sys/kernel/random/boot_id").trim(), space.display())
}

/// Tells a running process from a later one of the same number; none if there is none. Where the system has no such files, every process
/// looks alive, and the lease decides.
fn process(pid: u32) -> Option<String> {
    if !std::path::Path::new("/proc/self/stat").exists() {
        return Some(String::new());
    }
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything; the state and the start follow it.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    match fields.first() {
        Some(&("Z" | "X")) => None,
        _ => fields.get(19).map(|start| (*start).to_owned()),
    }
}
