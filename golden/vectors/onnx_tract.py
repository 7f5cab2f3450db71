"""Runs the digested sets in tract, by the program of tract/.

tract computes QuantizeLinear in two ways: with one scale by the float32 reciprocal of the scale, with one scale an axis
by a division, which its optimizer makes a product by the reciprocal. So each set of int8 and uint8 is run twice: table
`quantize` with its scale given twice, for the two halves of the input, without the optimizer; table
`quantize_reciprocal` with the scale given once, with the optimizer, like all other sets.

Exceptions, with tables of their own or not stored:
  accumulators beyond 2^24 in QLinearMatMul with scales that are powers of two: tract shifts the integer and never makes
    it a float32. Table `linear_matmul_shift`, compared with the one exact rounding; what onnxruntime makes of the same
    inputs is in its table `linear_matmul`
  |x / scale| >= 2^31 with a zero point of the same sign: tract adds the zero point in int32, which wraps, so it gives
    the wrong end of the range; those elements (w & 7 = 7 in onnx_formulas.py) are ties here
  NaN: tract gives the zero point
  types of 16, 4 and 2 bits, blocks: tract has none
"""

import subprocess
import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import onnx_formulas as formulas
from onnx_bank import STORED
from onnx_cases import f32, integers
from onnx_model import F32, RANGES, matmul, quantize
from onnx_run import model
from onnx_sets import Set, quantize_sets, scale_of

CARGO = Path(__file__).parent / "tract" / "Cargo.toml"


def quantizers():
    for one in quantize_sets():
        p, _, n, zero, mantissa, exponent = one.row
        kind = one.kinds[0]
        if kind not in ("int8", "uint8"):
            continue
        x, scale = formulas.quantize_inputs(p, n, kind, zero, mantissa, exponent, raw=False), scale_of(
            mantissa, exponent
        )
        halves = [f32(x.reshape(2, -1)), f32([scale, scale]), integers(kind, [zero, zero])]
        yield Set("quantize", one.row, one.op, {"axis": 0}, halves, [kind], [quantize(x, scale, zero, kind)])
        reciprocal = [f32(x), f32(scale), integers(kind, zero)]
        with np.errstate(over="ignore"):
            expected = quantize(x * (F32(1) / scale), 1, zero, kind)
        yield Set("quantize_reciprocal", one.row, one.op, {}, reciprocal, [kind], [expected])


def products(sets):
    for one in sets:
        *_, y_zero, shift, _, terms = one.row if one.op == "QLinearMatMul" else (0,) * 4
        if terms > 8:
            a, b, a_zero, b_zero = (one.inputs[slot][1] for slot in (0, 3, 2, 5))
            low, high = RANGES[one.kinds[0]]
            quotient = np.array(
                [round(Fraction(int(acc), 2**shift)) for acc in matmul(a, b, a_zero, b_zero).reshape(-1)]
            )
            exact = np.clip(quotient + y_zero, low, high)
            yield replace(one, table="linear_matmul_shift", expected=[exact])
        elif one.op in ("QLinearMatMul", "MatMulInteger"):
            yield one


def run_tract(program, folder, sets):
    """The (set, outputs) pairs of the sets that tract runs, the peer's version, and a note."""
    wanted = [*quantizers(), *products(sets)]
    names = [f"set{index}" for index in range(len(wanted))]
    for name, one in zip(names, wanted, strict=True):
        # The left operand is fed, all else is in the model, as in a network.
        built, fed = model(one.op, one.attributes, one.inputs, one.codes(), constant=range(1, len(one.inputs)))
        onnx.save(built, folder / f"{name}.onnx")
        for index, array in enumerate(fed.values()):
            (folder / f"{name}.in{index}").write_bytes(array.tobytes())
    passes = ["plain" if one.table == "quantize" else "optimized" for one in wanted]
    (folder / "models").write_text("\n".join(map(" ".join, zip(names, passes, strict=True))))
    subprocess.run([program, folder], check=True)
    results, refused = [], {}
    for name, one in zip(names, wanted, strict=True):
        if (folder / f"{name}.error").exists():
            refused.setdefault((one.table, (folder / f"{name}.error").read_text().splitlines()[0]), []).append(one.row)
            continue
        outputs = np.frombuffer((folder / f"{name}.out").read_bytes(), STORED[one.codes()[0]])
        results.append((one, outputs.astype(np.int64)))
    for (table, error), rows in refused.items():
        print(f"tract refuses {len(rows)} sets of {table}: {error}")
    version = tomllib.loads(CARGO.read_text())["dependencies"]["tract-onnx"].lstrip("=")
    note = "quantize: one scale for each half of x, a division; quantize_reciprocal: one scale, a product by its reciprocal"
    return results, {"tract-onnx": version}, note
