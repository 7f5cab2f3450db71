//! One row of the mesh.

use crate::pe::{Pe, PeShape};
use crate::prelude::*;

/// A row of PEs: activations, `swap` and `shift` go right, weights and psums go down through packed buses.
///
/// `swap_down_out` is `swap_in` one cycle later: the next row swaps one cycle after this one.
#[derive(LogicBlock)]
pub struct MeshRow {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub activation_in: WireIn,
    pub swap_in: WireIn,
    pub shift_in: WireIn,
    pub weights_in: WireIn,
    pub psums_in: WireIn,
    pub swap_down_out: WireOut,
    pub weights_out: WireOut,
    pub psums_out: WireOut,
    swap_down: Register,
    pes: Vec<Pe>,
    weights_below: Pack,
    psums_below: Pack,
    weight_bits: Const,
    psum_bits: Const,
    _cols: usize,
}

impl MeshRow {
    pub fn new(shape: PeShape, cols: usize) -> MeshRow {
        let (weight_bits, psum_bits) = (shape.weight.bits, shape.psum_bits);
        MeshRow {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            activation_in: WireIn::new(shape.activation.bits),
            swap_in: WireIn::new(1),
            shift_in: WireIn::new(1),
            weights_in: WireIn::new(cols * weight_bits),
            psums_in: WireIn::new(cols * psum_bits),
            swap_down_out: WireOut::new(1),
            weights_out: WireOut::new(cols * weight_bits),
            psums_out: WireOut::new(cols * psum_bits),
            swap_down: Register::new(1),
            pes: (0..cols).map(|_| Pe::new(shape)).collect(),
            weights_below: Pack::new(cols, weight_bits),
            psums_below: Pack::new(cols, psum_bits),
            weight_bits: Const::new(weight_bits as u128, bits_for(cols * weight_bits)), // widening
            psum_bits: Const::new(psum_bits as u128, bits_for(cols * psum_bits)),       // widening
            _cols: cols,
        }
    }
}

impl Logic for MeshRow {
    module!("mesh_row", "One row of PEs; weights and psums come from above and go below, lane 0 in the lowest bits.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, swap_down);
        self.swap_down.reset.next = self.reset.val();
        self.swap_down.d_in.next = self.swap_in.val();
        self.swap_down_out.next = self.swap_down.d_out.val();
        for i in 0..self._cols {
            self.pes[i].clock.next = self.clock.val();
            self.pes[i].reset.next = self.reset.val();
            self.pes[i].weight_in.next = self.weights_in.val() >> (self.weight_bits.val() * i);
            self.pes[i].psum_in.next = self.psums_in.val() >> (self.psum_bits.val() * i);
            self.weights_below.lanes_in[i].next = self.pes[i].weight_out.val();
            self.psums_below.lanes_in[i].next = self.pes[i].psum_out.val();
        }
        self.pes[0].activation_in.next = self.activation_in.val();
        self.pes[0].swap_in.next = self.swap_in.val();
        self.pes[0].shift_in.next = self.shift_in.val();
        for i in 1..self._cols {
            self.pes[i].activation_in.next = self.pes[i - 1].activation_out.val();
            self.pes[i].swap_in.next = self.pes[i - 1].swap_out.val();
            self.pes[i].shift_in.next = self.pes[i - 1].shift_out.val();
        }
        self.weights_out.next = self.weights_below.bus_out.val();
        self.psums_out.next = self.psums_below.bus_out.val();
    }
}
