use super::{part, range};
use crate::prelude::*;

/// Arithmetic shift right of a signed value by a run-time amount, with what rounding needs. Latency 0.
///
/// - `quotient_out` = floor(value / 2^amount).
/// - `fraction_out` = the highest bits lost, as many as the port has, with zeros below if fewer are lost. With one bit it is
///   the guard bit: bit amount - 1 of the value; 0 when the amount is 0.
/// - `sticky_out` = is any bit below the fraction set?
///
/// The value continues with its sign above its width, so every amount is right, also beyond the width.
#[derive(LogicBlock)]
pub struct Shifter {
    pub value_in: WireIn,
    pub amount_in: WireIn,
    pub quotient_out: WireOut,
    pub fraction_out: WireOut,
    pub sticky_out: WireOut,
}

impl Shifter {
    pub fn new(width: usize, amount_bits: usize, fraction_bits: usize) -> Shifter {
        Shifter {
            value_in: WireIn::new(width),
            amount_in: WireIn::new(amount_bits),
            quotient_out: WireOut::new(width),
            fraction_out: WireOut::new(fraction_bits),
            sticky_out: WireOut::new(1),
        }
    }
}

impl Logic for Shifter {
    module!(
        self,
        format!("shifter_{}_{}_{}", self.value_in.width(), self.amount_in.width(), self.fraction_out.width()),
        "Arithmetic shift right with the highest bits lost and the OR of the bits below them."
    );

    fn update(&mut self) {
        let (width, fraction) = (self.value_in.width(), self.fraction_out.width());
        let amount = self.amount_in.val().index();
        let extended = signed_cast(self.value_in.val().resized(width + fraction) << fraction) >> amount;
        self.quotient_out.next = extended.slice(fraction, width);
        self.fraction_out.next = extended.slice(0, fraction);
        let below = self.value_in.val().slice(0, amount.saturating_sub(fraction).min(width));
        self.sticky_out.next = (amount > fraction && below.any()).into();
    }

    fn connect(&mut self) {
        self.quotient_out.connect();
        self.fraction_out.connect();
        self.sticky_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let (width, fraction) = (self.value_in.width(), self.fraction_out.width());
        let total = width + fraction;
        let (value, all) = (range(width), range(total));
        let unused = part("lost", total, 0, fraction);
        let unused = if fraction == 1 { unused } else { format!("&{{1'b0, {unused}}}") };
        Verilog::Custom(format!(
            "wire signed {all}extended = {{value_in, {fraction}'d0}};
wire signed {all}shifted = extended >>> amount_in;
wire {all}lost = ~({{{total}{{1'b1}}}} << amount_in);
wire {value}below_fraction = {};
wire unused_lost = {unused};
assign quotient_out = {};
assign fraction_out = {};
assign sticky_out = |(value_in & below_fraction);",
            part("lost", total, fraction, width),
            part("shifted", total, fraction, width),
            part("shifted", total, 0, fraction),
        ))
    }
}

ports!(Shifter, in value_in, amount_in; out quotient_out, fraction_out, sticky_out);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Stepper;

    #[test]
    fn every_shift_of_small_values_is_right() -> Result<(), crate::simulate::SimulateError> {
        for (width, fraction) in (1..=6).flat_map(|width| [1, 2, 3, 5, 9].map(|fraction| (width, fraction))) {
            let mut dut = Stepper::new(Shifter::new(width, 4, fraction))?;
            for value in -(1_i128 << (width - 1))..1 << (width - 1) {
                for amount in 0..16_usize {
                    dut.block_mut().value_in.next = Bits::from_i128(value, width);
                    dut.block_mut().amount_in.next = Bits::from(amount);
                    dut.settle()?;
                    let case = format!("{value} >> {amount} in {width} bits, {fraction} of the fraction");
                    // value / 2^amount in steps of 2^-fraction.
                    let steps = value << fraction;
                    let floor = steps.div_euclid(1 << amount);
                    let quotient = dut.block().quotient_out.val().to_i128();
                    assert_eq!(quotient, value.div_euclid(1 << amount), "{case}");
                    let fraction_out = dut.block().fraction_out.val().low_u128().cast_signed();
                    assert_eq!((quotient << fraction) + fraction_out, floor, "{case}");
                    assert_eq!(dut.block().sticky_out.val().any(), floor << amount != steps, "{case}");
                }
            }
        }
        Ok(())
    }
}
