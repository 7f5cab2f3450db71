//! The fields of a store command.

use crate::prelude::*;
use crate::widths::{
    offset_bits, ADDRESS_BITS, BOUND_BITS, COMMAND_BITS, COUNT_BITS, LAST_GROUP_BITS, START_BIT_BITS, STORE_ROW_BITS,
    TERM_BITS,
};

/// Takes a store command apart. Wiring only.
///
/// `offset_out` is the bit of a bus word at which the first row begins, `stride_offset_out` what the stride adds to it.
#[derive(LogicBlock)]
pub struct StoreFields {
    pub command_in: WireIn,
    pub table_out: WireOut,
    pub pop_first_out: WireOut,
    pub pop_second_out: WireOut,
    pub push_first_out: WireOut,
    pub push_second_out: WireOut,
    pub half_out: WireOut,
    /// Index of the last group that is read of the last tile.
    pub last_group_out: WireOut,
    pub rows_out: WireOut,
    pub address_out: WireOut,
    pub stride_out: WireOut,
    pub accumulator_row_out: WireOut,
    pub tile_stride_out: WireOut,
    pub tiles_out: WireOut,
    pub parameter_row_out: WireOut,
    pub row_bits_out: WireOut,
    /// Index of the last term of a group.
    pub last_term_out: WireOut,
    pub low_out: WireOut,
    pub high_out: WireOut,
    pub offset_out: WireOut,
    pub stride_offset_out: WireOut,
    address_low: WireLocal,
    stride_low: WireLocal,
    byte_shift: Const,
}

impl StoreFields {
    pub fn new(bus_bits: usize) -> StoreFields {
        let offset = offset_bits(bus_bits);
        StoreFields {
            command_in: WireIn::new(COMMAND_BITS),
            table_out: WireOut::new(1),
            pop_first_out: WireOut::new(1),
            pop_second_out: WireOut::new(1),
            push_first_out: WireOut::new(1),
            push_second_out: WireOut::new(1),
            half_out: WireOut::new(1),
            last_group_out: WireOut::new(LAST_GROUP_BITS),
            rows_out: WireOut::new(COUNT_BITS),
            address_out: WireOut::new(ADDRESS_BITS),
            stride_out: WireOut::new(ADDRESS_BITS),
            accumulator_row_out: WireOut::new(COUNT_BITS),
            tile_stride_out: WireOut::new(COUNT_BITS),
            tiles_out: WireOut::new(COUNT_BITS),
            parameter_row_out: WireOut::new(COUNT_BITS),
            row_bits_out: WireOut::new(STORE_ROW_BITS),
            last_term_out: WireOut::new(TERM_BITS),
            low_out: WireOut::new(BOUND_BITS),
            high_out: WireOut::new(BOUND_BITS),
            offset_out: WireOut::new(offset),
            stride_offset_out: WireOut::new(offset),
            address_low: WireLocal::new(offset),
            stride_low: WireLocal::new(offset),
            byte_shift: Const::new(START_BIT_BITS as u128, START_BIT_BITS), // widening
        }
    }

    /// The ranges (first bit, width) of a command that packing needs; the job queue keeps these only.
    pub fn job_ranges(bus_bits: usize) -> Vec<(usize, usize)> {
        let address = crate::widths::byte_offset_bits(bus_bits);
        vec![(16, COUNT_BITS), (32, address), (64, address), (160, crate::widths::length_bits(bus_bits))]
    }
}

impl Logic for StoreFields {
    module!("store_fields", "The fields of a store command.");

    #[hdl_gen]
    fn update(&mut self) {
        self.table_out.next = self.command_in.val().get_bit(3);
        self.pop_first_out.next = self.command_in.val().get_bit(4);
        self.pop_second_out.next = self.command_in.val().get_bit(5);
        self.push_first_out.next = self.command_in.val().get_bit(6);
        self.push_second_out.next = self.command_in.val().get_bit(7);
        self.half_out.next = self.command_in.val().get_bit(8);
        self.last_group_out.next = self.command_in.val() >> 9;
        self.rows_out.next = self.command_in.val() >> 16;
        self.address_out.next = self.command_in.val() >> 32;
        self.stride_out.next = self.command_in.val() >> 64;
        self.accumulator_row_out.next = self.command_in.val() >> 96;
        self.tile_stride_out.next = self.command_in.val() >> 112;
        self.tiles_out.next = self.command_in.val() >> 128;
        self.parameter_row_out.next = self.command_in.val() >> 144;
        self.row_bits_out.next = self.command_in.val() >> 160;
        self.last_term_out.next = self.command_in.val() >> 188;
        self.low_out.next = self.command_in.val() >> 192;
        self.high_out.next = self.command_in.val() >> 208;

        self.address_low.next = self.command_in.val() >> 32;
        self.stride_low.next = self.command_in.val() >> 64;
        self.offset_out.next = self.address_low.val() << self.byte_shift.val();
        self.stride_offset_out.next = self.stride_low.val() << self.byte_shift.val();
    }
}

ports!(
    StoreFields,
    in command_in;
    out table_out, pop_first_out, pop_second_out, push_first_out, push_second_out, half_out, last_group_out, rows_out, address_out,
    stride_out, accumulator_row_out, tile_stride_out, tiles_out, parameter_row_out, row_bits_out, last_term_out, low_out, high_out,
    offset_out, stride_offset_out
);
