"""The single-operator quantization node tests of onnx, and what our model says about those with integer formats.

The expected outputs are those stored in the tests, not those of the package's reference evaluator, which adds the zero
point before rounding in QLinearMatMul and QLinearConv and so rounds ties with odd zero points otherwise.

Not covered, and only kept: tests with float8 or float4 (minifloat formats). The float16 scales of four QLinearMatMul
tests count as the float32 of the same value.
"""

import numpy as np
from onnx import TensorProto as T
from onnx.backend.test.loader import load_model_tests
from onnx.helper import get_attribute_value
from onnx.numpy_helper import to_array
from onnx_bank import OPS, Bank
from onnx_cases import CODE
from onnx_model import F32, conv, dequantize, dynamic_quantize, matmul, quantize, requantize

KIND = {code: kind for kind, code in CODE.items()}


def evaluate(op, attributes, inputs, output_type):
    """The model's outputs; `inputs` are (type code, array) pairs."""
    arrays = [np.asarray(array).astype(np.int64 if code in KIND else F32) for code, array in inputs]
    if op in ("QuantizeLinear", "DequantizeLinear"):
        x, scale, *zero = arrays
        where = (attributes.get("axis", 1), attributes.get("block_size", 0))
        zero = zero[0] if zero else np.zeros(scale.shape, np.int64)
        if op == "QuantizeLinear":
            return [quantize(x, scale, zero, KIND[output_type], *where)]
        return [dequantize(x, scale, zero, *where)]
    if op == "DynamicQuantizeLinear":
        return dynamic_quantize(arrays[0])
    if op == "MatMulInteger":
        return [matmul(*arrays)]
    if op == "ConvInteger":
        x, w, x_zero, *w_zero = arrays
        return [conv(x, w, x_zero, w_zero[0] if w_zero else [0] * len(w), **attributes)]
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = arrays
    acc = matmul(a, b, a_zero, b_zero) if op == "QLinearMatMul" else conv(a, b, a_zero, b_zero, **attributes)
    return [requantize(acc, a_scale, b_scale, y_scale, y_zero, KIND[output_type])]


def node_tests():
    """The bank of the tests, and how many values were compared and differ."""
    bank, compared, wrong = Bank(), 0, 0
    with np.errstate(all="ignore"):
        tests = load_model_tests(kind="node")
    for test in tests:
        graph = test.model.graph
        if len(graph.node) != 1 or graph.node[0].op_type not in OPS:
            continue
        (node,) = graph.node
        types = {value.name: value.type.tensor_type.elem_type for value in [*graph.input, *graph.output]}
        ((inputs, outputs),) = test.data_sets
        inputs, outputs = (
            [(types[n], to_array(v) if hasattr(v, "data_type") else v) for n, v in zip(names, values, strict=True)]
            for names, values in ((node.input, inputs), (node.output, outputs))
        )
        attributes = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
        name = test.name.removeprefix("test_")
        bank.add(name, node.op_type, attributes, inputs, outputs)
        if not bank.covered[-1]:
            continue
        attributes.pop("output_dtype", None)
        for (code, expected), ours in zip(
            outputs, evaluate(node.op_type, attributes, inputs, outputs[0][0]), strict=True
        ):
            expected, ours = (
                np.asarray(values) if code == T.FLOAT else np.asarray(values).astype(np.int64)
                for values in (expected, ours)
            )
            assert expected.shape == ours.shape, name
            compared += expected.size
            differ = int(np.sum(expected != ours))
            wrong += differ
            if differ:
                print(f"{name}: {differ} of {expected.size} differ from the model")
    return bank, compared, wrong
