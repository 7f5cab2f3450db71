//! Golden against gemmlowp's fixed-point primitives. vectors/gemmlowp.py states the formulas of the inputs.

#[path = "common/gemmlowp.rs"]
mod gemmlowp;
#[path = "common/vectors.rs"]
mod vectors;

use gemmlowp::{checked_rows, divide, divide_row, fixed_double, high, high_row, scale_row, Fields, Row};
use vectors::Vectors;

/// Compares a set: its rows in full and the digests of all its rows. Returns how many rows each comparison had.
fn compare(set: &str, make: impl Fn(Fields) -> Row, golden: impl Fn(Row) -> i64) -> (usize, usize) {
    let rows = checked_rows(set, make, &golden);
    let mut vectors = Vectors::open("gemmlowp");
    let mut column = |name: &str| vectors.ints(&format!("{set}_{name}"));
    let (a, y) = (column("a"), column("y"));
    let b = if set.starts_with("divide") { vec![0; a.len()] } else { column("b") };
    let n = if set.starts_with("high") { vec![0; a.len()] } else { column("n") };
    for (i, &expected) in y.iter().enumerate() {
        let row = Row { a: a[i], b: b[i], n: n[i] as u32 };
        assert_eq!(row, rows[i], "{set} row {i}: the formula's input");
        let actual = golden(row);
        assert_eq!(expected, actual, "{set} row {i}: {row:?}: gemmlowp gives {expected}, golden {actual}");
    }
    (y.len(), rows.len())
}

#[test]
fn high_multiply_of_32_bits() {
    assert_eq!(compare("high32", |fields| high_row(fields, 32), |row| high(row, 32)), (300, 65_536));
}

#[test]
fn high_multiply_of_16_bits() {
    assert_eq!(compare("high16", |fields| high_row(fields, 16), |row| high(row, 16)), (300, 65_536));
}

#[test]
fn rounding_division_of_32_bits() {
    assert_eq!(compare("divide32", |fields| divide_row(fields, 32), divide), (300, 65_536));
}

#[test]
fn rounding_division_of_16_bits() {
    assert_eq!(compare("divide16", |fields| divide_row(fields, 16), divide), (300, 32_768));
}

#[test]
fn both_in_turn_are_fixed_double() {
    assert_eq!(compare("scale32", scale_row, fixed_double), (300, 131_072));
}
