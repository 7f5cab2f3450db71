//! Golden against TOSA's reference model: RESCALE, integer layers and the MXINT8 cast. The modules vectors/tosa_*.py state
//! what the files hold and the formulas of the inputs.

#[path = "common/tosa.rs"]
mod tosa;
#[path = "common/vectors.rs"]
mod vectors;

use golden::mx::{encode, MxExponent, E8M0_BIAS, MX_BLOCK};
use golden::ops::{conv2d, matmul_with_zeros};
use golden::{AccumulatorRule, Conv2d, Layout, Shape};
use spec::Round;
use std::collections::BTreeMap;
use tosa::{names, Parts};
use vectors::{digests, words, Vectors};

#[test]
fn rescale_conformance_tests() {
    // Tests and values by scheme.
    let mut compared = BTreeMap::<&str, (usize, usize)>::new();
    for (name, test, values) in tosa::conformance() {
        for (i, value) in values.iter().enumerate() {
            let actual = value.scheme.requantize(value.acc, value.output);
            let (scheme, acc, expected) = (value.scheme, value.acc, value.expected);
            assert_eq!(
                expected, actual,
                "{name} value {i}: {scheme} of {acc}: TOSA {expected}, golden {actual}; {test:?}"
            );
        }
        let (n_tests, n_values) = compared.entry(values[0].scheme.kind().name()).or_default();
        *n_tests += 1;
        *n_values += values.len();
    }
    let expected = [("FixedDouble", (119, 2067)), ("FixedSingle", (119, 2067)), ("Tosa16", (140, 2250))];
    assert_eq!(compared, BTreeMap::from(expected), "tests and values compared by scheme");
}

#[test]
fn rescale_ties() {
    // The digests are compared where the sets are made.
    let sets = tosa::ties();
    let values: usize = sets.iter().map(|(_, values)| values.len()).sum();
    assert_eq!((sets.len(), values), (18, 73_728));
}

/// A test of an integer layer without its values; the columns are those of vectors/tosa_layers.py.
struct Layer {
    op: i64,
    in_bits: i64,
    weight_bits: i64,
    acc_bits: i64,
    input: [usize; 4],
    weights: [usize; 4],
    output: [usize; 4],
    stride: [usize; 2],
    pad_before: [usize; 2],
    pad_after: [usize; 2],
    dilation: [usize; 2],
    zero_in: i64,
    zero_w: i64,
    n_bias: usize,
}

impl Layer {
    const COLUMNS: usize = 27;

    fn new(columns: &[i64]) -> Self {
        let four = |from: usize| [0, 1, 2, 3].map(|i| columns[from + i] as usize);
        let [stride_y, stride_x, top, bottom] = four(16);
        let [left, right, dilation_y, dilation_x] = four(20);
        Self {
            op: columns[0],
            in_bits: columns[1],
            weight_bits: columns[2],
            acc_bits: columns[3],
            input: four(4),
            weights: four(8),
            output: four(12),
            stride: [stride_y, stride_x],
            pad_before: [top, left],
            pad_after: [bottom, right],
            dilation: [dilation_y, dilation_x],
            zero_in: columns[24],
            zero_w: columns[25],
            n_bias: columns[26] as usize,
        }
    }

    fn rule(&self) -> AccumulatorRule {
        match self.acc_bits {
            32 => AccumulatorRule::INT32,
            48 => AccumulatorRule::INT48,
            bits => panic!("TOSA has no accumulator of {bits} bits"),
        }
    }

    fn run(&self, name: &str, x: &[i32], w: &[i32], bias: &[i64]) -> Vec<i64> {
        let [batch, rows, cols, in_channels] = self.input;
        let out_channels = self.output[3];
        let sums = match self.op {
            2 => {
                let shape = Shape { m: rows, k: cols, n: self.weights[2] };
                let batches = x.chunks_exact(shape.m * shape.k).zip(w.chunks_exact(shape.k * shape.n));
                let product = |(x, w): (&[i32], &[i32])| {
                    matmul_with_zeros(shape, x, &[self.zero_in], w, &[self.zero_w], &[], self.rule())
                };
                batches.map(product).collect::<Result<Vec<_>, _>>().map(|sums| sums.concat())
            }
            op => {
                let depthwise = op == 1;
                let kernel = match depthwise {
                    true => [self.weights[0], self.weights[1]],
                    false => [self.weights[1], self.weights[2]],
                };
                let shape = Conv2d {
                    layout: Layout::ChannelsLast,
                    batch,
                    in_channels,
                    out_channels,
                    input: [rows, cols],
                    kernel,
                    stride: self.stride,
                    dilation: self.dilation,
                    pad_before: self.pad_before,
                    pad_after: self.pad_after,
                    groups: if depthwise { in_channels } else { 1 },
                };
                // Rows, columns and output channels become output channels, rows, columns.
                let positions = kernel[0] * kernel[1];
                let turned = |i: usize| w[i % positions * out_channels + i / positions];
                let w = if depthwise { (0..w.len()).map(turned).collect() } else { w.to_vec() };
                let bias: Vec<i64> = bias.iter().copied().cycle().take(out_channels).collect();
                conv2d(&shape, x, self.zero_in, &w, &[self.zero_w], &bias, self.rule())
            }
        };
        sums.unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

#[test]
fn integer_layers() {
    let mut vectors = Vectors::open("tosa-layers");
    let names = names(&mut vectors);
    let tests = vectors.ints("tests");
    let (digest, first) = (vectors.words("digest"), vectors.ints("first"));
    let mut flat = BTreeMap::new();
    for key in ["in8", "in16", "weight8", "weight16", "bias"] {
        flat.insert(key.to_string(), Parts::of(&mut vectors, key));
    }
    let mut take = |key: &str, n: usize| flat.get_mut(key).unwrap_or_else(|| panic!("{key} is missing")).take(n);
    let narrow = |values: Vec<i64>| values.into_iter().map(|value| value as i32).collect::<Vec<_>>();
    // Tests and values by operator, input, weight and accumulator bits.
    let mut compared = BTreeMap::<(i64, i64, i64, i64), (usize, usize)>::new();
    assert_eq!(tests.len(), Layer::COLUMNS * names.len());
    for (i, (columns, name)) in tests.chunks_exact(Layer::COLUMNS).zip(&names).enumerate() {
        let layer = Layer::new(columns);
        let x = narrow(take(&format!("in{}", layer.in_bits), layer.input.iter().product()));
        let w = narrow(take(&format!("weight{}", layer.weight_bits.max(8)), layer.weights.iter().product()));
        let bias = take("bias", layer.n_bias);
        let sums = layer.run(name, &x, &w, &bias);
        assert_eq!(sums.len(), layer.output.iter().product(), "{name}: number of outputs");
        let (expected, actual) = (first[i], sums[0]);
        assert_eq!(expected, actual, "{name} output 0: TOSA {expected}, golden {actual}");
        assert_eq!(digests(&sums, sums.len()), [digest[i]], "{name}: digest of its outputs; golden gives {sums:?}");
        let key = (layer.op, layer.in_bits, layer.weight_bits, layer.acc_bits);
        let (n_tests, n_values) = compared.entry(key).or_default();
        *n_tests += 1;
        *n_values += sums.len();
    }
    let expected = [
        ((0, 8, 4, 32), (25, 1658)),
        ((0, 8, 8, 32), (27, 1614)),
        ((0, 16, 8, 48), (27, 1950)),
        ((1, 8, 4, 32), (16, 460)),
        ((1, 8, 8, 32), (16, 984)),
        ((1, 16, 8, 48), (16, 852)),
        ((2, 8, 8, 32), (10, 800)),
        ((2, 16, 16, 48), (10, 454)),
    ];
    assert_eq!(compared, BTreeMap::from(expected), "tests and values compared");
    flat.iter().for_each(|(key, parts)| parts.assert_used_up(key));
}

const MX_SEED: u64 = 0x746f_7361_8000;

/// A block's inputs, from its number and its words.
fn mx_block(b: usize, words: &[u64]) -> Vec<f32> {
    let scale = (7 * b) as i32 % 41 - 20;
    let maximum =
        [1020 << 12, (1020 << 12) - 1, (1020 << 12) + 1, (1 << 22) - 1, 1 << 21, 1016 << 12, 3 << 20, 0][b & 7];
    let value = |(e, &u): (usize, &u64)| {
        let half_range = maximum >> 15;
        let r = (u >> 8) as i64;
        let tie = || (2 * (r % (2 * half_range)) + 1) * (1 << 14) - half_range * (1 << 15);
        let q = match (e, u & 3) {
            _ if maximum == 0 => 0,
            (0, _) => maximum * (1 - 2 * ((b >> 3) & 1) as i64),
            (_, 0 | 1) => tie(),
            (_, 2) => tie() + 1 - 2 * ((u >> 2) & 1) as i64,
            _ => r % (2 * maximum + 1) - maximum,
        };
        // Both factors are exact: 23 bits and a power of two.
        q as f32 * f32::from_bits(((scale - 21 + 127) as u32) << 23)
    };
    words.iter().enumerate().map(value).collect()
}

#[test]
fn mxint8_cast() {
    let mut vectors = Vectors::open("tosa-mxint8");
    let (elements, exponents) = (vectors.ints("elements"), vectors.ints("exponents"));
    assert_eq!((elements.len(), exponents.len()), (1536, 48), "elements and blocks");
    let words: Vec<u64> = words(MX_SEED).take(elements.len()).collect();
    for (b, (words, expected)) in words.chunks_exact(MX_BLOCK).zip(elements.chunks_exact(MX_BLOCK)).enumerate() {
        let inputs = mx_block(b, words);
        let block = encode(&inputs, MxExponent::BumpIfRoundedOverflows, Round::HalfToEven).expect("it is finite");
        let exponent = i64::from(block.exponent + E8M0_BIAS);
        assert_eq!(exponents[b], exponent, "block {b}: E8M0 code; inputs {inputs:?}");
        let actual: Vec<i64> = block.elements.into_iter().map(i64::from).collect();
        assert_eq!(expected, actual, "block {b}: elements; inputs {inputs:?}");
    }
}
