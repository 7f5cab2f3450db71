//! Precision against width: what a wider network at fewer bits costs, beside a narrower one at more.

use super::chart::{Chart, Dot, Look, Series};
use super::palette::MAX_SERIES;
use super::select::{self, describe, distinct, groups, varying, Trait};
use super::ticks::Axis;
use super::{Kind, Plots};
use crate::row::Row;

fn cost(kind: Kind, row: &Row) -> Option<f64> {
    match kind {
        Kind::WidthBytes => row.model_bytes.map(|bytes| bytes as f64),
        _ => row.energy_nj,
    }
}

/// Which rows stand in one plot.
struct Cut<'a> {
    /// In its title.
    words: String,
    /// At the end of its file's name.
    name: String,
    rows: Vec<&'a Row>,
}

/// Weights and activations alike, and weights with activations at their widest; all rows if neither has any two.
fn cuts<'a>(rows: &[&'a Row]) -> Vec<Cut<'a>> {
    let most = rows.iter().filter_map(|row| row.activation_bits).max();
    let of = |holds: &dyn Fn(&Row) -> bool| rows.iter().copied().filter(|row| holds(row)).collect::<Vec<_>>();
    let bits = most.unwrap_or_default();
    let mut cuts = vec![
        Cut { words: String::new(), name: String::new(), rows: of(&|row| row.weight_bits == row.activation_bits) },
        Cut {
            words: format!(", activations of {bits} bits"),
            name: format!("a{bits}"),
            rows: of(&|row| row.activation_bits == most),
        },
    ];
    cuts.retain(|cut| distinct(cut.rows.iter().filter_map(|row| row.weight_bits)).len() > 1);
    if cuts.is_empty() {
        cuts.push(Cut { words: String::new(), name: String::new(), rows: rows.to_vec() });
    }
    cuts
}

/// What a plot is of.
struct Subject<'a> {
    kind: Kind,
    network: &'a str,
    method: &'a str,
    all: &'a [&'a Row],
    n_measured: usize,
}

pub fn draw(plots: &mut Plots, kind: Kind, rows: &[&Row]) {
    let column = if kind == Kind::WidthBytes { "model_bytes" } else { "energy_nj" };
    let networks = groups(rows, |row| row.network.clone());
    if networks.is_empty() {
        plots.miss(kind, "no row has a network");
    }
    let mut methods = Vec::new();
    for (network, all) in networks {
        if varying(&all, &[select::network_width]).is_empty() {
            plots.miss(kind, format!("{network}: all rows have one network width"));
            continue;
        }
        let of_methods = groups(&all, |row| row.method.clone());
        methods.extend(of_methods.into_iter().map(|(method, rows)| (network.clone(), method, rows)));
    }
    for (network, method, all) in methods {
        let measured: Vec<&Row> =
            all.iter().copied().filter(|row| row.accuracy_percent.is_some() && cost(kind, row).is_some()).collect();
        if measured.is_empty() {
            plots.miss(kind, format!("{network}, {method}: no row has both accuracy_percent and {column}"));
            continue;
        }
        for cut in cuts(&measured) {
            let (network, method, all) = (&*network, &*method, &*all);
            draw_cut(plots, &Subject { kind, network, method, all, n_measured: measured.len() }, &cut);
        }
    }
}

fn draw_cut(plots: &mut Plots, subject: &Subject<'_>, cut: &Cut<'_>) {
    let Subject { kind, network, method, all, n_measured } = *subject;
    let Cut { words, name, rows: kept } = cut;
    let (label, short) = match kind {
        Kind::WidthBytes => ("size of the model (bytes)", "model size"),
        _ => ("modelled energy an image (nJ)", "energy"),
    };
    let mut traits: Vec<Trait> = select::BITS.to_vec();
    traits.extend(varying(kept, &select::NUMERICS));
    if kind == Kind::WidthEnergy {
        traits.extend(varying(kept, &select::GEOMETRY));
    }
    let mut lines = groups(kept, |row| Some(describe(row, &traits)));
    lines.sort_by_key(|(_, rows)| rows.first().map(|row| std::cmp::Reverse((row.weight_bits, row.activation_bits))));
    let mut series = Vec::new();
    let mut most_widths: Vec<f64> = Vec::new();
    for (at, (name, rows)) in lines.iter().enumerate().take(MAX_SERIES) {
        let mut dots: Vec<(f64, Dot)> = Vec::new();
        for row in rows {
            let (Some(width), Some(x), Some(y)) = (row.network_width, cost(kind, row), row.accuracy_percent) else {
                continue;
            };
            if dots.iter().all(|(known, _)| *known != width) {
                let bar = row.accuracy_sd_percent.map(|sd| (y - sd, (y + sd).min(100.0)));
                dots.push((width, Dot { x, y, bar, ..Dot::default() }));
            }
        }
        dots.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (widths, dots): (Vec<f64>, Vec<Dot>) = dots.into_iter().unzip();
        if widths.len() > most_widths.len() {
            most_widths = widths;
        }
        series.push(Series { name: name.clone(), look: Look::nth(at), dots });
    }
    if most_widths.len() < 2 {
        plots.miss(kind, format!("{network}, {method}: fewer than 2 network widths"));
        return;
    }
    let dots = || series.iter().flat_map(|series| &series.dots);
    let xs: Vec<f64> = dots().map(|dot| dot.x).collect();
    let ends = |dot: &Dot| dot.bar.map_or([dot.y, dot.y], |(low, high)| [low.max(0.0), high]);
    let ys: Vec<f64> = dots().flat_map(ends).collect();
    let widths: Vec<String> = most_widths.iter().map(|width| format!("×{width}")).collect();
    let mut notes = vec![format!("Along a line: networks of width {}.", widths.join(", "))];
    if dots().any(|dot| dot.bar.is_some()) {
        notes.push("Bars: a standard deviation over seeds to either side.".to_owned());
    }
    if lines.len() > MAX_SERIES {
        notes.push(format!("The first {MAX_SERIES} of {} lines.", lines.len()));
    }
    if n_measured > kept.len() {
        notes.push(format!("{} of other bits not in this plot.", select::counted(n_measured - kept.len(), "point")));
    }
    notes.extend(select::without_result(all));
    let chart = Chart {
        title: format!("{network}, {method}: accuracy against {short}, by bits and network width{words}"),
        x: Axis::wide(label, &xs),
        y: Axis::straight("accuracy (%)", &ys, false),
        series,
        notes,
    };
    plots.add(kind, &[network, method, name], &chart.title, chart.scene());
}
