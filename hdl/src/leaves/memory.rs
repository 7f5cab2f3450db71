use super::range;
use crate::prelude::*;

/// What a read of the address that is being written gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collision {
    /// The old data. Costs registers and a comparator where the block RAM does not do it by itself (iCE40).
    OldData,
    /// Does not happen: the design never reads the address that it writes in the same cycle. Tools may then use the bare
    /// block RAM.
    Never,
}

/// A memory with one write port and one synchronous read port, which tools infer as block RAM. Latency 1.
///
/// - `write_enable_in` high at an edge: `write_data_in` is stored at `write_addr_in`.
/// - `read_enable_in` high at an edge: `read_data_out` becomes the content at `read_addr_in` from before the edge (old
///   data, when the same address is written; see [`Collision`]). Otherwise `read_data_out` stays.
/// - There is no reset. Contents start undefined in hardware and zero here: write before you read.
/// - An address at or beyond the depth must not be used.
#[derive(LogicBlock)]
pub struct Memory {
    pub clock: ClockIn,
    pub write_enable_in: WireIn,
    pub write_addr_in: WireIn,
    pub write_data_in: WireIn,
    pub read_enable_in: WireIn,
    pub read_addr_in: WireIn,
    pub read_data_out: WireOut,
    _cells: Vec<Bits>,
    _collision: Collision,
}

impl Memory {
    /// `depth` words of `width` bits.
    pub fn new(width: usize, depth: usize, collision: Collision) -> Memory {
        let addr_bits = index_bits(depth);
        Memory {
            clock: ClockIn::default(),
            write_enable_in: WireIn::new(1),
            write_addr_in: WireIn::new(addr_bits),
            write_data_in: WireIn::new(width),
            read_enable_in: WireIn::new(1),
            read_addr_in: WireIn::new(addr_bits),
            read_data_out: WireOut::new(width),
            _cells: vec![Bits::zero(width); depth],
            _collision: collision,
        }
    }
}

impl Logic for Memory {
    module!(
        self,
        format!("memory_{}x{}", self.write_data_in.width(), self._cells.len()),
        match self._collision {
            Collision::OldData =>
                "A memory with one write and one synchronous read port; a read sees what was there before.",
            Collision::Never =>
                "A memory with one write and one synchronous read port, never at the same address at once.",
        }
    );

    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.read_enable_in.val().any() {
                let cell = self._cells.get(self.read_addr_in.val().index()).cloned();
                self.read_data_out.next = cell.unwrap_or(Bits::zero(self.read_data_out.width()));
            }
            if self.write_enable_in.val().any() {
                let data = self.write_data_in.val();
                if let Some(cell) = self._cells.get_mut(self.write_addr_in.val().index()) {
                    *cell = data;
                }
            }
        }
    }

    fn connect(&mut self) {
        self.read_data_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let (range, last) = (range(self.write_data_in.width()), self._cells.len() - 1);
        let attribute = match self._collision {
            Collision::OldData => "",
            Collision::Never => "(* no_rw_check *)\n",
        };
        Verilog::Custom(format!(
            "{attribute}reg {range}cells [0:{last}];
always @(posedge clock) begin
    if (write_enable_in) cells[write_addr_in] <= write_data_in;
    if (read_enable_in) read_data_out <= cells[read_addr_in];
end"
        ))
    }
}

ports!(Memory, clock, in write_enable_in, write_addr_in, write_data_in, read_enable_in, read_addr_in; out read_data_out);
