"""How long from the command to the label: `darter predict` in a new process.

    python bench/cold_start.py                        ResNet-50 with random weights, exported first
    python bench/cold_start.py model.onnx photo.jpg

The first run is left out: it fills the disk cache and darter's caches. Times are of the whole
process, imports, reading, planning, decoding and printing included.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np


def seconds(model: Path, picture: Path, runs: int) -> list[float]:
    """Wall time of each run after the first; fails if a run does."""
    command = [sys.executable, "-m", "darter", "predict", str(model), str(picture)]
    # An installed package has its byte code; the first run writes it here.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - started)
    return times[1:]


def resnet50(folder: Path) -> Path:
    """A file as people have it; `bench.agreement` exports it."""
    from bench.agreement import export, make

    path = folder / "resnet50.onnx"
    export(make("resnet50"), 224, path, "torchscript")
    return path


def photo(folder: Path) -> Path:
    """A JPEG of 500×375 pixels that is as hard to decode as a photo."""
    from PIL import Image

    coarse = np.random.default_rng(0).integers(0, 255, (38, 50, 3), np.uint8)
    path = folder / "photo.jpg"
    Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("picture", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = options.model or resnet50(Path(name))
        picture = options.picture or photo(Path(name))
        times = seconds(model, picture, options.runs)
    low, high = min(times), max(times)
    print(f"{model.name}: min {low:.2f} s, median {median(times):.2f} s, max {high:.2f} s")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
