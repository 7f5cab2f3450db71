//! One lane of the requantizer.

use crate::prelude::*;
use crate::widths::bits;
use crate::Saturator;
use spec::{Numerics, Rounding};

/// Brings an accumulator to the output format: `clamp(round((accumulator + bias) * multiplier / 2^shift) +
/// zero_point)`.
/// Latency 4.
///
/// - `record_in` holds, from the lowest bit, bias (signed), multiplier (unsigned), shift (unsigned) and zero point
///   (signed, one
///   bit wider than the output), then padding.
/// - The sum wraps at the accumulator's width; everything after it is exact.
/// - Rounding from the quotient (floor), guard G (the highest bit lost), sticky S (the OR of the bits below), the
///   quotient's low
///   bit L and the sign N: floor adds 0, half-up G, half-even G & (S | L), half-away G & (S | ~N).
/// - `low_in` and `high_in` bound the value that enters the last register, 3 cycles after its accumulator.
#[derive(LogicBlock)]
pub struct RequantizerLane {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub accumulator_in: WireIn,
    pub record_in: WireIn,
    pub low_in: WireIn,
    pub high_in: WireIn,
    pub output_out: WireOut,
    bias_field: WireLocal,
    bias: WireLocal,
    sum: Register,
    multiplier: Register,
    shifts: Vec<Register>,
    zero_points: Vec<Register>,
    product_now: Multiplier,
    product: Register,
    shifter: Shifter,
    odd: WireLocal,
    negative: WireLocal,
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
    // How many of each: 0 or 1, the rounding mode.
    _n_floor: usize,
    _n_half_up: usize,
    _n_half_away: usize,
    _n_half_even: usize,
}

impl RequantizerLane {
    pub fn new(numerics: &Numerics) -> RequantizerLane {
        let accumulator = Operand { bits: bits(numerics.accumulator_bits()), is_signed: true };
        let multiplier = Operand { bits: bits(numerics.multiplier_bits()), is_signed: false };
        let (bias, shift) = (bits(numerics.bias_bits()), bits(numerics.shift_bits()));
        let (output, bound) = (bits(numerics.output().bits()), bits(numerics.bound().bits()));
        let product = accumulator.bits + multiplier.bits;
        // Holds the sum of any rounded product and any zero point.
        let total = product.max(bound) + 1;
        let record = bits(numerics.parameter_bits());
        let position = |at: usize| Const::new(at as u128, bits_for(record)); // widening
        let is = |mode: Rounding| usize::from(numerics.rounding() == mode);
        RequantizerLane {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            accumulator_in: WireIn::new(accumulator.bits),
            record_in: WireIn::new(record),
            low_in: WireIn::new(bound),
            high_in: WireIn::new(bound),
            output_out: WireOut::new(output),
            bias_field: WireLocal::new(bias),
            bias: WireLocal::new(accumulator.bits),
            sum: Register::new(accumulator.bits),
            multiplier: Register::new(multiplier.bits),
            shifts: vec![Register::new(shift), Register::new(shift)],
            zero_points: vec![Register::new(bound), Register::new(bound), Register::new(bound)],
            product_now: Multiplier::new(accumulator, multiplier),
            product: Register::new(product),
            shifter: Shifter::new(product, shift),
            odd: WireLocal::new(1),
            negative: WireLocal::new(1),
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
            _n_floor: is(Rounding::Floor),
            _n_half_up: is(Rounding::HalfUp),
            _n_half_away: is(Rounding::HalfAway),
            _n_half_even: is(Rounding::HalfEven),
        }
    }
}

impl Logic for RequantizerLane {
    module!("requantizer_lane", "Brings an accumulator to the output format, in four registers.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, sum, multiplier, product, rounded, result);
        self.sum.reset.next = self.reset.val();
        self.multiplier.reset.next = self.reset.val();
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
        self.multiplier.d_in.next = self.record_in.val() >> self.multiplier_at.val();
        self.shifts[0].d_in.next = self.record_in.val() >> self.shift_at.val();
        self.zero_points[0].d_in.next = self.record_in.val() >> self.zero_point_at.val();

        // Product.
        self.product_now.a_in.next = self.sum.d_out.val();
        self.product_now.b_in.next = self.multiplier.d_out.val();
        self.product.d_in.next = self.product_now.product_out.val();
        self.shifts[1].d_in.next = self.shifts[0].d_out.val();
        self.zero_points[1].d_in.next = self.zero_points[0].d_out.val();

        // Rounded shift.
        self.shifter.value_in.next = self.product.d_out.val();
        self.shifter.amount_in.next = self.shifts[1].d_out.val();
        self.odd.next = self.shifter.quotient_out.val().get_bit(0);
        self.negative.next = self.product.d_out.val() >> self.sign_at.val();
        for _i in 0..self._n_floor {
            self.increment.next = 0.into();
        }
        for _i in 0..self._n_half_up {
            self.increment.next = self.shifter.guard_out.val();
        }
        for _i in 0..self._n_half_away {
            self.increment.next = self.shifter.guard_out.val() & (self.shifter.sticky_out.val() | !self.negative.val());
        }
        for _i in 0..self._n_half_even {
            self.increment.next = self.shifter.guard_out.val() & (self.shifter.sticky_out.val() | self.odd.val());
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

ports!(RequantizerLane, clock, in reset, accumulator_in, record_in, low_in, high_in; out output_out);
