//! A row of the results: a design point on a synthesis target, or without one.
//!
//! The columns are the contract between what measures, what keeps and what shows: the results file, CSV, Parquet, plots and the report
//! have exactly these, in this order. A value that was not measured is absent, never 0.

use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Real,
}

/// What a column is called, holds and means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Empty for what has none.
    pub unit: &'static str,
    pub meaning: &'static str,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Absent,
    Integer(i64),
    Real(f64),
    Text(String),
}

macro_rules! rows {
    (@kind Text) => { String };
    (@kind Integer) => { i64 };
    (@kind Real) => { f64 };
    ($($name:ident: $kind:ident, $unit:literal, $meaning:literal;)*) => {
        /// See the module.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Row {
            $(#[doc = $meaning] pub $name: Option<rows!(@kind $kind)>,)*
        }

        impl Row {
            pub const COLUMNS: &'static [Column] = &[
                $(Column { name: stringify!($name), kind: Kind::$kind, unit: $unit, meaning: $meaning },)*
            ];

            /// Columns that differ between runs of the same sweep.
            pub const VOLATILE: &'static [&'static str] = &["build_seconds"];

            /// In the order of [`Row::COLUMNS`].
            pub fn values(&self) -> Vec<Value> {
                vec![$(self.$name.clone().map_or(Value::Absent, Value::$kind),)*]
            }

            /// The value of the column of that name, if there is one.
            pub fn value(&self, column: &str) -> Option<Value> {
                match column {
                    $(stringify!($name) => Some(self.$name.clone().map_or(Value::Absent, Value::$kind)),)*
                    _ => None,
                }
            }
        }
    };
}

rows! {
    point: Text, "", "the point's key";
    network: Text, "", "which network of the sweep file";
    network_width: Real, "", "multiplier of the network's channels";
    method: Text, "", "how the network is quantized, by its name in the sweep file";
    weight_bits: Integer, "bit", "width of the weights' levels";
    machine_weight_bits: Integer, "bit", "width of a weight in memory and in the multipliers: 2 for weights of 1 bit";
    activation_bits: Integer, "bit", "width of activations";
    accumulator_bits: Integer, "bit", "width of psums and accumulator";
    accumulator_wraps: Integer, "", "1 if the accumulator is narrower than its greatest sum";
    output_bits: Integer, "bit", "width of the requantizer's outputs";
    rounding: Text, "", "rounding of the requantizer";
    rows: Integer, "", "rows of the mesh";
    cols: Integer, "", "columns of the mesh";
    multiplier_stages: Integer, "", "product registers of a PE";
    requantizer_lanes: Integer, "", "outputs requantized a cycle";
    bus_bits: Integer, "bit", "width of the memory ports";
    status: Text, "", "of the network on the point: done, refused, failed, pending, or none without a network";
    reason: Text, "", "why it was refused or failed";
    seeds: Integer, "", "trained networks and splits that the accuracy is of";
    images: Integer, "", "test images of all seeds together";
    accuracy_float_percent: Real, "%", "of the float networks, mean over seeds";
    accuracy_percent: Real, "%", "mean over seeds";
    accuracy_sd_percent: Real, "%", "standard deviation over seeds (n - 1)";
    accuracy_min_percent: Real, "%", "of the worst seed";
    accuracy_max_percent: Real, "%", "of the best seed";
    sqnr_db: Real, "dB", "of the network's outputs against the float network's, mean over seeds";
    weight_sqnr_db: Real, "dB", "of the layer whose weights lose most, mean over seeds";
    activation_sqnr_db: Real, "dB", "of the layer whose outputs lose most, mean over seeds";
    saturated_percent: Real, "%", "outputs of all layers clamped at a bound of the output format, mean over seeds";
    batch: Integer, "", "images of the simulated run";
    cycles: Integer, "cycle", "of the simulated run";
    differing: Integer, "", "values of the simulated run that are not golden's: must be 0";
    utilization_percent: Real, "%", "useful multiply-accumulates of all PE-cycles";
    lost_rows_percent: Real, "%", "PE-cycles lost to remainder rows";
    lost_cols_percent: Real, "%", "PE-cycles lost to remainder columns";
    lost_form_percent: Real, "%", "PE-cycles on weights that are 0 by form";
    lost_preload_percent: Real, "%", "PE-cycles lost to weight preload that nothing hid";
    lost_fill_percent: Real, "%", "PE-cycles lost to fill, or operands not loaded";
    lost_accumulator_percent: Real, "%", "PE-cycles lost to an accumulator not drained";
    lost_tokens_percent: Real, "%", "PE-cycles lost to a token counter at its limit";
    lost_commands_percent: Real, "%", "PE-cycles lost waiting for commands";
    lost_drain_percent: Real, "%", "PE-cycles lost to the drain";
    macs: Integer, "", "useful multiply-accumulates an image";
    bytes: Real, "byte", "payload moved an image";
    weight_bytes: Real, "byte", "of these weights";
    activation_bytes: Real, "byte", "of these activations read";
    output_bytes: Real, "byte", "of these outputs written";
    parameter_bytes: Real, "byte", "of these parameters and tables";
    bus_bytes: Real, "byte", "of the whole words that carry the payload on the memory ports, an image";
    model_bytes: Integer, "byte", "size of the quantized model, mean over seeds";
    bandwidth_30fps_mb_per_s: Real, "MB/s", "payload at 30 images a second";
    bus_30fps_mb_per_s: Real, "MB/s", "whole words on the memory ports at 30 images a second";
    energy_nj: Real, "nJ", "modelled, an image";
    energy_mac_nj: Real, "nJ", "of these multiplications and sums";
    energy_hop_nj: Real, "nJ", "of these registers between PEs";
    energy_buffer_nj: Real, "nJ", "of these accesses to on-chip buffers";
    energy_requantize_nj: Real, "nJ", "of these requantization";
    energy_memory_nj: Real, "nJ", "of these accesses to external memory";
    block: Text, "", "what was synthesized: top, or a block of it";
    target: Text, "", "synthesis target";
    dsp: Integer, "", "1 if DSP blocks were allowed";
    build_status: Text, "", "done, failed, timed out, pending or extrapolated; none without a target";
    build_reason: Text, "", "why it failed";
    extrapolated: Integer, "", "1 if the areas follow from other builds";
    luts: Integer, "", "lookup tables";
    lut_sites: Integer, "", "sites of lookup tables: on an ECP5 with two for a carry cell and six for a cell of LUT RAM, on a Gowin with one for a carry cell; absent where it is not known";
    ffs: Integer, "", "flip-flops";
    carries: Integer, "", "carry cells";
    dsps: Integer, "", "DSP blocks";
    rams: Integer, "", "block RAMs";
    lut_rams: Integer, "", "cells of distributed RAM";
    area_um2: Real, "um2", "of cells of a liberty file";
    place_seeds: Integer, "", "seeds of placement that gave a frequency";
    fmax_mhz: Real, "MHz", "greatest clock, median over placements";
    fmax_min_mhz: Real, "MHz", "of the worst placement";
    fmax_max_mhz: Real, "MHz", "of the best placement";
    critical_path: Text, "", "of the median placement, in block terms";
    build_seconds: Real, "s", "of all tools together, when it was built";
    clock_mhz: Real, "MHz", "that frames per second are at: fmax, or the sweep file's clock";
    clock_source: Text, "", "fmax or assumed";
    fps: Real, "1/s", "images a second at that clock, in batches of `batch`";
}
