//! The machine: owner of all state; [`Machine::step`] is one clock edge.

use crate::array::Array;
use crate::buffers::Buffers;
use crate::execute::ExecuteEngine;
use crate::load::LoadEngine;
use crate::memory::Environment;
use crate::pins::{Inputs, Outputs};
use crate::queue::Queue;
use crate::store::{StoreCommand, StoreEngine, StorePins};
use crate::tokens::{Gate, Pair, TokenCounters, EXECUTE, LOAD, STORE};
use golden::Psum;
use spec::{Command, Config, Counter, Counters, Execute, Load, LoadTarget};

mod skip;

pub use skip::Skipped;

/// A machine whose psums fit 32-bit words, or one that needs 64-bit words. The values are the same in both.
#[derive(Clone, Debug)]
pub enum Machine {
    Narrow(Box<MachineOf<i32>>),
    Wide(Box<MachineOf<i64>>),
}

/// See [`Machine`].
#[derive(Clone, Debug)]
pub struct MachineOf<T> {
    held: Option<Command>,
    finished: bool,
    load_queue: Queue<Load>,
    execute_queue: Queue<Execute>,
    store_queue: Queue<StoreCommand>,
    tokens: TokenCounters,
    load: LoadEngine,
    execute: ExecuteEngine,
    store: StoreEngine,
    buffers: Buffers,
    array: Array<T>,
    counters: Counters,
    codes: [Counter; 5],
    folds: u64,
}

macro_rules! both {
    ($self:expr, $machine:ident => $body:expr) => {
        match $self {
            Machine::Narrow($machine) => $body,
            Machine::Wide($machine) => $body,
        }
    };
}

impl Machine {
    /// The machine after reset.
    pub fn new(config: &Config) -> Self {
        if config.numerics().accumulator_bits() <= i32::BITS {
            Self::Narrow(Box::new(MachineOf::new(config)))
        } else {
            Self::Wide(Box::new(MachineOf::new(config)))
        }
    }

    /// What the machine drives in this cycle.
    pub fn outputs(&self) -> Outputs {
        both!(self, machine => machine.outputs())
    }

    /// One clock edge. `outputs` is what [`Machine::outputs`] gave in this cycle.
    pub fn step(&mut self, inputs: &Inputs, outputs: &Outputs) {
        both!(self, machine => machine.step(inputs, outputs))
    }

    /// Runs the next cycles in which no command moves and no token is pushed, `most` of them at most, engine after
    /// engine instead of cycle after cycle. Machine and environment end as after as many steps. Only without stalls;
    /// the first cycle after a skip is to be stepped.
    pub fn skip(&mut self, environment: &mut Environment, most: u64) -> Skipped {
        both!(self, machine => machine.skip(environment, most))
    }

    pub fn counters(&self) -> &Counters {
        both!(self, machine => &machine.counters)
    }

    /// Execute commands issued since the machine was made.
    pub fn folds(&self) -> u64 {
        both!(self, machine => machine.folds)
    }

    /// What each group (execute, load, unpack, store, pack) was at in the last cycle.
    pub fn codes(&self) -> [Counter; 5] {
        both!(self, machine => machine.codes)
    }
}

/// Whether a command at a queue's front is issued, or what it waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Issue {
    Empty,
    Wait(Gate),
    Yes,
}

/// What each engine's next command waits for.
struct Issues {
    load: Issue,
    execute: Issue,
    store: Issue,
}

impl Issue {
    fn of(gate: Option<Gate>, has_room: bool) -> Self {
        match gate {
            None => Self::Empty,
            Some(Gate::Open) if has_room => Self::Yes,
            Some(Gate::Open) => Self::Wait(Gate::WaitSpace),
            Some(wait) => Self::Wait(wait),
        }
    }
}

impl<T: Psum> MachineOf<T> {
    pub fn new(config: &Config) -> Self {
        let depth = config.geometry().queue_depth();
        Self {
            held: None,
            finished: false,
            load_queue: Queue::new(depth),
            execute_queue: Queue::new(depth),
            store_queue: Queue::new(depth),
            tokens: TokenCounters::default(),
            load: LoadEngine::new(config),
            execute: ExecuteEngine::new(config),
            store: StoreEngine::new(config),
            buffers: Buffers::new(config),
            array: Array::new(config),
            counters: Counters::ZERO,
            codes: [Counter::Cycles; 5],
            folds: 0,
        }
    }

    fn finish_held(&self) -> bool {
        matches!(self.held, Some(Command::Finish))
    }

    fn all_idle(&self) -> bool {
        self.load_queue.is_empty()
            && self.execute_queue.is_empty()
            && self.store_queue.is_empty()
            && self.load.is_idle()
            && self.execute.is_idle()
            && self.store.is_idle()
    }

    #[inline]
    pub fn outputs(&self) -> Outputs {
        Outputs {
            command_ready: self.held.is_none(),
            read_request: self.load.read_request(),
            read_data_ready: self.load.read_data_ready(),
            write_request: self.store.write_request(),
            write_data: self.store.packer.write_data(),
            done_valid: self.finish_held() && self.all_idle(),
        }
    }

    #[inline]
    pub fn step(&mut self, inputs: &Inputs, outputs: &Outputs) {
        let decision = self.execute.decide();
        let issues = self.issues();
        let load_issued = (issues.load == Issue::Yes && !self.load.requester.is_active())
            .then(|| self.load_queue.front().copied())
            .flatten();
        let execute_issued =
            (issues.execute == Issue::Yes && decision.can_issue).then(|| self.execute_queue.front().copied()).flatten();
        let store_issued =
            (issues.store == Issue::Yes && self.store.can_issue()).then(|| self.store_queue.front().copied()).flatten();

        let execute_code = self.execute_code(issues.execute, execute_issued.is_some());
        let load_code = self.load_code(issues.load, inputs.read_request_ready);
        let store_code = self.store_code(issues.store);
        let in_span = self.execute.in_span();
        // After `done` the counters stand still until the next command.
        let frozen = self.finished.then_some(self.counters);

        self.step_fetch(inputs, outputs);

        let execute_pushes = self.execute.step(decision, execute_issued, &self.buffers, &mut self.array);
        let beat = inputs.read_data.as_ref().filter(|_| outputs.read_data_ready);
        let (unpack_code, load_pushes) = self.load.step(beat, &mut self.buffers, &mut self.counters);
        if outputs.read_request.is_some() && inputs.read_request_ready {
            self.load.requester.advance();
        }
        let pins = StorePins {
            request_taken: outputs.write_request.is_some() && inputs.write_request_ready,
            data_ready: inputs.write_data_ready,
            response: inputs.write_response_valid,
        };
        let (pack_code, store_pushes) = self.store.step(pins, &self.array, &self.buffers, &mut self.counters);

        if let Some(load) = load_issued {
            self.tokens.issue(&LOAD, load.tokens);
            self.load_queue.pop();
            self.load.issue(load);
        }
        if let Some(execute) = execute_issued {
            self.tokens.issue(&EXECUTE, execute.tokens);
            self.execute_queue.pop();
            self.folds += 1;
        }
        if let Some(store) = store_issued {
            self.tokens.issue(&STORE, store.tokens());
            self.store_queue.pop();
            self.store.issue(store);
        }
        for (pair, pushed) in [
            (Pair::LoadExecute, load_pushes.execute),
            (Pair::LoadStore, load_pushes.store),
            (Pair::ExecuteLoad, execute_pushes.load),
            (Pair::ExecuteStore, execute_pushes.store),
            (Pair::StoreLoad, store_pushes.load),
            (Pair::StoreExecute, store_pushes.execute),
        ] {
            if pushed {
                self.tokens.push(pair);
            }
        }

        self.codes = [execute_code, load_code, unpack_code, store_code, pack_code];
        let command_taken = inputs.command.is_some() && outputs.command_ready;
        self.counters.add(Counter::Cycles, 1);
        for code in self.codes {
            self.counters.add(code, 1);
        }
        self.counters.add(Counter::ExecuteSpan, in_span.into());
        self.counters.add(Counter::ReadBeats, beat.is_some().into());
        self.counters.add(Counter::WriteBeats, (outputs.write_data.is_some() && inputs.write_data_ready).into());
        self.counters.add(Counter::Commands, command_taken.into());
        if let Some(frozen) = frozen {
            self.counters = if command_taken { Counters::ZERO } else { frozen };
        }
    }

    /// What the commands at the queues' fronts wait for.
    #[inline]
    fn issues(&self) -> Issues {
        let (load, execute, store) = (self.load_queue.front(), self.execute_queue.front(), self.store_queue.front());
        let store_room = self.store.packer.jobs.write_ready() || store.is_some_and(|c| !c.is_job());
        Issues {
            load: Issue::of(load.map(|c| self.tokens.gate(&LOAD, c.tokens)), self.load.jobs.write_ready()),
            execute: Issue::of(execute.map(|c| self.tokens.gate(&EXECUTE, c.tokens)), true),
            store: Issue::of(store.map(|c| self.tokens.gate(&STORE, c.tokens())), store_room),
        }
    }

    fn step_fetch(&mut self, inputs: &Inputs, outputs: &Outputs) {
        match self.held {
            None => {
                if let Some(command) = inputs.command {
                    self.held = Some(command);
                    self.finished = false;
                }
            }
            // Reserved opcodes, which are dropped.
            Some(Command::Load(Load { target: LoadTarget::Table, .. })) if self.buffers.table().is_empty() => {
                self.held = None;
            }
            Some(Command::Seed(_)) if !self.store.is_stochastic() => self.held = None,
            Some(Command::Load(load)) if self.load_queue.write_ready() => {
                self.load_queue.push(load);
                self.held = None;
            }
            Some(Command::Execute(execute)) if self.execute_queue.write_ready() => {
                self.execute_queue.push(execute);
                self.held = None;
            }
            Some(Command::Store(store)) if self.store_queue.write_ready() => {
                self.store_queue.push(StoreCommand::Store(store));
                self.held = None;
            }
            Some(Command::Seed(seed)) if self.store_queue.write_ready() => {
                self.store_queue.push(StoreCommand::Seed(seed));
                self.held = None;
            }
            Some(Command::Finish) if outputs.done_valid && inputs.done_ready => {
                self.held = None;
                self.finished = true;
            }
            Some(_) => {}
        }
    }

    #[inline]
    fn execute_code(&self, issue: Issue, issued: bool) -> Counter {
        if self.execute.is_streaming() {
            return Counter::ExecuteStream;
        }
        if self.execute.is_preloading() || issued {
            return Counter::ExecutePreload;
        }
        match issue {
            Issue::Empty if self.finish_held() => Counter::ExecuteDrain,
            Issue::Empty => Counter::ExecuteWaitCommand,
            Issue::Wait(Gate::WaitFirst) => Counter::ExecuteWaitLoad,
            Issue::Wait(Gate::WaitSecond) => Counter::ExecuteWaitStore,
            Issue::Wait(_) | Issue::Yes => Counter::ExecuteWaitSpace,
        }
    }

    #[inline]
    fn load_code(&self, issue: Issue, request_ready: bool) -> Counter {
        if self.load.requester.is_active() {
            return if request_ready { Counter::LoadRequest } else { Counter::LoadWaitRequest };
        }
        self.load_free_code(issue)
    }

    /// What load is at without a request.
    fn load_free_code(&self, issue: Issue) -> Counter {
        match issue {
            Issue::Empty => Counter::LoadWaitCommand,
            Issue::Wait(Gate::WaitFirst) => Counter::LoadWaitExecute,
            Issue::Wait(Gate::WaitSecond) => Counter::LoadWaitStore,
            Issue::Wait(_) => Counter::LoadWaitSpace,
            Issue::Yes => Counter::LoadIssue,
        }
    }

    #[inline]
    fn store_code(&self, issue: Issue) -> Counter {
        self.store.occupation().unwrap_or_else(|| self.store_free_code(issue))
    }

    /// What store is at when it is free for a command.
    fn store_free_code(&self, issue: Issue) -> Counter {
        match issue {
            Issue::Empty => Counter::StoreWaitCommand,
            Issue::Wait(Gate::WaitFirst) => Counter::StoreWaitLoad,
            Issue::Wait(Gate::WaitSecond) => Counter::StoreWaitExecute,
            Issue::Wait(_) => Counter::StoreWaitSpace,
            Issue::Yes => Counter::StoreIssue,
        }
    }
}
