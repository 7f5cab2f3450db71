//! A loaded model library and the handles of its ports.

use libloading::os::unix;
use spec::Direction;
use std::ffi::{c_char, c_int, c_void, CStr};
use std::path::Path;
use std::sync::Arc;

use super::error::VerilatorError;
use super::instance::Instance;
use super::wrapper::{wrap, Layout};
use super::{build, Design, Options};

pub(super) type Model = *mut c_void;
type New = unsafe extern "C" fn(u64) -> Model;
type Delete = unsafe extern "C" fn(Model);
type Error = unsafe extern "C" fn(Model) -> *const c_char;
pub(super) type Step = unsafe extern "C" fn(Model, *const u32, *mut u32) -> c_int;
type TraceOpen = unsafe extern "C" fn(Model, *const c_char) -> c_int;
type TraceClose = unsafe extern "C" fn(Model) -> c_int;

/// The C interface of `shim.cpp`.
pub(super) struct Functions {
    pub new: New,
    pub delete: Delete,
    pub error: Error,
    pub settle: Step,
    pub step: Step,
    pub trace: Option<(TraceOpen, TraceClose)>,
}

/// A port of one library, found once by name and then used every cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortHandle {
    /// Tells handles of different designs apart.
    pub(super) design: u32,
    pub(super) direction: Direction,
    pub(super) word: u32,
    pub(super) width: u32,
}

impl PortHandle {
    /// Width in bits.
    #[must_use]
    pub fn width(self) -> usize {
        self.width as usize
    }
}

/// A design compiled and loaded. Threads may share it; each makes instances of its own.
pub struct Library {
    pub(super) top: String,
    pub(super) layout: Layout,
    pub(super) functions: Functions,
    pub(super) design: u32,
    was_cached: bool,
    // The functions point into it, so it is dropped with them.
    _loaded: libloading::Library,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Library")
            .field("top", &self.top)
            .field("was_cached", &self.was_cached)
            .finish_non_exhaustive()
    }
}

impl Library {
    /// Builds the design, or finds it in the cache, and loads it.
    ///
    /// # Errors
    /// A tool is missing, the ports do not fit the Verilog, Verilator or the compiler refuses the design, the cache
    /// directory is not writable, or the library does not load.
    pub fn build(design: &Design, options: &Options) -> Result<Arc<Self>, VerilatorError> {
        #[cfg(feature = "verilated")]
        if options.runtime == super::Runtime::Host {
            super::hosted::prepare(options)?;
        }
        let (wrapper, layout) = wrap(&design.top, &design.ports)?;
        let (path, was_cached) = build::library(design, &wrapper, options)?;
        let (loaded, functions) =
            load(&path).map_err(|source| VerilatorError::LoadFailed { path: path.clone(), source })?;
        let tag = path.as_os_str().as_encoded_bytes().iter();
        Ok(Arc::new(Self {
            top: design.top.clone(),
            layout,
            functions,
            design: tag.fold(0x811c_9dc5, |hash: u32, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)),
            was_cached,
            _loaded: loaded,
        }))
    }

    /// Whether the cache had the library.
    #[must_use]
    pub fn was_cached(&self) -> bool {
        self.was_cached
    }

    /// Where each port lies in the wrapper's buses.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The input `name`, which must be `width` bits wide.
    ///
    /// # Errors
    /// There is no such input, or it has another width.
    pub fn input(&self, name: &str, width: usize) -> Result<PortHandle, VerilatorError> {
        self.port(name, width, Direction::Input, "input")
    }

    /// The output `name`, which must be `width` bits wide.
    ///
    /// # Errors
    /// There is no such output, or it has another width.
    pub fn output(&self, name: &str, width: usize) -> Result<PortHandle, VerilatorError> {
        self.port(name, width, Direction::Output, "output")
    }

    fn port(
        &self,
        name: &str,
        width: usize,
        direction: Direction,
        kind: &'static str,
    ) -> Result<PortHandle, VerilatorError> {
        let unknown = || VerilatorError::UnknownPort { top: self.top.clone(), kind, name: name.to_owned() };
        let slot = self.layout.slots.get(name).ok_or_else(unknown)?;
        if slot.direction != direction {
            return Err(unknown());
        }
        if slot.width != width {
            return Err(VerilatorError::PortWidth {
                top: self.top.clone(),
                name: name.to_owned(),
                expected: width,
                actual: slot.width,
            });
        }
        match (u32::try_from(slot.offset / 32), u32::try_from(slot.width)) {
            (Ok(word), Ok(width)) => Ok(PortHandle { design: self.design, direction, word, width }),
            // A port of 2^32 bits has no place in memory.
            _ => Err(unknown()),
        }
    }

    /// The name of a handle's port, for messages.
    pub(super) fn name(&self, port: PortHandle) -> &str {
        let found = self
            .layout
            .slots
            .iter()
            .find(|(_, slot)| slot.direction == port.direction && slot.offset / 32 == port.word as usize);
        found.map_or("", |(name, _)| name)
    }

    /// A model of its own, with all registers and memories at random values that depend on `seed` only.
    ///
    /// # Errors
    /// An initial block of the design stops the simulation.
    pub fn instance(self: &Arc<Self>, seed: u64) -> Result<Instance, VerilatorError> {
        Instance::new(Arc::clone(self), seed)
    }
}

fn load(path: &Path) -> Result<(libloading::Library, Functions), libloading::Error> {
    // SAFETY: the library is made by this crate; loading it runs the constructors of Verilator's runtime only.
    // All symbols are resolved at once, so that a missing one is an error here and not the end of the process later.
    let loaded: libloading::Library =
        unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) }?.into();
    // SAFETY: the types are those of `shim.cpp`, which the library was compiled from. The pointers are kept together
    // with the library.
    let functions = unsafe {
        let open = loaded.get::<TraceOpen>(b"systole_trace_open\0");
        let close = loaded.get::<TraceClose>(b"systole_trace_close\0");
        Functions {
            new: *loaded.get::<New>(b"systole_new\0")?,
            delete: *loaded.get::<Delete>(b"systole_delete\0")?,
            error: *loaded.get::<Error>(b"systole_error\0")?,
            settle: *loaded.get::<Step>(b"systole_settle\0")?,
            step: *loaded.get::<Step>(b"systole_step\0")?,
            trace: match (open, close) {
                (Ok(open), Ok(close)) => Some((*open, *close)),
                _ => None,
            },
        }
    };
    Ok((loaded, functions))
}

/// The text of a C string, empty for null.
///
/// # Safety
/// The pointer is null or points to a string that lives through the call.
pub(super) unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    CStr::from_ptr(pointer).to_string_lossy().into_owned()
}
