//! Ctrl-C, and requests to end, for commands that then stop cleanly.

use crate::INTERRUPTED;
use anyhow::{Context, Result};
use explore::sweep::SweepError;
use explore::synth::SynthError;
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;

/// The command stopped since it was asked to.
#[derive(Debug, Error)]
#[error("interrupted: {left}")]
pub struct Interrupted {
    /// What is left to do.
    pub left: String,
}

static FLAG: AtomicBool = AtomicBool::new(false);

/// From here on an interrupt sets the flag. A second one ends the process at once.
pub fn flag() -> Result<&'static AtomicBool> {
    let set = || {
        if FLAG.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
    };
    ctrlc::set_handler(set).context("cannot listen to interrupts")?;
    Ok(&FLAG)
}

/// Whether an interrupt has set the flag.
pub fn is_requested() -> bool {
    FLAG.load(Ordering::SeqCst)
}

/// Whether the command ended with this error since it was asked to stop.
pub fn is_cause(error: &anyhow::Error) -> bool {
    error.is::<Interrupted>()
        || matches!(error.downcast_ref(), Some(SynthError::Interrupted))
        || matches!(error.downcast_ref(), Some(SweepError::Interrupted))
}
