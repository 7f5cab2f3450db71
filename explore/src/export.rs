//! Rows as files of other programs.

use crate::row::{Kind, Row, Value};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use std::io::Write;
use std::sync::Arc;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum ExportError {
    #[error("cannot write comma-separated values: {0}")]
    Csv(#[from] csv::Error),
    #[error("cannot write comma-separated values: {0}")]
    Io(#[from] std::io::Error),
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] ParquetError),
}

/// Comma-separated values (RFC 4180 with line feeds) with the columns' names first. What is absent is empty, and numbers read back to the
/// same numbers.
pub fn csv(rows: &[Row], out: &mut dyn Write) -> Result<(), ExportError> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(Row::COLUMNS.iter().map(|column| column.name))?;
    for row in rows {
        writer.write_record(row.values().into_iter().map(|value| match value {
            Value::Absent => String::new(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => text,
        }))?;
    }
    writer.flush()?;
    Ok(())
}

/// Parquet: a column each as INT64, DOUBLE or BYTE_ARRAY of UTF-8, all optional, in one row group, with Snappy.
pub fn parquet(rows: &[Row]) -> Result<Vec<u8>, ExportError> {
    let mut fields = Vec::new();
    for column in Row::COLUMNS {
        let (physical, logical) = match column.kind {
            Kind::Integer => (Physical::INT64, None),
            Kind::Real => (Physical::DOUBLE, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        fields.push(Arc::new(field));
    }
    let schema = Arc::new(Type::group_type_builder("rows").with_fields(fields).build()?);
    let created = format!("systole {}", env!("CARGO_PKG_VERSION"));
    let properties =
        Arc::new(WriterProperties::builder().set_created_by(created).set_compression(Compression::SNAPPY).build());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties)?;
    let values: Vec<Vec<Value>> = rows.iter().map(Row::values).collect();
    let mut group = file.next_row_group()?;
    for at in 0..Row::COLUMNS.len() {
        if let Some(column) = group.next_column()? {
            write_column(column, values.iter().map(|row| &row[at]))?;
        }
    }
    group.close()?;
    Ok(file.into_inner()?)
}

fn write_column<'a>(
    mut column: SerializedColumnWriter<'_>,
    values: impl Iterator<Item = &'a Value>,
) -> Result<(), ExportError> {
    let (mut levels, mut integers, mut reals, mut texts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(*value != Value::Absent));
        match value {
            Value::Absent => {}
            Value::Integer(number) => integers.push(*number),
            Value::Real(number) => reals.push(*number),
            Value::Text(text) => texts.push(ByteArray::from(text.as_str())),
        }
    }
    // Of these writers one is the column's, and the values are of its type.
    match column.untyped() {
        parquet::column::writer::ColumnWriter::Int64ColumnWriter(_) => {
            column.typed::<Int64Type>().write_batch(&integers, Some(&levels), None)?
        }
        parquet::column::writer::ColumnWriter::DoubleColumnWriter(_) => {
            column.typed::<DoubleType>().write_batch(&reals, Some(&levels), None)?
        }
        _ => column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None)?,
    };
    column.close()?;
    Ok(())
}
