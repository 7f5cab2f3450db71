//! Networks and layers on the command line: ONNX forms, reports layer by layer, timelines, topology files.

mod common;

use common::{digits_path, Work, ROOT};
use std::fs;

fn json(work: &Work, name: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(work.path(name)).expect("written")).expect("JSON")
}

/// A row of a comma-separated file by the names of its header; quoted names have no comma here.
fn rows(work: &Work, name: &str) -> Vec<std::collections::HashMap<String, String>> {
    let text = fs::read_to_string(work.path(name)).expect("written");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields.len(), header.len(), "{line}");
        header
            .iter()
            .zip(fields)
            .map(|(name, field)| ((*name).to_owned(), field.trim_matches('"').to_owned()))
            .collect()
    };
    lines.map(row).collect()
}

#[test]
fn a_convolutional_network_is_reported_layer_by_layer() {
    let work = Work::new();
    let (model, data) = (digits_path("cnn-qdq-int8.onnx"), digits_path("digits.npz"));
    let text = work.succeeds(&[
        "simulate",
        "--config",
        "default",
        "--model",
        &model,
        "--data",
        &data,
        "--json",
        "run.json",
        "--csv",
        "run.csv",
        "--trace",
        "run-trace.json",
    ]);
    assert!(text.ends_with("PASS: nothing differs\n"), "{text}");
    let run = json(&work, "run.json");
    let layers = run["layers"].as_array().expect("a list");
    let operations: Vec<&str> = layers.iter().map(|layer| layer["operation"].as_str().expect("a name")).collect();
    assert_eq!(operations, ["convolution", "max pool", "convolution", "convolution", "add", "sum pool", "convolution"]);
    let sum = |of: &dyn Fn(&serde_json::Value) -> u64| layers.iter().map(of).sum::<u64>();
    let number = |value: &serde_json::Value| value.as_u64().expect("a whole number");
    // Layers follow each other without a gap: their cycles and bytes are the run's.
    let counters = &run["run"]["counters"];
    assert_eq!(sum(&|layer| number(&layer["cycles"])), number(&counters["cycles"]));
    assert_eq!(sum(&|layer| number(&layer["stream_cycles"])), number(&counters["execute_stream"]));
    assert_eq!(sum(&|layer| number(&layer["stalls"]["wait_load"])), number(&counters["execute_wait_load"]));
    for (payload, counter) in [
        ("activation_bits", "activation_bits"),
        ("weight_bits", "weight_bits"),
        ("parameter_bits", "parameter_bits"),
        ("output_bits", "output_bits"),
    ] {
        assert_eq!(sum(&|layer| number(&layer["usage"]["payload"][payload])), number(&counters[counter]), "{payload}");
    }
    // conv 3 x 3 x 1 on 8 x 8 pixels to 16 channels, 360 images.
    assert_eq!(number(&layers[0]["macs"]), 360 * 64 * 9 * 16);
    assert_eq!(layers[0]["channels"].as_array().map(Vec::len), Some(16));
    let share = |at: &serde_json::Value| at["percent"].as_f64().expect("a number");
    let lost: f64 = run["run"]["lost"].as_array().expect("a list").iter().map(share).sum();
    let useful = 100.0 * run["run"]["utilization"].as_f64().expect("a number");
    assert!((lost + useful - 100.0).abs() < 1e-6, "{lost} and {useful}");

    let table = rows(&work, "run.csv");
    assert_eq!(table.len(), layers.len());
    assert_eq!(table[0]["macs"], number(&layers[0]["macs"]).to_string());
    assert_eq!(table[1]["output"], "4x4x16");

    let trace = json(&work, "run-trace.json");
    let events = trace["traceEvents"].as_array().expect("a list");
    let on_layers = |event: &&serde_json::Value| event["tid"] == 0 && event["ph"] == "X";
    let slices: Vec<&serde_json::Value> = events.iter().filter(on_layers).collect();
    let spans: Vec<[u64; 2]> = slices.iter().map(|s| [number(&s["ts"]), number(&s["dur"])]).collect();
    assert_eq!(spans.len(), layers.len());
    assert!(spans.windows(2).all(|pair| pair[0][0] + pair[0][1] == pair[1][0]), "{spans:?}");
    let last = spans[spans.len() - 1];
    assert_eq!(last[0] + last[1], number(&counters["cycles"]));
    for (layer, [_, cycles]) in layers.iter().zip(&spans) {
        assert_eq!(number(&layer["cycles"]), *cycles);
    }
}

#[test]
fn every_form_of_a_network_runs() {
    let work = Work::new();
    let data = digits_path("digits.npz");
    for name in ["cnn.onnx", "cnn-qdq-int4.onnx", "cnn-qoperator.onnx"] {
        let model = digits_path(name);
        work.succeeds(&["simulate", "--config", "default", "--model", &model, "--data", &data, "--json", "run.json"]);
        let accuracy = &json(&work, "run.json")["accuracy"];
        let right = accuracy["simulator"].as_u64().expect("a number");
        assert!(right >= 350, "{name}: {right} of 360");
    }
    let deep = format!("{ROOT}/examples/shapes/residual_depthwise");
    let (model, data) = (format!("{deep}.onnx"), format!("{deep}.npz"));
    let text = work.succeeds(&["verify", "--config", "small", "--model", &model, "--data", &data, "--rows", "1"]);
    assert!(text.contains("verilated RTL = simulator") && text.ends_with("PASS\n"), "{text}");
}

#[test]
fn a_recipe_sets_layers_apart() {
    let work = Work::new();
    let (model, data) = (digits_path("cnn.onnx"), digits_path("digits.npz"));
    let simulate = ["simulate", "--config", "default", "--model", &model, "--data", &data, "--recipe", "r.toml"];
    let recipe = |layers: &str| {
        format!(
            "[weights]\nbits = 8\nmethod = \"min-max\"\ngranularity = \"per-channel\"\nrounding = \"half-to-even\"\nbias_correction = false\n\n\
             [activations]\nbits = 8\nmethod = \"min-max\"\nsymmetry = \"affine\"\nrounding = \"half-to-even\"\n\n{layers}"
        )
    };
    let right = |layers: &str| {
        work.write("r.toml", recipe(layers));
        work.succeeds(&[&simulate[..], &["--json", "run.json"]].concat());
        let run = json(&work, "run.json");
        let peak = run["layers"][3]["accumulator"][1].as_i64().expect("a number");
        (run["accuracy"]["golden"].as_u64().expect("a number"), peak)
    };
    let (all, peak) = right("");
    let (some, low_peak) = right("[layers.\"Conv_sum3\"]\nweights = { bits = 3, method = \"mse\" }\n");
    // Weights of at most 3 instead of 127: sums shrink accordingly.
    assert!(all >= 355 && some >= 340 && low_peak < peak / 20, "{all} {some} {peak} {low_peak}");
    work.write("r.toml", recipe("[layers.nobody]\nweights = { bits = 3 }\n"));
    work.refuses(&simulate, "nobody");
}

#[test]
fn topology_files_run_layer_by_layer() {
    let work = Work::new();
    work.write(
        "net.csv",
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n\
         conv, 10, 9, 3, 3, 3, 5, 2,\nfc, 1, 1, 1, 1, 12, 7, 1,\n",
    );
    let simulate = ["simulate", "--config", "tiny", "--topology", "net.csv"];
    let text = work.succeeds(&[&simulate[..], &["--json", "run.json", "--csv", "run.csv"]].concat());
    assert!(text.ends_with("PASS: nothing differs\n"), "{text}");
    let run = json(&work, "run.json");
    // (10 - 3) / 2 rounds up to a fifth row.
    assert_eq!(run["layers"][0]["output"], serde_json::json!([5, 4, 5]));
    assert_eq!(run["macs"], 5 * 4 * 5 * 27 + 84);
    assert_eq!(run["compared"][0]["values"], 5 * 4 * 5 + 7);
    assert_eq!(rows(&work, "run.csv")[1]["name"], "fc");

    work.refuses(&["simulate", "--topology", "net.csv"], "--config is needed for --topology");
    work.write("bad.csv", "header\nconv, 10, 9, 3, 3, 3, 5,\n");
    work.refuses(&["simulate", "--config", "tiny", "--topology", "bad.csv"], "bad.csv: line 2: 7 fields");
    work.write("deep.csv", "header\nfc, 1, 1, 1, 1, 2000, 7, 1,\n");
    work.refuses(&["simulate", "--config", "tiny", "--topology", "deep.csv"], "k = 2000 exceeds numerics.max_k = 1024");
}

#[test]
fn what_cannot_run_is_refused_before_anything_is_written() {
    let work = Work::new();
    let (model, data) = (digits_path("cnn.onnx"), digits_path("digits.npz"));
    let with = |rest: &[&str]| {
        let all = [&["simulate", "--config", "default", "--model", &model, "--data", &data], rest].concat();
        all.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let refuses = |rest: &[&str], message: &str| {
        let all = with(rest);
        work.refuses(&all.iter().map(String::as_str).collect::<Vec<&str>>(), message);
    };
    refuses(&["--trace", "run.txt"], "--trace run.txt must end in .json (a timeline) or .vcd (waves)");
    refuses(&["--csv", "run.json", "--json", "run.json"], "--json and --csv name the same file");
    refuses(&["--dimension", "n"], "must be NAME=SIZE");
    refuses(&["--recipe", "none.toml"], "cannot read none.toml");
    let quantized = digits_path("cnn-qdq-int8.onnx");
    let quantize = ["quantize", &quantized, "--data", &data, "-o", "out"];
    work.refuses(&quantize, "is quantized already");
    let narrow = ["simulate", "--config", "tiny", "--model", &quantized, "--data", &data];
    work.refuses(&narrow, "needs signed or unsigned activations of 8 bits, signed weights of 8 bits");
}
