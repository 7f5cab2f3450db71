use super::range;
use crate::prelude::*;

/// A small memory with a synchronous write port and an asynchronous read port. Latency 1 to write, 0 to read.
///
/// - `write_enable_in` high at an edge: `write_data_in` is stored at `write_addr_in`.
/// - `read_data_out` is the content at `read_addr_in`.
/// - There is no reset. Contents start undefined in hardware and zero here: write before you read.
/// - An address at or beyond the depth must not be used.
#[derive(LogicBlock)]
pub struct RegisterFile {
    pub clock: ClockIn,
    pub write_enable_in: WireIn,
    pub write_addr_in: WireIn,
    pub write_data_in: WireIn,
    pub read_addr_in: WireIn,
    pub read_data_out: WireOut,
    _cells: Vec<Bits>,
}

impl RegisterFile {
    /// `depth` words of `width` bits.
    pub fn new(width: usize, depth: usize) -> RegisterFile {
        let addr_bits = index_bits(depth);
        RegisterFile {
            clock: ClockIn::default(),
            write_enable_in: WireIn::new(1),
            write_addr_in: WireIn::new(addr_bits),
            write_data_in: WireIn::new(width),
            read_addr_in: WireIn::new(addr_bits),
            read_data_out: WireOut::new(width),
            _cells: vec![Bits::zero(width); depth],
        }
    }
}

impl Logic for RegisterFile {
    module!(
        self,
        format!("register_file_{}x{}", self.write_data_in.width(), self._cells.len()),
        "A small memory with a synchronous write and an asynchronous read port."
    );

    fn update(&mut self) {
        if self.clock.pos_edge() && self.write_enable_in.val().any() {
            let data = self.write_data_in.val();
            if let Some(cell) = self._cells.get_mut(self.write_addr_in.val().index()) {
                *cell = data;
            }
        }
        let cell = self._cells.get(self.read_addr_in.val().index()).cloned();
        self.read_data_out.next = cell.unwrap_or(Bits::zero(self.read_data_out.width()));
    }

    fn connect(&mut self) {
        self.read_data_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let (range, last) = (range(self.write_data_in.width()), self._cells.len() - 1);
        Verilog::Custom(format!(
            "reg {range}cells [0:{last}];
always @(posedge clock) begin
    if (write_enable_in) cells[write_addr_in] <= write_data_in;
end
assign read_data_out = cells[read_addr_in];"
        ))
    }
}

ports!(RegisterFile, clock, in write_enable_in, write_addr_in, write_data_in, read_addr_in; out read_data_out);
