//! Random networks: they are legal, they have everything in them, and golden's two forms agree on them.

mod common;

use golden::{Extent, Form, Operation, Window};
use spec::{Config, Counter};
use std::collections::BTreeMap;
use testbenches::data::Random;
use testbenches::{random, Case, NetworkCase};

fn drawn(seed: u64) -> (Config, Case) {
    let mut random = Random::new(seed);
    let raw = random::network_config(&mut random);
    let config = Config::try_from(raw.clone()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    (config, random::network_problem(&mut random, &raw))
}

/// What a layer has that others have not.
fn traits(operation: &Operation, input: Extent, n: usize) -> Vec<&'static str> {
    let mut traits = vec![operation.name()];
    match operation {
        Operation::Convolution { groups, .. } if *groups > 1 && *groups == input.channels => traits.push("depthwise"),
        Operation::Convolution { groups, .. } if *groups > 1 => traits.push("grouped"),
        Operation::Add { factors } => traits.push(["", "one term", "two terms", "three terms"][factors.len()]),
        _ => {}
    }
    let window = operation.window();
    for (what, is) in [
        ("point", window == Window::POINT),
        ("whole", window.is_whole(input.size()) && input.pixels() > 1),
        ("strides", window.stride != [1, 1]),
        ("dilations", window.dilation[0] > 1 && window.kernel[0] > 1),
        ("pads", window.pad_before != [0, 0]),
        ("uneven pads", window.pad_before != window.pad_after),
        ("many channels", n > 6),
    ] {
        if is {
            traits.push(what);
        }
    }
    traits
}

#[test]
fn random_networks_have_layers_of_all_kinds() {
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    for seed in 0..300 {
        let (config, case) = drawn(seed);
        let numerics = config.numerics();
        assert_eq!((numerics.output(), case.widths.len()), (numerics.activation(), 0));
        assert!([numerics.activation(), numerics.weight()].iter().all(|format| (2..=8).contains(&format.bits())));
        let (network, input) = case.operands(numerics).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let extents = network.extents(numerics).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(input.len(), case.m * extents[0].elements());
        assert_eq!(case.operands(numerics).expect("once more"), (network.clone(), input), "seed {seed}");
        for (index, layer) in network.layers.iter().enumerate() {
            for has in traits(&layer.operation, extents[layer.inputs[0]], layer.channels[0].len()) {
                *seen.entry(has).or_default() += 1;
            }
            *seen.entry("table").or_default() += usize::from(layer.table.is_some());
            *seen.entry("skip").or_default() += usize::from(layer.inputs.iter().any(|&tensor| tensor < index));
        }
        *seen.entry("batch of 3").or_default() += usize::from(case.m == 3);
    }
    for has in [
        "convolution",
        "sum pool",
        "max pool",
        "add",
        "depthwise",
        "grouped",
        "one term",
        "two terms",
        "three terms",
        "point",
        "whole",
        "strides",
        "dilations",
        "pads",
        "uneven pads",
        "many channels",
        "table",
        "skip",
        "batch of 3",
    ] {
        assert!(seen.get(has).is_some_and(|&n| n >= 20), "{has}: {seen:?}");
    }
}

#[test]
fn both_forms_of_golden_agree_on_random_networks() {
    let mut values = 0;
    for seed in 1000..1060 {
        let (config, case) = drawn(seed);
        let (network, input) = case.operands(config.numerics()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let run = |form| {
            let mut layers = Vec::new();
            let each = |_: usize, outputs: &[i32]| layers.push(outputs.to_vec());
            network.run(config.numerics(), case.m, &input, case.rounding_seed, form, each).expect("it was checked");
            layers
        };
        let naive = run(Form::Naive);
        assert!(naive == run(Form::Fast), "seed {seed}");
        values += naive.iter().map(Vec::len).sum::<usize>();
    }
    assert!(values > 10_000, "{values} values");
}

#[test]
fn compiled_networks_give_goldens_values_in_the_cycles_of_the_closed_form() {
    for seed in 2000..2600 {
        let (_, case) = drawn(seed);
        let problem = case.problem().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let golden = problem.golden_memory().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let ideal = Case { stall_percent: 0, ..case }.problem().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        for problem in [&problem, &ideal] {
            let finished = sim::run(&problem.config, problem.environment(), |_, _| {})
                .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            assert!(finished.memory == golden, "seed {seed}: the memory differs from golden's");
            if problem.stalls.percent == 0 {
                let predicted =
                    sim::predict(&problem.config, &problem.compiled.program.commands, problem.latency).cycles;
                assert_eq!(finished.counters.get(Counter::Cycles), predicted, "seed {seed}");
            }
        }
    }
}

#[test]
fn cases_with_a_network_are_files_and_refused_with_the_limit() {
    let (config, case) = drawn(7);
    let text = case.to_toml().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(Case::from_toml(&text).unwrap_or_else(|e| panic!("{e}")), case);
    let refused = |case: Case| case.operands(config.numerics()).expect_err("refused").to_string();
    let network = |input, layers| Some(NetworkCase { input, layers });
    let with = |network| Case { network, ..case.clone() };
    assert_eq!(refused(with(network([1, 2, 3], 0))), "network.layers = 0 must be in 1..=64");
    assert_eq!(refused(with(network([1, 65, 3], 1))), "network.input[1] = 65 must be in 1..=64");
    assert_eq!(refused(Case { m: 65, ..case.clone() }), "m = 65 must be in 1..=64");
    let both = refused(Case { widths: vec![2, 3], ..case.clone() });
    assert_eq!(both, "widths = [2, 3] and [network]: a case has one of them");
    assert!(Case::from_toml(&text.replace("[network]", "[net]")).is_err());
}
