//! Builds of blocks with the real tools: areas, frequencies, outcomes that are no areas, and the cache.

use explore::synth::extrapolate::extrapolate;
use explore::synth::{key, synthesize, Area, BlockName, Outcome, Request, Stage, SynthError, Target};
use spec::config::{AccumulatorBits, RawConfig};
use spec::Config;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

static RUNNING: AtomicBool = AtomicBool::new(false);

/// `tiny` with operands of `bits` bits, psums of 2 x bits + 8, and a product register.
fn pe_config(bits: u32) -> Config {
    let mut raw = RawConfig::from(&Config::named("tiny").expect("it ships with Systole"));
    raw.numerics.activation_bits = bits;
    raw.numerics.activation_signed = true;
    raw.numerics.weight_bits = bits;
    raw.numerics.accumulator_bits = AccumulatorBits::Wrapping { wrapping: 2 * bits + 8 };
    Config::try_from(raw).expect("the widths are in range")
}

fn request(config: &Config, block: BlockName, target: Target) -> Request<'_> {
    let timeout = Duration::from_secs(600);
    Request { config, block, target, dsp: target.default_dsp(), place: None, liberty: None, timeout }
}

fn build(request: &Request<'_>, cache: &Path) -> Outcome {
    synthesize(request, cache, &RUNNING).expect("the tools are installed")
}

fn area(request: &Request<'_>, cache: &Path) -> Area {
    match build(request, cache) {
        Outcome::Done { area, .. } => area,
        other => panic!("{other:?}"),
    }
}

fn cache() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// The registers of a PE: activation, swap, shift, shadow, weight, product, psum.
#[test]
fn a_pe_takes_the_registers_that_its_description_names() {
    let cache = cache();
    for (target, dsp) in [(Target::Ice40Hx8k, false), (Target::Ecp5_85k, false), (Target::Gowin, false)] {
        for bits in [2, 5] {
            let config = pe_config(bits);
            let area = area(&Request { dsp, ..request(&config, BlockName::Pe, target) }, cache.path());
            let expected = u64::from(bits + 1 + 1 + bits + bits + 2 * bits + (2 * bits + 8));
            assert_eq!(area.ffs, expected, "{target}, {bits} bits: {area:?}");
            assert!(area.luts > 0 && area.dsps == 0, "{target}, {bits} bits: {area:?}");
        }
    }
}

#[test]
fn multipliers_become_dsp_blocks_where_they_may() {
    let cache = cache();
    let config = pe_config(8);
    for target in [Target::Ecp5_85k, Target::Ice40Up5k, Target::Xilinx7] {
        let with = area(&Request { dsp: true, ..request(&config, BlockName::Pe, target) }, cache.path());
        let without = area(&Request { dsp: false, ..request(&config, BlockName::Pe, target) }, cache.path());
        assert_eq!((with.dsps, without.dsps), (1, 0), "{target}");
        assert!(with.luts < without.luts, "{target}: {} and {} LUTs", with.luts, without.luts);
    }
}

#[test]
fn a_device_that_is_too_small_is_a_failure_with_its_counts() {
    let cache = cache();
    let mut raw = RawConfig::from(&pe_config(8));
    (raw.geometry.rows, raw.geometry.cols) = (3, 3);
    let config = Config::try_from(raw).expect("the shape is in range");
    let request = Request { place: Some(1), ..request(&config, BlockName::Mesh, Target::Ice40Up5k) };
    let Outcome::Failed { stage, reason, area } = build(&request, cache.path()) else { panic!("9 of 8 fit") };
    assert_eq!((stage, reason.as_str()), (Stage::Place, "does not fit: 9 of 8 DSPs"));
    assert_eq!(area.expect("it was synthesized").dsps, 9);
}

/// The path's delays are the clock's period, and lead through the PE only.
#[test]
fn the_frequency_is_that_of_the_path_told() {
    let cache = cache();
    let config = pe_config(4);
    let request = Request { place: Some(3), ..request(&config, BlockName::Pe, Target::Ice40Hx8k) };
    let Outcome::Done { fmax_mhz: Some(fmax), critical_path, .. } = build(&request, cache.path()) else {
        panic!("a PE fits")
    };
    let period: f64 = critical_path.iter().map(|segment| segment.logic_ns + segment.routing_ns).sum();
    assert!((period * fmax / 1000.0 - 1.0).abs() < 0.01, "{period} ns, {fmax} MHz");
    assert!((80.0..300.0).contains(&fmax), "{fmax} MHz");
    assert!(critical_path.iter().any(|segment| segment.to.contains("product")), "{critical_path:?}");
}

#[test]
fn equal_builds_share_an_entry_and_others_do_not() {
    let cache = cache();
    let config = pe_config(3);
    let first = request(&config, BlockName::Pe, Target::Ice40Hx8k);
    let outcome = build(&first, cache.path());

    let mut raw = RawConfig::from(&config);
    raw.name = "another".to_owned();
    raw.geometry.bus_bits = 64;
    let other = Config::try_from(raw).expect("a PE does not depend on it");
    let again = request(&other, BlockName::Pe, Target::Ice40Hx8k);
    let name = |request: &Request<'_>| key(request).expect("the tools are installed");
    assert_eq!(name(&first), name(&again));
    for different in [
        Request { place: Some(1), ..first },
        Request { place: Some(2), ..first },
        Request { target: Target::Ice40Up5k, ..first },
        Request { block: BlockName::Mesh, ..first },
    ] {
        assert_ne!(name(&first), name(&different), "{different:?}");
    }

    // What is in the cache is what is returned: nothing was built again.
    let entry = cache.path().join(format!("synth-{}", name(&first))).join("outcome.json");
    let text = std::fs::read_to_string(&entry).expect("the entry is there");
    let Outcome::Done { area, .. } = outcome else { panic!("{outcome:?}") };
    let changed = text.replacen(&format!("\"luts\": {}", area.luts), "\"luts\": 12345", 1);
    std::fs::write(&entry, changed).expect("the entry can be changed");
    assert_eq!(self::area(&again, cache.path()).luts, 12_345);
}

#[test]
fn a_build_that_ran_out_of_time_is_tried_again_with_more() {
    let cache = cache();
    let config = pe_config(6);
    let short = Duration::from_millis(30);
    let request = request(&config, BlockName::Pe, Target::Ecp5_25k);
    let hurried = Request { timeout: short, ..request };
    let expected = Outcome::TimedOut { stage: Stage::Synthesis, after: short, area: None };
    assert_eq!(build(&hurried, cache.path()), expected);
    let started = Instant::now();
    assert_eq!(build(&hurried, cache.path()), expected);
    assert!(started.elapsed() < short, "the outcome is kept");
    assert_eq!(area(&request, cache.path()).dsps, 1);
}

#[test]
fn an_interruption_leaves_nothing_half_written() {
    let cache = cache();
    let config = pe_config(6);
    let interrupted = AtomicBool::new(true);
    let result = synthesize(&request(&config, BlockName::Pe, Target::Ecp5_25k), cache.path(), &interrupted);
    assert!(matches!(result, Err(SynthError::Interrupted)), "{result:?}");
    for entry in std::fs::read_dir(cache.path()).expect("the cache is a folder") {
        let path = entry.expect("an entry").path();
        assert!(path.is_file(), "{} was left", path.display());
    }
}

/// Two gates and a flip-flop, of areas that make every sum of them distinct enough.
const LIBERTY: &str = "library(test) {
  cell(NAND) { area : 1.5; pin(A) { direction : input; } pin(B) { direction : input; }
    pin(Y) { direction : output; function : \"!(A*B)\"; } }
  cell(NOT) { area : 1; pin(A) { direction : input; } pin(Y) { direction : output; function : \"!A\"; } }
  cell(DFF) { area : 8; ff(IQ, IQN) { clocked_on : \"C\"; next_state : \"D\"; }
    pin(C) { direction : input; clock : true; } pin(D) { direction : input; }
    pin(Q) { direction : output; function : \"IQ\"; } }
}
";

#[test]
fn gates_have_the_areas_of_their_liberty_file() {
    let cache = cache();
    let config = pe_config(2);
    let liberty = cache.path().join("cells.lib");
    std::fs::write(&liberty, LIBERTY).expect("a test's own file");
    let request = Request { liberty: Some(&liberty), ..request(&config, BlockName::Pe, Target::Generic) };
    let area = area(&request, cache.path());
    assert_eq!((area.ffs, area.luts), (24, 0));
    let of = |kind: &str| *area.cells.get(kind).unwrap_or_else(|| panic!("no {kind} in {:?}", area.cells)) as f64;
    assert_eq!(of("DFF"), 24.0);
    let expected = 1.5 * of("NAND") + of("NOT") + 8.0 * of("DFF");
    assert!((area.area_um2.expect("an area") - expected).abs() < 1e-6, "{area:?}");
}

#[test]
fn requests_that_no_tool_can_follow_are_errors() {
    let cache = cache();
    let config = pe_config(2);
    let pe = |target| request(&config, BlockName::Pe, target);
    let file = Path::new("cells.lib");
    for (request, message) in [
        (pe(Target::Generic), "target gates needs a liberty file"),
        (Request { liberty: Some(file), ..pe(Target::Gowin) }, "a liberty file is for target gates, not for gowin"),
        (
            Request { place: Some(1), ..pe(Target::Xilinx7) },
            "target xilinx7 has no place and route here: it is for ice40-hx8k, ice40-up5k, ecp5-25k, ecp5-85k",
        ),
        (
            Request { dsp: true, ..pe(Target::Ice40Hx8k) },
            "target ice40-hx8k has no DSP blocks here: they are for ice40-up5k, ecp5-25k, ecp5-85k, xilinx7",
        ),
    ] {
        let error = synthesize(&request, cache.path(), &RUNNING).expect_err("the request is refused");
        assert_eq!(error.to_string(), message);
    }
}

/// Builds of a few small meshes foretell a larger one.
#[test]
fn areas_of_meshes_follow_from_smaller_ones() {
    let cache = cache();
    let build = |(rows, cols)| {
        let mut raw = RawConfig::from(&pe_config(2));
        (raw.geometry.rows, raw.geometry.cols) = (rows, cols);
        let config = Config::try_from(raw).expect("the shape is in range");
        ((rows, cols), area(&request(&config, BlockName::Mesh, Target::Ice40Hx8k), cache.path()))
    };
    let builds = [(2, 2), (2, 3), (3, 2), (3, 4), (4, 4)].map(build);
    let (_, held_out) = build((6, 6));
    let foretold = extrapolate(&builds, (6, 6)).expect("the shapes determine the fit");
    assert!(foretold.extrapolated && foretold.residual < 0.02, "{foretold:?}");
    for (name, expected, actual) in [
        ("LUTs", held_out.luts, foretold.area.luts),
        ("FFs", held_out.ffs, foretold.area.ffs),
        ("carry cells", held_out.carries, foretold.area.carries),
    ] {
        let error = (actual as f64 - expected as f64).abs() / expected as f64;
        println!("{name} of a 6 x 6 mesh: built {expected}, extrapolated {actual}, {:.2} %", 100.0 * error);
        assert!(error < 0.02, "{name}: {expected} built, {actual} extrapolated");
    }
}
