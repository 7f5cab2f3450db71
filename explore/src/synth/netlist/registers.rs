//! The registers of a netlist, those of a clock, enable and reset together.

use std::collections::BTreeMap;
use std::fmt::Write;

/// When a register takes its data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Control {
    pub clock: String,
    pub enable: Option<String>,
    /// A synchronous reset, and the value it brings.
    pub reset: Option<(String, bool)>,
    pub reset_needs_enable: bool,
}

#[derive(Default)]
pub struct Registers {
    /// Outputs and data.
    groups: BTreeMap<Control, Vec<(String, String)>>,
}

impl Registers {
    pub fn add(&mut self, control: Control, output: String, data: String) {
        self.groups.entry(control).or_default().push((output, data));
    }

    pub fn write(&self, out: &mut String) {
        // Writing to a String cannot fail.
        for (control, registers) in &self.groups {
            let block = |value: &dyn Fn(&str) -> String| {
                let lines = registers.iter().map(|(output, data)| format!("{output} <= {};\n", value(data)));
                format!("begin\n{}end", lines.collect::<String>())
            };
            let take = block(&|data| data.to_owned());
            let enabled = |then: String| match &control.enable {
                Some(enable) => format!("if ({enable}) {then}"),
                None => then,
            };
            let body = match &control.reset {
                None => enabled(take),
                Some((reset, value)) => {
                    let clear = block(&|_| format!("1'b{}", u8::from(*value)));
                    match control.reset_needs_enable {
                        true => enabled(format!("begin if ({reset}) {clear} else {take} end")),
                        false => format!("if ({reset}) {clear} else {}", enabled(take)),
                    }
                }
            };
            let _ = writeln!(out, "always @(posedge {}) {body}", control.clock);
        }
    }
}
