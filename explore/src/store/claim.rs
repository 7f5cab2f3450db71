//! Tasks: taken by one process at a time, finished once.

use super::read::build;
use super::{Build, Kind, Store, StoreError};
use crate::point::Axes;
use rusqlite::{params, OptionalExtension, Row as SqlRow};
use serde_json::Value;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub kind: Kind,
    /// The point that it is done for; others may share the result.
    pub axes: Axes,
    /// Of the network, or of the placement.
    pub seed: u64,
    /// Of a build.
    pub build: Option<Build>,
}

/// A task that this process has taken.
#[derive(Clone, Debug)]
pub struct Claim {
    id: i64,
    pub task: Task,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    Done(Value),
    /// The point breaks a rule.
    Refused(String),
    /// With what there is to tell, such as the stage that failed.
    Failed(String, Option<Value>),
}

/// Tasks that this run is about.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// By [`Kind`].
    pub pending: [u64; 3],
    /// By any process.
    pub claimed: [u64; 3],
    pub ended: [u64; 3],
    /// Mean of those that ended; 0 without any.
    pub seconds: [f64; 3],
}

impl Progress {
    pub fn left(&self) -> u64 {
        self.pending.iter().chain(&self.claimed).sum()
    }

    pub fn ended(&self) -> u64 {
        self.ended.iter().sum()
    }
}

impl Store {
    /// Takes the next task, if any is free.
    pub fn claim(&self) -> Result<Option<Claim>, StoreError> {
        let sql = "UPDATE tasks SET state = 'claimed', owner = ?1, claims = claims + 1
                   WHERE id = (SELECT id FROM tasks WHERE state = 'pending' AND id IN (SELECT id FROM wanted) ORDER BY id LIMIT 1)
                   RETURNING id";
        let mut update = self.connection.prepare_cached(sql).map_err(self.at())?;
        let id = update.query_row([self.owner], |row| row.get::<_, i64>(0)).optional().map_err(self.at())?;
        id.map(|id| Ok(Claim { id, task: self.task(id)? })).transpose()
    }

    /// Up to `n` pending tasks of a kind, spread over all of them.
    pub fn spread(&self, kind: Kind, n: usize) -> Result<Vec<Task>, StoreError> {
        let sql =
            "SELECT id FROM tasks WHERE kind = ?1 AND state = 'pending' AND id IN (SELECT id FROM wanted) ORDER BY id";
        let mut query = self.connection.prepare(sql).map_err(self.at())?;
        let ids = query.query_map([kind.name()], |row| row.get::<_, i64>(0)).and_then(Iterator::collect);
        let ids: Vec<i64> = ids.map_err(self.at())?;
        let n = n.min(ids.len());
        (0..n).map(|at| self.task(ids[(2 * at + 1) * ids.len() / (2 * n)])).collect()
    }

    fn task(&self, id: i64) -> Result<Task, StoreError> {
        let sql = "SELECT t.kind, t.seed, p.axes, b.block, b.target, b.dsp, b.work
                   FROM tasks t JOIN points p ON p.id = t.point
                   LEFT JOIN builds b ON b.point = t.point AND b.place = t.place WHERE t.id = ?1";
        let mut query = self.connection.prepare_cached(sql).map_err(self.at())?;
        let damaged = |what: &str| StoreError::Damaged { path: self.path.clone(), what: format!("task {id}: {what}") };
        let (kind, seed, axes, build) = query
            .query_row([id], |row: &SqlRow| {
                let build = row.get::<_, Option<String>>(3)?.is_some().then(|| build(row, 3)).transpose()?;
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, build))
            })
            .map_err(self.at())?;
        Ok(Task {
            kind: Kind::named(&kind).ok_or_else(|| damaged("its kind"))?,
            axes: serde_json::from_str(&axes).map_err(|error| damaged(&error.to_string()))?,
            seed: u64::try_from(seed).map_err(|_| damaged("its seed"))?,
            build,
        })
    }

    /// Keeps what came of a task. False if another process has the task by now, since this one was taken for gone.
    pub fn finish(&self, claim: &Claim, ended: &Ended, seconds: f64) -> Result<bool, StoreError> {
        let (state, reason, result) = match ended {
            Ended::Done(result) => ("done", None, Some(result)),
            Ended::Refused(reason) => ("refused", Some(reason), None),
            Ended::Failed(reason, result) => ("failed", Some(reason), result.as_ref()),
        };
        let sql = "UPDATE tasks SET state = ?3, reason = ?4, result = ?5, seconds = ?6
                   WHERE id = ?1 AND owner = ?2 AND state = 'claimed'";
        let mut update = self.connection.prepare_cached(sql).map_err(self.at())?;
        let row = params![claim.id, self.owner, state, reason, result.map(Value::to_string), seconds];
        Ok(update.execute(row).map_err(self.at())? == 1)
    }

    /// Gives a task back.
    pub fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let sql = "UPDATE tasks SET state = 'pending', owner = NULL WHERE id = ?1 AND owner = ?2 AND state = 'claimed'";
        self.connection.execute(sql, params![claim.id, self.owner]).map_err(self.at())?;
        Ok(())
    }

    /// Whether a task of this run has not ended yet, here or in another process.
    pub fn is_open(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 'pending' AND id IN (SELECT id FROM wanted))
                       OR EXISTS (SELECT 1 FROM tasks WHERE state = 'claimed' AND id IN (SELECT id FROM wanted))";
        let mut query = self.connection.prepare_cached(sql).map_err(self.at())?;
        query.query_row([], |row| row.get(0)).map_err(self.at())
    }

    /// How far the tasks of this run are.
    pub fn progress(&self) -> Result<Progress, StoreError> {
        let sql = "SELECT kind, state, count(*), coalesce(total(seconds), 0) FROM tasks
                   WHERE id IN (SELECT id FROM wanted) GROUP BY kind, state";
        let mut query = self.connection.prepare_cached(sql).map_err(self.at())?;
        let mut rows = query.query([]).map_err(self.at())?;
        let mut progress = Progress::default();
        while let Some(row) = rows.next().map_err(self.at())? {
            let kind: String = row.get(0).map_err(self.at())?;
            let state: String = row.get(1).map_err(self.at())?;
            let (count, seconds): (i64, f64) = (row.get(2).map_err(self.at())?, row.get(3).map_err(self.at())?);
            let Some(at) = Kind::ALL.iter().position(|known| known.name() == kind) else { continue };
            let counts = match state.as_str() {
                "pending" => &mut progress.pending,
                "claimed" => &mut progress.claimed,
                _ => {
                    progress.seconds[at] += seconds;
                    &mut progress.ended
                }
            };
            counts[at] += count.unsigned_abs();
        }
        for (seconds, ended) in progress.seconds.iter_mut().zip(progress.ended) {
            *seconds /= ended.max(1) as f64;
        }
        Ok(progress)
    }
}
