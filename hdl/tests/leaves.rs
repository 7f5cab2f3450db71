//! Every leaf and small block behaves in Icarus as it does in Rust, and lints clean.

mod common;

use common::agrees_with_icarus;
use hdl::bits::Bits;
use hdl::prelude::*;
use hdl::{Delay, Pe, Queue, Saturator};

fn as_drawn(_cycle: u64, _port: &str, value: Bits) -> Bits {
    value
}

#[test]
fn registers() {
    for width in [1, 5, 130] {
        agrees_with_icarus("dut", Register::new(width), 200, 1, as_drawn);
        agrees_with_icarus("dut", RegisterEnabled::new(width), 200, 1, as_drawn);
    }
    agrees_with_icarus("dut", Delay::new(7, 0), 50, 3, as_drawn);
    agrees_with_icarus("dut", Delay::new(7, 3), 200, 3, as_drawn);
}

/// The first cycles write every address once, so that nothing undefined is read.
fn fill(depth: u64) -> impl Fn(u64, &str, Bits) -> Bits {
    move |cycle, port, value| match port {
        "write_enable_in" if cycle < depth => Bits::from(true),
        "read_enable_in" if cycle == depth => Bits::from(true),
        "write_addr_in" if cycle < depth => Bits::new(u128::from(cycle), value.bits()),
        "write_addr_in" | "read_addr_in" => Bits::new(value.low_u128() % u128::from(depth), value.bits()),
        _ => value,
    }
}

#[test]
fn memories() {
    for (width, depth) in [(1, 2), (9, 6), (140, 16)] {
        agrees_with_icarus("dut", Memory::new(width, depth as usize, Collision::OldData), 400, depth + 1, fill(depth));
        agrees_with_icarus("dut", RegisterFile::new(width, depth as usize), 400, depth, fill(depth));
    }
}

#[test]
fn multipliers() {
    for (a_bits, b_bits) in [(1, 1), (8, 8), (5, 16), (16, 1)] {
        for (a_signed, b_signed) in [(false, false), (false, true), (true, false), (true, true)] {
            let operand = |bits, is_signed| Operand { bits, is_signed };
            let multiplier = Multiplier::new(operand(a_bits, a_signed), operand(b_bits, b_signed));
            agrees_with_icarus("dut", multiplier, 200, 0, as_drawn);
        }
    }
}

#[test]
fn shifters_and_saturators() {
    for (width, amount_bits) in [(1, 1), (7, 4), (48, 6), (100, 5)] {
        for fraction_bits in [1, 2, 8, 32] {
            agrees_with_icarus("dut", Shifter::new(width, amount_bits, fraction_bits), 300, 0, as_drawn);
        }
    }
    for (value_bits, output_bits) in [(1, 1), (9, 8), (40, 8), (6, 6)] {
        agrees_with_icarus("dut", Saturator::new(value_bits, output_bits), 300, 0, as_drawn);
    }
}

#[test]
fn slices_at_run_time() {
    for (n_words, width) in [(1, 5), (2, 1), (5, 8), (16, 40)] {
        agrees_with_icarus("dut", Select::new(n_words, width), 200, 0, as_drawn);
        agrees_with_icarus("dut", Insert::new(n_words, width), 200, 0, as_drawn);
    }
    for width in [2, 8, 64, 100] {
        agrees_with_icarus("dut", Extract::new(width), 300, 0, as_drawn);
        agrees_with_icarus("dut", Merge::new(width), 300, 0, as_drawn);
    }
    for (n_lanes, width) in [(1, 1), (1, 5), (7, 1), (4, 5), (3, 70)] {
        agrees_with_icarus("dut", PadLanes::new(n_lanes, width), 200, 0, as_drawn);
    }
    for n_bytes in [1, 4, 8, 12] {
        agrees_with_icarus("dut", Strobe::new(n_bytes), 300, 0, as_drawn);
    }
}

/// Lanes out of a bus, the other way round into another, so that `Pack` and `Unpack` have named ports to test.
#[derive(LogicBlock)]
struct Reverse {
    pub bus_in: WireIn,
    pub bus_out: WireOut,
    unpack: Unpack,
    pack: Pack,
    _n: usize,
    _last: usize,
    _end: usize,
}

impl Reverse {
    fn new(n: usize, width: usize) -> Reverse {
        Reverse {
            bus_in: WireIn::new(n * width),
            bus_out: WireOut::new(n * width),
            unpack: Unpack::new(n, width),
            pack: Pack::new(n, width),
            _n: n,
            _last: n - 1,
            _end: n,
        }
    }
}

impl Logic for Reverse {
    #[hdl_gen]
    fn update(&mut self) {
        self.unpack.bus_in.next = self.bus_in.val();
        for last in self._last..self._end {
            for i in 0..self._n {
                self.pack.lanes_in[last - i].next = self.unpack.lanes_out[i].val();
            }
        }
        self.bus_out.next = self.pack.bus_out.val();
    }
}

ports!(Reverse, in bus_in; out bus_out);

#[test]
fn lanes() {
    for (n, width) in [(1, 1), (1, 8), (3, 1), (4, 5), (7, 64), (5, 70)] {
        agrees_with_icarus("dut", Reverse::new(n, width), 50, 0, as_drawn);
        let mut dut = hdl::simulate::Stepper::new(Reverse::new(n, width)).expect("accepted");
        let bus = common::Random::new(1).bits(n * width);
        dut.block_mut().bus_in.next = bus.clone();
        dut.settle().expect("settles");
        for lane in 0..n {
            let reversed = dut.block().bus_out.val().slice((n - 1 - lane) * width, width);
            assert!(reversed == bus.slice(lane * width, width), "lane {lane} of {n} x {width}");
        }
    }
}

#[test]
fn a_queue_and_a_pe() {
    agrees_with_icarus("dut", Queue::new(9, 4), 1000, 6, |cycle, port, value| match (port, cycle) {
        // Fill it first: what was never written must not be read.
        ("reset", 2..8) | ("read_ready_in", 0..6) => Bits::from(false),
        ("write_valid_in", 2..6) => Bits::from(true),
        _ => value,
    });
    for (a_signed, w_signed, psum_bits, product_stages) in
        [(true, true, 20, 0), (false, false, 20, 2), (true, false, 7, 1)]
    {
        let activation = Operand { bits: 5, is_signed: a_signed };
        let weight = Operand { bits: 4, is_signed: w_signed };
        let shape = hdl::pe::PeShape { activation, weight, psum_bits, product_stages };
        agrees_with_icarus("dut", Pe::new(shape), 500, 2, as_drawn);
    }
}
