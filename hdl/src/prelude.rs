//! Everything that a block needs: `use crate::prelude::*;`.

pub use crate::bits::{bit_cast_to, bits_for, index_bits, signed_cast, Bits};
pub use crate::leaves::*;
pub use crate::module;
pub use crate::ports;
pub use crate::signal::{ClockIn, Const, WireIn, WireLocal, WireOut};
pub use rust_hdl::prelude::{
    ast, block, clock, hdl_gen, logic, probe, Block, Logic, LogicBlock, Signal, TimingInfo, Verilog,
};
