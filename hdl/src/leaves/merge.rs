use super::{range, zero_extended};
use crate::prelude::*;

/// Adds a word to a partly filled one: `{high_out, low_out} = hold_in | word_in << position_in`. Latency 0.
///
/// `position_in` is 0..N for words of N bits.
#[derive(LogicBlock)]
pub struct Merge {
    pub hold_in: WireIn,
    pub word_in: WireIn,
    pub position_in: WireIn,
    pub low_out: WireOut,
    pub high_out: WireOut,
}

impl Merge {
    /// For words of `width` bits.
    pub fn new(width: usize) -> Merge {
        Merge {
            hold_in: WireIn::new(width),
            word_in: WireIn::new(width),
            position_in: WireIn::new(index_bits(width)),
            low_out: WireOut::new(width),
            high_out: WireOut::new(width),
        }
    }
}

impl Logic for Merge {
    module!(self, format!("merge_{}", self.hold_in.width()), "{high_out, low_out} = hold_in | word_in << position_in.");

    fn update(&mut self) {
        let width = self.hold_in.width();
        let placed = self.word_in.val().resized(2 * width) << self.position_in.val();
        let merged = placed | self.hold_in.val();
        self.low_out.next = merged.slice(0, width);
        self.high_out.next = merged.slice(width, width);
    }

    fn connect(&mut self) {
        self.low_out.connect();
        self.high_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let width = self.hold_in.width();
        let both = range(2 * width);
        let word = zero_extended("word_in", width, 2 * width);
        let (middle, top) = (width - 1, 2 * width - 1);
        Verilog::Custom(format!(
            "wire {both}placed = {word} << position_in;
assign low_out = hold_in | placed[{middle}:0];
assign high_out = placed[{top}:{width}];"
        ))
    }
}

ports!(Merge, in hold_in, word_in, position_in; out low_out, high_out);
