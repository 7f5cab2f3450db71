"""Vectors of gemmlowp's fixed-point primitives: high multiply, rounding division by a power of two, and one after the other.

Peer: the headers of the Debian package libgemmlowp-dev, through gemmlowp.cpp, which this script compiles with g++. The
primitives, with a, b and n the columns of a row:

| set | gemmlowp | meaning |
|---|---|---|
| high32, high16 | SaturatingRoundingDoublingHighMul | a b / 2^(W-1), ties towards plus infinity, saturated; W = 32, 16 |
| divide32, divide16 | RoundingDivideByPOT | a / 2^n, ties away from zero |
| scale32 | high32 of a and b, then divide32 by 2^n | the requantization that the models call double rounding |

Inputs, exactly. Row i of a set takes the words u = word(2 i) and v = word(2 i + 1) of the set's seed (`SEEDS`); all
arithmetic is on unsigned 64-bit words, `%` is the remainder, and int32(x) (int16(x)) reads the low 32 (16) bits as two's
complement. Let kind = v & 7, lo = u & 0xffffffff, hi = u >> 32, r = v >> 8.

high32 and high16 (W bits, intW), n = 0, with k = r % (W - 1), t = W - 2 - k:
  kind 0..3  a = intW((lo | 1) << k), b = intW((hi | 1) << t): an exact tie
  kind 4, 5  a = intW(lo), b = intW(hi)
  kind 6     a = intW(((lo | 1) << t) + 1 - 2 (hi & 1)), b = intW(1 << k): 2^k beside a tie
  kind 7     a = corners[lo & 7], b = corners[hi & 7],
             corners = -2^(W-1), 1 - 2^(W-1), -2^(W-2), -1, 0, 1, 2^(W-2), 2^(W-1) - 1

divide32 and divide16, b = 0, with n = r % W and x = intW((lo | 1) << max(n - 1, 0)), a tie where n > 0:
  kind 0..3  a = x
  kind 4, 5  a = intW(lo)
  kind 6     a = intW(x + 1 - 2 (hi & 1))
  kind 7     a = corners[lo & 7]

scale32, with n = r % 31 and q = v >> 16:
  kind 0..2  b = 2^30 + (hi & (2^30 - 1)); e = max(n - 1, 0); h = ((lo % 2^(30 - e)) | 1) << e;
             c = (h 2^31 + (b >> 1)) / b, rounded down; a = c, or -c where hi >> 31 is 1. The high multiply gives h or -h,
             for n > 0 a tie of the division, which the exact product is seldom.
  kind 3     j = n + q % (31 - n); b = 2^30 | (((hi | 1) << j) & (2^30 - 1)); a = int32((lo | 1) << (30 + n - j)):
             an exact tie of the whole, where n > 0 also of the division
  kind 4     j = q % 31; b as in kind 3; a = int32((lo | 1) << (30 - j)): an exact tie of the high multiply
  kind 5     a = int32(lo), b = 2^30 + (hi & (2^30 - 1))
  kind 6     a = corners[lo & 7], b = (0, 1, 2^30, 2^30 + 1, 2^30 + 2^29, 2^31 - 2, 2^31 - 1, 2^29)[hi & 7]
  kind 7     a = int32(lo), b = (hi & (2^31 - 1)) >> (q % 31)

The file holds, for each set S, `S_digests` (of all rows, blocks of `BLOCK`), `S_rows` (their number), and the first
`FULL` rows in full (`S_a`, `S_b`, `S_n`, `S_y`, without the columns that are constantly zero). No exceptions are known.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from common import HERE, digests, save, words

BLOCK = 2048
FULL = 300
ROWS = {"high32": 65536, "high16": 65536, "divide32": 65536, "divide16": 32768, "scale32": 131072}
SEEDS = {name: 0x67656D6D0000 + index for index, name in enumerate(ROWS)}
PACKAGE = "libgemmlowp-dev"


def signed(values, width):
    """The low `width` bits of 64-bit words as two's complement."""
    unused = np.int64(64 - width)
    return (values.astype(np.uint64).view(np.int64) << unused) >> unused


def corners(width):
    top = 1 << (width - 1)
    return np.array([-top, 1 - top, -(top >> 1), -1, 0, 1, top >> 1, top - 1], np.int64)


def fields(name):
    """kind, lo, hi, r and q of every row."""
    pairs = words(SEEDS[name], 2 * ROWS[name]).reshape(-1, 2)
    u, v = pairs[:, 0], pairs[:, 1]
    return v & np.uint64(7), u & np.uint64(0xFFFFFFFF), u >> np.uint64(32), v >> np.uint64(8), v >> np.uint64(16)


def u64(value):
    return np.uint64(value)


def high_inputs(name, width):
    kind, lo, hi, r, _ = fields(name)
    k = r % u64(width - 1)
    t = u64(width - 2) - k
    step = u64(1) - u64(2) * (hi & u64(1))
    corner = corners(width)
    cases = [kind <= 3, kind <= 5, kind == 6]
    a = [signed((lo | u64(1)) << k, width), signed(lo, width), signed(((lo | u64(1)) << t) + step, width)]
    b = [signed((hi | u64(1)) << t, width), signed(hi, width), signed(u64(1) << k, width)]
    return np.select(cases, a, corner[lo & u64(7)]), np.select(cases, b, corner[hi & u64(7)]), np.zeros(len(a[0]), np.int64)


def divide_inputs(name, width):
    kind, lo, hi, r, _ = fields(name)
    n = (r % u64(width)).astype(np.int64)
    tie = (lo | u64(1)) << np.maximum(n - 1, 0).astype(np.uint64)
    near = tie + u64(1) - u64(2) * (hi & u64(1))
    values = [signed(tie, width), signed(lo, width), signed(near, width)]
    a = np.select([kind <= 3, kind <= 5, kind == 6], values, corners(width)[lo & u64(7)])
    return a, np.zeros(len(a), np.int64), n


def scale_inputs(name):
    kind, lo, hi, r, q = fields(name)
    n = r % u64(31)
    top, below = u64(1 << 30), u64((1 << 30) - 1)
    normal = top + (hi & below)

    e = np.maximum(n, u64(1)) - u64(1)
    h = ((lo % (u64(1) << (u64(30) - e))) | u64(1)) << e
    c = ((h << u64(31)) + (normal >> u64(1))) // normal
    second_tie = np.where(hi >> u64(31) == 1, -c.astype(np.int64), c.astype(np.int64))

    j_whole = n + q % (u64(31) - n)
    j_first = q % u64(31)
    odd = hi | u64(1)
    edges = np.array([0, 1, 1 << 30, (1 << 30) + 1, (1 << 30) + (1 << 29), (1 << 31) - 2, (1 << 31) - 1, 1 << 29])
    cases = [kind <= 2, kind == 3, kind == 4, kind == 5, kind == 6]
    a = [
        second_tie,
        signed((lo | u64(1)) << (u64(30) + n - j_whole), 32),
        signed((lo | u64(1)) << (u64(30) - j_first), 32),
        signed(lo, 32),
        corners(32)[lo & u64(7)],
    ]
    b = [normal, top | ((odd << j_whole) & below), top | ((odd << j_first) & below), normal, edges[hi & u64(7)]]
    b = [column.astype(np.int64) for column in b]
    rest = ((hi & u64((1 << 31) - 1)) >> (q % u64(31))).astype(np.int64)
    return np.select(cases, a, signed(lo, 32)), np.select(cases, b, rest), n.astype(np.int64)


INPUTS = {
    "high32": lambda name: high_inputs(name, 32),
    "high16": lambda name: high_inputs(name, 16),
    "divide32": lambda name: divide_inputs(name, 32),
    "divide16": lambda name: divide_inputs(name, 16),
    "scale32": scale_inputs,
}


def model(name, a, b, n):
    """What the primitive should give, from its formula; `scale32` by the closed form with one shift."""
    if name.startswith("high"):
        width = int(name[4:])
        half = np.int64(1) << np.int64(width - 2)
        return np.minimum((a * b + half) >> np.int64(width - 1), (1 << (width - 1)) - 1)
    if name.startswith("divide"):
        half = np.where(n > 0, np.int64(1) << np.maximum(n - 1, 0), 0)
        return np.sign(a) * ((np.abs(a) + half) >> n)
    correction = np.where(n > 0, np.where(a * b >= 0, 1 << 30, -(1 << 30)), 0)
    return (a * b + (np.int64(1) << (n + 30)) + correction) >> (n + 31)


def compiled(folder):
    program = Path(folder) / "gemmlowp"
    subprocess.run(["g++", "-std=c++14", "-O1", "-o", program, HERE / "gemmlowp.cpp"], check=True)
    return program


def run(program, name, a, b, n):
    rows = np.stack([a, b, n], axis=1)
    assert np.array_equal(rows, rows.astype("<i4")), "an input exceeds 32 bits"
    result = subprocess.run([program, name], input=rows.astype("<i4").tobytes(), capture_output=True, check=True)
    values = np.frombuffer(result.stdout, "<i4").astype(np.int64)
    assert len(values) == len(a), f"{name}: {len(values)} results for {len(a)} rows"
    return values


def narrow(column):
    return column.astype(next(t for t in (np.int8, np.int16, np.int32) if np.array_equal(column, column.astype(t))))


def main():
    version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", PACKAGE], capture_output=True, check=True, text=True)
    arrays, wrong = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(folder)
        for name, inputs in INPUTS.items():
            a, b, n = inputs(name)
            y = run(program, name, a, b, n)
            differs = y != model(name, a, b, n)
            for i in np.flatnonzero(differs)[:5]:
                print(f"{name} row {i}: a {a[i]} b {b[i]} n {n[i]}: peer {y[i]}, model {model(name, a, b, n)[i]}")
            print(f"{name}: {len(y)} compared, {differs.sum()} mismatching")
            wrong += differs.sum()
            arrays[f"{name}_digests"] = digests(y, BLOCK)
            arrays[f"{name}_rows"] = np.array([len(y), BLOCK, SEEDS[name]], np.uint64)
            columns = {"a": a, "b": b, "n": n, "y": y}
            arrays |= {f"{name}_{key}": narrow(column[:FULL]) for key, column in columns.items() if column.any()}
    if wrong:
        sys.exit(f"{wrong} values differ from the model")
    save("gemmlowp", {PACKAGE: version.stdout}, {name: hex(seed) for name, seed in SEEDS.items()}, arrays)


if __name__ == "__main__":
    main()
