"""Models of a few nodes, by their parts: operators of real numbers and the three quantized forms."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(20)
KINDS = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16, "uint16": np.uint16, "int32": np.int32}


def real(*shape, scale=1.0):
    return (RNG.normal(0, scale, shape) * 16).round().astype(np.float32) / 16


def spread(*shape, low, high, kind):
    return RNG.integers(low, high + 1, shape).astype(kind)


class Graph:
    """Nodes in a row: `last` is the value that the next one reads."""

    def __init__(self, *shape, kind=TensorProto.FLOAT, opset=21, symbolic=()):
        dims = ["n", *(symbolic[at] if at < len(symbolic) and symbolic[at] else dim for at, dim in enumerate(shape))]
        self.shape, self.opset, self.last = shape, opset, "x"
        self.input = helper.make_tensor_value_info("x", kind, dims)
        self.nodes, self.constants = [], []
        # Whether tensors of 4 bits are stored as bytes, or in the words of a field.
        self.raw = False

    def constant(self, value, kind=None):
        name = f"c{len(self.constants)}"
        if kind is not None and kind in (TensorProto.INT4, TensorProto.UINT4):
            value = np.asarray(value)
            tensor = helper.make_tensor(name, kind, value.shape, value.flatten().tolist())
            if self.raw:
                codes = np.append(value.flatten(), np.zeros(value.size % 2, value.dtype)).astype(np.int64) & 15
                packed = (codes[::2] | codes[1::2] << 4).astype(np.uint8)
                tensor = helper.make_tensor(name, kind, value.shape, packed.tobytes(), raw=True)
        else:
            tensor = numpy_helper.from_array(np.asarray(value), name)
        self.constants.append(tensor)
        return name

    def node(self, op, inputs=(), first=None, domain="", **attributes):
        name = f"{op.lower()}{len(self.nodes)}"
        first = self.last if first is None else first
        operands = [*([first] if first else []), *(v if isinstance(v, str) else self.constant(v) for v in inputs)]
        self.nodes.append(helper.make_node(op, operands, [f"v{len(self.nodes)}"], name=name, domain=domain, **attributes))
        self.last = self.nodes[-1].output[0]
        return self

    def fork(self, op, inputs=(), **attributes):
        """A node beside the row; gives its output."""
        kept = self.last
        made = self.node(op, inputs, **attributes).last
        self.last = kept
        return made

    # The parts of QDQ models.
    def q(self, scale, zero, kind):
        return self.node("QuantizeLinear", [np.float32(scale), KINDS[kind](zero)])

    def dq(self, scale, zero, kind):
        return self.node("DequantizeLinear", [np.float32(scale), KINDS[kind](zero)])

    def qdq(self, scale, zero, kind="int8"):
        return self.q(scale, zero, kind).dq(scale, zero, kind)

    def weights(self, values, scale, zero=None, axis=None, kind=None):
        zeros = np.zeros(np.shape(scale), values.dtype) if zero is None else zero
        operands = [self.constant(values, kind), self.constant(np.asarray(scale, np.float32)), self.constant(zeros, kind)]
        attributes = {} if axis is None else {"axis": axis}
        kept, made = self.last, self.node("DequantizeLinear", operands[1:], first=operands[0], **attributes).last
        self.last = kept
        return made

    def before_last(self):
        """The model without its last node."""
        whole, last = (list(self.nodes), self.last)
        self.last = self.nodes.pop().input[0]
        model = self.model()
        self.nodes, self.last = whole, last
        return model

    def model(self, kind=TensorProto.FLOAT):
        output = helper.make_tensor_value_info(self.last, kind, None)
        graph = helper.make_graph(self.nodes, "g", [self.input], [output], self.constants)
        domains = {node.domain for node in self.nodes if node.domain}
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(domain, 1) for domain in sorted(domains))]
        return helper.make_model(graph, ir_version=10, opset_imports=opsets)


def float_cases():
    def image(**options):
        return Graph(3, 6, 5, **options)

    w = lambda n, c, *k: real(n, c, *k, scale=0.4)
    yield "conv", image().node("Conv", [w(4, 3, 3, 2), real(4)])
    yield "conv strides pads", image().node("Conv", [w(4, 3, 3, 3), real(4)], strides=[2, 1], pads=[1, 0, 2, 1])
    yield "conv dilations", image().node("Conv", [w(2, 3, 2, 3)], dilations=[3, 2], pads=[1, 1, 0, 1])
    yield "conv group", Graph(4, 5, 5).node("Conv", [w(6, 2, 3, 3), real(6)], group=2, pads=[1, 1, 1, 1])
    yield "conv depthwise", image().node("Conv", [w(6, 1, 3, 3)], group=3)
    yield "conv same upper", image().node("Conv", [w(2, 3, 2, 3)], auto_pad="SAME_UPPER", strides=[2, 2])
    yield "conv same lower", image().node("Conv", [w(2, 3, 2, 2)], auto_pad="SAME_LOWER", strides=[1, 2])
    yield "conv valid", image().node("Conv", [w(2, 3, 2, 3)], auto_pad="VALID")
    norm = lambda n: [real(n), real(n), real(n), np.abs(real(n)) + np.float32(0.25)]
    yield "norm folded", image().node("Conv", [w(4, 3, 3, 3), real(4)]).node("BatchNormalization", norm(4), epsilon=0.01).node("Relu")
    yield "norm alone", image().node("BatchNormalization", norm(3)).node("Conv", [w(2, 3, 3, 3)], pads=[1, 1, 1, 1])
    yield "relu6", image().node("Conv", [w(4, 3, 3, 3)]).node("Clip", [np.float32(0), np.float32(1.5)])
    yield "clip attributes", image(opset=6).node("Clip", min=-0.5, max=0.25)
    yield "gemm", Graph(6).node("Gemm", [w(6, 4), real(4)], alpha=0.5, beta=-2.0)
    yield "gemm transposed", Graph(6).node("Gemm", [w(4, 6), real(1, 4)], transB=1).node("Relu")
    yield "matmul add", Graph(6).node("MatMul", [w(6, 4)]).node("Add", [real(4)]).node("Relu")
    yield "matmul sequence", Graph(5, 6).node("MatMul", [w(6, 4)]).node("Add", [real(4)])
    yield "flatten dense", image().node("Conv", [w(4, 3, 3, 3)]).node("Flatten").node("Gemm", [w(4 * 4 * 3, 2), real(2)])
    reshape = lambda *dims: [np.array(dims, np.int64)]
    yield "reshape dense", image().node("Conv", [w(4, 3, 3, 3)]).node("Reshape", reshape(0, -1)).node("MatMul", [w(48, 2)])
    yield "flatten input", image().node("Flatten").node("Gemm", [w(90, 2)])
    rows = Graph(6, 5, 3).node("Transpose", perm=[0, 3, 1, 2]).node("Conv", [w(4, 3, 3, 3)])
    yield "rows first", rows.node("Transpose", perm=[0, 2, 3, 1]).node("Flatten").node("Gemm", [w(48, 2)])
    yield "rows first flattened", Graph(6, 5, 3).node("Transpose", perm=[0, 3, 1, 2]).node("Flatten").node("Gemm", [w(90, 2)])
    yield "flat input as image", Graph(36).node("Reshape", reshape(-1, 1, 6, 6)).node("Conv", [w(2, 1, 3, 3)])
    yield "max pool", image().node("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])
    yield "max pool dilations", image().node("MaxPool", kernel_shape=[2, 2], dilations=[2, 3], strides=[1, 1])
    yield "max pool ceil that does not matter", image().node("MaxPool", kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1)
    yield "average pool", image().node("AveragePool", kernel_shape=[3, 2], strides=[1, 2])
    yield "average pool pads", image().node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    yield "global average", image().node("GlobalAveragePool").node("Flatten").node("Gemm", [w(3, 2)])
    yield "global max", image().node("GlobalMaxPool")
    yield "mean attribute", image(opset=13).node("ReduceMean", axes=[2, 3], keepdims=0).node("Gemm", [w(3, 2)])
    yield "mean operand", image().node("ReduceMean", [np.array([-1, -2], np.int64)], keepdims=1)
    yield "mean of rows", image().node("ReduceMean", [np.array([2], np.int64)], keepdims=1)
    residual = image().node("Conv", [w(3, 3, 3, 3)], pads=[1, 1, 1, 1]).node("Relu")
    kept = residual.last
    residual.node("Conv", [w(3, 3, 3, 3)], pads=[1, 1, 1, 1]).node("Add", [kept])
    yield "residual", residual.node("Relu")
    two = image().node("Conv", [w(3, 3, 1, 1)])
    yield "clamp of one reader", two.node("Add", [two.fork("Relu")])
    yield "add to the input", image().node("Add", ["x"])
    yield "constants", image().node("Add", [real(3, 1, 1)]).node("Mul", [real(1, 3, 1, 1)]).node("Sub", [np.float32(0.5)]).node("Div", [np.float32(4)])
    less = image()
    yield "constant less", less.node("Sub", ["x"], first=less.constant(np.float32(1)))
    for op, attributes in [
        ("Sigmoid", {}), ("Tanh", {}), ("HardSigmoid", {}), ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}), ("HardSwish", {}),
        ("LeakyRelu", {"alpha": 0.1}), ("LeakyRelu", {}), ("Elu", {"alpha": 0.7}), ("Gelu", {}),
    ]:  # fmt: skip
        yield f"{op} {attributes}", Graph(16).node(op, **attributes)
    silu = Graph(16)
    yield "silu", silu.node("Mul", [silu.fork("Sigmoid")])
    swish = Graph(16)
    yield "hard swish of two", swish.node("Mul", [swish.fork("HardSigmoid", alpha=1 / 6, beta=0.5)])
    yield "identity dropout", image().node("Identity").node("Dropout").node("Conv", [w(2, 3, 1, 1)])
    squeezed = image().node("GlobalAveragePool").node("Squeeze", [np.array([2, 3], np.int64)])
    yield "squeeze", squeezed.node("Gemm", [w(3, 4)]).node("Unsqueeze", [np.array([2, 3], np.int64)]).node("Conv", [w(2, 4, 1, 1)])
    yield "softmax", Graph(6).node("Gemm", [w(6, 4)]).node("Softmax", axis=-1)
    patches = Graph(3, 6, 4).node("Conv", [w(4, 3, 2, 2)], strides=[2, 2]).node("Reshape", reshape(0, 4, -1))
    patches.node("Transpose", perm=[0, 2, 1]).node("MatMul", [w(4, 5)]).node("Gelu")
    yield "patches", patches.node("ReduceMean", [np.array([1], np.int64)], keepdims=0)
    turned = Graph(6)
    yield "constant transposed", turned.node("MatMul", [turned.fork("Transpose", first=turned.constant(w(4, 6)), perm=[1, 0])])
    made = Graph(6)
    yield "constant node", made.node("Add", [made.fork("Constant", first="", value=numpy_helper.from_array(real(6)))])
    only = image()
    yield "weights alone quantized", only.node("Conv", [only.weights(spread(4, 3, 3, 3, low=-128, high=127, kind=np.int8), [0.01, 0.02, 0.03, 0.04], axis=0)])
    yield "symbolic", Graph(3, 6, 5, symbolic=(None, "h", "w")).node("Conv", [w(2, 3, 3, 3)])


def quantized_cases():
    """Name, graph and whether all ratios of scales are powers of two."""
    i8 = lambda *shape: spread(*shape, low=-15, high=15, kind=np.int8) * np.int8(8) + np.int8(7)
    i32 = lambda n: spread(n, low=-2000, high=2000, kind=np.int32)
    half = lambda e: 2.0**e

    for exact in (True, False):
        s = (lambda e: half(e)) if exact else (lambda e: half(e) * (1 + 0.29 / (e * e + 1)))
        tag = "exact" if exact else "other"

        def start(kind="int8", zero=3, *shape):
            return Graph(*(shape or (3, 6, 5))).qdq(s(-5), zero, kind)

        def conv(g, n, c, k, exponent=-7, bias=True, axis=None, **attributes):
            scales = s(exponent) if axis is None else np.array([s(exponent - j % 3) for j in range(n)], np.float32)
            operands = [g.weights(i8(n, c, k, k), scales, axis=axis)]
            if bias:
                product = np.float32(s(-5)) * np.asarray(scales, np.float32)
                operands.append(g.weights(i32(n), product, zero=None if axis is None else np.zeros(n, np.int32), axis=axis))
            return g.node("Conv", operands, **attributes)

        yield f"conv int8 {tag}", conv(start(), 4, 3, 3, pads=[1, 1, 1, 1]).qdq(s(-2), -4), exact
        yield f"conv uint8 {tag}", conv(start("uint8", 131), 4, 3, 3, axis=0, pads=[1, 1, 1, 1]).qdq(s(-2), 120, "uint8"), exact
        yield f"conv relu {tag}", conv(start(), 4, 3, 3, axis=0, strides=[2, 2]).node("Relu").qdq(s(-3), -128), exact
        yield f"conv clip {tag}", conv(start(), 4, 3, 3).node("Clip", [np.float32(-1), np.float32(6)]).qdq(s(-4), 5), exact
        yield f"conv int16 {tag}", conv(start("int16", 40), 2, 3, 3).qdq(s(-6), -3, "int16"), exact
        g = start("uint8", 128, 8)
        g.raw = exact
        int4 = g.weights(spread(8, 5, low=-8, high=7, kind=np.int8), [s(-3)] * 5, np.zeros(5, np.int8), 1, TensorProto.INT4)
        yield f"matmul int4 {tag}", g.node("MatMul", [int4]).node("Add", [real(5)]).qdq(s(-3), 100, "uint8"), exact
        g = start("uint8", 128, 8)
        uint8 = g.weights(spread(5, 8, low=1, high=255, kind=np.uint8), s(-7), np.uint8(128))
        yield f"gemm uint8 weights {tag}", g.node("Gemm", [uint8, real(5)], transB=1).qdq(s(-4), 128, "uint8"), exact
        yield f"max pool {tag}", start().node("MaxPool", kernel_shape=[2, 2], pads=[1, 0, 0, 0]).qdq(s(-5), 3), exact
        yield f"max pool rescaled {tag}", start().node("MaxPool", kernel_shape=[2, 2], pads=[1, 0, 0, 0]).qdq(s(-4), -20), exact
        yield f"max pool kept {tag}", conv(start().node("MaxPool", kernel_shape=[2, 2]), 2, 3, 2).qdq(s(-2), 0), exact
        yield f"average pool {tag}", start().node("AveragePool", kernel_shape=[2, 2]).qdq(s(-5), 1), exact
        yield f"average pool pads {tag}", start("uint8", 7).node(
            "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
        ).qdq(s(-6), 9, "uint8"), False
        yield f"global average {tag}", start("int8", 3, 3, 4, 4).node("GlobalAveragePool").qdq(s(-6), 1), exact
        g = start()
        yield f"add {tag}", g.node("Add", [g.fork("Identity")]).qdq(s(-4), -7), exact
        g = conv(start(), 3, 3, 1).qdq(s(-3), -9)
        yield f"add of two scales {tag}", g.node("Add", ["v1"]).qdq(s(-3), 11), exact
        yield f"requantized {tag}", start().qdq(s(-4), -11).qdq(s(-4), 7), exact
        g = start()
        yield f"constant a channel {tag}", g.node("Add", [g.weights(i8(3, 1, 1), s(-4))]).qdq(s(-4), 9), exact
        g = start("uint8", 131).node("Mul", [np.array([0.5, -2, 0], np.float32).reshape(3, 1, 1)]).node("Sub", [np.float32(1)])
        yield f"factors of both signs {tag}", g.qdq(s(-4), 90, "uint8"), exact
        for op in ["Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "Elu", "Gelu"] if exact else ["Sigmoid"]:
            yield f"{op} {tag}", start("int8", 3, 16).node(op).qdq(s(-7) if op in ("Sigmoid", "Tanh") else s(-5), -1), False
        g = start("int8", 3, 16)
        yield f"silu {tag}", g.node("Mul", [g.fork("Sigmoid")]).qdq(s(-5), -100), False
        g = conv(start(), 4, 3, 3).qdq(s(-2), 2).node("Flatten")
        yield f"flatten dense {tag}", g.node("Gemm", [g.weights(i8(48, 2), s(-8)), real(2)]).qdq(s(0), 3), exact
        g = conv(Graph(6, 5, 3).qdq(s(-5), 0).node("Transpose", perm=[0, 3, 1, 2]), 4, 3, 3).qdq(s(-2), 2)
        g.node("Transpose", perm=[0, 2, 3, 1]).node("Reshape", [np.array([0, 48], np.int64)])
        yield f"rows first {tag}", g.node("MatMul", [g.weights(i8(48, 2), s(-8))]).qdq(s(0), 3), exact
        chain = conv(start(), 4, 3, 3, pads=[1, 1, 1, 1]).node("Relu").qdq(s(-2), -128)
        kept = chain.last
        w = chain.weights(i8(4, 4, 3, 3), s(-9))
        chain.node("Conv", [w, real(4)], pads=[1, 1, 1, 1]).qdq(s(-1), 5).node("Add", [kept]).node("Relu").qdq(s(-1), -100)
        if exact:
            chain.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).node("Reshape", [np.array([0, 4 * 3 * 2], np.int64)])
            yield "chain exact", chain.node("MatMul", [chain.weights(i8(24, 5), s(-8))]).qdq(s(2), 0), exact
        # Operators of integers.
        ms = "com.microsoft"
        f, z8, zu = np.float32, np.int8, np.uint8
        g = Graph(3, 6, 5).q(s(-5), 3, "int8")
        g.node("QLinearConv", [f(s(-5)), z8(3), i8(4, 3, 3, 3), f(s(-7)), z8(0), f(s(-2)), z8(-4), i32(4)], pads=[1, 1, 1, 1])
        yield f"QLinearConv {tag}", g.dq(s(-2), -4, "int8"), exact
        g = Graph(3, 6, 5).q(s(-5), 131, "uint8")
        per = np.array([s(-7), s(-8), s(-9), s(-7)], np.float32)
        g.node("QLinearConv", [f(s(-5)), zu(131), spread(4, 3, 3, 3, low=1, high=255, kind=np.uint8), per, np.full(4, 128, np.uint8), f(s(-2)), zu(119)])
        yield f"QLinearConv per channel {tag}", g.dq(s(-2), 119, "uint8"), exact
        g = Graph(8).q(s(-5), 131, "uint8")
        g.node("QLinearMatMul", [f(s(-5)), zu(131), i8(8, 5) // 2, f(s(-7)), z8(0), f(s(-4)), zu(99)])
        yield f"QLinearMatMul {tag}", g.dq(s(-4), 99, "uint8"), exact
        g = Graph(8).q(s(-5), 131, "uint8").node("MatMulInteger", [i8(8, 5) // 2, zu(131)]).node("Cast", to=1)
        g.node("Mul", [np.array([f(s(-5)) * f(s(-7 - j % 2)) for j in range(5)], np.float32)]).node("Add", [real(5)]).node("Relu")
        yield f"MatMulInteger {tag}", g.qdq(s(-4), 99, "uint8"), exact
        g = Graph(3, 6, 5).q(s(-5), 131, "uint8").node("ConvInteger", [spread(4, 3, 3, 3, low=0, high=255, kind=np.uint8), zu(131), zu(128)]).node("Cast", to=1)
        yield f"ConvInteger {tag}", g.node("Mul", [f(s(-5)) * f(s(-7))]).qdq(s(-3), 99, "uint8"), exact
        g = Graph(3, 6, 5).q(s(-5), 3, "int8")
        other = g.fork("QLinearConv", [f(s(-5)), z8(3), i8(3, 3, 1, 1), f(s(-7)), z8(0), f(s(-3)), z8(-9)])
        g.node("QLinearAdd", [f(s(-5)), z8(3), other, f(s(-3)), z8(-9), f(s(-3)), z8(4)], domain=ms)
        yield f"QLinearAdd {tag}", g.dq(s(-3), 4, "int8"), exact
        g = Graph(5).q(s(-5), 3, "int8").node("QLinearAdd", [f(s(-5)), z8(3), i8(5), f(s(-4)), z8(1), f(s(-4)), z8(4)], domain=ms)
        yield f"QLinearAdd of a constant {tag}", g.dq(s(-4), 4, "int8"), exact
        pools = [("QLinearGlobalAveragePool", {}, (3, 4, 4)), ("QLinearAveragePool", {"kernel_shape": [2, 2]}, (3, 6, 5))]
        for op, attributes, shape in pools:
            g = Graph(*shape).q(s(-5), 131, "uint8")
            g.node(op, [f(s(-5)), zu(131), f(s(-6)), zu(90)], domain=ms, **attributes)
            yield f"{op} {tag}", g.dq(s(-6), 90, "uint8"), exact
        g = Graph(8).q(s(-5), 131, "uint8")
        g.node("QGemm", [f(s(-5)), zu(131), i8(5, 8) // 2, f(s(-7)), z8(0), i32(5), f(s(-4)), zu(99)], domain=ms, transB=1)
        yield f"QGemm {tag}", g.dq(s(-4), 99, "uint8"), exact
        for op in ["QLinearSigmoid", "QLinearLeakyRelu"]:
            g = Graph(16).q(s(-5), 131, "uint8").node(op, [f(s(-5)), zu(131), f(s(-7)), zu(30)], domain=ms)
            yield f"{op} {tag}", g.dq(s(-7), 30, "uint8"), False


def qonnx_cases():
    quantize = dict(domain="qonnx.custom_op.general", signed=1, narrow=0, rounding_mode="ROUND")

    def quant(g, scale, bits, first=None, zero=0.0, **attributes):
        return g.node("Quant", [np.float32(scale), np.float32(zero), np.float32(bits)], first=first, **{**quantize, **attributes})

    def weights(g, values, scale, bits, **attributes):
        kept = g.last
        made = quant(g, scale, bits, first=g.constant(values), **attributes).last
        g.last = kept
        return made

    for mode in ["ROUND", "CEIL", "FLOOR", "HALF_UP"]:
        g = quant(Graph(3, 6, 5, opset=16), 0.125, 5)
        g.node("Conv", [weights(g, real(4, 3, 3, 3), 2**-3, 4, narrow=1, rounding_mode=mode), real(4)], pads=[1, 1, 1, 1])
        yield f"quant {mode}", quant(g.node("Relu"), 0.25, 4, signed=0), True
    g = quant(Graph(3, 6, 5, opset=16), 0.125, 6, signed=0, zero=8.0)
    scales = np.array([0.25, 0.125, 0.0625, 0.5], np.float32).reshape(4, 1, 1, 1)
    g.node("Conv", [weights(g, real(4, 3, 3, 3), scales, 3)])
    g.node("BatchNormalization", [np.array([1, -0.5, 0.25, 2], np.float32), real(4).round(), real(4).round(), np.full(4, 1, np.float32)], epsilon=0.0)
    yield "quant norm", quant(g, 0.25, 8), True
    g = quant(Graph(8, opset=16), 0.125, 4)
    kept = g.last
    g.node("BipolarQuant", [np.float32(0.5)], first=g.constant(real(8, 5)), domain="qonnx.custom_op.general")
    bipolar, g.last = g.last, kept
    yield "bipolar", quant(g.node("MatMul", [bipolar]), 0.25, 6), True
    g = quant(Graph(8, opset=16), 0.13, 4)
    yield "quant other", quant(g.node("MatMul", [weights(g, real(8, 5), 0.07, 4)]), 0.21, 6), False
