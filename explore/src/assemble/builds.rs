//! What came of a build's placements, as columns.

use super::{BuildOutcome, Measured, TaskOutcome};
use crate::row::Row;
use crate::sweep::Variant;
use crate::synth::extrapolate::{extrapolate, Shape};
use crate::synth::{lut_sites, Area, BlockName, Outcome, Segment};
use serde::Deserialize;
use spec::config::RawConfig;
use std::collections::BTreeMap;

/// A build with all its placements.
pub(super) struct Built {
    variant: Variant,
    status: &'static str,
    reason: Option<String>,
    area: Option<Area>,
    is_extrapolated: bool,
    /// In rising order.
    fmax_mhz: Vec<f64>,
    critical_path: Vec<Segment>,
    seconds: Option<f64>,
}

impl Built {
    pub(super) fn of(build: &BuildOutcome) -> Result<Self, String> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut reasons: Vec<&String> = Vec::new();
        for task in &build.placements {
            let result = match task {
                TaskOutcome::Done(result) => Some(result),
                TaskOutcome::Failed(reason, result) => {
                    reasons.push(reason);
                    result.as_ref()
                }
                TaskOutcome::Refused(reason) => {
                    reasons.push(reason);
                    None
                }
                TaskOutcome::Pending => None,
            };
            let outcome = result.map(Outcome::deserialize).transpose();
            outcomes.extend(outcome.map_err(|error: serde_json::Error| error.to_string())?);
        }
        let n_done = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done { .. })).count();
        let is_timeout = |outcome: &Outcome| matches!(outcome, Outcome::TimedOut { .. });
        let status = match () {
            _ if build.placements.contains(&TaskOutcome::Pending) => "pending",
            _ if n_done > 0 => "done",
            _ if !outcomes.is_empty() && outcomes.iter().all(is_timeout) => "timed out",
            _ => "failed",
        };
        let reason = reasons.first().map(|reason| match n_done {
            0 => (*reason).clone(),
            _ => format!("{} of {} placements: {reason}", reasons.len(), build.placements.len()),
        });
        let mut built = Self {
            variant: build.build.variant,
            status,
            reason,
            area: outcomes.iter().find_map(|outcome| outcome.area().cloned()),
            is_extrapolated: false,
            fmax_mhz: Vec::new(),
            critical_path: Vec::new(),
            seconds: None,
        };
        built.place(outcomes);
        Ok(built)
    }

    fn place(&mut self, outcomes: Vec<Outcome>) {
        let mut placed = Vec::new();
        for outcome in outcomes {
            let Outcome::Done { fmax_mhz, critical_path, seconds, .. } = outcome else { continue };
            // Every placement's time has that of the one synthesis.
            self.seconds = Some(self.seconds.map_or(seconds, |known| seconds.max(known)));
            if let Some(fmax) = fmax_mhz {
                placed.push((fmax, critical_path));
            }
        }
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.fmax_mhz = placed.iter().map(|(fmax, _)| *fmax).collect();
        if !placed.is_empty() {
            let middle = (placed.len() - 1) / 2;
            self.critical_path = placed.swap_remove(middle).1;
        }
    }

    /// The median; the mean of the middle two of an even number.
    fn median_mhz(&self) -> Option<f64> {
        let all = &self.fmax_mhz;
        let lower = all.get(all.len().checked_sub(1)? / 2)?;
        Some((lower + all[all.len() / 2]) / 2.0)
    }

    /// The clock of the machine, if it was placed whole.
    pub(super) fn machine_mhz(&self) -> Option<f64> {
        self.median_mhz().filter(|_| self.variant.block == BlockName::Top)
    }

    pub(super) fn fill(&self, row: &mut Row) {
        row.block = Some(self.variant.block.to_string());
        row.target = Some(self.variant.target.to_string());
        row.dsp = Some(self.variant.dsp.into());
        row.build_status = Some(self.status.to_owned());
        row.build_reason = self.reason.clone();
        if let Some(area) = &self.area {
            let count = |count: u64| i64::try_from(count).ok();
            row.extrapolated = Some(self.is_extrapolated.into());
            row.ffs = count(area.ffs);
            row.area_um2 = area.area_um2;
            // Gates have none of these.
            if area.area_um2.is_none() {
                row.luts = count(area.luts);
                row.lut_sites = lut_sites(self.variant.target, area).and_then(count);
                row.carries = count(area.carries);
                row.dsps = count(area.dsps);
                row.rams = count(area.rams);
                row.lut_rams = count(area.lut_rams);
            }
        }
        row.build_seconds = self.seconds;
        let Some(median) = self.median_mhz() else { return };
        row.place_seeds = i64::try_from(self.fmax_mhz.len()).ok();
        row.fmax_mhz = Some(median);
        row.fmax_min_mhz = self.fmax_mhz.first().copied();
        row.fmax_max_mhz = self.fmax_mhz.last().copied();
        let ns = |segment: &Segment| segment.logic_ns + segment.routing_ns;
        let block = self.variant.block;
        let path = self.critical_path.iter().map(|of| format!("{} ({:.2} ns)", of.describe(block), ns(of)));
        row.critical_path = Some(path.collect::<Vec<_>>().join("; "));
    }
}

/// Gives areas to what failed or timed out before it had any, from builds of the same machine but for rows and columns.
pub(super) fn extrapolate_missing(points: &[Measured], built: &mut [Vec<Built>]) {
    let mut known: BTreeMap<String, BTreeMap<Shape, Area>> = BTreeMap::new();
    for (measured, built) in points.iter().zip(built.iter()) {
        for built in built {
            if let Some(area) = &built.area {
                let (kind, shape) = kind(measured, built.variant);
                known.entry(kind).or_default().insert(shape, area.clone());
            }
        }
    }
    for (measured, built) in points.iter().zip(built) {
        for built in built.iter_mut().filter(|built| built.area.is_none() && built.status != "pending") {
            let (kind, shape) = kind(measured, built.variant);
            let others: Vec<(Shape, Area)> =
                known.get(&kind).into_iter().flatten().map(|(s, a)| (*s, a.clone())).collect();
            let why = built.reason.take().unwrap_or_default();
            built.reason = Some(match extrapolate(&others, shape) {
                Ok(found) => {
                    built.status = "extrapolated";
                    built.is_extrapolated = true;
                    built.area = Some(found.area);
                    let percent = 100.0 * found.residual;
                    format!(
                        "{why}; from {} builds of other shapes, which are within {percent:.1} % of the fit",
                        found.n_builds
                    )
                }
                Err(error) => format!("{why}; not extrapolated: {error}"),
            });
        }
    }
}

/// What builds have in common that differ in rows and columns only.
fn kind(measured: &Measured, variant: Variant) -> (String, Shape) {
    let mut raw = RawConfig::from(&measured.point.config);
    let shape = (raw.geometry.rows, raw.geometry.cols);
    (raw.geometry.rows, raw.geometry.cols) = (0, 0);
    let Variant { block, target, dsp } = variant;
    (serde_json::json!([raw, block, target, dsp]).to_string(), shape)
}
