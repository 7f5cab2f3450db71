//! The critical path in terms of blocks.

use super::place::{INPUT, INSTANCE, OUTPUT};
use super::BlockName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A run of cells of one block on the critical path.
///
/// A cell belongs to the block whose signal it drives, and what drives a block's input to the block around it. A cell whose
/// own signal has no name stands as `after` one that it reads. Where blocks share a signal through ports, Yosys keeps one of
/// its names: a neighbour's, perhaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Instances from the top of what was built, as in `store/requantizer/lanes_0`; empty for the built block itself,
    /// `harness` for a register at a pin.
    pub block: String,
    /// The signals driven by the run's first cell and its last.
    pub from: String,
    pub to: String,
    /// Of cells: clock to output, through lookup tables and carries, set-up.
    pub logic_ns: f64,
    /// Of wires into the run's cells.
    pub routing_ns: f64,
}

impl Segment {
    /// As in `mesh: weight -> sum`, on a path of the block `built`.
    pub fn describe(&self, built: BlockName) -> String {
        let block = if self.block.is_empty() { built.to_string() } else { self.block.clone() };
        let to = if self.from == self.to { String::new() } else { format!(" -> {}", self.to) };
        format!("{block}: {}{to}", self.from)
    }
}

/// The path within the clock's domain of nextpnr's report.
pub(super) fn critical(report: &Value) -> Option<Vec<Segment>> {
    let paths = report["critical_paths"].as_array()?;
    let inside = |path: &&Value| ["from", "to"].iter().all(|end| path[end].as_str().is_some_and(|at| at != "<async>"));
    let mut segments: Vec<Segment> = Vec::new();
    for step in paths.iter().find(inside)?["path"].as_array()? {
        let delay = step["delay"].as_f64()?;
        // A step ends at the cell that its delay is of, or leads to.
        let cell = step["to"]["cell"].as_str()?;
        let (block, signal) = place(cell);
        let (logic_ns, routing_ns) = if step["type"] == "routing" { (0.0, delay) } else { (delay, 0.0) };
        match segments.last_mut() {
            // nextpnr's own, such as the way out of a carry chain.
            Some(last) if cell.starts_with('$') => {
                last.logic_ns += logic_ns;
                last.routing_ns += routing_ns;
            }
            Some(last) if last.block == block => {
                last.to = signal;
                last.logic_ns += logic_ns;
                last.routing_ns += routing_ns;
            }
            _ => segments.push(Segment { block, from: signal.clone(), to: signal, logic_ns, routing_ns }),
        }
    }
    Some(segments)
}

/// Block and signal of a cell's name, such as `dut.product.d_in_SB_LUT4_O_6_LC`. Yosys names a cell after the signal that it
/// drives or, where that has no name, after one that it reads: `dut.count_in_SB_LUT4_I1_LC`.
fn place(cell: &str) -> (String, String) {
    for start in [INPUT, OUTPUT] {
        if let Some(pin) = cell.strip_prefix(start) {
            return (
                "harness".to_owned(),
                plain(pin).0.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_').to_owned(),
            );
        }
    }
    let inner = cell.strip_prefix(INSTANCE).and_then(|rest| rest.strip_prefix('.')).unwrap_or(cell);
    let (block, signal) = inner.rsplit_once('.').unwrap_or(("", inner));
    let (signal, pin) = plain(signal);
    let block_name = block.replace('.', "/");
    if pin.is_some_and(|pin| !is_output(pin)) {
        return (block_name, format!("after {signal}"));
    }
    // What drives an input of a block is outside of it.
    if let (true, false) = (signal.ends_with("_in"), block.is_empty()) {
        let (outer, instance) = block.rsplit_once('.').unwrap_or(("", block));
        return (outer.replace('.', "/"), format!("{instance}.{signal}"));
    }
    (block_name, signal.to_owned())
}

/// A signal's name without the cells that Yosys's names go through, and the pin of the first of them that it is at.
fn plain(name: &str) -> (&str, Option<&str>) {
    const CELLS: [&str; 10] =
        ["_SB_", "_TRELLIS_", "_LUT4_", "_CCU2C_", "_PFUMX_", "_L6MUX21_", "_MULT18X18D_", "_DP16KD_", "_DFFLC", "_LC"];
    let Some(end) = CELLS.iter().filter_map(|cell| name.find(cell)).min() else { return (name, None) };
    let mut parts = name[end + 1..].split(['_', '$']);
    // The cell's name has two parts in `SB_LUT4` and `TRELLIS_FF`.
    if matches!(parts.next(), Some("SB" | "TRELLIS")) {
        parts.next();
    }
    (&name[..end], parts.next())
}

/// Whether a cell drives its pin of that name.
fn is_output(pin: &str) -> bool {
    let is_product = pin.strip_prefix('P').is_some_and(|bit| bit.bytes().all(|byte| byte.is_ascii_digit()));
    is_product || pin.starts_with("DO") || matches!(pin, "O" | "Q" | "Z" | "CO" | "COUT" | "S0" | "S1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_told_by_block_and_signal() {
        for (cell, block, signal) in [
            ("dut.product.d_in_SB_LUT4_O_6_I3_SB_LUT4_O_LC", "", "product.d_in"),
            ("dut.activation_out_SB_DFFSR_Q_3_DFFLC", "", "activation_out"),
            ("dut.store.requantizer.lanes_0.rounded.q_TRELLIS_FF_Q", "store/requantizer/lanes_0/rounded", "q"),
            ("harness_input_psum_in_12_DFFLC", "harness", "psum_in"),
            ("harness_output_psum_out_3", "harness", "psum_out"),
            ("dut.accumulator_in_SB_LUT4_I1_8_LC", "", "after accumulator_in"),
            ("dut.round_up_0.odd_in_SB_LUT4_I2_O_SB_LUT4_O_5_LC", "round_up_0", "after odd_in"),
            ("dut.saturator.value_in_CCU2C_S0_7$CCU2_COMB0", "", "saturator.value_in"),
            ("dut.high_in_CCU2C_A0$CCU2_COMB0", "", "after high_in"),
            ("dut.product.d_in_MULT18X18D_P0", "", "product.d_in"),
            ("dut.slot_LUT4_D_Z_LUT4_Z_1", "", "after slot"),
        ] {
            assert_eq!(place(cell), (block.to_owned(), signal.to_owned()), "{cell}");
        }
    }

    #[test]
    fn runs_of_a_block_are_one_segment() {
        let step = |kind: &str, to: &str, delay: f64| json!({ "type": kind, "delay": delay, "to": { "cell": to } });
        let report = json!({ "critical_paths": [
            { "from": "<async>", "to": "posedge clock", "path": [] },
            { "from": "posedge clock", "to": "posedge clock", "path": [
                step("clk-to-q", "dut.a_SB_DFF_Q_DFFLC", 0.5),
                step("routing", "dut.multiply.x_SB_LUT4_O_LC", 1.0),
                step("logic", "dut.multiply.x_SB_LUT4_O_LC", 0.25),
                step("routing", "$nextpnr_CCU2C_10$CCU2_COMB0", 0.25),
                step("routing", "dut.multiply.y_SB_LUT4_O_LC", 0.5),
                step("setup", "dut.multiply.y_SB_LUT4_O_LC", 0.125),
            ] },
        ] });
        let segments = critical(&report).expect("a path");
        let texts: Vec<String> = segments.iter().map(|segment| segment.describe(BlockName::Pe)).collect();
        assert_eq!(texts, ["pe: a", "multiply: x -> y"]);
        let delays: Vec<(f64, f64)> = segments.iter().map(|s| (s.logic_ns, s.routing_ns)).collect();
        assert_eq!(delays, [(0.5, 0.0), (0.375, 1.75)]);
    }
}
