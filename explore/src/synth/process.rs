//! Running a tool with a limit on its time, and stopping it with all that it started.

use super::SynthError;
use rustix::process::{kill_process_group, waitid, Pid, Signal, WaitId, WaitIdOptions};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
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

/// Signals that come from outside and say nothing of what the tool was at: hang-up, interrupt, quit, kill, terminate.
const FROM_OUTSIDE: [i32; 5] = [1, 2, 3, 9, 15];

/// A command that the kernel kills with the thread that starts it, should even a SIGKILL end this process. Where there is no
/// `setpriv` it would go on to its end.
fn command(program: &Path) -> Command {
    if !Path::new(SETPRIV).exists() {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A process group that is killed when this is dropped, whatever the reason.
struct Group(Child);

impl Group {
    /// The number of its first process, which is nobody else's until that is waited for.
    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.0.id()).ok().and_then(Pid::from_raw)
    }

    fn has_ended(&self) -> std::io::Result<bool> {
        let Some(pid) = self.pid() else { return Ok(true) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(pid), options)?.is_some())
    }

    /// Ends what the first process has started and left, and gives its status.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if let Some(pid) = self.pid() {
            // Perhaps nobody is left.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        self.0.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // After `end` the number may be another's: the standard library knows whether it has waited.
        if let Ok(None) = self.0.try_wait() {
            let _ = self.end();
        }
    }
}

/// Runs a program in `directory` to its end; what it prints goes to `log` there.
pub fn run<I: IntoIterator<Item: AsRef<OsStr>>>(
    program: &Path,
    arguments: I,
    directory: &Path,
    log: &str,
    limits: Limits<'_>,
) -> Result<Ended, SynthError> {
    let log = directory.join(log);
    let file = File::create(&log).map_err(SynthError::io(&log))?;
    let other = file.try_clone().map_err(SynthError::io(&log))?;
    let mut command = command(program);
    // Its own group: a Ctrl-C at the terminal reaches this process alone, and a kill reaches all that the tool started.
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).stdout(file).stderr(other).process_group(0);
    let mut group = Group(command.spawn().map_err(SynthError::io(program))?);
    loop {
        let status = match group.has_ended().map_err(SynthError::io(directory))? {
            true => Some(group.end().map_err(SynthError::io(directory))?),
            false => None,
        };
        match status {
            Some(status) if status.success() => return Ok(Ended::Success),
            _ if limits.interrupted.load(Ordering::Relaxed) => return Err(SynthError::Interrupted),
            Some(status) => {
                let printed = std::fs::read(&log).map_err(SynthError::io(&log))?;
                return failure(program, status, String::from_utf8_lossy(&printed).into_owned());
            }
            None if limits.started.elapsed() >= limits.timeout => return Ok(Ended::TimedOut),
            None => std::thread::sleep(POLL),
        }
    }
}

/// What the end of a program without success is: of its work, or not.
fn failure(program: &Path, status: ExitStatus, mut printed: String) -> Result<Ended, SynthError> {
    let program = || program.to_owned();
    if let Some(message) = printed.strip_prefix("setpriv: ") {
        return Err(SynthError::Start { program: program(), what: message.trim().to_owned() });
    }
    match status.signal() {
        Some(signal) if FROM_OUTSIDE.contains(&signal) => Err(SynthError::Killed { program: program(), signal }),
        Some(signal) => {
            // A crash, which the same work brings about again.
            printed.push_str(&format!("\nERROR: it crashed with signal {signal}\n"));
            Ok(Ended::Failure(printed))
        }
        None => Ok(Ended::Failure(printed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(timeout: Duration, interrupted: &AtomicBool) -> Limits<'_> {
        Limits { started: Instant::now(), timeout, interrupted }
    }

    /// Runs a line of shell.
    fn shell(line: &str, directory: &Path, limits: Limits<'_>) -> Result<Ended, SynthError> {
        run(Path::new("sh"), ["-c", line], directory, "log", limits)
    }

    /// Starts a child which would write `late` after a second.
    const SLOW: &str = "(sleep 1; echo x > late) & wait";

    #[test]
    fn a_tool_that_takes_too_long_is_killed_with_its_children() -> Result<(), SynthError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(false);
        let ended = shell(SLOW, directory.path(), limits(Duration::from_millis(100), &interrupted))?;
        assert_eq!(ended, Ended::TimedOut);
        std::thread::sleep(Duration::from_millis(1300));
        assert!(!directory.path().join("late").exists(), "the tool's child is still alive");
        Ok(())
    }

    #[test]
    fn an_interruption_stops_a_tool() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(true);
        let ended = shell(SLOW, directory.path(), limits(Duration::from_secs(60), &interrupted));
        assert!(matches!(ended, Err(SynthError::Interrupted)), "{ended:?}");
    }

    #[test]
    fn a_tool_that_fails_gives_what_it_printed() -> Result<(), SynthError> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(false);
        let line = "echo out; echo err >&2; exit 3";
        let ended = shell(line, directory.path(), limits(Duration::from_secs(60), &interrupted))?;
        assert_eq!(ended, Ended::Failure("out\nerr\n".to_owned()));
        Ok(())
    }

    /// Somebody's kill, or the kernel's for want of memory, says nothing of the design; a crash does.
    #[test]
    fn a_tool_that_is_killed_is_no_failed_build() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(false);
        // The others are ignored by what runs in the background, or under nohup.
        for signal in ["KILL", "TERM"] {
            let line = format!("kill -{signal} $$");
            let ended = shell(&line, directory.path(), limits(Duration::from_secs(60), &interrupted));
            assert!(matches!(ended, Err(SynthError::Killed { .. })), "{signal}: {ended:?}");
        }
        let ended =
            shell("echo assertion; kill -ABRT $$", directory.path(), limits(Duration::from_secs(60), &interrupted));
        assert!(
            matches!(&ended, Ok(Ended::Failure(printed)) if printed == "assertion\n\nERROR: it crashed with signal 6\n"),
            "{ended:?}"
        );
    }

    #[test]
    fn children_of_a_tool_that_is_gone_are_ended() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(false);
        for end in ["exit 0", "exit 3", "kill -KILL $$"] {
            let line = format!("(sleep 1; echo x > late) & {end}");
            let _ = shell(&line, directory.path(), limits(Duration::from_secs(60), &interrupted));
        }
        std::thread::sleep(Duration::from_millis(1300));
        assert!(!directory.path().join("late").exists(), "a child is still alive");
    }

    #[test]
    fn a_program_that_cannot_be_started_is_an_error() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let interrupted = AtomicBool::new(false);
        let limits = limits(Duration::from_secs(60), &interrupted);
        let ended = run(Path::new("./none"), ["x"], directory.path(), "log", limits);
        assert!(matches!(ended, Err(SynthError::Start { .. } | SynthError::Io { .. })), "{ended:?}");
    }
}
