//! The leaves: the only blocks that carry Verilog text, each beside its behaviour in Rust.
//!
//! Every leaf states its latency: 0 is combinational, 1 is one register between input and output.

mod choose;
mod extract;
mod gather;
mod insert;
mod join;
mod mask;
mod memory;
mod merge;
mod multiplier;
mod pack;
mod pad_lanes;
mod register;
mod register_enabled;
mod register_file;
mod scatter;
mod select;
mod shifter;
mod strobe;
mod unpack;

pub use choose::Choose;
pub use extract::Extract;
pub use gather::Gather;
pub use insert::Insert;
pub use join::Join;
pub use mask::Mask;
pub use memory::{Collision, Memory};
pub use merge::Merge;
pub use multiplier::{Multiplier, Operand};
pub use pack::Pack;
pub use pad_lanes::PadLanes;
pub(crate) use register::register_text;
pub use register::Register;
pub(crate) use register_enabled::register_enabled_text;
pub use register_enabled::RegisterEnabled;
pub use register_file::RegisterFile;
pub use scatter::Scatter;
pub use select::Select;
pub use shifter::Shifter;
pub use strobe::Strobe;
pub use unpack::Unpack;

/// `[7:0] `, or nothing for one bit.
fn range(width: usize) -> String {
    match width {
        1 => String::new(),
        _ => format!("[{}:0] ", width - 1),
    }
}

/// `name`, `name[3]` or `name[7:4]`: `width` of its `full` bits, from bit `from` on.
fn part(name: &str, full: usize, from: usize, width: usize) -> String {
    match width {
        _ if width == full => name.to_string(),
        1 => format!("{name}[{from}]"),
        _ => format!("{name}[{}:{from}]", from + width - 1),
    }
}

/// `name` extended with zeros from `width` to `to` bits.
fn zero_extended(name: &str, width: usize, to: usize) -> String {
    match to - width {
        0 => name.to_string(),
        missing => format!("{{{missing}'d0, {name}}}"),
    }
}

/// `name` extended with its sign from `width` to `to` bits.
fn sign_extended(name: &str, width: usize, to: usize) -> String {
    match (to - width, width) {
        (0, _) => name.to_string(),
        (missing, 1) => format!("{{{}{{{name}}}}}", missing + 1),
        (missing, _) => format!("{{{{{missing}{{{name}[{}]}}}}, {name}}}", width - 1),
    }
}
