//! The whole machine.

use crate::counters::Counters;
use crate::datapath::Datapath;
use crate::emit::{emit, EmitError, Emitted};
use crate::execute::Execute;
use crate::fetch::Fetch;
use crate::load::Load;
use crate::operand_buffer::OperandBuffer;
use crate::parameter_buffer::ParameterBuffer;
use crate::prelude::*;
use crate::status::{Status, STATUS_ADDRESS_BITS, STATUS_DATA_BITS};
use crate::store::Store;
use crate::tokens::Tokens;
use crate::wait_code::WaitCode;
use crate::widths::{n_tables, ADDRESS_BITS, COMMAND_BITS, COUNT_BITS};
use crate::Queue;
use spec::{Config, Counter};

/// The name of the emitted top module.
pub const TOP: &str = "top";

/// The machine behind its flat ports; the rules of every channel are in `docs/machine.md`.
#[derive(LogicBlock)]
pub struct Top {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub command_valid_in: WireIn,
    pub command_ready_out: WireOut,
    pub command_data_in: WireIn,
    pub read_request_valid_out: WireOut,
    pub read_request_ready_in: WireIn,
    pub read_request_address_out: WireOut,
    pub read_request_beats_out: WireOut,
    pub read_data_valid_in: WireIn,
    pub read_data_ready_out: WireOut,
    pub read_data_in: WireIn,
    pub write_request_valid_out: WireOut,
    pub write_request_ready_in: WireIn,
    pub write_request_address_out: WireOut,
    pub write_request_beats_out: WireOut,
    pub write_data_valid_out: WireOut,
    pub write_data_ready_in: WireIn,
    pub write_data_out: WireOut,
    pub write_data_strobe_out: WireOut,
    pub write_response_valid_in: WireIn,
    pub write_response_ready_out: WireOut,
    pub status_address_in: WireIn,
    pub status_data_out: WireOut,
    pub done_valid_out: WireOut,
    pub done_ready_in: WireIn,
    fetch: Fetch,
    load_queue: Queue,
    execute_queue: Queue,
    store_queue: Queue,
    tokens: Tokens,
    load: Load,
    execute: Execute,
    store: Store,
    activation_buffer: OperandBuffer,
    weight_buffer: OperandBuffer,
    parameter_buffer: ParameterBuffer,
    datapath: Datapath,
    counters: Counters,
    execute_code: WaitCode,
    load_code: WaitCode,
    unpack_code: WaitCode,
    store_code: WaitCode,
    pack_code: WaitCode,
    status: Status,
    queues_idle: WireLocal,
    _n_tables: usize,
}

impl Top {
    pub fn new(config: &Config) -> Top {
        let g = config.geometry();
        let queue = || Queue::new(COMMAND_BITS, g.queue_depth());
        let [execute_code, load_code, unpack_code, store_code, pack_code] = Counter::GROUPS.map(WaitCode::new);
        Top {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            command_valid_in: WireIn::new(1),
            command_ready_out: WireOut::new(1),
            command_data_in: WireIn::new(COMMAND_BITS),
            read_request_valid_out: WireOut::new(1),
            read_request_ready_in: WireIn::new(1),
            read_request_address_out: WireOut::new(ADDRESS_BITS),
            read_request_beats_out: WireOut::new(COUNT_BITS),
            read_data_valid_in: WireIn::new(1),
            read_data_ready_out: WireOut::new(1),
            read_data_in: WireIn::new(g.bus_bits()),
            write_request_valid_out: WireOut::new(1),
            write_request_ready_in: WireIn::new(1),
            write_request_address_out: WireOut::new(ADDRESS_BITS),
            write_request_beats_out: WireOut::new(COUNT_BITS),
            write_data_valid_out: WireOut::new(1),
            write_data_ready_in: WireIn::new(1),
            write_data_out: WireOut::new(g.bus_bits()),
            write_data_strobe_out: WireOut::new(g.bus_bytes()),
            write_response_valid_in: WireIn::new(1),
            write_response_ready_out: WireOut::new(1),
            status_address_in: WireIn::new(STATUS_ADDRESS_BITS),
            status_data_out: WireOut::new(STATUS_DATA_BITS),
            done_valid_out: WireOut::new(1),
            done_ready_in: WireIn::new(1),
            fetch: Fetch::new(config),
            load_queue: queue(),
            execute_queue: queue(),
            store_queue: queue(),
            tokens: Tokens::new(),
            load: Load::new(config),
            execute: Execute::new(config),
            store: Store::new(config),
            activation_buffer: OperandBuffer::activations(config),
            weight_buffer: OperandBuffer::weights(config),
            parameter_buffer: ParameterBuffer::new(config),
            datapath: Datapath::new(config),
            counters: Counters::new(config),
            execute_code,
            load_code,
            unpack_code,
            store_code,
            pack_code,
            status: Status::new(),
            queues_idle: WireLocal::new(1),
            _n_tables: n_tables(config),
        }
    }
}

impl Logic for Top {
    module!("top", "The machine.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, fetch, load_queue, execute_queue, store_queue, tokens, load, execute, store);
        clock!(self, clock, activation_buffer, weight_buffer, parameter_buffer, datapath, counters);
        self.fetch.reset.next = self.reset.val();
        self.load_queue.reset.next = self.reset.val();
        self.execute_queue.reset.next = self.reset.val();
        self.store_queue.reset.next = self.reset.val();
        self.tokens.reset.next = self.reset.val();
        self.load.reset.next = self.reset.val();
        self.execute.reset.next = self.reset.val();
        self.store.reset.next = self.reset.val();
        self.datapath.reset.next = self.reset.val();
        self.counters.reset.next = self.reset.val();

        // Commands.
        self.fetch.command_valid_in.next = self.command_valid_in.val();
        self.fetch.command_data_in.next = self.command_data_in.val();
        self.command_ready_out.next = self.fetch.command_ready_out.val();
        self.load_queue.write_valid_in.next = self.fetch.load_valid_out.val();
        self.load_queue.write_data_in.next = self.fetch.command_out.val();
        self.fetch.load_ready_in.next = self.load_queue.write_ready_out.val();
        self.execute_queue.write_valid_in.next = self.fetch.execute_valid_out.val();
        self.execute_queue.write_data_in.next = self.fetch.command_out.val();
        self.fetch.execute_ready_in.next = self.execute_queue.write_ready_out.val();
        self.store_queue.write_valid_in.next = self.fetch.store_valid_out.val();
        self.store_queue.write_data_in.next = self.fetch.command_out.val();
        self.fetch.store_ready_in.next = self.store_queue.write_ready_out.val();
        self.load.command_valid_in.next = self.load_queue.read_valid_out.val();
        self.load.command_in.next = self.load_queue.read_data_out.val();
        self.load_queue.read_ready_in.next = self.load.take_out.val();
        self.execute.command_valid_in.next = self.execute_queue.read_valid_out.val();
        self.execute.command_in.next = self.execute_queue.read_data_out.val();
        self.execute_queue.read_ready_in.next = self.execute.take_out.val();
        self.store.command_valid_in.next = self.store_queue.read_valid_out.val();
        self.store.command_in.next = self.store_queue.read_data_out.val();
        self.store_queue.read_ready_in.next = self.store.take_out.val();
        self.queues_idle.next = !(self.load_queue.read_valid_out.val()
            | self.execute_queue.read_valid_out.val()
            | self.store_queue.read_valid_out.val());
        self.fetch.all_idle_in.next =
            self.queues_idle.val() & self.load.idle_out.val() & self.execute.idle_out.val() & self.store.idle_out.val();
        self.execute.finish_held_in.next = self.fetch.finish_held_out.val();
        self.done_valid_out.next = self.fetch.done_valid_out.val();
        self.fetch.done_ready_in.next = self.done_ready_in.val();

        // Tokens. Neighbours: of load, execute and store; of execute, load and store; of store, load and execute.
        self.tokens.execute_load_pop_in.next = self.load.pop_first_out.val();
        self.tokens.store_load_pop_in.next = self.load.pop_second_out.val();
        self.tokens.load_execute_reserve_in.next = self.load.reserve_first_out.val();
        self.tokens.load_store_reserve_in.next = self.load.reserve_second_out.val();
        self.tokens.load_execute_push_in.next = self.load.push_first_out.val();
        self.tokens.load_store_push_in.next = self.load.push_second_out.val();
        self.load.first_available_in.next = self.tokens.execute_load_available_out.val();
        self.load.second_available_in.next = self.tokens.store_load_available_out.val();
        self.load.first_space_in.next = self.tokens.load_execute_space_out.val();
        self.load.second_space_in.next = self.tokens.load_store_space_out.val();
        self.tokens.load_execute_pop_in.next = self.execute.pop_load_out.val();
        self.tokens.store_execute_pop_in.next = self.execute.pop_store_out.val();
        self.tokens.execute_load_reserve_in.next = self.execute.reserve_load_out.val();
        self.tokens.execute_store_reserve_in.next = self.execute.reserve_store_out.val();
        self.tokens.execute_load_push_in.next = self.execute.push_load_out.val();
        self.tokens.execute_store_push_in.next = self.datapath.push_store_out.val();
        self.execute.load_available_in.next = self.tokens.load_execute_available_out.val();
        self.execute.store_available_in.next = self.tokens.store_execute_available_out.val();
        self.execute.load_space_in.next = self.tokens.execute_load_space_out.val();
        self.execute.store_space_in.next = self.tokens.execute_store_space_out.val();
        self.tokens.load_store_pop_in.next = self.store.pop_first_out.val();
        self.tokens.execute_store_pop_in.next = self.store.pop_second_out.val();
        self.tokens.store_load_reserve_in.next = self.store.reserve_first_out.val();
        self.tokens.store_execute_reserve_in.next = self.store.reserve_second_out.val();
        self.tokens.store_load_push_in.next = self.store.push_first_out.val();
        self.tokens.store_execute_push_in.next = self.store.push_second_out.val();
        self.store.first_available_in.next = self.tokens.load_store_available_out.val();
        self.store.second_available_in.next = self.tokens.execute_store_available_out.val();
        self.store.first_space_in.next = self.tokens.store_load_space_out.val();
        self.store.second_space_in.next = self.tokens.store_execute_space_out.val();

        // Load: memory to buffers.
        self.read_request_valid_out.next = self.load.read_request_valid_out.val();
        self.load.read_request_ready_in.next = self.read_request_ready_in.val();
        self.read_request_address_out.next = self.load.read_request_address_out.val();
        self.read_request_beats_out.next = self.load.read_request_beats_out.val();
        self.load.read_data_valid_in.next = self.read_data_valid_in.val();
        self.read_data_ready_out.next = self.load.read_data_ready_out.val();
        self.load.read_data_in.next = self.read_data_in.val();
        self.activation_buffer.write_enable_in.next = self.load.activation_write_out.val();
        self.activation_buffer.write_addr_in.next = self.load.row_addr_out.val();
        self.activation_buffer.write_row_in.next = self.load.row_data_out.val();
        self.weight_buffer.write_enable_in.next = self.load.weight_write_out.val();
        self.weight_buffer.write_addr_in.next = self.load.row_addr_out.val();
        self.weight_buffer.write_row_in.next = self.load.row_data_out.val();
        self.parameter_buffer.write_enable_in.next = self.load.parameter_write_out.val();
        self.parameter_buffer.write_bank_in.next = self.load.row_bank_out.val();
        self.parameter_buffer.write_addr_in.next = self.load.row_addr_out.val();
        self.parameter_buffer.write_data_in.next = self.load.row_data_out.val();

        for i in 0..self._n_tables {
            self.store.table_write_in[i].next = self.load.table_write_out[i].val();
            self.store.table_addr_in[i].next = self.load.row_addr_out.val();
            self.store.table_data_in[i].next = self.load.row_data_out.val();
        }

        // Execute: buffers to accumulator.
        self.activation_buffer.read_enable_in.next = self.execute.activation_read_out.val();
        self.activation_buffer.read_addr_in.next = self.execute.activation_addr_out.val();
        self.datapath.activation_row_in.next = self.activation_buffer.read_row_out.val();
        self.datapath.row_valid_in.next = self.execute.row_valid_out.val();
        self.datapath.row_swap_in.next = self.execute.row_swap_out.val();
        self.datapath.row_control_in.next = self.execute.row_control_out.val();
        self.datapath.row_keep_in.next = self.execute.row_keep_out.val();
        self.datapath.row_pad_in.next = self.execute.row_pad_out.val();
        self.weight_buffer.read_enable_in.next = self.execute.weight_read_out.val();
        self.weight_buffer.read_addr_in.next = self.execute.weight_addr_out.val();
        self.datapath.weight_row_in.next = self.weight_buffer.read_row_out.val();
        self.datapath.weight_valid_in.next = self.execute.weight_valid_out.val();
        self.datapath.shift_rows_in.next = self.execute.shift_rows_out.val();

        // Store: accumulator to memory.
        self.datapath.store_addr_in.next = self.store.accumulator_addr_out.val();
        self.datapath.store_half_in.next = self.store.accumulator_half_out.val();
        self.store.accumulator_data_in.next = self.datapath.store_data_out.val();
        self.parameter_buffer.read_enable_in.next = self.store.read_out.val();
        self.parameter_buffer.read_addr_in.next = self.store.parameter_addr_out.val();
        self.store.parameter_data_in.next = self.parameter_buffer.read_data_out.val();
        self.write_request_valid_out.next = self.store.write_request_valid_out.val();
        self.store.write_request_ready_in.next = self.write_request_ready_in.val();
        self.write_request_address_out.next = self.store.write_request_address_out.val();
        self.write_request_beats_out.next = self.store.write_request_beats_out.val();
        self.write_data_valid_out.next = self.store.write_data_valid_out.val();
        self.store.write_data_ready_in.next = self.write_data_ready_in.val();
        self.write_data_out.next = self.store.write_data_out.val();
        self.write_data_strobe_out.next = self.store.write_data_strobe_out.val();
        self.store.write_response_valid_in.next = self.write_response_valid_in.val();
        self.write_response_ready_out.next = true.into();

        // Counters and status.
        self.counters.clear_in.next = self.fetch.clear_out.val();
        self.counters.enable_in.next = !self.fetch.finished_out.val();
        self.counters.execute_events_in.next = self.execute.execute_events_out.val();
        self.counters.execute_span_in.next = self.execute.execute_span_out.val();
        self.counters.load_events_in.next = self.load.load_events_out.val();
        self.counters.unpack_events_in.next = self.load.unpack_events_out.val();
        self.counters.store_events_in.next = self.store.store_events_out.val();
        self.counters.pack_events_in.next = self.store.pack_events_out.val();
        self.counters.read_beat_in.next = self.load.read_beat_out.val();
        self.counters.write_beat_in.next = self.store.write_beat_out.val();
        self.counters.activation_bits_in.next = self.load.activation_bits_out.val();
        self.counters.weight_bits_in.next = self.load.weight_bits_out.val();
        self.counters.parameter_bits_in.next = self.load.parameter_bits_out.val();
        self.counters.output_bits_in.next = self.store.output_bits_out.val();
        self.counters.command_in.next = self.fetch.transfer_out.val();
        self.execute_code.events_in.next = self.execute.execute_events_out.val();
        self.load_code.events_in.next = self.load.load_events_out.val();
        self.unpack_code.events_in.next = self.load.unpack_events_out.val();
        self.store_code.events_in.next = self.store.store_events_out.val();
        self.pack_code.events_in.next = self.store.pack_events_out.val();
        self.status.codes_in[0].next = self.execute_code.code_out.val();
        self.status.codes_in[1].next = self.load_code.code_out.val();
        self.status.codes_in[2].next = self.unpack_code.code_out.val();
        self.status.codes_in[3].next = self.store_code.code_out.val();
        self.status.codes_in[4].next = self.pack_code.code_out.val();
        self.counters.address_in.next = self.status_address_in.val();
        self.status.value_in.next = self.counters.value_out.val();
        self.status.address_in.next = self.status_address_in.val();
        self.status_data_out.next = self.status.data_out.val();
    }
}

ports!(
    Top, clock,
    in reset, command_valid_in, command_data_in, read_request_ready_in, read_data_valid_in, read_data_in,
    write_request_ready_in, write_data_ready_in, write_response_valid_in, status_address_in, done_ready_in;
    out command_ready_out, read_request_valid_out, read_request_address_out, read_request_beats_out, read_data_ready_out,
    write_request_valid_out, write_request_address_out, write_request_beats_out, write_data_valid_out, write_data_out,
    write_data_strobe_out, write_response_ready_out, status_data_out, done_valid_out
);

/// Emits the machine as Verilog; the header holds the configuration and how to emit it again.
///
/// # Errors
/// If the emitter refuses the design, which no configuration should bring about.
pub fn emit_top(config: &Config) -> Result<Emitted, EmitError> {
    let mut top = Top::new(config);
    top.connect_all();
    let version = env!("CARGO_PKG_VERSION");
    let header = format!(
        "Systole {version}: the machine `{}`.\n\
         Emitted by `systole emit --config FILE --out DIR` with this FILE:\n\n{}",
        config.name(),
        config.to_toml()
    );
    emit(&top, TOP, &header)
}
