//! Every key of a configuration: its limits, and the exact text of every refusal.

use spec::config::{AccumulatorBits, RawConfig, RawRounding};
use spec::{Config, MachineScheme, Round};

const TINY: &str = include_str!("../configs/tiny.toml");

/// `tiny` with the line of a key replaced; an empty line removes it.
fn with(key: &str, line: &str) -> String {
    let start = format!("{key} = ");
    let lines: Vec<&str> = TINY.lines().map(|old| if old.starts_with(&start) { line } else { old }).collect();
    assert_ne!(lines, TINY.lines().collect::<Vec<_>>(), "{key} must be a key, {line} a change");
    lines.join("\n")
}

fn refusal(text: &str) -> String {
    Config::from_toml(text).expect_err(text).to_string()
}

/// Key, least, greatest legal value in `tiny`.
const RANGES: [(&str, &str, u64, u64); 16] = [
    ("numerics", "activation_bits", 1, 16),
    ("numerics", "weight_bits", 1, 16),
    ("numerics", "output_bits", 1, 16),
    ("numerics", "max_k", 1, 65_535),
    ("numerics", "bias_bits", 1, 48),
    ("numerics", "multiplier_bits", 1, 32),
    ("numerics", "shift_bits", 1, 6),
    ("geometry", "rows", 1, 128),
    ("geometry", "multiplier_stages", 0, 2),
    ("geometry", "activation_buffer_rows", 2, 65_536),
    ("geometry", "weight_buffer_tiles", 2, 256),
    ("geometry", "accumulator_rows", 1, 32_768),
    ("geometry", "parameter_tiles", 2, 1024),
    ("geometry", "requantizer_lanes", 1, 3),
    ("geometry", "bus_bits", 32, 256),
    ("geometry", "queue_depth", 2, 64),
];

#[test]
fn every_range_has_its_two_ends() {
    for (table, key, min, max) in RANGES {
        for value in [min, max] {
            let line = format!("{key} = {value}");
            if !TINY.lines().any(|old| old == line) {
                let config = Config::from_toml(&with(key, &line)).unwrap_or_else(|e| panic!("{line}: {e}"));
                assert!(config.to_toml().lines().any(|printed| printed == line), "{}", config.to_toml());
            }
        }
        for value in [min.checked_sub(1), Some(max + 1), Some(u64::from(u32::MAX))].into_iter().flatten() {
            assert_eq!(
                refusal(&with(key, &format!("{key} = {value}"))),
                format!("{table}.{key} = {value} is out of range: it must be in {min}..={max}")
            );
        }
    }
}

#[test]
fn the_other_rules_say_what_they_want() {
    let overflow = |bits: u32| {
        format!(
            "numerics.accumulator_bits = {bits} must be at least 19, or the sum of max_k = 1024 products and the bias could overflow; \
             {{ wrapping = {bits} }} asks for a narrower one that wraps"
        )
    };
    let name = |name: &str| format!("name = {name:?} must be 1..=64 letters, digits, '_' or '-'");
    let cases = [
        ("cols", "cols = 0".to_owned(), "geometry.cols = 0 is out of range: it must be in 1..=128".to_owned()),
        ("cols", "cols = 129".to_owned(), "geometry.cols = 129 is out of range: it must be in 1..=128".to_owned()),
        (
            "requantizer_lanes",
            "requantizer_lanes = 2".to_owned(),
            "geometry.requantizer_lanes = 2 must be a divisor of geometry.cols = 3".to_owned(),
        ),
        ("bus_bits", "bus_bits = 48".to_owned(), "geometry.bus_bits = 48 must be a power of two".to_owned()),
        ("queue_depth", "queue_depth = 6".to_owned(), "geometry.queue_depth = 6 must be a power of two".to_owned()),
        // 1024 x 31 x -8 = -253,952 and a bias of -2048: one bit less than 19 would wrap.
        ("accumulator_bits", "accumulator_bits = 18".to_owned(), overflow(18)),
        ("accumulator_bits", "accumulator_bits = 1".to_owned(), overflow(1)),
        (
            "accumulator_bits",
            "accumulator_bits = 0".to_owned(),
            "numerics.accumulator_bits = 0 is out of range: it must be in 1..=63".to_owned(),
        ),
        (
            "accumulator_bits",
            "accumulator_bits = 64".to_owned(),
            "numerics.accumulator_bits = 64 is out of range: it must be in 1..=63".to_owned(),
        ),
        (
            "accumulator_bits",
            "accumulator_bits = { wrapping = 1 }".to_owned(),
            "numerics.accumulator_bits = 1 is out of range: it must be in 2..=63".to_owned(),
        ),
        (
            "accumulator_bits",
            "accumulator_bits = { wrapping = 64 }".to_owned(),
            "numerics.accumulator_bits = 64 is out of range: it must be in 2..=63".to_owned(),
        ),
        ("name", "name = \"\"".to_owned(), name("")),
        ("name", "name = \"a b\"".to_owned(), name("a b")),
        ("name", format!("name = \"{}\"", "n".repeat(65)), name(&"n".repeat(65))),
    ];
    for (key, line, message) in cases {
        assert_eq!(refusal(&with(key, &line)), message);
    }
}

/// Commands address parameter rows with 16 bits.
#[test]
fn the_parameter_buffer_is_limited_by_the_command_fields() {
    let text =
        |tiles: u32| with("cols", "cols = 128").replace("parameter_tiles = 16", &format!("parameter_tiles = {tiles}"));
    assert!(Config::from_toml(&text(512)).is_ok());
    assert_eq!(
        refusal(&text(513)),
        "geometry.parameter_tiles = 513 must be at most 512: commands address 65536 parameter rows, and a tile has \
         cols / requantizer_lanes = 128 of them"
    );
}

#[test]
fn the_accumulator_is_as_wide_as_the_greatest_sum_or_as_asked_for() {
    let bits = |line: &str| {
        let text = if line.is_empty() { TINY.to_owned() } else { with("accumulator_bits", line) };
        let config = Config::from_toml(&text).unwrap_or_else(|e| panic!("{line}: {e}"));
        (config.numerics().accumulator_bits(), config.numerics().accumulator_wraps())
    };
    assert_eq!(bits(""), (19, false));
    assert_eq!(bits("accumulator_bits = 19"), (19, false));
    assert_eq!(bits("accumulator_bits = 63"), (63, false));
    assert_eq!(bits("accumulator_bits = { wrapping = 18 }"), (18, true));
    assert_eq!(bits("accumulator_bits = { wrapping = 2 }"), (2, true));
    // Wide enough after all: nothing wraps.
    assert_eq!(bits("accumulator_bits = { wrapping = 40 }"), (40, false));
}

#[test]
fn a_table_is_for_outputs_of_at_most_ten_bits() {
    let table = with("activation_table", "activation_table = true");
    let of = |bits: u32| table.replace("output_bits = 5", &format!("output_bits = {bits}"));
    assert!(Config::from_toml(&of(10)).is_ok_and(|config| config.numerics().activation_table()));
    assert_eq!(refusal(&of(11)), "numerics.activation_table = true must be false where output_bits = 11 is above 10");
}

#[test]
fn every_key_is_needed_and_no_other_is_taken() {
    let keys: Vec<&str> = TINY.lines().filter_map(|line| line.split_once(" = ").map(|(key, _)| key)).collect();
    assert_eq!(keys.len(), 1 + 14 + 10);
    for key in keys {
        let message = refusal(&with(key, ""));
        assert!(message.starts_with("the configuration does not parse: "), "{message}");
        assert!(message.contains(&format!("missing field `{key}`")), "{key}: {message}");
        let message = refusal(&with(key, &format!("{key}s = 1")));
        assert!(message.contains(&format!("unknown field `{key}s`")), "{key}: {message}");
    }
    for (line, message) in [
        ("rows = -1", "invalid value: integer `-1`"),
        ("rows = 2.0", "invalid type: floating point `2.0`"),
        ("rows = \"2\"", "invalid type: string \"2\""),
        ("rows = true", "invalid type: boolean `true`"),
        ("rows = 2\nrows = 2", "duplicate key"),
        ("rows = ", "string values must be quoted"),
    ] {
        let text = refusal(&with("rows", line));
        assert!(text.contains(message), "{line}: {text}");
    }
    for (key, line) in [
        ("rounding", "rounding = \"half-up\""),
        ("rounding", "rounding = { stochastic = 8, seed = 1 }"),
        ("rounding", "rounding = { stochastic = -1 }"),
        ("scheme", "scheme = \"fixed\""),
        ("rounding", "rounding = 1"),
        ("accumulator_bits", "accumulator_bits = \"wide\""),
        ("accumulator_bits", "accumulator_bits = { wrapping = 4, saturating = 5 }"),
        ("activation_signed", "activation_signed = 0"),
    ] {
        assert!(refusal(&with(key, line)).starts_with("the configuration does not parse: "), "{line}");
    }
}

/// Every arithmetic has one name, and a multiplier where it needs one.
#[test]
fn scheme_rounding_and_multiplier_fit_each_other() {
    let text = |scheme: &str, rounding: &str, multiplier_bits: u32| {
        with("scheme", &format!("scheme = \"{scheme}\" # given"))
            .replace("rounding = \"half-toward-positive\"", &format!("rounding = {rounding}"))
            .replace("multiplier_bits = 12", &format!("multiplier_bits = {multiplier_bits}"))
    };
    let name = |round: Round| format!("\"{round}\"");
    for round in Round::ALL {
        let up = round == Round::HalfTowardPositive;
        for (scheme, multiplier_bits, legal) in
            [("fixed-single", 12, true), ("pow2", 0, true), ("fixed-double", 12, !up), ("fixed-double-up", 12, up)]
        {
            let config = Config::from_toml(&text(scheme, &name(round), multiplier_bits));
            assert_eq!(config.is_ok(), legal, "{scheme}, {round}: {config:?}");
        }
    }
    let up = "\"half-toward-positive\"";
    let stochastic = "{ stochastic = 8 }";
    for (scheme, multiplier_bits) in [("fixed-single", 12), ("pow2", 0), ("fixed-double", 12)] {
        assert!(Config::from_toml(&text(scheme, stochastic, multiplier_bits)).is_ok(), "{scheme}");
    }
    let only_up = "numerics.scheme = fixed-double-up must be fixed-double unless rounding = \"half-toward-positive\", which is what \
                   \"up\" stands for";
    for (scheme, rounding, multiplier_bits, message) in [
        (
            "pow2",
            up,
            1,
            "numerics.multiplier_bits = 1 must be 0: scheme pow2 has no multiplier",
        ),
        ("fixed-single", up, 0, "numerics.multiplier_bits = 0 is out of range: it must be in 1..=32"),
        ("fixed-double", "\"floor\"", 33, "numerics.multiplier_bits = 33 is out of range: it must be in 1..=32"),
        (
            "fixed-double",
            up,
            12,
            "numerics.scheme = fixed-double must be fixed-double-up where rounding = \"half-toward-positive\": that is its name",
        ),
        ("fixed-double-up", "\"half-to-even\"", 12, only_up),
        ("fixed-double-up", stochastic, 12, only_up),
        (
            "fixed-single",
            "{ stochastic = 0 }",
            12,
            "numerics.rounding.stochastic = 0 is out of range: it must be in 1..=32",
        ),
        (
            "fixed-single",
            "{ stochastic = 33 }",
            12,
            "numerics.rounding.stochastic = 33 is out of range: it must be in 1..=32",
        ),
    ] {
        assert_eq!(refusal(&text(scheme, rounding, multiplier_bits)), message);
    }
}

#[test]
fn a_configuration_survives_being_printed() {
    for name in Config::NAMED {
        let config = Config::named(name).unwrap_or_else(|| panic!("{name} ships with Systole"));
        assert_eq!(Config::from_toml(&config.to_toml()).as_ref(), Ok(&config));
        let mut raw = RawConfig::from(&config);
        raw.numerics.accumulator_bits = AccumulatorBits::Wrapping { wrapping: 7 };
        let named = Round::ALL.map(RawRounding::Named);
        for rounding in named.into_iter().chain([1, 32].map(|stochastic| RawRounding::Stochastic { stochastic })) {
            raw.numerics.rounding = rounding;
            let config = Config::try_from(raw.clone()).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(Config::from_toml(&config.to_toml()).as_ref(), Ok(&config));
            assert_eq!(RawConfig::from(&config).numerics.rounding, rounding);
        }
        raw.numerics.scheme = MachineScheme::Pow2;
        raw.numerics.multiplier_bits = 0;
        let config = Config::try_from(raw).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(Config::from_toml(&config.to_toml()).as_ref(), Ok(&config));
    }
    assert_eq!(Config::named("Tiny"), None);
}
