//! The commands around golden: quantize, explain, sqnr, and models that simulate and verify take.

mod common;

use common::{digits_path, Work, ROOT};
use std::fs;

fn quantize<'a>(model: &'a str, data: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["quantize", model, "--data", data], rest].concat()
}

#[test]
fn a_model_is_quantized_simulated_and_verified() {
    let work = Work::new();
    let (model, data) = (digits_path("mlp.onnx"), digits_path("digits.npz"));
    let options =
        ["--weights", "4", "--activations", "8", "--method", "mse", "--per-channel", "--gradients", "8", "-o", "out"];
    let text = work.succeeds(&quantize(&model, &data, &options));
    for part in
        ["\nweights\n", "\nactivations\n", "\ngradients\n", "mse, per-channel, half-to-even", "wrote out: model.npz"]
    {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(work.path("out/report.json")).expect("written")).expect("JSON");
    let tensors = report["tensors"].as_array().expect("a list");
    let of = |component: &str| tensors.iter().filter(|t| t["component"] == component).count();
    assert_eq!([of("weights"), of("activations"), of("gradients")], [2, 3, 4]);
    // 64 x 32 weights of 4 bits.
    assert_eq!((&tensors[1]["bytes_float"], &tensors[1]["bytes_quantized"]), (&8192.into(), &1024.into()));
    let correct = report["accuracy"]["quantized"].as_u64().expect("a number");
    assert!(correct > 340, "{correct} of 360");
    // Again: the same bytes. With other options: not over them.
    assert!(work.succeeds(&quantize(&model, &data, &options)).contains("already up to date: out"));
    work.refuses(&quantize(&model, &data, &["--weights", "5", "-o", "out"]), "out exists with other contents");

    let simulated = work.succeeds(&["simulate", "--model", "out", "--data", &data, "--json", "run.json"]);
    assert!(simulated.contains(&format!("{:<28} {correct:>4} of 360", "golden")), "{simulated}");
    let run: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(work.path("run.json")).expect("written")).expect("JSON");
    assert_eq!(run["accuracy"]["simulator"], correct);
    assert_eq!(run["accuracy"].get("float"), None);
    let verified = work.succeeds(&["verify", "--model", "out", "--data", &data, "--rows", "3", "--stalls", "5:30"]);
    assert!(verified.contains("verilated RTL = simulator") && verified.ends_with("PASS\n"), "{verified}");
    // 3 rows of 32 + 10 outputs.
    assert!(verified.contains("        126          0"), "{verified}");

    work.refuses(
        &["simulate", "--model", "out/model.npz", "--config", "default", "--data", &data],
        "numerics.weight_bits = 8 in configuration default, but the model was quantized for 4",
    );
    work.refuses(&["simulate", "--model", "out/model.npz", "--data", &data], "--config is needed");
    work.refuses(&["verify", "--model", "out", "--data", &data, "--rows", "361"], "--rows 361 must be in 1..=360");
    work.refuses(&["simulate", "--model", ".", "--data", &data], ". holds no model.npz");
    let whole = fs::read(work.path("out/model.npz")).expect("written");
    work.write("cut.npz", &whole[..whole.len() / 2]);
    work.refuses(&["simulate", "--model", "cut.npz", "--config", "out/config.toml", "--data", &data], "cut.npz: ");
}

#[test]
fn stochastic_machines_run_networks_by_their_seed() {
    let work = Work::new();
    let (model, data) = (digits_path("mlp.onnx"), digits_path("digits.npz"));
    let text = fs::read_to_string(format!("{ROOT}/spec/configs/small.toml")).expect("it ships");
    work.write("random.toml", text.replace("rounding = \"half-toward-positive\"", "rounding = { stochastic = 12 }"));
    work.succeeds(&quantize(&model, &data, &["--config", "random.toml", "-o", "out"]));
    let verify = |seed: &str| {
        let text =
            work.succeeds(&["verify", "--model", "out", "--data", &data, "--rows", "4", "--rounding-seed", seed]);
        assert!(text.ends_with("PASS\n"), "{text}");
    };
    verify("1");
    verify("18446744073709551615");
}

#[test]
fn recipes_set_the_components_apart() {
    let work = Work::new();
    let (model, data) = (digits_path("mlp.onnx"), digits_path("digits.npz"));
    let recipe = "[weights]\nbits = 3\nmethod = \"mse\"\ngranularity = \"per-channel\"\nrounding = \"adaround\"\n\
                  bias_correction = true\n[activations]\nbits = 6\nmethod = \"percentile=99.9\"\nsymmetry = \"affine\"\n\
                  rounding = \"half-to-even\"\n[gradients]\nbits = 5\nmethod = \"aciq\"\nrounding = \"stochastic=8\"\n";
    work.write("recipe.toml", recipe);
    let text = work.succeeds(&quantize(&model, &data, &["--recipe", "recipe.toml", "-o", "out"]));
    for part in [
        "int3 ",
        "int6 ",
        "int5 ",
        "mse, per-channel, adaround, bias corrected",
        "percentile=99.9",
        "aciq, stochastic=8",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    // Options override the file.
    let text = work.succeeds(&quantize(&model, &data, &["--recipe", "recipe.toml", "--weights", "4", "-o", "other"]));
    assert!(text.contains("int4 ") && !text.contains("int3 "), "{text}");
    work.write("wrong.toml", recipe.replace("adaround", "half-up"));
    let wrong = quantize(&model, &data, &["--recipe", "wrong.toml", "-o", "none"]);
    work.refuses(&wrong, "wrong.toml: TOML parse error");
    work.refuses(&wrong, "\"half-up\" is no rounding: it must be one of floor, ceil");
    work.write("wrong.toml", recipe.replace("[gradients]", "[gradient]"));
    work.refuses(&wrong, "unknown field `gradient`");
}

#[test]
fn quantize_refuses_what_cannot_be() {
    let work = Work::new();
    let (model, data) = (digits_path("mlp.onnx"), digits_path("digits.npz"));
    for (rest, message) in [
        (vec!["-o", "out", "--weights", "17"], "numerics.weight_bits = 17 is out of range: it must be in 1..=16"),
        (
            vec!["-o", "out", "--weights", "1"],
            "numerics.weight is int1: symmetric weights need a signed format of at least 2",
        ),
        (vec!["-o", "out", "--activations", "0"], "numerics.activation_bits = 0 is out of range"),
        (vec!["-o", "out", "--gradients", "1"], "gradients.bits = 1 is out of range: it must be in 2..=32"),
        (
            vec!["-o", "out", "--method", "mean"],
            "\"mean\" is no method: it must be one of min-max, percentile=P, kl, mse, aciq",
        ),
        (vec!["-o", "out", "--method", "percentile=101"], "percentile = 101 is out of range"),
        (
            vec!["-o", "out", "--weight-method", "k-means=1000"],
            "a codebook of 1000 levels is larger than its tensor of 320",
        ),
        (vec!["-o", "out", "--weight-rounding", "stochastic=0"], "stochastic = 0 must be in 1..=32 random bits"),
        (vec!["-o", "out", "--per-tensor", "--per-channel"], "cannot be used with"),
        (vec![], "--out"),
    ] {
        work.refuses(&quantize(&model, &data, &rest), message);
    }
    work.refuses(&quantize("none.onnx", &data, &["-o", "out"]), "none.onnx: No such file");
    work.refuses(&quantize(&model, "none.npz", &["-o", "out"]), "cannot read none.npz");
    work.refuses(&quantize(&model, &model, &["-o", "out"]), "the file is not a complete npz archive");
}

#[test]
fn explain_shows_one_tie_and_every_answer() {
    let work = Work::new();
    // -12 / 8 = -1.5.
    let text = work.succeeds(&["explain", "-12", "--multiplier", "1073741824", "--shift", "33"]);
    assert!(text.contains("product          -12884901888 (in real numbers about -1.5)\n"), "{text}");
    assert!(text.contains("quotient, floor  -2\n"), "{text}");
    assert!(
        text.contains(
            "dropped          1_00000000_00000000_00000000_00000000 (guard bit first): exactly one half: a tie"
        ),
        "{text}"
    );
    let json = work.succeeds(&["explain", "-12", "--scale", "0.125", "--scheme", "fixed-double", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let output = |list: &str, name: &str| {
        let answers = json[list].as_array().expect("a list");
        let answer = answers.iter().find(|answer| answer["name"] == name);
        answer.unwrap_or_else(|| panic!("{name} is not in {answers:?}"))["output"].as_i64()
    };
    // By hand: the rules of the field on -1.5.
    for (rule, expected) in [
        ("floor", -2),
        ("ceil", -1),
        ("toward-zero", -1),
        ("away-from-zero", -2),
        ("to-odd", -1),
        ("half-to-even", -2),
        ("half-toward-positive", -1),
        ("half-toward-negative", -2),
        ("half-toward-zero", -1),
        ("half-away-from-zero", -2),
    ] {
        assert_eq!(output("rules", rule), Some(expected), "{rule}");
    }
    for (scheme, expected) in [
        ("FixedSingle", -1),
        ("FixedDouble", -2),
        ("FixedDoubleUp", -1),
        ("F32Even", -2),
        ("F64Away", -2),
        ("F32Rndnu", -1),
        ("S64Reduced", -1),
        ("Tosa16", -1),
        ("Pow2", -2),
    ] {
        assert_eq!(output("schemes", scheme), Some(expected), "{scheme}");
    }
    for (profile, expected) in
        [("onnx", Some(-2)), ("tflite-ruy", Some(-1)), ("tosa", Some(-1)), ("vta-shift", Some(-2)), ("qonnx", None)]
    {
        assert_eq!(output("profiles", profile), expected, "{profile}");
    }
    assert_eq!(json["output"], -2);
    let text = work.succeeds(&[
        "explain",
        "1000",
        "--scale",
        "0.5",
        "--bias",
        "-10",
        "--zero-point",
        "-3",
        "--bounds",
        "-128:127",
    ]);
    assert!(text.contains("+ zero point -3, clamped to -128..=127: 127"), "{text}");
    for (arguments, message) in [
        (vec!["explain", "1"], "give --multiplier and --shift, or --scale"),
        (vec!["explain", "1", "--multiplier", "3"], "--shift"),
        (vec!["explain", "1", "--multiplier", "3", "--shift", "64"], "64 is not in 0..=63"),
        (
            vec!["explain", "1", "--multiplier", "2147483648", "--shift", "3"],
            "a 31-bit multiplier = 2147483648 is out of range",
        ),
        (
            vec!["explain", "1", "--multiplier", "3", "--shift", "0"],
            "the shift of a 31-bit multiplier = 0 is out of range: it must be in 1..=62",
        ),
        (
            vec!["explain", "300", "--multiplier", "3", "--shift", "40", "--config", "tiny"],
            "tiny: shift = 40 is out of range: it must be in 0..=31",
        ),
        (vec!["explain", "1", "--scale", "0"], "\"0\" must be a positive, finite number"),
        (vec!["explain", "1", "--scale", "NaN"], "\"NaN\" must be a positive, finite number"),
        (vec!["explain", "1", "--scale", "1e-20"], "must be at least 2^-32"),
        (vec!["explain", "1", "--scale", "1e10"], "must be below 2^30"),
        (vec!["explain", "x", "--scale", "1"], "invalid value 'x'"),
        (vec!["explain", "1", "--scale", "1", "--bounds", "5:3"], "low = 5 must not exceed high = 3"),
        (vec!["explain", "1", "--scale", "1", "--scheme", "best"], "\"best\" must be one of FixedSingle, FixedDouble"),
        (vec!["explain", "9223372036854775807", "--scale", "1", "--bias", "1"], "a sum beyond 64 bits"),
    ] {
        work.refuses(&arguments, message);
    }
}

#[test]
fn sqnr_prints_a_table_and_draws_it() {
    let work = Work::new();
    let arguments =
        ["sqnr", "--samples", "20000", "--bits", "4", "--svg", "plot.svg", "--png", "plot.png", "--json", "table.json"];
    let text = work.succeeds(&arguments);
    assert!(text.contains("gauss\n") && text.contains("laplace\n") && text.contains("uniform\n"), "{text}");
    let json = fs::read_to_string(work.path("table.json")).expect("written");
    let table: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    // J. Max's quantizer of 2 bits, and 6.0206 dB a bit for uniform data.
    let optimum = |density: usize, bits: usize, of: &str| {
        table["densities"][density]["rows"][bits - 1][of]["optimum_db"].as_f64()
    };
    assert!((optimum(0, 2, "midrise").expect("a number") - 9.25).abs() < 0.005);
    assert!((optimum(2, 3, "lloyd_max").expect("a number") - 3.0 * 6.0206).abs() < 0.001);
    let measured = table["densities"][0]["rows"][1]["full"]["measured_db"].as_f64().expect("a number");
    assert!((measured - 8.26).abs() < 0.2, "{measured}");
    let svg = fs::read_to_string(work.path("plot.svg")).expect("written");
    assert!(svg.starts_with("<svg") && svg.contains("SQNR (dB)") && svg.trim_end().ends_with("</svg>"), "{svg}");
    let png = fs::read(work.path("plot.png")).expect("written");
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    for (arguments, message) in [
        (vec!["sqnr", "--samples", "10"], "must be a whole number in 1000..=100000000"),
        (vec!["sqnr", "--bits", "11"], "11 is not in 1..=10"),
        (vec!["sqnr", "--svg", "a", "--json", "./a"], "--svg and --json name the same file"),
        (vec!["sqnr", "--density", "cauchy"], "\"cauchy\" must be one of gauss, laplace, uniform"),
        (vec!["sqnr", "--svg", "none/plot.svg"], "none is no folder to hold that file"),
        (vec!["sqnr", "--svg", "a", "--png", "a"], "--svg and --png name the same file"),
    ] {
        work.refuses(&arguments, message);
    }
}

/// Multipliers that do not use all their bits are taken as they are: where the first of two roundings falls depends on them.
#[test]
fn explain_takes_multiplier_and_shift_as_given() {
    let work = Work::new();
    let output = |arguments: &[&str]| {
        let json: serde_json::Value =
            serde_json::from_str(&work.succeeds(&[&["explain"], arguments].concat())).expect("JSON");
        json["output"].as_i64()
    };
    // 6 2^29 / 2^31 = 1.5, rounded to 2, and 2 / 4 = 0.5, rounded away to 1. With 2^30 and 34: 3 / 8 = 0.375.
    let double = ["6", "--scheme", "fixed-double", "--json"];
    assert_eq!(output(&[&double[..], &["--multiplier", "536870912", "--shift", "33"]].concat()), Some(1));
    assert_eq!(output(&[&double[..], &["--multiplier", "1073741824", "--shift", "34"]].concat()), Some(0));
    // 2^33 / 2^33.
    let one = ["8589934592", "--multiplier", "1", "--shift", "33", "--json"];
    assert_eq!(output(&one), Some(1));
    // The machine's own answer, of any widths: 300 3 / 2^3 = 112.5.
    let text = fs::read_to_string(format!("{ROOT}/spec/configs/default.toml")).expect("it ships");
    let arguments = ["explain", "300", "--multiplier", "3", "--shift", "3", "--config"];
    let run = |config: &str| work.succeeds(&[&arguments[..], &[config]].concat());
    assert!(run("default").contains("machine          fixed-single on default: 113, half-toward-positive\n"));
    work.write("random.toml", text.replace("\"half-toward-positive\"", "{ stochastic = 4 }"));
    let random = run("random.toml");
    assert!(random.contains("fixed-single on default: 112, for 8 of 16 values of the random bits\n"), "{random}");
    assert!(random.contains("fixed-single on default: 113, for 8 of 16 values of the random bits\n"), "{random}");
}

#[test]
fn options_without_effect_are_refused() {
    let work = Work::new();
    let (model, data) = (digits_path("mlp.onnx"), digits_path("digits.npz"));
    for (rest, message) in [
        (vec!["--gradient-method", "mse"], "need --gradients BITS, or [gradients] in the recipe"),
        (
            vec!["--weight-method", "ternary", "--weights", "8"],
            "--weights 8 has no effect with the weight method ternary",
        ),
        (vec!["--weight-method", "binary", "--weight-rounding", "floor"], "--weight-rounding has no effect"),
        (vec!["--weight-method", "k-means=4", "--per-channel"], "--per-channel has no effect"),
        (vec!["--weight-method", "k-means=1"], "k-means = 1 must be at least 2 levels"),
    ] {
        work.refuses(&quantize(&model, &data, &[&rest[..], &["-o", "out"]].concat()), message);
    }
    // Before the work: a folder that holds something else.
    fs::create_dir(work.path("full")).expect("a test's own folder");
    work.write("full/notes.txt", "mine");
    work.refuses(&quantize(&model, &data, &["-o", "full"]), "full exists with other contents (notes.txt)");
}

#[test]
fn the_seed_of_a_model_is_told_and_a_wrapping_accumulator_is_warned_of() {
    let work = Work::new();
    let (model, data) = (digits_path("mlp.onnx"), digits_path("digits.npz"));
    let text = fs::read_to_string(format!("{ROOT}/spec/configs/default.toml")).expect("it ships");
    let text = text.replace("\"half-toward-positive\"", "{ stochastic = 8 }").replace("\"auto\"", "{ wrapping = 12 }");
    work.write("odd.toml", text);
    let printed = work.succeeds(&quantize(&model, &data, &["--config", "odd.toml", "--seed", "7", "-o", "out"]));
    assert!(printed.contains("warning: sums of layer gemm1 can need "), "{printed}");
    assert!(printed.contains("and the accumulator of 12 wraps"), "{printed}");
    let command = printed.lines().find_map(|line| line.strip_prefix("run it with: systole ")).expect("a command");
    let run = work.succeeds(&command.split(' ').collect::<Vec<&str>>());
    let correct = |text: &str, before: &str| {
        let at = text.find(before).unwrap_or_else(|| panic!("{before:?} is not in\n{text}")) + before.len();
        text[at..].trim_start().split(' ').next().map(str::to_owned)
    };
    assert_eq!(correct(&printed, "quantized (golden)"), correct(&run, "\n  golden "));
}
