//! The index of every output within its tensor.

use crate::prelude::*;
use crate::widths::{COMMAND_BITS, INDEX_BITS};

/// Numbers the outputs of a store, modulo 2^32: `index` of the command for the first, one more for each lane, on from
/// group to group of a row, and `row_stride_in` more from row to row.
///
/// `read_in`: a group's last term is read. `indices_out` has one index a lane, lane 0 lowest, and belongs to the term
/// read in the cycle before, as its data do.
#[derive(LogicBlock)]
pub struct StoreIndex {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub start_in: WireIn,
    pub command_in: WireIn,
    pub row_stride_in: WireIn,
    pub read_in: WireIn,
    pub row_end_in: WireIn,
    pub indices_out: WireOut,
    row: Register,
    group: Register,
    next_row: WireLocal,
    lanes: Vec<Register>,
    indices: Pack,
    index: WireLocal,
    offsets: Vec<Const>,
    lanes_per_group: Const,
    _n_lanes: usize,
}

impl StoreIndex {
    pub fn new(n_lanes: usize) -> StoreIndex {
        let constant = |value: usize| Const::new(value as u128, INDEX_BITS); // widening
        StoreIndex {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            start_in: WireIn::new(1),
            command_in: WireIn::new(COMMAND_BITS),
            row_stride_in: WireIn::new(INDEX_BITS),
            read_in: WireIn::new(1),
            row_end_in: WireIn::new(1),
            indices_out: WireOut::new(n_lanes * INDEX_BITS),
            row: Register::new(INDEX_BITS),
            group: Register::new(INDEX_BITS),
            next_row: WireLocal::new(INDEX_BITS),
            lanes: (0..n_lanes).map(|_| Register::new(INDEX_BITS)).collect(),
            indices: Pack::new(n_lanes, INDEX_BITS),
            index: WireLocal::new(INDEX_BITS),
            offsets: (0..n_lanes).map(constant).collect(),
            lanes_per_group: constant(n_lanes),
            _n_lanes: n_lanes,
        }
    }
}

impl Logic for StoreIndex {
    module!("store_index", "The index of every output of a store within its tensor.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, row, group);
        self.row.reset.next = self.reset.val();
        self.group.reset.next = self.reset.val();
        self.index.next = self.command_in.val() >> 224;
        self.next_row.next = self.row.d_out.val() + self.row_stride_in.val();
        self.row.d_in.next = self.row.d_out.val();
        self.group.d_in.next = self.group.d_out.val();
        if self.read_in.val().any() {
            self.group.d_in.next = self.group.d_out.val() + self.lanes_per_group.val();
        }
        if self.row_end_in.val().any() {
            self.row.d_in.next = self.next_row.val();
            self.group.d_in.next = self.next_row.val();
        }
        if self.start_in.val().any() {
            self.row.d_in.next = self.index.val();
            self.group.d_in.next = self.index.val();
        }
        for i in 0..self._n_lanes {
            self.lanes[i].clock.next = self.clock.val();
            self.lanes[i].reset.next = self.reset.val();
            self.lanes[i].d_in.next = self.group.d_out.val() + self.offsets[i].val();
            self.indices.lanes_in[i].next = self.lanes[i].d_out.val();
        }
        self.indices_out.next = self.indices.bus_out.val();
    }
}

ports!(
    StoreIndex, clock,
    in reset, start_in, command_in, row_stride_in, read_in, row_end_in;
    out indices_out
);
