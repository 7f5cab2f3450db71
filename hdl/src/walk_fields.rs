//! The fields of an execute command's walk.

use crate::prelude::*;
use crate::widths::{COMMAND_BITS, COUNT_BITS, STEP_BITS, X_BITS, Y_BITS};

/// Takes the walk of an execute command apart: which activation rows are streamed, and which of their lanes are
/// padding. Wiring only.
#[derive(LogicBlock)]
pub struct WalkFields {
    pub command_in: WireIn,
    pub activation_row_out: WireOut,
    pub inner_count_out: WireOut,
    pub inner_stride_out: WireOut,
    pub outer_stride_out: WireOut,
    pub pad_out: WireOut,
    pub x_start_out: WireOut,
    pub x_step_out: WireOut,
    pub x_limit_out: WireOut,
    pub y_step_out: WireOut,
    pub y_start_out: WireOut,
    pub y_limit_out: WireOut,
}

impl WalkFields {
    #[allow(clippy::new_without_default)] // a block is built, not defaulted
    pub fn new() -> WalkFields {
        WalkFields {
            command_in: WireIn::new(COMMAND_BITS),
            activation_row_out: WireOut::new(COUNT_BITS),
            inner_count_out: WireOut::new(COUNT_BITS),
            inner_stride_out: WireOut::new(COUNT_BITS),
            outer_stride_out: WireOut::new(COUNT_BITS),
            pad_out: WireOut::new(COUNT_BITS),
            x_start_out: WireOut::new(X_BITS),
            x_step_out: WireOut::new(STEP_BITS),
            x_limit_out: WireOut::new(X_BITS),
            y_step_out: WireOut::new(STEP_BITS),
            y_start_out: WireOut::new(Y_BITS),
            y_limit_out: WireOut::new(Y_BITS),
        }
    }
}

impl Logic for WalkFields {
    module!("walk_fields", "The fields of an execute command's walk.");

    #[hdl_gen]
    fn update(&mut self) {
        self.activation_row_out.next = self.command_in.val() >> 32;
        self.inner_count_out.next = self.command_in.val() >> 96;
        self.inner_stride_out.next = self.command_in.val() >> 112;
        self.outer_stride_out.next = self.command_in.val() >> 128;
        self.pad_out.next = self.command_in.val() >> 144;
        self.x_start_out.next = self.command_in.val() >> 160;
        self.x_step_out.next = self.command_in.val() >> 180;
        self.x_limit_out.next = self.command_in.val() >> 192;
        self.y_step_out.next = self.command_in.val() >> 212;
        self.y_start_out.next = self.command_in.val() >> 224;
        self.y_limit_out.next = self.command_in.val() >> 240;
    }
}

ports!(
    WalkFields,
    in command_in;
    out activation_row_out, inner_count_out, inner_stride_out, outer_stride_out, pad_out, x_start_out, x_step_out,
    x_limit_out, y_step_out, y_start_out, y_limit_out
);
