//! The results file: one sweep's, never half, shared by processes, refused if it is another's.

use explore::run::{run, Halt, RunError, Stopped};
use explore::store::{Build, Ended, Kind, Share, Store, StoreError, Task};
use explore::sweep::{Plan, Sweep};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;

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
targets = ["t"]
seeds = [1, 2]
"#;

struct Work {
    folder: tempfile::TempDir,
    sweep: Sweep,
    plan: Plan,
}

impl Work {
    fn new() -> Self {
        let sweep = Sweep::new(SWEEP, BASE).expect("it is valid");
        let plan = sweep.plan(None, false, &AtomicBool::new(false)).expect("there are points");
        Self { folder: tempfile::tempdir().expect("a temporary folder"), sweep, plan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A results file with everything entered: builds are shared by points of equal weights.
    fn open(&self, name: &str, share: Option<Share>) -> Store {
        let inputs = [(PathBuf::from("mlp.onnx"), "11".to_owned())];
        let mut store = Store::open(&self.path(name), &self.sweep, &inputs, "the command").expect("it opens");
        let build = |at: &usize| {
            let work = format!("w{}", self.plan.points[*at].axes.weight_bits);
            (*at, vec![Build { block: "top".to_owned(), target: "t".to_owned(), dsp: true, work }])
        };
        let builds: HashMap<usize, Vec<Build>> =
            store.without_builds(&self.plan).expect("it reads").iter().map(build).collect();
        store.register(&self.plan, &builds, share).expect("it is written");
        store
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
