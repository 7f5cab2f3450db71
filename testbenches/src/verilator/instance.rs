//! One running model: set inputs, step, get outputs.

use spec::Direction;
use std::ffi::{c_void, CString};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use super::error::VerilatorError;
use super::library::{text, Library, PortHandle, Step};

/// A model made by [`Library::instance`]; made, stepped and dropped on one thread.
pub struct Instance {
    inputs: Vec<u32>,
    outputs: Vec<u32>,
    // A pointer is not `Send`, which is what keeps the instance on its thread.
    model: NonNull<c_void>,
    step: Step,
    design: u32,
    cycle: u64,
    library: Arc<Library>,
}

impl Instance {
    pub(super) fn new(library: Arc<Library>, seed: u64) -> Result<Self, VerilatorError> {
        // SAFETY: the function takes any seed.
        let model = unsafe { (library.functions.new)(seed) };
        let Some(model) = NonNull::new(model) else {
            return Err(VerilatorError::Aborted { cycle: 0, message: "out of memory".to_owned() });
        };
        let instance = Self {
            inputs: vec![0; library.layout.input_words],
            outputs: vec![0; library.layout.output_words],
            model,
            step: library.functions.step,
            design: library.design,
            cycle: 0,
            library,
        };
        let message = instance.message();
        if message.is_empty() {
            Ok(instance)
        } else {
            Err(VerilatorError::Aborted { cycle: 0, message })
        }
    }

    /// Sets an input of up to 64 bits, for this and all following cycles.
    ///
    /// # Errors
    /// The port is an output, wider than 64 bits or of another design, or the value has more bits than the port.
    #[inline]
    pub fn set(&mut self, port: PortHandle, value: u64) -> Result<(), VerilatorError> {
        if port.design != self.design || port.direction != Direction::Input || port.width > 64 {
            return Err(self.misuse(port, Direction::Input, 2));
        }
        if port.width < 64 && value >> port.width != 0 {
            return Err(self.too_wide(port, value));
        }
        let word = port.word as usize;
        // The halves of the value.
        self.inputs[word] = value as u32;
        if port.width > 32 {
            self.inputs[word + 1] = (value >> 32) as u32;
        }
        Ok(())
    }

    /// The value of an output of up to 64 bits, as it was before the last clock edge.
    ///
    /// # Errors
    /// The port is an input, wider than 64 bits or of another design.
    #[inline]
    pub fn get(&self, port: PortHandle) -> Result<u64, VerilatorError> {
        if port.design != self.design || port.direction != Direction::Output || port.width > 64 {
            return Err(self.misuse(port, Direction::Output, 2));
        }
        let word = port.word as usize;
        let low = u64::from(self.outputs[word]);
        if port.width > 32 {
            return Ok(low | u64::from(self.outputs[word + 1]) << 32);
        }
        Ok(low)
    }

    /// Sets an input of any width from 32-bit words, least significant first. Bits above the width are ignored.
    ///
    /// # Errors
    /// The port is an output or of another design, or the number of words does not fit its width.
    #[inline]
    pub fn set_wide(&mut self, port: PortHandle, words: &[u32]) -> Result<(), VerilatorError> {
        let (start, count) = (port.word as usize, port.width.div_ceil(32) as usize);
        if port.design != self.design || port.direction != Direction::Input || words.len() != count {
            return Err(self.misuse(port, Direction::Input, words.len()));
        }
        self.inputs[start..start + count].copy_from_slice(words);
        Ok(())
    }

    /// The 32-bit words of an output, least significant first; bits above the width are zero.
    ///
    /// # Errors
    /// The port is an input or of another design.
    #[inline]
    pub fn get_wide(&self, port: PortHandle) -> Result<&[u32], VerilatorError> {
        let (start, count) = (port.word as usize, port.width.div_ceil(32) as usize);
        if port.design != self.design || port.direction != Direction::Output {
            return Err(self.misuse(port, Direction::Output, count));
        }
        Ok(&self.outputs[start..start + count])
    }

    /// One clock cycle: the outputs follow the inputs and are sampled, then the clock rises.
    ///
    /// # Errors
    /// The design stops the simulation (`$fatal`, `$stop`, `$finish`, a failed assertion), or does not settle. The
    /// instance is of no use afterwards: each further step fails alike.
    #[inline]
    pub fn step(&mut self) -> Result<(), VerilatorError> {
        // SAFETY: the model is alive, and the buffers have the lengths of the wrapper's buses.
        let failed = unsafe { (self.step)(self.model.as_ptr(), self.inputs.as_ptr(), self.outputs.as_mut_ptr()) };
        if failed != 0 {
            return Err(self.aborted());
        }
        self.cycle += 1;
        Ok(())
    }

    /// Lets the outputs follow the inputs without a clock edge, for an input that depends on an output of its cycle.
    ///
    /// # Errors
    /// As [`Instance::step`].
    pub fn settle(&mut self) -> Result<(), VerilatorError> {
        // SAFETY: as in `step`.
        let failed = unsafe {
            (self.library.functions.settle)(self.model.as_ptr(), self.inputs.as_ptr(), self.outputs.as_mut_ptr())
        };
        if failed != 0 {
            return Err(self.aborted());
        }
        Ok(())
    }

    /// Steps done.
    #[must_use]
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// The library the instance was made by.
    #[must_use]
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// Writes all signals from here on to a file, until [`Instance::close_trace`] or the end of the instance.
    ///
    /// # Errors
    /// The library was built with [`Trace::Off`](super::Trace::Off), or the file cannot be written.
    pub fn trace(&mut self, path: &Path) -> Result<(), VerilatorError> {
        let Some((open, _)) = self.library.functions.trace else {
            return Err(VerilatorError::TraceOff { top: self.library.top.clone(), path: path.to_owned() });
        };
        let failed = |message: String| VerilatorError::TraceFailed { path: path.to_owned(), message };
        // Verilator does not say why a file cannot be written, and leaves a failed model behind.
        std::fs::File::create(path).map_err(|error| failed(error.to_string()))?;
        let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|error| failed(error.to_string()))?;
        // SAFETY: the model is alive and the name ends with a zero byte.
        match unsafe { open(self.model.as_ptr(), name.as_ptr()) } {
            0 => Ok(()),
            _ => Err(failed(self.message())),
        }
    }

    /// Completes the trace file.
    ///
    /// # Errors
    /// The file could not be completed.
    pub fn close_trace(&mut self) -> Result<(), VerilatorError> {
        if let Some((_, close)) = self.library.functions.trace {
            // SAFETY: the model is alive.
            if unsafe { close(self.model.as_ptr()) } != 0 {
                return Err(self.aborted());
            }
        }
        Ok(())
    }

    fn message(&self) -> String {
        // SAFETY: the model is alive, and the text is copied before anything else is called.
        unsafe { text((self.library.functions.error)(self.model.as_ptr())) }
    }

    #[cold]
    fn aborted(&self) -> VerilatorError {
        VerilatorError::Aborted { cycle: self.cycle, message: self.message() }
    }

    #[cold]
    fn too_wide(&self, port: PortHandle, value: u64) -> VerilatorError {
        VerilatorError::ValueTooWide { name: self.library.name(port).to_owned(), value, width: port.width() }
    }

    /// Why a port cannot be used as an input or output of that many words.
    #[cold]
    fn misuse(&self, port: PortHandle, wanted: Direction, words: usize) -> VerilatorError {
        if port.design != self.design {
            return VerilatorError::ForeignPort { top: self.library.top.clone() };
        }
        let name = self.library.name(port).to_owned();
        if port.direction != wanted {
            return VerilatorError::UnknownPort {
                top: self.library.top.clone(),
                kind: match wanted {
                    Direction::Input => "input",
                    Direction::Output => "output",
                },
                name,
            };
        }
        VerilatorError::WordCount { name, width: port.width(), expected: port.width().div_ceil(32), actual: words }
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Instance")
            .field("library", &self.library)
            .field("cycle", &self.cycle)
            .finish_non_exhaustive()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the model is alive, and nothing uses it afterwards.
        unsafe { (self.library.functions.delete)(self.model.as_ptr()) }
    }
}
