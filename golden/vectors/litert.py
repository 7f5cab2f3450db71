"""Vectors from int8 layers of LiteRT (three sets of kernels) and of TFLite-Micro.

Writes three files, unless a value is not explained. `y` has one column for each set of kernels or scheme, named in
`columns` of the note, which also has the counts that each wrong pairing differs in.
  litert-requant  rows (acc, y): the requantizer alone. The first scale_rows[0] rows have scale 0, and so on; a scale
                  has sw, its layer (sx, sy, zy, lo, hi), and the multiplier (m, e) that the model derives
  litert-layers   layers stored in full, with the outputs of each set of kernels; litert_layers.py has the columns
  litert-large    layers whose data litert_layers.py gives by a formula, with digests of the outputs by kind of layer

Which kernels round how, on this processor (checked here on every value, exit code 1 otherwise):
  reference  FULLY_CONNECTED F64Away; CONV_2D and DEPTHWISE_CONV_2D FixedDouble
  optimized  FixedDoubleUp (delegates off), except the last n mod 8 channels of DEPTHWISE_CONV_2D: FixedDouble. Found
             by trial over n, kernels, strides and depth multipliers; eight lanes and a scalar remainder would explain it
  default    F32Even (XNNPACK)
  micro      FixedDouble
The scale is sx sw / sy, left to right, of float64 for all but F32Even, which has float32 throughout. All scales are
stored as the bits of float32.
"""

import json
import sys
from collections import Counter

import litert_layers
import litert_model as model
import litert_peers as peers
import litert_rows
import numpy as np
from common import digests, save, versions

SEED = 0x11E27
BLOCK = 1024
SCHEMES = tuple(model.SCHEMES)
SIMD_CHANNELS = 8
PEERS = ("ai-edge-litert", "tflite-micro", "flatbuffers", "numpy")


def bits(floats):
    return np.asarray(floats, np.float32).view(np.uint32)


def schemes_of(kind, kernels, n):
    """The scheme of each output channel."""
    if kernels == "reference":
        return ["F64Away" if kind == "fc" else "FixedDouble"] * n
    if kernels == "optimized" and kind == "depthwise":
        remainder = n % SIMD_CHANNELS
        return ["FixedDoubleUp"] * (n - remainder) + ["FixedDouble"] * remainder
    return [{"optimized": "FixedDoubleUp", "default": "F32Even", "micro": "FixedDouble"}[kernels]] * n


class Report:
    """Counts for each pairing of kernels and scheme: values compared, values that differ from each scheme."""

    def __init__(self):
        self.counts = {}
        self.failures = 0

    def compare(self, layer, acc, outputs):
        n = acc.shape[-1]
        scales = (layer["sx"], np.broadcast_to(layer["sw"], n), layer["sy"])
        expected = {
            scheme: model.output(core(acc, scales), layer["zy"], layer["lo"], layer["hi"])
            for scheme, core in (*model.SCHEMES.items(), ("FixedSingle", lambda a, s: model.single(a, s, "up")))
        }
        for kernels, y in outputs.items():
            of_channel = schemes_of(layer["kind"], kernels, n)
            for scheme in sorted(set(of_channel)):
                channels = [c for c, name in enumerate(of_channel) if name == scheme]
                count = self.counts.setdefault(f"{layer['kind']} {kernels} is {scheme}", Counter())
                part = y[..., channels]
                count["compared"] += part.size
                for other, values in expected.items():
                    count[other] += int((part != values[..., channels]).sum())
                self.failures += int((part != expected[scheme][..., channels]).sum())

    def print(self, title):
        print(title)
        for pairing, count in self.counts.items():
            differing = {scheme: n for scheme, n in count.items() if scheme != "compared" and n}
            print(f"  {pairing}: {count['compared']} compared, differing from {differing}")


def note(report, **more):
    return json.dumps({"differing": report.counts, **more})


def row_layer(kind, group, acc, sw):
    """One channel for each row: weights 0, so that the bias is the accumulator."""
    _, sx, sy, z, act, _, _ = group
    n = len(acc)
    x = {"fc": (1, 1), "conv": (1, 1, 1, 1), "depthwise": (1, 1, 1, n)}[kind]
    w = {"fc": (n, 1), "conv": (n, 1, 1, 1), "depthwise": (1, 1, 1, n)}[kind]
    lo, hi = model.bounds({"zy": z, "sy": sy, "act": act})
    tensors = {"x": np.full(x, 3, np.int8), "w": np.zeros(w, np.int8), "bias": acc.astype(np.int32)}
    outputs = {"sx": sx, "sw": sw, "sy": sy, "zx": 3, "zy": z, "act": act, "lo": lo, "hi": hi}
    return {"kind": kind, **tensors, **outputs, "stride": 1, "dilation": 1, "same": False}


def requant():
    """The rows, each through every kind of layer and every set of kernels."""
    report, chooser, groups = Report(), litert_rows.Chooser(), litert_rows.groups(SEED)
    acc, y, scale_rows, layer_of, layers = [], [], [], [], []
    ties = Counter()
    for index, group in enumerate(groups):
        name, sx, sy, z, act, rows, sws = group
        layers.append(row_layer("fc", group, np.zeros(1, np.int64), sws))
        lo, hi = layers[-1]["lo"], layers[-1]["hi"]
        exact = name != "random"
        chosen = [chooser.choose((sx, sw, sy), z, lo, hi, rows, exact) for sw in sws]
        layer_acc, sw = np.concatenate(chosen), np.repeat(sws, [len(accs) for accs in chosen])
        found = {}
        for kind in litert_layers.KINDS:
            layer = row_layer(kind, group, layer_acc, sw)
            outputs = {kernels: peers.run(layer, kernels).reshape(-1) for kernels in peers.SETS}
            report.compare(layer, layer_acc, outputs)
            for kernels, values in outputs.items():
                for channel, scheme in enumerate(schemes_of(kind, kernels, len(sw))):
                    found.setdefault(scheme, np.full(len(sw), 999))[channel] = values[channel]
        ties.update(litert_rows.tie_counts(layer_acc, (sx, sw, sy), exact))
        acc.append(layer_acc)
        y.append(np.stack([found[scheme] for scheme in SCHEMES], axis=1))
        scale_rows += [len(accs) for accs in chosen]
        layer_of += [index] * len(sws)
    y = np.concatenate(y)
    assert y.max() < 128, "a row without output"
    report.print("requantization rows")
    told = {f"{s}: {n}": int(kills.sum()) for (s, n, _), kills in zip(chooser.changes, chooser.kills.T)}
    untold = [change for change, count in told.items() if count < 2]
    print(f"  ties {dict(ties)}; of {len(told)} changes of a scheme, fewer than 2 rows tell:", untold or "none")
    report.failures += len(untold)
    if report.failures:
        return report.failures
    sw = np.concatenate([group[6] for group in groups])
    of_layer = np.array(layer_of, np.uint8)
    m, e = model.multiplier(
        model.real64(np.array([g[1] for g in groups])[of_layer], sw, np.array([g[2] for g in groups])[of_layer])
    )
    save(
        "litert-requant",
        versions(*PEERS),
        SEED,
        {
            **{"acc": np.concatenate(acc).astype(np.int32), "y": y.astype(np.int8)},
            **{"scale_rows": np.array(scale_rows, np.uint8), "scale_layer": of_layer, "scale_sw": bits(sw)},
            **{"scale_m": m.astype(np.int32), "scale_e": e.astype(np.int8)},
            **{f"layer_{key}": bits([layer[key] for layer in layers]) for key in ("sx", "sy")},
            **{f"layer_{key}": np.array([layer[key] for layer in layers], np.int8) for key in ("zy", "lo", "hi")},
        },
        note(report, columns=SCHEMES, ties=ties, changes_told=told),
    )
    return 0


def run_layers(layers, report):
    """The outputs of each layer [values, sets of kernels]."""
    result = []
    for layer in layers:
        outputs = {kernels: peers.run(layer, kernels) for kernels in peers.SETS}
        report.compare(layer, model.accumulate(layer), outputs)
        result.append(np.stack([y.reshape(-1) for y in outputs.values()], axis=1))
    return result


def stored_layers():
    report = Report()
    table, sx, sy, sw, layers = litert_layers.layers(SEED + 1000, litert_layers.small_shape, (20, 20, 20))
    y = np.concatenate(run_layers(layers, report))
    report.print("layers stored in full")
    flat = {key: np.concatenate([layer[key].reshape(-1) for layer in layers]) for key in ("x", "w", "bias")}
    arrays = {"layers": table, "sx": bits(sx), "sy": bits(sy), "sw": bits(sw), **flat, "y": y}
    more = {"columns": peers.SETS, "fields": litert_layers.COLUMNS}
    if not report.failures:
        save("litert-layers", versions(*PEERS), SEED + 1000, arrays, note(report, **more))
    return report.failures


def large_layers():
    report, seed = Report(), SEED + 2000
    table, sx, sy, sw, layers = litert_layers.layers(seed, litert_layers.large_shape, (14, 8, 10))
    outputs = run_layers(layers, report)
    report.print("large layers")
    arrays = {"layers": table, "sx": bits(sx), "sy": bits(sy), "sw": bits(sw)}
    for kind in litert_layers.KINDS:
        y = np.concatenate([values for layer, values in zip(layers, outputs) if layer["kind"] == kind])
        assert len(y) >= 100_000, f"{kind}: only {len(y)} values"
        arrays[f"digests_{kind}"] = np.stack([digests(column, BLOCK) for column in y.T], axis=1)
        arrays[f"values_{kind}"] = np.int64(len(y))
    more = {"columns": peers.SETS, "fields": litert_layers.COLUMNS, "block": BLOCK}
    if not report.failures:
        save("litert-large", versions(*PEERS), seed, arrays, note(report, **more))
    return report.failures


if __name__ == "__main__":
    failures = requant() + stored_layers() + large_layers()
    sys.exit(f"{failures} values or changes are not explained" if failures else 0)
