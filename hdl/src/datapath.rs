//! Between the buffers and the requantizer: skews, mesh and accumulator.

use crate::accumulator::Accumulator;
use crate::pe::PeShape;
use crate::prelude::*;
use crate::skew::Skew;
use crate::widths;
use crate::{row_control, Delay, Mesh};
use spec::Config;

/// Rows of activations go in, rows of sums come out of the accumulator.
///
/// 1. A row of weights enters in the cycle of its `shift_rows_in`; if not `weight_valid_in`, it is a row of zeros.
/// 2. A row of activations enters in the cycle of its `row_control_in` (layout in [`row_control`]), with `row_pad_in`
///    in the lanes whose bit of `row_keep_in` is low; if not `row_valid_in`, it is a row of zeros. `row_swap_in` comes
///    with the first row that meets the weights that were shifted in.
/// 3. The row's psums reach column c of the accumulator R + 1 + S + c cycles after it entered the mesh.
#[derive(LogicBlock)]
pub struct Datapath {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub shift_rows_in: WireIn,
    pub weight_valid_in: WireIn,
    pub weight_row_in: WireIn,
    pub row_valid_in: WireIn,
    pub row_swap_in: WireIn,
    pub row_control_in: WireIn,
    pub row_keep_in: WireIn,
    pub row_pad_in: WireIn,
    pub activation_row_in: WireIn,
    pub push_store_out: WireOut,
    pub store_addr_in: WireIn,
    pub store_half_in: WireIn,
    pub store_data_out: WireOut,
    pad_lanes: PadLanes,
    activation_skew: Skew,
    weight_skew: Skew,
    mesh: Mesh,
    control: Delay,
    accumulator: Accumulator,
}

impl Datapath {
    pub fn new(config: &Config) -> Datapath {
        let g = config.geometry();
        let (rows, cols) = (g.rows(), g.cols());
        let shape = PeShape::of(config);
        let control_bits = row_control::bits(config);
        Datapath {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            shift_rows_in: WireIn::new(rows),
            weight_valid_in: WireIn::new(1),
            weight_row_in: WireIn::new(widths::weight_row_bits(config)),
            row_valid_in: WireIn::new(1),
            row_swap_in: WireIn::new(1),
            row_control_in: WireIn::new(control_bits),
            row_keep_in: WireIn::new(rows),
            row_pad_in: WireIn::new(shape.activation.bits),
            activation_row_in: WireIn::new(widths::activation_row_bits(config)),
            push_store_out: WireOut::new(1),
            store_addr_in: WireIn::new(index_bits(g.accumulator_rows())),
            store_half_in: WireIn::new(1),
            store_data_out: WireOut::new(widths::accumulator_row_bits(config)),
            pad_lanes: PadLanes::new(rows, shape.activation.bits),
            activation_skew: Skew::new(rows, shape.activation.bits),
            weight_skew: Skew::new(cols, shape.weight.bits),
            mesh: Mesh::new(shape, rows, cols),
            control: Delay::new(control_bits, rows + 1 + shape.product_stages),
            accumulator: Accumulator::new(config),
        }
    }
}

impl Logic for Datapath {
    module!("datapath", "Skews, mesh and accumulator.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, activation_skew, weight_skew, mesh, control, accumulator);
        self.activation_skew.reset.next = self.reset.val();
        self.weight_skew.reset.next = self.reset.val();
        self.mesh.reset.next = self.reset.val();
        self.control.reset.next = self.reset.val();
        self.accumulator.reset.next = self.reset.val();

        self.activation_skew.valid_in.next = self.row_valid_in.val();
        self.pad_lanes.row_in.next = self.activation_row_in.val();
        self.pad_lanes.keep_in.next = self.row_keep_in.val();
        self.pad_lanes.pad_in.next = self.row_pad_in.val();
        self.activation_skew.row_in.next = self.pad_lanes.row_out.val();
        self.weight_skew.valid_in.next = self.weight_valid_in.val();
        self.weight_skew.row_in.next = self.weight_row_in.val();
        self.mesh.activations_in.next = self.activation_skew.lanes_out.val();
        self.mesh.weights_in.next = self.weight_skew.lanes_out.val();
        self.mesh.swap_in.next = self.row_swap_in.val();
        self.mesh.shift_in.next = self.shift_rows_in.val();

        self.control.d_in.next = self.row_control_in.val();
        self.accumulator.control_in.next = self.control.d_out.val();
        self.accumulator.psums_in.next = self.mesh.psums_out.val();
        self.accumulator.store_addr_in.next = self.store_addr_in.val();
        self.accumulator.store_half_in.next = self.store_half_in.val();
        self.store_data_out.next = self.accumulator.store_data_out.val();
        self.push_store_out.next = self.accumulator.push_out.val();
    }
}

ports!(
    Datapath, clock,
    in reset, shift_rows_in, weight_valid_in, weight_row_in, row_valid_in, row_swap_in, row_control_in, row_keep_in,
    row_pad_in, activation_row_in, store_addr_in, store_half_in;
    out push_store_out, store_data_out
);
