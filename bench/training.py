"""One training step of whole nets: darter's core beside PyTorch eager, channels-last.

    python bench/training.py --batch 16 resnet18 mobilenetv2_100 efficientnet_lite0

Random weights, 224 x 224 pictures (Inception: 299), batch normalization in training mode. The
gradients of both are compared before anything is timed: their difference, relative to the gradient,
is the last column. Milliseconds are medians of turns; memory is that of darter's arena.
"""

import argparse
import copy
import json
import time
from pathlib import Path
from statistics import median

import timm
import torch

from darter.kernels import set_threads, threads
from darter.machine import cpu_model
from darter.train import compiled


def step(net, images, dy):
    """Milliseconds forward, and in all."""
    for parameter in net.parameters():
        parameter.grad = None
    start = time.perf_counter()
    y = net(images)
    forward = time.perf_counter() - start
    y.backward(dy)
    return 1e3 * forward, 1e3 * (time.perf_counter() - start)


def difference(a, b):
    """Of all gradients together."""
    pairs = list(zip(a.parameters(), b.parameters(), strict=True))
    squares = sum((p.grad - q.grad).norm() ** 2 for p, q in pairs)
    return float((squares / sum(q.grad.norm() ** 2 for _, q in pairs)) ** 0.5)


def measure(name, batch, turns):
    size = 299 if "inception" in name else 224
    torch.manual_seed(0)
    theirs = timm.create_model(name, num_classes=10).train()
    ours = copy.deepcopy(theirs)
    theirs = theirs.to(memory_format=torch.channels_last)
    images, dy = torch.randn(batch, 3, size, size), torch.randn(batch, 10) / batch
    net = compiled(ours, images)
    last = images.to(memory_format=torch.channels_last)
    times = {"darter": [], "torch": []}
    runs = {"darter": (net, images), "torch": (theirs, last)}
    for turn in range(1 + turns):
        random = torch.get_rng_state()
        for key, (each, pictures) in runs.items():
            torch.set_rng_state(random)
            taken = step(each, pictures, dy)
            if turn:
                times[key].append(taken)
        if turn == 0:
            error = difference(ours, theirs)
    row = {"net": name, "batch": batch, "threads": threads(), "cpu": cpu_model()}
    for key, taken in times.items():
        row[f"{key}_forward_ms"] = median(forward for forward, _ in taken)
        row[f"{key}_ms"] = median(whole for _, whole in taken)
    arenas = [4e-6 * s.plans[batch].arena.numel() for s in net.segments]
    return row | {
        "speedup": row["torch_ms"] / row["darter_ms"],
        "arena_mb": sum(arenas),
        "error": error,
        "refused": len(net.refusals),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="+")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=threads())
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", help="append the rows here, as JSON lines")
    options = parser.parse_args()
    set_threads(options.threads)
    torch.set_num_threads(options.threads)
    print("net                    batch  forward    step  PyTorch    step  speedup    MB    error")
    for name in options.nets:
        row = measure(name, options.batch, options.turns)
        print(
            f"{name:<22} {row['batch']:>5} "
            f"{row['darter_forward_ms']:>8.0f} {row['darter_ms']:>7.0f} "
            f"{row['torch_forward_ms']:>8.0f} {row['torch_ms']:>7.0f} {row['speedup']:>8.2f} "
            f"{row['arena_mb']:>5.0f} {row['error']:>8.1e}",
            flush=True,
        )
        if options.out:
            with Path(options.out).open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
