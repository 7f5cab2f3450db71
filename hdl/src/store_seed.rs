//! The seed command: what the stores after it round with.

use crate::prelude::*;
use crate::widths::{COMMAND_BITS, INDEX_BITS, KEY_BITS};
use spec::command::opcode;

/// Bits of the opcode, the lowest of a command.
const OPCODE_BITS: usize = 3;

/// Takes the seed commands of the store queue and holds what they set.
///
/// 1. `held_out`: the command is a seed. It is taken (`take_out`) in the first cycle in which `ready_in` is high.
/// 2. `key_out` and `row_stride_out` are those of the last seed taken; all are 0 after reset.
/// 3. `key_late_out` and `mask_late_out` change a cycle later: the last group of the store before may be a stage behind.
#[derive(LogicBlock)]
pub struct StoreSeed {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub command_valid_in: WireIn,
    pub command_in: WireIn,
    pub ready_in: WireIn,
    pub held_out: WireOut,
    pub take_out: WireOut,
    pub key_out: WireOut,
    pub key_late_out: WireOut,
    pub mask_late_out: WireOut,
    pub row_stride_out: WireOut,
    opcode: WireLocal,
    key: RegisterEnabled,
    key_late: Register,
    mask: RegisterEnabled,
    mask_late: Register,
    row_stride: RegisterEnabled,
    seed: Const,
}

impl StoreSeed {
    pub fn new(random_bits: usize) -> StoreSeed {
        StoreSeed {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            command_valid_in: WireIn::new(1),
            command_in: WireIn::new(COMMAND_BITS),
            ready_in: WireIn::new(1),
            held_out: WireOut::new(1),
            take_out: WireOut::new(1),
            key_out: WireOut::new(KEY_BITS),
            key_late_out: WireOut::new(KEY_BITS),
            mask_late_out: WireOut::new(random_bits),
            row_stride_out: WireOut::new(INDEX_BITS),
            opcode: WireLocal::new(OPCODE_BITS),
            key: RegisterEnabled::new(KEY_BITS),
            key_late: Register::new(KEY_BITS),
            mask: RegisterEnabled::new(random_bits),
            mask_late: Register::new(random_bits),
            row_stride: RegisterEnabled::new(INDEX_BITS),
            seed: Const::new(opcode::SEED.into(), OPCODE_BITS),
        }
    }
}

impl Logic for StoreSeed {
    module!("store_seed", "The seed command: what the stores after it round with.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, key, key_late, mask, mask_late, row_stride);
        self.key.reset.next = self.reset.val();
        self.key_late.reset.next = self.reset.val();
        self.mask.reset.next = self.reset.val();
        self.mask_late.reset.next = self.reset.val();
        self.row_stride.reset.next = self.reset.val();
        self.opcode.next = self.command_in.val();
        self.held_out.next = self.command_valid_in.val();
        if self.opcode.val() != self.seed.val() {
            self.held_out.next = 0.into();
        }
        self.take_out.next = self.held_out.val() & self.ready_in.val();
        self.key.enable_in.next = self.take_out.val();
        self.key.d_in.next = self.command_in.val() >> 32;
        self.mask.enable_in.next = self.take_out.val();
        self.mask.d_in.next = self.command_in.val() >> 96;
        self.row_stride.enable_in.next = self.take_out.val();
        self.row_stride.d_in.next = self.command_in.val() >> 128;
        self.key_late.d_in.next = self.key.d_out.val();
        self.mask_late.d_in.next = self.mask.d_out.val();
        self.key_out.next = self.key.d_out.val();
        self.key_late_out.next = self.key_late.d_out.val();
        self.mask_late_out.next = self.mask_late.d_out.val();
        self.row_stride_out.next = self.row_stride.d_out.val();
    }
}

ports!(
    StoreSeed, clock,
    in reset, command_valid_in, command_in, ready_in;
    out held_out, take_out, key_out, key_late_out, mask_late_out, row_stride_out
);
