//! `systole sweep`: interrupted, killed, shared and finished sweeps of real networks.

mod common;

use common::{ran, Work, ROOT};
use explore::store::Store;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Seeds x points evaluations, and a simulation a point.
const SMALL: &str = r#"
name = "small"
config = "default"
seeds = [0, 1]
[networks.mlp]
model = "ROOT/examples/digits/sweep/mlp-w{network_width}-s{seed}.onnx"
data = "ROOT/examples/digits/sweep/digits-s{seed}.npz"
[networks.cnn]
model = "ROOT/examples/digits/sweep/cnn-w{network_width}-s{seed}.onnx"
data = "ROOT/examples/digits/sweep/digits-s{seed}.npz"
[methods.max]
weights = "min-max"
activations = "min-max"
granularity = "per-tensor"
[axes]
network = ["mlp"]
method = ["max"]
weight_bits = [1, 4, 8]
activation_bits = [4, 8]
requantizer_lanes = [16, 5]
[subsets.eight]
where = ["activation_bits == 8"]
"#;

fn file(work: &Work, name: &str, edits: &[(&str, &str)]) {
    let text = edits.iter().fold(SMALL.replace("ROOT", ROOT), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    work.write(name, text);
}

/// Enough for a second or more.
fn long(work: &Work) {
    file(
        work,
        "long.toml",
        &[
            ("\"small\"", "\"long\""),
            ("network = [\"mlp\"]", "network = [\"mlp\"]\nnetwork_width = [1, 2]"),
            ("weight_bits = [1, 4, 8]", "weight_bits = { from = 1, to = 8 }"),
            ("activation_bits = [4, 8]", "activation_bits = { from = 2, to = 8 }"),
            ("requantizer_lanes = [16, 5]", "requantizer_lanes = [16]"),
        ],
    );
}

const LONG_POINTS: usize = 2 * 8 * 7;
/// An evaluation for each of two seeds, and a simulation.
const LONG_TASKS: usize = LONG_POINTS * 3;

fn start(work: &Work, arguments: &[&str]) -> Child {
    let mut command = work.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn end(child: Child) -> common::Ran {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("messages are UTF-8");
    common::Ran { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn rows(work: &Work, results: &str) -> String {
    let store = Store::open_read(&work.path(results)).expect("it is a results file");
    serde_json::to_string(&store.rows().expect("they read")).expect("plain data")
}

/// How many points are done.
fn done(work: &Work, results: &str) -> usize {
    let path = work.path(results);
    let rows = path.exists().then(|| Store::open_read(&path).and_then(|store| store.rows()).expect("they read"));
    rows.unwrap_or_default().iter().filter(|row| row.status.as_deref() == Some("done")).count()
}

fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(60), "it takes too long");
        sleep(Duration::from_millis(20));
    }
}

/// Bytes an image of the points listed as the front.
fn listed_front(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .skip_while(|line| *line != "front      mlp: no other of its 6 points is better in accuracy and bytes moved");
    let bytes = lines.skip(1).map_while(|line| line.strip_prefix("           ")?.split(" bytes an image").next());
    bytes.filter_map(|start| start.split_whitespace().last()).map(str::to_owned).collect()
}

/// The same of an exported table, by the definition of a front; the most accurate first.
fn front(csv: &str) -> Vec<String> {
    let mut table = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = table.next().expect("a head");
    let column = |name| head.iter().position(|column| *column == name).expect("a column");
    let (accuracy, bytes) = (column("accuracy_percent"), column("bytes"));
    let number = |text: &str| text.parse::<f64>().expect("a number");
    let points: Vec<(f64, f64)> = table.map(|row| (number(row[accuracy]), number(row[bytes]))).collect();
    let dominates = |a: &(f64, f64), b: &(f64, f64)| a != b && a.0 >= b.0 && a.1 <= b.1;
    let mut front: Vec<_> = points.iter().filter(|point| !points.iter().any(|other| dominates(other, point))).collect();
    front.sort_by(|a, b| b.0.total_cmp(&a.0));
    front.iter().map(|point| format!("{:.0}", point.1)).collect()
}

#[test]
fn a_sweep_is_planned_run_exported_and_then_left_alone() {
    let work = Work::new();
    file(&work, "small.toml", &[]);
    let planned = work.succeeds(&["sweep", "small.toml", "--dry-run", "--jobs", "2"]);
    for part in [
        "points     6, of a product of 12\n",
        "6 skipped: they break a rule of the configuration\n",
        "6  geometry.requantizer_lanes = 5 must be a divisor of geometry.cols = 16\n",
        "12 evaluations (accuracy of a network and seed), 6 simulations (cycles)\n",
        "0 have ended, 18 are left\n",
        " with 2 at a time, by 6 tasks that were run for it\n",
    ] {
        assert!(planned.contains(part), "{part:?} is not in\n{planned}");
    }
    assert_eq!(work.names(), ["small.toml"]);
    let subset = work.succeeds(&["sweep", "small.toml", "--subset", "eight", "--csv", "eight.csv"]);
    assert!(subset.contains("points     3 in subset eight, of a product of 12\n"), "{subset}");
    assert!(subset.contains("0 had ended before, 9 ended now in "), "{subset}");
    let planned = work.succeeds(&["sweep", "small.toml", "--dry-run"]);
    assert!(planned.contains("9 have ended, 9 are left\n"), "{planned}");
    assert!(planned.contains(", by 9 tasks that ended in small.sqlite\n"), "{planned}");
    let text = work.succeeds(&["sweep", "small.toml", "--csv", "a.csv", "--parquet", "a.parquet"]);
    assert!(text.contains("9 had ended before, 9 ended now in "), "{text}");
    assert!(text.contains("done       6 points\n") && text.contains("wrote      a.csv: 6 rows\n"), "{text}");
    let csv = fs::read_to_string(work.path("a.csv")).expect("written");
    let eight = fs::read_to_string(work.path("eight.csv")).expect("written");
    let of_subset = |line: &&str| line.split(',').nth(6).is_some_and(|bits| bits == "8" || bits == "activation_bits");
    assert_eq!(eight.lines().collect::<Vec<_>>(), csv.lines().filter(of_subset).collect::<Vec<_>>());
    assert_eq!(listed_front(&text), front(&csv));
    // Again, where no program can be found.
    let mut command = work.command(&["sweep", "small.toml", "--csv", "b.csv"]);
    let again = ran(command.env("PATH", ""));
    assert_eq!((again.status, again.stderr.as_str()), (Some(0), ""));
    assert!(again.stdout.contains("all had ended before: nothing was run, no tool was started\n"), "{}", again.stdout);
    assert_eq!(fs::read_to_string(work.path("b.csv")).expect("written"), csv);
    assert_eq!(work.names(), ["a.csv", "a.parquet", "b.csv", "eight.csv", "small.sqlite", "small.toml"]);
}

/// Who reads a table while it is written again reads the old one.
#[test]
fn a_table_is_written_beside_its_place_and_renamed() {
    let work = Work::new();
    work.write("s.toml", "name = \"s\"\nconfig = \"tiny\"\n[axes]\nrows = [2, 4]\n");
    work.write("a.csv", "old");
    fs::hard_link(work.path("a.csv"), work.path("old.csv")).expect("one folder");
    work.succeeds(&["sweep", "s.toml", "--csv", "a.csv"]);
    assert_eq!(fs::read_to_string(work.path("a.csv")).expect("written").lines().count(), 3);
    assert_eq!(fs::read_to_string(work.path("old.csv")).expect("it is there"), "old", "it was written over");
    assert_eq!(work.names(), ["a.csv", "old.csv", "s.sqlite", "s.toml"]);
}

#[test]
fn what_a_sweep_cannot_do_is_said_and_nothing_is_written() {
    let work = Work::new();
    file(&work, "small.toml", &[]);
    let sweep = |rest: &[&'static str]| [&["sweep", "small.toml"], rest].concat();
    work.refuses(&["sweep", "none.toml"], "cannot read none.toml: No such file");
    work.refuses(&sweep(&["--subset", "nine"]), "--subset nine is not defined: the sweep file has eight");
    work.refuses(&sweep(&["--jobs", "0"]), "0 is not in 1..=1024");
    work.refuses(&sweep(&["--part", "3/2", "--results", "p.sqlite"]), "\"3/2\" must be I/N with I in 1..=N");
    work.refuses(&sweep(&["--csv", "a", "--parquet", "a"]), "--csv and --parquet name the same file");
    work.refuses(&sweep(&["--csv", "small.sqlite"]), "--results and --csv name the same file");
    work.refuses(&sweep(&["--csv", "small.sqlite-wal"]), "--csv small.sqlite-wal is a part of --results");
    work.refuses(&sweep(&["--csv", "./small.toml"]), "--csv ./small.toml is a file that the sweep reads");
    work.refuses(&sweep(&["--csv", "none/a.csv"]), "cannot write none/a.csv: none is no folder to hold that file");
    work.refuses(&sweep(&["--results", "small.toml"]), "--results small.toml is a file that the sweep reads");
    work.write("text", "text");
    work.refuses(&sweep(&["--results", "text"]), "text is no results file: it is no SQLite file");
    file(&work, "wrong.toml", &[("weight_bits", "weigth_bits")]);
    work.refuses(&["sweep", "wrong.toml"], "wrong.toml: axes.weigth_bits is no axis: it must be one of network, ");
    file(&work, "wrong.toml", &[("mlp-w{network_width}", "mlp-w9")]);
    work.refuses(&["sweep", "wrong.toml"], "wrong.toml: networks.mlp.model: no file ");
    let range = "{ from = 1, to = 1001 }";
    file(&work, "wrong.toml", &[("[1, 4, 8]", range), ("[4, 8]", range)]);
    work.refuses(&["sweep", "wrong.toml"], "has 2004002 points, more than 1000000: --yes takes it all the same");
    // A file that is no network stops the sweep; what ended before is kept.
    work.write("mlp.onnx", "no network");
    let bad = work.path("mlp.onnx").display().to_string();
    let model = format!("{ROOT}/examples/digits/sweep/cnn-w{{network_width}}-s{{seed}}.onnx");
    file(&work, "bad.toml", &[(&model, &bad), ("[\"mlp\"]", "[\"mlp\", \"cnn\"]")]);
    let ran = work.run(&["sweep", "bad.toml", "--jobs", "1"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("mlp.onnx: "), "{}", ran.stderr);
    assert_eq!(done(&work, "small.sqlite"), 6);
}

#[test]
fn a_file_that_changed_is_another_sweep() {
    let work = Work::new();
    let data = fs::read(format!("{ROOT}/examples/digits/sweep/digits-s0.npz")).expect("it is part of the repository");
    work.write("data.npz", &data);
    let path = format!("{ROOT}/examples/digits/sweep/digits-s{{seed}}.npz");
    file(&work, "small.toml", &[(&path, "data.npz")]);
    work.succeeds(&["sweep", "small.toml", "--subset", "eight"]);
    let before = fs::read(work.path("small.sqlite")).expect("written");
    let other = fs::read(format!("{ROOT}/examples/digits/sweep/digits-s1.npz")).expect("it is part of the repository");
    work.write("data.npz", other);
    work.refuses(&["sweep", "small.toml"], "small.sqlite has results of another data.npz: its SHA-256 is ");
    work.write("data.npz", &data);
    file(&work, "small.toml", &[(&path, "data.npz"), ("[1, 4, 8]", "[1, 4]")]);
    work.refuses(
        &["sweep", "small.toml"],
        "small.sqlite has the results of another sweep: axes.weight_bits is [1,4,8] there and [1,4] here; name another file with --results",
    );
    assert_eq!(fs::read(work.path("small.sqlite")).expect("it is there"), before);
}

#[test]
fn killed_twenty_times_a_sweep_loses_nothing_and_doubles_nothing() {
    let work = Work::new();
    long(&work);
    let start_whole = Instant::now();
    work.succeeds(&["sweep", "long.toml", "--results", "whole.sqlite", "--csv", "whole.csv"]);
    let whole = start_whole.elapsed();
    // Together at most the time of the whole sweep, so that no run ends by itself.
    let mut random = 2026u64;
    let mut n_done = 0;
    for kill in 0..20 {
        let mut child = start(&work, &["sweep", "long.toml"]);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sleep(whole.mul_f64((random >> 40) as f64 / (1u64 << 24) as f64 / 20.0));
        child.kill().expect("it runs");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), None, "run {kill} ended by itself: {status}");
        let now = done(&work, "long.sqlite");
        assert!(now >= n_done, "{now} points are done after {n_done} were");
        n_done = now;
    }
    assert!(n_done > 0 && n_done < LONG_POINTS, "{n_done}");
    work.succeeds(&["sweep", "long.toml", "--csv", "long.csv"]);
    let (long, whole) = (fs::read(work.path("long.csv")), fs::read(work.path("whole.csv")));
    assert_eq!(long.expect("written"), whole.expect("written"));
    assert_eq!(rows(&work, "long.sqlite"), rows(&work, "whole.sqlite"));
    let store = Store::open_read(&work.path("long.sqlite")).expect("it reads");
    assert_eq!(store.n_tasks().expect("it reads"), LONG_TASKS as u64);
}

#[test]
fn two_processes_share_one_sweep() {
    let work = Work::new();
    long(&work);
    let arguments = |csv: &'static str| ["sweep", "long.toml", "--jobs", "1", "--csv", csv];
    let children = ["a.csv", "b.csv"].map(|csv| start(&work, &arguments(csv)));
    let mut n_ended = 0;
    for ran in children.map(end) {
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
        let (_, after) = ran.stdout.split_once(" had ended before, ").expect("it says what it did");
        assert!(after.contains(" ended now in "), "{}", ran.stdout);
        n_ended += 1;
    }
    assert_eq!(n_ended, 2);
    assert_eq!(fs::read(work.path("a.csv")).expect("written"), fs::read(work.path("b.csv")).expect("written"));
    let store = Store::open_read(&work.path("long.sqlite")).expect("it reads");
    // Taken once each, by both.
    let claims = store.claims().expect("it reads");
    assert_eq!(claims.iter().sum::<u64>(), LONG_TASKS as u64);
    assert_eq!(claims.len(), 2, "{claims:?}");
    assert_eq!(done(&work, "long.sqlite"), LONG_POINTS);
}

#[test]
fn an_interrupt_ends_cleanly_and_the_next_run_goes_on() {
    let work = Work::new();
    long(&work);
    let child = start(&work, &["sweep", "long.toml"]);
    wait_for(|| done(&work, "long.sqlite") >= 10);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is everywhere");
    assert!(killed.success());
    let ran = end(child);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(130), ""), "{}", ran.stderr);
    let left = ran.stderr.strip_prefix("systole: interrupted: ").expect("it says so");
    let (left, rest) = left.split_once(' ').expect("a number and what it is of");
    let left: usize = left.parse().expect("a number");
    assert_eq!(
        rest,
        format!(
            "of {LONG_TASKS} tasks are left, and what ended is in long.sqlite; run the same command again to go on\n"
        )
    );
    assert!(left > 0 && left < LONG_TASKS);
    // Nothing is beside the results.
    assert_eq!(work.names(), ["long.sqlite", "long.toml"]);
    let text = work.succeeds(&["sweep", "long.toml"]);
    assert!(text.contains(&format!("{} had ended before, {left} ended now in ", LONG_TASKS - left)), "{text}");
    let store = Store::open_read(&work.path("long.sqlite")).expect("it reads");
    assert_eq!(store.claims().expect("it reads").iter().sum::<u64>(), LONG_TASKS as u64);
}

#[test]
fn parts_are_collected() {
    let work = Work::new();
    file(&work, "small.toml", &[]);
    for part in ["1/2", "2/2"] {
        let results = format!("part{}.sqlite", &part[..1]);
        let text = work.succeeds(&["sweep", "small.toml", "--part", part, "--results", &results]);
        assert!(text.contains("0 had ended before, 9 ended now in "), "{text}");
    }
    let collect =
        ["sweep", "small.toml", "--collect", "part1.sqlite", "--collect", "part2.sqlite", "--csv", "parts.csv"];
    let text = work.succeeds(&collect);
    assert!(text.contains("18 have ended, 0 are left\n"), "{text}");
    work.succeeds(&["sweep", "small.toml", "--results", "whole.sqlite", "--csv", "whole.csv"]);
    assert_eq!(fs::read(work.path("parts.csv")).expect("written"), fs::read(work.path("whole.csv")).expect("written"));
}

/// PEs of four machines, of which two are the same PE.
const HARDWARE: &str = r#"
name = "hardware"
config = "tiny"
[axes]
weight_bits = [2, 3]
activation_bits = 2
rows = [2, 4]
[synthesis]
block = "pe"
targets = ["ice40-hx8k", "gowin"]
dsp = [true, false]
seeds = [1, 2]
"#;

#[test]
fn points_share_builds_and_builds_need_tools() {
    let work = Work::new();
    work.write("hardware.toml", HARDWARE);
    let mut command = work.command(&["sweep", "hardware.toml"]);
    let before = ran(command.env("PATH", ""));
    assert_eq!((before.status, before.stdout.as_str()), (Some(2), ""));
    assert!(
        before.stderr.contains("yosys was not found: install it with `apt-get install yosys`"),
        "{}",
        before.stderr
    );
    // Each PE on iCE40 is placed twice; nothing is placed on Gowin, and neither has DSP blocks here.
    let planned = work.succeeds(&["sweep", "hardware.toml", "--dry-run", "--results", "none.sqlite"]);
    assert!(planned.contains("tasks      6 builds\n           4 distinct hardware builds\n"), "{planned}");
    let text = work.succeeds(&["sweep", "hardware.toml"]);
    assert!(
        text.contains("0 had ended before, 6 ended now in ") && text.contains("done       8 builds of points\n"),
        "{text}"
    );
    let rows = Store::open_read(&work.path("hardware.sqlite")).and_then(|store| store.rows()).expect("they read");
    let of = |bits: i64, mesh_rows: i64, target: &str| {
        let row = rows.iter().find(|row| {
            row.weight_bits == Some(bits) && row.rows == Some(mesh_rows) && row.target.as_deref() == Some(target)
        });
        let row = row.expect("there is such a row");
        (row.luts.expect("an area"), row.fmax_mhz, row.place_seeds, row.clock_mhz)
    };
    for bits in [2, 3] {
        for target in ["ice40-hx8k", "gowin"] {
            assert_eq!(of(bits, 2, target), of(bits, 4, target));
        }
        let (_, fmax, seeds, clock) = of(bits, 2, "ice40-hx8k");
        assert!(
            fmax.is_some_and(|fmax| fmax > 50.0) && seeds == Some(2) && clock.is_none(),
            "{fmax:?} {seeds:?} {clock:?}"
        );
        assert_eq!((of(bits, 2, "gowin").1, of(bits, 2, "gowin").2), (None, None));
    }
    assert!(of(3, 2, "ice40-hx8k").0 > of(2, 2, "ice40-hx8k").0);
    // What was built stays known where no tool is.
    let mut command = work.command(&["sweep", "hardware.toml"]);
    let again = ran(command.env("PATH", ""));
    assert_eq!(again.status, Some(0), "{}", again.stderr);
    assert!(again.stdout.contains("all had ended before: nothing was run, no tool was started\n"), "{}", again.stdout);
}

#[test]
fn results_are_not_overwritten_by_exports() {
    let work = Work::new();
    work.write("hardware.toml", HARDWARE);
    work.succeeds(&["sweep", "hardware.toml", "--results", "a.sqlite"]);
    let before = fs::read(work.path("a.sqlite")).expect("it is there");
    let message = "a.sqlite is a results file, or another SQLite file: name another file or remove it";
    work.refuses(&["sweep", "hardware.toml", "--results", "b.sqlite", "--csv", "a.sqlite"], message);
    work.refuses(&["report", "a.sqlite", "-o", "./a.sqlite"], "RESULTS.sqlite and --out name the same file");
    work.succeeds(&["sweep", "hardware.toml", "--results", "b.sqlite"]);
    work.refuses(&["report", "b.sqlite", "-o", "a.sqlite"], message);
    assert_eq!(fs::read(work.path("a.sqlite")).expect("it is there"), before);
}

#[test]
fn builds_that_ran_out_of_time_are_tried_again_with_more() {
    let work = Work::new();
    let minutes = |text: &str| HARDWARE.replace("[synthesis]", &format!("[synthesis]\ntimeout_minutes = {text}"));
    // In a cache of its own, where nothing is built yet.
    let sweep = |timeout: &str| {
        work.write("hardware.toml", minutes(timeout));
        let ran = ran(work.command(&["sweep", "hardware.toml"]).env("SYSTOLE_CACHE", work.path("cache")));
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran.stdout
    };
    let text = sweep("0.0005");
    assert!(
        text.contains("timed out  8 builds of points\n") && text.contains("synthesis: not ended after 0.03 s\n"),
        "{text}"
    );
    let text = sweep("0.0004");
    assert!(text.contains("all had ended before"), "{text}");
    let text = sweep("5");
    assert!(
        text.contains("0 had ended before, 6 ended now") && text.contains("done       8 builds of points\n"),
        "{text}"
    );
}
