"""One-layer int8 models, built as flatbuffers, and the four sets of kernels that run them.

A layer is a dictionary:
  kind      "fc", "conv" or "depthwise"
  x         int8, fc [m, k], else [batch, height, width, channel]
  w         int8, fc [n, k], conv [n, height, width, channel], depthwise [1, height, width, n]
  bias      int32 [n]
  sx, sy    float32 scales of input and output; sw float32 [n], or [1] where one scale serves all channels
  zx, zy    zero points of input and output (weights and bias have zero point 0)
  act       "none", "relu", "relu6" or "relu_n1_to_1", fused
  stride, dilation, same    of both directions; same is true for padding SAME, false for VALID
"""

import os

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro.python.tflite_micro import runtime

KINDS = {
    "fc": (schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOptions.FullyConnectedOptions),
    "conv": (schema.BuiltinOperator.CONV_2D, schema.BuiltinOptions.Conv2DOptions),
    "depthwise": (schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.BuiltinOptions.DepthwiseConv2DOptions),
}
ACTS = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
    "relu_n1_to_1": schema.ActivationFunctionType.RELU_N1_TO_1,
}
RESOLVERS = {
    "reference": OpResolverType.BUILTIN_REF,
    "optimized": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "default": OpResolverType.BUILTIN,
}
SETS = (*RESOLVERS, "micro")
MICRO_ARENA_BYTES = 4 << 20


def channel_axis(kind):
    return 3 if kind == "depthwise" else 0


def output_size(size, kernel, layer):
    """Outputs along one direction."""
    extent = (kernel - 1) * layer["dilation"] + 1
    span = size if layer["same"] else size - extent + 1
    return -(-span // layer["stride"])


def output_shape(layer):
    x, w = layer["x"].shape, layer["w"].shape
    if layer["kind"] == "fc":
        return (x[0], w[0])
    return (x[0], output_size(x[1], w[1], layer), output_size(x[2], w[2], layer), w[channel_axis(layer["kind"])])


def tensor(name, shape, type_, buffer, scales, zero, axis=0):
    quantization = schema.QuantizationParametersT()
    quantization.scale = [float(scale) for scale in np.atleast_1d(scales)]
    quantization.zeroPoint = [int(zero)] * len(quantization.scale)
    quantization.quantizedDimension = axis
    result = schema.TensorT()
    result.name, result.shape, result.type = name.encode(), list(shape), type_
    result.buffer, result.quantization = buffer, quantization
    return result


def options(layer):
    kind, act = layer["kind"], ACTS[layer["act"]]
    if kind == "fc":
        result = schema.FullyConnectedOptionsT()
        # Without it the rows of a matrix of inputs would be merged with their columns.
        result.keepNumDims = True
    else:
        result = schema.Conv2DOptionsT() if kind == "conv" else schema.DepthwiseConv2DOptionsT()
        result.padding = schema.Padding.SAME if layer["same"] else schema.Padding.VALID
        result.strideW = result.strideH = layer["stride"]
        result.dilationWFactor = result.dilationHFactor = layer["dilation"]
        if kind == "depthwise":
            result.depthMultiplier = layer["w"].shape[3] // layer["x"].shape[3]
    result.fusedActivationFunction = act
    return result


def build(layer):
    """The layer as a model file."""
    kind = layer["kind"]
    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    axis = channel_axis(kind)
    n = layer["w"].shape[axis]
    # Kernels of convolutions want one scale a channel.
    sw = layer["sw"] if kind == "fc" else np.broadcast_to(layer["sw"], n)
    buffers = [schema.BufferT() for _ in range(3)]
    buffers[1].data = layer["w"].reshape(-1).view(np.uint8)
    buffers[2].data = layer["bias"].astype("<i4").view(np.uint8)
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("x", layer["x"].shape, int8, 0, layer["sx"], layer["zx"]),
        tensor("w", layer["w"].shape, int8, 1, sw, 0, axis),
        tensor("bias", [n], int32, 2, layer["sx"] * sw, 0),
        tensor("y", output_shape(layer), int8, 0, layer["sy"], layer["zy"]),
    ]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    builtin, operator.builtinOptionsType = KINDS[kind]
    operator.builtinOptions = options(layer)
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [3]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 3 if kind != "fc" else (4 if len(sw) == 1 else 12)
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def run(layer, kernels):
    """The outputs of one set of kernels, int8."""
    model = build(layer)
    if kernels == "micro":
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=MICRO_ARENA_BYTES)
        interpreter.set_input(layer["x"], 0)
        interpreter.invoke()
        return np.array(interpreter.get_output(0)).reshape(output_shape(layer))
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=RESOLVERS[kernels], num_threads=1
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], layer["x"])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).reshape(output_shape(layer))
