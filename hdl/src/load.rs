//! Memory to buffers.

use crate::dispatch::Dispatch;
use crate::jobs::Jobs;
use crate::load_fields::LoadFields;
use crate::prelude::*;
use crate::unpack_words::UnpackWords;
use crate::widths::{n_tables, row_addr_bits, row_bits, ADDRESS_BITS, COMMAND_BITS, COUNT_BITS};
use crate::write_rows::WriteRows;
use spec::{Config, Counter};

/// The load engine: takes commands, requests their bursts, and writes what is read to the buffers, row by row.
///
/// Neighbours: execute is the first, store the second. The event buses have one bit a counter, the lowest index in
/// bit 0;
/// in each, exactly one bit is high in every cycle.
#[derive(LogicBlock)]
pub struct Load {
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
    pub read_request_valid_out: WireOut,
    pub read_request_ready_in: WireIn,
    pub read_request_address_out: WireOut,
    pub read_request_beats_out: WireOut,
    pub read_data_valid_in: WireIn,
    pub read_data_ready_out: WireOut,
    pub read_data_in: WireIn,
    pub activation_write_out: WireOut,
    pub weight_write_out: WireOut,
    pub parameter_write_out: WireOut,
    pub table_write_out: Vec<WireOut>,
    pub row_addr_out: WireOut,
    pub row_bank_out: WireOut,
    pub row_data_out: WireOut,
    pub idle_out: WireOut,
    /// Counters `load_request` .. `load_issue`.
    pub load_events_out: WireOut,
    /// Counters `unpack_wait_data` .. `unpack_idle`.
    pub unpack_events_out: WireOut,
    pub read_beat_out: WireOut,
    /// Payload bits unpacked in this cycle.
    pub activation_bits_out: WireOut,
    pub weight_bits_out: WireOut,
    pub parameter_bits_out: WireOut,
    fields: LoadFields,
    dispatch: Dispatch,
    jobs: Jobs,
    unpack_words: UnpackWords,
    write_rows: WriteRows,
    load_events: Pack,
    unpack_events: Pack,
    requesting: WireLocal,
    unpacking: WireLocal,
    waiting: WireLocal,
    _n_tables: usize,
}

impl Load {
    pub fn new(config: &Config) -> Load {
        let [_, load, unpack, _, _] = Counter::GROUPS;
        let g = config.geometry();
        let bus_bits = g.bus_bits();
        Load {
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
            read_request_valid_out: WireOut::new(1),
            read_request_ready_in: WireIn::new(1),
            read_request_address_out: WireOut::new(ADDRESS_BITS),
            read_request_beats_out: WireOut::new(COUNT_BITS),
            read_data_valid_in: WireIn::new(1),
            read_data_ready_out: WireOut::new(1),
            read_data_in: WireIn::new(bus_bits),
            activation_write_out: WireOut::new(1),
            weight_write_out: WireOut::new(1),
            parameter_write_out: WireOut::new(1),
            table_write_out: WireOut::vec(n_tables(config), 1),
            row_addr_out: WireOut::new(row_addr_bits(config)),
            row_bank_out: WireOut::new(index_bits(g.requantizer_lanes())),
            row_data_out: WireOut::new(row_bits(config)),
            idle_out: WireOut::new(1),
            load_events_out: WireOut::new(load.len()),
            unpack_events_out: WireOut::new(unpack.len()),
            read_beat_out: WireOut::new(1),
            activation_bits_out: WireOut::new(bits_for(bus_bits)),
            weight_bits_out: WireOut::new(bits_for(bus_bits)),
            parameter_bits_out: WireOut::new(bits_for(bus_bits)),
            fields: LoadFields::new(bus_bits),
            dispatch: Dispatch::new(bus_bits),
            jobs: Jobs::new(LoadFields::job_ranges(bus_bits)),
            unpack_words: UnpackWords::new(bus_bits),
            write_rows: WriteRows::new(config),
            load_events: Pack::new(load.len(), 1),
            unpack_events: Pack::new(3, 1),
            requesting: WireLocal::new(1),
            unpacking: WireLocal::new(1),
            waiting: WireLocal::new(1),
            _n_tables: n_tables(config),
        }
    }
}

impl Logic for Load {
    module!("load", "The load engine: memory to buffers.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, dispatch, jobs, unpack_words, write_rows);
        self.dispatch.reset.next = self.reset.val();
        self.jobs.reset.next = self.reset.val();
        self.unpack_words.reset.next = self.reset.val();
        self.write_rows.reset.next = self.reset.val();

        self.requesting.next = self.dispatch.request_valid_out.val();
        self.fields.command_in.next = self.command_in.val();

        // Issue and requests.
        self.dispatch.ready_in.next = true.into();
        self.dispatch.command_valid_in.next = self.command_valid_in.val();
        self.dispatch.command_in.next = self.command_in.val();
        self.dispatch.start_bit_in.next = self.fields.start_bit_out.val();
        self.dispatch.first_available_in.next = self.first_available_in.val();
        self.dispatch.second_available_in.next = self.second_available_in.val();
        self.dispatch.first_space_in.next = self.first_space_in.val();
        self.dispatch.second_space_in.next = self.second_space_in.val();
        self.dispatch.job_space_in.next = self.jobs.space_out.val();
        self.take_out.next = self.dispatch.take_out.val();
        self.pop_first_out.next = self.dispatch.pop_first_out.val();
        self.pop_second_out.next = self.dispatch.pop_second_out.val();
        self.reserve_first_out.next = self.dispatch.reserve_first_out.val();
        self.reserve_second_out.next = self.dispatch.reserve_second_out.val();
        self.dispatch.request_ready_in.next = self.read_request_ready_in.val();
        self.read_request_valid_out.next = self.requesting.val();
        self.read_request_address_out.next = self.dispatch.request_address_out.val();
        self.read_request_beats_out.next = self.dispatch.request_beats_out.val();

        // Read data to rows.
        self.jobs.write_valid_in.next = self.dispatch.take_out.val();
        self.jobs.command_in.next = self.command_in.val();
        self.jobs.job_ready_in.next = self.unpack_words.job_ready_out.val();
        self.unpack_words.job_valid_in.next = self.jobs.job_valid_out.val();
        self.unpack_words.job_in.next = self.jobs.job_out.val();
        self.unpack_words.data_valid_in.next = self.read_data_valid_in.val();
        self.unpack_words.data_in.next = self.read_data_in.val();
        self.read_data_ready_out.next = self.unpack_words.data_ready_out.val();
        self.write_rows.start_in.next = self.unpack_words.start_out.val();
        self.write_rows.job_in.next = self.jobs.job_out.val();
        self.write_rows.word_valid_in.next = self.unpack_words.word_valid_out.val();
        self.write_rows.word_in.next = self.unpack_words.word_out.val();
        self.write_rows.row_end_in.next = self.unpack_words.row_end_out.val();
        self.write_rows.job_end_in.next = self.unpack_words.job_end_out.val();
        self.activation_write_out.next = self.write_rows.activation_write_out.val();
        self.weight_write_out.next = self.write_rows.weight_write_out.val();
        self.parameter_write_out.next = self.write_rows.parameter_write_out.val();
        for i in 0..self._n_tables {
            self.table_write_out[i].next = self.write_rows.table_write_out[i].val();
        }
        self.row_addr_out.next = self.write_rows.row_addr_out.val();
        self.row_bank_out.next = self.write_rows.row_bank_out.val();
        self.row_data_out.next = self.write_rows.row_data_out.val();
        self.push_first_out.next = self.write_rows.push_first_out.val();
        self.push_second_out.next = self.write_rows.push_second_out.val();

        // Idle and counters.
        self.unpacking.next = self.unpack_words.active_out.val();
        self.waiting.next = self.unpack_words.data_ready_out.val() & !self.read_data_valid_in.val();
        self.idle_out.next = !self.requesting.val()
            & !self.jobs.job_valid_out.val()
            & !self.unpacking.val()
            & !self.write_rows.row_valid_out.val();
        self.load_events.lanes_in[0].next = self.dispatch.request_taken_out.val();
        self.load_events.lanes_in[1].next = self.requesting.val() & !self.read_request_ready_in.val();
        self.load_events.lanes_in[2].next = self.dispatch.wait_command_out.val();
        self.load_events.lanes_in[3].next = self.dispatch.wait_first_out.val();
        self.load_events.lanes_in[4].next = self.dispatch.wait_second_out.val();
        self.load_events.lanes_in[5].next = self.dispatch.wait_space_out.val();
        self.load_events.lanes_in[6].next = self.dispatch.take_out.val();
        self.load_events_out.next = self.load_events.bus_out.val();
        self.unpack_events.lanes_in[0].next = self.waiting.val();
        self.unpack_events.lanes_in[1].next = self.unpacking.val() & !self.waiting.val();
        self.unpack_events.lanes_in[2].next = !self.unpacking.val();
        self.unpack_events_out.next = self.unpack_events.bus_out.val();
        self.read_beat_out.next = self.unpack_words.data_ready_out.val() & self.read_data_valid_in.val();
        self.activation_bits_out.next = 0.into();
        self.weight_bits_out.next = 0.into();
        self.parameter_bits_out.next = 0.into();
        if self.write_rows.activation_word_out.val().any() {
            self.activation_bits_out.next = self.unpack_words.need_out.val();
        }
        if self.write_rows.weight_word_out.val().any() {
            self.weight_bits_out.next = self.unpack_words.need_out.val();
        }
        if self.write_rows.parameter_word_out.val().any() {
            self.parameter_bits_out.next = self.unpack_words.need_out.val();
        }
    }
}

ports!(
    Load, clock,
    in reset, command_valid_in, command_in, first_available_in, second_available_in, first_space_in, second_space_in,
    read_request_ready_in, read_data_valid_in, read_data_in;
    out take_out, pop_first_out, pop_second_out, reserve_first_out, reserve_second_out, push_first_out, push_second_out,
    read_request_valid_out, read_request_address_out, read_request_beats_out, read_data_ready_out, activation_write_out,
    weight_write_out, parameter_write_out, row_addr_out, row_bank_out, row_data_out, idle_out, load_events_out,
    unpack_events_out, read_beat_out, activation_bits_out, weight_bits_out, parameter_bits_out
);
