//! Running a tool with a limit on its time, and stopping it with all that it started.

use super::SynthError;
use rustix::process::{kill_process_group, Pid, Signal};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the tools of a build may run.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    pub started: Instant,
    pub timeout: Duration,
    pub interrupted: &'a AtomicBool,
}

/// How a tool ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Success,
    /// With what it printed.
    Failure(String),
    TimedOut,
}

/// Between two looks at a running tool.
pub const POLL: Duration = Duration::from_millis(10);

/// Of util-linux, which every Debian has.
const SETPRIV: &str = "/usr/bin/setpriv";

/// A command that the kernel kills with the thread that starts it, should even a SIGKILL end this process. Where there is no
/// `setpriv` it would go on to its end.
pub fn command(program: &Path) -> Command {
    if !Path::new(SETPRIV).exists() {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A process group that is killed when this is dropped, whatever the reason.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
                // It may have ended just now.
                let _ = kill_process_group(pid, Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }
}

/// Runs a command in `directory` to its end; what it prints goes to `log` there.
pub fn run(command: &mut Command, directory: &Path, log: &str, limits: Limits<'_>) -> Result<Ended, SynthError> {
    let log = directory.join(log);
    let file = File::create(&log).map_err(SynthError::io(&log))?;
    let other = file.try_clone().map_err(SynthError::io(&log))?;
    let program = command.get_program().to_owned();
    // Its own group: a Ctrl-C at the terminal reaches this process alone, and a kill reaches all that the tool started.
    command.current_dir(directory).stdin(Stdio::null()).stdout(file).stderr(other).process_group(0);
    let mut group = Group(command.spawn().map_err(SynthError::io(program))?);
    loop {
        if let Some(status) = group.0.try_wait().map_err(SynthError::io(directory))? {
            if status.success() {
                return Ok(Ended::Success);
            }
            let printed = std::fs::read(&log).map_err(SynthError::io(&log))?;
            return Ok(Ended::Failure(String::from_utf8_lossy(&printed).into_owned()));
        }
        if limits.interrupted.load(Ordering::Relaxed) {
            return Err(SynthError::Interrupted);
        }
        if limits.started.elapsed() >= limits.timeout {
            return Ok(Ended::TimedOut);
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(timeout: Duration, interrupted: &AtomicBool) -> Limits<'_> {
        Limits { started: Instant::now(), timeout, interrupted }
    }

    /// A shell that starts a child which would write `late` after a second.
    fn slow() -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "(sleep 1; echo x > late) & wait"]);
        command
    }

    #[test]
    fn a_tool_that_takes_too_long_is_killed_with_its_children() -> Result<(), SynthError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(false);
        let ended = run(&mut slow(), directory.path(), "log", limits(Duration::from_millis(100), &interrupted))?;
        assert_eq!(ended, Ended::TimedOut);
        std::thread::sleep(Duration::from_millis(1300));
        assert!(!directory.path().join("late").exists(), "the tool's child is still alive");
        Ok(())
    }

    #[test]
    fn an_interruption_stops_a_tool() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(true);
        let ended = run(&mut slow(), directory.path(), "log", limits(Duration::from_secs(60), &interrupted));
        assert!(matches!(ended, Err(SynthError::Interrupted)), "{ended:?}");
    }

    #[test]
    fn a_tool_that_fails_gives_what_it_printed() -> Result<(), SynthError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(false);
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let ended = run(&mut command, directory.path(), "log", limits(Duration::from_secs(60), &interrupted))?;
        assert_eq!(ended, Ended::Failure("out\nerr\n".to_owned()));
        Ok(())
    }
}
