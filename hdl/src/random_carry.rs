//! Stochastic rounding's decision.

use crate::prelude::*;

/// Whether the quotient is replaced by the next integer: the carry of fraction + random bits. Combinational.
///
/// Of the 2^r values of `random_in`, exactly `fraction_in` give a carry.
#[derive(LogicBlock)]
pub struct RandomCarry {
    pub fraction_in: WireIn,
    pub random_in: WireIn,
    pub carry_out: WireOut,
    fraction: WireLocal,
    random: WireLocal,
    total: WireLocal,
    carry_at: Const,
}

impl RandomCarry {
    pub fn new(random_bits: usize) -> RandomCarry {
        RandomCarry {
            fraction_in: WireIn::new(random_bits),
            random_in: WireIn::new(random_bits),
            carry_out: WireOut::new(1),
            fraction: WireLocal::new(random_bits + 1),
            random: WireLocal::new(random_bits + 1),
            total: WireLocal::new(random_bits + 1),
            carry_at: Const::new(random_bits as u128, bits_for(random_bits)), // widening
        }
    }
}

impl Logic for RandomCarry {
    module!("random_carry", "Rounds up for as many of the random numbers as the fraction says.");

    #[hdl_gen]
    fn update(&mut self) {
        self.fraction.next = self.fraction_in.val();
        self.random.next = self.random_in.val();
        self.total.next = self.fraction.val() + self.random.val();
        self.carry_out.next = self.total.val() >> self.carry_at.val();
    }
}

ports!(RandomCarry, in fraction_in, random_in; out carry_out);
