//! The report: one HTML file with everything in it, which asks the network for nothing.

mod html;

use crate::plot::palette::{sequential, Ink, INKS};
use crate::plot::{self, Choice, PlotError, Plots};
use crate::row::{Column, Kind, Row, Value};
use crate::store::About;
use html::{escape, script_json};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

const STYLE: &str = include_str!("report/page.css");
const SCRIPT: &str = include_str!("report/page.js");
/// Columns that the table shows until others are chosen, if they differ between rows.
const SHOWN: [&str; 22] = [
    "network",
    "network_width",
    "method",
    "weight_bits",
    "activation_bits",
    "rows",
    "cols",
    "block",
    "target",
    "dsp",
    "status",
    "accuracy_percent",
    "accuracy_sd_percent",
    "cycles",
    "utilization_percent",
    "bytes",
    "energy_nj",
    "luts",
    "dsps",
    "fmax_mhz",
    "clock_source",
    "fps",
];
/// Columns whose values are extrapolated where a row says so.
const AREAS: [&str; 8] = ["luts", "lut_sites", "ffs", "carries", "dsps", "rams", "lut_rams", "area_um2"];

/// A report on the rows of a results file. `systole` is the version that writes it.
pub fn report(about: &About, rows: &[Row], systole: &str) -> Result<String, PlotError> {
    let plots = plot::plots(rows, &Choice::default())?;
    let mut page = String::new();
    let out = &mut page;
    let title = escape(&about.name);
    push(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Nothing is loaded, whatever a text in the page may say.
    push(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; ");
    push(out, "script-src 'unsafe-inline'; img-src data:\">\n");
    push(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    // An icon of its own, or a browser asks a server for one.
    push(out, "<link rel=\"icon\" href=\"data:,\">\n");
    push(out, &format!("<title>{title}: results</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"));
    push(out, &format!("<h1>{title}: results</h1>\n<p id=\"summary\">{}</p>\n", escape(&summary(rows))));
    push(out, "<nav aria-label=\"sections\"><a href=\"#rows\">Rows</a><a href=\"#plots\">Plots</a>");
    push(out, "<a href=\"#without\">Without a result</a><a href=\"#origin\">Origin</a></nav>\n<main>\n");
    explorer(out, rows);
    figures(out, &plots)?;
    without_result(out, rows, about);
    origin(out, about, systole);
    push(out, "</main>\n");
    push(out, &format!("<script type=\"application/json\" id=\"data\">{}</script>\n", data(rows)));
    push(out, &format!("<script>\n{SCRIPT}</script>\n</body>\n</html>\n"));
    Ok(page)
}

fn push(out: &mut String, text: &str) {
    out.push_str(text);
}

/// How many points there are, and of each status.
fn summary(rows: &[Row]) -> String {
    let mut seen = HashSet::new();
    let points: Vec<&Row> = rows.iter().filter(|row| seen.insert(row.point.as_deref())).collect();
    let mut text = format!("{} points, {} rows", points.len(), rows.len());
    for status in ["done", "refused", "failed", "pending"] {
        let count = points.iter().filter(|row| row.status.as_deref() == Some(status)).count();
        if count > 0 {
            let _ = write!(text, "; {count} {status}");
        }
    }
    for status in ["failed", "timed out", "pending", "extrapolated"] {
        let count = rows.iter().filter(|row| row.build_status.as_deref() == Some(status)).count();
        if count > 0 {
            let _ = write!(text, "; {count} rows with builds {status}");
        }
    }
    text
}

/// Indices of the columns that differ between rows, and those that are the same in all.
fn split_columns(rows: &[Row]) -> (Vec<usize>, Vec<(Column, Value)>) {
    let values: Vec<Vec<Value>> = rows.iter().map(Row::values).collect();
    let (mut varying, mut same) = (Vec::new(), Vec::new());
    for (at, column) in Row::COLUMNS.iter().enumerate() {
        let mut of_rows = values.iter().map(|row| &row[at]);
        let Some(first) = of_rows.next() else { continue };
        if of_rows.any(|value| value != first) {
            varying.push(at);
        } else if *first != Value::Absent {
            same.push((*column, first.clone()));
        }
    }
    (varying, same)
}

fn explorer(out: &mut String, rows: &[Row]) {
    let (varying, same) = split_columns(rows);
    push(out, "<section id=\"rows\">\n<h2>Rows</h2>\n");
    push(out, "<noscript><p>Table and plot of this section need scripts; all else does not.</p></noscript>\n");
    push(out, include_str!("report/explorer.html"));
    if varying.is_empty() {
        push(out, "<p>All rows are the same.</p>\n");
    }
    if !same.is_empty() {
        push(out, "<h3>The same in every row</h3>\n<dl>\n");
        for (column, value) in same {
            let unit = if column.unit.is_empty() { String::new() } else { format!(" {}", column.unit) };
            let text = match value {
                Value::Absent => String::new(),
                Value::Integer(value) => value.to_string(),
                Value::Real(value) => value.to_string(),
                Value::Text(text) => escape(&text),
            };
            let meaning = escape(column.meaning);
            push(out, &format!("<dt title=\"{meaning}\">{}</dt><dd>{text}{unit}</dd>\n", column.name));
        }
        push(out, "</dl>\n");
    }
    push(out, "</section>\n");
}

fn figures(out: &mut String, plots: &Plots) -> Result<(), PlotError> {
    push(out, "<section id=\"plots\">\n<h2>Plots</h2>\n");
    for drawing in &plots.drawings {
        let svg = drawing.scene.svg()?;
        let label = escape(&drawing.title);
        let svg = svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1);
        push(out, &format!("<figure id=\"plot-{}\">\n{svg}</figure>\n", escape(&drawing.name)));
    }
    if !plots.missing.is_empty() {
        push(out, "<h3>Not drawn</h3>\n<ul>\n");
        for missing in &plots.missing {
            push(out, &format!("<li>{}: {}</li>\n", missing.kind, escape(&missing.reason)));
        }
        push(out, "</ul>\n");
    }
    push(out, "</section>\n");
    Ok(())
}

/// Reasons with the number of what they are the reason for, the most frequent first.
fn counted<'a>(reasons: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Vec<(String, String, u64)> {
    let mut counts: HashMap<(&str, &str), u64> = HashMap::new();
    for (status, reason) in reasons {
        *counts.entry((status, reason.unwrap_or_default())).or_default() += 1;
    }
    let mut counts: Vec<(String, String, u64)> =
        counts.into_iter().map(|((status, reason), count)| (status.to_owned(), reason.to_owned(), count)).collect();
    counts.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| (&a.0, &a.1).cmp(&(&b.0, &b.1))));
    counts
}

fn without_result(out: &mut String, rows: &[Row], about: &About) {
    push(out, "<section id=\"without\">\n<h2>Without a result</h2>\n");
    let mut seen = HashSet::new();
    let points = rows.iter().filter(|row| seen.insert(row.point.as_deref()));
    let points = counted(points.filter_map(|row| {
        let status = row.status.as_deref()?;
        ["refused", "failed", "pending"].contains(&status).then_some((status, row.reason.as_deref()))
    }));
    let builds = counted(rows.iter().filter_map(|row| {
        let status = row.build_status.as_deref()?;
        ["failed", "timed out", "pending"].contains(&status).then_some((status, row.build_reason.as_deref()))
    }));
    let skipped: Vec<(String, String, u64)> =
        about.skipped.iter().map(|(reason, count)| ("skipped".to_owned(), reason.clone(), *count)).collect();
    let tables = [
        ("Points", "points", &points),
        ("Builds", "rows", &builds),
        ("Combinations of axes that are no points", "combinations", &skipped),
    ];
    for (title, what, reasons) in tables {
        if reasons.is_empty() {
            continue;
        }
        push(out, &format!("<h3>{title}</h3>\n<table>\n<thead><tr><th scope=\"col\">{what}</th>"));
        push(out, "<th scope=\"col\">status</th><th scope=\"col\">reason</th></tr></thead>\n<tbody>\n");
        for (status, reason, count) in reasons {
            let (status, reason) = (escape(status), escape(reason));
            push(out, &format!("<tr><td class=\"number\">{count}</td><td>{status}</td><td>{reason}</td></tr>\n"));
        }
        push(out, "</tbody>\n</table>\n");
    }
    if points.is_empty() && builds.is_empty() && skipped.is_empty() {
        push(out, "<p>Every point and every build has one.</p>\n");
    }
    push(out, "</section>\n");
}

fn origin(out: &mut String, about: &About, systole: &str) {
    push(out, "<section id=\"origin\">\n<h2>Origin</h2>\n<dl>\n");
    let mut item = |name: &str, text: &str| {
        push(out, &format!("<dt>{}</dt><dd class=\"value\">{}</dd>\n", escape(name), escape(text)));
    };
    item("command", &about.command);
    item("started", &about.started);
    item("systole", &about.systole);
    item("this page by systole", systole);
    let seeds: Vec<String> = about.seeds.iter().map(u64::to_string).collect();
    item("seeds", &seeds.join(", "));
    item("fingerprint", &about.fingerprint);
    for (tool, version) in &about.tools {
        item(tool, version);
    }
    push(out, "</dl>\n<h3>Sweep file</h3>\n");
    push(out, &format!("<pre id=\"sweep-file\">{}</pre>\n", escape(&about.file)));
    if !about.owners.is_empty() {
        push(out, "<h3>Runs</h3>\n<table>\n<thead><tr><th scope=\"col\">started</th><th scope=\"col\">ended</th>");
        push(out, "<th scope=\"col\">systole</th><th scope=\"col\">command</th></tr></thead>\n<tbody>\n");
        for owner in &about.owners {
            let ended = owner.ended.as_deref().unwrap_or("-");
            let cells = [owner.started.as_str(), ended, &owner.systole, &owner.command].map(escape);
            push(out, &format!("<tr><td>{}</td></tr>\n", cells.join("</td><td>")));
        }
        push(out, "</tbody>\n</table>\n");
    }
    if !about.inputs.is_empty() {
        push(out, "<details><summary>Input files and their SHA-256</summary>\n<table>\n<tbody>\n");
        for (path, hash) in &about.inputs {
            let (path, hash) = (escape(&path.display().to_string()), escape(hash));
            push(out, &format!("<tr><td>{path}</td><td class=\"value\">{hash}</td></tr>\n"));
        }
        push(out, "</tbody>\n</table>\n</details>\n");
    }
    push(out, "</section>\n");
}

/// What the page's script reads: columns that differ, rows, and the plots' colours.
fn data(rows: &[Row]) -> String {
    let (varying, _) = split_columns(rows);
    let columns: Vec<serde_json::Value> = varying
        .iter()
        .map(|&at| {
            let column = &Row::COLUMNS[at];
            json!({
                "name": column.name,
                "kind": match column.kind {
                    Kind::Text => "text",
                    Kind::Integer => "integer",
                    Kind::Real => "real",
                },
                "unit": column.unit,
                "meaning": column.meaning,
                "shown": SHOWN.contains(&column.name),
                "area": AREAS.contains(&column.name),
            })
        })
        .collect();
    let cells = |row: &Row| -> Vec<Value> {
        let values = row.values();
        varying.iter().map(|&at| values[at].clone()).collect()
    };
    let hex = |[red, green, blue]: Ink| format!("#{red:02x}{green:02x}{blue:02x}");
    // The lightest colours are faint as small marks on white.
    let ramp: Vec<String> = (0..=32).map(|step| hex(sequential(f64::from(step) / 40.0))).collect();
    script_json(&json!({
        "columns": columns,
        "rows": rows.iter().map(cells).collect::<Vec<_>>(),
        "inks": INKS.map(hex),
        "ramp": ramp,
    }))
}
