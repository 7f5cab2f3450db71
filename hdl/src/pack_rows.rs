//! Groups become bus words.

use crate::cut_groups::CutGroups;
use crate::prelude::*;
use crate::store_fields::StoreFields;
use crate::widths::{byte_offset_bits, group_bits, offset_bits, COMMAND_BITS, COUNT_BITS, START_BIT_BITS};
use spec::Config;

/// Packs the groups of a store command into rows on the write channel, without padding between groups.
///
/// 1. A command is taken when no other is being worked on.
/// 2. [`CutGroups`] gives the words. `word_out` is high when a word of `need_out` bits leaves the group,
///    `group_taken_out` when it is
///    the group's last.
/// 3. `hold` has the `fill` bits that no beat has carried yet, at the place they take in the next one.
/// 4. What does not fit the last beat of a row takes one beat more: `flush`.
#[derive(LogicBlock)]
pub struct PackRows {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub job_valid_in: WireIn,
    pub job_in: WireIn,
    pub job_ready_out: WireOut,
    pub group_valid_in: WireIn,
    pub group_in: WireIn,
    pub group_taken_out: WireOut,
    pub write_valid_out: WireOut,
    pub write_ready_in: WireIn,
    pub write_data_out: WireOut,
    pub write_strobe_out: WireOut,
    pub active_out: WireOut,
    /// There is something to do: a flush or a group.
    pub busy_out: WireOut,
    pub word_out: WireOut,
    pub need_out: WireOut,
    fields: StoreFields,
    words: CutGroups,
    merge: Merge,
    strobe: Strobe,
    active: Register,
    rows_left: Register,
    offset: Register,
    fill: Register,
    first: Register,
    flush: Register,
    hold: Register,
    stride_offset: RegisterEnabled,
    start: WireLocal,
    working: WireLocal,
    need: WireLocal,
    fill_wide: WireLocal,
    total: WireLocal,
    is_full: WireLocal,
    is_row_end: WireLocal,
    beat: WireLocal,
    word: WireLocal,
    row_done: WireLocal,
    first_byte: WireLocal,
    next_offset: WireLocal,
    written: WireLocal,
    rounded: WireLocal,
    bus: Const,
    byte_shift: Const,
    last_bit_of_byte: Const,
}

impl PackRows {
    pub fn new(config: &Config) -> PackRows {
        let bus_bits = config.geometry().bus_bits();
        let (offset, group) = (offset_bits(bus_bits), group_bits(config));
        PackRows {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            job_valid_in: WireIn::new(1),
            job_in: WireIn::new(COMMAND_BITS),
            job_ready_out: WireOut::new(1),
            group_valid_in: WireIn::new(1),
            group_in: WireIn::new(group),
            group_taken_out: WireOut::new(1),
            write_valid_out: WireOut::new(1),
            write_ready_in: WireIn::new(1),
            write_data_out: WireOut::new(bus_bits),
            write_strobe_out: WireOut::new(config.geometry().bus_bytes()),
            active_out: WireOut::new(1),
            busy_out: WireOut::new(1),
            word_out: WireOut::new(1),
            need_out: WireOut::new(offset + 1),
            fields: StoreFields::new(bus_bits),
            words: CutGroups::new(config),
            merge: Merge::new(bus_bits),
            strobe: Strobe::new(config.geometry().bus_bytes()),
            active: Register::new(1),
            rows_left: Register::new(COUNT_BITS),
            offset: Register::new(offset),
            fill: Register::new(offset),
            first: Register::new(1),
            flush: Register::new(1),
            hold: Register::new(bus_bits),
            stride_offset: RegisterEnabled::new(offset),
            start: WireLocal::new(1),
            working: WireLocal::new(1),
            need: WireLocal::new(offset + 1),
            fill_wide: WireLocal::new(offset + 1),
            total: WireLocal::new(offset + 1),
            is_full: WireLocal::new(1),
            is_row_end: WireLocal::new(1),
            beat: WireLocal::new(1),
            word: WireLocal::new(1),
            row_done: WireLocal::new(1),
            first_byte: WireLocal::new(byte_offset_bits(bus_bits)),
            next_offset: WireLocal::new(offset),
            written: WireLocal::new(offset + 1),
            rounded: WireLocal::new(offset + 1),
            bus: Const::new(bus_bits as u128, offset + 1), // widening
            byte_shift: Const::new(START_BIT_BITS as u128, START_BIT_BITS), // widening
            last_bit_of_byte: Const::new((1 << START_BIT_BITS) - 1, START_BIT_BITS),
        }
    }
}

impl Logic for PackRows {
    module!("pack_rows", "Packs the groups of a store command into rows on the write channel.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, words, active, rows_left, offset, fill, first, flush, hold, stride_offset);
        self.active.reset.next = self.reset.val();
        self.rows_left.reset.next = self.reset.val();
        self.offset.reset.next = self.reset.val();
        self.fill.reset.next = self.reset.val();
        self.first.reset.next = self.reset.val();
        self.flush.reset.next = self.reset.val();
        self.hold.reset.next = self.reset.val();
        self.stride_offset.reset.next = self.reset.val();

        self.words.reset.next = self.reset.val();
        self.fields.command_in.next = self.job_in.val();
        self.job_ready_out.next = !self.active.d_out.val();
        self.start.next = self.job_valid_in.val() & !self.active.d_out.val();
        self.words.start_in.next = self.start.val();
        self.words.row_bits_in.next = self.fields.row_bits_out.val();
        self.stride_offset.enable_in.next = self.start.val();
        self.stride_offset.d_in.next = self.fields.stride_offset_out.val();

        // The next word of the group, and where it goes.
        self.working.next = self.active.d_out.val() & self.group_valid_in.val() & !self.flush.d_out.val();
        self.words.group_in.next = self.group_in.val();
        self.need.next = self.words.need_out.val();
        self.is_row_end.next = self.words.row_end_out.val();
        self.merge.hold_in.next = self.hold.d_out.val();
        self.merge.word_in.next = self.words.word_out.val();
        self.merge.position_in.next = self.fill.d_out.val();
        self.fill_wide.next = self.fill.d_out.val();
        self.total.next = self.fill_wide.val() + self.need.val();
        self.is_full.next = (self.total.val() >= self.bus.val()).into();

        // The beat.
        self.beat.next = self.working.val() & (self.is_full.val() | self.is_row_end.val());
        self.write_valid_out.next = self.flush.d_out.val() | self.beat.val();
        self.word.next = self.working.val() & (!self.beat.val() | self.write_ready_in.val());
        self.row_done.next = self.word.val() & self.is_row_end.val() & (self.total.val() <= self.bus.val());
        self.write_data_out.next = self.merge.low_out.val();
        self.written.next = self.total.val();
        if self.flush.d_out.val().any() {
            self.row_done.next = self.write_ready_in.val();
            self.write_data_out.next = self.hold.d_out.val();
            self.written.next = self.fill_wide.val();
        } else if self.is_full.val().any() {
            self.written.next = self.bus.val();
        }
        self.rounded.next = self.written.val() + self.last_bit_of_byte.val();
        self.strobe.end_in.next = self.rounded.val() >> self.byte_shift.val();
        self.first_byte.next = self.offset.d_out.val() >> self.byte_shift.val();
        self.strobe.first_in.next = 0.into();
        if self.first.d_out.val().any() {
            self.strobe.first_in.next = self.first_byte.val();
        }
        self.write_strobe_out.next = self.strobe.mask_out.val();

        self.next_offset.next = self.offset.d_out.val() + self.stride_offset.d_out.val();
        self.words.word_taken_in.next = self.word.val();
        self.words.row_done_in.next = self.row_done.val();

        // What is held, row by row.
        self.active.d_in.next = self.active.d_out.val();
        self.rows_left.d_in.next = self.rows_left.d_out.val();
        self.offset.d_in.next = self.offset.d_out.val();
        self.fill.d_in.next = self.fill.d_out.val();
        self.first.d_in.next = self.first.d_out.val();
        self.flush.d_in.next = self.flush.d_out.val();
        self.hold.d_in.next = self.hold.d_out.val();
        if self.start.val().any() {
            self.active.d_in.next = true.into();
            self.rows_left.d_in.next = self.fields.rows_out.val();
            self.offset.d_in.next = self.fields.offset_out.val();
            self.fill.d_in.next = self.fields.offset_out.val();
            self.first.d_in.next = true.into();
            self.flush.d_in.next = false.into();
            self.hold.d_in.next = 0.into();
        } else if self.row_done.val().any() {
            self.active.d_in.next = (self.rows_left.d_out.val() != 1).into();
            self.rows_left.d_in.next = self.rows_left.d_out.val() - 1;
            self.offset.d_in.next = self.next_offset.val();
            self.fill.d_in.next = self.next_offset.val();
            self.first.d_in.next = true.into();
            self.flush.d_in.next = false.into();
            self.hold.d_in.next = 0.into();
        } else if self.word.val().any() {
            self.first.d_in.next = self.first.d_out.val() & !self.beat.val();
            self.flush.d_in.next = self.is_row_end.val();
            self.fill.d_in.next = self.total.val();
            self.hold.d_in.next = self.merge.low_out.val();
            if self.is_full.val().any() {
                self.hold.d_in.next = self.merge.high_out.val();
            }
        }

        self.group_taken_out.next = self.word.val() & self.words.group_end_out.val();
        self.active_out.next = self.active.d_out.val();
        self.busy_out.next = self.flush.d_out.val() | self.working.val();
        self.word_out.next = self.word.val();
        self.need_out.next = self.need.val();
    }
}

ports!(
    PackRows, clock,
    in reset, job_valid_in, job_in, group_valid_in, group_in, write_ready_in;
    out job_ready_out, group_taken_out, write_valid_out, write_data_out, write_strobe_out, active_out, busy_out,
    word_out,
    need_out
);
