//! Builds of blocks with the real tools: areas, frequencies, outcomes that are no areas, and the cache.

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
