//! Job arrays on a real slurmctld and slurmd. A shell script stands for `systole sweep --part`, so that parts fail, hang and end as the test
//! says.
//!
//! One test, since Slurm's commands find their cluster by an environment variable of the process.

#[path = "../../tests/common/cluster.rs"]
mod cluster;

use cluster::Cluster;
use explore::slurm::{self, Directory, Error, Event, FailedPart, Failure, Job, Progress, Submission, Waited};
use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Does what the file "does-I" says of part I, and then gives its arguments as results.
const STAND_IN: &str = r#"#!/bin/sh
cd "$(dirname "$2")" || exit 1
part=${4%/*}
[ ! -e "does-$part" ] || . "./does-$part"
printf '%s\n' "$@" >"$6"
"#;

/// What a user has: a directory with a sweep file and a program, and results beside them.
struct User {
    home: tempfile::TempDir,
    options: Vec<String>,
}

/// What came of waiting.
struct Seen {
    waited: Waited,
    collected: Vec<String>,
    failed: Vec<String>,
    progress: Vec<Progress>,
}

impl User {
    fn new() -> Self {
        // What shells and Slurm's names of logs treat as special.
        let home = tempfile::Builder::new().prefix("it's 100% $HOME ").tempdir().unwrap();
        fs::write(home.path().join("systole"), STAND_IN).unwrap();
        fs::set_permissions(home.path().join("systole"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(home.path().join("sweep.toml"), "").unwrap();
        Self { home, options: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn directory(&self) -> Directory {
        Directory::open(&self.path("results.slurm")).unwrap()
    }

    fn part_does(&self, part: usize, what: &str) {
        fs::write(self.path(&format!("does-{part}")), what).unwrap();
    }

    fn submit(&self, directory: &Directory, parts: &[usize]) -> Result<Submission, Error> {
        let job = Job {
            program: &self.path("systole"),
            sweep_file: &self.path("sweep.toml"),
            arguments: &["--subset".to_owned(), "it's".to_owned()],
            jobs: None,
            options: &self.options,
        };
        slurm::submit(directory, &job, "print", parts, 7)
    }

    fn wait(&self, directory: &Directory, submission: &Submission) -> Seen {
        self.wait_until(directory, submission, |_| false)
    }

    fn wait_until(&self, directory: &Directory, submission: &Submission, stop: impl Fn(&Progress) -> bool) -> Seen {
        let interrupted = AtomicBool::new(false);
        let (mut collected, mut failed, mut progress) = (Vec::new(), Vec::new(), Vec::new());
        let collect = |path: &Path| {
            let text = fs::read_to_string(path).unwrap();
            collected.push(text.lines().nth(3).unwrap_or_default().to_owned());
            Ok::<_, Infallible>(())
        };
        let observe = |event: Event| match event {
            Event::Progress(now) => {
                interrupted.store(stop(now), Ordering::Relaxed);
                progress.push(now.clone());
            }
            Event::Failed(part) => failed.push(part.text()),
            Event::Unreachable(error) => panic!("{error}"),
        };
        let waited = slurm::wait(directory, submission, collect, observe, &interrupted).unwrap();
        collected.sort();
        Seen { waited, collected, failed, progress }
    }

    fn left_over(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("results.slurm")).unwrap();
        let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn node(cluster: &Cluster, state: &str) {
    cluster.tool("scontrol", &["update", "nodename=node0", state, "reason=test"]);
}

fn failed(waited: &Waited) -> &[FailedPart] {
    match waited {
        Waited::Ended { failed } => failed,
        Waited::Interrupted => panic!("interrupted"),
    }
}

#[test]
fn job_arrays_run_once_and_are_collected_whatever_happens() {
    let cluster = Cluster::start();
    std::env::set_var("SLURM_CONF", cluster.config());
    parts_are_collected_and_nothing_is_left();
    a_failed_part_is_told_with_the_end_of_its_log();
    a_node_that_does_not_see_the_files_says_so(&cluster);
    a_node_that_does_not_see_the_directory_is_guessed(&cluster);
    a_refused_submission_shows_slurms_text_and_leaves_nothing();
    an_interrupted_wait_goes_on_and_does_not_submit_twice(&cluster);
    a_node_that_is_down_is_told_and_waited_for(&cluster);
    sbatch_that_is_missing_is_named();
}

fn parts_are_collected_and_nothing_is_left() {
    let user = User::new();
    let directory = user.directory();
    let submission = user.submit(&directory, &[1, 2, 3, 7]).unwrap();
    let seen = user.wait(&directory, &submission);
    assert_eq!(seen.collected, ["1/7", "2/7", "3/7", "7/7"]);
    assert!(failed(&seen.waited).is_empty(), "{:?}", seen.failed);
    let last = Progress { finished: 4, ..Progress::default() };
    assert_eq!(seen.progress.last(), Some(&last));
    assert_eq!(user.left_over(), ["lock"]);
}

fn a_failed_part_is_told_with_the_end_of_its_log() {
    let user = User::new();
    // It fails with some of its results written.
    user.part_does(2, "printf '%s\\n' \"$@\" >\"$6\"; seq 100 109; echo 'disk full' >&2; exit 3");
    let directory = user.directory();
    let submission = user.submit(&directory, &[1, 2]).unwrap();
    let job = submission.job.unwrap();
    let seen = user.wait(&directory, &submission);
    assert_eq!(seen.collected, ["1/7", "2/7"]);
    let log = directory.log(job, 2);
    let text = format!(
        "part 2 of 7 (job {job}_2) ended as FAILED on node0: NonZeroExitCode; the end of its log {}:\n    106\n    107\n    108\n    \
         109\n    disk full",
        log.display()
    );
    assert_eq!(seen.failed, [text]);
    assert_eq!(user.left_over(), [format!("{job}_2.log"), "lock".to_owned()]);
    // Its next run.
    user.part_does(2, "");
    assert!(slurm::resume(&directory, "print").unwrap().is_none());
    let submission = user.submit(&directory, &[2]).unwrap();
    assert_eq!(user.wait(&directory, &submission).collected, ["2/7"]);
}

fn a_node_that_does_not_see_the_files_says_so(cluster: &Cluster) {
    let user = User::new();
    let directory = user.directory();
    fs::remove_file(user.path("sweep.toml")).unwrap();
    let submission = user.submit(&directory, &[4]).unwrap();
    let seen = user.wait(&directory, &submission);
    assert!(seen.collected.is_empty());
    let host = cluster.tool("hostname", &[]);
    let text = format!(
        "part 4 of 7: {} cannot read the sweep file {}; the sweep file, the networks, the results and systole itself must be on a file \
         system that all nodes share",
        host.trim(),
        user.path("sweep.toml").display()
    );
    assert!(seen.failed[0].ends_with(&text), "{:?}", seen.failed);
}

fn a_node_that_does_not_see_the_directory_is_guessed(cluster: &Cluster) {
    let user = User::new();
    let directory = user.directory();
    node(cluster, "state=drain");
    let submission = user.submit(&directory, &[1]).unwrap();
    let job = submission.job.unwrap();
    fs::rename(user.path("results.slurm"), user.path("elsewhere")).unwrap();
    node(cluster, "state=resume");
    let begin = Instant::now();
    while !cluster.tool("squeue", &["--noheader", "--states=failed", &format!("--jobs={job}")]).contains("JobLaunch") {
        assert!(begin.elapsed() < Duration::from_secs(20), "the job was not launched");
        std::thread::sleep(Duration::from_millis(100));
    }
    fs::rename(user.path("elsewhere"), user.path("results.slurm")).unwrap();
    let seen = user.wait(&directory, &submission);
    let text = format!(
        "part 1 of 7 (job {job}_1) ended as FAILED on node0: JobLaunchFailure; it left no log: can the node see the results directory, \
         and write to it?"
    );
    assert_eq!(seen.failed, [text]);
}

fn a_refused_submission_shows_slurms_text_and_leaves_nothing() {
    let mut user = User::new();
    let directory = user.directory();
    user.options = vec!["--partition=nowhere".into()];
    let text = user.submit(&directory, &[1]).unwrap_err().to_string();
    assert!(text.starts_with("Slurm refused the job: sbatch: error: invalid partition specified: nowhere"), "{text}");
    assert_eq!(user.left_over(), ["lock"]);
    user.options = vec!["--comment".into()];
    let text = "Slurm refused the job: sbatch: error: Batch script is empty!";
    assert_eq!(user.submit(&directory, &[1]).unwrap_err().to_string(), text);
    user.options = vec!["-Jmine".into()];
    let text = "--slurm-option \"-Jmine\" is not the user's to give: the executor sets it, or could not follow the job";
    assert_eq!(user.submit(&directory, &[1]).unwrap_err().to_string(), text);
    user.options = vec!["main".into()];
    let text = "--slurm-option \"main\" must be an option of sbatch that begins with '-', such as --partition=NAME";
    assert_eq!(user.submit(&directory, &[1]).unwrap_err().to_string(), text);
}

fn an_interrupted_wait_goes_on_and_does_not_submit_twice(cluster: &Cluster) {
    let user = User::new();
    let until_told = "while [ ! -e go ]; do sleep 0.1; done";
    user.part_does(1, "exec sleep 1000");
    for part in 2..=4 {
        user.part_does(part, until_told);
    }
    let directory = user.directory();
    let locked = Directory::open(directory.path()).unwrap_err().to_string();
    let path = directory.path().display();
    assert_eq!(locked, format!("another process submits or waits for the jobs of {path}"));
    let submission = user.submit(&directory, &[1, 2, 3, 4]).unwrap();
    let job = submission.job.unwrap();
    // Of a node with two cores.
    let seen = user.wait_until(&directory, &submission, |now| now.running == 2 && now.waiting == 2);
    assert!(matches!(seen.waited, Waited::Interrupted), "{:?}", seen.progress);
    assert!(seen.progress.iter().any(|now| now.reason.is_some()), "{:?}", seen.progress);

    let error = slurm::resume(&directory, "other").unwrap_err();
    assert!(
        error.to_string().contains("jobs of another sweep or subset (fingerprint print, this one's is other)"),
        "{error}"
    );
    assert_eq!(slurm::resume(&directory, "print").unwrap(), Some(submission.clone()));
    // As if the process had ended before sbatch answered.
    directory.record(&Submission { job: None, ..submission.clone() }).unwrap();
    drop(directory);
    let directory = user.directory();
    let resumed = slurm::resume(&directory, "print").unwrap().unwrap();
    assert_eq!(resumed, submission);

    // One that waits, then one that runs: the other order would give its place away.
    cluster.tool("scancel", &[&format!("{job}_4")]);
    cluster.tool("scancel", &[&format!("{job}_1")]);
    fs::write(user.path("go"), "").unwrap();
    let seen = user.wait(&directory, &resumed);
    assert_eq!(seen.collected, ["2/7", "3/7"]);
    let mut parts = failed(&seen.waited).to_vec();
    parts.sort_by_key(|part| part.part);
    assert_eq!(parts.iter().map(|part| part.part).collect::<Vec<_>>(), [1, 4]);
    assert!(matches!(&parts[0].failure, Failure::Ended(ending) if ending.state == "CANCELLED"), "{:?}", parts[0]);
    let gone = format!("part 4 of 7 (job {job}_4) is in Slurm's queue no more and did not finish: it was cancelled");
    assert_eq!(parts[1].text(), gone);
    let ids = cluster
        .tool("squeue", &["--noheader", "--states=all", &format!("--name={}", submission.job_name), "--format=%F"]);
    assert!(ids.lines().all(|line| line.trim() == job.to_string()), "submitted twice: {ids}");
}

fn a_node_that_is_down_is_told_and_waited_for(cluster: &Cluster) {
    let user = User::new();
    let directory = user.directory();
    node(cluster, "state=down");
    let submission = user.submit(&directory, &[5]).unwrap();
    let down = |now: &Progress| now.reason.as_ref().is_some_and(|reason| reason.contains("DOWN"));
    let seen = user.wait_until(&directory, &submission, down);
    assert!(matches!(seen.waited, Waited::Interrupted));
    node(cluster, "state=resume");
    assert_eq!(user.wait(&directory, &submission).collected, ["5/7"]);
}

fn sbatch_that_is_missing_is_named() {
    let user = User::new();
    let directory = user.directory();
    let path = std::env::var_os("PATH").unwrap();
    std::env::set_var("PATH", user.home.path());
    let error = user.submit(&directory, &[1]).unwrap_err();
    std::env::set_var("PATH", path);
    let text =
        "sbatch is missing: install Slurm's commands (Debian: apt-get install slurm-client), or use --executor local";
    assert_eq!(error.to_string(), text);
    assert_eq!(user.left_over(), ["lock"]);
}
