//! The host and the external memory at the machine's pins: command source, memory with latency, seeded stalls.
//!
//! What it drives in a cycle depends on its own state at the start of that cycle only, and a raised valid holds, so the
//! simulator and a Verilator harness can use the same model and see the same traffic.

use crate::pins::{Beat, Burst, Inputs, Outputs, WriteBeat};
use spec::{Command, Config};
use std::collections::VecDeque;
use thiserror::Error;

/// Random back-pressure: each channel is closed in about `percent` of all cycles, as a pure hash of seed, channel, cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalls {
    pub seed: u64,
    /// 0..=95.
    pub percent: u32,
}

impl Stalls {
    /// No back-pressure.
    pub const NONE: Self = Self { seed: 0, percent: 0 };
    /// The greatest percentage: with more, runs take longer than anybody waits.
    pub const MAX_PERCENT: u32 = 95;

    #[inline]
    fn open(self, channel: Channel, cycle: u64) -> bool {
        if self.percent == 0 {
            return true;
        }
        // SplitMix64's finalizer over a combination in which seed, channel and cycle do not cancel.
        let mut z = self
            .seed
            .wrapping_add((channel as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add(cycle.wrapping_mul(0xd1b5_4a32_d192_ed03));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 100 >= u64::from(self.percent)
    }
}

/// The channels that have a gate of their own.
#[derive(Clone, Copy)]
enum Channel {
    Command,
    ReadRequest,
    ReadData,
    WriteRequest,
    WriteData,
    WriteResponse,
    Done,
}

/// What a program did that the memory cannot serve.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MemoryFault {
    #[error("{operation} of {bytes} bytes at {address:#x} is outside the memory of {size} bytes")]
    OutOfBounds { operation: &'static str, address: u64, bytes: usize, size: usize },
    #[error("{operation} burst at {address:#x} must start at a multiple of {multiple} bytes and have beats")]
    Malformed { operation: &'static str, address: u64, multiple: usize },
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    burst: Burst,
    ready_at: u64,
}

/// Command source, memory and the `done` taker.
#[derive(Clone, Debug)]
pub struct Environment {
    commands: Vec<Command>,
    next_command: usize,
    bytes: Vec<u8>,
    bus_bytes: usize,
    latency: u64,
    stalls: Stalls,
    reads: VecDeque<Pending>,
    writes: VecDeque<Burst>,
    responses: VecDeque<u64>,
    held_command: bool,
    held_read: bool,
    cycle: u64,
    done: bool,
    fault: Option<MemoryFault>,
}

impl Environment {
    /// `latency` cycles (at least 1) pass from a read request to its first beat, and from a write request's last beat to its
    /// response.
    pub fn new(config: &Config, commands: Vec<Command>, bytes: Vec<u8>, latency: u64, stalls: Stalls) -> Self {
        Self {
            commands,
            next_command: 0,
            bytes,
            bus_bytes: config.geometry().bus_bytes(),
            latency: latency.max(1),
            stalls,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            responses: VecDeque::new(),
            held_command: false,
            held_read: false,
            cycle: 0,
            done: false,
            fault: None,
        }
    }

    /// Whether `done` was taken.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The first thing that went wrong.
    pub fn fault(&self) -> Option<&MemoryFault> {
        self.fault.as_ref()
    }

    /// Cycles since the start.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    pub fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// The longest stretch without any transfer that a live machine can show while its array is not working.
    pub fn quiet_limit(&self) -> u64 {
        4_000 + 4 * self.latency
    }

    /// Whether every channel is open in every cycle.
    pub(crate) fn is_ideal(&self) -> bool {
        self.stalls.percent == 0
    }

    /// Whether a command is on the command channel.
    pub(crate) fn has_command(&self) -> bool {
        self.next_command < self.commands.len()
    }

    /// The beat on the read data channel in `cycle`, without stalls.
    #[inline]
    pub(crate) fn read_data(&self, cycle: u64) -> Option<Beat> {
        let read = self.reads.front().filter(|read| read.ready_at <= cycle)?;
        Some(self.beat_at(read.burst.address))
    }

    /// The bytes of the next beats on the read data channel from `cycle` on, without stalls, if they are of one
    /// burst.
    #[inline]
    pub(crate) fn whole_beats(&self, cycle: u64, n_beats: u32) -> Option<&[u8]> {
        let read = self.reads.front().filter(|read| read.ready_at <= cycle && read.burst.beats >= n_beats)?;
        let from = read.burst.address as usize;
        self.bytes.get(from..from + n_beats as usize * self.bus_bytes)
    }

    /// Whether a beat of write data is taken.
    #[inline]
    pub(crate) fn write_data_ready(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Whether there is a write response in `cycle`, without stalls.
    #[inline]
    pub(crate) fn has_response(&self, cycle: u64) -> bool {
        self.responses.front().is_some_and(|&at| at <= cycle)
    }

    /// Lets the clock go on by `cycles`, whose transfers the caller has made.
    pub(crate) fn advance(&mut self, cycles: u64) {
        self.cycle += cycles;
    }

    /// What is driven onto the machine's pins in this cycle.
    #[inline]
    pub fn drive(&self) -> Inputs {
        let open = |channel| self.stalls.open(channel, self.cycle);
        let command =
            (self.held_command || open(Channel::Command)).then(|| self.commands.get(self.next_command).copied());
        let read_data = match self.reads.front() {
            Some(_) if self.held_read || open(Channel::ReadData) => self.read_data(self.cycle),
            _ => None,
        };
        Inputs {
            command: command.flatten(),
            read_request_ready: open(Channel::ReadRequest),
            read_data,
            write_request_ready: open(Channel::WriteRequest),
            write_data_ready: self.write_data_ready() && open(Channel::WriteData),
            write_response_valid: self.has_response(self.cycle) && open(Channel::WriteResponse),
            done_ready: open(Channel::Done),
        }
    }

    /// Ends the cycle: takes what the machine drove against `inputs`, which [`Environment::drive`] gave.
    #[inline]
    pub fn step(&mut self, inputs: &Inputs, outputs: &Outputs) {
        if inputs.command.is_some() {
            self.held_command = !outputs.command_ready;
            self.next_command += usize::from(outputs.command_ready);
        }
        if inputs.read_data.is_some() {
            self.held_read = !outputs.read_data_ready;
            if outputs.read_data_ready {
                self.advance_read(1);
            }
        }
        if inputs.write_response_valid {
            // The machine is always ready for a response.
            self.take_response();
        }
        if let Some(write) = outputs.write_data.filter(|_| inputs.write_data_ready) {
            self.write(&write, self.cycle);
        }
        if let Some(burst) = outputs.read_request.filter(|_| inputs.read_request_ready) {
            self.request_read(burst, self.cycle);
        }
        if let Some(burst) = outputs.write_request.filter(|_| inputs.write_request_ready) {
            self.request_write(burst);
        }
        self.done |= outputs.done_valid && inputs.done_ready;
        self.cycle += 1;
    }

    #[inline]
    pub(crate) fn take_response(&mut self) {
        self.responses.pop_front();
    }

    #[inline]
    pub(crate) fn request_read(&mut self, burst: Burst, cycle: u64) {
        self.check("read", burst);
        self.reads.push_back(Pending { burst, ready_at: cycle + self.latency });
    }

    #[inline]
    pub(crate) fn request_write(&mut self, burst: Burst) {
        self.check("write", burst);
        self.writes.push_back(burst);
    }

    /// Takes that many beats of one burst of read data.
    #[inline]
    pub(crate) fn advance_read(&mut self, n_beats: u32) {
        if let Some(read) = self.reads.front_mut() {
            read.burst.beats = read.burst.beats.saturating_sub(n_beats);
            read.burst.address = read.burst.address.wrapping_add(n_beats * self.bus_bytes as u32);
            if read.burst.beats == 0 {
                self.reads.pop_front();
            }
        }
    }

    fn check(&mut self, operation: &'static str, burst: Burst) {
        let address = u64::from(burst.address);
        let fault = if burst.beats == 0 || address % self.bus_bytes as u64 != 0 {
            MemoryFault::Malformed { operation, address, multiple: self.bus_bytes }
        } else if address + u64::from(burst.beats) * self.bus_bytes as u64 > self.bytes.len() as u64 {
            let bytes = burst.beats as usize * self.bus_bytes;
            MemoryFault::OutOfBounds { operation, address, bytes, size: self.bytes.len() }
        } else {
            return;
        };
        self.fault.get_or_insert(fault);
    }

    /// The beat at a byte address; bytes outside the memory (a fault was noted) read as 0.
    fn beat_at(&self, address: u32) -> Beat {
        let from = address as usize;
        let mut beat = Beat::default();
        if let Some(bytes) = self.bytes.get(from..from + self.bus_bytes) {
            let (eights, rest) = bytes.as_chunks::<8>();
            for (word, eight) in beat.iter_mut().zip(eights) {
                *word = u64::from_le_bytes(*eight);
            }
            // A bus of 32 bits.
            if let Ok(four) = rest.try_into() {
                beat[0] = u32::from_le_bytes(four).into();
            }
        }
        beat
    }

    /// Takes a beat of write data in `cycle`.
    pub(crate) fn write(&mut self, beat: &WriteBeat, cycle: u64) {
        let WriteBeat { data, strobe } = beat;
        let Some(burst) = self.writes.front_mut() else { return };
        let from = burst.address as usize;
        if let Some(bytes) = self.bytes.get_mut(from..from + self.bus_bytes) {
            for (i, byte) in bytes.iter_mut().enumerate().filter(|(i, _)| strobe >> i & 1 == 1) {
                *byte = (data[i / 8] >> (8 * (i % 8))) as u8;
            }
        }
        burst.beats = burst.beats.saturating_sub(1);
        burst.address = burst.address.wrapping_add(self.bus_bytes as u32);
        if burst.beats == 0 {
            self.writes.pop_front();
            self.responses.push_back(cycle + self.latency);
        }
    }
}
