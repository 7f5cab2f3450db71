use crate::prelude::*;

/// The low `count_in` bits of a word, zeros above. Latency 0.
///
/// `count_in` is 0..=N for words of N bits.
#[derive(LogicBlock)]
pub struct Mask {
    pub word_in: WireIn,
    pub count_in: WireIn,
    pub word_out: WireOut,
}

impl Mask {
    /// For words of `width` bits.
    pub fn new(width: usize) -> Mask {
        Mask { word_in: WireIn::new(width), count_in: WireIn::new(bits_for(width)), word_out: WireOut::new(width) }
    }
}

impl Logic for Mask {
    module!(self, format!("mask_{}", self.word_in.width()), "The low count_in bits of word_in, zeros above.");

    fn update(&mut self) {
        let dropped = Bits::ones(self.word_in.width()) << self.count_in.val();
        self.word_out.next = self.word_in.val() & !dropped;
    }

    fn connect(&mut self) {
        self.word_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let width = self.word_in.width();
        Verilog::Custom(format!("assign word_out = word_in & ~({{{width}{{1'b1}}}} << count_in);"))
    }
}

ports!(Mask, in word_in, count_in; out word_out);
