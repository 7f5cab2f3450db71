//! Stored vectors of other implementations: reading them, and the streams and digests that vectors/common.py defines.

// Each test file uses a part.
#![allow(dead_code)]

use npyz::npz::NpzArchive;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

pub const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One file of vectors/data.
pub struct Vectors {
    path: String,
    archive: NpzArchive<BufReader<File>>,
}

impl Vectors {
    pub fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/vectors/data").join(format!("{name}.npz"));
        let archive = NpzArchive::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path: path.display().to_string(), archive }
    }

    /// The integers of an array of any width, row-major.
    pub fn ints(&mut self, key: &str) -> Vec<i64> {
        let array = self.archive.by_name(key).unwrap_or_else(|error| panic!("{}: {key}: {error}", self.path));
        let array = array.unwrap_or_else(|| panic!("{}: {key} is missing", self.path));
        let descr = array.dtype().descr();
        let type_ = descr.trim_matches('\'').trim_start_matches(['<', '|']);
        macro_rules! widened {
            ($t:ty) => {
                array.into_vec::<$t>().map(|values| values.into_iter().map(i64::from).collect())
            };
        }
        let values: Result<Vec<i64>, _> = match type_ {
            "i1" => widened!(i8),
            "u1" => widened!(u8),
            "i2" => widened!(i16),
            "u2" => widened!(u16),
            "i4" => widened!(i32),
            "u4" => widened!(u32),
            "i8" => widened!(i64),
            _ => panic!("{}: {key} has the type {type_}", self.path),
        };
        values.unwrap_or_else(|error| panic!("{}: {key}: {error}", self.path))
    }

    /// An array of 64-bit words, such as digests.
    pub fn words(&mut self, key: &str) -> Vec<u64> {
        let array = self.archive.by_name(key).unwrap_or_else(|error| panic!("{}: {key}: {error}", self.path));
        let array = array.unwrap_or_else(|| panic!("{}: {key} is missing", self.path));
        array.into_vec().unwrap_or_else(|error| panic!("{}: {key}: {error}", self.path))
    }

    /// float32 values, stored as their bits.
    pub fn floats(&mut self, key: &str) -> Vec<f32> {
        let values = self.ints(key);
        let bits =
            |value: i64| u32::try_from(value).unwrap_or_else(|_| panic!("{}: {key}: {value} is no u32", self.path));
        values.into_iter().map(|value| f32::from_bits(bits(value))).collect()
    }

    /// Which packages, processor and seed the values come from: a JSON text.
    pub fn provenance(&mut self) -> String {
        let bytes = self.ints("provenance").into_iter().map(|byte| byte as u8).collect();
        String::from_utf8(bytes).expect("provenance is UTF-8")
    }

    /// Requires that the note's list `key` has these names: the order of columns.
    pub fn assert_note<'a>(&mut self, key: &str, names: impl IntoIterator<Item = &'a str>) {
        // The note is JSON inside JSON.
        let quoted: Vec<_> = names.into_iter().map(|name| format!("\\\"{name}\\\"")).collect();
        let list = format!("\\\"{key}\\\": [{}]", quoted.join(", "));
        assert!(self.provenance().contains(&list), "{}: the note lacks {list}", self.path);
    }

    /// The seed that the provenance names.
    pub fn seed(&mut self) -> u64 {
        let text = self.provenance();
        let digits = text.split("\"seed\": ").nth(1).and_then(|rest| rest.split([',', '}']).next());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{}: no seed", self.path))
    }
}

/// The finalizer of SplitMix64.
pub fn mix64(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The words of SplitMix64 from a seed.
pub fn words(seed: u64) -> impl Iterator<Item = u64> {
    (1..).map(move |index: u64| mix64(seed.wrapping_add(index.wrapping_mul(GAMMA))))
}

/// The digest of each `block` values in turn; the last block is filled up with zeros.
pub fn digests(values: &[i64], block: usize) -> Vec<u64> {
    let digest = |chunk: &[i64]| {
        let padded = chunk.iter().copied().chain(std::iter::repeat(0)).take(block);
        padded.fold(0_u64, |h, value| mix64((h ^ value as u64).wrapping_add(GAMMA)))
    };
    values.chunks(block).map(digest).collect()
}

/// Counts what is compared, by name, and keeps what differs.
#[derive(Default)]
pub struct Tally {
    compared: BTreeMap<String, usize>,
    differing: Vec<String>,
}

impl Tally {
    pub fn compare(&mut self, name: &str, expected: i64, actual: i64, inputs: impl FnOnce() -> String) {
        *self.compared.entry(name.to_string()).or_default() += 1;
        if expected != actual {
            self.differing.push(format!("{name}: {}: expected {expected}, is {actual}", inputs()));
        }
    }

    /// Requires that nothing differs and that exactly `compared` values of each name were compared.
    pub fn finish(self, compared: &[(&str, usize)]) {
        let first = self.differing.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.differing.is_empty(), "{} values differ:\n{first}", self.differing.len());
        let compared: BTreeMap<_, _> = compared.iter().map(|&(name, count)| (name.to_string(), count)).collect();
        assert_eq!(self.compared, compared);
    }
}
