//! The random bits of one lane.

use crate::permutation_round::{PermutationRound, HALF_BITS};
use crate::prelude::*;
use crate::widths::{INDEX_BITS, KEY_BITS};

/// Rounds of the permutation, half of them on each side of the register.
const ROUNDS: usize = 10;

/// What the words of the key are xored with, round by round: the first 160 bits of the fraction of pi.
const ROUND_CONSTANTS: [u16; ROUNDS] = [0x243f, 0x6a88, 0x85a3, 0x08d3, 0x1319, 0x8a2e, 0x0370, 0x7344, 0xa409, 0x3822];

/// Random bits as a function of an output's index: the low bits of a keyed permutation of the index, xored with a mask.
/// Latency 2.
///
/// - The index enters as left = its high half, right = its low half; round i takes word i mod 4 of the key, the lowest
///   first, xored with its constant. The low half of the result is what the last round computes, the high half what the
///   one before it computed.
/// - `key_late_in` and `mask_in` belong to the index of the cycle before: rounds 5..=9 come after the register.
#[derive(LogicBlock)]
pub struct RandomBits {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub index_in: WireIn,
    pub key_in: WireIn,
    pub key_late_in: WireIn,
    pub mask_in: WireIn,
    pub bits_out: WireOut,
    halves: Unpack,
    words: Unpack,
    words_late: Unpack,
    rounds: Vec<PermutationRound>,
    // Stage i + 2 is what round i makes of stages i + 1 (left) and i (right).
    early: Vec<WireLocal>,
    left: Register,
    right: Register,
    late: Vec<WireLocal>,
    number: Pack,
    low: WireLocal,
    bits: Register,
    constants: Vec<Const>,
}

impl RandomBits {
    pub fn new(random_bits: usize) -> RandomBits {
        RandomBits {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            index_in: WireIn::new(INDEX_BITS),
            key_in: WireIn::new(KEY_BITS),
            key_late_in: WireIn::new(KEY_BITS),
            mask_in: WireIn::new(random_bits),
            bits_out: WireOut::new(random_bits),
            halves: Unpack::new(2, HALF_BITS),
            words: Unpack::new(4, HALF_BITS),
            words_late: Unpack::new(4, HALF_BITS),
            rounds: (0..ROUNDS).map(|_| PermutationRound::new()).collect(),
            early: WireLocal::vec(7, HALF_BITS),
            left: Register::new(HALF_BITS),
            right: Register::new(HALF_BITS),
            late: WireLocal::vec(7, HALF_BITS),
            number: Pack::new(2, HALF_BITS),
            low: WireLocal::new(random_bits),
            bits: Register::new(random_bits),
            constants: ROUND_CONSTANTS.map(|constant| Const::new(constant.into(), HALF_BITS)).to_vec(),
        }
    }
}

impl Logic for RandomBits {
    module!("random_bits", "Random bits as a function of an output's index: a keyed permutation of it.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, left, right, bits);
        self.left.reset.next = self.reset.val();
        self.right.reset.next = self.reset.val();
        self.bits.reset.next = self.reset.val();
        self.words.bus_in.next = self.key_in.val();
        self.words_late.bus_in.next = self.key_late_in.val();

        // Rounds 0..=4.
        self.halves.bus_in.next = self.index_in.val();
        self.early[0].next = self.halves.lanes_out[0].val();
        self.early[1].next = self.halves.lanes_out[1].val();
        for i in 0..4 {
            self.rounds[i].key_in.next = self.words.lanes_out[i].val() ^ self.constants[i].val();
        }
        self.rounds[4].key_in.next = self.words.lanes_out[0].val() ^ self.constants[4].val();
        for i in 0..5 {
            self.rounds[i].right_in.next = self.early[i].val();
            self.rounds[i].left_in.next = self.early[i + 1].val();
            self.early[i + 2].next = self.rounds[i].next_out.val();
        }
        self.right.d_in.next = self.early[5].val();
        self.left.d_in.next = self.early[6].val();

        // Rounds 5..=9.
        self.late[0].next = self.right.d_out.val();
        self.late[1].next = self.left.d_out.val();
        for i in 1..4 {
            self.rounds[i + 4].key_in.next = self.words_late.lanes_out[i].val() ^ self.constants[i + 4].val();
        }
        for i in 0..2 {
            self.rounds[i + 8].key_in.next = self.words_late.lanes_out[i].val() ^ self.constants[i + 8].val();
        }
        for i in 0..5 {
            self.rounds[i + 5].right_in.next = self.late[i].val();
            self.rounds[i + 5].left_in.next = self.late[i + 1].val();
            self.late[i + 2].next = self.rounds[i + 5].next_out.val();
        }
        self.number.lanes_in[0].next = self.late[6].val();
        self.number.lanes_in[1].next = self.late[5].val();
        self.low.next = self.number.bus_out.val();
        self.bits.d_in.next = self.low.val() ^ self.mask_in.val();
        self.bits_out.next = self.bits.d_out.val();
    }
}

ports!(RandomBits, clock, in reset, index_in, key_in, key_late_in, mask_in; out bits_out);
