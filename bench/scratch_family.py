"""Small nets of the family against a plain ResNet-18: the same pictures, the same time of training.

    python bench/scratch_family.py CIFAR10_SMALL --seconds 90
    python bench/scratch_family.py --times          milliseconds of each size on the engine

Seconds are processor time of one thread, so that it does not matter what else the machine does.
Pictures are shown at their own 32 pixels, mirrored and shifted at random. The rate falls to 0 over
the time given.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from arrange_train import accuracy, pictures
from torch import nn
from torch.nn.functional import cross_entropy, pad

from darter.arrange import FAMILY, ScratchNet, to_file
from darter.model import analyze_file

SIZE, SHIFT, BATCH = 32, 3, 64


def make(name: str, classes: int, size: int = SIZE) -> nn.Module:
    if name == "resnet18":
        return torchvision.models.resnet18(num_classes=classes)
    body = ScratchNet(size, name)
    return nn.Sequential(body, nn.Linear(FAMILY[name][0][-1], classes))


def fit(
    net: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    seconds: float,
    rate: float,
    at: Callable[[float], None] = lambda done: None,
) -> int:
    """Train for that long; returns the number of steps.   at: told the share that is done."""
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.05)
    started, steps, side = time.process_time(), 0, x.shape[-1]
    net.train()
    while (done := (time.process_time() - started) / seconds) < 1:
        at(done)
        places = torch.randint(len(x), (BATCH,))
        picture = x[places].float()
        picture = torch.where(torch.rand(BATCH, 1, 1, 1) < 0.5, picture.flip(3), picture)
        dy, dx = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
        picture = pad(picture, (SHIFT,) * 4)[:, :, dy : dy + side, dx : dx + side]
        loss = cross_entropy(net(picture.contiguous()), y[places], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        warm = min(1.0, done / 0.1)
        for group in optimizer.param_groups:
            group["lr"] = rate * warm * (1 + math.cos(math.pi * done)) / 2
        optimizer.step()
        steps += 1
    return steps


def times(folder: Path) -> None:
    print("| net | pictures | weights | M multiply-adds | ms |\n|---|---|---|---|---|")
    for name in (*FAMILY, "resnet18"):
        for size in (32, 64, 96, 224):
            file = folder / "net.onnx"
            to_file(make(name, 10, size).eval(), size, file)
            found = analyze_file(file, size=size, runs=30)
            madds = found.multiply_adds / 1e6
            print(f"| {name} | {size} | {found.weights:,} | {madds:.1f} | {found.ms:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--nets", default="resnet18,tiny,small,base")
    parser.add_argument("--times", action="store_true")
    options = parser.parse_args()
    if options.times:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            times(Path(folder))
        return
    torch.set_num_threads(1)
    x, y, classes = pictures(options.folder, "train", SIZE)
    tested = pictures(options.folder, "test", SIZE)[:2]
    print("| net | steps | test accuracy |\n|---|---|---|", flush=True)
    for name in options.nets.split(","):
        torch.manual_seed(0)
        net = make(name, len(classes))
        steps = fit(net, x, y, options.seconds, options.rate)
        print(f"| {name} | {steps} | {accuracy(net, *tested):.1%} |", flush=True)


if __name__ == "__main__":
    main()
