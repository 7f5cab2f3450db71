//! Recipes: their texts, what each method does to the digits network, components apart, and refusals.

use compiler::npz::Npz;
use compiler::onnx::{count_correct, read_onnx, FloatNetwork};
use compiler::quantize::recipe::{ElementRounding, GradientRecipe, RangeMethod, WeightMethod, WeightRounding};
use compiler::quantize::{quantize, Calibration, Component, QuantizeError, Quantized, Recipe, TensorReport};
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
            network: read_onnx(MLP).expect("shipped"),
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
        count_correct(outputs.last().expect("two layers"), 10, &self.labels)
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
    assert_eq!(Recipe::from_toml(&text), Ok(recipe));
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
    let float = count_correct(&digits.network.forward(&digits.test), 10, &digits.labels);
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
        for layer in quantized.network.layers() {
            let mut levels = layer.weights.clone();
            levels.sort_unstable();
            levels.dedup();
            let fits = |level: &i32| allowed.as_ref().is_none_or(|allowed| allowed.contains(level));
            assert!(levels.iter().all(fits), "{method}: {levels:?}");
            assert!(levels.len() > 1 && (method != "k-means=16" || levels.len() <= 16), "{method}: {levels:?}");
        }
        let weights = of(&quantized, Component::Weights);
        assert_eq!(weights.len(), 2);
        assert_eq!(weights[0].bytes_quantized, 64 * 32 * machine as usize / 8, "{method}");
        assert!(weights.iter().all(|t| t.sqnr_db.is_some_and(|db| db > 3.0)), "{method}: {weights:?}");
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
    assert_ne!(run(1).network.layers()[0].weights, run(2).network.layers()[0].weights);
    // Each is one of the two neighbours of w / s.
    let (first, layer) = (&run(1).network.layers()[0].clone(), &digits.network.layers[0]);
    for (at, (&q, &w)) in first.weights.iter().zip(&layer.weights).enumerate() {
        let steps = (w / first.weight_scales[at % layer.n]).clamp(-7.0, 7.0);
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
    for layer in quantized.network.layers() {
        assert!(layer.weight_scales.iter().chain([&layer.input.scale, &layer.output.scale]).all(|&s| is_power(s)));
        for (channel, &scale) in layer.channels.iter().zip(&layer.weight_scales) {
            let ratio = f64::from(layer.input.scale) * f64::from(scale) / f64::from(layer.output.scale);
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
    let layer = compiler::onnx::FloatLayer {
        name: "fc".to_owned(),
        k: 3,
        n: 2,
        weights: vec![0.5, 0.0, -0.25, 0.0, 1.0, 0.0],
        bias: vec![0.0, 0.3],
        relu: false,
    };
    let network = FloatNetwork { input_len: 3, layers: vec![layer] };
    let calibration = Calibration { inputs: &[1.0, -1.0, 0.5, 0.25, 0.0, -0.5], labels: None };
    for method in ["min-max", "mse", "ternary", "binary", "powers-of-two", "additive-powers-of-two"] {
        // Three levels, as the layer has six weights.
        let recipe = recipe(2, method);
        let machine = numerics(recipe.weights.machine_bits(), |_| {});
        let quantized = quantize(&network, calibration, &machine, &recipe, 0).expect("it fits");
        let layer = &quantized.network.layers()[0];
        assert_eq!([1, 3, 5].map(|at| layer.weights[at]), [0; 3], "{method}");
        let step = layer.input.scale * layer.weight_scales[1];
        assert!((layer.channels[1].bias as f32 * step - 0.3).abs() <= step, "{method}: {:?}", layer.channels[1]);
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
        for (layer, float) in quantized.network.layers().iter().zip(&digits.network.layers) {
            for j in 0..float.n {
                let column: Vec<f32> = float.weights.iter().skip(j).step_by(float.n).copied().collect();
                let blocks = column.chunks(32).map(|block| encode(block, rule, Round::HalfToEven).expect("finite"));
                let expected: Vec<f64> = blocks.flat_map(|block| decode(&block)).collect();
                let column = layer.weights.iter().skip(j).step_by(float.n);
                let actual: Vec<f64> = column.map(|&q| f64::from(q) * f64::from(layer.weight_scales[j])).collect();
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
