"""Quantizes cnn.onnx in four ways, from it and digits.npz alone. See README.md."""

from pathlib import Path

import cnn
import cnn_files
import numpy as np
import onnx
from onnx import numpy_helper

HERE = Path(__file__).parent
SEED = 2
LAYERS = ("conv1", "conv2", "conv3", "dense")
F32 = np.float32
# Fine-tuning on the calibration images.
EPOCHS = 30
RATE = 1e-3
# Bits of the weights in the file of QONNX; conv3's are -1 and 1.
QONNX_BITS = {"conv1": 8, "conv2": 4, "dense": 4}
# Of the ReLUs' outputs.
QONNX_ACTIVATION_BITS = 4
# Pixels are multiples of it.
PIXEL = F32(1 / 16)


def read(path):
    """The parameters of cnn.onnx, the normalization of conv1 folded."""
    stored = {one.name: numpy_helper.to_array(one).astype(np.float64) for one in onnx.load(path).graph.initializer}
    parameters = {f"{layer}.w": stored[f"w{i}"] for i, layer in enumerate(LAYERS, 1)}
    parameters |= {f"{layer}.b": stored[f"b{i}"] for i, layer in enumerate(LAYERS[1:], 2)}
    parameters |= {"conv1.gamma": stored["gamma1"], "conv1.beta": stored["beta1"]}
    return cnn.folded(parameters, {"conv1": (stored["mean1"], stored["variance1"])}, ["conv1"])


def by_channel(values, layer):
    """One row for each output channel; they are columns of the dense layer's weights."""
    return values.T if layer == "dense" else values.reshape(len(values), -1)


def spread(scales, layer):
    """Scales by output channel in a shape that divides the weights."""
    return scales if layer == "dense" else scales[:, None, None, None]


def largest_scales(weights, layer, bits):
    """The largest magnitude of each channel becomes the greatest integer; float32."""
    return (np.abs(by_channel(weights, layer)).max(axis=1) / (2 ** (bits - 1) - 1)).astype(F32)


def integers(weights, scales, layer, bits):
    """Symmetric: -2^(bits-1) does not occur."""
    limit = 2 ** (bits - 1) - 1
    return np.clip(np.rint(weights.astype(F32) / spread(scales, layer)), -limit, limit).astype(np.int8)


def closest_scales(weights, layer, bits):
    """For each channel that of 40 fractions of the largest scale that leaves the least squared error."""
    largest = largest_scales(weights, layer, bits)
    best, least = largest.copy(), np.full(len(largest), np.inf)
    for fraction in np.linspace(0.41, 1, 40):
        scales = (largest * fraction).astype(F32)
        error = weights - integers(weights, scales, layer, bits) * spread(scales, layer)
        squares = (by_channel(error, layer) ** 2).sum(axis=1)
        better = squares < least
        best[better], least[better] = scales[better], squares[better]
    return best


def activation_ranges(parameters, images):
    """Scale and zero point of int8 for each tensor: its range over the images, widened to hold 0."""
    _, tensors = cnn.forward(parameters, images)
    chosen = {}
    for name in ("image", "relu1", "relu2", "sum3", "relu3", "mean", "logits"):
        low, high = min(tensors[name].min(), 0), max(tensors[name].max(), 0)
        scale = F32((high - low) / 255)
        chosen[name] = (scale, np.int8(np.clip(np.rint(-128 - low / scale), -128, 127)))
    return chosen


def quantized(parameters, ranges, bits, scales_of):
    """Integer weights with scales by channel, and int32 biases with the scale of the sums."""
    inputs = {"conv1": "image", "conv2": "relu1", "conv3": "relu2", "dense": "mean"}
    result = {}
    for layer in LAYERS:
        weights = parameters[f"{layer}.w"]
        scales = scales_of(weights, layer, bits)
        bias_scales = ranges[inputs[layer]][0] * scales
        bias = np.rint(parameters[f"{layer}.b"] / bias_scales.astype(np.float64)).astype(np.int32)
        result[layer] = {
            "w": integers(weights, scales, layer, bits),
            "w_scale": scales,
            "b": bias,
            "b_scale": bias_scales,
        }
    return result


def tuned(parameters, images, labels, weight, activation=cnn.keep):
    """Trains on with quantized tensors in the forward pass and gradients that pass through them."""
    parameters = dict(parameters)
    rng = np.random.default_rng(SEED)
    cnn.train(parameters, images, labels, rng, EPOCHS, RATE, weight=weight, activation=activation)
    return parameters


def int4_weight(layer, weights):
    scales = closest_scales(weights, layer, 4)
    return integers(weights, scales, layer, 4) * spread(scales, layer).astype(np.float64)


def qonnx_scales(layer, weights):
    """Scales by channel, a single one for weights of -1 and 1: their mean magnitude."""
    if layer in QONNX_BITS:
        return largest_scales(weights, layer, QONNX_BITS[layer])
    return np.array([np.abs(weights).mean()], F32)


def qonnx_weight(layer, weights):
    scales = qonnx_scales(layer, weights)
    if layer in QONNX_BITS:
        return integers(weights, scales, layer, QONNX_BITS[layer]) * spread(scales, layer).astype(np.float64)
    return np.where(weights >= 0, 1.0, -1.0) * float(scales[0])


def qonnx_activations(parameters, images):
    """Scales of the ReLUs' outputs, and what tuning does to activations: the others stay as they are."""
    _, tensors = cnn.forward(parameters, images, weight=qonnx_weight)
    top = 2**QONNX_ACTIVATION_BITS - 1
    scales = {name: F32(np.quantile(tensors[name], 0.999) / top) for name in ("relu1", "relu2", "relu3")}

    def activation(name, values):
        if name not in scales:
            return values
        return np.clip(np.rint(values / scales[name]), 0, top) * float(scales[name])

    return scales, activation


def qonnx_formats(parameters, images, scales, activation):
    """Scale, bits and signedness of every activation; those that tuning leaves have 8 bits and hold their range."""
    _, tensors = cnn.forward(parameters, images, weight=qonnx_weight, activation=activation)
    formats = {name: (scale, QONNX_ACTIVATION_BITS, 0) for name, scale in scales.items()}
    formats["image"] = (PIXEL, 8, 0)
    for name, signed in (("sum3", 1), ("mean", 0), ("logits", 1)):
        formats[name] = (F32(np.abs(tensors[name]).max() / (2 ** (8 - signed) - 1)), 8, signed)
    return formats


def main():
    parameters = read(HERE / "cnn.onnx")
    data = np.load(HERE / "digits.npz")
    images, labels = data["calibration"].astype(np.float64).reshape(-1, 1, 8, 8), data["calibration_labels"]

    ranges = activation_ranges(parameters, images)
    int8 = quantized(parameters, ranges, 8, largest_scales)
    cnn_files.save(cnn_files.qdq(ranges, int8, 8), HERE / "cnn-qdq-int8.onnx")
    cnn_files.save(cnn_files.qoperator(ranges, int8), HERE / "cnn-qoperator.onnx")

    narrow = tuned(parameters, images, labels, int4_weight)
    ranges = activation_ranges(
        narrow | {f"{layer}.w": int4_weight(layer, narrow[f"{layer}.w"]) for layer in LAYERS}, images
    )
    cnn_files.save(cnn_files.qdq(ranges, quantized(narrow, ranges, 4, closest_scales), 4), HERE / "cnn-qdq-int4.onnx")

    scales, activation = qonnx_activations(parameters, images)
    coarse = tuned(parameters, images, labels, qonnx_weight, activation)
    weights = {layer: (coarse[f"{layer}.w"], qonnx_scales(layer, coarse[f"{layer}.w"])) for layer in LAYERS}
    biases = {layer: coarse[f"{layer}.b"] for layer in LAYERS}
    formats = qonnx_formats(coarse, images, scales, activation)
    cnn_files.save(cnn_files.qonnx(weights, biases, QONNX_BITS, formats), HERE / "cnn-qonnx.onnx", check=False)


if __name__ == "__main__":
    main()
