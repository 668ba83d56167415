"""Matrix products: blocked, Strassen, bfloat16 and PyTorch's (MKL, oneDNN), in one run.

python bench/gemm.py [--sizes 512,1024,2048,4096] [--out bench/results/conv-gemm.jsonl]
"""

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from darter.bench import append_records
from darter.kernels import GEMM_ALGORITHMS, gemm, measure_peak, set_threads, threads
from darter.report import table

PAUSE = 0.01  # seconds


def gflops(size: int, algorithms: dict, rounds: int) -> dict[str, float]:
    """Medians of rounds in which all take turns; each result is checked first. One thread is timed
    in CPU time, which a busy machine disturbs less. A pause before each lets the threads of the one
    before fall asleep: PyTorch's go on spinning for a while, on the cores of the next."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), np.float32) for _ in range(2))
    out = np.empty((size, size), np.float32)
    expected = a @ b
    clock = time.process_time if threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in algorithms}
    for name, run in algorithms.items():
        run(a, b, out)
        limit = 4e-2 if "bfloat16" in name else 1e-3  # PyTorch rounds its results, too
        assert np.abs(out - expected).max() < limit * size**0.5, name
    for _ in range(rounds):
        for name, run in algorithms.items():
            time.sleep(PAUSE)
            start = clock()
            run(a, b, out)
            times[name].append(clock() - start)
    return {name: 2e-9 * size**3 / median(taken) for name, taken in times.items()}


def mkl(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    torch.mm(torch.from_numpy(a), torch.from_numpy(b), out=torch.from_numpy(out))


def mkl_bfloat16(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    left, right = (torch.from_numpy(x).to(torch.bfloat16) for x in (a, b))
    torch.from_numpy(out).copy_(torch.mm(left, right))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="512,1024,2048,4096,6144")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--threads", type=int, default=threads())
    options = parser.parse_args()
    set_threads(options.threads)
    torch.set_num_threads(threads())
    peak = measure_peak()
    algorithms = {"torch": mkl}
    for name in GEMM_ALGORITHMS:
        algorithms[name] = lambda a, b, out, name=name: gemm(a, b, algorithm=name, out=out)
    algorithms["torch bfloat16"] = mkl_bfloat16  # rounding included, as in darter's
    algorithms["bfloat16"] = lambda a, b, out: gemm(a, b, precision="bfloat16", out=out)
    rows = []
    for size in map(int, options.sizes.split(",")):
        speeds = gflops(size, algorithms, options.rounds)
        rows.append({"n": size, **speeds, "speedup": speeds["blocked"] / speeds["torch"]})
    print(f"peak {peak.gflops:.0f} GFLOP/s, {peak.threads} threads; GFLOP/s:")
    print(table(rows))
    if options.out:
        append_records(options.out, peak, rows)


if __name__ == "__main__":
    main()
