"""Trains the float perceptrons on for weights and activations of few bits, and writes trained/. See README.md.

Gradients pass the quantizers (straight-through estimator). In every step scales are those that a min-max calibration
of the weights used would find, of hidden values over the calibration rows.
"""

import networks
import numpy as np
from networks import HERE, SEEDS, WIDTHS, Mlp
from threadpoolctl import threadpool_limits

BITS = (2, 3, 4, 8)
EPOCHS = 60


def coarse(scale):
    """The nearest number of 12 significant bits: its products with integers of 8 bits are exact in float32."""
    fraction, exponent = np.frexp(scale)
    return np.ldexp(np.rint(fraction * 2**12), exponent - 12)


def on_grid(weights, bits):
    """The nearest integers of -q..=q times one scale, at which every column reaches q or -q.

    So calibrations by tensor and by channel find the same scale: that of the column whose greatest magnitude is least.
    """
    q = 2 ** (bits - 1) - 1
    scale = coarse(np.abs(weights).max(axis=0).min() / q)
    return np.clip(np.rint(weights / scale), -q, q) * scale


def quantizer(bits, calibration):
    """`quantize` of networks.train."""
    steps = 2**bits - 1

    def quantize(parameters):
        w1, b1, w2, b2 = parameters
        used = [on_grid(w1, bits), b1, on_grid(w2, bits), b2]
        scale = np.maximum(calibration @ used[0] + b1, 0).max() / steps
        return used, lambda hidden: np.minimum(np.rint(hidden / scale), steps) * scale

    return quantize


def fall(done):
    return 1 - done


def main():
    (HERE / "trained").mkdir(exist_ok=True)
    splits = [networks.split(seed) for seed in SEEDS]
    for width in WIDTHS:
        for bits in BITS:
            for seed, (train_x, train_labels, _, _, chosen) in zip(SEEDS, splits):
                images = np.rint(train_x * (2**bits - 1)) / (2**bits - 1)
                parameters = Mlp.load(HERE / f"mlp-w{width:g}-s{seed}.onnx")
                quantize = quantizer(bits, train_x[chosen])
                rng = np.random.default_rng(seed)
                parameters = networks.train(Mlp, parameters, images, train_labels, rng, EPOCHS, quantize, fall)
                used, _ = quantize(parameters)
                path = HERE / "trained" / f"mlp-w{width:g}-b{bits}-s{seed}.onnx"
                Mlp.export([p.astype(np.float32) for p in used], path)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
