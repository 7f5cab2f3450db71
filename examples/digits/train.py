"""Trains the digits network and writes mlp.onnx and digits.npz. See README.md."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 1
TEST = 360
CALIBRATION = 256
HIDDEN = 32
EPOCHS = 120
BATCH = 32
RATE = 2e-3
DECAY = 1e-4
HERE = Path(__file__).parent


def forward(layers, x):
    for weights, bias, relu in layers:
        x = x @ weights + bias
        if relu:
            x = np.maximum(x, 0)
    return x


def train(x, labels, rng):
    """Adam on the cross-entropy of softmax(relu(x w1 + b1) w2 + b2), in float64."""
    sizes = [x.shape[1], HIDDEN, 10]
    parameters = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        parameters.append(rng.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out)))
        parameters.append(np.zeros(fan_out))
    means = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    one_hot = np.eye(10)[labels]
    step = 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            w1, b1, w2, b2 = parameters
            hidden = np.maximum(x[rows] @ w1 + b1, 0)
            logits = hidden @ w2 + b2
            exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
            error = (exponents / exponents.sum(axis=1, keepdims=True) - one_hot[rows]) / len(rows)
            back = (error @ w2.T) * (hidden > 0)
            gradients = [x[rows].T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]
            step += 1
            for i, gradient in enumerate(gradients):
                means[i] = 0.9 * means[i] + 0.1 * gradient
                squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
                update = (means[i] / (1 - 0.9**step)) / (np.sqrt(squares[i] / (1 - 0.999**step)) + 1e-8)
                parameters[i] = parameters[i] - RATE * (update + DECAY * parameters[i])
    w1, b1, w2, b2 = [p.astype(np.float32) for p in parameters]
    return [(w1, b1, True), (w2, b2, False)]


def export(layers, path):
    """Flatten, Gemm, Relu, Gemm; the second Gemm holds its weights transposed, as other exporters do."""
    nodes, initializers = [helper.make_node("Flatten", ["image"], ["x0"], name="flatten", axis=1)], []
    value = "x0"
    for i, (weights, bias, relu) in enumerate(layers, 1):
        transposed = i == len(layers)
        initializers.append(numpy_helper.from_array(weights.T.copy() if transposed else weights, f"w{i}"))
        initializers.append(numpy_helper.from_array(bias, f"b{i}"))
        result = "logits" if i == len(layers) else f"x{i}"
        gemm = result if not relu else f"sum{i}"
        attributes = {"transB": 1} if transposed else {}
        nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [gemm], name=f"gemm{i}", **attributes))
        if relu:
            nodes.append(helper.make_node("Relu", [gemm], [result], name=f"relu{i}"))
        value = result
    n_inputs, n_outputs = layers[0][0].shape[0], layers[-1][0].shape[1]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", n_inputs])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", n_outputs])],
        initializers,
    )
    model = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="systole-examples-digits"
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32)
    train_x, test_x, train_labels, test_labels = train_test_split(
        images, labels, test_size=TEST, stratify=labels, random_state=SEED
    )
    rng = np.random.default_rng(SEED)
    layers = train(train_x.astype(np.float64), train_labels, rng)
    chosen = rng.permutation(len(train_x))[:CALIBRATION]
    export(layers, HERE / "mlp.onnx")
    np.savez_compressed(
        HERE / "digits.npz",
        calibration=train_x[chosen],
        calibration_labels=train_labels[chosen].astype(np.int64),
        test=test_x,
        labels=test_labels.astype(np.int64),
    )
    for name, x, y in [("train", train_x, train_labels), ("test", test_x, test_labels)]:
        correct = int((forward(layers, x).argmax(axis=1) == y).sum())
        print(f"{name}: {correct} of {len(y)} correct ({100 * correct / len(y):.2f} %)")


if __name__ == "__main__":
    main()
