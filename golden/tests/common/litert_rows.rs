//! The requantization rows of vectors/litert.py.

// Each test file uses a part.
#![allow(dead_code)]

use crate::vectors::Vectors;
use golden::{Multiplier, Operator, OutputStage, Profile, SchemeKind};

/// A requantization: accumulator, channel's scales as (x, w, y), output stage, and the outputs of the four schemes.
pub struct Row {
    pub acc: i64,
    pub scales: (f32, f32, f32),
    pub multiplier: Multiplier,
    pub output: OutputStage,
    pub y: [i64; 4],
}

pub const N_ROWS: usize = 2953;
pub const ROW_SCHEMES: [SchemeKind; 4] =
    [SchemeKind::FixedDouble, SchemeKind::FixedDoubleUp, SchemeKind::F32Even, SchemeKind::F64Away];
/// Which profile and operator takes which of [`ROW_SCHEMES`].
pub const ROW_PROFILES: [(Profile, Operator); 4] = [
    (Profile::TfliteReference, Operator::Convolution),
    (Profile::TfliteRuy, Operator::Convolution),
    (Profile::TfliteXnnpack, Operator::Convolution),
    (Profile::TfliteReference, Operator::FullyConnected),
];

pub fn rows() -> Vec<Row> {
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
