"""Requantization by TOSA's RESCALE: conformance tests and sets rich in ties.

`names` (one a line) and `tests` (columns `RESCALE`) list all RESCALE tests with SINGLE_ROUND and all with
DOUBLE_ROUND; INEXACT_ROUND is left out, as each implementation may choose it. Multipliers and shifts, inputs and outputs of
all tests follow each other in flat arrays by width (`in8`, ..., `out32`); they are bit patterns, to be read as unsigned where
the test says so, and every value of every test is there. Element i of a test belongs to channel i % channels.

`tie_sets` (columns `RESCALE`, with channels = `CHANNELS` and `ROWS` rows) are graphs of our own that the reference model
runs on inputs rich in ties; `tie_digests` holds `ROWS * CHANNELS / BLOCK` digests of outputs for each set. Set k has the seed
`TIE_SEED + k`. With W = in_bits, M = 31 (scale32) or 15, word(i) of that seed, and int_w(x) the low w bits as two's complement:
channel c takes P = word(2 c), Q = word(2 c + 1):
  s = M - 1 + (Q & 0xffff) % W; j0 = max(0, s + 1 - W); j = j0 + ((Q >> 16) & 0xffff) % (M - j0)
  shift = s, multiplier m = 2^(M-1) | (((P | 1) << j) & (2^(M-1) - 1)), w = min(W, s + 31 - M)
element (r, c), with e = (r + 1) * CHANNELS + c, takes u = word(2 e), v = word(2 e + 1), kind = v & 7:
  kind 0..2  x = (u | 1) << max(s - 1 - j, 0): an exact tie
  kind 3, 4  t = ((u % 2^(W + M - 1 - s)) | 1) << (s - 1); x = (t + (m >> 1)) / m, rounded down, negated where v & 8:
             a product close to a tie
  kind 5, 6  x = u
  kind 7     x = (-2^(w-1), 1 - 2^(w-1), -2^(w-2), -1, 0, 1, 2^(w-2), 2^(w-1) - 1)[u & 7]
  input = the low W bits of int_w(x) + zero_in (additions and shifts modulo 2^64)
"""

import re
from pathlib import Path

import numpy as np
import tosa_serializer as ts

from common import digests, words
from tosa_peer import INTEGERS, STORED, bits, generate, graph, reference, require_exact

RESCALE = "in_bits in_unsigned out_bits out_unsigned scale32 double channels values zero_in zero_out".split()
SEED, TIE_SEED = 42, 0x746F73610000
CHANNELS, ROWS, BLOCK = 64, 64, 1024
# in_bits, in_unsigned, out_bits, out_unsigned, scale32, double, zero_in, zero_out
TIE_SETS = [
    (32, 0, 8, 0, 1, 0, 0, -5),
    (32, 0, 8, 0, 1, 1, 0, -5),
    (32, 0, 16, 0, 1, 0, 0, 0),
    (32, 0, 16, 0, 1, 1, 0, 0),
    (32, 0, 32, 0, 1, 0, 0, 0),
    (32, 0, 32, 0, 1, 1, 0, 0),
    (32, 0, 8, 0, 0, 0, 0, 127),
    (16, 0, 16, 0, 1, 1, 0, 0),
    (16, 0, 16, 1, 1, 0, 0, 32768),
    (16, 0, 8, 1, 1, 1, 0, 131),
    (16, 1, 8, 0, 1, 1, 32768, 7),
    (16, 0, 16, 0, 0, 0, 0, 0),
    (8, 0, 8, 0, 1, 0, 17, -128),
    (8, 1, 8, 0, 1, 1, 201, 126),
    (8, 0, 8, 0, 0, 0, -127, 1),
    (48, 0, 32, 0, 0, 0, 0, 0),
    (48, 0, 16, 0, 0, 0, 0, 0),
    (48, 0, 8, 0, 0, 0, 0, 3),
]


def rescale_model(test, multiplier, shift, x):
    """RESCALE in one addition and one shift; x as integers, channels along the last axis."""
    value = x - test["zero_in"]
    correction = np.where(value < 0, -(1 << 30), 1 << 30) * (test["double"] * (shift > 31))
    scaled = (value * multiplier + (np.int64(1) << (shift - 1)) + correction) >> shift
    top = 1 << (test["out_bits"] - 1)
    low, high = (0, 2 * top - 1) if test["out_unsigned"] else (-top, top - 1)
    return np.clip(scaled + test["zero_out"], low, high)


def conformance_rescale(folder, tally):
    tests, flat = {}, {}
    for name, (path, (x,), (multiplier, shift, *zeros)) in generate(
        folder, "rescale", "--seed", str(SEED), "--tensor-dim-range", "2,7"
    ).items():
        pattern = r"rescale_[\dx]+_i(\d+)_outi(\d+)_sc([01])_rm([SDI])_pc([01])_iu([01])_ou([01])"
        in_bits, out_bits, scale32, mode, _, in_unsigned, out_unsigned = re.fullmatch(pattern, name).groups()
        if mode == "I":
            continue
        require_exact(path)
        zero_in = bits(zeros[0], int(in_bits), int(in_unsigned))[0]
        zero_out = bits(zeros[1], int(out_bits), int(out_unsigned))[0]
        columns = in_bits, in_unsigned, out_bits, out_unsigned, scale32, mode == "D", len(shift), x.size, zero_in, zero_out
        test = dict(zip(RESCALE, map(int, columns), strict=True))
        y = reference(path)
        integers = bits(x, test["in_bits"], test["in_unsigned"])
        model = rescale_model(test, multiplier.astype(np.int64), shift.astype(np.int64), integers)
        tally.compare(f"RESCALE {mode}", name, bits(y, test["out_bits"], test["out_unsigned"]), model)
        tests[name] = list(test.values())
        parts = [("multiplier", multiplier, np.int32), ("shift", shift, np.int8)]
        parts += [(f"in{in_bits}", x, STORED[test["in_bits"]]), (f"out{out_bits}", y, STORED[test["out_bits"]])]
        for key, values, dtype in parts:
            flat.setdefault(key, []).append(values.reshape(-1).astype(dtype))
    names = np.frombuffer("\n".join(tests).encode(), np.uint8)
    arrays = {key: np.concatenate(parts) for key, parts in flat.items()}
    return {"names": names, "tests": np.array(list(tests.values()), np.int32), **arrays}


def tie_inputs(test, seed):
    """Multiplier, shift and input of a set, as the formula above says."""
    width, m_bits = np.int64(test["in_bits"]), 31 if test["scale32"] else 15
    pairs = words(seed, 2 * CHANNELS * (ROWS + 1)).reshape(ROWS + 1, CHANNELS, 2)
    p, q = pairs[0, :, 0], pairs[0, :, 1].view(np.int64)
    s = m_bits - 1 + (q & 0xFFFF) % width
    j0 = np.maximum(0, s + 1 - width)
    j = j0 + ((q >> 16) & 0xFFFF) % (m_bits - j0)
    top = np.uint64(1 << (m_bits - 1))
    one = np.uint64(1)
    m = top | (((p | one) << j.astype(np.uint64)) & (top - one))
    w = np.minimum(width, s + 31 - m_bits)

    u, v = pairs[1:, :, 0], pairs[1:, :, 1]
    tie = (u | one) << np.maximum(s - 1 - j, 0).astype(np.uint64)
    t = ((u % (one << (width + m_bits - 1 - s).astype(np.uint64))) | one) << (s - 1).astype(np.uint64)
    close = ((t + (m >> one)) // m).view(np.int64)
    close = np.where(v & np.uint64(8) != 0, -close, close)
    half = np.int64(1) << (w - 1)
    corners = np.stack([-half, 1 - half, -(half >> 1), 0 * w - 1, 0 * w, 0 * w + 1, half >> 1, half - 1])
    corner = np.take_along_axis(corners, (u & np.uint64(7)).astype(np.int64), 0)
    kind = v & np.uint64(7)
    x = np.select([kind <= 2, kind <= 4, kind <= 6], [tie.view(np.int64), close, u.view(np.int64)], corner)
    x = (x << (64 - w) >> (64 - w)) + test["zero_in"]
    return m.view(np.int64), s, bits(x, test["in_bits"], False)


def rescale_ties(folder, tally):
    sets, found = [], []
    for k, columns in enumerate(TIE_SETS):
        test = dict(zip(RESCALE, [*columns[:6], CHANNELS, ROWS * CHANNELS, *columns[6:]], strict=True))
        multiplier, shift, x = tie_inputs(test, TIE_SEED + k)
        in_bits, out_bits = test["in_bits"], test["out_bits"]
        mode = ts.RoundingMode.DOUBLE_ROUND if test["double"] else ts.RoundingMode.SINGLE_ROUND
        attribute = ts.TosaSerializerAttribute()
        attribute.RescaleAttribute(bool(test["scale32"]), mode, True, bool(test["in_unsigned"]), bool(test["out_unsigned"]))
        operands = [
            (x.astype(STORED[in_bits]), INTEGERS[in_bits]),
            (multiplier, INTEGERS[32 if test["scale32"] else 16]),
            (shift, INTEGERS[8]),
            (bits(np.array([test["zero_in"]]), in_bits, False), INTEGERS[in_bits]),
            (bits(np.array([test["zero_out"]]), out_bits, False), INTEGERS[out_bits]),
        ]
        path = Path(folder) / f"ties{k}"
        graph(path, ts.Op.RESCALE, operands, attribute, [(x.shape, INTEGERS[out_bits])])
        y = bits(reference(path), out_bits, test["out_unsigned"])
        model = rescale_model(test, multiplier, shift, bits(x, in_bits, test["in_unsigned"]))
        tally.compare("RESCALE ties", f"tie set {k} {test}", y, model)
        sets.append(list(test.values()))
        found.append(digests(y, BLOCK))
    return {"tie_sets": np.array(sets, np.int32), "tie_digests": np.concatenate(found)}
