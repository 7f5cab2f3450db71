//! Random configurations and random problems for them.

use crate::case::Case;
use crate::data::{Data, Random};
use crate::network::NetworkCase;
use spec::config::{AccumulatorBits, Auto, RawConfig, RawGeometry, RawNumerics, RawRounding};
use spec::{Config, MachineScheme, Round};

/// A random configuration: rows and cols 1..=12, widths 1..=16, 0..=2 multiplier stages, buses of 32 to 128 bits.
pub fn config(random: &mut Random) -> RawConfig {
    let bits = |random: &mut Random| random.between(1, 16) as u32;
    let (activation_bits, activation_signed) = (bits(random), random.below(2) == 1);
    // A network's outputs are its next activations, more often than not.
    let same = random.below(3) > 0;
    let (output_bits, output_signed) =
        if same { (activation_bits, activation_signed) } else { (bits(random), random.below(2) == 1) };
    let (scheme, rounding) = rounding(random);
    let numerics = RawNumerics {
        activation_bits,
        activation_signed,
        weight_bits: bits(random),
        weight_signed: random.below(4) > 0,
        output_bits,
        output_signed,
        max_k: random.between(64, 2048) as u32,
        bias_bits: random.between(2, 40) as u32,
        accumulator_bits: match random.below(4) {
            0 => AccumulatorBits::Wrapping { wrapping: random.between(2, 40) as u32 },
            _ => AccumulatorBits::Named(Auto::Auto),
        },
        scheme,
        rounding,
        multiplier_bits: if scheme == MachineScheme::Pow2 { 0 } else { random.between(1, 32) as u32 },
        shift_bits: random.between(1, 6) as u32,
        activation_table: false,
    };
    let cols = random.between(1, 12) as usize;
    let divisors: Vec<usize> = (1..=cols).filter(|lanes| cols.is_multiple_of(*lanes)).collect();
    let geometry = RawGeometry {
        rows: random.between(1, 12) as usize,
        cols,
        multiplier_stages: random.below(3) as usize,
        activation_buffer_rows: random.between(8, 80) as usize,
        weight_buffer_tiles: random.between(2, 6) as usize,
        accumulator_rows: random.between(8, 48) as usize,
        parameter_tiles: random.between(16, 24) as usize,
        requantizer_lanes: random.pick(&divisors),
        bus_bits: random.pick(&[32, 64, 128]),
        queue_depth: random.pick(&[2, 4, 8]),
    };
    RawConfig { name: "random".to_owned(), numerics, geometry }
}

/// A scheme with a rounding it allows: each of the ten rules, or 1..=32 random bits.
fn rounding(random: &mut Random) -> (MachineScheme, RawRounding) {
    let scheme = random.pick(&MachineScheme::ALL);
    let rounding = match random.below(4) {
        0 => RawRounding::Stochastic { stochastic: random.between(1, 32) as u32 },
        _ => RawRounding::Named(random.pick(&Round::ALL)),
    };
    let up = RawRounding::Named(Round::HalfTowardPositive);
    match scheme {
        // Its name with this rounding.
        MachineScheme::FixedDouble if rounding == up => (MachineScheme::FixedDoubleUp, up),
        MachineScheme::FixedDoubleUp => (scheme, up),
        _ => (scheme, rounding),
    }
}

/// A random problem for a configuration: single elements, primes, whole tiles and one more or less, thousands of rows; one to
/// three layers.
pub fn problem(random: &mut Random, config: &RawConfig) -> Case {
    const PRIMES: [usize; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    let (rows, cols) = (config.geometry.rows, config.geometry.cols);
    let size = |random: &mut Random| match random.below(6) {
        0 => 1,
        1 => random.pick(&PRIMES),
        2 => random.pick(&[rows, cols]) * random.between(1, 3) as usize,
        3 => (random.pick(&[rows, cols]) * random.between(1, 3) as usize + 1 - 2 * random.below(2) as usize).max(1),
        _ => random.between(1, 2 * rows.max(cols) as i64 + 20) as usize,
    };
    let m = match random.below(16) {
        0 => random.between(1000, 2500) as usize,
        1 => rows,
        _ => size(random),
    };
    let chained = config.numerics.output_bits == config.numerics.activation_bits
        && config.numerics.output_signed == config.numerics.activation_signed;
    let n_layers = if chained { random.between(1, 3) } else { 1 };
    let max_k = config.numerics.max_k as usize;
    // Small buffers may not hold the tiles of every width.
    let max_n = Config::try_from(config.clone()).map_or(max_k, |config| compiler::max_outputs(&config));
    let widths =
        (0..=n_layers).map(|index| size(random).min(max_k).min(if index == 0 { max_k } else { max_n })).collect();
    Case {
        m,
        widths,
        data: random.pick(&Data::ALL),
        seed: random.word() >> 1,
        rounding_seed: random.word() >> 1,
        latency: random.pick(&[1, 2, 5, 20, 61]),
        stall_seed: random.word() >> 1,
        stall_percent: random.pick(&[0, 0, 10, 30, 60]),
        reset_after: if random.below(3) == 0 { random.between(1, 400) as u64 } else { 0 },
        config: config.clone(),
        network: None,
    }
}

/// A random configuration for networks: widths 2..=8, outputs are activations, and half have a table.
pub fn network_config(random: &mut Random) -> RawConfig {
    let mut raw = config(random);
    let numerics = &mut raw.numerics;
    let mut bits = || random.between(2, 8) as u32;
    (numerics.activation_bits, numerics.weight_bits) = (bits(), bits());
    (numerics.output_bits, numerics.output_signed) = (numerics.activation_bits, numerics.activation_signed);
    numerics.activation_table = random.below(2) == 1;
    // Wide enough for the sums of most windows.
    numerics.max_k = random.between(128, 2048) as u32;
    // Windows may reach over a whole image of 81 pixels; up to eight column tiles are stored together, with three terms each.
    let geometry = &mut raw.geometry;
    geometry.activation_buffer_rows = random.between(96, 200) as usize;
    geometry.accumulator_rows = random.between(48, 120) as usize;
    geometry.parameter_tiles = random.between(48, 64) as usize;
    raw
}

/// A random network for a configuration: up to 9 rows and columns, 6 channels, 6 layers and 3 images.
pub fn network_problem(random: &mut Random, config: &RawConfig) -> Case {
    let size = |random: &mut Random, max| random.between(1, max) as usize;
    let input = [size(random, 9), size(random, 9), size(random, 6)];
    let network = NetworkCase { input, layers: size(random, 6) };
    let m = size(random, 3);
    Case { m, widths: Vec::new(), network: Some(network), ..problem(random, config) }
}

/// A random configuration with a random problem.
pub fn case(random: &mut Random) -> Case {
    let config = config(random);
    problem(random, &config)
}
