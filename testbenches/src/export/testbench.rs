//! The exported testbench: the emitted top, a memory with latency, a program, and the memory it must leave.

use crate::case::{CaseError, Problem};
use spec::{Command, Counter};
use std::fmt::Write;

/// The testbench's files: Verilog, and hexadecimal vectors that it reads from the working directory.
#[derive(Clone, Debug)]
pub struct Testbench {
    pub verilog: String,
    /// One command a line.
    pub commands: String,
    /// One byte a line, before and after the run.
    pub memory: String,
    pub expected: String,
}

/// Writes the testbench of a problem. Expected bytes are golden's, the expected number of cycles is the simulator's closed form.
pub fn testbench(problem: &Problem) -> Result<Testbench, CaseError> {
    let program = &problem.compiled.program;
    let predicted = sim::predict(&problem.config, &program.commands, problem.latency).cycles;
    let mut commands = String::new();
    let (mut n_reads, mut n_writes) = (0u64, 0u64);
    for command in &program.commands {
        for word in command.encode().iter().rev() {
            // Writing to a string cannot fail.
            let _ = write!(commands, "{word:08x}");
        }
        commands.push('\n');
        match command {
            Command::Load(load) => n_reads += u64::from(load.requests),
            Command::Store(store) => n_writes += u64::from(store.rows),
            Command::Execute(_) | Command::Seed(_) | Command::Finish => {}
        }
    }
    let bytes = |memory: &[u8]| memory.iter().map(|byte| format!("{byte:02x}\n")).collect::<String>();
    let golden = problem.golden_memory()?;
    let verilog = TEMPLATE
        .replace("@CONFIG@", problem.config.name())
        .replace("@TOP@", hdl::TOP)
        .replace("@BUS@", &problem.config.geometry().bus_bits().to_string())
        .replace("@COMMANDS@", &program.commands.len().to_string())
        .replace("@BYTES@", &golden.len().to_string())
        .replace("@READS@", &n_reads.max(1).to_string())
        .replace("@WRITES@", &n_writes.max(1).to_string())
        .replace("@LATENCY@", &problem.latency.to_string())
        .replace("@CYCLES@", &predicted.to_string())
        .replace("@CYCLES_ADDRESS@", &(Counter::Cycles as u8).to_string());
    Ok(Testbench { verilog, commands, memory: bytes(&program.memory), expected: bytes(&golden) })
}

/// Errors are counted in a clocked block: Verilator 5.006 loses changes made between delays of one initial block.
const TEMPLATE: &str = r#"// Self-checking testbench of configuration @CONFIG@.
//
// Runs the program of commands.hex on a memory that starts as memory.hex, compares every byte with expected.hex, and
// the cycle counter with the simulator's. Run it in the folder of the .hex files:
//   iverilog -g2001 -s testbench -o testbench.vvp testbench.v top.v && vvp -n testbench.vvp
// It prints PASS and finishes, or prints what differs and FAIL and stops (status 1 with vvp -n).
module testbench;
    localparam BUS = @BUS@;
    localparam BUS_BYTES = BUS / 8;
    localparam N_COMMANDS = @COMMANDS@;
    localparam N_BYTES = @BYTES@;
    localparam N_READS = @READS@;
    localparam N_WRITES = @WRITES@;
    localparam LATENCY = @LATENCY@;
    localparam EXPECTED_CYCLES = @CYCLES@;

    reg clock;
    reg reset;
    reg [255:0] commands [0:N_COMMANDS - 1];
    reg [7:0] memory [0:N_BYTES - 1];
    reg [7:0] expected [0:N_BYTES - 1];

    // Requests in the order they were taken; each side has an index of its own.
    reg [31:0] read_address [0:N_READS - 1];
    reg [31:0] read_beats [0:N_READS - 1];
    reg [31:0] read_ready_at [0:N_READS - 1];
    reg [31:0] write_address [0:N_WRITES - 1];
    reg [31:0] write_beats [0:N_WRITES - 1];
    reg [31:0] response_at [0:N_WRITES - 1];
    integer n_taken, n_read_taken, n_read_served, read_beat;
    integer n_write_taken, n_write_served, write_beat, n_responses;
    integer cycle, checked, errors, start_up, i;
    reg finished;

    wire command_ready, read_request_valid, read_data_ready, write_request_valid, write_data_valid;
    wire write_response_ready, done_valid;
    wire [31:0] read_request_address, write_request_address;
    wire [15:0] read_request_beats, write_request_beats;
    wire [BUS - 1:0] write_data;
    wire [BUS_BYTES - 1:0] write_data_strobe;
    wire [63:0] status_data;

    wire command_valid = !reset && n_taken < N_COMMANDS;
    wire [255:0] command_data = commands[n_taken < N_COMMANDS ? n_taken : 0];
    wire read_data_valid = n_read_served < n_read_taken && read_ready_at[n_read_served] <= cycle;
    wire [31:0] read_from = read_address[n_read_served < N_READS ? n_read_served : 0] + read_beat * BUS_BYTES;
    wire [BUS - 1:0] read_data;
    wire write_data_ready = n_write_served < n_write_taken;
    wire [31:0] write_to = write_address[n_write_served < N_WRITES ? n_write_served : 0] + write_beat * BUS_BYTES;
    wire write_response_valid = n_responses < n_write_served && response_at[n_responses] <= cycle;

    genvar lane;
    generate
        for (lane = 0; lane < BUS_BYTES; lane = lane + 1) begin : lanes
            assign read_data[8 * lane +: 8] = read_data_valid ? memory[read_from + lane] : 8'd0;
        end
    endgenerate

    @TOP@ dut (
        .clock(clock),
        .reset(reset),
        .command_valid_in(command_valid),
        .command_ready_out(command_ready),
        .command_data_in(command_data),
        .read_request_valid_out(read_request_valid),
        .read_request_ready_in(1'b1),
        .read_request_address_out(read_request_address),
        .read_request_beats_out(read_request_beats),
        .read_data_valid_in(read_data_valid),
        .read_data_ready_out(read_data_ready),
        .read_data_in(read_data),
        .write_request_valid_out(write_request_valid),
        .write_request_ready_in(1'b1),
        .write_request_address_out(write_request_address),
        .write_request_beats_out(write_request_beats),
        .write_data_valid_out(write_data_valid),
        .write_data_ready_in(write_data_ready),
        .write_data_out(write_data),
        .write_data_strobe_out(write_data_strobe),
        .write_response_valid_in(write_response_valid),
        .write_response_ready_out(write_response_ready),
        .status_address_in(6'd@CYCLES_ADDRESS@),
        .status_data_out(status_data),
        .done_valid_out(done_valid),
        .done_ready_in(1'b1)
    );

    initial begin
        $readmemh("commands.hex", commands);
        $readmemh("memory.hex", memory);
        $readmemh("expected.hex", expected);
        clock = 0;
        reset = 1;
        start_up = 0;
        n_taken = 0;
        n_read_taken = 0;
        n_read_served = 0;
        read_beat = 0;
        n_write_taken = 0;
        n_write_served = 0;
        write_beat = 0;
        n_responses = 0;
        cycle = 0;
        checked = 0;
        errors = 0;
        finished = 0;
    end

    always #5 clock = !clock;

    always @(posedge clock) begin
        start_up <= start_up + 1;
        if (start_up == 3) reset <= 0;
        if (!reset && !finished) begin
            cycle <= cycle + 1;
            if (command_valid && command_ready) n_taken <= n_taken + 1;
            if (read_request_valid) begin
                read_address[n_read_taken] <= read_request_address;
                read_beats[n_read_taken] <= {16'd0, read_request_beats};
                read_ready_at[n_read_taken] <= cycle + LATENCY;
                n_read_taken <= n_read_taken + 1;
            end
            if (read_data_valid && read_data_ready) begin
                if (read_beat + 1 == read_beats[n_read_served]) begin
                    read_beat <= 0;
                    n_read_served <= n_read_served + 1;
                end else read_beat <= read_beat + 1;
            end
            if (write_request_valid) begin
                write_address[n_write_taken] <= write_request_address;
                write_beats[n_write_taken] <= {16'd0, write_request_beats};
                n_write_taken <= n_write_taken + 1;
            end
            if (write_data_valid && write_data_ready) begin
                for (i = 0; i < BUS_BYTES; i = i + 1)
                    if (write_data_strobe[i]) memory[write_to + i] <= write_data[8 * i +: 8];
                if (write_beat + 1 == write_beats[n_write_served]) begin
                    write_beat <= 0;
                    response_at[n_write_served] <= cycle + LATENCY;
                    n_write_served <= n_write_served + 1;
                end else write_beat <= write_beat + 1;
            end
            if (write_response_valid && write_response_ready) n_responses <= n_responses + 1;
            if (done_valid) finished <= 1;
            if (cycle > 2 * EXPECTED_CYCLES + 10000) begin
                $display("no done after %0d cycles, expected %0d", cycle, EXPECTED_CYCLES);
                errors <= errors + 1;
                finished <= 1;
            end
        end
        if (finished) begin
            if (checked == 0 && status_data != EXPECTED_CYCLES) begin
                $display("cycles: expected %0d, got %0d", EXPECTED_CYCLES, status_data);
                errors <= errors + 1;
            end
            if (checked < N_BYTES) begin
                if (memory[checked] !== expected[checked]) begin
                    if (errors < 10)
                        $display("byte %0d: expected %h, got %h", checked, expected[checked], memory[checked]);
                    errors <= errors + 1;
                end
                checked <= checked + 1;
            end else if (errors == 0) begin
                $display("PASS: %0d bytes and %0d cycles as expected", checked, EXPECTED_CYCLES);
                $finish;
            end else begin
                $display("FAIL: %0d errors", errors);
                $stop;
            end
        end
    end
endmodule
"#;
