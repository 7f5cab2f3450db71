//! The command line: exit statuses, messages, and what it leaves in its folder.
//!
//! Status 0: done. 1: something was compared and differs. 2: it could not be done, with one error and nothing half-written.

mod common;

use common::{config, digits, digits_path, replaced, Work};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Makes `name` in a new folder `bin` a script, and gives the folder.
fn script(work: &Work, name: &str, text: &str) -> PathBuf {
    let bin = work.path("bin");
    fs::create_dir_all(&bin).expect("a test's own folder can be written");
    let path = bin.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a test's own folder can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a test's own file");
    bin
}

#[test]
fn config_prints_what_it_read_and_what_follows() {
    let work = Work::new();
    let text = work.succeeds(&["config", "tiny"]);
    assert!(text.contains("rows = 2\ncols = 3\n"), "{text}");
    // 31 x -8 x 1024 and a 12-bit bias need 19 bits; 3 columns of 2 halves of 16 rows.
    assert!(text.contains("accumulator_bits = 19\n"), "{text}");
    assert!(text.contains("# accumulator: 6 x 16 rows x 19 bits"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&work.succeeds(&["config", "tiny", "--json"])).expect("JSON");
    assert_eq!(json["config"]["geometry"]["cols"], 3);
    assert_eq!(json["derived"]["widths"]["accumulator_bits"], 19);
    // What is printed can be read back.
    work.write("again.toml", &text);
    assert_eq!(work.succeeds(&["config", "again.toml"]), text);
}

#[test]
fn wrong_configurations_name_the_key_the_value_and_the_limit() {
    let work = Work::new();
    work.refuses(&["config", "huge"], "no configuration file huge, and no shipped configuration of that name");
    let cases = [
        ("rows = 2", "rows = 129", "geometry.rows = 129 is out of range: it must be in 1..=128"),
        ("rows = 2", "rows = -2", "invalid value: integer `-2`"),
        ("rows = 2", "", "missing field `rows`"),
        ("rows = 2", "rows = 2\nlines = 3", "unknown field `lines`"),
        ("rows = 2", "rows = \"two\"", "invalid type: string \"two\""),
        ("activation_bits = 5", "activation_bits = 17", "numerics.activation_bits = 17 is out of range: it must be in 1..=16"),
        ("bus_bits = 32", "bus_bits = 48", "geometry.bus_bits = 48 must be a power of two"),
        (
            "requantizer_lanes = 1",
            "requantizer_lanes = 2",
            "geometry.requantizer_lanes = 2 must be a divisor of geometry.cols = 3",
        ),
        (
            "accumulator_bits = \"auto\"",
            "accumulator_bits = 12",
            "numerics.accumulator_bits = 12 must be at least 19, or the sum of max_k = 1024 products and the bias could overflow; \
             { wrapping = 12 } asks for a narrower one that wraps",
        ),
        ("rounding = \"half-toward-positive\"", "rounding = \"half-up\"", "rounding must be floor, ceil, toward-zero"),
        ("[geometry]", "[geometry", "does not parse"),
    ];
    for (from, to, message) in cases {
        work.write("wrong.toml", config("tiny", from, to));
        work.refuses(&["config", "wrong.toml"], message);
        work.refuses(&["emit", "--config", "wrong.toml", "--out", "out"], message);
        work.refuses(&["simulate", "--config", "wrong.toml", "--gemm", "1x1x1", "--json", "r.json"], message);
        work.refuses(&["verify", "--config", "wrong.toml", "--cases", "1"], message);
    }
    work.write("wrong.toml", [0xff, 0xfe]);
    work.refuses(&["config", "wrong.toml"], "cannot read wrong.toml");
}

/// Three columns of 5 bits: eight tiles are the fewest that fill whole bytes, and the parameters of one fit.
#[test]
fn a_layer_that_no_tiling_fits_is_refused() {
    let work = Work::new();
    work.write("narrow.toml", config("tiny", "parameter_tiles = 16", "parameter_tiles = 2"));
    let simulate = ["simulate", "--config", "narrow.toml", "--gemm", "2x2x6", "--json", "r.json"];
    work.refuses(&simulate, "layer layer0 (output 1 x 1 x 6 of 2 images, 1 terms): no tiling fits; ");
    work.refuses(&simulate, "takes groups of 8, but a half of the accumulator has 16 rows");
    work.refuses(&simulate, "half of the parameter buffer holds 1 tiles");
    // One tile needs no neighbour.
    work.succeeds(&["simulate", "--config", "narrow.toml", "--gemm", "2x2x3"]);
}

#[test]
fn wrong_arguments_name_the_value_and_the_limit() {
    let work = Work::new();
    let simulate = |rest: &[&'static str]| [&["simulate", "--config", "tiny"], rest].concat();
    for (arguments, message) in [
        (vec![], "Usage: systole"),
        (vec!["synthesize"], "unrecognized subcommand 'synthesize'"),
        (simulate(&[]), "--gemm"),
        (simulate(&["--gemm", "0x1x1"]), "m = \"0\" must be a whole number in 1..=1048576"),
        (simulate(&["--gemm", "1x1x65537"]), "n = \"65537\" must be a whole number in 1..=65536"),
        (
            simulate(&["--gemm", "1048576x1024x1"]),
            "number of elements of all tensors = 1074791424 must be in 1..=268435456",
        ),
        (simulate(&["--gemm", "1x1x1", "--rtl", "0"]), "\"0\" must be a whole number of at least 1"),
        (simulate(&["--gemm", "1x1x1", "--json", "same", "--trace", "same"]), "--json and --trace name the same file"),
        (simulate(&["--gemm", "3x4"]), "\"3x4\" must be three sizes such as 256x256x256"),
        (simulate(&["--gemm", "1x1025x1"]), "k = 1025 must be in 1..=1024"),
        (simulate(&["--gemm", "1x1x1", "--stalls", "3:99"]), "percent \"99\" must be a whole number in 0..=95"),
        (simulate(&["--gemm", "1x1x1", "--stalls", "3"]), "\"3\" must be SEED:PERCENT such as 7:40"),
        (simulate(&["--gemm", "1x1x1", "--stalls", "x:3"]), "seed \"x\" must be a whole number"),
        (simulate(&["--gemm", "1x1x1", "--latency", "0"]), "0 is not in 1..=100000"),
        (
            simulate(&["--gemm", "1x1x1", "--clock-mhz", "0"]),
            "\"0\" must be a frequency in MHz above 0 and up to 100000",
        ),
        (simulate(&["--gemm", "1x1x1", "--clock-mhz", "NaN"]), "\"NaN\" must be a frequency"),
        (simulate(&["--gemm", "1x1x1", "--model", "m.onnx", "--data", "d.npz"]), "cannot be used with"),
        (simulate(&["--model", "m.onnx"]), "--data"),
        (vec!["verify", "--config", "tiny", "--cases", "0"], "0 is not in 1..=1000000"),
        (vec!["verify", "--config", "tiny"], "--cases"),
        (vec!["verify", "--random-configs", "0"], "0 is not in 1..=1000000"),
        (vec!["verify", "--case", "none.toml"], "cannot read none.toml"),
        (vec!["verify", "--case", "none.toml", "--stalls", "1:2"], "cannot be used with"),
        (vec!["verify", "--config", "tiny", "--cases", "1", "--save", "none"], "--save none is no folder"),
    ] {
        let ran = work.run(&arguments);
        assert_eq!(ran.status, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(message), "{arguments:?}: {message:?} is not in\n{}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(work.names().is_empty(), "{arguments:?}");
    }
}

#[test]
fn damaged_models_and_data_are_refused() {
    let work = Work::new();
    let (onnx, npz) = (digits("mlp.onnx"), digits("digits.npz"));
    let refuses = |model: &str, data: &str, message: &str| {
        let arguments = ["simulate", "--config", "default", "--model", model, "--data", data, "--json", "report.json"];
        work.refuses(&arguments, message);
    };
    let (good_model, good_data) = (digits_path("mlp.onnx"), digits_path("digits.npz"));
    refuses("none.onnx", &good_data, "cannot read none.onnx");
    refuses(&good_model, "none.npz", "cannot read none.npz");
    for cut in [1, onnx.len() / 2, onnx.len() - 1] {
        work.write("cut.onnx", &onnx[..cut]);
        refuses("cut.onnx", &good_data, "cut.onnx: the file is not a complete ONNX model");
    }
    work.write("cut.onnx", []);
    refuses("cut.onnx", &good_data, "cut.onnx: the file holds no ONNX graph");
    for cut in [0, 1, npz.len() / 2, npz.len() - 1] {
        work.write("cut.npz", &npz[..cut]);
        refuses(&good_model, "cut.npz", "cut.npz: the file is not a complete npz archive");
    }
    work.write("no.onnx", replaced(onnx.clone(), b"Relu", b"Asin"));
    refuses("no.onnx", &good_data, "no.onnx: unsupported nodes: relu1 (Asin); supported are Conv, Gemm, MatMul, ");
    work.write("tanh.onnx", replaced(onnx.clone(), b"Relu", b"Tanh"));
    refuses("tanh.onnx", &good_data, "layer relu1: a function needs a table, and numerics.activation_table = false");
    work.write("nan.onnx", with_nan(onnx));
    refuses("nan.onnx", &good_data, "every value must be finite");
    // Models that are whole, but not for this configuration or this data.
    work.write("unsigned.toml", config("default", "weight_signed = true", "weight_signed = false"));
    let arguments = ["simulate", "--config", "unsigned.toml", "--model", &good_model, "--data", &good_data];
    work.refuses(&arguments, "numerics.weight is uint8: symmetric weights need a signed format of at least 2 bits");
    work.write("short.toml", config("default", "max_k = 4096", "max_k = 16"));
    let arguments = ["simulate", "--config", "short.toml", "--model", &good_model, "--data", &good_data];
    work.refuses(&arguments, "numerics.max_k is 16");
    let arguments =
        ["simulate", "--config", "default", "--model", &good_model, "--data", &good_data, "--rtl", "100000"];
    work.refuses(&arguments, "--rtl 100000 must be in 1..=");
}

/// The model with a NaN for the float in the middle of its longest tensor's raw data.
///
/// Raw data is field 9 of a tensor (tag 0x4a) with its length as a varint.
fn with_nan(mut onnx: Vec<u8>) -> Vec<u8> {
    let longest = (0..onnx.len() - 3)
        .filter(|&at| onnx[at] == 0x4a && onnx[at + 1] & 0x80 != 0 && onnx[at + 2] & 0x80 == 0)
        .map(|at| (usize::from(onnx[at + 1] & 0x7f) | usize::from(onnx[at + 2]) << 7, at + 3))
        .filter(|&(length, from)| length.is_multiple_of(4) && from + length <= onnx.len())
        .max()
        .expect("the model has a tensor of at least 128 bytes");
    let middle = longest.1 + longest.0 / 8 * 4;
    onnx[middle..middle + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    onnx
}

#[test]
fn a_folder_with_other_contents_is_left_alone() {
    let work = Work::new();
    fs::create_dir(work.path("out")).expect("a test's own folder");
    work.write("out/notes.txt", "mine");
    let emit = ["emit", "--config", "tiny", "--out", "out"];
    work.refuses(&emit, "out exists with other contents (notes.txt): name another folder or remove it");
    assert_eq!(fs::read_to_string(work.path("out/notes.txt")).expect("it is still there"), "mine");
    assert_eq!(fs::read_dir(work.path("out")).expect("it is still there").count(), 1);
    work.write("file", "mine");
    work.refuses(&["emit", "--config", "tiny", "--out", "file"], "file exists and is no folder");
    assert_eq!(work.names(), ["file", "out"]);
}

#[test]
fn emit_writes_once_and_knows_its_own_files() {
    let work = Work::new();
    let emit = ["emit", "--config", "tiny", "--out", "new/out", "--testbench"];
    let first = work.succeeds(&emit);
    let names = "top.v, config.toml, systole.json, systole.h, testbench.v, commands.hex, memory.hex, expected.hex";
    assert!(first.starts_with(&format!("wrote new/out: {names}\n")), "{first}");
    let again = work.succeeds(&emit);
    assert!(again.starts_with(&format!("already up to date: new/out: {names}\n")), "{again}");
    for name in names.split(", ") {
        assert!(fs::metadata(work.path("new/out").join(name)).expect("it was written").len() > 0, "{name}");
    }
    // Without the testbench, or with other data, it is another folder's worth.
    work.refuses(&emit[..5], "new/out exists with other contents");
    work.refuses(&[&emit[..], &["--seed", "2"]].concat(), "new/out exists with other contents");
    // A file that was changed or lost.
    work.write("new/out/top.v", "");
    work.refuses(&emit, "new/out exists with other contents (top.v)");
    fs::remove_file(work.path("new/out/top.v")).expect("a test's own file");
    work.refuses(&emit, "new/out exists with only some of the files");
    assert_eq!(work.names(), ["new"]);
}

#[test]
fn simulate_writes_a_report_and_a_trace() {
    let work = Work::new();
    let arguments = ["simulate", "--gemm", "5x7x3", "--config", "tiny", "--json", "r.json", "--trace", "r.vcd"];
    work.succeeds(&arguments);
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(work.path("r.json")).expect("it was written")).expect("JSON");
    assert_eq!(json["config"], "tiny");
    assert_eq!(json["run"]["macs"], 5 * 7 * 3);
    let trace = fs::read_to_string(work.path("r.vcd")).expect("it was written");
    assert!(trace.contains("$enddefinitions"), "{}", &trace[..200.min(trace.len())]);
    assert_eq!(work.names(), ["r.json", "r.vcd"]);
    // The same again: nothing in it depends on the time of day.
    let before = fs::read(work.path("r.json")).expect("it was written");
    work.succeeds(&arguments);
    assert_eq!(fs::read(work.path("r.json")).expect("it was written"), before);
}

#[test]
fn output_files_in_missing_folders_are_refused() {
    let work = Work::new();
    for option in ["--json", "--trace"] {
        let ran = work.run(&["simulate", "--gemm", "2x2x2", "--config", "tiny", option, "none/file"]);
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert!(ran.stderr.starts_with("systole: cannot write none/file: none is no folder"), "{}", ran.stderr);
        assert!(work.names().is_empty());
    }
}

#[test]
fn verify_compares_and_reruns_a_saved_case() {
    let work = Work::new();
    let text = work.succeeds(&["verify", "--config", "tiny", "--cases", "2", "--seed", "1"]);
    assert!(text.contains("runs on the verilated RTL              2\n"), "{text}");
    assert!(text.ends_with("PASS\n"), "{text}");
    let case = format!(
        "m = 4\nwidths = [5, 6]\ndata = \"ties\"\nseed = 3\nrounding_seed = 4\nlatency = 2\nstall_seed = 1\nstall_percent = 30\n\
         reset_after = 50\n[config]\n{}",
        config("tiny", "[numerics]", "[config.numerics]").replace("[geometry]", "[config.geometry]")
    );
    work.write("case.toml", &case);
    let text = work.succeeds(&["verify", "--case", "case.toml", "--kernel"]);
    assert!(text.contains("after a reset in the middle of traffic 1\n") && text.ends_with("PASS\n"), "{text}");
    work.write("case.toml", case.replace("widths = [5, 6]", "widths = [5]"));
    let rerun = ["verify", "--case", "case.toml"];
    work.refuses(&rerun, "case.toml: number of widths = 1 must be in 2..=64");
    work.write("case.toml", case.replace("stall_percent = 30", "stall_percent = 96"));
    work.refuses(&rerun, "case.toml: stall_percent = 96 must be in 0..=95");
    work.write("case.toml", case.replace("cols = 3", "cols = 0"));
    work.refuses(&rerun, "case.toml: geometry.cols = 0 is out of range: it must be in 1..=128");
    work.write("case.toml", case.replace("seed = 3", "sead = 3"));
    work.refuses(&rerun, "unknown field `sead`");
    work.write("case.toml", &case[..case.len() / 2]);
    work.refuses(&rerun, "case.toml: the case does not parse: ");
}

#[test]
fn missing_and_failing_tools_are_named() {
    let work = Work::new();
    let empty = work.path("empty");
    fs::create_dir(&empty).expect("a test's own folder");
    let verify = ["verify", "--config", "tiny", "--cases", "1"];
    let mut command = work.command(&verify);
    command.env("PATH", &empty).env("SYSTOLE_CACHE", work.path("empty"));
    work.refuses_as(&mut command, "verilator was not found: install it with `apt-get install verilator`");

    let path = std::env::var("PATH").expect("tests have a PATH");
    // The tools still say their versions, which name the cache's entries.
    let failing = |name: &str, message: &str| {
        let text =
            format!("test \"$1\" = --version && PATH='{path}' exec {name} --version\necho '{message}' >&2\nexit 1");
        script(&work, name, &text)
    };
    let bin = failing("g++", "out of registers");
    let path = format!("{}:{path}", bin.display());
    fs::create_dir(work.path("cache")).expect("a test's own folder");
    let mut command = work.command(&verify);
    command.env("PATH", &path).env("SYSTOLE_CACHE", work.path("cache"));
    work.refuses_as(&mut command, "\nout of registers\n");
    // A failed build leaves no entry: the next run builds again and says the same.
    let mut command = work.command(&verify);
    command.env("PATH", &path).env("SYSTOLE_CACHE", work.path("cache"));
    work.refuses_as(&mut command, "\nout of registers\n");

    failing("verilator", "%Error: no");
    let mut command =
        work.command(&["simulate", "--config", "tiny", "--gemm", "2x2x2", "--rtl", "1", "--json", "r.json"]);
    command.env("PATH", &path).env("SYSTOLE_CACHE", work.path("cache"));
    work.refuses_as(&mut command, "verilator refused the design:\n%Error: no");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let work = Work::new();
    let mut command = work.command(&["config", "default", "--json"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn what_is_no_plain_file_is_written_to_and_not_replaced() {
    let work = Work::new();
    work.succeeds(&["simulate", "--gemm", "2x2x2", "--config", "tiny", "--json", "/dev/null"]);
    assert!(!Path::new("/dev/null").is_file());
    fs::write(work.path("report.json"), "old").expect("it is writable");
    std::os::unix::fs::symlink("report.json", work.path("link.json")).expect("it is writable");
    work.succeeds(&["simulate", "--gemm", "2x2x2", "--config", "tiny", "--json", "link.json"]);
    assert!(work.path("link.json").is_symlink());
    assert!(fs::read_to_string(work.path("report.json")).expect("it was written").starts_with('{'));
}
