//! Takes commands and hands them to the engines.

use crate::prelude::*;
use crate::widths::{n_stochastic, n_tables, COMMAND_BITS};
use spec::command::opcode;
use spec::Config;

/// Bits of the opcode, the lowest of a command.
const OPCODE_BITS: usize = 3;

/// Holds one command at a time and routes it by its opcode.
///
/// 1. A command is taken when none is held.
/// 2. A load, an execute and a store leave for their queue as soon as it is ready; reserved opcodes are dropped. A seed
///    goes to the queue of store; without stochastic rounding its opcode is reserved, and so is that of a load of the
///    table without a table.
/// 3. `finish` is held until `all_idle_in`; then `done_valid_out` is high until `done_ready_in`.
/// 4. After that the program is `finished`, which stops the counters. The next command starts the next program:
///    `clear_out` is high in the cycle in which it is taken.
#[derive(LogicBlock)]
pub struct Fetch {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub command_valid_in: WireIn,
    pub command_ready_out: WireOut,
    pub command_data_in: WireIn,
    pub command_out: WireOut,
    pub load_valid_out: WireOut,
    pub load_ready_in: WireIn,
    pub execute_valid_out: WireOut,
    pub execute_ready_in: WireIn,
    pub store_valid_out: WireOut,
    pub store_ready_in: WireIn,
    pub all_idle_in: WireIn,
    pub done_valid_out: WireOut,
    pub done_ready_in: WireIn,
    pub finish_held_out: WireOut,
    pub finished_out: WireOut,
    pub transfer_out: WireOut,
    pub clear_out: WireOut,
    held_valid: Register,
    held: RegisterEnabled,
    finished: Register,
    opcode: WireLocal,
    is_buffer: WireLocal,
    is_load: WireLocal,
    is_execute: WireLocal,
    is_store: WireLocal,
    is_finish: WireLocal,
    leaves: WireLocal,
    load_activations: Const,
    load_weights: Const,
    load_parameters: Const,
    load_table: Const,
    execute: Const,
    store: Const,
    seed: Const,
    finish: Const,
    // One of the two is 1.
    _n_stochastic: usize,
    _n_fixed: usize,
    // So of these.
    _n_tables: usize,
    _n_without: usize,
}

impl Fetch {
    pub fn new(config: &Config) -> Fetch {
        let opcode = |value| Const::new(u128::from(value), OPCODE_BITS);
        Fetch {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            command_valid_in: WireIn::new(1),
            command_ready_out: WireOut::new(1),
            command_data_in: WireIn::new(COMMAND_BITS),
            command_out: WireOut::new(COMMAND_BITS),
            load_valid_out: WireOut::new(1),
            load_ready_in: WireIn::new(1),
            execute_valid_out: WireOut::new(1),
            execute_ready_in: WireIn::new(1),
            store_valid_out: WireOut::new(1),
            store_ready_in: WireIn::new(1),
            all_idle_in: WireIn::new(1),
            done_valid_out: WireOut::new(1),
            done_ready_in: WireIn::new(1),
            finish_held_out: WireOut::new(1),
            finished_out: WireOut::new(1),
            transfer_out: WireOut::new(1),
            clear_out: WireOut::new(1),
            held_valid: Register::new(1),
            held: RegisterEnabled::new(COMMAND_BITS),
            finished: Register::new(1),
            opcode: WireLocal::new(OPCODE_BITS),
            is_buffer: WireLocal::new(1),
            is_load: WireLocal::new(1),
            is_execute: WireLocal::new(1),
            is_store: WireLocal::new(1),
            is_finish: WireLocal::new(1),
            leaves: WireLocal::new(1),
            load_activations: opcode(opcode::LOAD_ACTIVATIONS),
            load_weights: opcode(opcode::LOAD_WEIGHTS),
            load_parameters: opcode(opcode::LOAD_PARAMETERS),
            load_table: opcode(opcode::LOAD_TABLE),
            execute: opcode(opcode::EXECUTE),
            store: opcode(opcode::STORE),
            seed: opcode(opcode::SEED),
            finish: opcode(opcode::FINISH),
            _n_stochastic: n_stochastic(config),
            _n_fixed: 1 - n_stochastic(config),
            _n_tables: n_tables(config),
            _n_without: 1 - n_tables(config),
        }
    }
}

impl Logic for Fetch {
    module!("fetch", "Takes commands and hands them to the queues of the engines; ends a program at finish.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, held_valid, held, finished);
        self.held_valid.reset.next = self.reset.val();
        self.held.reset.next = self.reset.val();
        self.finished.reset.next = self.reset.val();

        self.command_ready_out.next = !self.held_valid.d_out.val();
        self.transfer_out.next = self.command_valid_in.val() & !self.held_valid.d_out.val();
        self.held.enable_in.next = self.transfer_out.val();
        self.held.d_in.next = self.command_data_in.val();
        self.command_out.next = self.held.d_out.val();

        self.opcode.next = self.held.d_out.val();
        self.is_buffer.next = ((self.opcode.val() == self.load_activations.val())
            | (self.opcode.val() == self.load_weights.val())
            | (self.opcode.val() == self.load_parameters.val()))
        .into();
        for _i in 0..self._n_without {
            self.is_load.next = self.is_buffer.val();
        }
        for _i in 0..self._n_tables {
            self.is_load.next = self.is_buffer.val() | (self.opcode.val() == self.load_table.val());
        }
        self.is_execute.next = (self.opcode.val() == self.execute.val()).into();
        for _i in 0..self._n_fixed {
            self.is_store.next = (self.opcode.val() == self.store.val()).into();
        }
        for _i in 0..self._n_stochastic {
            self.is_store.next =
                ((self.opcode.val() == self.store.val()) | (self.opcode.val() == self.seed.val())).into();
        }
        self.is_finish.next = (self.opcode.val() == self.finish.val()).into();
        self.load_valid_out.next = self.held_valid.d_out.val() & self.is_load.val();
        self.execute_valid_out.next = self.held_valid.d_out.val() & self.is_execute.val();
        self.store_valid_out.next = self.held_valid.d_out.val() & self.is_store.val();
        self.finish_held_out.next = self.held_valid.d_out.val() & self.is_finish.val();
        self.done_valid_out.next = self.finish_held_out.val() & self.all_idle_in.val();

        // A reserved opcode leaves at once.
        self.leaves.next = true.into();
        if self.is_load.val().any() {
            self.leaves.next = self.load_ready_in.val();
        } else if self.is_execute.val().any() {
            self.leaves.next = self.execute_ready_in.val();
        } else if self.is_store.val().any() {
            self.leaves.next = self.store_ready_in.val();
        } else if self.is_finish.val().any() {
            self.leaves.next = self.all_idle_in.val() & self.done_ready_in.val();
        }
        self.held_valid.d_in.next = self.transfer_out.val() | (self.held_valid.d_out.val() & !self.leaves.val());

        self.clear_out.next = self.finished.d_out.val() & self.transfer_out.val();
        self.finished_out.next = self.finished.d_out.val();
        self.finished.d_in.next = self.finished.d_out.val() & !self.transfer_out.val();
        if (self.done_valid_out.val() & self.done_ready_in.val()).any() {
            self.finished.d_in.next = true.into();
        }
    }
}

ports!(
    Fetch, clock,
    in reset, command_valid_in, command_data_in, load_ready_in, execute_ready_in, store_ready_in, all_idle_in, done_ready_in;
    out command_ready_out, command_out, load_valid_out, execute_valid_out, store_valid_out, done_valid_out, finish_held_out,
        finished_out, transfer_out, clear_out
);
