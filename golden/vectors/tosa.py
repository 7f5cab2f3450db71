"""Vectors of TOSA: requantization, integer layers and the MXINT8 cast, from the reference model and its test generator.

Peer: the package tosa-tools. Its generator makes the conformance tests (small tensors, fixed seeds), its reference model
gives the expected values. The compliance mode of the conformance tests is EXACT; that of the MXINT8 cast is one unit in the
last place, so its vectors say what the reference model does, not what TOSA demands. The three modules tosa_rescale,
tosa_layers and tosa_mxint8 describe the three files and the formulas of their inputs. No exceptions are known.
"""

import sys
import tempfile
from pathlib import Path

from common import save, versions
from tosa_layers import RUNS, layers
from tosa_mxint8 import MX_SEED, mxint8
from tosa_peer import Tally
from tosa_rescale import SEED, TIE_SEED, conformance_rescale, rescale_ties

PEERS = ("tosa-tools", "numpy")


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        rescale = conformance_rescale(Path(folder) / "rescale", tally) | rescale_ties(folder, tally)
        layer_tests = layers(folder, tally)
        blocks = mxint8(folder, tally)
    for kind, (tests, values, wrong) in tally.counts.items():
        print(f"{kind}: {tests} tests, {values} values compared, {wrong} mismatching")
    if tally.wrong:
        sys.exit(f"{tally.wrong} values differ from the model")
    peers = versions(*PEERS)
    seeds = {"generator": SEED, "ties": hex(TIE_SEED)}
    save("tosa-rescale", peers, seeds, rescale, "every value of every SINGLE_ROUND and DOUBLE_ROUND test; ties digested")
    options = [" ".join([operator, *options]) for operator, _, options in RUNS]
    save("tosa-layers", peers, options, layer_tests, "inputs in full; outputs by one digest and the first value of a test")
    save("tosa-mxint8", peers, hex(MX_SEED), blocks, "compliance there is 1 ULP, not EXACT")


if __name__ == "__main__":
    main()
