"""VGG-E's 3x3 layers one by one on plain NCHW arrays, beside PyTorch on channels-last ones.

python bench/conv_plain.py --out conv-plain.jsonl          needs the [train] extra

Three take turns on every layer: PyTorch, darter on plain arrays, darter on blocked ones. What they
answer is compared first. A pause before each turn lets the threads of the one before fall asleep:
PyTorch's go on spinning for a while, on the cores of the next. Each is called twice in its turn and
the second call is timed: the others leave nothing in the caches. Two floors stand beside the times:
the chosen algorithm's products at the peak, and its filters, x and y once through memory.
--out: a file below bench/results.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from darter.bench import append_records
from darter.bench.convolutions import net_layers
from darter.conv import ALGORITHMS, ConvSpec, now, prepare
from darter.kernels import (
    Peak,
    from_blocked,
    measure_peak,
    set_threads,
    threads,
    to_blocked,
    wake_threads,
)
from darter.report import table

RESULTS = Path(__file__).parent / "results"
LEAST_ROUNDS = 5
PAUSE = 0.01  # seconds, as in bench/gemm.py
FAR = 1e-4  # of the largest output: no rounding of ours or theirs
COLUMNS = {
    "name": "layer",
    "times": "times",
    "torch_ms": "PyTorch ms",
    "darter_ms": "darter ms",
    "low": "min",
    "high": "max",
    "blocked_ms": "blocked ms",
    "products_ms": "products",
    "memory_ms": "memory",
    "speedup": "speedup",
}


@dataclass(frozen=True)
class Rival:
    name: str
    run: Callable[[], Any]
    milliseconds: list[float]

    def time_once(self) -> None:
        time.sleep(PAUSE)
        self.run()
        wake_threads()
        start = now()
        self.run()
        self.milliseconds.append(1e3 * (now() - start))


def three(spec: ConvSpec) -> tuple[str, list[Rival]]:
    """The algorithm that darter chose, and who takes turns. AssertionError if they differ."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(spec.x, np.float32)
    w = rng.standard_normal(spec.w, np.float32)
    layer = prepare(spec, w)
    y, blocked_x = np.empty(spec.y, np.float32), to_blocked(x)
    blocked_y = layer(blocked_x)
    conv = torch.nn.Conv2d(spec.x[1], spec.w[0], spec.w[2:], padding=spec.padding[0], bias=False)
    conv.requires_grad_(False).weight.copy_(torch.from_numpy(w))
    conv = conv.to(memory_format=torch.channels_last)
    given = torch.from_numpy(x).to(memory_format=torch.channels_last)
    expected = conv(given).numpy()
    layer(x, out=y)
    for result in (y, from_blocked(blocked_y, spec.w[0])):
        assert np.abs(result - expected).max() < FAR * np.abs(expected).max(), spec
    return layer.choice.algorithm, [
        Rival("torch", partial(conv, given), []),
        Rival("darter", partial(layer, x, y), []),
        Rival("blocked", partial(layer, blocked_x, blocked_y), []),
    ]


def measure(spec: ConvSpec, times: int, seconds: float, peak: Peak) -> dict:
    algorithm, rivals = three(spec)
    end = time.perf_counter() + seconds
    while len(rivals[0].milliseconds) < LEAST_ROUNDS or time.perf_counter() < end:
        for rival in rivals:
            rival.time_once()
    middle = {rival.name: median(rival.milliseconds[1:]) for rival in rivals}
    ours = rivals[1].milliseconds[1:]
    chosen = ALGORITHMS[algorithm]
    floats = chosen.weight_bytes(spec) + 4 * (np.prod(spec.x) + np.prod(spec.y))
    return {
        "layer": str(spec),
        "name": f"{spec.x[1]} to {spec.w[0]}, {spec.x[2]}x{spec.x[3]}",
        "batch": spec.x[0],
        "times": times,
        "algorithm": algorithm,
        **{f"{name}_ms": ms for name, ms in middle.items()},
        "low": min(ours),
        "high": max(ours),
        "products_ms": 2e-6 * chosen.products(spec) / peak.gflops,
        "memory_ms": 1e-6 * float(floats) / peak.gigabytes,
        "rounds": len(ours),
        "speedup": middle["torch"] / middle["darter"],
    }


def total(rows: list[dict]) -> dict:
    """All layers, each as often as the net has it."""
    sums = {
        key: sum(row["times"] * row[key] for row in rows)
        for key in ("torch_ms", "darter_ms", "blocked_ms", "products_ms", "memory_ms")
    }
    return {
        "batch": rows[0]["batch"],
        "name": f"all, N = {rows[0]['batch']}",
        "times": sum(row["times"] for row in rows),
        **sums,
        "speedup": sums["torch_ms"] / sums["darter_ms"],
    }


def layers(batch: int) -> dict[ConvSpec, int]:
    """Those of 64 channels and more, and how often the net has them."""
    found: dict[ConvSpec, int] = {}
    for spec, times in net_layers("vgg-e", batch):
        if spec.x[1] > 3:
            found[spec] = found.get(spec, 0) + times
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0, help="per layer")
    parser.add_argument("--out")
    options = parser.parse_args()
    set_threads(options.threads)
    torch.set_num_threads(options.threads)
    peak = measure_peak()
    print(f"peak {peak.gflops:.0f} GFLOP/s, {peak.gigabytes:.0f} GB/s, {threads()} threads")
    for batch in options.batch:
        rows = [measure(spec, n, options.seconds, peak) for spec, n in layers(batch).items()]
        rows.append(total(rows))
        print(table(rows, columns=COLUMNS))
        if options.out:
            append_records(RESULTS / options.out, peak, rows)


if __name__ == "__main__":
    main()
