//! When things happen: the cycle-accurate machine, its counters and its environment. Values come from `golden`.

mod array;
mod bits;
mod buffers;
mod execute;
mod load;
mod machine;
pub mod memory;
mod pack_rows;
pub mod pins;
mod predict;
mod queue;
pub mod run;
mod store;
mod tokens;
pub mod trace;

pub use machine::Machine;
pub use memory::{Environment, Stalls};
pub use predict::{predict, Prediction};
pub use run::{run, run_noticing, run_on, run_unobserved, run_unobserved_on, Finished, RunError, Watchdog};
