use crate::prelude::*;

/// Parts of any widths side by side in a bus, part 0 in the lowest bits. Latency 0; wiring only.
#[derive(LogicBlock)]
pub struct Join {
    pub parts_in: Vec<WireIn>,
    pub bus_out: WireOut,
}

impl Join {
    /// A part for each of `widths`.
    pub fn new(widths: &[usize]) -> Join {
        Join {
            parts_in: widths.iter().map(|&width| WireIn::new(width)).collect(),
            bus_out: WireOut::new(widths.iter().sum()),
        }
    }
}

impl Logic for Join {
    module!(
        self,
        format!("join_{}_{}", self.parts_in.len(), self.bus_out.width()),
        "Parts of several widths side by side, part 0 in the lowest bits."
    );

    fn update(&mut self) {
        let mut bus = Bits::zero(self.bus_out.width());
        let mut from = 0;
        for part in &self.parts_in {
            bus.set_slice(from, &part.val());
            from += part.width();
        }
        self.bus_out.next = bus;
    }

    fn connect(&mut self) {
        self.bus_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let parts: Vec<String> = (0..self.parts_in.len()).rev().map(|part| format!("    parts_in_{part}")).collect();
        Verilog::Custom(format!("assign bus_out = {{\n{}\n}};", parts.join(",\n")))
    }
}
