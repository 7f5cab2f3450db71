//! Accuracy by bits of weights and of activations, in cells.

use super::chart::{foot, head, line, text, MARGIN, ROW};
use super::palette::{sequential, text_on, BLACK, WHITE};
use super::scene::{text_width, Anchor, Scene, Shape, TEXT, WIDTH};
use super::select::{self, describe, distinct, groups, method, network_width, varying, Trait};
use super::{Kind, Plots};
use crate::row::Row;

const CELL_HEIGHT: f64 = 44.0;

pub fn draw(plots: &mut Plots, rows: &[&Row]) {
    let networks = groups(rows, |row| row.network.clone());
    if networks.is_empty() {
        plots.miss(Kind::Heat, "no row has a network");
    }
    for (network, all) in networks {
        let mut traits: Vec<Trait> = vec![method];
        traits.extend(varying(&all, &[network_width]));
        traits.extend(varying(&all, &select::NUMERICS));
        let values: Vec<f64> =
            all.iter().filter_map(|row| row.accuracy_percent).filter(|value| value.is_finite()).collect();
        if values.is_empty() {
            plots.miss(Kind::Heat, format!("{network}: no row has accuracy_percent"));
            continue;
        }
        // One scale for all methods of a network, so that they compare.
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (kind, rows) in groups(&all, |row| Some(describe(row, &traits))) {
            let columns = distinct(rows.iter().filter_map(|row| row.activation_bits));
            let lines = distinct(rows.iter().filter_map(|row| row.weight_bits));
            if columns.len() < 2 || lines.len() < 2 {
                plots.miss(Kind::Heat, format!("{network}, {kind}: fewer than 2 widths of weights or of activations"));
                continue;
            }
            let of = if kind.is_empty() { network.clone() } else { format!("{network}, {kind}") };
            let title = format!("{of}: accuracy (%)");
            let scene = scene(&title, &rows, &columns, &lines, (low, high));
            plots.add(Kind::Heat, &[&network, &kind.replace(' ', "-").replace('×', "x")], &title, scene);
        }
    }
}

fn scene(title: &str, rows: &[&Row], columns: &[i64], lines: &[i64], (low, high): (f64, f64)) -> Scene {
    let mut shapes = Vec::new();
    let top = head(&mut shapes, title) + 6.0;
    let left = MARGIN + ROW + 48.0;
    let right = WIDTH - MARGIN - 120.0;
    let (width, bottom) = ((right - left) / columns.len() as f64, top + CELL_HEIGHT * lines.len() as f64);
    let share = |value: f64| if high > low { (value - low) / (high - low) } else { 1.0 };
    // A number needs room for its decimal.
    let decimals = if width > text_width("100.0", TEXT) + 6.0 { 1 } else { 0 };
    let (mut refused, mut absent) = (0, 0);
    for (down, weights) in lines.iter().rev().enumerate() {
        let y = top + CELL_HEIGHT * down as f64;
        let middle = y + CELL_HEIGHT / 2.0;
        shapes.push(text((left - 12.0, middle), &weights.to_string(), Anchor::Right, BLACK));
        for (across, activations) in columns.iter().enumerate() {
            let x = left + width * across as f64;
            let mut cell = rows
                .iter()
                .filter(|row| row.weight_bits == Some(*weights) && row.activation_bits == Some(*activations))
                .peekable();
            let exists = cell.peek().is_some();
            let (ink, words) = match cell.find_map(|row| row.accuracy_percent.filter(|value| value.is_finite())) {
                Some(value) => (sequential(share(value)), format!("{value:.decimals$}")),
                None if exists => {
                    refused += 1;
                    (WHITE, "×".to_owned())
                }
                None => {
                    absent += 1;
                    (WHITE, "–".to_owned())
                }
            };
            shapes.push(Shape::Block { from: (x, y), to: (x + width, y + CELL_HEIGHT), ink });
            shapes.push(text((x + width / 2.0, middle), &words, Anchor::Middle, text_on(ink)));
        }
    }
    for (across, activations) in columns.iter().enumerate() {
        let x = left + width * (across as f64 + 0.5);
        shapes.push(text((x, bottom + ROW / 2.0 + 2.0), &activations.to_string(), Anchor::Middle, BLACK));
    }
    let border = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    shapes.push(line(border, BLACK, 1.0));
    let words = "bits of activations";
    shapes.push(text(((left + right) / 2.0, bottom + ROW * 1.5 + 4.0), words, Anchor::Middle, BLACK));
    shapes.push(Shape::Text {
        at: (MARGIN + ROW / 2.0, (top + bottom) / 2.0),
        text: "bits of weights".to_owned(),
        size: TEXT,
        ink: BLACK,
        anchor: Anchor::Middle,
        vertical: true,
    });
    scale(&mut shapes, right + 24.0, (top, bottom), (low, high));
    let mut notes = Vec::new();
    if refused > 0 {
        notes.push("×: no result.".to_owned());
    }
    if absent > 0 {
        notes.push("–: not among the results.".to_owned());
    }
    notes.extend(select::without_result(rows));
    let height = foot(&mut shapes, &notes, bottom + ROW * 2.0 + 10.0);
    Scene { height, shapes }
}

/// The colours from least, below, to greatest.
fn scale(shapes: &mut Vec<Shape>, x: f64, (top, bottom): (f64, f64), (low, high): (f64, f64)) {
    let steps = 64;
    let at = |step: i32| bottom - (bottom - top) * f64::from(step) / f64::from(steps);
    for step in 0..steps {
        let ink = sequential(f64::from(step) / f64::from(steps - 1));
        shapes.push(Shape::Block { from: (x, at(step + 1)), to: (x + 18.0, at(step)), ink });
    }
    for (y, value) in [(top + 10.0, high), (bottom - 10.0, low)] {
        shapes.push(text((x + 26.0, y), &format!("{value:.1}"), Anchor::Left, BLACK));
    }
}
