//! Constants: initializers and the values of Constant nodes.

use super::error::OnnxError;
use super::proto::{Tensor, EXTERNAL, FLOAT, INT64};

/// The values of a float tensor, all finite, and its dimensions.
pub fn floats(tensor: &Tensor) -> Result<(Vec<usize>, Vec<f32>), OnnxError> {
    let values = if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        words::<4>(tensor)?.map(f32::from_le_bytes).collect()
    };
    let dims = check(tensor, FLOAT, "1 (float32)", values.len())?;
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(OnnxError::NonFinite { tensor: tensor.name.clone(), at, value: values[at] }),
        None => Ok((dims, values)),
    }
}

/// The values of an int64 tensor.
pub fn integers(tensor: &Tensor) -> Result<Vec<i64>, OnnxError> {
    let values = if tensor.raw_data.is_empty() {
        tensor.int64_data.clone()
    } else {
        words::<8>(tensor)?.map(i64::from_le_bytes).collect()
    };
    check(tensor, INT64, "7 (int64)", values.len())?;
    Ok(values)
}

fn words<const N: usize>(tensor: &Tensor) -> Result<impl Iterator<Item = [u8; N]> + '_, OnnxError> {
    let (words, rest) = tensor.raw_data.as_chunks::<N>();
    if rest.is_empty() {
        Ok(words.iter().copied())
    } else {
        Err(OnnxError::Length { tensor: tensor.name.clone(), dims: tensor.dims.clone(), given: words.len() })
    }
}

fn check(tensor: &Tensor, data_type: i32, expected: &'static str, given: usize) -> Result<Vec<usize>, OnnxError> {
    let name = || tensor.name.clone();
    if tensor.data_location == EXTERNAL || !tensor.external_data.is_empty() {
        return Err(OnnxError::External { tensor: name() });
    }
    if tensor.data_type != data_type {
        return Err(OnnxError::DataType { tensor: name(), given: tensor.data_type, expected });
    }
    let dims: Option<Vec<usize>> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let elements = |dims: &[usize]| dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    match dims {
        Some(dims) if elements(&dims) == Some(given) => Ok(dims),
        _ => Err(OnnxError::Length { tensor: name(), dims: tensor.dims.clone(), given }),
    }
}
