use super::range;
use crate::prelude::*;

/// A row with padding: lane i is that of `row_in` if bit i of `keep_in` is high, else `pad_in`. Latency 0.
#[derive(LogicBlock)]
pub struct PadLanes {
    pub row_in: WireIn,
    pub keep_in: WireIn,
    pub pad_in: WireIn,
    pub row_out: WireOut,
}

impl PadLanes {
    /// For rows of `n_lanes` lanes of `width` bits.
    pub fn new(n_lanes: usize, width: usize) -> PadLanes {
        PadLanes {
            row_in: WireIn::new(n_lanes * width),
            keep_in: WireIn::new(n_lanes),
            pad_in: WireIn::new(width),
            row_out: WireOut::new(n_lanes * width),
        }
    }
}

impl Logic for PadLanes {
    module!(
        self,
        format!("pad_lanes_{}x{}", self.keep_in.width(), self.pad_in.width()),
        "A row whose lanes are pad_in where their bit of keep_in is low."
    );

    fn update(&mut self) {
        let width = self.pad_in.width();
        let mut row = self.row_in.val();
        for lane in 0..self.keep_in.width() {
            if !self.keep_in.val().get_bit(lane).any() {
                row.set_slice(lane * width, &self.pad_in.val());
            }
        }
        self.row_out.next = row;
    }

    fn connect(&mut self) {
        self.row_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let (n_lanes, width, row) = (self.keep_in.width(), self.pad_in.width(), range(self.row_in.width()));
        // One lane is no vector of bits to keep.
        if n_lanes == 1 {
            return Verilog::Custom("assign row_out = keep_in ? row_in : pad_in;".to_string());
        }
        Verilog::Custom(format!(
            "reg {row}row;
integer lane;
always @(*) begin
    row = {{{n_lanes}{{pad_in}}}};
    for (lane = 0; lane < {n_lanes}; lane = lane + 1) begin
        if (keep_in[lane]) row[lane * {width} +: {width}] = row_in[lane * {width} +: {width}];
    end
end
assign row_out = row;"
        ))
    }
}

ports!(PadLanes, in row_in, keep_in, pad_in; out row_out);
