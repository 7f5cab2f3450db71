use super::{range, zero_extended};
use crate::prelude::*;

/// One word of a bus, chosen at run time: `word_out = bus_in[index_in * width +: width]`. Latency 0.
///
/// An index at or beyond the count gives 0.
#[derive(LogicBlock)]
pub struct Select {
    pub bus_in: WireIn,
    pub index_in: WireIn,
    pub word_out: WireOut,
    _n_words: usize,
}

impl Select {
    /// A bus of `n_words` words of `width` bits.
    pub fn new(n_words: usize, width: usize) -> Select {
        Select {
            bus_in: WireIn::new(n_words * width),
            index_in: WireIn::new(index_bits(n_words)),
            word_out: WireOut::new(width),
            _n_words: n_words,
        }
    }
}

impl Logic for Select {
    module!(
        self,
        format!("select_{}x{}", self._n_words, self.word_out.width()),
        "Word index_in of a bus; 0 beyond its end."
    );

    fn update(&mut self) {
        let width = self.word_out.width();
        self.word_out.next = self.bus_in.val().slice(self.index_in.val().index() * width, width);
    }

    fn connect(&mut self) {
        self.word_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let (width, bus) = (self.word_out.width(), self.bus_in.width());
        let index_bits = self.index_in.width();
        let position_bits = index_bits + bits_for(width);
        let index = zero_extended("index_in", index_bits, position_bits);
        let (bus_range, position_range) = (range(bus), range(position_bits));
        let rest = match bus - width {
            0 => "assign word_out = shifted;".to_string(),
            _ => format!(
                "assign word_out = shifted[{}:0];\nwire unused_shifted = &{{1'b0, shifted[{}:{width}]}};",
                width - 1,
                bus - 1
            ),
        };
        Verilog::Custom(format!(
            "wire {position_range}position = {index} * {position_bits}'d{width};
wire {bus_range}shifted = bus_in >> position;
{rest}"
        ))
    }
}

ports!(Select, in bus_in, index_in; out word_out);
