//! Areas and clocks of synthesized hardware against the width of its operands.

use super::chart::{Chart, Dot, Look, Series};
use super::palette::MAX_SERIES;
use super::select::{self, describe, distinct, dsp, groups, varying, Trait};
use super::ticks::Axis;
use super::{Kind, Plots};
use crate::row::Row;

/// Which rows stand on the x axis, and by which of their widths.
struct Cut {
    label: String,
    bits: fn(&Row) -> Option<i64>,
    holds: Box<dyn Fn(&Row) -> bool>,
}

/// Widths of the multipliers' operands.
fn weight_bits(row: &Row) -> Option<i64> {
    row.machine_weight_bits.or(row.weight_bits)
}

/// Equal widths first; then one width, with the other at its greatest.
fn cuts(rows: &[&Row]) -> [Cut; 3] {
    let most_activations = rows.iter().filter_map(|row| row.activation_bits).max();
    let most_weights = rows.iter().filter_map(|row| weight_bits(row)).max();
    let bits = |most: Option<i64>| most.map_or(String::new(), |most| format!(" of {most} bits"));
    [
        Cut {
            label: "bits of weights and activations".to_owned(),
            bits: weight_bits,
            holds: Box::new(|row| weight_bits(row) == row.activation_bits),
        },
        Cut {
            label: format!("bits of weights, activations{}", bits(most_activations)),
            bits: weight_bits,
            holds: Box::new(move |row| row.activation_bits == most_activations),
        },
        Cut {
            label: format!("bits of activations, weights{}", bits(most_weights)),
            bits: |row| row.activation_bits,
            holds: Box::new(move |row| weight_bits(row) == most_weights),
        },
    ]
}

fn target(row: &Row) -> String {
    row.target.clone().unwrap_or_default()
}

pub fn draw(plots: &mut Plots, kind: Kind, rows: &[&Row]) {
    let (column, label, short): (&str, &str, &str) = match kind {
        Kind::Luts => ("lut_sites", "LUT sites", "LUTs"),
        Kind::Area => ("area_um2", "area of cells (um²)", "area"),
        Kind::Dsps => ("dsps", "DSP blocks", "DSP blocks"),
        _ => ("fmax_mhz", "greatest clock (MHz)", "greatest clock"),
    };
    let value = |row: &Row| match kind {
        Kind::Luts => row.lut_sites.map(|luts| luts as f64),
        Kind::Area => row.area_um2,
        Kind::Dsps => row.dsps.map(|dsps| dsps as f64),
        _ => row.fmax_mhz,
    };
    let blocks = groups(rows, |row| row.block.clone());
    if blocks.is_empty() {
        plots.miss(kind, "no row has a synthesis target");
    }
    for (block, all) in blocks {
        let measured: Vec<&Row> = all.iter().copied().filter(|row| value(row).is_some_and(f64::is_finite)).collect();
        if measured.is_empty() {
            plots.miss(kind, format!("{block}: no row has {column}"));
            continue;
        }
        let wide = |cut: &Cut| {
            let kept = measured.iter().filter(|row| (cut.holds)(row));
            distinct(kept.filter_map(|row| (cut.bits)(row))).len() > 1
        };
        let Some(cut) = cuts(&measured).into_iter().find(wide) else {
            plots.miss(kind, format!("{block}: fewer than 2 widths with {column}"));
            continue;
        };
        let kept: Vec<&Row> = measured.iter().copied().filter(|row| (cut.holds)(row)).collect();
        let mut traits: Vec<Trait> = vec![target];
        traits.extend(varying(&kept, &[dsp]));
        traits.extend(varying(&kept, &select::GEOMETRY));
        traits.extend(varying(&kept, &select::NUMERICS));
        let lines = groups(&kept, |row| Some(describe(row, &traits)));
        let mut series = Vec::new();
        for (at, (name, rows)) in lines.iter().enumerate().take(MAX_SERIES) {
            let mut dots: Vec<Dot> = Vec::new();
            for row in rows {
                let (Some(bits), Some(value)) = ((cut.bits)(row), value(row)) else { continue };
                // Points that differ in network or method share a build.
                if dots.iter().all(|dot| dot.x != bits as f64) {
                    let bar = (kind == Kind::Fmax).then_some(row.fmax_min_mhz.zip(row.fmax_max_mhz)).flatten();
                    let extrapolated = row.extrapolated == Some(1);
                    dots.push(Dot { x: bits as f64, y: value, bar, extrapolated, label: None });
                }
            }
            dots.sort_by(|a, b| a.x.total_cmp(&b.x));
            series.push(Series { name: name.clone(), look: Look::nth(at), dots });
        }
        let ends = |dot: &Dot| dot.bar.map_or([dot.y, dot.y], |(low, high)| [low, high]);
        let values: Vec<f64> = series.iter().flat_map(|series| series.dots.iter().flat_map(ends)).collect();
        let widths: Vec<f64> = kept.iter().filter_map(|row| (cut.bits)(row)).map(|bits| bits as f64).collect();
        let mut notes = Vec::new();
        if series.iter().flat_map(|series| &series.dots).any(|dot| dot.bar.is_some()) {
            let single = measured.iter().all(|row| row.place_seeds == Some(1));
            let bars = "Bars: from the worst placement to the best; points: the median.";
            notes.push(if single { "Of one placement each." } else { bars }.to_owned());
        }
        if measured.len() > kept.len() {
            notes.push(format!(
                "{} of other widths not in this plot.",
                select::counted(measured.len() - kept.len(), "row")
            ));
        }
        if lines.len() > MAX_SERIES {
            notes.push(format!("The first {MAX_SERIES} of {} lines.", lines.len()));
        }
        notes.extend(select::without_build(&all, value));
        let chart = Chart {
            title: format!("{block}: {short} against width"),
            x: Axis::whole(&cut.label, &widths),
            y: Axis::straight(label, &values, true),
            series,
            notes,
        };
        plots.add(kind, &[&block], &chart.title, chart.scene());
    }
}
