//! The activation table of a requantizer lane.

use crate::prelude::*;

/// Looks a result up in a table of every output, or passes it on. Latency 1.
///
/// - `write_enable_in` high at an edge: the entry `write_addr_in` becomes `write_data_in`.
/// - `value_out` is the entry at `value_in` of the cycle before if `use_in` was high in it, else that value itself.
/// - Programs never look up while a table is written: tokens order the two.
#[derive(LogicBlock)]
pub struct Lookup {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub write_enable_in: WireIn,
    pub write_addr_in: WireIn,
    pub write_data_in: WireIn,
    pub value_in: WireIn,
    pub use_in: WireIn,
    pub value_out: WireOut,
    entries: Memory,
    value: Register,
    is_used: Register,
}

impl Lookup {
    /// For outputs of `output_bits` bits.
    pub fn new(output_bits: usize) -> Lookup {
        Lookup {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            write_enable_in: WireIn::new(1),
            write_addr_in: WireIn::new(output_bits),
            write_data_in: WireIn::new(output_bits),
            value_in: WireIn::new(output_bits),
            use_in: WireIn::new(1),
            value_out: WireOut::new(output_bits),
            entries: Memory::new(output_bits, 1 << output_bits, Collision::Never),
            value: Register::new(output_bits),
            is_used: Register::new(1),
        }
    }
}

impl Logic for Lookup {
    module!("lookup", "Looks a result up in the activation table, or passes it on.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, entries, value, is_used);
        self.value.reset.next = self.reset.val();
        self.is_used.reset.next = self.reset.val();
        self.entries.write_enable_in.next = self.write_enable_in.val();
        self.entries.write_addr_in.next = self.write_addr_in.val();
        self.entries.write_data_in.next = self.write_data_in.val();
        self.entries.read_enable_in.next = true.into();
        self.entries.read_addr_in.next = self.value_in.val();
        self.value.d_in.next = self.value_in.val();
        self.is_used.d_in.next = self.use_in.val();
        self.value_out.next = self.value.d_out.val();
        if self.is_used.d_out.val().any() {
            self.value_out.next = self.entries.read_data_out.val();
        }
    }
}

ports!(
    Lookup, clock,
    in reset, write_enable_in, write_addr_in, write_data_in, value_in, use_in;
    out value_out
);
