"""Small onnxruntime cases, rich in ties, stored in full: each operator with each of its types and attributes."""

import numpy as np
from common import words
from onnx import TensorProto as T
from onnx_model import F32, RANGES, conv, dequantize, dynamic_quantize, matmul, quantize, requantize, spread
from onnx_run import run

CODE = {
    "int8": T.INT8,
    "uint8": T.UINT8,
    "int16": T.INT16,
    "uint16": T.UINT16,
    "int4": T.INT4,
    "uint4": T.UINT4,
    "int2": T.INT2,
    "uint2": T.UINT2,
    "int32": T.INT32,
}
PAIRS = (("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8"))
SEED = 0xCA5E5


def f32(values):
    return T.FLOAT, np.asarray(values, F32)


def integers(kind, values):
    return CODE[kind], np.asarray(values, np.int64)


def draw(index, shape, low, high):
    """Integers low..=high from the words of stream SEED at index 2^16."""
    w = words(SEED, int(np.prod(shape)), index << 16)
    return (low + (w % np.uint64(high - low + 1)).astype(np.int64)).reshape(shape)


def around_edges(kind, zero):
    """Half steps about both clamp edges and about zero, values far outside, infinities, NaN, signed zero, subnormals."""
    low, high = RANGES[kind]
    halves = np.arange(-7, 8)
    half_steps = np.concatenate([2 * (low - zero) + halves, halves, 2 * (high - zero) + halves]).astype(F32) / 2
    far = [
        np.nan,
        np.inf,
        -np.inf,
        2.0**31,
        -(2.0**31),
        2.0**31 + 256,
        -(2.0**31) - 256,
        2.0**32,
        -(2.0**32),
        2.0**33 + 1024,
        2.0**63,
        -(2.0**63),
        2.0**64,
        3e38,
        -3e38,
        -0.0,
        1e-45,
        -1e-45,
        1e-38,
    ]
    beside = np.nextafter(halves[1::2].astype(F32) / 2, F32(np.inf)), np.nextafter(
        halves[::2].astype(F32) / 2, F32(-np.inf)
    )
    return np.concatenate([half_steps, np.array(far, F32), *beside]).astype(F32)


class Cases:
    def __init__(self, bank):
        self.bank, self.compared, self.wrong = bank, 0, 0

    def add(self, name, op, attributes, inputs, kinds, expected):
        """Runs the peer, compares it with the model's `expected`, stores the peer's outputs."""
        codes = [T.FLOAT if kind == "float" else CODE[kind] for kind in kinds]
        outputs = run(op, attributes, inputs, codes)
        for output, model in zip(outputs, expected, strict=True):
            output, model = np.asarray(output), np.asarray(model)
            if output.dtype == F32:
                output, model = output.view(np.uint32), model.astype(F32).view(np.uint32)
            assert output.shape == model.shape, (name, output.shape, model.shape)
            self.compared += output.size
            self.wrong += int(np.sum(output.astype(np.int64) != model))
        self.bank.add(name, op, attributes, inputs, list(zip(codes, outputs, strict=True)))

    def quantizers(self):
        for index, kind in enumerate(list(RANGES)[:8]):
            low, high = RANGES[kind]
            for zero, scale in ((0, 1.0), ((low + high) // 2 | 1, 0.25), (low, 0.1), (high, 3.0)):
                with np.errstate(over="ignore"):
                    x = (around_edges(kind, zero) * F32(scale)).astype(F32)
                expected = quantize(x, F32(scale), zero, kind)
                parts = [f32(x), f32(scale), integers(kind, zero)]
                self.add(f"quantize_{kind}_zero{zero}", "QuantizeLinear", {}, parts, [kind], [expected])
            for label, axis, block_size, parameters in (
                ("axis0", 0, 0, (3,)),
                ("axis1", 1, 0, (5,)),
                ("axis-1", -1, 0, (2,)),
                ("block2", 1, 2, (3, 3, 2)),
                ("block3", 0, 3, (1, 5, 2)),
            ):
                scale = np.ldexp(F32(1), draw(16 * index + 1, parameters, -3, 2).astype(np.int32)).astype(F32)
                zero = draw(16 * index + 2, parameters, low, high) | 1
                half_steps = draw(16 * index + 3, (3, 5, 2), 2 * low - 8, 2 * high + 8)
                attributes = {"axis": axis} | ({"block_size": block_size} if block_size else {})
                front = axis % 3
                x = (half_steps - 2 * spread(zero, (3, 5, 2), front, block_size)) / F32(2)
                x = (x * spread(scale, (3, 5, 2), front, block_size)).astype(F32)
                expected = quantize(x, scale, zero, kind, front, block_size)
                parts = [f32(x), f32(scale), integers(kind, zero)]
                self.add(f"quantize_{kind}_{label}", "QuantizeLinear", attributes, parts, [kind], [expected])
                q = draw(16 * index + 4, (3, 5, 2), low, high)
                scale = draw(16 * index + 5, parameters, 1, 2**24).astype(F32) * F32(2.0**-20)
                parts = [integers(kind, q), f32(scale), integers(kind, zero)]
                expected = dequantize(q, scale, zero, front, block_size)
                self.add(f"dequantize_{kind}_{label}", "DequantizeLinear", attributes, parts, ["float"], [expected])
        x = around_edges("uint8", 0)
        self.add(
            "quantize_without_zero", "QuantizeLinear", {}, [f32(x), f32(1)], ["uint8"], [quantize(x, 1, 0, "uint8")]
        )
        q = np.array([-(2**31), 2**31 - 1, 2**24 + 1, -(2**24) - 3, 0, 1, -1])
        self.add(
            "dequantize_int32",
            "DequantizeLinear",
            {},
            [integers("int32", q), f32(0.1)],
            ["float"],
            [dequantize(q, F32(0.1), 0)],
        )

    def dynamic(self):
        rows = {
            "zeros": [0, 0, 0, -0.0],
            "zero_point_tie_to_even": np.arange(-3, 508, 7) / 2,
            "zero_point_tie_up": np.arange(-5, 506, 7) / 2,
            "all_positive": [1, 2, 3, 254.5],
            "all_negative": [-1, -2, -1.5],
            "ties": np.concatenate([[-128, 127], np.arange(-9, 10) / 2]),
            "awkward": [0.1, -0.3, 0.7, 1 / 3],
        }
        for name, x in rows.items():
            self.add(
                f"dynamic_{name}",
                "DynamicQuantizeLinear",
                {},
                [f32(x)],
                ["uint8", "float", "uint8"],
                dynamic_quantize(x),
            )

    def linear_matmul(self, name, kinds, a, b, zeros, scales):
        (a_kind, b_kind), (a_zero, b_zero, y_zero), (a_scale, b_scale, y_scale) = kinds, zeros, scales
        parts = [
            integers(a_kind, a),
            f32(a_scale),
            integers(a_kind, a_zero),
            integers(b_kind, b),
            f32(b_scale),
            integers(b_kind, b_zero),
            f32(y_scale),
            integers(a_kind, y_zero),
        ]
        expected = requantize(matmul(a, b, a_zero, b_zero), a_scale, b_scale, y_scale, y_zero, a_kind)
        self.add(name, "QLinearMatMul", {}, parts, [a_kind], [expected])

    def matmuls(self):
        for index, (a_kind, b_kind) in enumerate(PAIRS):
            name, base = f"{a_kind}_{b_kind}", 256 + 16 * index
            a_zero, b_zero = (127, 3) if a_kind == "uint8" else (-1, -7)
            a = a_zero + draw(base, (4, 6), -9, 9)
            b = b_zero + draw(base + 1, (6, 5), -3, 3)
            for y_zero in (a_zero, a_zero + 1, RANGES[a_kind][0], RANGES[a_kind][1]):
                for scales in ((0.5, 0.25, 0.25), (0.5, 0.5, 1.0), (0.1, 0.2, 0.03)):
                    self.linear_matmul(
                        f"matmul_{name}_{y_zero}_{scales[2]}", (a_kind, b_kind), a, b, (a_zero, b_zero, y_zero), scales
                    )
            columns = b_zero + draw(base + 2, (5,), -2, 2)
            scale = np.ldexp(F32(1), [-1, -2, -3, 0, -1]).astype(F32)
            self.linear_matmul(
                f"matmul_{name}_columns", (a_kind, b_kind), a, b, (a_zero, columns, a_zero), (1.0, scale, 1.0)
            )
            batch = a_zero + draw(base + 3, (2, 3, 4), -9, 9), b_zero + draw(base + 4, (2, 4, 2), -3, 3)
            self.linear_matmul(
                f"matmul_{name}_batch", (a_kind, b_kind), *batch, (a_zero, b_zero, a_zero), (0.5, 0.5, 0.5)
            )
        for index, (a_kind, b_kind) in enumerate((*PAIRS, ("int8", "uint8"))):
            a, b = draw(400 + index, (3, 7), *RANGES[a_kind]), draw(410 + index, (7, 4), *RANGES[b_kind])
            for a_zero, b_zero in ((0, 0), (RANGES[a_kind][1], RANGES[b_kind][0]), (7, draw(420, (4,), 0, 99))):
                parts = [integers(a_kind, a), integers(b_kind, b), integers(a_kind, a_zero), integers(b_kind, b_zero)]
                name = f"matmul_integer_{a_kind}_{b_kind}_{a_zero}_{'columns' if np.ndim(b_zero) else b_zero}"
                self.add(name, "MatMulInteger", {}, parts, ["int32"], [matmul(a, b, a_zero, b_zero)])

    def convolutions(self):
        shapes = (
            ("plain", (1, 2, 4, 5), (3, 2, 2, 3), {}),
            ("stride_pad", (2, 2, 5, 4), (2, 2, 3, 3), {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
            ("dilation", (1, 1, 6, 7), (2, 1, 2, 3), {"dilations": [3, 2], "pads": [0, 1, 0, 1]}),
            ("groups", (1, 4, 4, 4), (6, 2, 2, 2), {"group": 2, "strides": [1, 2]}),
            ("depthwise", (1, 3, 5, 5), (3, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
        )
        for index, (label, x_shape, w_shape, attributes) in enumerate(shapes):
            for pair, (x_kind, w_kind) in enumerate((*PAIRS, ("int8", "uint8"))):
                name, base = f"{label}_{x_kind}_{w_kind}", 512 + 32 * (4 * index + pair)
                x_zero, w_zero = (127 if x_kind == "uint8" else -3), (3 if w_kind == "uint8" else -7)
                x, w = draw(base, x_shape, *RANGES[x_kind]), draw(base + 1, w_shape, *RANGES[w_kind])
                parts = [integers(x_kind, x), integers(w_kind, w), integers(x_kind, x_zero), integers(w_kind, w_zero)]
                self.add(
                    f"conv_integer_{name}",
                    "ConvInteger",
                    attributes,
                    parts,
                    ["int32"],
                    [conv(x, w, x_zero, w_zero, **attributes)],
                )
                if (x_kind, w_kind) not in PAIRS:
                    continue  # onnxruntime has no QLinearConv of int8 by uint8
                x, w = x_zero + draw(base + 2, x_shape, -9, 9), w_zero + draw(base + 3, w_shape, -3, 3)
                bias = draw(base + 4, (w_shape[0],), -99, 99)
                for per_channel in (False, True):
                    scale = (
                        np.ldexp(F32(1), draw(base + 5, (w_shape[0],), -2, 0).astype(np.int32)) if per_channel else 0.5
                    )
                    zero = np.full(w_shape[0], w_zero) + np.arange(w_shape[0]) % 3 if per_channel else w_zero
                    acc = conv(x, w, x_zero, zero, **attributes) + (bias.reshape(1, -1, 1, 1) if per_channel else 0)
                    channel = np.asarray(scale, F32).reshape(-1, 1, 1) if per_channel else scale
                    expected = requantize(acc, 0.5, channel, 0.5, x_zero, x_kind)
                    parts = [
                        integers(x_kind, x),
                        f32(0.5),
                        integers(x_kind, x_zero),
                        integers(w_kind, w),
                        f32(scale),
                        integers(w_kind, zero),
                        f32(0.5),
                        integers(x_kind, x_zero),
                    ]
                    parts += [integers("int32", bias)] if per_channel else []
                    kind = "channels_bias" if per_channel else "tensor"
                    self.add(f"conv_{name}_{kind}", "QLinearConv", attributes, parts, [x_kind], [expected])

    def all(self):
        self.quantizers()
        self.dynamic()
        self.matmuls()
        self.convolutions()
