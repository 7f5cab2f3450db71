//! All lanes of the requantizer.

use crate::prelude::*;
use crate::widths::{bits, parameter_bits};
use crate::{Delay, RequantizerLane};
use spec::Config;

/// Registers from the data in to the group out.
pub const REQUANTIZER_LATENCY: usize = 4;

/// Requantizes one column a lane; a group of columns enters in every cycle and leaves 4 cycles later. It never stalls.
///
/// - `accumulators_in`, `records_in`, `low_in` and `high_in` belong to the group that `valid_in` announces in the
///   same cycle; lane
///   0 is in the lowest bits.
/// - `low_in` and `high_in` are the clamp bounds, signed, one bit wider than the output.
#[derive(LogicBlock)]
pub struct Requantizer {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub valid_in: WireIn,
    pub accumulators_in: WireIn,
    pub records_in: WireIn,
    pub low_in: WireIn,
    pub high_in: WireIn,
    pub valid_out: WireOut,
    pub group_out: WireOut,
    valid: Delay,
    low: Delay,
    high: Delay,
    accumulators: Unpack,
    records: Unpack,
    lanes: Vec<RequantizerLane>,
    group: Pack,
    _n_lanes: usize,
}

impl Requantizer {
    pub fn new(config: &Config) -> Requantizer {
        let (numerics, n_lanes) = (config.numerics(), config.geometry().requantizer_lanes());
        let (accumulator, record) = (bits(numerics.accumulator_bits()), parameter_bits(config));
        let (output, bound) = (bits(numerics.output().bits()), bits(numerics.bound().bits()));
        Requantizer {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            valid_in: WireIn::new(1),
            accumulators_in: WireIn::new(n_lanes * accumulator),
            records_in: WireIn::new(n_lanes * record),
            low_in: WireIn::new(bound),
            high_in: WireIn::new(bound),
            valid_out: WireOut::new(1),
            group_out: WireOut::new(n_lanes * output),
            valid: Delay::new(1, REQUANTIZER_LATENCY),
            low: Delay::new(bound, REQUANTIZER_LATENCY - 1),
            high: Delay::new(bound, REQUANTIZER_LATENCY - 1),
            accumulators: Unpack::new(n_lanes, accumulator),
            records: Unpack::new(n_lanes, record),
            lanes: (0..n_lanes).map(|_| RequantizerLane::new(numerics)).collect(),
            group: Pack::new(n_lanes, output),
            _n_lanes: n_lanes,
        }
    }
}

impl Logic for Requantizer {
    module!("requantizer", "Requantizes a group of columns in every cycle.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, valid, low, high);
        self.valid.reset.next = self.reset.val();
        self.low.reset.next = self.reset.val();
        self.high.reset.next = self.reset.val();
        self.valid.d_in.next = self.valid_in.val();
        self.low.d_in.next = self.low_in.val();
        self.high.d_in.next = self.high_in.val();
        self.accumulators.bus_in.next = self.accumulators_in.val();
        self.records.bus_in.next = self.records_in.val();
        for i in 0..self._n_lanes {
            self.lanes[i].clock.next = self.clock.val();
            self.lanes[i].reset.next = self.reset.val();
            self.lanes[i].accumulator_in.next = self.accumulators.lanes_out[i].val();
            self.lanes[i].record_in.next = self.records.lanes_out[i].val();
            self.lanes[i].low_in.next = self.low.d_out.val();
            self.lanes[i].high_in.next = self.high.d_out.val();
            self.group.lanes_in[i].next = self.lanes[i].output_out.val();
        }
        self.valid_out.next = self.valid.d_out.val();
        self.group_out.next = self.group.bus_out.val();
    }
}

ports!(
    Requantizer, clock,
    in reset, valid_in, accumulators_in, records_in, low_in, high_in;
    out valid_out, group_out
);
