//! A first-in, first-out queue.

use crate::prelude::*;

/// A queue of a power-of-two number of words.
///
/// 1. A word enters at an edge where `write_valid_in` and `write_ready_out` are high.
/// 2. `write_ready_out` is high while a word fits; it depends on registers only.
/// 3. `read_valid_out` is high while a word is there, and `read_data_out` is the oldest one.
/// 4. The oldest word leaves at an edge where `read_valid_out` and `read_ready_in` are high.
///
/// A word that enters an empty queue can leave one cycle later.
#[derive(LogicBlock)]
pub struct Queue {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub write_valid_in: WireIn,
    pub write_data_in: WireIn,
    pub write_ready_out: WireOut,
    pub read_valid_out: WireOut,
    pub read_data_out: WireOut,
    pub read_ready_in: WireIn,
    head: RegisterEnabled,
    tail: RegisterEnabled,
    count: Register,
    words: RegisterFile,
    depth: Const,
    push: WireLocal,
    pop: WireLocal,
}

impl Queue {
    /// A queue of `depth` words of `width` bits.
    ///
    /// # Panics
    /// If `depth` is not a power of two and at least 2.
    pub fn new(width: usize, depth: usize) -> Queue {
        assert!(depth >= 2 && depth.is_power_of_two(), "a queue's depth is a power of two from 2 on, got {depth}");
        let (idx_bits, count_bits) = (index_bits(depth), bits_for(depth));
        Queue {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            write_valid_in: WireIn::new(1),
            write_data_in: WireIn::new(width),
            write_ready_out: WireOut::new(1),
            read_valid_out: WireOut::new(1),
            read_data_out: WireOut::new(width),
            read_ready_in: WireIn::new(1),
            head: RegisterEnabled::new(idx_bits),
            tail: RegisterEnabled::new(idx_bits),
            count: Register::new(count_bits),
            words: RegisterFile::new(width, depth),
            depth: Const::new(depth as u128, count_bits), // widening
            push: WireLocal::new(1),
            pop: WireLocal::new(1),
        }
    }
}

impl Logic for Queue {
    module!(
        self,
        format!("queue_{}x{}", self.write_data_in.width(), self.depth.val().index()),
        "A first-in, first-out queue."
    );

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, head, tail, count, words);
        self.head.reset.next = self.reset.val();
        self.tail.reset.next = self.reset.val();
        self.count.reset.next = self.reset.val();

        self.write_ready_out.next = (self.count.d_out.val() < self.depth.val()).into();
        self.read_valid_out.next = (self.count.d_out.val() != 0).into();
        self.push.next = self.write_valid_in.val() & self.write_ready_out.val();
        self.pop.next = self.read_ready_in.val() & self.read_valid_out.val();

        self.words.write_enable_in.next = self.push.val();
        self.words.write_addr_in.next = self.tail.d_out.val();
        self.words.write_data_in.next = self.write_data_in.val();
        self.words.read_addr_in.next = self.head.d_out.val();
        self.read_data_out.next = self.words.read_data_out.val();

        self.tail.enable_in.next = self.push.val();
        self.tail.d_in.next = self.tail.d_out.val() + 1;
        self.head.enable_in.next = self.pop.val();
        self.head.d_in.next = self.head.d_out.val() + 1;
        self.count.d_in.next = self.count.d_out.val() + self.push.val() - self.pop.val();
    }
}

ports!(
    Queue, clock,
    in reset, write_valid_in, write_data_in, read_ready_in;
    out write_ready_out, read_valid_out, read_data_out
);
