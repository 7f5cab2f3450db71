//! Groups become words of a row.

use crate::prelude::*;
use crate::widths::{group_bits, length_bits, offset_bits};
use spec::Config;

/// Cuts groups into words: bus words, or what is left of the group or the row.
///
/// 1. `start_in`: rows of `row_bits_in` bits begin; `row_done_in`: the next row begins.
/// 2. `word_out` is the next word of `group_in`: its low `need_out` bits, zeros above. `group_end_out`: it is the
///    group's last;
///    `row_end_out`: it is the row's last.
/// 3. `word_taken_in`: the word leaves. The row's last word leaves before or with `row_done_in`.
#[derive(LogicBlock)]
pub struct CutGroups {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub start_in: WireIn,
    pub row_bits_in: WireIn,
    pub row_done_in: WireIn,
    pub group_in: WireIn,
    pub word_taken_in: WireIn,
    pub word_out: WireOut,
    pub need_out: WireOut,
    pub group_end_out: WireOut,
    pub row_end_out: WireOut,
    select: Select,
    mask: Mask,
    row_bits: RegisterEnabled,
    bits_left: Register,
    group_left: Register,
    word_index: Register,
    need: WireLocal,
    next_group: WireLocal,
    next_bits: WireLocal,
    bus: Const,
    group: Const,
}

impl CutGroups {
    pub fn new(config: &Config) -> CutGroups {
        let bus_bits = config.geometry().bus_bits();
        let (need, length, group) = (offset_bits(bus_bits) + 1, length_bits(bus_bits), group_bits(config));
        let n_words = group.div_ceil(bus_bits);
        CutGroups {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            start_in: WireIn::new(1),
            row_bits_in: WireIn::new(length),
            row_done_in: WireIn::new(1),
            group_in: WireIn::new(group),
            word_taken_in: WireIn::new(1),
            word_out: WireOut::new(bus_bits),
            need_out: WireOut::new(need),
            group_end_out: WireOut::new(1),
            row_end_out: WireOut::new(1),
            select: Select::new(n_words, bus_bits),
            mask: Mask::new(bus_bits),
            row_bits: RegisterEnabled::new(length),
            bits_left: Register::new(length),
            group_left: Register::new(bits_for(group)),
            word_index: Register::new(index_bits(n_words)),
            need: WireLocal::new(need),
            next_group: WireLocal::new(1),
            next_bits: WireLocal::new(length),
            bus: Const::new(bus_bits as u128, need),           // widening
            group: Const::new(group as u128, bits_for(group)), // widening
        }
    }
}

impl Logic for CutGroups {
    module!("cut_groups", "Cuts groups into words: bus words, or what is left of the group or the row.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, row_bits, bits_left, group_left, word_index);
        self.row_bits.reset.next = self.reset.val();
        self.bits_left.reset.next = self.reset.val();
        self.group_left.reset.next = self.reset.val();
        self.word_index.reset.next = self.reset.val();
        self.row_bits.enable_in.next = self.start_in.val();
        self.row_bits.d_in.next = self.row_bits_in.val();

        self.need.next = self.bus.val();
        if self.group_left.d_out.val() < self.bus.val() {
            self.need.next = self.group_left.d_out.val();
        }
        self.select.bus_in.next = self.group_in.val();
        self.select.index_in.next = self.word_index.d_out.val();
        self.mask.word_in.next = self.select.word_out.val();
        self.mask.count_in.next = self.need.val();
        self.word_out.next = self.mask.word_out.val();
        self.need_out.next = self.need.val();
        self.group_end_out.next = (self.need.val() == self.group_left.d_out.val()).into();
        self.row_end_out.next = (self.need.val() == self.bits_left.d_out.val()).into();

        self.next_bits.next = self.bits_left.d_out.val() - self.need.val();
        if self.start_in.val().any() {
            self.next_bits.next = self.row_bits_in.val();
        } else if self.row_done_in.val().any() {
            self.next_bits.next = self.row_bits.d_out.val();
        }
        self.next_group.next = self.start_in.val()
            | self.row_done_in.val()
            | (self.word_taken_in.val() & (self.need.val() == self.group_left.d_out.val()));
        self.bits_left.d_in.next = self.bits_left.d_out.val();
        self.group_left.d_in.next = self.group_left.d_out.val();
        self.word_index.d_in.next = self.word_index.d_out.val();
        if self.next_group.val().any() {
            self.bits_left.d_in.next = self.next_bits.val();
            self.word_index.d_in.next = 0.into();
            self.group_left.d_in.next = self.group.val();
            if self.next_bits.val() < self.group.val() {
                self.group_left.d_in.next = self.next_bits.val();
            }
        } else if self.word_taken_in.val().any() {
            self.bits_left.d_in.next = self.next_bits.val();
            self.word_index.d_in.next = self.word_index.d_out.val() + 1;
            self.group_left.d_in.next = self.group_left.d_out.val() - self.need.val();
        }
    }
}

ports!(
    CutGroups, clock,
    in reset, start_in, row_bits_in, row_done_in, group_in, word_taken_in;
    out word_out, need_out, group_end_out, row_end_out
);
