//! Where the PE-cycles of a run went: what was useful, then each cause of loss, up to all of them.

use super::chart::{foot, head, line, text, MARGIN, ROW};
use super::palette::{Ink, BLACK, FAINT, INKS};
use super::scene::{text_width, Anchor, Scene, Shape, TEXT, WIDTH};
use super::select::{groups, shape};
use super::{Kind, PlotError, Plots};
use crate::row::Row;

/// How far the parts of a row may be from 100 % together: they are rounded when they are kept.
const TOLERANCE_PERCENT: f64 = 0.1;

fn parts(row: &Row) -> Option<Vec<(&'static str, f64)>> {
    let parts = [
        ("useful", row.utilization_percent),
        ("remainder rows", row.lost_rows_percent),
        ("remainder columns", row.lost_cols_percent),
        ("weights 0 by form", row.lost_form_percent),
        ("weight preload", row.lost_preload_percent),
        ("fill, operands", row.lost_fill_percent),
        ("accumulator not drained", row.lost_accumulator_percent),
        ("token limit", row.lost_tokens_percent),
        ("commands", row.lost_commands_percent),
        ("drain", row.lost_drain_percent),
    ];
    parts.into_iter().map(|(name, value)| Some((name, value?))).collect()
}

pub fn draw(plots: &mut Plots, rows: &[&Row], point: Option<&str>) -> Result<(), PlotError> {
    if let Some(name) = point {
        let found = rows.iter().find(|row| row.point.as_deref() == Some(name) && parts(row).is_some());
        let row = found.ok_or_else(|| PlotError::Point { name: name.to_owned() })?;
        add(plots, row, row.network.as_deref().unwrap_or_default(), "");
        return Ok(());
    }
    let networks = groups(rows, |row| row.network.clone());
    if networks.is_empty() {
        plots.miss(Kind::Waterfall, "no row has a network");
    }
    for (network, all) in networks {
        let order = |row: &Row| (row.accuracy_percent.unwrap_or(f64::MIN), row.utilization_percent.unwrap_or_default());
        let measured = all.iter().copied().filter(|row| parts(row).is_some());
        let best = measured.reduce(|best, row| {
            let ((a, b), (c, d)) = (order(row), order(best));
            // Of equals, the first row.
            if a.total_cmp(&c).then(b.total_cmp(&d)).is_gt() {
                row
            } else {
                best
            }
        });
        match best {
            Some(row) => add(plots, row, &network, "The network's most accurate point. "),
            None => {
                plots.miss(Kind::Waterfall, format!("{network}: no row has utilization_percent and all lost_*_percent"))
            }
        }
    }
    Ok(())
}

fn add(plots: &mut Plots, row: &Row, network: &str, why: &str) {
    let Some(parts) = parts(row) else { return };
    let sum: f64 = parts.iter().map(|(_, value)| value).sum();
    if (sum - 100.0).abs() > TOLERANCE_PERCENT {
        plots.miss(Kind::Waterfall, format!("{network}: the parts are {sum:.2} % together, not 100 %"));
        return;
    }
    let bits = |bits: Option<i64>| bits.map_or("-".to_owned(), |bits| bits.to_string());
    let (weights, activations) = (bits(row.weight_bits), bits(row.activation_bits));
    let title = format!("{network} W{weights} A{activations} on {}: where PE-cycles go", shape(row));
    let mut note = format!("{why}Point {}", row.point.as_deref().unwrap_or("-"));
    if let Some(cycles) = row.cycles {
        note.push_str(&format!(", {cycles} cycles"));
    }
    note.push('.');
    let scene = scene(&title, &parts, &note);
    plots.add(Kind::Waterfall, &[network], &title, scene);
}

fn scene(title: &str, parts: &[(&str, f64)], note: &str) -> Scene {
    let mut shapes = Vec::new();
    let top = head(&mut shapes, title) + 6.0;
    let names = parts.iter().map(|(name, _)| text_width(name, TEXT)).fold(0.0, f64::max);
    let (left, right) = (MARGIN + names + 14.0, WIDTH - MARGIN - 20.0);
    let x = |percent: f64| left + (right - left) * percent.clamp(0.0, 100.0) / 100.0;
    let row = 36.0;
    let bottom = top + row * parts.len() as f64 + 4.0;
    for percent in [0.0, 20.0, 40.0, 60.0, 80.0, 100.0] {
        shapes.push(line(vec![(x(percent), top), (x(percent), bottom)], FAINT, 1.0));
        shapes.push(text((x(percent), bottom + ROW / 2.0 + 4.0), &format!("{percent}"), Anchor::Middle, BLACK));
    }
    let mut sum = 0.0;
    for (at, (name, percent)) in parts.iter().enumerate() {
        let y = top + row * at as f64 + 6.0;
        let ink: Ink = INKS[usize::from(at > 0)];
        let (from, to) = (x(sum), x(sum + percent));
        sum += percent;
        shapes.push(text((left - 14.0, y + 12.0), name, Anchor::Right, BLACK));
        shapes.push(Shape::Block { from: (from, y), to: (to.max(from + 1.0), y + 24.0), ink });
        if at + 1 < parts.len() {
            shapes.push(line(vec![(to, y), (to, y + row + 24.0)], BLACK, 1.0));
        }
        let value = format!("{percent:.1}");
        let (place, anchor) = if to + 10.0 + text_width(&value, TEXT) <= right {
            ((to + 8.0, y + 12.0), Anchor::Left)
        } else {
            ((from - 8.0, y + 12.0), Anchor::Right)
        };
        shapes.push(text(place, &value, anchor, BLACK));
    }
    shapes.push(line(vec![(left, top), (left, bottom), (right, bottom)], BLACK, 1.5));
    let label = "PE-cycles (%), summed downwards";
    shapes.push(text(((left + right) / 2.0, bottom + ROW * 1.5 + 6.0), label, Anchor::Middle, BLACK));
    let height = foot(&mut shapes, &[note.to_owned()], bottom + ROW * 2.0 + 10.0);
    Scene { height, shapes }
}
