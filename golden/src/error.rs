//! The one error type of this crate.

use thiserror::Error;

/// Why an argument was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GoldenError {
    /// A value does not fit the format that the configuration gives it.
    #[error("{property} = {value} is out of range: it must be in {min}..={max}")]
    OutOfRange { property: &'static str, value: i64, min: i64, max: i64 },
    /// An element of a matrix does not fit the format that the configuration gives it.
    #[error("{matrix}[{row}][{col}] = {value} is out of range: it must be in {min}..={max}")]
    Element { matrix: &'static str, row: usize, col: usize, value: i64, min: i64, max: i64 },
    /// The parameters of one channel were refused.
    #[error("channel {channel}: {source}")]
    Channel { channel: usize, source: Box<GoldenError> },
    #[error("bounds.low = {low} must not exceed bounds.high = {high}")]
    BoundsOrder { low: i64, high: i64 },
    #[error("{what} has {given} elements, but the shape asks for {expected}")]
    Length { what: &'static str, given: usize, expected: usize },
    #[error("{dimension} = 0: every dimension must be at least 1")]
    Empty { dimension: &'static str },
    #[error("k = {k} exceeds numerics.max_k = {max_k}")]
    TooManyTerms { k: usize, max_k: u32 },
    #[error("psums of {psum_bits} bits cannot hold numerics.accumulator_bits = {accumulator_bits}")]
    NarrowPsum { psum_bits: u32, accumulator_bits: u32 },
}

pub(crate) fn in_format(property: &'static str, value: i64, format: spec::Format) -> Result<(), GoldenError> {
    if format.contains(value) {
        Ok(())
    } else {
        Err(GoldenError::OutOfRange { property, value, min: format.min(), max: format.max() })
    }
}

/// Checks the length of a row-major matrix of `cols` columns and that each element fits `format`.
pub(crate) fn check_matrix(
    matrix: &'static str,
    values: &[i32],
    rows: usize,
    cols: usize,
    format: spec::Format,
) -> Result<(), GoldenError> {
    if values.len() != rows * cols {
        return Err(GoldenError::Length { what: matrix, given: values.len(), expected: rows * cols });
    }
    match values.iter().position(|&value| !format.contains(value.into())) {
        None => Ok(()),
        Some(at) => Err(GoldenError::Element {
            matrix,
            row: at / cols,
            col: at % cols,
            value: values[at].into(),
            min: format.min(),
            max: format.max(),
        }),
    }
}
