//! Exported rows are what other programs read.

use explore::export::{csv, parquet};
use explore::row::{Kind, Row, Value};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

fn rows() -> Vec<Row> {
    vec![
        Row {
            point: Some("a".to_owned()),
            network: Some("with, comma and \"quotes\"".to_owned()),
            weight_bits: Some(4),
            accuracy_percent: Some(97.25),
            reason: Some("two\nlines, \u{e4}".to_owned()),
            ..Row::default()
        },
        Row { cycles: Some(i64::MAX), energy_nj: Some(0.1), network_width: Some(1.0), ..Row::default() },
    ]
}

#[test]
fn csv_quotes_and_leaves_out() {
    let mut text = Vec::new();
    csv(&rows(), &mut text).expect("a vector takes everything");
    let text = String::from_utf8(text).expect("it is text");
    let (head, rest) = text.split_once('\n').expect("lines");
    let names: Vec<&str> = head.split(',').collect();
    assert_eq!(names, Row::COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>());
    let commas = |n: usize| ",".repeat(n);
    let at = |name: &str| names.iter().position(|known| *known == name).expect("a column");
    let after = |name: &str, next: &str| commas(at(next) - at(name));
    let first = format!(
        "a{}\"with, comma and \"\"quotes\"\"\"{}4{}\"two\nlines, \u{e4}\"{}97.25{}\n",
        after("point", "network"),
        after("network", "weight_bits"),
        after("weight_bits", "reason"),
        after("reason", "accuracy_percent"),
        commas(names.len() - 1 - at("accuracy_percent")),
    );
    let second = format!(
        "{}1{}9223372036854775807{}0.1{}\n",
        commas(at("network_width")),
        after("network_width", "cycles"),
        after("cycles", "energy_nj"),
        commas(names.len() - 1 - at("energy_nj")),
    );
    assert_eq!(rest, format!("{first}{second}"));
}

#[test]
fn parquet_keeps_types_and_what_is_absent() {
    let bytes = parquet(&rows()).expect("it is written");
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("it is Parquet");
    let found: Vec<_> = reader.get_row_iter(None).expect("it has rows").map(|row| row.expect("it reads")).collect();
    assert_eq!(found.len(), 2);
    for (found, row) in found.iter().zip(rows()) {
        let expected = Row::COLUMNS.iter().zip(row.values());
        for ((name, field), (column, value)) in found.get_column_iter().zip(expected) {
            assert_eq!(name, column.name);
            let same = match (&value, field) {
                (Value::Absent, Field::Null) => true,
                (Value::Integer(a), Field::Long(b)) => a == b && column.kind == Kind::Integer,
                (Value::Real(a), Field::Double(b)) => a == b && column.kind == Kind::Real,
                (Value::Text(a), Field::Str(b)) => a == b && column.kind == Kind::Text,
                _ => false,
            };
            assert!(same, "{name}: {value:?} became {field:?}");
        }
    }
    let empty = parquet(&[]).expect("it is written");
    let reader = SerializedFileReader::new(bytes::Bytes::from(empty)).expect("it is Parquet");
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}
