//! What commands take from a network's data file.

use compiler::float::FloatNetwork;
use compiler::npz::{Matrix, Npz, NpzError};
use golden::LayerError;
use thiserror::Error;

/// Why data do not fit a network.
#[derive(Debug, Error)]
pub enum DataError {
    #[error(transparent)]
    Npz(#[from] NpzError),
    #[error("label {label} must be in 0..{classes}, the network's outputs")]
    Label { label: i64, classes: usize },
}

/// Values of a row of data and of a row of outputs.
pub fn sizes(float: &FloatNetwork) -> Result<(usize, usize), LayerError> {
    let extents = float.extents()?;
    Ok((float.input.elements(), extents[extents.len() - 1].elements()))
}

/// The float network's outputs for rows of data.
pub fn float_outputs(float: &FloatNetwork, rows: &[f32]) -> Result<Vec<f32>, LayerError> {
    float.forward(&float.layout.to_channels_last(float.input, rows))
}

/// The rows to run and, if there are some, their labels.
pub fn test_data(npz: &mut Npz, inputs: usize, classes: usize) -> Result<(Matrix, Option<Vec<i64>>), DataError> {
    let test = npz.matrix("test", inputs)?;
    let labels = labels(npz, "labels", test.rows, classes)?;
    Ok((test, labels))
}

/// The labels of that name, if they are there.
pub fn labels(npz: &mut Npz, name: &str, rows: usize, classes: usize) -> Result<Option<Vec<i64>>, DataError> {
    if !npz.names().iter().any(|existing| existing == name) {
        return Ok(None);
    }
    let labels = npz.labels(name, rows)?;
    match labels.iter().find(|&&label| !usize::try_from(label).is_ok_and(|label| label < classes)) {
        Some(&label) => Err(DataError::Label { label, classes }),
        None => Ok(Some(labels)),
    }
}
