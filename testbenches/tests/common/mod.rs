//! What the tests share: configurations, cases with a failure text, and programs written by hand.
#![allow(dead_code)] // each test file uses a part of it

pub mod c;
pub mod hand;
pub mod legal;
pub mod plain;
pub mod programs;

use spec::config::RawConfig;
use spec::{Config, Counters};
use testbenches::data::Random;
use testbenches::rtl::Rtl;
use testbenches::verify::{run_case, CaseReport, Engines};
use testbenches::verilator::Options;
use testbenches::{random, Case, Comparison};

pub fn named(name: &str) -> Config {
    Config::named(name).expect("it ships with Systole")
}

/// A named configuration changed in a few places.
pub fn changed(name: &str, change: impl FnOnce(&mut RawConfig)) -> Config {
    let mut raw = RawConfig::from(&named(name));
    raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Named(spec::config::Auto::Auto);
    change(&mut raw);
    Config::try_from(raw).expect("a legal configuration")
}

/// Builds are kept in the workspace.
pub fn options() -> Options {
    Options::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub fn rtl(config: &Config) -> Rtl {
    Rtl::build(config, &options()).unwrap_or_else(|e| panic!("{}: {e}", config.name()))
}

/// A random problem of a configuration.
pub fn case(config: &Config, seed: u64) -> Case {
    random::problem(&mut Random::new(seed), &RawConfig::from(config))
}

/// A matrix product without stalls.
pub fn gemm(config: &Config, [m, k, n]: [usize; 3], latency: u64) -> Case {
    Case {
        m,
        widths: vec![k, n],
        data: testbenches::Data::Uniform,
        seed: 1,
        rounding_seed: 1,
        latency,
        stall_seed: 0,
        stall_percent: 0,
        reset_after: 0,
        config: RawConfig::from(config),
        network: None,
    }
}

/// Runs a case and requires that every engine was compared and agrees.
pub fn agree(context: &str, case: &Case, engines: Engines<'_>) -> CaseReport {
    let report = run_case(case, engines).unwrap_or_else(|e| panic!("{context}: {e}"));
    let n_engines = 1 + usize::from(engines.rtl.is_some()) + usize::from(engines.kernel);
    assert_eq!(report.comparisons.len(), n_engines, "{context}");
    for comparison in &report.comparisons {
        assert!(comparison.passed(), "{context}: {}", differences(comparison));
    }
    report
}

fn differences(comparison: &Comparison) -> String {
    let list: Vec<String> = comparison.differences.iter().map(ToString::to_string).collect();
    format!(
        "{} against {}: {} values, {} counters, {} others differ: {}",
        comparison.engine.name(),
        comparison.reference.name(),
        comparison.values_differing,
        comparison.counters_differing,
        comparison.others_differing,
        list.join("; ")
    )
}

/// Requires equal counters; the failure lists those that differ.
pub fn same_counters(context: &str, simulator: &Counters, rtl: &Counters) {
    let differing: Vec<String> = simulator
        .iter()
        .filter(|&(counter, expected)| rtl.get(counter) != expected)
        .map(|(counter, expected)| format!("{}: simulator {expected}, RTL {}", counter.name(), rtl.get(counter)))
        .collect();
    assert!(differing.is_empty(), "{context}: {}", differing.join("; "));
}
