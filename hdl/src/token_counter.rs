//! The tokens from one engine to another.

use crate::prelude::*;
use spec::command::TOKEN_LIMIT;

/// Counts the tokens that a producer gives to a consumer.
///
/// 1. `reserve_in`: the producer issues a command that will push later. Only while `space_out` is high.
/// 2. `push_in`: what was reserved becomes available.
/// 3. `pop_in`: the consumer issues a command that takes a token. Only while `available_out` is high.
///
/// All three may come in one cycle. Both outputs depend on registers only.
#[derive(LogicBlock)]
pub struct TokenCounter {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub reserve_in: WireIn,
    pub push_in: WireIn,
    pub pop_in: WireIn,
    pub available_out: WireOut,
    pub space_out: WireOut,
    reserved: Register,
    available: Register,
    limit: Const,
}

impl TokenCounter {
    /// A counter that holds at most [`TOKEN_LIMIT`] tokens.
    #[allow(clippy::new_without_default)] // a block is built, not defaulted
    pub fn new() -> TokenCounter {
        let limit = TOKEN_LIMIT as usize; // widening
        let count_bits = bits_for(limit);
        TokenCounter {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            reserve_in: WireIn::new(1),
            push_in: WireIn::new(1),
            pop_in: WireIn::new(1),
            available_out: WireOut::new(1),
            space_out: WireOut::new(1),
            reserved: Register::new(count_bits),
            available: Register::new(count_bits),
            limit: Const::new(u128::from(TOKEN_LIMIT), count_bits),
        }
    }
}

impl Logic for TokenCounter {
    module!(
        "token_counter",
        "Counts the tokens from one engine to another: reserved at issue, available from the push on."
    );

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, reserved, available);
        self.reserved.reset.next = self.reset.val();
        self.available.reset.next = self.reset.val();
        self.reserved.d_in.next = self.reserved.d_out.val() + self.reserve_in.val() - self.pop_in.val();
        self.available.d_in.next = self.available.d_out.val() + self.push_in.val() - self.pop_in.val();
        self.space_out.next = (self.reserved.d_out.val() < self.limit.val()).into();
        self.available_out.next = (self.available.d_out.val() != 0).into();
    }
}

ports!(TokenCounter, clock, in reset, reserve_in, push_in, pop_in; out available_out, space_out);
