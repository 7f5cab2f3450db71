//! Modelled energy of a run on an ASIC of 45 nm: counts of the program and of its run times published figures, scaled by width.
//!
//! It is a model, not a measurement: `docs/energy.md` has the sources, every formula, a worked example and what is left out.

mod counts;
mod figures;

pub use counts::Counts;
pub use figures::{adder_pj, memory_pj, multiplier_pj, registers_pj, shifter_pj, sram_pj};

use serde::{Deserialize, Serialize};
use spec::Config;

/// Energy by part, in nJ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// Products, sums in the mesh and in the accumulator.
    pub mac_nj: f64,
    /// Registers that operands and psums pass: skew and PEs.
    pub hop_nj: f64,
    /// Reads and writes of the activation, weight and parameter buffers, of the accumulator and of tables.
    pub buffer_nj: f64,
    pub requantize_nj: f64,
    /// External memory.
    pub memory_nj: f64,
}

impl Energy {
    pub fn total_nj(&self) -> f64 {
        self.mac_nj + self.hop_nj + self.buffer_nj + self.requantize_nj + self.memory_nj
    }

    /// A share of all parts: of one image, if there are so many.
    pub fn per(&self, images: f64) -> Self {
        Self {
            mac_nj: self.mac_nj / images,
            hop_nj: self.hop_nj / images,
            buffer_nj: self.buffer_nj / images,
            requantize_nj: self.requantize_nj / images,
            memory_nj: self.memory_nj / images,
        }
    }
}

impl Counts {
    /// The energy of what was counted, on a machine of that configuration.
    pub fn energy(&self, config: &Config) -> Energy {
        let (n, g) = (config.numerics(), config.geometry());
        let (rows, cols, lanes) = (g.rows() as f64, g.cols() as f64, g.requantizer_lanes() as f64);
        let (a, w, o) = (n.activation().bits(), n.weight().bits(), n.output().bits());
        let (sum, record) = (n.accumulator_bits(), n.parameter_bits());
        let of = |count: u64, pj: f64| count as f64 * pj;

        let mac =
            of(self.products, multiplier_pj(a, w) + adder_pj(sum)) + of(self.accumulator_reads, cols * adder_pj(sum));

        // Lane i passes i registers of the skew.
        let skewed = |lanes: f64| lanes * (lanes - 1.0) / 2.0;
        let product = f64::from(a + w) * g.multiplier_stages() as f64;
        let row_bits = skewed(rows) * f64::from(a) + rows * cols * (f64::from(a) + product + f64::from(sum));
        // Row r of the mesh takes a new shadow in R - r of the R cycles of a preload, and its weight once.
        let fold_bits = cols * (rows * (rows + 1.0) / 2.0 + rows) * f64::from(w);
        let hop = registers_pj(of(self.streamed_rows, row_bits) + of(self.folds, fold_bits))
            + registers_pj(of(self.weight_reads, skewed(cols) * f64::from(w)));

        let activations = sram_pj(rows * f64::from(a), g.activation_buffer_rows());
        let weights = sram_pj(cols * f64::from(w), g.weight_buffer_rows());
        let accumulator = sram_pj(f64::from(sum), g.accumulator_rows());
        let parameters = sram_pj(f64::from(record), g.parameter_rows());
        let table = sram_pj(f64::from(o), 1 << o);
        let buffer = of(self.activation_writes + self.streamed_rows, activations)
            + of(self.weight_writes + self.weight_reads, weights)
            // A row that is streamed is written in every column.
            + of(self.accumulator_reads + self.streamed_rows, cols * accumulator)
            + of(self.requantized_groups, lanes * (accumulator + parameters))
            + of(self.parameter_writes, parameters)
            + of(self.table_writes + self.looked_up_groups, lanes * table);

        let wide = sum + n.multiplier_bits();
        let scale = n.multiplier().map_or(0.0, |multiplier| multiplier_pj(sum, multiplier.bits()) + adder_pj(wide));
        let term = adder_pj(sum) + scale + registers_pj(f64::from(sum + wide));
        let round = shifter_pj(wide, n.shift_bits()) + adder_pj(wide);
        let output = round + adder_pj(n.bound().bits()) + registers_pj(f64::from(2 * n.bound().bits()));
        let requantize = lanes * (of(self.requantized_groups, term) + of(self.output_groups, output));

        let memory = memory_pj(of(self.beats, g.bus_bits() as f64));
        Energy {
            mac_nj: mac / 1e3,
            hop_nj: hop / 1e3,
            buffer_nj: buffer / 1e3,
            requantize_nj: requantize / 1e3,
            memory_nj: memory / 1e3,
        }
    }
}

#[cfg(test)]
mod tests;
