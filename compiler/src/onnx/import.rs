//! Whole networks from ONNX: nodes become steps, steps a network of floats or of integers.
//!
//! Quantized models come in three forms: QuantizeLinear and DequantizeLinear around operators of real numbers,
//! operators of integers, and QONNX's Quant. The second and the third are brought to the first.

mod constant;
mod elementwise;
mod float;
mod graph;
mod integer;
mod linear;
mod lowering;
mod machine;
mod node;
mod pool;
mod qoperator;
mod quantization;
mod shape;
mod step;
mod view;
mod window;

pub use integer::{IntegerLayer, IntegerModel, IntegerOperation, IntegerTensor, Needs};

use super::error::OnnxError;
use super::ModelFile;
use crate::float::FloatNetwork;
use graph::Graph;
use lowering::Lowering;
use step::Operation;

/// What a file does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Sizes of the input's dimensions that have a name and no size, by that name; one without a name is called
    /// INPUT:AXIS. The first dimension is the batch and needs none.
    pub dimensions: Vec<(String, usize)>,
}

/// A network, as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Imported {
    Float(FloatNetwork),
    Quantized(Box<IntegerModel>),
}

/// Reads a model. All nodes that cannot run are reported at once; [`notes`] says what was left out.
///
/// A model is quantized if any of its activations are. Weights alone that are quantized make a network of floats.
pub fn import(model: &ModelFile, options: &ImportOptions) -> Result<Imported, OnnxError> {
    let graph = Graph::new(model, options)?;
    let mut lowering = Lowering::run(&graph)?;
    let output = lowering.views.get(graph.output).map(|value| value.tensor);
    let output = output.filter(|&tensor| tensor > 0).ok_or_else(|| nothing(&graph))?;
    if !lowering.views.is_known(0) && lowering.views.settled(graph.input.name).is_none() {
        let dims = graph.input.dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let shape = format!("[batch, {dims}]");
        return Err(OnnxError::InputShape { input: graph.input.name.to_owned(), shape });
    }
    let (extent, layout) = (lowering.views.extent(0), lowering.views.layout);
    let steps = step::fold_affine(step::live(lowering.steps, output));
    let quantized = |operation: &Operation| matches!(operation, Operation::Quantize(_) | Operation::Dequantize(_));
    if steps.iter().any(|step| quantized(&step.operation)) || lowering.formats[0].is_some() {
        let model = integer::model(steps, extent, layout, lowering.formats[0])?.ok_or_else(|| nothing(&graph))?;
        return Ok(Imported::Quantized(Box::new(model)));
    }
    let network = float::network(steps, extent, layout);
    network.extents().map_err(Box::new)?;
    Ok(Imported::Float(network))
}

fn nothing(graph: &Graph<'_>) -> OnnxError {
    OnnxError::Nothing { output: graph.output.to_owned() }
}

/// What [`import`] leaves out of a model, in words.
pub fn notes(model: &ModelFile, options: &ImportOptions) -> Result<Vec<String>, OnnxError> {
    Ok(Graph::new(model, options)?.notes)
}
