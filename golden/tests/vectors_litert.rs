//! Requantization rows of LiteRT 2.3 (three sets of kernels) and of TFLite-Micro, from vectors/litert.py, bit for bit.

#[path = "common/machine.rs"]
mod machine;
#[path = "common/vectors.rs"]
mod vectors;

use golden::{Bounds, Multiplier, Operator, OutputStage, Profile, Requantizer, SchemeKind};
use machine::{channel, numerics};
use spec::config::AccumulatorBits;
use spec::MachineScheme;
use vectors::{Tally, Vectors};

/// A requantization: accumulator, channel's scales as (x, w, y), output stage, and the outputs of the four schemes.
struct Row {
    acc: i64,
    scales: (f32, f32, f32),
    multiplier: Multiplier,
    output: OutputStage,
    y: [i64; 4],
}

const N_ROWS: usize = 2953;
const ROW_SCHEMES: [SchemeKind; 4] =
    [SchemeKind::FixedDouble, SchemeKind::FixedDoubleUp, SchemeKind::F32Even, SchemeKind::F64Away];
/// Which profile and operator takes which of [`ROW_SCHEMES`].
const ROW_PROFILES: [(Profile, Operator); 4] = [
    (Profile::TfliteReference, Operator::Convolution),
    (Profile::TfliteRuy, Operator::Convolution),
    (Profile::TfliteXnnpack, Operator::Convolution),
    (Profile::TfliteReference, Operator::FullyConnected),
];

fn rows() -> Vec<Row> {
    let mut file = Vectors::open("litert-requant");
    file.assert_note("columns", ROW_SCHEMES.map(SchemeKind::name));
    let (x_scales, y_scales) = (file.floats("layer_sx"), file.floats("layer_sy"));
    let [zero_points, lows, highs] = ["layer_zy", "layer_lo", "layer_hi"].map(|key| file.ints(key));
    let [counts, layers, ms, es] = ["scale_rows", "scale_layer", "scale_m", "scale_e"].map(|key| file.ints(key));
    let w_scales = file.floats("scale_sw");
    let (accs, ys) = (file.ints("acc"), file.ints("y"));
    assert_eq!(ys.len(), 4 * accs.len());
    let mut values = accs.into_iter().zip(ys.chunks_exact(4));
    let mut rows = Vec::new();
    for (scale, &count) in counts.iter().enumerate() {
        let layer = layers[scale] as usize;
        for _ in 0..count {
            let (acc, y) = values.next().expect("a row for each count");
            rows.push(Row {
                acc,
                scales: (x_scales[layer], w_scales[scale], y_scales[layer]),
                multiplier: Multiplier::new(ms[scale] as i32, es[scale] as i32).expect("legal"),
                output: OutputStage { zero_point: zero_points[layer], low: lows[layer], high: highs[layer] },
                y: y.try_into().expect("four columns"),
            });
        }
    }
    assert!(values.next().is_none(), "rows without a scale");
    rows
}

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
