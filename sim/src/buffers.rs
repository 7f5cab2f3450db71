//! The activation, weight and parameter buffers and the table, as decoded values. Contents are 0 before the first
//! load.

use golden::{pair_up, Channel};
use spec::{Config, Format, LoadTarget, Numerics, Place};

const INT8: Format = Format::new(8, true);

/// All buffers that load fills.
#[derive(Clone, Debug)]
pub struct Buffers {
    numerics: Numerics,
    rows: usize,
    cols: usize,
    lanes: usize,
    /// Rows of pairs, as products take them: each row is streamed many times.
    activations: Vec<u32>,
    row_pairs: usize,
    weights: Vec<i32>,
    parameters: Vec<Channel>,
    /// The row register of a load of windows, and of other rows on their way to pairs.
    row: Vec<i32>,
    /// Empty where the machine has no table.
    table: Vec<i32>,
}

/// Where a completed buffer row goes.
#[derive(Clone, Copy, Debug)]
pub struct RowAddr {
    pub target: LoadTarget,
    pub row: usize,
    pub bank: usize,
    pub window: Option<Window>,
}

/// How an activation row joins those before it to a window.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Lanes from one piece to the one before.
    pub lanes: usize,
    /// Whether there is no piece before.
    pub first: bool,
}

/// Bits `from..from + n_bits` (1..=63 of them) of a row, 0 beyond its end.
#[inline]
fn field(row: &[u64], from: usize, n_bits: u32) -> u64 {
    let (word, shift) = (from / 64, from % 64);
    let mut value = row.get(word).copied().unwrap_or(0) >> shift;
    if shift + n_bits as usize > 64 {
        value |= row.get(word + 1).copied().unwrap_or(0) << (64 - shift);
    }
    value & ((1 << n_bits) - 1)
}

/// Decodes values one after another; those beyond the row's end are 0.
fn decode_row(row: &[u64], format: Format, values: &mut [i32]) {
    if format == INT8 {
        // The most frequent one.
        for (i, values) in values.chunks_mut(8).enumerate() {
            let bytes = row.get(i).map_or([0; 8], |word| word.to_le_bytes());
            for (value, byte) in values.iter_mut().zip(bytes) {
                *value = (byte as i8).into();
            }
        }
        return;
    }
    for (i, value) in values.iter_mut().enumerate() {
        *value = format.decode(field(row, i * format.bits() as usize, format.bits())) as i32;
    }
}

/// What [`decode_row`] and [`pair_up`] make of a row of int8 values.
fn pair_up_int8(row: &[u64], pairs: &mut [u32]) {
    let half = |byte: u8| u32::from((byte as i8) as i16 as u16);
    for (i, pairs) in pairs.chunks_mut(4).enumerate() {
        let bytes = row.get(i).map_or([0; 8], |word| word.to_le_bytes());
        for (pair, bytes) in pairs.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *pair = half(bytes[0]) | half(bytes[1]) << 16;
        }
    }
}

/// The fields of a parameter record, least significant first: bias, multiplier (if the scheme has one), shift, zero point.
fn decode_record(record: &[u64], numerics: &Numerics) -> Channel {
    let mut from = 0;
    let mut next = |format: Format| {
        let value = format.decode(field(record, from, format.bits()));
        from += format.bits() as usize;
        value
    };
    Channel {
        bias: next(numerics.bias()),
        multiplier: numerics.multiplier().map_or(1, |format| next(format) as u32),
        shift: next(numerics.shift()) as u32,
        zero_point: next(numerics.bound()),
    }
}

impl Buffers {
    pub fn new(config: &Config) -> Self {
        let geometry = config.geometry();
        let no_channel = Channel { bias: 0, multiplier: 0, shift: 0, zero_point: 0 };
        Self {
            numerics: config.numerics().clone(),
            rows: geometry.rows(),
            cols: geometry.cols(),
            lanes: geometry.requantizer_lanes(),
            activations: vec![0; geometry.activation_buffer_rows() * geometry.rows().div_ceil(2)],
            row_pairs: geometry.rows().div_ceil(2),
            weights: vec![0; geometry.weight_buffer_rows() * geometry.cols()],
            parameters: vec![no_channel; geometry.parameter_rows() * geometry.requantizer_lanes()],
            row: vec![0; geometry.rows()],
            table: if config.numerics().activation_table() {
                vec![0; 1 << config.numerics().output().bits()]
            } else {
                Vec::new()
            },
        }
    }

    /// Writes one packed row; rows beyond the buffer are dropped (`spec` refuses such programs).
    pub fn write(&mut self, addr: RowAddr, row: &[u64]) {
        let RowAddr { target, row: addr, bank, window } = addr;
        match target {
            LoadTarget::Activations => {
                let from = addr * self.row_pairs;
                let pairs = self.activations.get_mut(from..from + self.row_pairs);
                // The most frequent rows. (With an odd number of lanes the last pair is half a value.)
                if let (None, INT8, 0, Some(pairs)) = (window, self.numerics.activation(), self.rows % 2, pairs) {
                    return pair_up_int8(row, pairs);
                }
                match window {
                    Some(window) => self.advance_window(window, row),
                    None => decode_row(row, self.numerics.activation(), &mut self.row),
                }
                if let Some(pairs) = self.activations.get_mut(from..from + self.row_pairs) {
                    pair_up(&self.row, pairs);
                }
            }
            LoadTarget::Weights => {
                if let Some(values) = self.weights.get_mut(addr * self.cols..(addr + 1) * self.cols) {
                    decode_row(row, self.numerics.weight(), values);
                }
            }
            LoadTarget::Table => {
                if let Some(value) = self.table.get_mut(addr) {
                    decode_row(row, self.numerics.output(), std::slice::from_mut(value));
                }
            }
            LoadTarget::Parameters => {
                if let Some(channel) = self.parameters.get_mut(addr * self.lanes + bank) {
                    *channel = decode_record(row, &self.numerics);
                }
            }
        }
    }

    /// Moves the pieces of the window on and puts the newest into its first lanes.
    fn advance_window(&mut self, window: Window, piece: &[u64]) {
        let lanes = window.lanes.min(self.rows);
        if window.first {
            self.row.fill(0);
        } else {
            self.row.copy_within(..self.rows - lanes, lanes);
        }
        decode_row(piece, self.numerics.activation(), &mut self.row[..lanes]);
    }

    /// Pairs of lanes of an activation row.
    pub fn row_pairs(&self) -> usize {
        self.row_pairs
    }

    /// The pairs of a streamed row, of which some lanes may be `pad`, twice the padding activation; `padded` has room for
    /// them. Rows beyond the buffer are zeros (`spec` refuses such programs).
    #[inline]
    pub fn stream<'a>(&'a self, place: Place, pad: u32, padded: &'a mut [u32]) -> &'a [u32] {
        let (keep_from, keep_to) = (place.keep_from, place.keep_to);
        let from = usize::from(place.row) * self.row_pairs;
        let row = self.activations.get(from..from + self.row_pairs);
        match row {
            Some(row) if keep_from == 0 && keep_to == self.rows => return row,
            Some(row) => padded.copy_from_slice(row),
            None => padded.fill(0),
        }
        for (i, pair) in padded.iter_mut().enumerate() {
            let half = |lane: usize, mask: u32| if (keep_from..keep_to).contains(&lane) { mask } else { 0 };
            let kept = half(2 * i, 0xffff) | half(2 * i + 1, 0xffff << 16);
            *pair = (*pair & kept) | (pad & !kept);
        }
        padded
    }

    /// The R x C weights that a preload of `k` rows from `row` on leaves in the shadows: stored row 0 is mesh row k-1,
    /// mesh rows from `k` on are 0.
    pub fn weight_tile(&self, row: usize, k: usize, tile: &mut Vec<i32>) {
        tile.clear();
        tile.resize(self.rows * self.cols, 0);
        for mesh_row in 0..k.min(self.rows) {
            let from = (row + k - 1 - mesh_row) * self.cols;
            if let Some(values) = self.weights.get(from..from + self.cols) {
                tile[mesh_row * self.cols..(mesh_row + 1) * self.cols].copy_from_slice(values);
            }
        }
    }

    /// The parameters of one group of columns, as many rows as it has terms, if they are within the buffer.
    #[inline]
    pub fn parameters(&self, row: usize, terms: usize) -> Option<&[Channel]> {
        self.parameters.get(row * self.lanes..(row + terms) * self.lanes)
    }

    /// The table, entry by entry of the output format's encoding; empty where the machine has none.
    pub fn table(&self) -> &[i32] {
        &self.table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_int8_values_are_those_of_decoded_rows() {
        let row = [0x7f80_ff00_0102_fe81, 0x8001_ffff_7f7f_8080];
        for n_pairs in 1..=10 {
            // A short row is followed by zeros.
            for row in [&row[..], &row[..1]] {
                let (mut values, mut expected, mut pairs) = (vec![7; 2 * n_pairs], vec![7; n_pairs], vec![9; n_pairs]);
                decode_row(row, INT8, &mut values);
                pair_up(&values, &mut expected);
                pair_up_int8(row, &mut pairs);
                assert_eq!(pairs, expected, "{n_pairs} pairs of {row:x?}");
            }
        }
    }
}
