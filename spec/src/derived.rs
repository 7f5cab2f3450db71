//! Everything that follows from a configuration, for whoever integrates or programs the machine.

use crate::command::{opcode, COMMAND_BITS, TOKEN_LIMIT};
use crate::config::Config;
use crate::counter::{Counter, COUNTER_BITS, STATUS_CODES};
use serde::Serialize;

/// The facts that `systole config` prints and `systole emit` writes as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Derived {
    pub widths: Widths,
    pub buffers: Vec<Buffer>,
    pub latencies: Latencies,
    pub commands: Commands,
    pub parameter_record: Vec<Field>,
    pub status: Vec<Status>,
}

/// Widths in bits.
#[derive(Clone, Debug, Serialize)]
pub struct Widths {
    pub activation_bits: u32,
    pub weight_bits: u32,
    pub product_bits: u32,
    pub accumulator_bits: u32,
    /// The least accumulator width that cannot overflow for `max_k` terms and the bias.
    pub exact_accumulator_bits: u32,
    pub accumulator_wraps: bool,
    pub output_bits: u32,
    pub parameter_bits: u32,
    pub bus_bits: usize,
    pub command_bits: usize,
    pub counter_bits: u32,
}

/// One on-chip memory.
#[derive(Clone, Debug, Serialize)]
pub struct Buffer {
    pub name: &'static str,
    /// Memories of this kind, each `rows` x `row_bits`.
    pub instances: usize,
    pub rows: usize,
    pub row_bits: usize,
    pub total_bits: usize,
}

/// Cycles, from register to register (see `docs/machine.md`).
#[derive(Clone, Debug, Serialize)]
pub struct Latencies {
    /// From a row's entry into the mesh to its arrival at the accumulator's first column.
    pub mesh_to_first_column: usize,
    /// To its last column.
    pub mesh_to_last_column: usize,
    /// From the last stream cycle of a fold to the token that hands its accumulator rows to store.
    pub drain: usize,
    /// Least cycles between the starts of two folds of few rows.
    pub fold_period_min: usize,
    /// From the read of an accumulator group to its entry in the store FIFO.
    pub requantizer: usize,
    /// Most multiply-accumulates a cycle.
    pub macs_per_cycle: usize,
}

/// The command set's constants.
#[derive(Clone, Debug, Serialize)]
pub struct Commands {
    pub opcodes: Vec<(&'static str, u32)>,
    pub token_limit: u32,
    pub queue_depth: usize,
}

/// A field of a packed record, least significant first.
#[derive(Clone, Debug, Serialize)]
pub struct Field {
    pub name: &'static str,
    pub from_bit: u32,
    pub bits: u32,
    pub signed: bool,
}

/// What a status address gives.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub address: u8,
    pub name: String,
}

impl Derived {
    pub fn of(config: &Config) -> Self {
        let (n, g) = (config.numerics(), config.geometry());
        let accumulator_bits = n.accumulator_bits() as usize;
        let buffer = |name, instances: usize, rows: usize, row_bits: u32| Buffer {
            name,
            instances,
            rows,
            row_bits: row_bits as usize,
            total_bits: instances * rows * row_bits as usize,
        };
        let mesh_to_first_column = g.rows() + 1 + g.multiplier_stages();
        let mut from_bit = 0;
        let mut field = |name, bits, signed| {
            let field = Field { name, from_bit, bits, signed };
            from_bit += bits;
            field
        };
        let counters = Counter::ALL.iter().map(|&c| Status { address: c as u8, name: c.name().to_owned() });
        let groups = ["execute", "load", "unpack", "store", "pack"];
        let codes =
            (STATUS_CODES..).zip(groups).map(|(address, group)| Status { address, name: format!("{group}_code") });
        Self {
            widths: Widths {
                activation_bits: n.activation().bits(),
                weight_bits: n.weight().bits(),
                product_bits: n.activation().bits() + n.weight().bits(),
                accumulator_bits: n.accumulator_bits(),
                exact_accumulator_bits: n.exact_accumulator_bits(),
                accumulator_wraps: n.accumulator_wraps(),
                output_bits: n.output().bits(),
                parameter_bits: n.parameter_bits(),
                bus_bits: g.bus_bits(),
                command_bits: COMMAND_BITS,
                counter_bits: COUNTER_BITS,
            },
            buffers: [
                buffer("activation_buffer", 1, g.activation_buffer_rows(), g.rows() as u32 * n.activation().bits()),
                buffer("weight_buffer", 1, g.weight_buffer_rows(), g.cols() as u32 * n.weight().bits()),
                buffer("accumulator", 2 * g.cols(), g.accumulator_rows(), accumulator_bits as u32),
                buffer("parameter_buffer", g.requantizer_lanes(), g.parameter_rows(), n.parameter_bits()),
                buffer("table", g.requantizer_lanes(), 1 << n.output().bits(), n.output().bits()),
            ]
            .into_iter()
            .filter(|buffer| buffer.name != "table" || n.activation_table())
            .collect(),
            latencies: Latencies {
                mesh_to_first_column,
                mesh_to_last_column: mesh_to_first_column + g.cols() - 1,
                drain: g.rows() + g.cols() + g.multiplier_stages() + 2,
                fold_period_min: g.rows(),
                requantizer: 5 + usize::from(n.activation_table()),
                macs_per_cycle: g.rows() * g.cols(),
            },
            commands: Commands {
                opcodes: vec![
                    ("load_activations", opcode::LOAD_ACTIVATIONS),
                    ("load_weights", opcode::LOAD_WEIGHTS),
                    ("load_parameters", opcode::LOAD_PARAMETERS),
                    ("execute", opcode::EXECUTE),
                    ("store", opcode::STORE),
                    ("seed", opcode::SEED),
                    ("load_table", opcode::LOAD_TABLE),
                    ("finish", opcode::FINISH),
                ],
                token_limit: TOKEN_LIMIT,
                queue_depth: g.queue_depth(),
            },
            parameter_record: [
                Some(field("bias", n.bias_bits(), true)),
                // Not every scheme has one.
                n.multiplier().map(|format| field("multiplier", format.bits(), false)),
                Some(field("shift", n.shift_bits(), false)),
                Some(field("zero_point", n.bound().bits(), true)),
            ]
            .into_iter()
            .flatten()
            .collect(),
            status: counters.chain(codes).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MachineScheme, RawConfig};

    #[test]
    fn facts_of_the_default_configuration() {
        let derived = Derived::of(&Config::named("default").expect("it ships with Systole"));
        // 4096 products of at most 2^14 and a 24-bit bias: 2^26 + 2^23 < 2^27, and a sign.
        assert_eq!(derived.widths.accumulator_bits, 28);
        // 24 + 31 + 6 + 9 = 70 bits, padded to 9 bytes.
        assert_eq!(derived.widths.parameter_bits, 72);
        let bits: Vec<usize> = derived.buffers.iter().map(|buffer| buffer.total_bits).collect();
        assert_eq!(bits, [4096 * 128, 64 * 128, 32 * 512 * 28, 16 * 16 * 72]);
        assert_eq!(derived.latencies.mesh_to_last_column, 32);
        assert_eq!(derived.parameter_record[3].from_bit, 61);
    }

    #[test]
    fn a_record_without_a_multiplier_has_three_fields() {
        let mut raw = RawConfig::from(&Config::named("default").expect("it ships with Systole"));
        raw.numerics.scheme = MachineScheme::Pow2;
        raw.numerics.multiplier_bits = 0;
        let derived = Derived::of(&Config::try_from(raw).expect("a power of two needs no multiplier"));
        let fields: Vec<(&str, u32, u32)> =
            derived.parameter_record.iter().map(|field| (field.name, field.from_bit, field.bits)).collect();
        assert_eq!(fields, [("bias", 0, 24), ("shift", 24, 6), ("zero_point", 30, 9)]);
        // 24 + 6 + 9 = 39 bits, padded to 5 bytes.
        assert_eq!(derived.widths.parameter_bits, 40);
    }
}
