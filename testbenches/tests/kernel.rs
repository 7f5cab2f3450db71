//! Four engines: golden, the simulator, the emitted Verilog under Verilator, and the description itself in RustHDL's own
//! simulator.

mod common;

use common::{agree, changed, gemm, named, rtl};
use spec::config::RawRounding;
use spec::{Config, MachineScheme, Round};
use testbenches::verify::Engines;
use testbenches::{Case, Data};

/// Runs a case on all four engines.
fn on_four(config: &Config, cases: &[Case]) {
    let rtl = rtl(config);
    for case in cases {
        let context = format!("m = {}, widths {:?}, {:?}", case.m, case.widths, case.data);
        agree(&context, case, Engines { rtl: Some(&rtl), kernel: true });
    }
}

#[test]
fn four_engines_agree_on_tiny() {
    let config = named("tiny");
    let case = |size| gemm(&config, size, 2);
    on_four(
        &config,
        &[
            case([1, 1, 1]),
            Case { data: Data::Ties, ..case([4, 3, 5]) },
            Case { data: Data::Extreme, stall_percent: 40, stall_seed: 5, ..case([3, 5, 4]) },
            Case { reset_after: 45, ..case([5, 4, 3]) },
            Case { widths: vec![3, 4, 2], ..case([2, 3, 2]) },
        ],
    );
}

/// A machine that differs from `tiny` in all that the description branches on: lanes, stages, signs, rounding, a wrapping sum.
#[test]
fn four_engines_agree_on_an_odd_machine() {
    let config = changed("tiny", |raw| {
        raw.numerics.activation_signed = true;
        raw.numerics.weight_signed = false;
        raw.numerics.output_signed = true;
        raw.numerics.rounding = RawRounding::Named(Round::HalfToEven);
        raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Wrapping { wrapping: 9 };
        raw.geometry.rows = 3;
        raw.geometry.cols = 2;
        raw.geometry.multiplier_stages = 2;
        raw.geometry.requantizer_lanes = 2;
        raw.geometry.bus_bits = 64;
    });
    let case = |data| Case { data, ..gemm(&config, [4, 7, 5], 3) };
    on_four(&config, &Data::ALL.map(case));
}

/// Random bits, two roundings, several lanes and two layers, so that a second seed follows.
#[test]
fn four_engines_agree_on_a_machine_with_random_bits() {
    let config = changed("tiny", |raw| {
        raw.numerics.scheme = MachineScheme::FixedDouble;
        raw.numerics.rounding = RawRounding::Stochastic { stochastic: 18 };
        raw.numerics.multiplier_bits = 9;
        raw.geometry.cols = 4;
        raw.geometry.requantizer_lanes = 2;
    });
    let case = |data| Case { data, widths: vec![4, 7, 3], ..gemm(&config, [4, 4, 7], 3) };
    on_four(&config, &[Data::Uniform, Data::Ties].map(case));
}
