"""Every integer tensor of the quantized digits networks in onnxruntime, for the 360 test images.

The expected values are those of a session with default options: onnxruntime writes down the graph that it made (fused
operators, images channels last, int8 activations as uint8), its integer tensors are made outputs, and it runs without
further optimization. That changes nothing: the logits are those of the default session, which is checked. The int8
codes are restored (uint8 minus 128, channels first).

Variants, compared tensor by tensor and counted in the note:
  disabled, basic, extended, all   the file with its tensors as outputs, at that level of graph optimization; outputs
                                   inside a network keep operators from being fused
  int8                             as by default, with session.qdqisint8allowed = 1: onnxruntime fuses more operators

Arrays: `tensors` (names, one a line), `shapes` (one row a tensor: channels, rows, cols), and for each file FILE
  FILE_digests   one row a tensor: digests of all images' values in blocks of BLOCK_IMAGES images, channels first
  FILE_first     the values of the first FIRST images, image by image, tensor by tensor
A file all of whose tensors are those of an earlier one has neither; `same` gives that file's number for each file (its
own if it has arrays).
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from common import HERE, digests
from onnx import TensorProto, helper

DIGITS = HERE.parent.parent / "examples" / "digits"
FILES = ("cnn-qdq-int8", "cnn-qoperator", "cnn-qdq-int4")
TENSORS = {
    "image": (1, 8, 8),
    "relu1": (16, 8, 8),
    "pool": (16, 4, 4),
    "relu2": (32, 2, 2),
    "sum3": (32, 2, 2),
    "relu3": (32, 2, 2),
    "mean": (32, 1, 1),
    "flat": (32, 1, 1),
    "logits": (10, 1, 1),
}
BLOCK_IMAGES = 12
FIRST = 24
# Which input of an operator is the scale of its output; the scale's name says which tensor the output is.
SCALE_INPUT = {"QuantizeLinear": 1, "QLinearConv": 6, "QLinearAdd": 6, "QLinearGlobalAveragePool": 3, "QGemm": 7}
LEVELS = {
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def session(model, level=None, entries=(), written=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if level is not None:
        options.graph_optimization_level = level
    for key, value in entries:
        options.add_session_config_entry(key, value)
    if written:
        options.optimized_model_filepath = str(written)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def codes(name, values):
    """int8 codes, channels first."""
    values = values.astype(np.int64) - (128 if values.dtype == np.uint8 else 0)
    shape = TENSORS[name]
    if values.ndim == 4 and values.shape[1:] != shape:
        values = values.transpose(0, 3, 1, 2)
    return values.reshape(len(values), *shape)


def run(optimized, model, images, names):
    """The logits, and the tensors `names` (name in the network to name in the model) of a model that is run.

    `optimized` is the level; without one the model is run as it is, and its tensors may have other types.
    """
    built = onnx.ModelProto()
    built.CopyFrom(model)
    have = {output.name for output in built.graph.output}
    built.graph.output.extend(
        (
            helper.make_tensor_value_info(name, TensorProto.INT8, None)
            if optimized is not None
            else onnx.ValueInfoProto(name=name)
        )
        for name in names.values()
        if name not in have
    )
    level = LEVELS["disabled"] if optimized is None else optimized
    results = session(built, level).run(["logits", *names.values()], {"image": images})
    return results[0], {name: codes(name, value) for name, value in zip(names, results[1:], strict=True)}


def as_by_default(model, images, entries=()):
    """The tensors of the graph that onnxruntime makes, and its operators."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "optimized.onnx"
        logits = session(model, entries=entries, written=written).run(["logits"], {"image": images})[0]
        optimized = onnx.load(written)
    names = {}
    for node in optimized.graph.node:
        if node.op_type in SCALE_INPUT:
            names[node.input[SCALE_INPUT[node.op_type]].removesuffix("_scale")] = node.output[0]
        elif node.op_type.endswith("MaxPool"):
            names["pool"] = node.output[0]
        elif node.op_type == "Flatten":
            names["flat"] = node.output[0]
    exposed, tensors = run(None, optimized, images, names)
    assert np.array_equal(exposed, logits), "the tensors' being outputs changed the logits"
    assert list(tensors) == list(TENSORS), list(tensors)
    return logits, tensors, [node.op_type for node in optimized.graph.node]


def network():
    """The arrays, and the note as a JSON text."""
    data = np.load(DIGITS / "digits.npz")
    images, labels = data["test"].reshape(-1, 1, 8, 8), data["labels"]
    arrays = {
        "tensors": np.frombuffer("\n".join(TENSORS).encode(), np.uint8),
        "shapes": np.array(list(TENSORS.values()), np.uint8),
    }
    note, kept, same = {}, [], []
    for index, file in enumerate(FILES):
        model = onnx.load(DIGITS / f"{file}.onnx")
        logits, tensors, operators = as_by_default(model, images)
        correct = int((logits.argmax(axis=1) == labels).sum())
        differing = {}
        plain = {name: f"{name}_q" for name in TENSORS}
        for level, value in LEVELS.items():
            differing[level] = run(value, model, images, plain)[1]
        differing["int8"] = as_by_default(model, images, [("session.qdqisint8allowed", "1")])[1]
        differing = {
            variant: sum(int(np.sum(other[name] != tensors[name])) for name in TENSORS)
            for variant, other in differing.items()
        }
        values = sum(part.size for part in tensors.values())
        print(f"{file}: {correct} of {len(labels)} correct, {values} values; differing by variant: {differing}")
        note[file] = {"operators": operators, "correct": correct, "values": values, "differing": differing}
        equal = [
            i for i, other in enumerate(kept) if all(np.array_equal(other[name], tensors[name]) for name in TENSORS)
        ]
        same.append(equal[0] if equal else index)
        kept.append(tensors)
        if not equal:
            blocks = [digests(part, BLOCK_IMAGES * part[0].size) for part in tensors.values()]
            arrays[f"{file}_digests"] = np.array(blocks, np.uint64)
            arrays[f"{file}_first"] = np.concatenate(
                [part[image].reshape(-1) for image in range(FIRST) for part in tensors.values()]
            ).astype(np.int8)
    arrays["same"] = np.array(same, np.uint8)
    note["options"] = "default options, CPUExecutionProvider"
    return arrays, json.dumps(note, sort_keys=True)
