//! Constants: tensors of the file, and what nodes make of constants alone.

use super::graph::Graph;
use super::node::Op;
use super::quantization;
use crate::onnx::error::OnnxError;
use crate::onnx::proto::{self, Tensor};
use golden::QFormat;

/// The most nodes between a constant and its use.
const MOST_DEPTH: usize = 32;

/// Integers with what they mean: scale (value - zero_point).
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    pub values: Vec<i32>,
    pub format: QFormat,
    /// One, or one a place along `axis`.
    pub scales: Vec<f32>,
    pub zero_points: Vec<i64>,
    pub axis: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Float(Vec<f32>),
    /// Of at most 32 bits.
    Integer(Vec<i32>, QFormat),
    Long(Vec<i64>),
    Affine(Affine),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub name: String,
    pub dims: Vec<usize>,
    pub values: Values,
}

impl Constant {
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Real numbers: those of integers with a scale, in f32 as ONNX's DequantizeLinear has them.
    pub fn floats(&self, op: Op<'_>) -> Result<Vec<f32>, OnnxError> {
        match &self.values {
            Values::Float(values) => Ok(values.clone()),
            Values::Affine(affine) => {
                let real = |(at, &value): (usize, &i32)| {
                    let group = self.group(affine, at);
                    (i64::from(value) - affine.zero_points[group]) as f32 * affine.scales[group]
                };
                Ok(affine.values.iter().enumerate().map(real).collect())
            }
            Values::Integer(..) | Values::Long(_) => Err(self.wrong_type(op, "real numbers")),
        }
    }

    /// Integers, of whatever width.
    pub fn integers(&self, op: Op<'_>) -> Result<Vec<i64>, OnnxError> {
        match &self.values {
            Values::Integer(values, _) => Ok(values.iter().map(|&value| value.into()).collect()),
            Values::Long(values) => Ok(values.clone()),
            Values::Float(_) | Values::Affine(_) => Err(self.wrong_type(op, "integers")),
        }
    }

    pub fn wrong_type(&self, op: Op<'_>, expected: &'static str) -> OnnxError {
        let given = match &self.values {
            Values::Float(_) => "float32".to_owned(),
            Values::Long(_) => "int64".to_owned(),
            Values::Integer(_, format) => format.to_string(),
            Values::Affine(affine) => format!("{} with a scale", affine.format),
        };
        op.refuse(format!("tensor {} holds {given}, but {expected} are read here", self.name))
    }

    /// The scale's place of element `at`.
    pub fn group(&self, affine: &Affine, at: usize) -> usize {
        match affine.axis {
            None => 0,
            Some(axis) => at / self.dims[axis + 1..].iter().product::<usize>() % self.dims[axis],
        }
    }

    /// With other dimensions of as many elements.
    fn reshaped(mut self, op: Op<'_>, dims: Vec<usize>) -> Result<Self, OnnxError> {
        if dims.iter().product::<usize>() != self.len() {
            return Err(op.shape("the new shape", &dims, format!("{} elements", self.len())));
        }
        if let Values::Affine(Affine { axis: Some(axis), .. }) = &mut self.values {
            let before: usize = self.dims[..*axis].iter().product();
            let same = |&at: &usize| dims[at] == self.dims[*axis] && dims[..at].iter().product::<usize>() == before;
            let Some(moved) = (0..dims.len()).find(same) else {
                return Err(op.refuse(format!("tensor {} has a scale per place of an axis that is cut", self.name)));
            };
            *axis = moved;
        }
        self.dims = dims;
        Ok(self)
    }

    fn transposed(self, op: Op<'_>, perm: &[usize]) -> Self {
        fn moved<T: Copy>(dims: &[usize], perm: &[usize], values: &[T]) -> Vec<T> {
            let stride = |axis: usize| dims[axis + 1..].iter().product::<usize>();
            let strides: Vec<usize> = perm.iter().map(|&axis| stride(axis)).collect();
            let sizes: Vec<usize> = perm.iter().map(|&axis| dims[axis]).collect();
            let mut at = vec![0; perm.len()];
            let mut out = Vec::with_capacity(values.len());
            for _ in 0..values.len() {
                out.push(values[at.iter().zip(&strides).map(|(at, stride)| at * stride).sum::<usize>()]);
                for axis in (0..perm.len()).rev() {
                    at[axis] += 1;
                    if at[axis] < sizes[axis] {
                        break;
                    }
                    at[axis] = 0;
                }
            }
            out
        }
        let values = match self.values {
            Values::Float(values) => Values::Float(moved(&self.dims, perm, &values)),
            Values::Integer(values, format) => Values::Integer(moved(&self.dims, perm, &values), format),
            Values::Long(values) => Values::Long(moved(&self.dims, perm, &values)),
            Values::Affine(affine) => Values::Affine(Affine {
                values: moved(&self.dims, perm, &affine.values),
                axis: affine.axis.and_then(|axis| perm.iter().position(|&from| from == axis)),
                ..affine
            }),
        };
        Self { name: op.node.output[0].clone(), dims: perm.iter().map(|&axis| self.dims[axis]).collect(), values }
    }
}

/// The constant that `value` is, for node `op`.
pub fn of(graph: &Graph<'_>, op: Op<'_>, value: &str) -> Result<Constant, OnnxError> {
    at_depth(graph, op, value, 0)
}

fn at_depth(graph: &Graph<'_>, op: Op<'_>, value: &str, depth: usize) -> Result<Constant, OnnxError> {
    if let Some(tensor) = graph.initializer(value) {
        return decode(graph, tensor, value, op);
    }
    if depth == MOST_DEPTH {
        let (node, operator) = (op.name(), op.node.op_type.clone());
        return Err(OnnxError::Depth { node, operator, depth: depth + 1, most: MOST_DEPTH });
    }
    let Some(node) = graph.maker(value).filter(|_| graph.is_constant(value)) else {
        return Err(op.refuse(format!("its operand {value} must be a constant")));
    };
    let maker = Op::new(node);
    maker.check()?;
    let input = |at: usize, operand| at_depth(graph, maker, maker.required(at, operand)?, depth + 1);
    let list = |name: &str, at: usize| match (maker.ints(name), maker.input(at)) {
        (Some(ints), _) => Ok(Some(ints.to_vec())),
        (None, Some(value)) => at_depth(graph, maker, value, depth + 1)?.integers(maker).map(Some),
        (None, None) => Ok(None),
    };
    let named = |constant: Constant| Constant { name: value.to_owned(), ..constant };
    match maker.kind() {
        ("", "Constant") => of_node(graph, maker, value),
        ("", "Identity") => input(0, "operand").map(named),
        ("", "Mul") => {
            // The scale of an accumulator, as a product of two.
            let (a, b) = (input(0, "first operand")?, input(1, "second operand")?);
            let (longer, one) = if b.len() == 1 { (a, b) } else { (b, a) };
            match (longer.floats(maker)?, &one.floats(maker)?[..]) {
                (values, &[factor]) => {
                    let values = Values::Float(values.iter().map(|value| value * factor).collect());
                    Ok(Constant { name: value.to_owned(), values, ..longer })
                }
                _ => Err(maker.refuse("of constants: one operand must be a single number")),
            }
        }
        ("", "Cast") => cast(maker, input(0, "operand")?).map(named),
        ("", "Transpose") => {
            let constant = input(0, "operand")?;
            let perm = permutation(maker, constant.dims.len())?;
            Ok(constant.transposed(maker, &perm))
        }
        ("", "Reshape") => {
            let constant = input(0, "operand")?;
            let target = input(1, "shape")?.integers(maker)?;
            let dims = reshaped_dims(maker, &constant.dims, &target)?;
            constant.reshaped(maker, dims).map(named)
        }
        ("", "Flatten") => {
            let constant = input(0, "operand")?;
            let n = constant.dims.len();
            let axis = maker.axis("axis", maker.int("axis", 1), n + 1)?;
            let dims = vec![constant.dims[..axis].iter().product(), constant.dims[axis..].iter().product()];
            constant.reshaped(maker, dims).map(named)
        }
        ("", "Squeeze") => {
            let constant = input(0, "operand")?;
            let dims = squeezed(maker, &constant.dims, list("axes", 1)?)?;
            constant.reshaped(maker, dims).map(named)
        }
        ("", "Unsqueeze") => {
            let constant = input(0, "operand")?;
            let dims = unsqueezed(maker, &constant.dims, list("axes", 1)?)?;
            constant.reshaped(maker, dims).map(named)
        }
        ("" | "com.microsoft", "DequantizeLinear" | "QuantizeLinear") | ("qonnx", _) => {
            quantization::of_constant(graph, maker, input(0, "operand")?, &|at, operand| input(at, operand))
        }
        _ => Err(maker.refuse("its operands are all constants, and it is not computed beforehand")),
    }
}

fn of_node(graph: &Graph<'_>, op: Op<'_>, value: &str) -> Result<Constant, OnnxError> {
    let Some(attribute) = op.node.attribute.first() else { return Err(op.operand("attribute", "there")) };
    let one = |values: Values, dims: Vec<usize>| Ok(Constant { name: value.to_owned(), dims, values });
    match (attribute.name.as_str(), &attribute.t) {
        ("value", Some(tensor)) => decode(graph, tensor, value, op),
        ("value_float", _) => one(Values::Float(vec![attribute.f]), Vec::new()),
        ("value_floats", _) => one(Values::Float(attribute.floats.clone()), vec![attribute.floats.len()]),
        ("value_int", _) => one(Values::Long(vec![attribute.i]), Vec::new()),
        ("value_ints", _) => one(Values::Long(attribute.ints.clone()), vec![attribute.ints.len()]),
        _ => Err(op.operand("attribute value", "a tensor")),
    }
}

fn cast(op: Op<'_>, constant: Constant) -> Result<Constant, OnnxError> {
    let to = op.int("to", 0);
    let values = match (&constant.values, to) {
        (Values::Float(values), 1) => Values::Float(values.clone()),
        (Values::Integer(values, _), 1) => Values::Float(values.iter().map(|&value| value as f32).collect()),
        (Values::Long(values), 1) => Values::Float(values.iter().map(|&value| value as f32).collect()),
        (Values::Integer(..) | Values::Long(_), 7) => Values::Long(constant.integers(op)?),
        _ => {
            return Err(op.refuse(format!("to = {to} of tensor {}: only integers to float32 and int64", constant.name)))
        }
    };
    Ok(Constant { values, ..constant })
}

/// A permutation of `rank` axes; without one they are reversed.
pub fn permutation(op: Op<'_>, rank: usize) -> Result<Vec<usize>, OnnxError> {
    let Some(given) = op.ints("perm") else { return Ok((0..rank).rev().collect()) };
    let perm: Option<Vec<usize>> = given.iter().map(|&axis| usize::try_from(axis).ok()).collect();
    perm.filter(|perm| perm.len() == rank && (0..rank).all(|axis| perm.contains(&axis)))
        .ok_or_else(|| op.malformed("perm", format!("{given:?}"), format!("a permutation of 0..={}", rank.max(1) - 1)))
}

/// The dimensions that a Reshape of `dims` makes.
fn reshaped_dims(op: Op<'_>, dims: &[usize], target: &[i64]) -> Result<Vec<usize>, OnnxError> {
    let wrong = || op.refuse(format!("the shape {target:?} does not fit {dims:?}"));
    let mut out = Vec::with_capacity(target.len());
    for (at, &dim) in target.iter().enumerate() {
        out.push(match dim {
            0 if op.int("allowzero", 0) == 0 => *dims.get(at).ok_or_else(wrong)?,
            -1 => 1,
            dim => usize::try_from(dim).map_err(|_| wrong())?,
        });
    }
    let rest = out.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim)).ok_or_else(wrong)?;
    let elements: usize = dims.iter().product();
    let free: Vec<usize> = (0..target.len()).filter(|&at| target[at] == -1).collect();
    match free[..] {
        [] if rest == elements => {}
        [at] if rest > 0 && elements.is_multiple_of(rest) => out[at] = elements / rest,
        _ => return Err(wrong()),
    }
    Ok(out)
}

/// Without the dimensions `axes`, or all of size 1.
pub fn squeezed(op: Op<'_>, dims: &[usize], axes: Option<Vec<i64>>) -> Result<Vec<usize>, OnnxError> {
    let axes: Vec<usize> = match axes {
        Some(axes) => axes.into_iter().map(|axis| op.axis("axes", axis, dims.len())).collect::<Result<_, _>>()?,
        None => (0..dims.len()).filter(|&axis| dims[axis] == 1).collect(),
    };
    if let Some(&axis) = axes.iter().find(|&&axis| dims[axis] != 1) {
        return Err(op.malformed("axes", axis, format!("dimensions of size 1, not {}", dims[axis])));
    }
    Ok((0..dims.len()).filter(|axis| !axes.contains(axis)).map(|axis| dims[axis]).collect())
}

/// With new dimensions of size 1 at `axes`.
pub fn unsqueezed(op: Op<'_>, dims: &[usize], axes: Option<Vec<i64>>) -> Result<Vec<usize>, OnnxError> {
    let axes = axes.ok_or_else(|| op.operand("axes", "there"))?;
    let rank = dims.len() + axes.len();
    let at: Vec<usize> = axes.iter().map(|&axis| op.axis("axes", axis, rank)).collect::<Result<_, _>>()?;
    if (1..at.len()).any(|i| at[..i].contains(&at[i])) {
        return Err(op.malformed("axes", format!("{axes:?}"), "different axes"));
    }
    let mut old = dims.iter().copied();
    Ok((0..rank).map(|axis| if at.contains(&axis) { 1 } else { old.next().unwrap_or(1) }).collect())
}

/// Integers' ONNX data types.
pub fn format_of(data_type: i32) -> Option<QFormat> {
    let (bits, signed) = match data_type {
        proto::INT4 => (4, true),
        proto::UINT4 => (4, false),
        proto::INT8 => (8, true),
        proto::UINT8 => (8, false),
        proto::INT16 => (16, true),
        proto::UINT16 => (16, false),
        proto::INT32 => (32, true),
        _ => return None,
    };
    QFormat::full(bits, signed).ok()
}

/// A tensor of the file, by the name of the value that it is.
fn decode(graph: &Graph<'_>, tensor: &Tensor, value: &str, op: Op<'_>) -> Result<Constant, OnnxError> {
    let length = |given| OnnxError::Length { tensor: value.to_owned(), dims: tensor.dims.clone(), given };
    let dims: Option<Vec<usize>> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let product = |dims: &Vec<usize>| dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    let Some((dims, n)) = dims.and_then(|dims| product(&dims).map(|n| (dims, n))) else { return Err(length(0)) };
    let format = format_of(tensor.data_type);
    let bits: u64 = match (tensor.data_type, format) {
        (proto::FLOAT, _) => 32,
        (proto::INT64, _) => 64,
        (_, Some(format)) => format.bits().into(),
        (given, None) => {
            let expected = "1 (float32), 7 (int64) or an integer of 4, 8, 16 or 32 bits but uint32";
            return Err(OnnxError::DataType { tensor: value.to_owned(), given, expected });
        }
    };
    let expected = (n as u64).checked_mul(bits).map(|bits| bits.div_ceil(8)).ok_or_else(|| length(0))?;
    let raw = graph.file.raw_data(tensor, &op.name(), expected)?;
    // A tensor without elements has no data either way.
    let is_raw = !raw.is_empty();
    if is_raw && raw.len() as u64 != expected {
        return Err(length((raw.len() as u64 * 8 / bits) as usize));
    }
    let values = match (tensor.data_type, format) {
        (proto::FLOAT, _) => {
            let values =
                if is_raw { words::<4>(&raw).map(f32::from_le_bytes).collect() } else { tensor.float_data.clone() };
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return Err(OnnxError::NonFinite { tensor: value.to_owned(), at, value: values[at] });
            }
            Values::Float(values)
        }
        (_, Some(format)) if is_raw => Values::Integer(raw_integers(&raw, format, n), format),
        (_, Some(format)) => {
            let values: Vec<i32> = match format.bits() {
                // Two a byte, also in the words of this field.
                4 => {
                    if let Some(at) = tensor.int32_data.iter().position(|&word| !(-128..256).contains(&word)) {
                        let (tensor, value) = (value.to_owned(), tensor.int32_data[at].into());
                        return Err(OnnxError::Width { tensor, at, value, format: "byte of two elements".to_owned() });
                    }
                    let nibbles = tensor.int32_data.iter().flat_map(|&word| [word as u32 & 15, word as u32 >> 4 & 15]);
                    let odd = n % 2;
                    let nibbles: Vec<i32> = nibbles.map(|code| format.decode(code) as i32).collect();
                    nibbles[..nibbles.len().saturating_sub(odd)].to_vec()
                }
                _ => tensor.int32_data.clone(),
            };
            if let Some(at) = values.iter().position(|&value| !format.contains(value.into())) {
                let (tensor, value) = (value.to_owned(), values[at].into());
                return Err(OnnxError::Width { tensor, at, value, format: format.to_string() });
            }
            Values::Integer(values, format)
        }
        _ if is_raw => Values::Long(words::<8>(&raw).map(i64::from_le_bytes).collect()),
        _ => Values::Long(tensor.int64_data.clone()),
    };
    let given = match &values {
        Values::Float(values) => values.len(),
        Values::Integer(values, _) => values.len(),
        Values::Long(values) => values.len(),
        Values::Affine(affine) => affine.values.len(),
    };
    if given != n {
        return Err(length(given));
    }
    Ok(Constant { name: value.to_owned(), dims, values })
}

fn words<const N: usize>(raw: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    raw.as_chunks::<N>().0.iter().copied()
}

fn raw_integers(raw: &[u8], format: QFormat, n: usize) -> Vec<i32> {
    let decode = |code: u32| format.decode(code) as i32;
    match format.bits() {
        4 => raw.iter().flat_map(|&byte| [byte & 15, byte >> 4]).take(n).map(|code| decode(code.into())).collect(),
        8 => raw.iter().map(|&byte| decode(byte.into())).collect(),
        16 => words::<2>(raw).map(|word| decode(u16::from_le_bytes(word).into())).collect(),
        _ => words::<4>(raw).map(|word| decode(u32::from_le_bytes(word))).collect(),
    }
}
