//! How a block names its Verilog module, and how a leaf gives its text.

use rust_hdl::prelude::TimingInfo;

/// What [`module!`] hands to the emitter.
///
/// RustHDL walks a design as `dyn Block`, which knows no type name; `Logic::timing` is the one method that a block may
/// answer freely and that neither the checks nor the simulator call, so it carries the name and the description.
pub fn describe(name: String, description: String) -> Vec<TimingInfo> {
    vec![TimingInfo { name, clock: description, inputs: Vec::new(), outputs: Vec::new() }]
}

/// Names the Verilog module of a block and describes it in a line; stands inside `impl Logic for ..`.
///
/// The name may depend on the block: `module!(self, format!("register_{}", self.d_in.width()), "A register.")`.
/// Without it the module is called after its first instance. Different modules of one name get a number.
#[macro_export]
macro_rules! module {
    ($name:literal, $description:literal) => {
        fn timing(&self) -> Vec<$crate::prelude::TimingInfo> {
            $crate::module::describe($name.to_string(), $description.to_string())
        }
    };
    ($self:ident, $name:expr, $description:expr) => {
        fn timing(&$self) -> Vec<$crate::prelude::TimingInfo> {
            $crate::module::describe($name, $description.to_string())
        }
    };
}
