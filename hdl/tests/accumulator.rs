//! The accumulator against a memory of integers, with rows that hit the same address one after the other.

mod common;

use common::Random;
use hdl::accumulator::Accumulator;
use hdl::bits::Bits;
use hdl::simulate::Stepper;
use spec::Config;
use std::collections::HashMap;

#[derive(Clone, Copy, Debug)]
struct Row {
    is_valid: bool,
    half: bool,
    overwrite: bool,
    maximum: bool,
    push: bool,
    address: usize,
    psum: u64,
}

/// What column c gets of a row: something of its own.
fn psum(row: &Row, c: usize) -> u64 {
    row.psum.wrapping_mul(2 * c as u64 + 1)
}

fn control(row: &Row) -> u128 {
    // The layout of `row_control`.
    let flag = |is_set: bool, bit: u32| u128::from(is_set) << bit;
    flag(row.is_valid, 0)
        | flag(row.half, 1)
        | flag(row.overwrite, 2)
        | flag(row.push, 3)
        | flag(row.maximum, 4)
        | (row.address as u128) << 5
}

/// Drives `rows`, one a cycle, skewed as the mesh does, and compares every row of the memory afterwards.
fn accumulates(rows: &[Row], what: &str) {
    let config = Config::named("tiny").expect("a named configuration");
    let cols = config.geometry().cols();
    let width = config.numerics().accumulator_bits() as usize;
    let mut dut = Stepper::new(Accumulator::new(&config)).expect("the accumulator is accepted");
    let mut expected: HashMap<(bool, usize), Vec<u64>> = HashMap::new();
    for row in rows.iter().filter(|row| row.is_valid) {
        let sums = expected.entry((row.half, row.address)).or_insert_with(|| vec![0; cols]);
        for (c, sum) in sums.iter_mut().enumerate() {
            let signed = |value: u64| Bits::new(value.into(), width).to_i128();
            let psum = psum(row, c);
            *sum = match (row.overwrite, row.maximum) {
                (true, _) => psum,
                (false, true) if signed(psum) > signed(*sum) => psum,
                (false, true) => *sum,
                (false, false) => sum.wrapping_add(psum),
            };
        }
    }
    for cycle in 0..rows.len() + cols + 2 {
        let mut psums = Bits::zero(cols * width);
        for c in 0..cols {
            if let Some(row) = cycle.checked_sub(c).and_then(|i| rows.get(i)) {
                psums.set_slice(c * width, &Bits::new(psum(row, c).into(), width));
            }
        }
        let word = rows.get(cycle).map_or(0, control);
        let set = |block: &mut Accumulator| {
            let control_bits = block.control_in.width();
            block.control_in.next = Bits::new(word, control_bits);
            block.psums_in.next = psums;
        };
        let pushes = dut.cycle_with(set, |block| block.push_out.val().any()).expect("the accumulator settles");
        // Column C - 1 has the control C - 1 cycles later and writes in the cycle after.
        let written = cycle.checked_sub(cols).and_then(|i| rows.get(i));
        assert_eq!(pushes, written.is_some_and(|row| row.is_valid && row.push), "{what}: push in cycle {cycle}");
    }
    for ((half, address), sums) in expected {
        let set = |block: &mut Accumulator| {
            block.store_half_in.next = half.into();
            block.store_addr_in.next = address.into();
        };
        dut.cycle_with(set, |_| ()).expect("the accumulator settles");
        // Another half is asked for: what was read must not change.
        dut.block_mut().store_half_in.next = (!half).into();
        dut.settle().expect("the accumulator settles");
        let row = dut.block().store_data_out.val();
        for (c, sum) in sums.iter().enumerate() {
            let actual = row.slice(c * width, width);
            assert!(
                actual == Bits::new((*sum).into(), width),
                "{what}: half {half} row {address} column {c}: {actual}"
            );
        }
    }
}

#[test]
fn consecutive_rows_at_one_address_are_forwarded() {
    let add =
        |psum| Row { is_valid: true, half: true, overwrite: false, maximum: false, push: false, address: 3, psum };
    let first = Row { overwrite: true, ..add(100) };
    accumulates(&[first, add(7)], "two");
    accumulates(&[first, add(7), add(11), add(13)], "four");
    let bubble = Row { is_valid: false, ..add(999) };
    accumulates(&[first, bubble, add(7), bubble, bubble, add(11)], "bubbles");
    let other_half = Row { half: false, overwrite: true, ..add(50) };
    accumulates(&[first, other_half, add(7), Row { overwrite: false, ..other_half }], "halves");
    let other_row = Row { address: 4, overwrite: true, ..add(60) };
    accumulates(&[first, other_row, add(7), add(8), Row { overwrite: false, ..other_row }], "rows");
    accumulates(&[first, Row { overwrite: true, ..add(5) }, add(6)], "overwritten twice");
    // Every column scales the psum by its own odd number, so the signs stay.
    let greater = |psum: i64| Row { maximum: true, ..add(psum.cast_unsigned()) };
    accumulates(&[first, greater(101), greater(7), greater(-3)], "positive maxima");
    let negative = Row { overwrite: true, maximum: true, ..greater(-100) };
    accumulates(&[negative, greater(-101), greater(-5), greater(-6), add(2), greater(-4)], "negative maxima");
    accumulates(&[negative, bubble, greater(-101), bubble, bubble, greater(-2)], "maxima with bubbles");
    accumulates(&[negative, other_half, greater(-7), greater(-9)], "maxima in halves");
}

#[test]
fn random_rows_are_summed_and_pushed() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut seen = std::collections::HashSet::new();
        let rows: Vec<Row> = (0..200)
            .map(|_| {
                let mut flag = |one_in| random.below(one_in) == 0;
                let (is_valid, half, overwrite, maximum, push) = (!flag(4), flag(2), flag(5), flag(2), flag(6));
                let address = random.below(3) as usize;
                // The first row at an address overwrites: memories start undefined.
                let overwrite = overwrite || (is_valid && seen.insert((half, address)));
                Row { is_valid, half, overwrite, maximum, push, address, psum: random.word() }
            })
            .collect();
        accumulates(&rows, &format!("seed {seed}"));
    }
}

#[test]
fn the_emitted_accumulator_agrees() {
    let config = Config::named("tiny").expect("a named configuration");
    // All rows of both halves are written before they are compared.
    let depth = config.geometry().accumulator_rows() as u64;
    let cols = config.geometry().cols() as u64;
    let fill = 2 * depth;
    let adjust = |cycle: u64, port: &str, value: Bits| match port {
        "reset" => Bits::from(cycle < 2),
        "control_in" if cycle >= 2 && cycle < 2 + fill => {
            let i = cycle - 2;
            Bits::new(u128::from(1 | (i % 2) << 1 | 1 << 2 | (i / 2) << 5), value.bits())
        }
        _ => value,
    };
    common::agrees_with_icarus("accumulator", Accumulator::new(&config), 500, 2 + fill + cols + 4, adjust);
}
