//! Why a sweep file was refused.

use spec::ConfigError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a sweep file, or what it names, was refused.
#[derive(Debug, Error)]
pub enum SweepError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the sweep file does not parse: {0}")]
    Parse(String),
    #[error("config = {name:?}: {source}")]
    Config { name: String, source: ConfigError },
    #[error("config = {name:?} is no file {}, and no shipped configuration of that name: {:?}", path.display(), spec::Config::NAMED)]
    NoConfig { name: String, path: PathBuf },
    #[error("{key} is no axis: it must be one of {}", super::Axis::names())]
    UnknownAxis { key: String },
    #[error("{key} = {value} must be {rule}")]
    Rule { key: String, value: String, rule: String },
    #[error("{key} = {name:?} is not defined: [{table}] has {}", known.join(", "))]
    Undefined { key: String, name: String, table: &'static str, known: Vec<String> },
    #[error("{key} = {text:?} names {{{name}}}: it must be seed, or an axis: {}", super::Axis::names())]
    Template { key: String, text: String, name: String },
    #[error("{key}: {text:?} names {name}, which is no axis: it must be one of {}", super::Axis::names())]
    ConstraintName { key: String, text: String, name: String },
    #[error("{key}: {text:?} cannot be evaluated at {point}: {message}")]
    Constraint { key: String, text: String, point: String, message: String },
    #[error("--subset {name} is not defined: the sweep file has {}", if known.is_empty() { "no [subsets]".to_owned() } else { known.join(", ") })]
    Subset { name: String, known: Vec<String> },
    #[error("the product of the axes has {points} points, more than {limit}: --yes takes it all the same")]
    TooMany { points: u128, limit: u64 },
    #[error("{key}: no file {}, which seed {seed} of {point} needs", path.display())]
    NoFile { key: String, path: PathBuf, seed: u64, point: String },
    #[error("synthesis.liberty: no file {}", path.display())]
    NoLiberty { path: PathBuf },
    #[error("no point is left: {excluded} of the product do not hold the constraints, {skipped} break a rule of the configuration{}", first.as_ref().map_or_else(String::new, |reason| format!(" ({reason})")))]
    NoPoint { excluded: u64, skipped: u64, first: Option<String> },
    #[error("interrupted")]
    Interrupted,
}
