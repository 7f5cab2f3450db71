//! What an integrator gets beside the Verilog: a self-checking testbench with vectors, and a C header.

mod header;
mod testbench;

pub use header::c_header;
pub use testbench::{testbench, Testbench};
