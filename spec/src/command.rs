//! The command set and its binary encoding (tabulated in `docs/machine.md`).

use thiserror::Error;

/// Bits of an encoded command.
pub const COMMAND_BITS: usize = 256;

/// A command as it travels on the command channel: eight 32-bit words, word 0 lowest.
pub type CommandWords = [u32; 8];

/// The most tokens that a counter holds; a push beyond blocks.
pub const TOKEN_LIMIT: u32 = 15;

/// Which neighbours a command takes a token from before it starts and gives one to when it is done.
///
/// Neighbours (first, second): load has (execute, store), execute (load, store), store (load, execute).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tokens {
    pub pop_first: bool,
    pub pop_second: bool,
    pub push_first: bool,
    pub push_second: bool,
}

/// The buffer that a load fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadTarget {
    Activations,
    Weights,
    Parameters,
}

/// Memory to buffer: `requests` pieces of `rows_per_request` packed rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Load {
    pub target: LoadTarget,
    pub tokens: Tokens,
    /// Byte address of the first piece.
    pub address: u32,
    /// Bytes from one piece to the next.
    pub stride: u32,
    /// First bit of each piece within its first byte, 0..=7.
    pub start_bit: u8,
    pub requests: u16,
    pub rows_per_request: u16,
    pub row_bits: u16,
    /// First buffer row to be written (for parameters: row of the parameter buffer, bank 0).
    pub buffer_row: u16,
}

/// One fold: preload `k` weight rows, stream `rows` activation rows into the accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Execute {
    pub tokens: Tokens,
    pub half: bool,
    /// Overwrite the accumulator rows instead of adding to them.
    pub overwrite: bool,
    /// Push to load when the last activation row has been read, instead of when the weights have been swapped in.
    pub push_late: bool,
    pub rows: u16,
    pub activation_row: u16,
    pub weight_row: u16,
    pub accumulator_row: u16,
    pub k: u16,
}

/// Accumulator to memory: `rows` x `tiles` accumulator rows, requantized and packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    pub tokens: Tokens,
    pub half: bool,
    pub rows: u16,
    pub address: u32,
    pub stride: u32,
    pub accumulator_row: u16,
    /// Accumulator rows from one column tile to the next.
    pub tile_stride: u16,
    pub tiles: u16,
    /// Groups of `requantizer_lanes` columns that are read of the last tile, 1..=128.
    pub last_groups: u8,
    pub parameter_row: u16,
    /// Bits written per row.
    pub row_bits: u32,
    /// Clamp bounds, in the encoding of the output format.
    pub low: u16,
    pub high: u16,
    /// Index of the first output within its tensor, modulo 2^32. Only stochastic rounding looks at it.
    pub index: u32,
}

/// What the stores after it round with; only machines with stochastic rounding have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed {
    /// Key of the permutation.
    pub key: u64,
    /// What its result is xored with.
    pub mask: u32,
    /// What `index` grows by from one row of outputs to the next.
    pub row_stride: u32,
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    Load(Load),
    Execute(Execute),
    Store(Store),
    Seed(Seed),
    /// Wait until everything before is complete, then raise `done`.
    Finish,
}

/// Opcodes in bits 2..0 of word 0.
pub mod opcode {
    pub const LOAD_ACTIVATIONS: u32 = 0;
    pub const LOAD_WEIGHTS: u32 = 1;
    pub const LOAD_PARAMETERS: u32 = 2;
    pub const EXECUTE: u32 = 3;
    pub const STORE: u32 = 4;
    pub const SEED: u32 = 5;
    pub const FINISH: u32 = 7;
}

/// Why eight words are not a command.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("opcode {0} is reserved; commands have 0..=5 and 7")]
    ReservedOpcode(u32),
    #[error("request_bits = {given} must be rows_per_request x row_bits = {expected}")]
    RequestBits { given: u32, expected: u32 },
}

const fn pair(low: u16, high: u16) -> u32 {
    low as u32 | (high as u32) << 16
}

const fn low(word: u32) -> u16 {
    (word & 0xffff) as u16
}

const fn high(word: u32) -> u16 {
    (word >> 16) as u16
}

const fn bit(word: u32, index: u32) -> bool {
    word >> index & 1 == 1
}

impl Tokens {
    const fn encode(self) -> u32 {
        (self.pop_first as u32) << 4
            | (self.pop_second as u32) << 5
            | (self.push_first as u32) << 6
            | (self.push_second as u32) << 7
    }

    const fn decode(word: u32) -> Self {
        Self { pop_first: bit(word, 4), pop_second: bit(word, 5), push_first: bit(word, 6), push_second: bit(word, 7) }
    }
}

impl LoadTarget {
    const fn opcode(self) -> u32 {
        match self {
            Self::Activations => opcode::LOAD_ACTIVATIONS,
            Self::Weights => opcode::LOAD_WEIGHTS,
            Self::Parameters => opcode::LOAD_PARAMETERS,
        }
    }
}

impl Load {
    /// Bits of one piece.
    pub const fn request_bits(&self) -> u32 {
        self.rows_per_request as u32 * self.row_bits as u32
    }
}

impl Command {
    /// The token flags; `seed` and `finish` have none.
    pub const fn tokens(&self) -> Tokens {
        match self {
            Self::Load(load) => load.tokens,
            Self::Execute(execute) => execute.tokens,
            Self::Store(store) => store.tokens,
            Self::Seed(_) | Self::Finish => {
                Tokens { pop_first: false, pop_second: false, push_first: false, push_second: false }
            }
        }
    }

    pub const fn encode(&self) -> CommandWords {
        match *self {
            Self::Load(c) => [
                c.target.opcode() | c.tokens.encode() | (c.start_bit as u32) << 8 | (c.requests as u32) << 16,
                c.address,
                c.stride,
                pair(c.buffer_row, c.rows_per_request),
                c.row_bits as u32,
                c.request_bits(),
                0,
                0,
            ],
            Self::Execute(c) => [
                opcode::EXECUTE
                    | c.tokens.encode()
                    | (c.half as u32) << 8
                    | (c.overwrite as u32) << 9
                    | (c.push_late as u32) << 10
                    | (c.rows as u32) << 16,
                pair(c.activation_row, c.weight_row),
                pair(c.accumulator_row, c.k),
                0,
                0,
                0,
                0,
                0,
            ],
            Self::Store(c) => [
                opcode::STORE
                    | c.tokens.encode()
                    | (c.half as u32) << 8
                    | (c.last_groups as u32 - 1) << 9
                    | (c.rows as u32) << 16,
                c.address,
                c.stride,
                pair(c.accumulator_row, c.tile_stride),
                pair(c.tiles, c.parameter_row),
                c.row_bits,
                pair(c.low, c.high),
                c.index,
            ],
            Self::Seed(c) => {
                [opcode::SEED, (c.key & 0xffff_ffff) as u32, (c.key >> 32) as u32, c.mask, c.row_stride, 0, 0, 0]
            }
            Self::Finish => [opcode::FINISH, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// The inverse of [`Command::encode`]; bits that no field covers are ignored.
    pub const fn decode(words: &CommandWords) -> Result<Self, DecodeError> {
        let tokens = Tokens::decode(words[0]);
        let count = high(words[0]);
        let target = match words[0] & 7 {
            opcode::LOAD_ACTIVATIONS => LoadTarget::Activations,
            opcode::LOAD_WEIGHTS => LoadTarget::Weights,
            opcode::LOAD_PARAMETERS => LoadTarget::Parameters,
            opcode::EXECUTE => {
                return Ok(Self::Execute(Execute {
                    tokens,
                    half: bit(words[0], 8),
                    overwrite: bit(words[0], 9),
                    push_late: bit(words[0], 10),
                    rows: count,
                    activation_row: low(words[1]),
                    weight_row: high(words[1]),
                    accumulator_row: low(words[2]),
                    k: high(words[2]),
                }))
            }
            opcode::STORE => {
                return Ok(Self::Store(Store {
                    tokens,
                    half: bit(words[0], 8),
                    rows: count,
                    address: words[1],
                    stride: words[2],
                    accumulator_row: low(words[3]),
                    tile_stride: high(words[3]),
                    tiles: low(words[4]),
                    last_groups: (words[0] >> 9 & 0x7f) as u8 + 1,
                    parameter_row: high(words[4]),
                    row_bits: words[5],
                    low: low(words[6]),
                    high: high(words[6]),
                    index: words[7],
                }))
            }
            opcode::SEED => {
                return Ok(Self::Seed(Seed {
                    key: words[1] as u64 | (words[2] as u64) << 32,
                    mask: words[3],
                    row_stride: words[4],
                }))
            }
            opcode::FINISH => return Ok(Self::Finish),
            reserved => return Err(DecodeError::ReservedOpcode(reserved)),
        };
        let load = Load {
            target,
            tokens,
            address: words[1],
            stride: words[2],
            start_bit: (words[0] >> 8 & 7) as u8,
            requests: count,
            rows_per_request: high(words[3]),
            row_bits: low(words[4]),
            buffer_row: low(words[3]),
        };
        if load.request_bits() != words[5] {
            return Err(DecodeError::RequestBits { given: words[5], expected: load.request_bits() });
        }
        Ok(Self::Load(load))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_TOKENS: Tokens = Tokens { pop_first: true, pop_second: false, push_first: false, push_second: true };

    #[test]
    fn commands_encode_as_the_table_says() {
        let load = Command::Load(Load {
            target: LoadTarget::Weights,
            tokens: ALL_TOKENS,
            address: 0x1234_5678,
            stride: 0x9abc,
            start_bit: 5,
            requests: 0x321,
            rows_per_request: 0x10,
            row_bits: 0x80,
            buffer_row: 0x777,
        });
        assert_eq!(load.encode(), [0x0321_0591, 0x1234_5678, 0x9abc, 0x0010_0777, 0x80, 0x800, 0, 0],);
        let execute = Command::Execute(Execute {
            tokens: ALL_TOKENS,
            half: true,
            overwrite: false,
            push_late: true,
            rows: 0xabc,
            activation_row: 1,
            weight_row: 2,
            accumulator_row: 3,
            k: 4,
        });
        assert_eq!(execute.encode(), [0x0abc_0593, 0x0002_0001, 0x0004_0003, 0, 0, 0, 0, 0]);
        let store = Command::Store(Store {
            tokens: ALL_TOKENS,
            half: true,
            rows: 9,
            address: 8,
            stride: 7,
            accumulator_row: 6,
            tile_stride: 5,
            tiles: 4,
            last_groups: 3,
            parameter_row: 2,
            row_bits: 1,
            low: 0xfffe,
            high: 15,
            index: 0x8765_4321,
        });
        assert_eq!(store.encode(), [0x0009_0594, 8, 7, 0x0005_0006, 0x0002_0004, 1, 0x000f_fffe, 0x8765_4321]);
        let seed = Command::Seed(Seed { key: 0x0123_4567_89ab_cdef, mask: 0xfeed, row_stride: 77 });
        assert_eq!(seed.encode(), [5, 0x89ab_cdef, 0x0123_4567, 0xfeed, 77, 0, 0, 0]);
        for command in [load, execute, store, seed, Command::Finish] {
            assert_eq!(Command::decode(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        assert_eq!(Command::decode(&[6, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::ReservedOpcode(6)));
        assert_eq!(
            Command::decode(&[0, 0, 0, 2 << 16, 3, 5, 0, 0]),
            Err(DecodeError::RequestBits { given: 5, expected: 6 }),
        );
    }
}
