//! Do they agree: cases, engines and their comparison.

pub mod case;
pub mod compare;
pub mod data;
pub mod engine;
pub mod export;
pub mod kernel;
pub mod lane;
pub mod network;
pub mod random;
pub mod rtl;
pub mod verify;
pub mod verilator;

pub use case::{Case, CaseError, Problem};
pub use compare::{compare, Comparison, Difference};
pub use data::Data;
pub use engine::{Engine, EngineError, Outcome};
pub use network::NetworkCase;
