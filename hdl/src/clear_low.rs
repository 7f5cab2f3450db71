//! Drops the bits that a first rounding loses.

use crate::prelude::*;

/// Clears the low `n_bits` of a value while `clear_in` is high. Combinational.
///
/// So a second rounding sees the first one's result, scaled by 2^n_bits.
#[derive(LogicBlock)]
pub struct ClearLow {
    pub value_in: WireIn,
    pub clear_in: WireIn,
    pub value_out: WireOut,
    shifted: WireLocal,
    cleared: WireLocal,
    n_bits: Const,
}

impl ClearLow {
    pub fn new(width: usize, n_bits: usize) -> ClearLow {
        ClearLow {
            value_in: WireIn::new(width),
            clear_in: WireIn::new(1),
            value_out: WireOut::new(width),
            shifted: WireLocal::new(width),
            cleared: WireLocal::new(width),
            n_bits: Const::new(n_bits as u128, bits_for(n_bits)), // widening
        }
    }
}

impl Logic for ClearLow {
    module!("clear_low", "Clears the low bits of a value while clear_in is high.");

    #[hdl_gen]
    fn update(&mut self) {
        self.shifted.next = self.value_in.val() >> self.n_bits.val();
        self.cleared.next = self.shifted.val() << self.n_bits.val();
        self.value_out.next = self.value_in.val();
        if self.clear_in.val().any() {
            self.value_out.next = self.cleared.val();
        }
    }
}

ports!(ClearLow, in value_in, clear_in; out value_out);
