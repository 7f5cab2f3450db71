//! Results of a part file, taken into the results file of the whole sweep.

use super::{Kind, Store, StoreError};
use crate::row::Row;
use rusqlite::{params, OptionalExtension, TransactionBehavior};
use serde_json::Value;
use std::path::Path;

/// What a part file gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Tasks whose results were not there yet.
    pub new: u64,
    /// Tasks that had ended here too, with equal results.
    pub known: u64,
    /// Tasks that are not entered here.
    pub other: u64,
}

struct Found {
    kind: String,
    work: String,
    seed: i64,
    state: String,
    result: Option<String>,
    reason: Option<String>,
    seconds: Option<f64>,
}

impl Store {
    /// Takes what has ended in the results file `part` of the same sweep, of the tasks that are entered here. The part stays as it is.
    pub fn collect(&mut self, part: &Path) -> Result<Collected, StoreError> {
        let other = Self::open_read(part)?;
        other.same_sweep(&self.sweep)?;
        other.same_inputs(&self.inputs()?)?;
        for (name, version) in other.tools()? {
            self.same_tool(&name, &version)?;
        }
        let sql = "SELECT kind, work, seed, state, result, reason, seconds FROM tasks
                   WHERE state IN ('done', 'refused', 'failed') ORDER BY id";
        let mut query = other.connection.prepare(sql).map_err(other.at())?;
        let found = query.query_map([], |row| {
            Ok(Found {
                kind: row.get(0)?,
                work: row.get(1)?,
                seed: row.get(2)?,
                state: row.get(3)?,
                result: row.get(4)?,
                reason: row.get(5)?,
                seconds: row.get(6)?,
            })
        });
        let mut collected = Collected::default();
        let path = self.path.clone();
        let at = StoreError::sqlite(&path);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&at)?;
        for found in found.map_err(other.at())? {
            let found = found.map_err(other.at())?;
            let sql = "UPDATE tasks SET state = ?4, result = ?5, reason = ?6, seconds = ?7, owner = NULL
                       WHERE kind = ?1 AND work = ?2 AND seed = ?3 AND state IN ('pending', 'claimed')";
            let Found { kind, work, seed, state, result, reason, seconds } = &found;
            let row = params![kind, work, seed, state, result, reason, seconds];
            if transaction.prepare_cached(sql).and_then(|mut update| update.execute(row)).map_err(&at)? == 1 {
                collected.new += 1;
                continue;
            }
            let sql = "SELECT state, result FROM tasks WHERE kind = ?1 AND work = ?2 AND seed = ?3";
            let here: Option<(String, Option<String>)> = transaction
                .query_row(sql, params![kind, work, seed], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(&at)?;
            let task = || format!("{kind} {work} with seed {seed}");
            let Some(here) = here else {
                collected.other += 1;
                continue;
            };
            // Times and limits of builds may differ from run to run.
            let same = *kind == Kind::Build.name() || (here.0 == *state && comparable(&here.1) == comparable(result));
            if !same {
                return Err(StoreError::Disagree { path: path.clone(), part: part.to_owned(), task: task() });
            }
            collected.known += 1;
        }
        transaction.commit().map_err(&at)?;
        Ok(collected)
    }
}

/// A result without what differs from run to run.
fn comparable(result: &Option<String>) -> Option<Value> {
    let mut value: Value = serde_json::from_str(result.as_deref()?).ok()?;
    if let Some(keys) = value.as_object_mut() {
        for column in Row::VOLATILE {
            keys.remove(*column);
        }
    }
    Some(value)
}
