"""Vectors of the ONNX layers between products: sums, pools, clamps and QGemm; and of a whole network, tensor by tensor.

Writes
  onnx_layers-ops.npz   digests of onnxruntime's outputs, one a set; sets and inputs: onnx_layer_sets.py
  onnx_layers-cnn.npz   every integer tensor of examples/digits/cnn-*.onnx for the 360 test images: onnx_digits.py

For each table NAME of onnx_layers-ops: NAME_sets (parameters, one row a set), NAME_scales (bits of the float32 scales),
NAME_digests.

Compared with models of single float32 operations and of fused multiply-adds (x87 long doubles hold an 8-bit integer
times a float32 exactly, and its sum with a float32 whose magnitude is within 2^32 of it). No exceptions. onnxruntime
chooses kernels by the processor: QLinearAdd was seen with fused multiply-adds.
"""

import sys

import numpy as np
from common import digests, save, versions
from onnx_digits import network
from onnx_layer_sets import COLUMNS, SEED, all_sets


def main():
    arrays, counts = {}, {}
    for one in all_sets():
        output = np.asarray(one.run()).reshape(-1).astype(np.int64)
        expected = np.asarray(one.model()).reshape(-1)
        assert output.shape == expected.shape, (one.table, one.row)
        count = counts.setdefault(one.table, [0, 0])
        count[0] += len(output)
        count[1] += int(np.sum(output != expected))
        arrays.setdefault(f"{one.table}_sets", []).append(one.row)
        arrays.setdefault(f"{one.table}_scales", []).append(one.scales.view(np.uint32))
        arrays.setdefault(f"{one.table}_digests", []).append(digests(output, len(output))[0])
    for table, (compared, wrong) in counts.items():
        print(f"{table}: {compared} compared, {wrong} mismatching")
    wrong = sum(wrong for _, wrong in counts.values())
    # Nothing that the models do not explain is stored.
    if wrong:
        sys.exit(f"{wrong} values differ from the models; nothing is written")
    peers = versions("onnxruntime", "onnx")
    note = "one thread, no graph optimization; columns of the sets: " + "; ".join(
        f"{table} {' '.join(columns)}" for table, columns in COLUMNS.items()
    )
    dtypes = {"sets": np.int32, "scales": np.uint32, "digests": np.uint64}
    stored = {name: np.array(rows, dtypes[name.rpartition("_")[2]]) for name, rows in arrays.items()}
    save("onnx_layers-ops", peers, SEED, stored, note)
    arrays, note = network()
    save("onnx_layers-cnn", peers, None, arrays, note)


if __name__ == "__main__":
    main()
