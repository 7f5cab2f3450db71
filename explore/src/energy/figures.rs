//! Published figures, and how they are scaled by width. All in pJ.

/// An integer addition of 8 and of 32 bits (Horowitz, ISSCC 2014).
const ADD_8: f64 = 0.03;
const ADD_32: f64 = 0.1;

/// An integer multiplication of 8 x 8 and of 32 x 32 bits (the same).
const MULTIPLY_8: f64 = 0.2;
const MULTIPLY_32: f64 = 3.1;

/// 64 bits of a memory of 8 KB (the same; 20 of 32 KB and 100 of 1 MB).
const SRAM_64: f64 = 10.0;
const SRAM_BITS: f64 = 8.0 * 1024.0 * 8.0;

/// 64 bits of external memory: the middle of 1.3 and 2.6 nJ (the same).
const DRAM_64: f64 = 1950.0;

/// A bit that a register takes, with its clock (Aladdin, 40 nm).
const REGISTER: f64 = 0.009;

/// A shift of 32 bits by 0..=31, five stages (the same).
const SHIFT_32: f64 = 0.81;

/// An addition of `bits` bits: linear in the width, through both published figures.
///
/// ```
/// use explore::energy::adder_pj;
/// assert!((adder_pj(8) - 0.03).abs() < 1e-12 && (adder_pj(32) - 0.1).abs() < 1e-12);
/// assert!((adder_pj(20) - 0.065).abs() < 1e-12);
/// ```
pub fn adder_pj(bits: u32) -> f64 {
    ADD_8 + (ADD_32 - ADD_8) * (f64::from(bits) - 8.0) / 24.0
}

/// A multiplication of x by y bits: a power of the product of the widths, through both published figures; the power is 0.9886.
///
/// ```
/// use explore::energy::multiplier_pj;
/// assert!((multiplier_pj(8, 8) - 0.2).abs() < 1e-12 && (multiplier_pj(32, 32) - 3.1).abs() < 1e-12);
/// // 0.2 x 4^0.9886
/// assert!((multiplier_pj(32, 8) - 0.7874).abs() < 1e-4);
/// ```
pub fn multiplier_pj(x_bits: u32, y_bits: u32) -> f64 {
    let power = libm::log(MULTIPLY_32 / MULTIPLY_8) / libm::log(16.0);
    MULTIPLY_8 * libm::pow(f64::from(x_bits) * f64::from(y_bits) / 64.0, power)
}

/// An access to a row of `row_bits` bits of a memory of `rows` rows: linear in the bits of the row, and as the square root of the
/// memory's size. No less than registers of that width.
///
/// ```
/// use explore::energy::sram_pj;
/// // 32 KB in rows of 64 bits: twice the energy of 8 KB, as published.
/// assert!((sram_pj(64.0, 4096) - 20.0).abs() < 1e-12);
/// ```
pub fn sram_pj(row_bits: f64, rows: usize) -> f64 {
    let size = row_bits * rows as f64;
    (SRAM_64 * row_bits / 64.0 * (size / SRAM_BITS).sqrt()).max(registers_pj(row_bits))
}

/// `bits` bits that go to or come from external memory.
pub fn memory_pj(bits: f64) -> f64 {
    DRAM_64 * bits / 64.0
}

/// `bits` bits that registers take.
pub fn registers_pj(bits: f64) -> f64 {
    REGISTER * bits
}

/// A shift of `bits` bits in `stages` stages of multiplexers.
pub fn shifter_pj(bits: u32, stages: u32) -> f64 {
    SHIFT_32 * f64::from(bits) * f64::from(stages) / (32.0 * 5.0)
}
