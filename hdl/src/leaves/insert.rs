use super::{range, zero_extended};
use crate::prelude::*;

/// A row with one word replaced: `row_out[slot_in * width +: width] = word_in`. Latency 0.
///
/// - Slot 0 starts a new row: the other words become 0.
/// - Otherwise the other words are those of `row_in`.
/// - A slot at or beyond the count replaces nothing.
#[derive(LogicBlock)]
pub struct Insert {
    pub row_in: WireIn,
    pub word_in: WireIn,
    pub slot_in: WireIn,
    pub row_out: WireOut,
    _n_words: usize,
}

impl Insert {
    /// A row of `n_words` words of `width` bits.
    pub fn new(n_words: usize, width: usize) -> Insert {
        Insert {
            row_in: WireIn::new(n_words * width),
            word_in: WireIn::new(width),
            slot_in: WireIn::new(index_bits(n_words)),
            row_out: WireOut::new(n_words * width),
            _n_words: n_words,
        }
    }
}

impl Logic for Insert {
    module!(
        self,
        format!("insert_{}x{}", self._n_words, self.word_in.width()),
        "A row with word slot_in replaced; slot 0 clears the other words."
    );

    fn update(&mut self) {
        let slot = self.slot_in.val().index();
        let mut row = match slot {
            0 => Bits::zero(self.row_in.width()),
            _ => self.row_in.val(),
        };
        row.set_slice(slot * self.word_in.width(), &self.word_in.val());
        self.row_out.next = row;
    }

    fn connect(&mut self) {
        self.row_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let (width, row) = (self.word_in.width(), self.row_in.width());
        let slot_bits = self.slot_in.width();
        let position_bits = slot_bits + bits_for(width);
        let slot = zero_extended("slot_in", slot_bits, position_bits);
        let word = zero_extended("word_in", width, row);
        let ones = zero_extended(&format!("{{{width}{{1'b1}}}}"), width, row);
        let (row_range, position_range) = (range(row), range(position_bits));
        Verilog::Custom(format!(
            "wire {position_range}position = {slot} * {position_bits}'d{width};
wire {row_range}replaced = {ones} << position;
wire {row_range}kept = (slot_in == {slot_bits}'d0) ? {row}'d0 : (row_in & ~replaced);
assign row_out = kept | ({word} << position);"
        ))
    }
}

ports!(Insert, in row_in, word_in, slot_in; out row_out);
