//! The results file: one sweep's, never half, shared by processes, refused if it is another's.

use explore::run::{run, Halt, RunError, Stopped};
use explore::store::{Build, Ended, Kind, Share, Store, StoreError, Task};
use explore::sweep::{Plan, Sweep, Variant};
use explore::synth::{BlockName, Target};
use rusqlite::Connection;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};

const BASE: &str = include_str!("../../spec/configs/default.toml");
const SWEEP: &str = r#"
name = "s"
config = "default"
seeds = [0, 1, 2]
[networks.mlp]
model = "mlp.onnx"
data = "d{seed}.npz"
[methods.max]
weights = "min-max"
activations = "min-max"
[axes]
network = ["mlp"]
method = ["max"]
weight_bits = [2, 4]
rows = [4, 8]
requantizer_lanes = [16, 3]
[synthesis]
targets = ["ice40-hx8k"]
seeds = [1, 2]
"#;

const VARIANT: Variant = Variant { block: BlockName::Top, target: Target::Ice40Hx8k, dsp: false };

struct Work {
    folder: tempfile::TempDir,
    sweep: Sweep,
    plan: Plan,
}

impl Work {
    fn new() -> Self {
        Self::of(SWEEP)
    }

    fn of(text: &str) -> Self {
        let sweep = Sweep::new(text, BASE).expect("it is valid");
        let plan = sweep.plan(None, false, &AtomicBool::new(false)).expect("there are points");
        Self { folder: tempfile::tempdir().expect("a temporary folder"), sweep, plan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A results file with everything entered: builds are shared by points of equal weights.
    fn open(&self, name: &str, share: Option<Share>) -> Store {
        let mut store = self.store(name);
        self.register(&mut store, share);
        store
    }

    fn store(&self, name: &str) -> Store {
        let inputs = [(PathBuf::from("mlp.onnx"), "11".to_owned())];
        Store::open(&self.path(name), &self.sweep, &inputs, "the command").expect("it opens")
    }

    fn register(&self, store: &mut Store, share: Option<Share>) {
        let build = |at: usize| {
            let work = format!("w{}", self.plan.points[at].axes.weight_bits);
            (at, vec![Build { variant: VARIANT, work }])
        };
        let known = store.known_builds(&self.plan).expect("it reads");
        let unknown = (0..self.plan.points.len()).filter(|at| !known.contains_key(at));
        let builds: HashMap<usize, Vec<Build>> = unknown.map(build).collect();
        store.register(&self.plan, &builds, share).expect("it is written");
    }
}

/// A result that says what it is of.
fn result(task: &Task) -> Ended {
    Ended::Done(serde_json::json!({ "of": format!("{} {} {}", task.kind.name(), task.axes.weight_bits, task.seed) }))
}

fn work_all(store: &mut Store, jobs: usize) -> Stopped {
    let work = |task: &Task, _: &AtomicBool| Ok::<_, Halt<Infallible>>(result(task));
    run(store, jobs, "the run", &AtomicBool::new(false), &work, &mut |_| {}).expect("nothing goes wrong")
}

fn refused(path: &Path, sweep: &Sweep) -> String {
    let before = fs::read(path).expect("it is there");
    let error = Store::open(path, sweep, &[], "").err().expect("it must be refused").to_string();
    assert_eq!(fs::read(path).expect("it is there still"), before);
    error.replace(&path.display().to_string(), "FILE")
}

#[test]
fn each_task_is_done_once_and_shared_by_the_points_it_serves() {
    let work = Work::new();
    let mut store = work.open("r.sqlite", None);
    let done = Mutex::new(Vec::new());
    let doing = |task: &Task, _: &AtomicBool| {
        let build = task.build.as_ref().map(|build| build.work.clone()).unwrap_or_default();
        done.lock().expect("no thread panics").push((
            task.kind.name(),
            task.axes.weight_bits,
            task.axes.rows,
            task.seed,
            build,
        ));
        Ok::<_, Halt<Infallible>>(result(task))
    };
    let stopped =
        run(&mut store, 3, "the run", &AtomicBool::new(false), &doing, &mut |_| {}).expect("nothing goes wrong");
    assert_eq!(stopped, Stopped::Finished);
    let mut done = done.into_inner().expect("no thread panics");
    done.sort();
    // 2 widths x 2 rows. Accuracy does not depend on rows; cycles do; a build here does not.
    let mut expected = Vec::new();
    for bits in [2, 4] {
        for seed in [1, 2] {
            expected.push(("build", bits, 4, seed, format!("w{bits}")));
        }
        for seed in [0, 1, 2] {
            expected.push(("evaluate", bits, 4, seed, String::new()));
        }
        for rows in [4, 8] {
            expected.push(("time", bits, rows, 0, String::new()));
        }
    }
    expected.sort();
    assert_eq!(done, expected);
    let again = |_: &Task, _: &AtomicBool| -> Result<Ended, Halt<Infallible>> { panic!("nothing is left to do") };
    let stopped =
        run(&mut store, 2, "again", &AtomicBool::new(false), &again, &mut |_| {}).expect("nothing goes wrong");
    assert_eq!(stopped, Stopped::Finished);
    let about = Store::open_read(&work.path("r.sqlite")).expect("it reads").about().expect("it reads");
    assert_eq!(
        (about.name.as_str(), about.command.as_str(), about.seeds.as_slice()),
        ("s", "the command", &[0, 1, 2][..])
    );
    assert_eq!(about.file, SWEEP);
    assert_eq!(
        about.skipped,
        [("geometry.requantizer_lanes = 3 must be a divisor of geometry.cols = 16".to_owned(), 4)]
    );
    assert_eq!(about.inputs, [(PathBuf::from("mlp.onnx"), "11".to_owned())]);
    // A run that finds nothing to do is not entered.
    assert_eq!(
        about.owners.iter().map(|owner| (owner.command.as_str(), owner.ended.is_some())).collect::<Vec<_>>(),
        [("the run", true)]
    );
}

fn sql(path: &Path, text: &str) {
    Connection::open(path).and_then(|connection| connection.execute_batch(text)).expect("it is valid");
}

/// Of all tasks: how often they were taken, and how many have ended.
fn claims(path: &Path) -> (i64, i64) {
    let connection = Connection::open(path).expect("it opens");
    let sql = "SELECT sum(claims), count(*) FILTER (WHERE state NOT IN ('pending', 'claimed')) FROM tasks";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("it reads")
}

#[test]
fn a_parts_file_is_of_one_process_and_frees_what_another_had_taken() {
    let work = Work::new();
    let mut store = work.open("r.sqlite", None);
    store.join("a process that is there").expect("it is written");
    assert!(store.claim().expect("it reads").is_some());
    drop(store);
    let path = work.path("r.sqlite");
    let inputs = [(PathBuf::from("mlp.onnx"), "11".to_owned())];
    let part = Store::open_part(&path, &work.sweep, &inputs, "").expect("it opens");
    let other = Connection::open(&path).expect("it opens");
    other.busy_timeout(std::time::Duration::ZERO).expect("it is set");
    let read = other.query_row("SELECT count(*) FROM tasks", [], |_| Ok(()));
    assert_eq!(read.expect_err("the part has it").to_string(), "database is locked");
    drop(part);
    let claimed = other.query_row("SELECT count(*) FROM tasks WHERE state = 'claimed'", [], |row| row.get::<_, i64>(0));
    assert_eq!(claimed.expect("it is free"), 0);
}

#[test]
fn two_workers_at_one_file_share_the_tasks() {
    let work = Work::new();
    let mut stores = [work.open("r.sqlite", None), work.open("r.sqlite", None)];
    let counts = [AtomicUsize::new(0), AtomicUsize::new(0)];
    std::thread::scope(|scope| {
        for (store, count) in stores.iter_mut().zip(&counts) {
            scope.spawn(move || {
                let doing = |task: &Task, _: &AtomicBool| {
                    count.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(30));
                    Ok::<_, Halt<Infallible>>(result(task))
                };
                let stopped =
                    run(store, 2, "", &AtomicBool::new(false), &doing, &mut |_| {}).expect("nothing goes wrong");
                assert_eq!(stopped, Stopped::Finished);
                // Whoever ends, ends when nothing is left anywhere.
                assert_eq!(store.progress().expect("it reads").left(), 0);
            });
        }
    });
    let counts = counts.map(|count| count.into_inner());
    assert_eq!(counts.iter().sum::<usize>(), 14);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert_eq!(claims(&work.path("r.sqlite")), (14, 14));
}

#[test]
fn any_number_may_begin_at_once() {
    // To enter so many takes longer than threads take to start.
    let work = Work::of(&SWEEP.replace("rows = [4, 8]", "rows = { from = 1, to = 100 }"));
    let all_open = Barrier::new(6);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut store = work.store("r.sqlite");
                all_open.wait();
                work.register(&mut store, None);
            });
        }
    });
    // For each of two widths: three evaluations, a hundred simulations, two placements.
    assert_eq!(work.store("r.sqlite").n_tasks().expect("it reads"), 2 * (3 + 100 + 2));
}

#[test]
fn tasks_of_a_process_that_is_gone_are_taken_over() {
    let work = Work::new();
    let path = work.path("r.sqlite");
    let (mut first, mut second) = (work.open("r.sqlite", None), work.open("r.sqlite", None));
    first.join("first").expect("it is written");
    second.join("second").expect("it is written");
    let claim = first.claim().expect("it is written").expect("there are tasks");
    // It is there, and was heard of just now.
    assert_eq!(second.take_over().expect("it is written"), 0);
    sql(&path, "UPDATE owners SET heartbeat = heartbeat - 59 WHERE command = 'first'");
    assert_eq!(second.take_over().expect("it is written"), 0);
    sql(&path, "UPDATE owners SET heartbeat = heartbeat - 2 WHERE command = 'first'");
    assert_eq!(second.take_over().expect("it is written"), 1);
    let again = second.claim().expect("it is written").expect("it is free");
    assert_eq!(again.task, claim.task);
    // Late, the first comes back: the task is no longer its own.
    assert!(!first.finish(&claim, &result(&claim.task), 1.0).expect("it is read"));
    assert!(second.finish(&again, &result(&again.task), 1.0).expect("it is written"));

    // A process number that is another process's by now, on this machine; elsewhere it would mean nothing.
    let claim = first.claim().expect("it is written").expect("there are tasks");
    sql(&path, "UPDATE owners SET heartbeat = unixepoch('now', 'subsec'), process = '1', host = host || '!' WHERE command = 'first'");
    assert_eq!(second.take_over().expect("it is written"), 0);
    sql(&path, "UPDATE owners SET host = rtrim(host, '!') WHERE command = 'first'");
    assert_eq!(second.take_over().expect("it is written"), 1);
    assert!(!first.finish(&claim, &result(&claim.task), 1.0).expect("it is read"));

    // One that says good-bye.
    first.claim().expect("it is written").expect("there are tasks");
    first.leave().expect("it is written");
    assert_eq!(second.take_over().expect("it is written"), 0);
    assert_eq!(second.progress().expect("it reads").claimed, [0, 0, 0]);
}

#[test]
fn a_process_keeps_its_tasks_by_its_own_heartbeat() {
    let work = Work::new();
    let (mut first, mut second) = (work.open("r.sqlite", None), work.open("r.sqlite", None));
    first.join("first").expect("it is written");
    second.join("second").expect("it is written");
    first.claim().expect("it is written").expect("there are tasks");
    let long_ago = || sql(&work.path("r.sqlite"), "UPDATE owners SET heartbeat = heartbeat - 61");
    long_ago();
    first.heartbeat().expect("it is written");
    assert_eq!(second.take_over().expect("it is written"), 0, "the first was heard of");
    long_ago();
    second.heartbeat().expect("it is written");
    assert_eq!(second.take_over().expect("it is written"), 1, "the second was heard of");
}

#[test]
fn methods_do_not_share_results() {
    let other = "[methods.mse]\nweights = \"mse\"\nactivations = \"mse\"\n[axes]";
    let work = Work::of(&SWEEP.replace("[axes]", other).replace("[\"max\"]", "[\"max\", \"mse\"]"));
    // For each of two widths and two methods: three evaluations, two simulations; for each width two placements.
    let store = work.open("r.sqlite", None);
    assert_eq!(store.n_tasks().expect("it reads"), 4 * (3 + 2) + 2 * 2, "two methods");
}

#[test]
fn an_interrupt_gives_unfinished_tasks_back() {
    let work = Work::new();
    let mut store = work.open("r.sqlite", None);
    let (interrupted, started) = (AtomicBool::new(false), AtomicUsize::new(0));
    let doing = |task: &Task, halt: &AtomicBool| {
        if started.fetch_add(1, Ordering::SeqCst) < 3 {
            return Ok::<_, Halt<Infallible>>(result(task));
        }
        interrupted.store(true, Ordering::SeqCst);
        while !halt.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Err(Halt::Interrupted)
    };
    let stopped = run(&mut store, 2, "", &interrupted, &doing, &mut |_| {}).expect("nothing goes wrong");
    assert_eq!(stopped, Stopped::Interrupted);
    let progress = store.progress().expect("it reads");
    assert_eq!((progress.ended(), progress.claimed, progress.left()), (3, [0, 0, 0], 11));
    assert_eq!(work_all(&mut store, 2), Stopped::Finished);
    assert_eq!(store.progress().expect("it reads").ended(), 14);
}

#[derive(Debug, thiserror::Error)]
#[error("no such tool")]
struct NoTool;

#[test]
fn an_error_stops_the_work_and_keeps_what_ended() {
    let work = Work::new();
    let mut store = work.open("r.sqlite", None);
    let doing = |task: &Task, _: &AtomicBool| match task.kind {
        Kind::Build => Err(Halt::Error(NoTool)),
        _ => Ok(result(task)),
    };
    let error =
        run(&mut store, 2, "", &AtomicBool::new(false), &doing, &mut |_| {}).expect_err("builds cannot be done");
    assert!(matches!(error, RunError::Work(NoTool)), "{error}");
    let progress = store.progress().expect("it reads");
    assert_eq!((progress.ended, progress.claimed, progress.pending), ([6, 4, 0], [0, 0, 0], [0, 0, 4]));
}

#[test]
fn a_task_that_panics_has_failed() {
    let work = Work::new();
    let mut store = work.open("r.sqlite", None);
    let doing = |task: &Task, _: &AtomicBool| match task.kind {
        Kind::Time => panic!("at {}", task.axes.rows),
        Kind::Evaluate => Ok::<_, Halt<Infallible>>(Ended::Refused("no room".to_owned())),
        Kind::Build => Ok(Ended::Failed("no tool".to_owned(), None)),
    };
    run(&mut store, 1, "", &AtomicBool::new(false), &doing, &mut |_| {}).expect("the others go on");
    let rows = store.rows().expect("they read");
    let told: Vec<_> = rows.iter().map(|row| (row.status.as_deref(), row.reason.as_deref())).collect();
    assert_eq!(told, [(Some("refused"), Some("no room")); 4]);
    sql(&work.path("r.sqlite"), "UPDATE tasks SET state = 'pending' WHERE kind = 'evaluate'");
    let rows = store.rows().expect("they read");
    let told: Vec<_> = rows.iter().map(|row| (row.status.as_deref(), row.reason.as_deref())).collect();
    let failed = |at: &'static str| (Some("failed"), Some(at));
    let (four, eight) = (failed("internal error: at 4"), failed("internal error: at 8"));
    assert_eq!(told, [four, eight, four, eight]);
}

#[test]
fn a_full_disk_loses_nothing() {
    let work = Work::new();
    let mut store = work.open("r.sqlite", None);
    let path = work.path("r.sqlite");
    let pages = fs::metadata(&path).expect("it is there").len() / 4096;
    store.limit_pages(u32::try_from(pages).expect("it is small") + 40).expect("it is set");
    let large = |task: &Task, _: &AtomicBool| {
        Ok::<_, Halt<Infallible>>(Ended::Done(serde_json::json!({ "of": task.seed, "much": "x".repeat(40_000) })))
    };
    let error = run(&mut store, 2, "", &AtomicBool::new(false), &large, &mut |_| {}).expect_err("there is no room");
    assert!(matches!(error, RunError::Store(StoreError::Full { .. })), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "no room is left for {}; what was finished before is kept: make room and run the same command again",
            path.display()
        )
    );
    let ended = store.progress().expect("it reads").ended();
    assert!((1..14).contains(&ended), "{ended}");
    drop(store);
    let mut store = work.open("r.sqlite", None);
    assert_eq!(store.progress().expect("it reads").ended(), ended);
    assert_eq!(
        run(&mut store, 2, "", &AtomicBool::new(false), &large, &mut |_| {}).expect("there is room"),
        Stopped::Finished
    );
    assert_eq!(store.progress().expect("it reads").ended(), 14);
}

#[test]
fn files_that_are_no_results_of_this_sweep_are_left_alone() {
    let work = Work::new();
    let path = work.path("r.sqlite");
    drop(work.open("r.sqlite", None));
    let text = work.path("text");
    fs::write(&text, "SQLite format 3, not\n".repeat(10)).expect("it can be written");
    assert_eq!(refused(&text, &work.sweep), "FILE is no results file: it is no SQLite file");
    fs::write(&text, "").expect("it can be written");
    assert_eq!(refused(&text, &work.sweep), "FILE is no results file: it is no SQLite file");
    let other = work.path("other.sqlite");
    sql(&other, "CREATE TABLE t (a)");
    assert_eq!(refused(&other, &work.sweep), "FILE is no results file: it is an SQLite file of another program");
    let later = work.path("later.sqlite");
    fs::copy(&path, &later).expect("it can be copied");
    sql(&later, "PRAGMA user_version = 3");
    assert_eq!(refused(&later, &work.sweep), "FILE has schema 3 of results files, and this Systole reads schema 2");
    let changed = |from: &str, to: &str| {
        assert!(SWEEP.contains(from));
        Sweep::new(&SWEEP.replace(from, to), BASE).expect("it is valid")
    };
    for (from, to, differs) in [
        ("weight_bits = [2, 4]", "weight_bits = [2]", "axes.weight_bits is [2,4] there and [2] here"),
        ("seeds = [0, 1, 2]", "seeds = [0, 1]", "seeds is [0,1,2] there and [0,1] here"),
        ("rows = [4, 8]", "", "axes.rows is [4,8] there and absent here"),
        ("rows = [4, 8]", "rows = [4, 8]\ncols = [16]", "axes.cols is absent there and [16] here"),
        ("[axes]", "[simulation]\nlatency = 9\n[axes]", "simulation.latency is 20 there and 9 here"),
    ] {
        assert_eq!(
            refused(&path, &changed(from, to)),
            format!("FILE has the results of another sweep: {differs}; name another file with --results")
        );
    }
    let base = Sweep::new(SWEEP, &BASE.replace("queue_depth = 16", "queue_depth = 8")).expect("it is valid");
    assert_eq!(
        refused(&path, &base),
        "FILE has the results of another sweep: config.geometry.queue_depth is 16 there and 8 here; name another file with --results"
    );
    // What only selects, and comments, may change.
    let same = changed("[axes]", "# A comment.\n[subsets.a]\nwhere = [\"rows == 4\"]\n[axes]");
    Store::open(&path, &same, &[], "").expect("it is the same sweep");
    let error =
        Store::open(&path, &work.sweep, &[("mlp.onnx".into(), "22".to_owned())], "").err().expect("it is another file");
    assert_eq!(
        error.to_string().replace(&path.display().to_string(), "FILE"),
        "FILE has results of another mlp.onnx: its SHA-256 is 22, and was 11; name another file with --results"
    );
    let store = work.open("r.sqlite", None);
    store.same_tool("Yosys", "0.23").expect("it is the first");
    store.same_tool("Yosys", "0.23").expect("it is the same");
    assert_eq!(
        store.same_tool("Yosys", "0.36").expect_err("it is another").to_string().replace(&path.display().to_string(), "FILE"),
        "FILE has results by Yosys 0.23, and this is 0.36: they would not compare; go on with 0.23, or name another file with --results"
    );
    let missing = work.path("none/r.sqlite");
    let error = Store::open(&missing, &work.sweep, &[], "").err().expect("there is no folder").to_string();
    assert!(error.starts_with(&format!("cannot make {}: ", missing.display())), "{error}");
    assert!(Store::open_read(&work.path("none.sqlite")).is_err());
    assert!(!work.path("none.sqlite").exists());
}

#[test]
fn parts_collected_are_the_whole() {
    let work = Work::new();
    let share = |index| Some(Share { index, of: 3 });
    for index in 0..3 {
        let mut part = work.open(&format!("part{index}.sqlite"), share(index));
        assert_eq!(work_all(&mut part, 1), Stopped::Finished);
        let part = work.path(&format!("part{index}.sqlite"));
        // 14 tasks in three parts.
        assert_eq!(claims(&part), ([5, 5, 4][index as usize], [5, 5, 4][index as usize]));
    }
    let mut whole = work.open("whole.sqlite", None);
    assert_eq!(work_all(&mut whole, 2), Stopped::Finished);
    let mut collected = work.open("collected.sqlite", None);
    let parts: Vec<PathBuf> = (0..3).map(|index| work.path(&format!("part{index}.sqlite"))).collect();
    let new: Vec<u64> = parts.iter().map(|part| collected.collect(part).expect("it is of this sweep").new).collect();
    assert_eq!(new, [5, 5, 4]);
    let results = |name: &str| {
        let connection = Connection::open(work.path(name)).expect("it opens");
        let mut query =
            connection.prepare("SELECT kind, work, seed, point, state, result FROM tasks ORDER BY id").expect("valid");
        let rows = query.query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, String>(4)?,
                row.get::<_, String>(5)?,
            ))
        });
        rows.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>).expect("they read")
    };
    assert_eq!(results("collected.sqlite"), results("whole.sqlite"));
    // Twice is once.
    let again = collected.collect(&parts[0]).expect("it is of this sweep");
    assert_eq!((again.new, again.known), (0, 5));
    sql(&parts[1], "UPDATE tasks SET result = '{\"of\":\"another\"}' WHERE kind = 'evaluate' AND state = 'done'");
    let error = collected.collect(&parts[1]).expect_err("results differ").to_string();
    assert!(
        error.contains(": evaluate ") && error.ends_with(&format!(" has another result in {}", parts[1].display())),
        "{error}"
    );
    let other = Sweep::new(&SWEEP.replace("rows = [4, 8]", "rows = [4]"), BASE).expect("it is valid");
    drop(Store::open(&work.path("other.sqlite"), &other, &[], "").expect("it opens"));
    let error = collected.collect(&work.path("other.sqlite")).expect_err("it is another sweep").to_string();
    assert!(error.contains("other.sqlite has the results of another sweep: axes.rows is"), "{error}");
    let inputs = [(PathBuf::from("mlp.onnx"), "22".to_owned())];
    drop(Store::open(&work.path("data.sqlite"), &work.sweep, &inputs, "").expect("it opens"));
    let error = collected.collect(&work.path("data.sqlite")).expect_err("it is another network").to_string();
    assert!(error.contains("data.sqlite has results of another mlp.onnx: its SHA-256 is 11, and was 22"), "{error}");
}

#[test]
fn readers_see_an_unfinished_sweep_and_change_nothing() {
    let work = Work::new();
    let path = work.path("r.sqlite");
    drop(work.open("r.sqlite", None));
    let before = fs::read(&path).expect("it is there");
    let rows = Store::open_read(&path).expect("it opens").rows().expect("they read");
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.weight_bits, row.rows, row.status.as_deref(), row.target.as_deref(), row.build_status.as_deref())
        })
        .collect();
    let pending = |bits, rows| (Some(bits), Some(rows), Some("pending"), Some("ice40-hx8k"), Some("pending"));
    assert_eq!(told, [pending(2, 4), pending(2, 8), pending(4, 4), pending(4, 8)]);
    assert_eq!(rows[3].method.as_deref(), Some("max"));
    assert_eq!(fs::read(&path).expect("it is there"), before);
    let names: Vec<_> =
        fs::read_dir(work.folder.path()).expect("it reads").map(|entry| entry.expect("it reads").file_name()).collect();
    assert_eq!(names, ["r.sqlite"]);
}
