//! The read-out of counters and wait codes.

use crate::prelude::*;
use spec::counter::{Counter, COUNTER_BITS, STATUS_CODES};

/// Width of `status_address_in`.
pub const STATUS_ADDRESS_BITS: usize = 6;
/// Width of `status_data_out`.
pub const STATUS_DATA_BITS: usize = 64;

/// `data_out` is the counter at `address_in`, or the code of a group from [`STATUS_CODES`] on, or 0. Combinational.
#[derive(LogicBlock)]
pub struct Status {
    pub address_in: WireIn,
    pub data_out: WireOut,
    pub values_in: Vec<WireIn>,
    pub codes_in: Vec<WireIn>,
    counter_addresses: Vec<Const>,
    code_addresses: Vec<Const>,
    _n_counters: usize,
    _n_codes: usize,
}

impl Status {
    #[allow(clippy::new_without_default)] // a block is built, not defaulted
    pub fn new() -> Status {
        let n_codes = Counter::GROUPS.len();
        let addresses = |first: usize, n: usize| {
            let address = |i: usize| Const::new((first + i) as u128, STATUS_ADDRESS_BITS); // widening
            (0..n).map(address).collect()
        };
        Status {
            address_in: WireIn::new(STATUS_ADDRESS_BITS),
            data_out: WireOut::new(STATUS_DATA_BITS),
            values_in: WireIn::vec(Counter::N, COUNTER_BITS as usize), // widening
            codes_in: WireIn::vec(n_codes, STATUS_ADDRESS_BITS),
            counter_addresses: addresses(0, Counter::N),
            code_addresses: addresses(STATUS_CODES.into(), n_codes),
            _n_counters: Counter::N,
            _n_codes: n_codes,
        }
    }
}

impl Logic for Status {
    module!("status", "The counter or the wait code at an address, or 0.");

    #[hdl_gen]
    fn update(&mut self) {
        self.data_out.next = 0.into();
        for i in 0..self._n_counters {
            if self.address_in.val() == self.counter_addresses[i].val() {
                self.data_out.next = self.values_in[i].val();
            }
        }
        for i in 0..self._n_codes {
            if self.address_in.val() == self.code_addresses[i].val() {
                self.data_out.next = self.codes_in[i].val();
            }
        }
    }
}
