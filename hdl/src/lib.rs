//! The hardware, described in RustHDL with run-time widths, and the emitter that writes it as Verilog.
//!
//! - [`signal`]: how a block declares its signals, with an example of a whole block.
//! - [`bits`]: the rule for widths.
//! - [`leaves`]: the only blocks that carry Verilog text.
//! - [`emit`]: the emitter.
//! - [`simulate`]: stepping a block in RustHDL's own simulator.

// `#[hdl_gen]` and `#[derive(LogicBlock)]` write `self.x.next = self.y.val()` and `for i in 0..n { v[i] }`,
// which is the language of kernels and not a matter of style.
#![allow(clippy::needless_range_loop)]

pub mod bits;
pub mod emit;
pub mod issue;
pub mod leaves;
pub mod load;
pub mod load_fields;
pub mod mesh;
pub mod mesh_row;
pub mod module;
pub mod pe;
pub mod prelude;
pub mod queue;
pub mod requester;
pub mod signal;
pub mod simulate;
pub mod store_fields;
pub mod unpack_words;
pub mod widths;
pub mod write_rows;

mod delay;
mod saturator;

pub use delay::Delay;
pub use emit::{emit, EmitError, Emitted};
pub use mesh::Mesh;
pub use mesh_row::MeshRow;
pub use pe::Pe;
pub use queue::Queue;
pub use saturator::Saturator;
