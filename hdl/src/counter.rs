//! One performance counter.

use crate::prelude::*;
use spec::counter::COUNTER_BITS;

/// Adds `increment_in` in every cycle; wraps.
#[derive(LogicBlock)]
pub struct EventCounter {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub increment_in: WireIn,
    pub value_out: WireOut,
    value: Register,
}

impl EventCounter {
    /// A counter whose increment has `increment_bits` bits.
    pub fn new(increment_bits: usize) -> EventCounter {
        let width = COUNTER_BITS as usize; // widening
        EventCounter {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            increment_in: WireIn::new(increment_bits),
            value_out: WireOut::new(width),
            value: Register::new(width),
        }
    }
}

impl Logic for EventCounter {
    module!("event_counter", "One performance counter.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, value);
        self.value.reset.next = self.reset.val();
        self.value.d_in.next = self.value.d_out.val() + self.increment_in.val();
        self.value_out.next = self.value.d_out.val();
    }
}

ports!(EventCounter, clock, in reset, increment_in; out value_out);
