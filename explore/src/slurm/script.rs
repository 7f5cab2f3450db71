//! The job array: its script and how it is submitted.

use super::{Directory, Error};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// What every element of the array runs: a part of a sweep.
pub struct Job<'a> {
    /// The command `systole`, as nodes find it.
    pub program: &'a Path,
    pub sweep_file: &'a Path,
    /// Of `systole sweep FILE --part I/N --results PART --jobs N`, after these.
    pub arguments: &'a [String],
    /// Tasks at a time; as many as the CPUs that Slurm gives to an element if it is not given.
    pub jobs: Option<u32>,
    /// Of sbatch: where and how long the job may run.
    pub options: &'a [String],
}

/// What sbatch is told here, and users therefore may not.
const OWN_OPTIONS: [&str; 16] = [
    "--array",
    "--clusters",
    "--error",
    "--job-name",
    "--open-mode",
    "--output",
    "--parsable",
    "--test-only",
    "--wait",
    "--wrap",
    "-M",
    "-W",
    "-J",
    "-a",
    "-e",
    "-o",
];

/// Refuses options that would take the place of the executor's own, and words that are none: sbatch would take one for its script.
pub fn check_options(options: &[String]) -> Result<(), Error> {
    for option in options {
        let name = option.split('=').next().unwrap_or(option);
        if !option.starts_with('-') || name.trim_matches('-').is_empty() {
            return Err(Error::NoOption { option: option.clone() });
        }
        let is_own = |own: &&str| match name.starts_with("--") {
            // sbatch takes abbreviations.
            true => own.starts_with(name),
            false => name.starts_with(*own),
        };
        if OWN_OPTIONS.iter().any(is_own) {
            return Err(Error::OwnOption { option: option.clone() });
        }
    }
    Ok(())
}

/// Exit status of a part that cannot see what it needs.
const BLIND: u8 = 66;

/// The text of the array's script for `of` parts. It looks first whether the node sees the files, and leaves a mark when its part is done:
/// Slurm may have forgotten the job by the time that anyone asks.
pub fn script(job: &Job, directory: &Directory, of: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut put = |part: &[u8]| text.extend_from_slice(part);
    put(b"#!/bin/sh\n# Written by `systole sweep --executor slurm`: element I of the array runs part I.\n");
    for (name, path) in [("program", job.program), ("sweep", job.sweep_file), ("directory", directory.path())] {
        put(format!("{name}=").as_bytes());
        put(&quoted(path.as_os_str()));
        put(b"\n");
    }
    put(format!(
        r#"part=$SLURM_ARRAY_TASK_ID
blind() {{
    echo "part $part of {of}: $(hostname) cannot $1; the sweep file, the networks, the results and systole itself must be on a" \
        "file system that all nodes share" >&2
    exit {BLIND}
}}
[ -w "$directory" ] || blind "write to $directory"
[ -r "$sweep" ] || blind "read the sweep file $sweep"
[ -x "$program" ] || blind "run $program"
echo "$SLURM_ARRAY_JOB_ID" >"$directory/part-$part.begun" || blind "write to $directory"
"$program" sweep "$sweep" --part "$part/{of}" --results "$directory/part-$part.sqlite" --jobs "#
    )
    .as_bytes());
    put(job.jobs.map_or("\"${SLURM_CPUS_PER_TASK:-1}\"".to_owned(), |jobs| jobs.to_string()).as_bytes());
    for argument in job.arguments {
        put(b" ");
        put(&quoted(OsStr::new(argument)));
    }
    // Status 1 tells of simulated values that are not golden's: a result.
    put(br#"
status=$?
[ "$status" -le 1 ] || exit "$status"
echo "$SLURM_ARRAY_JOB_ID" >"$directory/part-$part.ending" && mv "$directory/part-$part.ending" "$directory/part-$part.done"
"#);
    text
}

/// The arguments of sbatch. The user's come after the executor's own: one that lacks its value then takes the script for it, which sbatch
/// refuses.
pub fn sbatch(job: &Job, directory: &Directory, job_name: &str, parts: &[usize]) -> Vec<OsString> {
    let mut log = OsString::from("--output=");
    log.push(OsString::from_vec(without_patterns(directory.path().as_os_str().as_bytes())));
    log.push("/%A_%a.log");
    let mut arguments: Vec<OsString> = vec![
        format!("--array={}", ranges(parts)).into(),
        format!("--job-name={job_name}").into(),
        log,
        "--open-mode=append".into(),
    ];
    arguments.extend(job.options.iter().map(OsString::from));
    arguments.push(directory.script().into());
    arguments
}

/// In single quotes, for a shell.
fn quoted(text: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in text.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// A path in which Slurm replaces nothing.
fn without_patterns(path: &[u8]) -> Vec<u8> {
    path.iter().flat_map(|&byte| if byte == b'%' { vec![b'%', b'%'] } else { vec![byte] }).collect()
}

/// Ascending numbers as sbatch takes them: `1-3,7`.
fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let texts = ranges.iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_paths_are_as_sbatch_and_shells_take_them() {
        assert_eq!(ranges(&[1, 2, 3, 5, 7, 8]), "1-3,5,7-8");
        assert_eq!(ranges(&[9]), "9");
        assert_eq!(quoted(OsStr::new("it's $HOME")), br"'it'\''s $HOME'");
        assert_eq!(without_patterns(b"/a%A/100%"), b"/a%%A/100%%");
    }

    #[test]
    fn options_that_the_executor_sets_are_refused() {
        let refused = |option: &str| check_options(&[option.to_owned()]).is_err();
        for option in
            ["--array=1-3", "--array", "-a1-3", "-M", "--wrap=ls", "--test-only", "--arr=5", "main", "", "--", "-"]
        {
            assert!(refused(option), "{option}");
        }
        for option in ["--partition=main", "-p", "--account=x", "-A", "--mem=4G", "--time=1:00:00", "--array-x"] {
            assert!(!refused(option), "{option}");
        }
    }
}
