//! The rule by which a quotient is rounded.

use crate::prelude::*;
use spec::Round;

/// Whether the quotient (the floor) is replaced by the next integer. Combinational; only the chosen rule is there.
///
/// - `guard_in` = the highest bit lost, `sticky_in` = the OR of the bits below it: together they tell whether anything was
///   lost, and how it compares with one half.
/// - `odd_in` = the quotient's low bit, `negative_in` = the sign of the value.
#[derive(LogicBlock)]
pub struct RoundUp {
    pub guard_in: WireIn,
    pub sticky_in: WireIn,
    pub odd_in: WireIn,
    pub negative_in: WireIn,
    pub round_up_out: WireOut,
    // How many of each: 0 or 1.
    _n_floor: usize,
    _n_ceil: usize,
    _n_toward_zero: usize,
    _n_away_from_zero: usize,
    _n_to_odd: usize,
    _n_half_to_even: usize,
    _n_half_toward_positive: usize,
    _n_half_toward_negative: usize,
    _n_half_toward_zero: usize,
    _n_half_away_from_zero: usize,
}

impl RoundUp {
    pub fn new(round: Round) -> RoundUp {
        let is = |rule: Round| usize::from(round == rule);
        RoundUp {
            guard_in: WireIn::new(1),
            sticky_in: WireIn::new(1),
            odd_in: WireIn::new(1),
            negative_in: WireIn::new(1),
            round_up_out: WireOut::new(1),
            _n_floor: is(Round::Floor),
            _n_ceil: is(Round::Ceil),
            _n_toward_zero: is(Round::TowardZero),
            _n_away_from_zero: is(Round::AwayFromZero),
            _n_to_odd: is(Round::ToOdd),
            _n_half_to_even: is(Round::HalfToEven),
            _n_half_toward_positive: is(Round::HalfTowardPositive),
            _n_half_toward_negative: is(Round::HalfTowardNegative),
            _n_half_toward_zero: is(Round::HalfTowardZero),
            _n_half_away_from_zero: is(Round::HalfAwayFromZero),
        }
    }
}

impl Logic for RoundUp {
    module!("round_up", "Whether the quotient is replaced by the next integer.");

    #[hdl_gen]
    fn update(&mut self) {
        for _i in 0..self._n_floor {
            self.round_up_out.next = 0.into();
        }
        for _i in 0..self._n_ceil {
            self.round_up_out.next = self.guard_in.val() | self.sticky_in.val();
        }
        for _i in 0..self._n_toward_zero {
            self.round_up_out.next = self.negative_in.val() & (self.guard_in.val() | self.sticky_in.val());
        }
        for _i in 0..self._n_away_from_zero {
            self.round_up_out.next = !self.negative_in.val() & (self.guard_in.val() | self.sticky_in.val());
        }
        for _i in 0..self._n_to_odd {
            self.round_up_out.next = !self.odd_in.val() & (self.guard_in.val() | self.sticky_in.val());
        }
        for _i in 0..self._n_half_to_even {
            self.round_up_out.next = self.guard_in.val() & (self.sticky_in.val() | self.odd_in.val());
        }
        for _i in 0..self._n_half_toward_positive {
            self.round_up_out.next = self.guard_in.val();
        }
        for _i in 0..self._n_half_toward_negative {
            self.round_up_out.next = self.guard_in.val() & self.sticky_in.val();
        }
        for _i in 0..self._n_half_toward_zero {
            self.round_up_out.next = self.guard_in.val() & (self.sticky_in.val() | self.negative_in.val());
        }
        for _i in 0..self._n_half_away_from_zero {
            self.round_up_out.next = self.guard_in.val() & (self.sticky_in.val() | !self.negative_in.val());
        }
    }
}

ports!(RoundUp, in guard_in, sticky_in, odd_in, negative_in; out round_up_out);
