"""Gupta et al.'s experiment: training in 16-bit fixed point, stochastic against nearest rounding.

    python bench/fixed_point.py [--idx FOLDER] [--epochs 20] [--bits 8 10 12 14] [--seeds 1]

Trains one small net (two convolutions, two linear layers, SGD as in the paper) in float32 and in
fixed point of 16 bits: weights, updates, gradients and errors with FL fractional bits, layers'
outputs with 6 integer bits or more. Every run starts from the same weights and sees the same
batches. Prints errors on the test pictures with 95% intervals, writes
bench/results/fixed-point-NAME.jsonl and a plot beside it.

Pictures: scikit-learn's 1,797 digits, or idx files as of MNIST and Fashion-MNIST (--idx; Debian:
dataset-fashion-mnist). Source: arXiv:1502.02551, section 4.
"""

import argparse
import gzip
import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from darter.machine import available_cpus
from darter.model import wilson
from darter.precision import FixedPoint, FixedUpdate, rounded

RESULTS = Path(__file__).parent / "results"
BATCH, WORD = 100, 16


def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = data.images[:, None] / 16, data.target
    order = np.random.default_rng(0).permutation(len(y))
    x, y = torch.from_numpy(x[order]).float(), torch.from_numpy(y[order]).long()
    return (x[360:], y[360:]), (x[:360], y[:360])


def idx(folder: Path):
    def read(name):
        file = next(folder.glob(f"{name}*"))
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        rank = data[3]
        shape = np.frombuffer(data, ">i4", rank, 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)

    parts = []
    for part in ("train", "t10k"):
        x, y = read(f"{part}-images"), read(f"{part}-labels")
        parts.append((torch.tensor(x[:, None] / 255).float(), torch.tensor(y).long()))
    return parts


def make_net(side: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * (side // 4) ** 2, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def run(data, format: FixedPoint | None, epochs: int, seed: int) -> list[dict]:
    (x, y), (test_x, test_y) = data
    net = make_net(x.shape[-1])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.5, weight_decay=5e-4)
    update = None if format is None else FixedUpdate(format, 128.0, seed)
    if update:
        update.prepare(list(net.parameters()))

    def inside(place: int):
        return nullcontext() if format is None else rounded(format.wider(), format, place)

    curve = []
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.95**epoch
        order = np.random.default_rng([seed, epoch]).permutation(len(y))
        losses = []
        for step, start in enumerate(range(0, len(y) - BATCH + 1, BATCH)):
            rows = order[start : start + BATCH]
            with inside((seed * epochs + epoch) * 10_000 + step):
                logits = net(x[rows])
            loss = F.cross_entropy(logits, y[rows])
            optimizer.zero_grad()
            (update.scale(loss) if update else loss).backward()
            (update or optimizer).step(*([optimizer] if update else []))
            losses.append(loss.item())
        with torch.no_grad(), inside(seed):
            wrong = sum(
                int((net(a).argmax(1) != b).sum())
                for a, b in zip(test_x.split(500), test_y.split(500), strict=True)
            )
        curve.append({"epoch": epoch + 1, "loss": float(np.mean(losses)), "wrong": wrong})
    return curve


def plot(rows: list[dict], file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure((9, 3.6), layout="constrained")
    sides = zip(figure.subplots(1, 2, sharey=True), ("nearest", "stochastic"), strict=True)
    for axes, rounding in sides:
        for row in rows:
            if row["seed"] or row["rounding"] not in ("", rounding):
                continue
            errors = [100 * point["wrong"] / row["of"] for point in row["curve"]]
            label = row["name"].replace(",nearest", "")
            axes.plot(range(1, len(errors) + 1), errors, label=label)
        axes.set(title=f"{rounding} rounding", xlabel="epoch", yscale="log")
        axes.legend(fontsize=8)
    figure.axes[0].set_ylabel("error on test pictures, %")
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--idx", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 10, 12, 14])
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(available_cpus())
    name = "digits" if options.idx is None else "idx"
    data = digits() if options.idx is None else idx(options.idx)
    formats: list[FixedPoint | None] = [None]
    formats += [
        FixedPoint(WORD - bits, bits, rounding)
        for bits in options.bits
        for rounding in ("stochastic", "nearest")
    ]
    total = len(data[1][1])
    print(f"{len(data[0][1])} training and {total} test pictures, {options.epochs} epochs")
    rows = []
    for format in formats:
        for seed in range(options.seeds):
            curve = run(data, format, options.epochs, seed)
            rounding = format.rounding if format else ""
            label = str(format) if format else "float32"
            about = {"name": label, "rounding": rounding, "seed": seed, "of": total}
            rows.append({**about, "curve": curve})
            wrong, loss = curve[-1]["wrong"], curve[-1]["loss"]
            low, high = wilson(wrong, total)
            error = f"{wrong / total:6.2%}  [{low:.2%}, {high:.2%}]"
            print(f"{label:22} error {error}  training loss {loss:.4f}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"fixed-point-{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    plot(rows, file.with_suffix(".png"))
    print(f"curves: {file}, {file.with_suffix('.png')}")


if __name__ == "__main__":
    main()
