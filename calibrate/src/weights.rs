//! Scales of weight matrices, one for all or one for each output channel.

use crate::error::{check_length, check_matrix, CalibrateError};
use crate::method::{choose, Method, Symmetry};
use crate::range::Grid;
use golden::{Granularity, InfinityPolicy, NanPolicy, Order, QFormat};
use golden::{Quantizer, QuantizerParts, QuantizerRounding, Scale};
use spec::Round;

/// Which weights share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Per {
    /// All of the matrix.
    Tensor,
    /// Those of one output channel, a column.
    Channel,
}

/// The symmetric scales of a row-major k x n matrix: one, or one for each of the n columns.
///
/// Each is [`choose`]'s for the tensor's or the column's weights.
///
/// ```
/// use calibrate::{weight_scales, Grid, Method, Per};
/// let int8 = golden::QFormat::full(8, true)?;
/// let scales = weight_scales(&[1.0, -2.0, 127.0, 25.4], [2, 2], int8, Method::MinMax, Per::Channel, Grid::Any)?;
/// assert_eq!(scales, [1.0, 0.2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn weight_scales(
    weights: &[f32],
    [k, n]: [usize; 2],
    format: QFormat,
    method: Method,
    per: Per,
    grid: Grid,
) -> Result<Vec<f32>, CalibrateError> {
    check_matrix("weights", weights, k, n)?;
    let scale = |values: &[f32]| Ok(choose(values, format, method, Symmetry::Symmetric, grid)?.scale);
    match per {
        Per::Tensor => Ok(vec![scale(weights)?]),
        Per::Channel => columns(weights, n).map(|column| scale(&column)).collect(),
    }
}

/// Golden's quantizer of a k x n matrix with those scales, one or n, zero points 0, ties to even.
pub fn weight_quantizer(format: QFormat, scales: &[f32], n: usize) -> Result<Quantizer, CalibrateError> {
    check_scales(scales, n)?;
    let granularity = if scales.len() == 1 { Granularity::Tensor } else { Granularity::Axis(1) };
    let scales = scales.iter().map(|&scale| Scale::f32(scale)).collect::<Result<Vec<_>, _>>()?;
    Ok(Quantizer::new(QuantizerParts {
        format,
        zero_points: vec![0; scales.len()],
        scales,
        granularity,
        rounding: QuantizerRounding::Fixed(Round::HalfToEven),
        order: Order::DivideThenAdd,
        nan: NanPolicy::Refuse,
        infinity: InfinityPolicy::Refuse,
    })?)
}

/// One scale for all columns, or one for each.
pub(crate) fn check_scales(scales: &[f32], n: usize) -> Result<(), CalibrateError> {
    if scales.len() != 1 {
        check_length("scales (one, or one a channel)", scales.len(), n)?;
    }
    match scales.iter().find(|&&scale| !scale.is_normal() || scale < 0.0) {
        Some(&scale) => {
            Err(CalibrateError::Real { property: "scale", value: scale.into(), rule: "positive, finite and normal" })
        }
        None => Ok(()),
    }
}

/// The scale of a column.
pub(crate) fn scale_of(scales: &[f32], column: usize) -> f32 {
    scales[if scales.len() == 1 { 0 } else { column }]
}

/// The columns of a row-major matrix.
pub(crate) fn columns(weights: &[f32], n: usize) -> impl Iterator<Item = Vec<f32>> + '_ {
    (0..n).map(move |column| weights.iter().skip(column).step_by(n).copied().collect())
}
