//! Accuracy against what it costs, and the Pareto front.

use super::chart::{Chart, Dot, Look, Series};
use super::palette::{Form, GREY};
use super::select::{self, counted, describe, dsp, groups, method, network_width, varying, Trait};
use super::ticks::Axis;
use super::{Kind, Plots};
use crate::pareto::{standings, Goal, Standing};
use crate::row::Row;
use std::collections::{HashMap, HashSet};

/// What stands on the x axis.
struct Cost {
    column: &'static str,
    label: &'static str,
    short: &'static str,
    of: fn(&Row) -> Option<f64>,
    goal: Goal,
}

fn cost(kind: Kind) -> Cost {
    match kind {
        Kind::FrontLuts => Cost {
            column: "lut_sites",
            label: "LUT sites",
            short: "LUTs",
            of: |row| row.lut_sites.map(|luts| luts as f64),
            goal: Goal::Least,
        },
        Kind::FrontEnergy => Cost {
            column: "energy_nj",
            label: "modelled energy an image (nJ)",
            short: "energy",
            of: |row| row.energy_nj,
            goal: Goal::Least,
        },
        Kind::FrontBytes => Cost {
            column: "bytes",
            label: "bytes moved an image",
            short: "bytes moved",
            of: |row| row.bytes,
            goal: Goal::Least,
        },
        _ => Cost { column: "fps", label: "images a second", short: "FPS", of: |row| row.fps, goal: Goal::Greatest },
    }
}

/// What the costs of rows are of, in words: rows with different ones do not compete.
fn place(kind: Kind, row: &Row) -> String {
    let target = || {
        let (block, target) = (row.block.as_deref().unwrap_or_default(), row.target.as_deref().unwrap_or_default());
        let dsp = dsp(row);
        format!("{block} on {target}{}{dsp}", if dsp.is_empty() { "" } else { ", " })
    };
    match kind {
        Kind::FrontLuts => target(),
        Kind::FrontFps if row.clock_source.as_deref() == Some("fmax") => format!("{}, at its fmax", target()),
        Kind::FrontFps => match row.clock_mhz {
            Some(clock) => format!("at an assumed {clock} MHz"),
            None => String::new(),
        },
        _ => String::new(),
    }
}

pub fn draw(plots: &mut Plots, kind: Kind, rows: &[&Row]) {
    let cost = cost(kind);
    let networks = groups(rows, |row| row.network.clone());
    if networks.is_empty() {
        plots.miss(kind, "no row has a network");
    }
    for (network, all) in networks {
        let measured: Vec<&Row> = all
            .iter()
            .copied()
            .filter(|row| {
                row.accuracy_percent.is_some_and(f64::is_finite) && (cost.of)(row).is_some_and(f64::is_finite)
            })
            .collect();
        if measured.is_empty() {
            plots.miss(kind, format!("{network}: no row has both accuracy_percent and {}", cost.column));
        }
        for (place, rows) in groups(&measured, |row| Some(place(kind, row))) {
            let at = if place.is_empty() { String::new() } else { format!(", {place}") };
            let title = format!("{network}: accuracy against {}{at}", cost.short);
            let mut chart = chart(title, &cost, &rows);
            chart.notes.extend(select::without_result(&all));
            if kind == Kind::FrontLuts {
                let same_place: Vec<&Row> = all.iter().copied().filter(|row| self::place(kind, row) == place).collect();
                chart.notes.extend(select::without_build(&same_place, cost.of));
            }
            plots.add(
                kind,
                &[&network, &place.replace([',', ' '], "-").replace("--", "-")],
                &chart.title,
                chart.scene(),
            );
        }
    }
}

fn chart(title: String, cost: &Cost, rows: &[&Row]) -> Chart {
    let mut seen = HashSet::new();
    // Rows of other targets repeat what does not depend on the target.
    let rows: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| seen.insert((&row.point, (cost.of)(row).map(f64::to_bits), row.extrapolated)))
        .collect();
    let values: Vec<[Option<f64>; 2]> = rows.iter().map(|row| [(cost.of)(row), row.accuracy_percent]).collect();
    let standings = standings(&values, [cost.goal, Goal::Greatest]);
    let places: Vec<(f64, f64)> = values.iter().map(|[x, y]| (x.unwrap_or_default(), y.unwrap_or_default())).collect();
    let (xs, ys): (Vec<f64>, Vec<f64>) = places.iter().copied().unzip();
    let standing = |wanted: Standing| {
        standings.iter().enumerate().filter(move |(_, standing)| **standing == wanted).map(|(at, _)| at)
    };
    let mut front: Vec<usize> = standing(Standing::Front).collect();
    // Of equals the fastest comes first, and is named.
    front.sort_by(|&a, &b| places[a].0.total_cmp(&places[b].0).then(rows[a].cycles.cmp(&rows[b].cycles)));
    let lowest = lowest(front.iter().map(|&at| ys[at]));
    let shown: Vec<f64> = ys.iter().copied().filter(|accuracy| *accuracy >= lowest).collect();
    let (x, mut y) = (Axis::wide(cost.label, &xs), Axis::straight("accuracy (%)", &shown, false));
    // Room for labels above the best points.
    y.to += (y.to - y.from) * 0.08;
    let dot = |at: usize| Dot {
        x: places[at].0,
        y: places[at].1,
        extrapolated: cost.column == "lut_sites" && rows[at].extrapolated == Some(1),
        ..Dot::default()
    };

    let mut notes = Vec::new();
    let below = standing(Standing::Dominated).filter(|&at| places[at].1 < y.from).count();
    if below > 0 {
        notes.push(format!("{} below the axis, all dominated.", counted(below, "point")));
    }
    let mut pixels = HashSet::new();
    let dominated = standing(Standing::Dominated).map(dot).filter(|dot| {
        // As many as can be told apart: thousands would make the file large.
        let pixel = |share: f64| (share * 1000.0) as i64;
        dot.y >= y.from && pixels.insert((pixel(x.share(dot.x)), pixel(y.share(dot.y)), dot.extrapolated))
    });
    let look = Look { ink: GREY, line: None, form: Some(Form::Circle) };
    let dominated = Series { name: "dominated".to_owned(), look, dots: dominated.collect() };
    let mut series = vec![dominated, stairs(&front, &places, cost.goal)];
    series.retain(|series| !series.dots.is_empty());

    let mut traits: Vec<Trait> = vec![network_width];
    traits.extend(select::BITS.iter().chain(&select::GEOMETRY).chain(&select::NUMERICS));
    let traits = varying(&rows, &traits);
    let mut equals: HashMap<(u64, u64), usize> = HashMap::new();
    for &at in &front {
        *equals.entry((places[at].0.to_bits(), places[at].1.to_bits())).or_default() += 1;
    }
    if equals.values().any(|count| *count > 1) {
        notes.push("(+n): n more points of the front at the same place.".to_owned());
    }
    let front_rows: Vec<&Row> = front.iter().map(|&at| rows[at]).collect();
    // A method looks the same in all plots.
    let methods: Vec<String> = groups(&rows, |row| Some(method(row))).into_iter().map(|(method, _)| method).collect();
    for (method, of_method) in groups(&front_rows, |row| Some(method(row))) {
        let at = methods.iter().position(|known| *known == method).unwrap_or_default();
        let mut dots = Vec::new();
        for &index in front.iter().filter(|&&index| of_method.iter().any(|row| std::ptr::eq(*row, rows[index]))) {
            let mut dot = dot(index);
            // The first of equal points speaks for all of them.
            if let Some(count) = equals.remove(&(dot.x.to_bits(), dot.y.to_bits())) {
                let more = if count > 1 { format!(" (+{})", count - 1) } else { String::new() };
                dot.label = Some(format!("{}{more}", describe(rows[index], &traits))).filter(|label| !label.is_empty());
            }
            dots.push(dot);
        }
        let name = if method.is_empty() { "front".to_owned() } else { format!("front: {method}") };
        series.push(Series { name, look: Look::nth(at).markers(), dots });
    }
    Chart { title, x, y, series, notes }
}

/// The least accuracy that the y axis must reach: a quarter of the front's own range below it, and 5 % below its best at least.
fn lowest(front: impl Iterator<Item = f64>) -> f64 {
    let (least, most) = front.fold((f64::MAX, f64::MIN), |(least, most), y| (least.min(y), most.max(y)));
    (least - (most - least) / 4.0).min(most - 5.0)
}

/// The border of what the front dominates.
fn stairs(front: &[usize], places: &[(f64, f64)], goal: Goal) -> Series {
    let mut dots: Vec<Dot> = Vec::new();
    for &at in front {
        let (x, y) = places[at];
        if let Some(last) = dots.last() {
            let corner = if goal == Goal::Least { (x, last.y) } else { (last.x, y) };
            dots.push(Dot { x: corner.0, y: corner.1, ..Dot::default() });
        }
        dots.push(Dot { x, y, ..Dot::default() });
    }
    Series { name: String::new(), look: Look { ink: GREY, line: Some(0), form: None }, dots }
}
