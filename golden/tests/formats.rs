//! Formats: every value and code of the small ones, the corners of the wide ones, and what does not exist.

use golden::{Kind, QFormat, Range};
use std::collections::BTreeSet;

/// The values of a format as its definition lists them.
fn listed(kind: Kind, bits: u32, range: Range) -> Vec<i64> {
    let n = 1_i64 << bits;
    let mut values: Vec<i64> = match kind {
        Kind::Signed => (-n / 2..n / 2).collect(),
        Kind::Unsigned => (0..n).collect(),
        Kind::Bipolar => (-n + 1..n).filter(|value| value % 2 != 0).collect(),
        Kind::Ternary => vec![-1, 0, 1],
    };
    match (kind, range) {
        (Kind::Signed, Range::Narrow) => drop(values.remove(0)),
        (Kind::Unsigned, Range::Narrow) => drop(values.pop()),
        _ => {}
    }
    values
}

/// Every format of at most 8 bits that exists.
fn small() -> Vec<(Kind, u32, Range)> {
    let mut all = Vec::new();
    for bits in 1..=8 {
        for kind in Kind::ALL {
            for range in [Range::Full, Range::Narrow] {
                let exists = match kind {
                    Kind::Signed | Kind::Unsigned => range == Range::Full || bits >= 2,
                    Kind::Bipolar => range == Range::Full,
                    Kind::Ternary => range == Range::Full && bits == 2,
                };
                assert_eq!(QFormat::new(kind, bits, range).is_ok(), exists, "{} {bits} {range:?}", kind.name());
                if exists {
                    all.push((kind, bits, range));
                }
            }
        }
    }
    all
}

#[test]
fn small_formats_hold_the_values_of_their_definitions() {
    let all = small();
    assert_eq!(all.len(), 8 + 7 + 8 + 7 + 8 + 1);
    for (kind, bits, range) in all {
        let format = QFormat::new(kind, bits, range).expect("it exists");
        let values = listed(kind, bits, range);
        assert_eq!((format.kind(), format.bits(), format.range()), (kind, bits, range));
        assert_eq!((format.min(), format.max()), (values[0], *values.last().expect("not empty")), "{format}");
        assert_eq!(format.n_levels(), values.len() as u64, "{format}");
        let codes: BTreeSet<u32> = values.iter().map(|&value| format.encode(value)).collect();
        assert_eq!(codes.len(), values.len(), "{format} has a code for each value");
        for &value in &values {
            assert!(format.encode(value) < 1 << bits, "{format}");
            assert_eq!(format.decode(format.encode(value)), value, "{format}");
            assert_eq!(format.decode(format.encode(value) | !0 << bits), value, "{format}: high bits are ignored");
            assert!(format.machine().contains(value), "{format}");
        }
        for value in 2 * values[0] - 5..2 * values[values.len() - 1] + 5 {
            assert_eq!(format.contains(value), values.contains(&value), "{format}, {value}");
            // The nearest; of two, the greater.
            let nearest = values.iter().copied().min_by_key(|&level| ((level - value).abs(), -level));
            assert_eq!(Some(format.saturate(value)), nearest, "{format}, {value}");
        }
        assert_eq!(format.saturate(i64::MIN), format.min());
        assert_eq!(format.saturate(i64::MAX), format.max());
    }
}

#[test]
fn codes_are_two_s_complement_or_steps_from_the_least() {
    let format = |kind, bits| QFormat::new(kind, bits, Range::Full).expect("it exists");
    assert_eq!([-8, -1, 0, 7].map(|v| format(Kind::Signed, 4).encode(v)), [8, 15, 0, 7]);
    assert_eq!([0, 9, 15].map(|v| format(Kind::Unsigned, 4).encode(v)), [0, 9, 15]);
    assert_eq!([-3, -1, 1, 3].map(|v| format(Kind::Bipolar, 2).encode(v)), [0, 1, 2, 3]);
    assert_eq!([-1, 1].map(|v| QFormat::BIPOLAR.encode(v)), [0, 1]);
    assert_eq!([-1, 0, 1].map(|v| QFormat::TERNARY.encode(v)), [3, 0, 1]);
}

#[test]
fn the_widest_formats_have_their_corners() {
    let int32 = QFormat::full(32, true).expect("it exists");
    assert_eq!((int32.min(), int32.max(), int32.n_levels()), (-2_147_483_648, 2_147_483_647, 4_294_967_296));
    let uint32 = QFormat::full(32, false).expect("it exists");
    assert_eq!((uint32.min(), uint32.max(), uint32.n_levels()), (0, 4_294_967_295, 4_294_967_296));
    let bipolar = QFormat::new(Kind::Bipolar, 31, Range::Full).expect("it exists");
    assert_eq!((bipolar.min(), bipolar.max(), bipolar.n_levels()), (-2_147_483_647, 2_147_483_647, 2_147_483_648));
    for format in [int32, uint32, bipolar] {
        for value in [format.min(), format.min() + format.step(), format.max() - format.step(), format.max()] {
            assert_eq!(format.decode(format.encode(value)), value, "{format}");
            assert!(i32::try_from(value).is_ok() || format == uint32, "{format} fits the tensors' words");
        }
        assert_eq!(format.saturate(i64::MAX), format.max());
    }
    assert_eq!((uint32.encode(4_294_967_295), int32.encode(-2_147_483_648)), (u32::MAX, 1 << 31));
    assert_eq!(int32.machine(), spec::Format::new(32, true));
    assert_eq!(bipolar.machine(), spec::Format::new(32, true));
}

#[test]
fn formats_have_names() {
    let name = |kind, bits, range| QFormat::new(kind, bits, range).expect("it exists").to_string();
    assert_eq!(name(Kind::Signed, 8, Range::Full), "int8");
    assert_eq!(name(Kind::Signed, 4, Range::Narrow), "int4 narrow");
    assert_eq!(name(Kind::Unsigned, 1, Range::Full), "uint1");
    assert_eq!(name(Kind::Bipolar, 3, Range::Full), "bipolar3");
    assert_eq!(QFormat::TERNARY.to_string(), "ternary");
}

#[test]
fn formats_that_do_not_exist_are_refused_with_the_rule() {
    let refused = |kind, bits, range| QFormat::new(kind, bits, range).expect_err("refused").to_string();
    assert_eq!(refused(Kind::Signed, 0, Range::Full), "a signed format cannot have 0 bits: it must be 1..=32");
    assert_eq!(refused(Kind::Unsigned, 33, Range::Full), "a unsigned format cannot have 33 bits: it must be 1..=32");
    assert_eq!(
        refused(Kind::Bipolar, 32, Range::Full),
        "a bipolar format cannot have 32 bits: it must be 1..=31, or its values would not fit a word of 32"
    );
    assert_eq!(refused(Kind::Ternary, 3, Range::Full), "a ternary format cannot have 3 bits: ternary values take 2");
    for (kind, name) in [(Kind::Ternary, "ternary"), (Kind::Bipolar, "bipolar")] {
        let rule = "only signed and unsigned formats have a narrow range";
        assert_eq!(refused(kind, 2, Range::Narrow), format!("a {name} format cannot have 2 bits: {rule}"));
    }
    assert_eq!(
        refused(Kind::Signed, 1, Range::Narrow),
        "a signed format cannot have 1 bits: a narrow range takes 2 or more, or one value would be left"
    );
    assert!(QFormat::full(0, true).is_err() && QFormat::full(33, false).is_err());
}
