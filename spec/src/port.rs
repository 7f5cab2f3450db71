//! The flat ports of an emitted module, shared by the emitter and whatever drives the module.

use serde::{Deserialize, Serialize};

/// Whether a port is driven from outside or by the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Input,
    Output,
}

/// One port: its Verilog name, direction and width in bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    pub direction: Direction,
    pub width: usize,
}
