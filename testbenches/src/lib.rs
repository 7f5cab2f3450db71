//! Do they agree: cases, engines and their comparison.

pub mod case;
pub mod data;
pub mod random;
pub mod verilator;

pub use case::{Case, CaseError, Problem};
pub use data::Data;
