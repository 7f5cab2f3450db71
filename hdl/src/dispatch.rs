//! From the head of a command queue to requests.

use crate::issue::Issue;
use crate::load_fields::LoadFields;
use crate::prelude::*;
use crate::requester::Requester;
use crate::widths::{ADDRESS_BITS, COMMAND_BITS, COUNT_BITS, START_BIT_BITS};

/// Takes the commands of load or store and offers their requests.
///
/// A command is taken when `ready_in` and `job_space_in` are high, the last command's requests are all taken and the
/// tokens allow it. See [`Issue`] for the waiting causes, [`Requester`] for the requests.
///
/// Load and store commands have tokens, number, address, stride and length of their requests at the same places.
#[derive(LogicBlock)]
pub struct Dispatch {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub ready_in: WireIn,
    pub command_valid_in: WireIn,
    pub command_in: WireIn,
    pub start_bit_in: WireIn,
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
    pub request_valid_out: WireOut,
    pub request_ready_in: WireIn,
    pub request_taken_out: WireOut,
    pub request_address_out: WireOut,
    pub request_beats_out: WireOut,
    fields: LoadFields,
    issue: Issue,
    requester: Requester,
}

impl Dispatch {
    pub fn new(bus_bits: usize) -> Dispatch {
        Dispatch {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            ready_in: WireIn::new(1),
            command_valid_in: WireIn::new(1),
            command_in: WireIn::new(COMMAND_BITS),
            start_bit_in: WireIn::new(START_BIT_BITS),
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
            request_valid_out: WireOut::new(1),
            request_ready_in: WireIn::new(1),
            request_taken_out: WireOut::new(1),
            request_address_out: WireOut::new(ADDRESS_BITS),
            request_beats_out: WireOut::new(COUNT_BITS),
            fields: LoadFields::new(bus_bits),
            issue: Issue::new(),
            requester: Requester::new(bus_bits),
        }
    }
}

impl Logic for Dispatch {
    module!("dispatch", "Takes the commands of load or store and offers their requests.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, requester);
        self.requester.reset.next = self.reset.val();
        self.fields.command_in.next = self.command_in.val();

        self.issue.ready_in.next = self.ready_in.val() & !self.requester.active_out.val();
        self.issue.command_valid_in.next = self.command_valid_in.val();
        self.issue.pop_first_in.next = self.fields.pop_first_out.val();
        self.issue.pop_second_in.next = self.fields.pop_second_out.val();
        self.issue.push_first_in.next = self.fields.push_first_out.val();
        self.issue.push_second_in.next = self.fields.push_second_out.val();
        self.issue.first_available_in.next = self.first_available_in.val();
        self.issue.second_available_in.next = self.second_available_in.val();
        self.issue.first_space_in.next = self.first_space_in.val();
        self.issue.second_space_in.next = self.second_space_in.val();
        self.issue.job_space_in.next = self.job_space_in.val();
        self.take_out.next = self.issue.take_out.val();
        self.wait_command_out.next = self.issue.wait_command_out.val();
        self.wait_first_out.next = self.issue.wait_first_out.val();
        self.wait_second_out.next = self.issue.wait_second_out.val();
        self.wait_space_out.next = self.issue.wait_space_out.val();
        self.pop_first_out.next = self.issue.pop_first_out.val();
        self.pop_second_out.next = self.issue.pop_second_out.val();
        self.reserve_first_out.next = self.issue.reserve_first_out.val();
        self.reserve_second_out.next = self.issue.reserve_second_out.val();

        self.requester.start_in.next = self.issue.take_out.val();
        self.requester.requests_in.next = self.fields.requests_out.val();
        self.requester.address_in.next = self.fields.address_out.val();
        self.requester.stride_in.next = self.fields.stride_out.val();
        self.requester.length_in.next = self.fields.request_bits_out.val();
        self.requester.start_bit_in.next = self.start_bit_in.val();
        self.requester.request_ready_in.next = self.request_ready_in.val();
        self.request_valid_out.next = self.requester.active_out.val();
        self.request_taken_out.next = self.requester.taken_out.val();
        self.request_address_out.next = self.requester.request_address_out.val();
        self.request_beats_out.next = self.requester.request_beats_out.val();
    }
}

ports!(
    Dispatch, clock,
    in reset, ready_in, command_valid_in, command_in, start_bit_in, first_available_in, second_available_in,
    first_space_in, second_space_in, job_space_in, request_ready_in;
    out take_out, wait_command_out, wait_first_out, wait_second_out, wait_space_out, pop_first_out, pop_second_out,
    reserve_first_out, reserve_second_out, request_valid_out, request_taken_out, request_address_out, request_beats_out
);
