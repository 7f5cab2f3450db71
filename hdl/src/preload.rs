//! The preload unit of execute: weight rows from the buffer into the mesh.

use crate::prelude::*;
use crate::widths::COUNT_BITS;
use spec::Config;

/// Reads the weight rows of a fold, one a cycle for R cycles, and shifts them into the mesh.
///
/// 1. `start_in` high at an edge, only while `active_out` is low or `last_out` is high: preloading begins.
/// 2. The first R - k cycles read nothing of use: `weight_valid_out` is low in the cycle after each, and a row of zeros shifts in.
/// 3. `weight_valid_out` and `shift_rows_out` belong to the row read in the cycle before.
#[derive(LogicBlock)]
pub struct Preload {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub start_in: WireIn,
    pub weight_row_in: WireIn,
    pub k_in: WireIn,
    pub active_out: WireOut,
    pub last_out: WireOut,
    pub weight_addr_out: WireOut,
    pub weight_valid_out: WireOut,
    pub shift_rows_out: WireOut,
    active: Register,
    index: Register,
    skip_left: Register,
    weight_addr: Register,
    weight_valid: Register,
    shift_rows: Register,
    is_last: WireLocal,
    rows: Const,
    last_index: Const,
}

impl Preload {
    pub fn new(config: &Config) -> Preload {
        let rows = config.geometry().rows();
        let addr_bits = index_bits(config.geometry().weight_buffer_rows());
        Preload {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            start_in: WireIn::new(1),
            weight_row_in: WireIn::new(COUNT_BITS),
            k_in: WireIn::new(COUNT_BITS),
            active_out: WireOut::new(1),
            last_out: WireOut::new(1),
            weight_addr_out: WireOut::new(addr_bits),
            weight_valid_out: WireOut::new(1),
            shift_rows_out: WireOut::new(rows),
            active: Register::new(1),
            index: Register::new(index_bits(rows)),
            skip_left: Register::new(bits_for(rows)),
            weight_addr: Register::new(addr_bits),
            weight_valid: Register::new(1),
            shift_rows: Register::new(rows),
            is_last: WireLocal::new(1),
            rows: Const::new(rows as u128, bits_for(rows)), // widening
            last_index: Const::new(rows as u128 - 1, index_bits(rows)), // widening
        }
    }
}

impl Logic for Preload {
    module!("preload", "Reads the weight rows of a fold and shifts them into the mesh.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, active, index, skip_left, weight_addr, weight_valid, shift_rows);
        self.active.reset.next = self.reset.val();
        self.index.reset.next = self.reset.val();
        self.skip_left.reset.next = self.reset.val();
        self.weight_addr.reset.next = self.reset.val();
        self.weight_valid.reset.next = self.reset.val();
        self.shift_rows.reset.next = self.reset.val();

        self.is_last.next = self.active.d_out.val() & (self.index.d_out.val() == self.last_index.val());
        self.active_out.next = self.active.d_out.val();
        self.last_out.next = self.is_last.val();
        self.weight_addr_out.next = self.weight_addr.d_out.val();
        self.weight_valid_out.next = self.weight_valid.d_out.val();
        self.shift_rows_out.next = self.shift_rows.d_out.val();

        self.active.d_in.next = self.active.d_out.val() & !self.is_last.val();
        self.index.d_in.next = self.index.d_out.val();
        self.skip_left.d_in.next = self.skip_left.d_out.val();
        self.weight_addr.d_in.next = self.weight_addr.d_out.val();
        self.weight_valid.d_in.next = false.into();
        self.shift_rows.d_in.next = 0.into();
        if self.active.d_out.val().any() {
            self.index.d_in.next = self.index.d_out.val() + 1;
            if self.skip_left.d_out.val().any() {
                self.skip_left.d_in.next = self.skip_left.d_out.val() - 1;
            } else {
                self.weight_addr.d_in.next = self.weight_addr.d_out.val() + 1;
                self.weight_valid.d_in.next = true.into();
            }
            self.shift_rows.d_in.next = 1.into();
            if self.index.d_out.val().any() {
                self.shift_rows.d_in.next = (self.shift_rows.d_out.val() << 1) | 1;
            }
        }
        if self.start_in.val().any() {
            self.active.d_in.next = true.into();
            self.index.d_in.next = 0.into();
            self.skip_left.d_in.next = self.rows.val() - self.k_in.val();
            self.weight_addr.d_in.next = self.weight_row_in.val();
        }
    }
}

ports!(
    Preload, clock,
    in reset, start_in, weight_row_in, k_in;
    out active_out, last_out, weight_addr_out, weight_valid_out, shift_rows_out
);
