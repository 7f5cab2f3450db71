
pub mod verilator;
