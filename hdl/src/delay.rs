//! A chain of registers.

use crate::prelude::*;

/// `d_out` is `d_in` of `cycles` cycles ago; 0 cycles is a wire.
#[derive(LogicBlock)]
pub struct Delay {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub d_in: WireIn,
    pub d_out: WireOut,
    registers: Vec<Register>,
    // Stage i is the value after i registers.
    stages: Vec<WireLocal>,
    _cycles: usize,
    _end: usize,
}

impl Delay {
    pub fn new(width: usize, cycles: usize) -> Delay {
        Delay {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            d_in: WireIn::new(width),
            d_out: WireOut::new(width),
            registers: (0..cycles).map(|_| Register::new(width)).collect(),
            stages: WireLocal::vec(cycles + 1, width),
            _cycles: cycles,
            _end: cycles + 1,
        }
    }
}

impl Logic for Delay {
    module!(self, format!("delay_{}_{}", self.d_in.width(), self._cycles), "A chain of registers.");

    #[hdl_gen]
    fn update(&mut self) {
        self.stages[0].next = self.d_in.val();
        for i in 0..self._cycles {
            self.registers[i].clock.next = self.clock.val();
            self.registers[i].reset.next = self.reset.val();
            self.registers[i].d_in.next = self.stages[i].val();
            self.stages[i + 1].next = self.registers[i].d_out.val();
        }
        // A loop of one turn is how a kernel indexes with a run-time constant.
        for i in self._cycles..self._end {
            self.d_out.next = self.stages[i].val();
        }
    }
}

ports!(Delay, clock, in reset, d_in; out d_out);
