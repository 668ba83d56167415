"""Nets of +1 and -1 against the same nets with real numbers: the same pictures, trained as long.

    python bench/binary_nets.py CIFAR10_SMALL --seconds 150
    python bench/binary_nets.py --idx FOLDER --seconds 150 --width 0.25

The family is that of `darter train --strategy binary`; --width takes a share of its channels.
Seconds are processor time of one thread for each net. The binary net learns in two steps: half of
the time with real weights, half with their signs. Prints accuracy on the test pictures with 95%
intervals, the paired difference, and what the binary net's ONNX file answers and takes in darter
and in ONNX Runtime.

Pictures: a folder with train/ and test/ (shown at 32 pixels), or idx files as of MNIST and
Fashion-MNIST (--idx; Debian: dataset-fashion-mnist).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from arrange_train import pictures
from fixed_point import idx
from scratch_family import SIZE, fit
from torch import nn

from darter.model import paired_interval, runtime_of, wilson
from darter.precision import set_binary
from darter.quantize.timing import milliseconds
from darter.train.written import to_onnx
from darter.transfer.binary_net import WIDTHS, BinaryNet

CLOSE = 1e-4
Pictures = tuple[torch.Tensor, torch.Tensor]


def of_idx(folder: Path) -> tuple[Pictures, Pictures]:
    train, test = (((x.half() * 2 - 1).expand(-1, 3, -1, -1), y) for x, y in idx(folder))
    return train, test


def of_folder(folder: Path) -> tuple[Pictures, Pictures]:
    return pictures(folder, "train", SIZE)[:2], pictures(folder, "test", SIZE)[:2]


def trained(
    binary: bool, data: Pictures, seconds: float, width: float, rate: float
) -> tuple[nn.Module, int]:
    """The net in use, and its steps."""
    x, y = data
    widths = tuple(round(width * each) for each in WIDTHS)
    torch.manual_seed(0)
    classes = int(y.max()) + 1
    net = nn.Sequential(BinaryNet(x.shape[-1], binary, widths), nn.Linear(widths[-1], classes))
    steps = fit(net, x, y, seconds, rate, at=lambda done: set_binary(net, done >= 0.5))
    return net.eval(), steps


@torch.no_grad()
def right(net: nn.Module, data: Pictures) -> np.ndarray:
    """Of each picture, whether the answer is right."""
    x, y = data
    answers = torch.cat([net(part.float()).argmax(1) for part in x.split(200)])
    return (answers == y).numpy()


def show_file(net: nn.Module, x: torch.Tensor) -> None:
    """What the file takes, and whether it answers in both runtimes as the net does."""
    proto = to_onnx(net, x.shape[-1])
    with torch.no_grad():
        expected = net(x).numpy()
    print(f"file of the binary net: {len(proto.SerializeToString()) / 1e6:.2f} MB")
    runs, one = {}, x[:1].numpy()
    for name in ("darter", "onnxruntime"):
        runtime = runtime_of(proto, "the net", runtime=name, threads=1)
        (found,) = runtime.run(x.numpy())
        same = (found.argmax(1) == expected.argmax(1)).mean()
        apart = np.abs(found - expected).max(axis=1)  # large where a sign at its threshold flips
        close = (apart < CLOSE).sum()
        print(
            f"{name}: the net's answer for {same:.1%} of {len(x)}; logits within {CLOSE:g} for "
            f"{close}, within {apart.max():.1e} for all"
        )
        runs[name] = lambda runtime=runtime: runtime.run(one)
    print("ms, 1 thread: ", ", ".join(f"{n} {ms:.3f}" for n, ms in milliseconds(runs).items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--idx", type=Path)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = of_idx(options.idx) if options.idx else of_folder(options.folder)
    print(f"{len(train[1])} training pictures, {options.seconds:g} s each, width {options.width:g}")
    answers, net = [], nn.Module()
    for name in ("float32", "binary"):
        binary = name == "binary"
        net, steps = trained(binary, train, options.seconds, options.width, options.rate)
        answers.append(right(net, test))
        n, count = len(answers[-1]), int(answers[-1].sum())
        low, high = wilson(count, n)
        print(
            f"{name}: {count / n:.1%} of {n} ({low:.1%} to {high:.1%}), {steps} steps", flush=True
        )
    gain = answers[1] - answers[0].astype(float)
    low, high = paired_interval(gain)
    print(
        f"binary - float32: {100 * gain.mean():+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    )
    show_file(net, test[0][:200].float())


if __name__ == "__main__":
    main()
