//! The rows of vectors/gemmlowp.py, by the formulas that it states, and golden's functions for them.

// Each test file uses a part.
#![allow(dead_code)]

use crate::vectors::{digests, words, Vectors};
use golden::{shift_round, Multiplier, Scheme};
use spec::Round;

/// A row of a set: two factors (or a dividend and 0) and a right shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub a: i64,
    pub b: i64,
    pub n: u32,
}

/// The low `width` bits as two's complement.
fn signed(word: u64, width: u32) -> i64 {
    (word << (64 - width)) as i64 >> (64 - width)
}

fn corner(index: u64, width: u32) -> i64 {
    let top = 1_i64 << (width - 1);
    [-top, 1 - top, -(top >> 1), -1, 0, 1, top >> 1, top - 1][(index & 7) as usize]
}

/// The parts of a row's two words that the formulas use.
pub struct Fields {
    kind: u64,
    lo: u64,
    hi: u64,
    r: u64,
    q: u64,
}

fn fields(seed: u64) -> impl Iterator<Item = Fields> {
    let mut words = words(seed);
    std::iter::from_fn(move || {
        let (u, v) = (words.next()?, words.next()?);
        Some(Fields { kind: v & 7, lo: u & 0xffff_ffff, hi: u >> 32, r: v >> 8, q: v >> 16 })
    })
}

pub fn high_row(Fields { kind, lo, hi, r, .. }: Fields, width: u32) -> Row {
    let k = r % u64::from(width - 1);
    let t = u64::from(width - 2) - k;
    let (a, b) = match kind {
        0..=3 => (signed((lo | 1) << k, width), signed((hi | 1) << t, width)),
        4 | 5 => (signed(lo, width), signed(hi, width)),
        6 => (signed((((lo | 1) << t) + 1).wrapping_sub(2 * (hi & 1)), width), signed(1 << k, width)),
        _ => (corner(lo, width), corner(hi, width)),
    };
    Row { a, b, n: 0 }
}

pub fn divide_row(Fields { kind, lo, hi, r, .. }: Fields, width: u32) -> Row {
    let n = (r % u64::from(width)) as u32;
    let tie = (lo | 1) << n.saturating_sub(1);
    let a = match kind {
        0..=3 => signed(tie, width),
        4 | 5 => signed(lo, width),
        6 => signed((tie + 1).wrapping_sub(2 * (hi & 1)), width),
        _ => corner(lo, width),
    };
    Row { a, b: 0, n }
}

pub fn scale_row(Fields { kind, lo, hi, r, q }: Fields) -> Row {
    const TOP: u64 = 1 << 30;
    const BELOW: u64 = TOP - 1;
    let n = r % 31;
    let normal = TOP + (hi & BELOW);
    let odd_multiplier = |j: u64| TOP | (((hi | 1) << j) & BELOW);
    let (a, b) = match kind {
        0..=2 => {
            let e = n.saturating_sub(1);
            let h = ((lo % (1 << (30 - e))) | 1) << e;
            let c = (((h << 31) + (normal >> 1)) / normal) as i64;
            (if hi >> 31 == 1 { -c } else { c }, normal)
        }
        3 => {
            let j = n + q % (31 - n);
            (signed((lo | 1) << (30 + n - j), 32), odd_multiplier(j))
        }
        4 => {
            let j = q % 31;
            (signed((lo | 1) << (30 - j), 32), odd_multiplier(j))
        }
        5 => (signed(lo, 32), normal),
        6 => {
            let edges = [0, 1, TOP, TOP + 1, TOP + (TOP >> 1), 2 * TOP - 2, 2 * TOP - 1, TOP >> 1];
            (corner(lo, 32), edges[(hi & 7) as usize])
        }
        _ => (signed(lo, 32), (hi & (2 * TOP - 1)) >> (q % 31)),
    };
    Row { a, b: b as i64, n: n as u32 }
}

/// The high multiply of `width` bits: only -2^(width-1) squared needs the saturation.
pub fn high(row: Row, width: u32) -> i64 {
    let product = i128::from(row.a) * i128::from(row.b);
    (shift_round(product, width - 1, Round::HalfTowardPositive) as i64).min((1 << (width - 1)) - 1)
}

pub fn divide(row: Row) -> i64 {
    shift_round(row.a.into(), row.n, Round::HalfAwayFromZero) as i64
}

pub fn fixed_double(row: Row) -> i64 {
    let m = i32::try_from(row.b).expect("a multiplier has 31 bits");
    let multiplier = Multiplier::new(m, -(row.n as i32)).expect("multiplier and exponent are in range");
    Scheme::FixedDouble(multiplier).scale(row.a)
}

/// All rows of a set, after golden's results for them were found to have the stored digests.
pub fn checked_rows(set: &str, make: impl Fn(Fields) -> Row, golden: impl Fn(Row) -> i64) -> Vec<Row> {
    let mut vectors = Vectors::open("gemmlowp");
    let [n_rows, block, seed] = vectors.words(&format!("{set}_rows"))[..] else { panic!("{set}_rows has three words") };
    let rows: Vec<Row> = fields(seed).take(n_rows as usize).map(make).collect();
    let values: Vec<i64> = rows.iter().copied().map(golden).collect();
    let (expected, actual) = (vectors.words(&format!("{set}_digests")), digests(&values, block as usize));
    assert_eq!(expected.len(), actual.len(), "{set}: number of digests");
    for (i, (expected, actual)) in expected.into_iter().zip(actual).enumerate() {
        let first = i * block as usize;
        assert_eq!(expected, actual, "{set}: digest of the {block} rows from {first} on");
    }
    rows
}
