//! Accuracy against bits: one line per method, with its spread over seeds.

use super::chart::{Chart, Dot, Look, Series};
use super::palette::{GREY, MAX_SERIES};
use super::select::{self, counted, describe, distinct, groups, method, network_width, varying};
use super::ticks::Axis;
use super::{Kind, Plots};
use crate::row::Row;

/// What is on the x axis, and what is held.
struct Cut {
    label: &'static str,
    what: String,
    bits: fn(&Row) -> Option<i64>,
    holds: Box<dyn Fn(&Row) -> bool>,
}

fn cut(kind: Kind, rows: &[&Row]) -> Cut {
    match kind {
        Kind::AccuracyWeights => {
            let most = rows.iter().filter_map(|row| row.activation_bits).max();
            Cut {
                label: "bits of weights",
                what: format!("weights, activations of {} bits", most.unwrap_or_default()),
                bits: |row| row.weight_bits,
                holds: Box::new(move |row| row.activation_bits == most),
            }
        }
        Kind::AccuracyActivations => {
            let most = rows.iter().filter_map(|row| row.weight_bits).max();
            Cut {
                label: "bits of activations",
                what: format!("activations, weights of {} bits", most.unwrap_or_default()),
                bits: |row| row.activation_bits,
                holds: Box::new(move |row| row.weight_bits == most),
            }
        }
        _ => Cut {
            label: "bits of weights and activations",
            what: "weights and activations alike".to_owned(),
            bits: |row| row.weight_bits,
            holds: Box::new(|row| row.weight_bits == row.activation_bits),
        },
    }
}

pub fn draw(plots: &mut Plots, kind: Kind, rows: &[&Row]) {
    let widths = varying(rows, &[network_width]);
    let key = |row: &Row| row.network.clone().map(|network| (network, describe(row, &widths)));
    let networks = groups(rows, key);
    if networks.is_empty() {
        plots.miss(kind, "no row has a network");
    }
    for ((network, width), all) in networks {
        let name = if width.is_empty() { network.clone() } else { format!("{network} {width}") };
        let measured: Vec<&Row> = all.iter().copied().filter(|row| row.accuracy_percent.is_some()).collect();
        let cut = cut(kind, &measured);
        let kept: Vec<&Row> = measured.iter().copied().filter(|row| (cut.holds)(row)).collect();
        if distinct(kept.iter().filter_map(|row| (cut.bits)(row))).len() < 2 {
            plots.miss(kind, format!("{name}: fewer than 2 numbers of {} with an accuracy", cut.label));
            continue;
        }
        let chart = chart(&format!("{name}: accuracy against bits of {}", cut.what), &cut, &kept, &all);
        plots.add(kind, &[&network, &width.replace('×', "x")], &chart.title, chart.scene());
    }
}

fn chart(title: &str, cut: &Cut, kept: &[&Row], all: &[&Row]) -> Chart {
    let rest = varying(kept, &select::NUMERICS);
    let lines = groups(kept, |row| {
        let parts = [method(row), describe(row, &rest)];
        Some(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "))
    });
    let shift = 0.05_f64.min(0.4 / lines.len() as f64);
    let mut series: Vec<Series> = Vec::new();
    for (at, (name, rows)) in lines.iter().enumerate().take(MAX_SERIES) {
        // Lines stand side by side, or their bars would hide each other.
        let shift = (at as f64 - (lines.len().min(MAX_SERIES) - 1) as f64 / 2.0) * shift;
        let mut dots: Vec<(i64, Dot)> = Vec::new();
        for row in rows {
            let (Some(bits), Some(accuracy)) = ((cut.bits)(row), row.accuracy_percent) else { continue };
            // Points that differ in hardware alone have one accuracy.
            if dots.iter().all(|(known, _)| *known != bits) {
                let bar = row.accuracy_sd_percent.map(|sd| (accuracy - sd, (accuracy + sd).min(100.0)));
                dots.push((bits, Dot { x: bits as f64 + shift, y: accuracy, bar, ..Dot::default() }));
            }
        }
        dots.sort_by_key(|(bits, _)| *bits);
        let dots = dots.into_iter().map(|(_, dot)| dot).collect();
        series.push(Series { name: name.clone(), look: Look::nth(at), dots });
    }
    let bits: Vec<f64> =
        distinct(kept.iter().filter_map(|row| (cut.bits)(row))).iter().map(|bits| *bits as f64).collect();
    let x = Axis::whole(cut.label, &bits);
    if let Some(float) = kept.iter().find_map(|row| row.accuracy_float_percent) {
        let dots = [x.from, x.to].map(|x| Dot { x, y: float, ..Dot::default() }).to_vec();
        let look = Look { ink: GREY, line: Some(2), form: None };
        series.insert(0, Series { name: format!("float: {float:.1} %"), look, dots });
    }
    let ends = |dot: &Dot| dot.bar.map_or([dot.y, dot.y], |(low, high)| [low.max(0.0), high]);
    let values: Vec<f64> = series.iter().flat_map(|series| series.dots.iter().flat_map(ends)).collect();
    let mut notes = Vec::new();
    if kept.iter().any(|row| row.accuracy_sd_percent.is_some()) {
        let seeds = distinct(kept.iter().filter_map(|row| row.seeds));
        let over = match seeds[..] {
            [seeds] => counted(seeds.unsigned_abs() as usize, "seed"),
            _ => "the seeds".to_owned(),
        };
        notes.push(format!("Bars: a standard deviation over {over} to either side."));
    }
    if lines.len() > MAX_SERIES {
        notes.push(format!("The first {MAX_SERIES} of {} lines.", lines.len()));
    }
    notes.extend(select::without_result(all));
    Chart { title: title.to_owned(), x, y: Axis::straight("accuracy (%)", &values, false), series, notes }
}
