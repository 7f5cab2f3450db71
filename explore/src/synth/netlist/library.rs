//! The models of cells that are instances.

use crate::synth::run::read;
use crate::synth::target::Family;
use crate::synth::tools::{self, Tool};
use crate::synth::SynthError;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Models of cells that Yosys has none of.
const OWN: &str = include_str!("models.v");

/// The modules of some cells, Yosys's where it has any.
pub fn models(family: Family, kinds: &BTreeSet<String>) -> Result<String, SynthError> {
    // Undefined defaults of ports are for synthesis, includes for cells that are not used.
    let mut out = String::from("`define NO_ICE40_DEFAULT_ASSIGNMENTS\n");
    let mut theirs = None;
    for kind in kinds {
        if let Some(text) = module(OWN, kind) {
            out.push_str(text);
            continue;
        }
        if theirs.is_none() {
            let path = simulation_models(family)?;
            let text = read(&path)?;
            out.push_str(&macros(&text));
            theirs = Some((path, text));
        }
        if let Some((path, text)) = &theirs {
            let what = || SynthError::Content { path: path.clone(), what: format!("there is no module {kind}") };
            out.push_str(module(text, kind).ok_or_else(what)?);
        }
    }
    Ok(out)
}

/// Yosys's models of a family's cells for simulation.
pub fn simulation_models(family: Family) -> Result<PathBuf, SynthError> {
    let folder = if family == Family::Ice40 { "ice40" } else { "ecp5" };
    let program = tools::find(Tool::Yosys)?.program;
    // Yosys looks for its files from where it is, and says nowhere where that is.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|folder| folder.join(&program));
    let program = places.chain([program.clone()]).find(|place| place.is_file()).unwrap_or(program);
    let program = std::fs::canonicalize(&program).map_err(SynthError::io(&program))?;
    let prefix = program.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
    Ok(prefix.join("share/yosys").join(folder).join("cells_sim.v"))
}

/// The text's macro definitions, and what chooses among them, before its first module.
fn macros(text: &str) -> String {
    let before = text.lines().take_while(|line| !line.starts_with("module"));
    let wanted = ["`define", "`ifdef", "`ifndef", "`else", "`endif"];
    before.filter(|line| wanted.iter().any(|word| line.starts_with(word))).map(|line| format!("{line}\n")).collect()
}

fn module<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    const END: &str = "endmodule\n";
    let heads = ["(", " (", " #(", "\n"].map(|after| format!("module {name}{after}"));
    let start = heads.iter().find_map(|head| text.find(head.as_str()))?;
    let end = text[start..].find(END)?;
    Some(&text[start..start + end + END.len()])
}
