//! Paths with names of axes in braces.

use super::{Axis, SweepError};
use crate::point::Axes;
use std::path::PathBuf;

/// A path such as `mlp-w{network_width}-s{seed}.onnx`.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Axis(Axis),
    Seed,
}

impl Template {
    pub(super) fn read(key: &str, text: &str) -> Result<Self, SweepError> {
        let refuse =
            |rule: &str| SweepError::Rule { key: key.to_owned(), value: format!("{text:?}"), rule: rule.to_owned() };
        if text.is_empty() {
            return Err(refuse("a path"));
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            parts.push(Part::Text(rest[..at].to_owned()));
            let Some(inner) = rest[at..].strip_prefix('{') else { return Err(refuse("a path with a { for each }")) };
            let Some((name, after)) = inner.split_once('}') else { return Err(refuse("a path with a } for each {")) };
            parts.push(match Axis::named(name) {
                Some(axis) => Part::Axis(axis),
                None if name == "seed" => Part::Seed,
                None => {
                    return Err(SweepError::Template {
                        key: key.to_owned(),
                        text: text.to_owned(),
                        name: name.to_owned(),
                    })
                }
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// The path of a point's seed.
    pub fn fill(&self, axes: &Axes, seed: u64) -> PathBuf {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Axis(axis) => axis.text(axes),
            Part::Seed => seed.to_string(),
        };
        self.parts.iter().map(part).collect::<String>().into()
    }
}
