use super::range;
use crate::prelude::*;

/// A few bits out of two neighbouring words: the low `count_in` bits of `{beat_in, hold_in} >> position_in`. Latency 0.
///
/// `position_in` is 0..2N, `count_in` 0..=N for words of N bits; bits beyond the two words are 0.
#[derive(LogicBlock)]
pub struct Extract {
    pub hold_in: WireIn,
    pub beat_in: WireIn,
    pub position_in: WireIn,
    pub count_in: WireIn,
    pub bits_out: WireOut,
}

impl Extract {
    /// For words of `width` bits.
    pub fn new(width: usize) -> Extract {
        Extract {
            hold_in: WireIn::new(width),
            beat_in: WireIn::new(width),
            position_in: WireIn::new(index_bits(2 * width)),
            count_in: WireIn::new(bits_for(width)),
            bits_out: WireOut::new(width),
        }
    }
}

impl Logic for Extract {
    module!(
        self,
        format!("extract_{}", self.hold_in.width()),
        "The low count_in bits of {beat_in, hold_in} >> position_in."
    );

    fn update(&mut self) {
        let width = self.hold_in.width();
        let mut both = self.hold_in.val().resized(2 * width);
        both.set_slice(width, &self.beat_in.val());
        let keep = !(Bits::ones(width) << self.count_in.val());
        self.bits_out.next = both.slice(self.position_in.val().index(), width) & keep;
    }

    fn connect(&mut self) {
        self.bits_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let width = self.hold_in.width();
        let (word, both, top) = (range(width), range(2 * width), 2 * width - 1);
        let low = if width == 1 { "shifted[0]".to_string() } else { format!("shifted[{}:0]", width - 1) };
        Verilog::Custom(format!(
            "wire {both}shifted = {{beat_in, hold_in}} >> position_in;
wire {word}dropped = {{{width}{{1'b1}}}} << count_in;
wire unused_shifted = &{{1'b0, shifted[{top}:{width}]}};
assign bits_out = {low} & ~dropped;"
        ))
    }
}

ports!(Extract, in hold_in, beat_in, position_in, count_in; out bits_out);
