//! All lanes of the requantizer.

use crate::lookup::Lookup;
use crate::prelude::*;
use crate::random_bits::RandomBits;
use crate::widths::{bits, n_stochastic, n_tables, parameter_bits, INDEX_BITS, KEY_BITS};
use crate::{Delay, RequantizerLane};
use spec::Config;

/// Registers from the data in to the clamped results; a table has one more.
pub const REQUANTIZER_LATENCY: usize = 4;

/// Requantizes one column a lane; a term of a group of columns enters in every cycle, and the group leaves 4 cycles
/// after its last term, 5 with a table. It never stalls.
///
/// - `accumulators_in` and `records_in` are a term's, lane 0 in the lowest bits; with `first_in` it is a group's first.
///   The terms of a group follow each other without a gap; `valid_in`, `low_in` and `high_in` come with the last one.
/// - `low_in` and `high_in` are the clamp bounds, signed, one bit wider than the output.
/// - Only there with stochastic rounding: `indices_in` (an index a lane) and `key_in` belong to the same group;
///   `key_late_in` and `mask_in` to the group of the cycle before.
/// - Only there with a table: `table_in` comes with `valid_in`, the results are looked up; `table_write_in`,
///   `table_addr_in` and `table_data_in` write an entry of every lane's table.
#[derive(LogicBlock)]
pub struct Requantizer {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub valid_in: WireIn,
    pub accumulators_in: WireIn,
    pub records_in: WireIn,
    pub first_in: WireIn,
    pub low_in: WireIn,
    pub high_in: WireIn,
    pub indices_in: Vec<WireIn>,
    pub key_in: Vec<WireIn>,
    pub key_late_in: Vec<WireIn>,
    pub mask_in: Vec<WireIn>,
    pub table_in: Vec<WireIn>,
    pub table_write_in: Vec<WireIn>,
    pub table_addr_in: Vec<WireIn>,
    pub table_data_in: Vec<WireIn>,
    pub valid_out: WireOut,
    pub group_out: WireOut,
    valid: Delay,
    first: Register,
    low: Delay,
    high: Delay,
    random: Vec<RandomBits>,
    lanes: Vec<RequantizerLane>,
    table: Vec<Delay>,
    lookups: Vec<Lookup>,
    group: Pack,
    accumulator_bits: Const,
    record_bits: Const,
    index_bits: Const,
    _n_lanes: usize,
    _n_stochastic: usize,
    // One of the two is 1.
    _n_tables: usize,
    _n_without: usize,
}

impl Requantizer {
    pub fn new(config: &Config) -> Requantizer {
        let (numerics, n_lanes) = (config.numerics(), config.geometry().requantizer_lanes());
        let (accumulator, record) = (bits(numerics.accumulator_bits()), parameter_bits(config));
        let (output, bound) = (bits(numerics.output().bits()), bits(numerics.bound().bits()));
        let n_tables = n_tables(config);
        let lane_bits = |width: usize| Const::new(width as u128, bits_for(n_lanes * width)); // widening
        let (n_stochastic, random) = (n_stochastic(config), bits(numerics.rounding().random_bits()));
        Requantizer {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            valid_in: WireIn::new(1),
            accumulators_in: WireIn::new(n_lanes * accumulator),
            records_in: WireIn::new(n_lanes * record),
            first_in: WireIn::new(1),
            low_in: WireIn::new(bound),
            high_in: WireIn::new(bound),
            indices_in: WireIn::vec(n_stochastic, n_lanes * INDEX_BITS),
            key_in: WireIn::vec(n_stochastic, KEY_BITS),
            key_late_in: WireIn::vec(n_stochastic, KEY_BITS),
            mask_in: WireIn::vec(n_stochastic, random),
            table_in: WireIn::vec(n_tables, 1),
            table_write_in: WireIn::vec(n_tables, 1),
            table_addr_in: WireIn::vec(n_tables, output),
            table_data_in: WireIn::vec(n_tables, output),
            valid_out: WireOut::new(1),
            group_out: WireOut::new(n_lanes * output),
            valid: Delay::new(1, REQUANTIZER_LATENCY + n_tables),
            first: Register::new(1),
            low: Delay::new(bound, REQUANTIZER_LATENCY - 1),
            high: Delay::new(bound, REQUANTIZER_LATENCY - 1),
            random: (0..n_stochastic * n_lanes).map(|_| RandomBits::new(random)).collect(),
            lanes: (0..n_lanes).map(|_| RequantizerLane::new(numerics)).collect(),
            table: (0..n_tables).map(|_| Delay::new(1, REQUANTIZER_LATENCY)).collect(),
            lookups: (0..n_tables * n_lanes).map(|_| Lookup::new(output)).collect(),
            group: Pack::new(n_lanes, output),
            accumulator_bits: lane_bits(accumulator),
            record_bits: lane_bits(record),
            index_bits: lane_bits(INDEX_BITS),
            _n_lanes: n_lanes,
            _n_stochastic: n_stochastic,
            _n_tables: n_tables,
            _n_without: 1 - n_tables,
        }
    }
}

impl Logic for Requantizer {
    module!("requantizer", "Requantizes a group of columns in every cycle.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, valid, first, low, high);
        self.valid.reset.next = self.reset.val();
        self.first.reset.next = self.reset.val();
        self.low.reset.next = self.reset.val();
        self.high.reset.next = self.reset.val();
        self.valid.d_in.next = self.valid_in.val();
        self.first.d_in.next = self.first_in.val();
        self.low.d_in.next = self.low_in.val();
        self.high.d_in.next = self.high_in.val();
        for i in 0..self._n_lanes {
            self.lanes[i].clock.next = self.clock.val();
            self.lanes[i].reset.next = self.reset.val();
            self.lanes[i].accumulator_in.next = self.accumulators_in.val() >> (self.accumulator_bits.val() * i);
            self.lanes[i].record_in.next = self.records_in.val() >> (self.record_bits.val() * i);
            self.lanes[i].first_in.next = self.first.d_out.val();
            self.lanes[i].low_in.next = self.low.d_out.val();
            self.lanes[i].high_in.next = self.high.d_out.val();
        }
        for _j in 0..self._n_without {
            for i in 0..self._n_lanes {
                self.group.lanes_in[i].next = self.lanes[i].output_out.val();
            }
        }
        for j in 0..self._n_tables {
            self.table[j].clock.next = self.clock.val();
            self.table[j].reset.next = self.reset.val();
            self.table[j].d_in.next = self.table_in[j].val();
            for i in 0..self._n_lanes {
                self.lookups[i].clock.next = self.clock.val();
                self.lookups[i].reset.next = self.reset.val();
                self.lookups[i].write_enable_in.next = self.table_write_in[j].val();
                self.lookups[i].write_addr_in.next = self.table_addr_in[j].val();
                self.lookups[i].write_data_in.next = self.table_data_in[j].val();
                self.lookups[i].value_in.next = self.lanes[i].output_out.val();
                self.lookups[i].use_in.next = self.table[j].d_out.val();
                self.group.lanes_in[i].next = self.lookups[i].value_out.val();
            }
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

ports!(
    Requantizer, clock,
    in reset, valid_in, accumulators_in, records_in, first_in, low_in, high_in;
    optional indices_in, key_in, key_late_in, mask_in, table_in, table_write_in, table_addr_in,
    table_data_in;
    out valid_out, group_out
);
