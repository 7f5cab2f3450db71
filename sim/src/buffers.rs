//! The activation, weight and parameter buffers and the table, as decoded values. Contents are 0 before the first
//! load.

use golden::Channel;
use spec::{Config, Execute, Format, LoadTarget, Numerics, Place};

const INT8: Format = Format::new(8, true);

/// All buffers that load fills.
#[derive(Clone, Debug)]
pub struct Buffers {
    numerics: Numerics,
    rows: usize,
    cols: usize,
    lanes: usize,
    activations: Vec<i32>,
    weights: Vec<i32>,
    parameters: Vec<Channel>,
    /// The row register of a load of windows.
    window: Vec<i32>,
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
            activations: vec![0; geometry.activation_buffer_rows() * geometry.rows()],
            weights: vec![0; geometry.weight_buffer_rows() * geometry.cols()],
            parameters: vec![no_channel; geometry.parameter_rows() * geometry.requantizer_lanes()],
            window: vec![0; geometry.rows()],
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
                if let Some(window) = window {
                    self.advance_window(window, row);
                }
                if let Some(values) = self.activations.get_mut(addr * self.rows..(addr + 1) * self.rows) {
                    match window {
                        Some(_) => values.copy_from_slice(&self.window),
                        None => decode_row(row, self.numerics.activation(), values),
                    }
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
            self.window.fill(0);
        } else {
            self.window.copy_within(..self.rows - lanes, lanes);
        }
        decode_row(piece, self.numerics.activation(), &mut self.window[..lanes]);
    }

    /// The values of all streamed rows, if these lie one after another within the buffer and none of their lanes is
    /// padding.
    pub fn stream_linear(&self, fold: &Execute) -> Option<&[i32]> {
        let (walk, n_rows) = (fold.walk, usize::from(fold.rows));
        let first = walk.places(fold.activation_row, self.rows).next()?;
        let is_kept = first.keep_from == 0 && first.keep_to == self.rows;
        if !is_kept || walk.x_step != 0 || walk.inner_stride != 1 || fold.rows > walk.inner_count {
            return None;
        }
        let from = usize::from(first.row);
        // Rows modulo 2^16 begin anew.
        self.activations.get(from * self.rows..(from + n_rows) * self.rows).filter(|_| from + n_rows <= 1 << 16)
    }

    /// The R values of a streamed row; returns whether there are any: the row is within the buffer, or all of its
    /// lanes are `pad`.
    #[inline]
    pub fn stream(&self, place: Place, pad: i32, streamed: &mut [i32]) -> bool {
        let (keep_from, keep_to) = (place.keep_from, place.keep_to);
        if keep_from >= keep_to {
            streamed.fill(pad);
            return true;
        }
        let from = usize::from(place.row) * self.rows;
        let Some(row) = self.activations.get(from..from + self.rows) else { return false };
        streamed.copy_from_slice(row);
        if keep_to - keep_from < self.rows {
            streamed[..keep_from].fill(pad);
            streamed[keep_to..].fill(pad);
        }
        true
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
