//! The machine's arithmetic on the quantized digits networks against onnxruntime: its requantizer has fixed-point ratios and one rounding,
//! onnxruntime's floats. Every value that differs lies by a tie.

mod common;
#[path = "../../golden/tests/common/digits.rs"]
mod digits;
#[path = "common/exact.rs"]
mod exact;
#[path = "../../golden/tests/common/onnx_file.rs"]
mod onnx_file;
#[path = "../../golden/tests/common/vectors.rs"]
mod vectors;

use common::changed;
use compiler::npz::Npz;
use compiler::onnx::{import, ImportOptions, Imported, ModelFile};
use compiler::quantize::QuantizedNetwork;
use digits::{compare, example, images, Addition, IMAGES, TENSORS};
use exact::{Element, Sums};
use golden::{Form, Layer, Operation};
use spec::config::RawRounding;
use spec::{Config, Round};

/// The tensors that layers make, by their place in [`TENSORS`]; the flattening is no layer.
const MADE: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 8];
const CLASSES: usize = 10;
const MULTIPLIER_BITS: u32 = 31;
const FEW_BITS: u32 = 12;
/// Quantized, operators of integers, weights of 4 bits.
const FILES: [(&str, Addition); 3] =
    [("cnn-qdq-int8", Addition::Floats), ("cnn-qoperator", Addition::Linear), ("cnn-qdq-int4", Addition::Floats)];

/// `default` with that rule and multipliers of so many bits; it has [`MULTIPLIER_BITS`] itself.
fn config(round: Round, multiplier_bits: u32) -> Config {
    changed("default", |raw| {
        raw.numerics.rounding = RawRounding::Named(round);
        raw.numerics.multiplier_bits = multiplier_bits;
    })
}

fn network(file: &str, config: &Config) -> QuantizedNetwork {
    let model = ModelFile::read(&example(&format!("{file}.onnx"))).unwrap_or_else(|error| panic!("{file}: {error}"));
    match import(&model, &ImportOptions::default()) {
        Ok(Imported::Quantized(model)) => model.on(config.numerics()).unwrap_or_else(|e| panic!("{file}: {e}")),
        other => panic!("{file}: {other:?}"),
    }
}

/// Channels last, as the machine has them.
fn channels_last(tensor: &[i32], channels: usize, pixels: usize) -> Vec<i32> {
    let place = |at: usize| {
        let (image, pixel, channel) = (at / (channels * pixels), at / channels % pixels, at % channels);
        tensor[(image * channels + channel) * pixels + pixel]
    };
    (0..tensor.len()).map(place).collect()
}

/// Of one layer's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Values {
    /// So near to a tie that the machine's error, or onnxruntime's, can take them across it.
    near_ties: usize,
    differing: usize,
}

/// Runs each layer on each machine, given onnxruntime's tensors. Where no error can reach a tie, all values must be the exact sum, rounded;
/// elsewhere the machine's may be one step from onnxruntime's. A row a machine, a column a layer.
fn layers(file: &str, addition: Addition, configs: &[Config]) -> Vec<Vec<Values>> {
    let (peer, tensors) = compare(file, addition);
    let machines: Vec<QuantizedNetwork> = configs.iter().map(|config| network(file, config)).collect();
    let extents = machines[0].extents();
    let last = |made: usize| channels_last(&tensors[MADE[made]], extents[made].channels, extents[made].pixels());
    let mut found = vec![Vec::new(); machines.len()];
    for index in 0..MADE.len() - 1 {
        let (name, output, theirs) = (TENSORS[MADE[index + 1]], extents[index + 1], last(index + 1));
        let layer = |machine: &QuantizedNetwork| machine.network().layers[index].clone();
        let ours: Vec<Vec<i32>> = machines
            .iter()
            .map(|machine| {
                let layer = layer(machine);
                let inputs: Vec<Vec<i32>> = layer.inputs.iter().map(|&tensor| last(tensor)).collect();
                let inputs: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
                let outputs =
                    layer.run(machine.numerics(), IMAGES, extents[layer.inputs[0]], &inputs, None, Form::Fast);
                outputs.unwrap_or_else(|error| panic!("{file}: {name}: {error}"))
            })
            .collect();
        assert!(ours.iter().all(|ours| ours.len() == theirs.len()), "{file}: {name}");
        if matches!(layer(&machines[0]).operation, Operation::MaxPool { .. }) {
            assert!(ours.iter().all(|ours| *ours == theirs), "{file}: {name}: a maximum is not rounded");
            found.iter_mut().for_each(|found| found.push(Values::default()));
            continue;
        }
        let layers: Vec<Layer> = machines.iter().map(layer).collect();
        let mut values = vec![Values::default(); machines.len()];
        for (at, &theirs) in theirs.iter().enumerate() {
            let (pixel, channel) = (at / output.channels % output.pixels(), at % output.channels);
            let (image, row, col) = (at / output.elements(), pixel / output.width, pixel % output.width);
            let sums = Sums::of(&peer, &tensors, name, Element { image, channel, row, col });
            let (distance, exact) = (sums.to_tie(), sums.rounded());
            for ((values, ours), layer) in values.iter_mut().zip(&ours).zip(&layers) {
                let (ours, shift) = (ours[at], layer.channels[0][channel].shift);
                let near = distance <= sums.machine_error(shift).max(sums.float_error());
                let context = || format!("{file}: {name}, image {image}, channel {channel}, row {row}, column {col}");
                assert!(
                    if near { (ours - theirs).abs() <= 1 } else { [ours, theirs] == [exact; 2] },
                    "{}: {ours}, onnxruntime has {theirs}, exactly {exact}, {distance:e} from a tie",
                    context()
                );
                values.near_ties += usize::from(near);
                values.differing += usize::from(ours != theirs);
            }
        }
        found.iter_mut().zip(values).for_each(|(found, values)| found.push(values));
    }
    found
}

fn argmax(logits: &[i32]) -> usize {
    (1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}

fn labels() -> Vec<i64> {
    let mut data = Npz::new(std::fs::read(example("digits.npz")).expect("readable")).expect("an archive");
    data.labels("labels", IMAGES).expect("they are there")
}

/// Right answers of the images.
fn correct(logits: &[i32]) -> usize {
    logits.chunks(CLASSES).zip(labels()).filter(|(logits, label)| argmax(logits) as i64 == *label).count()
}

/// What a whole network differs by from onnxruntime.
#[derive(Debug, PartialEq, Eq)]
struct EndToEnd {
    /// Of each layer.
    values: Vec<usize>,
    greatest: i32,
    /// Images with another class.
    answers: usize,
    correct: usize,
}

fn end_to_end(file: &str, config: &Config, addition: Addition) -> EndToEnd {
    let (_, tensors) = compare(file, addition);
    let quantized = network(file, config);
    let input = quantized.quantize_input(&images(), 0).expect("whole images");
    assert_eq!(input, channels_last(&tensors[0], 1, 64), "{file}: quantized images");
    let mut result = EndToEnd { values: Vec::new(), greatest: 0, answers: 0, correct: 0 };
    let extents = quantized.extents();
    let each = |index: usize, ours: &[i32]| {
        let extent = extents[index + 1];
        let theirs = channels_last(&tensors[MADE[index + 1]], extent.channels, extent.pixels());
        assert_eq!(ours.len(), theirs.len(), "{file}: layer {index}");
        let steps = || ours.iter().zip(&theirs).map(|(ours, theirs)| (ours - theirs).abs());
        result.values.push(steps().filter(|&steps| steps > 0).count());
        result.greatest = steps().fold(result.greatest, i32::max);
        if index + 2 == MADE.len() {
            let classes = ours.chunks(CLASSES).zip(theirs.chunks(CLASSES));
            result.answers = classes.filter(|(ours, theirs)| argmax(ours) != argmax(theirs)).count();
            result.correct = correct(ours);
        }
    };
    let run = quantized.network().run(config.numerics(), IMAGES, &input, 0, Form::Fast, each);
    run.unwrap_or_else(|error| panic!("{file}: {error}"));
    result
}

/// In each column a layer: relu1, pool, relu2, sum3, relu3, mean, logits.
type Layers = [usize; MADE.len() - 1];

#[test]
fn every_layer_differs_from_onnxruntime_only_by_ties() {
    // No sum is a tie exactly, so the rule for ties changes nothing. What 12 bits make of a ratio is seen.
    let configs = [
        config(Round::HalfToEven, MULTIPLIER_BITS),
        config(Round::HalfTowardPositive, MULTIPLIER_BITS),
        config(Round::HalfToEven, FEW_BITS),
    ];
    const NONE: Layers = [0; MADE.len() - 1];
    for (file, addition) in FILES {
        let (near, coarse): (Layers, [Layers; 2]) = match file {
            "cnn-qdq-int4" => {
                ([2, 0, 1, 2, 2, 0, 0], [[5498, 0, 598, 476, 1103, 250, 51], [855, 0, 109, 110, 324, 31, 12]])
            }
            _ => ([4, 0, 1, 0, 7, 0, 0], [[6140, 0, 647, 578, 1046, 160, 40], [968, 0, 85, 139, 229, 75, 12]]),
        };
        let found = layers(file, addition, &configs);
        for (found, expected) in found.iter().zip([[near, NONE], [near, NONE], coarse]) {
            let counts = |of: fn(&Values) -> usize| found.iter().map(of).collect::<Vec<_>>();
            assert_eq!(counts(|values| values.near_ties), expected[0], "{file}: near a tie");
            assert_eq!(counts(|values| values.differing), expected[1], "{file}: differing");
        }
    }
}

#[test]
fn whole_networks_answer_as_onnxruntime_does() {
    let configs = [config(Round::HalfToEven, MULTIPLIER_BITS), config(Round::HalfToEven, FEW_BITS)];
    for (file, addition) in FILES {
        let coarse: Layers = match file {
            "cnn-qdq-int4" => [855, 378, 970, 3731, 3564, 1172, 442],
            _ => [968, 486, 961, 4716, 3316, 1078, 444],
        };
        for (config, values, greatest) in [(&configs[0], [0; MADE.len() - 1], 0), (&configs[1], coarse, 2)] {
            let expected = EndToEnd { values: values.into(), greatest, answers: 0, correct: 357 };
            assert_eq!(end_to_end(file, config, addition), expected, "{file}");
        }
    }
}

/// QONNX's own executor has 356 right (examples/digits/cnn_accuracy.py).
#[test]
fn the_network_of_qonnx_answers_as_qonnx_does() {
    let quantized = network("cnn-qonnx", &config(Round::HalfToEven, MULTIPLIER_BITS));
    let input = quantized.quantize_input(&images(), 0).expect("whole images");
    assert_eq!(correct(&quantized.run_golden(&input, 0).expect("it was checked")), 356);
}
