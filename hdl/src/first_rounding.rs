//! The first of two roundings: by a fixed shift, half toward positive.

use crate::prelude::*;

/// One half of the first rounding's step, to be added to a product, if there is a second rounding. Combinational.
///
/// - The first rounding is by `first_bits`, half toward positive; the second by what `shift_in` leaves. A shift of at
///   most `first_bits` is one rounding, for which nothing is added.
/// - `deep_out` tells whether there are two. [`ClearLow`](crate::clear_low::ClearLow) then drops the bits that the
///   first rounding loses.
///
/// The sum with one product is no wider than that: with A bits of accumulator and D = `first_bits` of multiplier the
/// product is at most `(2^(A-1) - 1) (2^D - 1) < 2^(A+D-1) - 2^D`, so that 2^(D-1) more still fits A + D bits.
#[derive(LogicBlock)]
pub struct FirstRounding {
    pub shift_in: WireIn,
    pub half_out: WireOut,
    pub deep_out: WireOut,
    shift: WireLocal,
    deep: WireLocal,
    first_bits: Const,
    half: Const,
}

impl FirstRounding {
    pub fn new(product_bits: usize, shift_bits: usize, first_bits: usize) -> FirstRounding {
        // A short shift field may not exceed `first_bits`: then there is never a second rounding. One more fits the
        // comparison, or linters would find it constant.
        let compared = shift_bits.max(bits_for(first_bits + 1));
        FirstRounding {
            shift_in: WireIn::new(shift_bits),
            half_out: WireOut::new(product_bits),
            deep_out: WireOut::new(1),
            shift: WireLocal::new(compared),
            deep: WireLocal::new(1),
            first_bits: Const::new(first_bits as u128, compared), // widening
            half: Const::new(1 << (first_bits - 1), product_bits),
        }
    }
}

impl Logic for FirstRounding {
    module!("first_rounding", "One half of the first rounding's step, if there is a second rounding.");

    #[hdl_gen]
    fn update(&mut self) {
        self.shift.next = self.shift_in.val();
        self.deep.next = (self.shift.val() > self.first_bits.val()).into();
        self.half_out.next = 0.into();
        if self.deep.val().any() {
            self.half_out.next = self.half.val();
        }
        self.deep_out.next = self.deep.val();
    }
}

ports!(FirstRounding, in shift_in; out half_out, deep_out);
