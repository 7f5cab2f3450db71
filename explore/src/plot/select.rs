//! Which rows belong together, what tells them apart, and how many are left out.

use crate::row::Row;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// A property of a point as plots name it; empty where it is as one expects.
pub type Trait = fn(&Row) -> String;

/// The rows as plots show them: without what was measured of points whose network has no result yet, or none, and without
/// widths of outputs where these are always the activations', or always the same, for a network.
pub fn shown<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.cloned().collect();
    let mut plain: HashMap<Option<String>, bool> = HashMap::new();
    for row in &rows {
        let of = || rows.iter().filter(|other| other.network == row.network);
        plain.entry(row.network.clone()).or_insert_with(|| {
            of().all(|other| other.output_bits == other.activation_bits)
                || of().all(|other| other.output_bits == row.output_bits)
        });
    }
    for row in &mut rows {
        if matches!(row.status.as_deref(), Some("pending" | "refused" | "failed")) {
            (row.accuracy_percent, row.utilization_percent) = (None, None);
        }
        if plain.get(&row.network) == Some(&true) {
            row.output_bits = None;
        }
    }
    rows
}

fn weights(row: &Row) -> String {
    row.weight_bits.map_or(String::new(), |bits| format!("W{bits}"))
}

fn activations(row: &Row) -> String {
    row.activation_bits.map_or(String::new(), |bits| format!("A{bits}"))
}

pub fn network_width(row: &Row) -> String {
    row.network_width.map_or(String::new(), |width| format!("×{width}"))
}

pub fn method(row: &Row) -> String {
    row.method.clone().unwrap_or_default()
}

fn outputs(row: &Row) -> String {
    match row.output_bits {
        Some(bits) if row.output_bits != row.activation_bits => format!("O{bits}"),
        _ => String::new(),
    }
}

fn rounding(row: &Row) -> String {
    row.rounding.clone().unwrap_or_default()
}

fn accumulator(row: &Row) -> String {
    match row.accumulator_bits {
        Some(bits) if row.accumulator_wraps == Some(1) => format!("wraps at {bits}"),
        _ => String::new(),
    }
}

pub fn shape(row: &Row) -> String {
    match (row.rows, row.cols) {
        (Some(rows), Some(cols)) => format!("{rows}×{cols}"),
        _ => String::new(),
    }
}

fn stages(row: &Row) -> String {
    row.multiplier_stages.map_or(String::new(), |stages| format!("S{stages}"))
}

fn lanes(row: &Row) -> String {
    row.requantizer_lanes.map_or(String::new(), |lanes| format!("N{lanes}"))
}

fn bus(row: &Row) -> String {
    row.bus_bits.map_or(String::new(), |bits| format!("bus {bits}"))
}

pub fn dsp(row: &Row) -> String {
    match row.dsp {
        Some(1) => "DSP".to_owned(),
        Some(_) => "no DSP".to_owned(),
        None => String::new(),
    }
}

pub const BITS: [Trait; 2] = [weights, activations];
/// What else values depend on, the network's width aside.
pub const NUMERICS: [Trait; 3] = [outputs, rounding, accumulator];
pub const GEOMETRY: [Trait; 4] = [shape, stages, lanes, bus];

/// Those of the traits that are not the same in all rows.
pub fn varying(rows: &[&Row], traits: &[Trait]) -> Vec<Trait> {
    let varies = |of: &Trait| {
        let mut texts = rows.iter().map(|row| of(row));
        let first = texts.next();
        texts.any(|text| Some(text) != first)
    };
    traits.iter().copied().filter(varies).collect()
}

pub fn describe(row: &Row, traits: &[Trait]) -> String {
    let texts: Vec<String> = traits.iter().map(|of| of(row)).filter(|text| !text.is_empty()).collect();
    texts.join(" ")
}

/// What tells each row from the others, as in `mse-channel W4 A8 16×16`; networks and builds aside.
pub fn labels(rows: &[&Row]) -> Vec<String> {
    let mut traits: Vec<Trait> = vec![method, network_width];
    traits.extend(BITS.iter().chain(&GEOMETRY).chain(&NUMERICS));
    let traits = varying(rows, &traits);
    rows.iter().map(|row| describe(row, &traits)).collect()
}

/// Rows of each key, in the order in which the keys appear; rows without a key are left out.
pub fn groups<'a, K: Eq + Hash + Clone>(rows: &[&'a Row], key: impl Fn(&Row) -> Option<K>) -> Vec<(K, Vec<&'a Row>)> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<(K, Vec<&Row>)> = Vec::new();
    for &row in rows {
        let Some(key) = key(row) else { continue };
        let place = *places.entry(key.clone()).or_insert(groups.len());
        if place == groups.len() {
            groups.push((key, Vec::new()));
        }
        groups[place].1.push(row);
    }
    groups
}

pub fn networks(rows: &[Row]) -> Vec<&str> {
    let mut seen = HashSet::new();
    rows.iter().filter_map(|row| row.network.as_deref()).filter(|network| seen.insert(*network)).collect()
}

/// Distinct values in ascending order.
pub fn distinct(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// How many points have no result of their network, if any.
pub fn without_result(rows: &[&Row]) -> Option<String> {
    let mut seen = HashSet::new();
    let points: Vec<&&Row> = rows.iter().filter(|row| seen.insert(row.point.as_deref())).collect();
    let mut parts = Vec::new();
    for status in ["refused", "failed", "pending"] {
        let count = points.iter().filter(|row| row.status.as_deref() == Some(status)).count();
        if count > 0 {
            parts.push(format!("{count} {status}"));
        }
    }
    (!parts.is_empty()).then(|| format!("Of {}, not drawn: {}.", counted(points.len(), "point"), parts.join(", ")))
}

/// How many rows have no value, or one although their build did not end well, if any.
pub fn without_build(rows: &[&Row], value: impl Fn(&Row) -> Option<f64>) -> Vec<String> {
    let of = |status: &str, drawn: bool| {
        let of = rows.iter().filter(|row| row.build_status.as_deref() == Some(status) && value(row).is_some() == drawn);
        of.count()
    };
    let statuses = [("failed", "failed"), ("timed out", "timed out"), ("pending", "is pending")];
    let parts = |drawn: bool| {
        let counts = statuses.iter().map(|(status, words)| (of(status, drawn), words)).filter(|(count, _)| *count > 0);
        counts.map(|(count, words)| format!("{count} whose build {words}")).collect::<Vec<_>>().join(", ")
    };
    let (absent, drawn) = (parts(false), parts(true));
    let mut notes = Vec::new();
    if !absent.is_empty() {
        notes.push(format!("Of {}, not drawn: {absent}.", counted(rows.len(), "row")));
    }
    if !drawn.is_empty() {
        notes.push(format!("Drawn, as areas are known: {drawn} after synthesis."));
    }
    notes
}

pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
