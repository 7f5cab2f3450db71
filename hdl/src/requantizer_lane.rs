//! One lane of the requantizer.

use crate::clear_low::ClearLow;
use crate::first_rounding::FirstRounding;
use crate::prelude::*;
use crate::random_carry::RandomCarry;
use crate::round_up::RoundUp;
use crate::widths::bits;
use crate::Saturator;
use spec::{MachineScheme, Numerics, Rounding};

/// Brings terms, an accumulator each, to the output format: `clamp(round((sum of (accumulator + bias) * multiplier) /
/// 2^shift) + zero_point)`. Latency 4 from the last term.
///
/// - `record_in` holds, from the lowest bit, bias (signed), multiplier (unsigned; none in the scheme pow2), shift
///   (unsigned) and zero point (signed, one bit wider than the output), then padding. Shift and zero point are the same
///   for all terms.
/// - The sum of accumulator and bias wraps at the accumulator's width, that of the products at theirs; one product is
///   exact.
/// - Terms follow each other without a gap. `first_in` comes with the sum of the first one, 1 cycle after its
///   accumulator.
/// - A second rounding (schemes fixed-double and fixed-double-up) sees the product of which [`FirstRounding`] and
///   [`ClearLow`] dropped `multiplier_bits` bits; without it, a shift that short rounds half toward positive by the
///   guard.
/// - `random_in`, only there with stochastic rounding, arrives with the product, 2 cycles after its accumulator.
/// - `low_in` and `high_in` bound the value that enters the last register, 3 cycles after its accumulator.
#[derive(LogicBlock)]
pub struct RequantizerLane {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub accumulator_in: WireIn,
    pub record_in: WireIn,
    pub first_in: WireIn,
    pub random_in: Vec<WireIn>,
    pub low_in: WireIn,
    pub high_in: WireIn,
    pub output_out: WireOut,
    bias_field: WireLocal,
    bias: WireLocal,
    sum: Register,
    multiplier: Vec<Register>,
    shifts: Vec<Register>,
    zero_points: Vec<Register>,
    multiply: Vec<Multiplier>,
    product_now: WireLocal,
    product_before: WireLocal,
    first_rounding: Vec<FirstRounding>,
    product: Register,
    deep: Vec<Register>,
    clear_low: Vec<ClearLow>,
    scaled: WireLocal,
    shifter: Shifter,
    guard: WireLocal,
    round_up: Vec<RoundUp>,
    random_carry: Vec<RandomCarry>,
    rule: WireLocal,
    increment: WireLocal,
    rounded: Register,
    rounded_wide: WireLocal,
    zero_point_wide: WireLocal,
    saturator: Saturator,
    result: Register,
    multiplier_at: Const,
    shift_at: Const,
    zero_point_at: Const,
    sign_at: Const,
    guard_at: Const,
    // How many of each: 0 or 1.
    _n_multiplied: usize,
    _n_unmultiplied: usize,
    _n_twice: usize,
    _n_cleared: usize,
    _n_uncleared: usize,
    _n_fixed: usize,
    _n_stochastic: usize,
}

impl RequantizerLane {
    pub fn new(numerics: &Numerics) -> RequantizerLane {
        let scheme = numerics.scheme();
        let accumulator = Operand { bits: bits(numerics.accumulator_bits()), is_signed: true };
        let multiplier = Operand { bits: bits(numerics.multiplier_bits()), is_signed: false };
        let (bias, shift) = (bits(numerics.bias_bits()), bits(numerics.shift_bits()));
        let (output, bound) = (bits(numerics.output().bits()), bits(numerics.bound().bits()));
        let product = accumulator.bits + multiplier.bits;
        // Holds the sum of any rounded product and any zero point.
        let total = product.max(bound) + 1;
        let record = bits(numerics.parameter_bits());
        let random = bits(numerics.rounding().random_bits());
        let position = |at: usize| Const::new(at as u128, bits_for(record)); // widening
        let (n_multiplied, n_twice) = (usize::from(multiplier.bits > 0), usize::from(scheme.is_double()));
        // Half toward positive looks at nothing that the first rounding drops.
        let n_cleared = usize::from(scheme == MachineScheme::FixedDouble);
        let n_stochastic = usize::from(random > 0);
        let round_up = match numerics.rounding() {
            Rounding::Fixed(round) => vec![RoundUp::new(round)],
            Rounding::Stochastic { .. } => Vec::new(),
        };
        RequantizerLane {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            accumulator_in: WireIn::new(accumulator.bits),
            record_in: WireIn::new(record),
            first_in: WireIn::new(1),
            random_in: WireIn::vec(n_stochastic, random),
            low_in: WireIn::new(bound),
            high_in: WireIn::new(bound),
            output_out: WireOut::new(output),
            bias_field: WireLocal::new(bias),
            bias: WireLocal::new(accumulator.bits),
            sum: Register::new(accumulator.bits),
            multiplier: (0..n_multiplied).map(|_| Register::new(multiplier.bits)).collect(),
            shifts: vec![Register::new(shift), Register::new(shift)],
            zero_points: vec![Register::new(bound), Register::new(bound), Register::new(bound)],
            multiply: (0..n_multiplied).map(|_| Multiplier::new(accumulator, multiplier)).collect(),
            product_now: WireLocal::new(product),
            product_before: WireLocal::new(product),
            first_rounding: (0..n_twice).map(|_| FirstRounding::new(product, shift, multiplier.bits)).collect(),
            product: Register::new(product),
            deep: (0..n_cleared).map(|_| Register::new(1)).collect(),
            clear_low: (0..n_cleared).map(|_| ClearLow::new(product, multiplier.bits)).collect(),
            scaled: WireLocal::new(product),
            shifter: Shifter::new(product, shift, random.max(1)),
            guard: WireLocal::new(1),
            round_up,
            random_carry: (0..n_stochastic).map(|_| RandomCarry::new(random)).collect(),
            rule: WireLocal::new(1),
            increment: WireLocal::new(1),
            rounded: Register::new(product),
            rounded_wide: WireLocal::new(total),
            zero_point_wide: WireLocal::new(total),
            saturator: Saturator::new(total, bound),
            result: Register::new(output),
            multiplier_at: position(bias),
            shift_at: position(bias + multiplier.bits),
            zero_point_at: position(bias + multiplier.bits + shift),
            sign_at: Const::new(product as u128 - 1, bits_for(product)), // widening
            guard_at: Const::new(random.max(1) as u128 - 1, bits_for(random.max(1))), // widening
            _n_multiplied: n_multiplied,
            _n_unmultiplied: 1 - n_multiplied,
            _n_twice: n_twice,
            _n_cleared: n_cleared,
            _n_uncleared: 1 - n_cleared,
            _n_fixed: 1 - n_stochastic,
            _n_stochastic: n_stochastic,
        }
    }
}

impl Logic for RequantizerLane {
    module!("requantizer_lane", "Brings an accumulator to the output format, in four registers.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, sum, product, rounded, result);
        self.sum.reset.next = self.reset.val();
        self.product.reset.next = self.reset.val();
        self.rounded.reset.next = self.reset.val();
        self.result.reset.next = self.reset.val();
        for i in 0..2 {
            self.shifts[i].clock.next = self.clock.val();
            self.shifts[i].reset.next = self.reset.val();
        }
        for i in 0..3 {
            self.zero_points[i].clock.next = self.clock.val();
            self.zero_points[i].reset.next = self.reset.val();
        }

        // Sum.
        self.bias_field.next = self.record_in.val();
        self.bias.next = signed_cast(self.bias_field.val());
        self.sum.d_in.next = self.accumulator_in.val() + self.bias.val();
        self.shifts[0].d_in.next = self.record_in.val() >> self.shift_at.val();
        self.zero_points[0].d_in.next = self.record_in.val() >> self.zero_point_at.val();

        // Product.
        for i in 0..self._n_multiplied {
            self.multiplier[i].clock.next = self.clock.val();
            self.multiplier[i].reset.next = self.reset.val();
            self.multiplier[i].d_in.next = self.record_in.val() >> self.multiplier_at.val();
            self.multiply[i].a_in.next = self.sum.d_out.val();
            self.multiply[i].b_in.next = self.multiplier[i].d_out.val();
            self.product_now.next = self.multiply[i].product_out.val();
        }
        for _i in 0..self._n_unmultiplied {
            self.product_now.next = self.sum.d_out.val();
        }
        self.product_before.next = self.product.d_out.val();
        if self.first_in.val().any() {
            self.product_before.next = 0.into();
        }
        for i in 0..self._n_twice {
            self.first_rounding[i].shift_in.next = self.shifts[0].d_out.val();
            if self.first_in.val().any() {
                self.product_before.next = self.first_rounding[i].half_out.val();
            }
        }
        self.product.d_in.next = self.product_before.val() + self.product_now.val();
        self.shifts[1].d_in.next = self.shifts[0].d_out.val();
        self.zero_points[1].d_in.next = self.zero_points[0].d_out.val();

        // Rounded shift.
        for _i in 0..self._n_uncleared {
            self.scaled.next = self.product.d_out.val();
        }
        for i in 0..self._n_cleared {
            self.deep[i].clock.next = self.clock.val();
            self.deep[i].reset.next = self.reset.val();
            self.deep[i].d_in.next = self.first_rounding[i].deep_out.val();
            self.clear_low[i].value_in.next = self.product.d_out.val();
            self.clear_low[i].clear_in.next = self.deep[i].d_out.val();
            self.scaled.next = self.clear_low[i].value_out.val();
        }
        self.shifter.value_in.next = self.scaled.val();
        self.shifter.amount_in.next = self.shifts[1].d_out.val();
        self.guard.next = self.shifter.fraction_out.val() >> self.guard_at.val();
        for i in 0..self._n_fixed {
            self.round_up[i].guard_in.next = self.guard.val();
            self.round_up[i].sticky_in.next = self.shifter.sticky_out.val();
            self.round_up[i].odd_in.next = self.shifter.quotient_out.val().get_bit(0);
            self.round_up[i].negative_in.next = self.product.d_out.val() >> self.sign_at.val();
            self.rule.next = self.round_up[i].round_up_out.val();
        }
        for i in 0..self._n_stochastic {
            self.random_carry[i].fraction_in.next = self.shifter.fraction_out.val();
            self.random_carry[i].random_in.next = self.random_in[i].val();
            self.rule.next = self.random_carry[i].carry_out.val();
        }
        self.increment.next = self.rule.val();
        for i in 0..self._n_cleared {
            if self.deep[i].d_out.val() == 0 {
                self.increment.next = self.guard.val();
            }
        }
        self.rounded.d_in.next = self.shifter.quotient_out.val() + self.increment.val();
        self.zero_points[2].d_in.next = self.zero_points[1].d_out.val();

        // Zero point and clamp.
        self.rounded_wide.next = signed_cast(self.rounded.d_out.val());
        self.zero_point_wide.next = signed_cast(self.zero_points[2].d_out.val());
        self.saturator.value_in.next = self.rounded_wide.val() + self.zero_point_wide.val();
        self.saturator.low_in.next = self.low_in.val();
        self.saturator.high_in.next = self.high_in.val();
        self.result.d_in.next = self.saturator.value_out.val();
        self.output_out.next = self.result.d_out.val();
    }
}

ports!(
    RequantizerLane, clock,
    in reset, accumulator_in, record_in, first_in, low_in, high_in;
    optional random_in;
    out output_out
);
