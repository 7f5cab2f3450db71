//! [`Bits`]: a value whose width is known at run time, with the arithmetic of Verilog vectors.
//!
//! One rule gives the width of every expression, in Rust and in the emitted Verilog alike:
//!
//! 1. An operator works at the width of its wider operand; the narrower one is extended first: with its sign
//!    if it is a [`signed_cast`], with zeros otherwise. The result wraps at that width.
//! 2. A literal (`usize`) takes the width of the other operand.
//! 3. Storing in a signal extends or truncates to the signal's width. The width of the target never reaches into
//!    the expression: an 8-bit sum stored in 9 bits has lost its carry. Extend an operand in a named signal first.

mod operators;

pub(crate) use operators::equal;

use bitvec::prelude::{BitVec, Lsb0};
use std::fmt;

/// Widths up to this are held in one integer.
const SMALL_BITS: usize = 128;

#[derive(Clone)]
enum Data {
    Small(u128),
    // Bits above the width are zero, so that whole words can be compared.
    Large(BitVec<u64, Lsb0>),
}

/// A value with a width. Width 0 is a literal that takes the width of its context.
#[derive(Clone)]
pub struct Bits {
    width: usize,
    signed: bool,
    data: Data,
}

impl Bits {
    /// `value` in `width` bits; higher bits of `value` are dropped.
    pub fn new(value: u128, width: usize) -> Bits {
        match width {
            0..=SMALL_BITS => Bits::small(value & mask(width), width),
            _ => Bits::from_words(vec![low_word(value), low_word(value >> 64)], width),
        }
    }

    /// `width` zero bits.
    pub fn zero(width: usize) -> Bits {
        Bits::from_words(Vec::new(), width)
    }

    /// `value` in two's complement in `width` bits; higher bits are dropped.
    pub fn from_i128(value: i128, width: usize) -> Bits {
        let mut narrow = Bits::new(value.cast_unsigned(), SMALL_BITS);
        narrow.signed = true;
        narrow.resized(width)
    }

    /// The low `width` bits of little-endian `words`; missing words are zero.
    pub fn from_words(mut words: Vec<u64>, width: usize) -> Bits {
        words.resize(width.div_ceil(64), 0);
        if width <= SMALL_BITS {
            let low = words.first().copied().unwrap_or(0);
            let high = words.get(1).copied().unwrap_or(0);
            return Bits::small((u128::from(high) << 64 | u128::from(low)) & mask(width), width);
        }
        if !width.is_multiple_of(64) {
            if let Some(last) = words.last_mut() {
                *last &= (1 << (width % 64)) - 1;
            }
        }
        let mut data = BitVec::from_vec(words);
        data.truncate(width);
        Bits { width, signed: false, data: Data::Large(data) }
    }

    fn small(value: u128, width: usize) -> Bits {
        Bits { width, signed: false, data: Data::Small(value) }
    }

    /// The width; 0 for a literal.
    pub fn bits(&self) -> usize {
        self.width
    }

    /// Little-endian words; bits above the width are zero.
    pub fn words(&self) -> Vec<u64> {
        match &self.data {
            Data::Small(value) => vec![low_word(*value), low_word(*value >> 64)],
            Data::Large(data) => data.as_raw_slice().to_vec(),
        }
    }

    /// The low 128 bits as an unsigned number.
    pub fn low_u128(&self) -> u128 {
        match &self.data {
            Data::Small(value) => *value,
            Data::Large(data) => {
                let words = data.as_raw_slice();
                u128::from(words[1]) << 64 | u128::from(words[0])
            }
        }
    }

    /// The value of at most 128 bits as a two's complement number.
    pub fn to_i128(&self) -> i128 {
        debug_assert!((1..=SMALL_BITS).contains(&self.width));
        let unused = SMALL_BITS - self.width;
        (self.low_u128() << unused).cast_signed() >> unused
    }

    /// The value as an index. Usable in `match self.state.val().index() { 0 => .., _ => .. }`.
    /// A value beyond `usize` gives `usize::MAX`, which no buffer reaches.
    pub fn index(&self) -> usize {
        if self.words().iter().skip(1).any(|&word| word != 0) {
            return usize::MAX;
        }
        usize::try_from(self.low_u128()).unwrap_or(usize::MAX)
    }

    /// Is any bit set? This is how a one-bit signal becomes a condition: `if self.x.val().any() { .. }`.
    pub fn any(&self) -> bool {
        match &self.data {
            Data::Small(value) => *value != 0,
            Data::Large(data) => data.any(),
        }
    }

    /// Are all bits set?
    pub fn all(&self) -> bool {
        match &self.data {
            Data::Small(value) => *value == mask(self.width),
            Data::Large(data) => data.all(),
        }
    }

    /// Is the number of set bits odd?
    pub fn xor(&self) -> bool {
        self.words().iter().map(|word| word.count_ones()).sum::<u32>() % 2 == 1
    }

    /// The bit at `idx` as a one-bit value; 0 beyond the width.
    pub fn get_bit(&self, idx: impl Into<Bits>) -> Bits {
        self.slice(idx.into().index(), 1)
    }

    /// `N` bits from bit `offset` on; 0 beyond the width.
    pub fn get_bits<const N: usize>(&self, offset: impl Into<Bits>) -> Bits {
        self.slice(offset.into().index(), N)
    }

    /// `width` bits from bit `from` on; 0 beyond the width. For leaves; a kernel shifts instead.
    pub fn slice(&self, from: usize, width: usize) -> Bits {
        if let Data::Small(value) = &self.data {
            if width <= SMALL_BITS {
                let shifted = if from < SMALL_BITS { *value >> from } else { 0 };
                return Bits::small(shifted & mask(width), width);
            }
        }
        let words = self.words();
        let word = |idx: usize| words.get(idx).copied().unwrap_or(0);
        let (first, bit) = (from / 64, from % 64);
        let shifted = (0..width.div_ceil(64))
            .map(|i| {
                let low = word(first.saturating_add(i)) >> bit;
                let high = word(first.saturating_add(i + 1)).checked_shl(64 - low_shift(bit));
                low | high.unwrap_or(0)
            })
            .collect();
        Bits::from_words(shifted, width)
    }

    /// Overwrites the bits from `from` on with `value`; bits that fall outside are dropped.
    pub fn set_slice(&mut self, from: usize, value: &Bits) {
        let keep = Bits::ones(value.width).resized(self.width) << from;
        let placed = value.clone().resized(self.width) << from;
        *self = (self.clone() & !keep) | placed;
    }

    /// `width` one bits.
    pub fn ones(width: usize) -> Bits {
        Bits::from_words(vec![u64::MAX; width.div_ceil(64)], width)
    }

    /// Extended or truncated to `width`: with the sign if this is a [`signed_cast`], with zeros otherwise.
    /// The result is unsigned.
    pub fn resized(&self, width: usize) -> Bits {
        if self.width == width && !self.signed {
            return self.clone();
        }
        if self.signed && width > self.width && self.slice(self.width - 1, 1).any() {
            let low = self.slice(0, width);
            return low | (Bits::ones(width) << self.width);
        }
        self.slice(0, width)
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.signed
    }

    pub(crate) fn with_sign(mut self, signed: bool) -> Bits {
        self.signed = signed && self.width > 0;
        self
    }
}

/// Reads `value` in two's complement: it is extended with its sign, and compared as signed when both sides are.
/// Usable in kernels.
pub fn signed_cast(value: Bits) -> Bits {
    value.with_sign(true)
}

/// `value` in `width` bits, inside an expression. Usable in kernels, but not on a path that is indexed by a loop
/// variable (RustHDL evaluates the call outside of the loop).
pub fn bit_cast_to(value: Bits, width: usize) -> Bits {
    value.resized(width)
}

/// The smallest width that holds `value`, at least 1.
pub fn bits_for(value: usize) -> usize {
    let used = usize::BITS - value.leading_zeros();
    used.max(1) as usize // widening: u32 to usize
}

/// The width of an index into `n` entries, at least 1.
pub fn index_bits(n: usize) -> usize {
    bits_for(n.saturating_sub(1))
}

fn mask(width: usize) -> u128 {
    match width {
        0 | SMALL_BITS.. => u128::MAX,
        _ => (1 << width) - 1,
    }
}

fn low_word(value: u128) -> u64 {
    (value & u128::from(u64::MAX)) as u64 // masked above
}

fn low_shift(bit: usize) -> u32 {
    (bit % 64) as u32 // below 64
}

impl From<usize> for Bits {
    fn from(value: usize) -> Bits {
        Bits::small(value as u128, 0) // widening
    }
}

impl From<bool> for Bits {
    fn from(value: bool) -> Bits {
        Bits::small(u128::from(value), 1)
    }
}

impl fmt::Display for Bits {
    /// Hexadecimal, all digits of the width.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.width.div_ceil(4).max(1);
        let text: String = self.words().iter().rev().map(|word| format!("{word:016x}")).collect();
        let text = format!("{text:0>digits$}");
        f.write_str(&text[text.len() - digits..])
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}'h{self}", self.width)
    }
}
