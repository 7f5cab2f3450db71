"""Remakes the fixtures beside it with numpy 2.4.6, onnx 1.23.2 and onnxruntime 1.32.0 (CPU, x86-64)."""

from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

HERE = Path(__file__).parent
DIGITS = HERE.parents[2] / "examples" / "digits"
VERSION = onnxruntime.__version__


def run(nodes, x, outputs, constants=()):
    values = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])]
    graph = helper.make_graph(nodes, "fixture", inputs, values, list(constants))
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})


def quantize(x, scale, zero_point, kind):
    constants = [
        helper.make_tensor("scale", TensorProto.FLOAT, [], [scale]),
        helper.make_tensor("zero", kind, [], [zero_point]),
    ]
    nodes = [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"])]
    return run(nodes, x, [("y", kind, [None])], constants)[0].astype(np.int32).reshape(1, -1)


def main():
    session = onnxruntime.InferenceSession(DIGITS / "mlp.onnx")
    logits = session.run(None, {"image": np.load(DIGITS / "digits.npz")["test"][:20]})[0]
    np.savez_compressed(HERE / f"digits_onnxruntime_{VERSION}.npz", logits=logits)

    # The last forty are ties of the scale 0.25 and exact multiples.
    x = np.concatenate([np.random.default_rng(3).normal(0, 3, 60), np.arange(-20, 20) * 0.125]).astype(np.float32)
    nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])]
    outputs = [("y", TensorProto.UINT8, [None]), ("scale", TensorProto.FLOAT, []), ("zero", TensorProto.UINT8, [])]
    y, scale, zero = run(nodes, x, outputs)
    np.savez_compressed(
        HERE / f"quantize_onnxruntime_{VERSION}.npz",
        x=x.reshape(1, -1),
        int8=quantize(x, 0.25, 3, TensorProto.INT8),
        uint8=quantize(x, 0.05, 131, TensorProto.UINT8),
        dynamic=y.astype(np.int32).reshape(1, -1),
        dynamic_scale=np.array([[scale]], np.float32),
        dynamic_zero=np.array([zero], np.int64),
    )
    np.savez_compressed(
        HERE / "kinds.npz",
        f64=np.array([[0.5, -2]]),
        u8=np.array([[1, 255]], np.uint8),
        cube=np.arange(8, dtype=np.int16).reshape(2, 2, 2),
        text=np.array([["a"]]),
        nan=np.array([[np.nan]], np.float32),
        fortran=np.arange(6, dtype=np.float32).reshape(2, 3).T,
        flat=np.array([1, 2], np.float32),
    )


if __name__ == "__main__":
    main()
