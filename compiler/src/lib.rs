//! From a network to a program: import, quantization, tiling, memory image, tokens.

mod chunk;
pub mod float;
pub mod image;
pub mod lower;
pub mod npz;
pub mod onnx;
mod plan;
pub mod quantize;
pub mod quantized;
mod schedule;
mod sync;
pub mod tiling;
pub mod topology;
mod usage;

pub use image::Region;
pub use lower::{compile, CompileError, Compiled, LayerPlan};
pub use schedule::Slots;
pub use tiling::{max_outputs, GemmShape, OuterLoop, Tiling};
pub use usage::{BufferRows, Payload, Usage};
