"""The networks of the sweeps: two layers of weights, the first dense or a convolution. Forwards, backwards, training.

Weights are k x n matrices: a column is an output channel. A convolution reads rows of patches.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import cnn
import numpy as np
import onnx
import train as perceptron
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEEDS = range(5)
WIDTHS = (0.5, 1, 2, 4)


def tensors_of(path):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


class Mlp:
    """64-H-10, H = 32 x width."""

    name, epochs = "mlp", perceptron.EPOCHS

    @staticmethod
    def sizes(width):
        hidden = int(perceptron.HIDDEN * width)
        return [(64, hidden), (hidden, cnn.CLASSES)]

    @staticmethod
    def rows(images):
        return images

    @staticmethod
    def pool(x):
        return x, None

    @staticmethod
    def pool_back(dy, _):
        return dy

    @staticmethod
    def export(parameters, path):
        w1, b1, w2, b2 = parameters
        perceptron.export([(w1, b1, True), (w2, b2, False)], path)

    @staticmethod
    def load(path):
        stored = tensors_of(path)
        return [stored["w1"], stored["b1"], stored["w2"].T, stored["b2"]]


class Cnn:
    """Convolution 3 x 3 without padding to 8 x width channels of 6 x 6, ReLU, max pool 2 x 2, dense."""

    name, epochs = "cnn", 60

    @staticmethod
    def sizes(width):
        channels = int(8 * width)
        return [(9, channels), (9 * channels, cnn.CLASSES)]

    @staticmethod
    def rows(images):
        windows = np.lib.stride_tricks.sliding_window_view(images.reshape(-1, 8, 8), (3, 3), (1, 2))
        return windows.reshape(len(images), 36, 9)

    @staticmethod
    def pool(x):
        y, places = cnn.max_pool(x.transpose(0, 2, 1).reshape(len(x), -1, 6, 6))
        return y.reshape(len(x), -1), places

    @staticmethod
    def pool_back(dy, places):
        dx = cnn.max_pool_back(dy.reshape(places.shape), places)
        return dx.reshape(*dx.shape[:2], 36).transpose(0, 2, 1)

    @staticmethod
    def export(parameters, path):
        w1, b1, w2, b2 = parameters
        stored = {"w1": w1.T.reshape(-1, 1, 3, 3), "b1": b1, "w2": w2, "b2": b2}
        nodes = [
            helper.make_node("Conv", ["image", "w1", "b1"], ["sum1"], name="conv1", kernel_shape=[3, 3]),
            helper.make_node("Relu", ["sum1"], ["x1"], name="relu1"),
            helper.make_node("MaxPool", ["x1"], ["pool"], name="pool1", kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Flatten", ["pool"], ["flat"], name="flatten", axis=1),
            helper.make_node("Gemm", ["flat", "w2", "b2"], ["logits"], name="gemm2"),
        ]
        graph = helper.make_graph(
            nodes,
            "digits_sweep",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", cnn.CLASSES])],
            [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in stored.items()],
        )
        model = helper.make_model(
            graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="systole-examples-digits"
        )
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)

    @staticmethod
    def load(path):
        stored = tensors_of(path)
        return [stored["w1"].reshape(-1, 9).T, stored["b1"], stored["w2"], stored["b2"]]


def split(seed):
    """Images (pixel / 16) and labels for training and for testing, and the training rows that calibrate."""
    pixels, labels = load_digits(return_X_y=True)
    train_x, test_x, train_labels, test_labels = train_test_split(
        pixels / 16, labels, test_size=perceptron.TEST, stratify=labels, random_state=seed
    )
    chosen = np.random.default_rng(seed).permutation(len(train_x))[: perceptron.CALIBRATION]
    return train_x, train_labels, test_x, test_labels, chosen


def initial(network, width, rng):
    """Weights by fan-in, biases 0: w1, b1, w2, b2."""
    parameters = []
    for k, n in network.sizes(width):
        parameters += [rng.normal(0, np.sqrt(2 / k), (k, n)), np.zeros(n)]
    return parameters


def keep(values):
    return values


def forward(network, parameters, rows, activation=keep):
    """Logits, and what the way back needs; `activation` makes of hidden values what a quantizer makes of them."""
    w1, b1, w2, b2 = parameters
    sums = rows @ w1 + b1
    pooled, places = network.pool(activation(np.maximum(sums, 0)))
    return pooled @ w2 + b2, (rows, sums, pooled, places)


def backward(network, parameters, tensors, error):
    """Gradients of the parameters from the gradient of the logits; quantizers pass gradients through."""
    rows, sums, pooled, places = tensors
    back = network.pool_back(error @ parameters[2].T, places) * (sums > 0)
    back = back.reshape(-1, back.shape[-1])
    return [rows.reshape(len(back), -1).T @ back, back.sum(axis=0), pooled.T @ error, error.sum(axis=0)]


def plain(parameters):
    return parameters, keep


def constant(_):
    return 1


def train(network, parameters, images, labels, rng, epochs, quantize=plain, fall=constant):
    """Adam on the cross-entropy of softmax(logits), in float64; ../train.py's rate times `fall` of the part done.

    In every step `quantize` makes of the parameters those that are used, and the `activation` of `forward`.
    """
    rows = network.rows(images)
    means = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    one_hot = np.eye(cnn.CLASSES)[labels]
    steps = epochs * -(-len(rows) // perceptron.BATCH)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(len(rows))
        for start in range(0, len(rows), perceptron.BATCH):
            chosen = order[start : start + perceptron.BATCH]
            used, activation = quantize(parameters)
            logits, tensors = forward(network, used, rows[chosen], activation)
            exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
            error = (exponents / exponents.sum(axis=1, keepdims=True) - one_hot[chosen]) / len(chosen)
            step += 1
            rate = perceptron.RATE * fall(step / steps)
            for i, gradient in enumerate(backward(network, used, tensors, error)):
                means[i] = 0.9 * means[i] + 0.1 * gradient
                squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
                update = means[i] / (1 - 0.9**step) / (np.sqrt(squares[i] / (1 - 0.999**step)) + 1e-8)
                parameters[i] = parameters[i] - rate * (update + perceptron.DECAY * parameters[i])
    return parameters


def accuracy(network, parameters, images, labels, activation=keep):
    """Percent of the images whose greatest logit is their label's."""
    logits, _ = forward(network, parameters, network.rows(images), activation)
    return 100 * (logits.argmax(axis=1) == labels).mean()
