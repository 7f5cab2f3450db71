//! The buffer of weights.

use crate::prelude::*;
use crate::widths;
use spec::Config;

/// Rows of weights: load writes them, execute reads them. One memory as wide as a row.
///
/// The row at `read_addr_in` comes one cycle after `read_enable_in`; a row that is being written is read as it was.
#[derive(LogicBlock)]
pub struct WeightBuffer {
    pub clock: ClockIn,
    pub write_enable_in: WireIn,
    pub write_addr_in: WireIn,
    pub write_row_in: WireIn,
    pub read_enable_in: WireIn,
    pub read_addr_in: WireIn,
    pub read_row_out: WireOut,
    rows: Memory,
}

impl WeightBuffer {
    pub fn new(config: &Config) -> WeightBuffer {
        let (row_bits, depth) = (widths::weight_row_bits(config), config.geometry().weight_buffer_rows());
        let addr_bits = index_bits(depth);
        WeightBuffer {
            clock: ClockIn::default(),
            write_enable_in: WireIn::new(1),
            write_addr_in: WireIn::new(addr_bits),
            write_row_in: WireIn::new(row_bits),
            read_enable_in: WireIn::new(1),
            read_addr_in: WireIn::new(addr_bits),
            read_row_out: WireOut::new(row_bits),
            rows: Memory::new(row_bits, depth, Collision::OldData),
        }
    }
}

impl Logic for WeightBuffer {
    module!("weight_buffer", "Rows of weights, written by load and read by execute.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, rows);
        self.rows.write_enable_in.next = self.write_enable_in.val();
        self.rows.write_addr_in.next = self.write_addr_in.val();
        self.rows.write_data_in.next = self.write_row_in.val();
        self.rows.read_enable_in.next = self.read_enable_in.val();
        self.rows.read_addr_in.next = self.read_addr_in.val();
        self.read_row_out.next = self.rows.read_data_out.val();
    }
}

ports!(
    WeightBuffer, clock,
    in write_enable_in, write_addr_in, write_row_in, read_enable_in, read_addr_in;
    out read_row_out
);
