"""The graphs of the quantized networks: QDQ, QOperator and QONNX."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WINDOW = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
POOL = {"kernel_shape": [2, 2], "strides": [2, 2]}
MICROSOFT = "com.microsoft"
QONNX = "qonnx.custom_op.general"


class Graph:
    """Nodes and initializers in the order in which they are added."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def node(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{output}", domain=domain, **attributes))
        return output

    def constant(self, name, value):
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def int4(self, name, value):
        self.initializers.append(helper.make_tensor(name, TensorProto.INT4, value.shape, value.reshape(-1)))
        return name

    def model(self, opsets, ir_version):
        graph = helper.make_graph(
            self.nodes,
            "digits_cnn",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
            self.initializers,
        )
        opset_imports = [helper.make_opsetid(*one) for one in opsets.items()]
        producer = "systole-examples-digits"
        return helper.make_model(graph, ir_version=ir_version, opset_imports=opset_imports, producer_name=producer)


def save(model, path, check=True):
    """`check`: operators outside the ONNX standard have no schema to check them by."""
    if check:
        onnx.checker.check_model(model)
    onnx.save(model, path)


def parameters_of(graph, ranges):
    """A scale and a zero point for each tensor."""
    return {
        name: [graph.constant(f"{name}_scale", scale), graph.constant(f"{name}_zero", zero)]
        for name, (scale, zero) in ranges.items()
    }


def qdq(ranges, layers, weight_bits):
    """Every tensor between two layers is quantized and dequantized; layers compute on floats.

    A max pool and a flattening keep the parameters of their input. Weights are constants of their integers, biases of
    int32.
    """
    graph = Graph()
    affine = parameters_of(graph, ranges)

    def again(value, name, parameters):
        graph.node("QuantizeLinear", [value, *affine[parameters]], f"{name}_q")
        return graph.node("DequantizeLinear", [f"{name}_q", *affine[parameters]], f"{name}_dq")

    def constants(layer):
        axis = 1 if layer == "dense" else 0
        one = layers[layer]
        names = []
        for part, value in (("w", one["w"]), ("b", one["b"])):
            narrow = part == "w" and weight_bits == 4
            n, zero = len(one[f"{part}_scale"]), f"{layer}_{part}_zero"
            graph.int4(f"{layer}_{part}_q", value) if narrow else graph.constant(f"{layer}_{part}_q", value)
            graph.constant(f"{layer}_{part}_scale", one[f"{part}_scale"])
            graph.int4(zero, np.zeros(n, np.int8)) if narrow else graph.constant(zero, np.zeros(n, value.dtype))
            inputs = [f"{layer}_{part}_q", f"{layer}_{part}_scale", zero]
            names.append(graph.node("DequantizeLinear", inputs, f"{layer}_{part}", axis=axis if part == "w" else 0))
        return names

    def convolution(x, layer, stride, output):
        return graph.node("Conv", [x, *constants(layer)], output, **WINDOW, strides=[stride, stride])

    x = again("image", "image", "image")
    x = graph.node("Relu", [convolution(x, "conv1", 1, "sum1")], "relu1")
    x = graph.node("MaxPool", [again(x, "relu1", "relu1")], "pool", **POOL)
    x = graph.node("Relu", [convolution(again(x, "pool", "relu1"), "conv2", 2, "sum2")], "relu2")
    shortcut = again(x, "relu2", "relu2")
    x = again(convolution(shortcut, "conv3", 1, "sum3"), "sum3", "sum3")
    x = graph.node("Relu", [graph.node("Add", [shortcut, x], "sum4")], "relu3")
    x = graph.node("GlobalAveragePool", [again(x, "relu3", "relu3")], "mean")
    x = graph.node("Flatten", [again(x, "mean", "mean")], "flat", axis=1)
    x = graph.node("Gemm", [again(x, "flat", "mean"), *constants("dense")], "sum5")
    graph.node("QuantizeLinear", [x, *affine["logits"]], "logits_q")
    graph.node("DequantizeLinear", ["logits_q", *affine["logits"]], "logits")
    # Integers of 4 bits came with opset 21.
    return graph.model({"": 21}, 10) if weight_bits == 4 else graph.model({"": 17}, 8)


def qoperator(ranges, layers):
    """Operators on integers; a ReLU is the clamp at a zero point of -128."""
    graph = Graph()
    affine = parameters_of(graph, ranges)

    def weights(layer):
        one = layers[layer]
        parts = {"w_q": one["w"], "w_scale": one["w_scale"], "w_zero": np.zeros(len(one["w_scale"]), np.int8)}
        return [graph.constant(f"{layer}_{part}", value) for part, value in parts.items()]

    def convolution(x, source, layer, stride, target):
        inputs = [
            x,
            *affine[source],
            *weights(layer),
            *affine[target],
            graph.constant(f"{layer}_b_q", layers[layer]["b"]),
        ]
        return graph.node("QLinearConv", inputs, f"{target}_q", **WINDOW, strides=[stride, stride])

    x = graph.node("QuantizeLinear", ["image", *affine["image"]], "image_q")
    x = convolution(x, "image", "conv1", 1, "relu1")
    x = graph.node("MaxPool", [x], "pool_q", **POOL)
    shortcut = convolution(x, "relu1", "conv2", 2, "relu2")
    x = convolution(shortcut, "relu2", "conv3", 1, "sum3")
    inputs = [shortcut, *affine["relu2"], x, *affine["sum3"], *affine["relu3"]]
    x = graph.node("QLinearAdd", inputs, "relu3_q", domain=MICROSOFT)
    inputs = [x, *affine["relu3"], *affine["mean"]]
    x = graph.node("QLinearGlobalAveragePool", inputs, "mean_q", domain=MICROSOFT, channels_last=0)
    x = graph.node("Flatten", [x], "flat_q", axis=1)
    inputs = [
        x,
        *affine["mean"],
        *weights("dense"),
        graph.constant("dense_b_q", layers["dense"]["b"]),
        *affine["logits"],
    ]
    x = graph.node("QGemm", inputs, "logits_q", domain=MICROSOFT, alpha=1.0, transA=0, transB=0)
    graph.node("DequantizeLinear", [x, *affine["logits"]], "logits")
    return graph.model({"": 17, MICROSOFT: 1}, 8)


def qonnx(weights, biases, bits, activations):
    """Quant of weights, of the image and of what each layer makes; BipolarQuant of the weights that `bits` does not name.

    `activations` has scale, bits and signedness of each tensor. A max pool and a flattening keep their input's.
    """
    graph = Graph()
    zero = graph.constant("zero", np.float32(0))
    all_bits = {*bits.values(), *(n for _, n, _ in activations.values())}
    widths = {n: graph.constant(f"bits{n}", np.float32(n)) for n in sorted(all_bits)}

    def constants(layer):
        values, scales = weights[layer]
        graph.constant(f"{layer}_float", values.astype(np.float32))
        shape = (1, -1) if layer == "dense" else (-1, 1, 1, 1)
        graph.constant(f"{layer}_scale", scales.reshape(shape) if layer in bits else scales.reshape(()))
        graph.constant(f"{layer}_b", biases[layer].astype(np.float32))
        inputs = [f"{layer}_float", f"{layer}_scale"]
        if layer in bits:
            inputs += [zero, widths[bits[layer]]]
            graph.node("Quant", inputs, f"{layer}_w", domain=QONNX, signed=1, narrow=1, rounding_mode="ROUND")
        else:
            graph.node("BipolarQuant", inputs, f"{layer}_w", domain=QONNX)
        return [f"{layer}_w", f"{layer}_b"]

    def convolution(x, layer, stride, output):
        return graph.node("Conv", [x, *constants(layer)], output, **WINDOW, strides=[stride, stride])

    def quant(x, name, output):
        scale, n, signed = activations[name]
        inputs = [x, graph.constant(f"{name}_scale", scale), zero, widths[n]]
        return graph.node("Quant", inputs, output, domain=QONNX, signed=signed, narrow=0, rounding_mode="ROUND")

    def relu(x, name):
        return quant(graph.node("Relu", [x], f"{name}_float"), name, name)

    x = relu(convolution(quant("image", "image", "image_quant"), "conv1", 1, "sum1"), "relu1")
    shortcut = relu(convolution(graph.node("MaxPool", [x], "pool", **POOL), "conv2", 2, "sum2"), "relu2")
    x = quant(convolution(shortcut, "conv3", 1, "sum3_float"), "sum3", "sum3")
    x = relu(graph.node("Add", [shortcut, x], "sum4"), "relu3")
    x = quant(graph.node("GlobalAveragePool", [x], "mean_float"), "mean", "mean")
    x = graph.node("Gemm", [graph.node("Flatten", [x], "flat", axis=1), *constants("dense")], "sum5")
    quant(x, "logits", "logits")
    return graph.model({"": 17, QONNX: 1}, 8)
