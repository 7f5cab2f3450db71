//! Translated cells, and the models that are ours, against Yosys's models, the RTL and plain arithmetic, in Icarus.

use explore::synth::netlist::Netlist;
use explore::synth::Target;
use spec::{Direction, Port};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use testbenches::data::Random;

fn run(directory: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(directory).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

/// A bench of `reference` and of the netlist that `script` makes of it. In each cycle every input has random bits; an output bit
/// that both define must be the same.
struct Bench<'a> {
    target: Target,
    /// Verilog of the module `reference`, with inputs `clock` and `x` and an output `y`.
    reference: &'a str,
    /// What else the reference needs: files that Icarus reads.
    models: &'a [&'a str],
    script: &'a str,
    inputs: usize,
    outputs: usize,
}

impl Bench<'_> {
    /// The numbers of bits compared, of which none may differ, and of those that only the reference defines.
    fn run(&self, cycles: usize) -> [usize; 2] {
        let directory: TempDir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("reference.v"), self.reference).expect("a test's own file");
        let script = format!("read_verilog reference.v; {}; select reference; json -o netlist.json", self.script);
        run(directory.path(), "yosys", &["-q", "-p", &script]);
        let text = std::fs::read_to_string(path("netlist.json")).expect("Yosys wrote it");
        let port = |name: &str, direction, width| Port { name: name.to_owned(), direction, width };
        let ports = vec![
            port("clock", Direction::Input, 1),
            port("x", Direction::Input, self.inputs),
            port("y", Direction::Output, self.outputs),
        ];
        let netlist = Netlist::parse(self.target, "reference", ports, &text, &path("netlist.json"));
        let design = netlist.expect("a netlist").design().expect("every cell has a model");
        let design = design.verilog.replace("module reference(", "module netlist(");
        std::fs::write(path("netlist.v"), design).expect("a test's own file");
        std::fs::write(path("bench.v"), self.bench(cycles)).expect("a test's own file");
        let mut arguments =
            vec!["-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-DNO_INCLUDES", "-s", "bench", "-o", "bench"];
        arguments.extend(["bench.v", "reference.v", "netlist.v"]);
        arguments.extend(self.models);
        run(directory.path(), "iverilog", &arguments);
        let printed = run(directory.path(), "vvp", &["-n", "bench"]);
        let counts = printed.lines().find_map(|line| line.strip_prefix("counts ")).expect("the bench ends");
        let counts: Vec<usize> = counts.split_whitespace().map(|count| count.parse().expect("a count")).collect();
        assert_eq!(counts[2], 0, "{printed}\n{}", self.reference);
        [counts[0], counts[1]]
    }

    fn bench(&self, cycles: usize) -> String {
        let words = self.inputs.div_ceil(32);
        let random = vec!["$urandom(seed)"; words].join(", ");
        format!(
            "module bench;
    reg clock = 0;
    reg [{0}:0] x;
    wire [{1}:0] expected, actual;
    integer seed = 1, compared = 0, lost = 0, differing = 0, cycle, i;
    reference reference(.clock(clock), .x(x), .y(expected));
    netlist netlist(.clock(clock), .x(x), .y(actual));
    initial begin
        for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
            x = {{{random}}};
            #1;
            for (i = 0; i <= {1}; i = i + 1) if (expected[i] !== 1'bx) begin
                if (actual[i] === 1'bx) lost = lost + 1;
                else compared = compared + 1;
                if (actual[i] !== 1'bx & actual[i] !== expected[i]) begin
                    differing = differing + 1;
                    if (differing < 5) $display(\"cycle %0d bit %0d: %b not %b\", cycle, i, actual[i], expected[i]);
                end
            end
            clock = 1;
            #1 clock = 0;
        end
        $display(\"counts %0d %0d %0d\", compared, lost, differing);
        $finish;
    end
endmodule
",
            self.inputs - 1,
            self.outputs - 1
        )
    }
}

/// A module of cells, each with random inputs and its outputs in `y`. `pins` gives inputs and outputs; `clock` stands for itself.
fn module(cells: &[(String, &[&str], &[&str])], inputs: usize, random: &mut Random) -> (String, usize) {
    let (mut body, mut outputs) = (String::new(), 0);
    for (index, (cell, ins, outs)) in cells.iter().enumerate() {
        let (kind, parameters) = cell.split_once(' ').unwrap_or((cell, ""));
        let mut pins = Vec::new();
        for pin in *ins {
            let clock = matches!(*pin, "C" | "CLK");
            let bit = random.word() % inputs as u64;
            pins.push(if clock { format!(".{pin}(clock)") } else { format!(".{pin}(x[{bit}])") });
        }
        for pin in *outs {
            pins.push(format!(".{pin}(y[{outputs}])"));
            outputs += 1;
        }
        writeln!(body, "  {kind} #({parameters}) cell{index} ({});", pins.join(", ")).expect("a String takes text");
    }
    let header = format!("module reference(input clock, input [{}:0] x, output [{}:0] y);\n", inputs - 1, outputs - 1);
    (header + &body + "endmodule\n", outputs)
}

/// Where Yosys keeps its models, by its own path.
fn models(family: &str) -> String {
    let yosys = run(Path::new("."), "sh", &["-c", "readlink -f \"$(command -v yosys)\""]);
    let prefix = Path::new(yosys.trim()).parent().and_then(Path::parent).expect("bin is in a folder");
    prefix.join("share/yosys").join(family).join("cells_sim.v").display().to_string()
}

#[test]
fn cells_of_the_ice40_are_yosyss_models() {
    let mut random = Random::new(1);
    let mut cells: Vec<(String, &[&str], &[&str])> = Vec::new();
    for _ in 0..40 {
        let init = random.word() % (1 << 16);
        cells.push((format!("SB_LUT4 .LUT_INIT(16'd{init})"), &["I0", "I1", "I2", "I3"], &["O"]));
    }
    cells.push(("SB_CARRY".to_owned(), &["I0", "I1", "CI"], &["CO"]));
    for _ in 0..3 {
        cells.push(("SB_DFF".to_owned(), &["C", "D"], &["Q"]));
        cells.push(("SB_DFFE".to_owned(), &["C", "E", "D"], &["Q"]));
        cells.push(("SB_DFFSR".to_owned(), &["C", "R", "D"], &["Q"]));
        cells.push(("SB_DFFSS".to_owned(), &["C", "S", "D"], &["Q"]));
        cells.push(("SB_DFFESR".to_owned(), &["C", "E", "R", "D"], &["Q"]));
        cells.push(("SB_DFFESS".to_owned(), &["C", "E", "S", "D"], &["Q"]));
    }
    let (reference, outputs) = module(&cells, 16, &mut random);
    let bench = Bench {
        target: Target::Ice40Hx8k,
        reference: &reference,
        models: &[&models("ice40")],
        script: "read_verilog -lib +/ice40/cells_sim.v; hierarchy -top reference",
        inputs: 16,
        outputs,
    };
    // Registers of the netlist start undefined, Yosys's start at 0.
    let [compared, lost] = bench.run(500);
    assert_eq!(compared + lost, 500 * outputs);
    assert!(lost < 10 * outputs, "{lost} bits are undefined");
}

#[test]
fn cells_of_the_ecp5_are_yosyss_models() {
    let mut random = Random::new(2);
    let mut cells: Vec<(String, &[&str], &[&str])> = Vec::new();
    for index in 0..40 {
        let init = [random.word() % (1 << 16), random.word() % (1 << 16)];
        cells.push((format!("LUT4 .INIT(16'd{})", init[0]), &["A", "B", "C", "D"], &["Z"]));
        let inject = |bit: usize| if index >> bit & 1 == 1 { "YES" } else { "NO" };
        let parameters = format!(
            ".INIT0(16'd{}), .INIT1(16'd{}), .INJECT1_0(\"{}\"), .INJECT1_1(\"{}\")",
            init[0],
            init[1],
            inject(0),
            inject(1)
        );
        let pins: &[&str] = &["CIN", "A0", "B0", "C0", "D0", "A1", "B1", "C1", "D1"];
        cells.push((format!("CCU2C {parameters}"), pins, &["S0", "S1", "COUT"]));
    }
    cells.push(("PFUMX".to_owned(), &["ALUT", "BLUT", "C0"], &["Z"]));
    cells.push(("L6MUX21".to_owned(), &["D0", "D1", "SD"], &["Z"]));
    for enable in ["1", "CE", "INV"] {
        for reset in ["LSR", "INV"] {
            for set in ["SET", "RESET"] {
                let parameters = format!(
                    ".CEMUX(\"{enable}\"), .LSRMUX(\"{reset}\"), .REGSET(\"{set}\"), .CLKMUX(\"CLK\"), .SRMODE(\"LSR_OVER_CE\")"
                );
                cells.push((format!("TRELLIS_FF {parameters}"), &["CLK", "CE", "LSR", "DI"], &["Q"]));
            }
        }
    }
    let (reference, outputs) = module(&cells, 16, &mut random);
    let bench = Bench {
        target: Target::Ecp5_85k,
        reference: &reference,
        models: &[&models("ecp5")],
        script: "read_verilog -lib -DNO_INCLUDES +/ecp5/cells_sim.v; hierarchy -top reference",
        inputs: 16,
        outputs,
    };
    // Registers of the netlist start undefined, Yosys's start at 0.
    let [compared, lost] = bench.run(500);
    assert_eq!(compared + lost, 500 * outputs);
    assert!(lost < 10 * outputs, "{lost} bits are undefined");
}

/// Every signedness of both sides; the RTL is the multiplication.
#[test]
fn the_multiplier_of_the_ecp5_multiplies() {
    for (a, b) in [("", ""), ("signed", "signed")] {
        let reference = format!(
            "module reference(input clock, input [35:0] x, output [35:0] y);
  wire {a} [17:0] a = x[17:0];
  wire {b} [17:0] b = x[35:18];
  assign y = a * b;
endmodule
"
        );
        let script = "synth_ecp5 -top reference; select -assert-count 1 t:MULT18X18D; select -clear";
        let bench =
            Bench { target: Target::Ecp5_85k, reference: &reference, models: &[], script, inputs: 36, outputs: 36 };
        assert_eq!(bench.run(2000), [2000 * 36, 0]);
    }
}

/// The parts of a wide product are signed on one side only.
#[test]
fn each_side_of_the_multiplier_has_its_own_sign() {
    let bits = |pin: &str, bus: &str, n: usize, first: usize| -> String {
        (0..n).map(|bit| format!(".{pin}{bit}({bus}[{}]), ", first + bit)).collect()
    };
    let pins = bits("A", "x", 18, 0) + &bits("B", "x", 18, 18) + &bits("P", "y", 36, 0);
    let reference = format!(
        "module reference(input clock, input [37:0] x, output [35:0] y);
`ifdef YOSYS
  MULT18X18D cell({pins}.SIGNEDA(x[36]), .SIGNEDB(x[37]), .SOURCEA(1'b0), .SOURCEB(1'b0));
`else
  wire signed [35:0] a = {{{{18{{x[36] & x[17]}}}}, x[17:0]}};
  wire signed [35:0] b = {{{{18{{x[37] & x[35]}}}}, x[35:18]}};
  assign y = a * b;
`endif
endmodule
"
    );
    let script = "read_verilog -lib +/ecp5/cells_bb.v; hierarchy -top reference";
    let bench = Bench { target: Target::Ecp5_85k, reference: &reference, models: &[], script, inputs: 38, outputs: 36 };
    assert_eq!(bench.run(2000), [2000 * 36, 0]);
}

/// Memories of every shape that a block RAM has; the RTL is the memory.
#[test]
fn block_rams_remember() {
    for (target, map, cell, shapes) in [
        (Target::Ecp5_85k, "synth_ecp5", "DP16KD", &[(36, 9), (18, 10), (9, 11), (4, 12), (2, 13), (1, 14)][..]),
        (Target::Ice40Hx8k, "synth_ice40", "SB_RAM40_4K", &[(16, 8), (8, 9), (4, 10), (2, 11)]),
    ] {
        for &(width, address) in shapes {
            // A small corner is used, so that what is read was written; the highest bits tell the places apart.
            let corner = |high: &str, low: &str| format!("{{{high}, {}'b0, {low}}}", address - 6);
            let reference = format!(
                "module reference(input clock, input [{0}:0] x, output reg [{1}:0] y);
  (* no_rw_check *) reg [{1}:0] cells [0:{2}];
  wire [{3}:0] write = {4};
  wire [{3}:0] read = {5};
  always @(posedge clock) begin
    if (x[0]) cells[write] <= x[{6}:13];
    if (x[1] & (read != write)) y <= cells[read];
  end
endmodule
",
                12 + width,
                width - 1,
                (1 << address) - 1,
                address - 1,
                corner("x[12:10]", "x[9:7]"),
                corner("x[6:4]", "{x[3:2], x[7]}"),
                12 + width
            );
            let script = format!("{map} -top reference; select -assert-count 1 t:{cell}; select -clear");
            let bench = Bench {
                target,
                reference: &reference,
                models: &[],
                script: &script,
                inputs: 13 + width,
                outputs: width,
            };
            let [compared, lost] = bench.run(3000);
            assert!(compared > 2000 * width, "{cell} of {width} bits: only {compared} bits");
            assert_eq!(lost, 0, "{cell} of {width} bits");
        }
    }
}

/// Two words of nine bits at a place, each with its own enable.
#[test]
fn block_rams_write_only_the_words_that_are_enabled() {
    let reference = "module reference(input clock, input [26:0] x, output reg [17:0] y);
  (* no_rw_check *) reg [17:0] cells [0:1023];
  wire [9:0] write = {x[6], 6'b0, x[5:3]};
  wire [9:0] read = {x[8], 6'b0, x[7], x[4:3]};
  always @(posedge clock) begin
    if (x[0]) cells[write][8:0] <= x[17:9];
    if (x[1]) cells[write][17:9] <= x[26:18];
    if (x[2] & (read != write)) y <= cells[read];
  end
endmodule
";
    let script = "synth_ecp5 -top reference; select -assert-count 1 t:DP16KD; select -clear";
    let bench = Bench { target: Target::Ecp5_85k, reference, models: &[], script, inputs: 27, outputs: 18 };
    let [compared, lost] = bench.run(3000);
    assert!(compared > 2000 * 18, "only {compared} bits");
    assert_eq!(lost, 0);
}
