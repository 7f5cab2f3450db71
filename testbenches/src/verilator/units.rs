//! Which generated files are compiled together, and how far they are optimized.

use std::fs;
use std::path::Path;

use super::build::write;
use super::error::VerilatorError;
use super::Optimize;

/// Generated text below this size is one unit, so that a small design starts the compiler once.
const SINGLE_UNIT_BYTES: u64 = 60_000;

/// Size of a unit of a larger design: small enough to give every core work.
const UNIT_BYTES: u64 = 120_000;

/// A C++ file to compile, with its optimization level.
pub(super) struct Unit {
    pub file: String,
    pub level: &'static str,
}

/// Groups the generated files and the shim into units, and writes the units.
pub(super) fn units(directory: &Path, optimize: Optimize) -> Result<Vec<Unit>, VerilatorError> {
    let mut generated = Vec::new();
    for file in fs::read_dir(directory).map_err(VerilatorError::io(directory))? {
        let file = file.map_err(VerilatorError::io(directory))?;
        let bytes = file.metadata().map_err(VerilatorError::io(file.path()))?.len();
        if let Ok(name) = file.file_name().into_string() {
            if name.ends_with(".cpp") {
                generated.push((name, bytes));
            }
        }
    }
    generated.sort();
    let fast_level = match optimize {
        Optimize::Build => "-O1",
        Optimize::Run => "-O2",
    };
    // Start-up code runs once.
    let is_slow = |name: &str| name.contains("__Slow") || name.contains("__Syms");
    let (slow, fast): (Vec<_>, Vec<_>) = if generated.iter().map(|g| g.1).sum::<u64>() < SINGLE_UNIT_BYTES {
        (Vec::new(), generated)
    } else {
        generated.into_iter().partition(|(name, _)| is_slow(name))
    };
    let mut units = Vec::new();
    for (files, level) in [(fast, fast_level), (slow, "-O0")] {
        let mut text = String::new();
        let mut bytes = 0;
        let mut texts = Vec::new();
        for (name, size) in files {
            if bytes > 0 && bytes + size > UNIT_BYTES {
                texts.push(std::mem::take(&mut text));
                bytes = 0;
            }
            text.push_str(&format!("#include \"{name}\"\n"));
            bytes += size;
        }
        texts.push(text);
        for text in texts.iter().filter(|text| !text.is_empty()) {
            let file = format!("unit{}.cpp", units.len());
            write(&directory.join(&file), text)?;
            units.push(Unit { file, level });
        }
    }
    Ok(units)
}
