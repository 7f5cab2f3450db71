//! Number formats of quantized tensors: 1..=32 bits, signed, unsigned, bipolar or ternary.

use crate::error::GoldenError;
use std::fmt;

/// Which integers a format's codes stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Two's complement: -2^(b-1) ..= 2^(b-1) - 1.
    Signed,
    /// 0 ..= 2^b - 1.
    Unsigned,
    /// The odd numbers -(2^b - 1), .., -1, 1, .., 2^b - 1: no zero. With one bit, -1 and 1.
    Bipolar,
    /// -1, 0, 1, always in 2 bits.
    Ternary,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Signed, Self::Unsigned, Self::Bipolar, Self::Ternary];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Unsigned => "unsigned",
            Self::Bipolar => "bipolar",
            Self::Ternary => "ternary",
        }
    }
}

/// Whether a format uses all its codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    Full,
    /// One value less, so that a signed range is symmetric: the least signed value, or the greatest unsigned one (as QONNX has
    /// it), is left out.
    Narrow,
}

/// A number format: a set of integers and how they are coded in `bits` bits.
///
/// | kind | full range | narrow range | bits |
/// |---|---|---|---|
/// | signed | -2^(b-1) ..= 2^(b-1) - 1 | -(2^(b-1) - 1) ..= 2^(b-1) - 1 | full 1..=32, narrow 2..=32 |
/// | unsigned | 0 ..= 2^b - 1 | 0 ..= 2^b - 2 | full 1..=32, narrow 2..=32 |
/// | bipolar | odd numbers of -(2^b - 1) ..= 2^b - 1 | - | 1..=31 |
/// | ternary | -1, 0, 1 | - | 2 |
///
/// ```
/// use golden::{Kind, QFormat, Range};
/// let int4 = QFormat::new(Kind::Signed, 4, Range::Narrow).expect("it exists");
/// assert_eq!((int4.min(), int4.max(), int4.n_levels()), (-7, 7, 15));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QFormat {
    kind: Kind,
    bits: u32,
    range: Range,
}

impl QFormat {
    /// Ternary numbers.
    pub const TERNARY: Self = Self { kind: Kind::Ternary, bits: 2, range: Range::Full };
    /// -1 and 1.
    pub const BIPOLAR: Self = Self { kind: Kind::Bipolar, bits: 1, range: Range::Full };

    /// See the table for what exists.
    pub fn new(kind: Kind, bits: u32, range: Range) -> Result<Self, GoldenError> {
        let refuse = |rule| Err(GoldenError::Format { kind: kind.name(), bits, rule });
        match (kind, range) {
            _ if !(1..=32).contains(&bits) => refuse("it must be 1..=32"),
            (Kind::Bipolar, _) if bits == 32 => refuse("it must be 1..=31, or its values would not fit a word of 32"),
            (Kind::Ternary, _) if bits != 2 => refuse("ternary values take 2"),
            (Kind::Ternary | Kind::Bipolar, Range::Narrow) => {
                refuse("only signed and unsigned formats have a narrow range")
            }
            (_, Range::Narrow) if bits == 1 => refuse("a narrow range takes 2 or more, or one value would be left"),
            _ => Ok(Self { kind, bits, range }),
        }
    }

    /// A signed or unsigned format of 1..=32 bits that uses all its codes.
    pub fn full(bits: u32, signed: bool) -> Result<Self, GoldenError> {
        Self::new(if signed { Kind::Signed } else { Kind::Unsigned }, bits, Range::Full)
    }

    pub const fn kind(self) -> Kind {
        self.kind
    }

    pub const fn bits(self) -> u32 {
        self.bits
    }

    pub const fn range(self) -> Range {
        self.range
    }

    /// The least value.
    pub const fn min(self) -> i64 {
        let narrow = matches!(self.range, Range::Narrow) as i64;
        match self.kind {
            Kind::Signed => -(1 << (self.bits - 1)) + narrow,
            Kind::Unsigned => 0,
            Kind::Bipolar => 1 - (1 << self.bits),
            Kind::Ternary => -1,
        }
    }

    /// The greatest value.
    pub const fn max(self) -> i64 {
        let narrow = matches!(self.range, Range::Narrow) as i64;
        match self.kind {
            Kind::Signed => (1 << (self.bits - 1)) - 1,
            Kind::Unsigned => (1 << self.bits) - 1 - narrow,
            Kind::Bipolar => (1 << self.bits) - 1,
            Kind::Ternary => 1,
        }
    }

    /// The distance between neighbours: 2 for bipolar formats, else 1.
    pub const fn step(self) -> i64 {
        match self.kind {
            Kind::Bipolar => 2,
            _ => 1,
        }
    }

    /// How many values the format has.
    pub const fn n_levels(self) -> u64 {
        ((self.max() - self.min()) / self.step() + 1) as u64
    }

    pub const fn contains(self, value: i64) -> bool {
        self.min() <= value && value <= self.max() && (value - self.min()) % self.step() == 0
    }

    /// `value` clamped to the range; bipolar formats take the odd number above an even one.
    pub const fn saturate(self, value: i64) -> i64 {
        if value <= self.min() {
            self.min()
        } else if value >= self.max() {
            self.max()
        } else {
            value + (value - self.min()) % self.step()
        }
    }

    /// The value's code: two's complement, or for bipolar values the number of steps from the least.
    pub const fn encode(self, value: i64) -> u32 {
        let mask = (1_u64 << self.bits) - 1;
        let code = match self.kind {
            Kind::Bipolar => (value - self.min()) / 2,
            _ => value,
        };
        (code as u64 & mask) as u32
    }

    /// The value whose code are the low `bits` bits of `code`; higher bits are ignored. The code that a narrow or ternary format
    /// leaves out gives the value beside its range.
    pub const fn decode(self, code: u32) -> i64 {
        let shift = 64 - self.bits;
        let code = (code as u64) << shift;
        match self.kind {
            Kind::Signed | Kind::Ternary => (code as i64) >> shift,
            Kind::Unsigned => (code >> shift) as i64,
            Kind::Bipolar => 2 * (code >> shift) as i64 + self.min(),
        }
    }

    /// The narrowest signed or unsigned machine format that holds every value.
    ///
    /// A machine without a bipolar multiplier takes bipolar numbers as signed ones, one bit wider.
    pub fn machine(self) -> spec::Format {
        match self.kind {
            Kind::Signed => spec::Format::new(self.bits, true),
            Kind::Unsigned => spec::Format::new(self.bits, false),
            Kind::Bipolar => spec::Format::new(self.bits + 1, true),
            Kind::Ternary => spec::Format::new(2, true),
        }
    }
}

impl fmt::Display for QFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let narrow = if self.range == Range::Narrow { " narrow" } else { "" };
        match self.kind {
            Kind::Signed => write!(f, "int{}{narrow}", self.bits),
            Kind::Unsigned => write!(f, "uint{}{narrow}", self.bits),
            Kind::Bipolar => write!(f, "bipolar{}", self.bits),
            Kind::Ternary => write!(f, "ternary"),
        }
    }
}
