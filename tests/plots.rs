//! `systole plot` and `systole report` on the results of a real sweep.

mod common;

use common::{Work, ROOT};
use explore::store::Store;
use std::fs;

const SWEEP: &str = r#"
name = "small"
config = "default"
seeds = [0, 1]
[networks.mlp]
model = "ROOT/examples/digits/sweep/mlp-w{network_width}-s{seed}.onnx"
data = "ROOT/examples/digits/sweep/digits-s{seed}.npz"
[methods.max]
weights = "min-max"
activations = "min-max"
[axes]
network = ["mlp"]
method = ["max"]
weight_bits = [2, 8]
activation_bits = [4, 8]
"#;

/// A folder with `small.sqlite`.
fn swept() -> Work {
    let work = Work::new();
    work.write("small.toml", SWEEP.replace("ROOT", ROOT));
    let ran = work.run(&["sweep", "small.toml", "--results", "small.sqlite"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    work
}

#[test]
fn plots_are_written_in_both_formats_and_listed_beside_what_is_absent() {
    let work = swept();
    let results = fs::read(work.path("small.sqlite")).expect("it is there");
    let text = work.succeeds(&["plot", "small.sqlite", "--out", "plots"]);
    let (missing, written): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("not drawn: "));
    assert!(missing.contains(&"not drawn: luts: no row has a synthesis target"), "{text}");
    assert!(written.contains(&"plots/heat-mlp-max.svg") && written.contains(&"plots/waterfall-mlp.png"), "{text}");
    let mut names: Vec<String> = fs::read_dir(work.path("plots"))
        .expect("it was made")
        .map(|entry| format!("plots/{}", entry.expect("an entry").file_name().display()))
        .collect();
    names.sort();
    let mut listed = written.clone();
    listed.sort_unstable();
    assert_eq!(names, listed);
    // Each accuracy of the sweep is in a cell of the map.
    let map = fs::read_to_string(work.path("plots/heat-mlp-max.svg")).expect("it was written");
    let rows = Store::open_read(&work.path("small.sqlite")).and_then(|store| store.rows()).expect("it is read");
    assert_eq!(rows.len(), 4);
    for row in &rows {
        let accuracy = row.accuracy_percent.expect("it was measured");
        assert!(map.contains(&format!("\n{accuracy:.1}\n")), "{accuracy}");
    }

    let before = fs::read(work.path("plots/heat-mlp-max.svg")).expect("it was written");
    work.write("plots/mine.txt", "kept");
    let text =
        work.succeeds(&["plot", "small.sqlite", "--out", "plots", "--only", "heat", "--svg", "--network", "mlp"]);
    assert_eq!(text, "plots/heat-mlp-max.svg\n");
    assert_eq!(fs::read(work.path("plots/heat-mlp-max.svg")).expect("it was written"), before);
    assert_eq!(fs::read(work.path("plots/mine.txt")).expect("it is kept"), b"kept");
    let text = work.succeeds(&["plot", "small.sqlite", "--out", "new", "--only", "heat", "--png"]);
    assert_eq!(text, "new/heat-mlp-max.png\n");
    assert_eq!(fs::read(work.path("small.sqlite")).expect("it is there"), results);
}

#[test]
fn a_report_has_rows_command_and_sweep_file_of_the_results() {
    let work = swept();
    let text = work.succeeds(&["report", "small.sqlite", "-o", "small.html"]);
    assert_eq!(text, "wrote small.html: 4 rows, to be opened in a browser\n");
    let page = fs::read_to_string(work.path("small.html")).expect("it was written");
    assert!(page.contains("4 points, 4 rows; 4 done"));
    // Quotes are escaped where the sweep file stands.
    assert!(page.contains("model = &quot;") && page.contains("sweep small.toml --results small.sqlite"));
    let data =
        page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("rows are in it");
    let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
    let columns = data["columns"].as_array().expect("a list");
    let at = columns.iter().position(|column| column["name"] == "accuracy_percent").expect("accuracies differ");
    let rows = Store::open_read(&work.path("small.sqlite")).and_then(|store| store.rows()).expect("it is read");
    let written = data["rows"].as_array().expect("a list");
    assert_eq!(written.len(), rows.len());
    for (row, written) in rows.iter().zip(written) {
        let (accuracy, written) = (row.accuracy_percent.expect("measured"), written[at].as_f64().expect("measured"));
        assert!((accuracy - written).abs() < 1e-9, "{accuracy} {written}");
    }
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let work = swept();
    work.write("text.sqlite", "no database");
    work.write("file", "");
    fs::create_dir(work.path("folder")).expect("a test's own folder can be written");
    for (arguments, message) in [
        (vec!["plot", "none.sqlite", "--out", "plots"], "none.sqlite"),
        (vec!["plot", "text.sqlite", "--out", "plots"], "text.sqlite"),
        (vec!["report", "text.sqlite", "-o", "page.html"], "text.sqlite"),
        (vec!["plot", "small.sqlite"], "--out <FOLDER>"),
        (vec!["plot", "small.sqlite", "--out", "plots", "--svg", "--png"], "cannot be used with"),
        (vec!["plot", "small.sqlite", "--out", "plots", "--only", "pie"], "\"pie\" must be one of accuracy-weights, "),
        (
            vec!["plot", "small.sqlite", "--out", "plots", "--network", "cnn"],
            "the results have no network \"cnn\": theirs are [\"mlp\"]",
        ),
        (
            vec!["plot", "small.sqlite", "--out", "plots", "--point", "00", "--only", "waterfall"],
            "the results have no point \"00\" with a utilization",
        ),
        (
            vec!["plot", "small.sqlite", "--out", "plots", "--only", "fmax"],
            "small.sqlite has nothing to draw\nnot drawn: fmax: no row has a synthesis target",
        ),
        (vec!["plot", "small.sqlite", "--out", "file"], "cannot make file"),
        (vec!["report", "small.sqlite", "-o", "./small.sqlite"], "RESULTS.sqlite and --out name the same file"),
        (vec!["report", "small.sqlite", "-o", "none/page.html"], "none is no folder to hold that file"),
        (vec!["report", "small.sqlite", "-o", "folder"], "it is a folder"),
    ] {
        work.refuses(&arguments, message);
    }
}
