//! Import of whole networks: small models of every operator against what onnxruntime and qonnx make of them
//! (data/import.py).

use compiler::npz::Npz;
use compiler::onnx::{import, ImportOptions, Imported, IntegerModel, ModelFile};
use golden::Form;
use serde::Deserialize;
use spec::{Config, Numerics};

const DATA: &[u8] = include_bytes!("data/import.npz");

#[derive(Deserialize)]
struct Entry {
    name: String,
    /// Of a quantized model: whether all its ratios of scales are powers of two.
    exact: Option<bool>,
    model: usize,
    x: usize,
    y: usize,
}

struct Case {
    name: String,
    exact: Option<bool>,
    model: ModelFile,
    /// As the file has it.
    x: Vec<f32>,
    /// Channels-last.
    y: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let mut npz = Npz::new(DATA.to_vec()).expect("an archive");
    let index: Vec<Entry> = serde_json::from_str(&npz.text("index").expect("an index")).expect("it parses");
    let total = |of: fn(&Entry) -> usize| index.iter().map(of).sum::<usize>();
    let models = npz.integers("models", &[total(|entry| entry.model)]).expect("models");
    let models: Vec<u8> = models.into_iter().map(|byte| byte as u8).collect();
    let x = npz.integers("x", &[total(|entry| entry.x)]).expect("inputs");
    let y = npz.floats("y", &[total(|entry| entry.y)]).expect("outputs");
    let (mut at, mut cases) = ([0; 3], Vec::new());
    for entry in index {
        let model = models[at[0]..at[0] + entry.model].to_vec();
        let x = x[at[1]..at[1] + entry.x].iter().map(|&x| x as f32 / 32.0).collect();
        let y = y[at[2]..at[2] + entry.y].to_vec();
        at = [at[0] + entry.model, at[1] + entry.x, at[2] + entry.y];
        let model = ModelFile::decode(model).expect("it decodes");
        cases.push(Case { name: entry.name, exact: entry.exact, model, x, y });
    }
    cases
}

fn options() -> ImportOptions {
    ImportOptions { dimensions: Vec::new() }
}

#[test]
fn float_models_give_what_onnxruntime_gives() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case.exact.is_none()) {
        let mut options = options();
        if case.name == "symbolic" {
            options.dimensions = vec![("h".to_owned(), 6), ("w".to_owned(), 5)];
        }
        let network = match import(&case.model, &options) {
            Ok(Imported::Float(network)) => network,
            other => panic!("{}: {other:?}", case.name),
        };
        let x = network.layout.to_channels_last(network.input, &case.x);
        let y = network.forward(&x).expect("its layers fit");
        assert_eq!(y.len(), case.y.len(), "{}", case.name);
        for (at, (ours, theirs)) in y.iter().zip(&case.y).enumerate() {
            let close = (ours - theirs).abs() <= 2e-5 * theirs.abs().max(1.0);
            assert!(close, "{}: output {at} is {ours}, onnxruntime has {theirs}", case.name);
        }
        compared += 1;
    }
    assert_eq!(compared, 56);
}

fn numerics(bits: u32, signed: bool, scheme: &str) -> Numerics {
    let multiplier_bits = if scheme == "pow2" { 0 } else { 31 };
    let text = format!(
        "name = \"m\"\n[numerics]\nactivation_bits = {bits}\nactivation_signed = {signed}\nweight_bits = 9\n\
         weight_signed = true\noutput_bits = {bits}\noutput_signed = {signed}\nmax_k = 4096\nbias_bits = 32\n\
         accumulator_bits = \"auto\"\nscheme = \"{scheme}\"\nrounding = \"half-to-even\"\n\
         multiplier_bits = {multiplier_bits}\nshift_bits = 6\nactivation_table = {}\n",
        bits <= 10
    );
    let default = Config::named("default").expect("it ships").to_toml();
    let geometry = &default[default.find("[geometry]").expect("it has one")..];
    Config::from_toml(&(text + geometry)).expect("it is valid").numerics().clone()
}

fn quantized(case: &Case) -> Box<IntegerModel> {
    match import(&case.model, &options()) {
        Ok(Imported::Quantized(model)) => model,
        other => panic!("{}: {other:?}", case.name),
    }
}

/// By how many output steps each output of the model on that machine differs from the stored one.
fn differences(case: &Case, model: &IntegerModel, numerics: &Numerics) -> Vec<f32> {
    let network = model.on(numerics).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let (input, parts) = (network.network().input, network.parts());
    let x = parts.layout.to_channels_last(input, &case.x);
    let rounding = golden::QuantizerRounding::Fixed(model.input_rounding);
    let quantizer = parts.tensors[0].quantizer(numerics.activation(), rounding).expect("a quantizer");
    let q = quantizer.quantize(&x, &[x.len()]).expect("finite");
    let mut last = Vec::new();
    let run = network.network().run(numerics, 2, &q, 0, Form::Fast, |_, outputs| last = outputs.to_vec());
    run.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert_eq!(last.len(), case.y.len(), "{}", case.name);
    let output = parts.tensors[parts.tensors.len() - 1];
    let steps = |(&q, y): (&i32, &f32)| (i64::from(q) - output.zero_point) as f32 - y / output.scale;
    last.iter().zip(&case.y).map(steps).collect()
}

#[test]
fn quantized_models_give_what_onnxruntime_and_qonnx_give() {
    let (mut compared, mut values, mut off_by_one) = (0, 0, 0);
    for case in cases() {
        let Some(exact) = case.exact else { continue };
        let model = quantized(&case);
        let needs = model.needs();
        let bits = needs.activation_bits.max(8);
        // Formats of as many bits and wider ones, of either sign.
        for (bits, signed) in [(bits, true), (bits, false), ((bits + 2).min(16), true), ((bits + 1).min(16), false)] {
            let differences = differences(&case, &model, &numerics(bits, signed, "fixed-single"));
            for (at, steps) in differences.iter().enumerate() {
                let steps = steps.abs();
                assert!(steps < 1.01, "{} on {bits} bits: output {at} differs by {steps} steps", case.name);
                assert!(!exact || steps < 0.01, "{} on {bits} bits: output {at} differs by {steps} steps", case.name);
                off_by_one += usize::from(steps > 0.5);
            }
            values += differences.len();
        }
        compared += 1;
    }
    // Where ratios are no powers of two, float32's roundings and the multiplier's differ near ties.
    assert_eq!((compared, values, off_by_one), (81, 30_040, 4));
}

#[test]
fn models_of_powers_of_two_run_without_a_multiplier() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case.exact == Some(true)) {
        let model = quantized(case);
        let bits = model.needs().activation_bits.max(8);
        let differences = differences(case, &model, &numerics(bits, true, "pow2"));
        assert!(differences.iter().all(|steps| steps.abs() < 0.01), "{}: {differences:?}", case.name);
        compared += 1;
    }
    assert_eq!(compared, 36);
}
