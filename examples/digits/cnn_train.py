"""Trains the convolutional network on train.py's split and writes cnn.onnx. See README.md."""

import cnn
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from train import HERE, SEED, TEST

EPOCHS = 12
RATE = 4e-3


def export(parameters, statistics, path):
    """Only the first normalization stays a node; those of conv2 and conv3 are in their weights."""
    parameters = cnn.folded(parameters, statistics, ["conv2", "conv3"])
    mean, variance = statistics["conv1"]
    stored = {"w1": parameters["conv1.w"], "gamma1": parameters["conv1.gamma"], "beta1": parameters["conv1.beta"]}
    stored |= {"mean1": mean, "variance1": variance}
    stored |= {"w2": parameters["conv2.w"], "b2": parameters["conv2.b"]}
    stored |= {"w3": parameters["conv3.w"], "b3": parameters["conv3.b"]}
    stored |= {"w4": parameters["dense.w"], "b4": parameters["dense.b"]}
    window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    rows = [
        ("Conv", ["image", "w1"], "conv1", {**window, "strides": [1, 1]}),
        ("BatchNormalization", ["conv1", "gamma1", "beta1", "mean1", "variance1"], "sum1", {"epsilon": cnn.EPSILON}),
        ("Relu", ["sum1"], "relu1", {}),
        ("MaxPool", ["relu1"], "pool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["pool", "w2", "b2"], "sum2", {**window, "strides": [2, 2]}),
        ("Relu", ["sum2"], "relu2", {}),
        ("Conv", ["relu2", "w3", "b3"], "sum3", {**window, "strides": [1, 1]}),
        ("Add", ["relu2", "sum3"], "sum4", {}),
        ("Relu", ["sum4"], "relu3", {}),
        ("GlobalAveragePool", ["relu3"], "mean", {}),
        ("Flatten", ["mean"], "flat", {"axis": 1}),
        ("Gemm", ["flat", "w4", "b4"], "logits", {}),
    ]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [output], name=f"{op}_{output}", **more) for op, inputs, output, more in rows],
        "digits_cnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", cnn.CLASSES])],
        [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name) for name, value in stored.items()],
    )
    model = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="systole-examples-digits"
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).reshape(-1, 1, 8, 8)
    train_x, test_x, train_labels, test_labels = train_test_split(
        images, labels, test_size=TEST, stratify=labels, random_state=SEED
    )
    rng = np.random.default_rng(SEED)
    parameters = cnn.initial(rng)
    cnn.train(parameters, train_x, train_labels, rng, EPOCHS, RATE)
    statistics = cnn.statistics(parameters, train_x)
    export(parameters, statistics, HERE / "cnn.onnx")
    parameters = cnn.folded(parameters, statistics, [name for name, *_ in cnn.CONVOLUTIONS])
    for name, x, y in [("train", train_x, train_labels), ("test", test_x, test_labels)]:
        correct = int((cnn.forward(parameters, x)[0].argmax(axis=1) == y).sum())
        print(f"{name}: {correct} of {len(y)} correct ({100 * correct / len(y):.2f} %)")


if __name__ == "__main__":
    main()
