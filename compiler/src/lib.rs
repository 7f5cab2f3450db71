//! From a network to a program: import, quantization, tiling, memory image, tokens.

pub mod float;
pub mod image;
pub mod lower;
pub mod npz;
pub mod onnx;
pub mod quantize;
pub mod quantized;
mod schedule;
mod sync;
pub mod tiling;

pub use image::Region;
pub use lower::{compile, CompileError, Compiled, LayerPlan};
pub use tiling::{max_outputs, GemmShape, OuterLoop, Tiling};
