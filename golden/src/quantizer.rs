//! From real numbers to a format's integers and back.

use crate::error::GoldenError;
use crate::format::{Kind, QFormat};
use crate::scale::{Quotient, Scale};
use crate::stochastic::Stream;
use spec::Round;

/// In which order a quantizer divides, adds the zero point, clamps and rounds. On ties and at the edges the results differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// clamp(round(x / s) + z). Source: ONNX QuantizeLinear.
    DivideThenAdd,
    /// clamp(round(x (1 / s)) + z), the reciprocal rounded to the scale's type first. Source: PyTorch's quantize_per_tensor.
    ReciprocalThenAdd,
    /// clamp(round(x / s + z)). Source: Brevitas.
    AddThenRound,
    /// round(clamp(x / s + z)). Source: QONNX Quant.
    ClampThenRound,
}

impl Order {
    pub const ALL: [Self; 4] = [Self::DivideThenAdd, Self::ReciprocalThenAdd, Self::AddThenRound, Self::ClampThenRound];

    pub const fn name(self) -> &'static str {
        match self {
            Self::DivideThenAdd => "divide-then-add",
            Self::ReciprocalThenAdd => "reciprocal-then-add",
            Self::AddThenRound => "add-then-round",
            Self::ClampThenRound => "clamp-then-round",
        }
    }
}

/// What elements share a scale and a zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// The whole tensor.
    Tensor,
    /// All elements of one place along the axis.
    Axis(usize),
    /// `len` places one after another along the axis; the last block may be shorter.
    Block { axis: usize, len: usize },
}

/// What becomes of a NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NanPolicy {
    Refuse,
    /// The least value, as onnxruntime has it.
    Least,
    /// What 0.0 becomes.
    Zero,
}

/// What becomes of an infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InfinityPolicy {
    Refuse,
    /// The end of the range that it points to.
    Saturate,
}

/// How a quotient becomes an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantizerRounding {
    Fixed(Round),
    /// Up with the probability of the fraction, cut to the stream's number of random bits; an element's index is its place in
    /// the tensor.
    Stochastic(Stream),
}

/// What a [`Quantizer`] is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizerParts {
    pub format: QFormat,
    /// One for each group of elements that the granularity makes.
    pub scales: Vec<Scale>,
    /// As many as scales; values of the format.
    pub zero_points: Vec<i64>,
    pub granularity: Granularity,
    pub rounding: QuantizerRounding,
    pub order: Order,
    pub nan: NanPolicy,
    pub infinity: InfinityPolicy,
}

/// Brings real tensors to a format: x = scale (q - zero_point).
///
/// Meaning in reals: q is the format's value nearest to x / scale + zero_point, by the named rounding rule. The formula is the
/// [`Order`]'s; the arithmetic is the scale's: in f32 or f64, each operation rounded to nearest, ties to even (IEEE 754), or
/// exact for ratios and powers of two. A bipolar format has one code for every step of two: its quotient is halved, whatever
/// the order, see [`Quantizer::quantize_one`].
///
/// ```
/// use golden::{QFormat, Quantizer, QuantizerParts, Scale};
/// use spec::Round;
/// let int8 = QFormat::full(8, true)?;
/// let quantizer = Quantizer::tensor(int8, Scale::f32(0.5)?, 1, Round::HalfToEven)?;
/// // 1.25 / 0.5 = 2.5, a tie: 2, and 2 + 1 = 3.
/// assert_eq!(quantizer.quantize(&[1.25, 1.75, -1000.0], &[3])?, [3, 5, -128]);
/// assert_eq!(quantizer.dequantize(&[3, 5, -128], &[3])?, [1.0, 2.0, -64.5]);
/// # Ok::<(), golden::GoldenError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Quantizer {
    parts: QuantizerParts,
}

impl Quantizer {
    pub fn new(parts: QuantizerParts) -> Result<Self, GoldenError> {
        let n = parts.scales.len();
        if n == 0 {
            return Err(GoldenError::Empty { dimension: "number of scales" });
        }
        if parts.zero_points.len() != n {
            return Err(GoldenError::Length { what: "zero_points", given: parts.zero_points.len(), expected: n });
        }
        if parts.granularity == Granularity::Tensor && n != 1 {
            return Err(GoldenError::Length { what: "scales of a whole tensor", given: n, expected: 1 });
        }
        if let Granularity::Block { len: 0, .. } = parts.granularity {
            return Err(GoldenError::Empty { dimension: "block length" });
        }
        for &zero_point in &parts.zero_points {
            // A bipolar zero point is a shift of the odd numbers: 0, or nothing would be symmetric.
            let (min, max) = match parts.format.kind() {
                Kind::Bipolar => (0, 0),
                _ => (parts.format.min(), parts.format.max()),
            };
            if !(min..=max).contains(&zero_point) {
                return Err(GoldenError::OutOfRange { property: "zero_point", value: zero_point, min, max });
            }
        }
        Ok(Self { parts })
    }

    /// One scale for the tensor, [`Order::DivideThenAdd`]; NaN and infinities are refused.
    pub fn tensor(format: QFormat, scale: Scale, zero_point: i64, round: Round) -> Result<Self, GoldenError> {
        Self::new(QuantizerParts {
            format,
            scales: vec![scale],
            zero_points: vec![zero_point],
            granularity: Granularity::Tensor,
            rounding: QuantizerRounding::Fixed(round),
            order: Order::DivideThenAdd,
            nan: NanPolicy::Refuse,
            infinity: InfinityPolicy::Refuse,
        })
    }

    pub fn parts(&self) -> &QuantizerParts {
        &self.parts
    }

    /// The values of a row-major tensor of that shape.
    pub fn quantize(&self, values: &[f32], shape: &[usize]) -> Result<Vec<i32>, GoldenError> {
        let groups = self.groups(values.len(), shape)?;
        let mut out = Vec::with_capacity(values.len());
        for (index, &value) in values.iter().enumerate() {
            if (value.is_nan() && self.parts.nan == NanPolicy::Refuse)
                || (value.is_infinite() && self.parts.infinity == InfinityPolicy::Refuse)
            {
                return Err(GoldenError::NotFinite { index, value });
            }
            // Formats of 32 bits: unsigned ones wrap to the same bits.
            out.push(self.quantize_one(value, groups.of(index), index as u32) as i32);
        }
        Ok(out)
    }

    /// One value, with the scale and zero point number `group`; `index` is its place in the tensor, which only stochastic
    /// rounding looks at. NaN is never refused here: under [`NanPolicy::Refuse`] it gives the least value.
    ///
    /// Bipolar formats of b bits have the values 2 i - (2^b - 1): i is rounded, in the place of the value.
    pub fn quantize_one(&self, value: f32, group: usize, index: u32) -> i64 {
        let p = &self.parts;
        let value = match p.nan {
            NanPolicy::Zero if value.is_nan() => 0.0,
            _ if value.is_nan() => return p.format.min(),
            _ => value,
        };
        let (scale, zero_point) = (p.scales[group], p.zero_points[group]);
        let (step, least) = (p.format.step(), p.format.min());
        let round = |quotient: Quotient| match p.rounding {
            QuantizerRounding::Fixed(rule) => quotient.round(rule),
            QuantizerRounding::Stochastic(stream) => {
                quotient.round_stochastic(stream.bits(index), stream.random_bits())
            }
        };
        if step == 2 {
            // x / s = 2 i + least, so i = (x / s - least) / 2.
            let steps = scale.divide(value).plus(-least).halved().clamped(0, (p.format.max() - least) / 2);
            // The greatest place of a wide format is no f32: what it was rounded to may lie outside.
            return p.format.saturate(2 * round(steps) + least);
        }
        match p.order {
            Order::DivideThenAdd => p.format.saturate(round(scale.divide(value)).saturating_add(zero_point)),
            Order::ReciprocalThenAdd => {
                p.format.saturate(round(scale.multiply_by_reciprocal(value)).saturating_add(zero_point))
            }
            Order::AddThenRound => p.format.saturate(round(scale.divide(value).plus(zero_point))),
            Order::ClampThenRound => {
                let sum = scale.divide(value).plus(zero_point);
                // Limits of wide formats are no f32: what they were rounded to may lie outside.
                p.format.saturate(round(sum.clamped(p.format.min(), p.format.max())))
            }
        }
    }

    /// scale (q - zero_point) of each element, in the scale's arithmetic, rounded to f32. Subtraction is exact.
    pub fn dequantize(&self, values: &[i32], shape: &[usize]) -> Result<Vec<f32>, GoldenError> {
        let groups = self.groups(values.len(), shape)?;
        let (format, p) = (self.parts.format, &self.parts);
        let value = |q: i32| match format.kind() {
            Kind::Unsigned => i64::from(q as u32),
            _ => i64::from(q),
        };
        let one = |(index, &q): (usize, &i32)| {
            let group = groups.of(index);
            p.scales[group].times(value(q) - p.zero_points[group])
        };
        Ok(values.iter().enumerate().map(one).collect())
    }

    /// Where the elements of a tensor find their scale.
    fn groups(&self, len: usize, shape: &[usize]) -> Result<Groups, GoldenError> {
        let expected = shape.iter().product();
        if len != expected {
            return Err(GoldenError::Length { what: "the tensor", given: len, expected });
        }
        let axis = match self.parts.granularity {
            Granularity::Tensor => return Ok(Groups::Tensor),
            Granularity::Axis(axis) | Granularity::Block { axis, .. } => axis,
        };
        let Some(&size) = shape.get(axis) else {
            let rule = format!("below {}, the number of the tensor's dimensions", shape.len());
            return Err(GoldenError::Axis { what: "axis", value: axis, rule });
        };
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        let (groups, expected) = match self.parts.granularity {
            Granularity::Block { len, .. } => {
                let blocks = size.div_ceil(len);
                (Groups::Block { inner, size, len, blocks }, outer * blocks * inner)
            }
            _ => (Groups::Axis { inner, size }, size),
        };
        let n = self.parts.scales.len();
        if n != expected {
            let rule = format!("{expected}, one a group of shape {shape:?} along axis {axis}");
            return Err(GoldenError::Axis { what: "number of scales", value: n, rule });
        }
        Ok(groups)
    }
}

/// Index arithmetic of a granularity: a tensor of (outer, size, inner), the middle one being the axis.
enum Groups {
    Tensor,
    Axis { inner: usize, size: usize },
    Block { inner: usize, size: usize, len: usize, blocks: usize },
}

impl Groups {
    fn of(&self, index: usize) -> usize {
        match *self {
            Self::Tensor => 0,
            Self::Axis { inner, size } => index / inner % size,
            // Scales have the tensor's shape, with the axis cut to blocks.
            Self::Block { inner, size, len, blocks } => {
                let (outer, along) = (index / inner / size, index / inner % size);
                (outer * blocks + along / len) * inner + index % inner
            }
        }
    }
}
