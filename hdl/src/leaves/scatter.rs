use crate::prelude::*;

/// Puts bits back where [`Gather`] took them; the other bits of the bus are 0. Latency 0; wiring only.
#[derive(LogicBlock)]
pub struct Scatter {
    pub bits_in: WireIn,
    pub bus_out: WireOut,
    _ranges: Vec<(usize, usize)>,
}

impl Scatter {
    /// Fills the `ranges` (first bit, width), in ascending order, of a bus of `bus_bits` bits.
    pub fn new(bus_bits: usize, ranges: Vec<(usize, usize)>) -> Scatter {
        Scatter {
            bits_in: WireIn::new(ranges.iter().map(|(_, width)| width).sum()),
            bus_out: WireOut::new(bus_bits),
            _ranges: ranges,
        }
    }
}

impl Logic for Scatter {
    module!(
        self,
        format!("scatter_{}_{}", self.bits_in.width(), self.bus_out.width()),
        "Puts bits at their places in a bus; the others are 0."
    );

    fn update(&mut self) {
        let bits = self.bits_in.val();
        let mut bus = Bits::zero(self.bus_out.width());
        let mut at = 0;
        for &(from, width) in &self._ranges {
            bus.set_slice(from, &bits.slice(at, width));
            at += width;
        }
        self.bus_out.next = bus;
    }

    fn connect(&mut self) {
        self.bus_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let (bits, bus_bits) = (self.bits_in.width(), self.bus_out.width());
        let mut parts = Vec::new();
        let (mut at, mut end) = (0, 0);
        for &(from, width) in &self._ranges {
            if from > end {
                parts.push(format!("{}'d0", from - end));
            }
            parts.push(super::part("bits_in", bits, at, width));
            at += width;
            end = from + width;
        }
        if bus_bits > end {
            parts.push(format!("{}'d0", bus_bits - end));
        }
        parts.reverse();
        Verilog::Custom(format!("assign bus_out = {{\n    {}\n}};", parts.join(",\n    ")))
    }
}

ports!(Scatter, in bits_in; out bus_out);
