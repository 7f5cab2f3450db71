//! The memory of the requantizer's parameters.

use crate::prelude::*;
use crate::widths::parameter_bits;
use spec::Config;

/// One bank of parameter records a requantizer lane; a row is read from all banks at once.
///
/// - `write_enable_in` high at an edge: the record is stored in row `write_addr_in` of bank `write_bank_in`.
/// - `read_enable_in` high at an edge: `read_data_out` becomes the records of row `read_addr_in`, bank 0 in the
///   lowest bits.
/// - Programs never read a row in the cycle in which it is written: tokens order the two.
#[derive(LogicBlock)]
pub struct ParameterBuffer {
    pub clock: ClockIn,
    pub write_enable_in: WireIn,
    pub write_bank_in: WireIn,
    pub write_addr_in: WireIn,
    pub write_data_in: WireIn,
    pub read_enable_in: WireIn,
    pub read_addr_in: WireIn,
    pub read_data_out: WireOut,
    banks: Vec<Memory>,
    records: Pack,
    _n_banks: usize,
}

impl ParameterBuffer {
    pub fn new(config: &Config) -> ParameterBuffer {
        let (n_banks, depth) = (config.geometry().requantizer_lanes(), config.geometry().parameter_rows());
        let record = parameter_bits(config);
        ParameterBuffer {
            clock: ClockIn::default(),
            write_enable_in: WireIn::new(1),
            write_bank_in: WireIn::new(index_bits(n_banks)),
            write_addr_in: WireIn::new(index_bits(depth)),
            write_data_in: WireIn::new(record),
            read_enable_in: WireIn::new(1),
            read_addr_in: WireIn::new(index_bits(depth)),
            read_data_out: WireOut::new(n_banks * record),
            banks: (0..n_banks).map(|_| Memory::new(record, depth, Collision::Never)).collect(),
            records: Pack::new(n_banks, record),
            _n_banks: n_banks,
        }
    }
}

impl Logic for ParameterBuffer {
    module!("parameter_buffer", "One bank of parameter records a requantizer lane.");

    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..self._n_banks {
            self.banks[i].clock.next = self.clock.val();
            self.banks[i].write_enable_in.next = self.write_enable_in.val() & (self.write_bank_in.val() == i);
            self.banks[i].write_addr_in.next = self.write_addr_in.val();
            self.banks[i].write_data_in.next = self.write_data_in.val();
            self.banks[i].read_enable_in.next = self.read_enable_in.val();
            self.banks[i].read_addr_in.next = self.read_addr_in.val();
            self.records.lanes_in[i].next = self.banks[i].read_data_out.val();
        }
        self.read_data_out.next = self.records.bus_out.val();
    }
}

ports!(
    ParameterBuffer, clock,
    in write_enable_in, write_bank_in, write_addr_in, write_data_in, read_enable_in, read_addr_in;
    out read_data_out
);
