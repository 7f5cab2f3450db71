//! Values of a running model against the same machine in Rust.

use super::*;

fn words(value: u128) -> [u32; 3] {
    [value as u32, (value >> 32) as u32, (value >> 64) as u32]
}

const MASK70: u128 = (1 << 70) - 1;

fn counts_as_rust_does(options: &Options) {
    let library = Library::build(&counter(), options).unwrap();
    let input = |name, width| library.input(name, width).unwrap();
    let output = |name, width| library.output(name, width).unwrap();
    let (reset, en, step5) = (input("reset", 1), input("en", 1), input("step5", 5));
    let (add33, add70) = (input("add33", 33), input("add70", 70));
    let (q1, q5, q33) = (output("q1", 1), output("q5", 5), output("q33", 33));
    let (q70, out70) = (output("q70", 70), output("out70", 70));
    let mut dut = library.instance(1).unwrap();
    dut.set(reset, 1).unwrap();
    dut.step().unwrap();
    dut.set(reset, 0).unwrap();
    let mut random = Random(7);
    let (mut r1, mut r5, mut r33, mut r70) = (0u64, 0u64, 0u64, 0u128);
    for cycle in 0..1000 {
        let enabled = random.next() & 1;
        let step = random.next() & 31;
        let by33 = random.next() & ((1 << 33) - 1);
        let by70 = (u128::from(random.next()) << 64 | u128::from(random.next())) & MASK70;
        dut.set(en, enabled).unwrap();
        dut.set(step5, step).unwrap();
        dut.set(add33, by33).unwrap();
        let mut wide = words(by70);
        // Bits above the width must not reach the design.
        wide[2] |= 0xffff_ffc0;
        dut.set_wide(add70, &wide).unwrap();
        dut.step().unwrap();
        assert_eq!(dut.get(q1).unwrap(), r1, "q1 in cycle {cycle}");
        assert_eq!(dut.get(q5).unwrap(), r5, "q5 in cycle {cycle}");
        assert_eq!(dut.get(q33).unwrap(), r33, "q33 in cycle {cycle}");
        assert_eq!(dut.get_wide(q70).unwrap(), words(r70), "q70 in cycle {cycle}");
        let inverted = words(!by70 & MASK70);
        assert_eq!(dut.get_wide(out70).unwrap(), inverted, "out70 in cycle {cycle}");
        if enabled == 1 {
            r1 ^= 1;
            r5 = (r5 + step) & 31;
            r33 = (r33 + by33) & ((1 << 33) - 1);
            r70 = (r70 + by70) & MASK70;
        }
    }
    assert_eq!(dut.cycle(), 1001);
}

#[test]
fn odd_widths_count_as_rust_does() {
    counts_as_rust_does(&options());
}

#[test]
fn odd_widths_count_as_rust_does_optimized_for_running() {
    counts_as_rust_does(&Options { optimize: Optimize::Run, ..options() });
}

#[test]
fn settle_shows_an_input_without_a_clock_edge() {
    let library = build(&counter());
    let mut dut = library.instance(1).unwrap();
    let reset = library.input("reset", 1).unwrap();
    let en = library.input("en", 1).unwrap();
    let step5 = library.input("step5", 5).unwrap();
    let add70 = library.input("add70", 70).unwrap();
    let q5 = library.output("q5", 5).unwrap();
    let out70 = library.output("out70", 70).unwrap();
    dut.set(reset, 1).unwrap();
    dut.step().unwrap();
    dut.set(reset, 0).unwrap();
    dut.set(en, 1).unwrap();
    dut.set(step5, 3).unwrap();
    for value in [5u128, 1 << 69] {
        dut.set_wide(add70, &words(value)).unwrap();
        dut.settle().unwrap();
        assert_eq!(dut.get_wide(out70).unwrap(), words(!value & MASK70));
        assert_eq!(dut.get(q5).unwrap(), 0);
    }
    dut.step().unwrap();
    dut.settle().unwrap();
    assert_eq!(dut.get(q5).unwrap(), 3);
    assert_eq!(dut.cycle(), 2);
}

/// The outputs in the first cycle, then after a reset.
fn start_and_reset(library: &Arc<Library>, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let mut dut = library.instance(seed).unwrap();
    let reset = library.input("reset", 1).unwrap();
    let q70 = library.output("q70", 70).unwrap();
    dut.set(reset, 1).unwrap();
    dut.step().unwrap();
    let start = dut.get_wide(q70).unwrap().to_vec();
    dut.step().unwrap();
    (start, dut.get_wide(q70).unwrap().to_vec())
}

#[test]
fn start_state_follows_the_seed_until_reset() {
    let library = build(&counter());
    let (first, first_reset) = start_and_reset(&library, 1);
    let (second, second_reset) = start_and_reset(&library, 2);
    assert_ne!(first, second);
    assert_eq!(first_reset, [0, 0, 0]);
    assert_eq!(second_reset, [0, 0, 0]);
    assert_eq!(start_and_reset(&library, 1).0, first);
    // An instance that lives meanwhile takes nothing from another's random numbers.
    let _other = library.instance(9).unwrap();
    assert_eq!(start_and_reset(&library, 1).0, first);
}

#[test]
fn start_state_is_the_same_on_every_thread() {
    let library = build(&counter());
    let expected: Vec<_> = (0..50).map(|seed| start_and_reset(&library, seed)).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (seed, expected) in (0..).zip(&expected) {
                    assert_eq!(start_and_reset(&library, seed), *expected, "seed {seed}");
                }
            });
        }
    });
}

#[test]
fn instances_of_one_library_do_not_share_state() {
    let library = build(&counter());
    let reset = library.input("reset", 1).unwrap();
    let en = library.input("en", 1).unwrap();
    let step5 = library.input("step5", 5).unwrap();
    let q5 = library.output("q5", 5).unwrap();
    let mut instances: Vec<_> = (0..3).map(|seed| library.instance(seed).unwrap()).collect();
    for (amount, dut) in (0..).zip(&mut instances) {
        dut.set(reset, 1).unwrap();
        dut.step().unwrap();
        dut.set(reset, 0).unwrap();
        dut.set(en, 1).unwrap();
        dut.set(step5, amount).unwrap();
    }
    for cycle in 0..8 {
        for (amount, dut) in (0..).zip(&mut instances) {
            dut.step().unwrap();
            assert_eq!(dut.get(q5).unwrap(), cycle * amount % 32);
        }
    }
}

#[test]
fn a_design_without_clock_or_inputs_works() {
    let library = build(&Design {
        verilog: "module constant(output [2:0] q); assign q = 5; endmodule\n".to_owned(),
        top: "constant".to_owned(),
        ports: vec![port("q", Direction::Output, 3)],
    });
    let mut dut = library.instance(0).unwrap();
    dut.step().unwrap();
    assert_eq!(dut.get(library.output("q", 3).unwrap()).unwrap(), 5);
}
