"""Counts how many of the 360 test images each file classifies rightly, by the packages of requirements-accuracy.txt."""

from pathlib import Path

import numpy as np
import onnxruntime
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

HERE = Path(__file__).parent


def logits(path, images):
    """onnxruntime's with its default options; QONNX's own executor for its own operators."""
    if "qonnx" in path.name:
        model = ModelWrapper(str(path))
        model.set_tensor_shape("image", list(images.shape))
        model.set_tensor_shape("logits", [len(images), 10])
        return execute_onnx(model.transform(InferShapes()), {"image": images})["logits"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": images})[0]


def main():
    data = np.load(HERE / "digits.npz")
    images, labels = data["test"].reshape(-1, 1, 8, 8), data["labels"]
    for path in sorted(HERE.glob("cnn*.onnx")):
        correct = int((logits(path, images).argmax(axis=1) == labels).sum())
        print(f"{path.name}: {correct} of {len(labels)} correct ({100 * correct / len(labels):.2f} %)")


if __name__ == "__main__":
    main()
