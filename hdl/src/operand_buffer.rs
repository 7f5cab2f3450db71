//! The activation buffer and the weight buffer.

use crate::prelude::*;
use crate::widths;
use spec::Config;

/// Rows of activations or of weights: load writes them, execute reads them. One memory as wide as a row.
///
/// The row at `read_addr_in` comes one cycle after `read_enable_in`. Tokens see to it that no row is read while it is written.
#[derive(LogicBlock)]
pub struct OperandBuffer {
    pub clock: ClockIn,
    pub write_enable_in: WireIn,
    pub write_addr_in: WireIn,
    pub write_row_in: WireIn,
    pub read_enable_in: WireIn,
    pub read_addr_in: WireIn,
    pub read_row_out: WireOut,
    rows: Memory,
    _module: &'static str,
}

impl OperandBuffer {
    /// The activation buffer.
    pub fn activations(config: &Config) -> OperandBuffer {
        let depth = config.geometry().activation_buffer_rows();
        OperandBuffer::new("activation_buffer", widths::activation_row_bits(config), depth)
    }

    /// The weight buffer.
    pub fn weights(config: &Config) -> OperandBuffer {
        OperandBuffer::new("weight_buffer", widths::weight_row_bits(config), config.geometry().weight_buffer_rows())
    }

    fn new(module: &'static str, row_bits: usize, depth: usize) -> OperandBuffer {
        let addr_bits = index_bits(depth);
        OperandBuffer {
            clock: ClockIn::default(),
            write_enable_in: WireIn::new(1),
            write_addr_in: WireIn::new(addr_bits),
            write_row_in: WireIn::new(row_bits),
            read_enable_in: WireIn::new(1),
            read_addr_in: WireIn::new(addr_bits),
            read_row_out: WireOut::new(row_bits),
            rows: Memory::new(row_bits, depth, Collision::Never),
            _module: module,
        }
    }
}

impl Logic for OperandBuffer {
    module!(self, self._module.to_string(), "Operand rows, written by load and read by execute.");

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
    OperandBuffer, clock,
    in write_enable_in, write_addr_in, write_row_in, read_enable_in, read_addr_in;
    out read_row_out
);
