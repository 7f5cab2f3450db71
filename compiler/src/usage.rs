//! What a stretch of commands uses of the buffers, and the payload it moves.

use spec::{Command, Config, LoadTarget};

/// High-water marks: the highest row that is used, plus one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BufferRows {
    pub activations: usize,
    pub weights: usize,
    pub parameters: usize,
    /// Of either half.
    pub accumulator: usize,
}

/// Payload bits by tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Payload {
    pub activation_bits: u64,
    pub weight_bits: u64,
    /// Parameter records and tables.
    pub parameter_bits: u64,
    pub output_bits: u64,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    pub rows: BufferRows,
    pub payload: Payload,
}

impl Payload {
    pub fn read_bytes(&self) -> f64 {
        (self.activation_bits + self.weight_bits + self.parameter_bits) as f64 / 8.0
    }

    pub fn bytes(&self) -> f64 {
        self.read_bytes() + self.output_bits as f64 / 8.0
    }
}

impl Usage {
    pub fn of(config: &Config, commands: &[Command]) -> Self {
        let g = config.geometry();
        let mut usage = Self::default();
        let (rows, payload) = (&mut usage.rows, &mut usage.payload);
        for command in commands {
            match command {
                Command::Load(load) => {
                    let n_rows = usize::from(load.requests) * usize::from(load.rows_per_request);
                    let bits = n_rows as u64 * u64::from(load.row_bits);
                    let (mark, moved, n_rows) = match load.target {
                        LoadTarget::Activations => (&mut rows.activations, &mut payload.activation_bits, n_rows),
                        LoadTarget::Weights => (&mut rows.weights, &mut payload.weight_bits, n_rows),
                        LoadTarget::Parameters => {
                            (&mut rows.parameters, &mut payload.parameter_bits, n_rows.div_ceil(g.requantizer_lanes()))
                        }
                        LoadTarget::Table => {
                            payload.parameter_bits += bits;
                            continue;
                        }
                    };
                    *mark = (*mark).max(usize::from(load.buffer_row) + n_rows);
                    *moved += bits;
                }
                Command::Execute(execute) => {
                    let last = (usize::from(execute.rows) - 1) * usize::from(execute.accumulator_step);
                    rows.accumulator = rows.accumulator.max(usize::from(execute.accumulator_row) + last + 1);
                }
                Command::Store(store) => payload.output_bits += u64::from(store.rows) * u64::from(store.row_bits),
                Command::Seed(_) | Command::Finish => {}
            }
        }
        usage
    }
}
