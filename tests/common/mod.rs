//! What the tests of the command line share.

// Each test file uses a part.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A working folder of a test's own.
pub struct Work {
    folder: TempDir,
}

/// What a run printed, and its status.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Work {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).expect("a test's own folder can be written");
    }

    /// Every name in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a test's own folder can be read");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name().into_string();
        let mut names: Vec<String> = entries.map(|entry| name(entry).expect("names are plain")).collect();
        names.sort();
        names
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_systole"));
        command.args(arguments).current_dir(self.folder.path());
        // Models are kept where the other tests keep theirs.
        command.env("SYSTOLE_CACHE", Path::new(ROOT).join("target").join("verilated"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// Status 2, nothing on standard output, `message` within an error of one paragraph, nothing new in the folder.
    pub fn refuses(&self, arguments: &[&str], message: &str) {
        self.refuses_as(&mut self.command(arguments), message);
    }

    pub fn refuses_as(&self, command: &mut Command, message: &str) {
        let before = self.names();
        let ran = ran(command);
        assert_eq!(ran.status, Some(2), "{command:?}: {ran:?}");
        assert!(ran.stderr.contains(message), "{command:?}: {message:?} is not in\n{}", ran.stderr);
        assert_eq!(ran.stdout, "", "{command:?}");
        assert_eq!(
            ran.stderr.matches("systole: ").count() + ran.stderr.matches("error: ").count(),
            1,
            "{}",
            ran.stderr
        );
        assert_eq!(self.names(), before, "{command:?}");
    }

    pub fn succeeds(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.status, Some(0), "{arguments:?}: {ran:?}");
        assert_eq!(ran.stderr, "", "{arguments:?}");
        ran.stdout
    }
}

pub fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("messages are UTF-8");
    let ran = Ran { status: status.code(), stdout: text(stdout), stderr: text(stderr) };
    assert!(!ran.stderr.contains("panicked"), "{command:?}: {ran:?}");
    ran
}

pub fn digits(name: &str) -> Vec<u8> {
    fs::read(Path::new(ROOT).join("examples/digits").join(name)).expect("the example is part of the repository")
}

pub fn digits_path(name: &str) -> String {
    format!("{ROOT}/examples/digits/{name}")
}

/// The shipped configuration's text with one piece replaced.
pub fn config(name: &str, from: &str, to: &str) -> String {
    let text = fs::read_to_string(format!("{ROOT}/spec/configs/{name}.toml")).expect("it ships with Systole");
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {name}");
    text.replace(from, to)
}

/// `bytes` with every `from` replaced by `to`, of the same length.
pub fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}
