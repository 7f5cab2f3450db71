"""Writes the five splits and the float networks of every width and seed, and prints their accuracies. See README.md."""

import networks
import numpy as np
from networks import HERE, SEEDS, WIDTHS
from threadpoolctl import threadpool_limits


def main():
    splits = [networks.split(seed) for seed in SEEDS]
    for seed, (train_x, train_labels, test_x, test_labels, chosen) in zip(SEEDS, splits):
        np.savez_compressed(
            HERE / f"digits-s{seed}.npz",
            calibration=train_x[chosen].astype(np.float32),
            calibration_labels=train_labels[chosen].astype(np.int64),
            test=test_x.astype(np.float32),
            labels=test_labels.astype(np.int64),
        )
    for network in (networks.Mlp, networks.Cnn):
        for width in WIDTHS:
            found = []
            for seed, (train_x, train_labels, test_x, test_labels, _) in zip(SEEDS, splits):
                rng = np.random.default_rng(seed)
                parameters = networks.initial(network, width, rng)
                parameters = networks.train(network, parameters, train_x, train_labels, rng, network.epochs)
                parameters = [p.astype(np.float32) for p in parameters]
                network.export(parameters, HERE / f"{network.name}-w{width:g}-s{seed}.onnx")
                found.append(networks.accuracy(network, parameters, test_x, test_labels))
            print(f"{network.name}, width {width:g}: {np.mean(found):.1f} % ({min(found):.1f} to {max(found):.1f})")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
