"""Block scaling to MXINT8 by TOSA's reference model.

CAST_TO_BLOCK_SCALED of `N_BLOCKS` blocks of 32 float32, `elements` (int8) and `exponents` (E8M0 bytes). Block b
has E = (7 b) % 41 - 20 and the maximum M = (1020 2^12, 1020 2^12 - 1, 1020 2^12 + 1, 2^22 - 1, 2^21, 1016 2^12, 3 2^20,
0)[b & 7] in steps of 2^(E-21). Its element 0 is M, or -M where (b >> 3) & 1. Element e takes u = word(32 b + e) of `MX_SEED`,
T = M >> 15, r = u >> 8, tie = (2 (r % (2 T)) + 1) 2^14 - T 2^15: for u & 3 = 0, 1 the tie, for 2 the tie + 1 - 2 ((u >> 2) & 1),
for 3 r % (2 M + 1) - M; all are 0 where M = 0. The reference model takes the exponent floor(log2(max)), and one more only where
the greatest magnitude would round to 128 steps or more.
"""

from pathlib import Path

import numpy as np
import tosa_serializer as ts

from common import words
from tosa_peer import graph, reference

MX_SEED, N_BLOCKS, LENGTH = 0x746F73618000, 48, 32
MAXIMA = [1020 << 12, (1020 << 12) - 1, (1020 << 12) + 1, (1 << 22) - 1, 1 << 21, 1016 << 12, 3 << 20, 0]


def block_inputs():
    """The integers q of all blocks, and E: the input is q 2^(E - 21), exact in float32."""
    b = np.arange(N_BLOCKS)
    scale = (7 * b) % 41 - 20
    maximum = np.array(MAXIMA)[b & 7][:, None]
    u = words(MX_SEED, N_BLOCKS * LENGTH).reshape(N_BLOCKS, LENGTH)
    r = (u >> np.uint64(8)).astype(np.int64)
    kind = (u & np.uint64(3)).astype(np.int64)
    half_range = maximum >> 15
    tie = (2 * (r % np.maximum(2 * half_range, 1)) + 1) * (1 << 14) - half_range * (1 << 15)
    beside = tie + 1 - 2 * ((u >> np.uint64(2)) & np.uint64(1)).astype(np.int64)
    q = np.select([kind <= 1, kind == 2], [tie, beside], r % (2 * maximum + 1) - maximum)
    q[:, 0] = np.where((b >> 3) & 1, -1, 1) * maximum[:, 0]
    return np.where(maximum == 0, 0, q), scale


def steps(value, unit):
    """value / 2^unit of a magnitude, to the nearest, ties to even."""
    whole, rest = value >> unit, value & ((1 << unit) - 1)
    return whole + (2 * rest + (whole & 1) > 1 << unit)


def block_model(q, scale):
    """Elements and biased exponents of blocks of q 2^(scale - 21), by exact integer arithmetic."""
    elements, exponents = np.zeros_like(q), np.zeros(len(q), np.int64)
    for b, row in enumerate(q):
        maximum = int(np.abs(row).max())
        if maximum == 0:
            continue
        # One element step is 2^unit input steps: an element of magnitude 1 is 64 steps.
        unit = maximum.bit_length() - 1 - 6
        if steps(maximum, unit) >= 128:
            unit += 1
        elements[b] = [np.sign(value) * steps(abs(int(value)), unit) for value in row]
        exponents[b] = unit + 6 + scale[b] - 21 + 127
    return elements, exponents


def mxint8(folder, tally):
    q, scale = block_inputs()
    x = q.astype(np.float32) * np.exp2(scale - 21).astype(np.float32)[:, None]
    assert np.array_equal(x.astype(np.float64), q * 2.0 ** (scale[:, None] - 21)), "an input is not exact in float32"
    attribute = ts.TosaSerializerAttribute()
    attribute.CastToBlockScaledAttribute(ts.BlockSize.BLOCK_SIZE_32)
    outputs = [(x.shape, ts.DType.MXINT8), ((N_BLOCKS, 1), ts.DType.FP8UE8M0)]
    path = Path(folder) / "mxint8"
    graph(path, ts.Op.CAST_TO_BLOCK_SCALED, [(x, ts.DType.FP32)], attribute, outputs)
    elements, exponents = reference(path, 2)
    elements, exponents = elements.view(np.int8), exponents.view(np.uint8).reshape(-1)
    model = block_model(q, scale)
    tally.compare("MXINT8 exponents", "mxint8 exponents", exponents.astype(np.int64), model[1])
    tally.compare("MXINT8 elements", "mxint8 elements", elements.astype(np.int64), model[0])
    return {"elements": elements, "exponents": exponents}
