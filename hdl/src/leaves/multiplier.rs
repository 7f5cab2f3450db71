use super::{range, sign_extended, zero_extended};
use crate::prelude::*;

/// The width and signedness of one operand of a [`Multiplier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    pub bits: usize,
    pub is_signed: bool,
}

/// The full product of two operands, each signed or unsigned. Latency 0.
///
/// `product_out = a_in * b_in` in `a.bits + b.bits` bits, which holds every product. It is a two's complement number if
/// [`is_signed`](Self::is_signed).
///
/// Both operands are extended to the width of the product: tools narrow them again and take one DSP block.
#[derive(LogicBlock)]
pub struct Multiplier {
    pub a_in: WireIn,
    pub b_in: WireIn,
    pub product_out: WireOut,
    _a: Operand,
    _b: Operand,
}

impl Multiplier {
    pub fn new(a: Operand, b: Operand) -> Multiplier {
        Multiplier {
            a_in: WireIn::new(a.bits),
            b_in: WireIn::new(b.bits),
            product_out: WireOut::new(a.bits + b.bits),
            _a: a,
            _b: b,
        }
    }

    /// Is the product a two's complement number?
    pub fn is_signed(&self) -> bool {
        self._a.is_signed || self._b.is_signed
    }
}

impl Logic for Multiplier {
    module!(
        self,
        format!("multiplier_{}_{}", operand_name(self._a), operand_name(self._b)),
        "The full product of a_in and b_in."
    );

    fn update(&mut self) {
        let width = self.product_out.width();
        let a = self.a_in.val().with_sign(self._a.is_signed).resized(width);
        let b = self.b_in.val().with_sign(self._b.is_signed).resized(width);
        self.product_out.next = a * b;
    }

    fn connect(&mut self) {
        self.product_out.connect();
    }

    fn hdl(&self) -> Verilog {
        let width = self.product_out.width();
        let extended = |name: &str, operand: Operand| match operand.is_signed {
            true => sign_extended(name, operand.bits, width),
            false => zero_extended(name, operand.bits, width),
        };
        let signed = if self.is_signed() { "signed " } else { "" };
        let range = range(width);
        Verilog::Custom(format!(
            "wire {signed}{range}a = {};
wire {signed}{range}b = {};
assign product_out = a * b;",
            extended("a_in", self._a),
            extended("b_in", self._b)
        ))
    }
}

fn operand_name(operand: Operand) -> String {
    let kind = if operand.is_signed { 's' } else { 'u' };
    format!("{kind}{}", operand.bits)
}

ports!(Multiplier, in a_in, b_in; out product_out);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Stepper;

    #[test]
    fn every_product_of_small_operands_is_right() -> Result<(), crate::simulate::SimulateError> {
        for (a_bits, b_bits) in [(1, 1), (1, 3), (4, 3), (5, 4)] {
            for (a_signed, b_signed) in [(false, false), (false, true), (true, false), (true, true)] {
                let operand = |bits, is_signed| Operand { bits, is_signed };
                let mut dut = Stepper::new(Multiplier::new(operand(a_bits, a_signed), operand(b_bits, b_signed)))?;
                for a in 0..1_i128 << a_bits {
                    for b in 0..1_i128 << b_bits {
                        dut.block_mut().a_in.next = Bits::from_i128(a, a_bits);
                        dut.block_mut().b_in.next = Bits::from_i128(b, b_bits);
                        dut.settle()?;
                        let value = |x: i128, bits, signed| {
                            if signed && x >> (bits - 1) == 1 {
                                x - (1_i128 << bits)
                            } else {
                                x
                            }
                        };
                        let expected = value(a, a_bits, a_signed) * value(b, b_bits, b_signed);
                        let product = dut.block().product_out.val();
                        let actual =
                            if a_signed || b_signed { product.to_i128() } else { product.low_u128().cast_signed() };
                        assert_eq!(actual, expected, "{a_bits} {a_signed} {a} * {b_bits} {b_signed} {b}");
                    }
                }
            }
        }
        Ok(())
    }
}
