//! The points of a sweep.

use super::{constraint, Sweep, SweepError};
use crate::point::Axes;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// More points are taken only if asked for.
pub const MOST_POINTS: u64 = 1_000_000;

/// Points in order, and what was left out.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub points: Vec<Planned>,
    /// Points of the products before anything was left out.
    pub product: u128,
    /// That do not hold the constraints, or are not of the subset.
    pub excluded: u64,
    /// Points that were there before.
    pub doubles: u64,
    /// Points that break a rule of the configuration, by the rule.
    pub skipped: BTreeMap<String, u64>,
    /// Whether it is of the whole sweep, not of a subset.
    pub is_whole: bool,
}

/// A point by its axes; [`Sweep::point`] has the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its place in the whole sweep, the same in every subset.
    pub ordinal: u64,
    pub axes: Axes,
}

impl Sweep {
    /// The products' points in their order, each once, that hold the constraints and those of the subset. A product of more than
    /// [`MOST_POINTS`] is refused unless `large`.
    pub fn plan(&self, subset: Option<&str>, large: bool, interrupted: &AtomicBool) -> Result<Plan, SweepError> {
        let conditions = match subset {
            Some(name) => self.subsets.get(name).ok_or_else(|| SweepError::Subset {
                name: name.to_owned(),
                known: self.subsets.keys().cloned().collect(),
            })?,
            None => &Vec::new(),
        };
        let product = self.products.iter().fold(0u128, |sum, product| sum.saturating_add(product.len()));
        if product > MOST_POINTS.into() && !large {
            return Err(SweepError::TooMany { points: product, limit: MOST_POINTS });
        }
        let mut plan = Plan { product, is_whole: subset.is_none(), ..Plan::default() };
        let mut seen = HashSet::new();
        let mut ordinal = 0;
        for product in &self.products {
            for place in 0..product.len() {
                if interrupted.load(Ordering::Relaxed) {
                    return Err(SweepError::Interrupted);
                }
                let axes = product.point(place, &self.base_axes);
                if !constraint::all_hold(&self.constraints, &axes)? {
                    plan.excluded += 1;
                    continue;
                }
                // Of several products, or where `activation_bits` as a width of outputs is a listed width too.
                if !seen.insert(serde_json::json!(axes).to_string()) {
                    plan.doubles += 1;
                    continue;
                }
                let here = ordinal;
                ordinal += 1;
                if !constraint::all_hold(conditions, &axes)? {
                    plan.excluded += 1;
                } else if let Err(reason) = self.point(&axes) {
                    *plan.skipped.entry(reason).or_default() += 1;
                } else {
                    plan.points.push(Planned { ordinal: here, axes });
                }
            }
        }
        if plan.points.is_empty() {
            return Err(SweepError::NoPoint {
                excluded: plan.excluded,
                skipped: plan.skipped.values().sum(),
                first: plan.skipped.keys().next().cloned(),
            });
        }
        Ok(plan)
    }

    /// The files that the plan's points need, relative to `folder`, each once; all must be there.
    pub fn inputs(&self, plan: &Plan, folder: &Path) -> Result<Vec<PathBuf>, SweepError> {
        let (mut files, mut known) = (Vec::new(), HashSet::new());
        if let Some(liberty) = self.synthesis().and_then(|synthesis| synthesis.liberty.as_ref()) {
            let path = folder.join(liberty);
            if !path.is_file() {
                return Err(SweepError::NoLiberty { path });
            }
            files.push(liberty.clone());
        }
        for Planned { axes, .. } in &plan.points {
            for &seed in self.seeds() {
                let Some(of_seed) = self.files(axes, seed) else { continue };
                for (what, file) in [("model", of_seed.model), ("data", of_seed.data)] {
                    if known.contains(&file) {
                        continue;
                    }
                    let path = folder.join(&file);
                    if !path.is_file() {
                        let key = format!("networks.{}.{what}", axes.network.as_deref().unwrap_or_default());
                        return Err(SweepError::NoFile { key, path, seed, point: axes.to_string() });
                    }
                    known.insert(file.clone());
                    files.push(file);
                }
            }
        }
        Ok(files)
    }
}
