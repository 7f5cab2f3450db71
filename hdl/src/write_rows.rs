//! Words become rows of the buffers.

use crate::load_fields::{LoadFields, TARGET_BITS};
use crate::prelude::*;
use crate::widths::{n_tables, row_addr_bits, row_bits, COMMAND_BITS, LANE_GROUP_BITS};
use crate::window_lanes::WindowLanes;
use spec::Config;

/// Collects words into a row, or a word a row into windows, and writes the row in the cycle after its last word.
///
/// 1. `start_in`: the command `job_in` begins.
/// 2. `word_valid_in`: `word_in` is the next word of the row; `row_end_in`: it is the row's last; `job_end_in`: and
///    the command's last.
/// 3. The cycle after a row's last word: one of the write enables is high, with the row, its address and, for
///    parameters, its
///    bank. If the row was the command's last, the pushes that the command asks for are high too.
#[derive(LogicBlock)]
pub struct WriteRows {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub start_in: WireIn,
    pub job_in: WireIn,
    pub word_valid_in: WireIn,
    pub word_in: WireIn,
    pub row_end_in: WireIn,
    pub job_end_in: WireIn,
    pub activation_word_out: WireOut,
    pub weight_word_out: WireOut,
    /// A word of parameters or of the table.
    pub parameter_word_out: WireOut,
    pub activation_write_out: WireOut,
    pub weight_write_out: WireOut,
    pub parameter_write_out: WireOut,
    pub table_write_out: Vec<WireOut>,
    pub row_addr_out: WireOut,
    pub row_bank_out: WireOut,
    pub row_data_out: WireOut,
    pub row_valid_out: WireOut,
    pub push_first_out: WireOut,
    pub push_second_out: WireOut,
    fields: LoadFields,
    insert: Insert,
    window: WindowLanes,
    row: RegisterEnabled,
    slot: Register,
    target: RegisterEnabled,
    lane_group: RegisterEnabled,
    first: Register,
    push_first: RegisterEnabled,
    push_second: RegisterEnabled,
    buffer_row: Register,
    bank: Register,
    row_valid: Register,
    row_target: Register,
    row_addr: Register,
    row_bank: Register,
    row_push_first: Register,
    row_push_second: Register,
    activations: Const,
    weights: Const,
    parameters: Const,
    table: Const,
    last_bank: Const,
    // One of the two is 1.
    _n_tables: usize,
    _n_without: usize,
}

impl WriteRows {
    pub fn new(config: &Config) -> WriteRows {
        let g = config.geometry();
        let (addr, row, n_banks) = (row_addr_bits(config), row_bits(config), g.requantizer_lanes());
        let n_words = row.div_ceil(g.bus_bits());
        let target = |opcode: u32| Const::new(opcode.into(), TARGET_BITS);
        WriteRows {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            start_in: WireIn::new(1),
            job_in: WireIn::new(COMMAND_BITS),
            word_valid_in: WireIn::new(1),
            word_in: WireIn::new(g.bus_bits()),
            row_end_in: WireIn::new(1),
            job_end_in: WireIn::new(1),
            activation_word_out: WireOut::new(1),
            weight_word_out: WireOut::new(1),
            parameter_word_out: WireOut::new(1),
            activation_write_out: WireOut::new(1),
            weight_write_out: WireOut::new(1),
            parameter_write_out: WireOut::new(1),
            table_write_out: WireOut::vec(n_tables(config), 1),
            row_addr_out: WireOut::new(addr),
            row_bank_out: WireOut::new(index_bits(n_banks)),
            row_data_out: WireOut::new(row),
            row_valid_out: WireOut::new(1),
            push_first_out: WireOut::new(1),
            push_second_out: WireOut::new(1),
            fields: LoadFields::new(g.bus_bits()),
            insert: Insert::new(n_words, g.bus_bits()),
            window: WindowLanes::new(config),
            row: RegisterEnabled::new(row),
            slot: Register::new(index_bits(n_words)),
            target: RegisterEnabled::new(TARGET_BITS),
            lane_group: RegisterEnabled::new(LANE_GROUP_BITS),
            first: Register::new(1),
            push_first: RegisterEnabled::new(1),
            push_second: RegisterEnabled::new(1),
            buffer_row: Register::new(addr),
            bank: Register::new(index_bits(n_banks)),
            row_valid: Register::new(1),
            row_target: Register::new(TARGET_BITS),
            row_addr: Register::new(addr),
            row_bank: Register::new(index_bits(n_banks)),
            row_push_first: Register::new(1),
            row_push_second: Register::new(1),
            activations: target(spec::command::opcode::LOAD_ACTIVATIONS),
            weights: target(spec::command::opcode::LOAD_WEIGHTS),
            parameters: target(spec::command::opcode::LOAD_PARAMETERS),
            table: target(spec::command::opcode::LOAD_TABLE),
            last_bank: Const::new(n_banks as u128 - 1, index_bits(n_banks)), // widening
            _n_tables: n_tables(config),
            _n_without: 1 - n_tables(config),
        }
    }
}

impl Logic for WriteRows {
    module!("write_rows", "Collects words into rows and writes them to the buffers.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, row, slot, target, lane_group, first, push_first, push_second, buffer_row, bank);
        clock!(self, clock, row_valid, row_target, row_addr, row_bank, row_push_first, row_push_second);
        self.row.reset.next = self.reset.val();
        self.slot.reset.next = self.reset.val();
        self.target.reset.next = self.reset.val();
        self.lane_group.reset.next = self.reset.val();
        self.first.reset.next = self.reset.val();
        self.push_first.reset.next = self.reset.val();
        self.push_second.reset.next = self.reset.val();
        self.buffer_row.reset.next = self.reset.val();
        self.bank.reset.next = self.reset.val();
        self.row_valid.reset.next = self.reset.val();
        self.row_target.reset.next = self.reset.val();
        self.row_addr.reset.next = self.reset.val();
        self.row_bank.reset.next = self.reset.val();
        self.row_push_first.reset.next = self.reset.val();
        self.row_push_second.reset.next = self.reset.val();

        self.fields.command_in.next = self.job_in.val();
        self.target.enable_in.next = self.start_in.val();
        self.target.d_in.next = self.fields.target_out.val();
        self.lane_group.enable_in.next = self.start_in.val();
        self.lane_group.d_in.next = self.fields.lane_group_out.val();
        self.push_first.enable_in.next = self.start_in.val();
        self.push_first.d_in.next = self.fields.push_first_out.val();
        self.push_second.enable_in.next = self.start_in.val();
        self.push_second.d_in.next = self.fields.push_second_out.val();

        self.insert.row_in.next = self.row.d_out.val();
        self.insert.word_in.next = self.word_in.val();
        self.insert.slot_in.next = self.slot.d_out.val();
        self.row.enable_in.next = self.word_valid_in.val();
        self.first.d_in.next = self.start_in.val() | (self.first.d_out.val() & !self.word_valid_in.val());
        self.window.row_in.next = self.row.d_out.val();
        self.window.word_in.next = self.word_in.val();
        self.window.lane_group_in.next = self.lane_group.d_out.val();
        self.window.first_in.next = self.first.d_out.val();
        self.row.d_in.next = self.insert.row_out.val();
        if self.lane_group.d_out.val().any() {
            self.row.d_in.next = self.window.row_out.val();
        }

        self.slot.d_in.next = self.slot.d_out.val();
        self.buffer_row.d_in.next = self.buffer_row.d_out.val();
        self.bank.d_in.next = self.bank.d_out.val();
        if self.start_in.val().any() {
            self.slot.d_in.next = 0.into();
            self.buffer_row.d_in.next = self.fields.buffer_row_out.val();
            self.bank.d_in.next = 0.into();
        } else if self.row_end_in.val().any() {
            self.slot.d_in.next = 0.into();
            if (self.target.d_out.val() == self.parameters.val()) & (self.bank.d_out.val() != self.last_bank.val()) {
                self.bank.d_in.next = self.bank.d_out.val() + 1;
            } else {
                self.bank.d_in.next = 0.into();
                self.buffer_row.d_in.next = self.buffer_row.d_out.val() + 1;
            }
        } else if self.word_valid_in.val().any() {
            self.slot.d_in.next = self.slot.d_out.val() + 1;
        }
        self.activation_word_out.next = self.word_valid_in.val() & (self.target.d_out.val() == self.activations.val());
        self.weight_word_out.next = self.word_valid_in.val() & (self.target.d_out.val() == self.weights.val());
        for _i in 0..self._n_without {
            self.parameter_word_out.next =
                self.word_valid_in.val() & (self.target.d_out.val() == self.parameters.val());
        }
        for i in 0..self._n_tables {
            self.parameter_word_out.next = self.word_valid_in.val()
                & ((self.target.d_out.val() == self.parameters.val()) | (self.target.d_out.val() == self.table.val()));
            self.table_write_out[i].next =
                self.row_valid.d_out.val() & (self.row_target.d_out.val() == self.table.val());
        }

        self.row_valid.d_in.next = self.row_end_in.val();
        self.row_target.d_in.next = self.target.d_out.val();
        self.row_addr.d_in.next = self.buffer_row.d_out.val();
        self.row_bank.d_in.next = self.bank.d_out.val();
        self.row_push_first.d_in.next = self.job_end_in.val() & self.push_first.d_out.val();
        self.row_push_second.d_in.next = self.job_end_in.val() & self.push_second.d_out.val();

        self.row_valid_out.next = self.row_valid.d_out.val();
        self.activation_write_out.next =
            self.row_valid.d_out.val() & (self.row_target.d_out.val() == self.activations.val());
        self.weight_write_out.next = self.row_valid.d_out.val() & (self.row_target.d_out.val() == self.weights.val());
        self.parameter_write_out.next =
            self.row_valid.d_out.val() & (self.row_target.d_out.val() == self.parameters.val());
        self.row_addr_out.next = self.row_addr.d_out.val();
        self.row_bank_out.next = self.row_bank.d_out.val();
        self.row_data_out.next = self.row.d_out.val();
        self.push_first_out.next = self.row_push_first.d_out.val();
        self.push_second_out.next = self.row_push_second.d_out.val();
    }
}

ports!(
    WriteRows, clock,
    in reset, start_in, job_in, word_valid_in, word_in, row_end_in, job_end_in;
    out activation_word_out, weight_word_out, parameter_word_out, activation_write_out, weight_write_out,
    parameter_write_out, row_addr_out, row_bank_out, row_data_out, row_valid_out, push_first_out, push_second_out
);
