"""Training steps of PyTorch with freed memory kept for the next step, and given back each time.

    python bench/freed_memory.py mobilenetv2_100 resnet18 --batch 32 --turns 8

Both ways in turns, in one process for each net: milliseconds of a step, seconds of the processor in
the kernel (where it clears pages), and the most memory that a process of that way alone took.
"""

import argparse
import resource
import time
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import timm
import torch
from torch.nn.functional import cross_entropy

from darter.machine import available_cpus, cpu_model, keeping_freed
from darter.report import table

WAYS = {"given back": nullcontext, "kept": keeping_freed}


def training_step(name, batch, size):
    """A function that does one step: forward, backward, SGD."""
    torch.manual_seed(0)
    torch.set_num_threads(available_cpus())
    net = timm.create_model(name, num_classes=10).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    images = torch.randn(batch, 3, size, size)
    labels = torch.randint(0, 10, (batch,))

    def step():
        optimizer.zero_grad()
        cross_entropy(net(images), labels).backward()
        optimizer.step()

    return step


def in_turns(name, options):
    """{way: (milliseconds, milliseconds in the kernel)}, medians over turns of two steps."""
    step = training_step(name, options.batch, options.size)
    seen = {way: [] for way in WAYS}
    for _ in range(options.turns):
        for way, block in WAYS.items():
            with block():
                step()  # what is kept must be there first
                used, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
                step()
                spent = time.perf_counter() - start
                now = resource.getrusage(resource.RUSAGE_SELF)
                seen[way].append((1e3 * spent, 1e3 * (now.ru_stime - used.ru_stime)))
    return {way: tuple(map(median, zip(*each, strict=True))) for way, each in seen.items()}


def peak(name, way, options):
    """MiB that a process takes at most which only trains that way."""
    step = training_step(name, options.batch, options.size)
    with WAYS[way]():
        for _ in range(4):
            step()
    status = Path("/proc/self/status").read_text()  # `ru_maxrss` begins with the parent's
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(name, options):
    times = in_turns(name, options)
    rows = []
    for way, (spent, kernel) in times.items():
        with get_context("spawn").Pool(1) as pool:
            most = pool.apply(peak, (name, way, options))
        row = {"net": name, "freed memory": way, "ms": f"{spent:.0f}"}
        rows.append(row | {"ms in the kernel": f"{kernel:.0f}", "MiB": f"{most:.0f}"})
    rows[-1]["times as fast"] = f"{times['given back'][0] / times['kept'][0]:.2f}"
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="+", help="names of timm")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--turns", type=int, default=8)
    options = parser.parse_args()
    rows = [row for name in options.nets for row in measure(name, options)]
    print(table(rows, title=f"{cpu_model()}, batch {options.batch}, {options.size} pixels"))


if __name__ == "__main__":
    main()
