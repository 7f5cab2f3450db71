//! Results of tasks, as rows.

mod builds;

use crate::measure::{summarize, ClockSource, Evaluation, Timing};
use crate::point::Point;
use crate::row::Row;
use crate::store::Build;
use crate::sweep::{Axis, Sweep};
use builds::Built;
use serde::de::DeserializeOwned;
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

/// Rows of points in their order; a row for each build, or one without. With `extrapolate`, areas of what could not be built follow from
/// builds of other shapes. An error says what is damaged.
pub fn rows(sweep: &Sweep, points: Vec<Measured>, extrapolate: bool) -> Result<Vec<Row>, String> {
    let mut built =
        points.iter().map(|point| point.builds.iter().map(Built::of).collect()).collect::<Result<Vec<_>, _>>()?;
    if extrapolate {
        builds::extrapolate_missing(&points, &mut built);
    }
    let mut rows = Vec::new();
    for (measured, built) in points.iter().zip(built) {
        let timing: Option<Timing> = done(measured.timing.iter())?.into_iter().next();
        let row = network_row(measured, timing.as_ref())?;
        if built.is_empty() {
            rows.push(at_clock(row, None, timing.as_ref(), sweep));
            continue;
        }
        for built in built {
            let mut row = row.clone();
            built.fill(&mut row);
            rows.push(at_clock(row, built.machine_mhz(), timing.as_ref(), sweep));
        }
    }
    Ok(rows)
}

/// The row with its clock: the machine's own if it was placed, else the sweep file's.
fn at_clock(mut row: Row, fmax_mhz: Option<f64>, timing: Option<&Timing>, sweep: &Sweep) -> Row {
    if let Some(timing) = timing {
        match fmax_mhz {
            Some(fmax) => timing.fill_rate(fmax, ClockSource::Fmax, &mut row),
            None => timing.fill_rate(sweep.clock_mhz(), ClockSource::Assumed, &mut row),
        }
    }
    row
}

/// The results of the tasks that are done.
fn done<'a, T: DeserializeOwned>(tasks: impl Iterator<Item = &'a TaskOutcome>) -> Result<Vec<T>, String> {
    let results = tasks.filter_map(|task| match task {
        TaskOutcome::Done(result) => Some(T::deserialize(result)),
        _ => None,
    });
    results.collect::<Result<_, serde_json::Error>>().map_err(|error| error.to_string())
}

/// A row with axes and what was measured of the network.
fn network_row(measured: &Measured, timing: Option<&Timing>) -> Result<Row, String> {
    let mut row = axes_row(&measured.key, &measured.point);
    let evaluations: Vec<Evaluation> = done(measured.evaluations.iter())?;
    summarize(&evaluations, &mut row);
    if let Some(timing) = timing {
        timing.fill(&mut row);
    }
    let tasks: Vec<&TaskOutcome> = measured.evaluations.iter().chain(&measured.timing).collect();
    let refused = tasks.iter().find_map(|task| match task {
        TaskOutcome::Refused(reason) => Some(reason.clone()),
        _ => None,
    });
    let failed = tasks.iter().find_map(|task| match task {
        TaskOutcome::Failed(reason, _) => Some(reason.clone()),
        _ => None,
    });
    row.status = match (&refused, &failed) {
        _ if tasks.is_empty() => None,
        (Some(_), _) => Some("refused"),
        (None, Some(_)) => Some("failed"),
        _ if tasks.contains(&&TaskOutcome::Pending) => Some("pending"),
        _ => Some("done"),
    }
    .map(str::to_owned);
    row.reason = refused.or(failed);
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
