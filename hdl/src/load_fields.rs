//! The fields of a load command.

use crate::prelude::*;
use crate::widths::{offset_bits, ADDRESS_BITS, COMMAND_BITS, COUNT_BITS, LANE_GROUP_BITS, START_BIT_BITS};

/// Takes a load command apart. Wiring only.
///
/// `offset_out` is the bit of a bus word at which the first request begins, `stride_offset_out` what the stride adds
/// to it.
#[derive(LogicBlock)]
pub struct LoadFields {
    pub command_in: WireIn,
    /// 0 activations, 1 weights, 2 parameters, 6 table.
    pub target_out: WireOut,
    pub pop_first_out: WireOut,
    pub pop_second_out: WireOut,
    pub push_first_out: WireOut,
    pub push_second_out: WireOut,
    pub start_bit_out: WireOut,
    pub lane_group_out: WireOut,
    pub requests_out: WireOut,
    pub address_out: WireOut,
    pub stride_out: WireOut,
    pub buffer_row_out: WireOut,
    pub rows_per_request_out: WireOut,
    pub row_bits_out: WireOut,
    pub request_bits_out: WireOut,
    pub offset_out: WireOut,
    pub stride_offset_out: WireOut,
    address_low: WireLocal,
    stride_low: WireLocal,
    start_bit: WireLocal,
    byte_shift: Const,
}

/// Bits of the target: the opcode.
pub const TARGET_BITS: usize = 3;

impl LoadFields {
    pub fn new(bus_bits: usize) -> LoadFields {
        let offset = offset_bits(bus_bits);
        LoadFields {
            command_in: WireIn::new(COMMAND_BITS),
            target_out: WireOut::new(TARGET_BITS),
            pop_first_out: WireOut::new(1),
            pop_second_out: WireOut::new(1),
            push_first_out: WireOut::new(1),
            push_second_out: WireOut::new(1),
            start_bit_out: WireOut::new(START_BIT_BITS),
            lane_group_out: WireOut::new(LANE_GROUP_BITS),
            requests_out: WireOut::new(COUNT_BITS),
            address_out: WireOut::new(ADDRESS_BITS),
            stride_out: WireOut::new(ADDRESS_BITS),
            buffer_row_out: WireOut::new(COUNT_BITS),
            rows_per_request_out: WireOut::new(COUNT_BITS),
            row_bits_out: WireOut::new(COUNT_BITS),
            request_bits_out: WireOut::new(ADDRESS_BITS),
            offset_out: WireOut::new(offset),
            stride_offset_out: WireOut::new(offset),
            address_low: WireLocal::new(offset),
            stride_low: WireLocal::new(offset),
            start_bit: WireLocal::new(START_BIT_BITS),
            byte_shift: Const::new(START_BIT_BITS as u128, START_BIT_BITS), // widening
        }
    }

    /// The ranges (first bit, width) of a command that unpacking needs; the job queue keeps these only.
    pub fn job_ranges(bus_bits: usize) -> Vec<(usize, usize)> {
        let address = crate::widths::byte_offset_bits(bus_bits);
        vec![
            (0, TARGET_BITS),
            (6, 2),
            (8, START_BIT_BITS + LANE_GROUP_BITS),
            (16, COUNT_BITS),
            (32, address),
            (64, address),
            (96, 2 * COUNT_BITS),
            (128, COUNT_BITS),
        ]
    }
}

impl Logic for LoadFields {
    module!("load_fields", "The fields of a load command.");

    #[hdl_gen]
    fn update(&mut self) {
        self.target_out.next = self.command_in.val();
        self.pop_first_out.next = self.command_in.val().get_bit(4);
        self.pop_second_out.next = self.command_in.val().get_bit(5);
        self.push_first_out.next = self.command_in.val().get_bit(6);
        self.push_second_out.next = self.command_in.val().get_bit(7);
        self.start_bit.next = self.command_in.val() >> 8;
        self.start_bit_out.next = self.start_bit.val();
        self.lane_group_out.next = self.command_in.val() >> 11;
        self.requests_out.next = self.command_in.val() >> 16;
        self.address_out.next = self.command_in.val() >> 32;
        self.stride_out.next = self.command_in.val() >> 64;
        self.buffer_row_out.next = self.command_in.val() >> 96;
        self.rows_per_request_out.next = self.command_in.val() >> 112;
        self.row_bits_out.next = self.command_in.val() >> 128;
        self.request_bits_out.next = self.command_in.val() >> 160;

        self.address_low.next = self.command_in.val() >> 32;
        self.stride_low.next = self.command_in.val() >> 64;
        self.offset_out.next = (self.address_low.val() << self.byte_shift.val()) | self.start_bit.val();
        self.stride_offset_out.next = self.stride_low.val() << self.byte_shift.val();
    }
}

ports!(
    LoadFields,
    in command_in;
    out target_out, pop_first_out, pop_second_out, push_first_out, push_second_out, start_bit_out, lane_group_out,
    requests_out, address_out, stride_out, buffer_row_out, rows_per_request_out, row_bits_out, request_bits_out, offset_out,
    stride_offset_out
);
