//! Cells as expressions.

use super::registers::Control;
use super::{net, Body, Cell};
use crate::synth::SynthError;

impl Cell<'_> {
    pub fn ice40(&self, body: &mut Body) -> Result<(), SynthError> {
        match self.kind {
            "SB_LUT4" => {
                let inputs = ["I0", "I1", "I2", "I3"].map(|pin| self.pin(pin));
                let value = table(self.number("LUT_INIT")?, &inputs);
                self.assign(body, "O", &value);
            }
            "SB_CARRY" => {
                let [a, b, c] = ["I0", "I1", "CI"].map(|pin| self.pin(pin));
                self.assign(body, "CO", &format!("({a} & {b}) | (({a} | {b}) & {c})"));
            }
            "SB_RAM40_4K" => self.instance(body, &["READ_MODE", "WRITE_MODE"]),
            "SB_MAC16" => {
                let parameters: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
                self.instance(body, &parameters);
            }
            _ => self.ice40_register(body)?,
        }
        Ok(())
    }

    /// `SB_DFF`, `SB_DFFE`, `SB_DFFSR`, `SB_DFFSS`, `SB_DFFESR`, `SB_DFFESS`: an enable, and a synchronous reset or set that
    /// needs the enable.
    fn ice40_register(&self, body: &mut Body) -> Result<(), SynthError> {
        let form = self.kind.strip_prefix("SB_DFF").ok_or_else(|| self.refuse("it is not among the cells known"))?;
        let (enable, form) = match form.strip_prefix('E') {
            Some(form) => (Some(self.pin("E")), form),
            None => (None, form),
        };
        let reset = match form {
            "" => None,
            "SR" => Some((self.pin("R"), false)),
            "SS" => Some((self.pin("S"), true)),
            _ => return Err(self.refuse("only rising edges and synchronous resets are")),
        };
        let control = Control { clock: self.pin("C"), enable, reset, reset_needs_enable: true };
        self.register(body, control, "D")
    }

    fn register(&self, body: &mut Body, control: Control, data: &str) -> Result<(), SynthError> {
        let [output] = self.bits("Q") else { return Ok(()) };
        body.written.insert(output.as_u64().ok_or_else(|| self.refuse("it writes a constant"))?);
        body.registers.add(control, net(output), self.pin(data));
        Ok(())
    }

    pub fn ecp5(&self, body: &mut Body) -> Result<(), SynthError> {
        match self.kind {
            "LUT4" => {
                let inputs = ["A", "B", "C", "D"].map(|pin| self.pin(pin));
                let value = table(self.number("INIT")?, &inputs);
                self.assign(body, "Z", &value);
            }
            "PFUMX" => {
                let [c, a, b] = ["C0", "ALUT", "BLUT"].map(|pin| self.pin(pin));
                self.assign(body, "Z", &format!("{c} ? {a} : {b}"));
            }
            "L6MUX21" => {
                let [s, high, low] = ["SD", "D1", "D0"].map(|pin| self.pin(pin));
                self.assign(body, "Z", &format!("{s} ? {high} : {low}"));
            }
            "CCU2C" => self.ecp5_carry(body)?,
            "TRELLIS_FF" => self.ecp5_register(body)?,
            "TRELLIS_DPR16X4" => self.instance(body, &["WCKMUX", "WREMUX"]),
            "MULT18X18D" => {
                for register in self.parameters.keys().filter(|name| name.starts_with("REG_")) {
                    self.require(register, &["NONE"])?;
                }
                for pin in ["SOURCEA", "SOURCEB"] {
                    if self.pin(pin) != "1'b0" {
                        return Err(self.refuse(format!("{pin} must be 0")));
                    }
                }
                self.instance(body, &[]);
            }
            "DP16KD" => self.ecp5_ram(body)?,
            _ => return Err(self.refuse("it is not among the cells known")),
        }
        Ok(())
    }

    fn ecp5_carry(&self, body: &mut Body) -> Result<(), SynthError> {
        let index = body.n_instances;
        body.n_instances += 1;
        let mut carry = self.pin("CIN");
        let mut text = String::new();
        for half in 0..2 {
            let init = self.number(&format!("INIT{half}"))?;
            let inject = self.text(&format!("INJECT1_{half}"));
            let inputs = ["A", "B", "C", "D"].map(|pin| self.pin(&format!("{pin}{half}")));
            let (whole, low) = (table(init, &inputs), table(init & 0xf, &inputs[..2]));
            let (sum, low) = match inject {
                "NO" => (format!("c{index}_{half} ^ {carry}"), low),
                "YES" => (format!("c{index}_{half}"), "1'b0".to_owned()),
                _ => return Err(self.refuse(format!("INJECT1_{half} = {inject} must be NO or YES"))),
            };
            text.push_str(&format!("wire c{index}_{half} = {whole};\n"));
            text.push_str(&format!("wire d{index}_{half} = c{index}_{half} ? {carry} : {low};\n"));
            body.text.push_str(&text);
            text.clear();
            self.assign(body, &format!("S{half}"), &sum);
            carry = format!("d{index}_{half}");
        }
        self.assign(body, "COUT", &carry);
        Ok(())
    }

    fn ecp5_register(&self, body: &mut Body) -> Result<(), SynthError> {
        self.require("CLKMUX", &["CLK"])?;
        self.require("SRMODE", &["LSR_OVER_CE"])?;
        self.require("LSRMODE", &["LSR"])?;
        let enable = match self.text("CEMUX") {
            "" | "1" => None,
            "CE" => Some(self.pin("CE")),
            "INV" => Some(format!("~{}", self.pin("CE"))),
            other => return Err(self.refuse(format!("CEMUX = {other} must be 1, CE or INV"))),
        };
        let reset = match (self.text("LSRMUX"), self.pin("LSR").as_str()) {
            ("" | "LSR", "1'b0") => None,
            ("" | "LSR", pin) => Some(pin.to_owned()),
            ("INV", pin) => Some(format!("~{pin}")),
            (other, _) => return Err(self.refuse(format!("LSRMUX = {other} must be LSR or INV"))),
        };
        let set = self.text("REGSET") == "SET";
        let reset = reset.map(|pin| (pin, set));
        let control = Control { clock: self.pin("CLK"), enable, reset, reset_needs_enable: false };
        self.register(body, control, "DI")
    }

    fn ecp5_ram(&self, body: &mut Body) -> Result<(), SynthError> {
        for side in ["A", "B"] {
            self.require(&format!("REGMODE_{side}"), &["NOREG"])?;
            // They differ in what the writing port reads, which the model leaves undefined.
            self.require(&format!("WRITEMODE_{side}"), &["NORMAL", "READBEFOREWRITE"])?;
            self.require(&format!("CSDECODE_{side}"), &["0b000"])?;
            self.require(&format!("CLK{side}MUX"), &[&format!("CLK{side}")])?;
            for pin in ["RST", "CS"] {
                let pins = self.connections.keys().filter(|name| name.starts_with(&format!("{pin}{side}")));
                for name in pins {
                    if self.pin(name) != "1'b0" {
                        return Err(self.refuse(format!("{name} must be 0")));
                    }
                }
            }
        }
        self.instance(body, &["DATA_WIDTH_A", "DATA_WIDTH_B"]);
        Ok(())
    }
}

/// The lookup table `init` of some inputs, the lowest bit of its index first.
fn table(init: u32, inputs: &[String]) -> String {
    let Some((input, others)) = inputs.split_last() else {
        return format!("1'b{}", init & 1);
    };
    let half = 1 << others.len();
    let ones = (1 << half) - 1;
    let (low, high) = (init & ones, (init >> half) & ones);
    match (low, high, input.as_str()) {
        (_, _, "1'b0") => table(low, others),
        (_, _, "1'b1") => table(high, others),
        _ if low == high => table(low, others),
        (0, _, _) if high == ones => input.clone(),
        (_, 0, _) if low == ones => format!("~{input}"),
        (0, _, _) => format!("({input} & {})", table(high, others)),
        (_, 0, _) => format!("(~{input} & {})", table(low, others)),
        _ if low == ones => format!("(~{input} | {})", table(high, others)),
        _ if high == ones => format!("({input} | {})", table(low, others)),
        _ if low ^ high == ones => format!("({input} ^ {})", table(low, others)),
        _ => format!("({input} ? {} : {})", table(high, others), table(low, others)),
    }
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::synth::netlist::Netlist;
    use crate::synth::Target;
    use serde_json::json;
    use std::path::Path;

    /// The value of an expression that [`table`] wrote, of the inputs a to d.
    fn value(text: &str, at: u32) -> bool {
        let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
        let mut depth = 0;
        let split = |symbol: char| {
            let place = text.char_indices().find(|&(_, c)| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0 && c == symbol
            });
            place.map(|(place, _)| (text[..place].trim(), text[place + 1..].trim()))
        };
        let mut split = split;
        if let Some((condition, rest)) = split('?') {
            let mut depth = 0;
            let colon = rest.char_indices().find(|&(_, c)| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0 && c == ':'
            });
            let (yes, no) = rest.split_at(colon.expect("a colon").0);
            return if value(condition, at) { value(yes.trim(), at) } else { value(no[1..].trim(), at) };
        }
        for symbol in ['&', '|', '^'] {
            if let Some((a, b)) = split(symbol) {
                let (a, b) = (value(a, at), value(b, at));
                return match symbol {
                    '&' => a & b,
                    '|' => a | b,
                    _ => a ^ b,
                };
            }
        }
        match text.strip_prefix('~') {
            Some(inner) => !value(inner, at),
            None if text.starts_with("1'b") => text == "1'b1",
            None => at >> (text.as_bytes()[0] - b'a') & 1 == 1,
        }
    }

    #[test]
    fn every_table_of_four_inputs_is_its_expression() {
        let inputs = ["a", "b", "c", "d"].map(str::to_owned);
        for init in 0..1 << 16 {
            let text = table(init, &inputs);
            for at in 0..16 {
                assert_eq!(value(&text, at), init >> at & 1 == 1, "{init:#06x} at {at}: {text}");
            }
        }
    }

    #[test]
    fn constant_inputs_choose_their_entries_of_the_table() {
        for init in [0x0001, 0x8000, 0x1234, 0xcafe] {
            for (constant, at) in (0..16).flat_map(|constant| (0..16).map(move |at| (constant, at))) {
                let input = |bit: usize| match constant >> bit & 1 {
                    1 => format!("1'b{}", at >> bit & 1),
                    _ => ["a", "b", "c", "d"][bit].to_owned(),
                };
                let text = table(init, &[0, 1, 2, 3].map(input));
                assert_eq!(value(&text, at), init >> at & 1 == 1, "{init:#06x} at {at}: {text}");
            }
        }
    }

    /// Registers of multipliers and behind memories, what a write shows, falling edges, asynchronous resets.
    #[test]
    fn a_cell_that_does_more_than_its_model_is_refused() {
        for (kind, parameter, value, rule) in [
            ("MULT18X18D", "REG_OUTPUT_CLK", "CLK0", "NONE"),
            ("DP16KD", "REGMODE_B", "OUTREG", "NOREG"),
            ("DP16KD", "WRITEMODE_A", "WRITETHROUGH", "NORMAL or READBEFOREWRITE"),
            ("TRELLIS_FF", "CLKMUX", "INV", "CLK"),
            ("TRELLIS_FF", "SRMODE", "ASYNC", "LSR_OVER_CE"),
        ] {
            let text = json!({ "modules": { "top": { "cells": { "x": {
                "type": kind,
                "parameters": { parameter: value },
                "connections": { "SOURCEA": ["0"], "SOURCEB": ["0"] },
                "port_directions": {}
            } } } } });
            let path = Path::new("netlist.json");
            let netlist = Netlist::parse(Target::Ecp5_85k, "top", Vec::new(), &text.to_string(), path);
            let design = netlist.expect("a netlist").design();
            let error = design.err().unwrap_or_else(|| panic!("{kind} with {parameter} = {value} has a model"));
            let expected = format!("{parameter} = {value} must be {rule}");
            assert!(error.to_string().contains(&expected), "{error}");
        }
    }
}
