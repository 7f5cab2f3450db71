//! Stochastic rounding: seed, indices and random bits against plain integers, and their Verilog against RustHDL.

mod common;

use common::{agrees_with_icarus, Random};
use hdl::bits::Bits;
use hdl::fetch::Fetch;
use hdl::permutation_round::PermutationRound;
use hdl::random_bits::RandomBits;
use hdl::random_carry::RandomCarry;
use hdl::simulate::Stepper;
use hdl::store_index::StoreIndex;
use hdl::store_reader::StoreReader;
use hdl::store_seed::StoreSeed;
use hdl::{Requantizer, Store};
use spec::config::RawRounding;
use spec::{Command, Config, RawConfig, Seed};

fn stochastic(change: impl FnOnce(&mut RawConfig)) -> Config {
    let mut raw = RawConfig::from(&Config::named("tiny").expect("a named configuration"));
    raw.numerics.rounding = RawRounding::Stochastic { stochastic: 9 };
    raw.geometry.cols = 6;
    raw.geometry.requantizer_lanes = 3;
    change(&mut raw);
    Config::try_from(raw).expect("a valid configuration")
}

fn encoded(command: Command) -> Bits {
    let words = command.encode();
    let pair = |i: usize| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32;
    Bits::from_words((0..4).map(pair).collect(), spec::command::COMMAND_BITS)
}

/// The permutation with the rotations of the standard library: ten rounds, the result's low half computed last.
fn permuted(index: u32, key: u64) -> u32 {
    // 0.14159265358979323846... in hexadecimal, 160 bits of it.
    let digits = "243f6a8885a308d313198a2e03707344a4093822";
    let (mut left, mut right) = ((index >> 16) as u16, index as u16);
    for round in 0..10 {
        let constant = u16::from_str_radix(&digits[4 * round..4 * round + 4], 16).expect("digits");
        let word = (key >> (16 * (round % 4))) as u16 ^ constant;
        let mixed = (left.rotate_left(1) & left.rotate_left(8)) ^ left.rotate_left(2);
        (left, right) = (right ^ mixed ^ word, left);
    }
    u32::from(right) << 16 | u32::from(left)
}

/// An index a cycle; the key changes now and then, and the late key and the mask a cycle after it.
#[test]
fn random_bits_are_the_low_bits_of_the_permutation() {
    for random_bits in [1, 8, 16, 17, 32] {
        let mut dut = Stepper::new(RandomBits::new(random_bits)).expect("accepted");
        let mut random = Random::new(random_bits as u64);
        let (mut key, mut mask) = (random.word(), random.word() as u32);
        let mut sent: Vec<(u32, u64, u32)> = Vec::new();
        for cycle in 0..600 {
            let (key_late, mask_late) = (key, mask);
            if random.below(8) == 0 {
                (key, mask) = (random.word(), random.word() as u32);
            }
            let index = if random.below(2) == 0 { random.word() as u32 } else { cycle };
            sent.push((index, key, mask));
            let block = dut.block_mut();
            block.index_in.next = Bits::new(index.into(), 32);
            block.key_in.next = Bits::new(key.into(), 64);
            block.key_late_in.next = Bits::new(key_late.into(), 64);
            block.mask_in.next = Bits::new(mask_late.into(), 32).resized(random_bits);
            dut.settle().expect("settles");
            if let Some(before) = (cycle as usize).checked_sub(2) {
                let (index, key, mask) = sent[before];
                let expected = Bits::new((permuted(index, key) ^ mask).into(), 32).resized(random_bits);
                assert_eq!(dut.block().bits_out.val(), expected, "{random_bits} bits of {index} in cycle {cycle}");
            }
            dut.edge().expect("settles");
        }
    }
}

#[test]
fn every_fraction_rounds_up_for_as_many_random_numbers() {
    for random_bits in [1, 2, 5] {
        let mut dut = Stepper::new(RandomCarry::new(random_bits)).expect("accepted");
        for fraction in 0..1_usize << random_bits {
            let mut ups = 0;
            for random in 0..1_usize << random_bits {
                dut.block_mut().fraction_in.next = fraction.into();
                dut.block_mut().random_in.next = random.into();
                dut.settle().expect("settles");
                let up = dut.block().carry_out.val().any();
                assert_eq!(up, fraction + random >= 1 << random_bits);
                ups += usize::from(up);
            }
            assert_eq!(ups, fraction);
        }
    }
}

/// Rows of groups, with pauses between reads; indices wrap at 2^32.
#[test]
fn every_lane_has_the_index_of_its_output() {
    let (lanes, mut random) = (3, Random::new(5));
    let mut dut = Stepper::new(StoreIndex::new(lanes)).expect("accepted");
    let mut expected: Option<u32> = None;
    for store in 0..40 {
        let index = if store % 4 == 0 { u32::MAX - random.below(20) as u32 } else { random.word() as u32 };
        let row_stride = random.below(50) as u32;
        let (rows, groups) = (1 + random.below(4) as u32, 1 + random.below(4) as u32);
        let mut command = Bits::zero(256);
        command.set_slice(224, &Bits::new(index.into(), 32));
        dut.block_mut().row_stride_in.next = Bits::new(row_stride.into(), 32);
        let mut events = vec![(true, None)];
        for (row, group) in (0..rows).flat_map(|row| (0..groups).map(move |group| (row, group))) {
            events.extend((0..random.below(3)).map(|_| (false, None)));
            events.push((false, Some((row, group))));
        }
        for (start, read) in events {
            let block = dut.block_mut();
            block.start_in.next = start.into();
            block.command_in.next = if start { command.clone() } else { Bits::ones(256) };
            block.read_in.next = read.is_some().into();
            block.row_end_in.next = read.is_some_and(|(_, group)| group + 1 == groups).into();
            dut.settle().expect("settles");
            if let Some(first) = expected.take() {
                for lane in 0..lanes {
                    let actual = dut.block().indices_out.val().slice(32 * lane, 32).low_u128();
                    assert_eq!(actual, first.wrapping_add(lane as u32).into(), "lane {lane}, store {store}");
                }
            }
            expected = read.map(|(row, group)| {
                index.wrapping_add(row.wrapping_mul(row_stride)).wrapping_add(group * lanes as u32)
            });
            dut.edge().expect("settles");
        }
    }
}

#[test]
fn a_seed_is_taken_when_the_engine_is_free_and_stays() {
    let mut dut = Stepper::new(StoreSeed::new(9)).expect("accepted");
    let seed = Seed { key: 0x0123_4567_89ab_cdef, mask: 0xffff_fe55, row_stride: 0x8000_0001 };
    let mut cycle = |command: Option<Command>, ready: bool| {
        let set = |block: &mut StoreSeed| {
            block.command_valid_in.next = command.is_some().into();
            block.command_in.next = command.map_or(Bits::ones(256), encoded);
            block.ready_in.next = ready.into();
        };
        let sample = |block: &StoreSeed| {
            let flags = [&block.held_out, &block.take_out].map(|port| port.val().any());
            let values = [&block.key_out, &block.key_late_out, &block.mask_late_out, &block.row_stride_out];
            (flags, values.map(|port| port.val().low_u128()))
        };
        dut.cycle_with(set, sample).expect("settles")
    };
    let nothing = [0; 4];
    let (key, mask, stride) = (u128::from(seed.key), 0x55, u128::from(seed.row_stride));
    assert_eq!(cycle(Some(Command::Seed(seed)), false), ([true, false], nothing));
    assert_eq!(cycle(None, true), ([false, false], nothing));
    assert_eq!(cycle(Some(Command::Finish), true), ([false, false], nothing));
    assert_eq!(cycle(Some(Command::Seed(seed)), true), ([true, true], nothing));
    assert_eq!(cycle(None, true), ([false, false], [key, 0, 0, stride]), "the late ones a cycle later");
    assert_eq!(cycle(None, true), ([false, false], [key, key, mask, stride]));
    assert_eq!(cycle(None, false), ([false, false], [key, key, mask, stride]));
}

/// Stores that are soon over, and seeds between them.
fn stores_and_seeds(cycle: u64, port: &str, value: Bits) -> Bits {
    let mut random = Random::new(cycle);
    match port {
        "command_in" if random.below(3) == 0 => {
            encoded(Command::Seed(Seed { key: random.word(), mask: random.word() as u32, row_stride: 7 }))
        }
        "command_in" | "job_in" => encoded(Command::Store(spec::Store {
            tokens: spec::Tokens { push_first: random.below(4) == 0, ..spec::Tokens::default() },
            half: random.below(2) == 0,
            rows: 1 + random.below(3) as u16,
            address: random.word() as u32,
            stride: random.word() as u32,
            accumulator_row: random.word() as u16,
            tile_stride: random.word() as u16,
            tiles: 1 + random.below(3) as u16,
            last_groups: 1 + random.below(2) as u8,
            parameter_row: random.word() as u16,
            terms: 1,
            table: false,
            row_bits: 1 + random.below(40) as u32,
            low: random.word() as u16,
            high: random.word() as u16,
            index: random.word() as u32,
        })),
        _ => value,
    }
}

#[test]
fn the_emitted_blocks_agree() {
    let same = |_: u64, _: &str, value: Bits| value;
    agrees_with_icarus("permutation_round", PermutationRound::new(), 300, 0, same);
    for random_bits in [1, 8, 16, 20, 32] {
        agrees_with_icarus("random_bits", RandomBits::new(random_bits), 300, 2, same);
        agrees_with_icarus("random_carry", RandomCarry::new(random_bits), 300, 0, same);
    }
    agrees_with_icarus("store_seed", StoreSeed::new(9), 300, 2, stores_and_seeds);
    for lanes in [1, 3] {
        agrees_with_icarus("store_index", StoreIndex::new(lanes), 300, 2, same);
    }
    let configs = [
        stochastic(|_| {}),
        stochastic(|raw| {
            raw.numerics.scheme = spec::MachineScheme::Pow2;
            raw.numerics.multiplier_bits = 0;
            raw.numerics.rounding = RawRounding::Stochastic { stochastic: 32 };
        }),
    ];
    for config in configs {
        agrees_with_icarus("fetch", Fetch::new(&config), 500, 2, same);
        agrees_with_icarus("store_reader", StoreReader::new(&config), 1000, 1, stores_and_seeds);
        agrees_with_icarus("requantizer", Requantizer::new(&config), 300, 3, same);
        // The queues' words are undefined until each has been written once.
        agrees_with_icarus("store", Store::new(&config), 2000, 500, stores_and_seeds);
    }
}
