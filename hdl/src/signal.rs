//! Signals whose width is given at run time: [`WireIn`], [`WireOut`], [`WireLocal`], [`Const`] and [`ClockIn`].
//!
//! They take the place of RustHDL's `Signal<In, Bits<8>>` in `#[derive(LogicBlock)]` structs and `#[hdl_gen]` kernels:
//!
//! ```
//! use hdl::prelude::*;
//!
//! /// Counts up while `enable_in` is high, and stops at `last`.
//! #[derive(LogicBlock)]
//! pub struct Counter {
//!     pub clock: ClockIn,
//!     pub reset: WireIn,
//!     pub enable_in: WireIn,
//!     pub count_out: WireOut,
//!     count: Register,
//!     last: Const,
//! }
//!
//! impl Counter {
//!     pub fn new(width: usize, last: u128) -> Counter {
//!         Counter {
//!             clock: ClockIn::default(),
//!             reset: WireIn::new(1),
//!             enable_in: WireIn::new(1),
//!             count_out: WireOut::new(width),
//!             count: Register::new(width),
//!             last: Const::new(last, width),
//!         }
//!     }
//! }
//!
//! impl Logic for Counter {
//!     module!("counter", "Counts up while enabled.");
//!
//!     #[hdl_gen]
//!     fn update(&mut self) {
//!         clock!(self, clock, count);
//!         self.count.reset.next = self.reset.val();
//!         self.count.d_in.next = self.count.d_out.val();
//!         if self.enable_in.val().any() & (self.count.d_out.val() < self.last.val()) {
//!             self.count.d_in.next = self.count.d_out.val() + 1;
//!         }
//!         self.count_out.next = self.count.d_out.val();
//!     }
//! }
//!
//! let mut counter = Counter::new(4, 9);
//! counter.connect_all();
//! let emitted = hdl::emit(&counter, "counter", "").unwrap();
//! assert!(emitted.verilog.contains("count_next = count_out + 4'd1;"));
//! ```

use crate::bits::{equal, Bits};
use rust_hdl::prelude::{
    Atom, AtomKind, Block, Clock, Direction, In, Local, Logic, Out, PinConstraint, Probe, Signal, TypeDescriptor,
    TypeKind, VCDValue, VerilogLiteral,
};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The clock of a block; every block calls it `clock`.
pub type ClockIn = Signal<In, Clock>;

/// An input of a block.
pub type WireIn = Wire<In>;
/// An output of a block.
pub type WireOut = Wire<Out>;
/// A signal inside a block; the kernel writes it before it reads it.
pub type WireLocal = Wire<Local>;

// RustHDL numbers its own signals from 1; ours start far above, so that no two signals of a design share a number.
static NEXT_ID: AtomicUsize = AtomicUsize::new(1 << 40);

/// A signal of run-time width. Write `next`, read `val()`.
#[derive(Clone, Debug)]
pub struct Wire<D: Direction> {
    /// The value that the signal takes; extended or truncated to the signal's width.
    pub next: Bits,
    value: Bits,
    width: usize,
    changed: bool,
    connected: bool,
    id: usize,
    direction: PhantomData<D>,
}

impl<D: Direction> Wire<D> {
    /// A signal of `width` bits.
    ///
    /// # Panics
    /// If `width` is 0: Verilog has no such signal.
    pub fn new(width: usize) -> Wire<D> {
        assert!(width > 0, "a signal has at least 1 bit, got 0");
        Wire {
            next: Bits::zero(width),
            value: Bits::zero(width),
            width,
            changed: false,
            connected: false,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            direction: PhantomData,
        }
    }

    /// `n` signals of `width` bits.
    pub fn vec(n: usize, width: usize) -> Vec<Wire<D>> {
        (0..n).map(|_| Wire::new(width)).collect()
    }

    /// The width in bits.
    pub fn width(&self) -> usize {
        self.width
    }
}

impl Wire<In> {
    /// The value as of the last settling step.
    pub fn val(&self) -> Bits {
        self.value.clone()
    }
}

impl Wire<Out> {
    /// The value as last written.
    pub fn val(&self) -> Bits {
        self.next.resized(self.width)
    }
}

impl Wire<Local> {
    /// The value as last written.
    pub fn val(&self) -> Bits {
        self.next.resized(self.width)
    }
}

impl<D: Direction> Atom for Wire<D> {
    fn bits(&self) -> usize {
        self.width
    }
    fn connected(&self) -> bool {
        self.connected
    }
    fn changed(&self) -> bool {
        self.changed
    }
    fn kind(&self) -> AtomKind {
        D::KIND
    }
    fn descriptor(&self) -> TypeDescriptor {
        descriptor(self.width)
    }
    fn vcd(&self) -> VCDValue {
        vcd(&self.value)
    }
    fn id(&self) -> usize {
        self.id
    }
    fn verilog(&self) -> VerilogLiteral {
        self.value.low_u128().into()
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        Vec::new()
    }
}

impl<D: Direction> Logic for Wire<D> {
    fn update(&mut self) {}
    fn connect(&mut self) {
        self.connected = true;
    }
}

impl<D: Direction> Block for Wire<D> {
    fn connect_all(&mut self) {}

    fn update_all(&mut self) {
        if self.next.bits() != self.width || self.next.is_signed() {
            self.next = self.next.resized(self.width);
        }
        self.changed = !equal(&self.value, &self.next);
        if self.changed {
            self.value = self.next.clone();
        }
    }

    fn has_changed(&self) -> bool {
        self.changed
    }

    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self);
    }
}

/// A constant of run-time width and value, emitted as a `localparam`. As a shift amount or a bit index it lets a kernel
/// take slices at run-time positions: `self.bus.val() >> self.offset.val()`.
#[derive(Clone, Debug)]
pub struct Const {
    value: Bits,
    id: usize,
}

impl Const {
    /// `value` in `width` bits.
    ///
    /// # Panics
    /// If `width` is not in 1..=128, or too small for `value`.
    pub fn new(value: u128, width: usize) -> Const {
        assert!((1..=128).contains(&width), "a constant has 1 to 128 bits, got {width}");
        let bits = Bits::new(value, width);
        assert!(bits.low_u128() == value, "constant {value} does not fit in {width} bits");
        Const { value: bits, id: NEXT_ID.fetch_add(1, Ordering::Relaxed) }
    }

    /// The value.
    pub fn val(&self) -> Bits {
        self.value.clone()
    }
}

impl Atom for Const {
    fn bits(&self) -> usize {
        self.value.bits()
    }
    fn connected(&self) -> bool {
        true
    }
    fn changed(&self) -> bool {
        false
    }
    fn kind(&self) -> AtomKind {
        AtomKind::Constant
    }
    fn descriptor(&self) -> TypeDescriptor {
        descriptor(self.value.bits())
    }
    fn vcd(&self) -> VCDValue {
        vcd(&self.value)
    }
    fn id(&self) -> usize {
        self.id
    }
    fn verilog(&self) -> VerilogLiteral {
        self.value.low_u128().into()
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        Vec::new()
    }
}

impl Logic for Const {
    fn update(&mut self) {}
}

impl Block for Const {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {}
    fn has_changed(&self) -> bool {
        false
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self);
    }
}

fn descriptor(width: usize) -> TypeDescriptor {
    TypeDescriptor { name: format!("bits_{width}"), kind: TypeKind::Bits(width) }
}

fn vcd(value: &Bits) -> VCDValue {
    match value.bits() {
        1 => value.any().into(),
        _ => VCDValue::String(value.to_string()),
    }
}
