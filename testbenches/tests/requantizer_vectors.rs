//! The emitted requantizer lane under Verilator against exact integer arithmetic, a value a cycle, at the widths that other
//! people's integer kernels have.

mod common;

use common::options;
use golden::{Bounds, Channel};
use spec::config::{AccumulatorBits, RawNumerics, RawRounding};
use spec::{MachineScheme, Numerics, Round, Rounding};
use testbenches::data::Random;
use testbenches::lane::{Lane, LaneError, LaneRow};

/// int8 outputs.
fn numerics(
    scheme: MachineScheme,
    rounding: RawRounding,
    [accumulator, multiplier_bits, shift_bits]: [u32; 3],
) -> Numerics {
    let raw = RawNumerics {
        activation_bits: 8,
        activation_signed: true,
        weight_bits: 8,
        weight_signed: true,
        output_bits: 8,
        output_signed: true,
        max_k: 1024,
        bias_bits: accumulator.min(32),
        accumulator_bits: AccumulatorBits::Wrapping { wrapping: accumulator },
        scheme,
        rounding,
        multiplier_bits,
        shift_bits,
        activation_table: false,
    };
    Numerics::try_from(raw).unwrap_or_else(|e| panic!("{e}"))
}

/// `value / 2^shift` by the rule, from the exact remainder.
fn rounded(value: i128, shift: u32, round: Round) -> i128 {
    let divisor = 1_i128 << shift;
    let (floor, remainder) = (value.div_euclid(divisor), value.rem_euclid(divisor));
    if remainder == 0 {
        return floor;
    }
    let (negative, odd) = (value < 0, floor.rem_euclid(2) == 1);
    let nearest = |tie_goes_up| 2 * remainder > divisor || 2 * remainder == divisor && tie_goes_up;
    let up = match round {
        Round::Floor => false,
        Round::Ceil => true,
        Round::TowardZero => negative,
        Round::AwayFromZero => !negative,
        Round::ToOdd => !odd,
        Round::HalfToEven => nearest(odd),
        Round::HalfTowardPositive => nearest(true),
        Round::HalfTowardNegative => nearest(false),
        Round::HalfTowardZero => nearest(negative),
        Round::HalfAwayFromZero => nearest(!negative),
    };
    floor + i128::from(up)
}

/// What the row must give, by the formulas of `docs/numerics.md`.
fn expected(numerics: &Numerics, row: &LaneRow) -> i64 {
    let half = 1_i128 << (numerics.accumulator_bits() - 1);
    let sum = (i128::from(row.accumulator) + i128::from(row.channel.bias) + half).rem_euclid(2 * half) - half;
    let (product, shift, first) =
        (sum * i128::from(row.channel.multiplier), row.channel.shift, numerics.multiplier_bits());
    let last = |value: i128, shift| match numerics.rounding() {
        Rounding::Fixed(round) => rounded(value, shift, round),
        Rounding::Stochastic { random_bits } => {
            let steps = rounded(value << random_bits, shift, Round::Floor);
            rounded(steps + i128::from(row.random), random_bits, Round::Floor)
        }
    };
    let scaled = match numerics.scheme() {
        MachineScheme::FixedSingle | MachineScheme::Pow2 => last(product, shift),
        _ if shift <= first => rounded(product, shift, Round::HalfTowardPositive),
        _ => last(rounded(product, first, Round::HalfTowardPositive), shift - first),
    };
    let (low, high) = (i128::from(row.bounds.low), i128::from(row.bounds.high));
    i64::try_from((scaled + i128::from(row.channel.zero_point)).clamp(low, high)).expect("between two i64 bounds")
}

/// Rows of which a third are exact ties of the last rounding or one step of the accumulator beside one, a third have the
/// accumulator at an end of its range, and a third are drawn from all values. Most results are within the output's range.
fn rows(numerics: &Numerics, n: usize, seed: u64) -> Vec<LaneRow> {
    let mut random = Random::new(seed);
    let (accumulator, multiplier) = (numerics.accumulator(), numerics.multiplier());
    let shift_max = numerics.shift().max();
    let row = |index: usize| {
        let of = |random: &mut Random, format: spec::Format| random.between(format.min(), format.max());
        let fraction = i64::from(numerics.multiplier_bits());
        let bias = if random.below(2) == 0 { 0 } else { random.between(-9, 9) };
        let power = random.between(0, (fraction - 1).max(0));
        let full = multiplier.map_or(1, |format| random.between(format.max() / 2 + 1, format.max()));
        let (value, factor, shift) = match index % 3 {
            // k / 2 times a power of two, for a small odd or even k.
            0 => {
                let left = random.between(1, 12);
                let k = random.between(-140, 140);
                let shift = (power + left).min(shift_max);
                ((k << left >> 1) + random.below(3) as i64 - 1, 1 << power, shift)
            }
            1 => {
                let end = if random.below(2) == 0 { accumulator.min() } else { accumulator.max() };
                let bits = i64::from(accumulator.bits());
                (end, full, (fraction + bits - 8 + random.between(-1, 3)).min(shift_max))
            }
            _ => (of(&mut random, accumulator), full, random.between(0, shift_max)),
        };
        let output = numerics.output();
        let bounds = match random.below(3) {
            0 => Bounds { low: random.between(output.min(), 0), high: random.between(0, output.max()) },
            _ => Bounds::full(numerics),
        };
        let channel = Channel {
            bias,
            multiplier: u32::try_from(if multiplier.is_some() { factor } else { 1 }).expect("at most 32 bits"),
            shift: u32::try_from(shift).expect("a shift"),
            zero_point: random.between(-20, 20),
        };
        let random_bits = numerics.rounding().random_bits();
        let row = LaneRow {
            accumulator: accumulator.saturate(value.saturating_sub(bias)),
            channel,
            bounds,
            random: (random.word() & ((1 << random_bits) - 1)) as u32,
            expected: 0,
        };
        LaneRow { expected: expected(numerics, &row), ..row }
    };
    (0..n).map(row).collect()
}

const ROWS: usize = 30_000;

fn differs_nowhere(numerics: &Numerics, seed: u64) -> Vec<LaneRow> {
    let rows = rows(numerics, ROWS, seed);
    let context = format!("{}, {}", numerics.scheme(), numerics.rounding());
    let lane = Lane::build(numerics, &options()).unwrap_or_else(|e| panic!("{context}: {e}"));
    let report = lane.run(&rows, seed).unwrap_or_else(|e| panic!("{context}: {e}"));
    let first = report.first.map(|(index, actual)| (rows[index], actual));
    assert_eq!((report.rows, report.differing, first), (ROWS, 0, None), "{context}");
    rows
}

const STOCHASTIC: RawRounding = RawRounding::Stochastic { stochastic: 12 };
const UP: RawRounding = RawRounding::Named(Round::HalfTowardPositive);

/// TOSA's RESCALE, gemmlowp, ruy: 32-bit accumulators, 31-bit multipliers.
#[test]
fn products_of_32_and_31_bits_are_right() {
    for scheme in [MachineScheme::FixedSingle, MachineScheme::FixedDouble, MachineScheme::FixedDoubleUp] {
        let others = [Round::HalfAwayFromZero, Round::HalfToEven].map(RawRounding::Named);
        for rounding in [UP, others[0], others[1], STOCHASTIC] {
            let legal = match scheme {
                MachineScheme::FixedDouble => rounding != UP,
                MachineScheme::FixedDoubleUp => rounding == UP,
                MachineScheme::FixedSingle | MachineScheme::Pow2 => true,
            };
            if legal {
                differs_nowhere(&numerics(scheme, rounding, [32, 31, 6]), 1);
            }
        }
    }
}

/// TOSA with scale32 = false: 48-bit accumulators, 15-bit multipliers.
#[test]
fn products_of_48_and_15_bits_are_right() {
    differs_nowhere(&numerics(MachineScheme::FixedSingle, UP, [48, 15, 6]), 2);
    let away = RawRounding::Named(Round::HalfAwayFromZero);
    differs_nowhere(&numerics(MachineScheme::FixedDouble, away, [48, 15, 6]), 3);
    differs_nowhere(&numerics(MachineScheme::FixedDouble, STOCHASTIC, [48, 15, 6]), 4);
}

#[test]
fn every_rule_shifts_right_without_a_multiplier() {
    for round in Round::ALL {
        differs_nowhere(&numerics(MachineScheme::Pow2, RawRounding::Named(round), [32, 0, 5]), 5);
    }
    differs_nowhere(&numerics(MachineScheme::Pow2, STOCHASTIC, [24, 0, 5]), 6);
}

/// The rows tell the schemes apart: what one must give is wrong for the others.
#[test]
fn another_scheme_fails_on_these_rows() {
    let away = RawRounding::Named(Round::HalfAwayFromZero);
    let shape = [32, 31, 6];
    let all =
        [(MachineScheme::FixedSingle, UP), (MachineScheme::FixedSingle, away), (MachineScheme::FixedDouble, away)];
    let double_up = numerics(MachineScheme::FixedDoubleUp, UP, shape);
    let rows = differs_nowhere(&double_up, 7);
    for (scheme, rounding) in all {
        let lane = Lane::build(&numerics(scheme, rounding, shape), &options()).unwrap_or_else(|e| panic!("{e}"));
        let report = lane.run(&rows, 7).unwrap_or_else(|e| panic!("{e}"));
        assert!(report.differing > 20, "{scheme}, {rounding:?}: {report:?}");
    }
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let numerics = numerics(MachineScheme::FixedSingle, UP, [32, 31, 6]);
    let lane = Lane::build(&numerics, &options()).unwrap_or_else(|e| panic!("{e}"));
    let good = rows(&numerics, 1, 1)[0];
    let refusal = |row: LaneRow| lane.run(&[good, row], 1).map_err(|e: LaneError| e.to_string());
    assert_eq!(
        refusal(LaneRow { accumulator: 1 << 31, ..good }),
        Err("row 1: accumulator = 2147483648 is out of range: it must be in -2147483648..=2147483647".to_owned())
    );
    assert_eq!(
        refusal(LaneRow { random: 1, ..good }),
        Err("row 1: random = 1, but an output takes 0 random bits".to_owned())
    );
    assert_eq!(
        refusal(LaneRow { channel: Channel { shift: 64, ..good.channel }, ..good }),
        Err("row 1: shift = 64 is out of range: it must be in 0..=63".to_owned())
    );
    let wrong = LaneRow { expected: good.expected + 1, ..good };
    let report = lane.run(&[good, wrong, wrong], 1).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((report.differing, report.first), (2, Some((1, good.expected))));
}
