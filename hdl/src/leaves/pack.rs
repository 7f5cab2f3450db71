use crate::prelude::*;

/// Lanes side by side in a bus, lane 0 in the lowest bits. Latency 0; wiring only.
#[derive(LogicBlock)]
pub struct Pack {
    pub lanes_in: Vec<WireIn>,
    pub bus_out: WireOut,
}

impl Pack {
    /// `n_lanes` lanes of `width` bits.
    pub fn new(n_lanes: usize, width: usize) -> Pack {
        Pack { lanes_in: WireIn::vec(n_lanes, width), bus_out: WireOut::new(n_lanes * width) }
    }
}

impl Logic for Pack {
    module!(
        self,
        format!("pack_{}x{}", self.lanes_in.len(), self.lanes_in[0].width()),
        "Lanes side by side in a bus, lane 0 in the lowest bits."
    );

    fn update(&mut self) {
        let mut words = vec![0_u64; self.bus_out.width().div_ceil(64)];
        let mut position = 0;
        for lane in &self.lanes_in {
            let value = lane.val();
            for (i, word) in value.words().into_iter().enumerate().take(lane.width().div_ceil(64)) {
                let at = position + 64 * i;
                words[at / 64] |= word << (at % 64);
                if at % 64 != 0 && at / 64 + 1 < words.len() {
                    words[at / 64 + 1] |= word >> (64 - at % 64);
                }
            }
            position += lane.width();
        }
        self.bus_out.next = Bits::from_words(words, self.bus_out.width());
    }

    fn connect(&mut self) {
        self.bus_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let lanes: Vec<String> = (0..self.lanes_in.len()).rev().map(|lane| format!("    lanes_in_{lane}")).collect();
        Verilog::Custom(format!("assign bus_out = {{\n{}\n}};", lanes.join(",\n")))
    }
}
