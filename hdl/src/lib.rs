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

pub mod accumulator;
pub mod accumulator_column;
pub mod bits;
pub mod block;
pub mod clear_low;
pub mod counter;
pub mod counters;
pub mod cut_groups;
pub mod datapath;
pub mod dispatch;
pub mod emit;
pub mod execute;
pub mod execute_fields;
pub mod fetch;
pub mod first_rounding;
pub mod issue;
pub mod jobs;
pub mod leaves;
pub mod load;
pub mod load_fields;
pub mod lookup;
pub mod mesh;
pub mod mesh_row;
pub mod module;
pub mod operand_buffer;
pub mod pack_rows;
pub mod parameter_buffer;
pub mod pe;
pub mod permutation_round;
pub mod preload;
pub mod prelude;
pub mod queue;
pub mod random_bits;
pub mod random_carry;
pub mod requantizer;
pub mod requantizer_lane;
pub mod requester;
pub mod round_up;
pub mod row_control;
pub mod signal;
pub mod simulate;
pub mod skew;
pub mod skew_stage;
pub mod status;
pub mod store;
pub mod store_fields;
pub mod store_index;
pub mod store_reader;
pub mod store_seed;
pub mod stream;
pub mod token_counter;
pub mod tokens;
pub mod top;
pub mod unpack_words;
pub mod wait_code;
pub mod walk;
pub mod walk_fields;
pub mod widths;
pub mod window_lanes;
pub mod write_rows;

mod delay;
mod saturator;

pub use block::{emit_block, BlockName, UnknownBlock};
pub use delay::Delay;
pub use emit::{emit, EmitError, Emitted};
pub use load::Load;
pub use mesh::Mesh;
pub use mesh_row::MeshRow;
pub use parameter_buffer::ParameterBuffer;
pub use pe::Pe;
pub use queue::Queue;
pub use requantizer::Requantizer;
pub use requantizer_lane::RequantizerLane;
pub use saturator::Saturator;
pub use store::Store;
pub use top::{emit_top, Top, TOP};
