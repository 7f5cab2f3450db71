"""Runs one ONNX operator in onnxruntime: one thread, no graph optimization."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx_bank import STORED

OPSET = 25
IR_VERSION = 13
NARROW = {
    TensorProto.INT4: TensorProto.INT8,
    TensorProto.UINT4: TensorProto.UINT8,
    TensorProto.INT2: TensorProto.INT8,
    TensorProto.UINT2: TensorProto.UINT8,
}


def model(op, attributes, inputs, outputs, constant=()):
    """The model with one `op`: `inputs` are (type code, array) pairs or None, `outputs` type codes.

    Inputs in `constant` are stored in it, and so are those of 4 and 2 bits, which cannot be fed; outputs of 4 and 2
    bits are cast to 8 bits for the same reason.
    """
    names, fed, initializers = [], {}, []
    for slot, tensor in enumerate(inputs):
        names.append("" if tensor is None else f"in{slot}")
        if tensor is None:
            continue
        type_code, array = tensor
        array = np.asarray(array).astype(STORED[type_code])
        if slot in constant or type_code in NARROW:
            initializers.append(helper.make_tensor(f"in{slot}", type_code, array.shape, array.reshape(-1)))
        else:
            fed[f"in{slot}"] = (type_code, array)
    nodes, results = [], []
    for slot, type_code in enumerate(outputs):
        result = f"out{slot}"
        if type_code in NARROW:
            nodes.append(helper.make_node("Cast", [f"narrow{slot}"], [result], to=NARROW[type_code]))
        results.append(helper.make_tensor_value_info(result, NARROW.get(type_code, type_code), None))
    made = [f"narrow{slot}" if type_code in NARROW else f"out{slot}" for slot, type_code in enumerate(outputs)]
    nodes.insert(0, helper.make_node(op, names, made, **attributes))
    values = [helper.make_tensor_value_info(name, code, array.shape) for name, (code, array) in fed.items()]
    graph = helper.make_graph(nodes, op, values, results, initializer=initializers)
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return built, {name: array for name, (_, array) in fed.items()}


def run(op, attributes, inputs, outputs):
    """onnxruntime's outputs as arrays."""
    built, fed = model(op, attributes, inputs, outputs)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(built.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, fed)
