//! Requantization rows of LiteRT 2.3 (three sets of kernels) and of TFLite-Micro, from vectors/litert.py, bit for bit.

#[path = "common/litert_rows.rs"]
mod litert_rows;
#[path = "common/machine.rs"]
mod machine;
#[path = "common/vectors.rs"]
mod vectors;

use golden::{Bounds, Multiplier, Requantizer};
use litert_rows::{rows, N_ROWS, ROW_PROFILES, ROW_SCHEMES};
use machine::{channel, numerics};
use spec::config::AccumulatorBits;
use spec::MachineScheme;
use vectors::Tally;

#[test]
fn rows_by_scheme() {
    let mut tally = Tally::default();
    let mut zeros = 0;
    for (index, row) in rows().iter().enumerate() {
        let (x, w, y) = row.scales;
        for ((kind, expected), (profile, operator)) in ROW_SCHEMES.iter().zip(row.y).zip(ROW_PROFILES) {
            let scheme = profile.scheme(operator, 8, x, w, y).unwrap_or_else(|error| panic!("row {index}: {error}"));
            let scheme = scheme.expect("the profile requantizes");
            zeros += usize::from(scheme.product().is_some_and(|(m, _)| m == 0));
            assert_eq!(scheme.kind(), *kind, "row {index}");
            tally.compare(kind.name(), expected, scheme.requantize(row.acc, row.output), || {
                format!("row {index}: {scheme} {} {:?}", row.acc, row.output)
            });
        }
    }
    // Ratios below 2^-32, which the peers take for 0: two scales of five rows, in the two fixed-point schemes.
    assert_eq!(zeros, 20);
    tally.finish(&ROW_SCHEMES.map(|kind| (kind.name(), N_ROWS)));
}

/// The multipliers in the file are derived from the scales, not outputs of a peer; the rows tell whether they are right.
#[test]
fn multipliers_of_the_rows() {
    for (index, row) in rows().iter().enumerate() {
        let (x, w, y) = row.scales;
        let ratio = f64::from(x) * f64::from(w) / f64::from(y);
        assert_eq!(Multiplier::from_ratio(ratio), Ok(row.multiplier), "row {index}: ratio {ratio:e}");
    }
}

/// The machine's schemes and the columns of [`ROW_SCHEMES`] that have their values.
const MACHINE_SCHEMES: [(MachineScheme, usize); 2] =
    [(MachineScheme::FixedDouble, 0), (MachineScheme::FixedDoubleUp, 1)];

#[test]
fn rows_by_the_requantizer_of_the_machine() {
    let mut tally = Tally::default();
    for (scheme, column) in MACHINE_SCHEMES {
        // 32 + 31 bits of product are the most that rows take in 64 bits; 40 take the wide way.
        for accumulator_bits in [AccumulatorBits::Wrapping { wrapping: 32 }, AccumulatorBits::Exact(40)] {
            let numerics = numerics(scheme, accumulator_bits);
            let requantizer = Requantizer::new(&numerics);
            for (index, row) in rows().iter().enumerate() {
                let channel = channel(row.multiplier, 0, row.output);
                let bounds = Bounds { low: row.output.low, high: row.output.high };
                channel.check(&numerics).and_then(|()| bounds.check(&numerics)).expect("legal");
                let actual = requantizer.requantize(row.acc, &channel, &bounds, 0);
                let mut fast = [0];
                requantizer.requantize_row(&[row.acc], &[channel], &bounds, None, &mut fast);
                for actual in [actual, fast[0].into()] {
                    tally.compare(scheme.name(), row.y[column], actual, || {
                        format!("row {index}: {} {channel:?}", row.acc)
                    });
                }
            }
        }
    }
    tally.finish(&MACHINE_SCHEMES.map(|(scheme, ..)| (scheme.name(), 4 * N_ROWS)));
}
