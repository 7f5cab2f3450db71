//! A queue of single bits, filled and emptied in pieces of up to 64.

/// Bits in the order in which they stand in memory, least significant first.
#[derive(Clone, Debug, Default)]
pub struct BitQueue {
    words: Vec<u64>,
    head: usize,
    end: usize,
}

fn low_mask(n_bits: usize) -> u64 {
    if n_bits >= 64 {
        u64::MAX
    } else {
        (1 << n_bits) - 1
    }
}

impl BitQueue {
    pub fn len(&self) -> usize {
        self.end - self.head
    }

    pub fn clear(&mut self) {
        self.words.clear();
        self.head = 0;
        self.end = 0;
    }

    /// Appends the low `n_bits` (at most 64) of `value`.
    #[inline]
    pub fn push(&mut self, value: u64, n_bits: usize) {
        debug_assert!(n_bits <= 64);
        if n_bits == 0 {
            return;
        }
        if self.head == self.end {
            self.clear();
        } else if self.head >= 64 * 64 {
            let dropped = self.head / 64;
            self.words.drain(..dropped);
            self.head -= dropped * 64;
            self.end -= dropped * 64;
        }
        let value = value & low_mask(n_bits);
        let shift = self.end % 64;
        if shift == 0 {
            self.words.push(value);
        } else {
            let last = self.words.len() - 1;
            self.words[last] |= value << shift;
            if shift + n_bits > 64 {
                self.words.push(value >> (64 - shift));
            }
        }
        self.end += n_bits;
    }

    /// The `n_bits` (at most 64) bits that begin `from` bits behind the oldest, without taking them.
    #[inline]
    pub fn peek(&self, from: usize, n_bits: usize) -> u64 {
        debug_assert!(n_bits <= 64 && from + n_bits <= self.len());
        if n_bits == 0 {
            return 0;
        }
        let at = self.head + from;
        let (word, shift) = (at / 64, at % 64);
        let mut value = self.words[word] >> shift;
        if shift + n_bits > 64 {
            value |= self.words[word + 1] << (64 - shift);
        }
        value & low_mask(n_bits)
    }

    /// Drops the oldest `n_bits` bits.
    #[inline]
    pub fn skip(&mut self, n_bits: usize) {
        debug_assert!(n_bits <= self.len());
        self.head += n_bits;
    }

    /// Takes the oldest `n_bits` (at most 64) bits.
    #[inline]
    pub fn pull(&mut self, n_bits: usize) -> u64 {
        let value = self.peek(0, n_bits);
        self.skip(n_bits);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::BitQueue;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn behaves_as_a_queue_of_booleans(pieces in prop::collection::vec((any::<u64>(), 0usize..=64, 0usize..=64), 0..400)) {
            let mut queue = BitQueue::default();
            let mut model: VecDeque<bool> = VecDeque::new();
            for (value, pushed, pulled) in pieces {
                queue.push(value, pushed);
                model.extend((0..pushed).map(|i| value >> i & 1 == 1));
                prop_assert_eq!(queue.len(), model.len());
                if pulled <= model.len() {
                    let expected = (0..pulled).fold(0u64, |sum, i| sum | u64::from(model[i]) << i);
                    prop_assert_eq!(queue.pull(pulled), expected);
                    model.drain(..pulled);
                }
            }
        }
    }
}
