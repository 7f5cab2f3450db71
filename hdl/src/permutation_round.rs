//! One round of the permutation that makes random bits.

use crate::prelude::*;

/// Bits of a half of the number.
pub const HALF_BITS: usize = 16;

/// A round of a Feistel network: (left, right) becomes (`next_out`, left), with
/// `next = right ^ ((left <<< 1) & (left <<< 8)) ^ (left <<< 2) ^ key`, rotations within 16 bits. Combinational.
#[derive(LogicBlock)]
pub struct PermutationRound {
    pub left_in: WireIn,
    pub right_in: WireIn,
    pub key_in: WireIn,
    pub next_out: WireOut,
    by_1: WireLocal,
    by_2: WireLocal,
    by_8: WireLocal,
}

impl PermutationRound {
    #[allow(clippy::new_without_default)] // a block is built, not defaulted
    pub fn new() -> PermutationRound {
        PermutationRound {
            left_in: WireIn::new(HALF_BITS),
            right_in: WireIn::new(HALF_BITS),
            key_in: WireIn::new(HALF_BITS),
            next_out: WireOut::new(HALF_BITS),
            by_1: WireLocal::new(HALF_BITS),
            by_2: WireLocal::new(HALF_BITS),
            by_8: WireLocal::new(HALF_BITS),
        }
    }
}

impl Logic for PermutationRound {
    module!("permutation_round", "One round of the permutation that makes random bits.");

    #[hdl_gen]
    fn update(&mut self) {
        self.by_1.next = (self.left_in.val() << 1) | (self.left_in.val() >> 15);
        self.by_2.next = (self.left_in.val() << 2) | (self.left_in.val() >> 14);
        self.by_8.next = (self.left_in.val() << 8) | (self.left_in.val() >> 8);
        self.next_out.next =
            self.right_in.val() ^ (self.by_1.val() & self.by_8.val()) ^ self.by_2.val() ^ self.key_in.val();
    }
}

ports!(PermutationRound, in left_in, right_in, key_in; out next_out);
