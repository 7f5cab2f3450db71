use crate::prelude::*;

/// The lanes of a bus, lane 0 from the lowest bits. Latency 0; wiring only.
#[derive(LogicBlock)]
pub struct Unpack {
    pub bus_in: WireIn,
    pub lanes_out: Vec<WireOut>,
}

impl Unpack {
    /// `n_lanes` lanes of `width` bits.
    pub fn new(n_lanes: usize, width: usize) -> Unpack {
        Unpack { bus_in: WireIn::new(n_lanes * width), lanes_out: WireOut::vec(n_lanes, width) }
    }
}

impl Logic for Unpack {
    module!(
        self,
        format!("unpack_{}x{}", self.lanes_out.len(), self.lanes_out[0].width()),
        "The lanes of a bus, lane 0 from the lowest bits."
    );

    fn update(&mut self) {
        let bus = self.bus_in.val();
        for (i, lane) in self.lanes_out.iter_mut().enumerate() {
            lane.next = bus.slice(i * lane.width(), lane.width());
        }
    }

    fn connect(&mut self) {
        for lane in &mut self.lanes_out {
            lane.connect();
        }
    }

    fn hdl(&self) -> Verilog {
        let width = self.lanes_out[0].width();
        let line = |lane: usize| match self.bus_in.width() {
            1 => "assign lanes_out_0 = bus_in;".to_string(),
            _ if width == 1 => format!("assign lanes_out_{lane} = bus_in[{lane}];"),
            _ => format!("assign lanes_out_{lane} = bus_in[{}:{}];", (lane + 1) * width - 1, lane * width),
        };
        let lines: Vec<String> = (0..self.lanes_out.len()).map(line).collect();
        Verilog::Custom(lines.join("\n"))
    }
}
