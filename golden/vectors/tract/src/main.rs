//! Runs each model of a folder in tract.
//!
//! `tract-outputs FOLDER` reads `FOLDER/models`, one line `NAME optimized` or `NAME plain` each, and for each NAME the model `NAME.onnx` and its inputs
//! `NAME.in0`, `NAME.in1`, ... (elements in native byte order, types and shapes as the model says). It writes the first output
//! to `NAME.out`, or why tract cannot run the model to `NAME.error`.

use std::path::Path;
use std::{env, fs, process};
use tract_onnx::prelude::*;

fn run(folder: &Path, name: &str, optimized: bool) -> TractResult<Vec<u8>> {
    let model = tract_onnx::onnx().model_for_path(folder.join(format!("{name}.onnx")))?;
    let model = if optimized { model.into_optimized()? } else { model.into_typed()? };
    let mut inputs = tvec![];
    for index in 0..model.inputs.len() {
        let fact = model.input_fact(index)?;
        let shape = fact.shape.as_concrete().ok_or_else(|| TractError::msg("an input has no fixed shape"))?;
        let bytes = fs::read(folder.join(format!("{name}.in{index}")))?;
        // Sound: every type here is a plain number, and tract checks that the length fits the shape.
        let tensor = unsafe { Tensor::from_raw_dt(fact.datum_type, shape, &bytes)? };
        inputs.push(tensor.into());
    }
    let outputs = model.into_runnable()?.run(inputs)?;
    Ok(outputs[0].as_bytes().to_vec())
}

fn main() -> TractResult<()> {
    let Some(folder) = env::args().nth(1) else {
        eprintln!("usage: tract-outputs FOLDER");
        process::exit(2);
    };
    let folder = Path::new(&folder);
    for line in fs::read_to_string(folder.join("models"))?.lines() {
        let (name, passes) = line.split_once(' ').ok_or_else(|| TractError::msg("expected NAME PASSES"))?;
        match run(folder, name, passes == "optimized") {
            Ok(bytes) => fs::write(folder.join(format!("{name}.out")), bytes)?,
            Err(error) => fs::write(folder.join(format!("{name}.error")), format!("{error:#}"))?,
        }
    }
    Ok(())
}
