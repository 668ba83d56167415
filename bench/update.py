"""The update after a backward pass: the core's one pass beside PyTorch's optimizer and the average.

    python bench/update.py resnet18 mobilenetv2_100 vgg11

AdamW (PyTorch's fused one) and SGD with momentum, each with the moving average of all weights and
statistics that a training keeps. Both are compared after 3 steps before they are timed.
Milliseconds, medians of turns, for caches that a backward pass has left full of other numbers.
"""

import argparse
import copy
import time
from statistics import median

import timm
import torch

from darter.kernels import set_threads, threads
from darter.machine import cpu_model
from darter.noise import Average
from darter.report import table
from darter.train import OnePass

OPTIMIZERS = {
    "AdamW": lambda weights: torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.05, fused=True),
    "SGD": lambda weights: torch.optim.SGD(weights, lr=1e-2, momentum=0.9, weight_decay=1e-4),
}
OTHER = 16 << 20  # numbers that push all else out of the caches


class Updates:
    def __init__(self, net, optimizer, *, ours):
        self.weights = list(net.parameters())
        self.optimizer = OPTIMIZERS[optimizer](self.weights)
        self.average = Average({k: v.detach() for k, v in net.state_dict().items()}, 0.999)
        self.one_pass = OnePass(self.optimizer) if ours else None

    def __call__(self):
        if self.one_pass:
            return self.one_pass(self.average)
        self.optimizer.step()
        return self.average.update()


def measure(name, optimizer, turns):
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=10)
    gradients = [torch.randn_like(p) * 1e-3 for p in net.parameters()]
    runs = {
        "torch": Updates(copy.deepcopy(net), optimizer, ours=False),
        "darter": Updates(copy.deepcopy(net), optimizer, ours=True),
    }
    other = torch.ones(OTHER)
    times = {key: [] for key in runs}
    for turn in range(3 + turns):
        for key, run in runs.items():
            for weight, gradient in zip(run.weights, gradients, strict=True):
                weight.grad = gradient
            other.add_(1)
            start = time.perf_counter()
            run()
            if turn >= 3:
                times[key].append(1e3 * (time.perf_counter() - start))
        if turn == 2:
            pairs = zip(runs["torch"].weights, runs["darter"].weights, strict=True)
            error = max(float((a - b).detach().abs().max()) for a, b in pairs)
            if not error < 1e-6:
                raise SystemExit(f"{name}, {optimizer}: weights differ by {error:.1e}")
    theirs, ours = median(times["torch"]), median(times["darter"])
    return {
        "net": name, "optimizer": optimizer, "weights": sum(p.numel() for p in net.parameters()),
        "PyTorch, ms": theirs, "core, ms": ours, "speedup": theirs / ours,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="+")
    parser.add_argument("--threads", type=int, default=threads())
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    set_threads(options.threads)
    torch.set_num_threads(options.threads)
    print(f"{cpu_model()}, {options.threads} threads")
    print(table([measure(n, o, options.turns) for n in options.nets for o in OPTIMIZERS]))


if __name__ == "__main__":
    main()
