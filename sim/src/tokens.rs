//! The six dependency-token counters between load, execute and store.

use spec::command::TOKEN_LIMIT;
use spec::Tokens;

/// A counter, named producer to consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Pair {
    LoadExecute,
    LoadStore,
    ExecuteLoad,
    ExecuteStore,
    StoreLoad,
    StoreExecute,
}

/// The counters around one engine: pops from and pushes to its first and second neighbour.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    pub pop: [Pair; 2],
    pub push: [Pair; 2],
}

/// Neighbours of load: execute, store.
pub const LOAD: Neighbours =
    Neighbours { pop: [Pair::ExecuteLoad, Pair::StoreLoad], push: [Pair::LoadExecute, Pair::LoadStore] };
/// Neighbours of execute: load, store.
pub const EXECUTE: Neighbours =
    Neighbours { pop: [Pair::LoadExecute, Pair::StoreExecute], push: [Pair::ExecuteLoad, Pair::ExecuteStore] };
/// Neighbours of store: load, execute.
pub const STORE: Neighbours =
    Neighbours { pop: [Pair::LoadStore, Pair::ExecuteStore], push: [Pair::StoreLoad, Pair::StoreExecute] };

/// Whether a command may be issued, and if not what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    WaitFirst,
    WaitSecond,
    WaitSpace,
}

/// All six counters. A push is reserved when its command is issued, so that it never has to wait.
#[derive(Clone, Debug, Default)]
pub struct TokenCounters {
    available: [u32; 6],
    reserved: [u32; 6],
}

impl TokenCounters {
    /// Whether a command with `flags` may be issued; pops are looked at before pushes.
    #[inline]
    pub fn gate(&self, around: &Neighbours, flags: Tokens) -> Gate {
        if flags.pop_first && self.available[around.pop[0] as usize] == 0 {
            Gate::WaitFirst
        } else if flags.pop_second && self.available[around.pop[1] as usize] == 0 {
            Gate::WaitSecond
        } else if (flags.push_first && self.reserved[around.push[0] as usize] >= TOKEN_LIMIT)
            || (flags.push_second && self.reserved[around.push[1] as usize] >= TOKEN_LIMIT)
        {
            Gate::WaitSpace
        } else {
            Gate::Open
        }
    }

    /// Pops and reserves for a command that is issued.
    pub fn issue(&mut self, around: &Neighbours, flags: Tokens) {
        for (pair, wanted) in [(around.pop[0], flags.pop_first), (around.pop[1], flags.pop_second)] {
            if wanted {
                self.available[pair as usize] -= 1;
                self.reserved[pair as usize] -= 1;
            }
        }
        for (pair, wanted) in [(around.push[0], flags.push_first), (around.push[1], flags.push_second)] {
            if wanted {
                self.reserved[pair as usize] += 1;
            }
        }
    }

    /// Makes a reserved token available.
    #[inline]
    pub fn push(&mut self, pair: Pair) {
        self.available[pair as usize] += 1;
    }
}
