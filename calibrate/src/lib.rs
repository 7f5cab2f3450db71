//! Which parameters are good: scales, zero points, levels, roundings of weights. Golden says what values they give.
//!
//! Nothing here defines a value: what is chosen is judged by golden's quantizers and codebooks. No I/O, no threads.
//! Everything is a function of its arguments, seeds among them; reals are f64, and functions such as exp and log are
//! those of `libm`, so that every machine chooses the same bits.

pub mod aciq;
mod adam;
mod adaround;
mod bias_correction;
mod categorical;
mod codebook_scale;
pub mod codebooks;
pub mod density;
pub mod error;
mod gradients;
pub mod kl;
mod kmeans;
mod lloyd_max;
mod matrix;
pub mod measure;
pub mod method;
mod mse;
pub mod network;
pub mod optimal;
mod percentile;
pub mod probabilistic;
pub mod range;
mod sampled_sums;
pub mod samples;
pub mod weights;

pub use aciq::{gauss_clip, laplace_clip};
pub use adaround::{adaround, Rounded};
pub use bias_correction::bias_correction;
pub use codebooks::{fit_binary, fit_kmeans, fit_levels, fit_ternary, CodebookFit};
pub use density::Density;
pub use error::CalibrateError;
pub use gradients::{gradients, Gradients, LayerGradients};
pub use kmeans::{kmeans, Centroids, Start};
pub use measure::{clipped_share, decibels, mse, sqnr_db};
pub use method::{choose, Method, Symmetry};
pub use network::{accuracy, outputs, Linear};
pub use optimal::{levels_mse, optimal_levels, optimal_scale, OptimalLevels, OptimalScale, MAX_BITS};
pub use probabilistic::{learn_levels, LayerLevels, Learning, Learnt, Target};
pub use range::{affine_choice, symmetric_choice, Choice, Grid};
pub use samples::{samples, stratified_samples, SplitMix64};
pub use weights::{weight_quantizer, weight_scales, Per};
