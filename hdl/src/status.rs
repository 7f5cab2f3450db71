//! The read-out of counters and wait codes.

use crate::prelude::*;
use spec::counter::{Counter, COUNTER_BITS, STATUS_CODES};

/// Width of `status_address_in`.
pub const STATUS_ADDRESS_BITS: usize = 6;
/// Width of `status_data_out`.
pub const STATUS_DATA_BITS: usize = 64;

/// `data_out` is `value_in`, the counter at `address_in`, or the code of a group from [`STATUS_CODES`] on. Combinational.
#[derive(LogicBlock)]
pub struct Status {
    pub address_in: WireIn,
    pub data_out: WireOut,
    pub value_in: WireIn,
    pub codes_in: Vec<WireIn>,
    code_addresses: Vec<Const>,
    _n_codes: usize,
}

impl Status {
    #[allow(clippy::new_without_default)] // a block is built, not defaulted
    pub fn new() -> Status {
        let n_codes = Counter::GROUPS.len();
        let address = |i: usize| Const::new(i as u128 + u128::from(STATUS_CODES), STATUS_ADDRESS_BITS); // widening
        Status {
            address_in: WireIn::new(STATUS_ADDRESS_BITS),
            data_out: WireOut::new(STATUS_DATA_BITS),
            value_in: WireIn::new(COUNTER_BITS as usize), // widening
            codes_in: WireIn::vec(n_codes, STATUS_ADDRESS_BITS),
            code_addresses: (0..n_codes).map(address).collect(),
            _n_codes: n_codes,
        }
    }
}

impl Logic for Status {
    module!("status", "The counter or the wait code at an address, or 0.");

    #[hdl_gen]
    fn update(&mut self) {
        self.data_out.next = self.value_in.val();
        for i in 0..self._n_codes {
            if self.address_in.val() == self.code_addresses[i].val() {
                self.data_out.next = self.codes_in[i].val();
            }
        }
    }
}

ports!(Status, in address_in, value_in; out data_out);
