//! The C header: what a driver needs to program the emitted machine.

use spec::command::{opcode, COMMAND_BITS, TOKEN_LIMIT};
use spec::counter::STATUS_CODES;
use spec::{Config, Counter, Derived};
use std::fmt::Write;

/// The header of a configuration: widths, sizes, status addresses, and functions that encode commands.
pub fn c_header(config: &Config) -> String {
    let (n, g) = (config.numerics(), config.geometry());
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(args);
        text.push('\n');
    };
    line(format_args!("/* Systole, configuration {}: command set, sizes and status addresses. */", config.name()));
    line(format_args!("#ifndef SYSTOLE_H\n#define SYSTOLE_H\n\n#include <stdint.h>\n"));
    let constants: [(&str, u64); 30] = [
        ("ROWS", g.rows() as u64),
        ("COLS", g.cols() as u64),
        ("ACTIVATION_BITS", n.activation().bits().into()),
        ("ACTIVATION_SIGNED", n.activation().is_signed().into()),
        ("WEIGHT_BITS", n.weight().bits().into()),
        ("WEIGHT_SIGNED", n.weight().is_signed().into()),
        ("OUTPUT_BITS", n.output().bits().into()),
        ("OUTPUT_SIGNED", n.output().is_signed().into()),
        ("ACCUMULATOR_BITS", n.accumulator_bits().into()),
        ("MAX_K", n.max_k().into()),
        ("PARAMETER_BITS", n.parameter_bits().into()),
        ("ACTIVATION_TABLE", n.activation_table().into()),
        ("ACTIVATION_BUFFER_ROWS", g.activation_buffer_rows() as u64),
        ("WEIGHT_BUFFER_ROWS", g.weight_buffer_rows() as u64),
        ("ACCUMULATOR_ROWS", g.accumulator_rows() as u64),
        ("PARAMETER_BUFFER_ROWS", g.parameter_rows() as u64),
        ("REQUANTIZER_LANES", g.requantizer_lanes() as u64),
        ("BUS_BYTES", g.bus_bytes() as u64),
        ("COMMAND_BYTES", COMMAND_BITS as u64 / 8),
        ("QUEUE_DEPTH", g.queue_depth() as u64),
        ("TOKEN_LIMIT", TOKEN_LIMIT.into()),
        ("OPCODE_LOAD_ACTIVATIONS", opcode::LOAD_ACTIVATIONS.into()),
        ("OPCODE_LOAD_WEIGHTS", opcode::LOAD_WEIGHTS.into()),
        ("OPCODE_LOAD_PARAMETERS", opcode::LOAD_PARAMETERS.into()),
        ("OPCODE_LOAD_TABLE", opcode::LOAD_TABLE.into()),
        ("OPCODE_EXECUTE", opcode::EXECUTE.into()),
        ("OPCODE_STORE", opcode::STORE.into()),
        ("OPCODE_SEED", opcode::SEED.into()),
        ("OPCODE_FINISH", opcode::FINISH.into()),
        ("STATUS_CODES", STATUS_CODES.into()),
    ];
    for (name, value) in constants {
        line(format_args!("#define SYSTOLE_{name} {value}"));
    }
    line(format_args!("\n/* A parameter record, least significant bit first. */"));
    for field in Derived::of(config).parameter_record {
        let name = field.name.to_uppercase();
        line(format_args!("#define SYSTOLE_PARAMETER_{name}_FROM {}", field.from_bit));
        line(format_args!("#define SYSTOLE_PARAMETER_{name}_BITS {}", field.bits));
    }
    line(format_args!("\n/* Status addresses of the counters. */"));
    for &counter in Counter::ALL {
        line(format_args!("#define SYSTOLE_STATUS_{} {}", counter.name().to_uppercase(), counter as u8));
    }
    text.push_str(FUNCTIONS);
    text
}

const FUNCTIONS: &str = r"
/* Token flags: pop from, push to the first and second neighbour. Neighbours are
   (execute, store) for load, (load, store) for execute, (load, execute) for store. */
#define SYSTOLE_POP_FIRST 0x10u
#define SYSTOLE_POP_SECOND 0x20u
#define SYSTOLE_PUSH_FIRST 0x40u
#define SYSTOLE_PUSH_SECOND 0x80u
/* Flags: of execute and store the half; of execute overwrite, push to load late, maximum; of store the table. */
#define SYSTOLE_HALF 0x100u
#define SYSTOLE_OVERWRITE 0x200u
#define SYSTOLE_PUSH_LATE 0x400u
#define SYSTOLE_MAXIMUM 0x800u
#define SYSTOLE_TABLE 0x8u

/* A command: eight words, word 0 lowest on command_data_in. */
typedef struct { uint32_t word[8]; } systole_command;

static inline uint32_t systole_pair(uint32_t low, uint32_t high) { return (low & 0xffffu) | high << 16; }

/* A value of the activation or output format as the machine holds it. */
static inline uint32_t systole_activation(int32_t value) {
    return (uint32_t)value & ((1u << SYSTOLE_ACTIVATION_BITS) - 1u);
}
static inline uint32_t systole_output(int32_t value) { return (uint32_t)value & ((1u << SYSTOLE_OUTPUT_BITS) - 1u); }

/* lane_group: 0, or 1 + s for windows of 2^s lanes a row (activations only). The table needs SYSTOLE_ACTIVATION_TABLE. */
static inline systole_command systole_load(uint32_t opcode, uint32_t tokens, uint32_t address, uint32_t stride,
        uint32_t start_bit, uint32_t requests, uint32_t rows_per_request, uint32_t row_bits, uint32_t buffer_row,
        uint32_t lane_group) {
    systole_command c = {{ opcode | tokens | start_bit << 8 | lane_group << 11 | requests << 16, address, stride,
        systole_pair(buffer_row, rows_per_request), row_bits, rows_per_request * row_bits, 0, 0 }};
    return c;
}

/* Which activation rows a fold streams. Row i has the place j = i mod inner_count in line l = i / inner_count: buffer
   row activation_row + l outer_stride + j inner_stride modulo 2^16, x = x_start + j x_step, y = y_start + l y_step.
   Lane r is the buffer's if 0 <= y < y_limit and x - x_limit <= r < x, else pad, a value of the activation format. */
typedef struct {
    uint32_t inner_count, inner_stride, outer_stride;
    int32_t pad, x_start;
    uint32_t x_step, x_limit;
    int32_t y_start;
    uint32_t y_step, y_limit;
} systole_walk;

/* Rows one after another, nothing padded. */
static inline systole_walk systole_linear(void) {
    systole_walk w = { 0xffff, 1, 0, 0, SYSTOLE_ROWS, 0, SYSTOLE_ROWS, 0, 0, 1 };
    return w;
}

static inline systole_command systole_execute(uint32_t flags, uint32_t rows, uint32_t activation_row,
        uint32_t weight_row, uint32_t accumulator_row, uint32_t accumulator_step, uint32_t k, systole_walk w) {
    systole_command c = {{ SYSTOLE_OPCODE_EXECUTE | flags | accumulator_step << 12 | rows << 16,
        systole_pair(activation_row, weight_row), systole_pair(accumulator_row, k),
        systole_pair(w.inner_count, w.inner_stride), systole_pair(w.outer_stride, systole_activation(w.pad)),
        ((uint32_t)w.x_start & 0xfffffu) | w.x_step << 20, w.x_limit | w.y_step << 20,
        systole_pair((uint32_t)w.y_start, w.y_limit) }};
    return c;
}

static inline systole_command systole_store(uint32_t flags, uint32_t rows, uint32_t address, uint32_t stride,
        uint32_t accumulator_row, uint32_t tile_stride, uint32_t tiles, uint32_t last_groups, uint32_t parameter_row,
        uint32_t terms, uint32_t row_bits, int32_t low, int32_t high, uint32_t index) {
    systole_command c = {{ SYSTOLE_OPCODE_STORE | flags | (last_groups - 1) << 9 | rows << 16, address, stride,
        systole_pair(accumulator_row, tile_stride), systole_pair(tiles, parameter_row), row_bits | (terms - 1) << 28,
        systole_pair(systole_output(low), systole_output(high)), index }};
    return c;
}

/* Only machines with stochastic rounding have it: what the stores after it round with. */
static inline systole_command systole_seed(uint64_t key, uint32_t mask, uint32_t row_stride) {
    systole_command c = {{ SYSTOLE_OPCODE_SEED, (uint32_t)key, (uint32_t)(key >> 32), mask, row_stride, 0, 0, 0 }};
    return c;
}

static inline systole_command systole_finish(void) {
    systole_command c = {{ SYSTOLE_OPCODE_FINISH, 0, 0, 0, 0, 0, 0, 0 }};
    return c;
}

#endif
";
