//! A case: a named problem that any engine can run, complete in one small file.

use crate::data::{Data, Random};
use crate::network::{self, NetworkCase};
use compiler::{CompileError, Compiled};
use golden::{Extent, Form, Layer, LayerError, Network, Operation, Window};
use serde::{Deserialize, Serialize};
use sim::{Environment, Stalls};
use spec::config::{ConfigError, RawConfig};
use spec::{Config, Numerics};
use thiserror::Error;

/// Why a case cannot be run.
#[derive(Debug, Error)]
pub enum CaseError {
    #[error("the case does not parse: {0}")]
    Parse(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{property} = {value} must be in {min}..={max}")]
    Range { property: &'static str, value: u64, min: u64, max: u64 },
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error("widths = {widths:?} and [network]: a case has one of them")]
    Both { widths: Vec<usize> },
}

/// The case as it stands in a file. All data follow from the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Rows of activations, or images.
    pub m: usize,
    /// k of the first layer, then the n of each layer; none if there is a `network`.
    pub widths: Vec<usize>,
    pub data: Data,
    pub seed: u64,
    /// Seed of stochastic rounding; other rounding does not look at it.
    pub rounding_seed: u64,
    pub latency: u64,
    pub stall_seed: u64,
    pub stall_percent: u32,
    /// Break off after so many cycles and reset, then run to the end; 0 for not at all.
    pub reset_after: u64,
    pub config: RawConfig,
    /// Layers of all kinds instead of a chain of dense ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkCase>,
}

/// A problem ready to run: configuration, operands, program, and what the environment does.
#[derive(Clone, Debug)]
pub struct Problem {
    pub config: Config,
    pub network: Network,
    /// Images.
    pub batch: usize,
    /// Channels-last.
    pub input: Vec<i32>,
    pub compiled: Compiled,
    pub rounding_seed: u64,
    pub latency: u64,
    pub stalls: Stalls,
}

impl Case {
    /// The greatest m.
    pub const MAX_ROWS: usize = 1 << 20;
    /// The greatest k and n; `max_k` may set a lower one for k.
    pub const MAX_WIDTH: usize = 1 << 16;
    /// The most elements of a case's operands and outputs together: about 1 GB as they are held.
    pub const MAX_ELEMENTS: u64 = 1 << 28;

    pub fn from_toml(text: &str) -> Result<Self, CaseError> {
        toml::from_str(text).map_err(|e| CaseError::Parse(spec::config::toml_error(text, &e)))
    }

    pub fn to_toml(&self) -> Result<String, CaseError> {
        toml::to_string(self).map_err(|e| CaseError::Parse(e.to_string()))
    }

    /// Makes the operands and compiles.
    pub fn problem(&self) -> Result<Problem, CaseError> {
        let range = |property, value: u64, min, max| match (min..=max).contains(&value) {
            true => Ok(()),
            false => Err(CaseError::Range { property, value, min, max }),
        };
        let config = Config::try_from(self.config.clone())?;
        range("stall_percent", self.stall_percent.into(), 0, Stalls::MAX_PERCENT.into())?;
        range("latency", self.latency, 1, 100_000)?;
        range("m", self.m as u64, 1, Self::MAX_ROWS as u64)?;
        range("reset_after", self.reset_after, 0, 1_000_000)?;
        let (network, input) = self.operands(config.numerics())?;
        let stalls = Stalls { seed: self.stall_seed, percent: self.stall_percent };
        Problem::new(config, network, self.m, input, self.rounding_seed, self.latency, stalls)
    }

    /// The network and its input, channels-last.
    pub fn operands(&self, numerics: &Numerics) -> Result<(Network, Vec<i32>), CaseError> {
        let Some(network) = &self.network else { return self.dense(numerics) };
        if !self.widths.is_empty() {
            return Err(CaseError::Both { widths: self.widths.clone() });
        }
        let input = network.input;
        for (property, value, max) in [
            ("network.layers", network.layers, NetworkCase::MAX_LAYERS),
            ("network.input[0]", input[0], NetworkCase::MAX_SIZE),
            ("network.input[1]", input[1], NetworkCase::MAX_SIZE),
            ("network.input[2]", input[2], NetworkCase::MAX_SIZE),
            ("m", self.m, NetworkCase::MAX_IMAGES),
        ] {
            if !(1..=max).contains(&value) {
                return Err(CaseError::Range { property, value: value as u64, min: 1, max: max as u64 });
            }
        }
        let mut random = Random::new(self.seed);
        let elements = self.m * input.iter().product::<usize>();
        let input = (0..elements).map(|_| self.data.element(&mut random, numerics.activation())).collect();
        Ok((network::network(&mut random, self.data, numerics, network)?, input))
    }

    fn dense(&self, numerics: &Numerics) -> Result<(Network, Vec<i32>), CaseError> {
        let range = |property, value: u64, min, max| match (min..=max).contains(&value) {
            true => Ok(()),
            false => Err(CaseError::Range { property, value, min, max }),
        };
        range("number of widths", self.widths.len() as u64, 2, 64)?;
        let (last, inner) = (self.widths.len() - 1, numerics.max_k().into());
        for (index, &width) in self.widths.iter().enumerate() {
            // Every width but the last is the k of a layer.
            let (property, max) = if index < last { ("k", inner) } else { ("n", Self::MAX_WIDTH as u64) };
            range(property, width as u64, 1, max)?;
        }
        let tensors = self.widths.iter().map(|&width| self.m as u64 * width as u64);
        let weights = self.widths.windows(2).map(|pair| pair[0] as u64 * pair[1] as u64);
        range("number of elements of all tensors", tensors.chain(weights).sum(), 1, Self::MAX_ELEMENTS)?;
        let mut random = Random::new(self.seed);
        let mut elements = |n: usize, format| (0..n).map(|_| self.data.element(&mut random, format)).collect();
        let input: Vec<i32> = elements(self.m * self.widths[0], numerics.activation());
        let weights: Vec<Vec<i32>> =
            self.widths.windows(2).map(|pair| elements(pair[0] * pair[1], numerics.weight())).collect();
        let layers = self.widths.windows(2).zip(weights).enumerate().map(|(index, (pair, weights))| Layer {
            name: format!("layer{index}"),
            inputs: vec![index],
            operation: Operation::Convolution { window: Window::POINT, groups: 1, weights },
            pad: 0,
            channels: vec![(0..pair[1]).map(|_| self.data.channel(&mut random, numerics, pair[0])).collect()],
            bounds: self.data.bounds(&mut random, numerics),
            table: None,
        });
        Ok((Network { input: Extent::vector(self.widths[0]), layers: layers.collect() }, input))
    }
}

impl Problem {
    /// Compiles; the tiling is the one that the simulator's prediction likes best.
    pub fn new(
        config: Config,
        network: Network,
        batch: usize,
        input: Vec<i32>,
        rounding_seed: u64,
        latency: u64,
        stalls: Stalls,
    ) -> Result<Self, CaseError> {
        let cost = |commands: &[spec::Command]| sim::predict(&config, commands, latency).cycles;
        let compiled = compiler::compile(&config, &network, batch, &input, rounding_seed, &cost)?;
        Ok(Self { config, network, batch, input, compiled, rounding_seed, latency, stalls })
    }

    /// The machine's surroundings at the start of a run.
    pub fn environment(&self) -> Environment {
        let program = &self.compiled.program;
        Environment::new(&self.config, program.commands.clone(), program.memory.clone(), self.latency, self.stalls)
    }

    /// The memory after a run by golden's naive definition (from 2^22 MACs on by its fast form, which tests prove equal): every
    /// byte, not only the outputs.
    pub fn golden_memory(&self) -> Result<Vec<u8>, CaseError> {
        let mut memory = self.compiled.program.memory.clone();
        let numerics = self.config.numerics();
        let macs: u64 = self.network.macs(&self.network.extents(numerics)?).iter().sum();
        let form = if macs * (self.batch as u64) < 1 << 22 { Form::Naive } else { Form::Fast };
        self.network.run(numerics, self.batch, &self.input, self.rounding_seed, form, |index, outputs| {
            self.compiled.layers[index].output.write(&mut memory, outputs);
        })?;
        Ok(memory)
    }
}
