//! The emitted Verilog under Verilator, driven at its pins.

use crate::engine::{EngineError, Pins};
use crate::verilator::{Design, Instance, Library, Options, PortHandle, VerilatorError};
use sim::pins::{Beat, Burst, Inputs, Outputs, WriteBeat};
use spec::command::COMMAND_BITS;
use spec::Config;
use std::sync::Arc;

/// A configuration's RTL, built and loaded.
#[derive(Debug)]
pub struct Rtl {
    library: Arc<Library>,
    ports: Ports,
    bus_words: usize,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    reset: PortHandle,
    command_valid: PortHandle,
    command_data: PortHandle,
    command_ready: PortHandle,
    read_request_ready: PortHandle,
    read_request_valid: PortHandle,
    read_request_address: PortHandle,
    read_request_beats: PortHandle,
    read_data_valid: PortHandle,
    read_data: PortHandle,
    read_data_ready: PortHandle,
    write_request_ready: PortHandle,
    write_request_valid: PortHandle,
    write_request_address: PortHandle,
    write_request_beats: PortHandle,
    write_data_ready: PortHandle,
    write_data_valid: PortHandle,
    write_data: PortHandle,
    write_data_strobe: PortHandle,
    write_response_valid: PortHandle,
    done_ready: PortHandle,
    done_valid: PortHandle,
    status_address: PortHandle,
    status_data: PortHandle,
}

/// Widths of the flat ports that no configuration changes.
const ADDRESS_BITS: usize = 32;
const BEATS_BITS: usize = 16;
const STATUS_ADDRESS_BITS: usize = 6;
const STATUS_BITS: usize = 64;

impl Rtl {
    /// Emits the configuration's Verilog and builds a model of it, or takes it from the cache.
    pub fn build(config: &Config, options: &Options) -> Result<Self, EngineError> {
        let emitted = hdl::emit_top(config)?;
        let design = Design { verilog: emitted.verilog, top: hdl::TOP.to_owned(), ports: emitted.ports };
        Ok(Self::load(config, Library::build(&design, options)?)?)
    }

    /// Uses a library that was built from the Verilog of `config`.
    pub fn load(config: &Config, library: Arc<Library>) -> Result<Self, VerilatorError> {
        let bus = config.geometry().bus_bits();
        let (input, output) = (|name, width| library.input(name, width), |name, width| library.output(name, width));
        let ports = Ports {
            reset: input("reset", 1)?,
            command_valid: input("command_valid_in", 1)?,
            command_data: input("command_data_in", COMMAND_BITS)?,
            command_ready: output("command_ready_out", 1)?,
            read_request_ready: input("read_request_ready_in", 1)?,
            read_request_valid: output("read_request_valid_out", 1)?,
            read_request_address: output("read_request_address_out", ADDRESS_BITS)?,
            read_request_beats: output("read_request_beats_out", BEATS_BITS)?,
            read_data_valid: input("read_data_valid_in", 1)?,
            read_data: input("read_data_in", bus)?,
            read_data_ready: output("read_data_ready_out", 1)?,
            write_request_ready: input("write_request_ready_in", 1)?,
            write_request_valid: output("write_request_valid_out", 1)?,
            write_request_address: output("write_request_address_out", ADDRESS_BITS)?,
            write_request_beats: output("write_request_beats_out", BEATS_BITS)?,
            write_data_ready: input("write_data_ready_in", 1)?,
            write_data_valid: output("write_data_valid_out", 1)?,
            write_data: output("write_data_out", bus)?,
            write_data_strobe: output("write_data_strobe_out", bus / 8)?,
            write_response_valid: input("write_response_valid_in", 1)?,
            done_ready: input("done_ready_in", 1)?,
            done_valid: output("done_valid_out", 1)?,
            status_address: input("status_address_in", STATUS_ADDRESS_BITS)?,
            status_data: output("status_data_out", STATUS_BITS)?,
        };
        Ok(Self { library, ports, bus_words: bus / 32 })
    }

    /// A model whose registers and memories start with random contents that follow from `seed`.
    pub fn instance(&self, seed: u64) -> Result<RtlInstance<'_>, VerilatorError> {
        Ok(RtlInstance { rtl: self, model: self.library.instance(seed)? })
    }
}

/// A running model.
pub struct RtlInstance<'a> {
    rtl: &'a Rtl,
    model: Instance,
}

impl RtlInstance<'_> {
    fn flag(&self, port: PortHandle) -> Result<bool, VerilatorError> {
        Ok(self.model.get(port)? != 0)
    }

    fn beat(&self, port: PortHandle) -> Result<Beat, VerilatorError> {
        let mut beat = Beat::default();
        for (index, &word) in self.model.get_wide(port)?.iter().enumerate() {
            beat[index / 2] |= u64::from(word) << (32 * (index % 2));
        }
        Ok(beat)
    }

    fn burst(
        &self,
        valid: PortHandle,
        address: PortHandle,
        beats: PortHandle,
    ) -> Result<Option<Burst>, VerilatorError> {
        if !self.flag(valid)? {
            return Ok(None);
        }
        Ok(Some(Burst { address: self.model.get(address)? as u32, beats: self.model.get(beats)? as u32 }))
    }

    fn drive(&mut self, inputs: &Inputs, reset: bool, status_address: u8) -> Result<(), VerilatorError> {
        let p = &self.rtl.ports;
        let model = &mut self.model;
        model.set(p.reset, reset.into())?;
        model.set(p.status_address, status_address.into())?;
        model.set(p.command_valid, inputs.command.is_some().into())?;
        if let Some(command) = inputs.command {
            model.set_wide(p.command_data, &command.encode())?;
        }
        model.set(p.read_request_ready, inputs.read_request_ready.into())?;
        model.set(p.read_data_valid, inputs.read_data.is_some().into())?;
        if let Some(beat) = inputs.read_data {
            let words: [u32; 8] = std::array::from_fn(|i| (beat[i / 2] >> (32 * (i % 2))) as u32);
            model.set_wide(p.read_data, &words[..self.rtl.bus_words])?;
        }
        model.set(p.write_request_ready, inputs.write_request_ready.into())?;
        model.set(p.write_data_ready, inputs.write_data_ready.into())?;
        model.set(p.write_response_valid, inputs.write_response_valid.into())?;
        model.set(p.done_ready, inputs.done_ready.into())
    }

    fn sample(&self) -> Result<(Outputs, u64), VerilatorError> {
        let p = &self.rtl.ports;
        let write_data = match self.flag(p.write_data_valid)? {
            true => {
                Some(WriteBeat { data: self.beat(p.write_data)?, strobe: self.model.get(p.write_data_strobe)? as u32 })
            }
            false => None,
        };
        let outputs = Outputs {
            command_ready: self.flag(p.command_ready)?,
            read_request: self.burst(p.read_request_valid, p.read_request_address, p.read_request_beats)?,
            read_data_ready: self.flag(p.read_data_ready)?,
            write_request: self.burst(p.write_request_valid, p.write_request_address, p.write_request_beats)?,
            write_data,
            done_valid: self.flag(p.done_valid)?,
        };
        Ok((outputs, self.model.get(p.status_data)?))
    }
}

impl Pins for RtlInstance<'_> {
    fn cycle(&mut self, inputs: &Inputs, reset: bool, status_address: u8) -> Result<(Outputs, u64), EngineError> {
        self.drive(inputs, reset, status_address)?;
        self.model.step()?;
        Ok(self.sample()?)
    }
}
