//! The activation, weight and parameter buffers, as decoded values. Contents are 0 before the first load.

use golden::Channel;
use spec::{Config, Format, LoadTarget, Numerics};

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

fn decode_row(row: &[u64], format: Format, values: &mut [i32]) {
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
        }
    }

    /// Writes one packed row; rows beyond the buffer are dropped (`spec` refuses such programs).
    pub fn write(&mut self, target: LoadTarget, addr: usize, bank: usize, row: &[u64]) {
        match target {
            LoadTarget::Activations => {
                if let Some(values) = self.activations.get_mut(addr * self.rows..(addr + 1) * self.rows) {
                    decode_row(row, self.numerics.activation(), values);
                }
            }
            LoadTarget::Weights => {
                if let Some(values) = self.weights.get_mut(addr * self.cols..(addr + 1) * self.cols) {
                    decode_row(row, self.numerics.weight(), values);
                }
            }
            LoadTarget::Table => {}
            LoadTarget::Parameters => {
                if let Some(channel) = self.parameters.get_mut(addr * self.lanes + bank) {
                    *channel = decode_record(row, &self.numerics);
                }
            }
        }
    }

    /// An activation row of R values, if it is within the buffer.
    #[inline]
    pub fn activations(&self, row: usize) -> Option<&[i32]> {
        self.activations.get(row * self.rows..(row + 1) * self.rows)
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

    /// The parameters of one group of columns, if the row is within the buffer.
    #[inline]
    pub fn parameters(&self, row: usize) -> Option<&[Channel]> {
        self.parameters.get(row * self.lanes..(row + 1) * self.lanes)
    }
}
