//! Clamping.

use crate::prelude::*;

/// Clamps a signed value between two signed bounds. Latency 0.
///
/// `value_out = min(max(value_in, low_in), high_in)` for `low_in <= high_in`; the bounds and the output have the same width,
/// at most that of the value.
#[derive(LogicBlock)]
pub struct Saturator {
    pub value_in: WireIn,
    pub low_in: WireIn,
    pub high_in: WireIn,
    pub value_out: WireOut,
}

impl Saturator {
    pub fn new(value_bits: usize, output_bits: usize) -> Saturator {
        Saturator {
            value_in: WireIn::new(value_bits),
            low_in: WireIn::new(output_bits),
            high_in: WireIn::new(output_bits),
            value_out: WireOut::new(output_bits),
        }
    }
}

impl Logic for Saturator {
    module!(
        self,
        format!("saturator_{}_{}", self.value_in.width(), self.value_out.width()),
        "Clamps value_in between low_in and high_in, all signed."
    );

    #[hdl_gen]
    fn update(&mut self) {
        self.value_out.next = self.value_in.val();
        if signed_cast(self.value_in.val()) < signed_cast(self.low_in.val()) {
            self.value_out.next = self.low_in.val();
        } else if signed_cast(self.value_in.val()) > signed_cast(self.high_in.val()) {
            self.value_out.next = self.high_in.val();
        }
    }
}

ports!(Saturator, in value_in, low_in, high_in; out value_out);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Stepper;

    #[test]
    fn every_small_value_is_clamped() -> Result<(), crate::simulate::SimulateError> {
        let mut dut = Stepper::new(Saturator::new(5, 3))?;
        for low in -4..4 {
            for high in low..4 {
                for value in -16..16 {
                    dut.block_mut().value_in.next = Bits::from_i128(value, 5);
                    dut.block_mut().low_in.next = Bits::from_i128(low, 3);
                    dut.block_mut().high_in.next = Bits::from_i128(high, 3);
                    dut.settle()?;
                    let expected = value.clamp(low, high);
                    assert_eq!(dut.block().value_out.val().to_i128(), expected, "{value} in {low}..={high}");
                }
            }
        }
        Ok(())
    }
}
