//! Recipes: their texts, what each method does to the digits network, components apart, and refusals.

mod common;

use compiler::float::{count_correct, DataLayout, FloatLayer, FloatNetwork, FloatOperation};
use compiler::npz::Npz;
use compiler::quantize::recipe::{ElementRounding, GradientRecipe, RangeMethod, WeightMethod, WeightRounding};
use compiler::quantize::{quantize, Calibration, Component, QuantizeError, Quantized, Recipe, TensorReport};
use golden::{Extent, Operation, Window};
use spec::config::{AccumulatorBits, Auto, RawConfig, RawRounding};
use spec::{Config, MachineScheme, Numerics, Round};

const MLP: &[u8] = include_bytes!("../../examples/digits/mlp.onnx");
const DIGITS: &[u8] = include_bytes!("../../examples/digits/digits.npz");

struct Digits {
    network: FloatNetwork,
    calibration: Vec<f32>,
    calibration_labels: Vec<i64>,
    test: Vec<f32>,
    labels: Vec<i64>,
}

impl Digits {
    fn new() -> Self {
        let mut npz = Npz::new(DIGITS.to_vec()).expect("shipped");
        Self {
            network: common::read_onnx(MLP).expect("shipped"),
            calibration: npz.matrix("calibration", 64).expect("shipped").values,
            calibration_labels: npz.labels("calibration_labels", 256).expect("shipped"),
            test: npz.matrix("test", 64).expect("shipped").values,
            labels: npz.labels("labels", 360).expect("shipped"),
        }
    }

    fn quantize(&self, numerics: &Numerics, recipe: &Recipe, seed: u64) -> Result<Quantized, QuantizeError> {
        let labels = Some(&self.calibration_labels[..]);
        quantize(&self.network, Calibration { inputs: &self.calibration, labels }, numerics, recipe, seed)
    }

    /// Right answers of 360.
    fn correct(&self, quantized: &Quantized) -> usize {
        let network = &quantized.network;
        let inputs = network.quantize_input(&self.test, 0).expect("in range");
        let outputs = network.run_golden(&inputs, 0).expect("in range");
        count_correct(&outputs, 10, &self.labels)
    }
}

fn numerics(weights: u32, change: impl FnOnce(&mut spec::config::RawNumerics)) -> Numerics {
    let mut raw = RawConfig::from(&Config::named("default").expect("it ships"));
    raw.numerics.weight_bits = weights;
    raw.numerics.accumulator_bits = AccumulatorBits::Named(Auto::Auto);
    change(&mut raw.numerics);
    Config::try_from(raw).expect("legal").numerics().clone()
}

fn recipe(bits: u32, method: &str) -> Recipe {
    let mut recipe = Recipe::min_max(bits, 8);
    recipe.weights.method = method.parse().expect("a method");
    recipe
}

/// The integer weights of a dense layer.
fn weights(quantized: &Quantized, layer: usize) -> &[i32] {
    match &quantized.network.network().layers[layer].operation {
        Operation::Convolution { weights, .. } => weights,
        other => panic!("layer {layer} is a {}", other.name()),
    }
}

/// The float weights of a dense layer, and its number of outputs.
fn float_weights(layer: &FloatLayer) -> (&[f32], usize) {
    let FloatOperation::Convolution { weights, bias, .. } = &layer.operation else { panic!("{} is dense", layer.name) };
    (weights, bias.len())
}

fn of(quantized: &Quantized, component: Component) -> Vec<&TensorReport> {
    quantized.tensors.iter().filter(|tensor| tensor.component == component).collect()
}

#[test]
fn every_text_of_a_recipe_reads_back() {
    for text in ["min-max", "percentile=99.9", "kl", "mse", "aciq"] {
        assert_eq!(text.parse::<RangeMethod>().map(|method| method.to_string()).as_deref(), Ok(text));
        assert_eq!(text.parse::<WeightMethod>().map(|method| method.to_string()).as_deref(), Ok(text));
    }
    for text in ["k-means=16", "powers-of-two", "additive-powers-of-two", "ternary", "binary", "probabilistic"] {
        assert_eq!(text.parse::<WeightMethod>().map(|method| method.to_string()).as_deref(), Ok(text));
        assert!(text.parse::<RangeMethod>().is_err(), "{text}");
    }
    for text in ["half-to-even", "floor", "stochastic=8", "adaround"] {
        assert_eq!(text.parse::<WeightRounding>().map(|rounding| rounding.to_string()).as_deref(), Ok(text));
        assert_eq!(text.parse::<ElementRounding>().is_ok(), text != "adaround");
    }
    for wrong in ["", "mean", "percentile", "percentile=many", "k-means", "mse=3", "half-up"] {
        assert!(wrong.parse::<WeightMethod>().is_err(), "{wrong}");
        assert!(wrong.parse::<WeightRounding>().is_err(), "{wrong}");
    }
    let refused = "stochastic=33".parse::<ElementRounding>().expect_err("refused");
    assert_eq!(refused, "stochastic = 33 must be in 1..=32 random bits");
    let mut recipe = recipe(4, "k-means=9");
    recipe.gradients = Some(GradientRecipe {
        bits: 5,
        method: "aciq".parse().expect("a method"),
        rounding: ElementRounding::Stochastic { random_bits: 3 },
    });
    let text = toml::to_string(&recipe).expect("plain data");
    assert_eq!(Recipe::from_toml(&text).as_ref(), Ok(&recipe));
    assert!(Recipe::from_toml(&text.replace("k-means=9", "k-mean=9")).is_err());
    assert!(Recipe::from_toml(&format!("{text}\nextra = 1")).is_err());
}

/// The order of methods is that of the literature: less error is never worse by much, and what looks at the data wins.
#[test]
fn methods_differ_where_bits_are_few() {
    let digits = Digits::new();
    let run = |recipe: &Recipe| {
        let bits = recipe.weights.machine_bits();
        digits.quantize(&numerics(bits, |_| {}), recipe, 7).expect("it fits")
    };
    let float = count_correct(&digits.network.forward(&digits.test).expect("it fits"), 10, &digits.labels);
    let [max, mse] = ["min-max", "mse"].map(|method| run(&recipe(2, method)));
    let noise = |quantized: &Quantized| of(quantized, Component::Weights).iter().map(|t| t.mse).sum::<f64>();
    assert!(noise(&mse) < noise(&max));
    let [max, mse_correct] = [&max, &mse].map(|quantized| digits.correct(quantized));
    assert!(mse_correct > max + 20, "mse {mse_correct}, min-max {max} of 360");
    let learnt = run(&recipe(2, "probabilistic"));
    let learnt_correct = digits.correct(&learnt);
    assert!(learnt_correct > mse_correct + 20, "learnt {learnt_correct}, mse {mse_correct} of 360");
    assert!(float - learnt_correct <= 15, "learnt {learnt_correct}, float {float} of 360");
    let mut rounded = recipe(2, "mse");
    rounded.weights.rounding = WeightRounding::AdaRound;
    let rounded = digits.correct(&run(&rounded));
    assert!(rounded > mse_correct, "adaround {rounded}, nearest {mse_correct} of 360");
    // The same seed gives the same bits.
    assert_eq!(run(&recipe(2, "probabilistic")), learnt);
}

#[test]
fn codebooks_have_the_levels_they_promise() {
    let digits = Digits::new();
    let powers: Vec<i32> = (0..7).flat_map(|e| [1 << e, -(1 << e)]).chain([0]).collect();
    for (method, bits, allowed) in [
        ("ternary", 8, Some(vec![-1, 0, 1])),
        ("binary", 8, Some(vec![-1, 1])),
        ("powers-of-two", 8, Some(powers)),
        ("k-means=16", 8, None),
        ("additive-powers-of-two", 6, None),
    ] {
        let recipe = recipe(bits, method);
        let machine = recipe.weights.machine_bits();
        let quantized = digits.quantize(&numerics(machine, |_| {}), &recipe, 0).expect("it fits");
        for layer in 0..2 {
            let mut levels = weights(&quantized, layer).to_vec();
            levels.sort_unstable();
            levels.dedup();
            let fits = |level: &i32| allowed.as_ref().is_none_or(|allowed| allowed.contains(level));
            assert!(levels.iter().all(fits), "{method}: {levels:?}");
            assert!(levels.len() > 1 && (method != "k-means=16" || levels.len() <= 16), "{method}: {levels:?}");
        }
        let reports = of(&quantized, Component::Weights);
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[0].bytes_quantized, 64 * 32 * machine as usize / 8, "{method}");
        assert!(reports.iter().all(|t| t.sqnr_db.is_some_and(|db| db > 3.0)), "{method}: {reports:?}");
    }
}

#[test]
fn components_have_formats_and_methods_of_their_own() {
    let digits = Digits::new();
    let mut recipe = recipe(4, "mse");
    recipe.activations.bits = 6;
    recipe.activations.method = "percentile=99.5".parse().expect("a method");
    let gradients = |bits, rounding: &str| GradientRecipe {
        bits,
        method: RangeMethod(calibrate::Method::MinMax),
        rounding: rounding.parse().expect("a rounding"),
    };
    recipe.gradients = Some(gradients(8, "half-to-even"));
    let machine = numerics(4, |raw| {
        raw.activation_bits = 6;
        raw.output_bits = 6;
    });
    let run = |recipe: &Recipe| digits.quantize(&machine, recipe, 3).expect("it fits");
    let quantized = run(&recipe);
    let formats = |component| of(&quantized, component).iter().map(|t| t.format.clone()).collect::<Vec<String>>();
    assert_eq!(formats(Component::Weights), ["int4"; 2]);
    assert_eq!(formats(Component::Activations), ["int6"; 3]);
    assert_eq!(formats(Component::Gradients), ["int8"; 4]);
    let tensors: Vec<&str> = of(&quantized, Component::Gradients).iter().map(|t| t.tensor).collect();
    assert_eq!(tensors, ["by weights", "by outputs", "by weights", "by outputs"]);
    assert!(of(&quantized, Component::Activations).iter().any(|t| t.clipped_share > 0.0));
    // Gradients do not touch the network.
    recipe.gradients = Some(gradients(4, "stochastic=16"));
    let coarser = run(&recipe);
    assert_eq!(coarser.network, quantized.network);
    let noise = |quantized: &Quantized| of(quantized, Component::Gradients).iter().map(|t| t.mse).sum::<f64>();
    assert!(noise(&coarser) > 10.0 * noise(&quantized));
}

#[test]
fn stochastic_weights_follow_their_seed() {
    let digits = Digits::new();
    let mut recipe = recipe(4, "mse");
    recipe.weights.rounding = "stochastic=8".parse().expect("a rounding");
    let machine = numerics(4, |_| {});
    let run = |seed| digits.quantize(&machine, &recipe, seed).expect("it fits");
    assert_eq!(run(1), run(1));
    let first = run(1);
    assert_ne!(weights(&first, 0), weights(&run(2), 0));
    // Each is one of the two neighbours of w / s.
    let (floats, n) = float_weights(&digits.network.layers[0]);
    for (at, (&q, &w)) in weights(&first, 0).iter().zip(floats).enumerate() {
        let steps = (w / first.network.parts().weight_scales[0][at % n]).clamp(-7.0, 7.0);
        assert!((q as f32 - steps).abs() < 1.0, "{q} for {steps}");
    }
}

#[test]
fn a_machine_without_multiplier_gets_power_of_two_scales() {
    let digits = Digits::new();
    let machine = numerics(8, |raw| {
        raw.scheme = MachineScheme::Pow2;
        raw.multiplier_bits = 0;
        raw.rounding = RawRounding::Named(Round::HalfToEven);
    });
    let quantized = digits.quantize(&machine, &recipe(8, "mse"), 0).expect("it fits");
    let is_power = |scale: f32| scale.to_bits() & 0x7f_ffff == 0;
    let parts = quantized.network.parts();
    for (index, layer) in quantized.network.network().layers.iter().enumerate() {
        let [input, output] = [index, index + 1].map(|tensor| parts.tensors[tensor].scale);
        let weight_scales = &parts.weight_scales[index];
        assert!(weight_scales.iter().chain([&input, &output]).all(|&s| is_power(s)));
        assert_eq!(layer.channels[0].len(), weight_scales.len());
        for (channel, &scale) in layer.channels[0].iter().zip(weight_scales) {
            let ratio = f64::from(input) * f64::from(scale) / f64::from(output);
            assert_eq!((channel.multiplier, 2_f64.powi(-(channel.shift as i32))), (1, ratio));
        }
    }
    let correct = digits.correct(&quantized);
    assert!(correct >= 345, "{correct} of 360");
    let refused = digits.quantize(&machine, &recipe(8, "k-means=16"), 0).expect_err("refused").to_string();
    assert_eq!(
        refused,
        "numerics.scheme = pow2 needs scales that are powers of two, and weights.method = k-means=16 gives others"
    );
}

#[test]
fn refusals_name_the_key_and_the_limit() {
    let digits = Digits::new();
    let machine = numerics(8, |_| {});
    let refused = |change: &dyn Fn(&mut Recipe)| {
        let mut recipe = recipe(8, "min-max");
        change(&mut recipe);
        digits.quantize(&machine, &recipe, 0).expect_err("refused").to_string()
    };
    assert_eq!(
        refused(&|recipe| recipe.weights.bits = 4),
        "recipe: weights.bits = 4, but numerics.weight_bits = 8: they must be equal"
    );
    assert_eq!(
        refused(&|recipe| recipe.activations.bits = 9),
        "recipe: activations.bits = 9, but numerics.activation_bits = 8: they must be equal"
    );
    let gradients = |bits| GradientRecipe {
        bits,
        method: RangeMethod(calibrate::Method::MinMax),
        rounding: "floor".parse().expect("a rule"),
    };
    assert_eq!(
        refused(&|recipe| recipe.gradients = Some(gradients(1))),
        "recipe: gradients.bits = 1 is out of range: it must be in 2..=32"
    );
    assert_eq!(
        refused(&|recipe| recipe.weights.method = WeightMethod::KMeans { levels: 5000 }),
        "layer gemm1: a codebook of 5000 levels is larger than its tensor of 2048 elements"
    );
    assert_eq!(
        refused(&|recipe| recipe.activations.method = RangeMethod(calibrate::Method::Percentile(0.0))),
        "the network's input: percentile = 0 is out of range: it must be in (50, 100] for an affine range"
    );
    let mut recipe = recipe(8, "min-max");
    recipe.gradients = Some(gradients(8));
    let unlabelled = Calibration { inputs: &digits.calibration, labels: None };
    let refused = quantize(&digits.network, unlabelled, &machine, &recipe, 0).expect_err("refused").to_string();
    assert_eq!(refused, "recipe: [gradients] needs the labels of the calibration data: they are not there");
    let wrong = [vec![3; 255], vec![10; 256]];
    let messages = [
        "the calibration data has 256 rows and 255 labels",
        "a label of the calibration data is out of range: it must be in 0..10, the network's outputs",
    ];
    for (labels, message) in wrong.iter().zip(messages) {
        let data = Calibration { inputs: &digits.calibration, labels: Some(labels) };
        let refused = quantize(&digits.network, data, &machine, &recipe, 0).expect_err("refused").to_string();
        assert_eq!(refused, message);
    }
    // All-equal data have no histogram and no deviation.
    let mut recipe = Recipe::min_max(8, 8);
    let zeros = Calibration { inputs: &[0.0; 128], labels: None };
    for method in ["kl", "aciq"] {
        recipe.activations.method = method.parse().expect("a method");
        let refused = quantize(&digits.network, zeros, &machine, &recipe, 0).expect_err("refused").to_string();
        assert!(refused.starts_with(&format!("the network's input: {method}")), "{refused}");
        assert!(refused.contains("every element is 0"), "{refused}");
    }
}

/// A channel of zeros has no scale of its own; its bias must still be stored to a step of the accumulator.
#[test]
fn channels_of_zeros_keep_their_bias() {
    let operation = FloatOperation::Convolution {
        window: Window::POINT,
        groups: 1,
        weights: vec![0.5, 0.0, -0.25, 0.0, 1.0, 0.0],
        bias: vec![0.0, 0.3],
    };
    let clamp = [f32::NEG_INFINITY, f32::INFINITY];
    let layer = FloatLayer { name: "fc".to_owned(), inputs: vec![0], operation, clamp };
    let network = FloatNetwork { input: Extent::vector(3), layout: DataLayout::ChannelsLast, layers: vec![layer] };
    let calibration = Calibration { inputs: &[1.0, -1.0, 0.5, 0.25, 0.0, -0.5], labels: None };
    for method in ["min-max", "mse", "ternary", "binary", "powers-of-two", "additive-powers-of-two"] {
        // Three levels, as the layer has six weights.
        let recipe = recipe(2, method);
        let machine = numerics(recipe.weights.machine_bits(), |_| {});
        let quantized = quantize(&network, calibration, &machine, &recipe, 0).expect("it fits");
        let parts = quantized.network.parts();
        assert_eq!([1, 3, 5].map(|at| weights(&quantized, 0)[at]), [0; 3], "{method}");
        let step = parts.tensors[0].scale * parts.weight_scales[0][1];
        let channel = quantized.network.network().layers[0].channels[0][1];
        assert!((channel.bias as f32 * step - 0.3).abs() <= step, "{method}: {channel:?}");
    }
}

/// What the report says of the input, and what AdaRound fits, is what the machine will see.
#[test]
fn the_rounding_of_inputs_shows_in_the_report() {
    let digits = Digits::new();
    let machine = numerics(8, |raw| {
        raw.activation_bits = 3;
        raw.output_bits = 3;
    });
    let noise = |rounding: &str| {
        let mut recipe = Recipe::min_max(8, 3);
        recipe.activations.rounding = rounding.parse().expect("a rounding");
        let quantized = digits.quantize(&machine, &recipe, 5).expect("it fits");
        of(&quantized, Component::Activations)[0].mse
    };
    assert!(noise("floor") > 1.5 * noise("half-to-even"));
    assert!(noise("stochastic=8") > 1.2 * noise("half-to-even"));
}

/// Elements and exponents by golden's codec; the machine's integers stand for exactly the same reals.
#[test]
fn mxint8_weights_run_as_shifted_integers() {
    use golden::mx::{decode, encode, MxExponent};
    let digits = Digits::new();
    for rule in MxExponent::ALL {
        let recipe = recipe(14, &format!("mxint8={}", rule.name()));
        let quantized = digits.quantize(&numerics(14, |_| {}), &recipe, 0).expect("the exponents are near each other");
        for (index, float) in digits.network.layers.iter().enumerate() {
            let (floats, n) = float_weights(float);
            let scales = &quantized.network.parts().weight_scales[index];
            assert_eq!(scales.len(), n);
            for (j, &scale) in scales.iter().enumerate() {
                let column: Vec<f32> = floats.iter().skip(j).step_by(n).copied().collect();
                let blocks = column.chunks(32).map(|block| encode(block, rule, Round::HalfToEven).expect("finite"));
                let expected: Vec<f64> = blocks.flat_map(|block| decode(&block)).collect();
                let column = weights(&quantized, index).iter().skip(j).step_by(n);
                let actual: Vec<f64> = column.map(|&q| f64::from(q) * f64::from(scale)).collect();
                assert_eq!(actual, expected, "{}, channel {j}", rule.name());
            }
        }
        let correct = digits.correct(&quantized);
        assert!(correct >= 347, "{}: {correct} of 360", rule.name());
    }
    let refused = digits.quantize(&numerics(8, |_| {}), &recipe(8, "mxint8=floor-saturate"), 0).expect_err("refused");
    assert!(refused.to_string().contains("too far apart for weights of 8 bits: one would be "), "{refused}");
    assert!("mxint8=best".parse::<WeightMethod>().is_err_and(|e| e.contains("floor-saturate, bump-above-greatest")));
}

const LAYERS: &str = "[weights]\nbits = 4\nmethod = \"min-max\"\ngranularity = \"per-channel\"\nrounding = \"half-to-even\"\n\
    bias_correction = false\n[activations]\nbits = 8\nmethod = \"min-max\"\nsymmetry = \"affine\"\nrounding = \"half-to-even\"\n\
    [layers.\"gemm1\"]\nweights = { bits = 8, method = \"mse\", granularity = \"per-tensor\", bias_correction = true }\n\
    activations = { method = \"percentile=99.5\", symmetry = \"symmetric\" }\n";

#[test]
fn layers_have_methods_of_their_own() {
    let digits = Digits::new();
    let recipe = Recipe::from_toml(LAYERS).expect("it parses");
    assert_eq!(Recipe::from_toml(&toml::to_string(&recipe).expect("plain data")).as_ref(), Ok(&recipe));
    assert_eq!(recipe.machine_weight_bits(), 8);
    let quantized = digits.quantize(&numerics(8, |_| {}), &recipe, 0).expect("it fits");
    let of_weights = of(&quantized, Component::Weights);
    let [first, second] = &of_weights[..] else { panic!("two layers: {of_weights:?}") };
    assert_eq!([&first.format, &second.format], ["int8", "int4"]);
    assert_eq!(first.method, "mse, per-tensor, half-to-even, bias corrected");
    assert_eq!(second.method, "min-max, per-channel, half-to-even");
    // Both take the machine's 8 bits.
    assert_eq!([first.bytes_quantized, second.bytes_quantized], [64 * 32, 32 * 10]);
    let greatest = |layer| weights(&quantized, layer).iter().map(|q| q.abs()).max();
    assert!(greatest(0) > Some(100) && greatest(1) == Some(7), "{:?}, {:?}", greatest(0), greatest(1));
    let scales = &quantized.network.parts().weight_scales;
    assert!(scales[0].iter().all(|scale| *scale == scales[0][0]) && scales[1][0] != scales[1][1]);
    let outputs = of(&quantized, Component::Activations);
    let methods: Vec<&str> = outputs.iter().map(|t| t.method.as_str()).collect();
    assert_eq!(methods, ["min-max, zero point", "percentile=99.5", "min-max, zero point"]);
    // As if the machine had only 4 bits for that layer.
    let alone = digits.quantize(&numerics(4, |_| {}), &self::recipe(4, "min-max"), 0).expect("it fits");
    assert_eq!(weights(&quantized, 1), weights(&alone, 1));
}

#[test]
fn what_a_recipe_says_of_layers_is_checked() {
    let digits = Digits::new();
    let refused = |from: &str, to: &str| {
        let recipe = Recipe::from_toml(&LAYERS.replace(from, to)).expect("it parses");
        digits.quantize(&numerics(8, |_| {}), &recipe, 0).expect_err("refused").to_string()
    };
    assert_eq!(
        refused("gemm1", "conv"),
        "recipe: layers [\"conv\"] are not in the network: its layers are [\"gemm1\", \"gemm2\"]"
    );
    let message = "must be in 2..=8, numerics.weight_bits";
    for bits in [1, 9] {
        let expected = format!("recipe: layers.\"gemm1\".weights.bits = {bits} {message}");
        assert_eq!(refused("{ bits = 8", &format!("{{ bits = {bits}")), expected);
    }
    assert_eq!(
        refused("{ bits = 8", "{ bits = 5"),
        "recipe: weights.bits = 4, but numerics.weight_bits = 8: they must be equal"
    );
    assert_eq!(
        refused("method = \"mse\", gran", "method = \"probabilistic\", gran"),
        "recipe: weights.method = probabilistic learns all layers together: it must be the method of all or of none"
    );
    for (from, to) in [("bias_correction = true", "bias = true"), ("symmetry = \"symmetric\"", "bits = 8")] {
        assert!(LAYERS.contains(from));
        let error = Recipe::from_toml(&LAYERS.replace(from, to)).expect_err("refused").to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}

#[test]
fn what_needs_dense_layers_says_so() {
    let network = common::of_all_kinds();
    let inputs = common::noise(4 * 90, 3);
    let labelled = Calibration { inputs: &inputs, labels: Some(&[0, 1, 2, 3]) };
    let refused = |recipe: &Recipe| {
        quantize(&network, labelled, &common::numerics(|_| {}), recipe, 0).expect_err("refused").to_string()
    };
    let message =
        "needs a chain of dense layers, each with a ReLU or nothing after it: layer first (convolution) is none";
    assert_eq!(refused(&recipe(8, "probabilistic")), format!("weights.method = probabilistic {message}"));
    let mut gradients = recipe(8, "min-max");
    let method = RangeMethod(calibrate::Method::MinMax);
    gradients.gradients = Some(GradientRecipe { bits: 8, method, rounding: "floor".parse().expect("a rule") });
    assert_eq!(refused(&gradients), format!("[gradients] {message}"));
    let text = toml::to_string(&recipe(8, "min-max")).expect("plain data");
    let of = |layer: &str, rest: &str| {
        refused(&Recipe::from_toml(&format!("{text}\n[layers.{layer}]\n{rest}\n")).expect("it parses"))
    };
    assert_eq!(
        of("sum", "weights = { bits = 4 }"),
        "recipe: layers.\"sum\".weights: its operation is add, which has no weights"
    );
    assert_eq!(
        of("greatest", "activations = { method = \"mse\" }"),
        "recipe: layers.\"greatest\".activations: a max pool keeps the scale of its input"
    );
}
