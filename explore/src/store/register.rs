//! Points and tasks of a plan, entered once.

use super::identity::hex;
use super::{Kind, Store, StoreError};
use crate::point::{Axes, Point};
use crate::sweep::{Plan, Planned, Sweep, Variant};
use rusqlite::{params, OptionalExtension, Transaction, TransactionBehavior};
use sha2::{Digest, Sha256};
use spec::config::RawNumerics;
use std::collections::{HashMap, HashSet};

/// A piece of hardware to build for a point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Build {
    pub variant: Variant,
    /// Names the work: equal for points that share it.
    pub work: String,
}

/// A part of a sweep's tasks: every `of`-th, from the `index`-th, which counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub index: u64,
    pub of: u64,
}

impl Store {
    /// The builds that are known of a plan's points, by their places in the plan.
    pub fn known_builds(&self, plan: &Plan) -> Result<HashMap<usize, Vec<Build>>, StoreError> {
        let mut builds = self.builds()?;
        let of =
            |(place, planned): (usize, &Planned)| Some((place, builds.remove(&i64::try_from(planned.ordinal).ok()?)?));
        Ok(plan.points.iter().enumerate().filter_map(of).collect())
    }

    /// Enters what is not there of the plan's points and tasks, and makes its tasks, or a share of them, those of this run. `builds` are
    /// of the points by their places in the plan; those that are known may be left out.
    pub fn register(
        &mut self,
        plan: &Plan,
        builds: &HashMap<usize, Vec<Build>>,
        share: Option<Share>,
    ) -> Result<(), StoreError> {
        let at = StoreError::sqlite(&self.path);
        self.connection
            .execute_batch(
                "PRAGMA temp_store = MEMORY; CREATE TEMP TABLE IF NOT EXISTS wanted (id INTEGER PRIMARY KEY); DELETE FROM wanted",
            )
            .map_err(&at)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&at)?;
        let entry = Entry { transaction: &transaction, sweep: &self.sweep };
        let damaged = |what: String| StoreError::Damaged { path: self.path.clone(), what };
        let mut tasks = Vec::new();
        for (place, planned) in plan.points.iter().enumerate() {
            let id = i64::try_from(planned.ordinal).map_err(|_| damaged("too many points".to_owned()))?;
            let known = transaction
                .query_row("SELECT axes, evaluation, timing FROM points WHERE id = ?1", [id], |row| {
                    Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
                .map_err(&at)?;
            let (evaluation, timing): (Option<String>, Option<String>) = match known {
                Some((axes, evaluation, timing)) => {
                    if serde_json::from_str::<Axes>(&axes).ok().as_ref() != Some(&planned.axes) {
                        return Err(damaged(format!("point {id} is another than in the sweep file")));
                    }
                    (evaluation, timing)
                }
                None => {
                    let point = self.sweep.point(&planned.axes).map_err(damaged)?;
                    entry.point(id, planned, &point).map_err(&at)?
                }
            };
            for (place, build) in builds.get(&place).into_iter().flatten().enumerate() {
                entry.build(id, place, build).map_err(&at)?;
            }
            if let Some(work) = evaluation {
                let seeds = self.sweep.seeds().iter();
                tasks.extend(seeds.map(|seed| (Kind::Evaluate, work.clone(), *seed, id, None)));
            }
            if let Some(work) = timing {
                tasks.push((Kind::Time, work, self.sweep.seeds()[0], id, None));
            }
        }
        for planned in &plan.points {
            let id = planned.ordinal as i64;
            let Some(synthesis) = self.sweep.synthesis() else { break };
            for ((place, work), variant) in entry.builds(id).map_err(&at)?.into_iter().zip(synthesis.variants()) {
                for &seed in synthesis.placements(variant.target) {
                    tasks.push((Kind::Build, work.clone(), seed, id, Some(place)));
                }
            }
        }
        let mut seen = HashSet::new();
        tasks.retain(|(kind, work, seed, ..)| seen.insert((*kind, work.clone(), *seed)));
        for (number, (kind, work, seed, id, place)) in tasks.into_iter().enumerate() {
            let wanted = share.is_none_or(|share| number as u64 % share.of == share.index);
            entry.task(kind, &work, seed, id, place, wanted).map_err(&at)?;
        }
        // Of the whole sweep, not of a subset.
        if plan.is_whole {
            transaction.execute("DELETE FROM skipped", []).map_err(&at)?;
            for (reason, points) in &plan.skipped {
                transaction
                    .execute("INSERT INTO skipped VALUES (?1, ?2)", params![reason, *points as i64])
                    .map_err(&at)?;
            }
        }
        transaction.commit().map_err(&at)
    }
}

struct Entry<'a> {
    transaction: &'a Transaction<'a>,
    sweep: &'a Sweep,
}

impl Entry<'_> {
    /// Enters a point; tells its evaluation and its timing.
    fn point(&self, id: i64, planned: &Planned, point: &Point) -> rusqlite::Result<(Option<String>, Option<String>)> {
        let work = |config: &str| {
            let files = self.sweep.seeds().iter().map(|&seed| self.sweep.files(&planned.axes, seed));
            let files = files.collect::<Option<Vec<_>>>()?;
            let mut hash = Sha256::new();
            hash.update(serde_json::json!([config, point.recipe]).to_string());
            for file in files {
                hash.update(serde_json::json!([file.model, file.data]).to_string());
            }
            Some(hex(&hash.finalize()[..8]))
        };
        // No value depends on the geometry.
        let numerics = serde_json::json!(RawNumerics::from(point.config.numerics())).to_string();
        let (evaluation, timing) = (work(&numerics), work(&point.config.to_toml()));
        let axes = serde_json::json!(planned.axes).to_string();
        let mut insert = self.transaction.prepare_cached("INSERT INTO points VALUES (?1, ?2, ?3, ?4, ?5)")?;
        insert.execute(params![id, point.key(), axes, evaluation, timing])?;
        Ok((evaluation, timing))
    }

    fn build(&self, point: i64, place: usize, build: &Build) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO builds VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Build { variant: Variant { block, target, dsp }, work } = build;
        let row = params![point, place as i64, block.name(), target.name(), dsp, work];
        self.transaction.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    fn builds(&self, point: i64) -> rusqlite::Result<Vec<(i64, String)>> {
        let sql = "SELECT place, work FROM builds WHERE point = ?1 ORDER BY place";
        let mut query = self.transaction.prepare_cached(sql)?;
        let rows = query.query_map([point], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    fn task(
        &self,
        kind: Kind,
        work: &str,
        seed: u64,
        point: i64,
        place: Option<i64>,
        wanted: bool,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO tasks (kind, work, seed, point, place, state)
                   VALUES (?1, ?2, ?3, ?4, ?5, 'pending')";
        let row = params![kind.name(), work, seed as i64, point, place];
        self.transaction.prepare_cached(sql)?.execute(row)?;
        if wanted {
            let sql = "INSERT INTO wanted SELECT id FROM tasks WHERE kind = ?1 AND work = ?2 AND seed = ?3";
            self.transaction.prepare_cached(sql)?.execute(params![kind.name(), work, seed as i64])?;
        }
        Ok(())
    }
}
