//! Int8 layers of LiteRT 2.3 (three sets of kernels) and of TFLite-Micro, from vectors/litert.py, bit for bit.

#[path = "common/litert.rs"]
mod litert;
#[path = "common/machine.rs"]
mod machine;
#[path = "common/vectors.rs"]
mod vectors;

use golden::{fold_zero_point, layer, layer_fast, Bounds, Operator, Scheme};
use litert::{Data, Layer, KERNELS, OPERATORS};
use machine::{channel, numerics};
use spec::config::{AccumulatorBits, Auto};
use spec::MachineScheme;
use std::collections::BTreeMap;
use vectors::{digests, Tally, Vectors};

/// Outputs stored in full, by operator.
const N_STORED: [usize; 3] = [569, 796, 1916];
/// The machine's schemes and the sets of kernels that have their values.
const MACHINE_SCHEMES: [(MachineScheme, &str); 2] =
    [(MachineScheme::FixedDouble, "micro"), (MachineScheme::FixedDoubleUp, "optimized")];

/// The outputs of a layer by each set of kernels.
fn outputs(layer: &Layer, data: &Data) -> [Vec<i64>; 4] {
    let acc = layer.accumulators(data);
    let output = layer.output();
    KERNELS.map(|(_, profile)| {
        let schemes = layer.schemes(profile);
        acc.iter().enumerate().map(|(index, &acc)| schemes[index % schemes.len()].requantize(acc, output)).collect()
    })
}

/// The layers stored in full, with the outputs by set of kernels.
fn stored() -> Vec<(Layer, Data, Vec<[i64; 4]>)> {
    let mut file = Vectors::open("litert-layers");
    file.assert_note("columns", KERNELS.map(|(name, _)| name));
    let layers = Layer::read_all(&mut file);
    let [mut x, mut w] = ["x", "w"].map(|key| file.ints(key).into_iter().map(|value| value as i32));
    let (mut bias, ys) = (file.ints("bias").into_iter(), file.ints("y"));
    let mut y = ys.chunks_exact(4).map(|row| row.try_into().expect("four columns"));
    let stored = layers.into_iter().map(|layer| {
        let [n_x, n_w, n] = layer.sizes();
        let data = Data {
            x: x.by_ref().take(n_x).collect(),
            w: w.by_ref().take(n_w).collect(),
            bias: bias.by_ref().take(n).collect(),
        };
        let outputs = y.by_ref().take(layer.accumulators(&data).len()).collect();
        (layer, data, outputs)
    });
    let stored = stored.collect();
    assert!(
        x.next().is_none() && w.next().is_none() && bias.next().is_none() && y.next().is_none(),
        "data of no layer"
    );
    stored
}

#[test]
fn stored_layers_by_profile() {
    let mut tally = Tally::default();
    let stored = stored();
    assert_eq!(stored.len(), 60);
    for (number, (layer, data, expected)) in stored.iter().enumerate() {
        for (column, ((kernels, profile), actual)) in KERNELS.iter().zip(outputs(layer, data)).enumerate() {
            let name = format!("{:?} {kernels}", layer.operator());
            let schemes = layer.schemes(*profile);
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                let inputs = || {
                    format!(
                        "layer {number}, output {index}: {} {}",
                        schemes[index % schemes.len()],
                        layer.accumulators(data)[index]
                    )
                };
                tally.compare(&name, expected[column], actual, inputs);
            }
        }
    }
    let counts = OPERATORS.iter().zip(N_STORED);
    let counts: Vec<_> = counts
        .flat_map(|(operator, count)| KERNELS.map(|(kernels, _)| (format!("{operator:?} {kernels}"), count)))
        .collect();
    tally.finish(&counts.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>());
}

#[test]
fn fully_connected_layers_by_the_layer_of_the_machine() {
    let mut tally = Tally::default();
    for (number, (stored, data, expected)) in stored().iter().enumerate() {
        if stored.operator() != Operator::FullyConnected {
            continue;
        }
        for (scheme, kernels) in MACHINE_SCHEMES {
            let numerics = numerics(scheme, AccumulatorBits::Named(Auto::Auto));
            let column = KERNELS.iter().position(|&(name, _)| name == kernels).expect("it is one of them");
            let output = stored.output();
            let weights = stored.columns(data);
            let biases = fold_zero_point(stored.get("zx"), &weights, &data.bias);
            let schemes = stored.schemes(KERNELS[column].1);
            let channels: Vec<_> = biases
                .into_iter()
                .zip(&schemes)
                .map(|(bias, scheme)| match scheme {
                    Scheme::FixedDouble(multiplier) | Scheme::FixedDoubleUp(multiplier) => {
                        channel(*multiplier, bias, output)
                    }
                    other => panic!("{kernels} has {other}"),
                })
                .collect();
            let bounds = Bounds { low: output.low, high: output.high };
            for run in [layer, layer_fast] {
                let actual =
                    run(&numerics, stored.shape(), &data.x, &weights, &channels, &bounds, None).expect("it fits");
                assert_eq!(actual.len(), expected.len());
                for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                    let inputs = || format!("layer {number}, output {index}: {}", schemes[index % schemes.len()]);
                    tally.compare(scheme.name(), expected[column], actual.into(), inputs);
                }
            }
        }
    }
    tally.finish(&MACHINE_SCHEMES.map(|(scheme, ..)| (scheme.name(), 2 * N_STORED[0])));
}

#[test]
fn large_layers_by_digest() {
    let mut file = Vectors::open("litert-large");
    file.assert_note("columns", KERNELS.map(|(name, _)| name));
    let (seed, layers) = (file.seed(), Layer::read_all(&mut file));
    let mut values: BTreeMap<String, [Vec<i64>; 4]> = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate() {
        let all = values.entry(format!("{:?}", layer.operator())).or_default();
        for (all, one) in all.iter_mut().zip(outputs(layer, &layer.data(seed + index as u64 + 1))) {
            all.extend(one);
        }
    }
    let block = 1024;
    for (operator, key, count) in
        [("FullyConnected", "fc", 114_688), ("Convolution", "conv", 139_264), ("Depthwise", "depthwise", 147_968)]
    {
        assert_eq!(file.ints(&format!("values_{key}")), [count]);
        let expected = file.words(&format!("digests_{key}"));
        for (column, ((kernels, _), values)) in KERNELS.iter().zip(&values[operator]).enumerate() {
            assert_eq!(values.len() as i64, count, "{operator} {kernels}");
            let actual = digests(values, block);
            assert_eq!(actual.len() * 4, expected.len(), "{operator} {kernels}");
            for (index, actual) in actual.into_iter().enumerate() {
                let expected = expected[4 * index + column];
                assert_eq!(
                    actual,
                    expected,
                    "{operator} {kernels}: values {} to {}",
                    index * block,
                    (index + 1) * block - 1
                );
            }
        }
    }
}
