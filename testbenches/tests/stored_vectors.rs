//! The emitted requantizer lane under Verilator on the vectors of other people's implementations, stored in golden/vectors.
//!
//! Every stored requantization that the machine's schemes can stand for goes through the lane. Outputs of 32 bits are clamped to
//! the lane's widest output, 16 bits, and so is what the peer gave. Where a file holds digests, golden's results for the rows
//! are expected after their digests were found to be the peer's.

mod common;
#[path = "../../golden/tests/common/gemmlowp.rs"]
mod gemmlowp;
#[path = "../../golden/tests/common/litert_rows.rs"]
mod litert_rows;
#[path = "../../golden/tests/common/tosa.rs"]
mod tosa;
#[path = "../../golden/tests/common/vectors.rs"]
mod vectors;

use common::options;
use gemmlowp::Row;
use golden::{Bounds, Channel, OutputStage, Scheme};
use spec::config::{AccumulatorBits, RawNumerics, RawRounding};
use spec::{Format, MachineScheme, Numerics, Round};
use testbenches::lane::{Lane, LaneRow};

const UP: Round = Round::HalfTowardPositive;
const AWAY: Round = Round::HalfAwayFromZero;
const INT16: Format = Format::new(16, true);
/// The output of rows whose own output is wider.
const WIDEST: OutputStage = OutputStage { zero_point: 0, low: INT16.min(), high: INT16.max() };

fn numerics(scheme: MachineScheme, round: Round, [accumulator, multiplier]: [u32; 2], output: Format) -> Numerics {
    let raw = RawNumerics {
        activation_bits: 8,
        activation_signed: true,
        weight_bits: 8,
        weight_signed: true,
        output_bits: output.bits(),
        output_signed: output.is_signed(),
        max_k: 1024,
        bias_bits: 8,
        accumulator_bits: AccumulatorBits::Wrapping { wrapping: accumulator },
        scheme,
        rounding: RawRounding::Named(round),
        multiplier_bits: multiplier,
        shift_bits: 6,
        activation_table: false,
    };
    Numerics::try_from(raw).unwrap_or_else(|e| panic!("{e}"))
}

fn lane_row(acc: i64, multiplier: i64, shift: u32, output: OutputStage, expected: i64) -> LaneRow {
    let multiplier = u32::try_from(multiplier).unwrap_or_else(|_| panic!("a multiplier of {multiplier}"));
    LaneRow {
        accumulator: acc,
        channel: Channel { bias: 0, multiplier, shift, zero_point: output.zero_point },
        bounds: Bounds { low: output.low, high: output.high },
        random: 0,
        expected: expected.clamp(output.low, output.high),
    }
}

/// How many rows give a value between the bounds, not one of them.
fn inside(rows: &[LaneRow]) -> usize {
    rows.iter().filter(|row| row.bounds.low < row.expected && row.expected < row.bounds.high).count()
}

/// Requires that no row differs and that there are `n` of them; returns how many are not at a bound.
fn agrees(what: &str, numerics: &Numerics, rows: &[LaneRow], n: usize) -> usize {
    let lane = Lane::build(numerics, &options()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let report = lane.run(rows, 1).unwrap_or_else(|e| panic!("{what}: {e}"));
    let first = report.first.map(|(index, actual)| (index, rows[index], actual));
    assert_eq!((report.rows, report.differing, first), (n, 0, None), "{what}");
    inside(rows)
}

#[test]
fn gemmlowp_on_the_lane() {
    let mut n_inside = Vec::new();
    // The high multiply of a negative factor is that of both factors negated; the greatest one takes 32 bits.
    for (set, width) in [("high32", 32), ("high16", 16)] {
        let high = |row: Row| gemmlowp::high(row, width);
        let rows = gemmlowp::checked_rows(set, |fields| gemmlowp::high_row(fields, width), high);
        let row = |row: &Row| {
            let (a, b) = if row.b < 0 { (-row.a, -row.b) } else { (row.a, row.b) };
            lane_row(a, b, width - 1, WIDEST, high(*row))
        };
        let rows: Vec<LaneRow> = rows.iter().map(row).collect();
        n_inside.push(agrees(set, &numerics(MachineScheme::FixedSingle, UP, [34, 32], INT16), &rows, 65_536));
    }
    for (set, width, n) in [("divide32", 32, 65_536), ("divide16", 16, 32_768)] {
        let rows = gemmlowp::checked_rows(set, |fields| gemmlowp::divide_row(fields, width), gemmlowp::divide);
        let rows: Vec<LaneRow> =
            rows.iter().map(|&row| lane_row(row.a, 1, row.n, WIDEST, gemmlowp::divide(row))).collect();
        n_inside.push(agrees(set, &numerics(MachineScheme::Pow2, AWAY, [32, 0], INT16), &rows, n));
    }
    let rows = gemmlowp::checked_rows("scale32", gemmlowp::scale_row, gemmlowp::fixed_double);
    let rows: Vec<LaneRow> =
        rows.iter().map(|&row| lane_row(row.a, row.b, 31 + row.n, WIDEST, gemmlowp::fixed_double(row))).collect();
    n_inside.push(agrees("scale32", &numerics(MachineScheme::FixedDouble, AWAY, [32, 31], INT16), &rows, 131_072));
    // Of results of 32 bits, many lie beyond the lane's 16.
    assert_eq!(n_inside, [9_583, 65_152, 36_013, 32_714, 80_184]);
}

#[test]
fn litert_and_tflite_micro_on_the_lane() {
    let all = litert_rows::rows();
    let mut n_inside = Vec::new();
    for (scheme, round, column) in [(MachineScheme::FixedDouble, AWAY, 0), (MachineScheme::FixedDoubleUp, UP, 1)] {
        let row = |row: &litert_rows::Row| {
            lane_row(row.acc, row.multiplier.m().into(), row.multiplier.shift(), row.output, row.y[column])
        };
        let rows: Vec<LaneRow> = all.iter().map(row).collect();
        let numerics = numerics(scheme, round, [32, 31], Format::new(8, true));
        n_inside.push(agrees(scheme.name(), &numerics, &rows, litert_rows::N_ROWS));
    }
    assert_eq!(n_inside, [1_944, 2_022]);
}

/// The lane for a value: scheme, and the output's format.
fn lane_of(test: &tosa::Rescale, value: &tosa::Value) -> (MachineScheme, Format) {
    let scheme = match value.scheme {
        Scheme::FixedDouble(_) => MachineScheme::FixedDouble,
        _ => MachineScheme::FixedSingle,
    };
    (scheme, if test.out_bits > 16 { INT16 } else { Format::new(test.out_bits, !test.out_unsigned) })
}

#[test]
fn tosa_on_the_lane() {
    let tests = tosa::conformance().into_iter().map(|(_, test, values)| (test, values)).chain(tosa::ties());
    // Rows by scheme, 16-bit multiplier or not, and output format.
    let mut lanes: Vec<((MachineScheme, bool, Format), Vec<LaneRow>)> = Vec::new();
    for (test, values) in tests {
        for value in values {
            let (scheme, format) = lane_of(&test, &value);
            let (multiplier, shift) = value.scheme.product().expect("an integer scheme");
            let output =
                if test.out_bits > 16 { OutputStage { zero_point: test.zero_out, ..WIDEST } } else { value.output };
            let row = lane_row(value.acc, multiplier, shift, output, value.expected);
            let key = (scheme, test.scale32, format);
            match lanes.iter_mut().find(|(existing, _)| *existing == key) {
                Some((_, rows)) => rows.push(row),
                None => lanes.push((key, vec![row])),
            }
        }
    }
    let (mut n, mut n_inside) = (0, 0);
    for ((scheme, scale32, format), rows) in &lanes {
        let round = if *scheme == MachineScheme::FixedDouble { AWAY } else { UP };
        // Unsigned inputs take a bit more than signed ones of their width.
        let widths = if *scale32 { [34, 31] } else { [50, 15] };
        n_inside +=
            agrees(&format!("{scheme} to {format}"), &numerics(*scheme, round, widths, *format), rows, rows.len());
        n += rows.len();
    }
    // 259 and 119 conformance tests, 18 tie sets.
    assert_eq!((n, n_inside), (2067 + 2250 + 2067 + 73_728, 45_320));
}
