//! The one error type of this crate.

use std::fmt;

/// Why an argument was refused.
#[derive(Clone, Debug, PartialEq)]
pub enum GoldenError {
    /// A value does not fit the format that the configuration gives it.
    OutOfRange {
        property: &'static str,
        value: i64,
        min: i64,
        max: i64,
    },
    /// An element of a matrix does not fit the format that the configuration gives it.
    Element {
        matrix: &'static str,
        row: usize,
        col: usize,
        value: i64,
        min: i64,
        max: i64,
    },
    /// The parameters of one channel were refused.
    Channel {
        channel: usize,
        source: Box<GoldenError>,
    },
    BoundsOrder {
        low: i64,
        high: i64,
    },
    Length {
        what: &'static str,
        given: usize,
        expected: usize,
    },
    Empty {
        dimension: &'static str,
    },
    TooManyTerms {
        k: usize,
        max_k: u32,
    },
    NarrowPsum {
        psum_bits: u32,
        accumulator_bits: u32,
    },
    /// Stochastic rounding was given a stream of another number of random bits, or none.
    RandomBits {
        random_bits: u32,
        given: u32,
    },
    /// A number format that does not exist.
    Format {
        kind: &'static str,
        bits: u32,
        rule: &'static str,
    },
    /// A scale that no quantizer can divide by.
    Scale {
        index: usize,
        value: String,
        rule: &'static str,
    },
    /// A ratio of scales that a multiplier cannot stand for.
    Ratio {
        value: f64,
        min: f64,
        max: f64,
    },
    /// An axis, or the number of parameters along it, does not fit the tensor.
    Axis {
        what: &'static str,
        value: usize,
        rule: String,
    },
    /// A NaN or an infinity that the policy refuses.
    NotFinite {
        index: usize,
        value: f32,
    },
    /// A sum that the accumulator cannot hold.
    Accumulator {
        index: usize,
        value: i128,
        bits: u32,
    },
    /// A codebook of levels that cannot serve.
    Codebook {
        property: &'static str,
        value: String,
        rule: String,
    },
    /// A shape that an operator cannot work on.
    Shape {
        operator: &'static str,
        rule: String,
    },
}

impl fmt::Display for GoldenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { property, value, min, max } => {
                write!(f, "{property} = {value} is out of range: it must be in {min}..={max}")
            }
            Self::Element { matrix, row, col, value, min, max } => {
                write!(f, "{matrix}[{row}][{col}] = {value} is out of range: it must be in {min}..={max}")
            }
            Self::Channel { channel, source } => write!(f, "channel {channel}: {source}"),
            Self::BoundsOrder { low, high } => write!(f, "bounds.low = {low} must not exceed bounds.high = {high}"),
            Self::Length { what, given, expected } => {
                write!(f, "{what} has {given} elements, but the shape asks for {expected}")
            }
            Self::Empty { dimension } => write!(f, "{dimension} = 0: every dimension must be at least 1"),
            Self::TooManyTerms { k, max_k } => write!(f, "k = {k} exceeds numerics.max_k = {max_k}"),
            Self::NarrowPsum { psum_bits, accumulator_bits } => {
                write!(f, "psums of {psum_bits} bits cannot hold numerics.accumulator_bits = {accumulator_bits}")
            }
            Self::RandomBits { random_bits, given: 0 } => {
                write!(f, "stochastic rounding takes {random_bits} random bits an output, and no stream was given")
            }
            Self::RandomBits { random_bits, given } => {
                write!(f, "the stream gives {given} random bits an output: stochastic rounding takes {random_bits}")
            }
            Self::Format { kind, bits, rule } => write!(f, "a {kind} format cannot have {bits} bits: {rule}"),
            Self::Scale { index, value, rule } => write!(f, "scale[{index}] = {value} must be {rule}"),
            Self::Ratio { value, min, max } => {
                write!(f, "the ratio of scales {value:e} is out of range: it must be in {min:e}..={max:e}")
            }
            Self::Axis { what, value, rule } => write!(f, "{what} = {value} must be {rule}"),
            Self::NotFinite { index, value } => {
                write!(f, "value[{index}] = {value} is not finite, and the policy is to refuse it")
            }
            Self::Accumulator { index, value, bits } => {
                write!(f, "the sum {value} of output {index} does not fit an accumulator of {bits} bits")
            }
            Self::Codebook { property, value, rule } => write!(f, "the codebook's {property} = {value} must be {rule}"),
            Self::Shape { operator, rule } => write!(f, "{operator}: {rule}"),
        }
    }
}

impl std::error::Error for GoldenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Channel { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
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
    // Finding out whether all fit takes a fraction of the time that finding the first that does not takes: a format of b
    // bits has 2^b values one after another.
    if format.bits() < u32::BITS {
        let from_least = |value: i32| value.wrapping_sub(format.min() as i32) as u32;
        if values.iter().fold(0, |all, &value| all | from_least(value)) >> format.bits() == 0 {
            return Ok(());
        }
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
