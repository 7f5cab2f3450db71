//! The blocks of load and store: their Verilog is clean and does what RustHDL's simulator does.

mod common;

use common::{agrees_with_icarus, Random};
use hdl::bits::Bits;
use hdl::cut_groups::CutGroups;
use hdl::dispatch::Dispatch;
use hdl::issue::Issue;
use hdl::jobs::Jobs;
use hdl::load_fields::LoadFields;
use hdl::lookup::Lookup;
use hdl::pack_rows::PackRows;
use hdl::prelude::{Gather, Mask, Scatter};
use hdl::requester::Requester;
use hdl::simulate::Stepper;
use hdl::store_fields::StoreFields;
use hdl::store_reader::StoreReader;
use hdl::unpack_words::UnpackWords;
use hdl::window_lanes::WindowLanes;
use hdl::write_rows::WriteRows;
use hdl::{Load, ParameterBuffer, Requantizer, RequantizerLane, Store};
use spec::config::RawRounding;
use spec::{Command, Config, LoadTarget, MachineScheme, Round, Tokens};

fn tokens(random: &mut Random) -> Tokens {
    let mut flag = || random.below(4) == 0;
    Tokens { pop_first: flag(), pop_second: flag(), push_first: flag(), push_second: flag() }
}

/// A load that is soon over.
fn load_command(random: &mut Random) -> spec::Load {
    let targets = [LoadTarget::Activations, LoadTarget::Weights, LoadTarget::Parameters, LoadTarget::Table];
    spec::Load {
        target: targets[random.below(4) as usize],
        tokens: tokens(random),
        address: random.word() as u32,
        stride: random.word() as u32,
        start_bit: random.below(8) as u8,
        requests: 1 + random.below(3) as u16,
        rows_per_request: 1 + random.below(3) as u16,
        row_bits: 1 + random.below(40) as u16,
        buffer_row: random.word() as u16,
        lane_group: random.below(16) as u8,
    }
}

/// A store that is soon over.
fn store_command(random: &mut Random, n_groups: u64) -> spec::Store {
    spec::Store {
        tokens: tokens(random),
        half: random.below(2) == 0,
        rows: 1 + random.below(3) as u16,
        address: random.word() as u32,
        stride: random.word() as u32,
        accumulator_row: random.word() as u16,
        tile_stride: random.word() as u16,
        tiles: 1 + random.below(3) as u16,
        last_groups: 1 + random.below(n_groups) as u8,
        parameter_row: random.word() as u16,
        terms: 1 + random.below(15) as u8,
        table: random.below(2) == 0,
        row_bits: 1 + random.below(40) as u32,
        low: random.word() as u16,
        high: random.word() as u16,
        index: random.word() as u32,
    }
}

fn encoded(command: Command) -> Bits {
    let words = command.encode();
    let pair = |i: usize| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32;
    Bits::from_words((0..4).map(pair).collect(), spec::command::COMMAND_BITS)
}

#[test]
fn fields_are_those_that_spec_encodes() {
    let mut random = Random::new(1);
    let mut load = Stepper::new(LoadFields::new(32)).expect("accepted");
    let mut store = Stepper::new(StoreFields::new(32)).expect("accepted");
    for _ in 0..100 {
        let c = load_command(&mut random);
        load.block_mut().command_in.next = encoded(Command::Load(c));
        load.settle().expect("settles");
        let target = u128::from(Command::Load(c).encode()[0] & 7);
        let offset = (8 * u128::from(c.address) + u128::from(c.start_bit)) % 32;
        for (name, value) in [
            ("target_out", target),
            ("pop_first_out", c.tokens.pop_first.into()),
            ("pop_second_out", c.tokens.pop_second.into()),
            ("push_first_out", c.tokens.push_first.into()),
            ("push_second_out", c.tokens.push_second.into()),
            ("start_bit_out", c.start_bit.into()),
            ("lane_group_out", c.lane_group.into()),
            ("requests_out", c.requests.into()),
            ("address_out", c.address.into()),
            ("stride_out", c.stride.into()),
            ("buffer_row_out", c.buffer_row.into()),
            ("rows_per_request_out", c.rows_per_request.into()),
            ("row_bits_out", c.row_bits.into()),
            ("request_bits_out", c.request_bits().into()),
            ("offset_out", offset),
            ("stride_offset_out", 8 * u128::from(c.stride) % 32),
        ] {
            assert_eq!(load.get(name).expect("a port").low_u128(), value, "{name} of {c:?}");
        }
        let c = store_command(&mut random, 128);
        store.block_mut().command_in.next = encoded(Command::Store(c));
        store.settle().expect("settles");
        for (name, value) in [
            ("table_out", u128::from(c.table)),
            ("last_term_out", u128::from(c.terms) - 1),
            ("pop_first_out", c.tokens.pop_first.into()),
            ("pop_second_out", c.tokens.pop_second.into()),
            ("push_first_out", c.tokens.push_first.into()),
            ("push_second_out", c.tokens.push_second.into()),
            ("half_out", c.half.into()),
            ("last_group_out", u128::from(c.last_groups) - 1),
            ("rows_out", c.rows.into()),
            ("address_out", c.address.into()),
            ("stride_out", c.stride.into()),
            ("accumulator_row_out", c.accumulator_row.into()),
            ("tile_stride_out", c.tile_stride.into()),
            ("tiles_out", c.tiles.into()),
            ("parameter_row_out", c.parameter_row.into()),
            ("row_bits_out", c.row_bits.into()),
            ("low_out", c.low.into()),
            ("high_out", c.high.into()),
            ("offset_out", 8 * u128::from(c.address) % 32),
            ("stride_offset_out", 8 * u128::from(c.stride) % 32),
        ] {
            assert_eq!(store.get(name).expect("a port").low_u128(), value, "{name} of {c:?}");
        }
    }
}

fn tiny() -> Config {
    Config::named("tiny").expect("a named configuration")
}

/// Several lanes, several groups, a group wider than the bus.
fn wide() -> Config {
    let mut raw = spec::RawConfig::from(&tiny());
    raw.name = "wide".to_string();
    raw.geometry.cols = 10;
    raw.geometry.requantizer_lanes = 5;
    raw.numerics.output_bits = 7;
    raw.numerics.output_signed = true;
    Config::try_from(raw).expect("a valid configuration")
}

/// With an activation table.
fn tabled() -> Config {
    let mut raw = spec::RawConfig::from(&wide());
    raw.name = "tabled".to_string();
    raw.numerics.activation_table = true;
    Config::try_from(raw).expect("a valid configuration")
}

/// Short bursts instead of random bits wherever a command or a length goes in.
fn soon_over(cycle: u64, port: &str, value: Bits, n_groups: u64) -> Bits {
    let mut random = Random::new(cycle);
    match port {
        "command_in" | "job_in" if value.get_bit(0).any() => encoded(Command::Load(load_command(&mut random))),
        "command_in" | "job_in" => encoded(Command::Store(store_command(&mut random, n_groups))),
        "requests_in" => Bits::new(1 + u128::from(random.below(4)), 16),
        _ => value,
    }
}

fn only_loads(cycle: u64, port: &str, value: Bits) -> Bits {
    match port {
        "command_in" | "job_in" => encoded(Command::Load(load_command(&mut Random::new(cycle)))),
        _ => value,
    }
}

fn only_stores(cycle: u64, port: &str, value: Bits, n_groups: u64) -> Bits {
    match port {
        "command_in" | "job_in" => encoded(Command::Store(store_command(&mut Random::new(cycle), n_groups))),
        _ => value,
    }
}

/// What `Gather` takes `Scatter` puts back, and nothing else.
#[test]
fn gathered_bits_are_put_back() {
    for ranges in [vec![(0, 1)], vec![(3, 5), (8, 1), (40, 24)], vec![(0, 70)], vec![(1, 2), (64, 6)]] {
        let mut gather = Stepper::new(Gather::new(70, ranges.clone())).expect("accepted");
        let width = gather.block().bits_out.width();
        assert_eq!(width, ranges.iter().map(|(_, width)| width).sum::<usize>());
        let mut scatter = Stepper::new(Scatter::new(70, ranges.clone())).expect("accepted");
        let bus = Random::new(3).bits(70);
        gather.block_mut().bus_in.next = bus.clone();
        gather.settle().expect("settles");
        scatter.block_mut().bits_in.next = gather.block().bits_out.val();
        scatter.settle().expect("settles");
        let mut at = 0;
        for bit in 0..70 {
            let taken = ranges.iter().any(|&(from, width)| (from..from + width).contains(&bit));
            let back = scatter.block().bus_out.val().get_bit(bit).any();
            assert_eq!(back, taken && bus.get_bit(bit).any(), "bit {bit} of {ranges:?}");
            if taken {
                assert_eq!(gather.block().bits_out.val().get_bit(at), bus.get_bit(bit), "bit {bit} of {ranges:?}");
                at += 1;
            }
        }
        agrees_with_icarus("gather", Gather::new(70, ranges.clone()), 20, 0, |_, _, value| value);
        agrees_with_icarus("scatter", Scatter::new(70, ranges), 20, 0, |_, _, value| value);
    }
}

#[test]
fn every_small_word_is_masked() {
    let mut mask = Stepper::new(Mask::new(5)).expect("accepted");
    for word in 0..32 {
        for count in 0..=5 {
            mask.block_mut().word_in.next = Bits::new(word, 5);
            mask.block_mut().count_in.next = Bits::new(count, 3);
            mask.settle().expect("settles");
            assert_eq!(mask.block().word_out.val().low_u128(), word % (1 << count), "{count} bits of {word}");
        }
    }
    agrees_with_icarus("mask", Mask::new(5), 200, 0, |_, _, value| value);
    agrees_with_icarus("mask", Mask::new(256), 200, 0, |_, _, value| value);
}

#[test]
fn small_blocks_agree_with_icarus() {
    agrees_with_icarus("load_fields", LoadFields::new(64), 50, 0, |_, _, value| value);
    agrees_with_icarus("store_fields", StoreFields::new(64), 50, 0, |_, _, value| value);
    agrees_with_icarus("issue", Issue::new(), 500, 0, |_, _, value| value);
    agrees_with_icarus("requester", Requester::new(64), 500, 1, |c, p, v| soon_over(c, p, v, 1));
}

#[test]
fn blocks_of_load_agree_with_icarus() {
    agrees_with_icarus("dispatch", Dispatch::new(32), 1000, 1, only_loads);
    // The queue's words are undefined until each has been written once.
    agrees_with_icarus("jobs", Jobs::new(LoadFields::job_ranges(32)), 1000, 200, only_loads);
    agrees_with_icarus("unpack_words", UnpackWords::new(32), 2000, 1, only_loads);
    for config in [tiny(), wide(), tabled()] {
        agrees_with_icarus("window_lanes", WindowLanes::new(&config), 300, 0, |_, _, value| value);
        agrees_with_icarus("write_rows", WriteRows::new(&config), 500, 1, only_loads);
        agrees_with_icarus("load", Load::new(&config), 2000, 1, only_loads);
    }
}

/// Entries are written first: what was never written is undefined.
fn table_first(cycle: u64, n_entries: u64, port: &str, value: Bits) -> Bits {
    let is_filled = cycle >= n_entries;
    match port {
        "write_enable_in" | "table_write_in_0" => Bits::from(!is_filled),
        "write_addr_in" | "table_addr_in_0" => Bits::new(cycle.into(), 16),
        _ => value,
    }
}

#[test]
fn the_table_agrees_with_icarus() {
    for output_bits in [1, 4, 7] {
        let n_entries = 1 << output_bits;
        let adjust = |c: u64, p: &str, v: Bits| table_first(c, n_entries, p, v);
        agrees_with_icarus("lookup", Lookup::new(output_bits), 400, n_entries + 2, adjust);
    }
}

#[test]
fn blocks_of_store_agree_with_icarus() {
    for config in [tiny(), wide(), tabled()] {
        let n_entries = 1 << config.numerics().output().bits();
        let n_groups = config.geometry().column_groups() as u64;
        agrees_with_icarus("store_reader", StoreReader::new(&config), 1000, 1, |c, p, v| {
            only_stores(c, p, v, n_groups)
        });
        agrees_with_icarus("cut_groups", CutGroups::new(&config), 1000, 1, |_, _, value| value);
        agrees_with_icarus("pack_rows", PackRows::new(&config), 2000, 1, |c, p, v| only_stores(c, p, v, n_groups));
        agrees_with_icarus("requantizer", Requantizer::new(&config), 400, n_entries + 2, |c, p, v| {
            table_first(c, n_entries, p, v)
        });
        // The queues' words are undefined until each has been written once.
        agrees_with_icarus("store", Store::new(&config), 2000, 500, |c, p, v| {
            table_first(c, n_entries, p, only_stores(c, p, v, n_groups))
        });
        // So are the rows of the buffer: write all of them first.
        let (rows, banks) = (config.geometry().parameter_rows() as u64, config.geometry().requantizer_lanes() as u64);
        agrees_with_icarus("parameter_buffer", ParameterBuffer::new(&config), 600, rows * banks + 2, |c, p, v| {
            let sweep = c < rows * banks;
            match p {
                "write_addr_in" if sweep => Bits::new((c / banks).into(), 16),
                "write_bank_in" if sweep => Bits::new((c % banks).into(), 16),
                "write_bank_in" => Bits::new(v.low_u128() % u128::from(banks), 16),
                "write_enable_in" => Bits::new(sweep.into(), 1),
                "read_addr_in" | "write_addr_in" => Bits::new(v.low_u128() % u128::from(rows), 16),
                "read_enable_in" => Bits::new((c + 1 >= rows * banks).into(), 1),
                _ => v,
            }
        });
    }
}

/// Every scheme with a rule that looks at everything and with random bits, and every rule.
#[test]
fn every_lane_agrees_with_icarus() {
    let up = RawRounding::Named(Round::HalfTowardPositive);
    let even = RawRounding::Named(Round::HalfToEven);
    let random = RawRounding::Stochastic { stochastic: 10 };
    let single = |round| (MachineScheme::FixedSingle, 12, RawRounding::Named(round));
    let lanes = [
        (MachineScheme::FixedSingle, 12, random),
        (MachineScheme::FixedDouble, 12, even),
        (MachineScheme::FixedDouble, 12, random),
        // tiny's shift field ends at 31.
        (MachineScheme::FixedDouble, 31, even),
        (MachineScheme::FixedDouble, 32, even),
        (MachineScheme::FixedDouble, 1, even),
        (MachineScheme::FixedDoubleUp, 12, up),
        (MachineScheme::Pow2, 0, even),
        (MachineScheme::Pow2, 0, random),
    ];
    for (scheme, multiplier_bits, rounding) in lanes.into_iter().chain(Round::ALL.map(single)) {
        let mut raw = spec::RawConfig::from(&tiny());
        (raw.numerics.scheme, raw.numerics.rounding) = (scheme, rounding);
        raw.numerics.multiplier_bits = multiplier_bits;
        let config = Config::try_from(raw).expect("a valid configuration");
        agrees_with_icarus("requantizer_lane", RequantizerLane::new(config.numerics()), 200, 1, |_, _, value| value);
    }
}

/// `default` has the wide bus words and rows; it is only looked at.
#[test]
fn the_large_configuration_is_clean() {
    let config = Config::named("default").expect("a named configuration");
    let load = Stepper::new(Load::new(&config)).expect("accepted");
    common::lint(&hdl::emit(load.block(), "load", "").expect("emitted").verilog, "load");
    let store = Stepper::new(Store::new(&config)).expect("accepted");
    common::lint(&hdl::emit(store.block(), "store", "").expect("emitted").verilog, "store");
    let buffer = Stepper::new(ParameterBuffer::new(&config)).expect("accepted");
    common::lint(&hdl::emit(buffer.block(), "parameter_buffer", "").expect("emitted").verilog, "parameter_buffer");
}
