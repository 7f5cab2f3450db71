//! Matrices and labels from `.npz` files.

use npyz::npz::{file_name_from_array_name, NpzArchive};
use npyz::{DType, NpyFile, Order, TypeChar};
use std::io::{self, Cursor, Read};
use thiserror::Error;

/// Why an array could not be read.
#[derive(Debug, Error)]
pub enum NpzError {
    #[error("the file is not a complete npz archive: {0}")]
    Archive(io::Error),
    #[error("the archive has no array {name}; it has {existing:?}")]
    Missing { name: String, existing: Vec<String> },
    #[error("array {name} is damaged: {source}")]
    Damaged { name: String, source: io::Error },
    #[error("array {name} has the element type {given}: it must be {expected}")]
    ElementType { name: String, given: String, expected: &'static str },
    #[error("array {name} has the shape {given:?}: it must be {expected}")]
    Shape { name: String, given: Vec<u64>, expected: String },
    #[error("array {name} is stored column by column: save numpy.ascontiguousarray of it")]
    ColumnMajor { name: String },
    #[error("array {name} holds {value} at element {at}: every value must be finite")]
    NonFinite { name: String, at: usize, value: f32 },
}

/// A row-major matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub rows: usize,
    pub cols: usize,
    pub values: Vec<f32>,
}

/// An opened archive.
pub struct Npz {
    archive: NpzArchive<Cursor<Vec<u8>>>,
}

impl Npz {
    /// Opens an archive from the bytes of an `.npz` file.
    pub fn new(bytes: Vec<u8>) -> Result<Self, NpzError> {
        Ok(Self { archive: NpzArchive::new(Cursor::new(bytes)).map_err(NpzError::Archive)? })
    }

    /// The names of the arrays, in order.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.archive.array_names().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// A matrix of `cols` columns; dimensions after the first are taken together. Floats of 4 and 8 bytes and integers are
    /// converted to the nearest f32; every value must be finite.
    pub fn matrix(&mut self, name: &str, cols: usize) -> Result<Matrix, NpzError> {
        let (shape, values) = self.read(name, "a float of 4 or 8 bytes or an integer", Elements::into_floats)?;
        let given_cols = shape.iter().skip(1).try_fold(1_u64, |product, &dim| product.checked_mul(dim));
        let rows = usize::try_from(shape.first().copied().unwrap_or(0)).unwrap_or(0);
        if shape.len() < 2 || rows == 0 || given_cols != u64::try_from(cols).ok() {
            let expected = format!("(rows, {cols}), of at least one row");
            return Err(NpzError::Shape { name: name.to_owned(), given: shape, expected });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(NpzError::NonFinite { name: name.to_owned(), at, value: values[at] }),
            None => Ok(Matrix { rows, cols, values }),
        }
    }

    /// One integer label per row.
    pub fn labels(&mut self, name: &str, rows: usize) -> Result<Vec<i64>, NpzError> {
        let (shape, labels) = self.read(name, "an integer", Elements::into_integers)?;
        if shape.len() != 1 || labels.len() != rows {
            let expected = format!("({rows},), one label per row");
            return Err(NpzError::Shape { name: name.to_owned(), given: shape, expected });
        }
        Ok(labels)
    }

    fn read<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        convert: impl FnOnce(Elements) -> Option<Vec<T>>,
    ) -> Result<(Vec<u64>, Vec<T>), NpzError> {
        let damaged = |source| NpzError::Damaged { name: name.to_owned(), source };
        if !self.archive.array_names().any(|existing| existing == name) {
            return Err(NpzError::Missing { name: name.to_owned(), existing: self.names() });
        }
        // Read to the end, as the checksum is compared there only.
        let mut bytes = Vec::new();
        let file = self.archive.zip_archive().by_name(&file_name_from_array_name(name));
        file.map_err(io::Error::from).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(damaged)?;
        let file = NpyFile::new(&bytes[..]).map_err(damaged)?;
        if file.order() == Order::Fortran && file.shape().len() > 1 {
            return Err(NpzError::ColumnMajor { name: name.to_owned() });
        }
        let (shape, dtype) = (file.shape().to_vec(), file.dtype());
        let elements = match kind(&dtype) {
            Some((TypeChar::Float, 4)) => file.into_vec().map(Elements::F32),
            Some((TypeChar::Float, 8)) => file.into_vec().map(Elements::F64),
            Some((TypeChar::Int, 1)) => file.into_vec::<i8>().map(Elements::integers),
            Some((TypeChar::Int, 2)) => file.into_vec::<i16>().map(Elements::integers),
            Some((TypeChar::Int, 4)) => file.into_vec::<i32>().map(Elements::integers),
            Some((TypeChar::Int, 8)) => file.into_vec::<i64>().map(Elements::integers),
            Some((TypeChar::Uint, 1)) => file.into_vec::<u8>().map(Elements::integers),
            Some((TypeChar::Uint, 2)) => file.into_vec::<u16>().map(Elements::integers),
            Some((TypeChar::Uint, 4)) => file.into_vec::<u32>().map(Elements::integers),
            _ => Ok(Elements::Other),
        };
        let values = convert(elements.map_err(damaged)?);
        let given = dtype.descr();
        Ok((shape, values.ok_or_else(|| NpzError::ElementType { name: name.to_owned(), given, expected })?))
    }
}

enum Elements {
    F32(Vec<f32>),
    F64(Vec<f64>),
    Integers(Vec<i64>),
    Other,
}

impl Elements {
    fn integers<T: Into<i64>>(values: Vec<T>) -> Self {
        Self::Integers(values.into_iter().map(Into::into).collect())
    }

    fn into_floats(self) -> Option<Vec<f32>> {
        match self {
            Self::F32(values) => Some(values),
            Self::F64(values) => Some(values.into_iter().map(|value| value as f32).collect()),
            Self::Integers(values) => Some(values.into_iter().map(|value| value as f32).collect()),
            Self::Other => None,
        }
    }

    fn into_integers(self) -> Option<Vec<i64>> {
        match self {
            Self::Integers(values) => Some(values),
            Self::F32(_) | Self::F64(_) | Self::Other => None,
        }
    }
}

fn kind(dtype: &DType) -> Option<(TypeChar, u64)> {
    match dtype {
        DType::Plain(scalar) => Some((scalar.type_char(), scalar.size_field())),
        DType::Array(..) | DType::Record(_) => None,
    }
}
