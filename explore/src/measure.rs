//! What is measured of a design point: accuracy for each seed, and time, bytes and energy once.
//!
//! Accuracies are of golden's integers; the float network is the reference only.

mod error;
mod evaluate;
mod inspect;
mod summary;
mod time;
mod workbench;

pub use error::{Failure, MeasureError, Refusal};
pub use evaluate::{evaluate, Evaluation, LayerEvaluation};
pub use inspect::inspect;
pub use summary::{summarize, ClockSource};
pub use time::{time, Causes, Simulation, TensorBytes, Timing};
pub use workbench::{Sources, Workbench};
