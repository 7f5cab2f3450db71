//! Shared by the integration tests. Each file of tests is a program of its own and uses a part of this.
#![allow(dead_code)]

pub mod oracle;

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
        activation_table: false,
    }
}

pub fn any_format() -> impl Strategy<Value = Format> {
    (1_u32..=16, any::<bool>()).prop_map(|(bits, signed)| Format::new(bits, signed))
}

/// Any rule, or stochastic rounding in a quarter of the cases.
fn any_rounding() -> impl Strategy<Value = RawRounding> {
    prop_oneof![
        3 => proptest::sample::select(Round::ALL.to_vec()).prop_map(RawRounding::Named),
        1 => (1_u32..=32).prop_map(|stochastic| RawRounding::Stochastic { stochastic }),
    ]
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
    let widths = (1_u32..=48, 1_u32..=32, 1_u32..=6);
    let scheme = (proptest::sample::select(MachineScheme::ALL.to_vec()), any_rounding());
    (formats, accumulator, widths, scheme).prop_map(
        |((a, w, o), accumulator_bits, (bias, multiplier, shift), (scheme, rounding))| {
            let mut raw = raw(a, w, o);
            raw.accumulator_bits = accumulator_bits;
            raw.bias_bits = bias;
            raw.multiplier_bits = if scheme == MachineScheme::Pow2 { 0 } else { multiplier };
            raw.shift_bits = shift;
            let up = RawRounding::Named(Round::HalfTowardPositive);
            // The two double schemes differ in their names' rounding only.
            (raw.scheme, raw.rounding) = match scheme {
                MachineScheme::FixedDouble if rounding == up => (MachineScheme::FixedDoubleUp, up),
                MachineScheme::FixedDoubleUp => (scheme, up),
                _ => (scheme, rounding),
            };
            Numerics::try_from(raw).expect("every combination is legal")
        },
    )
}

/// A multiplier that the configuration takes; powers of two, which make ties, are frequent.
pub fn multiplier_of(numerics: &Numerics) -> BoxedStrategy<u32> {
    match numerics.multiplier() {
        None => Just(1).boxed(),
        Some(format) => prop_oneof![value_of(format), (0..format.bits()).prop_map(|bit| 1_i64 << bit)]
            .prop_map(|multiplier| multiplier as u32)
            .boxed(),
    }
}

/// A value of a format: half of the time one of its extremes or a neighbour of zero.
pub fn value_of(format: Format) -> impl Strategy<Value = i64> {
    let (min, max) = (format.min(), format.max());
    prop_oneof![min..=max, min..=max, Just(min), Just(max), (-1_i64..=1).prop_map(move |v| format.saturate(v))]
}
