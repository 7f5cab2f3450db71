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
    /// The activation table of every requantizer lane; only machines with `numerics.activation_table` have it.
    Table,
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
    /// First buffer row to be written (for parameters: row of the parameter buffer, bank 0; for the table: entry).
    pub buffer_row: u16,
    /// 0: every piece is a buffer row. 1 + s (activations only): buffer rows are windows over the pieces, the newest in lanes
    /// 0..2^s, the one before in the next 2^s lanes, up to the mesh's last row.
    pub lane_group: u8,
}

/// Which activation rows a fold streams, and which of their lanes are padding.
///
/// Row i has the place j = i mod `inner_count` in line l = i / `inner_count`: buffer row `activation_row` + l `outer_stride` + j
/// `inner_stride` modulo 2^16, x = `x_start` + j `x_step`, y = `y_start` + l `y_step`. Lane r holds the buffer's value if 0 <= y <
/// `y_limit` and x - `x_limit` <= r < x, else `pad`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    pub inner_count: u16,
    pub inner_stride: u16,
    pub outer_stride: u16,
    /// In the encoding of the activation format.
    pub pad: u16,
    /// 20 bits, signed.
    pub x_start: i32,
    /// 12 bits.
    pub x_step: u16,
    /// 19 bits.
    pub x_limit: u32,
    pub y_start: i16,
    /// 12 bits.
    pub y_step: u16,
    /// 15 bits.
    pub y_limit: u16,
}

/// One streamed row of a [`Walk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Row of the activation buffer.
    pub row: u16,
    /// Lanes that are not padding: `keep_from <= r < keep_to`.
    pub keep_from: usize,
    pub keep_to: usize,
}

impl Walk {
    /// Bits of x (signed), y (signed) and their steps.
    pub const X_BITS: u32 = 20;
    pub const Y_BITS: u32 = 16;
    pub const STEP_BITS: u32 = 12;

    /// Rows one after another, nothing padded, on a mesh of `mesh_rows` rows.
    pub const fn linear(mesh_rows: usize) -> Self {
        Self {
            inner_count: u16::MAX,
            inner_stride: 1,
            outer_stride: 0,
            pad: 0,
            x_start: mesh_rows as i32,
            x_step: 0,
            x_limit: mesh_rows as u32,
            y_start: 0,
            y_step: 0,
            y_limit: 1,
        }
    }

    /// The rows that a fold with this `activation_row` streams on a mesh of `mesh_rows` rows, in order and without end.
    pub fn places(self, activation_row: u16, mesh_rows: usize) -> impl Iterator<Item = Place> {
        let (mut line, mut row) = (activation_row, activation_row);
        let (mut left, mut x, mut y) = (self.inner_count, self.x_start, i32::from(self.y_start));
        std::iter::repeat_with(move || {
            let clamp = |lane: i32| lane.clamp(0, mesh_rows as i32) as usize;
            let inside = (0..i32::from(self.y_limit)).contains(&y);
            let keep = if inside { [clamp(x - self.x_limit as i32), clamp(x)] } else { [0, 0] };
            let place = Place { row, keep_from: keep[0], keep_to: keep[1] };
            if left > 1 {
                row = row.wrapping_add(self.inner_stride);
                x += i32::from(self.x_step);
                left -= 1;
            } else {
                line = line.wrapping_add(self.outer_stride);
                (row, x, left) = (line, self.x_start, self.inner_count);
                y += i32::from(self.y_step);
            }
            place
        })
    }
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
    /// Keep the greater of the accumulator's value and the psum, instead of their sum.
    pub maximum: bool,
    /// Accumulator rows from one streamed row to the next, 0..=15. With 0 `overwrite` holds for the first row only.
    pub accumulator_step: u8,
    pub rows: u16,
    pub activation_row: u16,
    pub weight_row: u16,
    pub accumulator_row: u16,
    pub k: u16,
    pub walk: Walk,
}

/// Accumulator to memory: `rows` x `tiles` x `terms` accumulator rows, requantized and packed.
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
    /// Accumulator rows whose products are added for one output, 1..=15; they lie one after another.
    pub terms: u8,
    /// Results are looked up in the activation table.
    pub table: bool,
    /// Bits written per row, 28 bits.
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
    pub const LOAD_TABLE: u32 = 6;
    pub const FINISH: u32 = 7;
}

/// Why eight words are not a command.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
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

/// The low `bits` bits of a word, as a two's complement number.
const fn signed(word: u32, bits: u32) -> i32 {
    ((word << (32 - bits)) as i32) >> (32 - bits)
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
            Self::Table => opcode::LOAD_TABLE,
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
                c.target.opcode()
                    | c.tokens.encode()
                    | (c.start_bit as u32) << 8
                    | (c.lane_group as u32) << 11
                    | (c.requests as u32) << 16,
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
                    | (c.maximum as u32) << 11
                    | (c.accumulator_step as u32) << 12
                    | (c.rows as u32) << 16,
                pair(c.activation_row, c.weight_row),
                pair(c.accumulator_row, c.k),
                pair(c.walk.inner_count, c.walk.inner_stride),
                pair(c.walk.outer_stride, c.walk.pad),
                (c.walk.x_start as u32) & 0xf_ffff | (c.walk.x_step as u32) << 20,
                c.walk.x_limit | (c.walk.y_step as u32) << 20,
                pair(c.walk.y_start as u16, c.walk.y_limit),
            ],
            Self::Store(c) => [
                opcode::STORE
                    | (c.table as u32) << 3
                    | c.tokens.encode()
                    | (c.half as u32) << 8
                    | (c.last_groups as u32 - 1) << 9
                    | (c.rows as u32) << 16,
                c.address,
                c.stride,
                pair(c.accumulator_row, c.tile_stride),
                pair(c.tiles, c.parameter_row),
                c.row_bits | (c.terms as u32 - 1) << 28,
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
            opcode::LOAD_TABLE => LoadTarget::Table,
            opcode::EXECUTE => {
                return Ok(Self::Execute(Execute {
                    tokens,
                    half: bit(words[0], 8),
                    overwrite: bit(words[0], 9),
                    push_late: bit(words[0], 10),
                    maximum: bit(words[0], 11),
                    accumulator_step: (words[0] >> 12 & 15) as u8,
                    rows: count,
                    activation_row: low(words[1]),
                    weight_row: high(words[1]),
                    accumulator_row: low(words[2]),
                    k: high(words[2]),
                    walk: Walk {
                        inner_count: low(words[3]),
                        inner_stride: high(words[3]),
                        outer_stride: low(words[4]),
                        pad: high(words[4]),
                        x_start: signed(words[5], 20),
                        x_step: (words[5] >> 20) as u16,
                        x_limit: words[6] & 0xf_ffff,
                        y_start: low(words[7]) as i16,
                        y_step: (words[6] >> 20) as u16,
                        y_limit: high(words[7]),
                    },
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
                    terms: (words[5] >> 28) as u8 + 1,
                    table: bit(words[0], 3),
                    row_bits: words[5] & 0xfff_ffff,
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
            // Three bits: only 7 is left.
            _ => return Ok(Self::Finish),
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
            lane_group: (words[0] >> 11 & 15) as u8,
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
            lane_group: 11,
        });
        assert_eq!(load.encode(), [0x0321_5d91, 0x1234_5678, 0x9abc, 0x0010_0777, 0x80, 0x800, 0, 0],);
        let execute = Command::Execute(Execute {
            tokens: ALL_TOKENS,
            half: true,
            overwrite: false,
            push_late: true,
            maximum: true,
            accumulator_step: 13,
            rows: 0xabc,
            activation_row: 1,
            weight_row: 2,
            accumulator_row: 3,
            k: 4,
            walk: Walk {
                inner_count: 5,
                inner_stride: 6,
                outer_stride: 7,
                pad: 8,
                x_start: -9,
                x_step: 0x123,
                x_limit: 0x4_5678,
                y_start: -10,
                y_step: 0x9ab,
                y_limit: 0x1234,
            },
        });
        let words =
            [0x0abc_dd93, 0x0002_0001, 0x0004_0003, 0x0006_0005, 0x0008_0007, 0x123f_fff7, 0x9ab4_5678, 0x1234_fff6];
        assert_eq!(execute.encode(), words);
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
            terms: 7,
            table: true,
            row_bits: 1,
            low: 0xfffe,
            high: 15,
            index: 0x8765_4321,
        });
        assert_eq!(
            store.encode(),
            [0x0009_059c, 8, 7, 0x0005_0006, 0x0002_0004, 0x6000_0001, 0x000f_fffe, 0x8765_4321]
        );
        let seed = Command::Seed(Seed { key: 0x0123_4567_89ab_cdef, mask: 0xfeed, row_stride: 77 });
        assert_eq!(seed.encode(), [5, 0x89ab_cdef, 0x0123_4567, 0xfeed, 77, 0, 0, 0]);
        for command in [load, execute, store, seed, Command::Finish] {
            assert_eq!(Command::decode(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn a_walk_pads_lanes_by_x_and_whole_rows_by_y() {
        // Two lines of three windows on four lanes; groups of 2 lanes over a line of 2 pixels: x = 2 (pixel + 1).
        let walk = Walk {
            inner_count: 3,
            inner_stride: 1,
            outer_stride: 10,
            pad: 0,
            x_start: 2,
            x_step: 2,
            x_limit: 4,
            y_start: -1,
            y_step: 1,
            y_limit: 1,
        };
        let places: Vec<[usize; 3]> =
            walk.places(100, 4).take(6).map(|p| [p.row.into(), p.keep_from, p.keep_to]).collect();
        // Line -1 is padding. In line 0: only the newest pixel; both; only the older one.
        let expected = [[100, 0, 0], [101, 0, 0], [102, 0, 0], [110, 0, 2], [111, 0, 4], [112, 2, 4]];
        assert_eq!(places, expected);
        assert!(Walk::linear(5)
            .places(7, 5)
            .take(9)
            .enumerate()
            .all(|(i, p)| { p == Place { row: 7 + i as u16, keep_from: 0, keep_to: 5 } }));
    }

    #[test]
    fn wrong_words_are_refused() {
        assert_eq!(
            Command::decode(&[0, 0, 0, 2 << 16, 3, 5, 0, 0]),
            Err(DecodeError::RequestBits { given: 5, expected: 6 }),
        );
    }
}
