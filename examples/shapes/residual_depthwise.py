"""Writes residual_depthwise.onnx, a network of random weights, and its inputs, residual_depthwise.npz. See README.md."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

HERE = Path(__file__).parent
SEED = 3
SIZE = 16
CHANNELS = 3
CLASSES = 10
CALIBRATION = 64
TEST = 32
# Steps of the inputs, which lie in 0..=1, as pixels of few bits do.
LEVELS = 16


class Network:
    def __init__(self, rng):
        self.rng, self.nodes, self.constants = rng, [], {"zero": np.float32(0), "six": np.float32(6)}

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def weights(self, name, shape, fan_in, n):
        """Weights that keep the scale of what passes through ReLUs, and small biases."""
        self.constants[f"{name}_w"] = self.rng.normal(0, np.sqrt(2 / fan_in), shape)
        self.constants[f"{name}_b"] = self.rng.normal(0.1, 0.2, n)
        return [f"{name}_w", f"{name}_b"]

    def convolution(self, x, name, inner, outer, kernel=1, stride=1, groups=1, relu6=True):
        fan_in = inner // groups * kernel * kernel
        constants = self.weights(name, (outer, inner // groups, kernel, kernel), fan_in, outer)
        pads, strides = [kernel // 2] * 4, [stride] * 2
        attributes = {"kernel_shape": [kernel, kernel], "pads": pads, "strides": strides, "group": groups}
        if not relu6:
            return self.node("Conv", [x, *constants], name, **attributes)
        x = self.node("Conv", [x, *constants], f"{name}_sum", **attributes)
        return self.node("Clip", [x, "zero", "six"], name)

    def block(self, x, name, inner, hidden, outer, stride):
        """1 x 1 up, depthwise 3 x 3, 1 x 1 down, and the input added where shapes agree."""
        up = self.convolution(x, f"{name}_up", inner, hidden)
        depthwise = self.convolution(up, f"{name}_depthwise", hidden, hidden, 3, stride, groups=hidden)
        down = self.convolution(depthwise, f"{name}_down", hidden, outer, relu6=False)
        return self.node("Add", [x, down], name) if stride == 1 and inner == outer else down

    def model(self):
        x = self.convolution("image", "stem", CHANNELS, 8, 3)
        x = self.block(x, "block1", 8, 16, 8, 1)
        x = self.block(x, "block2", 8, 32, 16, 2)
        x = self.block(x, "block3", 16, 32, 16, 1)
        x = self.node("GlobalAveragePool", [self.convolution(x, "head", 16, 32)], "mean")
        x = self.node("Flatten", [x], "flat", axis=1)
        self.node("Gemm", [x, *self.weights("dense", (32, CLASSES), 32, CLASSES)], "logits")
        graph = helper.make_graph(
            self.nodes,
            "residual_depthwise",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", CHANNELS, SIZE, SIZE])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
            [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, ir_version=8, opset_imports=opsets, producer_name="systole-examples-shapes")


def images(rng, n):
    """Rows of channels, rows and columns: patches of 4 x 4 of one level, and noise of one step."""
    coarse = rng.integers(0, LEVELS + 1, (n, CHANNELS, SIZE // 4, SIZE // 4)).repeat(4, axis=2).repeat(4, axis=3)
    noisy = np.clip(coarse + rng.integers(-1, 2, coarse.shape), 0, LEVELS)
    return (noisy / LEVELS).astype(np.float32).reshape(n, -1)


def centre(model, rows):
    """Sets the dense layer's bias so that each logit has the mean 0 over the rows: else one class would win always."""
    constants = {one.name: one for one in model.graph.initializer}
    zero = np.zeros(CLASSES, np.float32)
    constants["dense_b"].CopyFrom(numpy_helper.from_array(zero, "dense_b"))
    logits = ReferenceEvaluator(model).run(["logits"], {"image": rows.reshape(-1, CHANNELS, SIZE, SIZE)})[0]
    constants["dense_b"].CopyFrom(numpy_helper.from_array(-logits.mean(axis=0), "dense_b"))


def main():
    rng = np.random.default_rng(SEED)
    model = Network(rng).model()
    calibration, test = images(rng, CALIBRATION), images(rng, TEST)
    centre(model, calibration)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, HERE / "residual_depthwise.onnx")
    np.savez_compressed(HERE / "residual_depthwise.npz", calibration=calibration, test=test)


if __name__ == "__main__":
    main()
