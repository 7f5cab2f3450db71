//! The whole machine in RustHDL's simulator, with a memory behind its ports.

use hdl::bits::Bits;
use hdl::simulate::{Ports, Stepper};
use hdl::Top;
use spec::{Command, Config};
use std::collections::VecDeque;

/// External memory behind the ports: requests are answered in order, a beat a cycle.
pub struct Memory {
    pub bytes: Vec<u8>,
    bus_bytes: usize,
    /// Beats to be read, by byte address.
    reads: VecDeque<usize>,
    /// Beats to be written, by byte address; true ends a request.
    writes: VecDeque<(usize, bool)>,
    responses: usize,
}

pub struct Machine {
    top: Stepper<Top>,
    pub memory: Memory,
}

impl Machine {
    pub fn new(config: &Config, bytes: Vec<u8>) -> Machine {
        let memory = Memory {
            bytes,
            bus_bytes: config.geometry().bus_bytes(),
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            responses: 0,
        };
        Machine { top: Stepper::new(Top::new(config)).expect("the machine is accepted"), memory }
    }

    /// Drives the memory's side for a cycle; true if the command was taken, true if `done` was.
    pub fn cycle(&mut self, command: Option<&Command>) -> (bool, bool) {
        let memory = &mut self.memory;
        let bus_bits = 8 * memory.bus_bytes;
        let top = self.top.block_mut();
        top.command_valid_in.next = command.is_some().into();
        let words = command.map_or([0; 8], Command::encode);
        let words = words.chunks(2).map(|pair| u64::from(pair[1]) << 32 | u64::from(pair[0])).collect();
        top.command_data_in.next = Bits::from_words(words, spec::command::COMMAND_BITS);
        top.read_request_ready_in.next = memory.reads.is_empty().into();
        top.read_data_valid_in.next = (!memory.reads.is_empty()).into();
        let mut beat = Bits::zero(bus_bits);
        if let Some(&address) = memory.reads.front() {
            for i in 0..memory.bus_bytes {
                beat.set_slice(8 * i, &Bits::new(memory.bytes[address + i].into(), 8));
            }
        }
        top.read_data_in.next = beat;
        top.write_request_ready_in.next = memory.writes.is_empty().into();
        top.write_data_ready_in.next = (!memory.writes.is_empty()).into();
        top.write_response_valid_in.next = (memory.responses > 0).into();
        top.done_ready_in.next = true.into();
        self.top.settle().expect("the machine settles");

        let top = self.top.block();
        let high = |name: &str| {
            let port = top.outputs().into_iter().find(|(port, _)| *port == name);
            port.expect("an output").1.val().any()
        };
        let took = high("command_ready_out") && command.is_some();
        let done = high("done_valid_out");
        memory.responses = 0;
        if high("read_data_ready_out") {
            memory.reads.pop_front();
        }
        if high("read_request_valid_out") && memory.reads.is_empty() {
            // Ready was high only if nothing was left before this cycle.
            if !top.read_data_valid_in.val().any() {
                let address = top.read_request_address_out.val().index();
                let beats = top.read_request_beats_out.val().index();
                memory.reads.extend((0..beats).map(|i| address + i * memory.bus_bytes));
            }
        }
        let could_write = !memory.writes.is_empty();
        if could_write && high("write_data_valid_out") {
            let (address, is_last) = memory.writes.pop_front().expect("a beat");
            let (data, strobe) = (top.write_data_out.val(), top.write_data_strobe_out.val());
            for i in (0..memory.bus_bytes).filter(|&i| strobe.slice(i, 1).any()) {
                memory.bytes[address + i] = data.slice(8 * i, 8).low_u128() as u8;
                // 8 bits
            }
            memory.responses = usize::from(is_last);
        }
        if !could_write && high("write_request_valid_out") {
            let address = top.write_request_address_out.val().index();
            let beats = top.write_request_beats_out.val().index();
            memory.writes.extend((0..beats).map(|i| (address + i * memory.bus_bytes, i + 1 == beats)));
        }
        self.top.edge().expect("the machine settles");
        (took, done)
    }

    /// Runs a program to its `done` and returns the number of cycles.
    pub fn run(&mut self, program: &[Command]) -> u64 {
        let mut next = 0;
        for cycle in 1..100_000 {
            let (took, done) = self.cycle(program.get(next));
            next += usize::from(took);
            if done {
                assert_eq!(next, program.len(), "done before the last command");
                return cycle;
            }
        }
        panic!("no done; {next} of {} commands were taken", program.len());
    }

    /// Runs a program for some cycles, then resets the machine and the memory's channels.
    pub fn run_and_reset(&mut self, program: &[Command], n_cycles: usize) {
        let mut next = 0;
        for _ in 0..n_cycles {
            next += usize::from(self.cycle(program.get(next)).0);
        }
        self.top.block_mut().reset.next = true.into();
        self.cycle(None);
        self.top.block_mut().reset.next = false.into();
        self.memory.reads.clear();
        self.memory.writes.clear();
        self.memory.responses = 0;
    }

    pub fn status(&mut self, address: u8) -> u64 {
        self.top.block_mut().status_address_in.next = usize::from(address).into();
        self.top.settle().expect("the machine settles");
        u64::try_from(self.top.block().status_data_out.val().low_u128()).expect("64 bits")
    }
}
