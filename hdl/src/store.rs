//! Accumulator to memory.

use crate::dispatch::Dispatch;
use crate::jobs::Jobs;
use crate::pack_rows::PackRows;
use crate::prelude::*;
use crate::store_fields::StoreFields;
use crate::store_index::StoreIndex;
use crate::store_reader::StoreReader;
use crate::store_seed::StoreSeed;
use crate::widths::{
    accumulator_row_bits, bits, group_bits, n_stochastic, n_tables, parameter_bits, ADDRESS_BITS, COMMAND_BITS,
    COUNT_BITS, STORE_QUEUE_DEPTH,
};
use crate::{Queue, Requantizer};
use spec::{Config, Counter};

/// The store engine: takes commands, reads the accumulator, requantizes, packs and writes to memory. With stochastic
/// rounding it takes seed commands, too.
///
/// Neighbours: load is the first, execute the second. `accumulator_data_in` and `parameter_data_in` belong to the
/// addresses of the
/// cycle before. The event buses have one bit a counter, the lowest index in bit 0; in each, exactly one bit is high
/// in every cycle.
#[derive(LogicBlock)]
pub struct Store {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub command_valid_in: WireIn,
    pub command_in: WireIn,
    /// The command leaves the queue.
    pub take_out: WireOut,
    /// A token from the neighbour is available.
    pub first_available_in: WireIn,
    pub second_available_in: WireIn,
    /// A token to the neighbour can be reserved.
    pub first_space_in: WireIn,
    pub second_space_in: WireIn,
    pub pop_first_out: WireOut,
    pub pop_second_out: WireOut,
    pub reserve_first_out: WireOut,
    pub reserve_second_out: WireOut,
    pub push_first_out: WireOut,
    pub push_second_out: WireOut,
    /// The addresses are those of a term.
    pub read_out: WireOut,
    pub accumulator_addr_out: WireOut,
    pub accumulator_half_out: WireOut,
    pub accumulator_data_in: WireIn,
    pub parameter_addr_out: WireOut,
    pub parameter_data_in: WireIn,
    pub table_write_in: Vec<WireIn>,
    pub table_addr_in: Vec<WireIn>,
    pub table_data_in: Vec<WireIn>,
    pub write_request_valid_out: WireOut,
    pub write_request_ready_in: WireIn,
    pub write_request_address_out: WireOut,
    pub write_request_beats_out: WireOut,
    pub write_data_valid_out: WireOut,
    pub write_data_ready_in: WireIn,
    pub write_data_out: WireOut,
    pub write_data_strobe_out: WireOut,
    pub write_response_valid_in: WireIn,
    pub idle_out: WireOut,
    /// Counters `store_read` .. `store_issue`.
    pub store_events_out: WireOut,
    /// Counters `pack_wait_write` .. `pack_idle`.
    pub pack_events_out: WireOut,
    pub write_beat_out: WireOut,
    /// Payload bits packed in this cycle.
    pub output_bits_out: WireOut,
    dispatch: Dispatch,
    jobs: Jobs,
    reader: StoreReader,
    read_valid: Register,
    column_group: Select,
    requantizer: Requantizer,
    groups: Queue,
    pack_rows: PackRows,
    ack_pending: Register,
    outstanding: Register,
    store_events: Pack,
    pack_events: Pack,
    reading: WireLocal,
    requesting: WireLocal,
    acknowledged: WireLocal,
    waiting: WireLocal,
    free: WireLocal,
    seed: Vec<StoreSeed>,
    index: Vec<StoreIndex>,
    // One of the two is 1.
    _n_stochastic: usize,
    _n_fixed: usize,
    _n_tables: usize,
}

impl Store {
    pub fn new(config: &Config) -> Store {
        let [_, _, _, store, pack] = Counter::GROUPS;
        let (g, n) = (config.geometry(), config.numerics());
        let bus_bits = g.bus_bits();
        let n_lanes = g.requantizer_lanes();
        let n_stochastic = n_stochastic(config);
        let accumulators = n_lanes * bits(n.accumulator_bits());
        Store {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            command_valid_in: WireIn::new(1),
            command_in: WireIn::new(COMMAND_BITS),
            take_out: WireOut::new(1),
            first_available_in: WireIn::new(1),
            second_available_in: WireIn::new(1),
            first_space_in: WireIn::new(1),
            second_space_in: WireIn::new(1),
            pop_first_out: WireOut::new(1),
            pop_second_out: WireOut::new(1),
            reserve_first_out: WireOut::new(1),
            reserve_second_out: WireOut::new(1),
            push_first_out: WireOut::new(1),
            push_second_out: WireOut::new(1),
            read_out: WireOut::new(1),
            accumulator_addr_out: WireOut::new(index_bits(g.accumulator_rows())),
            accumulator_half_out: WireOut::new(1),
            accumulator_data_in: WireIn::new(accumulator_row_bits(config)),
            parameter_addr_out: WireOut::new(index_bits(g.parameter_rows())),
            parameter_data_in: WireIn::new(n_lanes * parameter_bits(config)),
            table_write_in: WireIn::vec(n_tables(config), 1),
            table_addr_in: WireIn::vec(n_tables(config), bits(n.output().bits())),
            table_data_in: WireIn::vec(n_tables(config), bits(n.output().bits())),
            write_request_valid_out: WireOut::new(1),
            write_request_ready_in: WireIn::new(1),
            write_request_address_out: WireOut::new(ADDRESS_BITS),
            write_request_beats_out: WireOut::new(COUNT_BITS),
            write_data_valid_out: WireOut::new(1),
            write_data_ready_in: WireIn::new(1),
            write_data_out: WireOut::new(bus_bits),
            write_data_strobe_out: WireOut::new(g.bus_bytes()),
            write_response_valid_in: WireIn::new(1),
            idle_out: WireOut::new(1),
            store_events_out: WireOut::new(store.len()),
            pack_events_out: WireOut::new(pack.len()),
            write_beat_out: WireOut::new(1),
            output_bits_out: WireOut::new(bits_for(bus_bits)),
            dispatch: Dispatch::new(bus_bits),
            jobs: Jobs::new(StoreFields::job_ranges(bus_bits)),
            reader: StoreReader::new(config),
            read_valid: Register::new(1),
            column_group: Select::new(g.column_groups(), accumulators),
            requantizer: Requantizer::new(config),
            groups: Queue::new(group_bits(config), STORE_QUEUE_DEPTH),
            pack_rows: PackRows::new(config),
            ack_pending: Register::new(1),
            outstanding: Register::new(ADDRESS_BITS),
            store_events: Pack::new(store.len(), 1),
            pack_events: Pack::new(4, 1),
            reading: WireLocal::new(1),
            requesting: WireLocal::new(1),
            acknowledged: WireLocal::new(1),
            waiting: WireLocal::new(1),
            free: WireLocal::new(1),
            seed: (0..n_stochastic).map(|_| StoreSeed::new(bits(n.rounding().random_bits()))).collect(),
            index: (0..n_stochastic).map(|_| StoreIndex::new(n_lanes)).collect(),
            _n_stochastic: n_stochastic,
            _n_fixed: 1 - n_stochastic,
            _n_tables: n_tables(config),
        }
    }
}

impl Logic for Store {
    module!("store", "The store engine: accumulator to memory.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            dispatch,
            jobs,
            reader,
            read_valid,
            requantizer,
            groups,
            pack_rows,
            ack_pending,
            outstanding
        );
        self.dispatch.reset.next = self.reset.val();
        self.jobs.reset.next = self.reset.val();
        self.reader.reset.next = self.reset.val();
        self.read_valid.reset.next = self.reset.val();
        self.requantizer.reset.next = self.reset.val();
        self.groups.reset.next = self.reset.val();
        self.pack_rows.reset.next = self.reset.val();
        self.ack_pending.reset.next = self.reset.val();
        self.outstanding.reset.next = self.reset.val();

        self.reading.next = self.reader.active_out.val();
        self.requesting.next = self.dispatch.request_valid_out.val();

        // Issue and requests.
        self.free.next = !self.reading.val() & !self.ack_pending.d_out.val();
        self.dispatch.ready_in.next = self.free.val();
        for _i in 0..self._n_fixed {
            self.dispatch.command_valid_in.next = self.command_valid_in.val();
            self.take_out.next = self.dispatch.take_out.val();
        }
        for i in 0..self._n_stochastic {
            self.seed[i].clock.next = self.clock.val();
            self.seed[i].reset.next = self.reset.val();
            self.seed[i].command_valid_in.next = self.command_valid_in.val();
            self.seed[i].command_in.next = self.command_in.val();
            self.seed[i].ready_in.next = self.free.val() & !self.requesting.val();
            self.dispatch.command_valid_in.next = self.command_valid_in.val() & !self.seed[i].held_out.val();
            self.take_out.next = self.dispatch.take_out.val() | self.seed[i].take_out.val();
        }
        self.dispatch.command_in.next = self.command_in.val();
        self.dispatch.start_bit_in.next = 0.into();
        self.dispatch.first_available_in.next = self.first_available_in.val();
        self.dispatch.second_available_in.next = self.second_available_in.val();
        self.dispatch.first_space_in.next = self.first_space_in.val();
        self.dispatch.second_space_in.next = self.second_space_in.val();
        self.dispatch.job_space_in.next = self.jobs.space_out.val();
        self.pop_first_out.next = self.dispatch.pop_first_out.val();
        self.pop_second_out.next = self.dispatch.pop_second_out.val();
        self.reserve_first_out.next = self.dispatch.reserve_first_out.val();
        self.reserve_second_out.next = self.dispatch.reserve_second_out.val();
        self.dispatch.request_ready_in.next = self.write_request_ready_in.val();
        self.write_request_valid_out.next = self.requesting.val();
        self.write_request_address_out.next = self.dispatch.request_address_out.val();
        self.write_request_beats_out.next = self.dispatch.request_beats_out.val();

        // Acknowledgement.
        self.outstanding.d_in.next =
            self.outstanding.d_out.val() + self.dispatch.request_taken_out.val() - self.write_response_valid_in.val();
        self.acknowledged.next = self.ack_pending.d_out.val()
            & !self.reading.val()
            & !self.requesting.val()
            & (self.outstanding.d_out.val() == 0);
        self.ack_pending.d_in.next =
            self.dispatch.reserve_first_out.val() | (self.ack_pending.d_out.val() & !self.acknowledged.val());
        self.push_first_out.next = self.acknowledged.val();

        // Accumulator to groups.
        self.reader.start_in.next = self.dispatch.take_out.val();
        self.reader.command_in.next = self.command_in.val();
        self.reader.group_taken_in.next = self.pack_rows.group_taken_out.val();
        self.read_out.next = self.reader.read_out.val();
        self.accumulator_addr_out.next = self.reader.accumulator_addr_out.val();
        self.accumulator_half_out.next = self.reader.accumulator_half_out.val();
        self.parameter_addr_out.next = self.reader.parameter_addr_out.val();
        self.push_second_out.next = self.reader.push_second_out.val();
        self.read_valid.d_in.next = self.reader.group_end_out.val();
        self.column_group.bus_in.next = self.accumulator_data_in.val();
        self.column_group.index_in.next = self.reader.group_out.val();
        self.requantizer.valid_in.next = self.read_valid.d_out.val();
        self.requantizer.accumulators_in.next = self.column_group.word_out.val();
        self.requantizer.records_in.next = self.parameter_data_in.val();
        self.requantizer.first_in.next = self.reader.first_term_out.val();
        self.requantizer.low_in.next = self.reader.low_out.val();
        self.requantizer.high_in.next = self.reader.high_out.val();
        for i in 0..self._n_stochastic {
            self.index[i].clock.next = self.clock.val();
            self.index[i].reset.next = self.reset.val();
            self.index[i].start_in.next = self.dispatch.take_out.val();
            self.index[i].command_in.next = self.command_in.val();
            self.index[i].row_stride_in.next = self.seed[i].row_stride_out.val();
            self.index[i].read_in.next = self.reader.group_end_out.val();
            self.index[i].row_end_in.next = self.reader.row_end_out[i].val();
            self.requantizer.indices_in[i].next = self.index[i].indices_out.val();
            self.requantizer.key_in[i].next = self.seed[i].key_out.val();
            self.requantizer.key_late_in[i].next = self.seed[i].key_late_out.val();
            self.requantizer.mask_in[i].next = self.seed[i].mask_late_out.val();
        }
        for i in 0..self._n_tables {
            self.requantizer.table_in[i].next = self.reader.table_out[i].val();
            self.requantizer.table_write_in[i].next = self.table_write_in[i].val();
            self.requantizer.table_addr_in[i].next = self.table_addr_in[i].val();
            self.requantizer.table_data_in[i].next = self.table_data_in[i].val();
        }
        self.groups.write_valid_in.next = self.requantizer.valid_out.val();
        self.groups.write_data_in.next = self.requantizer.group_out.val();
        self.groups.read_ready_in.next = self.pack_rows.group_taken_out.val();

        // Groups to write data.
        self.jobs.write_valid_in.next = self.dispatch.take_out.val();
        self.jobs.command_in.next = self.command_in.val();
        self.jobs.job_ready_in.next = self.pack_rows.job_ready_out.val();
        self.pack_rows.job_valid_in.next = self.jobs.job_valid_out.val();
        self.pack_rows.job_in.next = self.jobs.job_out.val();
        self.pack_rows.group_valid_in.next = self.groups.read_valid_out.val();
        self.pack_rows.group_in.next = self.groups.read_data_out.val();
        self.pack_rows.write_ready_in.next = self.write_data_ready_in.val();
        self.write_data_valid_out.next = self.pack_rows.write_valid_out.val();
        self.write_data_out.next = self.pack_rows.write_data_out.val();
        self.write_data_strobe_out.next = self.pack_rows.write_strobe_out.val();

        // Idle and counters.
        self.waiting.next = self.pack_rows.write_valid_out.val() & !self.write_data_ready_in.val();
        self.idle_out.next = !self.reading.val()
            & !self.requesting.val()
            & !self.ack_pending.d_out.val()
            & !self.jobs.job_valid_out.val()
            & !self.pack_rows.active_out.val()
            & !self.groups.read_valid_out.val()
            & (self.outstanding.d_out.val() == 0);
        self.store_events.lanes_in[0].next = self.reader.read_out.val();
        self.store_events.lanes_in[1].next = self.reading.val() & !self.reader.read_out.val();
        self.store_events.lanes_in[2].next = self.requesting.val() & !self.reading.val();
        self.store_events.lanes_in[3].next =
            self.ack_pending.d_out.val() & !self.requesting.val() & !self.reading.val();
        for _i in 0..self._n_fixed {
            self.store_events.lanes_in[4].next = self.dispatch.wait_command_out.val();
            self.store_events.lanes_in[8].next = self.dispatch.take_out.val();
        }
        for i in 0..self._n_stochastic {
            self.store_events.lanes_in[4].next = self.dispatch.wait_command_out.val() & !self.seed[i].take_out.val();
            self.store_events.lanes_in[8].next = self.dispatch.take_out.val() | self.seed[i].take_out.val();
        }
        self.store_events.lanes_in[5].next = self.dispatch.wait_first_out.val();
        self.store_events.lanes_in[6].next = self.dispatch.wait_second_out.val();
        self.store_events.lanes_in[7].next = self.dispatch.wait_space_out.val();
        self.store_events_out.next = self.store_events.bus_out.val();
        self.pack_events.lanes_in[0].next = self.waiting.val();
        self.pack_events.lanes_in[1].next = self.pack_rows.busy_out.val() & !self.waiting.val();
        self.pack_events.lanes_in[2].next = self.pack_rows.active_out.val() & !self.pack_rows.busy_out.val();
        self.pack_events.lanes_in[3].next = !self.pack_rows.active_out.val();
        self.pack_events_out.next = self.pack_events.bus_out.val();
        self.write_beat_out.next = self.pack_rows.write_valid_out.val() & self.write_data_ready_in.val();
        self.output_bits_out.next = 0.into();
        if self.pack_rows.word_out.val().any() {
            self.output_bits_out.next = self.pack_rows.need_out.val();
        }
    }
}

ports!(
    Store, clock,
    in reset, command_valid_in, command_in, first_available_in, second_available_in, first_space_in, second_space_in,
    accumulator_data_in, parameter_data_in, write_request_ready_in, write_data_ready_in, write_response_valid_in;
    optional table_write_in, table_addr_in, table_data_in;
    out take_out, pop_first_out, pop_second_out, reserve_first_out, reserve_second_out, push_first_out, push_second_out,
    read_out, accumulator_addr_out, accumulator_half_out, parameter_addr_out, write_request_valid_out,
    write_request_address_out, write_request_beats_out, write_data_valid_out, write_data_out, write_data_strobe_out,
    idle_out, store_events_out, pack_events_out, write_beat_out, output_bits_out
);
