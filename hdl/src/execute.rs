//! The execute engine.

use crate::execute_fields::ExecuteFields;
use crate::issue::Issue;
use crate::preload::Preload;
use crate::prelude::*;
use crate::row_control;
use crate::stream::Stream;
use crate::widths::{bits, COMMAND_BITS};
use spec::{Config, Counter};

/// Takes execute commands; preloads one fold's weights while the fold before streams.
///
/// 1. A command is taken when nothing is being preloaded or waits for the stream unit, or in the cycle in which the
///    fold that waits starts to stream. A taken command is preloaded at once.
/// 2. A preloaded fold starts to stream when the fold before has read its last row; until then it is pending.
/// 3. Nothing that was taken ever waits for a token, and a streamed row never stalls.
///
/// The event bus has one bit a counter, the lowest index in bit 0; exactly one bit is high in every cycle.
#[derive(LogicBlock)]
pub struct Execute {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub command_valid_in: WireIn,
    pub command_in: WireIn,
    pub take_out: WireOut,
    pub load_available_in: WireIn,
    pub store_available_in: WireIn,
    pub load_space_in: WireIn,
    pub store_space_in: WireIn,
    pub pop_load_out: WireOut,
    pub pop_store_out: WireOut,
    pub reserve_load_out: WireOut,
    pub reserve_store_out: WireOut,
    pub push_load_out: WireOut,
    pub weight_read_out: WireOut,
    pub weight_addr_out: WireOut,
    pub weight_valid_out: WireOut,
    pub shift_rows_out: WireOut,
    pub activation_read_out: WireOut,
    pub activation_addr_out: WireOut,
    pub row_valid_out: WireOut,
    pub row_swap_out: WireOut,
    pub row_control_out: WireOut,
    pub row_keep_out: WireOut,
    pub row_pad_out: WireOut,
    pub finish_held_in: WireIn,
    pub idle_out: WireOut,
    /// Counters `execute_stream` .. `execute_wait_space`.
    pub execute_events_out: WireOut,
    pub execute_span_out: WireOut,
    fields: ExecuteFields,
    issue: Issue,
    preload: Preload,
    stream: Stream,
    pending: Register,
    // The command of the fold that is preloaded.
    fold: RegisterEnabled,
    events: Pack,
    is_preloaded: WireLocal,
    start: WireLocal,
    take: WireLocal,
    is_quiet: WireLocal,
}

impl Execute {
    pub fn new(config: &Config) -> Execute {
        let g = config.geometry();
        let n_events = Counter::GROUPS[0].len();
        Execute {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            command_valid_in: WireIn::new(1),
            command_in: WireIn::new(COMMAND_BITS),
            take_out: WireOut::new(1),
            load_available_in: WireIn::new(1),
            store_available_in: WireIn::new(1),
            load_space_in: WireIn::new(1),
            store_space_in: WireIn::new(1),
            pop_load_out: WireOut::new(1),
            pop_store_out: WireOut::new(1),
            reserve_load_out: WireOut::new(1),
            reserve_store_out: WireOut::new(1),
            push_load_out: WireOut::new(1),
            weight_read_out: WireOut::new(1),
            weight_addr_out: WireOut::new(index_bits(g.weight_buffer_rows())),
            weight_valid_out: WireOut::new(1),
            shift_rows_out: WireOut::new(g.rows()),
            activation_read_out: WireOut::new(1),
            activation_addr_out: WireOut::new(index_bits(g.activation_buffer_rows())),
            row_valid_out: WireOut::new(1),
            row_swap_out: WireOut::new(1),
            row_control_out: WireOut::new(row_control::bits(config)),
            row_keep_out: WireOut::new(g.rows()),
            row_pad_out: WireOut::new(bits(config.numerics().activation().bits())),
            finish_held_in: WireIn::new(1),
            idle_out: WireOut::new(1),
            execute_events_out: WireOut::new(n_events),
            execute_span_out: WireOut::new(1),
            fields: ExecuteFields::new(),
            issue: Issue::new(),
            preload: Preload::new(config),
            stream: Stream::new(config),
            pending: Register::new(1),
            fold: RegisterEnabled::new(COMMAND_BITS),
            events: Pack::new(n_events, 1),
            is_preloaded: WireLocal::new(1),
            start: WireLocal::new(1),
            take: WireLocal::new(1),
            is_quiet: WireLocal::new(1),
        }
    }
}

impl Logic for Execute {
    module!("execute", "The execute engine: preloads the weights of a fold while the fold before streams.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, preload, stream, pending, fold);
        self.preload.reset.next = self.reset.val();
        self.stream.reset.next = self.reset.val();
        self.pending.reset.next = self.reset.val();
        self.fold.reset.next = self.reset.val();

        // Issue.
        self.is_preloaded.next = self.preload.last_out.val() | self.pending.d_out.val();
        self.start.next = self.is_preloaded.val() & (!self.stream.active_out.val() | self.stream.last_out.val());
        self.pending.d_in.next = self.is_preloaded.val() & !self.start.val();
        self.fields.command_in.next = self.command_in.val();
        self.issue.ready_in.next = self.start.val() | !(self.preload.active_out.val() | self.pending.d_out.val());
        self.issue.command_valid_in.next = self.command_valid_in.val();
        self.issue.pop_first_in.next = self.fields.pop_load_out.val();
        self.issue.pop_second_in.next = self.fields.pop_store_out.val();
        self.issue.push_first_in.next = self.fields.push_load_out.val();
        self.issue.push_second_in.next = self.fields.push_store_out.val();
        self.issue.first_available_in.next = self.load_available_in.val();
        self.issue.second_available_in.next = self.store_available_in.val();
        self.issue.first_space_in.next = self.load_space_in.val();
        self.issue.second_space_in.next = self.store_space_in.val();
        self.issue.job_space_in.next = true.into();
        self.take.next = self.issue.take_out.val();
        self.take_out.next = self.take.val();
        self.pop_load_out.next = self.issue.pop_first_out.val();
        self.pop_store_out.next = self.issue.pop_second_out.val();
        self.reserve_load_out.next = self.issue.reserve_first_out.val();
        self.reserve_store_out.next = self.issue.reserve_second_out.val();

        // The fold being preloaded.
        self.fold.enable_in.next = self.take.val();
        self.fold.d_in.next = self.command_in.val();
        self.preload.start_in.next = self.take.val();
        self.preload.weight_row_in.next = self.fields.weight_row_out.val();
        self.preload.k_in.next = self.fields.k_out.val();
        self.weight_read_out.next = self.preload.active_out.val();
        self.weight_addr_out.next = self.preload.weight_addr_out.val();
        self.weight_valid_out.next = self.preload.weight_valid_out.val();
        self.shift_rows_out.next = self.preload.shift_rows_out.val();

        // The fold that streams.
        self.stream.start_in.next = self.start.val();
        self.stream.fold_in.next = self.fold.d_out.val();
        self.push_load_out.next = self.stream.push_load_out.val();
        self.activation_read_out.next = self.stream.active_out.val();
        self.activation_addr_out.next = self.stream.activation_addr_out.val();
        self.row_valid_out.next = self.stream.row_valid_out.val();
        self.row_swap_out.next = self.stream.row_swap_out.val();
        self.row_control_out.next = self.stream.row_control_out.val();
        self.row_keep_out.next = self.stream.row_keep_out.val();
        self.row_pad_out.next = self.stream.row_pad_out.val();

        // What it does. A quiet engine can always issue, so `issue` knows what it waits for.
        self.events.lanes_in[0].next = self.stream.active_out.val();
        self.events.lanes_in[1].next =
            !self.stream.active_out.val() & (self.preload.active_out.val() | self.take.val());
        self.is_quiet.next = !(self.stream.active_out.val() | self.preload.active_out.val());
        self.events.lanes_in[2].next =
            self.is_quiet.val() & self.issue.wait_command_out.val() & self.finish_held_in.val();
        self.events.lanes_in[3].next =
            self.is_quiet.val() & self.issue.wait_command_out.val() & !self.finish_held_in.val();
        self.events.lanes_in[4].next = self.is_quiet.val() & self.issue.wait_first_out.val();
        self.events.lanes_in[5].next = self.is_quiet.val() & self.issue.wait_second_out.val();
        self.events.lanes_in[6].next = self.is_quiet.val() & self.issue.wait_space_out.val();
        self.execute_events_out.next = self.events.bus_out.val();
        self.execute_span_out.next = self.preload.active_out.val()
            | self.pending.d_out.val()
            | self.stream.active_out.val()
            | self.stream.span_out.val();
        self.idle_out.next = !(self.preload.active_out.val()
            | self.pending.d_out.val()
            | self.stream.active_out.val()
            | self.stream.drain_out.val());
    }
}

ports!(
    Execute, clock,
    in reset, command_valid_in, command_in, load_available_in, store_available_in, load_space_in, store_space_in,
    finish_held_in;
    out take_out, pop_load_out, pop_store_out, reserve_load_out, reserve_store_out, push_load_out, weight_read_out,
    weight_addr_out, weight_valid_out, shift_rows_out, activation_read_out, activation_addr_out, row_valid_out,
    row_swap_out, row_control_out, row_keep_out, row_pad_out, idle_out, execute_events_out, execute_span_out
);
