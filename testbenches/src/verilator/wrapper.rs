//! The wrapper that gives every design the same three ports, and where each port lies in them.
//!
//! `dutwrap(clk, din, dout)`: each port of the design is a slice of `din` or `dout` that starts on a 32-bit boundary, so
//! that one C++ file serves every design and a port is one word or a run of words.

use spec::{Direction, Port};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::error::VerilatorError;

/// Name of the generated module.
pub const WRAPPER: &str = "dutwrap";

/// Name of the port that the wrapper drives from `clk`.
pub const CLOCK: &str = "clock";

// Verilator stores up to 64 bits as a plain integer, more as an array of words. The C++ file expects arrays.
const MIN_WORDS: usize = 3;

/// Where a port lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub direction: Direction,
    /// Bit of `din` or `dout` at which the port starts, a multiple of 32.
    pub offset: usize,
    pub width: usize,
}

impl Slot {
    /// Number of 32-bit words the port takes.
    #[must_use]
    pub fn words(&self) -> usize {
        self.width.div_ceil(32)
    }
}

/// Where all ports lie. The clock has no slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub slots: HashMap<String, Slot>,
    pub input_words: usize,
    pub output_words: usize,
}

/// The wrapper's Verilog and its layout.
///
/// # Errors
/// A name is not a plain Verilog name or occurs twice, a port has no bits, or the clock is not a one-bit input.
pub fn wrap(top: &str, ports: &[Port]) -> Result<(String, Layout), VerilatorError> {
    if !is_name(top) || top == WRAPPER {
        return Err(VerilatorError::InvalidTop { name: top.to_owned() });
    }
    check(ports)?;
    let mut slots = HashMap::new();
    let (mut input_words, mut output_words) = (0, 0);
    let mut connections = Vec::new();
    let mut padding = String::new();
    for port in ports {
        if port.name == CLOCK {
            connections.push(format!("    .{CLOCK}(clk)"));
            continue;
        }
        let (bus, words) = match port.direction {
            Direction::Input => ("din", &mut input_words),
            Direction::Output => ("dout", &mut output_words),
        };
        let slot = Slot { direction: port.direction, offset: *words * 32, width: port.width };
        *words += slot.words();
        let (low, high) = (slot.offset, slot.offset + slot.width);
        connections.push(format!("    .{}({bus}[{}:{low}])", port.name, high - 1));
        if port.direction == Direction::Output {
            pad(&mut padding, high, *words * 32);
        }
        slots.insert(port.name.clone(), slot);
    }
    // No port uses these bits, but an output bus may not float.
    pad(&mut padding, output_words * 32, MIN_WORDS * 32);
    let layout = Layout { slots, input_words: input_words.max(MIN_WORDS), output_words: output_words.max(MIN_WORDS) };
    let verilog = format!(
        "module {WRAPPER}(input wire clk, input wire [{}:0] din, output wire [{}:0] dout);\n  {top} dut(\n{}\n  );\n{padding}endmodule\n",
        layout.input_words * 32 - 1,
        layout.output_words * 32 - 1,
        connections.join(",\n"),
    );
    Ok((verilog, layout))
}

/// Drives `dout[to-1:from]` with zero.
fn pad(verilog: &mut String, from: usize, to: usize) {
    if from < to {
        // Writing to a String cannot fail.
        let _ = writeln!(verilog, "  assign dout[{}:{from}] = {}'b0;", to - 1, to - from);
    }
}

fn check(ports: &[Port]) -> Result<(), VerilatorError> {
    let mut seen = HashSet::new();
    for port in ports {
        let reason = if !is_name(&port.name) {
            "not a plain Verilog name"
        } else if !seen.insert(&port.name) {
            "listed twice"
        } else if port.width == 0 {
            "0 bits wide, at least 1 is needed"
        } else if port.name == CLOCK && (port.direction, port.width) != (Direction::Input, 1) {
            "the clock is an input of 1 bit"
        } else {
            continue;
        };
        return Err(VerilatorError::InvalidPort { name: port.name.clone(), reason });
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}
