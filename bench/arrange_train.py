"""Train a VGG-11-like or ResNet-18-like net from scratch, to be factorized afterwards.

    python bench/arrange_train.py vgg11 CIFAR10_SMALL out/vgg11.onnx
    python bench/arrange_train.py resnet18 CIFAR10_SMALL out/resnet18.onnx --epochs 16 --width 0.5

The folder has train/ and test/, a folder per class. Pictures are shown at 64 pixels, mirrored and
shifted at random; steps run in darter's compiled core. The file is written as darter writes its
own, with classes and preprocessing.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import nn
from torch.nn.functional import cross_entropy, pad
from torchvision.models.vgg import make_layers

from darter.dataset import find_samples
from darter.model import ModelInfo, write_info
from darter.picture import Preprocess
from darter.train import compiled
from darter.train.written import to_onnx

SIZE, SHIFT = 64, 6  # pixels
HALF = (0.5, 0.5, 0.5)
BATCH = 64
VGG11: list[int | str] = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]


def make(name: str, classes: int, width: float = 1.0) -> nn.Module:
    """width: times the channels of the published net; VGG-11 with one fully connected layer."""
    if name == "resnet18":
        channels = [int(width * c) for c in (64, 128, 256, 512)]
        return ResNet(BasicBlock, (2, 2, 2, 2), classes, channels=channels)
    channels = [c if isinstance(c, str) else int(width * c) for c in VGG11]
    return nn.Sequential(
        make_layers(channels, batch_norm=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(int(width * 512), classes),
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
    steps = epochs * (len(x) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.2)
    net.train()
    run = compiled(net, x[:BATCH].float())
    for epoch in range(epochs):
        started, total = time.perf_counter(), 0.0
        for places in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            logits = run(augmented(x[places].float()))
            loss = cross_entropy(logits, y[places], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - started
        mean = total * BATCH / len(x)
        print(f"epoch {epoch + 1} of {epochs}: loss {mean:.3f}, {seconds:.0f} s", flush=True)


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
    parser.add_argument("--width", type=float, default=1.0, help="times the published channels")
    options = parser.parse_args()
    torch.manual_seed(0)
    x, y, classes = pictures(options.folder, "train")
    net = make(options.net, len(classes), options.width)
    fit(net, x, y, options.epochs, options.rate)
    print(
        f"{options.net}: test accuracy {accuracy(net, *pictures(options.folder, 'test')[:2]):.1%}"
    )
    net.eval()
    proto = to_onnx(net, SIZE)
    look = Preprocess(size=SIZE, resize=SIZE, mean=HALF, std=HALF)
    write_info(proto, ModelInfo(classes, look, card={"strategy": f"{options.net} from scratch"}))
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_bytes(proto.SerializeToString())


if __name__ == "__main__":
    main()
