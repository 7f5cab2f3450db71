"""What the ONNX operators compute, as models of integers and of IEEE float32 operations. No peer is used here.

Sources: the operators' pages in the ONNX specification. Division and products of float32 are numpy's single IEEE
operations. A NaN becomes the least value of the output format: the specification leaves it open; onnxruntime does that.
"""

import numpy as np

F32 = np.float32
RANGES = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int2": (-2, 1),
    "uint2": (0, 3),
    "int32": (-(2**31), 2**31 - 1),
}


def spread(parameter, shape, axis, block_size):
    """A scale or zero point for each element of `shape`: one value, one for each index of `axis`, or one a block."""
    parameter = np.asarray(parameter)
    if parameter.ndim == 0 or parameter.size == 1 and len(shape) != parameter.ndim:
        return np.broadcast_to(parameter.reshape(()), shape)
    if block_size:
        return np.take(parameter, np.arange(shape[axis]) // block_size, axis=axis)
    return np.broadcast_to(parameter.reshape([-1 if d == axis else 1 for d in range(len(shape))]), shape)


def round_even(x):
    """The nearest integer to a float32, ties to even, by exact steps; magnitudes are cut at 2^40."""
    x = np.clip(np.asarray(x, F32).astype(np.float64), -(2.0**40), 2.0**40)
    twice = np.floor(2 * x).astype(np.int64)
    exact = twice == 2 * x
    floor = twice >> 1
    tie = exact & (twice & 1 == 1)
    return np.where(tie, floor + (floor & 1), (twice + 1) >> 1)


def quantize(x, scale, zero, kind, axis=1, block_size=0):
    """sat(RNE(x / scale) + zero), the division in float32."""
    low, high = RANGES[kind]
    x = np.asarray(x, F32)
    with np.errstate(all="ignore"):
        quotient = x / spread(np.asarray(scale, F32), x.shape, axis, block_size)
    nan = np.isnan(quotient)
    zero = spread(np.asarray(zero, np.int64), x.shape, axis, block_size)
    return np.where(nan, low, np.clip(round_even(np.where(nan, F32(0), quotient)) + zero, low, high))


def dequantize(q, scale, zero, axis=1, block_size=0):
    """f32(q - zero) * scale."""
    q = np.asarray(q, np.int64)
    difference = q - spread(np.asarray(zero, np.int64), q.shape, axis, block_size)
    return difference.astype(F32) * spread(np.asarray(scale, F32), q.shape, axis, block_size)


def requantize(acc, a_scale, b_scale, y_scale, zero, kind):
    """sat(RNE(f32(acc) * c) + zero), c = f32(f32(a_scale b_scale) / y_scale)."""
    low, high = RANGES[kind]
    c = np.asarray(a_scale, F32) * np.asarray(b_scale, F32) / np.asarray(y_scale, F32)
    return np.clip(round_even(acc.astype(F32) * c) + zero, low, high)


def wrap32(value):
    return (value + 2**31) % 2**32 - 2**31


def matmul(a, b, a_zero, b_zero):
    """The sum of (a - a_zero)(b - b_zero) modulo 2^32, by 64-bit integers."""
    return wrap32((np.asarray(a, np.int64) - a_zero) @ (np.asarray(b, np.int64) - b_zero))


def conv(x, w, x_zero, w_zero, group=1, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1)):
    """Convolution of N C H W by M C/group kh kw; the border counts as x_zero, so it adds nothing."""
    x = np.asarray(x, np.int64) - x_zero
    w = np.asarray(w, np.int64) - np.asarray(w_zero, np.int64).reshape(-1, 1, 1, 1)
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    n_out, _, kh, kw = w.shape
    height = (x.shape[2] - (kh - 1) * dilations[0] - 1) // strides[0] + 1
    width = (x.shape[3] - (kw - 1) * dilations[1] - 1) // strides[1] + 1
    result = np.zeros((x.shape[0], n_out, height, width), np.int64)
    per_group = n_out // group
    for out in range(n_out):
        first = out // per_group * w.shape[1]
        for c in range(w.shape[1]):
            for i in range(kh):
                for j in range(kw):
                    rows = slice(i * dilations[0], i * dilations[0] + (height - 1) * strides[0] + 1, strides[0])
                    columns = slice(j * dilations[1], j * dilations[1] + (width - 1) * strides[1] + 1, strides[1])
                    result[:, out] += w[out, c, i, j] * x[:, first + c, rows, columns]
    return wrap32(result)


def dynamic_quantize(x):
    """Codes, scale and zero point: range with zero in it, scale = range / 255 (1 where the range is empty)."""
    x = np.asarray(x, F32)
    least, most = np.minimum(x.min(), F32(0)), np.maximum(x.max(), F32(0))
    scale = F32(1) if most == least else (most - least) / F32(255)
    zero = int(round_even(np.clip(F32(0) - least / scale, F32(0), F32(255))))
    return quantize(x, scale, zero, "uint8"), scale, zero
