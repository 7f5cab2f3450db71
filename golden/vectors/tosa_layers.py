"""Integer layers of TOSA.

`names`, `tests` (columns `LAYER`) and flat arrays of the inputs, the weights (int4 in bytes) and the biases of
CONV2D, DEPTHWISE_CONV2D and MATMUL tests (MATMUL: shapes filled up with 1, the right operand as weights, no bias); of the
outputs one `digest` a test (one block) and its `first` value. A bias of length 1 serves all channels. Layouts are TOSA's:
NHWC, weights OHWI, depthwise weights HWCM, `pad` top, bottom, left, right; padding stands for the input zero point.
"""

import re
from pathlib import Path

import numpy as np

from common import digests
from tosa_peer import bits, generate, reference, require_exact

LAYER = (
    "op in_bits weight_bits acc_bits in0 in1 in2 in3 w0 w1 w2 w3 out0 out1 out2 out3"
    " stride_y stride_x pad_top pad_bottom pad_left pad_right dilation_y dilation_x zero_in zero_w n_bias"
).split()
OPS = {"conv2d": 0, "depthwise_conv2d": 1, "matmul": 2}
SMALL = ["--tensor-dim-range", "2,5", "--max-batch-size", "2", "--max-conv-stride", "2"]
# A wide range of dimensions admits several output channels for an input channel.
DEPTHWISE = ["--tensor-dim-range", "2,13", "--max-conv-stride", "2", "--max-conv-padding", "1"]
DEPTHWISE_SHAPES = [
    ["--seed", "42", "--target-shape", "1,4,3,3", "--conv-kernel", "3,2"],
    ["--seed", "43", "--target-shape", "2,3,4,2", "--conv-kernel", "2,3"],
]
# Operator, the greatest number of tests that are kept of the run (evenly spread), options of the generator.
RUNS = [
    ("conv2d", 48, ["--seed", "42", *SMALL]),
    ("conv2d", 48, ["--seed", "43", *SMALL]),
    *(("depthwise_conv2d", 24, [*options, *DEPTHWISE]) for options in DEPTHWISE_SHAPES),
    *(("matmul", 2, ["--seed", str(seed), "--tensor-dim-range", "1,8"]) for seed in range(42, 52)),
]
INTEGER_TESTS = ["--profile", "tosa-pro-int", "--extension", "tosa-ext-int4", "tosa-ext-int16"]


def window(x, test, ky, kx):
    """The input, without its zero point, that weight (ky, kx) meets at each output position; padding is 0."""
    top, bottom, left, right = (test[f"pad_{side}"] for side in ("top", "bottom", "left", "right"))
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    y0, x0 = ky * test["dilation_y"], kx * test["dilation_x"]
    rows = slice(y0, y0 + (test["out1"] - 1) * test["stride_y"] + 1, test["stride_y"])
    return padded[:, rows, x0 : x0 + (test["out2"] - 1) * test["stride_x"] + 1 : test["stride_x"], :]


def layer_model(test, x, w, bias):
    """The sum of products in 64 bits, wrapped to the accumulator; all tensors of rank four."""
    x, w = x.astype(np.int64) - test["zero_in"], w.astype(np.int64) - test["zero_w"]
    if test["op"] == OPS["matmul"]:
        total = np.einsum("nhci,ncwi->nhwi", x, w)
    elif test["op"] == OPS["conv2d"]:
        taps = [window(x, test, ky, kx) @ w[:, ky, kx, :].T for ky in range(w.shape[1]) for kx in range(w.shape[2])]
        total = sum(taps) + bias.astype(np.int64)
    else:
        pairs = [(ky, kx) for ky in range(w.shape[0]) for kx in range(w.shape[1])]
        total = sum(window(x, test, ky, kx)[..., None] * w[ky, kx] for ky, kx in pairs)
        total = total.reshape(*total.shape[:3], -1) + bias.astype(np.int64)
    return bits(total, test["acc_bits"], False)


def described(operator, name, inputs, constants, y):
    """The columns of a test, its input, weights and bias."""
    if operator == "matmul":
        (x, w), (zero_in, zero_w), bias = inputs, constants, np.zeros(0, np.int64)
        x, w, y = x[..., None], w[..., None], y[..., None]
        geometry = [1, 1, 0, 0, 0, 0, 1, 1]
    else:
        (x,), (w, bias, zero_in, zero_w) = inputs, constants
        geometry = re.search(r"_st(\d)(\d)_pad(\d)(\d)(\d)(\d)_dilat(\d)(\d)", name).groups()
    in_bits, weight_bits = re.search(r"_i(\d+)xi(\d+)_", name).groups()
    acc_bits = re.search(r"_(?:acci|out[i]?)(\d+)", name).group(1)
    columns = [OPS[operator], in_bits, weight_bits, acc_bits, *x.shape, *w.shape, *y.shape, *geometry]
    columns += [zero_in[0], zero_w[0], len(bias)]
    return dict(zip(LAYER, map(int, columns), strict=True)), x, w, bias, y


def layers(folder, tally):
    tests, flat, found, first = {}, {}, [], []
    for index, (operator, kept, options) in enumerate(RUNS):
        generated = generate(Path(folder) / str(index), operator, *INTEGER_TESTS, *options)
        names = list(generated)
        for name in sorted({names[i * len(names) // kept] for i in range(kept)}):
            path, inputs, constants = generated[name]
            require_exact(path)
            test, x, w, bias, y = described(operator, name, inputs, constants, reference(path))
            model = layer_model(test, x, w, bias)
            kind = f"{operator} i{test['in_bits']} x i{test['weight_bits']} to {test['acc_bits']} bits"
            tally.compare(kind, name, y.astype(np.int64), model)
            tests[f"{name} {' '.join(options[:2])}"] = list(test.values())
            found.append(digests(y, y.size))
            first.append(y.reshape(-1)[0])
            weight_key = f"weight{max(test['weight_bits'], 8)}"
            for key, values in ((f"in{test['in_bits']}", x), (weight_key, w), ("bias", bias)):
                flat.setdefault(key, []).append(values.reshape(-1))
    arrays = {key: np.concatenate(parts) for key, parts in flat.items()}
    arrays["bias"] = arrays["bias"].astype(np.int64)
    names = np.frombuffer("\n".join(tests).encode(), np.uint8)
    table = np.array(list(tests.values()), np.int16)
    first = np.array(first, np.int64)
    return {"names": names, "tests": table, "digest": np.concatenate(found), "first": first, **arrays}
