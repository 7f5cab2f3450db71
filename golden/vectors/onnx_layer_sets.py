"""Parameter sets of the layers between products, their inputs by formula, onnxruntime's outputs and a model of them.

Tables, with their parameters as integers (columns COLUMNS) and their scales as float32:
  add      all 65,536 pairs (a, b) of 8-bit values, a changing slowest
  average  QLinearAveragePool; global: QLinearGlobalAveragePool; max: MaxPool. Planes x rows x cols values: value i is,
           with w = word i of the stream SEED from word p 2^20 on (p: the set's number) and the range low..=high of the
           kind, clamp(zero_x + w % span - span / 2, low, high); without the columns span is 256 and zero_x 0
  clip     all 256 values of a kind; the bounds are low and high; relu: ONNX's Relu of all int8 values
  gemm     a: words as above with span 256 and zero_x (m k of them), then b from the words that follow with span 256 and
           zero point 0 (k n), then n biases w % 40,001 - 20,000. With `by_channel` = 1 channel j of b has the scale
           f32(b f32(1 + j % 7)) and the zero point j % 5 - 2; else all have b and 0
kind: 0 int8, 1 uint8. b is int8.
"""

from dataclasses import dataclass

import numpy as np
import onnxruntime
from common import words
from onnx import helper

SEED = 0x1A7E25
F32 = np.float32
KINDS = ((np.int8, -128, 127), (np.uint8, 0, 255))
COLUMNS = {
    "add": ("kind", "zero_a", "zero_b", "zero_y"),
    "average": (
        *("p", "kind", "planes", "rows", "cols", "kernel_rows", "kernel_cols", "stride_rows", "stride_cols"),
        *("top", "left", "bottom", "right", "include_pad", "span", "zero_x", "zero_y"),
    ),
    "global": ("p", "kind", "planes", "rows", "cols", "span", "zero_x", "zero_y"),
    "max": (
        *("p", "kind", "planes", "rows", "cols", "kernel_rows", "kernel_cols", "stride_rows", "stride_cols"),
        *("top", "left", "bottom", "right", "dilation_rows", "dilation_cols"),
    ),
    "clip": ("kind", "low", "high"),
    "relu": ("kind",),
    "gemm": ("p", "kind", "m", "k", "n", "by_channel", "zero_x", "zero_y"),
}
MICROSOFT = "com.microsoft"
STANDARD_OPSET = 17


def call(op, inputs, domain=MICROSOFT, **attributes):
    """onnxruntime's output of one operator, which has the type of its first input. The other inputs are constants."""
    names, constants = [], []
    for slot, value in enumerate(inputs):
        names.append(f"in{slot}")
        if slot:
            value = np.asarray(value)
            code = helper.np_dtype_to_tensor_dtype(value.dtype)
            constants.append(helper.make_tensor(f"in{slot}", code, value.shape, value.reshape(-1)))
    code = helper.np_dtype_to_tensor_dtype(inputs[0].dtype)
    graph = helper.make_graph(
        [helper.make_node(op, names, ["out"], domain=domain, **attributes)],
        op,
        [helper.make_tensor_value_info("in0", code, inputs[0].shape)],
        [helper.make_tensor_value_info("out", code, None)],
        constants,
    )
    opsets = [helper.make_opsetid("", STANDARD_OPSET), helper.make_opsetid(MICROSOFT, 1)]
    built = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(built.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"in0": inputs[0]})[0]


def fma(p, q, r):
    """p q + r, rounded once to float32."""
    return (np.asarray(p, np.longdouble) * np.asarray(q, np.longdouble) + np.asarray(r, np.longdouble)).astype(F32)


def finish(value, zero, kind):
    """clamp(RNE(value) + zero)."""
    _, low, high = KINDS[kind]
    return np.clip(np.rint(value).astype(np.float64) + zero, low, high).astype(np.int64)


def stream(p, n, first=0):
    return words(SEED, n, (p << 20) + first)


def centred(w, kind, span, zero):
    element, low, high = KINDS[kind]
    values = zero + (w % np.uint64(span)).astype(np.int64) - span // 2
    return np.clip(values, low, high).astype(element)


@dataclass
class Set:
    table: str
    row: list
    scales: np.ndarray

    def __post_init__(self):
        self.at = dict(zip(COLUMNS[self.table], self.row, strict=True))
        self.at.setdefault("kind", 0)
        self.element = KINDS[self.at["kind"]][0]

    def zero(self, name):
        return self.element(self.at[f"zero_{name}"])

    def images(self):
        at = self.at
        n = at["planes"] * at["rows"] * at["cols"]
        values = centred(stream(at["p"], n), at["kind"], at.get("span", 256), at.get("zero_x", 0))
        return values.reshape(1, at["planes"], at["rows"], at["cols"])

    def window(self):
        at = self.at
        window = {
            "kernel_shape": [at["kernel_rows"], at["kernel_cols"]],
            "strides": [at["stride_rows"], at["stride_cols"]],
        }
        return window | {"pads": [at["top"], at["left"], at["bottom"], at["right"]]}

    def run(self):
        return getattr(self, f"run_{self.table}")()

    def model(self):
        return getattr(self, f"model_{self.table}")()

    def pairs(self):
        _, low, high = KINDS[self.at["kind"]]
        values = np.arange(low, high + 1)
        return [part.reshape(-1).astype(self.element) for part in np.meshgrid(values, values, indexing="ij")]

    def run_add(self):
        (a, b), (sa, sb, sy) = self.pairs(), self.scales
        return call("QLinearAdd", [a, sa, self.zero("a"), b, sb, self.zero("b"), sy, self.zero("y")])

    def model_add(self):
        (a, b), (sa, sb, sy) = self.pairs(), self.scales
        za, zb, zy = (F32(self.at[f"zero_{name}"]) for name in "aby")
        ratio_a, ratio_b = F32(sa / sy), F32(sb / sy)
        fixed = F32(zy - fma(ratio_a, za, F32(ratio_b * zb)))
        return finish(fma(a, ratio_a, fma(b, ratio_b, fixed)), 0, self.at["kind"])

    def quantized(self):
        return [self.images(), self.scales[0], self.zero("x"), self.scales[1], self.zero("y")]

    def run_average(self):
        more = self.window() | {"count_include_pad": self.at["include_pad"], "channels_last": 0}
        return call("QLinearAveragePool", self.quantized(), **more)

    def places(self):
        """For each output position, the rows and columns of the image that the window reads, row by row."""
        at = self.at
        lists = []
        for axis, before, after in (("rows", "top", "bottom"), ("cols", "left", "right")):
            step, size = at.get(f"dilation_{axis}", 1), at[axis]
            reach = (at[f"kernel_{axis}"] - 1) * step + 1
            starts = range(-at[before], size + at[after] - reach + 1, at[f"stride_{axis}"])
            lists.append([[i for i in range(start, start + reach, step) if 0 <= i < size] for start in starts])
        return [[[(i, j) for i in rows for j in cols] for cols in lists[1]] for rows in lists[0]]

    def pooled(self, reduce):
        images = self.images()[0]
        outputs = [[reduce(np.array([images[:, i, j] for i, j in one])) for one in line] for line in self.places()]
        return np.array(outputs).transpose(2, 0, 1)

    def model_average(self):
        at, (sx, sy) = self.at, self.scales

        def mean(read):
            sums = np.zeros(read.shape[1], F32)
            for values in read.astype(np.int64):
                sums = sums + (values - at["zero_x"]).astype(F32) * sx
            count = at["kernel_rows"] * at["kernel_cols"] if at["include_pad"] else len(read)
            return finish(sums / F32(count) / sy + F32(at["zero_y"]), 0, at["kind"])

        return self.pooled(mean)

    def run_global(self):
        return call("QLinearGlobalAveragePool", self.quantized(), channels_last=0)

    def model_global(self):
        at, (sx, sy) = self.at, self.scales
        sums = (self.images().astype(np.int64) - at["zero_x"]).sum(axis=(0, 2, 3))
        ratio = F32(sx / F32(sy * F32(at["rows"] * at["cols"])))
        return finish(sums.astype(F32) * ratio, at["zero_y"], at["kind"])

    def run_max(self):
        dilations = [self.at["dilation_rows"], self.at["dilation_cols"]]
        return call("MaxPool", [self.images()], domain="", **self.window(), dilations=dilations)

    def model_max(self):
        return self.pooled(lambda read: read.max(axis=0)).astype(np.int64)

    def every(self):
        _, low, high = KINDS[self.at["kind"]]
        return np.arange(low, high + 1).astype(self.element)

    def run_clip(self):
        return call("Clip", [self.every(), self.element(self.at["low"]), self.element(self.at["high"])], domain="")

    def model_clip(self):
        return np.minimum(np.maximum(self.every().astype(np.int64), self.at["low"]), self.at["high"])

    def run_relu(self):
        return call("Relu", [self.every()], domain="")

    def model_relu(self):
        return np.maximum(self.every().astype(np.int64), 0)

    def operands(self):
        at = self.at
        m, k, n = at["m"], at["k"], at["n"]
        a = centred(stream(at["p"], m * k), at["kind"], 256, at["zero_x"]).reshape(m, k)
        b = centred(stream(at["p"], k * n, m * k), 0, 256, 0).reshape(k, n)
        bias = (stream(at["p"], n, m * k + k * n) % np.uint64(40_001)).astype(np.int64) - 20_000
        if not at["by_channel"]:
            return a, b, self.scales[1], np.int8(0), bias.astype(np.int32)
        scales = self.scales[1] * (1 + np.arange(n) % 7).astype(F32)
        return a, b, scales, (np.arange(n) % 5 - 2).astype(np.int8), bias.astype(np.int32)

    def run_gemm(self):
        a, b, b_scales, b_zeros, bias = self.operands()
        inputs = [a, self.scales[0], self.zero("x"), b, b_scales, b_zeros, bias, self.scales[2], self.zero("y")]
        return call("QGemm", inputs, alpha=1.0, transA=0, transB=0)

    def model_gemm(self):
        a, b, b_scales, b_zeros, bias = self.operands()
        sums = (a.astype(np.int64) - self.at["zero_x"]) @ (b.astype(np.int64) - b_zeros) + bias
        ratio = (self.scales[0] * b_scales / self.scales[2]).astype(F32)
        return finish(sums.astype(F32) * ratio, self.at["zero_y"], self.at["kind"])


def scales_of(rng, style, n):
    """Multiples of one number (ties that float32 nearly or exactly keeps), powers of two (exact ties), or any."""
    if style == 0:
        unit = rng.uniform(0.01, 0.1)
        return np.array([unit * factor for factor in [*rng.integers(1, 8, n - 1), 2 * rng.integers(1, 6)]], F32)
    if style == 1:
        return (2.0 ** -rng.integers(0, 4, n)).astype(F32)
    return rng.uniform(0.01, 0.1, n).astype(F32)


def all_sets():
    rng = np.random.default_rng(SEED)

    def zeros(kind, n):
        return rng.integers(KINDS[kind][1], KINDS[kind][2] + 1, n).tolist()

    def window(dilate):
        sizes = rng.integers(4, 10, 2).tolist()
        kernel, stride = rng.integers(1, 4, 2).tolist(), rng.integers(1, 4, 2).tolist()
        pads = [min(int(pad), size - 1) for pad, size in zip(rng.integers(0, 3, 4), kernel * 2, strict=True)]
        return sizes + kernel + stride + pads + (rng.integers(1, 3, 2).tolist() if dilate else [])

    p = 0
    for index in range(24):
        for kind in (0, 1):
            yield Set("add", [kind, *zeros(kind, 3)], scales_of(rng, index % 3, 3))
            # A narrow span leaves most outputs inside the clamp.
            span = (256, 31, 9)[index % 3]
            row = [p, kind, 256, *window(False), index % 2, span, *zeros(kind, 2)]
            yield Set("average", row, scales_of(rng, index // 3 % 3, 2))
            row = [p + 1, kind, 4096, *rng.integers(1, 9, 2).tolist(), span, *zeros(kind, 2)]
            yield Set("global", row, scales_of(rng, index // 3 % 3, 2))
            yield Set("max", [p + 2, kind, 4, *window(True)], np.zeros(0, F32))
            scales = scales_of(rng, index % 3, 3) * np.array([1, 1, 512], F32)
            yield Set("gemm", [p + 3, kind, *rng.integers(1, 40, 3).tolist(), index % 2, *zeros(kind, 2)], scales)
            p += 4
    for kind, low, high in ((0, -100, 100), (0, 5, -7), (1, 3, 200), (1, 0, 255)):
        yield Set("clip", [kind, low, high], np.zeros(0, F32))
    yield Set("relu", [0], np.zeros(0, F32))
