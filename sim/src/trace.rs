//! What every engine is at in each cycle of a run: a VCD for waveform viewers, a timeline for trace viewers.

use crate::machine::Machine;
use crate::memory::Environment;
use std::io;
use vcd::{IdCode, TimescaleUnit, VarType, Writer};

mod timeline;

pub use timeline::Timeline;

/// A VCD. Writes one time step a cycle: the counter that counts in each group as its index, and the rows streamed so
/// far.
pub struct Trace<W: io::Write> {
    writer: Writer<W>,
    codes: [IdCode; 5],
    counts: Vec<(spec::Counter, IdCode)>,
    last_codes: [Option<spec::Counter>; 5],
    last_counts: Vec<Option<u64>>,
}

/// The groups of [`spec::Counter::GROUPS`] as signals.
const GROUPS: [&str; 5] = ["execute", "load", "unpack", "store", "pack"];
/// Counters worth seeing grow.
const COUNTS: [spec::Counter; 4] =
    [spec::Counter::ExecuteStream, spec::Counter::ReadBeats, spec::Counter::WriteBeats, spec::Counter::Commands];

impl<W: io::Write> Trace<W> {
    pub fn new(to: W) -> io::Result<Self> {
        let mut writer = Writer::new(to);
        writer.comment("codes are status codes: see the counter table of docs/machine.md")?;
        writer.timescale(1, TimescaleUnit::NS)?;
        writer.add_module("systole")?;
        let mut codes = Vec::new();
        for name in GROUPS {
            codes.push(writer.add_var(VarType::String, 1, name, None)?);
        }
        let mut counts = Vec::new();
        for counter in COUNTS {
            counts.push((counter, writer.add_wire(spec::counter::COUNTER_BITS, counter.name())?));
        }
        writer.upscope()?;
        writer.enddefinitions()?;
        let codes = [codes[0], codes[1], codes[2], codes[3], codes[4]];
        Ok(Self { writer, codes, counts, last_codes: [None; 5], last_counts: vec![None; COUNTS.len()] })
    }

    /// Adds the cycle that has just ended.
    pub fn cycle(&mut self, machine: &Machine, environment: &Environment) -> io::Result<()> {
        self.writer.timestamp(environment.cycle() - 1)?;
        for ((&id, last), code) in self.codes.iter().zip(&mut self.last_codes).zip(machine.codes()) {
            if *last != Some(code) {
                self.writer.change_string(id, code.name())?;
                *last = Some(code);
            }
        }
        for ((counter, id), last) in self.counts.iter().zip(&mut self.last_counts) {
            let value = machine.counters().get(*counter);
            if *last != Some(value) {
                let bits = (0..spec::counter::COUNTER_BITS).rev().map(|bit| (value >> bit & 1 == 1).into());
                self.writer.change_vector(*id, bits)?;
                *last = Some(value);
            }
        }
        Ok(())
    }
}
