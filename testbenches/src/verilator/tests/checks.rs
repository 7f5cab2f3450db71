//! Lint, memories, and self-checking benches.

use super::super::{icarus, lint, memories, verilator_binary, Bench, Memory, VerilatorError};
use super::*;

const CLEAN: &str = "
module clean(input clock, input [3:0] a, output reg [3:0] q);
  always @(posedge clock) q <= a;
endmodule
";

fn findings(verilog: &str, top: &str) -> String {
    lint(verilog, top, &Tools::from_path()).unwrap()
}

#[test]
fn a_clean_module_has_no_findings() {
    assert_eq!(findings(CLEAN, "clean"), "");
}

#[test]
fn each_mistake_is_found() {
    let latch = "module m(input g, input d, output reg q);\n  always @* if (g) q = d;\nendmodule\n";
    let text = findings(latch, "m");
    assert!(text.contains("%Warning-LATCH"), "{text}");
    assert!(text.contains("Latch inferred for signal `\\m.\\q'"), "{text}");
    assert!(text.contains("ERROR: Assertion failed"), "{text}");

    let text = findings(&CLEAN.replace("q <= a", "q <= a[2:0]"), "clean");
    assert!(text.contains("%Warning-WIDTH"), "{text}");

    let ring = "wire x, y; assign x = ~y; assign y = x;\nendmodule";
    let text = findings(&CLEAN.replace("endmodule", ring), "clean");
    assert!(text.contains("Warning: found logic loop"), "{text}");

    let twice = "module m(input a, input b, output q);\n  assign q = a;\n  assign q = b;\nendmodule\n";
    let text = findings(twice, "m");
    assert!(text.contains("Warning: multiple conflicting drivers for m."), "{text}");

    let text = findings(&CLEAN.replace("endmodule", "gone g(clock);\nendmodule"), "clean");
    assert!(text.contains("%Error"), "{text}");
    assert!(text.contains("ERROR: Module `\\gone'"), "{text}");
}

#[test]
fn memories_are_listed_and_registers_are_not() {
    let verilog = "
module ram(input clock, input we, input [4:0] wa, input [4:0] ra, input [11:0] d, output reg [11:0] q);
  reg [11:0] cells [0:31];
  always @(posedge clock) begin if (we) cells[wa] <= d; q <= cells[ra]; end
endmodule
module two(input clock, input we, input [4:0] wa, input [4:0] ra, input [11:0] d, output [11:0] q0, output [11:0] q1);
  ram a(clock, we, wa, ra, d, q0);
  ram b(clock, we, wa, ra, ~d, q1);
endmodule
";
    let memory = |name: &str| Memory { name: name.to_owned(), width: 12, depth: 32 };
    let found = memories(verilog, "two", &Tools::from_path()).unwrap();
    assert_eq!(found, [memory("a.cells"), memory("b.cells")]);
    assert_eq!(memories(CLEAN, "clean", &Tools::from_path()).unwrap(), []);
    let refused = memories("module", "m", &Tools::from_path());
    assert!(matches!(refused, Err(VerilatorError::YosysFailed { .. })), "{refused:?}");
}

#[test]
fn missing_checkers_are_errors() {
    let missing = Tools {
        verilator: "no-verilator".into(),
        cxx: "no-g++".into(),
        yosys: "no-yosys".into(),
        iverilog: "no-iverilog".into(),
        vvp: "no-vvp".into(),
    };
    let usual = Tools::from_path();
    let directory = tempfile::tempdir().unwrap();
    let bench = bench(directory.path(), 3);
    let no_yosys = Tools { yosys: "no-yosys".into(), ..usual.clone() };
    let no_vvp = Tools { vvp: "no-vvp".into(), ..usual };
    let texts = [
        lint(CLEAN, "clean", &missing).unwrap_err(),
        lint(CLEAN, "clean", &no_yosys).unwrap_err(),
        memories(CLEAN, "clean", &missing).unwrap_err(),
        icarus(&bench, &missing).unwrap_err(),
        icarus(&bench, &no_vvp).unwrap_err(),
        verilator_binary(&bench, 1, &missing).unwrap_err(),
    ]
    .map(|error| error.to_string());
    let expected = [
        ("no-verilator", "verilator"),
        ("no-yosys", "yosys"),
        ("no-yosys", "yosys"),
        ("no-iverilog", "iverilog"),
        ("no-vvp", "iverilog"),
        ("no-verilator", "verilator"),
    ]
    .map(|(tool, package)| format!("{tool} was not found: install it with `apt-get install {package}`"));
    assert_eq!(texts, expected);
}

/// A bench that expects the sum of two numbers read from a file, in the clocked style Verilator needs.
fn bench(directory: &Path, expected: u32) -> Bench {
    let dut = "module adder(input clock, input [7:0] a, input [7:0] b, output reg [7:0] sum);\n  \
               always @(posedge clock) sum <= a + b;\nendmodule\n";
    let text = format!(
        "`timescale 1ns/1ps
module adder_tb;
  reg clock = 0;
  reg [7:0] cycle = 0;
  reg [7:0] errors = 0;
  reg [7:0] data [0:1];
  wire [7:0] sum;
  adder dut(.clock(clock), .a(data[0]), .b(data[1]), .sum(sum));
  initial $readmemh(\"data.hex\", data);
  always #5 clock = ~clock;
  always @(posedge clock) begin
    cycle <= cycle + 1;
    if (cycle >= 2 && sum != {expected}) begin errors <= errors + 1; $display(\"MISMATCH %0d\", sum); end
    if (cycle == 6) begin
      if (errors == 0) begin $display(\"PASS\"); $finish; end
      else $fatal(1, \"FAIL\");
    end
  end
endmodule
"
    );
    std::fs::write(directory.join("adder.v"), dut).unwrap();
    // `$fatal` is not Verilog-2001.
    let text = text.replace("$fatal(1, \"FAIL\")", "begin $display(\"FAIL\"); $stop; end");
    std::fs::write(directory.join("adder_tb.v"), text).unwrap();
    std::fs::write(directory.join("data.hex"), "01\n02\n").unwrap();
    Bench {
        files: vec![directory.join("adder.v"), directory.join("adder_tb.v")],
        top: "adder_tb".to_owned(),
        directory: directory.to_owned(),
    }
}

#[test]
fn icarus_passes_a_right_bench_and_fails_a_wrong_one() {
    let directory = tempfile::tempdir().unwrap();
    let run = icarus(&bench(directory.path(), 3), &Tools::from_path()).unwrap();
    assert_eq!((run.status, run.stdout.contains("PASS")), (Some(0), true), "{run:?}");
    let run = icarus(&bench(directory.path(), 4), &Tools::from_path()).unwrap();
    assert!(run.status != Some(0) && run.stdout.contains("FAIL"), "{run:?}");
    assert!(!run.stdout.contains("PASS"), "{run:?}");

    let mut broken = bench(directory.path(), 3);
    broken.files.remove(0);
    let error = icarus(&broken, &Tools::from_path()).unwrap_err().to_string();
    assert!(error.starts_with("iverilog refused the bench:\n"), "{error}");
    assert!(error.contains("adder"), "{error}");
}

#[test]
fn verilator_passes_a_right_bench_and_fails_a_wrong_one() {
    let directory = tempfile::tempdir().unwrap();
    let tools = Tools::from_path();
    let run = verilator_binary(&bench(directory.path(), 3), 1, &tools).unwrap();
    assert_eq!((run.status, run.stdout.contains("PASS")), (Some(0), true), "{run:?}");
    let run = verilator_binary(&bench(directory.path(), 4), 1, &tools).unwrap();
    assert!(run.status != Some(0) && run.stdout.contains("FAIL"), "{run:?}");

    let mut broken = bench(directory.path(), 3);
    broken.files.remove(0);
    let error = verilator_binary(&broken, 1, &tools).unwrap_err().to_string();
    assert!(error.starts_with("verilator refused the design:\n"), "{error}");
}
