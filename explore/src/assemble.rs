//! Results of tasks, as rows.

use crate::point::Point;
use crate::row::Row;
use crate::store::Build;
use crate::sweep::{Axis, Sweep};
use serde_json::Value;

/// What came of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutcome {
    Pending,
    Done(Value),
    Refused(String),
    Failed(String, Option<Value>),
}

/// A point with what is known of it.
#[derive(Clone, Debug)]
pub struct Measured {
    pub key: String,
    pub point: Point,
    /// One for each seed; none without a network.
    pub evaluations: Vec<TaskOutcome>,
    pub timing: Option<TaskOutcome>,
    pub builds: Vec<BuildOutcome>,
}

/// A build with what came of each placement.
#[derive(Clone, Debug)]
pub struct BuildOutcome {
    pub build: Build,
    pub placements: Vec<TaskOutcome>,
}

/// Rows of points in their order; a row for each build, or one without. An error says what is damaged.
pub fn rows(_sweep: &Sweep, points: Vec<Measured>) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for measured in points {
        let row = network_row(&measured)?;
        if measured.builds.is_empty() {
            rows.push(row);
            continue;
        }
        for BuildOutcome { build, .. } in &measured.builds {
            let mut row = row.clone();
            row.block = Some(build.block.clone());
            row.target = Some(build.target.clone());
            row.dsp = Some(i64::from(build.dsp));
            row.build_status = Some("pending".to_owned());
            rows.push(row);
        }
    }
    Ok(rows)
}

/// A row with axes and what was measured of the network.
fn network_row(measured: &Measured) -> Result<Row, String> {
    let mut row = axes_row(&measured.key, &measured.point);
    let tasks: Vec<&TaskOutcome> = measured.evaluations.iter().chain(&measured.timing).collect();
    let found = |wanted: fn(&TaskOutcome) -> Option<&String>| tasks.iter().find_map(|task| wanted(task));
    let refused = found(|task| match task {
        TaskOutcome::Refused(reason) => Some(reason),
        _ => None,
    });
    let failed = found(|task| match task {
        TaskOutcome::Failed(reason, _) => Some(reason),
        _ => None,
    });
    let status = match (refused, failed) {
        _ if tasks.is_empty() => "none",
        (Some(_), _) => "refused",
        (None, Some(_)) => "failed",
        _ if tasks.contains(&&TaskOutcome::Pending) => "pending",
        _ => "done",
    };
    row.status = Some(status.to_owned());
    row.reason = refused.or(failed).cloned();
    Ok(row)
}

fn axes_row(key: &str, point: &Point) -> Row {
    let (axes, n, g) = (&point.axes, point.config.numerics(), point.config.geometry());
    let count = |count: usize| i64::try_from(count).ok();
    Row {
        point: Some(key.to_owned()),
        network: axes.network.clone(),
        network_width: axes.network.is_some().then_some(axes.network_width),
        method: axes.method.clone(),
        weight_bits: Some(axes.weight_bits.into()),
        machine_weight_bits: Some(n.weight().bits().into()),
        activation_bits: Some(n.activation().bits().into()),
        accumulator_bits: Some(n.accumulator_bits().into()),
        accumulator_wraps: Some(n.accumulator_wraps().into()),
        output_bits: Some(n.output().bits().into()),
        rounding: Some(Axis::Rounding.text(axes)),
        rows: count(g.rows()),
        cols: count(g.cols()),
        multiplier_stages: count(g.multiplier_stages()),
        requantizer_lanes: count(g.requantizer_lanes()),
        bus_bits: count(g.bus_bits()),
        ..Row::default()
    }
}
