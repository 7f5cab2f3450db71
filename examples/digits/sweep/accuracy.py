"""Prints the accuracies of all files, as floats and with weights and activations of few bits. See README.md.

A plain simulation of quantization: weights symmetric with one scale a tensor, pixels and hidden values unsigned, ties
to even; biases and logits stay floats.
"""

import networks
import numpy as np
from networks import HERE, SEEDS, WIDTHS, Cnn, Mlp
from threadpoolctl import threadpool_limits

# What MSE takes the best of, as parts of the greatest magnitude.
CLIPS = np.linspace(0.2, 1, 81)


def scaled(values, low, high, scale):
    return np.clip(np.rint(values / scale), low, high) * scale


def scale_of(values, low, high, method):
    """The scale by the greatest magnitude (`max`), or by the least squared error (`mse`)."""
    whole = np.abs(values).max() / high
    if method == "max":
        return whole
    errors = [((scaled(values, low, high, clip * whole) - values) ** 2).sum() for clip in CLIPS]
    return CLIPS[np.argmin(errors)] * whole


def quantized(network, parameters, data, weight_bits, activation_bits, method):
    """Percent of the held-out images."""
    q, steps = 2 ** (weight_bits - 1) - 1, 2**activation_bits - 1
    w1, b1, w2, b2 = parameters
    _, (_, sums, *_) = networks.forward(network, parameters, network.rows(data["calibration"]))
    scale = scale_of(np.maximum(sums, 0), 0, steps, method)
    w1, w2 = [scaled(w, -q, q, scale_of(w, -q, q, method)) for w in (w1, w2)]
    images = scaled(data["test"], 0, steps, 1 / steps)
    return networks.accuracy(
        network, [w1, b1, w2, b2], images, data["labels"], lambda hidden: scaled(hidden, 0, steps, scale)
    )


def check_grid(weights, bits, path):
    """Scales by tensor and by channel are one, and the weights are integers times it."""
    q = np.float32(2 ** (bits - 1) - 1)
    scale = np.abs(weights).max() / q
    if (np.abs(weights).max(axis=0) != q * scale).any() or (np.rint(weights / scale) * scale != weights).any():
        raise SystemExit(f"{path}: weights are not integers times one scale that every channel reaches")


def line(label, columns):
    cells = [f"{np.mean(column):.1f} ({min(column):.1f} to {max(column):.1f})" for column in columns]
    print(f"| {label} | {' | '.join(cells)} |")


def main():
    data = [np.load(HERE / f"digits-s{seed}.npz") for seed in SEEDS]
    data = [{name: arrays[name] for name in arrays} for arrays in data]

    def files(network, width, bits=None):
        name = f"{network.name}-w{width:g}" if bits is None else f"trained/{network.name}-w{width:g}-b{bits}"
        return [network.load(HERE / f"{name}-s{seed}.onnx") for seed in SEEDS]

    def floats(network, width):
        return [networks.accuracy(network, p, d["test"], d["labels"]) for p, d in zip(files(network, width), data)]

    def row(network, files, weight_bits, activation_bits, method):
        return [quantized(network, p, d, weight_bits, activation_bits, method) for p, d in zip(files, data)]

    print("float, by width 0.5, 1, 2, 4")
    for network in (Mlp, Cnn):
        line(network.name, [floats(network, width) for width in WIDTHS])
    print("width 1, weights and activations of 8, 7, .., 2 bits")
    for network in (Mlp, Cnn):
        for method in ("max", "mse"):
            columns = [row(network, files(network, 1), bits, bits, method) for bits in range(8, 1, -1)]
            line(f"{network.name}, {method}", columns)
    print("trained for weights and activations of 8, 4, 3, 2 bits, by width")
    for width in WIDTHS:
        columns = []
        for bits in (8, 4, 3, 2):
            trained = files(Mlp, width, bits)
            for seed, (w1, _, w2, _) in zip(SEEDS, trained):
                for weights in (w1, w2):
                    check_grid(weights, bits, f"trained/mlp-w{width:g}-b{bits}-s{seed}.onnx")
            columns.append(row(Mlp, trained, bits, bits, "max"))
        line(f"{width:g}", columns)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
