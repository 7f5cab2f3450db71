//! Where a run's PE-cycles went.

use compiler::{Compiled, Slots};
use serde::{Deserialize, Serialize};
use spec::{Config, Counter, Counters};

/// Why a PE did no useful multiply-accumulate in a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    Rows,
    Cols,
    Form,
    Preload,
    Fill,
    Accumulator,
    Tokens,
    Commands,
    Drain,
}

impl Cause {
    pub const ALL: [Self; 9] = [
        Self::Rows,
        Self::Cols,
        Self::Form,
        Self::Preload,
        Self::Fill,
        Self::Accumulator,
        Self::Tokens,
        Self::Commands,
        Self::Drain,
    ];

    /// The cause in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Rows => "remainder rows (k not a multiple of the mesh's rows)",
            Self::Cols => "remainder columns (n not a multiple of the mesh's columns)",
            Self::Form => "weights that are 0 by form (groups, lane groups), pools, additions",
            Self::Preload => "weight preload that nothing hid",
            Self::Fill => "fill, or operands not loaded (bandwidth, latency)",
            Self::Accumulator => "accumulator not drained (write bandwidth)",
            Self::Tokens => "token counter at its limit",
            Self::Commands => "waiting for commands",
            Self::Drain => "drain: last rows, requantizer, writes",
        }
    }
}

/// All PE-cycles of a run: useful ones and, by cause, lost ones. Every PE-cycle is counted once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeCycles {
    /// Mesh rows x mesh columns x cycles.
    pub total: u64,
    /// Useful multiply-accumulates.
    pub useful: u64,
    /// In the order of [`Cause::ALL`].
    pub lost: [u64; Cause::ALL.len()],
}

impl PeCycles {
    /// Of a program's run, by its counters.
    pub fn of(config: &Config, compiled: &Compiled, counters: &Counters) -> Self {
        let g = config.geometry();
        let pes = (g.rows() * g.cols()) as u64;
        let streamed = |of: fn(&Slots) -> u64| compiled.layers.iter().map(|plan| of(&plan.slots)).sum::<u64>();
        let (unused_rows, unused_cols) = (streamed(|slots| slots.unused_rows), streamed(|slots| slots.unused_cols));
        let useful = compiled.macs();
        let waited = |counter| pes * counters.get(counter);
        let lost = |cause| match cause {
            Cause::Rows => unused_rows,
            Cause::Cols => unused_cols,
            Cause::Form => streamed(|slots| slots.total) - unused_rows - unused_cols - useful,
            Cause::Preload => waited(Counter::ExecutePreload),
            Cause::Fill => waited(Counter::ExecuteWaitLoad),
            Cause::Accumulator => waited(Counter::ExecuteWaitStore),
            Cause::Tokens => waited(Counter::ExecuteWaitSpace),
            Cause::Commands => waited(Counter::ExecuteWaitCommand),
            Cause::Drain => waited(Counter::ExecuteDrain),
        };
        Self { total: waited(Counter::Cycles), useful, lost: Cause::ALL.map(lost) }
    }

    /// The share of all PE-cycles.
    pub fn percent(&self, pe_cycles: u64) -> f64 {
        100.0 * pe_cycles as f64 / self.total as f64
    }
}
