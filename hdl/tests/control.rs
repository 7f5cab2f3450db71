//! Fetch, tokens, execute's control and the read-out, in RustHDL's simulator and against Icarus.

mod common;

use hdl::bits::Bits;
use hdl::execute::Execute;
use hdl::fetch::Fetch;
use hdl::preload::Preload;
use hdl::simulate::Stepper;
use hdl::skew::Skew;
use hdl::status::Status;
use hdl::stream::Stream;
use hdl::token_counter::TokenCounter;
use hdl::tokens::Tokens;
use hdl::wait_code::WaitCode;
use spec::command::{opcode, COMMAND_BITS, TOKEN_LIMIT};
use spec::config::RawRounding;
use spec::counter::{Counter, STATUS_CODES};
use spec::{Config, RawConfig};

fn tiny() -> Config {
    Config::named("tiny").expect("a named configuration")
}

/// One cycle of a token counter; returns (available, space) as they were in it.
fn count(dut: &mut Stepper<TokenCounter>, reserve: bool, push: bool, pop: bool) -> (bool, bool) {
    let set = |block: &mut TokenCounter| {
        block.reserve_in.next = reserve.into();
        block.push_in.next = push.into();
        block.pop_in.next = pop.into();
    };
    let sample = |block: &TokenCounter| (block.available_out.val().any(), block.space_out.val().any());
    dut.cycle_with(set, sample).expect("the counter settles")
}

#[test]
fn a_counter_holds_tokens_up_to_its_limit() {
    assert_eq!(TOKEN_LIMIT, 15);
    let mut dut = Stepper::new(TokenCounter::new()).expect("the counter is accepted");
    for n in 0..15 {
        assert_eq!(count(&mut dut, true, false, false), (false, true), "{n} reserved");
    }
    assert_eq!(count(&mut dut, false, true, false), (false, false), "15 reserved, none pushed");
    assert_eq!(count(&mut dut, false, false, false), (true, false), "15 reserved, one pushed");
    // Pop and push at once: one stays available, and there is space for one.
    assert_eq!(count(&mut dut, false, true, true), (true, false));
    assert_eq!(count(&mut dut, true, false, true), (true, true));
    assert_eq!(count(&mut dut, true, false, false), (false, true));
    assert_eq!(count(&mut dut, false, false, false), (false, false));
    for _ in 0..15 {
        count(&mut dut, false, true, false);
    }
    for n in 0..15 {
        assert_eq!(count(&mut dut, false, false, true), (true, n > 0), "{n} popped of 15");
    }
    assert_eq!(count(&mut dut, false, false, false), (false, true));
}

#[test]
fn each_pair_of_engines_has_tokens_of_its_own() {
    let pairs = ["load_execute", "load_store", "execute_load", "execute_store", "store_load", "store_execute"];
    let mut dut = Stepper::new(Tokens::new()).expect("the tokens are accepted");
    for (n, pair) in pairs.iter().enumerate() {
        let one = || Bits::from(true);
        dut.set(&format!("{pair}_reserve_in"), one()).expect("a port");
        dut.edge().expect("the tokens settle");
        dut.set(&format!("{pair}_reserve_in"), Bits::from(false)).expect("a port");
        dut.set(&format!("{pair}_push_in"), one()).expect("a port");
        dut.edge().expect("the tokens settle");
        dut.set(&format!("{pair}_push_in"), Bits::from(false)).expect("a port");
        dut.settle().expect("the tokens settle");
        for (other, name) in pairs.iter().enumerate() {
            let is_available = dut.get(&format!("{name}_available_out")).expect("a port").any();
            assert_eq!(is_available, other <= n, "{name} after a push of {pair}");
        }
    }
    for (n, pair) in pairs.iter().enumerate() {
        dut.set(&format!("{pair}_pop_in"), Bits::from(true)).expect("a port");
        dut.edge().expect("the tokens settle");
        dut.set(&format!("{pair}_pop_in"), Bits::from(false)).expect("a port");
        dut.settle().expect("the tokens settle");
        for (other, name) in pairs.iter().enumerate() {
            let is_available = dut.get(&format!("{name}_available_out")).expect("a port").any();
            assert_eq!(is_available, other > n, "{name} after a pop of {pair}");
        }
    }
}

/// Outputs of fetch: command ready, load, execute and store valid, done valid, finish held, finished, clear.
type Fetched = [bool; 8];

fn fetch(dut: &mut Stepper<Fetch>, command: Option<u32>, queue_ready: bool, idle: bool, done_ready: bool) -> Fetched {
    let set = |block: &mut Fetch| {
        block.command_valid_in.next = command.is_some().into();
        block.command_data_in.next = Bits::new(command.unwrap_or(opcode::FINISH).into(), COMMAND_BITS);
        block.load_ready_in.next = queue_ready.into();
        block.execute_ready_in.next = queue_ready.into();
        block.store_ready_in.next = queue_ready.into();
        block.all_idle_in.next = idle.into();
        block.done_ready_in.next = done_ready.into();
    };
    let sample = |block: &Fetch| {
        [
            &block.command_ready_out,
            &block.load_valid_out,
            &block.execute_valid_out,
            &block.store_valid_out,
            &block.done_valid_out,
            &block.finish_held_out,
            &block.finished_out,
            &block.clear_out,
        ]
        .map(|port| port.val().any())
    };
    dut.cycle_with(set, sample).expect("fetch settles")
}

fn shown(names: &[usize]) -> Fetched {
    std::array::from_fn(|i| names.contains(&i))
}

#[test]
fn fetch_routes_by_opcode_and_ends_at_finish() {
    const READY: usize = 0;
    const DONE: usize = 4;
    const FINISH_HELD: usize = 5;
    const FINISHED: usize = 6;
    const CLEAR: usize = 7;
    let mut dut = Stepper::new(Fetch::new(&tiny())).expect("fetch is accepted");
    let routes = [
        (opcode::LOAD_ACTIVATIONS, 1),
        (opcode::LOAD_WEIGHTS, 1),
        (opcode::LOAD_PARAMETERS, 1),
        (opcode::EXECUTE, 2),
        (opcode::STORE, 3),
    ];
    for (code, route) in routes {
        // Bits above the opcode do not matter to fetch.
        assert_eq!(fetch(&mut dut, Some(code | 0xfff8), true, false, false), shown(&[READY]), "opcode {code}");
        assert_eq!(fetch(&mut dut, Some(opcode::FINISH), false, false, false), shown(&[route]), "a full queue");
        assert_eq!(fetch(&mut dut, Some(opcode::FINISH), true, false, false), shown(&[route]), "a command is held");
    }
    for code in [5, 6] {
        assert_eq!(fetch(&mut dut, Some(code), false, true, true), shown(&[READY]), "reserved {code}");
        assert_eq!(fetch(&mut dut, None, false, true, true), shown(&[]), "dropped");
    }
    assert_eq!(fetch(&mut dut, Some(opcode::FINISH), false, true, true), shown(&[READY]));
    assert_eq!(fetch(&mut dut, None, false, false, true), shown(&[FINISH_HELD]), "not idle");
    assert_eq!(fetch(&mut dut, None, false, true, false), shown(&[FINISH_HELD, DONE]), "not taken");
    assert_eq!(fetch(&mut dut, None, false, true, true), shown(&[FINISH_HELD, DONE]), "taken");
    assert_eq!(fetch(&mut dut, None, false, true, true), shown(&[READY, FINISHED]));
    assert_eq!(fetch(&mut dut, Some(opcode::STORE), false, true, true), shown(&[READY, FINISHED, CLEAR]));
    assert_eq!(fetch(&mut dut, None, true, true, true), shown(&[3]));
    assert_eq!(fetch(&mut dut, None, true, true, true), shown(&[READY]));
}

#[test]
fn a_seed_goes_to_store_where_rounding_is_stochastic() {
    let mut raw = RawConfig::from(&tiny());
    raw.numerics.rounding = RawRounding::Stochastic { stochastic: 8 };
    let config = Config::try_from(raw).expect("a legal configuration");
    let mut dut = Stepper::new(Fetch::new(&config)).expect("fetch is accepted");
    for code in [opcode::SEED, opcode::STORE] {
        assert_eq!(fetch(&mut dut, Some(code), false, true, true), shown(&[0]), "opcode {code}");
        assert_eq!(fetch(&mut dut, None, false, true, true), shown(&[3]), "a full queue");
        assert_eq!(fetch(&mut dut, None, true, true, true), shown(&[3]));
    }
    assert_eq!(fetch(&mut dut, Some(6), false, true, true), shown(&[0]));
    assert_eq!(fetch(&mut dut, None, false, true, true), shown(&[]), "reserved");
}

#[test]
fn a_table_is_loaded_where_there_is_one() {
    let mut raw = RawConfig::from(&tiny());
    raw.numerics.activation_table = true;
    let config = Config::try_from(raw).expect("a legal configuration");
    let mut dut = Stepper::new(Fetch::new(&config)).expect("fetch is accepted");
    for code in [opcode::LOAD_TABLE, opcode::LOAD_PARAMETERS] {
        assert_eq!(fetch(&mut dut, Some(code), false, true, true), shown(&[0]), "opcode {code}");
        assert_eq!(fetch(&mut dut, None, false, true, true), shown(&[1]), "a full queue");
        assert_eq!(fetch(&mut dut, None, true, true, true), shown(&[1]));
    }
    assert_eq!(fetch(&mut dut, Some(opcode::SEED), false, true, true), shown(&[0]));
    assert_eq!(fetch(&mut dut, None, false, true, true), shown(&[]), "reserved");
    common::agrees_with_icarus("fetch", Fetch::new(&config), 500, 2, |_, _, value| value);
}

#[test]
fn a_wait_code_is_the_index_of_the_counter() {
    for group in Counter::GROUPS {
        let mut dut = Stepper::new(WaitCode::new(group)).expect("the code is accepted");
        for (i, &counter) in group.iter().enumerate() {
            dut.block_mut().events_in.next = Bits::new(1 << i, group.len());
            dut.settle().expect("the code settles");
            assert_eq!(dut.block().code_out.val().index(), counter as usize);
        }
    }
}

#[test]
fn codes_stand_at_their_addresses() {
    let mut dut = Stepper::new(Status::new()).expect("the status is accepted");
    dut.block_mut().value_in.next = 1000.into();
    for code in 0..5 {
        dut.block_mut().codes_in[code].next = (code + 20).into();
    }
    for address in 0..64_usize {
        dut.block_mut().address_in.next = address.into();
        dut.settle().expect("the status settles");
        let expected = match address.checked_sub(STATUS_CODES.into()) {
            Some(code @ 0..5) => code + 20,
            _ => 1000,
        };
        assert_eq!(dut.block().data_out.val().index(), expected, "address {address}");
    }
}

#[test]
fn a_skew_delays_lane_i_by_i_cycles() {
    let (n_lanes, width, n_rows) = (5, 3, 20_usize);
    let lane = |row: usize, i: usize| Bits::new((row * 5 + i * 3 + 1) as u128, width);
    let is_valid = |row: usize| row % 7 != 3;
    let mut dut = Stepper::new(Skew::new(n_lanes, width)).expect("the skew is accepted");
    for cycle in 0..n_rows + n_lanes {
        let mut row = Bits::zero(n_lanes * width);
        (0..n_lanes).for_each(|i| row.set_slice(i * width, &lane(cycle, i)));
        let set = |skew: &mut Skew| {
            skew.valid_in.next = is_valid(cycle).into();
            skew.row_in.next = row;
        };
        let lanes = dut.cycle_with(set, |skew| skew.lanes_out.val()).expect("the skew settles");
        for i in 0..n_lanes {
            let expected = match cycle.checked_sub(i) {
                Some(entered) if is_valid(entered) => lane(entered, i),
                _ => Bits::zero(width),
            };
            assert!(lanes.slice(i * width, width) == expected, "cycle {cycle}, lane {i}");
        }
    }
}

#[test]
fn the_emitted_control_agrees() {
    let same = |_: u64, _: &str, value: Bits| value;
    common::agrees_with_icarus("token_counter", TokenCounter::new(), 300, 2, same);
    common::agrees_with_icarus("tokens", Tokens::new(), 300, 2, same);
    common::agrees_with_icarus("fetch", Fetch::new(&tiny()), 500, 2, same);
    common::agrees_with_icarus("preload", Preload::new(&tiny()), 500, 2, same);
    common::agrees_with_icarus("stream", Stream::new(&tiny()), 500, 2, same);
    // Short folds, so that they end.
    let short = |_: u64, port: &str, value: Bits| match port {
        "command_in" => {
            let mut command = value;
            command.set_slice(18, &Bits::zero(14));
            command.set_slice(82, &Bits::zero(14));
            command
        }
        _ => value,
    };
    common::agrees_with_icarus("execute", Execute::new(&tiny()), 1500, 2, short);
    common::agrees_with_icarus("skew", Skew::new(3, 4), 200, 2, same);
}
