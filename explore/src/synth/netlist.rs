//! A mapped block as Verilog that a simulator takes in place of the RTL: same ports, same cycles.
//!
//! The lookup tables, carries, multiplexers and registers of the netlist become expressions, since a simulator spends most of
//! its time on instances otherwise. Memories and DSP blocks are instances of the models that come with Yosys
//! (`cells_sim.v`), or of those in `models.v` where Yosys has none. Registers start with undefined contents.

mod library;
mod logic;
mod registers;

use super::run::{self, NETLIST};
use super::target::Family;
use super::{Request, SynthError, Target};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use testbenches::verilator::Design;

/// A mapped block.
#[derive(Clone, Debug)]
pub struct Netlist {
    family: Family,
    module: Value,
    top: String,
    ports: Vec<spec::Port>,
}

/// A cell of the netlist while it is translated.
struct Cell<'a> {
    name: &'a str,
    kind: &'a str,
    parameters: &'a Map<String, Value>,
    connections: &'a Map<String, Value>,
    directions: &'a Map<String, Value>,
}

/// What the cells become.
#[derive(Default)]
struct Body {
    /// Continuous assignments and instances.
    text: String,
    registers: registers::Registers,
    /// Nets that an `always` block writes.
    written: BTreeSet<u64>,
    /// Types of the cells that are instances.
    instances: BTreeSet<String>,
    n_instances: usize,
}

impl Netlist {
    /// The netlist of the request's block, which is synthesized if it is not in `cache`.
    ///
    /// # Errors
    /// Nothing was synthesized, or the target's cells have no models here.
    pub fn load(request: &Request<'_>, cache: &Path, interrupted: &AtomicBool) -> Result<Self, SynthError> {
        let family = request.target.family();
        if !matches!(family, Family::Ice40 | Family::Ecp5) {
            let reason = "only cells of iCE40 and ECP5 can be simulated".to_owned();
            return Err(SynthError::NoNetlist { block: request.block, target: request.target, reason });
        }
        let (entry, emitted) = run::netlist(request, cache, interrupted)?;
        let path = entry.join(NETLIST);
        Self::parse(request.target, &request.block.module(), emitted.ports, &run::read(&path)?, &path)
    }

    /// The module `top` of what Yosys's `write_json` wrote to `path`: flat, in cells of the target.
    ///
    /// # Errors
    /// The text is not that.
    pub fn parse(
        target: Target,
        top: &str,
        ports: Vec<spec::Port>,
        text: &str,
        path: &Path,
    ) -> Result<Self, SynthError> {
        let content = |what: String| SynthError::Content { path: path.to_owned(), what };
        let mut json: Value = serde_json::from_str(text).map_err(|error| content(error.to_string()))?;
        let module = json["modules"][top].take();
        if !module["cells"].is_object() {
            return Err(content(format!("there is no module {top}")));
        }
        Ok(Self { family: target.family(), module, top: top.to_owned(), ports })
    }

    /// The names of the cells of a type.
    pub fn cells(&self, kind: &str) -> Vec<String> {
        let cells = self.module["cells"].as_object().into_iter().flatten();
        cells.filter(|(_, cell)| cell["type"] == kind).map(|(name, _)| name.clone()).collect()
    }

    /// Inverts a bit of a parameter of a cell, such as one entry of a lookup table: a fault. False if there is no such bit.
    pub fn invert(&mut self, cell: &str, parameter: &str, bit: usize) -> bool {
        let value = &mut self.module["cells"][cell]["parameters"][parameter];
        let Some(text) = value.as_str() else { return false };
        let mut digits: Vec<char> = text.chars().rev().collect();
        let Some(digit) = digits.get_mut(bit) else { return false };
        *digit = if *digit == '1' { '0' } else { '1' };
        *value = Value::String(digits.into_iter().rev().collect());
        true
    }

    /// The netlist with its models, behind the ports of the RTL.
    ///
    /// # Errors
    /// A cell has no model, or Yosys's models are not where they are expected.
    pub fn design(&self) -> Result<Design, SynthError> {
        let mut body = Body::default();
        for (name, cell) in self.module["cells"].as_object().into_iter().flatten() {
            let object = |key: &str| {
                cell[key].as_object().ok_or_else(|| SynthError::Model {
                    name: name.clone(),
                    kind: cell["type"].to_string(),
                    what: format!("the netlist gives it no {key}"),
                })
            };
            let cell = Cell {
                name,
                kind: cell["type"].as_str().unwrap_or_default(),
                parameters: object("parameters")?,
                connections: object("connections")?,
                directions: object("port_directions")?,
            };
            match self.family {
                Family::Ice40 => cell.ice40(&mut body)?,
                _ => cell.ecp5(&mut body)?,
            }
        }
        let mut verilog = library::models(self.family, &body.instances)?;
        self.write_top(&body, &mut verilog);
        Ok(Design { verilog, top: self.top.clone(), ports: self.ports.clone() })
    }

    fn write_top(&self, body: &Body, out: &mut String) {
        let mut nets = BTreeSet::new();
        for cell in self.module["cells"].as_object().into_iter().flat_map(Map::values) {
            for bits in cell["connections"].as_object().into_iter().flat_map(Map::values) {
                nets.extend(bits.as_array().into_iter().flatten().filter_map(Value::as_u64));
            }
        }
        let (mut header, mut pins) = (Vec::new(), String::new());
        // Writing to a String cannot fail.
        for port in &self.ports {
            let (name, last) = (&port.name, port.width - 1);
            let direction = if port.direction == spec::Direction::Input { "input" } else { "output" };
            header.push(format!("{direction} wire [{last}:0] {name}"));
            let bits = self.module["ports"][name]["bits"].as_array().map_or(&[] as &[Value], Vec::as_slice);
            for (index, bit) in bits.iter().enumerate() {
                nets.extend(bit.as_u64());
                let _ = match port.direction {
                    spec::Direction::Input => writeln!(pins, "assign {} = {name}[{index}];", net(bit)),
                    spec::Direction::Output => writeln!(pins, "assign {name}[{index}] = {};", net(bit)),
                };
            }
        }
        let _ = writeln!(out, "module {}({});", self.top, header.join(", "));
        for bit in nets {
            let kind = if body.written.contains(&bit) { "reg" } else { "wire" };
            let _ = writeln!(out, "{kind} n{bit};");
        }
        out.push_str(&pins);
        out.push_str(&body.text);
        body.registers.write(out);
        out.push_str("endmodule\n");
    }
}

/// A bit of the netlist: a net, or a constant.
fn net(bit: &Value) -> String {
    match bit.as_str() {
        None => format!("n{bit}"),
        Some("z") => "1'bz".to_owned(),
        Some(constant) => format!("1'b{constant}"),
    }
}

impl Cell<'_> {
    fn refuse(&self, what: impl Into<String>) -> SynthError {
        SynthError::Model { name: self.name.to_owned(), kind: self.kind.to_owned(), what: what.into() }
    }

    /// The bits at a pin, the lowest first; none if nothing is connected.
    fn bits(&self, pin: &str) -> &[Value] {
        self.connections.get(pin).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The bit at a pin of one; undefined if nothing is connected.
    fn pin(&self, pin: &str) -> String {
        self.bits(pin).first().map_or_else(|| "1'bx".to_owned(), net)
    }

    /// The parameter as text; empty if it is not given.
    fn text(&self, parameter: &str) -> &str {
        self.parameters.get(parameter).and_then(Value::as_str).unwrap_or_default().trim_end()
    }

    /// The parameter as a number of at most 16 bits; undefined digits are 0.
    fn number(&self, parameter: &str) -> Result<u32, SynthError> {
        let digits: String = self.text(parameter).chars().map(|c| if c == '1' { '1' } else { '0' }).collect();
        u32::from_str_radix(&digits, 2).map_err(|_| self.refuse(format!("{parameter} is no number")))
    }

    /// Requires one of some texts for a parameter, if it is given.
    fn require(&self, parameter: &str, allowed: &[&str]) -> Result<(), SynthError> {
        let given = self.text(parameter);
        if given.is_empty() || allowed.contains(&given) {
            return Ok(());
        }
        Err(self.refuse(format!("{parameter} = {given} must be {}", allowed.join(" or "))))
    }

    fn assign(&self, body: &mut Body, pin: &str, value: &str) {
        if let [bit] = self.bits(pin) {
            // Writing to a String cannot fail.
            let _ = writeln!(body.text, "assign {} = {value};", net(bit));
        }
    }

    /// The cell as an instance of its model, with the parameters named.
    fn instance(&self, body: &mut Body, parameters: &[&str]) {
        let given = parameters.iter().filter(|name| self.parameters.contains_key(**name)).map(|name| {
            let text = self.text(name);
            match text.chars().all(|c| c == '0' || c == '1') {
                true => format!(".{name}({}'b{text})", text.len()),
                false => format!(".{name}(\"{text}\")"),
            }
        });
        let given: Vec<String> = given.collect();
        let pins = self.directions.keys().filter(|pin| !self.bits(pin).is_empty()).map(|pin| {
            let bits: Vec<String> = self.bits(pin).iter().rev().map(net).collect();
            format!(".{pin}({{{}}})", bits.join(", "))
        });
        let pins: Vec<String> = pins.collect();
        let index = body.n_instances;
        let _ = writeln!(body.text, "{} #({}) i{index}({});", self.kind, given.join(", "), pins.join(", "));
        body.n_instances += 1;
        body.instances.insert(self.kind.to_owned());
    }
}
