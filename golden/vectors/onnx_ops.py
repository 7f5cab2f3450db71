"""Vectors of the ONNX quantization operators: onnxruntime, the node tests of onnx, and tract.

Writes
  onnx_ops-cases.npz    small cases of onnxruntime in full (format: onnx_bank.py, cases: onnx_cases.py)
  onnx_ops-nodes.npz    the 42 single-operator quantization node tests of onnx in full (format: onnx_bank.py; which of them
                        golden covers: onnx_nodes.py)
  onnx_ops-digests.npz  digests of onnxruntime's outputs; inputs by formula (onnx_formulas.py, parameters: onnx_sets.py)
  onnx_ops-tract.npz    tract's own digests of the sets that it can run; only with `--tract PROGRAM`, the built tract/

The files of digests hold for each table NAME: NAME_sets (parameters, one row a set), NAME_digests (each set's outputs in
blocks of BLOCK, the sets one after another), and linear_matmul_scales (bits of the scales of a, b, y). Floats are digested
by their bits.

Compared with models of integers and single float32 operations (onnx_model.py). Exceptions of tract: onnx_tract.py. Of
onnxruntime, none of them compared:
  int8 by uint8 QLinearMatMul and QLinearConv: onnxruntime has no kernel
  a weight zero point for each channel of ConvInteger, and one for each row of a in MatMulInteger: onnxruntime rejects them
  DynamicQuantizeLinear of NaN, of infinities, and of ranges whose scale is 0 or infinite in float32: unspecified
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import digests, save, versions
from onnx_bank import Bank
from onnx_cases import SEED as CASE_SEED
from onnx_cases import Cases
from onnx_formulas import SEED
from onnx_nodes import node_tests
from onnx_run import run
from onnx_sets import all_sets
from onnx_tract import run_tract

BLOCK = 1024


def flat(outputs):
    """All outputs of a call as one row of integers; floats as their bits."""
    parts = [np.asarray(part) for part in outputs]
    parts = [part.view(np.int32) if part.dtype == np.float32 else part.astype(np.int64) for part in parts]
    return np.concatenate([part.reshape(-1).astype(np.int64) for part in parts])


def tables(results):
    """The arrays of a file of digests from (set, outputs) pairs."""
    arrays = {}
    for one, values in results:
        arrays.setdefault(f"{one.table}_sets", []).append(one.row)
        arrays.setdefault(f"{one.table}_digests", []).append(digests(values, BLOCK))
        if one.scale_bits:
            arrays.setdefault(f"{one.table}_scales", []).append(one.scale_bits)
    dtypes = {"sets": np.int32, "scales": np.uint32}
    return {
        name: np.concatenate(rows) if name.endswith("digests") else np.array(rows, dtypes[name.rpartition("_")[2]])
        for name, rows in arrays.items()
    }


def compare(results):
    """Prints a line for each table; returns how many values differ from the model."""
    counts = {}
    for one, values in results:
        count = counts.setdefault(one.table, [0, 0])
        expected = flat(one.expected)
        assert values.shape == expected.shape, (one.table, one.row)
        count[0] += len(values)
        wrong = int(np.sum(values != expected))
        count[1] += wrong
        if wrong:
            print(f"{one.table} {one.row}: {wrong} of {len(values)} differ from the model")
    for table, (compared, wrong) in counts.items():
        print(f"{table}: {compared} compared, {wrong} mismatching")
    return sum(wrong for _, wrong in counts.values())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tract", type=Path, help="the built program of tract/")
    tract = arguments.parse_args().tract

    nodes, compared, wrong = node_tests()
    minifloats = [name for name, covered in zip(nodes.names, nodes.covered, strict=True) if not covered]
    scope = (
        f"{len(nodes.names) - len(minifloats)} of {len(nodes.names)} are covered by integer formats of 2, 4, 8, 16 and 32 bits "
        "(float16 scales as the float32 of the same value). Out of scope, as their values are minifloats: "
        + ", ".join(minifloats)
    )
    print(
        f"nodes: {len(nodes.names)} tests, {nodes.n_outputs()} outputs; {compared} compared, {wrong} mismatching. {scope}"
    )

    cases = Cases(Bank())
    cases.all()
    print(f"cases: {len(cases.bank.names)} cases, {cases.compared} compared, {cases.wrong} mismatching")

    sets, block, runtime = list(all_sets()), {"block": np.array([BLOCK])}, versions("onnxruntime", "onnx")
    results = [(one, flat(run(one.op, one.attributes, one.inputs, one.codes()))) for one in sets]
    wrong += cases.wrong + compare(results)
    files = [
        ("onnx_ops-nodes", versions("onnx"), None, nodes.arrays(), scope),
        ("onnx_ops-cases", runtime, CASE_SEED, cases.bank.arrays(), ""),
        ("onnx_ops-digests", runtime, SEED, tables(results) | block, ""),
    ]
    if tract:
        with tempfile.TemporaryDirectory() as folder:
            results, peers, note = run_tract(tract, Path(folder), sets)
        print("tract:")
        wrong += compare(results)
        files.append(("onnx_ops-tract", peers, SEED, tables(results) | block, note))
    # Nothing that the models do not explain is stored.
    if wrong:
        sys.exit(f"{wrong} values differ from the models; nothing is written")
    for file in files:
        save(*file)


if __name__ == "__main__":
    main()
