"""Requantization rows: accumulators next to the places where rounding rules part, for every right shift.

A group is one layer: sx, sy, zero point and activation; each of its channels is one row (weights 0, the bias is the
accumulator).
"""

import litert_model as model
import numpy as np
from common import words

N_SHIFTS = range(21)
OFFSETS = np.array([0, 1, -1, 2, -2, 3, -3, 5, -5, 8, -8, 13, -13, 21, -21, 34, -34])
# Not all ties, to save time; odd, so that their neighbours are even and odd in turn.
TIE_STEP = 3
CORNERS = np.array([-(2**31), -(2**31) + 1, 2**31 - 1, 2**30, -(2**30), 2**30 + 1, 1 - 2**30, 0, 1, -1])
# 1 / ODD ODD is not 1 in float32 and not in float64, so a scale tells the order of its product and its quotient.
ODD = next(q for q in range(3, 999, 2) if 1 / q * q != 1 and np.float32(1) / np.float32(q) * np.float32(q) != 1)
# 1..8 significant bits: m = MANTISSA 2^t has room for exact ties.
MANTISSAS = (1, 3, 5, 7, 1, 11, 13, 25, 1, 47, 75, 255, 1, 129, 3, 201, 1)
SY_RELU6, SY_RELU_N1 = 2.0**-4, 2.0**-6


def mantissa(n, group):
    """A number in [1/2, 1) with few bits."""
    odd = MANTISSAS[(5 * n + group) % len(MANTISSAS)]
    return odd / 2.0 ** odd.bit_length()


def random_scale(word):
    """A float32 in [1/2, 1) with all 24 bits of its mantissa at random."""
    return np.float32((1 << 23) + (int(word) >> 41)) * np.float32(2.0**-24)


def groups(seed):
    """(name, sx, sy, z, act, rows a scale besides one corner, scales).

    The scales are sw, such that sx sw / sy is in [2^-(n+1), 2^-n) for each right shift n of N_SHIFTS, but for the last
    groups.
    """
    result = []

    def add(name, sx, sy, z, act, rows, scales):
        scales = np.array(scales, np.float64).astype(np.float32)
        result.append((name, np.float32(sx), np.float32(sy), z, act, rows, scales))

    dyadic = [
        (1, 1, -1, "none"),
        (0.5, 0.25, 3, "none"),
        (1, SY_RELU6, -7, "relu6"),
        (1, 1, 17, "relu"),
        (1, SY_RELU_N1, 5, "relu_n1_to_1"),
        (2, 1, -128, "none"),
        (1, 4, 127, "none"),
        (1, 1, 0, "none"),
    ]
    for i, (sx, sy, z, act) in enumerate(dyadic):
        add("dyadic", sx, sy, z, act, 9, [mantissa(n, i) * 2.0**-n * sy / sx for n in N_SHIFTS])
    add("order", 1, ODD, 1, "none", 4, [ODD * 2.0 ** -(n + 1) for n in N_SHIFTS])
    add("order", ODD, ODD, -9, "none", 4, [2.0 ** -(n + 1) for n in N_SHIFTS])
    # sx sw = (1 - 2^-34) 2^-n: the mantissa of the multiplier rounds to 2^31 and must be halved.
    add("renormalize", 1 - 2.0**-17, 1, 11, "none", 4, [(1 + 2.0**-17) * 2.0 ** -(n + 1) for n in N_SHIFTS])
    # sx sw is an odd number of 32 bits, 1 modulo 4: a tie for the multiplier, whose even neighbour is below.
    scales = [((1 << 16) + 1 + 388 * n) * 2.0 ** (-16 - n) for n in N_SHIFTS]
    add("multiplier tie", ((1 << 15) + 1) * 2.0**-16, 1, -3, "none", 4, scales)
    stream = words(seed, 6 * (2 + len(N_SHIFTS)))
    for i, z in enumerate((-5, 9, 33, -77, 101, -1)):
        part = stream[i * (2 + len(N_SHIFTS)) :]
        sx, sy = random_scale(part[0]), random_scale(part[1])
        ratio = float(sy) / float(sx)
        # The word gives the mantissa, the power of two the shift.
        scales = [float(random_scale(part[2 + n])) for n in N_SHIFTS]
        scales = [sw * 2.0 ** (-n - np.frexp(sw / ratio)[1]) for n, sw in zip(N_SHIFTS, scales)]
        add("random", sx, sy, z, "none", 5, scales)
    tiny = [2.0**-32, 1.375 * 2.0**-32, 1.5 * 2.0**-30, 2.0**-29, 255 * 2.0**-34]
    add("long shift", 1, 1, -5, "none", 8, tiny)
    # Below 2^-32 a fixed-point multiplier is 0.
    add("zero multiplier", 1, 1, 3, "none", 4, [0.75 * 2.0**-32, 2.0**-40])
    add("left shift", 1, 1, 7, "none", 6, [1, 1.5, 3, 5.25, 17, 255])
    return result


def pool(scales, e):
    """Accumulators of one channel near every tie within the range of outputs, and the corners of int32."""
    real = float(model.real64(*scales))
    ties = np.arange(-260, 261, TIE_STEP) + 0.5
    acc = (np.rint(ties / real)[:, None] + OFFSETS).reshape(-1)
    acc = np.concatenate([acc, CORNERS])
    # Beyond these the peers leave int32, where C++ does not define the result.
    fits = np.abs(acc * real) < 2**31 - 512
    if e > 0:
        fits &= np.abs(acc) * 2.0**e < 2**31
    return np.unique(acc[fits & (acc >= -(2**31)) & (acc < 2**31)].astype(np.int64))


def is_exact_tie(acc, scales):
    """acc sx sw / sy lies exactly between two integers (for scales whose ratio is exact)."""
    doubled = acc * model.real64(*scales) * 2
    return (np.floor(doubled) == doubled) & (doubled % 2 == 1)


def tie_counts(acc, scales, exact):
    """How many rows are exact ties, or ties of the second rounding of the fixed-point schemes, by sign."""
    tie = is_exact_tie(acc, scales) if exact else np.zeros(len(acc), bool)
    m, e = model.multiplier(model.real64(*scales))
    n = np.maximum(-e, 0)
    high = model.shift_round((acc << np.maximum(e, 0)) * m, 31, "up")
    second = (n > 0) & (high & ((1 << n) - 1) == (1 << n) >> 1)
    return {
        "rows": len(acc),
        "exact, positive": int((tie & (acc > 0)).sum()),
        "exact, negative": int((tie & (acc < 0)).sum()),
        "exact or second, positive": int(((tie | second) & (acc > 0)).sum()),
        "exact or second, negative": int(((tie | second) & (acc < 0)).sum()),
    }


class Chooser:
    """Picks rows greedily: those that tell wrong rules apart which few rows before them do."""

    def __init__(self):
        self.changes = [(s, n, f) for s, changes in model.neighbours().items() for n, f in changes.items()]
        self.kills = np.zeros((2, len(self.changes)))
        self.n_corners = 0

    def choose(self, scales, z, lo, hi, rows, exact):
        e = int(model.multiplier(model.real64(*scales))[1])
        acc = pool(scales, e)
        right = {s: model.output(core(acc, scales), z, lo, hi) for s, core in model.SCHEMES.items()}
        told = np.stack([f(acc, scales, z, lo, hi) != right[s] for s, _, f in self.changes])
        ties, chosen = is_exact_tie(acc, scales), []
        for i in range(rows):
            weight = 1 / (1 + self.kills) ** 2
            score = np.where(acc < 0, weight[0] @ told, weight[1] @ told)
            allowed = ~np.isin(np.arange(len(acc)), chosen) & ((acc < 0) == (i % 2 == 0))
            if exact and i < rows - 2 and (allowed & ties).any():
                allowed &= ties
            best = int(np.argmax(np.where(allowed, score, -1)))
            chosen.append(best)
            self.kills[int(acc[best] >= 0)] += told[:, best]
        return np.append(acc[chosen], self.corner(acc))

    def corner(self, acc):
        """The next corner that this channel admits."""
        while True:
            corner = CORNERS[self.n_corners % len(CORNERS)]
            self.n_corners += 1
            if corner in acc:
                return corner
