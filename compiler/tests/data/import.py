"""Remakes import.npz: small models and what onnxruntime 1.32.0 and qonnx 1.0.0 (numpy 2.4.6, onnx 1.23.2; CPU, x86-64) make of them.

Quantized models run without onnxruntime's graph optimizations: operators between DequantizeLinear and QuantizeLinear are then
computed in float32, as ONNX defines them. Outputs are stored channels-last.
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
from import_models import float_cases, qonnx_cases, quantized_cases
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

HERE = Path(__file__).parent
RNG = np.random.default_rng(4)


def by_onnxruntime(model, x, optimize):
    options = onnxruntime.SessionOptions()
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]


def by_qonnx(model, x, _):
    wrapper = ModelWrapper(model)
    wrapper.set_tensor_shape("x", list(x.shape))
    wrapper = wrapper.transform(InferShapes())
    return next(iter(execute_onnx(wrapper, {"x": x}).values()))


def main():
    index, models, inputs, outputs = [], [], [], []
    floats = ((name, graph, None, by_onnxruntime) for name, graph in float_cases())
    quantized = ((name, graph, exact, by_onnxruntime) for name, graph, exact in quantized_cases())
    qonnx = ((name, graph, exact, by_qonnx) for name, graph, exact in qonnx_cases())
    for name, graph, exact, run in [*floats, *quantized, *qonnx]:
        model = graph.model()
        # Whole multiples of 1/32: some of them are ties of some scales.
        x = (RNG.normal(0, 1.5, (2, *graph.shape)) * 32).round().astype(np.float32) / 32
        y = run(model, x, exact is None)
        if name == "softmax":
            y = by_onnxruntime(graph.before_last(), x, True)
        if y.ndim == 4:
            y = y.transpose(0, 2, 3, 1)
        data = model.SerializeToString()
        models.append(np.frombuffer(data, np.uint8))
        inputs.append((x * 32).astype(np.int16).flatten())
        outputs.append(y.astype(np.float32).flatten())
        index.append({"name": name, "exact": exact, "model": len(data), "x": x.size, "y": y.size})
    arrays = {"index": np.frombuffer(json.dumps(index, separators=(",", ":")).encode(), np.uint8)}
    arrays |= {"models": np.concatenate(models), "x": np.concatenate(inputs), "y": np.concatenate(outputs)}
    with zipfile.ZipFile(HERE / "import.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    print(len(index), "models,", (HERE / "import.npz").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
