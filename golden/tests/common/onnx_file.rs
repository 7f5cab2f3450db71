//! The constants of an .onnx file: as much of protobuf as they need.

use std::collections::BTreeMap;
use std::path::Path;

// Field numbers of onnx.proto.
const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_DIMS: u64 = 1;
const TENSOR_DATA_TYPE: u64 = 2;
const TENSOR_INT32_DATA: u64 = 5;
const TENSOR_NAME: u64 = 8;
const TENSOR_RAW_DATA: u64 = 9;

const FLOAT: u64 = 1;
const INT8: u64 = 3;
const INT32: u64 = 6;
const INT4: u64 = 22;

/// One field of a message: a number, or bytes.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a varint ends");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut found = vec![];
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value)
            }
            wire => panic!("wire type {wire} does not occur in these files"),
        };
        found.push((key >> 3, value));
    }
    found
}

fn messages(bytes: &[u8], field: u64) -> impl Iterator<Item = &[u8]> {
    fields(bytes).into_iter().filter_map(move |(number, value)| match value {
        Value::Bytes(bytes) if number == field => Some(bytes),
        _ => None,
    })
}

/// A constant; floats are held as their bits.
pub struct Constant {
    pub shape: Vec<usize>,
    pub values: Vec<i64>,
}

impl Constant {
    pub fn floats(&self) -> Vec<f32> {
        self.values.iter().map(|&bits| f32::from_bits(bits as u32)).collect()
    }

    pub fn ints(&self) -> Vec<i32> {
        self.values.iter().map(|&value| i32::try_from(value).expect("no type is wider")).collect()
    }
}

fn constant(bytes: &[u8]) -> (String, Constant) {
    let (mut name, mut shape, mut code, mut raw, mut packed) = (String::new(), vec![], 0, &[][..], &[][..]);
    for field in fields(bytes) {
        match field {
            (TENSOR_DIMS, Value::Number(size)) => shape.push(size as usize),
            (TENSOR_DATA_TYPE, Value::Number(number)) => code = number,
            (TENSOR_NAME, Value::Bytes(bytes)) => name = String::from_utf8(bytes.to_vec()).expect("names are UTF-8"),
            (TENSOR_RAW_DATA, Value::Bytes(bytes)) => raw = bytes,
            (TENSOR_INT32_DATA, Value::Bytes(bytes)) => packed = bytes,
            (number, _) => panic!("{name}: field {number} does not occur in these files"),
        }
    }
    let words = || raw.chunks_exact(4).map(|bytes| i32::from_le_bytes(bytes.try_into().expect("four bytes")));
    let n = shape.iter().product();
    let values: Vec<i64> = match code {
        FLOAT => words().map(|word| i64::from(word as u32)).collect(),
        INT32 => words().map(i64::from).collect(),
        INT8 => raw.iter().map(|&byte| i64::from(byte as i8)).collect(),
        INT4 => {
            // Bytes of two elements, the first one low, each byte a varint.
            let mut bytes = vec![];
            while !packed.is_empty() {
                bytes.push(varint(&mut packed) as u8);
            }
            let nibbles = bytes.iter().flat_map(|&byte| [(byte as i8) << 4 >> 4, byte as i8 >> 4]);
            nibbles.map(i64::from).take(n).collect()
        }
        code => panic!("{name}: type {code} does not occur in these files"),
    };
    assert_eq!(values.len(), n, "{name}: elements");
    (name, Constant { shape, values })
}

/// All constants of a file by name.
pub fn constants(path: &Path) -> BTreeMap<String, Constant> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let graph = messages(&bytes, MODEL_GRAPH).next().expect("a model has a graph");
    messages(graph, GRAPH_INITIALIZER).map(constant).collect()
}
