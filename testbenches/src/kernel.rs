//! The RustHDL description in RustHDL's own simulator, driven at its pins.

use crate::engine::{EngineError, Pins};
use hdl::bits::Bits;
use hdl::simulate::{SimulateError, Stepper};
use hdl::Top;
use sim::pins::{Beat, Burst, Inputs, Outputs, WriteBeat};
use spec::command::COMMAND_BITS;
use spec::Config;
use thiserror::Error;

/// Why the description cannot be stepped.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct KernelError(#[from] SimulateError);

/// The whole machine in RustHDL's simulator.
pub struct Kernel {
    stepper: Stepper<Top>,
    bus_bits: usize,
}

impl Kernel {
    pub fn new(config: &Config) -> Result<Self, KernelError> {
        Ok(Self { stepper: Stepper::new(Top::new(config))?, bus_bits: config.geometry().bus_bits() })
    }
}

fn flag(value: bool) -> Bits {
    Bits::new(value.into(), 1)
}

fn beat(bits: &Bits) -> Beat {
    let words = bits.words();
    std::array::from_fn(|index| words.get(index).copied().unwrap_or(0))
}

fn words_of(command: [u32; 8]) -> Vec<u64> {
    command.chunks(2).map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32).collect()
}

fn sample(top: &Top) -> (Outputs, u64) {
    let burst = |valid: Bits, address: Bits, beats: Bits| {
        valid.any().then(|| Burst { address: address.low_u128() as u32, beats: beats.low_u128() as u32 })
    };
    let outputs = Outputs {
        command_ready: top.command_ready_out.val().any(),
        read_request: burst(
            top.read_request_valid_out.val(),
            top.read_request_address_out.val(),
            top.read_request_beats_out.val(),
        ),
        read_data_ready: top.read_data_ready_out.val().any(),
        write_request: burst(
            top.write_request_valid_out.val(),
            top.write_request_address_out.val(),
            top.write_request_beats_out.val(),
        ),
        write_data: top.write_data_valid_out.val().any().then(|| WriteBeat {
            data: beat(&top.write_data_out.val()),
            strobe: top.write_data_strobe_out.val().low_u128() as u32,
        }),
        done_valid: top.done_valid_out.val().any(),
    };
    (outputs, top.status_data_out.val().low_u128() as u64)
}

impl Pins for Kernel {
    fn cycle(&mut self, inputs: &Inputs, reset: bool, status_address: u8) -> Result<(Outputs, u64), EngineError> {
        let bus_bits = self.bus_bits;
        let set = |top: &mut Top| {
            top.reset.next = flag(reset);
            top.status_address_in.next = Bits::new(status_address.into(), top.status_address_in.width());
            top.command_valid_in.next = flag(inputs.command.is_some());
            if let Some(command) = inputs.command {
                top.command_data_in.next = Bits::from_words(words_of(command.encode()), COMMAND_BITS);
            }
            top.read_request_ready_in.next = flag(inputs.read_request_ready);
            top.read_data_valid_in.next = flag(inputs.read_data.is_some());
            if let Some(beat) = inputs.read_data {
                top.read_data_in.next = Bits::from_words(beat.to_vec(), bus_bits);
            }
            top.write_request_ready_in.next = flag(inputs.write_request_ready);
            top.write_data_ready_in.next = flag(inputs.write_data_ready);
            top.write_response_valid_in.next = flag(inputs.write_response_valid);
            top.done_ready_in.next = flag(inputs.done_ready);
        };
        Ok(self.stepper.cycle_with(set, sample).map_err(KernelError::from)?)
    }
}
