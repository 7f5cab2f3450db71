//! What the emitter writes, how much of it, and what it refuses.

mod common;

use hdl::emit::EmitError;
use hdl::pe::PeShape;
use hdl::prelude::*;
use hdl::{emit, Emitted, Mesh, Queue};

fn int8_mesh(size: usize) -> Emitted {
    let operand = Operand { bits: 8, is_signed: true };
    let shape = PeShape { activation: operand, weight: operand, psum_bits: 24, product_stages: 1 };
    let mut mesh = Mesh::new(shape, size, size);
    mesh.connect_all();
    emit(&mesh, "mesh", "A mesh.\nSecond line.").expect("the mesh is emitted")
}

#[test]
fn text_grows_with_wiring_only() {
    let (medium, large) = (int8_mesh(16), int8_mesh(64));
    assert!(medium.verilog.len() < 200_000, "16x16: {} bytes", medium.verilog.len());
    assert!(large.verilog.len() < 1_000_000, "64x64: {} bytes", large.verilog.len());
    assert_eq!(medium.n_modules, large.n_modules);
    assert!(medium.verilog.starts_with("// A mesh.\n// Second line.\n"));
    for emitted in [&medium, &large] {
        assert!(!emitted.verilog.contains(['$', '\\']), "a name needs no escapes");
        common::lint(&emitted.verilog, "mesh");
    }
}

#[test]
fn a_memory_becomes_block_ram() {
    for (collision, bare) in [(Collision::OldData, ""), (Collision::Never, "; select -assert-none t:SB_DFF*")] {
        let mut memory = Memory::new(16, 256, collision);
        memory.connect_all();
        let emitted = emit(&memory, "memory", "").expect("the memory is emitted");
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("dut.v"), emitted.verilog).expect("dut.v is written");
        let script = format!("read_verilog dut.v; synth_ice40 -top memory; select -assert-count 1 t:SB_RAM40_4K{bare}");
        common::run(dir.path(), "yosys", &["-q", "-p", &script]);
    }
}

#[test]
fn a_multiplier_becomes_one_dsp() {
    for (a_signed, b_signed) in [(false, false), (false, true), (true, true)] {
        let mut multiplier =
            Multiplier::new(Operand { bits: 8, is_signed: a_signed }, Operand { bits: 8, is_signed: b_signed });
        multiplier.connect_all();
        let emitted = emit(&multiplier, "multiplier", "").expect("the multiplier is emitted");
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("dut.v"), emitted.verilog).expect("dut.v is written");
        let script = "read_verilog dut.v; synth_ice40 -dsp -top multiplier; select -assert-count 1 t:SB_MAC16";
        common::run(dir.path(), "yosys", &["-q", "-p", script]);
    }
}

#[test]
fn a_queue_reads_well() {
    let mut queue = Queue::new(8, 4);
    queue.connect_all();
    let emitted = emit(&queue, "queue", "").expect("the queue is emitted");
    let names: Vec<&str> = emitted.ports.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names[..3], ["clock", "reset", "write_valid_in"]);
    assert!(emitted.verilog.contains("        .clock(clock)"));
    assert!(emitted.verilog.contains("        .read_data_out(read_data_out)"));
    assert!(emitted.verilog.contains("localparam [2:0] DEPTH = 3'd4;"));
    assert!(!emitted.verilog.contains("always @(*)"));
}

macro_rules! bad_block {
    ($name:ident, $($update:tt)*) => {
        #[derive(LogicBlock)]
        struct $name {
            pub a_in: WireIn,
            pub b_in: WireIn,
            pub c_out: WireOut,
            middle: WireLocal,
        }
        impl $name {
            fn emitted() -> Result<Emitted, EmitError> {
                let (a_in, b_in) = (WireIn::new(4), WireIn::new(1));
                let mut block = $name { a_in, b_in, c_out: WireOut::new(2), middle: WireLocal::new(4) };
                block.connect_all();
                emit(&block, "top", "")
            }
        }
        impl Logic for $name {
            $($update)*
        }
    };
}

bad_block!(
    Latch,
    #[hdl_gen]
    fn update(&mut self) {
        self.middle.next = self.a_in.val();
        if self.b_in.val().any() {
            self.c_out.next = self.middle.val();
        }
    }
);

bad_block!(
    ReadTooEarly,
    #[hdl_gen]
    fn update(&mut self) {
        self.middle.next = self.a_in.val();
        self.c_out.next = self.middle.val();
        if self.b_in.val().any() {
            self.middle.next = 0.into();
        }
    }
);

bad_block!(
    WideLiteral,
    #[hdl_gen]
    fn update(&mut self) {
        self.middle.next = self.a_in.val() + 16;
        self.c_out.next = self.middle.val();
    }
);

bad_block!(
    ShiftLosesBits,
    #[hdl_gen]
    fn update(&mut self) {
        self.middle.next = self.a_in.val();
        self.c_out.next = (self.middle.val() + self.a_in.val()) >> 1;
    }
);

bad_block!(
    BitBeyond,
    #[hdl_gen]
    fn update(&mut self) {
        self.middle.next = self.a_in.val();
        self.c_out.next = self.middle.val().get_bit(4);
    }
);

#[test]
fn mistakes_are_refused_by_name() {
    let signal = |text: &str| text.to_string();
    let refusal = |emitted: Result<Emitted, EmitError>| emitted.expect_err("the block is refused").to_string();
    assert_eq!(refusal(Latch::emitted()), signal("top: `c_out` is not written on every path: a latch"));
    assert_eq!(refusal(ReadTooEarly::emitted()), signal("top: `middle` is read before its last write"));
    assert_eq!(refusal(WideLiteral::emitted()), signal("top: literal 16 does not fit in 4 bits"));
    let expected = "top: `middle + a_in` must be a signal of its own before its width changes to 2";
    assert_eq!(refusal(ShiftLosesBits::emitted()), signal(expected));
    assert_eq!(refusal(BitBeyond::emitted()), signal("top: bit 4 of `middle`, which has 4"));
    let unconnected = Queue::new(8, 4);
    assert!(refusal(emit(&unconnected, "queue", "")).starts_with("RustHDL refuses the design: OpenSignal"));
}

/// Every kind of statement and change of width in one block.
#[derive(LogicBlock)]
struct Everything {
    pub a_in: WireIn,
    pub b_in: WireIn,
    pub wide_in: WireIn,
    pub chosen_out: WireOut,
    pub slice_out: WireOut,
    pub signed_out: WireOut,
    pub arithmetic_out: WireOut,
    pub flags_out: WireOut,
    pub bit_out: WireOut,
    sum: WireLocal,
    low: WireLocal,
    offset: Const,
    _bits: usize,
}

impl Everything {
    fn new() -> Everything {
        Everything {
            a_in: WireIn::new(5),
            b_in: WireIn::new(3),
            wide_in: WireIn::new(150),
            chosen_out: WireOut::new(6),
            slice_out: WireOut::new(9),
            signed_out: WireOut::new(8),
            arithmetic_out: WireOut::new(5),
            flags_out: WireOut::new(1),
            bit_out: WireOut::new(1),
            sum: WireLocal::new(6),
            low: WireLocal::new(2),
            offset: Const::new(140, 8),
            _bits: 6,
        }
    }
}

impl Logic for Everything {
    #[hdl_gen]
    fn update(&mut self) {
        self.sum.next = bit_cast_to(self.a_in.val(), self._bits) + self.b_in.val();
        self.low.next = self.a_in.val() - self.b_in.val();
        match self.low.val().index() {
            0 => self.chosen_out.next = self.sum.val(),
            1 => {
                self.chosen_out.next = !self.sum.val();
            }
            0x2 => {
                if self.a_in.val() > 7 {
                    self.chosen_out.next = self.b_in.val();
                } else if (self.b_in.val() == 2) | self.a_in.val().all() {
                    self.chosen_out.next = self.a_in.val() << 2;
                } else {
                    self.chosen_out.next = 63.into();
                }
            }
            _ => self.chosen_out.next = -self.sum.val(),
        }
        self.slice_out.next = self.wide_in.val() >> self.offset.val();
        self.signed_out.next = signed_cast(self.b_in.val());
        self.arithmetic_out.next = signed_cast(self.a_in.val()) >> self.b_in.val();
        self.flags_out.next = ((signed_cast(self.a_in.val()) < signed_cast(self.b_in.val())) && !self.b_in.val().xor()
            || self.wide_in.val().any())
        .into();
        self.bit_out.next = self.wide_in.val().get_bit(self.a_in.val() * 4) ^ self.a_in.val().get_bit(4);
    }
}

ports!(
    Everything,
    in a_in, b_in, wide_in;
    out chosen_out, slice_out, signed_out, arithmetic_out, flags_out, bit_out
);

#[test]
fn kernels_mean_the_same_in_verilog() {
    common::agrees_with_icarus("everything", Everything::new(), 2000, 0, |cycle, port, value| match port {
        "wide_in" if cycle % 3 == 0 => Bits::zero(value.bits()),
        _ => value,
    });
}
