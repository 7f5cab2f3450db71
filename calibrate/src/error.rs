//! The one error type of this crate.

use golden::GoldenError;
use thiserror::Error;

/// Why parameters could not be chosen.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum CalibrateError {
    #[error("{what} has no elements: at least 1 is needed")]
    Empty { what: &'static str },
    #[error("{what}[{index}] = {value} is not finite: every element must be")]
    NotFinite { what: &'static str, index: usize, value: f64 },
    /// Data from which a method can learn nothing.
    #[error("{method} cannot work: every element is {value}, and it needs {rule}")]
    AllEqual { method: &'static str, value: f64, rule: &'static str },
    #[error("percentile = {value} is out of range: it must be {rule}")]
    Percentile { value: f64, rule: &'static str },
    #[error("{property} = {value} is out of range: it must be in {min}..={max}")]
    OutOfRange { property: &'static str, value: i64, min: i64, max: i64 },
    #[error("{property} = {value} must be {rule}")]
    Real { property: &'static str, value: f64, rule: &'static str },
    /// A format without zero points was to be quantized with one.
    #[error("affine quantization of {format} needs zero points, and it has 0 only: it must be symmetric")]
    ZeroPoint { format: String },
    #[error("{what} has {given} elements: it must have {expected}")]
    Length { what: &'static str, given: usize, expected: usize },
    #[error("a codebook of {levels} levels is larger than its tensor of {elements} elements")]
    Codebook { levels: usize, elements: usize },
    #[error(transparent)]
    Golden(#[from] GoldenError),
}

/// Refuses empty data, NaN and infinities.
pub(crate) fn check_values(what: &'static str, values: &[f32]) -> Result<(), CalibrateError> {
    if values.is_empty() {
        return Err(CalibrateError::Empty { what });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(CalibrateError::NotFinite { what, index, value: values[index].into() }),
        None => Ok(()),
    }
}

pub(crate) fn check_length(what: &'static str, given: usize, expected: usize) -> Result<(), CalibrateError> {
    if given == expected {
        Ok(())
    } else {
        Err(CalibrateError::Length { what, given, expected })
    }
}

/// Checks a row-major matrix: its dimensions are at least 1, its length is their product, its elements are finite.
pub(crate) fn check_matrix(what: &'static str, values: &[f32], rows: usize, cols: usize) -> Result<(), CalibrateError> {
    if rows == 0 || cols == 0 {
        return Err(CalibrateError::Empty { what });
    }
    check_length(what, values.len(), rows * cols)?;
    check_values(what, values)
}
