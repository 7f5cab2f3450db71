//! How fast the packed products are on this machine: `cargo run --release -p systole-golden --example speed`.

use golden::{matmul_fast, pair_up, Bounds, Channel, GoldenError, Requantizer, Shape, WeightTile};
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), GoldenError> {
    let config = spec::Config::named("default").expect("it ships with Systole");
    let numerics = config.numerics();
    for size in [4, 16, 32, 64, 128] {
        let tile = WeightTile::<i32>::new(numerics, size, size, &values(size * size, 1))?;
        let rows: Vec<Vec<u32>> = values(64 * size, 2)
            .chunks_exact(size)
            .map(|row| {
                let mut pairs = vec![0; size / 2];
                pair_up(row, &mut pairs);
                pairs
            })
            .collect();
        let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        let mut psums = vec![0; 64 * size];
        let calls = 300_000 / size;
        let started = Instant::now();
        for _ in 0..calls {
            tile.multiply_rows(black_box(&rows), black_box(&mut psums), size, true);
        }
        let ns = started.elapsed().as_nanos() as f64 / (64 * calls) as f64;
        println!("a row by {size} x {size}: {ns:.1} ns, {:.1} GMAC/s", (size * size) as f64 / ns);
    }
    for shape in [Shape { m: 256, k: 256, n: 256 }, Shape { m: 512, k: 2048, n: 512 }] {
        let (activations, weights) = (values(shape.m * shape.k, 3), values(shape.k * shape.n, 4));
        let runs = 10;
        let started = Instant::now();
        for _ in 0..runs {
            black_box(matmul_fast::<i32>(numerics, shape, &activations, &weights)?);
        }
        let ns = started.elapsed().as_nanos() as f64 / f64::from(runs);
        println!("matmul_fast {} x {} x {}: {:.1} GMAC/s", shape.m, shape.k, shape.n, shape.macs() as f64 / ns);
    }
    let channels = [Channel { bias: 77, multiplier: 0x5a5a_5a5a, shift: 38, zero_point: -3 }; 16];
    let acc: Vec<i32> = values(16, 5).iter().map(|v| v * 1000).collect();
    let (mut out, calls) = ([0; 16], 2_000_000);
    let requantizer = Requantizer::new(numerics);
    let started = Instant::now();
    for _ in 0..calls {
        requantizer.requantize_row(black_box(&acc), &channels, &Bounds::full(numerics), None, black_box(&mut out));
    }
    println!("requantize_row of 16: {:.1} ns", started.elapsed().as_nanos() as f64 / f64::from(calls));
    Ok(())
}

/// Repeatable int8 values.
fn values(len: usize, seed: u32) -> Vec<i32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state as i32) >> 24
    };
    (0..len).map(|_| next()).collect()
}
