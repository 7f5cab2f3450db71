"""A table of single-operator cases, stored in full: one format for onnxruntime's cases and the node tests of onnx.

Arrays of a file:
  names       one name a line, as UTF-8 bytes
  ops         one code a case, an index into OPS
  attributes  one row a case, columns ATTRIBUTES (absent ones have the operator's default; the axis counts from the
              front)
  covered     1: the quantized values are integers of 2, 4, 8, 16 or 32 bits; 0: they are minifloats
  tensors     one row a tensor: case, slot (inputs from 0, outputs from 100; an input left out has no row), ONNX type
              code, rank, and four dimensions (0 beyond the rank)
  data        the tensors' elements in the same order, little endian: 4 bytes for float32 and int32, 2 for types of 16 bits,
              1 for all others (narrow integers in two's complement of 8 bits, float8 and float4 as their codes)
"""

import ml_dtypes
import numpy as np
from onnx import TensorProto

OPS = (
    "QuantizeLinear",
    "DequantizeLinear",
    "QLinearMatMul",
    "QLinearConv",
    "MatMulInteger",
    "ConvInteger",
    "DynamicQuantizeLinear",
)
ATTRIBUTES = (
    "axis",
    "block_size",
    "group",
    "stride_h",
    "stride_w",
    "pad_top",
    "pad_left",
    "pad_bottom",
    "pad_right",
    "dilation_h",
    "dilation_w",
)
FIRST_OUTPUT = 100
STORED = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.INT32: np.int32,
    TensorProto.INT16: np.int16,
    TensorProto.UINT16: np.uint16,
    TensorProto.INT8: np.int8,
    TensorProto.UINT8: np.uint8,
    TensorProto.INT4: np.int8,
    TensorProto.UINT4: np.uint8,
    TensorProto.INT2: np.int8,
    TensorProto.UINT2: np.uint8,
    TensorProto.FLOAT8E4M3FN: np.uint8,
    TensorProto.FLOAT8E5M2: np.uint8,
    TensorProto.FLOAT4E2M1: np.uint8,
}
MINIFLOAT = {
    TensorProto.FLOAT8E4M3FN: ml_dtypes.float8_e4m3fn,
    TensorProto.FLOAT8E5M2: ml_dtypes.float8_e5m2,
    TensorProto.FLOAT4E2M1: ml_dtypes.float4_e2m1fn,
}


def attribute_row(op, attributes, rank):
    axis = attributes.get("axis", 1 if op in ("QuantizeLinear", "DequantizeLinear") else 0)
    pads = attributes.get("pads", [0, 0, 0, 0])
    return [
        axis % max(rank, 1) if axis < 0 else axis,
        attributes.get("block_size", 0),
        attributes.get("group", 1),
        *attributes.get("strides", [1, 1]),
        *pads,
        *attributes.get("dilations", [1, 1]),
    ]


def stored(type_code, array):
    """The elements of a tensor as the bank stores them."""
    array = np.asarray(array)
    if type_code in MINIFLOAT and array.dtype != np.uint8:
        return array.astype(MINIFLOAT[type_code]).view(np.uint8)
    return array.astype(STORED[type_code])


class Bank:
    def __init__(self):
        self.names, self.ops, self.attributes, self.covered, self.tensors, self.data = [], [], [], [], [], []

    def add(self, name, op, attributes, inputs, outputs):
        """Adds a case; `inputs` and `outputs` are (type code, array) pairs, or None for an input left out."""
        case = len(self.names)
        rows = list(enumerate(inputs)) + [(FIRST_OUTPUT + slot, output) for slot, output in enumerate(outputs)]
        rows = [(slot, *tensor) for slot, tensor in rows if tensor is not None]
        self.names.append(name)
        self.ops.append(OPS.index(op))
        self.attributes.append(attribute_row(op, attributes, np.ndim(inputs[0][1])))
        self.covered.append(all(type_code not in MINIFLOAT for _, type_code, _ in rows))
        for slot, type_code, array in rows:
            array = stored(type_code, array)
            self.tensors.append([case, slot, type_code, array.ndim] + list(array.shape) + [0] * (4 - array.ndim))
            self.data.append(np.ascontiguousarray(array).tobytes())

    def n_outputs(self):
        return sum(int(np.prod(row[4 : 4 + row[3]])) for row in self.tensors if row[1] >= FIRST_OUTPUT)

    def arrays(self):
        return {
            "names": np.frombuffer("\n".join(self.names).encode(), np.uint8),
            "ops": np.array(self.ops, np.uint8),
            "attributes": np.array(self.attributes, np.uint8),
            "covered": np.array(self.covered, np.uint8),
            "tensors": np.array(self.tensors, np.uint16),
            "data": np.frombuffer(b"".join(self.data), np.uint8),
        }
