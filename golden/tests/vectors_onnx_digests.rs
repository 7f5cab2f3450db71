//! Digested ONNX sets from vectors/onnx_ops.py: onnxruntime's and tract's outputs, of inputs that formulas give, bit for bit.

#[path = "common/onnx_bank.rs"]
#[allow(dead_code)] // only its formats are used
mod onnx_bank;
#[path = "common/onnx_formulas.rs"]
mod onnx_formulas;
#[path = "common/vectors.rs"]
mod vectors;

use golden::onnx::{self, Affine, Operand, Output};
use golden::{
    Conv2d, GoldenError, Granularity, InfinityPolicy, Layout, NanPolicy, Order, OutputStage, QFormat, Quantizer,
    QuantizerParts, QuantizerRounding, Scale, Scheme, Shape,
};
use onnx_bank::format;
use onnx_formulas::{scaled, Part};
use spec::Round;
use vectors::{digests, Vectors};

/// One file of digests.
struct Digests {
    file: Vectors,
    seed: u64,
    block: usize,
    name: &'static str,
}

impl Digests {
    fn open(name: &'static str) -> Self {
        let mut file = Vectors::open(name);
        let (seed, block) = (file.seed(), file.ints("block")[0] as usize);
        Self { file, seed, block, name }
    }

    /// Requires that `outputs` of each set of a table, given its parameters and its number, has the stored digests; and how
    /// many values that are in all.
    fn check<const COLUMNS: usize>(
        &mut self,
        table: &str,
        outputs: impl Fn(Part, &[i64; COLUMNS], usize) -> Result<Vec<i64>, GoldenError>,
        compared: usize,
    ) {
        let sets = self.file.ints(&format!("{table}_sets"));
        let expected = self.file.words(&format!("{table}_digests"));
        let (mut at, mut count, mut differing) = (0, 0, vec![]);
        assert_eq!(sets.len() % COLUMNS, 0, "{table}: columns");
        for (number, row) in sets.chunks(COLUMNS).enumerate() {
            let row: &[i64; COLUMNS] = row.try_into().expect("chunks have this length");
            let values = outputs(Part { seed: self.seed, set: row[0] as u64 }, row, number)
                .unwrap_or_else(|error| panic!("{}: {table} {row:?}: {error}", self.name));
            count += values.len();
            for (block, actual) in digests(&values, self.block).into_iter().enumerate() {
                let expected = expected[at];
                at += 1;
                if actual != expected {
                    let values = &values[block * self.block..];
                    let head = &values[..values.len().min(8)];
                    differing.push(format!(
                        "{table}, set {row:?}, block {block}: expected digest {expected:016x}, is {actual:016x} of {head:?} .."
                    ));
                }
            }
        }
        assert_eq!(at, expected.len(), "{}: {table}: number of digests", self.name);
        let first = differing.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
        assert!(differing.is_empty(), "{}: {} of {at} blocks differ:\n{first}", self.name, differing.len());
        assert_eq!(count, compared, "{}: {table}: values compared", self.name);
    }
}

fn wide(values: Vec<i32>) -> Vec<i64> {
    values.into_iter().map(i64::from).collect()
}

fn bits(values: Vec<f32>) -> Vec<i64> {
    // Digests take floats as int32 bits.
    values.into_iter().map(|value| i64::from(value.to_bits() as i32)).collect()
}

/// A quantizer as ONNX's, but with any order.
fn quantize(part: Part, row: &[i64; 6], order: Order, far: bool) -> Result<Vec<i64>, GoldenError> {
    let &[_, code, n, zero, mantissa, exponent] = row;
    let (format, exponent) = (format(code), exponent as i32);
    let x = part.quantize_inputs(n as usize, format, zero, (mantissa, exponent), far);
    let quantizer = Quantizer::new(QuantizerParts {
        format,
        scales: vec![Scale::f32(scaled(mantissa, exponent))?],
        zero_points: vec![zero],
        granularity: Granularity::Tensor,
        rounding: QuantizerRounding::Fixed(Round::HalfToEven),
        order,
        nan: NanPolicy::Refuse,
        infinity: InfinityPolicy::Refuse,
    })?;
    quantizer.quantize(&x, &[x.len()]).map(wide)
}

fn quantize_linear(part: Part, row: &[i64; 6], _: usize) -> Result<Vec<i64>, GoldenError> {
    let &[_, code, n, zero, mantissa, exponent] = row;
    let x = part.quantize_inputs(n as usize, format(code), zero, (mantissa, exponent as i32), true);
    let affine = Affine { scales: &[scaled(mantissa, exponent as i32)], zero_points: &[zero] };
    onnx::quantize_linear(&x, &[x.len()], format(code), affine, Granularity::Tensor).map(wide)
}

fn dequantize_linear(part: Part, row: &[i64; 6], _: usize) -> Result<Vec<i64>, GoldenError> {
    let &[_, code, n, zero, mantissa, exponent] = row;
    let format = format(code);
    let q: Vec<_> = match format.bits() {
        32 => part.high_halves(n as usize),
        _ => (format.min()..=format.max()).map(|q| q as i32).collect(),
    };
    assert_eq!(q.len(), n as usize);
    let affine = Affine { scales: &[scaled(mantissa, exponent as i32)], zero_points: &[zero] };
    onnx::dequantize_linear(&q, &[q.len()], format, affine, Granularity::Tensor).map(bits)
}

fn dynamic(part: Part, row: &[i64; 3], _: usize) -> Result<Vec<i64>, GoldenError> {
    let dynamic = onnx::dynamic_quantize_linear(&part.dynamic_inputs(row[1] as u64, row[2] as usize))?;
    Ok([wide(dynamic.values), bits(vec![dynamic.scale]), vec![dynamic.zero_point]].concat())
}

fn matmul_integer(part: Part, row: &[i64; 9], _: usize) -> Result<Vec<i64>, GoldenError> {
    let &[_, a_code, b_code, m, k, n, a_zero, b_zero, mask] = row;
    let shape = Shape { m: m as usize, k: k as usize, n: n as usize };
    let a = part.first_operand(shape.m * shape.k, format(a_code), mask as u64);
    let b = part.second_operand(shape.k * shape.n, format(b_code), mask as u64);
    onnx::matmul_integer(shape, &a, &[a_zero], &b, &[b_zero])
}

/// Operands, shape and output format of a set of QLinearMatMul.
fn targets(part: Part, row: &[i64; 10]) -> (Vec<i32>, Vec<i32>, Shape, QFormat) {
    let &[_, a_code, _, n, a_zero, b_zero, _, shift, limit_bits, terms] = row;
    let (n, terms, zeros) = (n as usize, terms as usize, (a_zero as i32, b_zero as i32));
    let (a, b) = part.targets(n, zeros, shift as u32, limit_bits as u32, terms);
    (a, b, Shape { m: 2, k: terms + 1, n }, format(a_code))
}

fn linear_matmul(scales: Vec<f32>) -> impl Fn(Part, &[i64; 10], usize) -> Result<Vec<i64>, GoldenError> {
    move |part, row, number| {
        let (a, b, shape, format) = targets(part, row);
        let affine = |at: usize, zero: usize| (vec![scales[3 * number + at]], vec![row[zero]]);
        let ((a_scales, a_zeros), (b_scales, b_zeros)) = (affine(0, 4), affine(1, 5));
        let a = Operand { values: &a, affine: Affine { scales: &a_scales, zero_points: &a_zeros } };
        let b = Operand { values: &b, affine: Affine { scales: &b_scales, zero_points: &b_zeros } };
        let y = Output { format, scale: scales[3 * number + 2], zero_point: row[6] };
        onnx::qlinear_matmul(shape, a, b, y).map(wide)
    }
}

/// What tract makes of accumulators beyond 2^24 where the scales' ratio is 2^-shift: one exact shift.
fn linear_matmul_shift(part: Part, row: &[i64; 10], _: usize) -> Result<Vec<i64>, GoldenError> {
    let (a, b, shape, format) = targets(part, row);
    let sums = onnx::matmul_integer(shape, &a, &[row[4]], &b, &[row[5]])?;
    let scheme = Scheme::Pow2 { shift: row[7] as u32, round: Round::HalfToEven };
    let stage = OutputStage { zero_point: row[6], low: format.min(), high: format.max() };
    Ok(sums.into_iter().map(|sum| scheme.requantize(sum, stage)).collect())
}

fn conv(part: Part, row: &[i64; 23], _: usize) -> Result<Vec<i64>, GoldenError> {
    let size = row.map(|value| value as usize);
    let shape = Conv2d {
        layout: Layout::ChannelsFirst,
        batch: size[4],
        in_channels: size[5],
        out_channels: size[8],
        input: [size[6], size[7]],
        kernel: [size[9], size[10]],
        stride: [size[12], size[13]],
        dilation: [size[18], size[19]],
        pad_before: [size[14], size[15]],
        pad_after: [size[16], size[17]],
        groups: size[11],
    };
    let (x_format, w_format) = (format(row[1]), format(row[2]));
    let x = part.first_operand(size[4] * size[5] * size[6] * size[7], x_format, 255);
    let w = part.second_operand(size[8] * size[5] / size[11] * size[9] * size[10], w_format, 255);
    let &[.., x_zero, w_zero, y_zero] = row;
    if row[3] == 0 {
        return onnx::conv_integer(&shape, &x, x_zero, &w, &[w_zero]);
    }
    let (scales, w_zeros) = (part.channel_scales(shape.out_channels), vec![w_zero; shape.out_channels]);
    let x = Operand { values: &x, affine: Affine { scales: &[1.0], zero_points: &[x_zero] } };
    let w = Operand { values: &w, affine: Affine { scales: &scales, zero_points: &w_zeros } };
    onnx::qlinear_conv(&shape, x, w, &[], Output { format: x_format, scale: 1.0, zero_point: y_zero }).map(wide)
}

#[test]
fn onnxruntime() {
    let mut file = Digests::open("onnx_ops-digests");
    let scales = file.file.floats("linear_matmul_scales");
    file.check("quantize", quantize_linear, 786_432);
    file.check("dequantize", dequantize_linear, 444_024);
    file.check("dynamic", dynamic, 131_584);
    file.check("matmul_integer", matmul_integer, 31_840);
    file.check("linear_matmul", linear_matmul(scales), 248_832);
    file.check("conv", conv, 42_000);
}

#[test]
fn tract() {
    let mut file = Digests::open("onnx_ops-tract");
    let scales = file.file.floats("linear_matmul_scales");
    file.check("quantize", |part, row, _| quantize(part, row, Order::DivideThenAdd, false), 196_608);
    file.check("quantize_reciprocal", |part, row, _| quantize(part, row, Order::ReciprocalThenAdd, false), 196_608);
    file.check("matmul_integer", matmul_integer, 31_840);
    file.check("linear_matmul", linear_matmul(scales), 245_760);
    file.check("linear_matmul_shift", linear_matmul_shift, 3_072);
}
