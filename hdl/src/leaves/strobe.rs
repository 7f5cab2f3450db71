use crate::prelude::*;

/// A range of bits, such as the bytes of a word that are written: bit i of `mask_out` is set if `first_in <= i <
/// end_in`. Latency 0.
#[derive(LogicBlock)]
pub struct Strobe {
    pub first_in: WireIn,
    pub end_in: WireIn,
    pub mask_out: WireOut,
}

impl Strobe {
    /// For `n_bits` bits; both positions are 0..=n_bits.
    pub fn new(n_bits: usize) -> Strobe {
        Strobe {
            first_in: WireIn::new(bits_for(n_bits)),
            end_in: WireIn::new(bits_for(n_bits)),
            mask_out: WireOut::new(n_bits),
        }
    }
}

impl Logic for Strobe {
    module!(self, format!("strobe_{}", self.mask_out.width()), "Bit i of mask_out is set if first_in <= i < end_in.");

    fn update(&mut self) {
        let n_bits = self.mask_out.width();
        let from = Bits::ones(n_bits) << self.first_in.val();
        let to = Bits::ones(n_bits) << self.end_in.val();
        self.mask_out.next = from & !to;
    }

    fn connect(&mut self) {
        self.mask_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let n = self.mask_out.width();
        Verilog::Custom(format!("assign mask_out = ({{{n}{{1'b1}}}} << first_in) & ~({{{n}{{1'b1}}}} << end_in);"))
    }
}

ports!(Strobe, in first_in, end_in; out mask_out);
