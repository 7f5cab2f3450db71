use crate::prelude::*;

/// A register. Latency 1.
///
/// - `reset` high at an edge: `d_out` becomes 0.
/// - Otherwise `d_out` becomes `d_in`.
#[derive(LogicBlock)]
pub struct Register {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub d_in: WireIn,
    pub d_out: WireOut,
}

impl Register {
    /// A register of `width` bits.
    pub fn new(width: usize) -> Register {
        Register {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            d_in: WireIn::new(width),
            d_out: WireOut::new(width),
        }
    }
}

impl Logic for Register {
    module!(self, format!("register_{}", self.d_in.width()), "A register with synchronous reset.");

    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.d_out.next = match self.reset.val().any() {
                true => Bits::zero(self.d_in.width()),
                false => self.d_in.val(),
            };
        }
    }

    fn connect(&mut self) {
        self.d_out.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(register_text(self.d_in.width()))
    }
}

ports!(Register, clock, in reset, d_in; out d_out);

/// The text of a register, by which the emitter knows one.
pub(crate) fn register_text(width: usize) -> String {
    format!(
        "always @(posedge clock) begin
    if (reset) d_out <= {width}'d0;
    else d_out <= d_in;
end"
    )
}
