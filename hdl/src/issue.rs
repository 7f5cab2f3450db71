//! When an engine takes its next command, and what it waits for otherwise.

use crate::prelude::*;

/// The decision of one cycle. Combinational.
///
/// While `ready_in` is high exactly one of `take_out`, `wait_command_out`, `wait_first_out`, `wait_second_out` and
/// `wait_space_out` is high; the causes are tried in that order: no command, a token of the first neighbour, one of
/// the second, a
/// push at its limit or no room for the job. While `ready_in` is low all are low.
#[derive(LogicBlock)]
pub struct Issue {
    pub ready_in: WireIn,
    pub command_valid_in: WireIn,
    pub pop_first_in: WireIn,
    pub pop_second_in: WireIn,
    pub push_first_in: WireIn,
    pub push_second_in: WireIn,
    pub first_available_in: WireIn,
    pub second_available_in: WireIn,
    pub first_space_in: WireIn,
    pub second_space_in: WireIn,
    pub job_space_in: WireIn,
    pub take_out: WireOut,
    pub wait_command_out: WireOut,
    pub wait_first_out: WireOut,
    pub wait_second_out: WireOut,
    pub wait_space_out: WireOut,
    pub pop_first_out: WireOut,
    pub pop_second_out: WireOut,
    pub reserve_first_out: WireOut,
    pub reserve_second_out: WireOut,
    lacks_first: WireLocal,
    lacks_second: WireLocal,
    lacks_space: WireLocal,
    asks: WireLocal,
    asks_second: WireLocal,
    asks_space: WireLocal,
    take: WireLocal,
}

impl Issue {
    #[allow(clippy::new_without_default)] // a block is built, not defaulted
    pub fn new() -> Issue {
        Issue {
            ready_in: WireIn::new(1),
            command_valid_in: WireIn::new(1),
            pop_first_in: WireIn::new(1),
            pop_second_in: WireIn::new(1),
            push_first_in: WireIn::new(1),
            push_second_in: WireIn::new(1),
            first_available_in: WireIn::new(1),
            second_available_in: WireIn::new(1),
            first_space_in: WireIn::new(1),
            second_space_in: WireIn::new(1),
            job_space_in: WireIn::new(1),
            take_out: WireOut::new(1),
            wait_command_out: WireOut::new(1),
            wait_first_out: WireOut::new(1),
            wait_second_out: WireOut::new(1),
            wait_space_out: WireOut::new(1),
            pop_first_out: WireOut::new(1),
            pop_second_out: WireOut::new(1),
            reserve_first_out: WireOut::new(1),
            reserve_second_out: WireOut::new(1),
            lacks_first: WireLocal::new(1),
            lacks_second: WireLocal::new(1),
            lacks_space: WireLocal::new(1),
            asks: WireLocal::new(1),
            asks_second: WireLocal::new(1),
            asks_space: WireLocal::new(1),
            take: WireLocal::new(1),
        }
    }
}

impl Logic for Issue {
    module!("issue", "When an engine takes its next command, and what it waits for otherwise.");

    #[hdl_gen]
    fn update(&mut self) {
        self.lacks_first.next = self.pop_first_in.val() & !self.first_available_in.val();
        self.lacks_second.next = self.pop_second_in.val() & !self.second_available_in.val();
        self.lacks_space.next = (self.push_first_in.val() & !self.first_space_in.val())
            | (self.push_second_in.val() & !self.second_space_in.val())
            | !self.job_space_in.val();

        self.asks.next = self.ready_in.val() & self.command_valid_in.val();
        self.asks_second.next = self.asks.val() & !self.lacks_first.val();
        self.asks_space.next = self.asks_second.val() & !self.lacks_second.val();
        self.take.next = self.asks_space.val() & !self.lacks_space.val();

        self.wait_command_out.next = self.ready_in.val() & !self.command_valid_in.val();
        self.wait_first_out.next = self.asks.val() & self.lacks_first.val();
        self.wait_second_out.next = self.asks_second.val() & self.lacks_second.val();
        self.wait_space_out.next = self.asks_space.val() & self.lacks_space.val();
        self.take_out.next = self.take.val();

        self.pop_first_out.next = self.take.val() & self.pop_first_in.val();
        self.pop_second_out.next = self.take.val() & self.pop_second_in.val();
        self.reserve_first_out.next = self.take.val() & self.push_first_in.val();
        self.reserve_second_out.next = self.take.val() & self.push_second_in.val();
    }
}

ports!(
    Issue,
    in ready_in, command_valid_in, pop_first_in, pop_second_in, push_first_in, push_second_in, first_available_in,
    second_available_in, first_space_in, second_space_in, job_space_in;
    out take_out, wait_command_out, wait_first_out, wait_second_out, wait_space_out, pop_first_out, pop_second_out,
    reserve_first_out, reserve_second_out
);
