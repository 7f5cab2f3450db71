//! A timeline of a run: Chrome trace events (JSON), which Perfetto and Chrome's tracing page open.

use super::GROUPS;
use crate::machine::Machine;
use spec::Counter;
use std::io::{self, Write};

/// The track that [`Timeline::layer`] writes to; the engines' tracks follow it.
const LAYERS: usize = 0;

/// Writes a track for each engine, whose slices are runs of cycles with the same code, and a track `layers`.
///
/// A slice has the name of the counter that counts in its cycles, so a stall is seen by its cause. Timestamps are in
/// microseconds, and a microsecond stands for a cycle. Events are written as they end; only the open slice of each
/// engine is kept.
///
/// ```
/// let mut timeline = sim::trace::Timeline::new(Vec::new())?;
/// timeline.layer("conv1", 0, 99)?;
/// let json = timeline.finish()?;
/// assert!(String::from_utf8_lossy(&json).contains(r#""name":"conv1","ts":0,"dur":100"#));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Timeline<W> {
    out: W,
    cycle: u64,
    /// Code and first cycle of each engine's open slice.
    open: [Option<(Counter, u64)>; 5],
}

impl<W: Write> Timeline<W> {
    /// Starts the file; the next cycle is cycle 0.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(br#"{"otherData":{"time":"1 us = 1 cycle"},"displayTimeUnit":"ns","traceEvents":["#)?;
        for (track, name) in std::iter::once("layers").chain(GROUPS).enumerate() {
            let separator = if track == 0 { "" } else { "," };
            write!(
                out,
                "{separator}\n{{\"ph\":\"M\",\"pid\":0,\"tid\":{track},\"name\":\"thread_name\",\"args\":{{\"name\":\"{name}\"}}}},\
                 \n{{\"ph\":\"M\",\"pid\":0,\"tid\":{track},\"name\":\"thread_sort_index\",\"args\":{{\"sort_index\":{track}}}}}"
            )?;
        }
        Ok(Self { out, cycle: 0, open: [None; 5] })
    }

    /// Adds the cycle that has just ended.
    pub fn cycle(&mut self, machine: &Machine) -> io::Result<()> {
        for (group, code) in machine.codes().into_iter().enumerate() {
            if self.open[group].is_some_and(|(open, _)| open == code) {
                continue;
            }
            self.close(group)?;
            self.open[group] = Some((code, self.cycle));
        }
        self.cycle += 1;
        Ok(())
    }

    /// Adds a slice of the track `layers`, from its first to its last cycle.
    pub fn layer(&mut self, name: &str, from: u64, to: u64) -> io::Result<()> {
        self.slice(LAYERS, name, from, to + 1)
    }

    /// Ends the open slices and the file.
    pub fn finish(mut self) -> io::Result<W> {
        for group in 0..self.open.len() {
            self.close(group)?;
        }
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn close(&mut self, group: usize) -> io::Result<()> {
        match self.open[group].take() {
            Some((code, from)) => self.slice(LAYERS + 1 + group, code.name(), from, self.cycle),
            None => Ok(()),
        }
    }

    fn slice(&mut self, track: usize, name: &str, from: u64, to: u64) -> io::Result<()> {
        write!(self.out, ",\n{{\"ph\":\"X\",\"pid\":0,\"tid\":{track},\"name\":\"")?;
        for letter in name.chars() {
            match letter {
                '"' | '\\' => write!(self.out, "\\{letter}")?,
                '\0'..='\x1f' => write!(self.out, "\\u{:04x}", u32::from(letter))?,
                _ => write!(self.out, "{letter}")?,
            }
        }
        write!(self.out, "\",\"ts\":{from},\"dur\":{}}}", to - from)
    }
}
