//! Which activation rows a fold streams, and which of their lanes are padding.

use crate::prelude::*;
use crate::walk_fields::WalkFields;
use crate::widths::{bits, COMMAND_BITS, COUNT_BITS, STEP_BITS, X_BITS, Y_BITS};
use crate::Saturator;
use spec::Config;

/// Walks over lines of places: a buffer row each.
///
/// 1. `start_in` high at an edge: the walk of the execute command `fold_in` begins at its first place.
/// 2. `step_in` high at an edge: the next place; `activation_addr_out` is its buffer row.
/// 3. `row_keep_out` and `row_pad_out` belong to the place of the cycle before: lane r of its row is padding if bit r
///    of `row_keep_out` is low.
#[derive(LogicBlock)]
pub struct Walk {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub start_in: WireIn,
    pub step_in: WireIn,
    pub fold_in: WireIn,
    pub activation_addr_out: WireOut,
    pub row_keep_out: WireOut,
    pub row_pad_out: WireOut,
    fields: WalkFields,
    activation_addr: Register,
    line_addr: Register,
    inner_left: Register,
    x: Register,
    y: Register,
    inner_count: RegisterEnabled,
    inner_stride: RegisterEnabled,
    outer_stride: RegisterEnabled,
    pad: RegisterEnabled,
    x_start: RegisterEnabled,
    x_step: RegisterEnabled,
    x_limit: RegisterEnabled,
    y_step: RegisterEnabled,
    y_limit: RegisterEnabled,
    row_keep: Register,
    row_pad: Register,
    next_line: WireLocal,
    x_wide: WireLocal,
    first_lane: Saturator,
    end_lane: Saturator,
    keep: Strobe,
    n_lanes: Const,
}

impl Walk {
    pub fn new(config: &Config) -> Walk {
        let (rows, activation) = (config.geometry().rows(), bits(config.numerics().activation().bits()));
        let addr = index_bits(config.geometry().activation_buffer_rows());
        // Signed, and holds the number of lanes.
        let lane = bits_for(rows) + 1;
        Walk {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            start_in: WireIn::new(1),
            step_in: WireIn::new(1),
            fold_in: WireIn::new(COMMAND_BITS),
            activation_addr_out: WireOut::new(addr),
            row_keep_out: WireOut::new(rows),
            row_pad_out: WireOut::new(activation),
            fields: WalkFields::new(),
            activation_addr: Register::new(addr),
            line_addr: Register::new(addr),
            inner_left: Register::new(COUNT_BITS),
            x: Register::new(X_BITS),
            y: Register::new(Y_BITS),
            inner_count: RegisterEnabled::new(COUNT_BITS),
            inner_stride: RegisterEnabled::new(addr),
            outer_stride: RegisterEnabled::new(addr),
            pad: RegisterEnabled::new(activation),
            x_start: RegisterEnabled::new(X_BITS),
            x_step: RegisterEnabled::new(STEP_BITS),
            x_limit: RegisterEnabled::new(X_BITS),
            y_step: RegisterEnabled::new(STEP_BITS),
            y_limit: RegisterEnabled::new(Y_BITS),
            row_keep: Register::new(rows),
            row_pad: Register::new(activation),
            next_line: WireLocal::new(addr),
            x_wide: WireLocal::new(X_BITS + 1),
            first_lane: Saturator::new(X_BITS + 1, lane),
            end_lane: Saturator::new(X_BITS + 1, lane),
            keep: Strobe::new(rows),
            n_lanes: Const::new(rows as u128, lane), // widening
        }
    }
}

impl Logic for Walk {
    module!("walk", "Which activation rows a fold streams, and which of their lanes are padding.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, activation_addr, line_addr, inner_left, x, y, inner_count, inner_stride, outer_stride, pad);
        clock!(self, clock, x_start, x_step, x_limit, y_step, y_limit, row_keep, row_pad);
        self.activation_addr.reset.next = self.reset.val();
        self.line_addr.reset.next = self.reset.val();
        self.inner_left.reset.next = self.reset.val();
        self.x.reset.next = self.reset.val();
        self.y.reset.next = self.reset.val();
        self.inner_count.reset.next = self.reset.val();
        self.inner_stride.reset.next = self.reset.val();
        self.outer_stride.reset.next = self.reset.val();
        self.pad.reset.next = self.reset.val();
        self.x_start.reset.next = self.reset.val();
        self.x_step.reset.next = self.reset.val();
        self.x_limit.reset.next = self.reset.val();
        self.y_step.reset.next = self.reset.val();
        self.y_limit.reset.next = self.reset.val();
        self.row_keep.reset.next = self.reset.val();
        self.row_pad.reset.next = self.reset.val();

        self.fields.command_in.next = self.fold_in.val();
        self.inner_count.enable_in.next = self.start_in.val();
        self.inner_count.d_in.next = self.fields.inner_count_out.val();
        self.inner_stride.enable_in.next = self.start_in.val();
        self.inner_stride.d_in.next = self.fields.inner_stride_out.val();
        self.outer_stride.enable_in.next = self.start_in.val();
        self.outer_stride.d_in.next = self.fields.outer_stride_out.val();
        self.pad.enable_in.next = self.start_in.val();
        self.pad.d_in.next = self.fields.pad_out.val();
        self.x_start.enable_in.next = self.start_in.val();
        self.x_start.d_in.next = self.fields.x_start_out.val();
        self.x_step.enable_in.next = self.start_in.val();
        self.x_step.d_in.next = self.fields.x_step_out.val();
        self.x_limit.enable_in.next = self.start_in.val();
        self.x_limit.d_in.next = self.fields.x_limit_out.val();
        self.y_step.enable_in.next = self.start_in.val();
        self.y_step.d_in.next = self.fields.y_step_out.val();
        self.y_limit.enable_in.next = self.start_in.val();
        self.y_limit.d_in.next = self.fields.y_limit_out.val();

        self.next_line.next = self.line_addr.d_out.val() + self.outer_stride.d_out.val();
        self.activation_addr.d_in.next = self.activation_addr.d_out.val();
        self.line_addr.d_in.next = self.line_addr.d_out.val();
        self.inner_left.d_in.next = self.inner_left.d_out.val();
        self.x.d_in.next = self.x.d_out.val();
        self.y.d_in.next = self.y.d_out.val();
        if self.start_in.val().any() {
            self.activation_addr.d_in.next = self.fields.activation_row_out.val();
            self.line_addr.d_in.next = self.fields.activation_row_out.val();
            self.inner_left.d_in.next = self.fields.inner_count_out.val();
            self.x.d_in.next = self.fields.x_start_out.val();
            self.y.d_in.next = self.fields.y_start_out.val();
        } else if self.step_in.val().any() {
            if self.inner_left.d_out.val() > 1 {
                self.activation_addr.d_in.next = self.activation_addr.d_out.val() + self.inner_stride.d_out.val();
                self.inner_left.d_in.next = self.inner_left.d_out.val() - 1;
                self.x.d_in.next = self.x.d_out.val() + self.x_step.d_out.val();
            } else {
                self.activation_addr.d_in.next = self.next_line.val();
                self.line_addr.d_in.next = self.next_line.val();
                self.inner_left.d_in.next = self.inner_count.d_out.val();
                self.x.d_in.next = self.x_start.d_out.val();
                self.y.d_in.next = self.y.d_out.val() + self.y_step.d_out.val();
            }
        }

        self.x_wide.next = signed_cast(self.x.d_out.val());
        self.first_lane.value_in.next = self.x_wide.val() - self.x_limit.d_out.val();
        self.first_lane.low_in.next = 0.into();
        self.first_lane.high_in.next = self.n_lanes.val();
        self.end_lane.value_in.next = self.x_wide.val();
        self.end_lane.low_in.next = 0.into();
        self.end_lane.high_in.next = self.n_lanes.val();
        self.keep.first_in.next = self.first_lane.value_out.val();
        self.keep.end_in.next = self.end_lane.value_out.val();
        // A negative y is above every limit when read as unsigned.
        self.row_keep.d_in.next = 0.into();
        if self.y.d_out.val() < self.y_limit.d_out.val() {
            self.row_keep.d_in.next = self.keep.mask_out.val();
        }
        self.row_pad.d_in.next = self.pad.d_out.val();

        self.activation_addr_out.next = self.activation_addr.d_out.val();
        self.row_keep_out.next = self.row_keep.d_out.val();
        self.row_pad_out.next = self.row_pad.d_out.val();
    }
}

ports!(
    Walk, clock,
    in reset, start_in, step_in, fold_in;
    out activation_addr_out, row_keep_out, row_pad_out
);
