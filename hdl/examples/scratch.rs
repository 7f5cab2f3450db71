use hdl::prelude::*;
use hdl::simulate::*;
use std::time::Instant;
fn main() {
    let operand = Operand { bits: 8, is_signed: true };
    let shape = hdl::pe::PeShape { activation: operand, weight: operand, psum_bits: 24, product_stages: 1 };
    for n in [2usize, 4, 16] {
        let mut s = Stepper::new(hdl::Mesh::new(shape, n, n)).unwrap();
        let t = Instant::now();
        for i in 0..200usize {
            s.cycle_with(
                |m| {
                    m.activations_in.next = Bits::new(0x1234567890abcdef ^ (i as u128 * 77777), 8 * n);
                    m.swap_in.next = (i % 5 == 0).into();
                    m.weights_in.next = Bits::new(i as u128 * 12345, 8 * n);
                    m.shift_in.next = Bits::ones(n);
                },
                |_| (),
            )
            .unwrap();
        }
        println!("{n}: {:.0} cycles/s", 200.0 / t.elapsed().as_secs_f64());
    }
}
