//! Stepping a block, clock by clock, in RustHDL's own simulator.

use crate::bits::Bits;
use crate::signal::{ClockIn, WireIn, WireOut};
use rust_hdl::core::check_error::CheckError;
use rust_hdl::prelude::{check_all, simulate as settle, Block, Clock};

/// The most steps that a change may take to come to rest. A step carries a change one level down the hierarchy or
/// through one block, so a design that needs more is a loop.
const SETTLE_STEPS: usize = 10_000;

/// Why a block cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("RustHDL refuses the block: {0:?}")]
    Check(CheckError),
    #[error("no rest after {steps} steps in cycle {cycle}: a combinational loop")]
    NoRest { cycle: u64, steps: usize },
    #[error("no {direction} port `{name}`")]
    NoPort { direction: &'static str, name: String },
}

/// The ports of a block by name; [`ports!`](crate::ports) implements it.
pub trait Ports: Block {
    fn clock(&mut self) -> Option<&mut ClockIn>;
    fn inputs(&mut self) -> Vec<(&'static str, &mut WireIn)>;
    fn outputs(&self) -> Vec<(&'static str, &WireOut)>;
}

/// Implements [`Ports`]: `ports!(Queue, clock, in reset, write_valid_in; out read_valid_out);`. Leave `clock,` out if
/// the block is combinational. Inputs that are there or not stand in vectors of one or none: `in reset; optional
/// mask_in; out ..`; a testbench knows `mask_in` as `mask_in_0`.
#[macro_export]
macro_rules! ports {
    ($block:ty, clock, in $($input:ident),*; $(optional $($optional:ident),*;)? out $($output:ident),* $(,)?) => {
        $crate::ports!(
            @implement $block, { |block: &mut $block| Some(&mut block.clock) },
            $($input),*; $($($optional),*)?; $($output),*
        );
    };
    ($block:ty, in $($input:ident),*; out $($output:ident),* $(,)?) => {
        $crate::ports!(@implement $block, { |_: &mut $block| None }, $($input),*; ; $($output),*);
    };
    (@implement $block:ty, $clock:block, $($input:ident),*; $($optional:ident),*; $($output:ident),*) => {
        impl $crate::simulate::Ports for $block {
            fn clock(&mut self) -> Option<&mut $crate::signal::ClockIn> {
                let clock: fn(&mut $block) -> Option<&mut $crate::signal::ClockIn> = $clock;
                clock(self)
            }
            fn inputs(&mut self) -> Vec<(&'static str, &mut $crate::signal::WireIn)> {
                let inputs = [$((stringify!($input), &mut self.$input)),*].into_iter();
                $(
                    let optional = self.$optional.iter_mut();
                    let inputs = inputs.chain(optional.map(|port| (concat!(stringify!($optional), "_0"), port)));
                )*
                inputs.collect()
            }
            fn outputs(&self) -> Vec<(&'static str, &$crate::signal::WireOut)> {
                vec![$((stringify!($output), &self.$output)),*]
            }
        }
    };
}

/// A block being stepped. One cycle is: clock low, inputs, settle, sample, rising edge.
///
/// The inputs keep their values until they are set again. Registers start at zero.
pub struct Stepper<T: Ports> {
    block: T,
    cycle: u64,
}

impl<T: Ports> Stepper<T> {
    /// Connects and checks `block`.
    pub fn new(mut block: T) -> Result<Stepper<T>, SimulateError> {
        block.connect_all();
        check_all(&block).map_err(SimulateError::Check)?;
        let mut stepper = Stepper { block, cycle: 0 };
        stepper.settle()?;
        Ok(stepper)
    }

    /// The number of rising edges so far.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// The block, to set inputs (`block_mut().x_in.next = ..`).
    pub fn block_mut(&mut self) -> &mut T {
        &mut self.block
    }

    /// The block, to read outputs after [`settle`](Self::settle).
    pub fn block(&self) -> &T {
        &self.block
    }

    /// Sets an input port by name.
    pub fn set(&mut self, name: &str, value: Bits) -> Result<(), SimulateError> {
        let mut inputs = self.block.inputs();
        match inputs.iter_mut().find(|(port, _)| *port == name) {
            Some((_, wire)) => wire.next = value,
            None => return Err(no_port("input", name)),
        }
        Ok(())
    }

    /// Reads an output port by name, as it was when the block last settled.
    pub fn get(&self, name: &str) -> Result<Bits, SimulateError> {
        let outputs = self.block.outputs();
        let port = outputs.iter().find(|(port, _)| *port == name);
        port.map(|(_, wire)| wire.val()).ok_or_else(|| no_port("output", name))
    }

    /// Lets the inputs take effect without an edge.
    pub fn settle(&mut self) -> Result<(), SimulateError> {
        let cycle = self.cycle;
        match settle(&mut self.block, SETTLE_STEPS) {
            true => Ok(()),
            false => Err(SimulateError::NoRest { cycle, steps: SETTLE_STEPS }),
        }
    }

    /// The rising edge.
    pub fn edge(&mut self) -> Result<(), SimulateError> {
        for level in [true, false] {
            if let Some(clock) = self.block.clock() {
                clock.next = Clock { clk: level };
            }
            self.settle()?;
        }
        self.cycle += 1;
        Ok(())
    }

    /// One cycle: `set` writes the inputs, `sample` reads what follows from them, then comes the edge.
    pub fn cycle_with<R>(
        &mut self,
        set: impl FnOnce(&mut T),
        sample: impl FnOnce(&T) -> R,
    ) -> Result<R, SimulateError> {
        set(&mut self.block);
        self.settle()?;
        let sampled = sample(&self.block);
        self.edge()?;
        Ok(sampled)
    }
}

fn no_port(direction: &'static str, name: &str) -> SimulateError {
    SimulateError::NoPort { direction, name: name.to_string() }
}
