//! Delays lane i of a row by i cycles.

use crate::prelude::*;
use crate::skew_stage::SkewStage;

/// Delays lane i of a row by i cycles, lane 0 by none. A row that is not valid is a row of zeros.
///
/// A chain of one block, whose text does not grow with the number of lanes. Every stage is as wide as the row; the lanes
/// that have left are zeros, and synthesis removes their registers.
#[derive(LogicBlock)]
pub struct Skew {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub valid_in: WireIn,
    pub row_in: WireIn,
    pub lanes_out: WireOut,
    row: WireLocal,
    stages: Vec<SkewStage>,
    lanes: Pack,
    _n_lanes: usize,
}

impl Skew {
    /// For rows of `n_lanes` lanes of `width` bits.
    pub fn new(n_lanes: usize, width: usize) -> Skew {
        Skew {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            valid_in: WireIn::new(1),
            row_in: WireIn::new(n_lanes * width),
            lanes_out: WireOut::new(n_lanes * width),
            row: WireLocal::new(n_lanes * width),
            stages: (0..n_lanes).map(|_| SkewStage::new(n_lanes, width)).collect(),
            lanes: Pack::new(n_lanes, width),
            _n_lanes: n_lanes,
        }
    }
}

impl Logic for Skew {
    module!("skew", "Delays lane i of a row by i cycles; a row that is not valid is a row of zeros.");

    #[hdl_gen]
    fn update(&mut self) {
        self.row.next = 0.into();
        if self.valid_in.val().any() {
            self.row.next = self.row_in.val();
        }
        self.stages[0].lanes_in.next = self.row.val();
        for i in 1..self._n_lanes {
            self.stages[i].lanes_in.next = self.stages[i - 1].rest_out.val();
        }
        for i in 0..self._n_lanes {
            self.stages[i].clock.next = self.clock.val();
            self.stages[i].reset.next = self.reset.val();
            self.lanes.lanes_in[i].next = self.stages[i].lane_out.val();
        }
        self.lanes_out.next = self.lanes.bus_out.val();
    }
}

ports!(Skew, clock, in reset, valid_in, row_in; out lanes_out);
