//! All lanes of the requantizer.

use crate::prelude::*;
use crate::random_bits::RandomBits;
use crate::widths::{bits, n_stochastic, parameter_bits, INDEX_BITS, KEY_BITS};
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
/// - Only there with stochastic rounding: `indices_in` (an index a lane) and `key_in` belong to the same group;
///   `key_late_in` and `mask_in` to the group of the cycle before.
#[derive(LogicBlock)]
pub struct Requantizer {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub valid_in: WireIn,
    pub accumulators_in: WireIn,
    pub records_in: WireIn,
    pub low_in: WireIn,
    pub high_in: WireIn,
    pub indices_in: Vec<WireIn>,
    pub key_in: Vec<WireIn>,
    pub key_late_in: Vec<WireIn>,
    pub mask_in: Vec<WireIn>,
    pub valid_out: WireOut,
    pub group_out: WireOut,
    valid: Delay,
    low: Delay,
    high: Delay,
    random: Vec<RandomBits>,
    lanes: Vec<RequantizerLane>,
    group: Pack,
    accumulator_bits: Const,
    record_bits: Const,
    index_bits: Const,
    _n_lanes: usize,
    _n_stochastic: usize,
}

impl Requantizer {
    pub fn new(config: &Config) -> Requantizer {
        let (numerics, n_lanes) = (config.numerics(), config.geometry().requantizer_lanes());
        let (accumulator, record) = (bits(numerics.accumulator_bits()), parameter_bits(config));
        let (output, bound) = (bits(numerics.output().bits()), bits(numerics.bound().bits()));
        let lane_bits = |width: usize| Const::new(width as u128, bits_for(n_lanes * width)); // widening
        let (n_stochastic, random) = (n_stochastic(config), bits(numerics.rounding().random_bits()));
        Requantizer {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            valid_in: WireIn::new(1),
            accumulators_in: WireIn::new(n_lanes * accumulator),
            records_in: WireIn::new(n_lanes * record),
            low_in: WireIn::new(bound),
            high_in: WireIn::new(bound),
            indices_in: WireIn::vec(n_stochastic, n_lanes * INDEX_BITS),
            key_in: WireIn::vec(n_stochastic, KEY_BITS),
            key_late_in: WireIn::vec(n_stochastic, KEY_BITS),
            mask_in: WireIn::vec(n_stochastic, random),
            valid_out: WireOut::new(1),
            group_out: WireOut::new(n_lanes * output),
            valid: Delay::new(1, REQUANTIZER_LATENCY),
            low: Delay::new(bound, REQUANTIZER_LATENCY - 1),
            high: Delay::new(bound, REQUANTIZER_LATENCY - 1),
            random: (0..n_stochastic * n_lanes).map(|_| RandomBits::new(random)).collect(),
            lanes: (0..n_lanes).map(|_| RequantizerLane::new(numerics)).collect(),
            group: Pack::new(n_lanes, output),
            accumulator_bits: lane_bits(accumulator),
            record_bits: lane_bits(record),
            index_bits: lane_bits(INDEX_BITS),
            _n_lanes: n_lanes,
            _n_stochastic: n_stochastic,
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
        for i in 0..self._n_lanes {
            self.lanes[i].clock.next = self.clock.val();
            self.lanes[i].reset.next = self.reset.val();
            self.lanes[i].accumulator_in.next = self.accumulators_in.val() >> (self.accumulator_bits.val() * i);
            self.lanes[i].record_in.next = self.records_in.val() >> (self.record_bits.val() * i);
            self.lanes[i].low_in.next = self.low.d_out.val();
            self.lanes[i].high_in.next = self.high.d_out.val();
            self.group.lanes_in[i].next = self.lanes[i].output_out.val();
        }
        for j in 0..self._n_stochastic {
            for i in 0..self._n_lanes {
                self.random[i].clock.next = self.clock.val();
                self.random[i].reset.next = self.reset.val();
                self.random[i].index_in.next = self.indices_in[j].val() >> (self.index_bits.val() * i);
                self.random[i].key_in.next = self.key_in[j].val();
                self.random[i].key_late_in.next = self.key_late_in[j].val();
                self.random[i].mask_in.next = self.mask_in[j].val();
                self.lanes[i].random_in[j].next = self.random[i].bits_out.val();
            }
        }
        self.valid_out.next = self.valid.d_out.val();
        self.group_out.next = self.group.bus_out.val();
    }
}

impl crate::simulate::Ports for Requantizer {
    fn clock(&mut self) -> Option<&mut ClockIn> {
        Some(&mut self.clock)
    }

    fn inputs(&mut self) -> Vec<(&'static str, &mut WireIn)> {
        let mut inputs = vec![
            ("reset", &mut self.reset),
            ("valid_in", &mut self.valid_in),
            ("accumulators_in", &mut self.accumulators_in),
            ("records_in", &mut self.records_in),
            ("low_in", &mut self.low_in),
            ("high_in", &mut self.high_in),
        ];
        inputs.extend(self.indices_in.iter_mut().map(|port| ("indices_in_0", port)));
        inputs.extend(self.key_in.iter_mut().map(|port| ("key_in_0", port)));
        inputs.extend(self.key_late_in.iter_mut().map(|port| ("key_late_in_0", port)));
        inputs.extend(self.mask_in.iter_mut().map(|port| ("mask_in_0", port)));
        inputs
    }

    fn outputs(&self) -> Vec<(&'static str, &WireOut)> {
        vec![("valid_out", &self.valid_out), ("group_out", &self.group_out)]
    }
}
