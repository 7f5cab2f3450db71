"""The digested sets: their parameters, and each operator's inputs and model for one set. Formulas: onnx_formulas.py."""

from dataclasses import dataclass

import numpy as np
import onnx_formulas as formulas
from onnx import TensorProto as T
from onnx_cases import CODE, PAIRS, f32, integers
from onnx_model import F32, RANGES, conv, dequantize, dynamic_quantize, matmul, quantize, requantize

SCALES = ((1, 0), (1, -7), (13421773, -27), (11184811, -25), (3, -5), (16777215, -30))
KINDS = list(RANGES)


@dataclass
class Set:
    """One call of the peer: operator, attributes, inputs, kinds of the outputs, and what the model says."""

    table: str
    row: list
    op: str
    attributes: dict
    inputs: list
    kinds: list
    expected: list
    scale_bits: list | None = None

    def codes(self):
        return [T.FLOAT if kind == "float" else CODE[kind] for kind in self.kinds]


def bits(*scales):
    return [int(F32(scale).view(np.uint32)) for scale in scales]


def scale_of(mantissa, exponent):
    return formulas.scaled(mantissa, exponent)[()]


def quantize_sets():
    """Table `quantize`: stream, type, n, zero point, mantissa, exponent."""
    p = 0
    for kind in KINDS[:8]:
        low, high = RANGES[kind]
        for (mantissa, exponent), zero in zip(SCALES, ((low + high) // 2 | 1, 0, high, low, 1, high // 2), strict=True):
            n = 16_384
            x = formulas.quantize_inputs(p, n, kind, zero, mantissa, exponent)
            scale = scale_of(mantissa, exponent)
            row = [p, CODE[kind], n, zero, mantissa, exponent]
            yield Set(
                "quantize",
                row,
                "QuantizeLinear",
                {},
                [f32(x), f32(scale), integers(kind, zero)],
                [kind],
                [quantize(x, scale, zero, kind)],
            )
            p += 1


def dequantize_sets():
    """Table `dequantize`: stream, type, n, zero point, mantissa, exponent; element i is low + i % (high - low + 1), for
    int32 the high half of word i."""
    for index, kind in enumerate(KINDS):
        low, high = RANGES[kind]
        for turn, (mantissa, exponent) in enumerate(((13421773, -27), (11184811, -25), (16777213, -140))):
            p = 64 + 4 * index + turn
            if kind == "int32":
                n, zero = 16_384, 0
                q = (formulas.stream(p, n) >> np.uint64(32)).astype(np.uint32).view(np.int32)
            else:
                n, zero = high - low + 1, (1, low, high)[turn]
                q = low + np.arange(n)
            scale = scale_of(mantissa, exponent)
            row = [p, CODE[kind], n, zero, mantissa, exponent]
            yield Set(
                "dequantize",
                row,
                "DequantizeLinear",
                {},
                [integers(kind, q), f32(scale), integers(kind, zero)],
                ["float"],
                [dequantize(q, scale, zero)],
            )


def dynamic_sets():
    """Table `dynamic`: stream, row, columns. Digested: the codes, then the scale's bits, then the zero point."""
    for r, x in enumerate(formulas.dynamic_inputs(128, 256)):
        yield Set(
            "dynamic",
            [128, r, len(x)],
            "DynamicQuantizeLinear",
            {},
            [f32(x)],
            ["uint8", "float", "uint8"],
            dynamic_quantize(x),
        )


def integer_matmul_sets():
    """Table `matmul_integer`: stream, type of a, type of b, m, k, n, zero point of a, of b, mask.

    33,026 products of 255 and 255 are the first that int32 cannot hold.
    """
    p = 192
    for a_kind, b_kind in (*PAIRS, ("int8", "uint8")):
        middle = [RANGES[kind][1] // 2 for kind in (a_kind, b_kind)]
        shapes = (
            (64, 96, 64, *middle, 255),
            (48, 17, 80, 0, 0, 255),
            (2, 33_025, 2, 0, 0, 0),
            (2, 33_026, 2, 0, 0, 0),
            (2, 40_000, 3, 0, 0, 3),
            (3, 70_000, 2, 0, 0, 7),
            (2, 140_000, 2, 0, 0, 3),
        )
        for m, k, n, a_zero, b_zero, mask in shapes:
            a = formulas.codes(p, (m, k), a_kind, mask)
            b = formulas.codes(p, (k, n), b_kind, mask, formulas.SECOND_OPERAND)
            row = [p, CODE[a_kind], CODE[b_kind], m, k, n, a_zero, b_zero, mask]
            parts = [integers(a_kind, a), integers(b_kind, b), integers(a_kind, a_zero), integers(b_kind, b_zero)]
            yield Set("matmul_integer", row, "MatMulInteger", {}, parts, ["int32"], [matmul(a, b, a_zero, b_zero)])
            p += 1


def linear_matmul_sets():
    """Table `linear_matmul`: stream, type of a and y, type of b, n, zero points of a, b, y, shift, limit_bits, terms."""
    p = 256
    for a_kind, b_kind in PAIRS:
        low, high = RANGES[a_kind]
        zeros = (127, 128) if a_kind == "uint8" else (0, -1)
        plain = [((1.0, 1.0, 2.0**shift), shift, shift + 8, 8) for shift in (1, 2, 3, 5, 8)]
        odd = [((3.0, 0.5, 2.0**8), 9, 15, 8), ((5.0, 0.125, 2.0**6), 9, 15, 8)]
        order = [(formulas.order_scales(16 * p + shift, shift), shift, shift + 8, 8) for shift in (4, 6, 7)]
        wide = [((1.0, 2.0**-9, 2.0**8), 17, 25, 2100)]
        for turn, (scales, shift, limit_bits, terms) in enumerate(plain + odd + order + wide):
            # The widest accumulators pass 2^24 only above step 128, so they need the whole range above the zero point.
            y_zero = low if terms > 8 else (low, (low + high) // 2, (low + high) // 2 + 1, high)[turn % 4]
            a_zero, b_zero, n = zeros[turn % 2], (3 if b_kind == "uint8" else -7), (512 if terms > 8 else 4096)
            a, b = formulas.targets(p, n, a_zero, b_zero, shift, limit_bits, terms)
            row = [p, CODE[a_kind], CODE[b_kind], n, a_zero, b_zero, y_zero, shift, limit_bits, terms]
            parts = [
                integers(a_kind, a),
                f32(scales[0]),
                integers(a_kind, a_zero),
                integers(b_kind, b),
                f32(scales[1]),
                integers(b_kind, b_zero),
                f32(scales[2]),
                integers(a_kind, y_zero),
            ]
            expected = requantize(matmul(a, b, a_zero, b_zero), *scales, y_zero, a_kind)
            yield Set("linear_matmul", row, "QLinearMatMul", {}, parts, [a_kind], [expected], bits(*scales))
            p += 1


def conv_sets():
    """Table `conv`: stream, type of x and y, type of w, linear, N, C, H, W, outputs, kh, kw, group, two strides, four
    pads (top, left, bottom, right), two dilations, zero points of x, w, y. ConvInteger (linear = 0), or QLinearConv with
    x_scale = y_scale = 1, the scales of `channel_scales`, and no bias."""
    p = 384
    geometries = (
        ((2, 8, 12, 11), (8, 4, 3, 3), 2, (1, 1), (1, 1, 1, 1), (1, 1)),
        ((1, 8, 20, 21), (12, 8, 3, 2), 1, (2, 1), (0, 2, 1, 1), (2, 3)),
        ((2, 6, 16, 16), (6, 1, 3, 3), 6, (1, 2), (1, 1, 0, 2), (1, 1)),
    )
    for x_kind, w_kind in (*PAIRS, ("int8", "uint8")):
        for x_shape, w_shape, group, strides, pads, dilations in geometries:
            for linear in range(2 if (x_kind, w_kind) in PAIRS else 1):
                x_zero, w_zero, y_zero = RANGES[x_kind][1] // 2, RANGES[w_kind][1] // 2, RANGES[x_kind][1] // 2 + 1
                x = formulas.codes(p, x_shape, x_kind)
                w = formulas.codes(p, w_shape, w_kind, 255, formulas.SECOND_OPERAND)
                attributes = {"group": group, "strides": strides, "pads": pads, "dilations": dilations}
                acc = conv(x, w, x_zero, w_zero, **attributes)
                row = [
                    p,
                    CODE[x_kind],
                    CODE[w_kind],
                    linear,
                    *x_shape,
                    w_shape[0],
                    *w_shape[2:],
                    group,
                    *strides,
                    *pads,
                    *dilations,
                    x_zero,
                    w_zero,
                    y_zero,
                ]
                if linear:
                    scales = formulas.channel_scales(p, w_shape[0])
                    parts = [
                        integers(x_kind, x),
                        f32(1),
                        integers(x_kind, x_zero),
                        integers(w_kind, w),
                        f32(scales),
                        integers(w_kind, np.full(len(scales), w_zero)),
                        f32(1),
                        integers(x_kind, y_zero),
                    ]
                    expected = requantize(acc, 1, scales.reshape(-1, 1, 1), 1, y_zero, x_kind)
                    yield Set("conv", row, "QLinearConv", attributes, parts, [x_kind], [expected])
                else:
                    parts = [
                        integers(x_kind, x),
                        integers(w_kind, w),
                        integers(x_kind, x_zero),
                        integers(w_kind, w_zero),
                    ]
                    yield Set("conv", row, "ConvInteger", attributes, parts, ["int32"], [acc])
                p += 1


def all_sets():
    for sets in (quantize_sets, dequantize_sets, dynamic_sets, integer_matmul_sets, linear_matmul_sets, conv_sets):
        yield from sets()
