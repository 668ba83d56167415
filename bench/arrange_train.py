"""Train a VGG-11-like or ResNet-18-like net from scratch, to be factorized afterwards.

    python bench/arrange_train.py vgg11 CIFAR10_SMALL out/vgg11.onnx
    python bench/arrange_train.py resnet18 CIFAR10_SMALL out/resnet18.onnx --epochs 16

The folder has train/ and test/, a folder per class. Pictures are shown at 64 pixels, mirrored and
shifted at random. The file is written as darter writes its own, with classes and preprocessing.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn.functional import cross_entropy, pad

from darter.dataset import find_samples
from darter.model import ModelInfo, write_info
from darter.picture import Preprocess
from darter.train.export import to_onnx

SIZE, SHIFT = 64, 6  # pixels
HALF = (0.5, 0.5, 0.5)


def make(name: str, classes: int) -> nn.Module:
    if name == "resnet18":
        return torchvision.models.resnet18(num_classes=classes)
    features = torchvision.models.vgg11_bn().features
    return nn.Sequential(
        features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(512, classes)
    )


def pictures(
    folder: Path, part: str, size: int = SIZE
) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
    """float16 (N, 3, size, size) as the model file will see them, class numbers, class names."""
    look = Preprocess(size=size, resize=size, mean=HALF, std=HALF)
    samples = find_samples(folder / part).samples
    classes = tuple(sorted({s.labels[0] for s in samples}))
    x = np.concatenate(
        [look.batch([s.path for s in samples[i : i + 500]]) for i in range(0, len(samples), 500)],
        dtype=np.float16,
    )
    targets = [classes.index(s.labels[0]) for s in samples]
    return torch.from_numpy(x), torch.tensor(targets), classes


def augmented(x: torch.Tensor) -> torch.Tensor:
    x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
    dy, dx = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    return pad(x, (SHIFT,) * 4)[:, :, dy : dy + SIZE, dx : dx + SIZE].contiguous()


def fit(net: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int, rate: float) -> None:
    batch = 64
    steps = epochs * (len(x) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.2)
    for epoch in range(epochs):
        net.train()
        started, total = time.perf_counter(), 0.0
        for places in torch.randperm(len(x))[: len(x) // batch * batch].split(batch):
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(augmented(x[places].float()).to(memory_format=torch.channels_last))
            loss = cross_entropy(logits.float(), y[places], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - started
        print(f"epoch {epoch + 1} of {epochs}: loss {total * batch / len(x):.3f}, {seconds:.0f} s")


@torch.no_grad()
def accuracy(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    net.eval()
    parts = zip(x.split(100), y.split(100), strict=True)
    right = sum((net(a.float()).argmax(1) == b).sum().item() for a, b in parts)
    return right / len(y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", choices=("vgg11", "resnet18"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args()
    torch.manual_seed(0)
    x, y, classes = pictures(options.folder, "train")
    net = make(options.net, len(classes)).to(memory_format=torch.channels_last)
    fit(net, x, y, options.epochs, options.rate)
    print(
        f"{options.net}: test accuracy {accuracy(net, *pictures(options.folder, 'test')[:2]):.1%}"
    )
    proto = to_onnx(net, SIZE)
    look = Preprocess(size=SIZE, resize=SIZE, mean=HALF, std=HALF)
    write_info(proto, ModelInfo(classes, look, card={"strategy": f"{options.net} from scratch"}))
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_bytes(proto.SerializeToString())


if __name__ == "__main__":
    main()
