//! The blocks of a configuration that can be emitted on their own.

use crate::datapath::Datapath;
use crate::emit::{emit, EmitError, Emitted};
use crate::pe::PeShape;
use crate::prelude::*;
use crate::top::Top;
use crate::{Mesh, Pe, Requantizer, RequantizerLane};
use serde::{Deserialize, Serialize};
use spec::Config;
use std::fmt;
use std::str::FromStr;

/// A block of a configuration, the whole machine included. In text it has the block's name with `-` for `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockName {
    Top,
    Pe,
    Mesh,
    Requantizer,
    RequantizerLane,
    /// Skews, mesh and accumulator.
    Datapath,
}

/// A text that names no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {given:?} must be one of {}", BlockName::ALL.map(BlockName::name).join(", "))]
pub struct UnknownBlock {
    pub given: String,
}

impl BlockName {
    pub const ALL: [Self; 6] =
        [Self::Top, Self::Pe, Self::Mesh, Self::Requantizer, Self::RequantizerLane, Self::Datapath];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Top => "top",
            Self::Pe => "pe",
            Self::Mesh => "mesh",
            Self::Requantizer => "requantizer",
            Self::RequantizerLane => "requantizer-lane",
            Self::Datapath => "datapath",
        }
    }

    /// The name of the emitted module.
    pub fn module(self) -> String {
        self.name().replace('-', "_")
    }
}

impl fmt::Display for BlockName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for BlockName {
    type Err = UnknownBlock;

    fn from_str(text: &str) -> Result<Self, UnknownBlock> {
        let found = Self::ALL.into_iter().find(|block| block.name() == text);
        found.ok_or_else(|| UnknownBlock { given: text.to_owned() })
    }
}

/// Emits a block of the configuration as the module [`BlockName::module`]. The text depends on what the block is built from
/// and on nothing else: neither on the configuration's name nor on what other blocks take from it.
///
/// # Errors
/// If the emitter refuses the design, which no configuration should bring about.
pub fn emit_block(config: &Config, block: BlockName) -> Result<Emitted, EmitError> {
    let (g, numerics, name) = (config.geometry(), config.numerics(), &block.module());
    let shape = PeShape::of(config);
    match block {
        BlockName::Top => connected(Top::new(config), name),
        BlockName::Pe => connected(Pe::new(shape), name),
        BlockName::Mesh => connected(Mesh::new(shape, g.rows(), g.cols()), name),
        BlockName::Requantizer => connected(Requantizer::new(config), name),
        BlockName::RequantizerLane => connected(RequantizerLane::new(numerics), name),
        BlockName::Datapath => connected(Datapath::new(config), name),
    }
}

fn connected(mut block: impl Block, name: &str) -> Result<Emitted, EmitError> {
    block.connect_all();
    emit(&block, name, "")
}
