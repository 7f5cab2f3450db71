//! Shared by the integration tests.

use proptest::prelude::*;
use spec::config::{AccumulatorBits, Auto, RawNumerics, RawRounding};
use spec::{Format, MachineScheme, Numerics, Round};

pub fn raw(activation: Format, weight: Format, output: Format) -> RawNumerics {
    RawNumerics {
        activation_bits: activation.bits(),
        activation_signed: activation.is_signed(),
        weight_bits: weight.bits(),
        weight_signed: weight.is_signed(),
        output_bits: output.bits(),
        output_signed: output.is_signed(),
        max_k: 65_535,
        bias_bits: 32,
        accumulator_bits: AccumulatorBits::Named(Auto::Auto),
        scheme: MachineScheme::FixedSingle,
        rounding: RawRounding::Named(Round::HalfTowardPositive),
        multiplier_bits: 31,
        shift_bits: 6,
    }
}

pub fn any_format() -> impl Strategy<Value = Format> {
    (1_u32..=16, any::<bool>()).prop_map(|(bits, signed)| Format::new(bits, signed))
}

/// Any legal configuration of values; half of them wrap.
pub fn any_numerics() -> impl Strategy<Value = Numerics> {
    let accumulator = prop_oneof![
        Just(AccumulatorBits::Named(Auto::Auto)),
        Just(AccumulatorBits::Exact(63)),
        (2_u32..=32).prop_map(|wrapping| AccumulatorBits::Wrapping { wrapping }),
        (2_u32..=63).prop_map(|wrapping| AccumulatorBits::Wrapping { wrapping }),
    ];
    let formats = (any_format(), any_format(), any_format());
    let widths = (1_u32..=48, 1_u32..=32, 1_u32..=6, 0_usize..10);
    (formats, accumulator, widths).prop_map(|((a, w, o), accumulator_bits, (bias, multiplier, shift, rounding))| {
        let mut raw = raw(a, w, o);
        raw.accumulator_bits = accumulator_bits;
        raw.bias_bits = bias;
        raw.multiplier_bits = multiplier;
        raw.shift_bits = shift;
        raw.rounding = RawRounding::Named(Round::ALL[rounding]);
        Numerics::try_from(raw).expect("every combination is legal")
    })
}

/// A value of a format: half of the time one of its extremes or a neighbour of zero.
pub fn value_of(format: Format) -> impl Strategy<Value = i64> {
    let (min, max) = (format.min(), format.max());
    prop_oneof![min..=max, min..=max, Just(min), Just(max), (-1_i64..=1).prop_map(move |v| format.saturate(v))]
}
