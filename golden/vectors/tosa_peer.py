"""Running the peer tosa-tools: its test generator, its reference model, and graphs of one operator written for it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import tosa_reference_model
import tosa_serializer as ts

INTEGERS = {4: ts.DType.INT4, 8: ts.DType.INT8, 16: ts.DType.INT16, 32: ts.DType.INT32, 48: ts.DType.INT48}
STORED = {8: np.int8, 16: np.int16, 32: np.int32, 48: np.int64}



class Tally:
    """Counts of compared and mismatching values by kind."""

    def __init__(self):
        self.wrong = 0
        self.counts = {}

    def compare(self, kind, name, peer, model):
        differs = int((peer != model).sum())
        tests, values, wrong = self.counts.get(kind, (0, 0, 0))
        self.counts[kind] = tests + 1, values + peer.size, wrong + differs
        self.wrong += differs
        if differs:
            i = np.flatnonzero(peer.reshape(-1) != model.reshape(-1))[0]
            print(f"{name}: {differs} differ, first [{i}]: peer {peer.reshape(-1)[i]}, model {model.reshape(-1)[i]}")


def generate(folder, operator, *options):
    """The generated tests of an operator, by name: (folder, its inputs, its constants)."""
    command = [Path(sys.executable).parent / "tosa_verif_build_tests", "--filter", f"^{operator}$", "-o", folder]
    command += ["--test-type", "positive", "--dump-const-tensors", *options]
    subprocess.run(command, check=True, capture_output=True)
    tests = {}
    for path in sorted(Path(folder).rglob("desc.json")):
        arrays = [[np.load(file) for file in sorted(path.parent.glob(f"{kind}-*.npy"))] for kind in ("input", "const")]
        tests[path.parent.name] = (path.parent, *arrays)
    return tests


def require_exact(path):
    """Stops unless the test in `path` demands an exact result."""
    compliance = json.loads((path / "desc.json").read_text())["meta"]["compliance"]["tensors"]
    if {tensor["mode"] for tensor in compliance.values()} != {"EXACT"}:
        sys.exit(f"{path.name}: its result is not demanded to be exact")


def reference(folder, n_outputs=1):
    """Runs the reference model on test.tosa and its inputs in `folder`."""
    binary = Path(tosa_reference_model.__file__).parent.parent / "bin/tosa_reference_model"
    inputs = sorted(path.name for path in folder.glob("input-*.npy"))
    outputs = [f"result-{i}" for i in range(n_outputs)]
    options = {
        "flatbuffer_dir": [str(folder)],
        "output_dir": [str(folder)],
        "tosa_file": ["test.tosa"],
        "ifm_name": [name.removesuffix(".npy") for name in inputs],
        "ifm_file": inputs,
        "ofm_name": outputs,
        "ofm_file": [f"{output}.npy" for output in outputs],
    }
    command = [binary, *(f"--{option}={','.join(values)}" for option, values in options.items())]
    subprocess.run(command, check=True, capture_output=True)
    results = [np.load(folder / f"{output}.npy") for output in outputs]
    return results[0] if n_outputs == 1 else results


def bits(values, width, unsigned):
    """Bit patterns of `width` bits as integers."""
    values = values.astype(np.int64)
    if unsigned:
        return values & ((1 << width) - 1)
    return values << (64 - width) >> (64 - width)


def graph(folder, operator, operands, attribute, outputs):
    """Writes a graph of one operator: the operands are (array, type), the first of them an input, the others constants."""
    serializer = ts.TosaSerializer()
    (x, dtype), *constants = operands
    tensors = [serializer.addPlaceholder(list(x.shape), dtype)]
    tensors += [serializer.addConst([len(values)], of, [int(v) for v in values]) for values, of in constants]
    results = [serializer.addOutput(list(shape), of) for shape, of in outputs]
    serializer.addOperator(operator, [t.name for t in tensors], [r.name for r in results], attribute)
    folder.mkdir()
    (folder / "test.tosa").write_bytes(serializer.serialize())
    np.save(folder / f"{tensors[0].name}.npy", x)
