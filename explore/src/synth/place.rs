//! Place and route between registers at the block's pins.
//!
//! A block has more pins than most devices, and a pin's path to its pad says nothing about the block. So every input bit comes
//! from a register and every output bit goes to one, on the block's own clock; all input registers are fed by one pad. The
//! frequency is that of all paths between registers: within the block, from an input's register into it, from it to an
//! output's register. There is no path between two registers of the harness that the block is not part of.
//!
//! The harness is added to the mapped netlist as cells of the target and nothing is optimized afterwards. A harness that is
//! synthesized together with the block is not that: its registers are merged with the block's.

use super::path::{self, Segment};
use super::process::{self, Ended, Limits};
use super::run::{first_error, read, whole, write, NETLIST};
use super::target::Family;
use super::tools::{Tool, Versions};
use super::{cells, Outcome, Stage, SynthError, Target};
use serde_json::Value;
use spec::{Direction, Port};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// The greatest seed that nextpnr takes.
pub const MAX_SEED: u64 = i32::MAX as u64;
/// What else the result depends on, and how: changed with what this file does.
pub(super) const HARNESS: &str = "registers at all pins, 1";
pub(super) const HARNESSED: &str = "harness.json";
const REPORT: &str = "report.json";
/// The instance of the block in the harness.
pub(super) const INSTANCE: &str = "dut";
/// Begin the names of the harness's registers, before the port's name and bit.
pub(super) const INPUT: &str = "harness_input_";
pub(super) const OUTPUT: &str = "harness_output_";
const CLOCK: &str = "clock";
/// Beyond what any block reaches, so that the tools never stop at good enough.
const TARGET_MHZ: &str = "400";

/// A mapped block.
pub struct Block<'a> {
    pub target: Target,
    pub module: &'a str,
    pub ports: &'a [Port],
    pub netlist: &'a Path,
    pub versions: &'a Versions,
}

/// nextpnr's options, file names aside.
pub(super) fn options(target: Target, seed: u64) -> Vec<String> {
    let device = target.device().map_or(&[] as &[&str], |device| device.options);
    let mut options: Vec<String> = device.iter().map(|&option| option.to_owned()).collect();
    let seed = seed.to_string();
    options.extend(["--freq", TARGET_MHZ, "--timing-allow-fail", "--seed", &seed].map(str::to_owned));
    options
}

impl Block<'_> {
    /// Adds frequency and critical path to the outcome of a synthesis.
    pub fn place(
        &self,
        seed: u64,
        synthesis: Outcome,
        directory: &Path,
        limits: Limits<'_>,
    ) -> Result<Outcome, SynthError> {
        let Outcome::Done { area, utilization, seconds, .. } = synthesis else { return Ok(synthesis) };
        let stage = Stage::Place;
        let failed = |reason, area| Ok(Outcome::Failed { stage, reason, area: Some(area) });
        if let Some(reason) = cells::overfull(&utilization) {
            return failed(reason, area);
        }
        let Some(nextpnr) = &self.versions.nextpnr else {
            return Err(SynthError::NoPlace { target: self.target });
        };
        let started = Instant::now();
        write(&directory.join("harness.v"), &self.harness())?;
        // By a relative name: some packages of the tools see only the working directory.
        fs::copy(self.netlist, directory.join(NETLIST)).map_err(SynthError::io(self.netlist))?;
        let script = format!(
            "read_json {NETLIST}; read_verilog harness.v; hierarchy -top harness; flatten; write_json {HARNESSED}"
        );
        let mut arguments = options(self.target, seed);
        arguments.extend(["--json", HARNESSED, "--report", REPORT].map(str::to_owned));
        let steps = [
            (&self.versions.yosys, "yosys.log", Some(HARNESSED), ["-q", "-p", &script].map(str::to_owned).to_vec()),
            (nextpnr, "nextpnr.log", None, arguments),
        ];
        for (found, log, written, arguments) in steps {
            match process::run(&found.program, arguments, directory, log, limits)? {
                Ended::Success => written.map_or(Ok(()), |file| whole(&directory.join(file)))?,
                Ended::TimedOut => return Ok(Outcome::TimedOut { stage, after: limits.timeout, area: Some(area) }),
                Ended::Failure(printed) => return failed(reason(&printed, found.tool, directory)?, area),
            }
        }
        let report = report(directory)?;
        let missing = "there is no frequency of one clock".to_owned();
        let fmax = fmax(&report).ok_or(SynthError::Content { path: directory.join(REPORT), what: missing })?;
        let seconds = seconds + started.elapsed().as_secs_f64();
        Ok(Outcome::Done { area, utilization, fmax_mhz: Some(fmax), critical_path: Vec::new(), seconds })
    }

    fn harness(&self) -> String {
        let mut body = String::new();
        let mut connections = Vec::new();
        // Writing to a String cannot fail.
        for port in self.ports {
            let (name, width) = (&port.name, port.width);
            connections.push(format!(".{name}({name})"));
            if name == CLOCK {
                continue;
            }
            let _ = writeln!(body, "  wire [{}:0] {name};", width - 1);
            for bit in 0..width {
                let register = match port.direction {
                    Direction::Input => self.register(&format!("{INPUT}{name}_{bit}"), "data", Some((name, bit))),
                    Direction::Output => {
                        self.register(&format!("{OUTPUT}{name}_{bit}"), &format!("{name}[{bit}]"), None)
                    }
                };
                let _ = writeln!(body, "  {register}");
            }
        }
        format!(
            "module harness(input {CLOCK}, input data);\n{body}  {} {INSTANCE} ({});\nendmodule\n",
            self.module,
            connections.join(", ")
        )
    }

    /// A register cell of the target.
    fn register(&self, name: &str, data: &str, output: Option<(&String, usize)>) -> String {
        let output = output.map_or_else(String::new, |(port, bit)| format!(", .Q({port}[{bit}])"));
        match self.target.family() {
            Family::Ecp5 => format!(
                "(* keep *) TRELLIS_FF #(.GSR(\"DISABLED\"), .CEMUX(\"1\"), .CLKMUX(\"CLK\"), .LSRMUX(\"LSR\"), \
                 .REGSET(\"RESET\"), .SRMODE(\"LSR_OVER_CE\")) {name} (.CLK({CLOCK}), .LSR(1'b0), .DI({data}){output});"
            ),
            _ => format!("(* keep *) SB_DFF {name} (.C({CLOCK}), .D({data}){output});"),
        }
    }
}

/// What nextpnr wrote of a placement in `directory`.
fn report(directory: &Path) -> Result<Value, SynthError> {
    let path = directory.join(REPORT);
    serde_json::from_str(&read(&path)?).map_err(|source| SynthError::Cut { path, source })
}

/// The critical path of the placement in a folder of the cache.
pub(super) fn critical_path(directory: &Path) -> Result<Vec<Segment>, SynthError> {
    let missing = || SynthError::Content { path: directory.join(REPORT), what: "there is no critical path".to_owned() };
    path::critical(&report(directory)?).ok_or_else(missing)
}

/// Why nextpnr gave up. It writes no JSON then, so this reads its messages.
fn reason(printed: &str, tool: Tool, directory: &Path) -> Result<String, SynthError> {
    // `Info:  ICESTORM_LC:  9959/ 7680  129%`
    let over = printed.lines().find_map(|line| {
        let (resource, counts) = line.strip_prefix("Info: ")?.trim().split_once(':')?;
        let (used, rest) = counts.split_once('/')?;
        let available: u64 = rest.split_whitespace().next()?.parse().ok()?;
        let used: u64 = used.trim().parse().ok()?;
        (used > available).then(|| format!("does not fit: {used} of {available} {resource}"))
    });
    match over {
        Some(over) => Ok(over),
        None => first_error(printed, tool, directory),
    }
}

/// The frequency of the only clock.
fn fmax(report: &Value) -> Option<f64> {
    let clocks = report["fmax"].as_object()?;
    let mut achieved = clocks.values().map(|clock| clock["achieved"].as_f64());
    match (achieved.next(), achieved.next()) {
        (Some(fmax), None) => fmax,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::tools::Found;
    use serde_json::json;
    use std::path::PathBuf;

    #[test]
    fn every_bit_but_the_clock_has_a_register() {
        let port = |name: &str, direction, width| Port { name: name.to_owned(), direction, width };
        let ports = [
            port("clock", Direction::Input, 1),
            port("a_in", Direction::Input, 2),
            port("sum_out", Direction::Output, 3),
        ];
        let yosys = Found { tool: Tool::Yosys, program: PathBuf::new(), version: String::new(), line: String::new() };
        let versions = Versions { yosys, nextpnr: None };
        let (module, netlist) = ("pe", Path::new(NETLIST));
        let harness = |target| Block { target, module, ports: &ports, netlist, versions: &versions }.harness();
        for (target, cell, input, output) in [
            (Target::Ice40Hx8k, "SB_DFF", ".C(clock), .D(data), .Q(a_in", ".C(clock), .D(sum_out"),
            (Target::Ecp5_85k, "TRELLIS_FF", ".LSR(1'b0), .DI(data), .Q(a_in", ".LSR(1'b0), .DI(sum_out"),
        ] {
            let text = harness(target);
            assert_eq!(text.matches(cell).count(), 5, "{text}");
            for pin in [format!("{input}[0]"), format!("{input}[1]")]
                .iter()
                .chain(&[0, 1, 2].map(|bit| format!("{output}[{bit}]")))
            {
                assert!(text.contains(pin), "{pin} is not in {text}");
            }
            assert!(text.contains("pe dut (.clock(clock), .a_in(a_in), .sum_out(sum_out));"), "{text}");
        }
    }

    #[test]
    fn a_frequency_is_told_of_a_single_clock() {
        let clock = |mhz: f64| json!({ "achieved": mhz, "constraint": 400.0 });
        assert_eq!(fmax(&json!({ "fmax": { "clock": clock(123.5) } })), Some(123.5));
        assert_eq!(fmax(&json!({ "fmax": { "clock": clock(123.5), "other": clock(99.0) } })), None, "of two");
        assert_eq!(fmax(&json!({ "fmax": {} })), None);
    }

    #[test]
    fn a_full_device_is_told_by_its_counts() {
        let printed = "Info: Device utilisation:\nInfo: \t         ICESTORM_LC:  9959/ 7680   129%\n\
                       Info: \t        ICESTORM_RAM:    17/   32    53%\nERROR: Unable to place cell 'x'\n";
        let reason = |printed| reason(printed, Tool::NextpnrIce40, Path::new("here"));
        let said = |printed| reason(printed).expect("it says why");
        assert_eq!(said(printed), "does not fit: 9959 of 7680 ICESTORM_LC");
        assert_eq!(said("Info: 12/ 13\nERROR: no clock\n"), "nextpnr-ice40: no clock");
        // As with a full disk.
        assert!(matches!(reason("\n"), Err(SynthError::Silent { .. })));
    }
}
