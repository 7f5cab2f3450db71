//! The stream unit of execute: activation rows from the buffer through the mesh.

use crate::execute_fields::ExecuteFields;
use crate::prelude::*;
use crate::row_control;
use crate::walk::Walk;
use crate::widths::{bits, ACCUMULATOR_STEP_BITS, COMMAND_BITS, COUNT_BITS};
use spec::Config;

/// Cycles after the last row was read during which rows are still on their way to the accumulator:
/// `drain_left` starts from R + C + S + this.
const DRAIN_CYCLES: usize = 2;
/// What is left of them when the last psum register has been written.
const SPAN_END: usize = 3;

/// Reads the activation rows of a fold, one a cycle, and sends a control word with each.
///
/// 1. `start_in` high at an edge, only while `active_out` is low or `last_out` is high: the fold is captured from the
///    execute command `fold_in`.
/// 2. `push_load_out` comes with the first row, or with the last one if the fold asks for it late.
/// 3. `row_valid_out`, `row_swap_out`, `row_control_out` (layout in [`row_control`]), `row_keep_out` and `row_pad_out`
///    (see [`Walk`]) belong to the row read in the cycle before.
#[derive(LogicBlock)]
pub struct Stream {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub start_in: WireIn,
    pub fold_in: WireIn,
    pub active_out: WireOut,
    pub last_out: WireOut,
    /// Rows are on their way: before the accumulator has written the last one.
    pub drain_out: WireOut,
    /// Rows are on their way: before the last psum register has been written.
    pub span_out: WireOut,
    pub push_load_out: WireOut,
    pub activation_addr_out: WireOut,
    pub row_valid_out: WireOut,
    pub row_swap_out: WireOut,
    pub row_control_out: WireOut,
    pub row_keep_out: WireOut,
    pub row_pad_out: WireOut,
    fields: ExecuteFields,
    walk: Walk,
    active: Register,
    first: Register,
    rows_left: Register,
    accumulator_addr: Register,
    half: RegisterEnabled,
    overwrite: RegisterEnabled,
    maximum: RegisterEnabled,
    accumulator_step: RegisterEnabled,
    push_late: RegisterEnabled,
    push_load: RegisterEnabled,
    push_store: RegisterEnabled,
    drain_left: Register,
    row_valid: Register,
    row_swap: Register,
    row_control: Register,
    is_last: WireLocal,
    overwrites: WireLocal,
    push_time: WireLocal,
    control: Join,
    drain_cycles: Const,
    span_end: Const,
}

impl Stream {
    pub fn new(config: &Config) -> Stream {
        let g = config.geometry();
        let accumulator_addr_bits = index_bits(g.accumulator_rows());
        let drain_cycles = g.rows() + g.cols() + g.multiplier_stages() + DRAIN_CYCLES;
        let drain_bits = bits_for(drain_cycles);
        let control_bits = row_control::bits(config);
        Stream {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            start_in: WireIn::new(1),
            fold_in: WireIn::new(COMMAND_BITS),
            active_out: WireOut::new(1),
            last_out: WireOut::new(1),
            drain_out: WireOut::new(1),
            span_out: WireOut::new(1),
            push_load_out: WireOut::new(1),
            activation_addr_out: WireOut::new(index_bits(g.activation_buffer_rows())),
            row_valid_out: WireOut::new(1),
            row_swap_out: WireOut::new(1),
            row_control_out: WireOut::new(control_bits),
            row_keep_out: WireOut::new(g.rows()),
            row_pad_out: WireOut::new(bits(config.numerics().activation().bits())),
            fields: ExecuteFields::new(),
            walk: Walk::new(config),
            active: Register::new(1),
            first: Register::new(1),
            rows_left: Register::new(COUNT_BITS),
            accumulator_addr: Register::new(accumulator_addr_bits),
            half: RegisterEnabled::new(1),
            overwrite: RegisterEnabled::new(1),
            maximum: RegisterEnabled::new(1),
            accumulator_step: RegisterEnabled::new(ACCUMULATOR_STEP_BITS),
            push_late: RegisterEnabled::new(1),
            push_load: RegisterEnabled::new(1),
            push_store: RegisterEnabled::new(1),
            drain_left: Register::new(drain_bits),
            row_valid: Register::new(1),
            row_swap: Register::new(1),
            row_control: Register::new(control_bits),
            is_last: WireLocal::new(1),
            overwrites: WireLocal::new(1),
            push_time: WireLocal::new(1),
            control: Join::new(&row_control::widths(config)),
            drain_cycles: Const::new(drain_cycles as u128, drain_bits), // widening
            span_end: Const::new(SPAN_END as u128, drain_bits),         // widening
        }
    }
}

impl Logic for Stream {
    module!("stream", "Reads the activation rows of a fold and sends a control word with each.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, walk, active, first, rows_left, accumulator_addr, drain_left, maximum, accumulator_step);
        clock!(self, clock, half, overwrite, push_late, push_load, push_store, row_valid, row_swap, row_control);
        self.active.reset.next = self.reset.val();
        self.first.reset.next = self.reset.val();
        self.rows_left.reset.next = self.reset.val();
        self.walk.reset.next = self.reset.val();
        self.accumulator_addr.reset.next = self.reset.val();
        self.half.reset.next = self.reset.val();
        self.overwrite.reset.next = self.reset.val();
        self.maximum.reset.next = self.reset.val();
        self.accumulator_step.reset.next = self.reset.val();
        self.push_late.reset.next = self.reset.val();
        self.push_load.reset.next = self.reset.val();
        self.push_store.reset.next = self.reset.val();
        self.drain_left.reset.next = self.reset.val();
        self.row_valid.reset.next = self.reset.val();
        self.row_swap.reset.next = self.reset.val();
        self.row_control.reset.next = self.reset.val();

        self.fields.command_in.next = self.fold_in.val();
        self.half.enable_in.next = self.start_in.val();
        self.half.d_in.next = self.fields.half_out.val();
        self.overwrite.enable_in.next = self.start_in.val();
        self.overwrite.d_in.next = self.fields.overwrite_out.val();
        self.maximum.enable_in.next = self.start_in.val();
        self.maximum.d_in.next = self.fields.maximum_out.val();
        self.accumulator_step.enable_in.next = self.start_in.val();
        self.accumulator_step.d_in.next = self.fields.accumulator_step_out.val();
        self.push_late.enable_in.next = self.start_in.val();
        self.push_late.d_in.next = self.fields.push_late_out.val();
        self.push_load.enable_in.next = self.start_in.val();
        self.push_load.d_in.next = self.fields.push_load_out.val();
        self.push_store.enable_in.next = self.start_in.val();
        self.push_store.d_in.next = self.fields.push_store_out.val();

        self.is_last.next = self.active.d_out.val() & (self.rows_left.d_out.val() == 1);
        self.active.d_in.next = self.active.d_out.val() & !self.is_last.val();
        self.first.d_in.next = self.first.d_out.val();
        self.rows_left.d_in.next = self.rows_left.d_out.val();
        self.accumulator_addr.d_in.next = self.accumulator_addr.d_out.val();
        self.drain_left.d_in.next = self.drain_left.d_out.val();
        if self.active.d_out.val().any() {
            self.first.d_in.next = false.into();
            self.rows_left.d_in.next = self.rows_left.d_out.val() - 1;
            self.accumulator_addr.d_in.next = self.accumulator_addr.d_out.val() + self.accumulator_step.d_out.val();
            self.drain_left.d_in.next = self.drain_cycles.val();
        } else if self.drain_left.d_out.val().any() {
            self.drain_left.d_in.next = self.drain_left.d_out.val() - 1;
        }
        if self.start_in.val().any() {
            self.active.d_in.next = true.into();
            self.first.d_in.next = true.into();
            self.rows_left.d_in.next = self.fields.rows_out.val();
            self.accumulator_addr.d_in.next = self.fields.accumulator_row_out.val();
        }

        self.walk.start_in.next = self.start_in.val();
        self.walk.step_in.next = self.active.d_out.val();
        self.walk.fold_in.next = self.fold_in.val();
        self.activation_addr_out.next = self.walk.activation_addr_out.val();
        self.row_keep_out.next = self.walk.row_keep_out.val();
        self.row_pad_out.next = self.walk.row_pad_out.val();

        self.push_time.next = self.active.d_out.val() & self.first.d_out.val();
        if self.push_late.d_out.val().any() {
            self.push_time.next = self.is_last.val();
        }
        self.push_load_out.next = self.push_time.val() & self.push_load.d_out.val();

        // With a step of 0 all rows go to one accumulator row.
        self.overwrites.next =
            self.overwrite.d_out.val() & (self.first.d_out.val() | self.accumulator_step.d_out.val().any());
        self.control.parts_in[0].next = self.active.d_out.val();
        self.control.parts_in[1].next = self.half.d_out.val();
        self.control.parts_in[2].next = self.overwrites.val();
        self.control.parts_in[3].next = self.is_last.val() & self.push_store.d_out.val();
        self.control.parts_in[4].next = self.maximum.d_out.val();
        self.control.parts_in[5].next = self.accumulator_addr.d_out.val();
        self.row_control.d_in.next = self.control.bus_out.val();
        self.row_valid.d_in.next = self.active.d_out.val();
        self.row_swap.d_in.next = self.active.d_out.val() & self.first.d_out.val();

        self.active_out.next = self.active.d_out.val();
        self.last_out.next = self.is_last.val();
        self.drain_out.next = (self.drain_left.d_out.val() != 0).into();
        self.span_out.next = (self.drain_left.d_out.val() > self.span_end.val()).into();
        self.row_valid_out.next = self.row_valid.d_out.val();
        self.row_swap_out.next = self.row_swap.d_out.val();
        self.row_control_out.next = self.row_control.d_out.val();
    }
}

ports!(
    Stream, clock,
    in reset, start_in, fold_in;
    out active_out, last_out, drain_out, span_out, push_load_out, activation_addr_out, row_valid_out, row_swap_out,
    row_control_out, row_keep_out, row_pad_out
);
