//! The six token counters.

use crate::prelude::*;
use crate::token_counter::TokenCounter;

/// One [`TokenCounter`] for each ordered pair of engines, named producer_consumer.
///
/// `x_y_reserve_in` and `x_y_push_in` come from engine x, `x_y_pop_in` from engine y; `x_y_space_out` gates the issue in x,
/// `x_y_available_out` in y.
#[derive(LogicBlock)]
pub struct Tokens {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub load_execute_reserve_in: WireIn,
    pub load_execute_push_in: WireIn,
    pub load_execute_pop_in: WireIn,
    pub load_execute_available_out: WireOut,
    pub load_execute_space_out: WireOut,
    pub load_store_reserve_in: WireIn,
    pub load_store_push_in: WireIn,
    pub load_store_pop_in: WireIn,
    pub load_store_available_out: WireOut,
    pub load_store_space_out: WireOut,
    pub execute_load_reserve_in: WireIn,
    pub execute_load_push_in: WireIn,
    pub execute_load_pop_in: WireIn,
    pub execute_load_available_out: WireOut,
    pub execute_load_space_out: WireOut,
    pub execute_store_reserve_in: WireIn,
    pub execute_store_push_in: WireIn,
    pub execute_store_pop_in: WireIn,
    pub execute_store_available_out: WireOut,
    pub execute_store_space_out: WireOut,
    pub store_load_reserve_in: WireIn,
    pub store_load_push_in: WireIn,
    pub store_load_pop_in: WireIn,
    pub store_load_available_out: WireOut,
    pub store_load_space_out: WireOut,
    pub store_execute_reserve_in: WireIn,
    pub store_execute_push_in: WireIn,
    pub store_execute_pop_in: WireIn,
    pub store_execute_available_out: WireOut,
    pub store_execute_space_out: WireOut,
    load_execute: TokenCounter,
    load_store: TokenCounter,
    execute_load: TokenCounter,
    execute_store: TokenCounter,
    store_load: TokenCounter,
    store_execute: TokenCounter,
}

impl Tokens {
    #[allow(clippy::new_without_default)] // a block is built, not defaulted
    pub fn new() -> Tokens {
        Tokens {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            load_execute_reserve_in: WireIn::new(1),
            load_execute_push_in: WireIn::new(1),
            load_execute_pop_in: WireIn::new(1),
            load_execute_available_out: WireOut::new(1),
            load_execute_space_out: WireOut::new(1),
            load_store_reserve_in: WireIn::new(1),
            load_store_push_in: WireIn::new(1),
            load_store_pop_in: WireIn::new(1),
            load_store_available_out: WireOut::new(1),
            load_store_space_out: WireOut::new(1),
            execute_load_reserve_in: WireIn::new(1),
            execute_load_push_in: WireIn::new(1),
            execute_load_pop_in: WireIn::new(1),
            execute_load_available_out: WireOut::new(1),
            execute_load_space_out: WireOut::new(1),
            execute_store_reserve_in: WireIn::new(1),
            execute_store_push_in: WireIn::new(1),
            execute_store_pop_in: WireIn::new(1),
            execute_store_available_out: WireOut::new(1),
            execute_store_space_out: WireOut::new(1),
            store_load_reserve_in: WireIn::new(1),
            store_load_push_in: WireIn::new(1),
            store_load_pop_in: WireIn::new(1),
            store_load_available_out: WireOut::new(1),
            store_load_space_out: WireOut::new(1),
            store_execute_reserve_in: WireIn::new(1),
            store_execute_push_in: WireIn::new(1),
            store_execute_pop_in: WireIn::new(1),
            store_execute_available_out: WireOut::new(1),
            store_execute_space_out: WireOut::new(1),
            load_execute: TokenCounter::new(),
            load_store: TokenCounter::new(),
            execute_load: TokenCounter::new(),
            execute_store: TokenCounter::new(),
            store_load: TokenCounter::new(),
            store_execute: TokenCounter::new(),
        }
    }
}

impl Logic for Tokens {
    module!("tokens", "The six token counters, named producer_consumer.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, load_execute, load_store, execute_load, execute_store, store_load, store_execute);
        self.load_execute.reset.next = self.reset.val();
        self.load_store.reset.next = self.reset.val();
        self.execute_load.reset.next = self.reset.val();
        self.execute_store.reset.next = self.reset.val();
        self.store_load.reset.next = self.reset.val();
        self.store_execute.reset.next = self.reset.val();

        self.load_execute.reserve_in.next = self.load_execute_reserve_in.val();
        self.load_execute.push_in.next = self.load_execute_push_in.val();
        self.load_execute.pop_in.next = self.load_execute_pop_in.val();
        self.load_execute_available_out.next = self.load_execute.available_out.val();
        self.load_execute_space_out.next = self.load_execute.space_out.val();

        self.load_store.reserve_in.next = self.load_store_reserve_in.val();
        self.load_store.push_in.next = self.load_store_push_in.val();
        self.load_store.pop_in.next = self.load_store_pop_in.val();
        self.load_store_available_out.next = self.load_store.available_out.val();
        self.load_store_space_out.next = self.load_store.space_out.val();

        self.execute_load.reserve_in.next = self.execute_load_reserve_in.val();
        self.execute_load.push_in.next = self.execute_load_push_in.val();
        self.execute_load.pop_in.next = self.execute_load_pop_in.val();
        self.execute_load_available_out.next = self.execute_load.available_out.val();
        self.execute_load_space_out.next = self.execute_load.space_out.val();

        self.execute_store.reserve_in.next = self.execute_store_reserve_in.val();
        self.execute_store.push_in.next = self.execute_store_push_in.val();
        self.execute_store.pop_in.next = self.execute_store_pop_in.val();
        self.execute_store_available_out.next = self.execute_store.available_out.val();
        self.execute_store_space_out.next = self.execute_store.space_out.val();

        self.store_load.reserve_in.next = self.store_load_reserve_in.val();
        self.store_load.push_in.next = self.store_load_push_in.val();
        self.store_load.pop_in.next = self.store_load_pop_in.val();
        self.store_load_available_out.next = self.store_load.available_out.val();
        self.store_load_space_out.next = self.store_load.space_out.val();

        self.store_execute.reserve_in.next = self.store_execute_reserve_in.val();
        self.store_execute.push_in.next = self.store_execute_push_in.val();
        self.store_execute.pop_in.next = self.store_execute_pop_in.val();
        self.store_execute_available_out.next = self.store_execute.available_out.val();
        self.store_execute_space_out.next = self.store_execute.space_out.val();
    }
}

ports!(
    Tokens, clock,
    in reset, load_execute_reserve_in, load_execute_push_in, load_execute_pop_in, load_store_reserve_in,
    load_store_push_in, load_store_pop_in, execute_load_reserve_in, execute_load_push_in, execute_load_pop_in,
    execute_store_reserve_in, execute_store_push_in, execute_store_pop_in, store_load_reserve_in, store_load_push_in,
    store_load_pop_in, store_execute_reserve_in, store_execute_push_in, store_execute_pop_in;
    out load_execute_available_out, load_execute_space_out, load_store_available_out, load_store_space_out,
    execute_load_available_out, execute_load_space_out, execute_store_available_out, execute_store_space_out,
    store_load_available_out, store_load_space_out, store_execute_available_out, store_execute_space_out
);
