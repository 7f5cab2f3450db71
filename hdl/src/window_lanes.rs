//! Pieces of memory become windows.

use crate::prelude::*;
use crate::widths::{activation_row_bits, LANE_GROUP_BITS};
use spec::Config;

/// A window of activations: the newest piece in the lowest lanes, older ones above. Combinational.
///
/// With `lane_group_in` = 1 + s the lanes of `row_in` go up by 2^s, and the piece `word_in` takes the lanes that become
/// free. With `first_in` there are no older pieces.
#[derive(LogicBlock)]
pub struct WindowLanes {
    pub row_in: WireIn,
    pub word_in: WireIn,
    pub lane_group_in: WireIn,
    pub first_in: WireIn,
    pub row_out: WireOut,
    older: WireLocal,
    piece: WireLocal,
    shifts: Vec<Const>,
    _n_shifts: usize,
}

/// The greatest s.
const LAST_SHIFT: u32 = 6;

impl WindowLanes {
    pub fn new(config: &Config) -> WindowLanes {
        let (rows, row) = (config.geometry().rows(), activation_row_bits(config));
        // A piece has no more lanes than the row.
        let shift = |s: u32| Const::new(((row / rows) << s) as u128, bits_for(row)); // widening
        let shifts: Vec<Const> = (0..=rows.ilog2().min(LAST_SHIFT)).map(shift).collect();
        WindowLanes {
            row_in: WireIn::new(row),
            word_in: WireIn::new(config.geometry().bus_bits()),
            lane_group_in: WireIn::new(LANE_GROUP_BITS),
            first_in: WireIn::new(1),
            row_out: WireOut::new(row),
            older: WireLocal::new(row),
            piece: WireLocal::new(row),
            _n_shifts: shifts.len(),
            shifts,
        }
    }
}

impl Logic for WindowLanes {
    module!("window_lanes", "A window of activations: the newest piece in the lowest lanes, older ones above.");

    #[hdl_gen]
    fn update(&mut self) {
        self.older.next = 0.into();
        if self.first_in.val() == 0 {
            for i in 0..self._n_shifts {
                if self.lane_group_in.val() == (i + 1) {
                    self.older.next = self.row_in.val() << self.shifts[i].val();
                }
            }
        }
        self.piece.next = self.word_in.val();
        self.row_out.next = self.older.val() | self.piece.val();
    }
}

ports!(WindowLanes, in row_in, word_in, lane_group_in, first_in; out row_out);
