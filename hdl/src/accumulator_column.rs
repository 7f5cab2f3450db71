//! One column of the accumulator.

use crate::prelude::*;
use crate::row_control;
use spec::Config;

/// Two memories of psums, the halves, with an adder and a comparator.
///
/// 1. `control_in` (layout in [`row_control`]) and `psum_in` of a row come in the same cycle T. The row's half is read
///    in T and written in T+1 with the psum, the greater of its old content and the psum (signed), or their sum, which
///    wraps.
/// 2. `control_out` is `control_in` one cycle later: for the next column, and what this column writes.
/// 3. The half that is not read for `control_in` is read at `store_addr_in`; in the next cycle `store_data_out` is the
///    content of the half that `store_half_in` names then.
///
/// Consecutive rows may have the same address: what is being written is forwarded.
#[derive(LogicBlock)]
pub struct AccumulatorColumn {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub control_in: WireIn,
    pub psum_in: WireIn,
    pub control_out: WireOut,
    pub store_addr_in: WireIn,
    pub store_half_in: WireIn,
    pub store_data_out: WireOut,
    half_0: Memory,
    half_1: Memory,
    control: Register,
    psum: Register,
    forward: Register,
    forwarded: Register,
    valid: WireLocal,
    half: WireLocal,
    address: WireLocal,
    write_valid: WireLocal,
    write_half: WireLocal,
    write_overwrite: WireLocal,
    write_maximum: WireLocal,
    write_address: WireLocal,
    old: WireLocal,
    sum: WireLocal,
    address_shift: Const,
}

impl AccumulatorColumn {
    pub fn new(config: &Config) -> AccumulatorColumn {
        let psum_bits = config.numerics().accumulator_bits() as usize; // widening
        let depth = config.geometry().accumulator_rows();
        let (addr_bits, control_bits) = (index_bits(depth), row_control::bits(config));
        // A half is read where it is written only for data that forwarding replaces.
        let memory = || Memory::new(psum_bits, depth, Collision::Never);
        AccumulatorColumn {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            control_in: WireIn::new(control_bits),
            psum_in: WireIn::new(psum_bits),
            control_out: WireOut::new(control_bits),
            store_addr_in: WireIn::new(addr_bits),
            store_half_in: WireIn::new(1),
            store_data_out: WireOut::new(psum_bits),
            half_0: memory(),
            half_1: memory(),
            control: Register::new(control_bits),
            psum: Register::new(psum_bits),
            forward: Register::new(1),
            forwarded: Register::new(psum_bits),
            valid: WireLocal::new(1),
            half: WireLocal::new(1),
            address: WireLocal::new(addr_bits),
            write_valid: WireLocal::new(1),
            write_half: WireLocal::new(1),
            write_overwrite: WireLocal::new(1),
            write_maximum: WireLocal::new(1),
            write_address: WireLocal::new(addr_bits),
            old: WireLocal::new(psum_bits),
            sum: WireLocal::new(psum_bits),
            address_shift: Const::new(row_control::ADDRESS as u128, bits_for(row_control::ADDRESS)), // widening
        }
    }
}

impl Logic for AccumulatorColumn {
    module!("accumulator_column", "One column of the accumulator: two memories of psums, an adder and a comparator.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, half_0, half_1, control, psum, forward, forwarded);
        self.control.reset.next = self.reset.val();
        self.psum.reset.next = self.reset.val();
        self.forward.reset.next = self.reset.val();
        self.forwarded.reset.next = self.reset.val();

        // Read.
        self.valid.next = self.control_in.val().get_bit(0);
        self.half.next = self.control_in.val().get_bit(1);
        self.address.next = self.control_in.val() >> self.address_shift.val();
        self.half_0.read_enable_in.next = true.into();
        self.half_0.read_addr_in.next = self.store_addr_in.val();
        self.half_1.read_enable_in.next = true.into();
        self.half_1.read_addr_in.next = self.store_addr_in.val();
        if self.valid.val().any() {
            if self.half.val().any() {
                self.half_1.read_addr_in.next = self.address.val();
            } else {
                self.half_0.read_addr_in.next = self.address.val();
            }
        }
        self.control.d_in.next = self.control_in.val();
        self.control_out.next = self.control.d_out.val();
        self.psum.d_in.next = self.psum_in.val();

        // Write.
        self.write_valid.next = self.control.d_out.val().get_bit(0);
        self.write_half.next = self.control.d_out.val().get_bit(1);
        self.write_overwrite.next = self.control.d_out.val().get_bit(2);
        self.write_maximum.next = self.control.d_out.val().get_bit(4);
        self.write_address.next = self.control.d_out.val() >> self.address_shift.val();
        self.old.next = self.half_0.read_data_out.val();
        if self.forward.d_out.val().any() {
            self.old.next = self.forwarded.d_out.val();
        } else if self.write_half.val().any() {
            self.old.next = self.half_1.read_data_out.val();
        }
        self.sum.next = self.old.val() + self.psum.d_out.val();
        if self.write_overwrite.val().any() {
            self.sum.next = self.psum.d_out.val();
        } else if self.write_maximum.val().any() {
            self.sum.next = self.psum.d_out.val();
            if signed_cast(self.old.val()) > signed_cast(self.psum.d_out.val()) {
                self.sum.next = self.old.val();
            }
        }
        self.half_0.write_enable_in.next = self.write_valid.val() & !self.write_half.val();
        self.half_0.write_addr_in.next = self.write_address.val();
        self.half_0.write_data_in.next = self.sum.val();
        self.half_1.write_enable_in.next = self.write_valid.val() & self.write_half.val();
        self.half_1.write_addr_in.next = self.write_address.val();
        self.half_1.write_data_in.next = self.sum.val();

        self.forward.d_in.next = self.write_valid.val()
            & (self.write_half.val() == self.half.val())
            & (self.write_address.val() == self.address.val());
        self.forwarded.d_in.next = self.sum.val();

        self.store_data_out.next = self.half_0.read_data_out.val();
        if self.store_half_in.val().any() {
            self.store_data_out.next = self.half_1.read_data_out.val();
        }
    }
}

ports!(
    AccumulatorColumn, clock,
    in reset, control_in, psum_in, store_addr_in, store_half_in;
    out control_out, store_data_out
);
