"""Remakes mlp.npz: the weights of examples/digits/mlp.onnx as arrays, k x n, with onnx 1.23.2 and numpy 2.4.6."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

HERE = Path(__file__).resolve().parent
MODEL = HERE.parents[2] / "examples" / "digits" / "mlp.onnx"


def main():
    graph = onnx.load(MODEL).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    arrays = {}
    gemms = [node for node in graph.node if node.op_type == "Gemm"]
    for number, node in enumerate(gemms, 1):
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        weights, bias = constants[node.input[1]], constants[node.input[2]]
        arrays[f"w{number}"] = np.ascontiguousarray(weights.T if attributes.get("transB") else weights)
        arrays[f"b{number}"] = bias
    np.savez_compressed(HERE / "mlp.npz", **arrays)


if __name__ == "__main__":
    main()
