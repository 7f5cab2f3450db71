//! Runs of cycles in which the engines do not affect each other, one engine after the other.

use super::{Issue, MachineOf};
use crate::memory::Environment;
use crate::store::StorePins;
use golden::Psum;
use spec::{Command, Counter, Load, LoadTarget};

/// What [`super::Machine::skip`] ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub cycles: u64,
    /// Cycles after the last one with a transfer or with work of the array; none if there was no such cycle.
    pub quiet_since: Option<u64>,
}

impl Skipped {
    const NONE: Self = Self { cycles: 0, quiet_since: None };
}

/// Fewer cycles are not worth the way there.
const LEAST: u64 = 3;

/// Last code of a group and last cycle with a transfer.
struct Ran {
    codes: [Counter; 2],
    transfer: Option<u64>,
}

impl<T: Psum> MachineOf<T> {
    /// See [`super::Machine::skip`].
    ///
    /// Engines affect each other by tokens, and by commands that move on: out of the command source, into a queue,
    /// out of it. Until the first of these each engine and its channels run on their own, by the same steps.
    pub fn skip(&mut self, environment: &mut Environment, most: u64) -> Skipped {
        let Some(cycles) = self.steady_cycles(environment).filter(|_| environment.is_ideal()) else {
            return Skipped::NONE;
        };
        let cycles = cycles.min(most).min(u32::MAX.into());
        if cycles < LEAST {
            return Skipped::NONE;
        }
        let issues = self.issues();
        let execute_code = self.execute_code(issues.execute, false);
        let [load_code, store_code] = [self.load_free_code(issues.load), self.store_free_code(issues.store)];
        let in_span = self.execute.skip(cycles as u32);
        let load = self.skip_load(environment, cycles, load_code);
        let store = self.skip_store(environment, cycles, store_code);
        environment.advance(cycles);
        self.counters.add(Counter::Cycles, cycles);
        self.counters.add(execute_code, cycles);
        self.counters.add(Counter::ExecuteSpan, in_span);
        self.codes = [execute_code, load.codes[0], load.codes[1], store.codes[0], store.codes[1]];
        let end = environment.cycle() - 1;
        let quiet_since = if matches!(execute_code, Counter::ExecuteStream | Counter::ExecutePreload) {
            Some(0)
        } else {
            load.transfer.max(store.transfer).map(|last| end - last)
        };
        Skipped { cycles, quiet_since }
    }

    /// Cycles that are sure to pass without a command moving, a token pushed or `done`.
    #[inline]
    fn steady_cycles(&self, environment: &Environment) -> Option<u64> {
        let execute = self.execute.steady_cycles();
        if execute < LEAST || self.finished || self.fetch_moves(environment) {
            return None;
        }
        // All could become idle, and that is seen by `done`.
        if self.finish_held() && !self.execute.is_streaming() && !self.execute.is_preloading() {
            return None;
        }
        let issues = self.issues();
        let mut cycles = execute.min(self.load.steady_cycles()).min(self.store.steady_cycles());
        if issues.load == Issue::Yes {
            cycles = cycles.min(self.load.requester.left.into());
        }
        if issues.execute == Issue::Yes && self.execute.decide().can_issue {
            return None;
        }
        if issues.store == Issue::Yes {
            cycles = cycles.min(self.store.busy_cycles());
        }
        Some(cycles)
    }

    /// Whether a command enters or leaves fetch in this cycle, unless it is `finish`.
    fn fetch_moves(&self, environment: &Environment) -> bool {
        match &self.held {
            None => environment.has_command(),
            Some(Command::Load(Load { target: LoadTarget::Table, .. })) if self.buffers.table().is_empty() => true,
            Some(Command::Seed(_)) if !self.store.is_stochastic() => true,
            Some(Command::Load(_)) => self.load_queue.write_ready(),
            Some(Command::Execute(_)) => self.execute_queue.write_ready(),
            Some(Command::Store(_) | Command::Seed(_)) => self.store_queue.write_ready(),
            Some(Command::Finish) => false,
        }
    }

    /// Load and the read channels; `free_code` is what load is at without a request.
    fn skip_load(&mut self, environment: &mut Environment, cycles: u64, free_code: Counter) -> Ran {
        let from = environment.cycle();
        let mut ran = Ran { codes: [free_code, Counter::UnpackIdle], transfer: None };
        // Data follow their request by a cycle at least, so all requests may go first.
        let requests = cycles.min(self.load.requester.left.into());
        for cycle in from..from + requests {
            if let Some(burst) = self.load.read_request() {
                environment.request_read(burst, cycle);
                self.load.requester.advance();
            }
        }
        self.counters.add(Counter::LoadRequest, requests);
        self.counters.add(free_code, cycles - requests);
        if requests > 0 {
            ran.transfer = Some(from + requests - 1);
        }
        if requests == cycles {
            ran.codes[0] = Counter::LoadRequest;
        }
        if !self.load.is_unpacking() {
            self.counters.add(Counter::UnpackIdle, cycles);
            return ran;
        }
        let (mut cycle, to) = (from, from + cycles);
        while cycle < to {
            let n_beats = self.load.whole_beats().filter(|&n_beats| cycle + u64::from(n_beats) <= to);
            if let Some((n_beats, bytes)) = n_beats.and_then(|n| Some((n, environment.whole_beats(cycle, n)?))) {
                self.load.unpack_row(bytes, &mut self.buffers, &mut self.counters);
                environment.advance_read(n_beats);
                self.counters.add(Counter::ReadBeats, n_beats.into());
                self.counters.add(Counter::UnpackBusy, n_beats.into());
                cycle += u64::from(n_beats);
                ran.codes[1] = Counter::UnpackBusy;
                ran.transfer = ran.transfer.max(Some(cycle - 1));
                continue;
            }
            let beat = if self.load.read_data_ready() { environment.read_data(cycle) } else { None };
            let (code, _) = self.load.step(beat.as_ref(), &mut self.buffers, &mut self.counters);
            if beat.is_some() {
                environment.advance_read(1);
                self.counters.add(Counter::ReadBeats, 1);
                ran.transfer = ran.transfer.max(Some(cycle));
            }
            self.counters.add(code, 1);
            ran.codes[1] = code;
            cycle += 1;
        }
        ran
    }

    /// Store and the write channels; `free_code` is what store is at when it is free for a command.
    fn skip_store(&mut self, environment: &mut Environment, cycles: u64, free_code: Counter) -> Ran {
        let mut ran = Ran { codes: [free_code, Counter::PackIdle], transfer: None };
        if self.store.is_at_rest() {
            self.store.rest(cycles);
            self.counters.add(free_code, cycles);
            self.counters.add(Counter::PackIdle, cycles);
            return ran;
        }
        let from = environment.cycle();
        for cycle in from..from + cycles {
            let store_code = self.store.occupation().unwrap_or(free_code);
            let (request, data_ready) = (self.store.write_request(), environment.write_data_ready());
            let beat = if data_ready { self.store.packer.write_data() } else { None };
            let response = environment.has_response(cycle);
            let pins = StorePins { request_taken: request.is_some(), data_ready, response };
            let (pack_code, _) = self.store.step(pins, &self.array, &self.buffers, &mut self.counters);
            if response {
                environment.take_response();
            }
            if let Some(beat) = beat {
                environment.write(&beat, cycle);
                self.counters.add(Counter::WriteBeats, 1);
            }
            if let Some(burst) = request {
                environment.request_write(burst);
            }
            if response || beat.is_some() || request.is_some() {
                ran.transfer = Some(cycle);
            }
            ran.codes = [store_code, pack_code];
            for code in ran.codes {
                self.counters.add(code, 1);
            }
        }
        ran
    }
}
