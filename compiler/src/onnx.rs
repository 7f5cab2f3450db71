//! Networks from ONNX files: of floats, and of integers in three forms.

mod error;
mod import;
mod model_file;
pub mod proto;

pub use error::{OnnxError, Unfit, UnsupportedNode};
pub use import::{
    import, notes, ImportOptions, Imported, IntegerLayer, IntegerModel, IntegerOperation, IntegerTensor, Needs,
};
pub use model_file::ModelFile;

use proto::Node;

/// A node's name, or what stands for it if it has none.
fn name_of(node: &Node) -> String {
    if !node.name.is_empty() {
        return node.name.clone();
    }
    format!("-> {}", node.output.first().map_or("nothing", |output| output))
}
