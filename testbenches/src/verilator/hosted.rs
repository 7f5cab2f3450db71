//! Models on the C++ runtime of the [`verilated`] package instead of one of their own.
//!
//! The program that loads such a model brings the runtime with it and exports its symbols: this package's build script
//! links its own tests so (`-Wl,--export-dynamic`); any other program needs the same flag. The runtime ends the process
//! on `$fatal` and `$stop`, for its handlers are compiled into the package.

use super::{Options, Trace, VerilatorError};
use verilated::RandomMode;

/// Makes the program keep the runtime, and gives it the start-up mode of all models.
pub(super) fn prepare(options: &Options) -> Result<(), VerilatorError> {
    if options.trace != Trace::Off {
        return Err(VerilatorError::HostTrace);
    }
    // Without a call the linker would leave the runtime out.
    verilated::set_rand_reset(RandomMode::Randomize);
    Ok(())
}
