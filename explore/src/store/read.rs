//! What readers ask of a results file.

use super::{Build, Kind, Store, StoreError};
use crate::assemble::{self, BuildOutcome, Measured, TaskOutcome};
use crate::point::Axes;
use crate::row::Row;
use crate::sweep::{Synthesis, Variant};
use rusqlite::types::Type;
use rusqlite::Row as SqlRow;
use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What a results file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    pub name: String,
    /// The sweep file.
    pub file: String,
    /// Of everything that decides points and results, but for the contents of networks' files.
    pub fingerprint: String,
    pub systole: String,
    /// That made the file.
    pub command: String,
    /// In UTC.
    pub started: String,
    pub seeds: Vec<u64>,
    /// Networks and data, with their SHA-256.
    pub inputs: Vec<(PathBuf, String)>,
    /// Whose results are there, with their versions.
    pub tools: Vec<(String, String)>,
    /// Points that break a rule of the configuration, by the rule.
    pub skipped: Vec<(String, u64)>,
    pub owners: Vec<Owner>,
}

/// A process that worked on the sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub command: String,
    pub systole: String,
    pub started: String,
    /// None if it works still, or was killed.
    pub ended: Option<String>,
}

type Key = (Kind, String, i64);

/// A build whose block, target, dsp and work are the columns from `at` on.
pub(super) fn build(row: &SqlRow, at: usize) -> rusqlite::Result<Build> {
    let variant = Variant { block: named(row, at)?, target: named(row, at + 1)?, dsp: row.get(at + 2)? };
    Ok(Build { variant, work: row.get(at + 3)? })
}

fn named<T: FromStr>(row: &SqlRow, at: usize) -> rusqlite::Result<T>
where
    T::Err: Error + Send + Sync + 'static,
{
    let text: String = row.get(at)?;
    text.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error)))
}

/// Builds of this run that ran out of less than ?1 seconds.
const TIMED_OUT: &str = "kind = 'build' AND state = 'failed' AND id IN (SELECT id FROM wanted)
    AND result ->> '$.status' = 'timed-out' AND result ->> '$.after.secs' + result ->> '$.after.nanos' / 1e9 < ?1";

impl Store {
    /// A row for each point, or for each build of a point, in the order of points. What is not measured yet is `pending`.
    pub fn rows(&self) -> Result<Vec<Row>, StoreError> {
        self.rows_of(|_| true)
    }

    /// The rows of points with these numbers.
    pub fn rows_of(&self, wanted: impl Fn(u64) -> bool) -> Result<Vec<Row>, StoreError> {
        let damaged = |what: String| StoreError::Damaged { path: self.path.clone(), what };
        let outcomes = self.outcomes()?;
        let of = |kind, work: &Option<String>, seed: u64| {
            let key = (kind, work.clone()?, seed as i64);
            Some(outcomes.get(&key).cloned().unwrap_or(TaskOutcome::Pending))
        };
        let builds = self.builds()?;
        let mut points = Vec::new();
        let mut query = self
            .connection
            .prepare("SELECT id, key, axes, evaluation, timing FROM points ORDER BY id")
            .map_err(self.at())?;
        let found = query.query_map([], |row: &SqlRow| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get(3)?, row.get(4)?))
        });
        for found in found.map_err(self.at())? {
            let (id, key, axes, evaluation, timing) = found.map_err(self.at())?;
            if !wanted(id as u64) {
                continue;
            }
            let axes: Axes = serde_json::from_str(&axes).map_err(|error| damaged(format!("point {id}: {error}")))?;
            let point = self.sweep.point(&axes).map_err(|reason| damaged(format!("point {id}: {reason}")))?;
            let seeds = self.sweep.seeds();
            let placements = |build: &Build| {
                self.sweep.synthesis().map_or(&[][..], |synthesis| synthesis.placements(build.variant.target))
            };
            points.push(Measured {
                key,
                point,
                evaluations: seeds.iter().filter_map(|&seed| of(Kind::Evaluate, &evaluation, seed)).collect(),
                timing: of(Kind::Time, &timing, seeds[0]),
                builds: builds
                    .get(&id)
                    .into_iter()
                    .flatten()
                    .map(|build| BuildOutcome {
                        build: build.clone(),
                        placements: placements(build)
                            .iter()
                            .filter_map(|&seed| of(Kind::Build, &Some(build.work.clone()), seed))
                            .collect(),
                    })
                    .collect(),
            });
        }
        assemble::rows(&self.sweep, points, self.extrapolates()?).map_err(damaged)
    }

    /// Whether areas of what was not built are extrapolated: as the last run of the sweep had it.
    pub fn extrapolates(&self) -> Result<bool, StoreError> {
        self.connection.query_row("SELECT extrapolate FROM sweep", [], |row| row.get(0)).map_err(self.at())
    }

    /// How many builds of this run ran out of less time than this.
    pub fn timed_out(&self, timeout: Duration) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM tasks WHERE {TIMED_OUT}");
        let count = self.connection.query_row(&sql, [timeout.as_secs_f64()], |row| row.get::<_, i64>(0));
        Ok(count.map_err(self.at())?.unsigned_abs())
    }

    /// Makes them pending again.
    pub fn retry_timed_out(&self, timeout: Duration) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE tasks SET state = 'pending', owner = NULL, result = NULL, reason = NULL, seconds = NULL
             WHERE {TIMED_OUT}"
        );
        self.connection.execute(&sql, [timeout.as_secs_f64()]).map_err(self.at())?;
        Ok(())
    }

    /// Has areas of what was not built extrapolated in rows, if it is asked for here or in the sweep file.
    pub fn set_extrapolates(&self, asked: bool) -> Result<(), StoreError> {
        let asked = asked || self.sweep.synthesis().is_some_and(Synthesis::extrapolates);
        if self.extrapolates()? != asked {
            self.connection.execute("UPDATE sweep SET extrapolate = ?1", [asked]).map_err(self.at())?;
        }
        Ok(())
    }

    fn outcomes(&self) -> Result<HashMap<Key, TaskOutcome>, StoreError> {
        let sql =
            "SELECT kind, work, seed, state, result, reason FROM tasks WHERE state IN ('done', 'refused', 'failed')";
        let mut query = self.connection.prepare(sql).map_err(self.at())?;
        let mut rows = query.query([]).map_err(self.at())?;
        let mut outcomes = HashMap::new();
        while let Some(row) = rows.next().map_err(self.at())? {
            let read = |row: &SqlRow| {
                let (kind, state): (String, String) = (row.get(0)?, row.get(3)?);
                let (result, reason): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
                Ok((kind, row.get(1)?, row.get(2)?, state, result, reason.unwrap_or_default()))
            };
            let (kind, work, seed, state, result, reason) = read(row).map_err(self.at())?;
            let damaged =
                |what: String| StoreError::Damaged { path: self.path.clone(), what: format!("{kind} {work}: {what}") };
            let known = Kind::named(&kind).ok_or_else(|| damaged("its kind".to_owned()))?;
            let result = result.map(|result| serde_json::from_str(&result)).transpose();
            let result = result.map_err(|error: serde_json::Error| damaged(error.to_string()))?;
            let outcome = match (state.as_str(), result) {
                ("done", Some(result)) => TaskOutcome::Done(result),
                ("done", None) => return Err(damaged("it has no result".to_owned())),
                ("refused", _) => TaskOutcome::Refused(reason),
                (_, result) => TaskOutcome::Failed(reason, result),
            };
            outcomes.insert((known, work, seed), outcome);
        }
        Ok(outcomes)
    }

    pub(super) fn builds(&self) -> Result<HashMap<i64, Vec<Build>>, StoreError> {
        let sql = "SELECT point, block, target, dsp, work FROM builds ORDER BY point, place";
        let mut query = self.connection.prepare(sql).map_err(self.at())?;
        let mut rows = query.query([]).map_err(self.at())?;
        let mut builds: HashMap<i64, Vec<Build>> = HashMap::new();
        while let Some(row) = rows.next().map_err(self.at())? {
            let read = |row: &SqlRow| Ok((row.get::<_, i64>(0)?, build(row, 1)?));
            let (point, build) = read(row).map_err(self.at())?;
            builds.entry(point).or_default().push(build);
        }
        Ok(builds)
    }

    /// What the file says of itself.
    pub fn about(&self) -> Result<About, StoreError> {
        let sql = "SELECT name, file, fingerprint, systole, command, started FROM sweep";
        let about = self.connection.query_row(sql, [], |row| {
            Ok(About {
                name: row.get(0)?,
                file: row.get(1)?,
                fingerprint: row.get(2)?,
                systole: row.get(3)?,
                command: row.get(4)?,
                started: row.get(5)?,
                seeds: self.sweep.seeds().to_vec(),
                inputs: Vec::new(),
                tools: Vec::new(),
                skipped: Vec::new(),
                owners: Vec::new(),
            })
        });
        let owners = self.list("SELECT command, systole, started, ended FROM owners ORDER BY id", |row| {
            Ok(Owner { command: row.get(0)?, systole: row.get(1)?, started: row.get(2)?, ended: row.get(3)? })
        })?;
        let skipped = self.list("SELECT reason, points FROM skipped ORDER BY points DESC, reason", |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?;
        let about = about.map_err(self.at())?;
        Ok(About { inputs: self.inputs()?, tools: self.tools()?, skipped, owners, ..about })
    }

    /// Tasks of the whole file.
    pub fn n_tasks(&self) -> Result<u64, StoreError> {
        let count = self.connection.query_row("SELECT count(*) FROM tasks", [], |row| row.get::<_, i64>(0));
        Ok(count.map_err(self.at())?.unsigned_abs())
    }

    /// Pieces of hardware that this run builds, each counted once whatever its placements.
    pub fn n_builds(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(DISTINCT work) FROM tasks WHERE kind = 'build' AND id IN (SELECT id FROM wanted)";
        let count = self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(count.map_err(self.at())?.unsigned_abs())
    }

    /// How often tasks were taken, by each process that ended any of them.
    pub fn claims(&self) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT sum(claims) FROM tasks WHERE owner IS NOT NULL GROUP BY owner ORDER BY owner";
        self.list(sql, |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
    }

    pub(super) fn inputs(&self) -> Result<Vec<(PathBuf, String)>, StoreError> {
        self.list("SELECT path, sha256 FROM inputs ORDER BY path", |row| {
            Ok((row.get::<_, String>(0)?.into(), row.get(1)?))
        })
    }

    pub(super) fn tools(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.list("SELECT name, version FROM tools ORDER BY name", |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn list<T>(&self, sql: &str, read: impl Fn(&SqlRow) -> rusqlite::Result<T>) -> Result<Vec<T>, StoreError> {
        let mut query = self.connection.prepare(sql).map_err(self.at())?;
        let rows = query.query_map([], |row| read(row)).and_then(Iterator::collect);
        rows.map_err(self.at())
    }
}
