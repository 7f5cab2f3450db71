use crate::prelude::*;

/// A register that holds its value unless enabled. Latency 1.
///
/// - `reset` high at an edge: `d_out` becomes 0.
/// - Otherwise, `enable_in` high: `d_out` becomes `d_in`.
/// - Otherwise `d_out` stays.
#[derive(LogicBlock)]
pub struct RegisterEnabled {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub enable_in: WireIn,
    pub d_in: WireIn,
    pub d_out: WireOut,
}

impl RegisterEnabled {
    /// A register of `width` bits.
    pub fn new(width: usize) -> RegisterEnabled {
        RegisterEnabled {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            enable_in: WireIn::new(1),
            d_in: WireIn::new(width),
            d_out: WireOut::new(width),
        }
    }
}

impl Logic for RegisterEnabled {
    module!(self, format!("register_enabled_{}", self.d_in.width()), "A register with synchronous reset and enable.");

    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.reset.val().any() {
                self.d_out.next = Bits::zero(self.d_in.width());
            } else if self.enable_in.val().any() {
                self.d_out.next = self.d_in.val();
            }
        }
    }

    fn connect(&mut self) {
        self.d_out.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(register_enabled_text(self.d_in.width()))
    }
}

ports!(RegisterEnabled, clock, in reset, enable_in, d_in; out d_out);

/// The text of an enabled register, by which the emitter knows one.
pub(crate) fn register_enabled_text(width: usize) -> String {
    format!(
        "always @(posedge clock) begin
    if (reset) d_out <= {width}'d0;
    else if (enable_in) d_out <= d_in;
end"
    )
}
