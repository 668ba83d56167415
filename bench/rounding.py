"""Weights rounded to the nearest, or by least squares of the outputs: Lite0 with ImageNet weights.

    python bench/rounding.py photos/ other_photos/ more_photos/

96 photos of the first folder calibrate, 200 of the others judge; all layers are in 8 bits. Prints
the noise of the outputs (of their variance) and how often the answer is the float net's. Needs
darter[train].
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from quantized import write_lite

from darter.model import load
from darter.quantize import Settings, noise, read_float_net
from darter.quantize.file import logits_of_model

CALIBRATE, JUDGE = 96, 200
ENDINGS = {".jpg", ".jpeg", ".png"}


def photos(*folders: str) -> list[Path]:
    return [
        file
        for folder in folders
        for file in sorted(Path(folder).rglob("*"))
        if file.suffix.lower() in ENDINGS
    ]


def main(by: str, *others: str) -> None:
    random = np.random.default_rng(0)
    parts = []
    for every, count in ((photos(by), CALIBRATE), (photos(*others), JUDGE)):
        parts.append([every[k] for k in random.permutation(len(every))[:count]])
    with tempfile.TemporaryDirectory() as folder:
        path = write_lite(Path(folder) / "lite0.onnx", parts[0][:4])
        session = load(path, runtime="darter")
        x, test = map(session.info.preprocess.batch, parts)
        net = read_float_net(path, session.info).calibrated(x)
        base = logits_of_model(net.model, test, None)
        print("| ranges | rounding | noise | same answer |\n|---|---|---|---|")
        for method in ("mse", "min-max"):
            for fit in (False, True):
                found = logits_of_model(net.quantized(Settings(method, fit=fit)), test, None)
                same = (found.argmax(axis=1) == base.argmax(axis=1)).mean()
                name = "least squares" if fit else "nearest"
                print(f"| {method} | {name} | {noise(found, base):.2e} | {same:.1%} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
