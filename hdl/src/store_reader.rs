//! The accumulator and parameter addresses of a store.

use crate::prelude::*;
use crate::store_fields::StoreFields;
use crate::widths::{bits, n_stochastic, n_tables, COMMAND_BITS, COUNT_BITS, STORE_QUEUE_DEPTH, TERM_BITS};
use spec::Config;

/// Walks the terms of a store command: terms of a group, groups of a tile, tiles, rows. One term a cycle, while the
/// store queue has room for the group.
///
/// 1. `start_in`, while `active_out` is low: the command is captured and `active_out` becomes high.
/// 2. `read_out`: a term is read at the addresses that are out; `group_end_out`: it is its group's last. `group_out`,
///    `first_term_out`, `low_out` and `high_out`, with a table `table_out` too, belong to the term read in the cycle
///    before, whose data arrive with them.
/// 3. `push_second_out`: the term read is the last of a command that asks for this push.
/// 4. `row_end_out`, only there with stochastic rounding: the term read is the last of a row.
///
/// Room is counted in credits: a group takes one with its last term, `group_taken_in` gives it back. So a group that
/// began is read without a pause.
#[derive(LogicBlock)]
pub struct StoreReader {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub start_in: WireIn,
    pub command_in: WireIn,
    pub group_taken_in: WireIn,
    pub active_out: WireOut,
    pub read_out: WireOut,
    pub group_end_out: WireOut,
    pub accumulator_addr_out: WireOut,
    pub accumulator_half_out: WireOut,
    pub parameter_addr_out: WireOut,
    pub group_out: WireOut,
    pub first_term_out: WireOut,
    pub low_out: WireOut,
    pub high_out: WireOut,
    pub push_second_out: WireOut,
    pub row_end_out: Vec<WireOut>,
    pub table_out: Vec<WireOut>,
    fields: StoreFields,
    active: Register,
    credits_used: Register,
    row_addr: Register,
    tile_addr: Register,
    term_addr: Register,
    parameter_addr: Register,
    group: Register,
    term: Register,
    tiles_left: Register,
    rows_left: Register,
    group_read: Register,
    first_term: Register,
    tile_stride: RegisterEnabled,
    parameter_row: RegisterEnabled,
    tiles: RegisterEnabled,
    last_group: RegisterEnabled,
    last_term: RegisterEnabled,
    half: RegisterEnabled,
    low: RegisterEnabled,
    high: RegisterEnabled,
    push_second: RegisterEnabled,
    table: Vec<RegisterEnabled>,
    low_field: WireLocal,
    high_field: WireLocal,
    read: WireLocal,
    group_end: WireLocal,
    next_tile: WireLocal,
    next_row: WireLocal,
    in_last_tile: WireLocal,
    tile_end: WireLocal,
    row_end: WireLocal,
    job_end: WireLocal,
    credits: Const,
    last_column_group: Const,
    // One of the two is 1: how bounds are extended.
    _n_signed: usize,
    _n_unsigned: usize,
    _n_stochastic: usize,
    _n_tables: usize,
}

impl StoreReader {
    pub fn new(config: &Config) -> StoreReader {
        let g = config.geometry();
        let addr = index_bits(g.accumulator_rows());
        let parameter_addr = index_bits(g.parameter_rows());
        let group = index_bits(g.column_groups());
        let output = config.numerics().output();
        let bound = bits(config.numerics().bound().bits());
        let credits = bits_for(STORE_QUEUE_DEPTH);
        StoreReader {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            start_in: WireIn::new(1),
            command_in: WireIn::new(COMMAND_BITS),
            group_taken_in: WireIn::new(1),
            active_out: WireOut::new(1),
            read_out: WireOut::new(1),
            group_end_out: WireOut::new(1),
            accumulator_addr_out: WireOut::new(addr),
            accumulator_half_out: WireOut::new(1),
            parameter_addr_out: WireOut::new(parameter_addr),
            group_out: WireOut::new(group),
            first_term_out: WireOut::new(1),
            low_out: WireOut::new(bound),
            high_out: WireOut::new(bound),
            push_second_out: WireOut::new(1),
            row_end_out: WireOut::vec(n_stochastic(config), 1),
            table_out: WireOut::vec(n_tables(config), 1),
            fields: StoreFields::new(g.bus_bits()),
            active: Register::new(1),
            credits_used: Register::new(credits),
            row_addr: Register::new(addr),
            tile_addr: Register::new(addr),
            term_addr: Register::new(addr),
            parameter_addr: Register::new(parameter_addr),
            group: Register::new(group),
            term: Register::new(TERM_BITS),
            tiles_left: Register::new(COUNT_BITS),
            rows_left: Register::new(COUNT_BITS),
            group_read: Register::new(group),
            first_term: Register::new(1),
            tile_stride: RegisterEnabled::new(addr),
            parameter_row: RegisterEnabled::new(parameter_addr),
            tiles: RegisterEnabled::new(COUNT_BITS),
            last_group: RegisterEnabled::new(group),
            last_term: RegisterEnabled::new(TERM_BITS),
            half: RegisterEnabled::new(1),
            low: RegisterEnabled::new(bound),
            high: RegisterEnabled::new(bound),
            push_second: RegisterEnabled::new(1),
            table: (0..n_tables(config)).map(|_| RegisterEnabled::new(1)).collect(),
            low_field: WireLocal::new(bits(output.bits())),
            high_field: WireLocal::new(bits(output.bits())),
            read: WireLocal::new(1),
            group_end: WireLocal::new(1),
            next_tile: WireLocal::new(addr),
            next_row: WireLocal::new(addr),
            in_last_tile: WireLocal::new(1),
            tile_end: WireLocal::new(1),
            row_end: WireLocal::new(1),
            job_end: WireLocal::new(1),
            credits: Const::new(STORE_QUEUE_DEPTH as u128, credits), // widening
            last_column_group: Const::new(g.column_groups() as u128 - 1, group), // widening
            _n_signed: usize::from(output.is_signed()),
            _n_unsigned: usize::from(!output.is_signed()),
            _n_stochastic: n_stochastic(config),
            _n_tables: n_tables(config),
        }
    }
}

impl Logic for StoreReader {
    module!(
        "store_reader",
        "Walks the terms of the groups of a store command through accumulator and parameter buffer."
    );

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, active, credits_used, row_addr, tile_addr, parameter_addr, group, tiles_left, rows_left);
        clock!(self, clock, group_read, tile_stride, parameter_row, tiles, last_group, half, low, high, push_second);
        clock!(self, clock, term_addr, term, first_term, last_term);
        self.active.reset.next = self.reset.val();
        self.credits_used.reset.next = self.reset.val();
        self.row_addr.reset.next = self.reset.val();
        self.tile_addr.reset.next = self.reset.val();
        self.term_addr.reset.next = self.reset.val();
        self.term.reset.next = self.reset.val();
        self.first_term.reset.next = self.reset.val();
        self.last_term.reset.next = self.reset.val();
        self.parameter_addr.reset.next = self.reset.val();
        self.group.reset.next = self.reset.val();
        self.tiles_left.reset.next = self.reset.val();
        self.rows_left.reset.next = self.reset.val();
        self.group_read.reset.next = self.reset.val();
        self.tile_stride.reset.next = self.reset.val();
        self.parameter_row.reset.next = self.reset.val();
        self.tiles.reset.next = self.reset.val();
        self.last_group.reset.next = self.reset.val();
        self.half.reset.next = self.reset.val();
        self.low.reset.next = self.reset.val();
        self.high.reset.next = self.reset.val();
        self.push_second.reset.next = self.reset.val();

        self.fields.command_in.next = self.command_in.val();
        self.tile_stride.enable_in.next = self.start_in.val();
        self.tile_stride.d_in.next = self.fields.tile_stride_out.val();
        self.parameter_row.enable_in.next = self.start_in.val();
        self.parameter_row.d_in.next = self.fields.parameter_row_out.val();
        self.tiles.enable_in.next = self.start_in.val();
        self.tiles.d_in.next = self.fields.tiles_out.val();
        self.last_group.enable_in.next = self.start_in.val();
        self.last_group.d_in.next = self.fields.last_group_out.val();
        self.last_term.enable_in.next = self.start_in.val();
        self.last_term.d_in.next = self.fields.last_term_out.val();
        self.half.enable_in.next = self.start_in.val();
        self.half.d_in.next = self.fields.half_out.val();
        self.low.enable_in.next = self.start_in.val();
        self.low_field.next = self.fields.low_out.val();
        self.high_field.next = self.fields.high_out.val();
        for _i in 0..self._n_signed {
            self.low.d_in.next = signed_cast(self.low_field.val());
            self.high.d_in.next = signed_cast(self.high_field.val());
        }
        for _i in 0..self._n_unsigned {
            self.low.d_in.next = self.low_field.val();
            self.high.d_in.next = self.high_field.val();
        }
        self.high.enable_in.next = self.start_in.val();
        self.push_second.enable_in.next = self.start_in.val();
        self.push_second.d_in.next = self.fields.push_second_out.val();

        self.read.next = self.active.d_out.val() & (self.credits_used.d_out.val() != self.credits.val());
        self.group_end.next = self.read.val() & (self.term.d_out.val() == self.last_term.d_out.val());
        self.credits_used.d_in.next = self.credits_used.d_out.val() + self.group_end.val() - self.group_taken_in.val();
        self.in_last_tile.next = (self.tiles_left.d_out.val() == 1).into();
        self.tile_end.next = self.group_end.val() & (self.group.d_out.val() == self.last_column_group.val());
        if self.in_last_tile.val().any() {
            self.tile_end.next = self.group_end.val() & (self.group.d_out.val() == self.last_group.d_out.val());
        }
        self.row_end.next = self.tile_end.val() & self.in_last_tile.val();
        self.job_end.next = self.row_end.val() & (self.rows_left.d_out.val() == 1);
        self.group_read.d_in.next = self.group.d_out.val();
        self.first_term.d_in.next = (self.term.d_out.val() == 0).into();
        self.next_tile.next = self.tile_addr.d_out.val() + self.tile_stride.d_out.val();
        self.next_row.next = self.row_addr.d_out.val() + self.last_term.d_out.val() + 1;

        self.active.d_in.next = self.active.d_out.val() & !self.job_end.val();
        self.row_addr.d_in.next = self.row_addr.d_out.val();
        self.tile_addr.d_in.next = self.tile_addr.d_out.val();
        self.term_addr.d_in.next = self.term_addr.d_out.val() + self.read.val();
        self.term.d_in.next = self.term.d_out.val() + self.read.val();
        self.parameter_addr.d_in.next = self.parameter_addr.d_out.val() + self.read.val();
        self.group.d_in.next = self.group.d_out.val() + self.group_end.val();
        self.tiles_left.d_in.next = self.tiles_left.d_out.val() - self.tile_end.val();
        self.rows_left.d_in.next = self.rows_left.d_out.val() - self.row_end.val();
        if self.group_end.val().any() {
            self.term.d_in.next = 0.into();
            self.term_addr.d_in.next = self.tile_addr.d_out.val();
        }
        if self.tile_end.val().any() {
            self.group.d_in.next = 0.into();
            self.tile_addr.d_in.next = self.next_tile.val();
            self.term_addr.d_in.next = self.next_tile.val();
        }
        if self.row_end.val().any() {
            self.row_addr.d_in.next = self.next_row.val();
            self.tile_addr.d_in.next = self.next_row.val();
            self.term_addr.d_in.next = self.next_row.val();
            self.parameter_addr.d_in.next = self.parameter_row.d_out.val();
            self.tiles_left.d_in.next = self.tiles.d_out.val();
        }
        if self.start_in.val().any() {
            self.active.d_in.next = true.into();
            self.row_addr.d_in.next = self.fields.accumulator_row_out.val();
            self.tile_addr.d_in.next = self.fields.accumulator_row_out.val();
            self.term_addr.d_in.next = self.fields.accumulator_row_out.val();
            self.term.d_in.next = 0.into();
            self.parameter_addr.d_in.next = self.fields.parameter_row_out.val();
            self.group.d_in.next = 0.into();
            self.tiles_left.d_in.next = self.fields.tiles_out.val();
            self.rows_left.d_in.next = self.fields.rows_out.val();
        }

        self.active_out.next = self.active.d_out.val();
        self.read_out.next = self.read.val();
        self.group_end_out.next = self.group_end.val();
        self.accumulator_addr_out.next = self.term_addr.d_out.val();
        self.accumulator_half_out.next = self.half.d_out.val();
        self.parameter_addr_out.next = self.parameter_addr.d_out.val();
        self.group_out.next = self.group_read.d_out.val();
        self.first_term_out.next = self.first_term.d_out.val();
        self.low_out.next = self.low.d_out.val();
        self.high_out.next = self.high.d_out.val();
        self.push_second_out.next = self.job_end.val() & self.push_second.d_out.val();
        for i in 0..self._n_stochastic {
            self.row_end_out[i].next = self.row_end.val();
        }
        for i in 0..self._n_tables {
            self.table[i].clock.next = self.clock.val();
            self.table[i].reset.next = self.reset.val();
            self.table[i].enable_in.next = self.start_in.val();
            self.table[i].d_in.next = self.fields.table_out.val();
            self.table_out[i].next = self.table[i].d_out.val();
        }
    }
}

ports!(
    StoreReader, clock,
    in reset, start_in, command_in, group_taken_in;
    out active_out, read_out, group_end_out, accumulator_addr_out, accumulator_half_out, parameter_addr_out, group_out,
    first_term_out, low_out, high_out, push_second_out
);
