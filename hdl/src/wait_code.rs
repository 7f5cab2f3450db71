//! What an engine waits for.

use crate::prelude::*;
use crate::status::STATUS_ADDRESS_BITS;
use spec::Counter;

/// The index of the counter that counts in this cycle in a group. Combinational.
#[derive(LogicBlock)]
pub struct WaitCode {
    pub events_in: WireIn,
    pub code_out: WireOut,
    counters: Vec<Const>,
    _n_events: usize,
}

impl WaitCode {
    /// For a group of [`Counter::GROUPS`], of whose events exactly one is high.
    pub fn new(group: &[Counter]) -> WaitCode {
        let address = |counter: &Counter| Const::new(*counter as u128, STATUS_ADDRESS_BITS); // the discriminant
        WaitCode {
            events_in: WireIn::new(group.len()),
            code_out: WireOut::new(STATUS_ADDRESS_BITS),
            counters: group.iter().map(address).collect(),
            _n_events: group.len(),
        }
    }
}

impl Logic for WaitCode {
    module!("wait_code", "The index of the counter that counts in this cycle in a group.");

    #[hdl_gen]
    fn update(&mut self) {
        self.code_out.next = 0.into();
        for i in 0..self._n_events {
            if self.events_in.val().get_bit(i).any() {
                self.code_out.next = self.counters[i].val();
            }
        }
    }
}

ports!(WaitCode, in events_in; out code_out);
