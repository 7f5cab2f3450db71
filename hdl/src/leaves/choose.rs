use super::range;
use crate::prelude::*;

/// One of several words, chosen at run time; an index beyond the last gives 0. Latency 0.
///
/// [`Select`] does the same for a bus; a choice of separate words is cheaper to simulate when they are many.
#[derive(LogicBlock)]
pub struct Choose {
    pub words_in: Vec<WireIn>,
    pub index_in: WireIn,
    pub word_out: WireOut,
}

impl Choose {
    /// One of `n_words` words of `width` bits.
    pub fn new(n_words: usize, width: usize) -> Choose {
        Choose {
            words_in: WireIn::vec(n_words, width),
            index_in: WireIn::new(index_bits(n_words)),
            word_out: WireOut::new(width),
        }
    }
}

impl Logic for Choose {
    module!(
        self,
        format!("choose_{}x{}", self.words_in.len(), self.word_out.width()),
        "Word index_in of several; 0 beyond the last."
    );

    fn update(&mut self) {
        let word = self.words_in.get(self.index_in.val().index()).map(WireIn::val);
        self.word_out.next = word.unwrap_or(Bits::zero(self.word_out.width()));
    }

    fn connect(&mut self) {
        self.word_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let (width, idx_bits) = (self.word_out.width(), self.index_in.width());
        let word = |i: usize| format!("        {idx_bits}'d{i}: word = words_in_{i};");
        let words: Vec<String> = (0..self.words_in.len()).map(word).collect();
        Verilog::Custom(format!(
            "reg {}word;
always @(*) begin
    case (index_in)
{}
        default: word = {width}'d0;
    endcase
end
assign word_out = word;",
            range(width),
            words.join("\n")
        ))
    }
}
