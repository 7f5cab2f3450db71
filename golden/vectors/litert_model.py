"""An integer model of the four requantizations that the peers of litert.py realise, with their wrong neighbours.

Written from the mathematics alone: it serves to pick rows that tell the rules apart and to check the peers.
"""

import numpy as np

RULES = ("up", "away", "even", "zero", "down", "floor")


def shift_round(v, s, rule):
    """v / 2^s rounded to an integer by a tie rule (or floor), element by element."""
    v, s = np.broadcast_arrays(np.asarray(v, np.int64), np.asarray(s, np.int64))
    floor = v >> s
    rest = v - (floor << s)
    half = np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), 0)
    tie = {"up": True, "away": v >= 0, "even": floor % 2 != 0, "zero": v < 0, "down": False, "floor": False}[rule]
    up = (rest > half) | ((rest == half) & tie)
    return floor + np.where((s > 0) & up & (rule != "floor"), 1, 0)


def real_round(v, rule):
    """float64 to integer by a tie rule; v is well below 2^52, so floor and the fraction are exact."""
    floor = np.floor(v)
    rest = v - floor
    tie = {"up": True, "away": v >= 0, "even": floor % 2 != 0, "zero": v < 0, "down": False, "floor": False}[rule]
    return (floor + np.where((rest > 0.5) | ((rest == 0.5) & tie), 1, 0)).astype(np.int64)


def multiplier(real, rule="away"):
    """(m, e) with real near m 2^(e - 31) and 2^30 <= m < 2^31; (0, 0) below e = -31."""
    mantissa, e = np.frexp(np.asarray(real, np.float64))
    m = shift_round(np.ldexp(mantissa, 53).astype(np.int64), 22, rule)
    full = m == 1 << 31
    m, e = np.where(full, m >> 1, m), e.astype(np.int64) + full
    return np.where(e < -31, 0, m), np.where(e < -31, 0, e)


def real64(sx, sw, sy):
    return np.float64(sx) * np.float64(sw) / np.float64(sy)


def real32(sx, sw, sy):
    return np.float32(sx) * np.float32(sw) / np.float32(sy)


def fixed(acc, scales, first, second, derive=multiplier):
    """Two roundings: of acc m / 2^31, then of that / 2^n. No second rounding where n = -e <= 0."""
    m, e = derive(real64(*scales))
    high = shift_round((acc << np.maximum(e, 0)) * m, 31, first)
    return shift_round(high, np.maximum(-e, 0), second)


def single(acc, scales, rule):
    m, e = multiplier(real64(*scales))
    return shift_round(acc * m, 31 - e, rule)


def f32(acc, scales, rule, real=real32):
    product = acc.astype(np.float32) * real(*scales).astype(np.float32)
    return real_round(product.astype(np.float64), rule)


def f64(acc, scales, rule, real=real64):
    return real_round(acc.astype(np.float64) * real(*scales), rule)


def rndnu(acc, scales):
    """The mantissa of the float32 scale as an integer, half-up, one shift."""
    mantissa, e = np.frexp(real32(*scales))
    return shift_round(acc * np.ldexp(mantissa, 24).astype(np.int64), 24 - e.astype(np.int64), "up")


def truncating_f32(acc):
    """int32 to float32, towards zero."""
    near = acc.astype(np.float32)
    return np.where(np.abs(near.astype(np.int64)) > np.abs(acc), np.nextafter(near, np.float32(0)), near)


SCHEMES = {
    "FixedDouble": lambda acc, scales: fixed(acc, scales, "up", "away"),
    "FixedDoubleUp": lambda acc, scales: fixed(acc, scales, "up", "up"),
    "F32Even": lambda acc, scales: f32(acc, scales, "even"),
    "F64Away": lambda acc, scales: f64(acc, scales, "away"),
}


def output(scaled, z, lo, hi):
    return np.clip(scaled + z, lo, hi)


def neighbours():
    """scheme -> {change: function of (acc, scales, z, lo, hi)}: each rule, constant and order changed once."""

    def plain(core):
        return lambda acc, scales, z, lo, hi: output(core(acc, scales), z, lo, hi)

    result = {scheme: {} for scheme in SCHEMES}
    for scheme, core in SCHEMES.items():
        changes = result[scheme]
        for other, other_core in (*SCHEMES.items(), ("FixedSingle", lambda a, s: single(a, s, "up"))):
            if other != scheme:
                changes[f"is {other}"] = plain(other_core)
        changes["clamp before zero point"] = lambda a, s, z, lo, hi, core=core: np.clip(core(a, s), lo, hi) + z
        changes["no lower clamp"] = lambda a, s, z, lo, hi, core=core: output(core(a, s), z, -128, hi)
        changes["no upper clamp"] = lambda a, s, z, lo, hi, core=core: output(core(a, s), z, lo, 127)
    for scheme, second in (("FixedDouble", "away"), ("FixedDoubleUp", "up")):
        for rule in RULES:
            if rule != "up":
                result[scheme][f"first {rule}"] = plain(lambda a, s, r=rule, t=second: fixed(a, s, r, t))
            if rule != second:
                result[scheme][f"second {rule}"] = plain(lambda a, s, r=rule: fixed(a, s, "up", r))
        for rule in ("floor", "even", "down"):
            result[scheme][f"multiplier {rule}"] = plain(
                lambda a, s, t=second, r=rule: fixed(a, s, "up", t, lambda real: multiplier(real, r))
            )
        result[scheme]["multiplier of the float32 scale"] = plain(
            lambda a, s, t=second: fixed(a, s, "up", t, lambda real: multiplier(np.float32(real)))
        )
        result[scheme]["multiplier of the float32 product of scales"] = plain(
            lambda a, s, t=second: fixed(a, (np.float32(s[0]) * np.float32(s[1]), 1, s[2]), "up", t)
        )
    for scheme, core, own in (("F32Even", f32, "even"), ("F64Away", f64, "away")):
        for rule in RULES:
            if rule != own:
                result[scheme][f"ties {rule}"] = plain(lambda a, s, r=rule, c=core: c(a, s, r))
        kind = np.float32 if core is f32 else np.float64
        orders = {
            "(sx / sy) sw": lambda sx, sw, sy, t=kind: t(sx) / t(sy) * t(sw),
            "(sw / sy) sx": lambda sx, sw, sy, t=kind: t(sw) / t(sy) * t(sx),
            "the other type": lambda sx, sw, sy, c=core: real64(sx, sw, sy) if c is f32 else real32(sx, sw, sy),
        }
        for name, real in orders.items():
            result[scheme][f"scale {name}"] = plain(lambda a, s, r=real, c=core, o=own: c(a, s, o, r))
    result["F64Away"]["scale of the float32 product"] = plain(
        lambda a, s: f64(a, (np.float32(s[0]) * np.float32(s[1]), 1, s[2]), "away")
    )
    result["F64Away"]["zero point before rounding"] = lambda a, s, z, lo, hi: np.clip(
        real_round(a.astype(np.float64) * real64(*s) + z, "away"), lo, hi
    )
    result["F64Away"]["float32 accumulator"] = plain(
        lambda a, s: real_round(a.astype(np.float32).astype(np.float64) * real64(*s), "away")
    )
    result["F32Even"]["zero point before rounding"] = lambda a, s, z, lo, hi: np.clip(
        real_round((a.astype(np.float32) * real32(*s)).astype(np.float64) + z, "even"), lo, hi
    )
    result["F32Even"]["is F32Rndnu"] = plain(rndnu)
    result["F32Even"]["product in float64"] = plain(
        lambda a, s: real_round(a.astype(np.float64) * real32(*s).astype(np.float64), "even")
    )
    result["F32Even"]["float32 of the accumulator only"] = plain(
        lambda a, s: real_round(a.astype(np.float32).astype(np.float64) * real32(*s).astype(np.float64), "even")
    )
    result["F32Even"]["accumulator truncated to float32"] = plain(
        lambda a, s: real_round((truncating_f32(a) * real32(*s)).astype(np.float64), "even")
    )
    return result


def accumulate(layer):
    """The exact accumulators of a layer (see litert_peers), int64, in the shape of its output."""
    x, w = layer["x"].astype(np.int64) - layer["zx"], layer["w"].astype(np.int64)
    if layer["kind"] == "fc":
        return x @ w.T + layer["bias"]
    stride, dilation, (_, height, width, _) = layer["stride"], layer["dilation"], w.shape
    before, sizes = [], []
    for size, kernel in zip(x.shape[1:3], (height, width)):
        extent = (kernel - 1) * dilation + 1
        count = -(-size // stride) if layer["same"] else (size - extent) // stride + 1
        total = max((count - 1) * stride + extent - size, 0) if layer["same"] else 0
        before.append((total // 2, total - total // 2))
        sizes.append(count)
    # x is relative to its zero point, so padding is 0.
    x = np.pad(x, ((0, 0), before[0], before[1], (0, 0)))
    acc = np.zeros((x.shape[0], *sizes, len(layer["bias"])), np.int64) + layer["bias"]
    for i in range(height):
        for j in range(width):
            top, left = i * dilation, j * dilation
            rows = slice(top, top + (sizes[0] - 1) * stride + 1, stride)
            patch = x[:, rows, left : left + (sizes[1] - 1) * stride + 1 : stride]
            if layer["kind"] == "conv":
                acc += patch @ w[:, i, j, :].T
            else:
                # Output channel c of a depthwise convolution reads input channel c // multiplier.
                acc += np.repeat(patch, w.shape[3] // x.shape[3], axis=3) * w[0, i, j]
    return acc


def bounds(layer):
    """The clamps of a fused activation. Half away; the scales used give no ties here."""

    def quantized(real):
        return int(layer["zy"] + np.floor(real / np.float64(layer["sy"]) + 0.5))

    lo, hi = {
        "none": (-128, 127),
        "relu": (quantized(0), 127),
        "relu6": (quantized(0), quantized(6)),
        "relu_n1_to_1": (quantized(-1), quantized(1)),
    }[layer["act"]]
    return max(lo, -128), min(hi, 127)
