//! One step of a skew.

use crate::prelude::*;

/// One step of a [`Skew`](crate::skew::Skew): the lowest lane leaves, the others come out one cycle later, one lane lower.
#[derive(LogicBlock)]
pub struct SkewStage {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub lanes_in: WireIn,
    pub lane_out: WireOut,
    pub rest_out: WireOut,
    rest: Register,
    lane_shift: Const,
}

impl SkewStage {
    /// For rows of `n_lanes` lanes of `width` bits.
    pub fn new(n_lanes: usize, width: usize) -> SkewStage {
        SkewStage {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            lanes_in: WireIn::new(n_lanes * width),
            lane_out: WireOut::new(width),
            rest_out: WireOut::new(n_lanes * width),
            rest: Register::new(n_lanes * width),
            lane_shift: Const::new(width as u128, bits_for(width)), // widening
        }
    }
}

impl Logic for SkewStage {
    module!("skew_stage", "The lowest lane leaves; the others come out one cycle later, one lane lower.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, rest);
        self.rest.reset.next = self.reset.val();
        self.rest.d_in.next = self.lanes_in.val() >> self.lane_shift.val();
        self.rest_out.next = self.rest.d_out.val();
        self.lane_out.next = self.lanes_in.val();
    }
}

ports!(SkewStage, clock, in reset, lanes_in; out lane_out, rest_out);
