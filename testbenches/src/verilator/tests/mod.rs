//! Models of small designs, against Rust and against mistakes made on purpose.

mod build;
mod checks;
mod failures;
#[cfg(feature = "verilated")]
mod hosted;
mod values;

use super::{Design, Library, Optimize, Options, Tools, Trace};
use spec::{Direction, Port};
use std::path::Path;
use std::sync::Arc;

/// Counters of awkward widths. `out70` shows its input in the same cycle.
pub const COUNTER: &str = "
module counter(input clock, input reset, input en, input [4:0] step5, input [32:0] add33, input [69:0] add70,
               output [0:0] q1, output [4:0] q5, output [32:0] q33, output [69:0] q70, output [69:0] out70);
  reg r1; reg [4:0] r5; reg [32:0] r33; reg [69:0] r70;
  assign q1 = r1; assign q5 = r5; assign q33 = r33; assign q70 = r70; assign out70 = ~add70;
  always @(posedge clock)
    if (reset) begin r1 <= 0; r5 <= 0; r33 <= 0; r70 <= 0; end
    else if (en) begin r1 <= ~r1; r5 <= r5 + step5; r33 <= r33 + add33; r70 <= r70 + add70; end
endmodule
";

pub fn port(name: &str, direction: Direction, width: usize) -> Port {
    Port { name: name.to_owned(), direction, width }
}

pub fn counter_ports() -> Vec<Port> {
    let input = |name, width| port(name, Direction::Input, width);
    let output = |name, width| port(name, Direction::Output, width);
    vec![
        input("clock", 1),
        input("reset", 1),
        input("en", 1),
        input("step5", 5),
        input("add33", 33),
        input("add70", 70),
        output("q1", 1),
        output("q5", 5),
        output("q33", 33),
        output("q70", 70),
        output("out70", 70),
    ]
}

pub fn counter() -> Design {
    Design { verilog: COUNTER.to_owned(), top: "counter".to_owned(), ports: counter_ports() }
}

/// A design with only a clock, `go` and an output, around the given statements.
pub fn probe(body: &str) -> Design {
    Design {
        verilog: format!("module probe(input clock, input go, output reg [7:0] q);\n{body}\nendmodule\n"),
        top: "probe".to_owned(),
        ports: vec![
            port("clock", Direction::Input, 1),
            port("go", Direction::Input, 1),
            port("q", Direction::Output, 8),
        ],
    }
}

/// Options with the cache of all tests; a test that watches the cache uses a directory of its own.
pub fn options() -> Options {
    Options::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
}

///
/// Verilator's runtime and the precompiled headers are taken over from the cache of all tests, for they take longer than
/// everything else.
pub fn options_in(directory: &Path) -> Options {
    let shared = options();
    Library::build(&counter(), &shared).unwrap();
    // A test may give a path that is not to become a directory.
    if directory.is_dir() {
        for entry in std::fs::read_dir(&shared.cache_dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_shared = name.starts_with("header-") || name.starts_with("runtime-");
            if is_shared && !name.ends_with(".lock") && !directory.join(&name).exists() {
                std::os::unix::fs::symlink(entry.path().canonicalize().unwrap(), directory.join(name)).unwrap();
            }
        }
    }
    Options { cache_dir: directory.to_owned(), ..shared }
}

pub fn build(design: &Design) -> Arc<Library> {
    Library::build(design, &options()).unwrap()
}

/// A small generator, so that a test needs nothing but its seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
