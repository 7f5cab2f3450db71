"""The repeatable inputs of the digested ONNX sets. Everything is integer arithmetic on SplitMix64 words w(i), the
conversion of an integer to float32 (to nearest, ties to even), a multiplication by a power of two, or float bits.

`%` is the remainder of unsigned words. Word i of set p is word p 2^24 + i of the stream SEED (`words` in common.py).

quantize_inputs: element i of a set with range low..high, zero point z and scale s = mantissa 2^exponent:
  g = 3 + (high - low + 1) / 8 (whole part); k = low - z - g + (w >> 8) % (high - low + 1 + 2 g)
  w & 7 = 0..3: x = f32((2k + 1) mantissa) 2^(exponent - 1): where f32 is exact, the tie of steps k and k + 1
          4:    x = f32(2k mantissa) 2^(exponent - 1)
          5:    as 0..3, then the float's bits + 1 (bit 3 of w set) or - 1
          6:    x = f32(2k mantissa + (w >> 40) % (2 mantissa)) 2^(exponent - 1)
          7:    the float with bits w >> 32; where its exponent field is all ones, bit 30 is flipped: it is finite
                (tract's sets: as 0..3)

dynamic_inputs: row r takes words r 512 .. (r + 1) 512 of its set; h is its first word, j the column, e = (h & 15) - 8:
  (h >> 4) & 3 = 0: base = -((h >> 8) & 511), span = 511
                 1: base = -((h >> 32) & 0xFFFFF), span = 1 + ((h >> 8) & 0xFFFFF)
                 2: base = 1 + ((h >> 32) & 0xFFF), span = 1 + ((h >> 8) & 0xFFFF)
                 3: as 2, then base = -base - span
  t = 0 for j = 1, span - 1 for j = 2, else w % span; x = f32(base + t) 2^(e - 1). In rows of the first kind the scale is
  2^e exactly, x / scale is a multiple of 1/2, and the zero point is a tie in every second row.

codes: element i of a tensor of 8-bit codes: 255 - (w & mask) for uint8, -128 + (w & mask) for int8. A mask of 255 gives all
  codes, a small one those with the greatest products. The second operand takes the words from SECOND_OPERAND on.

targets: with T = terms, a is 2 x (T + 1) with rows a_zero + [127 T times, 1] and a_zero - [127 T times, 1]; b is
  (T + 1) x n, column i holds b_zero + the shares of target i. The scales' ratio is an odd number over 2^shift.
  d = (w >> 32) % 5 - 2 (0 where w & 1); target = ((2 (w >> 8 & 0xFFFFF) + 1) << (shift - 1)) mod 2^limit_bits + d, or 0
  if negative. q = target / 127; row t < T of b takes q / T, one more where t < q % T; row T takes target % 127.
  So the accumulators are target and -target, and more than half of them are ties.

channel_scales: with word w(CHANNELS + i), channel i of a convolution has the scale 2^23 2^-33 (i odd) or
  (2^23 + (w & (2^23 - 1))) 2^-33 (i even).
"""

import numpy as np
from common import words
from onnx_model import RANGES

SEED = 0x0511_0BB2
F32 = np.float32
SECOND_OPERAND = 1 << 22
CHANNELS = 1 << 23


def stream(p, n, first=0):
    return words(SEED, n, (p << 24) + first)


def signed(w):
    return w.astype(np.int64)


def scaled(integer, exponent):
    """f32(integer) 2^exponent; numpy converts an int64 to the nearest float32, ties to even."""
    return np.ldexp(np.asarray(integer, np.int64).astype(F32), exponent).astype(F32)


def quantize_inputs(p, n, kind, zero, mantissa, exponent, raw=True):
    low, high = RANGES[kind]
    w = stream(p, n)
    guard = 3 + (high - low + 1) // 8
    k = low - zero - guard + signed((w >> np.uint64(8)) % np.uint64(high - low + 1 + 2 * guard))
    choice = signed(w & np.uint64(7))
    odd, even = (2 * k + 1) * mantissa, 2 * k * mantissa
    offset = signed((w >> np.uint64(40)) % np.uint64(2 * mantissa))
    integer = np.where(choice == 4, even, np.where(choice == 6, even + offset, odd))
    bits = scaled(integer, exponent - 1).view(np.uint32)
    beside = np.where(w & np.uint64(8), bits + np.uint32(1), bits - np.uint32(1)).astype(np.uint32)
    far = (w >> np.uint64(32)).astype(np.uint32)
    far = np.where(far & 0x7F800000 == 0x7F800000, far ^ np.uint32(1 << 30), far).astype(np.uint32)
    bits = np.where(choice == 5, beside, np.where((choice == 7) & raw, far, bits)).astype(np.uint32)
    return bits.view(F32)


def dynamic_inputs(p, n_rows, n_columns=512):
    rows = stream(p, n_rows * n_columns).reshape(n_rows, n_columns)
    result = np.zeros((n_rows, n_columns), F32)
    for r, w in enumerate(rows):
        h = int(w[0])
        kind = h >> 4 & 3
        base, span = {0: (-(h >> 8 & 511), 511), 1: (-(h >> 32 & 0xFFFFF), 1 + (h >> 8 & 0xFFFFF))}.get(
            kind, (1 + (h >> 32 & 0xFFF), 1 + (h >> 8 & 0xFFFF))
        )
        base = -base - span if kind == 3 else base
        t = signed(w % np.uint64(span))
        t[1], t[2] = 0, span - 1
        result[r] = scaled(base + t, (h & 15) - 9)
    return result


def codes(p, shape, kind, mask=255, first=0):
    part = signed(stream(p, int(np.prod(shape)), first) & np.uint64(mask))
    return (255 - part if kind == "uint8" else -128 + part).reshape(shape)


def targets(p, n, a_zero, b_zero, shift, limit_bits, terms):
    w = stream(p, n)
    d = np.where(w & np.uint64(1), 0, signed((w >> np.uint64(32)) % np.uint64(5)) - 2)
    odd = 2 * signed(w >> np.uint64(8) & np.uint64(0xFFFFF)) + 1
    target = np.maximum(((odd << (shift - 1)) & (2**limit_bits - 1)) + d, 0)
    quotient = target // 127
    row = np.array([127] * terms + [1])
    a = np.array([a_zero + row, a_zero - row])
    shares = [quotient // terms + (quotient % terms > t) for t in range(terms)]
    return a, b_zero + np.array([*shares, target % 127])


def channel_scales(p, n):
    w = stream(p, n, CHANNELS)
    mantissa = 2**23 + np.where(np.arange(n) % 2 == 1, 0, signed(w & np.uint64(2**23 - 1)))
    return scaled(mantissa, -33)


def order_scales(index, shift):
    """Three awkward scales with f32(f32(a b) / y) = 2^-shift, whereas every other order of the same three, the product
    by a reciprocal, and one rounding of the exact ratio give another float32."""
    for w in words(SEED ^ 0xFFFF, 1 << 16, index << 20):
        a, b = (scaled(2**23 + (int(w) >> place & 2**23 - 1), -23) for place in (0, 32))
        product = a * b
        y = np.ldexp(product, shift).astype(F32)
        exact = F32(np.float64(a) * np.float64(b) / np.float64(y))
        others = (a / y * b, b / y * a, product * (F32(1) / y), exact)
        if all(other != product / y for other in others):
            return a, b, y
    raise ValueError(f"no scales tell the orders apart for index = {index}")
