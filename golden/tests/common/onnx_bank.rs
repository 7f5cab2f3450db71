//! Single-operator ONNX cases stored in full (format: vectors/onnx_bank.py), and golden's outputs for them.

use crate::vectors::Vectors;
use golden::onnx::{self, Affine, Operand, Output};
use golden::{Conv2d, Granularity, Layout, QFormat, Shape};

pub const OPS: [&str; 7] = [
    "QuantizeLinear",
    "DequantizeLinear",
    "QLinearMatMul",
    "QLinearConv",
    "MatMulInteger",
    "ConvInteger",
    "DynamicQuantizeLinear",
];
const N_ATTRIBUTES: usize = 11;
const N_TENSOR_COLUMNS: usize = 8;
const FIRST_OUTPUT: usize = 100;
const FLOAT: i64 = 1;
const FLOAT16: i64 = 10;

/// The integer format of an ONNX type code.
pub fn format(code: i64) -> QFormat {
    let (bits, signed) = match code {
        2 => (8, false),
        3 => (8, true),
        4 => (16, false),
        5 => (16, true),
        6 => (32, true),
        21 => (4, false),
        22 => (4, true),
        25 => (2, false),
        26 => (2, true),
        _ => panic!("ONNX type {code} is no integer of golden"),
    };
    QFormat::full(bits, signed).expect("it exists")
}

/// Floats are held as their bits.
#[derive(Clone, Debug)]
pub struct Tensor {
    code: i64,
    shape: Vec<usize>,
    pub values: Vec<i64>,
}

impl Tensor {
    fn read(columns: &[i64], data: &mut std::vec::IntoIter<i64>) -> Self {
        let (code, rank) = (columns[2], columns[3] as usize);
        let shape: Vec<_> = columns[4..4 + rank].iter().map(|&size| size as usize).collect();
        let (width, signed) = match code {
            FLOAT => (4, false),
            6 => (4, true),
            4 | FLOAT16 => (2, false),
            5 => (2, true),
            3 | 22 | 26 => (1, true),
            _ => (1, false),
        };
        let mut element = || {
            let code = (0..width).fold(0, |value, at| value | data.next().expect("data ends early") << (8 * at));
            let sign = 64 - 8 * width;
            if signed {
                code << sign >> sign
            } else {
                code
            }
        };
        let n = shape.iter().product();
        Self { code, shape, values: (0..n).map(|_| element()).collect() }
    }

    fn ints(&self) -> Vec<i32> {
        self.values.iter().map(|&value| i32::try_from(value).expect("every type fits 32 bits")).collect()
    }

    fn floats(&self) -> Vec<f32> {
        self.values
            .iter()
            .map(|&bits| if self.code == FLOAT16 { from_f16(bits) } else { f32::from_bits(bits as u32) })
            .collect()
    }
}

/// The float32 of a positive normal float16, the only ones that occur as scales.
fn from_f16(bits: i64) -> f32 {
    let exponent = bits >> 10;
    assert!((1..31).contains(&exponent), "float16 with the bits {bits:#x}");
    f32::from_bits(((exponent + 112) << 23 | (bits & 0x3ff) << 13) as u32)
}

pub struct Case {
    pub name: String,
    pub op: usize,
    /// Whether its values are integers; the others are minifloats.
    pub covered: bool,
    attributes: Vec<usize>,
    inputs: Vec<Option<Tensor>>,
    pub outputs: Vec<Tensor>,
}

pub fn read(file: &str) -> Vec<Case> {
    let mut file = Vectors::open(file);
    let names = file.ints("names").into_iter().map(|byte| byte as u8).collect();
    let names = String::from_utf8(names).expect("names are UTF-8");
    let [ops, attributes, covered, tensors, data] =
        ["ops", "attributes", "covered", "tensors", "data"].map(|key| file.ints(key));
    assert_eq!(names.lines().count(), ops.len());
    let mut cases: Vec<_> = (names.lines().zip(ops).zip(attributes.chunks(N_ATTRIBUTES)).zip(covered))
        .map(|(((name, op), attributes), covered)| Case {
            name: name.to_string(),
            op: op as usize,
            covered: covered == 1,
            attributes: attributes.iter().map(|&value| value as usize).collect(),
            inputs: vec![],
            outputs: vec![],
        })
        .collect();
    let mut data = data.into_iter();
    for columns in tensors.chunks(N_TENSOR_COLUMNS) {
        let case = &mut cases[columns[0] as usize];
        let tensor = Tensor::read(columns, &mut data);
        if columns[1] as usize >= FIRST_OUTPUT {
            case.outputs.push(tensor);
        } else {
            case.inputs.resize(columns[1] as usize, None);
            case.inputs.push(Some(tensor));
        }
    }
    assert_eq!(data.len(), 0, "data is left over");
    cases
}

impl Case {
    fn input(&self, slot: usize) -> &Tensor {
        self.inputs[slot].as_ref().unwrap_or_else(|| panic!("{}: input {slot} is missing", self.name))
    }

    fn optional(&self, slot: usize) -> Option<&Tensor> {
        self.inputs.get(slot).and_then(Option::as_ref)
    }

    fn shape(&self, x: &Tensor, w: &Tensor) -> Conv2d {
        let a = &self.attributes;
        Conv2d {
            layout: Layout::ChannelsFirst,
            batch: x.shape[0],
            in_channels: x.shape[1],
            out_channels: w.shape[0],
            input: [x.shape[2], x.shape[3]],
            kernel: [w.shape[2], w.shape[3]],
            stride: [a[3], a[4]],
            dilation: [a[9], a[10]],
            pad_before: [a[5], a[6]],
            pad_after: [a[7], a[8]],
            groups: a[2],
        }
    }

    fn granularity(&self, scale: &Tensor) -> Granularity {
        match (self.attributes[0], self.attributes[1]) {
            _ if scale.shape.is_empty() => Granularity::Tensor,
            (axis, 0) => Granularity::Axis(axis),
            (axis, len) => Granularity::Block { axis, len },
        }
    }

    /// The inputs that a message about output element `index` shows: all parameters, and the element where shapes agree.
    pub fn inputs_of(&self, index: usize) -> String {
        let shown = self.inputs.iter().flatten().map(|tensor| match tensor.values.len() {
            0..=8 => format!("{:?}", tensor.values),
            _ if tensor.shape == self.outputs[0].shape => format!("[.. {} ..]", tensor.values[index]),
            _ => format!("shape {:?}", tensor.shape),
        });
        format!("inputs {} (floats as bits)", shown.collect::<Vec<_>>().join(", "))
    }

    /// Golden's outputs; floats as their bits.
    pub fn golden(&self) -> Vec<Vec<i64>> {
        let wide = |values: Vec<i32>| vec![values.into_iter().map(i64::from).collect()];
        let first = self.input(0);
        let result = match OPS[self.op] {
            "QuantizeLinear" | "DequantizeLinear" => {
                let scale = self.input(1);
                let scales = scale.floats();
                let zero_points = self.optional(2).map_or(vec![0; scales.len()], |zero| zero.values.clone());
                let affine = Affine { scales: &scales, zero_points: &zero_points };
                let granularity = self.granularity(scale);
                if OPS[self.op] == "QuantizeLinear" {
                    let format = format(self.outputs[0].code);
                    onnx::quantize_linear(&first.floats(), &first.shape, format, affine, granularity).map(wide)
                } else {
                    let values = first.ints();
                    onnx::dequantize_linear(&values, &first.shape, format(first.code), affine, granularity)
                        .map(|values| vec![values.into_iter().map(|value| value.to_bits().into()).collect()])
                }
            }
            "DynamicQuantizeLinear" => onnx::dynamic_quantize_linear(&first.floats()).map(|dynamic| {
                let values = dynamic.values.into_iter().map(i64::from).collect();
                vec![values, vec![dynamic.scale.to_bits().into()], vec![dynamic.zero_point]]
            }),
            "MatMulInteger" => {
                let b = self.input(1);
                let shape = Shape { m: first.shape[0], k: b.shape[0], n: b.shape[1] };
                let (a_zeros, b_zeros) = (&self.input(2).values, &self.input(3).values);
                onnx::matmul_integer(shape, &first.ints(), a_zeros, &b.ints(), b_zeros).map(|sums| vec![sums])
            }
            "ConvInteger" => {
                let w = self.input(1);
                let zeros = self.optional(3).map_or(vec![0], |zero| zero.values.clone());
                let x_zero = self.input(2).values[0];
                onnx::conv_integer(&self.shape(first, w), &first.ints(), x_zero, &w.ints(), &zeros)
                    .map(|sums| vec![sums])
            }
            linear => {
                let w = self.input(3);
                let (x_scales, w_scales) = (self.input(1).floats(), self.input(4).floats());
                let x_affine = Affine { scales: &x_scales, zero_points: &self.input(2).values };
                let w_affine = Affine { scales: &w_scales, zero_points: &self.input(5).values };
                let y_zero = self.input(7);
                let [scale] = self.input(6).floats()[..] else { panic!("{}: one scale of y", self.name) };
                let y = Output { format: format(y_zero.code), scale, zero_point: y_zero.values[0] };
                let (x, weights) = (first.ints(), w.ints());
                if linear == "QLinearConv" {
                    let bias = self.optional(8).map_or(vec![], |bias| bias.values.clone());
                    let (x, w_operand) =
                        (Operand { values: &x, affine: x_affine }, Operand { values: &weights, affine: w_affine });
                    onnx::qlinear_conv(&self.shape(first, w), x, w_operand, &bias, y).map(wide)
                } else {
                    // A stack of matrices is multiplied one by one.
                    let rank = first.shape.len();
                    let shape = Shape { m: first.shape[rank - 2], k: first.shape[rank - 1], n: w.shape[rank - 1] };
                    let products = x.chunks(shape.m * shape.k).zip(weights.chunks(shape.k * shape.n)).map(|(a, b)| {
                        let (a, b) = (Operand { values: a, affine: x_affine }, Operand { values: b, affine: w_affine });
                        onnx::qlinear_matmul(shape, a, b, y)
                    });
                    products.collect::<Result<Vec<_>, _>>().map(|products| wide(products.concat()))
                }
            }
        };
        result.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}
