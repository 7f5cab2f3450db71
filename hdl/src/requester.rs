//! The requests of a command, one burst each.

use crate::prelude::*;
use crate::widths::{byte_offset_bits, length_bits, offset_bits, ADDRESS_BITS, COUNT_BITS, START_BIT_BITS};

/// Offers `requests_in` bursts on a request channel, `stride_in` bytes apart; load and store share it.
///
/// 1. `start_in` high at an edge, while `active_out` is low: the arguments are captured and `active_out` becomes high.
/// 2. While `active_out` is high a request is offered: the bus words that hold the `length_in` bits from bit
///    `start_bit_in` of the
///    current byte address on.
/// 3. `taken_out` is high in the cycle in which a request is taken. After the last one `active_out` becomes low.
#[derive(LogicBlock)]
pub struct Requester {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub start_in: WireIn,
    pub requests_in: WireIn,
    pub address_in: WireIn,
    pub stride_in: WireIn,
    pub length_in: WireIn,
    pub start_bit_in: WireIn,
    pub active_out: WireOut,
    pub taken_out: WireOut,
    pub request_ready_in: WireIn,
    pub request_address_out: WireOut,
    pub request_beats_out: WireOut,
    active: Register,
    requests_left: Register,
    address: Register,
    stride: RegisterEnabled,
    length: RegisterEnabled,
    start_bit: RegisterEnabled,
    taken: WireLocal,
    address_low: WireLocal,
    offset: WireLocal,
    last_bit: WireLocal,
    last_beat: WireLocal,
    aligned: Const,
    byte_shift: Const,
    beat_shift: Const,
}

impl Requester {
    pub fn new(bus_bits: usize) -> Requester {
        let (offset, length) = (offset_bits(bus_bits), length_bits(bus_bits));
        let all_ones = (1 << ADDRESS_BITS) - 1;
        let below_word = (1 << byte_offset_bits(bus_bits)) - 1;
        Requester {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            start_in: WireIn::new(1),
            requests_in: WireIn::new(COUNT_BITS),
            address_in: WireIn::new(ADDRESS_BITS),
            stride_in: WireIn::new(ADDRESS_BITS),
            length_in: WireIn::new(length),
            start_bit_in: WireIn::new(START_BIT_BITS),
            active_out: WireOut::new(1),
            taken_out: WireOut::new(1),
            request_ready_in: WireIn::new(1),
            request_address_out: WireOut::new(ADDRESS_BITS),
            request_beats_out: WireOut::new(COUNT_BITS),
            active: Register::new(1),
            requests_left: Register::new(COUNT_BITS),
            address: Register::new(ADDRESS_BITS),
            stride: RegisterEnabled::new(ADDRESS_BITS),
            length: RegisterEnabled::new(length),
            start_bit: RegisterEnabled::new(START_BIT_BITS),
            taken: WireLocal::new(1),
            address_low: WireLocal::new(offset),
            offset: WireLocal::new(offset),
            last_bit: WireLocal::new(length),
            last_beat: WireLocal::new(COUNT_BITS),
            aligned: Const::new(all_ones - below_word, ADDRESS_BITS),
            byte_shift: Const::new(START_BIT_BITS as u128, START_BIT_BITS), // widening
            beat_shift: Const::new(offset as u128, bits_for(offset)),       // widening
        }
    }
}

impl Logic for Requester {
    module!("requester", "Offers the bursts of a command on a request channel.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, active, requests_left, address, stride, length, start_bit);
        self.active.reset.next = self.reset.val();
        self.requests_left.reset.next = self.reset.val();
        self.address.reset.next = self.reset.val();
        self.stride.reset.next = self.reset.val();
        self.length.reset.next = self.reset.val();
        self.start_bit.reset.next = self.reset.val();

        self.stride.enable_in.next = self.start_in.val();
        self.stride.d_in.next = self.stride_in.val();
        self.length.enable_in.next = self.start_in.val();
        self.length.d_in.next = self.length_in.val();
        self.start_bit.enable_in.next = self.start_in.val();
        self.start_bit.d_in.next = self.start_bit_in.val();

        self.taken.next = self.active.d_out.val() & self.request_ready_in.val();
        self.active.d_in.next = self.active.d_out.val();
        self.requests_left.d_in.next = self.requests_left.d_out.val();
        self.address.d_in.next = self.address.d_out.val();
        if self.start_in.val().any() {
            self.active.d_in.next = true.into();
            self.requests_left.d_in.next = self.requests_in.val();
            self.address.d_in.next = self.address_in.val();
        } else if self.taken.val().any() {
            self.active.d_in.next = (self.requests_left.d_out.val() != 1).into();
            self.requests_left.d_in.next = self.requests_left.d_out.val() - 1;
            self.address.d_in.next = self.address.d_out.val() + self.stride.d_out.val();
        }

        self.address_low.next = self.address.d_out.val();
        self.offset.next = (self.address_low.val() << self.byte_shift.val()) | self.start_bit.d_out.val();
        // Lengths wrap at the longest burst: higher bits could not reach the beat count.
        self.last_bit.next = self.length.d_out.val() + self.offset.val() - 1;
        self.last_beat.next = self.last_bit.val() >> self.beat_shift.val();
        self.request_address_out.next = self.address.d_out.val() & self.aligned.val();
        self.request_beats_out.next = self.last_beat.val() + 1;
        self.active_out.next = self.active.d_out.val();
        self.taken_out.next = self.taken.val();
    }
}

ports!(
    Requester, clock,
    in reset, start_in, requests_in, address_in, stride_in, length_in, start_bit_in, request_ready_in;
    out active_out, taken_out, request_address_out, request_beats_out
);
