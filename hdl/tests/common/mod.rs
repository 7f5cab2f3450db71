//! What the tests share: random vectors, and the outside tools that judge the emitted Verilog.

// Each test file uses a part of it.
#![allow(dead_code)]

pub mod machine;

use hdl::bits::Bits;
use hdl::simulate::{Ports, Stepper};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// xorshift64*: enough to make vectors that are the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.word() % n
    }

    pub fn bits(&mut self, width: usize) -> Bits {
        Bits::from_words((0..width.div_ceil(64)).map(|_| self.word()).collect(), width)
    }

    /// A value of at most 64 bits in two's complement.
    pub fn signed(&mut self, width: usize) -> i128 {
        self.bits(width).to_i128()
    }
}

/// Runs a command in `dir` and returns its output; fails the test, with the output, if the command fails.
pub fn run(dir: &Path, command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).current_dir(dir).output();
    let output =
        output.unwrap_or_else(|error| panic!("cannot run {command} ({error}); install it: apt-get install {command}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command} {arguments:?} failed:\n{text}");
    text
}

/// Verilator and Yosys have nothing to say about `verilog`.
pub fn lint(verilog: &str, top: &str) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("dut.v"), verilog).expect("dut.v is written");
    let arguments = ["--lint-only", "-Wall", "-Wno-DECLFILENAME", "--top-module", top, "dut.v"];
    assert_eq!(run(dir.path(), "verilator", &arguments), "", "Verilator on {top}");
    let script = format!(
        "read_verilog dut.v; hierarchy -check -top {top}; proc; check -assert; select -assert-none t:$dlatch t:$adlatch"
    );
    assert_eq!(run(dir.path(), "yosys", &["-q", "-p", &script]), "", "Yosys on {top}");
}

/// Emits `block` and drives the text in Icarus and the block in RustHDL's simulator with the same random inputs: every output
/// agrees in every cycle from `from_cycle` on. `reset` is high in the first two cycles and, rarely, later. `adjust` may
/// change the inputs of a cycle, by name.
pub fn agrees_with_icarus<T: Ports>(
    name: &str,
    block: T,
    n_cycles: u64,
    from_cycle: u64,
    adjust: impl Fn(u64, &str, Bits) -> Bits,
) {
    let mut dut = Stepper::new(block).expect("the block is accepted");
    let emitted = hdl::emit(dut.block(), name, "test").expect("the block is emitted");
    lint(&emitted.verilog, name);
    let mut random = Random::new(n_cycles);
    let (mut stimulus, mut expected) = (String::new(), Vec::new());
    let widths: Vec<_> = dut.block_mut().inputs().iter().map(|(port, wire)| (*port, wire.width())).collect();
    let total: usize = widths.iter().map(|(_, width)| width).sum();
    for cycle in 0..n_cycles {
        let mut all = Bits::zero(total.max(1));
        let mut at = 0;
        for &(port, width) in &widths {
            let value = match port {
                "reset" => Bits::new(u128::from(cycle < 2 || random.below(50) == 0), 1),
                _ => random.bits(width),
            };
            let value = adjust(cycle, port, value).resized(width);
            all.set_slice(at, &value);
            at += width;
            dut.set(port, value).expect("the port exists");
        }
        writeln!(stimulus, "{all}").expect("a String takes text");
        dut.settle().expect("the block settles");
        let outputs: Vec<String> = dut.block().outputs().iter().map(|(_, wire)| wire.val().to_string()).collect();
        expected.push(outputs.join(" "));
        dut.edge().expect("the block settles");
    }
    let outputs: Vec<_> = dut.block().outputs().iter().map(|(port, wire)| (*port, wire.width())).collect();
    let has_clock = dut.block_mut().clock().is_some();
    let bench = testbench(name, &widths, &outputs, has_clock, total, n_cycles);
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (file, text) in [("dut.v", &emitted.verilog), ("bench.v", &bench), ("stimulus.hex", &stimulus)] {
        std::fs::write(dir.path().join(file), text).expect("a file is written");
    }
    run(dir.path(), "iverilog", &["-g2001", "-o", "bench", "dut.v", "bench.v"]);
    let printed = run(dir.path(), "vvp", &["-n", "bench"]);
    let lines: Vec<&str> = printed.lines().filter(|line| !line.contains("WARNING")).collect();
    assert_eq!(lines.len(), expected.len(), "{name}: {printed}");
    for (cycle, (actual, expected)) in lines.iter().zip(&expected).enumerate().skip(from_cycle as usize) {
        assert_eq!(
            actual, expected,
            "{name}, cycle {cycle}: Verilog left, RustHDL right, outputs {outputs:?}\n{}",
            emitted.verilog
        );
    }
}

fn testbench(
    name: &str,
    inputs: &[(&str, usize)],
    outputs: &[(&str, usize)],
    has_clock: bool,
    total: usize,
    n_cycles: u64,
) -> String {
    let mut ports = Vec::new();
    if has_clock {
        ports.push(".clock(clock)".to_string());
    }
    let mut at = 0;
    for (port, width) in inputs {
        ports.push(format!(".{port}(now[{}:{at}])", at + width - 1));
        at += width;
    }
    let mut wires = String::new();
    for (port, width) in outputs {
        ports.push(format!(".{port}({port})"));
        writeln!(wires, "    wire [{}:0] {port};", width - 1).expect("a String takes text");
    }
    let format = vec!["%h"; outputs.len()].join(" ");
    let names: Vec<&str> = outputs.iter().map(|(port, _)| *port).collect();
    format!(
        "module bench;
    reg clock;
    reg [{}:0] stimulus [0:{}];
    reg [{}:0] now;
    integer i;
{wires}    {name} dut ({});
    initial begin
        clock = 0;
        $readmemh(\"stimulus.hex\", stimulus);
        for (i = 0; i < {n_cycles}; i = i + 1) begin
            now = stimulus[i];
            #1 $display(\"{format}\", {});
            clock = 1;
            #1 clock = 0;
            #1;
        end
        $finish;
    end
endmodule
",
        total - 1,
        n_cycles - 1,
        total - 1,
        ports.join(", "),
        names.join(", ")
    )
}
