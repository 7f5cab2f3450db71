//! The accumulator: the memories below the mesh.

use crate::accumulator_column::AccumulatorColumn;
use crate::prelude::*;
use crate::{row_control, widths};
use spec::Config;

/// A column for each column of the mesh. Psums stay skewed: the control word passes from column to column, one a cycle.
///
/// 1. `control_in` (layout in [`row_control`]) comes with lane 0 of the row's psums; lane c comes c cycles later.
/// 2. `push_out` is high in the cycle in which the last column writes a row whose control asks for it.
/// 3. `store_data_out` is the row at `store_addr_in` of `store_half_in`, one cycle later, with all columns at once. The
///    half must not be in use by rows from above.
#[derive(LogicBlock)]
pub struct Accumulator {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub control_in: WireIn,
    pub psums_in: WireIn,
    pub push_out: WireOut,
    pub store_addr_in: WireIn,
    pub store_half_in: WireIn,
    pub store_data_out: WireOut,
    columns: Vec<AccumulatorColumn>,
    store_row: Pack,
    store_half: Register,
    written: WireLocal,
    psum_bits: Const,
    _cols: usize,
    _last: usize,
}

impl Accumulator {
    pub fn new(config: &Config) -> Accumulator {
        let cols = config.geometry().cols();
        let row_bits = widths::accumulator_row_bits(config);
        Accumulator {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            control_in: WireIn::new(row_control::bits(config)),
            psums_in: WireIn::new(row_bits),
            push_out: WireOut::new(1),
            store_addr_in: WireIn::new(index_bits(config.geometry().accumulator_rows())),
            store_half_in: WireIn::new(1),
            store_data_out: WireOut::new(row_bits),
            columns: (0..cols).map(|_| AccumulatorColumn::new(config)).collect(),
            store_row: Pack::new(cols, row_bits / cols),
            store_half: Register::new(1),
            written: WireLocal::new(row_control::bits(config)),
            psum_bits: Const::new((row_bits / cols) as u128, bits_for(row_bits)), // widening
            _cols: cols,
            _last: cols - 1,
        }
    }
}

impl Logic for Accumulator {
    module!("accumulator", "The memories below the mesh; each row's control passes from column to column.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, store_half);
        self.store_half.reset.next = self.reset.val();
        self.store_half.d_in.next = self.store_half_in.val();
        self.columns[0].control_in.next = self.control_in.val();
        for i in 1..self._cols {
            self.columns[i].control_in.next = self.columns[i - 1].control_out.val();
        }
        for i in 0..self._cols {
            self.columns[i].clock.next = self.clock.val();
            self.columns[i].reset.next = self.reset.val();
            self.columns[i].psum_in.next = self.psums_in.val() >> (self.psum_bits.val() * i);
            self.columns[i].store_addr_in.next = self.store_addr_in.val();
            self.columns[i].store_half_in.next = self.store_half.d_out.val();
            self.store_row.lanes_in[i].next = self.columns[i].store_data_out.val();
        }
        self.store_data_out.next = self.store_row.bus_out.val();
        for i in self._last..self._cols {
            self.written.next = self.columns[i].control_out.val();
        }
        self.push_out.next = self.written.val().get_bit(0) & self.written.val().get_bit(3);
    }
}

ports!(
    Accumulator, clock,
    in reset, control_in, psums_in, store_addr_in, store_half_in;
    out push_out, store_data_out
);
