//! What is on the machine's pins in one cycle (channel rules in `docs/machine.md`).

use spec::Command;

/// The bits of a beat, bit 0 of word 0 first; bits beyond the bus are 0.
pub type Beat = [u64; 4];

/// A burst: `beats` beats from byte `address`, a multiple of the bus's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    pub address: u32,
    pub beats: u32,
}

/// A beat of write data; bit i of `strobe` enables byte i.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteBeat {
    pub data: Beat,
    pub strobe: u32,
}

/// Driven from outside. A payload is present when its channel's valid is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    pub command: Option<Command>,
    pub read_request_ready: bool,
    pub read_data: Option<Beat>,
    pub write_request_ready: bool,
    pub write_data_ready: bool,
    pub write_response_valid: bool,
    pub done_ready: bool,
}

/// Driven by the machine; a function of its registers only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    pub command_ready: bool,
    pub read_request: Option<Burst>,
    pub read_data_ready: bool,
    pub write_request: Option<Burst>,
    pub write_data: Option<WriteBeat>,
    pub done_valid: bool,
}

impl Outputs {
    /// Whether a transfer happens on any channel.
    pub fn transfers(&self, inputs: &Inputs) -> bool {
        (inputs.command.is_some() && self.command_ready)
            || (self.read_request.is_some() && inputs.read_request_ready)
            || (inputs.read_data.is_some() && self.read_data_ready)
            || (self.write_request.is_some() && inputs.write_request_ready)
            || (self.write_data.is_some() && inputs.write_data_ready)
            || inputs.write_response_valid
            || (self.done_valid && inputs.done_ready)
    }
}
