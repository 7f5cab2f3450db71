use super::part;
use crate::prelude::*;

/// Some bits of a bus, side by side, the first range in the lowest bits. Latency 0; wiring only.
///
/// [`Scatter`] is the inverse.
#[derive(LogicBlock)]
pub struct Gather {
    pub bus_in: WireIn,
    pub bits_out: WireOut,
    _ranges: Vec<(usize, usize)>,
}

impl Gather {
    /// Takes the `ranges` (first bit, width) of a bus of `bus_bits` bits.
    pub fn new(bus_bits: usize, ranges: Vec<(usize, usize)>) -> Gather {
        Gather {
            bus_in: WireIn::new(bus_bits),
            bits_out: WireOut::new(ranges.iter().map(|(_, width)| width).sum()),
            _ranges: ranges,
        }
    }
}

impl Logic for Gather {
    module!(
        self,
        format!("gather_{}_{}", self.bus_in.width(), self.bits_out.width()),
        "Some bits of a bus, side by side."
    );

    fn update(&mut self) {
        let bus = self.bus_in.val();
        let mut bits = Bits::zero(self.bits_out.width());
        let mut at = 0;
        for &(from, width) in &self._ranges {
            bits.set_slice(at, &bus.slice(from, width));
            at += width;
        }
        self.bits_out.next = bits;
    }

    fn connect(&mut self) {
        self.bits_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let bus_bits = self.bus_in.width();
        let taken = |bit: usize| self._ranges.iter().any(|&(from, width)| (from..from + width).contains(&bit));
        let mut left: Vec<String> = Vec::new();
        let mut bit = 0;
        while bit < bus_bits {
            let end = (bit..bus_bits).find(|&at| taken(at) != taken(bit)).unwrap_or(bus_bits);
            if !taken(bit) {
                left.push(part("bus_in", bus_bits, bit, end - bit));
            }
            bit = end;
        }
        let parts = self._ranges.iter().rev().map(|&(from, width)| part("bus_in", bus_bits, from, width));
        let mut text = format!("assign bits_out = {{\n    {}\n}};", parts.collect::<Vec<_>>().join(",\n    "));
        if !left.is_empty() {
            text.push_str(&format!("\nwire unused_bus = &{{1'b0, {}}};", left.join(", ")));
        }
        Verilog::Custom(text)
    }
}

ports!(Gather, in bus_in; out bits_out);
