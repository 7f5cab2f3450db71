//! The RESCALE tests and tie sets of vectors/tosa_rescale.py.

// Each test file uses a part.
#![allow(dead_code)]

use crate::vectors::{digests, words, Vectors};
use golden::{Multiplier, OutputStage, Scheme};
use std::collections::BTreeMap;

/// The low `width` bits as two's complement.
fn signed(word: u64, width: u32) -> i64 {
    (word << (64 - width)) as i64 >> (64 - width)
}

/// The low `width` bits of a stored pattern, unsigned if the test says so.
pub fn pattern(bits: i64, width: u32, unsigned: bool) -> i64 {
    match unsigned {
        true => bits & ((1 << width) - 1),
        false => signed(bits as u64, width),
    }
}

pub fn names(vectors: &mut Vectors) -> Vec<String> {
    let bytes = vectors.ints("names").into_iter().map(|byte| byte as u8).collect();
    String::from_utf8(bytes).expect("names are UTF-8").lines().map(String::from).collect()
}

/// A flat array whose parts belong to one test after the other.
pub struct Parts {
    values: Vec<i64>,
    at: usize,
}

impl Parts {
    pub fn of(vectors: &mut Vectors, key: &str) -> Self {
        Self { values: vectors.ints(key), at: 0 }
    }

    pub fn take(&mut self, n: usize) -> Vec<i64> {
        self.at += n;
        self.values[self.at - n..self.at].to_vec()
    }

    pub fn assert_used_up(&self, key: &str) {
        assert_eq!(self.at, self.values.len(), "{key}: values that belong to no test");
    }
}

/// A RESCALE test without its values.
#[derive(Clone, Copy, Debug)]
pub struct Rescale {
    pub in_bits: u32,
    pub in_unsigned: bool,
    pub out_bits: u32,
    pub out_unsigned: bool,
    pub scale32: bool,
    pub double: bool,
    pub channels: usize,
    pub n_values: usize,
    pub zero_in: i64,
    pub zero_out: i64,
}

impl Rescale {
    pub fn new(columns: &[i64]) -> Self {
        let &[in_bits, in_unsigned, out_bits, out_unsigned, scale32, double, channels, n_values, zero_in, zero_out] =
            columns
        else {
            panic!("RESCALE has ten columns, not {}", columns.len())
        };
        Self {
            in_bits: in_bits as u32,
            in_unsigned: in_unsigned == 1,
            out_bits: out_bits as u32,
            out_unsigned: out_unsigned == 1,
            scale32: scale32 == 1,
            double: double == 1,
            channels: channels as usize,
            n_values: n_values as usize,
            zero_in,
            zero_out,
        }
    }

    pub fn scheme(&self, multiplier: i64, shift: i64) -> Scheme {
        if !self.scale32 {
            let m = i16::try_from(multiplier).expect("it has 15 bits");
            return Scheme::Tosa16 { m, shift: shift as u32 };
        }
        let m = i32::try_from(multiplier).expect("it has 31 bits");
        let multiplier = Multiplier::new(m, 31 - shift as i32).expect("the shift is in 2..=62");
        if self.double {
            Scheme::FixedDouble(multiplier)
        } else {
            Scheme::FixedSingle(multiplier)
        }
    }

    pub fn output(&self) -> OutputStage {
        let (low, high) = match self.out_unsigned {
            true => (0, (1 << self.out_bits) - 1),
            false => (-1 << (self.out_bits - 1), (1 << (self.out_bits - 1)) - 1),
        };
        OutputStage { zero_point: self.zero_out, low, high }
    }
}

pub const TIE_SEED: u64 = 0x746f_7361_0000;
pub const TIE_CHANNELS: usize = 64;
pub const TIE_ROWS: usize = 64;
pub const TIE_BLOCK: usize = 1024;

/// Multiplier and shift of a channel of a tie set, and j of its formula, from the channel's words.
pub fn tie_channel(test: &Rescale, p: u64, q: u64) -> (u64, u64) {
    let (width, m_bits) = (u64::from(test.in_bits), if test.scale32 { 31 } else { 15 });
    let s = m_bits - 1 + (q & 0xffff) % width;
    let least = (s + 1).saturating_sub(width);
    let j = least + ((q >> 16) & 0xffff) % (m_bits - least);
    let top = 1 << (m_bits - 1);
    (top | (((p | 1) << j) & (top - 1)), s)
}

/// The input of an element of a tie set, as an integer, from the element's words.
pub fn tie_input(test: &Rescale, m: u64, s: u64, u: u64, v: u64) -> i64 {
    let (width, m_bits) = (u64::from(test.in_bits), if test.scale32 { 31 } else { 15 });
    let j = u64::from(m.trailing_zeros());
    let w = width.min(s + 31 - m_bits) as u32;
    let half = 1_i64 << (w - 1);
    let x = match v & 7 {
        0..=2 => (u | 1) << (s - 1).saturating_sub(j),
        3 | 4 => {
            let t = ((u % (1 << (width + m_bits - 1 - s))) | 1) << (s - 1);
            let close = ((t + (m >> 1)) / m) as i64;
            (if v & 8 == 0 { close } else { -close }) as u64
        }
        5 | 6 => u,
        _ => [-half, 1 - half, -(half >> 1), -1, 0, 1, half >> 1, half - 1][(u & 7) as usize] as u64,
    };
    let shifted = signed(x, w) + test.zero_in;
    pattern(shifted, test.in_bits, test.in_unsigned)
}

/// One value of a RESCALE test or tie set: accumulator, scheme and output stage. The stored value, or golden's, where a digest
/// said that it is TOSA's.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    pub acc: i64,
    pub scheme: Scheme,
    pub output: OutputStage,
    pub expected: i64,
}

/// Every value of every conformance test, with the test's name.
pub fn conformance() -> Vec<(String, Rescale, Vec<Value>)> {
    let mut vectors = Vectors::open("tosa-rescale");
    let names = names(&mut vectors);
    let tests = vectors.ints("tests");
    let mut flat = BTreeMap::new();
    for key in ["multiplier", "shift", "in8", "in16", "in32", "in48", "out8", "out16", "out32"] {
        flat.insert(key.to_string(), Parts::of(&mut vectors, key));
    }
    let mut take = |key: &str, n: usize| flat.get_mut(key).unwrap_or_else(|| panic!("{key} is missing")).take(n);
    assert_eq!(tests.len(), 10 * names.len());
    let mut all = Vec::new();
    for (columns, name) in tests.chunks_exact(10).zip(names) {
        let test = Rescale::new(columns);
        let (multipliers, shifts) = (take("multiplier", test.channels), take("shift", test.channels));
        let inputs = take(&format!("in{}", test.in_bits), test.n_values);
        let outputs = take(&format!("out{}", test.out_bits), test.n_values);
        let value = |(i, (input, expected)): (usize, (i64, i64))| {
            let channel = i % test.channels;
            Value {
                acc: pattern(input, test.in_bits, test.in_unsigned) - test.zero_in,
                scheme: test.scheme(multipliers[channel], shifts[channel]),
                output: test.output(),
                expected: pattern(expected, test.out_bits, test.out_unsigned),
            }
        };
        all.push((name, test, inputs.into_iter().zip(outputs).enumerate().map(value).collect()));
    }
    flat.iter().for_each(|(key, parts)| parts.assert_used_up(key));
    all
}

/// Every tie set, after golden's results for it were found to have the stored digests.
pub fn ties() -> Vec<(Rescale, Vec<Value>)> {
    let mut vectors = Vectors::open("tosa-rescale");
    let sets = vectors.ints("tie_sets");
    let expected = vectors.words("tie_digests");
    let per_set = TIE_ROWS * TIE_CHANNELS / TIE_BLOCK;
    assert_eq!(expected.len(), sets.len() / 10 * per_set, "sets and digests");
    let mut all = Vec::new();
    for (set, columns) in sets.chunks_exact(10).enumerate() {
        let test = Rescale::new(columns);
        assert_eq!((test.channels, test.n_values), (TIE_CHANNELS, TIE_ROWS * TIE_CHANNELS), "tie set {set}");
        let words: Vec<u64> = words(TIE_SEED + set as u64).take(2 * TIE_CHANNELS * (TIE_ROWS + 1)).collect();
        let pairs: Vec<&[u64]> = words.chunks_exact(2).collect();
        let (channels, elements) = pairs.split_at(TIE_CHANNELS);
        let value = |(i, pair): (usize, &&[u64])| {
            let channel = channels[i % TIE_CHANNELS];
            let (m, s) = tie_channel(&test, channel[0], channel[1]);
            let acc = tie_input(&test, m, s, pair[0], pair[1]) - test.zero_in;
            let (scheme, output) = (test.scheme(m as i64, s as i64), test.output());
            Value { acc, scheme, output, expected: scheme.requantize(acc, output) }
        };
        let values: Vec<Value> = elements.iter().enumerate().map(value).collect();
        let outputs: Vec<i64> = values.iter().map(|value| value.expected).collect();
        let actual = digests(&outputs, TIE_BLOCK);
        assert_eq!(expected[set * per_set..][..per_set], actual, "digests of tie set {set}: {test:?}");
        all.push((test, values));
    }
    all
}
