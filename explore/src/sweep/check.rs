//! From a sweep file as it stands to one that can be taken at its word.

use super::axis::{Axis, Level, Product};
use super::constraint::Constraint;
use super::raw::{OneOrMore, RawSweep, RawSynthesis};
use super::template::Template;
use super::{Network, Sweep, SweepError, Synthesis};
use crate::point::Axes;
use crate::synth::{BlockName, Target, MAX_SEED};
use spec::config::RawConfig;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// Of seeds, images of a run and the like: more is a slip.
const MOST_SEEDS: usize = 1000;
const MOST_IMAGES: usize = 10_000;
const MOST_LATENCY: u64 = 100_000;
const MOST_MINUTES: f64 = 10_000.0;

fn rule(holds: bool, key: &str, value: impl Display, rule: impl Into<String>) -> Result<(), SweepError> {
    match holds {
        true => Ok(()),
        false => Err(SweepError::Rule { key: key.to_owned(), value: value.to_string(), rule: rule.into() }),
    }
}

pub(super) fn check(text: &str, raw: RawSweep, base: RawConfig) -> Result<Sweep, SweepError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let named = !raw.name.is_empty() && raw.name.len() <= 64 && raw.name.chars().all(plain);
    rule(named, "name", format!("{:?}", raw.name), "1..=64 letters, digits, '_' or '-'")?;
    seeds("seeds", &raw.seeds, i64::MAX.unsigned_abs())?;
    let clock = raw.clock_mhz > 0.0 && raw.clock_mhz <= 100_000.0;
    rule(clock, "clock_mhz", raw.clock_mhz, "a frequency in MHz above 0 and up to 100000")?;
    rule(
        (1..=MOST_IMAGES).contains(&raw.simulation.batch),
        "simulation.batch",
        raw.simulation.batch,
        format!("in 1..={MOST_IMAGES}"),
    )?;
    let latency = raw.simulation.latency;
    rule((1..=MOST_LATENCY).contains(&latency), "simulation.latency", latency, format!("in 1..={MOST_LATENCY}"))?;
    stalls(raw.simulation.stalls.as_deref())?;
    let mut networks = BTreeMap::new();
    for (name, network) in &raw.networks {
        let model = Template::read(&format!("networks.{name}.model"), &network.model)?;
        let data = Template::read(&format!("networks.{name}.data"), &network.data)?;
        networks.insert(name.clone(), Network { model, data });
    }
    let products = products(&raw)?;
    let constraints = constraints("constraints", &raw.constraints)?;
    let mut subsets = BTreeMap::new();
    for (name, subset) in &raw.subsets {
        subsets.insert(name.clone(), self::constraints(&format!("subsets.{name}.where"), &subset.conditions)?);
    }
    let synthesis = raw.synthesis.as_ref().map(synthesis).transpose()?;
    let base_axes = base_axes(&base);
    Ok(Sweep { text: text.to_owned(), raw, base, base_axes, networks, products, constraints, subsets, synthesis })
}

fn seeds(key: &str, seeds: &[u64], most: u64) -> Result<(), SweepError> {
    rule(!seeds.is_empty(), key, "[]", "a list of at least one seed")?;
    rule(seeds.len() <= MOST_SEEDS, key, format!("{} seeds", seeds.len()), format!("at most {MOST_SEEDS} seeds"))?;
    for (at, seed) in seeds.iter().enumerate() {
        rule(*seed <= most, key, seed, format!("at most {most}"))?;
        rule(
            !seeds[..at].contains(seed),
            key,
            format!("{seeds:?}"),
            format!("seeds once each; {seed} is there twice"),
        )?;
    }
    Ok(())
}

/// SEED:PERCENT, or none.
pub(super) fn stalls(text: Option<&str>) -> Result<sim::Stalls, SweepError> {
    let Some(text) = text else { return Ok(sim::Stalls::NONE) };
    let most = sim::Stalls::MAX_PERCENT;
    let parsed = text.split_once(':').and_then(|(seed, percent)| Some((seed.parse().ok()?, percent.parse().ok()?)));
    match parsed {
        Some((seed, percent)) if percent <= most => Ok(sim::Stalls { seed, percent }),
        _ => Err(SweepError::Rule {
            key: "simulation.stalls".to_owned(),
            value: format!("{text:?}"),
            rule: format!("SEED:PERCENT such as \"7:10\", with at most {most} percent"),
        }),
    }
}

fn products(raw: &RawSweep) -> Result<Vec<Product>, SweepError> {
    let tables: Vec<(String, &toml::Table)> = match (&raw.axes, raw.products.as_slice()) {
        (Some(axes), []) => vec![("axes".to_owned(), axes)],
        (None, products @ [_, ..]) => {
            products.iter().enumerate().map(|(at, table)| (format!("products[{at}]"), table)).collect()
        }
        (given, _) => {
            let given = if given.is_some() { "both" } else { "neither" };
            return Err(SweepError::Parse(format!("a sweep has either [axes] or [[products]]; this has {given}")));
        }
    };
    tables.into_iter().map(|(key, table)| product(raw, &key, table)).collect()
}

fn product(raw: &RawSweep, key: &str, table: &toml::Table) -> Result<Product, SweepError> {
    let product = Product::read(key, table)?;
    let defined = |axis: Axis, table: &'static str, known: Vec<String>| {
        let names = product.levels(axis).unwrap_or_default().iter();
        let unknown = names.filter_map(|level| match level {
            Level::Text(name) if !known.contains(name) => Some(name.clone()),
            _ => None,
        });
        match unknown.into_iter().next() {
            Some(name) => Err(SweepError::Undefined { key: format!("{key}.{}", axis.name()), name, table, known }),
            None => Ok(()),
        }
    };
    defined(Axis::Network, "networks", raw.networks.keys().cloned().collect())?;
    defined(Axis::Method, "methods", raw.methods.keys().cloned().collect())?;
    let given = |axis: Axis| product.levels(axis).is_some();
    let key = |axis: Axis| format!("{key}.{}", axis.name());
    let needs = "given together with a network: a method quantizes one";
    rule(given(Axis::Network) || !given(Axis::Method), &key(Axis::Method), "a list", needs)?;
    let needs = "given together with a method, which quantizes it";
    rule(given(Axis::Method) || !given(Axis::Network), &key(Axis::Network), "a list", needs)?;
    Ok(product)
}

fn constraints(key: &str, texts: &[String]) -> Result<Vec<Constraint>, SweepError> {
    texts.iter().enumerate().map(|(at, text)| Constraint::read(&format!("{key}[{at}]"), text)).collect()
}

fn synthesis(raw: &RawSynthesis) -> Result<Synthesis, SweepError> {
    let dsp = raw.dsp.as_ref().map(OneOrMore::list);
    let blocks: Vec<BlockName> = names("synthesis.block", &raw.block.list(), &BlockName::ALL.map(BlockName::name))?;
    let targets: Vec<Target> = names("synthesis.targets", &raw.targets, &Target::ALL.map(Target::name))?;
    let some = dsp.as_ref().is_none_or(|dsp| !dsp.is_empty());
    rule(some, "synthesis.dsp", "[]", "true, false, or a list of at least one of them")?;
    let (gates, liberty) = (targets.contains(&Target::Generic), raw.liberty.as_deref());
    rule(!gates || liberty.is_some(), "synthesis.liberty", "absent", "the liberty file of target gates")?;
    let unused = "absent where target gates is not among the targets";
    rule(gates || liberty.is_none(), "synthesis.liberty", format!("{:?}", liberty.unwrap_or_default()), unused)?;
    seeds("synthesis.seeds", &raw.seeds, MAX_SEED)?;
    let minutes = raw.timeout_minutes;
    let limit = format!("above 0 and at most {MOST_MINUTES} minutes");
    rule(minutes > 0.0 && minutes <= MOST_MINUTES, "synthesis.timeout_minutes", minutes, limit)?;
    Ok(Synthesis {
        blocks,
        targets,
        dsp,
        place: raw.place,
        seeds: raw.seeds.clone(),
        liberty: raw.liberty.as_ref().map(Into::into),
        timeout: Duration::from_secs_f64(minutes * 60.0),
        extrapolate: raw.extrapolate,
    })
}

/// Names of what has those names, at least one.
fn names<T: FromStr>(key: &str, given: &[String], known: &[&str]) -> Result<Vec<T>, SweepError> {
    rule(!given.is_empty(), key, "[]", format!("a list of at least one of {}", known.join(", ")))?;
    let refuse = |name: &String| SweepError::Rule {
        key: key.to_owned(),
        value: format!("{name:?}"),
        rule: format!("one of {}", known.join(", ")),
    };
    given.iter().map(|name| name.parse().map_err(|_| refuse(name))).collect()
}

/// The base configuration's place on the axes.
fn base_axes(base: &RawConfig) -> Axes {
    let (n, g) = (&base.numerics, &base.geometry);
    Axes {
        network: None,
        network_width: 1.0,
        method: None,
        weight_bits: n.weight_bits,
        activation_bits: n.activation_bits,
        accumulator_bits: n.accumulator_bits,
        output_bits: n.output_bits,
        rounding: n.rounding,
        rows: g.rows,
        cols: g.cols,
        multiplier_stages: g.multiplier_stages,
        requantizer_lanes: g.requantizer_lanes,
        bus_bits: g.bus_bits,
    }
}
