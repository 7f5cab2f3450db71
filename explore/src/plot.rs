//! Plots of results: SVG and PNG, for print and for the colour-blind.

mod accuracy;
mod area;
pub mod chart;
mod front;
mod heat;
mod labels;
pub mod palette;
pub mod scene;
mod select;
pub mod ticks;
mod waterfall;
mod width;

use crate::row::Row;
use scene::Scene;
pub use select::labels;
use std::fmt;
use thiserror::Error;

/// What a plot shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    AccuracyWeights,
    AccuracyActivations,
    AccuracyBoth,
    Heat,
    WidthBytes,
    WidthEnergy,
    FrontLuts,
    FrontEnergy,
    FrontBytes,
    FrontFps,
    Luts,
    Area,
    Dsps,
    Fmax,
    Waterfall,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::AccuracyWeights,
        Self::AccuracyActivations,
        Self::AccuracyBoth,
        Self::Heat,
        Self::WidthBytes,
        Self::WidthEnergy,
        Self::FrontLuts,
        Self::FrontEnergy,
        Self::FrontBytes,
        Self::FrontFps,
        Self::Luts,
        Self::Area,
        Self::Dsps,
        Self::Fmax,
        Self::Waterfall,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::AccuracyWeights => "accuracy-weights",
            Self::AccuracyActivations => "accuracy-activations",
            Self::AccuracyBoth => "accuracy-both",
            Self::Heat => "heat",
            Self::WidthBytes => "width-bytes",
            Self::WidthEnergy => "width-energy",
            Self::FrontLuts => "front-luts",
            Self::FrontEnergy => "front-energy",
            Self::FrontBytes => "front-bytes",
            Self::FrontFps => "front-fps",
            Self::Luts => "luts",
            Self::Area => "area",
            Self::Dsps => "dsps",
            Self::Fmax => "fmax",
            Self::Waterfall => "waterfall",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Error)]
pub enum PlotError {
    #[error("the plots' font cannot be read")]
    Font,
    #[error("cannot draw a plot: {0}")]
    Drawing(String),
    #[error("cannot use a temporary folder")]
    Folder(#[source] std::io::Error),
    #[error("the results have no network {name:?}: theirs are {known}")]
    Network { name: String, known: String },
    #[error("the results have no point {name:?} with a utilization")]
    Point { name: String },
}

/// Which plots of which rows; empty lists choose all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    pub only: Vec<Kind>,
    pub networks: Vec<String>,
    /// The key of the waterfall's point, instead of the most accurate one's.
    pub point: Option<String>,
}

/// A plot that could be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    pub kind: Kind,
    /// Of its files, without what stands after the dot: letters, digits and `-_.` only, different for each drawing.
    pub name: String,
    pub title: String,
    pub scene: Scene,
}

/// A plot whose values are absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    pub kind: Kind,
    pub reason: String,
}

/// In the order of [`Kind::ALL`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plots {
    pub drawings: Vec<Drawing>,
    pub missing: Vec<Missing>,
}

/// Draws what the rows have the values for. Rows of hardware alone belong to every choice of networks.
pub fn plots(rows: &[Row], choice: &Choice) -> Result<Plots, PlotError> {
    let networks: Vec<&str> = select::networks(rows);
    if let Some(name) = choice.networks.iter().find(|name| !networks.contains(&name.as_str())) {
        return Err(PlotError::Network { name: name.clone(), known: format!("{networks:?}") });
    }
    let chosen = |row: &&Row| match &row.network {
        Some(network) => choice.networks.is_empty() || choice.networks.contains(network),
        None => true,
    };
    let rows = select::shown(rows.iter().filter(chosen));
    let rows: Vec<&Row> = rows.iter().collect();
    let mut plots = Plots::default();
    for kind in Kind::ALL {
        if !choice.only.is_empty() && !choice.only.contains(&kind) {
            continue;
        }
        match kind {
            Kind::AccuracyWeights | Kind::AccuracyActivations | Kind::AccuracyBoth => {
                accuracy::draw(&mut plots, kind, &rows);
            }
            Kind::Heat => heat::draw(&mut plots, &rows),
            Kind::WidthBytes | Kind::WidthEnergy => width::draw(&mut plots, kind, &rows),
            Kind::FrontLuts | Kind::FrontEnergy | Kind::FrontBytes | Kind::FrontFps => {
                front::draw(&mut plots, kind, &rows);
            }
            Kind::Luts | Kind::Area | Kind::Dsps | Kind::Fmax => area::draw(&mut plots, kind, &rows),
            Kind::Waterfall => waterfall::draw(&mut plots, &rows, choice.point.as_deref())?,
        }
    }
    Ok(plots)
}

impl Plots {
    fn add(&mut self, kind: Kind, parts: &[&str], title: &str, scene: Scene) {
        let plain = |character: char| {
            if character.is_ascii_alphanumeric() || "-_.".contains(character) {
                character
            } else {
                '_'
            }
        };
        let mut stem = kind.name().to_owned();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            stem.push('-');
            // Some file systems end names at 255 bytes.
            stem.extend(part.chars().map(plain).take(60));
        }
        let taken = |name: &str| self.drawings.iter().any(|drawing| drawing.name.eq_ignore_ascii_case(name));
        let mut name = stem.clone();
        for number in 2.. {
            if !taken(&name) {
                break;
            }
            name = format!("{stem}-{number}");
        }
        self.drawings.push(Drawing { kind, name, title: title.to_owned(), scene });
    }

    fn miss(&mut self, kind: Kind, reason: impl Into<String>) {
        let missing = Missing { kind, reason: reason.into() };
        if !self.missing.contains(&missing) {
            self.missing.push(missing);
        }
    }
}
