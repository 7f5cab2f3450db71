//! Closed-form timing of a whole program under ideal memory: one step per command instead of one per cycle.
//!
//! Every unit is a recurrence over its commands (maximum and sum of cycle numbers): when a command is fetched, issued,
//! when its tokens are pushed, when its last beat moves. Ideal means a memory that is always ready, with a fixed latency.

use crate::load::JOB_DEPTH as LOAD_JOB_DEPTH;
use crate::pack_rows::JOB_DEPTH as STORE_JOB_DEPTH;
use crate::store::{pipeline_cycles, FIFO_DEPTH};
use spec::command::TOKEN_LIMIT;
use spec::{Command, Config, Execute, Load, Store, Tokens};
use std::collections::VecDeque;

/// What [`predict`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// Cycles of the whole run, as the `cycles` counter counts them.
    pub cycles: u64,
}

/// Cycles of a program with a memory of `latency` cycles and no stalls. The program is one that `spec::validate` accepts.
pub fn predict(config: &Config, commands: &[Command], latency: u64) -> Prediction {
    let mut timing = Timing::new(config, latency.max(1));
    for command in commands {
        timing.command(command);
    }
    Prediction { cycles: timing.done + 1 }
}

/// The last few times of a sequence of events, by number.
#[derive(Clone, Debug)]
struct History {
    times: VecDeque<u64>,
    first: usize,
    keep: usize,
}

impl History {
    fn new(keep: usize) -> Self {
        Self { times: VecDeque::with_capacity(keep + 1), first: 0, keep }
    }

    fn push(&mut self, time: u64) {
        self.times.push_back(time);
        if self.times.len() > self.keep {
            self.times.pop_front();
            self.first += 1;
        }
    }

    fn count(&self) -> usize {
        self.first + self.times.len()
    }

    /// When there is room for the next event if no more than `depth` may be outstanding: a cycle after the event `depth` before.
    fn room(&self, next: usize, depth: usize) -> u64 {
        match next.checked_sub(depth) {
            Some(index) if index >= self.first => self.times.get(index - self.first).map_or(0, |time| time + 1),
            _ => 0,
        }
    }
}

/// One token counter.
#[derive(Clone, Debug)]
struct TokenTimes {
    /// First cycles in which tokens that are not yet popped are available.
    available: VecDeque<u64>,
    pushed: usize,
    pops: History,
}

impl TokenTimes {
    fn new() -> Self {
        Self { available: VecDeque::new(), pushed: 0, pops: History::new(TOKEN_LIMIT as usize) }
    }

    /// When a push can be reserved.
    fn space(&self) -> u64 {
        self.pops.room(self.pushed, TOKEN_LIMIT as usize)
    }

    fn push(&mut self, cycle: u64) {
        self.pushed += 1;
        self.available.push_back(cycle + 1);
    }
}

/// Indices into the counters: pops from and pushes to the first and second neighbour of load, execute and store.
const POP: [[usize; 2]; 3] = [[2, 4], [0, 5], [1, 3]];
const PUSH: [[usize; 2]; 3] = [[0, 1], [2, 3], [4, 5]];
const LOAD: usize = 0;
const EXECUTE: usize = 1;
const STORE: usize = 2;

/// The state of all recurrences between two commands.
struct Timing {
    latency: u64,
    bus: u64,
    rows: u64,
    drain: u64,
    column_groups: u64,
    group_bits: u64,
    queue_depth: usize,
    /// The cycle in which the last command left fetch.
    fetched: Option<u64>,
    counters: [TokenTimes; 6],
    issues: [History; 3],
    load_requester_free: u64,
    load_jobs: History,
    unpacked: Option<u64>,
    /// The cycle in which the last fold was handed to the stream unit, and its rows.
    started: Option<(u64, u64)>,
    store_free: u64,
    store_jobs: History,
    packed: Option<u64>,
    /// Cycles from the read of a group's last term to the first in which it can be packed.
    group_latency: u64,
    groups_read: History,
    groups_packed: History,
    /// First cycle in which everything so far is complete.
    idle: u64,
    done: u64,
}

impl Timing {
    fn new(config: &Config, latency: u64) -> Self {
        let g = config.geometry();
        let depth = g.queue_depth();
        Self {
            latency,
            bus: g.bus_bits() as u64,
            rows: g.rows() as u64,
            drain: (g.rows() + g.cols() + g.multiplier_stages() + 2) as u64,
            column_groups: g.column_groups() as u64,
            group_bits: (g.requantizer_lanes() * config.numerics().output().bits() as usize) as u64,
            queue_depth: depth,
            fetched: None,
            counters: std::array::from_fn(|_| TokenTimes::new()),
            issues: std::array::from_fn(|_| History::new(depth)),
            load_requester_free: 0,
            load_jobs: History::new(LOAD_JOB_DEPTH),
            unpacked: None,
            started: None,
            store_free: 0,
            store_jobs: History::new(STORE_JOB_DEPTH),
            packed: None,
            group_latency: pipeline_cycles(config.numerics()) + 1,
            groups_read: History::new(1),
            groups_packed: History::new(FIFO_DEPTH as usize),
            idle: 0,
            done: 0,
        }
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Load(load) => self.load(load),
            Command::Execute(execute) => self.execute(execute),
            Command::Store(store) => self.store(store),
            Command::Seed(_) => self.seed(),
            Command::Finish => {
                // Taken a cycle after the last command left, held from the next.
                let held = self.fetched.map_or(1, |cycle| cycle + 2);
                self.done = held.max(self.idle);
            }
        }
    }

    /// The cycle in which the next command of an engine is issued: it is in its queue, its tokens are there, and the engine
    /// is `free`.
    fn issue(&mut self, engine: usize, tokens: Tokens, free: u64) -> u64 {
        let earliest = self.fetched.map_or(1, |cycle| cycle + 2);
        let queue = &self.issues[engine];
        let fetched = earliest.max(queue.room(queue.count(), self.queue_depth));
        self.fetched = Some(fetched);
        let mut cycle = free.max(fetched + 1);
        let pops = [(POP[engine][0], tokens.pop_first), (POP[engine][1], tokens.pop_second)];
        let pushes = [(PUSH[engine][0], tokens.push_first), (PUSH[engine][1], tokens.push_second)];
        for (pair, _) in pops.into_iter().filter(|(_, wanted)| *wanted) {
            let available = self.counters[pair].available.pop_front();
            cycle = cycle.max(available.unwrap_or(0));
        }
        for (pair, _) in pushes.into_iter().filter(|(_, wanted)| *wanted) {
            cycle = cycle.max(self.counters[pair].space());
        }
        for (pair, _) in pops.into_iter().filter(|(_, wanted)| *wanted) {
            self.counters[pair].pops.push(cycle);
        }
        self.issues[engine].push(cycle);
        cycle
    }

    fn load(&mut self, load: &Load) {
        let free = self.load_requester_free.max(self.load_jobs.room(self.load_jobs.count(), LOAD_JOB_DEPTH));
        let issued = self.issue(LOAD, load.tokens, free);
        self.load_requester_free = issued + u64::from(load.requests) + 1;
        let start = (issued + 1).max(self.unpacked.map_or(0, |cycle| cycle + 1));
        self.load_jobs.push(start);
        let first = (start + 1).max(issued + 1 + self.latency);
        let last = first + unpack_cycles(load, self.bus) - 1;
        self.unpacked = Some(last);
        self.idle = self.idle.max(last + 2);
        if load.tokens.push_first {
            self.counters[PUSH[LOAD][0]].push(last + 1);
        }
        if load.tokens.push_second {
            self.counters[PUSH[LOAD][1]].push(last + 1);
        }
    }

    fn execute(&mut self, execute: &Execute) {
        let issued = self.issue(EXECUTE, execute.tokens, self.started.map_or(0, |(cycle, _)| cycle));
        let rows = u64::from(execute.rows);
        let stream_free = self.started.map_or(0, |(cycle, rows)| cycle + rows);
        let start = (issued + self.rows).max(stream_free);
        self.started = Some((start, rows));
        self.idle = self.idle.max(start + rows + self.drain + 1);
        if execute.tokens.push_first {
            self.counters[PUSH[EXECUTE][0]].push(start + if execute.push_late { rows } else { 1 });
        }
        if execute.tokens.push_second {
            self.counters[PUSH[EXECUTE][1]].push(start + rows + self.drain);
        }
    }

    /// Taken like a store that has no tokens, whatever the job queue; the engine is free again in the next cycle.
    fn seed(&mut self) {
        let issued = self.issue(STORE, Tokens::default(), self.store_free);
        self.store_free = issued + 1;
        self.idle = self.idle.max(issued + 1);
    }

    fn store(&mut self, store: &Store) {
        let free = self.store_free.max(self.store_jobs.room(self.store_jobs.count(), STORE_JOB_DEPTH));
        let issued = self.issue(STORE, store.tokens, free);
        let requester_free = issued + u64::from(store.rows) + 1;
        let start = (issued + 1).max(self.packed.map_or(0, |cycle| cycle + 1));
        self.store_jobs.push(start);
        let row_bits = u64::from(store.row_bits);
        let groups = (u64::from(store.tiles) - 1) * self.column_groups + u64::from(store.last_groups);
        let last_group_bits = row_bits - (groups - 1) * self.group_bits;
        let bus_bytes = (self.bus / 8) as u32;
        let (mut read, mut pack) = (issued, start);
        for row in 0..u32::from(store.rows) {
            let at = store.address.wrapping_add(store.stride.wrapping_mul(row));
            let offset = u64::from(8 * (at % bus_bytes));
            for group in 0..groups {
                let bits = if group + 1 == groups { last_group_bits } else { self.group_bits };
                // Credits are looked at by each term, but only the last takes one.
                let first = (read + 1).max(self.groups_packed.room(self.groups_read.count(), FIFO_DEPTH as usize));
                read = first + u64::from(store.terms) - 1;
                self.groups_read.push(read);
                pack = (pack + 1).max(read + self.group_latency) + bits.div_ceil(self.bus) - 1;
                self.groups_packed.push(pack);
            }
            let last_word = (last_group_bits - 1) % self.bus + 1;
            pack += u64::from((offset + row_bits - last_word) % self.bus + last_word > self.bus);
        }
        self.packed = Some(pack);
        let responded = pack + self.latency;
        let mut store_free = requester_free.max(read + 1);
        self.idle = self.idle.max(responded + 1).max(pack + 1);
        if store.tokens.push_second {
            self.counters[PUSH[STORE][1]].push(read);
        }
        if store.tokens.push_first {
            let acknowledged = store_free.max(responded + 1);
            self.counters[PUSH[STORE][0]].push(acknowledged);
            store_free = acknowledged + 1;
        }
        self.store_free = store_free;
        self.idle = self.idle.max(store_free);
    }
}

/// Cycles in which the unpacker works on a load: one a word, and one more for every request whose first word needs two beats.
fn unpack_cycles(load: &Load, bus: u64) -> u64 {
    let row_bits = u64::from(load.row_bits);
    let requests = u64::from(load.requests);
    let words = requests * u64::from(load.rows_per_request) * row_bits.div_ceil(bus);
    let bus_bytes = bus / 8;
    // Offsets repeat after at most bus_bytes requests.
    let crosses = |request: u64| {
        let byte = (u64::from(load.address) + request * u64::from(load.stride)) % bus_bytes;
        u64::from((8 * byte + u64::from(load.start_bit)) % bus + row_bits.min(bus) > bus)
    };
    let period: u64 = (0..bus_bytes.min(requests)).map(crosses).sum();
    let rest: u64 = (0..requests % bus_bytes).map(crosses).sum();
    words + if requests < bus_bytes { period } else { requests / bus_bytes * period + rest }
}
