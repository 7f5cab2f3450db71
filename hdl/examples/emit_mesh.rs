//! Prints the Verilog of an int8 mesh: `cargo run -p systole-hdl --example emit_mesh -- 16`.

use hdl::pe::PeShape;
use hdl::prelude::*;
use hdl::{emit, Mesh};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let size = std::env::args().nth(1).map_or(Ok(16), |size| size.parse::<usize>())?;
    let operand = Operand { bits: 8, is_signed: true };
    let shape = PeShape { activation: operand, weight: operand, psum_bits: 24, product_stages: 1 };
    let start = Instant::now();
    let mut mesh = Mesh::new(shape, size, size);
    mesh.connect_all();
    let built = start.elapsed();
    let emitted = emit(&mesh, "mesh", &format!("An int8 mesh of {size} x {size} PEs."))?;
    print!("{}", emitted.verilog);
    let (bytes, n_modules) = (emitted.verilog.len(), emitted.n_modules);
    eprintln!("{bytes} bytes, {n_modules} modules, built in {built:?}, emitted by {:?}", start.elapsed());
    Ok(())
}
