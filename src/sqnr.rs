//! `systole sqnr`: what golden's quantizers reach on samples, beside what is possible.

use crate::args::SqnrArgs;
use crate::files;
use anyhow::{Context, Result};
use calibrate::{decibels, optimal_levels, optimal_scale, samples, sqnr_db, stratified_samples, Density};
use explore::plot::chart::{Chart, Dot, Look, Series};
use explore::plot::ticks::Axis;
use golden::{Codebook, Kind, QFormat, Quantizer, Range, Scale};
use serde::Serialize;
use spec::Round;
use std::io::{IsTerminal, Write};

/// The table: everything in decibels.
#[derive(Debug, Serialize)]
struct Table {
    samples: usize,
    /// Drawn independently, or one in each of as many equal shares of the mass.
    independent: bool,
    seed: u64,
    densities: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    density: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    bits: u32,
    /// The best equal steps without a level at 0: bipolar formats.
    midrise: Reached,
    /// Signed, narrow range; none at one bit, which would leave 0 alone.
    symmetric: Option<Reached>,
    /// Signed, full range.
    full: Reached,
    /// The best levels of all.
    lloyd_max: Reached,
}

/// The optimum, and what was measured on the samples at the optimum's parameters.
#[derive(Clone, Copy, Debug, Serialize)]
struct Reached {
    optimum_db: f64,
    measured_db: f64,
}

impl Reached {
    fn difference(self) -> f64 {
        (self.measured_db - self.optimum_db).abs()
    }
}

impl Row {
    fn all(&self) -> impl Iterator<Item = Reached> {
        [Some(self.midrise), self.symmetric, Some(self.full), Some(self.lloyd_max)].into_iter().flatten()
    }
}

pub fn run(args: &SqnrArgs) -> Result<bool> {
    for path in args.svg.iter().chain(&args.png).chain(&args.json) {
        files::check_writable(path)?;
    }
    files::check_distinct(&[("--svg", &args.svg), ("--png", &args.png), ("--json", &args.json)])?;
    let table = table(args)?;
    let scene = table.plot().scene();
    if let Some(path) = &args.svg {
        files::write(path, scene.svg()?.as_bytes())?;
    }
    if let Some(path) = &args.png {
        files::write(path, &scene.png()?)?;
    }
    if let Some(path) = &args.json {
        let mut text = serde_json::to_string_pretty(&table)?;
        text.push('\n');
        files::write(path, text.as_bytes())?;
    }
    files::print(&table.text())?;
    Ok(true)
}

fn table(args: &SqnrArgs) -> Result<Table> {
    let chosen: Vec<Density> = match args.density {
        Some(density) => vec![density],
        None => Density::ALL.to_vec(),
    };
    let n_rows = chosen.len() * args.bits as usize;
    let mut densities = Vec::new();
    for density in chosen {
        let draw = if args.independent { samples } else { stratified_samples };
        let values = draw(density, args.seed, args.samples);
        let mut rows = Vec::new();
        for bits in 1..=args.bits {
            progress(densities.len() * args.bits as usize + rows.len(), n_rows);
            rows.push(row(density, bits, &values)?);
        }
        densities.push(Part { density: density.name(), rows });
    }
    progress(n_rows, n_rows);
    Ok(Table { samples: args.samples, independent: args.independent, seed: args.seed, densities })
}

fn progress(done: usize, all: usize) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let end = if done == all { "\n" } else { "" };
        // A terminal that is gone is no reason to stop.
        let _ = write!(err, "\r{done} of {all} widths{end}");
        let _ = err.flush();
    }
}

fn row(density: Density, bits: u32, values: &[f32]) -> Result<Row> {
    let uniform = |kind, range| -> Result<Reached> {
        let format = QFormat::new(kind, bits, range)?;
        let best = optimal_scale(density, format)?;
        let quantizer = Quantizer::tensor(format, Scale::f32(best.scale as f32)?, 0, Round::HalfToEven)?;
        let measured_db = sqnr_db(&quantizer, values, &[values.len()])?;
        Ok(Reached { optimum_db: best.sqnr_db(), measured_db })
    };
    Ok(Row {
        bits,
        midrise: uniform(Kind::Bipolar, Range::Full)?,
        symmetric: if bits > 1 { Some(uniform(Kind::Signed, Range::Narrow)?) } else { None },
        full: uniform(Kind::Signed, Range::Full)?,
        lloyd_max: lloyd_max(density, bits, values)?,
    })
}

/// The best levels, as a machine with 16-bit weights has them.
fn lloyd_max(density: Density, bits: u32, values: &[f32]) -> Result<Reached> {
    let best = optimal_levels(density, bits)?;
    let format = QFormat::full(16, true)?;
    let most = best.levels.iter().fold(0.0_f64, |most, level| most.max(level.abs()));
    let scale = most / format.max() as f64;
    // Within the format by the choice of the scale.
    let levels = best.levels.iter().map(|level| (level / scale).round_ties_even() as i32).collect();
    let codebook = Codebook::new(format, levels).context("the optimal levels do not fit 16 bits")?;
    let (mut signal, mut noise) = (0.0, 0.0);
    for &value in values {
        let value = f64::from(value);
        let error = value - f64::from(codebook.nearest(value / scale)) * scale;
        signal += value * value;
        noise += error * error;
    }
    Ok(Reached { optimum_db: best.sqnr_db(), measured_db: decibels(signal / noise) })
}

impl Table {
    fn text(&self) -> String {
        let mut text = String::new();
        let out = &mut text;
        let drawn = if self.independent { "independent" } else { "stratified" };
        let (n, seed) = (self.samples, self.seed);
        line!(
            out,
            "SQNR in dB of {n} {drawn} samples (seed {seed}): the optimum beside what golden's quantizers reach"
        );
        for part in &self.densities {
            line!(out, "\n{}", part.density);
            line!(out, "bits  midrise            symmetric integers  two's complement    Lloyd-Max levels");
            line!(out, "      optimum  measured   optimum  measured   optimum  measured   optimum  measured");
            for row in &part.rows {
                let pair = |reached: Option<Reached>| match reached {
                    Some(reached) => format!("{:>8.3} {:>9.3}", reached.optimum_db, reached.measured_db),
                    None => format!("{:>8} {:>9}", "-", "-"),
                };
                let pairs = [Some(row.midrise), row.symmetric, Some(row.full), Some(row.lloyd_max)].map(pair);
                line!(out, "{:>4} {}", row.bits, pairs.join("  "));
            }
            let most = part.rows.iter().flat_map(Row::all).map(Reached::difference).fold(0.0, f64::max);
            line!(out, "greatest difference between measured and optimum: {most:.3} dB");
        }
        text
    }

    fn plot(&self) -> Chart {
        let mut series = Vec::new();
        for (at, part) in self.densities.iter().enumerate() {
            let dots = |of: fn(&Row) -> f64| {
                let dot = |row: &Row| Dot { x: f64::from(row.bits), y: of(row), ..Dot::default() };
                part.rows.iter().map(dot).collect::<Vec<Dot>>()
            };
            let look = Look::nth(at);
            let mut add = |what: &str, look, dots| {
                series.push(Series { name: format!("{}: {what}", part.density), look, dots });
            };
            add("best levels", Look { line: Some(0), form: None, ..look }, dots(|row| row.lloyd_max.optimum_db));
            let steps = dots(|row| row.full.optimum_db.max(row.midrise.optimum_db));
            add("best equal steps", Look { line: Some(1), form: None, ..look }, steps);
            add("measured", look.markers(), dots(|row| row.full.measured_db));
        }
        let rows = || self.densities.iter().flat_map(|part| &part.rows);
        let bits: Vec<f64> = rows().map(|row| f64::from(row.bits)).collect();
        let all: Vec<f64> = rows().flat_map(Row::all).map(|reached| reached.optimum_db).collect();
        Chart {
            title: "Signal to quantization noise against bits".to_owned(),
            x: Axis::whole("bits", &bits),
            y: Axis::straight("SQNR (dB)", &all, true),
            series,
            notes: vec!["Lines: theory (Lloyd-Max levels, equal steps). Markers: golden's two's complement.".to_owned()],
        }
    }
}
