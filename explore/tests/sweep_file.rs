//! Sweep files: their points, and how they are refused.

use explore::point::Axes;
use explore::sweep::{Plan, Sweep};
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

const BASE: &str = r#"
name = "base"
[numerics]
activation_bits = 8
activation_signed = true
weight_bits = 8
weight_signed = true
output_bits = 8
output_signed = true
max_k = 4096
bias_bits = 24
accumulator_bits = "auto"
scheme = "fixed-single"
rounding = "half-toward-positive"
multiplier_bits = 31
shift_bits = 6
activation_table = false
[geometry]
rows = 16
cols = 16
multiplier_stages = 0
activation_buffer_rows = 4096
weight_buffer_tiles = 4
accumulator_rows = 512
parameter_tiles = 16
requantizer_lanes = 16
bus_bits = 64
queue_depth = 16
"#;

const HEAD: &str = "name = \"s\"\nconfig = \"base\"\n";
const NETWORKS: &str = r#"
[networks.mlp]
model = "mlp-w{network_width}-s{seed}.onnx"
data = "d{seed}.npz"
[networks.cnn]
model = "cnn.onnx"
data = "d{seed}.npz"
[methods.max]
weights = "min-max"
activations = "min-max"
granularity = "per-tensor"
[methods.ternary]
weights = "ternary"
activations = "mse"
symmetry = "symmetric"
weight_rounding = "floor"
bias_correction = true
"#;

fn sweep(rest: &str) -> Sweep {
    Sweep::new(&format!("{HEAD}{rest}"), BASE).expect("it is valid")
}

fn refused(text: &str) -> String {
    Sweep::new(text, BASE).expect_err("it must be refused").to_string()
}

fn plan_of(sweep: &Sweep, subset: Option<&str>) -> Plan {
    sweep.plan(subset, false, &AtomicBool::new(false)).expect("there are points")
}

fn bits(plan: &Plan) -> Vec<(u32, u32)> {
    plan.points.iter().map(|point| (point.axes.weight_bits, point.axes.activation_bits)).collect()
}

#[test]
fn lists_and_ranges_make_the_product_in_order() {
    let sweep = sweep("[axes]\nactivation_bits = [8, 4, 8]\nweight_bits = { from = 2, to = 7, step = 2 }\n");
    let plan = plan_of(&sweep, None);
    // The order of axes is the machine's, not the file's; a value that stands twice counts once.
    assert_eq!(bits(&plan), [(2, 8), (2, 4), (4, 8), (4, 4), (6, 8), (6, 4)]);
    assert_eq!(plan.points.iter().map(|point| point.ordinal).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!((plan.product, plan.excluded, plan.doubles), (6, 0, 0));
    // Without a network nothing is requantized for a next layer: outputs stay the base's.
    assert!(plan.points.iter().all(|point| point.axes.output_bits == 8 && point.axes.network.is_none()));
}

#[test]
fn every_axis_takes_effect() {
    let text = format!(
        "{HEAD}{NETWORKS}[axes]\nnetwork = [\"cnn\", \"mlp\"]\nnetwork_width = {{ from = 0.5, to = 1.5, step = 0.5 }}\n\
         method = [\"max\"]\nweight_bits = [3]\nactivation_bits = [5]\naccumulator_bits = [{{ wrapping = 20 }}, \"auto\", 40]\n\
         output_bits = [\"activation_bits\", 4]\nrounding = [\"floor\", {{ stochastic = 8 }}]\nrows = [2, 4]\ncols = [6]\n\
         multiplier_stages = [1]\nrequantizer_lanes = [3]\nbus_bits = [128]\n"
    );
    let sweep = Sweep::new(&text, BASE).expect("it is valid");
    let plan = plan_of(&sweep, None);
    assert_eq!(plan.points.len(), 2 * 3 * 3 * 2 * 2 * 2);
    let last = &plan.points[plan.points.len() - 1].axes;
    assert_eq!(
        serde_json::to_value(last).expect("plain data"),
        serde_json::json!({
            "network": "mlp", "network_width": 1.5, "method": "max", "weight_bits": 3, "activation_bits": 5,
            "accumulator_bits": 40, "output_bits": 4, "rounding": { "stochastic": 8 }, "rows": 4, "cols": 6,
            "multiplier_stages": 1, "requantizer_lanes": 3, "bus_bits": 128
        })
    );
    let point = sweep.point(last).expect("a valid point");
    let toml = point.config.to_toml();
    for line in [
        "weight_bits = 3",
        "activation_bits = 5",
        "accumulator_bits = 40",
        "output_bits = 4",
        "stochastic = 8",
        "rows = 4",
        "cols = 6",
        "multiplier_stages = 1",
        "requantizer_lanes = 3",
        "bus_bits = 128",
        "max_k = 4096",
    ] {
        assert!(toml.lines().any(|found| found == line), "{line:?} is not in\n{toml}");
    }
    let first = sweep.point(&plan.points[0].axes).expect("a valid point");
    assert_eq!(
        (first.config.numerics().accumulator_bits(), first.axes.output_bits, first.axes.network_width),
        (20, 5, 0.5)
    );
    let keys: HashSet<String> =
        plan.points.iter().map(|planned| sweep.point(&planned.axes).expect("valid").key()).collect();
    assert_eq!(keys.len(), plan.points.len());
}

#[test]
fn methods_are_recipes() {
    let text = format!(
        "{HEAD}{NETWORKS}[axes]\nnetwork = [\"mlp\"]\nmethod = [\"max\", \"ternary\"]\nweight_bits = [1, 2, 4]\nactivation_bits = [6]\n"
    );
    let sweep = Sweep::new(&text, BASE).expect("it is valid");
    let plan = plan_of(&sweep, None);
    let recipe = |at: usize| {
        let point = sweep.point(&plan.points[at].axes).expect("valid");
        (serde_json::to_value(&point.recipe).expect("plain data"), point.config.numerics().weight().bits())
    };
    let weights = |method: &str, bits: u32| {
        serde_json::json!({
            "weights": { "bits": bits, "method": method, "granularity": "per-tensor", "rounding": "half-to-even", "bias_correction": false },
            "activations": { "bits": 6, "method": "min-max", "symmetry": "affine", "rounding": "half-to-even" },
            "gradients": null
        })
    };
    // Two levels at 1 bit, which the machine holds in two.
    assert_eq!(recipe(0), (weights("binary", 2), 2));
    assert_eq!(recipe(1), (weights("min-max", 2), 2));
    assert_eq!(recipe(2), (weights("min-max", 4), 4));
    let ternary = serde_json::json!({
        "weights": { "bits": 2, "method": "ternary", "granularity": "per-channel", "rounding": "floor", "bias_correction": true },
        "activations": { "bits": 6, "method": "mse", "symmetry": "symmetric", "rounding": "half-to-even" },
        "gradients": null
    });
    assert_eq!(recipe(3), (ternary, 2));
    let skipped: Vec<(&str, u64)> = plan.skipped.iter().map(|(reason, points)| (reason.as_str(), *points)).collect();
    assert_eq!(
        skipped,
        [("weight_bits = 1 must be 2 for ternary weights", 1), ("weight_bits = 4 must be 2 for ternary weights", 1)]
    );
}

#[test]
fn constraints_products_and_subsets_choose() {
    let sweep = sweep(
        "constraints = [\"weight_bits <= activation_bits\", \"rows == 16.0 && rounding == \\\"half-toward-positive\\\"\"]\n\
         [[products]]\nweight_bits = [2, 4]\nactivation_bits = [2, 4]\n\
         [[products]]\nweight_bits = [4, 6]\nactivation_bits = [4, 6]\n\
         [subsets.diagonal]\nwhere = [\"weight_bits == activation_bits\"]\n\
         [subsets.half]\nwhere = [\"weight_bits / 4 == 0.5\"]\n",
    );
    let plan = plan_of(&sweep, None);
    assert_eq!(bits(&plan), [(2, 2), (2, 4), (4, 4), (4, 6), (6, 6)]);
    assert_eq!((plan.product, plan.excluded, plan.doubles), (8, 2, 1));
    let plan = plan_of(&sweep, Some("diagonal"));
    assert_eq!(bits(&plan), [(2, 2), (4, 4), (6, 6)]);
    // As in the whole sweep.
    assert_eq!(plan.points.iter().map(|point| point.ordinal).collect::<Vec<_>>(), [0, 2, 4]);
    assert_eq!(bits(&plan_of(&sweep, Some("half"))), [(2, 2), (2, 4)]);
    let error = sweep.plan(Some("digonal"), false, &AtomicBool::new(false)).expect_err("there is none").to_string();
    assert_eq!(error, "--subset digonal is not defined: the sweep file has diagonal, half");
}

#[test]
fn a_width_of_outputs_that_is_the_activations_counts_once() {
    let sweep = sweep("[axes]\nactivation_bits = [4, 5]\noutput_bits = [\"activation_bits\", 5]\n");
    let plan = plan_of(&sweep, None);
    let outputs: Vec<_> =
        plan.points.iter().map(|point| (point.axes.activation_bits, point.axes.output_bits)).collect();
    assert_eq!(outputs, [(4, 4), (4, 5), (5, 5)]);
    assert_eq!((plan.product, plan.doubles), (4, 1));
}

#[test]
fn every_constraint_must_hold() {
    let sweep = sweep(
        "constraints = [\"weight_bits > 2\", \"activation_bits < 8\", \"weight_bits != activation_bits\"]\n\
         [axes]\nweight_bits = [2, 4, 6]\nactivation_bits = [4, 6, 8]\n",
    );
    let plan = plan_of(&sweep, None);
    assert_eq!(bits(&plan), [(4, 6), (6, 4)], "two of nine hold all three");
    assert_eq!((plan.product, plan.excluded), (9, 7));
}

#[test]
fn points_that_break_a_rule_are_counted_by_it() {
    let sweep = sweep("[axes]\nweight_bits = [8, 17]\nrequantizer_lanes = [16, 3, 5]\n");
    let plan = plan_of(&sweep, None);
    assert_eq!(bits(&plan), [(8, 8)]);
    let skipped: Vec<(&str, u64)> = plan.skipped.iter().map(|(reason, points)| (reason.as_str(), *points)).collect();
    assert_eq!(
        skipped,
        [
            ("geometry.requantizer_lanes = 3 must be a divisor of geometry.cols = 16", 1),
            ("geometry.requantizer_lanes = 5 must be a divisor of geometry.cols = 16", 1),
            ("numerics.weight_bits = 17 is out of range: it must be in 1..=16", 3),
        ]
    );
}

#[test]
fn large_products_are_counted_and_not_made() {
    let range = "{ from = 1, to = 1000 }";
    let text = format!("[axes]\nweight_bits = {range}\nrows = {range}\ncols = {range}\nactivation_bits = {range}\n");
    let error = sweep(&text).plan(None, false, &AtomicBool::new(false)).expect_err("too many").to_string();
    assert_eq!(
        error,
        "the product of the axes has 1000000000000 points, more than 1000000: --yes takes it all the same"
    );
    let stopped = sweep(&text).plan(None, true, &AtomicBool::new(true)).expect_err("stopped").to_string();
    assert_eq!(stopped, "interrupted");
    // A million is not more than a million.
    let plan =
        sweep(&format!("[axes]\nrows = {range}\ncols = {range}\nconstraints = []\n").replace("constraints = []\n", ""));
    let plan = plan.plan(None, false, &AtomicBool::new(false)).expect("it is taken");
    assert_eq!((plan.product, plan.points.len()), (1_000_000, 128 * 8));
}

#[test]
fn paths_hold_axes_and_seeds() {
    let text = format!(
        "{HEAD}seeds = [3, 0]\n{NETWORKS}[axes]\nnetwork = [\"mlp\", \"cnn\"]\nnetwork_width = [1, 0.5]\nmethod = [\"max\"]\n"
    );
    let sweep = Sweep::new(&text, BASE).expect("it is valid");
    let plan = plan_of(&sweep, None);
    let model = |axes: &Axes, seed| sweep.files(axes, seed).map(|files| files.model.display().to_string());
    let models: Vec<_> = plan.points.iter().map(|point| model(&point.axes, 3)).collect();
    let expected = ["mlp-w1-s3.onnx", "mlp-w0.5-s3.onnx", "cnn.onnx", "cnn.onnx"].map(|name| Some(name.to_owned()));
    assert_eq!(models, expected);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let touch = |name: &str| std::fs::write(folder.path().join(name), "").expect("it can be written");
    for name in ["mlp-w1-s3.onnx", "mlp-w1-s0.onnx", "d3.npz", "d0.npz", "cnn.onnx"] {
        touch(name);
    }
    let missing = |folder: &Path| sweep.inputs(&plan, folder).expect_err("it is not there").to_string();
    assert_eq!(
        missing(folder.path()),
        format!(
            "networks.mlp.model: no file {}, which seed 3 of network = mlp, network_width = 0.5, method = max, weight_bits = 8, \
             activation_bits = 8, rows = 16, cols = 16 needs",
            folder.path().join("mlp-w0.5-s3.onnx").display()
        )
    );
    touch("mlp-w0.5-s3.onnx");
    touch("mlp-w0.5-s0.onnx");
    let inputs = sweep.inputs(&plan, folder.path()).expect("they are there");
    assert_eq!(inputs.len(), 7, "{inputs:?}");
}

#[test]
fn what_is_wrong_is_named() {
    let axes = |axes: &str| format!("{HEAD}[axes]\n{axes}");
    let network = |rest: &str| format!("{HEAD}{NETWORKS}{rest}");
    let top = |line: &str| format!("{HEAD}{line}\n[axes]\nrows = [4]\n");
    let list = "network, network_width, method, weight_bits, activation_bits, accumulator_bits, output_bits, rounding, rows, cols, \
                multiplier_stages, requantizer_lanes, bus_bits";
    let targets = "ice40-hx8k, ice40-up5k, ecp5-25k, ecp5-85k, gowin, xilinx7, gates";
    for (text, expected) in [
        (axes("weigth_bits = [4]"), format!("axes.weigth_bits is no axis: it must be one of {list}")),
        (axes("rows = []"), "axes.rows = [] must be a list of at least one value".to_owned()),
        (axes("rows = \"4\""), "axes.rows = \"4\" must be a whole number in 0..=1048576".to_owned()),
        (
            axes("rows = { from = 8, to = 1 }"),
            "axes.rows = { from = 8, to = 1 } must be a range that is not empty: from = 8 is above to = 1".to_owned(),
        ),
        (
            axes("rows = { from = 1, to = 8, step = 0 }"),
            "axes.rows = { from = 1, step = 0, to = 8 } must be a range whose step is above 0".to_owned(),
        ),
        (axes("rows = { from = 1 }"), "axes.rows = { from = 1 } must be a range with both from and to".to_owned()),
        (
            axes("rows = { from = 1, to = 2, by = 1 }"),
            "axes.rows = { by = 1, from = 1, to = 2 } must be a range of from, to and, if not 1, step: \"by\" is none of these"
                .to_owned(),
        ),
        (axes("rows = [-1]"), "axes.rows = -1 must be a whole number in 0..=1048576".to_owned()),
        (axes("rows = [1.5]"), "axes.rows = 1.5 must be a whole number in 0..=1048576".to_owned()),
        (axes("network_width = [0]"), "axes.network_width = 0 must be above 0 and at most 1000".to_owned()),
        (axes("network_width = [nan]"), "axes.network_width = nan must be above 0 and at most 1000".to_owned()),
        (
            axes("rounding = { from = 1, to = 2 }"),
            "axes.rounding = { from = 1, to = 2 } must be a list of names: this axis has no ranges".to_owned(),
        ),
        (
            axes("rounding = [\"half-up\"]"),
            "axes.rounding = \"half-up\" must be floor, ceil, toward-zero, away-from-zero, to-odd, half-to-even, \
             half-toward-positive, half-toward-negative, half-toward-zero, half-away-from-zero, or { stochastic = RANDOM_BITS }"
                .to_owned(),
        ),
        (
            axes("accumulator_bits = [\"wide\"]"),
            "axes.accumulator_bits = \"wide\" must be \"auto\", a number of bits, or { wrapping = BITS }".to_owned(),
        ),
        (
            axes("output_bits = [\"weight_bits\"]"),
            "axes.output_bits = \"weight_bits\" must be \"activation_bits\" or a whole number in 0..=1048576".to_owned(),
        ),
        (
            network("[axes]\nnetwork = [\"mpl\"]\nmethod = [\"max\"]\n"),
            "axes.network = \"mpl\" is not defined: [networks] has cnn, mlp".to_owned(),
        ),
        (
            network("[[products]]\nnetwork = [\"mlp\"]\nmethod = [\"max\", \"mse\"]\n"),
            "products[0].method = \"mse\" is not defined: [methods] has max, ternary".to_owned(),
        ),
        (
            network("[axes]\nnetwork = [\"mlp\"]\n"),
            "axes.network = a list must be given together with a method, which quantizes it".to_owned(),
        ),
        (
            network("[axes]\nmethod = [\"max\"]\n"),
            "axes.method = a list must be given together with a network: a method quantizes one".to_owned(),
        ),
        (
            network("[axes]\nrows = [4]\n").replace("{network_width}", "{width}"),
            format!(
                "networks.mlp.model = \"mlp-w{{width}}-s{{seed}}.onnx\" names {{width}}: it must be seed, or an axis: {list}"
            ),
        ),
        (
            network("[axes]\nrows = [4]\n").replace("cnn.onnx", "cnn{.onnx"),
            "networks.cnn.model = \"cnn{.onnx\" must be a path with a } for each {".to_owned(),
        ),
        (
            network("[axes]\nrows = [4]\n").replace("cnn.onnx", "cnn}.onnx"),
            "networks.cnn.model = \"cnn}.onnx\" must be a path with a { for each }".to_owned(),
        ),
        (
            top("constraints = [\"rows < 9\", \"row < 9\"]"),
            format!("constraints[1]: \"row < 9\" names row, which is no axis: it must be one of {list}"),
        ),
        (
            top("constraints = [\"rows = 9\"]"),
            "constraints[0] = \"rows = 9\" must be a condition; it assigns rows".to_owned(),
        ),
        (top("seeds = []"), "seeds = [] must be a list of at least one seed".to_owned()),
        (
            top("seeds = [9223372036854775808]"),
            "seeds = 9223372036854775808 must be at most 9223372036854775807".to_owned(),
        ),
        (
            format!("{HEAD}[axes]\nrows = [4]\n[synthesis]\ntargets = [\"gowin\"]\nseeds = [2147483648]\n"),
            "synthesis.seeds = 2147483648 must be at most 2147483647".to_owned(),
        ),
        (top("seeds = [1, 1]"), "seeds = [1, 1] must be seeds once each; 1 is there twice".to_owned()),
        (top("clock_mhz = 0"), "clock_mhz = 0 must be a frequency in MHz above 0 and up to 100000".to_owned()),
        (
            format!("{HEAD}[axes]\nrows = [4]\n[simulation]\nstalls = \"7\"\n"),
            "simulation.stalls = \"7\" must be SEED:PERCENT such as \"7:10\", with at most 95 percent".to_owned(),
        ),
        (
            format!("{HEAD}[axes]\nrows = [4]\n[simulation]\nbatch = 0\n"),
            "simulation.batch = 0 must be in 1..=10000".to_owned(),
        ),
        (
            HEAD.to_owned(),
            "the sweep file does not parse: a sweep has either [axes] or [[products]]; this has neither".to_owned(),
        ),
        (
            format!("{HEAD}[axes]\nrows = [4]\n[[products]]\nrows = [4]\n"),
            "the sweep file does not parse: a sweep has either [axes] or [[products]]; this has both".to_owned(),
        ),
        (top("name = \"x\""), "the sweep file does not parse: line 3: duplicate key".to_owned()),
        (
            format!("{HEAD}[axes]\nrows = [4]\n[synthesis]\ntargets = []\n"),
            format!("synthesis.targets = [] must be a list of at least one of {targets}"),
        ),
        (
            format!("{HEAD}[axes]\nrows = [4]\n[synthesis]\ntargets = [\"ice40\"]\n"),
            format!("synthesis.targets = \"ice40\" must be one of {targets}"),
        ),
        (
            format!("{HEAD}[axes]\nrows = [4]\n[synthesis]\ntargets = [\"gates\"]\n"),
            "synthesis.liberty = absent must be the liberty file of target gates".to_owned(),
        ),
        (
            format!("{HEAD}[axes]\nrows = [4]\n[synthesis]\ntargets = [\"gowin\"]\nliberty = \"x.lib\"\n"),
            "synthesis.liberty = \"x.lib\" must be absent where target gates is not among the targets".to_owned(),
        ),
    ] {
        assert_eq!(refused(&text), expected, "{text}");
    }
    let unknown = refused(&format!("{HEAD}speed = 1\n[axes]\nrows = [4]\n"));
    assert!(
        unknown.starts_with("the sweep file does not parse: line 3: unknown field `speed`, expected one of"),
        "{unknown}"
    );
    let nested = format!("constraints = [\"{}rows{}\"]", "(".repeat(100_000), ")".repeat(100_000));
    assert!(refused(&top(&nested)).ends_with("must be at most 1000 characters long"));
}

#[test]
fn constraints_that_give_no_answer_are_refused_with_the_point() {
    let sweep = sweep("constraints = [\"rounding < 3\"]\n[axes]\nrows = [4]\n");
    let error = sweep.plan(None, false, &AtomicBool::new(false)).expect_err("texts are no numbers").to_string();
    assert!(
        error.starts_with(
            "constraints[0]: \"rounding < 3\" cannot be evaluated at weight_bits = 8, activation_bits = 8, rows = 4, cols = 16: "
        ),
        "{error}"
    );
}

#[test]
fn a_sweep_without_points_says_why() {
    let sweep = sweep("constraints = [\"rows > 4\"]\n[axes]\nrows = [4, 129]\n");
    let error = sweep.plan(None, false, &AtomicBool::new(false)).expect_err("none is left").to_string();
    assert_eq!(
        error,
        "no point is left: 1 of the product do not hold the constraints, 1 break a rule of the configuration \
         (geometry.rows = 129 is out of range: it must be in 1..=128)"
    );
}

#[test]
fn base_configurations_are_files_or_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("s.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("it can be written");
    write("name = \"s\"\nconfig = \"tiny\"\n[axes]\nrows = [3]\n");
    let sweep = Sweep::read(&file).expect("it is valid");
    let plan = plan_of(&sweep, None);
    // Its file says auto: with other weights the accumulator follows.
    assert_eq!(
        (plan.points[0].axes.cols, sweep.point(&plan.points[0].axes).expect("valid").config.geometry().rows()),
        (3, 3)
    );
    write("name = \"s\"\nconfig = \"mine.toml\"\n[axes]\nrows = [3]\n");
    let mine = folder.path().join("mine.toml");
    assert_eq!(
        Sweep::read(&file).expect_err("it is not there").to_string(),
        format!(
            "config = \"mine.toml\" is no file {}, and no shipped configuration of that name: [\"tiny\", \"small\", \"default\"]",
            mine.display()
        )
    );
    std::fs::write(&mine, BASE).expect("it can be written");
    assert_eq!(plan_of(&Sweep::read(&file).expect("it is valid"), None).points[0].axes.bus_bits, 64);
    std::fs::write(&mine, BASE.replace("rows = 16", "rows = 0")).expect("it can be written");
    assert_eq!(
        Sweep::read(&file).expect_err("it is no configuration").to_string(),
        "config = \"mine.toml\": geometry.rows = 0 is out of range: it must be in 1..=128"
    );
}
