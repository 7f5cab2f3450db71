//! A sweep file: which points, and what is to be measured of each. `docs/sweeps.md` is its reference.

mod axis;
mod check;
mod constraint;
mod error;
mod plan;
mod raw;
mod template;

pub use axis::{Axis, Product};
pub use error::SweepError;
pub use plan::{Plan, Planned, MOST_POINTS};

use crate::measure::Simulation;
use crate::point::{Axes, Point};
use crate::synth::{BlockName, Target};
use compiler::quantize::recipe::{WeightMethod, WeightRounding};
use compiler::quantize::Recipe;
use constraint::Constraint;
use raw::{RawMethod, RawSweep};
use spec::config::{toml_error, RawConfig};
use spec::{Config, ConfigError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use template::Template;

/// A sweep file that was checked.
#[derive(Clone, Debug)]
pub struct Sweep {
    text: String,
    raw: RawSweep,
    base: RawConfig,
    base_axes: Axes,
    networks: BTreeMap<String, Network>,
    products: Vec<Product>,
    constraints: Vec<Constraint>,
    subsets: BTreeMap<String, Vec<Constraint>>,
    synthesis: Option<Synthesis>,
}

#[derive(Clone, Debug)]
struct Network {
    model: Template,
    data: Template,
}

/// The files of one seed of a point, relative to the sweep file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Files {
    pub model: PathBuf,
    pub data: PathBuf,
}

/// What is built of each point.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthesis {
    blocks: Vec<BlockName>,
    targets: Vec<Target>,
    /// None: as is best for each target.
    dsp: Option<Vec<bool>>,
    place: bool,
    /// Of placement.
    seeds: Vec<u64>,
    /// Relative to the sweep file.
    liberty: Option<PathBuf>,
    timeout: Duration,
    extrapolate: bool,
}

/// One of the builds of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    pub block: BlockName,
    pub target: Target,
    pub dsp: bool,
}

impl Synthesis {
    /// The builds of each point. A target without DSP blocks has none with them.
    pub fn variants(&self) -> Vec<Variant> {
        let mut variants = Vec::new();
        for &block in &self.blocks {
            for &target in &self.targets {
                let given = self.dsp.clone().unwrap_or_else(|| vec![target.default_dsp()]);
                for dsp in given.into_iter().map(|dsp| dsp && target.has_dsp()) {
                    let variant = Variant { block, target, dsp };
                    if !variants.contains(&variant) {
                        variants.push(variant);
                    }
                }
            }
        }
        variants
    }

    /// The seeds of a build's tasks; the first stands for a build that is not placed.
    pub fn placements(&self, target: Target) -> &[u64] {
        match self.is_placed(target) {
            true => &self.seeds,
            false => &self.seeds[..1],
        }
    }

    /// The cells of target `gates`, relative to the sweep file.
    pub fn liberty(&self, target: Target) -> Option<&Path> {
        self.liberty.as_deref().filter(|_| target == Target::Generic)
    }

    /// Of one build.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether the sweep file asks for areas of what was not built.
    pub fn extrapolates(&self) -> bool {
        self.extrapolate
    }

    /// Whether builds for a target are placed and routed.
    pub fn is_placed(&self, target: Target) -> bool {
        self.place && target.has_place()
    }
}

impl Sweep {
    /// Reads and checks a sweep file and its base configuration.
    pub fn read(path: &Path) -> Result<Self, SweepError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| SweepError::Read { path: path.to_owned(), source })
        };
        let text = read(path)?;
        let raw = parse(&text)?;
        let beside = path.parent().unwrap_or(Path::new("")).join(&raw.config);
        let config = match Config::named_toml(&raw.config) {
            _ if beside.is_file() => read(&beside)?,
            Some(text) => text.to_owned(),
            None => return Err(SweepError::NoConfig { name: raw.config, path: beside }),
        };
        Self::new(&text, &config)
    }

    /// Of a sweep file's text, and the text of the base configuration that it names.
    pub fn new(text: &str, config: &str) -> Result<Self, SweepError> {
        let raw = parse(text)?;
        let refuse = |source| SweepError::Config { name: raw.config.clone(), source };
        let base: RawConfig =
            toml::from_str(config).map_err(|error| refuse(ConfigError::Parse(toml_error(config, &error))))?;
        Config::try_from(base.clone()).map_err(refuse)?;
        check::check(text, raw, base)
    }

    pub fn name(&self) -> &str {
        &self.raw.name
    }

    /// The file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The base configuration, as TOML.
    pub fn base_config(&self) -> String {
        toml::to_string_pretty(&self.base).expect("a raw configuration is plain data")
    }

    /// Everything that decides points and results, but for the contents of networks' files. Names of subsets only select.
    pub fn identity(&self) -> serde_json::Value {
        let mut identity = serde_json::json!(self.raw);
        if let Some(keys) = identity.as_object_mut() {
            keys.remove("subsets");
            keys.insert("config".to_owned(), serde_json::json!(self.base));
            if let Some(synthesis) = keys.get_mut("synthesis").and_then(|synthesis| synthesis.as_object_mut()) {
                synthesis.remove("extrapolate");
                // With more time, builds that ran out of it are tried again.
                synthesis.remove("timeout_minutes");
            }
        }
        identity
    }

    pub fn seeds(&self) -> &[u64] {
        &self.raw.seeds
    }

    pub fn clock_mhz(&self) -> f64 {
        self.raw.clock_mhz
    }

    pub fn synthesis(&self) -> Option<&Synthesis> {
        self.synthesis.as_ref()
    }

    pub fn simulation(&self) -> Simulation {
        Simulation {
            batch: self.raw.simulation.batch,
            latency: self.raw.simulation.latency,
            stalls: check::stalls(self.raw.simulation.stalls.as_deref()).unwrap_or(sim::Stalls::NONE),
        }
    }

    /// The files of a seed of a point; none without a network.
    pub fn files(&self, axes: &Axes, seed: u64) -> Option<Files> {
        let network = self.networks.get(axes.network.as_ref()?)?;
        Some(Files { model: network.model.fill(axes, seed), data: network.data.fill(axes, seed) })
    }

    /// The point of these axes, or which rule of the configuration it breaks.
    pub fn point(&self, axes: &Axes) -> Result<Point, String> {
        let method = axes.method.as_ref().and_then(|name| self.raw.methods.get(name));
        let recipe = method.map(|method| recipe(method, axes)).transpose()?;
        let mut raw = self.base.clone();
        raw.numerics.weight_bits = match &recipe {
            Some(recipe) => recipe.machine_weight_bits(),
            // Levels -s and s.
            None if axes.weight_bits == 1 => 2,
            None => axes.weight_bits,
        };
        raw.numerics.activation_bits = axes.activation_bits;
        raw.numerics.output_bits = axes.output_bits;
        raw.numerics.accumulator_bits = axes.accumulator_bits;
        raw.numerics.rounding = axes.rounding;
        raw.geometry.rows = axes.rows;
        raw.geometry.cols = axes.cols;
        raw.geometry.multiplier_stages = axes.multiplier_stages;
        raw.geometry.requantizer_lanes = axes.requantizer_lanes;
        raw.geometry.bus_bits = axes.bus_bits;
        let config = Config::try_from(raw).map_err(|error| error.to_string())?;
        Ok(Point { axes: axes.clone(), config, recipe })
    }
}

fn parse(text: &str) -> Result<RawSweep, SweepError> {
    toml::from_str(text).map_err(|error| SweepError::Parse(toml_error(text, &error)))
}

fn recipe(method: &RawMethod, axes: &Axes) -> Result<Recipe, String> {
    let mut recipe = Recipe::min_max(axes.weight_bits, axes.activation_bits);
    let weights = &mut recipe.weights;
    let levels = match method.weights {
        WeightMethod::Ternary => Some((2, "ternary")),
        WeightMethod::Binary => Some((1, "binary")),
        _ => None,
    };
    if let Some((bits, name)) = levels.filter(|(bits, _)| *bits != axes.weight_bits) {
        return Err(format!("weight_bits = {} must be {bits} for {name} weights", axes.weight_bits));
    }
    weights.method = match method.weights {
        WeightMethod::Uniform(_) if axes.weight_bits == 1 => WeightMethod::Binary,
        other => other,
    };
    weights.bits = weights.machine_bits();
    weights.granularity = method.granularity.unwrap_or(weights.granularity);
    weights.rounding = match method.weight_rounding {
        // Nothing is rounded where the sign decides.
        Some(WeightRounding::AdaRound) if weights.method == WeightMethod::Binary => weights.rounding,
        given => given.unwrap_or(weights.rounding),
    };
    weights.bias_correction = method.bias_correction.unwrap_or(weights.bias_correction);
    recipe.activations.method = method.activations;
    recipe.activations.symmetry = method.symmetry.unwrap_or(recipe.activations.symmetry);
    Ok(recipe)
}
