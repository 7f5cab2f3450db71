//! Read data becomes words of a row.

use crate::load_fields::LoadFields;
use crate::prelude::*;
use crate::widths::{offset_bits, COMMAND_BITS, COUNT_BITS};

/// Cuts the rows of a load command out of its bursts, a word at a time; a word is a bus word, or what is left of the
/// row.
///
/// 1. A command is taken when no other is being worked on; `start_out` is high in that cycle.
/// 2. `word_valid_out`: the low `need_out` bits of `word_out` are the next bits of the row, the bits above are 0.
/// 3. `row_end_out`: this word is the row's last; `job_end_out`: and the row is the command's last.
///
/// `hold` is the newest beat taken. The next bit wanted is bit `position` of `{beat, hold}`; a position of a whole
/// word and more
/// means that bits of a further beat are wanted.
#[derive(LogicBlock)]
pub struct UnpackWords {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub job_valid_in: WireIn,
    pub job_in: WireIn,
    pub job_ready_out: WireOut,
    pub data_valid_in: WireIn,
    pub data_in: WireIn,
    pub data_ready_out: WireOut,
    pub start_out: WireOut,
    pub word_valid_out: WireOut,
    pub word_out: WireOut,
    pub need_out: WireOut,
    pub row_end_out: WireOut,
    pub job_end_out: WireOut,
    pub active_out: WireOut,
    fields: LoadFields,
    extract: Extract,
    active: Register,
    requests_left: Register,
    rows_left: Register,
    need_left: Register,
    offset: Register,
    position: Register,
    hold: RegisterEnabled,
    rows_per_request: RegisterEnabled,
    row_bits: RegisterEnabled,
    stride_offset: RegisterEnabled,
    start: WireLocal,
    need: WireLocal,
    position_wide: WireLocal,
    end: WireLocal,
    moved: WireLocal,
    beat_needed: WireLocal,
    beat_taken: WireLocal,
    word_valid: WireLocal,
    row_end: WireLocal,
    request_end: WireLocal,
    job_end: WireLocal,
    next_offset: WireLocal,
    bus: Const,
    two_words: Const,
}

impl UnpackWords {
    pub fn new(bus_bits: usize) -> UnpackWords {
        let offset = offset_bits(bus_bits);
        UnpackWords {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            job_valid_in: WireIn::new(1),
            job_in: WireIn::new(COMMAND_BITS),
            job_ready_out: WireOut::new(1),
            data_valid_in: WireIn::new(1),
            data_in: WireIn::new(bus_bits),
            data_ready_out: WireOut::new(1),
            start_out: WireOut::new(1),
            word_valid_out: WireOut::new(1),
            word_out: WireOut::new(bus_bits),
            need_out: WireOut::new(offset + 1),
            row_end_out: WireOut::new(1),
            job_end_out: WireOut::new(1),
            active_out: WireOut::new(1),
            fields: LoadFields::new(bus_bits),
            extract: Extract::new(bus_bits),
            active: Register::new(1),
            requests_left: Register::new(COUNT_BITS),
            rows_left: Register::new(COUNT_BITS),
            need_left: Register::new(COUNT_BITS),
            offset: Register::new(offset),
            position: Register::new(offset + 1),
            hold: RegisterEnabled::new(bus_bits),
            rows_per_request: RegisterEnabled::new(COUNT_BITS),
            row_bits: RegisterEnabled::new(COUNT_BITS),
            stride_offset: RegisterEnabled::new(offset),
            start: WireLocal::new(1),
            need: WireLocal::new(offset + 1),
            position_wide: WireLocal::new(offset + 2),
            end: WireLocal::new(offset + 2),
            moved: WireLocal::new(offset + 2),
            beat_needed: WireLocal::new(1),
            beat_taken: WireLocal::new(1),
            word_valid: WireLocal::new(1),
            row_end: WireLocal::new(1),
            request_end: WireLocal::new(1),
            job_end: WireLocal::new(1),
            next_offset: WireLocal::new(offset),
            bus: Const::new(bus_bits as u128, offset + 1), // widening
            two_words: Const::new(2 * bus_bits as u128, offset + 2), // widening
        }
    }
}

impl Logic for UnpackWords {
    module!("unpack_words", "Cuts the rows of a load command out of its bursts, a word at a time.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, active, requests_left, rows_left, need_left, offset, position, hold);
        clock!(self, clock, rows_per_request, row_bits, stride_offset);
        self.active.reset.next = self.reset.val();
        self.requests_left.reset.next = self.reset.val();
        self.rows_left.reset.next = self.reset.val();
        self.need_left.reset.next = self.reset.val();
        self.offset.reset.next = self.reset.val();
        self.position.reset.next = self.reset.val();
        self.hold.reset.next = self.reset.val();
        self.rows_per_request.reset.next = self.reset.val();
        self.row_bits.reset.next = self.reset.val();
        self.stride_offset.reset.next = self.reset.val();

        self.fields.command_in.next = self.job_in.val();
        self.job_ready_out.next = !self.active.d_out.val();
        self.start.next = self.job_valid_in.val() & !self.active.d_out.val();
        self.rows_per_request.enable_in.next = self.start.val();
        self.rows_per_request.d_in.next = self.fields.rows_per_request_out.val();
        self.row_bits.enable_in.next = self.start.val();
        self.row_bits.d_in.next = self.fields.row_bits_out.val();
        self.stride_offset.enable_in.next = self.start.val();
        self.stride_offset.d_in.next = self.fields.stride_offset_out.val();

        self.need.next = self.bus.val();
        if self.need_left.d_out.val() < self.bus.val() {
            self.need.next = self.need_left.d_out.val();
        }
        self.position_wide.next = self.position.d_out.val();
        self.end.next = self.position_wide.val() + self.need.val();
        self.beat_needed.next = self.active.d_out.val() & (self.end.val() > self.bus.val());
        self.beat_taken.next = self.beat_needed.val() & self.data_valid_in.val();
        self.word_valid.next = self.active.d_out.val()
            & (self.end.val() <= self.two_words.val())
            & (self.data_valid_in.val() | !self.beat_needed.val());
        self.row_end.next = self.word_valid.val() & (self.need_left.d_out.val() == self.need.val());
        self.request_end.next = self.row_end.val() & (self.rows_left.d_out.val() == 1);
        self.job_end.next = self.request_end.val() & (self.requests_left.d_out.val() == 1);

        self.extract.hold_in.next = self.hold.d_out.val();
        self.extract.beat_in.next = self.data_in.val();
        self.extract.position_in.next = self.position.d_out.val();
        self.extract.count_in.next = self.need.val();
        self.hold.enable_in.next = self.beat_taken.val();
        self.hold.d_in.next = self.data_in.val();

        self.next_offset.next = self.offset.d_out.val() + self.stride_offset.d_out.val();
        self.moved.next = self.position_wide.val();
        if self.word_valid.val().any() & self.beat_needed.val().any() {
            self.moved.next = self.end.val() - self.bus.val();
        } else if self.word_valid.val().any() {
            self.moved.next = self.end.val();
        } else if self.beat_taken.val().any() {
            self.moved.next = self.position_wide.val() - self.bus.val();
        }

        self.active.d_in.next = self.active.d_out.val();
        self.requests_left.d_in.next = self.requests_left.d_out.val();
        self.rows_left.d_in.next = self.rows_left.d_out.val();
        self.need_left.d_in.next = self.need_left.d_out.val();
        self.offset.d_in.next = self.offset.d_out.val();
        self.position.d_in.next = self.moved.val();
        if self.start.val().any() {
            self.active.d_in.next = true.into();
            self.requests_left.d_in.next = self.fields.requests_out.val();
            self.rows_left.d_in.next = self.fields.rows_per_request_out.val();
            self.need_left.d_in.next = self.fields.row_bits_out.val();
            self.offset.d_in.next = self.fields.offset_out.val();
            self.position.d_in.next = self.bus.val() + self.fields.offset_out.val();
        } else if self.request_end.val().any() {
            self.active.d_in.next = !self.job_end.val();
            self.requests_left.d_in.next = self.requests_left.d_out.val() - 1;
            self.rows_left.d_in.next = self.rows_per_request.d_out.val();
            self.need_left.d_in.next = self.row_bits.d_out.val();
            self.offset.d_in.next = self.next_offset.val();
            self.position.d_in.next = self.bus.val() + self.next_offset.val();
        } else if self.row_end.val().any() {
            self.rows_left.d_in.next = self.rows_left.d_out.val() - 1;
            self.need_left.d_in.next = self.row_bits.d_out.val();
        } else if self.word_valid.val().any() {
            self.need_left.d_in.next = self.need_left.d_out.val() - self.need.val();
        }

        self.data_ready_out.next = self.beat_needed.val();
        self.start_out.next = self.start.val();
        self.word_valid_out.next = self.word_valid.val();
        self.word_out.next = self.extract.bits_out.val();
        self.need_out.next = self.need.val();
        self.row_end_out.next = self.row_end.val();
        self.job_end_out.next = self.job_end.val();
        self.active_out.next = self.active.d_out.val();
    }
}

ports!(
    UnpackWords, clock,
    in reset, job_valid_in, job_in, data_valid_in, data_in;
    out job_ready_out, data_ready_out, start_out, word_valid_out, word_out, need_out, row_end_out, job_end_out,
    active_out
);
