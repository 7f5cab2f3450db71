"""The layers of litert.py: parameters drawn here and stored, data by a formula that Rust repeats.

The words of layer i (from 0) are words(seed + i + 1), see common.py; top(b, word) is the topmost b bits of a word as a
signed number. The elements of x, then of w, then of the bias take one word each, in this order:
  x     top(x_bits, word) where x_bits is 8, else zx + top(x_bits, word) 2^x_shift
  w     max(top(w_bits, word) 2^w_shift, -127)
  bias  top(bias_bits, word) 2^bias_shift + tie; tie is 0 if bias_half is 0, else bias_half + (0, 0, -1, 1)[c mod 4]
Tie-rich layers (bias_half > 0) have x - zx and w in multiples of 2^x_shift and 2^w_shift, the bias is an odd multiple
of half their product, and the ratio of scales is an odd number / 2^(x_shift + w_shift). So half of the channels give
exact ties only, and the rest accumulators one beside a tie.
"""

import litert_model as model
import numpy as np
from common import words

KINDS = ("fc", "conv", "depthwise")
ACTS = ("none", "relu", "relu6", "relu_n1_to_1")
COLUMNS = (
    *("kind", "act", "m", "height", "width", "channels", "n", "kernel_height", "kernel_width"),
    *("stride", "dilation", "same", "zx", "zy", "lo", "hi", "n_scales"),
    *("x_bits", "x_shift", "w_bits", "w_shift", "bias_bits", "bias_shift", "bias_half"),
)
TIE_OFFSETS = np.array([0, 0, -1, 1])


class Draw:
    """Numbers for the parameters, in turn."""

    def __init__(self, seed):
        self.seed, self.taken = seed, 0

    def below(self, n):
        self.taken += 1
        return int(words(self.seed, 1, self.taken - 1)[0] % np.uint64(n))

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def scale(self):
        """A float32 in [1/2, 1)."""
        return np.float32((1 << 23) + self.below(1 << 23)) * np.float32(2.0**-24)


def small_shape(kind, draw):
    if kind == "fc":
        shape = {"m": draw.between(3, 8), "channels": draw.between(3, 20), "n": draw.between(3, 9)}
        return shape | {"height": 1, "width": 1}
    shape = {"m": 1, "height": draw.between(3, 6), "width": draw.between(3, 6), "channels": draw.between(1, 4)}
    multiplier = draw.between(1, 2) if draw.below(2) else 4
    shape["n"] = draw.between(2, 8) if kind == "conv" else shape["channels"] * multiplier
    return shape | {
        "kernel_height": draw.between(1, 3),
        "kernel_width": draw.between(1, 3),
        "stride": draw.between(1, 2),
        "same": draw.below(2),
    }


def large_shape(kind, draw):
    if kind == "fc":
        return {"m": 128, "height": 1, "width": 1, "channels": 24, "n": 64}
    shape = {"m": 4, "height": 16, "width": 17, "channels": 8 if kind == "conv" else 4 * draw.between(2, 5)}
    shape["n"] = 16 if kind == "conv" else shape["channels"]
    return shape | {"kernel_height": 3, "kernel_width": 3, "stride": 1, "same": 1}


def scales(layer, draw):
    """Exact ratios for tie-rich layers, all 24 bits at random for the others."""
    n = layer["n"] if layer["per_channel"] else 1
    terms = layer["kernel_height"] * layer["kernel_width"] * (1 if layer["kind"] == 2 else layer["channels"])
    if layer["bias_half"]:
        odd, shift = 2 * draw.below(4) + 1, layer["x_shift"] + layer["w_shift"]
        sx, sy = np.float32(odd * 2.0**-7), np.float32(odd * 2.0**-4)
        sw = [(3 if draw.below(4) == 0 else 1) * 2.0 ** (3 - shift) for _ in range(n)]
    else:
        sx, sy = draw.scale() * np.float32(2.0**-5), draw.scale() * np.float32(2.0**-3)
        # Outputs of a spread of about 50 steps.
        target = 50 / (74 * 74 * terms**0.5) * float(sy) / float(sx)
        sw = [float(draw.scale()) * 2.0 ** np.rint(np.log2(target * 4 / 3)) for _ in range(n)]
    return sx, sy, np.array(sw).astype(np.float32)


def parameters(kind, shape, index, draw):
    """One layer's row of the table and its scales: every second layer is tie-rich, every second pair per channel."""
    tie = index % 2 == 0
    layer = {"kernel_height": 1, "kernel_width": 1, "stride": 1, "same": 0, "dilation": 1} | shape(kind, draw)
    layer |= {"kind": KINDS.index(kind), "per_channel": index // 2 % 2}
    # The peers take a dilated kernel only with stride 1; padding makes it fit the smallest input.
    if kind != "fc" and index % 5 == 1:
        layer |= {"stride": 1, "same": 1, "dilation": 2}
    layer["act"] = draw.below(4) if index % 3 == 0 else 0
    layer["zx"] = 2 * draw.between(-30, 29) + 1 if tie else 2 * draw.between(-64, 63) + 1
    layer["zy"] = (2 * draw.between(-64, 63) + 1) if index % 7 == 0 else 2 * draw.between(-16, 15) + 1
    if tie:
        layer |= {"x_bits": 4, "x_shift": draw.between(0, 3), "w_bits": 3, "w_shift": draw.between(1, 4)}
        layer["bias_bits"] = 6
        layer["bias_shift"] = layer["x_shift"] + layer["w_shift"]
        layer["bias_half"] = 1 << (layer["bias_shift"] - 1)
    else:
        layer |= {"x_bits": 8, "x_shift": 0, "w_bits": 8, "w_shift": 0}
        layer |= {"bias_bits": 16, "bias_shift": 0, "bias_half": 0}
    sx, sy, sw = scales(layer, draw)
    layer["n_scales"] = len(sw)
    layer["lo"], layer["hi"] = model.bounds({"zy": layer["zy"], "sy": sy, "act": ACTS[layer["act"]]})
    return layer, sx, sy, sw


def top(bits, stream):
    return stream.astype(np.int64) >> (64 - bits)


def data(layer, sx, sy, sw, seed):
    """The layer as litert_peers takes it."""
    kind, n, channels = KINDS[layer["kind"]], layer["n"], layer["channels"]
    kernel = (layer["kernel_height"], layer["kernel_width"])
    x_shape, w_shape = {
        "fc": ((layer["m"], channels), (n, channels)),
        "conv": ((layer["m"], layer["height"], layer["width"], channels), (n, *kernel, channels)),
        "depthwise": ((layer["m"], layer["height"], layer["width"], channels), (1, *kernel, n)),
    }[kind]
    sizes = [int(np.prod(x_shape)), int(np.prod(w_shape)), n]
    x, w, bias = np.split(words(seed, sum(sizes)), np.cumsum(sizes)[:2])
    x = top(layer["x_bits"], x) << layer["x_shift"]
    x = x if layer["x_bits"] == 8 else x + layer["zx"]
    w = np.maximum(top(layer["w_bits"], w) << layer["w_shift"], -127)
    bias = top(layer["bias_bits"], bias) << layer["bias_shift"]
    bias += (layer["bias_half"] + TIE_OFFSETS[np.arange(n) % 4]) if layer["bias_half"] else 0
    assert -128 <= x.min() and x.max() <= 127 and w.max() <= 127
    same_names = {key: layer[key] for key in ("stride", "dilation", "zx", "zy", "lo", "hi")}
    return same_names | {
        "kind": kind,
        "x": x.astype(np.int8).reshape(x_shape),
        "w": w.astype(np.int8).reshape(w_shape),
        "bias": bias.astype(np.int32),
        "sx": sx,
        "sy": sy,
        "sw": sw,
        "act": ACTS[layer["act"]],
        "same": bool(layer["same"]),
    }


def layers(seed, shape, counts):
    """(table [layers, columns], sx, sy, flat sw, the layers themselves)."""
    draw, table, scale_columns, result = Draw(seed), [], [], []
    for kind, count in zip(KINDS, counts):
        for index in range(count):
            layer, *scales_ = parameters(kind, shape, index, draw)
            result.append(data(layer, *scales_, seed + len(table) + 1))
            table.append([layer[column] for column in COLUMNS])
            scale_columns.append(scales_)
    sx, sy, sw = zip(*scale_columns)
    return np.array(table, np.int16), np.array(sx), np.array(sy), np.concatenate(sw), result
