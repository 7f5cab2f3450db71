"""Vectors of QONNX's Quant, BipolarQuant and Trunc (version 1): widths 2..8, its seven rounding modes.

Writes
  qonnx_quant-digests.npz  digests of Quant's integers for 588 sets of 500 rows; inputs by the formula below
  qonnx_quant-rows.npz     in full: Quant rows of each mode, width, sign and range; one bit; BipolarQuant; Trunc

Quant gives real numbers scale (q - zero); stored and digested is q, after checking that the real number is that product.

quant_rows: row i of set p, with w = word i of the stream SEED from word p 2^16 on, range low..high, zero point z, scale
mantissa 2^exponent:
  k = 16 (low - z - 2) + (w >> 8) % (16 (high - low + 5)), in sixteenths of a step
  w & 7 = 0..2: the low four bits of k are set to 8, a tie; 3: they are set to 0; 5..7: k stays
          4:    they are set to 8, then the float's bits + 2 (bit 3 of w set) or - 2
  x = f32(k mantissa) 2^(exponent - 4)
`sets` has columns p, mode (index into MODES), bits, signed, narrow, z, mantissa, exponent.

Rows in full: `rows_sets` has bits, signed, narrow, z of 28 formats, `rows_k` 48 values k each (x = k / 16, scale 1), and
`rows_q` the q of the seven modes (set, mode, row). Trunc: `trunc_sets` has input bits, output bits, z; `trunc_k` has k
(x = k / 2, scale 1); `trunc_q` (set, mode, row) is RNE(x + z) / 2^(input bits - output bits), rounded by the mode. Trunc's
real output is q - z: the scale is not changed. Float arrays hold float32 bits.

Compared with exact rational arithmetic on the float32 sum of the float32 x / scale and the zero point. Exceptions, stored
by themselves and in no other table:
  mode HALF_UP of 0.49999997 (the float32 below 1/2): QONNX adds 1/2 in float32, which gives 1, so q = 1; exactly it is 0
  one bit, signed: QONNX makes -1 and 1 by the sign of x / scale + zero (0 gives 1), not the integers -1 and 0
"""

import sys
from fractions import Fraction
from math import ceil, floor

import numpy as np
from common import digests, save, versions, words
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

SEED = 0x90117
F32 = np.float32
MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
SCALES = ((1, -3), (3, -5), (13421773, -27))
N_ROWS = 500
DOMAIN = "qonnx.custom_op.general"


def peer(op, x, constants, opset=1, **attributes):
    """The op's outputs for x; `constants` are its further inputs."""
    names = [f"c{index}" for index in range(len(constants))]
    node = helper.make_node(op, ["x", *names], ["y"], domain=DOMAIN, **attributes)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
    tensors = [
        helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in zip(names, constants, strict=True)
    ]
    graph = helper.make_graph([node], op, values[:1], values[1:], initializer=tensors)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, opset)]
    return execute_onnx(ModelWrapper(helper.make_model(graph, opset_imports=opsets)), {"x": x})["y"]


def float_bits(values):
    """float32 values as arrays of their bits."""
    return np.atleast_1d(np.asarray(values, F32)).view(np.uint32)


def limits(bits, signed, narrow):
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def rounded(value, mode):
    """An exact ratio to an integer. HALF_UP is away from zero and HALF_DOWN toward zero: QONNX names them as Java does."""
    magnitude, sign = abs(value), -1 if value < 0 else 1
    return {
        "ROUND": lambda: round(value),
        "CEIL": lambda: ceil(value),
        "FLOOR": lambda: floor(value),
        "UP": lambda: sign * ceil(magnitude),
        "DOWN": lambda: sign * floor(magnitude),
        "HALF_UP": lambda: sign * floor(magnitude + Fraction(1, 2)),
        "HALF_DOWN": lambda: sign * ceil(magnitude - Fraction(1, 2)),
    }[mode]()


def quant_model(x, scale, zero, mode, low, high):
    sums = (x / F32(scale) + F32(zero)).astype(F32)
    return np.array([rounded(min(max(Fraction(float(v)), low), high), mode) for v in sums])


def quant_rows(p, low, high, zero, mantissa, exponent):
    w = words(SEED, N_ROWS, p << 16)
    k = 16 * (low - zero - 2) + ((w >> np.uint64(8)) % np.uint64(16 * (high - low + 5))).astype(np.int64)
    choice = (w & np.uint64(7)).astype(np.int64)
    floor16 = k & ~15
    k = np.where((choice < 3) | (choice == 4), floor16 + 8, np.where(choice == 3, floor16, k))
    x = np.ldexp((k * mantissa).astype(F32), exponent - 4).astype(F32)
    bits = x.view(np.uint32)
    beside = np.where(w & np.uint64(8), bits + np.uint32(2), bits - np.uint32(2))
    return np.where(choice == 4, beside, bits).astype(np.uint32).view(F32)


class Check:
    def __init__(self):
        self.compared = self.wrong = 0

    def same(self, what, peer, model):
        peer, model = np.asarray(peer), np.asarray(model)
        assert peer.shape == model.shape, what
        self.compared += peer.size
        wrong = int(np.sum(peer != model))
        self.wrong += wrong
        if wrong:
            print(f"{what}: {wrong} of {peer.size} differ from the model")


def quant(check, x, scale, zero, bits, signed, narrow, mode):
    """QONNX's integers; its real numbers must be exactly their products with the scale."""
    real = peer("Quant", x, [scale, zero, bits], signed=int(signed), narrow=int(narrow), rounding_mode=mode)
    q = np.rint(real.astype(np.float64) / float(scale)).astype(np.int64) + zero
    check.same("scale (q - zero)", real, (q - zero).astype(F32) * F32(scale))
    return q


def formats():
    return [(bits, signed, narrow) for bits in range(2, 9) for signed in (1, 0) for narrow in (0, 1)]


def odd_zeros(low, high):
    return (low + high) // 2 | 1, 0, high - (high + 1) % 2


def digested(check):
    sets, found, p = [], [], 0
    for mode in MODES:
        for bits, signed, narrow in formats():
            low, high = limits(bits, signed, narrow)
            for (mantissa, exponent), zero in zip(SCALES, odd_zeros(low, high), strict=True):
                x, scale = quant_rows(p, low, high, zero, mantissa, exponent), F32(np.ldexp(F32(mantissa), exponent))
                q = quant(check, x, scale, zero, bits, signed, narrow, mode)
                row = [p, MODES.index(mode), bits, signed, narrow, zero, mantissa, exponent]
                check.same(f"Quant {mode} {row}", q, quant_model(x, scale, zero, mode, low, high))
                sets.append(row)
                found.append(digests(q, N_ROWS))
                p += 1
    return {"sets": np.array(sets, np.int32), "digests": np.concatenate(found)}


def in_full(check):
    rows_sets, rows_k, rows_q = [], [], []
    for index, (bits, signed, narrow) in enumerate(formats()):
        low, high = limits(bits, signed, narrow)
        zero = odd_zeros(low, high)[0]
        w = words(SEED, 32, (1 << 30) + (index << 8))
        drawn = 8 * (2 * (low - zero) - 3 + (w % np.uint64(2 * (high - low) + 6)).astype(np.int64))
        edges = [8 * (2 * (end - zero) + d) for end in (low, high) for d in (-2, -1, 0, 1)] + [
            -24,
            -8,
            -7,
            -1,
            1,
            7,
            8,
            24,
        ]
        k = np.concatenate([edges, drawn])
        x = (k / 16).astype(F32)
        q = [quant(check, x, F32(1), zero, bits, signed, narrow, mode) for mode in MODES]
        for mode, one in zip(MODES, q, strict=True):
            check.same(f"Quant {mode} in full", one, quant_model(x, 1, zero, mode, low, high))
        rows_sets.append([bits, signed, narrow, zero])
        rows_k.append(k)
        rows_q.append(q)
    signs = np.array([-2, -0.5, -1e-45, -0.0, 0, 1e-45, 0.5, 2, np.inf, -np.inf], F32)
    scale = F32(0.75)
    bipolar = peer("BipolarQuant", signs, [scale])
    check.same("BipolarQuant", bipolar, np.where(signs >= 0, scale, -scale))
    one_bit_x = signs[np.isfinite(signs)]
    one_bit = peer("Quant", one_bit_x, [F32(1), 0, 1], signed=1, narrow=0, rounding_mode="ROUND")
    check.same("Quant, one signed bit", one_bit, np.where(one_bit_x >= 0, 1, -1))
    unsigned_bit = peer("Quant", one_bit_x, [F32(1), 0, 1], signed=0, narrow=0, rounding_mode="ROUND")
    check.same("Quant, one unsigned bit", unsigned_bit, quant_model(one_bit_x, 1, 0, "ROUND", 0, 1))
    below_half = np.nextafter(np.array([0.5, -0.5], F32), F32(0))
    exception = [quant(check, below_half, F32(1), 0, 8, 1, 0, mode) for mode in MODES]
    check.same("the float32 below 1/2", exception, [[0, 0], [1, 0], [0, -1], [1, -1], [0, 0], [1, -1], [0, 0]])
    return {
        "rows_sets": np.array(rows_sets, np.int16),
        "rows_k": np.array(rows_k, np.int16),
        "rows_q": np.array(rows_q, np.int16),
        "bipolar_x": float_bits(signs),
        "bipolar_scale": float_bits(scale),
        "bipolar_y": float_bits(bipolar),
        "one_bit_x": float_bits(one_bit_x),
        "one_bit_signed": one_bit.astype(np.int8),
        "one_bit_unsigned": unsigned_bit.astype(np.int8),
        "below_half_x": float_bits(below_half),
        "below_half_q": np.array(exception, np.int8),
        **truncations(check),
    }


def truncations(check):
    sets, ks, qs = [], [], []
    for input_bits, output_bits, zero in ((8, 4, 0), (8, 7, 1), (8, 5, -3), (6, 4, 2), (8, 2, 5), (5, 5, 1)):
        drop = 2 ** (input_bits - output_bits)
        n = 96
        w = words(SEED, n, (1 << 31) + (len(sets) << 8))
        k = -(2**input_bits) + (w % np.uint64(2 ** (input_bits + 1))).astype(np.int64)
        # Half of the sums are ties of the truncation.
        k = np.where(
            w >> np.uint64(40) & np.uint64(1) & np.uint64(drop > 1), k // (2 * drop) * 2 * drop + drop - 2 * zero, k
        )
        x = (k / 2).astype(F32)
        q = []
        for mode in MODES:
            real = peer("Trunc", x, [F32(1), zero, input_bits, output_bits], rounding_mode=mode)
            q.append((real + zero).astype(np.int64))
            check.same("Trunc", q[-1], [rounded(Fraction(round(Fraction(int(v), 2) + zero), drop), mode) for v in k])
        sets.append([input_bits, output_bits, zero])
        ks.append(k)
        qs.append(q)
    return {"trunc_sets": np.array(sets, np.int8), "trunc_k": np.array(ks, np.int16), "trunc_q": np.array(qs, np.int16)}


def main():
    check = Check()
    digest_arrays, row_arrays = digested(check), in_full(check)
    print(f"{check.compared} compared, {check.wrong} mismatching")
    # Nothing that the model does not explain is stored.
    if check.wrong:
        sys.exit(f"{check.wrong} values differ from the model; nothing is written")
    note = "exceptions: HALF_UP of the float32 below 1/2 gives 1; one signed bit gives -1 and 1"
    for name, arrays in (("digests", digest_arrays), ("rows", row_arrays)):
        save(f"qonnx_quant-{name}", versions("qonnx"), SEED, arrays, note)


if __name__ == "__main__":
    main()
