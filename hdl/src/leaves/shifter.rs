use super::range;
use crate::prelude::*;

/// Arithmetic shift right of a signed value by a run-time amount, with what rounding needs. Latency 0.
///
/// - `quotient_out` = floor(value / 2^amount).
/// - `guard_out` = bit amount - 1 of the value, the highest bit lost; 0 when the amount is 0.
/// - `sticky_out` = is any bit below the guard set?
///
/// The value continues with its sign above its width, so every amount is right, also beyond the width.
#[derive(LogicBlock)]
pub struct Shifter {
    pub value_in: WireIn,
    pub amount_in: WireIn,
    pub quotient_out: WireOut,
    pub guard_out: WireOut,
    pub sticky_out: WireOut,
}

impl Shifter {
    pub fn new(width: usize, amount_bits: usize) -> Shifter {
        Shifter {
            value_in: WireIn::new(width),
            amount_in: WireIn::new(amount_bits),
            quotient_out: WireOut::new(width),
            guard_out: WireOut::new(1),
            sticky_out: WireOut::new(1),
        }
    }
}

impl Logic for Shifter {
    module!(
        self,
        format!("shifter_{}_{}", self.value_in.width(), self.amount_in.width()),
        "Arithmetic shift right with the guard bit and the OR of the bits below it."
    );

    fn update(&mut self) {
        let width = self.value_in.width();
        let amount = self.amount_in.val().index();
        let doubled = signed_cast(self.value_in.val().resized(width + 1) << 1) >> amount;
        self.quotient_out.next = doubled.slice(1, width);
        self.guard_out.next = doubled.slice(0, 1);
        let below = self.value_in.val().slice(0, amount.saturating_sub(1).min(width));
        self.sticky_out.next = (amount > 1 && below.any()).into();
    }

    fn connect(&mut self) {
        self.quotient_out.connect();
        self.guard_out.connect();
        self.sticky_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let width = self.value_in.width();
        let (range, wide) = (range(width), range(width + 1));
        let ones = width + 1;
        Verilog::Custom(format!(
            "wire signed {wide}doubled = {{value_in, 1'b0}};
wire signed {wide}shifted = doubled >>> amount_in;
wire {wide}lost = ~({{{ones}{{1'b1}}}} << amount_in);
wire {range}below_guard = lost[{width}:1];
wire unused_lost = lost[0];
assign quotient_out = shifted[{width}:1];
assign guard_out = shifted[0];
assign sticky_out = |(value_in & below_guard);"
        ))
    }
}

ports!(Shifter, in value_in, amount_in; out quotient_out, guard_out, sticky_out);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Stepper;

    #[test]
    fn every_shift_of_small_values_is_right() -> Result<(), crate::simulate::SimulateError> {
        for width in 1..=6 {
            let mut dut = Stepper::new(Shifter::new(width, 4))?;
            for value in -(1_i128 << (width - 1))..1 << (width - 1) {
                for amount in 0..16_usize {
                    dut.block_mut().value_in.next = Bits::from_i128(value, width);
                    dut.block_mut().amount_in.next = Bits::from(amount);
                    dut.settle()?;
                    let case = format!("{value} >> {amount} in {width} bits");
                    let remainder = value.rem_euclid(1 << amount);
                    let half = if amount == 0 { 0 } else { 1 << (amount - 1) };
                    assert_eq!(dut.block().quotient_out.val().to_i128(), value.div_euclid(1 << amount), "{case}");
                    assert_eq!(dut.block().guard_out.val().any(), amount > 0 && remainder >= half, "{case}");
                    assert_eq!(dut.block().sticky_out.val().any(), amount > 0 && remainder % half != 0, "{case}");
                }
            }
        }
        Ok(())
    }
}
