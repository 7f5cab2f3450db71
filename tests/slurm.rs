//! `systole sweep --executor slurm` on a real slurmctld and slurmd.

#[path = "common/cluster.rs"]
mod cluster;
mod common;

use cluster::Cluster;
use common::{digits_path, ran, Ran, Work};
use explore::row::Row;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// 50 points, 250 evaluations and 50 simulations.
fn sweep() -> String {
    format!(
        r#"
name = "fifty"
config = "small"
seeds = [0, 1, 2, 3, 4]
[networks.mlp]
model = "{}"
data = "{}"
[methods.tensor]
weights = "min-max"
activations = "min-max"
granularity = "per-tensor"
[methods.channel]
weights = "min-max"
activations = "min-max"
granularity = "per-channel"
[axes]
network = ["mlp"]
method = ["tensor", "channel"]
weight_bits = {{ from = 2, to = 6 }}
activation_bits = {{ from = 4, to = 8 }}
"#,
        digits_path("sweep/mlp-w0.5-s{seed}.onnx"),
        digits_path("sweep/digits-s{seed}.npz")
    )
}

/// A folder with the sweep, and its rows from a local run.
struct Local {
    workspace: Work,
    cluster: Cluster,
    rows: Vec<Vec<String>>,
}

impl Local {
    fn new() -> Self {
        let workspace = Work::new();
        workspace.write("fifty.toml", sweep());
        workspace.succeeds(&["sweep", "fifty.toml", "--results", "local.sqlite", "--csv", "local.csv"]);
        let rows = rows(&workspace, "local.csv");
        assert_eq!(rows.len(), 50);
        Self { workspace, cluster: Cluster::start(), rows }
    }

    /// With four elements.
    fn command(&self, name: &str, options: &[&str]) -> Command {
        let (results, csv) = (format!("{name}.sqlite"), format!("{name}.csv"));
        let arguments = ["sweep", "fifty.toml", "--results", &results, "--csv", &csv, "--executor", "slurm"];
        let mut command = self.workspace.command(&[&arguments[..], &["--slurm-array", "4"], options].concat());
        command.env("SLURM_CONF", self.cluster.config());
        command
    }

    fn gives_the_local_rows(&self, name: &str, options: &[&str]) -> Ran {
        let ran = ran(&mut self.command(name, options));
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert_eq!(rows(&self.workspace, &format!("{name}.csv")), self.rows);
        // Nothing is left but the lock.
        let left = fs::read_dir(self.workspace.path(&format!("{name}.sqlite.slurm"))).expect("it is there");
        assert!(left.map(|entry| entry.expect("an entry").file_name()).all(|file| file == "lock" || is_log(&file)));
        ran
    }
}

fn is_log(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().ends_with(".log")
}

/// The rows of a CSV file without the columns that differ from run to run.
fn rows(workspace: &Work, name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(workspace.path(name)).expect("it was written");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<String>>());
    let head = lines.next().expect("a head");
    let status = head.iter().position(|name| name == "status").expect("a column");
    let kept = |at: &usize| !Row::VOLATILE.contains(&head[*at].as_str());
    let row = |fields: Vec<String>| {
        assert_eq!(fields.len(), head.len(), "no field of this sweep has a comma");
        assert_eq!(fields[status], "done");
        (0..head.len()).filter(kept).map(|at| fields[at].clone()).collect()
    };
    lines.map(row).collect()
}

/// Reads standard error up to the line that says which job was submitted.
fn submitted(child: &mut Child) -> (String, impl BufRead) {
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("it is text");
    let job = line.strip_prefix("systole: job ").and_then(|rest| rest.split_once(" is submitted: 4 of 4 parts"));
    (job.unwrap_or_else(|| panic!("{line}")).0.to_owned(), lines)
}

fn rest(mut child: Child, mut stderr: impl BufRead) -> (Option<i32>, String) {
    let mut text = String::new();
    stderr.read_to_string(&mut text).expect("it is text");
    (child.wait().expect("it ends").code(), text)
}

/// The process of a part.
fn process_of(part: &str) -> String {
    let begin = Instant::now();
    loop {
        for entry in fs::read_dir("/proc").expect("processes are listed").flatten() {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_part = command.split(|byte| *byte == 0).any(|argument| argument == part.as_bytes());
            // Not the shell that waits for it.
            if is_part && command.starts_with(env!("CARGO_BIN_EXE_systole").as_bytes()) {
                return entry.file_name().into_string().expect("a number");
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "part {part} did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(signal: &str, process: &str) {
    assert!(Command::new("kill").args([signal, process]).status().expect("it starts").success());
}

#[test]
fn fifty_points_by_slurm_have_the_rows_of_a_local_run() {
    let local = Local::new();
    let ran = local.gives_the_local_rows("whole", &[]);
    assert!(ran.stderr.contains("systole: 4 of 4 parts\n"), "{}", ran.stderr);
    let again = self::ran(local.command("whole", &[]).env("PATH", ""));
    assert!(again.stdout.contains("nothing was run"), "{again:?}");

    a_killed_part_is_told_and_run_again(&local);
    an_interrupted_run_waits_for_the_same_job(&local);
    a_part_that_ended_here_is_not_submitted(&local);
}

fn a_killed_part_is_told_and_run_again(local: &Local) {
    let mut child =
        local.command("killed", &[]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let (job, stderr) = submitted(&mut child);
    kill("-KILL", &process_of("2/4"));
    let (status, stderr) = rest(child, stderr);
    assert_eq!(status, Some(2), "{stderr}");
    let told =
        format!("systole: part 2 of 4 (job {job}_2) ended as FAILED on node0: NonZeroExitCode; the end of its log");
    assert!(stderr.contains(&told) && stderr.contains("Killed"), "{stderr}");
    assert!(stderr.contains("systole: 1 parts of the job array did not finish: "), "{stderr}");
    assert!(stderr.trim_end().ends_with(" tasks are left; run the same command again to submit them"), "{stderr}");
    let ran = local.gives_the_local_rows("killed", &[]);
    assert!(ran.stderr.contains(" is submitted: 1 of 4 parts"), "{}", ran.stderr);
}

fn an_interrupted_run_waits_for_the_same_job(local: &Local) {
    let mut command = local.command("interrupted", &["--slurm-option=--hold"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let (job, stderr) = submitted(&mut child);
    kill("-INT", &child.id().to_string());
    let (status, stderr) = rest(child, stderr);
    assert_eq!(status, Some(130), "{stderr}");
    assert!(stderr.contains("systole: interrupted: 300 of 300 tasks are left"), "{stderr}");
    local.cluster.tool("scontrol", &["release", &job]);
    let ran = local.gives_the_local_rows("interrupted", &["--slurm-option=--hold"]);
    assert!(
        ran.stderr.starts_with(&format!("systole: job {job} was submitted before: 4 of 4 parts")),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("is submitted"), "{}", ran.stderr);
}

fn a_part_that_ended_here_is_not_submitted(local: &Local) {
    local.workspace.succeeds(&["sweep", "fifty.toml", "--results", "one.sqlite", "--part", "1/4"]);
    let ran = local.gives_the_local_rows("one", &[]);
    assert!(ran.stderr.contains(" is submitted: 3 of 4 parts"), "{}", ran.stderr);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let workspace = Work::new();
    workspace.write("fifty.toml", sweep());
    let refuses =
        |options: &[&str], message: &str| workspace.refuses(&[&["sweep", "fifty.toml"], options].concat(), message);
    refuses(&["--slurm-array", "4"], "--slurm-array is for --executor slurm");
    refuses(&["--slurm-option=--mem=1G"], "--slurm-option is for --executor slurm");
    refuses(&["--executor", "slurm", "--slurm-option=--array=1"], "is not the user's to give");
    refuses(&["--executor", "slurm", "--slurm-option", "main"], "must be an option of sbatch that begins with '-'");
}

#[test]
fn sbatch_that_is_missing_is_named_and_nothing_is_lost() {
    let workspace = Work::new();
    workspace.write("fifty.toml", sweep());
    let arguments = ["sweep", "fifty.toml", "--results", "r.sqlite", "--executor", "slurm"];
    let ran = ran(workspace.command(&arguments).env("PATH", ""));
    assert_eq!(ran.status, Some(2), "{ran:?}");
    let text =
        "systole: sbatch is missing: install Slurm's commands (Debian: apt-get install slurm-client), or use --executor local\n";
    assert_eq!(ran.stderr, text);
}
