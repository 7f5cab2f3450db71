//! A first-in first-out queue of fixed depth: what is written in a cycle is readable in the next.

/// The queue of the hardware, without its storage details.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    entries: Vec<Option<T>>,
    head: usize,
    count: usize,
}

impl<T: Copy> Queue<T> {
    pub fn new(depth: usize) -> Self {
        Self { entries: vec![None; depth], head: 0, count: 0 }
    }

    #[inline]
    pub fn write_ready(&self) -> bool {
        self.count < self.entries.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The oldest entry.
    #[inline]
    pub fn front(&self) -> Option<&T> {
        if self.count == 0 {
            None
        } else {
            self.entries[self.head].as_ref()
        }
    }

    /// Adds an entry; the caller has seen `write_ready` at the start of the cycle.
    #[inline]
    pub fn push(&mut self, value: T) {
        let depth = self.entries.len();
        debug_assert!(self.count < depth, "a queue is written only when it is ready");
        let mut tail = self.head + self.count;
        if tail >= depth {
            tail -= depth;
        }
        self.entries[tail] = Some(value);
        self.count += 1;
    }

    /// Removes the oldest entry; the caller has seen that there is one.
    #[inline]
    pub fn pop(&mut self) {
        debug_assert!(self.count > 0, "only what is there is taken");
        self.head += 1;
        if self.head == self.entries.len() {
            self.head = 0;
        }
        self.count -= 1;
    }
}
