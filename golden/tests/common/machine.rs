//! The machine's own requantizer for the parameters that other implementations use.

use golden::{Channel, Multiplier, OutputStage};
use spec::config::{AccumulatorBits, RawNumerics, RawRounding};
use spec::{MachineScheme, Numerics, Round};

/// A configuration with one of the machine's schemes of two roundings.
pub fn numerics(scheme: MachineScheme, accumulator_bits: AccumulatorBits) -> Numerics {
    let second = if scheme == MachineScheme::FixedDouble { Round::HalfAwayFromZero } else { Round::HalfTowardPositive };
    let raw = RawNumerics {
        activation_bits: 8,
        activation_signed: true,
        weight_bits: 8,
        weight_signed: true,
        output_bits: 8,
        output_signed: true,
        max_k: 1024,
        bias_bits: 32,
        accumulator_bits,
        scheme,
        rounding: RawRounding::Named(second),
        multiplier_bits: 31,
        shift_bits: 6,
        activation_table: false,
    };
    Numerics::try_from(raw).expect("legal")
}

pub fn channel(multiplier: Multiplier, bias: i64, output: OutputStage) -> Channel {
    Channel { bias, multiplier: multiplier.m() as u32, shift: multiplier.shift(), zero_point: output.zero_point }
}
