//! One processing element.

use crate::prelude::*;
use crate::widths::bits;
use crate::Delay;
use spec::{Config, Format};

/// What a mesh of [`Pe`]s computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeShape {
    pub activation: Operand,
    pub weight: Operand,
    pub psum_bits: usize,
    /// Product registers between multiplier and adder.
    pub product_stages: usize,
}

impl PeShape {
    /// The PEs of a machine.
    pub fn of(config: &Config) -> PeShape {
        let n = config.numerics();
        let operand = |format: Format| Operand { bits: bits(format.bits()), is_signed: format.is_signed() };
        PeShape {
            activation: operand(n.activation()),
            weight: operand(n.weight()),
            psum_bits: bits(n.accumulator_bits()),
            product_stages: config.geometry().multiplier_stages(),
        }
    }
}

/// A weight-stationary PE: `psum_out` = register(`psum_in` + activation x weight).
///
/// 1. `shift_in` high at an edge: the shadow takes `weight_in`.
/// 2. `swap_in` high at an edge: the weight takes the shadow's value from before the edge, at the edge that captures the
///    activation which is the first to meet it.
/// 3. Activation, `swap` and `shift` go right, one register each; the shadow goes down as `weight_out`.
/// 4. The product is delayed by `product_stages`, then added to `psum_in`; the sum wraps at `psum_bits`.
#[derive(LogicBlock)]
pub struct Pe {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub activation_in: WireIn,
    pub swap_in: WireIn,
    pub shift_in: WireIn,
    pub weight_in: WireIn,
    pub psum_in: WireIn,
    pub activation_out: WireOut,
    pub swap_out: WireOut,
    pub shift_out: WireOut,
    pub weight_out: WireOut,
    pub psum_out: WireOut,
    activation: Register,
    swap: Register,
    shift: Register,
    shadow: RegisterEnabled,
    weight: RegisterEnabled,
    multiplier: Multiplier,
    product: Delay,
    term: WireLocal,
    psum: Register,
    // How many of each: 0 or 1. A loop over it is how a kernel chooses when it is built.
    _n_signed: usize,
    _n_unsigned: usize,
}

impl Pe {
    pub fn new(shape: PeShape) -> Pe {
        let (activation_bits, weight_bits) = (shape.activation.bits, shape.weight.bits);
        let multiplier = Multiplier::new(shape.activation, shape.weight);
        let n_signed = usize::from(multiplier.is_signed());
        Pe {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            activation_in: WireIn::new(activation_bits),
            swap_in: WireIn::new(1),
            shift_in: WireIn::new(1),
            weight_in: WireIn::new(weight_bits),
            psum_in: WireIn::new(shape.psum_bits),
            activation_out: WireOut::new(activation_bits),
            swap_out: WireOut::new(1),
            shift_out: WireOut::new(1),
            weight_out: WireOut::new(weight_bits),
            psum_out: WireOut::new(shape.psum_bits),
            activation: Register::new(activation_bits),
            swap: Register::new(1),
            shift: Register::new(1),
            shadow: RegisterEnabled::new(weight_bits),
            weight: RegisterEnabled::new(weight_bits),
            multiplier,
            product: Delay::new(activation_bits + weight_bits, shape.product_stages),
            term: WireLocal::new(shape.psum_bits),
            psum: Register::new(shape.psum_bits),
            _n_signed: n_signed,
            _n_unsigned: 1 - n_signed,
        }
    }
}

impl Logic for Pe {
    module!("pe", "One processing element: multiplier, adder, weight, activation and psum registers.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, activation, swap, shift, shadow, weight, product, psum);
        self.activation.reset.next = self.reset.val();
        self.swap.reset.next = self.reset.val();
        self.shift.reset.next = self.reset.val();
        self.shadow.reset.next = self.reset.val();
        self.weight.reset.next = self.reset.val();
        self.product.reset.next = self.reset.val();
        self.psum.reset.next = self.reset.val();

        self.activation.d_in.next = self.activation_in.val();
        self.activation_out.next = self.activation.d_out.val();
        self.swap.d_in.next = self.swap_in.val();
        self.swap_out.next = self.swap.d_out.val();
        self.shift.d_in.next = self.shift_in.val();
        self.shift_out.next = self.shift.d_out.val();

        self.shadow.enable_in.next = self.shift_in.val();
        self.shadow.d_in.next = self.weight_in.val();
        self.weight_out.next = self.shadow.d_out.val();
        self.weight.enable_in.next = self.swap_in.val();
        self.weight.d_in.next = self.shadow.d_out.val();

        self.multiplier.a_in.next = self.activation.d_out.val();
        self.multiplier.b_in.next = self.weight.d_out.val();
        self.product.d_in.next = self.multiplier.product_out.val();
        for _i in 0..self._n_signed {
            self.term.next = signed_cast(self.product.d_out.val());
        }
        for _i in 0..self._n_unsigned {
            self.term.next = self.product.d_out.val();
        }
        self.psum.d_in.next = self.psum_in.val() + self.term.val();
        self.psum_out.next = self.psum.d_out.val();
    }
}

ports!(
    Pe, clock,
    in reset, activation_in, swap_in, shift_in, weight_in, psum_in;
    out activation_out, swap_out, shift_out, weight_out, psum_out
);
