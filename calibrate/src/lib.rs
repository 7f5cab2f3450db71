//! Which parameters are good: scales, zero points, levels, roundings of weights. Golden says what values they give.
//!
//! Nothing here defines a value: what is chosen is judged by golden's quantizers and codebooks. No I/O, no threads. Everything is a
//! function of its arguments, seeds among them; reals are f64, and functions such as exp and log are those of `libm`, so that
//! every machine chooses the same bits.

pub mod aciq;
pub mod density;
pub mod error;
pub mod kl;
mod lloyd_max;
pub mod measure;
pub mod method;
mod mse;
pub mod optimal;
mod percentile;
pub mod range;
pub mod samples;

pub use aciq::{gauss_clip, laplace_clip};
pub use density::Density;
pub use error::CalibrateError;
pub use measure::{clipped_share, mse, sqnr_db};
pub use method::{choose, Method, Symmetry};
pub use optimal::{levels_mse, optimal_levels, optimal_scale, OptimalLevels, OptimalScale};
pub use range::{affine_choice, symmetric_choice, Choice, Grid};
pub use samples::{samples, SplitMix64};
