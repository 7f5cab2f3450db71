//! Arrays from and to `.npz` files.

use npyz::npz::{file_name_from_array_name, NpzArchive, NpzWriter};
use npyz::{AutoSerialize, DType, NpyFile, Order, TypeChar, WriterBuilder};
use std::io::{self, Cursor, Read};
use thiserror::Error;
use zip::write::FileOptions;
use zip::DateTime;

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

    /// Integers of exactly that shape.
    pub fn integers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<i64>, NpzError> {
        let (given, values) = self.read(name, "an integer", Elements::into_integers)?;
        check_shape(name, given, shape)?;
        Ok(values)
    }

    /// Floats of exactly that shape.
    pub fn floats(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, NpzError> {
        let (given, values) = self.read(name, "a float of 4 or 8 bytes or an integer", Elements::into_floats)?;
        check_shape(name, given, shape)?;
        Ok(values)
    }

    /// A text, stored as its bytes.
    pub fn text(&mut self, name: &str) -> Result<String, NpzError> {
        let (_, values) = self.read(name, "bytes", Elements::into_integers)?;
        let bytes: Option<Vec<u8>> = values.into_iter().map(|value| u8::try_from(value).ok()).collect();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let source = || io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text");
        text.ok_or_else(|| NpzError::Damaged { name: name.to_owned(), source: source() })
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

fn check_shape(name: &str, given: Vec<u64>, shape: &[usize]) -> Result<(), NpzError> {
    if given.iter().copied().eq(shape.iter().map(|&dim| dim as u64)) {
        return Ok(());
    }
    Err(NpzError::Shape { name: name.to_owned(), given, expected: format!("{shape:?}") })
}

/// An archive in the making. The same arrays give the same bytes.
pub struct NpzBuilder {
    writer: NpzWriter<Cursor<Vec<u8>>>,
}

impl NpzBuilder {
    #[allow(clippy::new_without_default)] // an empty archive is nothing to fall back on
    pub fn new() -> Self {
        Self { writer: NpzWriter::new(Cursor::new(Vec::new())) }
    }

    /// Adds a row-major array.
    pub fn array<T: AutoSerialize + Copy>(&mut self, name: &str, shape: &[usize], values: &[T]) -> io::Result<()> {
        let shape: Vec<u64> = shape.iter().map(|&dim| dim as u64).collect();
        // Without the time of day.
        let options = FileOptions::default().last_modified_time(DateTime::default());
        let mut array = self.writer.array(name, options)?.default_dtype().shape(&shape).begin_nd()?;
        array.extend(values)?;
        array.finish()
    }

    /// Adds a text as its bytes.
    pub fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.array(name, &[text.len()], text.as_bytes())
    }

    /// The bytes of the `.npz` file.
    pub fn finish(mut self) -> io::Result<Vec<u8>> {
        Ok(self.writer.zip_writer().finish()?.into_inner())
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
