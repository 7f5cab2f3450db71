//! The mesh: rows x cols PEs.

use crate::mesh_row::MeshRow;
use crate::pe::PeShape;
use crate::prelude::*;

/// The weight-stationary mesh. Mesh row follows k, mesh column follows n.
///
/// 1. `activations_in`: lane r enters row r. A row of activations is skewed: lane r comes r cycles after lane 0.
/// 2. `weights_in`: lane c enters column c at row 0 and moves down while `shift` is high. Weight row R-1-j enters
///    column c in cycle L+j+c.
/// 3. `shift_in`: bit r enters row r at the left edge; high in cycles L+r .. L+R-1, it moves right with the weights'
///    skew.
/// 4. `swap_in` enters row 0 with the first activation of a fold and reaches row r, column c after r+c cycles.
/// 5. `psums_out`: an activation row that enters row 0 in cycle t is summed in lane c in cycle t + (R-1) + c + 2 + S.
#[derive(LogicBlock)]
pub struct Mesh {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub activations_in: WireIn,
    pub swap_in: WireIn,
    pub shift_in: WireIn,
    pub weights_in: WireIn,
    pub psums_out: WireOut,
    rows: Vec<MeshRow>,
    activation_bits: Const,
    _rows: usize,
    _last: usize,
}

impl Mesh {
    pub fn new(shape: PeShape, rows: usize, cols: usize) -> Mesh {
        Mesh {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            activations_in: WireIn::new(rows * shape.activation.bits),
            swap_in: WireIn::new(1),
            shift_in: WireIn::new(rows),
            weights_in: WireIn::new(cols * shape.weight.bits),
            psums_out: WireOut::new(cols * shape.psum_bits),
            rows: (0..rows).map(|_| MeshRow::new(shape, cols)).collect(),
            activation_bits: Const::new(shape.activation.bits as u128, bits_for(rows * shape.activation.bits)), // widening
            _rows: rows,
            _last: rows - 1,
        }
    }
}

impl Logic for Mesh {
    module!("mesh", "The weight-stationary mesh of PEs: row follows k, column follows n.");

    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..self._rows {
            self.rows[i].clock.next = self.clock.val();
            self.rows[i].reset.next = self.reset.val();
            self.rows[i].activation_in.next = self.activations_in.val() >> (self.activation_bits.val() * i);
            self.rows[i].shift_in.next = self.shift_in.val().get_bit(i);
        }
        self.rows[0].swap_in.next = self.swap_in.val();
        self.rows[0].weights_in.next = self.weights_in.val();
        self.rows[0].psums_in.next = 0.into();
        for i in 1..self._rows {
            self.rows[i].swap_in.next = self.rows[i - 1].swap_down_out.val();
            self.rows[i].weights_in.next = self.rows[i - 1].weights_out.val();
            self.rows[i].psums_in.next = self.rows[i - 1].psums_out.val();
        }
        for i in self._last..self._rows {
            self.psums_out.next = self.rows[i].psums_out.val();
        }
    }
}

ports!(
    Mesh, clock,
    in reset, activations_in, swap_in, shift_in, weights_in;
    out psums_out
);
