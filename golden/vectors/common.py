"""What every vector script shares: repeatable inputs, digests of outputs, and files that say where they come from."""

import json
import platform
from importlib import metadata
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DATA = HERE / "data"
GAMMA = np.uint64(0x9E3779B97F4A7C15)


def mix64(z):
    """The finalizer of SplitMix64, element by element."""
    z = np.asarray(z, np.uint64)
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def words(seed, n, first=0):
    """Words `first .. first + n` of SplitMix64 from `seed`: word i is mix64(seed + (i + 1) GAMMA)."""
    with np.errstate(over="ignore"):
        index = np.arange(first + 1, first + n + 1, dtype=np.uint64)
        return mix64(np.uint64(seed) + index * GAMMA)


def digests(values, block):
    """One 64-bit digest for each `block` values in turn; a last, shorter block is filled up with zeros.

    h = 0; for each value v (as a 64-bit two's complement word): h = mix64((h ^ v) + GAMMA).
    """
    values = np.asarray(values).reshape(-1).astype(np.int64)
    n_blocks = -(-len(values) // block)
    padded = np.zeros(n_blocks * block, np.int64)
    padded[: len(values)] = values
    columns = padded.view(np.uint64).reshape(n_blocks, block)
    h = np.zeros(n_blocks, np.uint64)
    with np.errstate(over="ignore"):
        for column in columns.T:
            h = mix64((h ^ column) + GAMMA)
    return h


def cpu_flags():
    """The processor's model and the vector extensions that peers choose their kernels by."""
    wanted = ("avx", "avx2", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "fma")
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    flags = next((line.split(":")[1].split() for line in text.splitlines() if line.startswith("flags")), [])
    model = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), "")
    return {"machine": platform.machine(), "model": model, "flags": [flag for flag in wanted if flag in flags]}


def versions(*packages):
    return {package: metadata.version(package) for package in packages}


def save(name, peers, seed, arrays, note=""):
    """Writes data/NAME.npz: the arrays, and `provenance`, a JSON text as bytes (peers with versions, processor, seed)."""
    provenance = {
        "peers": peers,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": cpu_flags(),
        "seed": seed,
        "script": f"golden/vectors/{name.split('-')[0]}.py",
        "note": note,
    }
    text = np.frombuffer(json.dumps(provenance, sort_keys=True).encode(), np.uint8)
    DATA.mkdir(exist_ok=True)
    path = DATA / f"{name}.npz"
    partial = DATA / f".{name}.partial.npz"
    np.savez_compressed(partial, provenance=text, **arrays)
    partial.replace(path)
    print(f"{path.name}: {path.stat().st_size} bytes")
